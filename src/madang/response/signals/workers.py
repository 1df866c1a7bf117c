"""What signals runs behind the scenes: the settlement, shelves that expire, and forgetting what is old."""

from __future__ import annotations

import threading
import time
from datetime import datetime
from typing import Protocol

from madang.journal import civic, handlers
from madang.journal.guard import Guard, Job
from madang.journal.handlers import Timer
from madang.journal.lease import Leadership
from madang.journal.relay import config as journal_config
from madang.journal.session import Session
from madang.kernel.clock import Clock
from madang.kernel.workers import LoopWorker, ThreadWorker
from madang.response.signals import retention, shelves
from madang.response.signals.group import UNSHELVE
from madang.response.signals.intake import WAKE
from madang.response.signals.settlement import Settlement

_GATHER_S = 0.08
"""How long signals are let gather before a group is taken: one commit for many."""


class Services(Protocol):
    """What the site lends."""

    @property
    def clock(self) -> Clock:
        """The platform's time."""
        ...


def register() -> None:
    """Tells the journal what this room handles."""
    handlers.on_timer(UNSHELVE, _unshelve)


def _unshelve(tx: Session, timer: Timer, now: datetime) -> None:
    shelves.expire(tx, timer.key, timer.due_at, now)


def workers(services: Services) -> list[ThreadWorker | LoopWorker]:
    """The settlement, one at a time on a store, and the keeper of the retention."""
    clock = services.clock
    journal = journal_config()
    settlement = Settlement(civic.store, clock)
    leader = Leadership(civic.store, clock, journal.lease_s, name="signals")
    guard = Guard(civic.store, leader, journal.wait_s)

    def step() -> bool:
        if not settlement.behind:
            time.sleep(_GATHER_S)
        return settlement.run_once() > 0

    def settle(stop: threading.Event) -> None:
        guard.run("signals", WAKE, Job(step, settlement.next_in_s), stop)
        leader.give_back()

    def keep(stop: threading.Event) -> None:
        guard.every("signals.retention", journal.housekeeping_every_s, lambda: retention.run_once(clock()), stop)

    return [ThreadWorker("signals", settle), ThreadWorker("signals.retention", keep)]
