"""Whatever signs, people and time do in whatever order, an outage keeps its promises."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from madang.facilities.domain import (
    DOWN,
    ENDED,
    NEEDS_REASON,
    TRANSITIONS,
    Act,
    Began,
    Cause,
    Command,
    Down,
    Moved,
    Outage,
    Policy,
    State,
    Step,
    Tick,
    Up,
    decide,
    evolve,
)
from madang.kernel.decisions import Rejected

START = datetime(2026, 11, 22, tzinfo=UTC)
POLICY = Policy(confirm_s=60, stable_s=120, stable_most_s=600, wobbles=3, wobble_s=3_600)
MACHINE = [Cause.SILENT, Cause.BLACK, Cause.FROZEN]


class OutageMachine(RuleBasedStateMachine):
    """Drives one facility's outage with everything that can be said to it, and reckons what must be true."""

    def __init__(self) -> None:
        super().__init__()
        self.now = START
        self.outage: Outage | None = None
        self.opened = self.told_open = self.told_end = 0
        self.cleared: list[datetime] = []
        self.acknowledged = False

    def say(self, command: Command) -> None:
        wobbles = sum(at >= self.now - timedelta(seconds=POLICY.wobble_s) for at in self.cleared)
        decided = decide(self.outage, command, self.now, POLICY, wobbles=wobbles)
        if isinstance(decided, Rejected):
            assert isinstance(command, Act)
            return
        for event in decided.events:
            before = self.outage
            self.outage = evolve(None if before is None or before.ended else before, event)
            self._book(event)

    def _book(self, event: object) -> None:
        assert self.outage is not None
        if isinstance(event, Began):
            self.told_open += event.outage.state is State.OPEN
            self.acknowledged = False
        if not isinstance(event, Moved):
            return
        self.told_open += event.step is Step.CONFIRM
        self.told_end += event.step in (Step.CLOSE, Step.DISMISS)
        if event.step is Step.CLEAR:
            self.cleared.append(event.at)
        if event.step is Step.ACKNOWLEDGE:
            self.acknowledged = True

    @rule(cause=st.sampled_from(MACHINE), ago=st.integers(0, 30))
    def goes_down(self, cause: Cause, ago: int) -> None:
        self.say(Down(cause, self.now - timedelta(seconds=ago)))

    @rule()
    def a_person_reports(self) -> None:
        self.say(Down(Cause.REPORTED, self.now, sure=True))

    @rule(ago=st.integers(-30, 30))
    def comes_up(self, ago: int) -> None:
        self.say(Up(self.now - timedelta(seconds=ago)))

    @rule(step=st.sampled_from(Step), reason=st.sampled_from(["", "  ", "확인함"]))
    def a_person_acts(self, step: Step, reason: str) -> None:
        before = self.outage
        self.say(Act(step, reason))
        if step in NEEDS_REASON and not reason.strip():
            assert self.outage == before

    @rule(seconds=st.sampled_from([1, 30, 61, 125, 700, 4_000]))
    def time_passes(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)
        self.say(Tick())

    @precondition(lambda self: self.outage is not None and self.outage.ended)
    @rule()
    def what_has_ended_moves_no_more(self) -> None:
        before = self.outage
        self.say(Tick())
        self.say(Act(Step.ACKNOWLEDGE))
        assert self.outage == before

    @invariant()
    def every_outage_told_open_is_told_ended_once_and_no_other(self) -> None:
        standing = self.outage is not None and self.outage.opened_at is not None and not self.outage.ended
        assert self.told_open == self.told_end + standing

    @invariant()
    def time_alone_moves_only_what_waits_for_proof(self) -> None:
        if self.outage is not None:
            waits = self.outage.state in (State.SUSPECTED, State.RESTORED)
            assert (self.outage.due_at is not None) == waits

    @invariant()
    def its_times_are_in_order(self) -> None:
        one = self.outage
        if one is None:
            return
        assert one.began_at <= self.now
        assert one.opened_at is None or one.opened_at >= one.began_at
        assert one.restored_at is None or one.restored_at >= one.began_at
        assert one.heard_at <= self.now

    @invariant()
    def a_relapse_never_asks_for_a_second_acknowledgement(self) -> None:
        if self.outage is not None and self.acknowledged:
            assert self.outage.state is not State.OPEN

    @invariant()
    def only_what_was_dismissed_or_passed_is_void(self) -> None:
        if self.outage is not None and self.outage.void:
            assert self.outage.ended


TestOutageModel = OutageMachine.TestCase
TestOutageModel.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)


def test_the_table_names_every_state_and_nothing_leaves_an_end() -> None:
    assert set(TRANSITIONS) == set(State)
    assert all(not TRANSITIONS[state] for state in ENDED)
    reached = {to for steps in TRANSITIONS.values() for to in steps.values()} | {State.SUSPECTED}
    assert reached == set(State)
    assert not DOWN & ENDED


def test_eighty_flaps_are_one_outage_told_once_whose_proof_takes_longer_each_time() -> None:
    machine = OutageMachine()
    machine.say(Down(Cause.SILENT, machine.now))
    machine.time_passes(61)
    waits = []
    for _ in range(80):
        machine.now += timedelta(seconds=5)
        machine.say(Up(machine.now))
        assert machine.outage is not None and machine.outage.due_at is not None
        waits.append((machine.outage.due_at - machine.now).total_seconds())
        machine.now += timedelta(seconds=5)
        machine.say(Down(Cause.SILENT, machine.now))
    assert machine.outage is not None and machine.outage.relapses == 80
    assert (machine.told_open, machine.told_end) == (1, 0)
    assert waits[:4] == [120, 240, 480, 600]
    assert waits == sorted(waits)


def test_suspicions_that_keep_passing_become_an_outage_of_their_own() -> None:
    machine = OutageMachine()
    for _ in range(4):
        machine.now += timedelta(seconds=20)
        machine.say(Down(Cause.SILENT, machine.now))
        machine.now += timedelta(seconds=20)
        if machine.outage is not None and machine.outage.state is State.SUSPECTED:
            machine.say(Up(machine.now))
    assert machine.outage is not None
    assert (machine.outage.state, machine.outage.cause) == (State.OPEN, Cause.UNSTABLE)


def test_what_a_person_reported_is_not_mended_by_a_feed_that_speaks() -> None:
    reported = decide(None, Down(Cause.REPORTED, START, sure=True), START, POLICY)
    assert not isinstance(reported, Rejected)
    outage = evolve(None, reported.events[0])
    later = START + timedelta(hours=1)
    spoke = decide(outage, Up(later), later, POLICY)
    assert not isinstance(spoke, Rejected)
    assert evolve(outage, spoke.events[0]).state is State.OPEN
