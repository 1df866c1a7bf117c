"""Unknown time is never counted as working, and nothing is counted twice."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from madang.facilities.availability import Share, Span, clipped, seconds, share_of

START = datetime(2026, 11, 1, tzinfo=UTC)
WINDOW = (START, START + timedelta(hours=100))


def span(a: float, b: float) -> Span:
    return START + timedelta(hours=a), START + timedelta(hours=b)


SPANS = st.lists(
    st.builds(lambda a, length: span(a, a + length), st.integers(-20, 120), st.integers(0, 40)), max_size=12
)


@given(SPANS, SPANS, SPANS)
def test_down_is_part_of_known_and_known_is_part_of_all(
    seen: list[Span], down: list[Span], reported: list[Span]
) -> None:
    share = share_of(WINDOW, seen, down, reported)
    assert 0 <= share.down_s <= share.known_s <= share.total_s == 360_000
    assert share.down_s <= share.told_down_s
    assert (share.availability is None) == (share.known_s == 0)
    assert share.availability is None or 0 <= share.availability <= 1


@given(SPANS)
def test_the_hours_of_a_span_count_once_however_often_they_were_seen(spans: list[Span]) -> None:
    hours = {hour for a, b in spans for hour in range(100) if a <= span(hour, 0)[0] < b}
    assert seconds(clipped(spans, WINDOW)) == len(hours) * 3_600


def test_a_thing_nobody_watched_has_no_availability_and_no_coverage() -> None:
    share = share_of(WINDOW, [], [])
    assert share.availability is None
    assert share.coverage == 0


def test_half_watched_with_an_hour_down_is_told_as_that() -> None:
    share = share_of(WINDOW, [span(0, 50)], [span(10, 11)])
    assert share.coverage == pytest.approx(0.5)
    assert share.availability == pytest.approx(49 / 50)


def test_shares_of_many_add_up_and_remember_how_many_were_known() -> None:
    both = share_of(WINDOW, [span(0, 100)], []) + share_of(WINDOW, [], [])
    assert (both.facilities, both.known_facilities) == (2, 1)
    assert both.availability == 1.0
    assert both.coverage == pytest.approx(0.5)


def test_no_time_at_all_says_nothing() -> None:
    assert share_of((START, START), [span(0, 1)], []) == Share()


def test_of_a_thing_known_only_by_a_report_no_share_is_told_but_its_hours_are() -> None:
    share = share_of(WINDOW, [], [], [span(10, 20)])
    assert (share.availability, share.coverage, share.told_down_s) == (None, 0, 36_000)


def test_a_report_on_a_watched_thing_counts_as_down() -> None:
    assert share_of(WINDOW, [span(0, 100)], [], [span(10, 20)]).availability == pytest.approx(0.9)


def test_a_thing_seen_dead_all_month_was_available_never() -> None:
    assert share_of(WINDOW, [], [span(-50, 200)]).availability == 0
