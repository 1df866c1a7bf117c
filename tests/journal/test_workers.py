"""The threads that move the journal: woken at once, never stopped by a fault, never held up by one slow receiver."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from pytest_django.fixtures import Settings

from madang.journal import civic, handlers, inbox, outbox, relay, timers
from madang.journal.config import JournalConfig
from madang.journal.courier import Courier
from madang.journal.guard import Guard, Job
from madang.journal.handlers import Delivery, Handlers, InboxMessage, Subscriber, Timer
from madang.journal.housekeeping import Housekeeping
from madang.journal.lanes import Retry
from madang.journal.lease import Leadership
from madang.journal.relay import Relay
from madang.journal.session import Session
from madang.journal.verify import verify
from madang.kernel.clock import system_clock
from madang.kernel.errors import TemporaryError
from madang.kernel.keyring import Keyring
from madang.kernel.mode import Mode
from tests.journal.conftest import AnyStore, ManualClock
from tests.journal.scenes import CITY, Counterpart, accept, announce, arrival, value

DEADLINE_S = 10.0


def until(condition: Callable[[], bool]) -> None:
    """Waits until something is so, or fails the test."""
    end = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        threading.Event().wait(0.005)


def built(store: AnyStore, known: Handlers) -> tuple[Relay, Guard]:
    """A relay whose threads wait an hour unless they are woken, so that only wake-ups can explain what moves."""
    config = JournalConfig(wait_s=3600, lease_s=3600, retry_base_s=0.01)
    moving = Relay.over(store, known, config, system_clock, lambda: 1.0)
    return moving, Guard(store, Leadership(store, system_clock, config.lease_s), config.wait_s)


@contextmanager
def running(store: AnyStore, moving: Relay, guard: Guard) -> Iterator[None]:
    stop = threading.Event()
    jobs = {
        "outbox": Job(moving.courier.step, moving.courier.next_in_s),
        "inbox": moving.intake.job(),
        "timers": moving.firing.job(),
    }
    threads = [
        threading.Thread(target=guard.run, args=(name, name, job, stop), name=name) for name, job in jobs.items()
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        store.wakeups.wake(jobs)
        for thread in threads:
            thread.join(DEADLINE_S)
        moving.courier.drain(DEADLINE_S)
        assert not any(thread.is_alive() for thread in threads)


def answering(known: Handlers) -> None:
    def open_incident(tx: Session, message: InboxMessage, now: datetime) -> None:
        announce(tx, message.message_id, now, key=message.key)

    known.on_arrival("call", open_incident)


def test_a_commit_alone_moves_a_call_through_to_its_offer(store: AnyStore) -> None:
    police = Counterpart()
    known = Handlers()
    answering(known)
    known.subscribe(police.subscriber())
    with running(store, *built(store, known)):
        for number in range(5):
            accept(store, arrival(f"m{number}"), system_clock())
        until(lambda: len(police.got) == 5)
    assert police.names == [f"m{number}" for number in range(5)]


def test_a_timer_set_for_soon_fires_without_being_polled(store: AnyStore) -> None:
    known = Handlers()
    fired: list[Timer] = []
    known.on_timer("lease", lambda tx, timer, now: fired.append(timer))
    with running(store, *built(store, known)):
        due_at = system_clock() + timedelta(milliseconds=50)
        with store.transaction() as tx:
            timers.set_timer(tx, kind="lease", key="k", due_at=due_at, authority=CITY, mode=Mode.LIVE)
        until(lambda: len(fired) == 1)


def test_a_failed_delivery_is_tried_again_when_its_time_comes(store: AnyStore) -> None:
    known = Handlers()
    attempts: list[Delivery] = []

    def twice(delivery: Delivery) -> None:
        attempts.append(delivery)
        if len(attempts) < 3:
            raise TemporaryError("not now")

    known.subscribe(Subscriber("police", frozenset({"a.b"}), lambda _: b"", twice))
    with running(store, *built(store, known)):
        with store.transaction() as tx:
            announce(tx, "offer", system_clock(), topic="a.b")
        until(lambda: value(store, "SELECT COUNT(*) FROM journal_delivery WHERE state = 'done'") == 1)
    assert [delivery.attempt for delivery in attempts] == [1, 2, 3]


def test_a_receiver_that_hangs_holds_up_neither_other_receivers_nor_other_keys(store: AnyStore) -> None:
    release = threading.Event()
    got: list[str] = []

    def hang(delivery: Delivery) -> None:
        if delivery.wire == b"hangs":
            release.wait(DEADLINE_S)
        got.append(delivery.wire.decode())

    police = Counterpart("fire")
    known = Handlers()
    known.subscribe(police.subscriber())
    known.subscribe(Subscriber("slow", police.topics, police.prepare, hang, lanes=2))
    with running(store, *built(store, known)):
        with store.transaction() as tx:
            announce(tx, "hangs", system_clock(), key="a")
            announce(tx, "follows", system_clock(), key="a")
            announce(tx, "passes", system_clock(), key="b")
        until(lambda: got == ["passes"] and len(police.got) == 3)
        release.set()
        until(lambda: got == ["passes", "hangs", "follows"])


def test_an_ending_never_runs_beside_an_attempt_of_its_own_key(store: AnyStore) -> None:
    inside, release = threading.Event(), threading.Event()
    got: list[str] = []

    def deliver(delivery: Delivery) -> None:
        if not delivery.ending:
            inside.set()
            release.wait(DEADLINE_S)
        got.append(delivery.wire.decode())

    police = Counterpart()
    known = Handlers()
    known.subscribe(Subscriber("police", police.topics, police.prepare, deliver))
    with running(store, *built(store, known)):
        with store.transaction() as tx:
            announce(tx, "approved", system_clock())
        assert inside.wait(DEADLINE_S)
        with store.transaction() as tx:
            announce(tx, "ended", system_clock(), topic="video.grant.ended", ending=True)
        until(lambda: value(store, "SELECT COUNT(*) FROM journal_delivery") == 2)
        assert got == []
        release.set()
        until(lambda: got == ["approved", "ended"])


def test_what_was_under_way_at_the_stop_is_settled(store: AnyStore) -> None:
    inside, release = threading.Event(), threading.Event()

    def deliver(_: Delivery) -> None:
        inside.set()
        release.wait(DEADLINE_S)

    known = Handlers()
    known.subscribe(Subscriber("slow", frozenset({"a.b"}), lambda _: b"", deliver))
    with running(store, *built(store, known)):
        with store.transaction() as tx:
            announce(tx, "offer", system_clock(), topic="a.b")
        assert inside.wait(DEADLINE_S)
        release.set()
    assert value(store, "SELECT state FROM journal_delivery") == "done"


def test_an_attempt_that_outlasts_the_stop_is_made_again_after_the_start(store: AnyStore, clock: ManualClock) -> None:
    inside, release = threading.Event(), threading.Event()
    ids: list[str] = []

    def deliver(delivery: Delivery) -> None:
        ids.append(delivery.message_id)
        inside.set()
        release.wait(DEADLINE_S)

    known = Handlers()
    known.subscribe(Subscriber("slow", frozenset({"a.b"}), lambda _: b"", deliver))
    retry = Retry(3, 1, 1, lambda: 1.0)
    with store.transaction() as tx:
        announce(tx, "offer", clock(), topic="a.b")
    first = Courier(store, known, retry, clock)
    first.step()
    assert inside.wait(DEADLINE_S)
    first.drain(0)
    release.set()
    Courier(store, known, retry, clock).run_once()
    assert len(ids) == 2
    assert len(set(ids)) == 1
    assert value(store, "SELECT state FROM journal_delivery") == "done"


class OutageError(Exception):
    pass


def test_a_worker_survives_any_fault_and_tells_of_it_once_and_of_its_end_once(
    store: AnyStore, caplog: pytest.LogCaptureFixture
) -> None:
    turns: list[int] = []
    stop = threading.Event()

    def step() -> bool:
        turns.append(1)
        if len(turns) <= 3:
            raise OutageError("the disk is full")
        stop.set()
        return True

    guard = Guard(store, Leadership(store, system_clock, 60), wait_s=0.01)
    with caplog.at_level(logging.INFO, "madang.journal"):
        thread = threading.Thread(target=guard.run, args=("relay", "outbox", Job(step, lambda: None), stop))
        thread.start()
        thread.join(DEADLINE_S)
    assert len(turns) == 4
    assert [record.getMessage() for record in caplog.records] == [
        "relay failed; it goes on trying",
        "relay works again",
    ]


def test_a_worker_of_a_process_that_does_not_lead_does_nothing(store: AnyStore) -> None:
    with store.transaction() as tx:
        tx.execute(
            "INSERT INTO journal_lease (name, holder, until) VALUES ('relay', 'elsewhere:1:x', ?)",
            ("2999-01-01T00:00:00.000Z",),
        )
    leader = Leadership(store, system_clock, 60)
    asked = threading.Event()
    held = leader.held
    leader.held = lambda: (asked.set(), held())[1]  # type: ignore[method-assign,func-returns-value] # a spy
    guard = Guard(store, leader, wait_s=0.01)
    turns: list[int] = []
    stop = threading.Event()
    job = Job(lambda: bool(turns.append(1)), lambda: None)  # type: ignore[func-returns-value] # counts
    threads = [
        threading.Thread(target=guard.run, args=("relay", "outbox", job, stop)),
        threading.Thread(target=guard.every, args=("checkpoint", 0.01, lambda: turns.append(1), stop)),
    ]
    for thread in threads:
        thread.start()
    assert asked.wait(DEADLINE_S)
    stop.set()
    for thread in threads:
        thread.join(DEADLINE_S)
    assert turns == []


def test_work_every_so_often_starts_at_once_and_is_repeated(store: AnyStore) -> None:
    done = threading.Semaphore(0)
    stop = threading.Event()
    guard = Guard(store, Leadership(store, system_clock, 60), wait_s=0.01)
    thread = threading.Thread(target=guard.every, args=("checkpoint", 0.01, done.release, stop))
    thread.start()
    for _ in range(3):
        assert done.acquire(timeout=DEADLINE_S)
    stop.set()
    thread.join(DEADLINE_S)
    assert not thread.is_alive()


def test_a_delivery_that_fails_is_logged_once_until_it_succeeds(
    store: AnyStore, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    police = Counterpart()
    police.temporary.add("offer")
    known = Handlers()
    known.subscribe(police.subscriber())
    work = Courier(store, known, Retry(9, 1, 1, lambda: 1.0), clock)
    with store.transaction() as tx:
        announce(tx, "offer", clock())
    with caplog.at_level(logging.INFO, "madang.journal"):
        for _ in range(3):
            work.run_once()
            clock.move(1)
        police.temporary.clear()
        work.run_once()
    assert [record.getMessage() for record in caplog.records] == [
        "delivery to police failed: offer cannot be taken now",
        "deliveries to police succeed again",
    ]


def test_housekeeping_forgets_only_what_is_over(store: AnyStore, clock: ManualClock, keys: Keyring) -> None:
    with store.transaction() as tx:
        inbox.spend_nonce(tx, source="s", nonce="n", expires_at=clock() + timedelta(minutes=1), now=clock())
    accept(store, arrival("waits"), clock())
    keeper = Housekeeping(store, keys, JournalConfig(), clock)
    keeper.run_once()
    assert value(store, "SELECT COUNT(*) FROM journal_nonce") == 1
    clock.move(800 * 86_400)
    keeper.run_once()
    assert value(store, "SELECT COUNT(*) FROM journal_nonce") == 0
    assert value(store, "SELECT COUNT(*) FROM journal_inbox WHERE length(body) > 0") == 1


@pytest.fixture
def civic_handlers(monkeypatch: pytest.MonkeyPatch) -> Handlers:
    known = Handlers()
    monkeypatch.setattr(handlers, "CIVIC", known)
    return known


@pytest.mark.django_db(transaction=True)
def test_the_civic_store_carries_a_call_to_its_offer_and_its_audit(
    civic_handlers: Handlers, settings: Settings, keys: Keyring
) -> None:
    settings.MADANG_KEYS = keys
    police = Counterpart()
    civic_handlers.subscribe(police.subscriber())

    def open_incident(tx: Session, message: InboxMessage, now: datetime) -> None:
        announce(tx, "offer", now)
        civic.audit(
            tx, authority=CITY, actor="agency:112", action="incident.opened", thing="i1", mode=message.mode, now=now
        )

    civic_handlers.on_arrival("call", open_incident)
    seen = civic.wakeups.signal("inbox").count
    with civic.transaction() as tx:
        inbox.accept(tx, arrival("m1"), system_clock())
    assert civic.wait_for("inbox", 0, seen)
    while relay.run_once():
        pass
    assert police.names == ["offer"]
    with civic.reading() as tx:
        assert verify(tx, keys).rows == 1


def test_the_civic_workers_are_named_and_sign_checkpoints_only_when_told_where(
    settings: Settings, keys: Keyring, tmp_path: Path
) -> None:
    settings.MADANG_KEYS = keys
    settings.MADANG_JOURNAL = JournalConfig()
    assert [worker.name for worker in relay.workers()] == ["relay", "inbox", "timers", "housekeeping"]
    settings.MADANG_JOURNAL = JournalConfig(checkpoint_file=tmp_path / "checkpoints.jsonl")
    assert "checkpoint" in {worker.name for worker in relay.workers()}


@pytest.mark.django_db(transaction=True)
def test_the_civic_workers_run_and_end_when_told(
    civic_handlers: Handlers, settings: Settings, keys: Keyring, tmp_path: Path
) -> None:
    settings.MADANG_KEYS = keys
    settings.MADANG_JOURNAL = JournalConfig(wait_s=0.05, checkpoint_file=tmp_path / "checkpoints.jsonl")
    with civic.transaction() as tx:
        civic.audit(tx, authority=CITY, actor="p", action="a", thing="t", mode=Mode.LIVE, now=system_clock(), body={})
        outbox.announce(tx, topic="a.b", key="k", body={}, authority=CITY, mode=Mode.LIVE, now=system_clock())
    stop = threading.Event()
    threads = [threading.Thread(target=worker.run, args=(stop,)) for worker in relay.workers()]
    for thread in threads:
        thread.start()
    try:
        until((tmp_path / "checkpoints.jsonl").exists)
    finally:
        stop.set()
        for thread in threads:
            thread.join(DEADLINE_S)
    assert not any(thread.is_alive() for thread in threads)
