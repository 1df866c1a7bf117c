"""Reads OpenStreetMap files, streaming: .osm.pbf and .osm through libosmium, GeoJSON with tags as properties."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from madang.connectors.osm import tags
from madang.connectors.osm.tags import Meaning, Tags
from madang.kernel.geometry import in_korea, metres_per_degree
from madang.places import geojson, tabular
from madang.places.domain import Fault, FileRefusedError, Issue, Level
from madang.places.ground import Box, MapFeature
from madang.places.models import BaseKind

EXPECTED = "an OpenStreetMap file (.osm.pbf, .osm, or GeoJSON with OpenStreetMap tags)"
EXPECTED_KO = "오픈스트리트맵 파일(.osm.pbf, .osm, GeoJSON)"
MOST_FEATURES = 6_000_000
"""A province has about a million; a whole country should be cut to the city first."""

BROKEN = Fault(
    "broken_shape",
    Level.WARNING,
    "도형을 만들 수 없어 건너뛰었습니다: {value}",
    "Its shape cannot be built; passed over: {value}",
)


def refusal(found: str, ko: str, hint: str = "") -> FileRefusedError:
    """A refusal that says what is taken."""
    return FileRefusedError(expected=EXPECTED, found=found, hint=hint, ko=f"{EXPECTED_KO}이 아닙니다: {ko}")


@dataclass(slots=True)
class Reading:
    """A file being read: `features` streams; issues and counts grow meanwhile."""

    path: Path
    max_json_bytes: int
    fence: Box | None
    issues: list[Issue] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    _number: int = 0

    def features(self) -> Iterator[MapFeature]:
        """Everything the map shows; raises `FileRefusedError` where the file ends or breaks in the middle."""
        form = form_of(self.path)
        found = self._of_geojson() if form == "geojson" else self._of_osm(form)
        for feature in found:
            self.counts["features"] += 1
            if self.counts["features"] > MOST_FEATURES:
                raise refusal(
                    f"more than {MOST_FEATURES} features",
                    f"도형이 {MOST_FEATURES:,}개를 넘습니다.",
                    "Cut the file to the city first, e.g. with osmium extract",
                )
            yield feature

    def _of_osm(self, form: str) -> Iterator[MapFeature]:
        import osmium

        keys = osmium.filter.KeyFilter(*tags.KEYS)
        try:
            source = osmium.io.File(str(self.path), form)
            objects = osmium.FileProcessor(source).with_areas(keys).with_filter(keys)
            factory = osmium.geom.WKBFactory()
            for one in objects:
                self._number += 1
                yield from self._object(one, factory)
        except (RuntimeError, ValueError, OSError) as error:
            if isinstance(error, FileRefusedError):
                raise
            raise refusal(
                f"a damaged or truncated file ({str(error)[:120]})",
                f"파일이 깨졌거나 끝이 잘렸습니다({str(error)[:120]}). 다시 받으십시오.",
            ) from None

    def _object(self, one: Any, factory: Any) -> Iterator[MapFeature]:  # Any: osmium
        said = {tag.k: tag.v for tag in one.tags}
        if one.is_node():
            yield from self._point(said, one)
        elif one.is_way():
            meaning = tags.line(said)
            if meaning is not None:
                yield from self._built(lambda: factory.create_linestring(one), said, lambda _: meaning, one)
        elif one.is_area():
            yield from self._built(lambda: factory.create_multipolygon(one), said, lambda m2: tags.area(said, m2), one)

    def _point(self, said: Tags, node: Any) -> Iterator[MapFeature]:  # Any: osmium
        import shapely

        meaning = tags.label(said)
        if meaning is not None and node.location.valid():
            yield from self._one(shapely.Point(node.location.lon, node.location.lat), said, meaning)

    def _built(
        self, build: Callable[[], str], said: Tags, means: Callable[[float], Meaning | None], one: Any
    ) -> Iterator[MapFeature]:  # Any: osmium
        import shapely

        try:
            shape = shapely.from_wkb(bytes.fromhex(build()))
        except (RuntimeError, ValueError, shapely.errors.ShapelyError) as error:
            self.issues.append(BROKEN.at(self._number, "geometry", f"{one.id}: {str(error)[:60]}"))
            return
        yield from self._shape(shape, said, means)

    def _shape(self, shape: Any, said: Tags, means: Callable[[float], Meaning | None]) -> Iterator[MapFeature]:
        meaning = means(_square_metres(shape))
        if meaning is not None:
            yield from self._one(shape, said, meaning)
        place = tags.label(said) if shape.geom_type.endswith("Polygon") else None
        if place is not None and meaning is None:
            yield from self._one(shape.representative_point(), said, place)

    def _one(self, shape: Any, said: Tags, meaning: Meaning) -> Iterator[MapFeature]:  # Any: shapely
        west, south, east, north = shape.bounds
        if not (in_korea(west, south) and in_korea(east, north)):
            swapped = in_korea(south, west)
            self.counts["swapped" if swapped else "outside_korea"] += 1
            return
        if self.fence is not None and not _touches((west, south, east, north), self.fence):
            self.counts["outside"] += 1
            return
        height = tags.height_of(said) if meaning.kind is BaseKind.BUILDING else 0.0
        name, name_en = tags.name_of(said), tags.name_en_of(said)
        yield MapFeature(meaning.kind, meaning.cls, name, name_en, meaning.rank, height, shape)

    def _of_geojson(self) -> Iterator[MapFeature]:
        import json

        import shapely

        features = geojson.open_features(self.path, self.max_json_bytes)
        kinds = ("Point", "LineString", "MultiLineString", "Polygon", "MultiPolygon")
        for number in range(1, len(features.items) + 1):
            self._number = number
            said = {key: str(value) for key, value in features.properties(number).items() if value is not None}
            checked = features.shape(number, self.issues, kinds)
            if checked is None:
                continue
            shape = shapely.from_geojson(json.dumps(checked.geometry))
            yield from self._drawn(shape, said)

    def _drawn(self, shape: Any, said: Tags) -> Iterator[MapFeature]:  # Any: shapely
        if shape.geom_type == "Point":
            meaning = tags.label(said)
            if meaning is not None:
                yield from self._one(shape, said, meaning)
        elif shape.geom_type.endswith("LineString"):
            yield from self._shape(shape, said, lambda _: tags.line(said))
        else:
            yield from self._shape(shape, said, lambda m2: tags.area(said, m2))


def _touches(box: Box, fence: Box) -> bool:
    return box[0] <= fence[2] and box[2] >= fence[0] and box[1] <= fence[3] and box[3] >= fence[1]


def _square_metres(shape: Any) -> float:  # Any: shapely
    if not shape.geom_type.endswith("Polygon"):
        return 0.0
    east, north = metres_per_degree(shape.bounds[1])
    return float(shape.area) * east * north


def form_of(path: Path) -> str:
    """`pbf`, `osm` or `geojson` by what a file begins with; raises `FileRefusedError` for all else."""
    head = tabular.first_bytes(path)[:4_096]
    if not head:
        raise refusal("an empty file", "빈 파일입니다.")
    if head[:2] == b"\x00\x00" and b"OSMHeader" in head[:64]:
        return "pbf"
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if start.startswith((b"<?xml", b"<osm")):
        if b"<osm" not in head:
            raise refusal("XML that is not OpenStreetMap's", "오픈스트리트맵 XML이 아닙니다.")
        return "osm"
    if start.startswith(b"{"):
        return "geojson"
    tabular.refuse_foreign(head, EXPECTED, EXPECTED_KO)
    raise refusal("something else", "다른 종류의 파일입니다.")
