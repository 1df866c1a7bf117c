"""Announcements reach each subscriber at least once, in order per key; endings overtake."""

from __future__ import annotations

from datetime import timedelta

import pytest

from madang.journal import changes, desk, outbox
from madang.journal.handlers import Delivery, Handlers, Subscriber
from madang.journal.lanes import Retry
from madang.kernel.errors import TemporaryError
from tests.journal.conftest import AnyStore, ManualClock
from tests.journal.scenes import CITY, RETRY, Counterpart, announce, courier, value


def test_an_announcement_reaches_every_subscriber_of_its_topic_once(store: AnyStore, clock: ManualClock) -> None:
    police = Counterpart("police")
    fire = Counterpart("fire", frozenset({"response.incident.opened"}))
    with store.transaction() as tx:
        message_id = announce(tx, "offer", clock())
    work = courier(store, clock, police, fire)
    work.run_once()
    work.run_once()
    assert [(d.message_id, d.wire, d.attempt) for d in police.got] == [(message_id, b"offer", 1)]
    assert fire.got == []


def test_nothing_is_announced_by_a_transaction_that_failed(store: AnyStore, clock: ManualClock) -> None:
    police = Counterpart()
    with pytest.raises(ZeroDivisionError), store.transaction() as tx:
        announce(tx, "offer", clock())
        raise ZeroDivisionError
    assert courier(store, clock, police).run_once() == 0


def test_a_key_is_delivered_in_order(store: AnyStore, clock: ManualClock) -> None:
    police = Counterpart()
    with store.transaction() as tx:
        for number in range(5):
            announce(tx, f"{number}", clock())
    work = courier(store, clock, police)
    while work.run_once():
        pass
    assert police.names == ["0", "1", "2", "3", "4"]


def test_a_key_parks_behind_a_failing_message_while_other_keys_and_subscribers_go_on(
    store: AnyStore, clock: ManualClock
) -> None:
    police, fire = Counterpart("police"), Counterpart("fire")
    police.temporary.add("first")
    with store.transaction() as tx:
        announce(tx, "first", clock())
        announce(tx, "second", clock())
        announce(tx, "elsewhere", clock(), key="incident-2")
    work = courier(store, clock, police, fire)
    while work.run_once():
        pass
    assert police.names == ["elsewhere"]
    assert sorted(fire.names) == ["elsewhere", "first", "second"]
    police.temporary.clear()
    clock.move(RETRY.cap_s)
    while work.run_once():
        pass
    assert police.names == ["elsewhere", "first", "second"]


def test_a_retry_carries_the_same_id_and_the_same_bytes_prepared_once(store: AnyStore, clock: ManualClock) -> None:
    police = Counterpart()
    police.temporary.add("offer")
    with store.transaction() as tx:
        announce(tx, "offer", clock())
    courier(store, clock, police).run_once()
    clock.move(60)
    police.temporary.clear()
    courier(store, clock, police).run_once()
    first, second = police.attempts
    assert (first.message_id, first.wire) == (second.message_id, second.wire)
    assert (first.attempt, second.attempt) == (1, 2)
    assert police.prepared == ["offer"]


def test_retries_wait_longer_each_time_up_to_the_cap() -> None:
    full = Retry(attempts=9, base_s=1, cap_s=8, jitter=lambda: 1.0)
    half = Retry(attempts=9, base_s=1, cap_s=8, jitter=lambda: 0.0)
    assert [full.delay_s(attempt) for attempt in (1, 2, 3, 4, 5, 5000)] == [1, 2, 4, 8, 8, 8]
    assert [half.delay_s(attempt) for attempt in (1, 2, 3)] == [0.5, 1, 2]


def test_a_receiver_that_names_a_delay_gets_it(store: AnyStore, clock: ManualClock) -> None:
    tried = []

    def busy(delivery: object) -> None:
        tried.append(delivery)
        raise TemporaryError("busy", delay_s=120)

    work = courier(store, clock)
    work.handlers.subscribe(Subscriber("slow", frozenset({"a.b"}), lambda _: b"", busy))
    with store.transaction() as tx:
        announce(tx, "offer", clock(), topic="a.b")
    work.run_once()
    clock.move(119)
    assert work.run_once() == 0
    clock.move(1)
    assert work.run_once() == 1
    assert len(tried) == 2


