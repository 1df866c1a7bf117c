"""What each operator promises, with facts in order, out of order, late, from wrong clocks, and unusable."""

from __future__ import annotations

import itertools
import math

from hypothesis import given, settings
from hypothesis import strategies as st

from madang.response.rules.engine import Compiled
from madang.response.rules.facts import Fact
from tests.response.rules.playing import BELL, LEVEL, T, bell, compiled, level, said

HIGH = {"op": "threshold", "source": LEVEL, "limit": 2.5, "reset": 2.2, "dwell_s": 60}


def test_a_threshold_fires_when_it_has_stood_for_its_time_although_nothing_more_is_heard() -> None:
    assert said(compiled(HIGH), level(2.0, 0), level(2.6, 10), until=69) == []
    assert said(compiled(HIGH), level(2.0, 0), level(2.6, 10), until=71) == [70]


def test_between_limit_and_reset_a_threshold_neither_begins_nor_ends() -> None:
    assert said(compiled(HIGH), level(2.6, 0), level(2.3, 30), until=61) == [60]
    assert said(compiled(HIGH), level(2.3, 0), until=600) == []
    assert said(compiled(HIGH), level(2.6, 0), level(2.2, 30), until=600) == []


def test_a_threshold_fires_once_until_it_was_over() -> None:
    facts = [level(3.0, at) for at in range(0, 300, 30)]
    assert said(compiled(HIGH), *facts, until=400) == [60]
    assert said(compiled(HIGH), *facts, level(1.0, 310), level(3.0, 320), until=400) == [60, 380]


def test_a_threshold_below_watches_the_other_side() -> None:
    low = compiled({"op": "threshold", "source": LEVEL, "limit": 0.5, "side": "below"})
    assert said(low, level(0.6, 0), level(0.5, 10), level(0.6, 20), level(0.4, 30)) == [10, 30]


def test_a_fact_within_its_lateness_takes_its_place_in_time() -> None:
    dip = level(1.0, 40, received=65)  # it was low in between, which is learned a little later
    assert said(compiled({**HIGH, "dwell_s": 100}), level(3, 0), level(3, 60), dip, level(3, 90), until=120) == []
    assert said(compiled({**HIGH, "dwell_s": 100}), level(3, 0), level(3, 60), dip, level(3, 90), until=170) == [160]


def test_a_late_fact_changes_nothing_and_takes_nothing_back() -> None:
    late = level(1.0, 5, received=65)
    assert said(compiled(HIGH), level(3, 0), level(3, 60), late, until=200) == [60]


def test_what_cannot_be_a_number_is_left_out() -> None:
    for broken in (math.nan, math.inf, "3.0", None, {"a": 1}, [3.0]):
        assert said(compiled({**HIGH, "dwell_s": 0}), level(broken, 0), level(1.0, 1)) == []


def test_a_count_fires_on_the_nth_within_its_window() -> None:
    three = compiled({"op": "count", "source": BELL, "n": 3, "window_s": 60})
    assert said(three, bell(0), bell(30), bell(59)) == [59]
    assert said(three, bell(0), bell(30), bell(61)) == []


def test_a_count_is_complete_also_by_a_fact_that_comes_out_of_order() -> None:
    three = compiled({"op": "count", "source": BELL, "n": 3, "window_s": 60})
    assert said(three, bell(0), bell(40), bell(20, received=41)) == [40]


def test_devices_are_counted_by_themselves_unless_the_rule_says_otherwise() -> None:
    two = {"op": "count", "source": BELL, "n": 2, "window_s": 60}
    assert said(compiled(two), bell(0, device="a"), bell(1, device="b")) == []
    assert said(compiled(two, per="all"), bell(0, device="a"), bell(1, device="b")) == [1]


def test_modes_are_never_counted_together() -> None:
    two = compiled({"op": "count", "source": BELL, "n": 2, "window_s": 60}, per="all")
    real, played = bell(0), bell(1)
    played.mode = "exercise"
    assert said(two, real, played) == []


