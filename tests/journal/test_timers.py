"""Timers are rows and fire once."""

from __future__ import annotations

from datetime import datetime, timedelta

from madang.journal import changes, desk, timers
from madang.journal.handlers import Handlers, Timer
from madang.journal.session import Session
from madang.kernel.errors import PermanentError
from madang.kernel.mode import Mode
from tests.journal.conftest import AnyStore, ManualClock
from tests.journal.scenes import CITY, firing, value


class Handler:
    def __init__(self) -> None:
        self.known = Handlers()
        self.known.on_timer("lease", self)
        self.fired: list[Timer] = []
        self.failure: Exception | None = None

    def __call__(self, tx: Session, timer: Timer, now: datetime) -> None:
        changes.touch(tx, kind="timer", ref=timer.key, authority=timer.authority, now=now)
        if self.failure is not None:
            raise self.failure
        self.fired.append(timer)


def set_timer(store: AnyStore, due_at: datetime, key: str = "k", **body: object) -> None:
    with store.transaction() as tx:
        timers.set_timer(tx, kind="lease", key=key, due_at=due_at, authority=CITY, mode=Mode.EXERCISE, body=body)


def test_a_timer_fires_once_when_it_is_due(store: AnyStore, clock: ManualClock) -> None:
    handler = Handler()
    due_at = clock() + timedelta(seconds=30)
    set_timer(store, due_at, grant="g1")
    work = firing(store, clock, handler.known)
    assert work.run_once() == 0
    assert work.next_in_s() == 30
    clock.move(31)
    assert work.run_once() == 1
    assert work.run_once() == 0
    (timer,) = handler.fired
    assert (timer.due_at, timer.body, timer.mode) == (due_at, {"grant": "g1"}, Mode.EXERCISE)


def test_setting_a_timer_again_replaces_it(store: AnyStore, clock: ManualClock) -> None:
    handler = Handler()
    set_timer(store, clock() + timedelta(seconds=10), turn=1)
    set_timer(store, clock() + timedelta(seconds=60), turn=2)
    work = firing(store, clock, handler.known)
    clock.move(30)
    work.run_once()
    assert handler.fired == []
    clock.move(30)
    work.run_once()
    assert [timer.body for timer in handler.fired] == [{"turn": 2}]


def test_a_cancelled_timer_never_fires(store: AnyStore, clock: ManualClock) -> None:
    handler = Handler()
    set_timer(store, clock())
    with store.transaction() as tx:
        timers.cancel_timer(tx, kind="lease", key="k")
        timers.cancel_timer(tx, kind="lease", key="was never set")
    assert firing(store, clock, handler.known).run_once() == 0


def test_a_handler_may_set_its_own_timer_again(store: AnyStore, clock: ManualClock) -> None:
    known = Handlers()
    fired: list[datetime] = []

    def every_minute(tx: Session, timer: Timer, now: datetime) -> None:
        fired.append(now)
        timers.set_timer(tx, kind="tick", key="k", due_at=now + timedelta(minutes=1), authority=CITY, mode=timer.mode)

    known.on_timer("tick", every_minute)
    with store.transaction() as tx:
        timers.set_timer(tx, kind="tick", key="k", due_at=clock(), authority=CITY, mode=Mode.LIVE)
    work = firing(store, clock, known)
    for _ in range(3):
        work.run_once()
        work.run_once()
        clock.move(60)
    assert len(fired) == 3


def test_a_failing_timer_leaves_nothing_behind_is_tried_again_and_ends_on_the_desk(
    store: AnyStore, clock: ManualClock
) -> None:
    handler = Handler()
    handler.failure = ValueError("a fault of the handler")
    set_timer(store, clock())
    work = firing(store, clock, handler.known)
    work.run_once()
    assert value(store, "SELECT COUNT(*) FROM journal_change") == 0
    clock.move(100)
    handler.failure = PermanentError("it can never be")
    work.run_once()
    with store.reading() as tx:
        (letter,) = desk.dead_letters(tx, CITY)
    assert (letter.origin, letter.what, letter.attempts, letter.error) == ("timer", "lease", 2, "it can never be")


def test_a_timer_missed_while_nothing_ran_fires_after_the_start(store: AnyStore, clock: ManualClock) -> None:
    set_timer(store, clock() + timedelta(seconds=5))
    clock.move(86_400)
    handler = Handler()
    firing(store, clock, handler.known).run_once()
    assert len(handler.fired) == 1


def test_finished_timers_are_forgotten_and_waiting_ones_kept(store: AnyStore, clock: ManualClock) -> None:
    set_timer(store, clock(), key="fired")
    firing(store, clock, Handler().known).run_once()
    set_timer(store, clock(), key="waiting")
    with store.transaction() as tx:
        timers.purge_timers(tx, clock() + timedelta(days=1))
        assert tx.execute("SELECT key FROM journal_timer") == [("waiting",)]
