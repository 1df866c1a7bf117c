"""Buildings along the streets and their addresses, parks, and the places people name."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely

from madang_demo.city.names import LANDMARKS, village
from madang_demo.city.streets import UNIT_M, Street

if TYPE_CHECKING:
    from numpy.random import Generator

    from madang_demo.city.ground import District

CITY = "경상남도 김해시"
MOST_BUILDINGS = 6_500
_SCHOOLS = ("초등학교", "중학교", "고등학교")


@dataclass(frozen=True, slots=True)
class Address:
    """One address: as a road name and as a lot number, at a place in metres."""

    road: str
    lot: str
    x: float
    y: float
    district: District


@dataclass(frozen=True, slots=True)
class Building:
    """A building with its address."""

    shape: Any  # Any: shapely
    address: Address
    name: str = ""


def build(rng: Generator, streets: list[Street], water: Any) -> list[Building]:  # Any: shapely
    """Buildings on both sides of the streets, none on a road, in the water, or on another."""
    tree = shapely.STRtree([street.line for street in streets])
    taken: set[tuple[int, int]] = set()
    lots: dict[str, int] = {}
    weight = {street.district.name: 0.2 + street.district.seed.urban for street in streets}
    quota = {name: MOST_BUILDINGS * share / sum(weight.values()) for name, share in weight.items()}
    found: list[Building] = []
    for street in streets:
        step = 26.0 if street.rank else 90.0
        for at in np.arange(18.0, street.line.length - 12, step):
            for side in (1, -1):
                if quota[street.district.name] > 0 and rng.random() < 0.35 + 0.6 * street.district.seed.urban:
                    building = _one(rng, street, float(at), side, tree, taken, water, lots)
                    if building is not None:
                        found.append(building)
                        quota[street.district.name] -= 1
    return found


def _one(
    rng: Generator,
    street: Street,
    at: float,
    side: int,
    tree: Any,  # Any: shapely
    taken: set[tuple[int, int]],
    water: Any,  # Any: shapely
    lots: dict[str, int],
) -> Building | None:
    spot, ahead = street.line.interpolate(at), street.line.interpolate(min(at + 1, street.line.length))
    turn = math.atan2(ahead.y - spot.y, ahead.x - spot.x)
    width, depth = float(rng.uniform(11, 21)), float(rng.uniform(9, 16))
    away = (14.0 if street.rank == 0 else 7.0) + depth / 2
    x, y = spot.x - math.sin(turn) * away * side, spot.y + math.cos(turn) * away * side
    cell = (int(x // 17), int(y // 17))
    shape = _box(x, y, width, depth, turn)
    if cell in taken or shape.intersects(water) or len(tree.query(shape, predicate="dwithin", distance=3.0)):
        return None
    if not street.district.shape.contains(shape):
        return None
    taken.update((cell[0] + dx, cell[1] + dy) for dx in (-1, 0, 1) for dy in (-1, 0, 1) if dx * dy == 0)
    return Building(shape, _address(rng, street, at, side, x, y, lots))


def _box(x: float, y: float, width: float, depth: float, turn: float) -> Any:  # Any: shapely
    along, across = (
        np.array([math.cos(turn), math.sin(turn)]) * width / 2,
        np.array([-math.sin(turn), math.cos(turn)]) * depth / 2,
    )
    middle = np.array([x, y])
    corners = [middle + a * along + b * across for a, b in ((-1, -1), (1, -1), (1, 1), (-1, 1))]
    return shapely.Polygon(corners)


def _address(rng: Generator, street: Street, at: float, side: int, x: float, y: float, lots: dict[str, int]) -> Address:
    number = int(at / UNIT_M) * 2 + (1 if side > 0 else 2)
    sub = "" if at % UNIT_M < 13 else f"-{int(rng.integers(1, 4))}"
    name = street.district.name
    region = f"{name} " if name.endswith(("읍", "면")) else ""
    place = village(rng, name)
    lots[name + place] = lots.get(name + place, 0) + 1
    count = lots[name + place]
    lot = f"{CITY} {region}{place} {count // 6 + 1}-{count % 6 + 1}"
    return Address(f"{CITY} {region}{street.name} {number}{sub}", lot, x, y, street.district)


@dataclass(frozen=True, slots=True)
class Landmark:
    """A place people name."""

    name: str
    name_en: str
    x: float
    y: float
    rank: int
    district: District


def landmarks(rng: Generator, districts: list[District], streets: list[Street]) -> list[Landmark]:
    """City-wide places in the middle of the most town-like districts, and a few schools and offices in each."""
    towns = sorted(districts, key=lambda each: -each.seed.urban)[: len(LANDMARKS)]
    found = [
        Landmark(f"김해{name}", f"Gimhae {name_en}", *_beside(rng, district, streets), 1, district)
        for (name, name_en), district in zip(LANDMARKS, towns, strict=True)
    ]
    for district in districts:
        stem = district.name.rstrip("읍면동0123456789") or district.name
        found.append(_office(rng, district, streets))
        found += [
            Landmark(f"{stem}{school}", f"{stem} school", *_beside(rng, district, streets), 2, district)
            for school in _SCHOOLS[: 1 + int(district.seed.urban * 2.5)]
        ]
    return found


def _office(rng: Generator, district: District, streets: list[Street]) -> Landmark:
    return Landmark(
        f"{district.name} 행정복지센터",
        f"{district.seed.name_en} office",
        *_beside(rng, district, streets),
        2,
        district,
    )


def _beside(rng: Generator, district: District, streets: list[Street]) -> tuple[float, float]:
    """A place just off one of the district's own streets."""
    own = [street for street in streets if street.district is district and street.rank]
    if not own:
        return district.middle
    line = own[int(rng.integers(len(own)))].line
    spot = line.interpolate(float(rng.uniform(0.2, 0.8)) * line.length)
    return spot.x + 25.0, spot.y + 25.0


@dataclass(frozen=True, slots=True)
class Park:
    """A park."""

    name: str
    shape: Any  # Any: shapely


def parks(rng: Generator, districts: list[District]) -> list[Park]:
    """A park at the edge of each town."""
    found = []
    for district in districts:
        angle, reach = rng.uniform(0, 2 * math.pi), 500 + 500 * district.seed.urban
        x, y = district.middle[0] + math.cos(angle) * reach, district.middle[1] + math.sin(angle) * reach
        steps = np.linspace(0, 2 * math.pi, 24, endpoint=False)
        radius = rng.uniform(90, 220) * (1 + 0.25 * np.sin(3 * steps + rng.uniform(0, 6)))
        ring = np.column_stack([x + radius * np.cos(steps), y + radius * np.sin(steps)])
        shape = shapely.Polygon(ring).intersection(district.shape)
        if not shape.is_empty and shape.geom_type == "Polygon":
            found.append(Park(f"{district.name.rstrip('읍면동')}공원", shape))
    return found
