"""What rules may ask of the city: which district a place lies in, where incidents stand open."""

from __future__ import annotations

import math
from collections import defaultdict
from functools import lru_cache

from madang.kernel.geometry import Point, distance_m, metres_per_degree
from madang.places.boundaries import index_of
from madang.response.domain import OPEN_STATES
from madang.response.models import Incident
from madang.response.rules.facts import Fact, World

_CELL = 0.005
"""Degrees; about 450–550 m in Korea."""


class OpenIncidents:
    """The open incidents of a city by cell of the map, as they stand in this transaction."""

    def __init__(self, rows: list[tuple[str, str, float, float]]) -> None:
        """`rows` hold mode, class, longitude, latitude."""
        self._cells: defaultdict[tuple[int, int], list[tuple[str, str, float, float]]] = defaultdict(list)
        for row in rows:
            self._cells[_cell(row[2], row[3])].append(row)

    def is_near(self, fact: Fact, radius_m: float, classes: frozenset[str]) -> bool:
        """Whether one of the fact's mode and of these classes stands within so many metres."""
        if fact.lon is None or fact.lat is None:
            return False
        here = Point(fact.lon, fact.lat)
        east, north = metres_per_degree(fact.lat)
        across, along = math.ceil(radius_m / (east * _CELL)), math.ceil(radius_m / (north * _CELL))
        if (2 * across + 1) * (2 * along + 1) > len(self._cells):
            return any(self._any(cell, fact.mode, here, radius_m, classes) for cell in list(self._cells))
        x, y = _cell(fact.lon, fact.lat)
        return any(
            self._any((x + dx, y + dy), fact.mode, here, radius_m, classes)
            for dx in range(-across, across + 1)
            for dy in range(-along, along + 1)
        )

    def _any(self, cell: tuple[int, int], mode: str, here: Point, radius_m: float, classes: frozenset[str]) -> bool:
        return any(
            row[0] == mode
            and (not classes or row[1] in classes)
            and distance_m(here, Point(row[2], row[3])) <= radius_m
            for row in self._cells.get(cell, ())
        )


def _cell(lon: float, lat: float) -> tuple[int, int]:
    return math.floor(lon / _CELL), math.floor(lat / _CELL)


def world_of(authority: str, *, near: bool) -> World:
    """The city as it is now; open incidents are looked up only where a rule asks."""
    index = index_of(authority)

    @lru_cache(maxsize=4096)
    def district(lon: float, lat: float) -> tuple[str, str]:
        found = index.district_of(Point(lon, lat)) if len(index) else None
        return (found.code, found.name_ko) if found is not None else ("", "")

    return World(district, _open_incidents(authority).is_near) if near else World(district)


def _open_incidents(authority: str) -> OpenIncidents:
    states = [state.value for state in OPEN_STATES]
    found = Incident.objects.filter(
        authority_id=authority, state__in=states, lon__isnull=False, lat__isnull=False
    ).values_list("mode", "class_code", "lon", "lat")
    return OpenIncidents([(mode, code, float(lon or 0), float(lat or 0)) for mode, code, lon, lat in found])
