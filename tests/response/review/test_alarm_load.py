"""Alarm load: floods begin and end as defined, and what the roster does not say stays unknown."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from madang.response.review.alarm_load import (
    Item,
    Shift,
    busiest,
    by_person,
    flooded,
    hours_of,
    load_of,
    windows,
)

START = datetime(2026, 11, 22, tzinfo=UTC)
HOUR = timedelta(hours=1)


def minute(n: float) -> datetime:
    return START + timedelta(minutes=n)


def test_the_load_is_shared_by_those_on_duty_and_unknown_without_a_roster() -> None:
    items = [Item(minute(n / 2), 2) for n in range(40)]
    duty = [Shift("person:a", START, minute(10)), Shift("person:b", START, minute(10))]
    found = windows(items, duty, START, minute(20))
    assert [(one.items, one.operators, one.each) for one in found] == [(20, 2, 10.0), (20, None, None)]
    load = load_of(items, found)
    assert (load.known, load.average, load.peak, load.flood) == (0.5, 10.0, 10.0, 0.0)
    nobody = load_of(items, windows(items, [], START, minute(20)))
    assert (nobody.known, nobody.average, nobody.peak, nobody.flood) == (0.0, None, None, None)


def test_a_flood_begins_above_ten_and_ends_below_five() -> None:
    assert flooded([10, 11, 6, 5, 4.9, 9, 12]) == [False, True, True, True, False, False, True]


def test_priorities_are_held_against_5_15_80() -> None:
    items = [Item(START, p) for p in (0, 1, 2, 3, 4, 4, 4, 4, 4, 4)]
    load = load_of(items, windows(items, [], START, minute(10)))
    assert load.shares == {"high": 0.2, "medium": 0.1, "low": 0.7}
    assert load_of([], windows([], [], START, minute(10))).shares is None


def test_each_person_has_what_they_took_on_and_how_fast() -> None:
    items = [Item(minute(n), 2, "person:a", 30.0 + n) for n in range(4)] + [Item(minute(9), 2)]
    shifts = [Shift("person:a", START, START + HOUR), Shift("person:b", START, START + 2 * HOUR)]
    first, second = by_person(items, shifts, START, START + HOUR)
    assert (first.person, first.taken, first.hours, first.busiest, first.to_claim_median_s) == (
        "person:a",
        4,
        1.0,
        4,
        31.5,
    )
    assert (second.person, second.taken, second.hours, second.to_claim_median_s) == ("person:b", 0, 1.0, None)


@given(st.lists(st.integers(0, 7_199), max_size=60), st.integers(1, 7_200))
def test_every_item_is_in_exactly_one_window(seconds: list[int], length: int) -> None:
    until = START + timedelta(seconds=length)
    items = sorted((Item(START + timedelta(seconds=s), 2) for s in seconds), key=lambda one: one.at)
    found = windows(items, [], START, until)
    assert sum(one.items for one in found) == sum(item.at < until for item in items)
    assert len(found) == -(-length // 600)


@given(st.lists(st.tuples(st.integers(0, 500), st.integers(0, 500)), max_size=8))
def test_overlapping_shifts_count_once(spans: list[tuple[int, int]]) -> None:
    shifts = [Shift("a", minute(a), minute(b)) for a, b in spans]
    covered = {n for a, b in spans for n in range(a, min(b, 400))}
    assert round(hours_of(shifts, START, minute(400)) * 60) == len(covered)


def test_the_busiest_ten_minutes_are_found_wherever_they_begin() -> None:
    assert busiest([minute(n) for n in (0, 8, 9, 12, 17.9, 30)]) == 4
    assert busiest([]) == 0
