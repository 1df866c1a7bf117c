"""Arrivals are taken once, handled in order per key, and never lost."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from madang.journal import alarms, changes, desk, inbox
from madang.journal.handlers import Handlers, InboxMessage
from madang.journal.inbox import Receipt
from madang.journal.session import Session
from madang.kernel.errors import BadRequestError, PermanentError, TemporaryError
from tests.journal.conftest import AnyStore, ManualClock
from tests.journal.scenes import CITY, RETRY, accept, arrival, intake, value


class Handler:
    """Writes down what it handled in the store itself, and fails for the ids told to it."""

    def __init__(self) -> None:
        self.known = Handlers()
        self.known.on_arrival("call", self)
        self.failing: dict[str, Exception] = {}
        self.tried: list[str] = []

    def __call__(self, tx: Session, message: InboxMessage, now: datetime) -> None:
        self.tried.append(message.message_id)
        changes.touch(tx, kind="incident", ref=message.message_id, authority=message.authority, now=now)
        if message.message_id in self.failing:
            raise self.failing[message.message_id]


def handled(store: AnyStore) -> list[str]:
    with store.reading() as tx:
        return [change.ref for change in changes.changes_after(tx, 0) if change.kind == "incident"]


def test_an_arrival_is_new_once_and_repeated_afterwards(store: AnyStore, clock: ManualClock) -> None:
    assert accept(store, arrival("m1"), clock()) is Receipt.NEW
    assert accept(store, arrival("m1"), clock()) is Receipt.REPEATED
    assert value(store, "SELECT COUNT(*) FROM journal_inbox") == 1


def test_the_same_id_of_another_source_is_another_message(store: AnyStore, clock: ManualClock) -> None:
    assert accept(store, arrival("m1"), clock()) is Receipt.NEW
    assert accept(store, arrival("m1", source="fire"), clock()) is Receipt.NEW


def test_the_same_id_with_another_body_raises_an_alarm_and_leaves_the_first_standing(
    store: AnyStore, clock: ManualClock
) -> None:
    accept(store, arrival("m1", body=b'{"a":1}'), clock())
    assert accept(store, arrival("m1", body=b'{"a":2}'), clock()) is Receipt.CONFLICTING
    with store.reading() as tx:
        (alarm,) = alarms.open_alarms(tx, CITY)
        assert (alarms.count(tx, CITY), alarms.count(tx, "busan")) == (1, 0)
        assert alarm.first_digest != alarm.second_digest
        assert (alarm.source, alarm.message_id, alarm.times) == ("police", "m1", 1)
        assert [(change.kind, change.ref) for change in changes.changes_after(tx, 0)] == [("counters", "alarms")]
    assert bytes(value(store, "SELECT body FROM journal_inbox")) == b'{"a":1}'


def test_a_conflict_repeated_a_thousand_times_is_one_alarm(store: AnyStore, clock: ManualClock) -> None:
    accept(store, arrival("m1", body=b"1"), clock())
    for _ in range(20):
        accept(store, arrival("m1", body=b"2"), clock())
    with store.reading() as tx:
        assert [alarm.times for alarm in alarms.open_alarms(tx, CITY)] == [20]


def test_an_acknowledged_alarm_comes_back_when_it_happens_again(store: AnyStore, clock: ManualClock) -> None:
    accept(store, arrival("m1", body=b"1"), clock())
    accept(store, arrival("m1", body=b"2"), clock())
    with store.transaction() as tx:
        (alarm,) = alarms.open_alarms(tx, CITY)
        assert not alarms.acknowledge(tx, seq=alarm.seq, authority="busan", actor="person:1", now=clock())
        assert alarms.acknowledge(tx, seq=alarm.seq, authority=CITY, actor="person:1", now=clock())
        assert alarms.open_alarms(tx, CITY) == []
    accept(store, arrival("m1", body=b"2"), clock())
    with store.reading() as tx:
        assert [alarm.times for alarm in alarms.open_alarms(tx, CITY)] == [2]


@pytest.mark.parametrize("field", ["source", "message_id", "kind", "key"])
@pytest.mark.parametrize("bad", ["", "x" * 201, "nul\x00"])
def test_an_arrival_with_an_impossible_name_is_refused_by_that_name(
    store: AnyStore, clock: ManualClock, field: str, bad: str
) -> None:
    with pytest.raises(BadRequestError) as refusal:
        accept(store, replace(arrival("m1"), **{field: bad}), clock())  # type: ignore[arg-type] # all four are text
    assert refusal.value.where == field


def test_a_rolled_back_arrival_was_never_accepted(store: AnyStore, clock: ManualClock) -> None:
    with pytest.raises(ZeroDivisionError), store.transaction() as tx:
        inbox.accept(tx, arrival("m1"), clock())
        raise ZeroDivisionError
    assert accept(store, arrival("m1"), clock()) is Receipt.NEW


def test_a_nonce_is_spent_once_until_it_expires(store: AnyStore, clock: ManualClock) -> None:
    until = clock() + timedelta(minutes=5)
    with store.transaction() as tx:
        assert inbox.spend_nonce(tx, source="police", nonce="n", expires_at=until, now=clock())
        assert not inbox.spend_nonce(tx, source="police", nonce="n", expires_at=until, now=clock())
        assert inbox.spend_nonce(tx, source="fire", nonce="n", expires_at=until, now=clock())
        assert not inbox.spend_nonce(tx, source="police", nonce="late", expires_at=clock(), now=clock())
        assert not inbox.spend_nonce(tx, source="police", nonce="", expires_at=until, now=clock())
        inbox.purge_nonces(tx, clock())
        assert not inbox.spend_nonce(tx, source="police", nonce="n", expires_at=until, now=clock())
        inbox.purge_nonces(tx, until + timedelta(seconds=1))
        assert tx.execute("SELECT COUNT(*) FROM journal_nonce") == [(0,)]


def test_arrivals_of_a_key_are_handled_in_order(store: AnyStore, clock: ManualClock) -> None:
    handler = Handler()
    for number in range(5):
        accept(store, arrival(f"m{number}"), clock())
    work = intake(store, clock, handler.known)
    while work.run_once():
        pass
    assert handled(store) == [f"m{number}" for number in range(5)]
    assert work.next_in_s() is None


def test_a_failed_handler_leaves_nothing_behind_and_is_tried_again(store: AnyStore, clock: ManualClock) -> None:
    handler = Handler()
    handler.failing["m1"] = TemporaryError("not now", delay_s=30)
    accept(store, arrival("m1"), clock())
    work = intake(store, clock, handler.known)
    assert work.run_once() == 1
    assert handled(store) == []
    assert work.run_once() == 0
    assert work.next_in_s() == 30
    handler.failing.clear()
    clock.move(30)
    work.run_once()
    assert handled(store) == ["m1"]
    assert handler.tried == ["m1", "m1"]


def test_a_key_parks_behind_a_failing_arrival_while_others_go_on(store: AnyStore, clock: ManualClock) -> None:
    handler = Handler()
    handler.failing["m1"] = ValueError("a fault of the handler")
    for found in (arrival("m1"), arrival("m2"), arrival("x1", key="call-2")):
        accept(store, found, clock())
    work = intake(store, clock, handler.known)
    while work.run_once():
        pass
    assert handled(store) == ["x1"]
    with store.reading() as tx:
        (letter,) = desk.failing(tx, CITY)
    assert (letter.message_id, letter.parked, letter.dead) == ("m1", 1, False)
    assert "a fault of the handler" in letter.error


def test_an_ending_arrival_overtakes_and_the_overtaken_one_is_still_handled(
    store: AnyStore, clock: ManualClock
) -> None:
    handler = Handler()
    handler.failing["create"] = TemporaryError("not now", delay_s=10)
    accept(store, arrival("create"), clock())
    work = intake(store, clock, handler.known)
    work.run_once()
    accept(store, arrival("update"), clock())
    accept(store, arrival("cancel", ending=True), clock())
    while work.run_once():
        pass
    assert handled(store) == ["cancel"]
    handler.failing.clear()
    clock.move(10)
    while work.run_once():
        pass
    assert handled(store) == ["cancel", "create", "update"]


def test_a_permanent_failure_goes_to_the_desk_at_once_and_the_key_stays_parked(
    store: AnyStore, clock: ManualClock
) -> None:
    handler = Handler()
    handler.failing["m1"] = PermanentError("it can never be")
    accept(store, arrival("m1"), clock())
    accept(store, arrival("m2"), clock())
    work = intake(store, clock, handler.known)
    while work.run_once():
        pass
    with store.reading() as tx:
        (letter,) = desk.dead_letters(tx, CITY)
        assert ("counters", "dead_letters") in [(c.kind, c.ref) for c in changes.changes_after(tx, 0)]
    assert (letter.attempts, letter.error, letter.parked) == (1, "it can never be", 1)
    assert handled(store) == []


def test_after_the_last_attempt_an_arrival_goes_to_the_desk(store: AnyStore, clock: ManualClock) -> None:
    handler = Handler()
    handler.failing["m1"] = TemporaryError("not now")
    accept(store, arrival("m1"), clock())
    work = intake(store, clock, handler.known)
    for _ in range(RETRY.attempts + 2):
        work.run_once()
        clock.move(100)
    assert handler.tried == ["m1"] * RETRY.attempts
    with store.reading() as tx:
        assert [letter.attempts for letter in desk.dead_letters(tx, CITY)] == [RETRY.attempts]


def test_a_handler_whose_sql_is_wrong_holds_up_nobody_else(store: AnyStore, clock: ManualClock) -> None:
    handler = Handler()

    def misspelt(tx: Session, message: InboxMessage, now: datetime) -> None:
        tx.execute("SELECT nothing FROM nowhere")

    handler.known.on_arrival("misspelt", misspelt)
    accept(store, arrival("m1", kind="misspelt"), clock())
    accept(store, arrival("m2", key="call-2"), clock())
    intake(store, clock, handler.known).run_once()
    assert handled(store) == ["m2"]
    with store.reading() as tx:
        assert [letter.message_id for letter in desk.failing(tx, CITY)] == ["m1"]


def test_an_arrival_is_handled_though_the_clock_was_set_back(store: AnyStore, clock: ManualClock) -> None:
    handler = Handler()
    accept(store, arrival("m1"), clock())
    clock.move(-600)
    work = intake(store, clock, handler.known)
    assert work.next_in_s() == 0
    work.run_once()
    assert handled(store) == ["m1"]


def test_an_arrival_nobody_handles_waits_for_who_does(store: AnyStore, clock: ManualClock) -> None:
    accept(store, arrival("m1"), clock())
    intake(store, clock, Handlers()).run_once()
    handler = Handler()
    clock.move(10)
    intake(store, clock, handler.known).run_once()
    assert handled(store) == ["m1"]


def test_bodies_of_handled_arrivals_are_emptied_but_their_ids_stay_taken(store: AnyStore, clock: ManualClock) -> None:
    handler = Handler()
    accept(store, arrival("m1", body=b'{"phone":"010"}'), clock())
    accept(store, arrival("m2", key="other", body=b'{"phone":"010"}'), clock())
    handler.failing["m2"] = TemporaryError("not now")
    intake(store, clock, handler.known).run_once()
    clock.move(3600)
    with store.transaction() as tx:
        inbox.purge_arrivals(tx, bodies_before=clock(), rows_before=clock() - timedelta(days=1))
        bodies = tx.execute("SELECT message_id, length(body) FROM journal_inbox ORDER BY seq")
    assert bodies == [("m1", 0), ("m2", 15)]
    assert accept(store, arrival("m1", body=b'{"phone":"010"}'), clock()) is Receipt.REPEATED
    assert accept(store, arrival("m1", body=b'{"phone":"011"}'), clock()) is Receipt.CONFLICTING
