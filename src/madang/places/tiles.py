"""Draws a city's ground into vector tiles, in one PMTiles file: what a browser shows as the base map.

Mapbox Vector Tile 2.1 in PMTiles 3. Layers: boundary, water, park, building, road, label.
"""

from __future__ import annotations

import gzip
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from madang.places.ground import Box, Ground, MapFeature
from madang.places.models import BaseKind

MIN_ZOOM = 6
EXTENT = 4096
BUFFER = 96
"""How far tiles reach beyond their edge, so that lines and names meet: units of `EXTENT`."""
HALF_PIXEL = EXTENT / 1024
FIRST_ZOOM: dict[BaseKind, tuple[int, ...]] = {
    BaseKind.WATER: (7, 10, 12),
    BaseKind.PARK: (9, 11, 13),
    BaseKind.BUILDING: (13, 13, 14),
    BaseKind.ROAD: (6, 9, 11, 13, 14),
    BaseKind.LABEL: (8, 11, 13, 14),
}
"""From which zoom on a thing of a rank is drawn; of higher ranks, from the last."""


@dataclass(frozen=True, slots=True)
class District:
    """An administrative area, for its edge and name."""

    name: str
    name_en: str
    level: str
    shape: Any  # Any: shapely, degrees


def first_zoom(kind: BaseKind, rank: int, max_zoom: int) -> int:
    """From which zoom on something is drawn."""
    zooms = FIRST_ZOOM[kind]
    return min(zooms[min(max(rank, 0), len(zooms) - 1)], max_zoom)


def build(
    ground: Ground,
    districts: Iterable[District],
    path: Path,
    max_zoom: int,
    told: Callable[[int, int], None] = lambda _done, _all: None,
) -> dict[str, int]:
    """Writes the tiles of a ground to `path`; returns how many tiles and bytes. `told` hears done and all."""
    from pmtiles.tile import Compression, TileType, tileid_to_zxy
    from pmtiles.writer import Writer

    areas = list(districts)
    box = _box_of(ground, areas)
    ids = sorted(_tile_ids(ground, areas, max_zoom))
    written = 0
    with path.open("wb") as file:
        writer = Writer(file)
        for done, tile_id in enumerate(ids, 1):
            tile = _tile(ground, areas, *tileid_to_zxy(tile_id), max_zoom)
            if tile:
                writer.write_tile(tile_id, gzip.compress(tile, 6, mtime=0))
                written += 1
            if done % 16 == 0 or done == len(ids):
                told(done, len(ids))
        header = {
            "tile_type": TileType.MVT,
            "tile_compression": Compression.GZIP,
            **{f"{name}_e7": int(value * 1e7) for name, value in zip(_EDGES, box, strict=True)},
            "center_zoom": min(12, max_zoom),
            "center_lon_e7": int((box[0] + box[2]) / 2 * 1e7),
            "center_lat_e7": int((box[1] + box[3]) / 2 * 1e7),
        }
        writer.finalize(header, {"vector_layers": [{"id": name, "fields": {}} for name in _LAYERS]})
    return {"tiles": written, "tile_bytes": path.stat().st_size}


_EDGES = ("min_lon", "min_lat", "max_lon", "max_lat")
_LAYERS = ("boundary", *(kind.value for kind in FIRST_ZOOM))


def _box_of(ground: Ground, areas: list[District]) -> Box:
    boxes = ([ground.box] if ground.features else []) + [area.shape.bounds for area in areas]
    west, south, east, north = zip(*boxes, strict=True)
    return min(west), min(south), max(east), max(north)


def _tile_ids(ground: Ground, areas: list[District], max_zoom: int) -> set[int]:
    """The tiles anything may be in, of every zoom."""
    from pmtiles.tile import zxy_to_tileid

    deepest: set[tuple[int, int]] = set()
    for box, _, _ in ground.boxes():
        deepest.update(_covering(box, max_zoom))
    for area in areas:
        deepest.update(_covering(area.shape.bounds, max_zoom))
    found: set[int] = set()
    level = deepest
    for zoom in range(max_zoom, MIN_ZOOM - 1, -1):
        found.update(zxy_to_tileid(zoom, x, y) for x, y in level)
        level = {(x >> 1, y >> 1) for x, y in level}
    return found


def _covering(box: Box, zoom: int) -> Iterator[tuple[int, int]]:
    west, north = _tile_of(box[0], box[3], zoom)
    east, south = _tile_of(box[2], box[1], zoom)
    for x in range(west, east + 1):
        for y in range(north, south + 1):
            yield x, y


def _tile_of(lon: float, lat: float, zoom: int) -> tuple[int, int]:
    side = 1 << zoom
    x = (lon + 180) / 360 * side
    y = (1 - math.asinh(math.tan(math.radians(lat))) / math.pi) / 2 * side
    return min(side - 1, max(0, int(x))), min(side - 1, max(0, int(y)))