def test_a_dead_letter_waits_on_the_desk_and_parks_its_key(store: AnyStore, clock: ManualClock) -> None:
    police = Counterpart()
    police.permanent.add("first")
    with store.transaction() as tx:
        announce(tx, "first", clock())
        announce(tx, "second", clock())
    work = courier(store, clock, police)
    for _ in range(5):
        work.run_once()
        clock.move(1000)
    assert police.names == []
    assert len(police.attempts) == 1
    with store.reading() as tx:
        (letter,) = desk.dead_letters(tx, CITY)
        assert ("counters", "dead_letters") in [(c.kind, c.ref) for c in changes.changes_after(tx, 0)]
    assert (letter.lane, letter.what, letter.parked) == ("police", "video.grant.approved", 1)


def test_an_ending_overtakes_and_what_it_made_moot_is_never_sent(store: AnyStore, clock: ManualClock) -> None:
    police = Counterpart()
    police.temporary.add("approved")
    with store.transaction() as tx:
        announce(tx, "approved", clock(), subject="grant-1")
        announce(tx, "other grant", clock(), subject="grant-2")
    work = courier(store, clock, police)
    work.run_once()
    with store.transaction() as tx:
        announce(tx, "ended", clock(), topic="video.grant.ended", subject="grant-1", ending=True)
    work.run_once()
    assert police.names == ["ended"]
    police.temporary.clear()
    clock.move(1000)
    while work.run_once():
        pass
    assert police.names == ["ended", "other grant"]
    assert [delivery.overtaken for delivery in police.got] == [False, True]
    assert value(store, "SELECT COUNT(*) FROM journal_delivery WHERE state = 'superseded'") == 1


def test_an_ending_clears_a_dead_letter_it_made_moot(store: AnyStore, clock: ManualClock) -> None:
    police = Counterpart()
    police.permanent.add("opened")
    work = courier(store, clock, police)
    with store.transaction() as tx:
        announce(tx, "opened", clock(), topic="response.incident.opened")
    work.run_once()
    with store.transaction() as tx:
        announce(tx, "closed", clock(), topic="response.incident.closed", ending=True)
    work.run_once()
    assert police.names == ["closed"]
    with store.reading() as tx:
        assert desk.dead_letters(tx, CITY) == []


def test_an_ending_of_one_family_leaves_the_other_family_alone(store: AnyStore, clock: ManualClock) -> None:
    police = Counterpart()
    police.temporary.add("opened")
    work = courier(store, clock, police)
    with store.transaction() as tx:
        announce(tx, "opened", clock(), topic="response.incident.opened")
    work.run_once()
    with store.transaction() as tx:
        announce(tx, "ended", clock(), topic="video.grant.ended", subject="grant-1", ending=True)
    work.run_once()
    police.temporary.clear()
    clock.move(100)
    work.run_once()
    assert police.names == ["ended", "opened"]


def test_what_is_announced_after_an_ending_waits_for_it(store: AnyStore, clock: ManualClock) -> None:
    police = Counterpart()
    police.temporary.add("closed")
    work = courier(store, clock, police)
    with store.transaction() as tx:
        announce(tx, "closed", clock(), topic="response.incident.closed", ending=True)
        announce(tx, "reopened", clock(), topic="response.incident.opened")
    work.run_once()
    assert police.names == []
    police.temporary.clear()
    clock.move(100)
    while work.run_once():
        pass
    assert police.names == ["closed", "reopened"]


def test_a_dead_ending_does_not_hold_up_another_ending(store: AnyStore, clock: ManualClock) -> None:
    police = Counterpart()
    police.permanent.add("ended 1")
    work = courier(store, clock, police)
    with store.transaction() as tx:
        announce(tx, "ended 1", clock(), topic="video.grant.ended", subject="grant-1", ending=True)
        announce(tx, "ended 2", clock(), topic="video.grant.ended", subject="grant-2", ending=True)
    while work.run_once():
        pass
    assert police.names == ["ended 2"]


