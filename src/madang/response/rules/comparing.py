"""A replay: rules run over what was, and how what they would have said differs from the version in force. Pure."""

from __future__ import annotations

import heapq
import itertools
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from madang.kernel.clock import SEOUL, instant_text
from madang.kernel.geometry import Point, distance_m
from madang.response.rules.engine import Book, Compiled, Happening, book_of, listeners_of, take, wake
from madang.response.rules.facts import READING, Fact, World
from madang.response.rules.machines import Memory

SAME_S = 60.0
"""What both versions say of one group within so many seconds is the same."""
SHOWN = 50
MOST_SAID = 20_000
"""A version that would speak more often than this in the time is not counted further."""


class Playing:
    """One version over facts in the order they were received; waits end at their time in between."""

    def __init__(self, compiled: Compiled) -> None:
        self.compiled = compiled
        self.said: list[Happening] = []
        self.overflowed = False
        self._book: Book = book_of([compiled])
        self._memories: defaultdict[str, Memory] = defaultdict(dict)
        self._waits: list[tuple[float, int, str]] = []
        self._turn = itertools.count()
        self._marks: set[tuple[str, int]] = set()

    @property
    def book(self) -> Book:
        """What it listens to."""
        return self._book

    def give(self, fact: Fact, world: World) -> None:
        """The next fact."""
        self.pass_time(fact.received, world)
        for listener, key in listeners_of(self._book, fact, world):
            memory = self._memories[key]
            before = memory.get("due")
            self._note(take(listener, key, memory, fact, world))
            self._wait(key, before, memory.get("due"))

    def pass_time(self, until: float, world: World) -> None:
        """Nothing came up to `until`: what falls due is woken."""
        while self._waits and self._waits[0][0] <= until:
            due, _, key = heapq.heappop(self._waits)
            memory = self._memories[key]
            if memory.get("due") == due:
                self._note(wake(self.compiled, key, memory, due, world))
                self._wait(key, due, memory.get("due"))

    def _wait(self, key: str, before: float | None, due: float | None) -> None:
        if due is not None and due != before:
            heapq.heappush(self._waits, (due, next(self._turn), key))

    def _note(self, happenings: Iterable[Happening]) -> None:
        """What was said of a group at a time is said once, as at work (`saying.source_id_of`)."""
        for one in happenings:
            mark = (one.key, round(one.at * 1_000))
            if one.kind != "fired" or mark in self._marks:
                continue
            if len(self.said) >= MOST_SAID:
                self.overflowed = True
                return
            self._marks.add(mark)
            self.said.append(one)

    @property
    def late(self) -> int:
        """Facts that came too late to count."""
        return sum(memory.get("late", 0) for memory in self._memories.values())

    @property
    def bad(self) -> int:
        """Facts whose value could not be used."""
        return sum(memory.get("bad", 0) for memory in self._memories.values())


@dataclass(slots=True)
class Comparison:
    """What both say, what only the new one says, what only the one in force says."""

    same: int = 0
    appear: list[Happening] = field(default_factory=list)
    vanish: list[Happening] = field(default_factory=list)


def compare(new: Sequence[Happening], old: Sequence[Happening]) -> Comparison:
    """Pairs what both say of one group, nearest in time first come."""
    waiting: defaultdict[str, list[Happening]] = defaultdict(list)
    for one in sorted(old, key=_at):
        waiting[one.key].append(one)
    result = Comparison()
    for one in sorted(new, key=_at):
        theirs = waiting[one.key]
        while theirs and theirs[0].at < one.at - SAME_S:
            result.vanish.append(theirs.pop(0))
        if theirs and theirs[0].at <= one.at + SAME_S:
            theirs.pop(0)
            result.same += 1
        else:
            result.appear.append(one)
    for theirs in waiting.values():
        result.vanish += theirs
    result.vanish.sort(key=_at)
    return result


def _at(one: Happening) -> float:
    return one.at


