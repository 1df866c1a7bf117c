"""Settling signals: unsettled rows in their order, in groups, one transaction a group.

A group that fails leaves nothing behind: what was remembered is dropped and rebuilt from the tables.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import datetime

from madang.journal import changes
from madang.journal.session import Session, Store
from madang.kernel.clock import Clock, instant_text
from madang.response.config import SignalsConfig
from madang.response.signals.domain import Outcome, Reason
from madang.response.signals.group import Group, read_rows
from madang.response.signals.instants import ms_at
from madang.response.signals.memory import Memory, OutOfDateError, follow, rebuild
from madang.response.tasks import response_config

log = logging.getLogger("madang.response.signals")

SETTLED = "signals.settled"
"""Set after each commit that settled something."""
_TRIES = 3
_FORGET_EVERY_MS = 60_000


@dataclass
class Settlement:
    """Settles one store's signals. One at a time works on a store; another finds out that it must rebuild."""

    store: Store
    clock: Clock
    config: SignalsConfig = field(default_factory=lambda: response_config().signals)
    behind: bool = False
    """Whether more waited than the last group took."""
    _memory: Memory | None = None
    _limit: int = 0
    _failures: dict[int, int] = field(default_factory=dict)
    _told_ms: dict[str, int] = field(default_factory=dict)
    _untold: dict[str, str] = field(default_factory=dict)
    _forgot_ms: int = 0
    _began: bool = False

    def run_once(self) -> int:
        """Settles the next group; returns how many signals were settled."""
        if not self._waits():
            self.behind = False
            self._tell_due()
            return 0
        now = self.clock()
        try:
            return self._settle(now)
        except OutOfDateError:
            self._memory = None
            return self._settle(now)
        except Exception as error:
            self._memory = None
            if self.store.is_outage(error):
                raise
            return self._isolate(error)

    def next_in_s(self) -> float | None:
        """Seconds until a growing incident may be told of again; None when none waits."""
        if not self._untold:
            return None
        soonest = min(self._told_ms.get(ident, 0) for ident in self._untold)
        return max(0.0, soonest / 1000 + self.config.touch_every_s - ms_at(self.clock()) / 1000)

    # ------------------------------------------------------------------------------------------------ a group

    def _waits(self) -> bool:
        with self.store.reading() as tx:
            return bool(tx.execute("SELECT 1 FROM signals_signal WHERE outcome = '' LIMIT 1"))

    def _settle(self, now: datetime) -> int:
        memory = self._recall(now)
        limit = self._limit or self.config.group
        with self.store.transaction() as tx:
            tx.serialise()
            follow(tx, memory, now)
            group = Group(tx, memory.correlator, self.config, now, memory.written)
            rows = read_rows(tx, limit)
            settled = group.settle(rows)
            group.write()
            self._untold |= group.grown
            self._tell(tx, now)
            memory.cursor = changes.latest(tx)
            if settled:
                tx.wake(SETTLED)
        self._limit = 0 if self._limit * 2 > self.config.group else self._limit * 2
        self.behind = settled < len(rows) or len(rows) == limit
        self._forget(memory, ms_at(now))
        return settled

    def _recall(self, now: datetime) -> Memory:
        if self._memory is None:
            with self.store.reading() as tx:
                self._memory = rebuild(tx, self.config, now)
            if not self._began:
                self._untold |= {e.incident_id: e.city for e in self._memory.correlator.events.values()}
                self._began = True
        return self._memory

    def _forget(self, memory: Memory, now_ms: int) -> None:
        if now_ms - self._forgot_ms < _FORGET_EVERY_MS:
            return
        self._forgot_ms = now_ms
        memory.correlator.forget_old(now_ms)
        memory.written.clear()
        since = now_ms - _FORGET_EVERY_MS
        self._told_ms = {ident: at for ident, at in self._told_ms.items() if at > since}

    # -------------------------------------------------------------------------------------- telling the screens

    def _tell(self, tx: Session, now: datetime) -> None:
        """Touches the incidents that grew, each at most once in `touch_every_s`; the others keep waiting."""
        now_ms, every_ms = ms_at(now), round(self.config.touch_every_s * 1000)
        for ident, city in list(self._untold.items()):
            told_ms = self._told_ms.get(ident, 0)
            if told_ms <= now_ms < told_ms + every_ms:
                continue
            changes.touch(tx, kind="incident", ref=ident, authority=city, now=now)
            self._told_ms[ident] = now_ms
            del self._untold[ident]

    def _tell_due(self) -> None:
        if self._untold and self.next_in_s() == 0.0:
            with self.store.transaction() as tx:
                self._tell(tx, self.clock())

    # -------------------------------------------------------------------------------------------- what fails

    def _isolate(self, error: Exception) -> int:
        """Goes on one signal at a time, until the one that fails is found; after some tries that one is put aside."""
        with self.store.reading() as tx:
            first = tx.execute("SELECT MIN(seq) FROM signals_signal WHERE outcome = ''")[0][0]
        if self._limit != 1 or first is None:
            self._limit = 1
            log.warning("a group of signals failed; each is tried by itself", exc_info=error)
            return 1
        self._failures[first] = self._failures.get(first, 0) + 1
        if self._failures[first] >= _TRIES:
            self._put_aside(first, error)
        return 1

    def _put_aside(self, seq: int, error: Exception) -> None:
        log.error("signal %d cannot be settled and is put aside as rejected", seq, exc_info=error)
        self._failures.pop(seq, None)
        now = self.clock()
        with self.store.transaction() as tx:
            rows = tx.execute(
                "UPDATE signals_signal SET outcome = ?, reason = ?, settled_at = ? WHERE seq = ? AND outcome = ''"
                " RETURNING authority",
                (Outcome.REJECT.value, Reason.FAULT.value, instant_text(now), seq),
            )
            for (city,) in rows:
                changes.touch(tx, kind="shelf", ref="fault", authority=city, now=now)
