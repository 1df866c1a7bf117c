"""Fires what is due: each timer's handler runs in the transaction that marks the timer done."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from madang.journal import timers
from madang.journal.changes import touch
from madang.journal.courier import failure_of, seconds_until
from madang.journal.guard import Job
from madang.journal.handlers import Handlers, Timer
from madang.journal.lanes import DEAD, WAITING, Failure, Retry
from madang.journal.session import Session, Store
from madang.kernel.clock import Clock, instant_text

log = logging.getLogger("madang.journal.firing")
_BATCH = 100
_CLAIM = (
    "UPDATE journal_timer SET state = 'done', attempts = attempts + 1, finished_at = ?"
    " WHERE kind = ? AND key = ? AND due_at = ? AND state = 'waiting' RETURNING seq"
)


@dataclass
class Firing:
    """Fires one store's timers."""

    store: Store
    handlers: Handlers
    retry: Retry
    clock: Clock
    _failing: set[str] = field(default_factory=set)

    def run_once(self) -> int:
        """Fires what is due now; returns how many attempts were made."""
        now = self.clock()
        with self.store.reading() as tx:
            rows = tx.execute(
                f"SELECT {timers.TIMER_COLUMNS} FROM journal_timer WHERE state = 'waiting' AND next_at <= ?"  # noqa: S608 -- constants
                " ORDER BY next_at, seq LIMIT ?",
                (instant_text(now), _BATCH),
            )
        for row in rows:
            self._fire(timers.timer_of(row), now)
        return len(rows)

    def job(self) -> Job:
        """What a worker runs."""
        return Job(lambda: self.run_once() > 0, self.next_in_s)

    def next_in_s(self) -> float | None:
        """Seconds until the next timer is due; None when none is set."""
        with self.store.reading() as tx:
            soonest = tx.execute("SELECT MIN(next_at) FROM journal_timer WHERE state = 'waiting'")[0][0]
        return seconds_until(soonest, self.clock())

    def _fire(self, timer: Timer, now: datetime) -> None:
        try:
            self._in_one_transaction(timer, now)
        except Exception as error:
            if self.store.is_outage(error):
                raise
            self._note(timer, failure_of(error), error)
        else:
            if timer.kind in self._failing:
                self._failing.discard(timer.kind)
                log.info("timers of kind %s fire again", timer.kind)

    def _in_one_transaction(self, timer: Timer, now: datetime) -> None:
        with self.store.transaction() as tx:
            tx.serialise()
            if not tx.execute(_CLAIM, (instant_text(now), timer.kind, timer.key, instant_text(timer.due_at))):
                return
            handler = self.handlers.timers.get(timer.kind)
            if handler is None:
                raise LookupError(f"nobody handles timers of kind {timer.kind!r}")
            handler(tx, timer, now)

    def _note(self, timer: Timer, failure: Failure, error: Exception) -> None:
        if timer.kind not in self._failing:
            self._failing.add(timer.kind)
            log.warning("timer %s %s failed", timer.kind, timer.key, exc_info=error)
        with self.store.transaction() as tx:
            tx.serialise()
            self._fail(tx, timer, failure, self.clock())

    def _fail(self, tx: Session, timer: Timer, failure: Failure, now: datetime) -> None:
        dead = failure.permanent or timer.attempt >= self.retry.attempts
        delay_s = self.retry.delay_s(timer.attempt) if failure.delay_s is None else failure.delay_s
        noted = tx.execute(
            "UPDATE journal_timer SET state = ?, attempts = ?, next_at = ?, last_error = ?, finished_at = ?"
            " WHERE kind = ? AND key = ? AND due_at = ? AND state = 'waiting' RETURNING seq",
            (
                DEAD if dead else WAITING,
                timer.attempt,
                instant_text(now + timedelta(seconds=delay_s)),
                failure.error[:2000],
                instant_text(now) if dead else None,
                timer.kind,
                timer.key,
                instant_text(timer.due_at),
            ),
        )
        if noted and dead:
            touch(tx, kind="counters", ref="dead_letters", authority=timer.authority, now=now)
