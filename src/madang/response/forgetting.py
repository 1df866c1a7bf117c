"""What rooms of response forget when its time is over: in short transactions, by the retention table, on record."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from madang.journal import civic, retention
from madang.journal.guard import Guard
from madang.journal.lease import Leadership
from madang.journal.relay import config as journal_config
from madang.journal.retention import Kind
from madang.journal.session import Session
from madang.kernel.clock import system_clock
from madang.kernel.mode import Mode
from madang.kernel.workers import ThreadWorker

AT_ONCE = 1_000
Forget = Callable[[datetime, int], Sequence[tuple[str, str]]]
"""Forgets at most so many rows from before a moment; answers the city and mode of each."""


@dataclass(frozen=True, slots=True)
class Forgetting:
    """A kind of the retention table, and what forgets rows of it."""

    kind: Kind
    forget: Forget


def run_once(forgettings: Sequence[Forgetting], now: datetime) -> int:
    """Forgets all that is due; returns how many rows."""
    with civic.transaction() as tx:
        retention.seed(tx, [one.kind for one in forgettings])
    return sum(_all_of(one, now) for one in forgettings)


def _all_of(forgetting: Forgetting, now: datetime) -> int:
    forgotten = 0
    while True:
        with civic.transaction() as tx:
            days = retention.days_of(tx, forgetting.kind)
            rows = forgetting.forget(now - timedelta(days=days), AT_ONCE)
            _note(tx, forgetting.kind.kind, days, rows, now)
        forgotten += len(rows)
        if len(rows) < AT_ONCE:
            return forgotten


def _note(tx: Session, kind: str, days: int, rows: Sequence[tuple[str, str]], now: datetime) -> None:
    for (authority, mode), count in sorted(Counter(rows).items()):
        civic.audit(
            tx,
            authority=authority,
            actor="system:retention",
            action=f"{kind}.erased",
            thing=f"{kind}<{days}d",
            mode=Mode(mode),
            now=now,
            body={"rows": count},
            retention="administration",
        )


def keeper(name: str, forgettings: Sequence[Forgetting]) -> ThreadWorker:
    """The worker that forgets once in a while, in one process of those on a store."""
    journal = journal_config()
    guard = Guard(civic.store, Leadership(civic.store, system_clock, journal.lease_s, name=name), journal.wait_s)

    def work() -> None:
        run_once(forgettings, system_clock())

    def keep(stop: threading.Event) -> None:
        guard.every(f"{name}.retention", journal.housekeeping_every_s, work, stop)

    return ThreadWorker(f"{name}.retention", keep)