def edges(zoom: int, x: int, y: int, slack: float = 0.0) -> Box:
    """West, south, east, north of a tile grown by `slack` of its side; degrees."""
    side = 1 << zoom

    def lon(at: float) -> float:
        return at / side * 360 - 180

    def lat(at: float) -> float:
        return math.degrees(math.atan(math.sinh(math.pi * (1 - 2 * at / side))))

    return lon(x - slack), lat(y + 1 + slack), lon(x + 1 + slack), lat(y - slack)


def _tile(ground: Ground, areas: list[District], zoom: int, x: int, y: int, max_zoom: int) -> bytes:
    """One tile, empty where nothing is to be seen."""
    import mapbox_vector_tile
    from mapbox_vector_tile.encoder import on_invalid_geometry_make_valid

    box = edges(zoom, x, y, BUFFER / EXTENT)
    kinds = [kind for kind in FIRST_ZOOM if min(FIRST_ZOOM[kind][0], max_zoom) <= zoom]
    found: dict[BaseKind, list[MapFeature]] = {kind: [] for kind in FIRST_ZOOM}
    for feature in ground.in_box(box, kinds, _most_rank(zoom, max_zoom)):
        if first_zoom(feature.kind, feature.rank, max_zoom) <= zoom and not (areas and feature.cls == "district"):
            found[feature.kind].append(feature)
    if zoom >= FIRST_ZOOM[BaseKind.LABEL][1]:
        found[BaseKind.LABEL] += [_named(area) for area in areas]
    layers = [_layer("boundary", [area.shape for area in areas], [_district(area) for area in areas], zoom, x, y)]
    for kind, features in found.items():
        shapes, said = [feature.shape for feature in features], [_properties(feature) for feature in features]
        layers.append(_layer(kind.value, shapes, said, zoom, x, y))
    layers = [layer for layer in layers if layer["features"]]
    if not layers:
        return b""
    options = {"extents": EXTENT, "on_invalid_geometry": on_invalid_geometry_make_valid}
    tile: bytes = mapbox_vector_tile.encode(layers, default_options=options)
    return tile


def _most_rank(zoom: int, max_zoom: int) -> int:
    if zoom >= max_zoom:
        return 9
    seen = [rank for zooms in FIRST_ZOOM.values() for rank, first in enumerate(zooms) if first <= zoom]
    last = any(len(zooms) - 1 in seen and zooms[-1] <= zoom for zooms in FIRST_ZOOM.values())
    return 9 if last else max(seen, default=0)


def _named(area: District) -> MapFeature:
    """A district's name as a label inside it."""
    return MapFeature(BaseKind.LABEL, "district", area.name, area.name_en, 0, 0.0, area.shape.representative_point())


def _district(area: District) -> dict[str, object]:
    return {"name": area.name, "name_en": area.name_en, "level": area.level}


def _properties(feature: MapFeature) -> dict[str, object]:
    said: dict[str, object] = {"class": feature.cls, "rank": feature.rank}
    if feature.name:
        said["name"] = feature.name
    if feature.name_en:
        said["name_en"] = feature.name_en
    if feature.height_m:
        said["height"] = round(feature.height_m, 1)
    return said


def _layer(
    name: str, shapes: list[Any], properties: list[dict[str, object]], zoom: int, x: int, y: int
) -> dict[str, Any]:  # Any: shapely and what the encoder takes
    """Shapes as a layer of one tile: in its units, simplified to half a pixel, cut at its edge."""
    if not shapes:
        return {"name": name, "features": []}
    import numpy as np
    import shapely

    side = 1 << zoom

    def to_tile(xy: Any) -> Any:  # Any: numpy coordinates
        east = ((xy[:, 0] + 180) / 360 * side - x) * EXTENT
        mercator = np.arcsinh(np.tan(np.radians(np.clip(xy[:, 1], -85, 85)))) / np.pi
        down = ((1 - mercator) / 2 * side - y) * EXTENT
        return np.column_stack((east, EXTENT - down))

    drawn = shapely.transform(np.array(shapes, dtype=object), to_tile)
    flat = shapely.get_dimensions(drawn) > 0
    drawn[flat] = shapely.simplify(drawn[flat], HALF_PIXEL / 2 if zoom >= 14 else HALF_PIXEL)
    drawn = shapely.clip_by_rect(drawn, -BUFFER, -BUFFER, EXTENT + BUFFER, EXTENT + BUFFER)
    features = [
        {"geometry": shape, "properties": said}
        for shape, said in zip(drawn, properties, strict=True)
        if shape is not None and not shape.is_empty and _visible(shape)
    ]
    return {"name": name, "features": features}


def _visible(shape: Any) -> bool:  # Any: shapely
    """Whether a shape covers enough of a tile to be seen: points always do."""
    west, south, east, north = shape.bounds
    return shape.geom_type in ("Point", "MultiPoint") or east - west + north - south > HALF_PIXEL


def districts_of(authority: str) -> list[District]:
    """The city's districts as they are stored."""
    import shapely

    from madang.places.models import Boundary

    rows = Boundary.objects.filter(authority_id=authority).values_list("name_ko", "name_en", "level", "geometry")
    return [District(ko, en, level, shapely.from_geojson(geometry)) for ko, en, level, geometry in rows]
