"""A situation message is owed until a person has it, or a telephone call's outcome was written down."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from madang.kernel.decisions import Accepted, Rejected
from madang.response.messaging.domain import (
    OPEN,
    Acknowledge,
    Broke,
    CallByPhone,
    Command,
    DeliveryState,
    Late,
    Over,
    Phoned,
    Skip,
    Try,
    Way,
    Went,
    Withdraw,
    begin,
    decide,
    evolve_all,
)

STEPS = st.integers(0, 4)
COMMANDS: st.SearchStrategy[Command] = st.one_of(
    STEPS.map(Went),
    STEPS.map(Broke),
    STEPS.map(Late),
    st.just(Skip()),
    st.just(Acknowledge("link")),
    st.booleans().map(Phoned),
    st.just(Withdraw()),
)
WAYS = st.builds(
    Way,
    st.lists(st.sampled_from(["sms", "email", "broadcast"]), max_size=3, unique=True).map(tuple),
    wants_ack=st.booleans(),
)


@given(WAYS, st.lists(COMMANDS, max_size=30))
def test_every_path_owes_the_message_or_says_how_it_ended(way: Way, commands: list[Command]) -> None:
    events = begin(way)
    now = evolve_all(way, events)
    tried = [event.step for event in events if isinstance(event, Try)]
    ended = 0
    for command in commands:
        decision = decide(now, command)
        if isinstance(decision, Rejected):
            assert decision.code in ("over", "not_by_phone")
            continue
        before, now = now, evolve_all(now, decision.events)
        tried += [event.step for event in decision.events if isinstance(event, Try)]
        ended += any(isinstance(event, Over) for event in decision.events)
        assert now.step >= before.step, "a channel left behind is never tried again"
        if now.state is DeliveryState.ACKNOWLEDGED:
            assert before.state is DeliveryState.ACKNOWLEDGED or isinstance(command, Acknowledge | Phoned)
        if before.state in OPEN and now.state not in OPEN:
            assert ended >= 1, "whatever ends a delivery ends its timer and task"
    assert tried == sorted(set(tried)), "each channel is tried once"
    assert (now.state is DeliveryState.TRYING) <= bool(now.channel)


@given(WAYS)
def test_silence_leads_through_every_channel_to_the_telephone(way: Way) -> None:
    events = begin(way)
    now, seen = evolve_all(way, events), list(events)
    for _ in range(len(way.channels)):
        decision = decide(now, Late(now.step))
        assert isinstance(decision, Accepted)
        seen += decision.events
        now = evolve_all(now, decision.events)
    assert [event.step for event in seen if isinstance(event, Try)] == list(range(len(way.channels)))
    if way.wants_ack or not way.channels:
        assert now.state is DeliveryState.PHONE
        assert any(isinstance(event, CallByPhone) for event in seen)
    else:
        assert now.state is DeliveryState.UNREACHED


def test_what_is_said_of_a_channel_left_behind_changes_nothing() -> None:
    way = Way(("sms", "email"), step=1, state=DeliveryState.SENT)
    for stale in (Went(0), Broke(0), Late(0)):
        assert decide(way, stale) == Accepted(())


def test_a_loudspeaker_is_told_and_that_is_all() -> None:
    way = Way(("broadcast",), wants_ack=False)
    decision = decide(way, Went(0))
    assert isinstance(decision, Accepted)
    assert evolve_all(way, decision.events).state is DeliveryState.TOLD


def test_an_acknowledgement_after_the_end_is_taken_once() -> None:
    withdrawn = Way(("sms",), state=DeliveryState.WITHDRAWN)
    decision = decide(withdrawn, Acknowledge("link"))
    assert isinstance(decision, Accepted)
    known = evolve_all(withdrawn, decision.events)
    assert decide(known, Acknowledge("link")) == Rejected("over", {"state": "acknowledged"})