def test_a_sequence_wants_the_right_order_in_time_whatever_order_it_comes_in() -> None:
    then = {"from": "signal", "classes": ["fight"]}
    rule = compiled({"op": "sequence", "first": BELL, "then": then, "within_s": 60})
    assert said(rule, bell(0), bell(30, name="fight")) == [30]
    assert said(rule, bell(0, name="fight"), bell(30)) == []
    assert said(rule, bell(30, name="fight"), bell(20, received=40)) == [30]
    assert said(rule, bell(0), bell(61, name="fight")) == []


def test_one_first_serves_one_then() -> None:
    then = {"from": "signal", "classes": ["fight"]}
    rule = compiled({"op": "sequence", "first": BELL, "then": then, "within_s": 60})
    assert said(rule, bell(0), bell(10, name="fight"), bell(20, name="fight")) == [10]


def test_absence_is_told_when_also_late_facts_have_had_their_time() -> None:
    rule = compiled({"op": "absence", "source": LEVEL, "for_s": 120})
    assert said(rule, level(1, 0), until=149) == []
    assert said(rule, level(1, 0), until=151) == [120]
    assert said(rule, level(1, 0), level(1, 100), until=240) == []
    assert said(rule, level(1, 0), level(1, 110, received=140), until=160) == []


def test_absence_is_told_once_and_again_after_it_was_heard_of() -> None:
    rule = compiled({"op": "absence", "source": LEVEL, "for_s": 60})
    assert said(rule, level(1, 0), until=1_000) == [60]
    assert said(rule, level(1, 0), level(1, 500), until=1_000) == [60, 560]


def test_absence_since_something_is_about_that_alone() -> None:
    guard = {"from": "signal", "classes": ["object_seen"]}
    rule = compiled({"op": "absence", "source": guard, "since": BELL, "for_s": 60})
    assert said(rule, bell(0), until=100) == [60]
    assert said(rule, bell(0), bell(50, name="object_seen"), until=200) == []
    assert said(rule, bell(50, name="object_seen"), bell(40, received=55), until=200) == []
    assert said(rule, bell(0), bell(70, name="object_seen"), until=200) == [60]


def test_a_rate_looks_back_over_its_window() -> None:
    rule = compiled({"op": "rate", "source": LEVEL, "by": 1.0, "window_s": 60})
    assert said(rule, level(0.0, 0), level(0.5, 30), level(1.0, 60)) == [60]
    assert said(rule, level(0.0, 0), level(0.5, 30), level(1.0, 61)) == []
    assert said(rule, level(1.0, 0), level(0.0, 30)) == []


def test_flapping_counts_changes_not_reports() -> None:
    rule = compiled({"op": "flap", "source": LEVEL, "changes": 3, "window_s": 60})
    same = [level("on", at) for at in range(30)]
    assert said(rule, *same) == []
    assert said(rule, level("on", 0), level("off", 10), level("on", 20), level("off", 30)) == [30]
    assert said(rule, level("on", -500), level("off", 10), level("on", 20), level("off", 30)) == [30]


def test_a_quorum_wants_different_devices() -> None:
    rule = compiled({"op": "quorum", "source": BELL, "k": 2, "window_s": 60}, per="all")
    assert said(rule, bell(0, device="a"), bell(1, device="a")) == []
    assert said(rule, bell(0, device="a"), bell(1, device="b")) == [1]
    named = compiled({"op": "quorum", "source": BELL, "k": 2, "window_s": 60, "devices": ["a", "b"]}, per="all")
    assert said(named, bell(0, device="a"), bell(1, device="z"), bell(2, device="b")) == [2]


def _at(lon: float, at: float, accuracy_m: float = 0.0) -> Fact:
    fact = level(None, at, device="urn:ngsi-ld:Person:1")
    fact.name, fact.lon, fact.lat, fact.accuracy_m = "Person/location", lon, 35.2, accuracy_m
    return fact


