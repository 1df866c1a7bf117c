"""What happens in the simulated city: calls with the dirt of real ones."""

from __future__ import annotations

import csv
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Facts = dict[str, Any]  # Any: JSON members

STORIES = {
    "plain": 54,
    "address_only": 12,
    "nowhere": 3,
    "wrong_district": 6,
    "swapped": 3,
    "outside": 2,
    "odd_class": 4,
    "asks_a_person": 6,
    "moves": 4,
    "cancelled": 4,
    "cancelled_first": 2,
}
"""How often each kind of call comes, in parts of a hundred."""

_URGENT = (("abduction", "납치 의심"), ("robbery", "편의점 강도"), ("assault", "폭행"), ("weapon", "흉기 소지"))
_CALM = (
    ("theft", "절도"),
    ("disturbance", "시비"),
    ("suspicious_person", "거동수상자"),
    ("traffic_accident", "교통사고"),
)
_OFFICERS = ("김순경", "이경장", "박경사", "최경위", "정순경")


@dataclass(frozen=True, slots=True)
class Spot:
    """A place calls come from."""

    address: str
    lon: float
    lat: float


@dataclass(frozen=True, slots=True)
class Call:
    """One call: its facts, and what will happen to it."""

    number: str
    story: str
    facts: Facts
    update: Facts | None = None
    officer: Facts = field(default_factory=dict)


def read_spots(path: Path | None, centre: tuple[float, float] = (128.8894, 35.2285)) -> list[Spot]:
    """Places from the city's address file (`address`, `lon`, `lat` columns), or a few around `centre`."""
    if path is None or not path.exists():
        return [Spot("", centre[0] + dx / 300, centre[1] + dy / 300) for dx in range(-3, 4) for dy in range(-3, 4)]
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row.get("lon") and row.get("lat")]
    return [
        Spot(row.get("address") or row.get("road_address") or "", float(row["lon"]), float(row["lat"])) for row in rows
    ]


class Day:
    """Makes calls, one after another, from a seed: the same seed is the same day."""

    def __init__(self, spots: list[Spot], seed: int, prefix: str) -> None:
        self._spots = spots
        self._random = random.Random(seed)
        self._prefix = prefix
        self._count = 0

    def calls(self) -> Iterator[Call]:
        """Calls without end; the first three are plain, urgent ones, so that a visitor sees video soon."""
        while True:
            self._count += 1
            chosen = self._random.choices(list(STORIES), weights=list(STORIES.values()))[0]
            story = "plain" if self._count <= 3 else chosen
            yield self._make(f"{self._prefix}-{self._count:06d}", story)

    def pause_s(self, per_minute: float) -> float:
        """Until the next call: exponential, as calls arrive (a Poisson process)."""
        return self._random.expovariate(per_minute / 60)

    def _make(self, number: str, story: str) -> Call:
        spot = self._random.choice(self._spots)
        crime, text = self._random.choice(_CALM if story == "asks_a_person" else _URGENT)
        name = self._random.choice(_OFFICERS)
        officer = {"id": f"P-{1000 + _OFFICERS.index(name)}", "name": name, "unit": "김해중부서 112상황실"}
        facts: Facts = {
            "code": self._random.choice((2, 3)) if story == "asks_a_person" else self._random.choice((0, 1)),
            "crime_class": "재물손괴 의심 소란" if story == "odd_class" else crime,
            "place": self._place(story, spot),
            "radius_m": 500,
            "basis": "pipa_18_2_3",
            "officer": officer,
            "caller": {"phone": f"010-0000-{self._random.randrange(10_000):04d}"},
            "text": f"[모의] {text} 신고",
        }
        update = None
        if story in {"moves", "nowhere"}:
            other = self._random.choice(self._spots)
            update = {"place": {"lon": other.lon, "lat": other.lat, "accuracy_m": 20, "address": other.address}}
        return Call(number, story, facts, update, officer)

    def _place(self, story: str, spot: Spot) -> Facts:
        exact = {
            "lon": spot.lon,
            "lat": spot.lat,
            "accuracy_m": self._random.choice((10, 30, 80)),
            "address": spot.address,
        }
        if story == "address_only":
            return {"address": spot.address or "시청 앞 편의점 근처"}
        if story == "nowhere":
            return {"address": "큰길가 파란 간판 가게 앞"}
        if story == "wrong_district":
            wrong = self._random.choice(self._spots).address
            return {"address": f"{wrong.rsplit(' ', 1)[0]} {spot.address.rsplit(' ', 1)[-1]}".strip() or "다른 동네"}
        if story == "swapped":
            return {**exact, "lon": spot.lat, "lat": spot.lon}
        if story == "outside":
            return {**exact, "lon": spot.lon + 0.8, "address": "관할 밖"}
        return exact
