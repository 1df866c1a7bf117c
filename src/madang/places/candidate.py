"""A place that a text may mean, and the best of many."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from madang.kernel.geometry import Point, distance_m

LEAST_SCORE = 0.15
SAME_PLACE_M = 30.0


@dataclass(frozen=True, slots=True)
class Candidate:
    """A place a text may mean. `score` 1 is certain; `kind` is address, street, name or district."""

    label: str
    lon: float
    lat: float
    score: float
    kind: str

    @property
    def point(self) -> Point:
        """Where it is."""
        return Point(self.lon, self.lat)


def best(found: Iterable[Candidate], limit: int) -> list[Candidate]:
    """The best of them, without the same place twice."""
    kept: list[Candidate] = []
    for candidate in sorted(found, key=lambda each: (-each.score, each.label)):
        if len(kept) == limit or candidate.score < LEAST_SCORE:
            break
        if not any(_same_place(candidate, other) for other in kept):
            kept.append(replace(candidate, score=round(candidate.score, 3)))
    return kept


def _same_place(a: Candidate, b: Candidate) -> bool:
    return a.kind == b.kind and distance_m(a.point, b.point) < SAME_PLACE_M