def _leaving(for_s: int = 60) -> Compiled:
    where = {"from": "reading", "type": "Person", "attribute": "location"}
    area = {"shape": "circle", "lon": 128.88, "lat": 35.2, "radius_m": 500}
    return compiled({"op": "area", "source": where, "area": area, "side": "outside", "for_s": for_s})


def test_being_outside_is_a_state_that_lasts_not_a_crossing() -> None:
    assert said(_leaving(), _at(128.88, 0), _at(128.90, 10), _at(128.88, 40), until=100) == []
    assert said(_leaving(), _at(128.90, 0), until=100) == [60]


def test_an_inaccurate_position_across_the_border_decides_nothing() -> None:
    assert said(_leaving(0), _at(128.8865, 0, accuracy_m=500)) == []
    assert said(_leaving(0), _at(128.8865, 0, accuracy_m=10)) == [0]


def test_a_fact_from_the_future_counts_when_it_was_received() -> None:
    ahead = level(3.0, 100_000, received=0)
    assert said(compiled(HIGH), ahead, level(3.0, 30), until=100) == [60]


def test_a_clock_set_back_makes_a_device_deaf_for_two_facts_only() -> None:
    back = [level(3.0, at - 600, received=at) for at in (10, 20, 30, 40)]
    assert said(compiled({**HIGH, "dwell_s": 0}), level(1.0, 0), *back) == [-570]


def test_what_was_seen_an_hour_ago_is_history() -> None:
    assert said(compiled({**HIGH, "dwell_s": 0}), level(3.0, 0, received=3_700)) == []


def test_a_rule_keeps_quiet_for_its_time_and_then_tells_what_still_stands() -> None:
    rule = compiled({**HIGH, "dwell_s": 0, "reset": None}, quiet_s=300)
    flapping = [level(3.0 if at % 20 else 1.0, at) for at in range(0, 200, 10)]
    assert said(rule, *flapping, until=299) == [10]
    assert said(rule, *flapping, until=301) == [10]
    assert said(rule, *flapping, until=320) == [10, 190]  # at 310, of what was seen last
    assert said(rule, *flapping, level(1.0, 205), until=320) == [10]


def test_conditions_are_asked_when_it_fires_and_again_as_long_as_it_stands() -> None:
    night = {"on": "time", "start": "09:05", "end": "10:00"}
    rule = compiled({**HIGH, "dwell_s": 0}, conditions=[night])
    assert said(rule, *[level(3.0, at) for at in range(0, 600, 60)]) == [300]


def test_what_a_rule_made_is_not_heard_unless_asked_for() -> None:
    made = bell(0, source="rule")
    assert said(compiled({"op": "happens", "source": BELL}), made) == []
    assert said(compiled({"op": "happens", "source": {**BELL, "sources": ["rule"]}}), made) == [0]


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 300), st.floats(0, 5)), min_size=1, max_size=25), st.randoms())
def test_order_of_arrival_within_the_lateness_does_not_change_what_a_count_says(
    values: list[tuple[int, float]], random: object
) -> None:
    del random
    n = compiled({"op": "count", "source": LEVEL, "n": 3, "window_s": 60}, late_s=300)
    in_order = [level(value, at, received=400) for at, value in sorted(values)]
    as_drawn = [level(value, at, received=400) for at, value in values]
    assert bool(said(n, *in_order)) == bool(said(n, *as_drawn))


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 50), st.floats(0, 5)), max_size=40))
def test_a_threshold_without_dwell_never_fires_twice_without_being_over_in_between(
    steps: list[tuple[int, float]],
) -> None:
    rule = compiled({**HIGH, "dwell_s": 0})
    at, facts = 0.0, []
    for step, value in steps:
        at += step
        facts.append(level(value, at))
    fired = said(rule, *facts)
    lows = [fact.at for fact in facts if isinstance(fact.value, float) and fact.value <= 2.2]
    for first, second in itertools.pairwise(fired):
        assert any(first <= low - T <= second for low in lows)
