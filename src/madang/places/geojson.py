"""Reads GeoJSON FeatureCollections from outside into valid WGS84 shapes (RFC 7946, and its 2008 `crs` member)."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from madang.kernel.geometry import in_korea
from madang.places import tabular
from madang.places.domain import Fault, FileRefusedError, Issue, Level

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

EXPECTED_EN = "a GeoJSON FeatureCollection in WGS84 longitude and latitude"
EXPECTED_KO = "WGS84 경위도 GeoJSON(FeatureCollection) 파일"

NO_SHAPE = Fault("no_shape", Level.ERROR, "도형이 없거나 읽을 수 없습니다.", "There is no shape, or it cannot be read.")
WRONG_SHAPE = Fault(
    "wrong_shape", Level.ERROR, "여기에 쓸 수 없는 도형입니다: {value}", "This kind of shape is not used here: {value}"
)
OUTSIDE_KOREA = Fault(
    "outside_korea", Level.ERROR, "도형이 우리나라 밖에 있습니다: {value}", "The shape lies outside Korea: {value}"
)
REPAIRED = Fault(
    "repaired", Level.NOTICE, "스스로 교차하는 경계선을 고쳤습니다.", "A boundary that crossed itself was repaired."
)


@dataclass(frozen=True, slots=True)
class Shape:
    """A valid geometry in WGS84 with its box (west, south, east, north)."""

    geometry: dict[str, Any]  # Any: GeoJSON
    box: tuple[float, float, float, float]
    area: float


@dataclass(frozen=True, slots=True)
class Features:
    """The features of a file, and how their coordinates become longitude and latitude."""

    items: list[Any]  # Any: JSON from outside
    crs: str
    _transform: Callable[[Any], Any] | None  # Any: numpy coordinates

    def shape(self, number: int, found: list[Issue], kinds: Sequence[str]) -> Shape | None:
        """The shape of feature `number` (from 1) if it is of one of `kinds`; otherwise None, with the issue."""
        import shapely

        item = self.items[number - 1]
        geometry = item.get("geometry") if isinstance(item, dict) else None
        if not isinstance(geometry, dict):
            found.append(NO_SHAPE.at(number, "geometry"))
            return None
        shape = shapely.from_geojson(json.dumps(geometry), on_invalid="ignore")
        if shape is None or shape.is_empty:
            found.append(NO_SHAPE.at(number, "geometry", str(geometry.get("type"))))
            return None
        if self._transform is not None:
            shape = shapely.transform(shape, self._transform)
        return self._valid(number, shape, found, kinds)

    def _valid(self, number: int, shape: Any, found: list[Issue], kinds: Sequence[str]) -> Shape | None:  # Any: shapely
        import shapely

        if shape.geom_type not in kinds:
            found.append(WRONG_SHAPE.at(number, "geometry", shape.geom_type))
            return None
        west, south, east, north = (float(edge) for edge in shape.bounds)
        if not (in_korea(west, south) and in_korea(east, north)):
            found.append(OUTSIDE_KOREA.at(number, "geometry", f"{west:.4f}, {south:.4f}"))
            return None
        if not shape.is_valid:
            shape = _of_kinds(shapely.make_valid(shape), kinds)
            found.append((NO_SHAPE if shape is None else REPAIRED).at(number, "geometry"))
            if shape is None:
                return None
        return Shape(json.loads(shapely.to_geojson(shape)), (west, south, east, north), float(shape.area))

    def properties(self, number: int) -> Mapping[str, Any]:  # Any: JSON from outside
        """The properties of feature `number`; empty where it has none."""
        item = self.items[number - 1]
        found = item.get("properties") if isinstance(item, dict) else None
        return found if isinstance(found, dict) else {}


def _of_kinds(shape: Any, kinds: Sequence[str]) -> Any:  # Any: shapely
    """What a repair left of the wanted kinds; None when nothing did."""
    import shapely

    if shape.geom_type in kinds:
        return shape
    parts = [part for part in getattr(shape, "geoms", ()) if part.geom_type in kinds]
    return shapely.union_all(parts) if parts else None


def union(shapes: Sequence[Shape]) -> Shape:
    """Several shapes as one."""
    import shapely

    if len(shapes) == 1:
        return shapes[0]
    whole = shapely.union_all([shapely.from_geojson(json.dumps(shape.geometry)) for shape in shapes])
    west, south, east, north = (float(edge) for edge in whole.bounds)
    return Shape(json.loads(shapely.to_geojson(whole)), (west, south, east, north), float(whole.area))


def open_features(path: Path, max_bytes: int) -> Features:
    """The features of a file; raises `FileRefusedError` for anything that is no GeoJSON in a known reference system."""
    head = tabular.first_bytes(path)
    tabular.refuse_foreign(head, EXPECTED_EN, EXPECTED_KO)
    document = _document(path, head, max_bytes)
    features = _features(document)
    crs = _crs_name(document.get("crs"))
    return Features(features, crs, _transform(crs, features))


def _document(path: Path, head: bytes, max_bytes: int) -> dict[str, Any]:  # Any: JSON from outside
    size = path.stat().st_size
    if size > max_bytes:
        raise _refusal(f"{size} bytes; at most {max_bytes} are read", f"파일이 너무 큽니다({size:,} 바이트)")
    raw = path.read_bytes()
    encoding = tabular.detect_encoding(head)
    try:
        document = orjson.loads(raw if encoding == "utf-8" else raw.decode(encoding).encode())
    except (orjson.JSONDecodeError, UnicodeError) as error:
        raise _refusal(f"no JSON: {str(error)[:120]}", "JSON이 아니거나 깨져 있습니다") from None
    if not isinstance(document, dict):
        raise _refusal("JSON that is no object", "GeoJSON 객체가 아닙니다")
    return document


def _features(document: dict[str, Any]) -> list[Any]:  # Any: JSON from outside
    kind = document.get("type")
    if kind == "Topology":
        raise _refusal(
            "TopoJSON",
            "TopoJSON입니다",
            "Convert it to GeoJSON, e.g. with mapshaper or QGIS / GeoJSON으로 바꾸어 올리십시오",
        )
    if kind == "Feature":
        return [document]
    features = document.get("features")
    if kind != "FeatureCollection" or not isinstance(features, list):
        raise _refusal(f"JSON of type {str(kind)[:40]!r}", f"FeatureCollection이 아닙니다(type={str(kind)[:40]})")
    if not features:
        raise _refusal("a FeatureCollection without features", "도형이 하나도 없습니다")
    return features


def _refusal(found: str, ko: str, hint: str = "") -> FileRefusedError:
    return FileRefusedError(expected=EXPECTED_EN, found=found, hint=hint, ko=f"{EXPECTED_KO}이 아닙니다: {ko}.")


_WGS84 = frozenset({"", "4326", "CRS84"})


def _crs_name(crs: Any) -> str:  # Any: JSON from outside
    """The EPSG number (or CRS84) a 2008 `crs` member names; empty when there is none."""
    properties = crs.get("properties") if isinstance(crs, dict) else None
    name = properties.get("name") if isinstance(properties, dict) else None
    if not isinstance(name, str):
        return ""
    match = re.search(r"(CRS84)|EPSG:(?:[\d.]*:)?(\d{4,6})$|^(\d{4,6})$", name)
    if match is None:
        raise _refusal(
            f"the reference system {name[:60]!r}", f"알 수 없는 좌표계입니다({name[:60]})", "Convert to EPSG:4326"
        )
    return next(part for part in match.groups() if part)


def _transform(crs: str, features: list[Any]) -> Callable[[Any], Any] | None:  # Any: JSON, numpy coordinates
    x, y = _first_position(features)
    if crs in _WGS84:
        _check_degrees(x, y)
        return None
    import numpy as np
    import pyproj

    try:
        transformer = pyproj.Transformer.from_crs(f"EPSG:{crs}", "EPSG:4326", always_xy=True)
    except pyproj.exceptions.CRSError:
        raise _refusal(f"EPSG:{crs}, which is not known", f"알 수 없는 좌표계입니다(EPSG:{crs})") from None

    def to_degrees(coordinates: Any) -> Any:  # Any: numpy coordinates
        return np.column_stack(transformer.transform(coordinates[:, 0], coordinates[:, 1]))

    return to_degrees


def _check_degrees(x: float, y: float) -> None:
    if in_korea(y, x):
        raise _refusal(
            f"latitude before longitude ({x}, {y})",
            f"위도와 경도의 순서가 바뀌었습니다({x}, {y})",
            "GeoJSON writes longitude first",
        )
    if abs(x) > 180 or abs(y) > 90:
        raise _refusal(
            f"metres, not degrees ({x}, {y})",
            f"도(°)가 아니라 미터 좌표입니다({x}, {y})",
            "Name the reference system in a `crs` member (e.g. EPSG:5179, 5186, 5174) or convert to EPSG:4326"
            " / EPSG:4326으로 바꾸거나 crs를 적어 주십시오",
        )


def _first_position(features: list[Any]) -> tuple[float, float]:  # Any: JSON from outside
    """The first coordinate pair found anywhere; (0, 0) if there is none."""
    for feature in features:
        geometry = feature.get("geometry") if isinstance(feature, dict) else None
        inner = geometry.get("coordinates") if isinstance(geometry, dict) else None
        while isinstance(inner, list) and inner and isinstance(inner[0], list):
            inner = inner[0]
        if isinstance(inner, list) and len(inner) >= 2 and all(isinstance(part, int | float) for part in inner[:2]):
            return float(inner[0]), float(inner[1])
    return 0.0, 0.0


def text(properties: Mapping[str, Any], names: Sequence[str]) -> str:  # Any: JSON from outside
    """The first of some property names that is filled in, whatever its case; as clean text."""
    folded = {key.casefold(): value for key, value in properties.items()}
    for name in names:
        value = folded.get(name.casefold())
        if isinstance(value, str | int) and not isinstance(value, bool) and str(value).strip():
            return tabular.clean(str(value))
    return ""