@dataclass(frozen=True, slots=True)
class PastIncident:
    """An incident that stood open for a while. Times are seconds since 1970."""

    id: str
    number: str
    mode: str
    class_code: str
    lon: float
    lat: float
    opened: float
    closed: float = math.inf


class Past:
    """The incidents of the time, for `near` and for telling which incident a signal would have joined."""

    def __init__(self, incidents: Sequence[PastIncident]) -> None:
        self._by_mode: defaultdict[str, list[PastIncident]] = defaultdict(list)
        for one in sorted(incidents, key=lambda each: each.opened):
            self._by_mode[one.mode].append(one)

    def is_near(self, fact: Fact, radius_m: float, classes: frozenset[str]) -> bool:
        """Whether one stood open within so many metres when the fact came."""
        if fact.lon is None or fact.lat is None:
            return False
        here = Point(fact.lon, fact.lat)
        return any(
            one.opened <= fact.received < one.closed
            and (not classes or one.class_code in classes)
            and abs(one.lat - here.lat) * 111_000 <= radius_m
            and distance_m(here, Point(one.lon, one.lat)) <= radius_m
            for one in self._by_mode[fact.mode]
        )

    def joined(self, said: Happening, radius_m: float = 300.0, within_s: float = 900.0) -> PastIncident | None:
        """The incident of the rule's class that a signal would probably have been merged into."""
        fact, made = said.fact, said.compiled.rule.signal
        if made is None or fact.lon is None or fact.lat is None:
            return None
        here = Point(fact.lon, fact.lat)
        for one in self._by_mode[fact.mode]:
            around = one.class_code == made.class_code and one.opened - within_s <= said.at <= one.closed
            if around and distance_m(here, Point(one.lon, one.lat)) <= radius_m:
                return one
        return None


JsonRow = dict[str, Any]  # Any: JSON values


def report_of(new: Playing, old: Playing | None, past: Past, facts: Counter[str]) -> JsonRow:
    """What is shown: totals, days, and examples of what would appear and vanish."""
    made = compare(new.said, old.said if old is not None else [])
    return {
        "readings": facts[READING],
        "signals": sum(count for kind, count in facts.items() if kind != READING),
        "fired_new": len(new.said),
        "fired_published": len(old.said) if old is not None else None,
        "same": made.same,
        "appear_total": len(made.appear),
        "vanish_total": len(made.vanish),
        "appear": [_shown(one, past) for one in made.appear[:SHOWN]],
        "vanish": [_shown(one, past) for one in made.vanish[:SHOWN]],
        "by_day": _by_day(new.said, old.said if old is not None else []),
        "late": new.late,
        "bad": new.bad,
        "overflowed": new.overflowed or (old is not None and old.overflowed),
    }


def _shown(one: Happening, past: Past) -> JsonRow:
    fact, made = one.fact, one.compiled.rule.signal
    joined = past.joined(one)
    return {
        "at": instant_text(datetime.fromtimestamp(one.at, UTC)),
        "rule": one.compiled.cited,
        "device": fact.device,
        "group": one.key.partition("|")[2],
        "mode": fact.mode,
        "class_code": made.class_code if made else None,
        "priority": made.priority if made else None,
        "lon": fact.lon,
        "lat": fact.lat,
        "value": fact.value if isinstance(fact.value, str | int | float | bool) else None,
        "incident": {"id": joined.id, "number": joined.number} if joined else None,
    }


def _by_day(new: Iterable[Happening], old: Iterable[Happening]) -> list[JsonRow]:
    counts = (Counter(map(_day, new)), Counter(map(_day, old)))
    days = sorted(set(counts[0]) | set(counts[1]))
    return [{"day": day, "new": counts[0][day], "published": counts[1][day]} for day in days]


def _day(one: Happening) -> str:
    return datetime.fromtimestamp(one.at, SEOUL).date().isoformat()
