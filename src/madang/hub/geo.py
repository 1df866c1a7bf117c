"""Relations between geometries on WGS84. Points against circles and polygons in plain arithmetic; the rest by shapely,
imported only where it is needed. Distances in metres on a local plane, good to 0.5 % over a city."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

import orjson

from madang.hub.query import GeoQuery, Georel
from madang.kernel.geometry import Point, distance_m, metres_per_degree

Json = Any  # Any: GeoJSON
Box = tuple[float, float, float, float]
"""West, south, east, north in degrees."""


def positions(geometry: Json) -> Iterator[tuple[float, float]]:
    """Every position of a geometry as (lon, lat)."""
    if "geometries" in geometry:
        for one in geometry["geometries"]:
            yield from positions(one)
        return
    stack = [geometry["coordinates"]]
    while stack:
        one = stack.pop()
        if isinstance(one[0], (int, float)):
            yield one[0], one[1]
        else:
            stack.extend(one)


def box_of(geometry: Json) -> Box:
    """The bounding box of a geometry."""
    if geometry["type"] == "Point":
        lon, lat = geometry["coordinates"][:2]
        return lon, lat, lon, lat
    lons, lats = zip(*positions(geometry), strict=True)
    return min(lons), min(lats), max(lons), max(lats)


def search_box(query: GeoQuery) -> Box | None:
    """Where matches can lie, or None for everywhere."""
    if query.georel is Georel.DISJOINT or (query.georel is Georel.NEAR and query.max_m is None):
        return None
    west, south, east, north = box_of(query.geometry)
    if query.georel is not Georel.NEAR or query.max_m is None:
        return west, south, east, north
    d_lat = query.max_m * 1.01 / metres_per_degree(0.0)[1]
    nearest_pole = max(abs(south), abs(north)) + d_lat
    d_lon = query.max_m * 1.01 / metres_per_degree(nearest_pole)[0] if nearest_pole < 89.0 else 360.0
    if west - d_lon < -180 or east + d_lon > 180:
        return -180.0, south - d_lat, 180.0, north + d_lat
    return west - d_lon, south - d_lat, east + d_lon, north + d_lat


def matcher(query: GeoQuery) -> Callable[[Json], bool]:
    """Whether a stored geometry stands in the asked relation."""
    if query.georel is Georel.NEAR:
        return _near(query)
    if query.georel in (Georel.WITHIN, Georel.INTERSECTS) and query.geometry["type"] in ("Polygon", "MultiPolygon"):
        return _inside(query)
    return _by_shapely(query)


def _near(query: GeoQuery) -> Callable[[Json], bool]:
    low = query.min_m if query.min_m is not None else -1.0
    high = query.max_m if query.max_m is not None else math.inf

    def near(geometry: Json) -> bool:
        return low <= separation_m(geometry, query.geometry) <= high

    return near


def separation_m(a: Json, b: Json) -> float:
    """Shortest distance between two geometries in metres."""
    if a["type"] == "Point" and b["type"] == "Point":
        return distance_m(Point(*a["coordinates"][:2]), Point(*b["coordinates"][:2]))
    from shapely import affinity, geometry  # lazily: only lines and areas need it

    _, lat = next(positions(b))
    per_lon, per_lat = metres_per_degree(lat)
    flat = [affinity.affine_transform(geometry.shape(g), (per_lon, 0, 0, per_lat, 0, 0)) for g in (a, b)]
    return float(flat[0].distance(flat[1]))


@lru_cache(maxsize=64)
def _origin(text: str) -> Json:
    return orjson.loads(text)


def separated(origin: str, geometry: object) -> float | None:
    """The distance in metres between two geometries given as JSON text; None where the second is none."""
    if not isinstance(geometry, str):
        return None
    try:
        return separation_m(orjson.loads(geometry), _origin(origin))
    except (KeyError, TypeError, ValueError):
        return None


def _inside(query: GeoQuery) -> Callable[[Json], bool]:
    polygons = [query.geometry["coordinates"]] if query.geometry["type"] == "Polygon" else query.geometry["coordinates"]
    general = _by_shapely(query)

    def inside(geometry: Json) -> bool:
        if geometry["type"] != "Point":
            return general(geometry)
        lon, lat = geometry["coordinates"][:2]
        return any(
            _in_ring(lon, lat, rings[0]) and not any(_in_ring(lon, lat, hole) for hole in rings[1:])
            for rings in polygons
        )

    return inside


def _in_ring(lon: float, lat: float, ring: Json) -> bool:
    """Even–odd rule."""
    odd = False
    for here, there in itertools.pairwise(ring):
        if (here[1] > lat) != (there[1] > lat):
            crossing = here[0] + (lat - here[1]) * (there[0] - here[0]) / (there[1] - here[1])
            odd ^= lon < crossing
    return odd


_PREDICATES = {
    Georel.WITHIN: "within",
    Georel.CONTAINS: "contains",
    Georel.INTERSECTS: "intersects",
    Georel.EQUALS: "equals",
    Georel.DISJOINT: "disjoint",
    Georel.OVERLAPS: "overlaps",
}


def _by_shapely(query: GeoQuery) -> Callable[[Json], bool]:
    reference: list[Any] = []  # Any: a shapely geometry, made at first use

    def related(geometry: Json) -> bool:
        from shapely import geometry as shapes  # lazily: 140 ms to import

        if not reference:
            reference.append(shapes.shape(query.geometry))
        return bool(getattr(shapes.shape(geometry), _PREDICATES[query.georel])(reference[0]))

    return related
