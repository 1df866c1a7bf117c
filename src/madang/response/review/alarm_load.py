"""How much operators are given, measured against EEMUA-191. Pure: items and shifts in, figures out.

EEMUA-191 per operator: about 1 item in 10 minutes is manageable, 10 in 10 minutes a flood, priorities 5/15/80 %.
A flood begins with a window of more than `FLOOD_FROM` and ends with one of fewer than `FLOOD_UNTIL` (ISA-18.2).
Where no roster says how many were on duty, the load per operator is unknown and stays None.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

WINDOW = timedelta(minutes=10)
STEADY = 1.0
FLOOD_FROM = 10.0
FLOOD_UNTIL = 5.0
WANTED_SHARES = {"high": 0.05, "medium": 0.15, "low": 0.80}
HIGH, MEDIUM = 1, 2
"""Priorities up to `HIGH` are high, `MEDIUM` is medium, the rest low."""


@dataclass(frozen=True, slots=True)
class Item:
    """One new item in the queue; who took it on, how many seconds later (None: nobody did)."""

    at: datetime
    priority: int
    taken_by: str = ""
    taken_after_s: float | None = None

    @property
    def rank(self) -> str:
        """`high`, `medium` or `low`."""
        return "high" if self.priority <= HIGH else "medium" if self.priority == MEDIUM else "low"


@dataclass(frozen=True, slots=True)
class Shift:
    """Somebody on duty from then till then."""

    person: str
    from_at: datetime
    to_at: datetime


@dataclass(frozen=True, slots=True)
class Window:
    """Ten minutes: how many items came, to how many operators (None: the roster does not say)."""

    from_at: datetime
    items: int
    operators: int | None

    @property
    def each(self) -> float | None:
        """Items per operator."""
        return self.items / self.operators if self.operators else None


def windows(items: Sequence[Item], shifts: Sequence[Shift], since: datetime, until: datetime) -> list[Window]:
    """The period in whole windows from `since`; `items` in order of time. People count by the middle of a window."""
    times = [item.at for item in items]
    found, at = [], since
    while at < until:
        end = min(at + WINDOW, until)
        count = bisect_left(times, end) - bisect_left(times, at)
        middle = at + (end - at) / 2
        people = {shift.person for shift in shifts if shift.from_at <= middle < shift.to_at}
        found.append(Window(at, count, len(people) or None))
        at = end
    return found


def flooded(loads: Iterable[float]) -> list[bool]:
    """Which of the windows, one after another, lie in a flood."""
    found, inside = [], False
    for load in loads:
        inside = load >= FLOOD_UNTIL if inside else load > FLOOD_FROM
        found.append(inside)
    return found


@dataclass(frozen=True, slots=True)
class Load:
    """The figures of a stretch of time. Whatever rests on the roster is None where it is unknown throughout.

    `known` is the share of windows whose operators are known, `flood` the share of those that lie in a flood.
    """

    items: int
    windows: int
    known: float
    average: float | None
    peak: float | None
    peak_at: datetime | None
    flood: float | None
    shares: dict[str, float] | None
    untaken: int
    to_claim_median_s: float | None
    to_claim_p90_s: float | None


def load_of(items: Sequence[Item], stretch: Sequence[Window]) -> Load:
    """The figures of some windows and the items in them."""
    loads = [(window, window.each) for window in stretch]
    known = [(window, each) for window, each in loads if each is not None]
    peak = max(known, key=lambda one: one[1], default=None)
    floods = flooded(each for _, each in known)
    return Load(
        items=len(items),
        windows=len(stretch),
        known=len(known) / len(stretch) if stretch else 0.0,
        average=sum(each for _, each in known) / len(known) if known else None,
        peak=peak[1] if peak else None,
        peak_at=peak[0].from_at if peak else None,
        flood=sum(floods) / len(floods) if floods else None,
        shares=shares_of(items),
        untaken=sum(item.taken_after_s is None for item in items),
        to_claim_median_s=middle_of(items),
        to_claim_p90_s=percentile([item.taken_after_s for item in items if item.taken_after_s is not None], 0.9),
    )


def shares_of(items: Sequence[Item]) -> dict[str, float] | None:
    """The shares of high, medium and low; None of nothing."""
    counts = Counter(item.rank for item in items)
    return {rank: counts[rank] / len(items) for rank in WANTED_SHARES} if items else None


def middle_of(items: Iterable[Item]) -> float | None:
    """The median time to be taken on, seconds."""
    known = [item.taken_after_s for item in items if item.taken_after_s is not None]
    return median(known) if known else None


def percentile(values: Sequence[float], share: float) -> float | None:
    """The nearest-rank percentile; None of nothing."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else None


@dataclass(frozen=True, slots=True)
class PersonLoad:
    """What one person was given. `hours` on duty by the roster (0: none), `busiest` is the most in ten minutes."""

    person: str
    hours: float
    taken: int
    per_10_min: float | None
    busiest: int
    to_claim_median_s: float | None
    to_claim_p90_s: float | None


def by_person(items: Sequence[Item], shifts: Sequence[Shift], since: datetime, until: datetime) -> list[PersonLoad]:
    """Everybody who was on duty or took something on, the most laden first."""
    people = {item.taken_by for item in items if item.taken_by} | {shift.person for shift in shifts}
    return sorted(
        (_person(who, items, shifts, since, until) for who in people), key=lambda one: (-one.taken, one.person)
    )


def _person(who: str, items: Sequence[Item], shifts: Sequence[Shift], since: datetime, until: datetime) -> PersonLoad:
    mine = [item for item in items if item.taken_by == who]
    hours = hours_of([shift for shift in shifts if shift.person == who], since, until)
    delays = [item.taken_after_s for item in mine if item.taken_after_s is not None]
    return PersonLoad(
        person=who,
        hours=round(hours, 2),
        taken=len(mine),
        per_10_min=len(mine) / (hours * 6) if hours else None,
        busiest=busiest([item.at + timedelta(seconds=item.taken_after_s or 0) for item in mine]),
        to_claim_median_s=median(delays) if delays else None,
        to_claim_p90_s=percentile(delays, 0.9),
    )


def hours_of(shifts: Iterable[Shift], since: datetime, until: datetime) -> float:
    """How long somebody was on duty within a period, hours; shifts that overlap count once."""
    total, last = timedelta(), since
    for shift in sorted(shifts, key=lambda one: one.from_at):
        begins, ends = max(shift.from_at, last), min(shift.to_at, until)
        if ends > begins:
            total += ends - begins
            last = ends
    return total / timedelta(hours=1)


def busiest(times: Iterable[datetime]) -> int:
    """The most of these instants within any ten minutes."""
    ordered = sorted(times)
    return max((bisect_left(ordered, at + WINDOW) - n for n, at in enumerate(ordered)), default=0)
