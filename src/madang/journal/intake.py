"""The intake: hands arrivals to their handlers, in order per key, each in one transaction with marking it done."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import datetime

from madang.journal import inbox
from madang.journal.changes import touch
from madang.journal.courier import failure_of, seconds_until
from madang.journal.guard import Job
from madang.journal.handlers import Handlers, InboxMessage
from madang.journal.lanes import Failure, Retry
from madang.journal.session import Store
from madang.kernel.clock import Clock, instant_text

log = logging.getLogger("madang.journal.intake")
_BATCH = 100


@dataclass
class Intake:
    """Handles one store's inbox."""

    store: Store
    handlers: Handlers
    retry: Retry
    clock: Clock
    _failing: set[str] = field(default_factory=set)

    def run_once(self) -> int:
        """Handles what is due now; returns how many attempts were made."""
        now = self.clock()
        with self.store.reading() as tx:
            rows = tx.execute(
                f"SELECT {inbox.MESSAGE_COLUMNS} FROM journal_inbox WHERE state = 'waiting' AND next_at <= ?"  # noqa: S608 -- constants
                " ORDER BY ending DESC, next_at, seq LIMIT ?",
                (instant_text(now), _BATCH),
            )
        for row in rows:
            self._handle(inbox.message_of(row), now)
        return len(rows)

    def job(self) -> Job:
        """What a worker runs."""
        return Job(lambda: self.run_once() > 0, self.next_in_s)

    def next_in_s(self) -> float | None:
        """Seconds until the next waiting arrival is due; None when none waits."""
        with self.store.reading() as tx:
            soonest = tx.execute("SELECT MIN(next_at) FROM journal_inbox WHERE state = 'waiting'")[0][0]
        return seconds_until(soonest, self.clock())

    def _handle(self, message: InboxMessage, now: datetime) -> None:
        try:
            handled = self._in_one_transaction(message, now)
        except Exception as error:
            if self.store.is_outage(error):
                raise
            self._note(message, failure_of(error), error)
        else:
            if handled and message.kind in self._failing:
                self._failing.discard(message.kind)
                log.info("arrivals of kind %s are handled again", message.kind)

    def _in_one_transaction(self, message: InboxMessage, now: datetime) -> bool:
        with self.store.transaction() as tx:
            tx.serialise()
            if not inbox.LANES.claim(tx, message.seq, now):
                return False
            handler = self.handlers.arrivals.get(message.kind)
            if handler is None:
                raise LookupError(f"nobody handles arrivals of kind {message.kind!r}")
            handler(tx, message, now)
            inbox.LANES.promote(tx, message.source, message.key)
            tx.wake("inbox")
            return True

    def _note(self, message: InboxMessage, failure: Failure, error: Exception) -> None:
        if message.kind not in self._failing:
            self._failing.add(message.kind)
            log.warning("arrival %s of kind %s failed", message.message_id, message.kind, exc_info=error)
        with self.store.transaction() as tx:
            tx.serialise()
            if inbox.LANES.fail(tx, message.seq, failure, self.retry, now := self.clock()):
                touch(tx, kind="counters", ref="dead_letters", authority=message.authority, now=now)