def test_a_subscriber_may_have_nothing_to_send(store: AnyStore, clock: ManualClock) -> None:
    sent: list[Delivery] = []
    work = courier(store, clock)
    work.handlers.subscribe(Subscriber("none", frozenset({"a.b"}), lambda _: None, sent.append))
    with store.transaction() as tx:
        announce(tx, "offer", clock(), topic="a.b")
    assert work.run_once() == 0
    assert value(store, "SELECT COUNT(*) FROM journal_delivery") == 0


def test_a_translation_that_fails_is_tried_again_and_its_result_kept(store: AnyStore, clock: ManualClock) -> None:
    calls: list[int] = []
    sent: list[bytes] = []

    def prepare(_: object) -> bytes:
        calls.append(1)
        if len(calls) < 3:
            raise ValueError("the key is not there yet")
        return b"signed"

    work = courier(store, clock)
    work.handlers.subscribe(Subscriber("late", frozenset({"a.b"}), prepare, lambda d: sent.append(d.wire)))
    with store.transaction() as tx:
        announce(tx, "offer", clock(), topic="a.b")
    for _ in range(3):
        work.run_once()
        clock.move(10)
    assert sent == [b"signed"]
    assert value(store, "SELECT last_error FROM journal_delivery") == "ValueError: the key is not there yet"


def test_hearing_of_a_subscriber_again_tries_everything_at_once(store: AnyStore, clock: ManualClock) -> None:
    police = Counterpart()
    police.temporary.add("offer")
    work = courier(store, clock, police)
    with store.transaction() as tx:
        announce(tx, "offer", clock())
    work.run_once()
    police.temporary.clear()
    assert work.run_once() == 0
    with store.transaction() as tx:
        outbox.hurry(tx, subscriber="police", now=clock())
    assert work.run_once() == 1
    assert police.names == ["offer"]


def test_two_relays_at_once_make_one_delivery(store: AnyStore, clock: ManualClock) -> None:
    police = Counterpart()
    with store.transaction() as tx:
        announce(tx, "offer", clock())
    one, other = courier(store, clock, police), courier(store, clock, police)
    assert [one.fan_out(), other.fan_out()] == [1, 0]
    one.run_once()
    other.run_once()
    assert police.names == ["offer"]


def test_finished_announcements_are_forgotten_and_open_ones_kept(store: AnyStore, clock: ManualClock) -> None:
    police = Counterpart()
    police.temporary.add("stuck")
    with store.transaction() as tx:
        announce(tx, "done", clock(), key="a")
        announce(tx, "stuck", clock(), key="b")
    courier(store, clock, police).run_once()
    with store.transaction() as tx:
        announce(tx, "unseen", clock(), key="c")
        outbox.purge_announcements(tx, before=clock() + timedelta(days=1))
        kept = tx.execute("SELECT key FROM journal_outbox ORDER BY seq")
    assert kept == [("b",), ("c",)]
    assert value(store, "SELECT COUNT(*) FROM journal_delivery") == 1


def test_an_announcement_is_delivered_though_the_clock_was_set_back(store: AnyStore, clock: ManualClock) -> None:
    police = Counterpart()
    with store.transaction() as tx:
        announce(tx, "offer", clock())
    clock.move(-600)
    courier(store, clock, police).run_once()
    assert police.names == ["offer"]


@pytest.mark.parametrize("key", ["x" * 201, "nul\x00"])
def test_a_name_that_does_not_fit_is_refused_on_every_store_alike(
    store: AnyStore, clock: ManualClock, key: str
) -> None:
    with pytest.raises(ValueError, match="key of journal_outbox"), store.transaction() as tx:
        announce(tx, "offer", clock(), key=key)


def test_nobody_subscribed_means_nothing_is_left_waiting(store: AnyStore, clock: ManualClock) -> None:
    with store.transaction() as tx:
        announce(tx, "offer", clock())
    work = courier(store, clock)
    assert work.fan_out() == 1
    assert work.fan_out() == 0
    assert work.handlers == Handlers()
