"""Roads: trunk roads between districts, and in each town a grid of 로 with their 번길 across."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray

    from madang_demo.city.ground import District
    from madang_demo.city.names import NameGiver

RINGS = 9
LONGEST_LINK_M = 9_000.0
UNIT_M = 20.0
"""Road-name addresses count every 20 m: odd on the left, even on the right (도로명주소법)."""


@dataclass(frozen=True, slots=True)
class Street:
    """A named road. `rank` 0 is a trunk road, 1 a main street, 2 a side street; `line` is in metres."""

    name: str
    rank: int
    district: District
    line: Any  # Any: shapely


def lay_out(rng: Generator, districts: list[District], names: NameGiver) -> list[Street]:
    """Every road of the city."""
    streets = _trunks(rng, districts, names)
    for district in districts:
        streets += _grid(rng, district, names)
    return streets


def _trunks(rng: Generator, districts: list[District], names: NameGiver) -> list[Street]:
    """Trunk roads: the shortest tree over all districts and a few links that close it to rings."""
    middles = np.array([district.middle for district in districts])
    apart = np.linalg.norm(middles[:, None] - middles[None], axis=2)
    joined, pairs = {0}, []
    while len(joined) < len(districts):
        at, to = min(
            ((a, b) for a in joined for b in range(len(districts)) if b not in joined), key=lambda ab: apart[ab]
        )
        pairs.append((at, to))
        joined.add(to)
    return [
        Street(f"{names.stem()}대로", 0, districts[a], _winding(rng, middles[a], middles[b]))
        for a, b in (*pairs, *_shortcuts(pairs, apart))
    ]


def _shortcuts(pairs: list[tuple[int, int]], apart: NDArray[np.float64]) -> list[tuple[int, int]]:
    """The links that would save the longest ways round, one after the other."""
    way = np.where(np.eye(len(apart)) == 1, 0.0, np.inf)
    found: list[tuple[int, int]] = []
    for a, b in pairs:
        way[a, b] = way[b, a] = apart[a, b]
    for _ in range(RINGS):
        for via in range(len(way)):
            way = np.minimum(way, way[:, via, None] + way[None, via, :])
        saved = np.where(apart < LONGEST_LINK_M, way / np.where(apart > 0, apart, np.inf), 0)
        a, b = (int(at) for at in np.unravel_index(np.argmax(saved), saved.shape))
        found.append((a, b))
        way[a, b] = way[b, a] = apart[a, b]
    return found


def _winding(rng: Generator, start: Any, end: Any) -> Any:  # Any: numpy, shapely
    length = float(np.linalg.norm(end - start))
    count = max(3, int(length / 400))
    steps = np.linspace(0, 1, count)[:, None]
    across = np.array([-(end[1] - start[1]), end[0] - start[0]]) / length
    swing = rng.normal(0, length * 0.03) * np.sin(steps * math.pi) + rng.normal(0, length * 0.015) * np.sin(
        steps * 2 * math.pi
    )
    return shapely.LineString(start * (1 - steps) + end * steps + across * swing)


def _grid(rng: Generator, district: District, names: NameGiver) -> list[Street]:
    """A town: `로` every 160–220 m, crossed by their 번길; wider and smaller where the country begins."""
    urban = district.seed.urban
    half = min(1_500.0, 420 + 900 * urban * math.sqrt(district.seed.reach_km))
    gap = float(rng.uniform(150, 190) + 60 * (1 - urban))
    turn = float(rng.uniform(-0.5, 0.5))
    town = _town(rng, district.middle, half).intersection(district.shape.buffer(-60))
    offsets = np.arange(-half, half + 1, gap)
    streets = []
    mains = [_across(district.middle, turn, offset, half, town) for offset in offsets]
    named = [(f"{names.stem()}로", line) for line in mains if line is not None]
    streets += [Street(name, 1, district, line) for name, line in named]
    for offset in offsets:
        line = _across(district.middle, turn + math.pi / 2, offset + gap / 2, half, town)
        if line is None or not named:
            continue
        name, main = named[int(np.argmin([line.distance(main) for _, main in named]))]
        number = int(main.project(shapely.Point(line.coords[0])) / UNIT_M) * 2 + 1
        streets.append(Street(_once(f"{name}{number}번길", streets), 2, district, line))
    return streets


def _town(rng: Generator, middle: tuple[float, float], half: float) -> Any:  # Any: shapely
    steps = np.linspace(0, 2 * math.pi, 36, endpoint=False)
    radius = half * (0.85 + 0.15 * np.sin(2 * steps + rng.uniform(0, 6)) + 0.1 * np.sin(5 * steps + rng.uniform(0, 6)))
    return shapely.Polygon(np.column_stack([middle[0] + radius * np.cos(steps), middle[1] + radius * np.sin(steps)]))


def _once(name: str, streets: list[Street]) -> str:
    taken = {street.name for street in streets}
    while name in taken:
        stem, _, number = name.removesuffix("번길").rpartition("로")
        name = f"{stem}로{int(number) + 2}번길"
    return name


def _across(middle: tuple[float, float], turn: float, offset: float, half: float, town: Any) -> Any:  # Any: shapely
    """The straight line at `offset` from the middle inside the town; None where hardly any of it lies there."""
    along = np.array([math.cos(turn), math.sin(turn)])
    side = np.array([-along[1], along[0]])
    base = np.array(middle) + side * offset
    cut = shapely.LineString([base - along * half, base + along * half]).intersection(town)
    parts = [part for part in shapely.get_parts(cut) if part.geom_type == "LineString"]
    best = max(parts, key=lambda part: part.length, default=None)
    return best if best is not None and best.length > 150 else None


def heading_deg(street: Street, at_m: float) -> float:
    """Where a street leads at a distance along it, degrees clockwise from north."""
    a, b = street.line.interpolate(max(0.0, at_m - 5)), street.line.interpolate(min(street.line.length, at_m + 5))
    return math.degrees(math.atan2(b.x - a.x, b.y - a.y)) % 360
