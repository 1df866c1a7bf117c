"""The civic store's relay: what delivers, handles and fires, and the threads that do it."""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass

from django.conf import settings

from madang.journal import civic, handlers
from madang.journal.config import JournalConfig
from madang.journal.courier import Courier
from madang.journal.firing import Firing
from madang.journal.handlers import Handlers
from madang.journal.intake import Intake
from madang.journal.lanes import Retry
from madang.journal.lease import Leadership
from madang.journal.session import Store
from madang.kernel.clock import Clock, system_clock
from madang.kernel.workers import ThreadWorker

log = logging.getLogger("madang.journal.relay")


@dataclass
class Relay:
    """Everything that moves one store's journal."""

    courier: Courier
    intake: Intake
    firing: Firing

    @classmethod
    def over(
        cls, store: Store, known: Handlers, config: JournalConfig, clock: Clock, jitter: Callable[[], float]
    ) -> Relay:
        """Builds it over a store."""
        retry = Retry(config.attempts, config.retry_base_s, config.retry_cap_s, jitter)
        signal = store.wakeups.signal("outbox")
        return cls(
            Courier(store, known, retry, clock, signal.set),
            Intake(store, known, retry, clock),
            Firing(store, known, retry, clock),
        )

    def run_once(self) -> int:
        """Handles, fires and delivers what is due now on this thread; returns how many attempts were made."""
        return self.intake.run_once() + self.firing.run_once() + self.courier.run_once()


def config() -> JournalConfig:
    """The journal's section of the settings, or its defaults."""
    found: JournalConfig | None = getattr(settings, "MADANG_JOURNAL", None)
    return found or JournalConfig()


def run_once(clock: Clock = system_clock) -> int:
    """Moves what is due in the civic store, on this thread; call until it returns 0 to move what follows from it."""
    return Relay.over(civic.store, handlers.CIVIC, config(), clock, random.random).run_once()


def workers(clock: Clock = system_clock) -> list[ThreadWorker]:
    """The civic store's threads: relay, inbox, timers."""
    journal = config()
    relay = Relay.over(civic.store, handlers.CIVIC, journal, clock, random.random)
    leader = Leadership(civic.store, clock, journal.lease_s)
    guard = Guard(civic.store, leader, journal.wait_s)
    return [
        ThreadWorker("relay", lambda stop: guard.run("relay", "outbox", relay.courier.step, stop)),
        ThreadWorker("inbox", lambda stop: guard.run("inbox", "inbox", lambda: relay.intake.run_once() > 0, stop)),
        ThreadWorker("timers", lambda stop: guard.run("timers", "timers", lambda: relay.firing.run_once() > 0, stop)),
    ]


@dataclass
class Guard:
    """Keeps a worker going: waits for its signal, survives any fault, tells of a fault once and of its end once."""

    store: Store
    leader: Leadership
    wait_s: float

    def run(self, name: str, signal_name: str, step: Callable[[], bool], stop: threading.Event) -> None:
        """Calls `step` while it finds work, else waits for the signal; ends after `stop` is set."""
        signal = self.store.wakeups.signal(signal_name)
        failing = False
        while not stop.is_set():
            seen = signal.count
            try:
                worked = self.leader.held() and step()
                if failing:
                    failing = False
                    log.info("%s works again", name)
            except Exception:
                if not failing:
                    failing = True
                    log.exception("%s failed; it goes on trying", name)
                self.store.recover()
                stop.wait(self.wait_s)
                continue
            if not worked:
                signal.wait(self.wait_s, since=seen)
        self.store.close_thread()
