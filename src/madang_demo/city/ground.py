"""The ground: metres around the city's middle, its outline, its districts, its water."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely

from madang_demo.city.names import CODE_BASE, DISTRICTS, DistrictSeed

if TYPE_CHECKING:
    from numpy.random import Generator

MIDDLE = (128.86, 35.25)
_LAT_M = 110_950.0
_LON_M = 111_320.0 * math.cos(math.radians(MIDDLE[1]))
CELLS = 4_200
"""Scattered points whose cells are dealt out to districts: what makes borders wander."""


def to_metres(lon: float, lat: float) -> tuple[float, float]:
    """East and north of the middle, metres (flat; good to 0.1 % over this city)."""
    return (lon - MIDDLE[0]) * _LON_M, (lat - MIDDLE[1]) * _LAT_M


def to_degrees(x: float, y: float) -> tuple[float, float]:
    """Longitude and latitude of a place in metres."""
    return MIDDLE[0] + x / _LON_M, MIDDLE[1] + y / _LAT_M


def shape_to_degrees(shape: Any) -> Any:  # Any: shapely
    """The same shape in degrees, on a grid of about 0.1 m."""
    moved = shapely.transform(shape, lambda xy: np.column_stack(to_degrees(xy[:, 0], xy[:, 1])))
    return shapely.transform(moved, lambda xy: np.round(xy, 6))


@dataclass(frozen=True, slots=True)
class District:
    """One 읍·면·동: its shape and middle in metres."""

    code: str
    seed: DistrictSeed
    shape: Any  # Any: shapely
    middle: tuple[float, float]

    @property
    def name(self) -> str:
        """Its Korean name."""
        return self.seed.name_ko


def outline(rng: Generator) -> Any:  # Any: shapely
    """The city's edge: a wandering line around its districts."""
    discs = [
        shapely.Point(to_metres(seed.lon, seed.lat)).buffer(seed.reach_km * 1_000 * rng.uniform(0.95, 1.15))
        for seed in DISTRICTS
    ]
    whole = shapely.union_all(discs).buffer(900).buffer(-900)
    ring = shapely.segmentize(shapely.Polygon(whole.exterior), 300)
    points = shapely.get_coordinates(ring.exterior)[:-1]
    away = points - np.mean(points, axis=0)
    away /= np.linalg.norm(away, axis=1, keepdims=True)
    steps = np.linspace(0, 2 * math.pi, len(points), endpoint=False)
    wander = sum(260 / turns * np.sin(turns * 9 * steps + rng.uniform(0, 6)) for turns in (1, 2, 3))
    return shapely.Polygon(points + away * np.asarray(wander)[:, None]).buffer(350).buffer(-350)


def districts(rng: Generator, edge: Any) -> list[District]:  # Any: shapely
    """The edge divided among the districts: each scattered cell goes to the nearest middle, far-reaching ones first."""
    west, south, east, north = edge.bounds
    points = np.column_stack([rng.uniform(west, east, CELLS), rng.uniform(south, north, CELLS)])
    cells = shapely.get_parts(
        shapely.voronoi_polygons(shapely.MultiPoint(points), extend_to=edge.envelope, ordered=True)
    )
    middles = np.array([to_metres(seed.lon, seed.lat) for seed in DISTRICTS])
    reach = np.array([seed.reach_km for seed in DISTRICTS])
    away = np.linalg.norm(points[:, None, :] - middles[None, :, :], axis=2) / reach
    nearest = np.argmin(away, axis=1)
    found = []
    for at, seed in enumerate(DISTRICTS):
        shape = shapely.union_all(cells[nearest == at]).intersection(edge)
        shape = max(shapely.get_parts(shape), key=lambda part: part.area)
        spot = shapely.Point(middles[at])
        middle = spot if shape.contains(spot) else shape.representative_point()
        found.append(District(str(CODE_BASE + at + 1), seed, shape, (middle.x, middle.y)))
    return found


def river(rng: Generator, edge: Any) -> Any:  # Any: shapely
    """The broad river along the north-eastern edge."""
    ring = shapely.get_coordinates(edge.exterior)
    angles = np.degrees(np.arctan2(ring[:, 1], ring[:, 0]))
    chosen = ring[(angles > -35) & (angles < 120)]
    order = np.argsort(np.degrees(np.arctan2(chosen[:, 1], chosen[:, 0])))
    bank = shapely.LineString(chosen[order]).simplify(60)
    return bank.buffer(1_200).buffer(-1_200 + float(rng.uniform(220, 280))).simplify(12)


def stream(rng: Generator, start: tuple[float, float], end: tuple[float, float]) -> Any:  # Any: shapely
    """A small stream that winds from `start` to `end`."""
    steps = np.linspace(0, 1, 40)[:, None]
    line = np.array(start) * (1 - steps) + np.array(end) * steps
    across = np.array([-(end[1] - start[1]), end[0] - start[0]])
    across = across / np.linalg.norm(across)
    swing = 160 * np.sin(steps * 3 * math.pi + rng.uniform(0, 3)) * np.sin(steps * math.pi)
    return shapely.LineString(line + across * swing).buffer(16)
