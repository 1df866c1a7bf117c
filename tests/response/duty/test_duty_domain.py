"""Whatever two people answer each other, every incident has exactly one who answers for it until another accepts."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from madang.kernel.decisions import Accepted, Rejected
from madang.response.duty.domain import (
    OVER,
    Accept,
    Command,
    Decline,
    Handover,
    ItemAccepted,
    ItemLapsed,
    ItemState,
    Phase,
    Settled,
    Withdraw,
    decide,
    evolve_all,
    release_at,
    span_after,
    span_at,
    span_on,
)
from madang.response.duty.presence import Lookout

INCIDENTS = ("i1", "i2", "i3")
PEOPLE = ("giver", "receiver", "third")
SHIFTS = ("06:00-14:00", "14:00-22:00", "22:00-06:00")
some_incidents = st.one_of(st.none(), st.frozensets(st.sampled_from([*INCIDENTS, "i9"]), max_size=3))


class HandoverLife(RuleBasedStateMachine):
    """The owners of incidents are kept apart from the hand-over, as the core keeps them."""

    @initialize(count=st.integers(0, 3))
    def offer(self, count: int) -> None:
        chosen = INCIDENTS[:count]
        self.owners = dict.fromkeys(chosen, "giver")
        self.handover = Handover("giver", "receiver", items=dict.fromkeys(chosen, ItemState.WAITING))

    def give(self, command: Command) -> Accepted[object] | Rejected:
        seen = Handover(
            self.handover.giver, self.handover.receiver, self.handover.phase, self.handover.items, self.owners
        )
        before, answer = dict(self.owners), decide(seen, command)
        if isinstance(answer, Rejected):
            return answer
        self.handover = evolve_all(seen, answer.events)
        for event in answer.events:
            if isinstance(event, ItemAccepted):
                assert isinstance(command, Accept)
                assert command.by == "receiver"
                assert before[event.incident] in ("giver", "receiver", "")
                self.owners[event.incident] = "receiver"
        changed = {key for key in before if before[key] != self.owners[key]}
        assert not changed or isinstance(command, Accept)
        return answer

    @rule(by=st.sampled_from(PEOPLE), incidents=some_incidents)
    def accept(self, by: str, incidents: frozenset[str] | None) -> None:
        answer = self.give(Accept(by, incidents))
        assert isinstance(answer, Rejected) or by == "receiver"

    @rule(by=st.sampled_from(PEOPLE), reason=st.sampled_from(["", "근무 아님"]), incidents=some_incidents)
    def decline(self, by: str, reason: str, incidents: frozenset[str] | None) -> None:
        answer = self.give(Decline(by, reason, incidents))
        assert isinstance(answer, Rejected) or (by == "receiver" and reason)

    @rule(by=st.sampled_from(PEOPLE))
    def withdraw(self, by: str) -> None:
        answer = self.give(Withdraw(by))
        assert isinstance(answer, Rejected) or by == "giver"

    @rule(incident=st.sampled_from(INCIDENTS), by=st.sampled_from(["third", OVER, ""]))
    def something_else_happens(self, incident: str, by: str) -> None:
        if incident in self.owners:
            self.owners[incident] = by

    @invariant()
    def accepted_items_were_given_only_to_the_receiver(self) -> None:
        for key, state in self.handover.items.items():
            if state is ItemState.WAITING:
                assert self.handover.phase in (Phase.OFFERED, Phase.WITHDRAWN)
            if state is ItemState.DECLINED:
                assert self.owners[key] != "receiver"

    @invariant()
    def a_settled_one_waits_for_nothing(self) -> None:
        if self.handover.phase is not Phase.OFFERED:
            assert self.handover.phase is Phase.WITHDRAWN or not self.handover.waiting


TestHandoverLife = HandoverLife.TestCase
TestHandoverLife.settings = settings(max_examples=150, stateful_step_count=12, deadline=None)


def offered(**owners: str) -> Handover:
    return Handover("giver", "receiver", items=dict.fromkeys(owners, ItemState.WAITING), owners=owners)


def test_what_changed_hands_or_ended_before_the_answer_is_left_alone() -> None:
    answer = decide(offered(i1="giver", i2="third", i3=OVER), Accept("receiver"))
    assert answer == Accepted(
        (ItemAccepted("i1", "giver"), ItemLapsed("i2", "third"), ItemLapsed("i3", OVER), Settled(Phase.ACCEPTED))
    )


def test_an_incident_released_by_a_crash_can_still_be_taken_over() -> None:
    assert decide(offered(i1=""), Accept("receiver")) == Accepted((ItemAccepted("i1", ""), Settled(Phase.ACCEPTED)))


def test_item_by_item_the_hand_over_stays_open_until_the_last_answer() -> None:
    now = offered(i1="giver", i2="giver")
    first = decide(now, Accept("receiver", frozenset({"i1"})))
    assert first == Accepted((ItemAccepted("i1", "giver"),))
    assert isinstance(first, Accepted)
    after = evolve_all(now, first.events)
    assert decide(after, Accept("receiver", frozenset({"i1"}))) == Rejected("not_waiting", {"incidents": ["i1"]})
    second = decide(after, Decline("receiver", "현장 확인 필요", frozenset({"i2"})))
    assert isinstance(second, Accepted)
    assert second.events[-1] == Settled(Phase.PARTLY, "현장 확인 필요")


def test_a_quiet_shift_is_handed_over_by_its_brief_alone() -> None:
    assert decide(offered(), Accept("receiver")) == Accepted((Settled(Phase.ACCEPTED),))
    assert decide(offered(), Decline("receiver", "아직 도착 전")) == Accepted(
        (Settled(Phase.DECLINED, "아직 도착 전"),)
    )


def test_the_night_shift_ends_on_the_next_day_and_every_minute_has_one_shift() -> None:
    night = span_on(date(2026, 11, 22), "22:00-06:00")
    assert night.to_at - night.from_at == timedelta(hours=8)
    assert night.from_at.astimezone(UTC) == datetime(2026, 11, 22, 13, tzinfo=UTC)
    with pytest.raises(ValueError, match="HH:MM"):
        span_on(date(2026, 11, 22), "25:00-06:00")


@given(st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)))  # noqa: DTZ001 -- made aware below
@settings(max_examples=100, deadline=None)
def test_at_any_time_one_shift_runs_and_the_next_begins_when_it_ends(naive: datetime) -> None:
    now = naive.replace(tzinfo=UTC)
    current = span_at(now, SHIFTS)
    assert current is not None
    assert current.from_at <= now < current.to_at
    assert span_after(now, SHIFTS).from_at == current.to_at


T0 = datetime(2026, 11, 22, 3, tzinfo=UTC)


@given(seen=st.integers(-600, 0), since=st.integers(-600, 0))
@settings(max_examples=50, deadline=None)
def test_nobody_is_released_sooner_than_the_limit_after_we_began_to_listen(seen: int, since: int) -> None:
    seen_at, listening = T0 + timedelta(seconds=seen), T0 + timedelta(seconds=since)
    at = release_at(seen_at, listening, 60)
    assert at - seen_at >= timedelta(seconds=60)
    assert at - listening >= timedelta(seconds=60)


def test_a_gap_in_our_own_watch_begins_everybodys_time_anew() -> None:
    lookout = Lookout()
    assert lookout.look(T0, 15) == T0
    assert lookout.look(T0 + timedelta(seconds=5), 15) == T0
    stepped = T0 + timedelta(minutes=10)
    assert lookout.look(stepped, 15) == stepped
    assert lookout.look(stepped - timedelta(minutes=5), 15) == stepped - timedelta(minutes=5)
