"""What an incident may become, and what is believed of places and sources."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from madang.kernel.decisions import Accepted, Rejected
from madang.kernel.geometry import Point
from madang.response.domain import (
    ATTEND,
    ENDED_STATES,
    LOCATE,
    OPEN_STATES,
    TRANSITIONS,
    Account,
    Candidate,
    Claim,
    Command,
    Doubt,
    Ending,
    Known,
    Move,
    PlaceState,
    Release,
    SaidPlace,
    SetPriority,
    Situation,
    State,
    Step,
    Stepped,
    TaskNeeded,
    decide,
    end,
    evolve_all,
    opened,
    priority_of,
    settle,
    tell,
)

GIMHAE = Point(128.889, 35.228)
SURE = Candidate("김해대로 2401", 128.8894, 35.2285, 0.99, "address")


class IncidentLife(RuleBasedStateMachine):
    """Any sequence of commands, refused or not, keeps the invariants of RESPONSE §5."""

    @initialize(priority=st.integers(0, 4), known=st.booleans(), ended=st.sampled_from([None, Step.CLOSE, Step.CANCEL]))
    def begin(self, priority: int, known: bool, ended: Step | None) -> None:
        self.now = evolve_all(Situation(priority=priority), opened(priority, place_known=known, ended=ended))
        self.ever_ended = not self.now.open

    def give(self, command: Command) -> None:
        before, answer = self.now, decide(self.now, command)
        if isinstance(answer, Accepted):
            self.now = evolve_all(self.now, answer.events)
            steps = [event for event in answer.events if isinstance(event, Stepped)]
            assert all(event.before is before.state for event in steps)
            assert self.now.version >= before.version
        else:
            assert answer.code
            assert self.now == before

    @rule(step=st.sampled_from(list(Step)), reason=st.sampled_from(["", "  ", "오인 신고"]))
    def move(self, step: Step, reason: str) -> None:
        was_ended = not self.now.open
        self.give(Move(step, reason))
        if was_ended and self.now.open:
            assert step is Step.REOPEN
            assert reason.strip()

    @rule(by=st.sampled_from(["person:1", "person:2"]), take_over=st.booleans())
    def claim(self, by: str, take_over: bool) -> None:
        held = self.now.owner
        self.give(Claim(by, take_over))
        if held and self.now.owner != held:
            assert take_over

    @rule(by=st.sampled_from(["person:1", "person:2", ""]), reason=st.sampled_from(["", "화면 응답 없음"]))
    def release(self, by: str, reason: str) -> None:
        held = self.now.owner
        self.give(Release(by, reason))
        assert self.now.owner == ("" if held == by and reason and self.now.open else held)

    @rule(priority=st.integers(-3, 9))
    def press(self, priority: int) -> None:
        self.give(SetPriority(priority))

    @invariant()
    def urgent_ones_are_attended(self) -> None:
        assert self.now.attended

    @invariant()
    def ended_ones_have_no_tasks(self) -> None:
        assert self.now.open or not self.now.tasks

    @invariant()
    def priority_stays_in_range(self) -> None:
        assert 0 <= self.now.priority <= 4


TestIncidentLife = IncidentLife.TestCase
TestIncidentLife.settings = settings(max_examples=80, stateful_step_count=15, deadline=None)


def test_the_table_names_every_state_and_only_reopening_leaves_an_end() -> None:
    assert set(TRANSITIONS) == set(State)
    for state in ENDED_STATES:
        leading_out = {step for step, after in TRANSITIONS[state].items() if after in OPEN_STATES}
        assert leading_out <= {Step.REOPEN}


@pytest.mark.parametrize("step", [Step.REOPEN, Step.DISMISS, Step.CANCEL])
def test_steps_that_undo_work_want_a_reason(step: Step) -> None:
    state = State.CLOSED if step is Step.REOPEN else State.NEW
    assert decide(Situation(state=state), Move(step)) == Rejected("reason_missing", {"step": step.value})
    assert isinstance(decide(Situation(state=state), Move(step, "사유")), Accepted)


def test_a_decision_made_on_an_old_picture_is_refused() -> None:
    answer = decide(Situation(version=3), Move(Step.ACTIVATE, expected_version=2))
    assert answer == Rejected("stale_version", {"expected": 2, "version": 3})


def test_an_urgent_unlocated_call_begins_with_both_its_tasks() -> None:
    assert opened(1, place_known=False) == (TaskNeeded(ATTEND), TaskNeeded(LOCATE))
    assert opened(2, place_known=True) == ()


def settled(said: SaidPlace, known: Known = Known()) -> tuple[PlaceState, Point | None, tuple[Doubt, ...]]:  # noqa: B008 -- frozen
    place, doubts = settle(said, known, approximate_above_m=200, sure=0.95)
    return place.state, place.point, doubts


def test_swapped_coordinates_are_put_right_and_said_so() -> None:
    said = SaidPlace(lon=GIMHAE.lat, lat=GIMHAE.lon)
    assert settled(said, Known(contained=True)) == (PlaceState.LOCATED, GIMHAE, (Doubt("place", "swapped"),))
    assert settled(said)[0] is PlaceState.APPROXIMATE


@pytest.mark.parametrize(
    ("contained", "accuracy", "state"),
    [
        (True, None, PlaceState.LOCATED),
        (None, 50.0, PlaceState.LOCATED),
        (True, 200.0, PlaceState.LOCATED),
        (True, 201.0, PlaceState.APPROXIMATE),
        (False, 5.0, PlaceState.OUTSIDE),
    ],
)
def test_what_a_point_is_worth(contained: bool | None, accuracy: float | None, state: PlaceState) -> None:
    assert settled(SaidPlace(GIMHAE.lon, GIMHAE.lat, accuracy), Known(contained=contained))[0] is state


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (SaidPlace(0.0, 0.0), "zero"),
        (SaidPlace(float("nan"), 35.0), "not_a_number"),
        (SaidPlace(2.35, 48.85), "outside_korea"),
        (SaidPlace(lon=128.9), "half_a_coordinate"),
    ],
)
def test_coordinates_that_cannot_be_are_set_aside_with_the_reason(said: SaidPlace, why: str) -> None:
    assert settled(said) == (PlaceState.UNLOCATED, None, (Doubt("place", why),))


def test_one_sure_address_stands_in_for_coordinates_and_two_do_not() -> None:
    said = SaidPlace(address="김해대로 2401")
    assert settled(said, Known(candidates=(SURE,)))[:2] == (PlaceState.APPROXIMATE, Point(SURE.lon, SURE.lat))
    assert settled(said, Known(candidates=(SURE, SURE)))[:2] == (PlaceState.UNLOCATED, None)


def test_an_address_of_another_district_is_doubted_and_the_point_believed() -> None:
    said = SaidPlace(GIMHAE.lon, GIMHAE.lat, address="장유동 12")
    state, point, doubts = settled(said, Known(True, "부원동", address_district="장유동"))
    assert (state, point, doubts) == (PlaceState.LOCATED, GIMHAE, (Doubt("place.address", "other_district"),))


numbers = st.one_of(st.none(), st.floats(), st.floats(30, 140))
places = st.builds(SaidPlace, lon=numbers, lat=numbers, accuracy_m=numbers, address=st.text(max_size=5))
worlds = st.builds(
    Known,
    contained=st.sampled_from([None, True, False]),
    candidates=st.sampled_from([(), (SURE,), (SURE, SURE)]),
)


@given(said=places, known=worlds)
def test_any_place_settles_to_something_and_unlocated_means_no_point(said: SaidPlace, known: Known) -> None:
    place, _ = settle(said, known, approximate_above_m=200, sure=0.95)
    assert (place.point is None) is (place.state is PlaceState.UNLOCATED)
    if place.point is not None:
        assert -180 <= place.point.lon <= 180
        assert -90 <= place.point.lat <= 90


@pytest.mark.parametrize(("code", "priority"), [(0, 0), (4, 4), (9, 2), (-1, 2), ("1", 2), (None, 2), (True, 2)])
def test_a_code_that_is_no_code_is_neither_urgent_nor_idle(code: object, priority: int) -> None:
    assert priority_of(code) == priority


said_things = st.dictionaries(st.sampled_from(["code", "place", "text"]), st.integers(0, 3), min_size=1)


@given(messages=st.lists(st.tuples(st.integers(1, 5), said_things), max_size=5), data=st.data())
def test_the_same_messages_give_the_same_account_in_any_order_and_however_often(
    messages: list[tuple[int, dict[str, Any]]], data: st.DataObject
) -> None:
    shuffled = data.draw(st.permutations(messages + messages[:2]))

    def account_of(told: list[tuple[int, dict[str, Any]]]) -> Account:
        account = Account()
        for seq, said in told:
            account = tell(account, seq, said, request=True)
        return account

    assert account_of(messages) == account_of(list(shuffled))


def test_a_call_ends_once() -> None:
    first = end(Account(), Ending(Step.CANCEL, 3, "mistake"))
    assert end(first, Ending(Step.CLOSE, 2)) == first
