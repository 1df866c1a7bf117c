"""The civic store's relay: what delivers, handles and fires, and the threads that do it."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass

from django.conf import settings

from madang.journal import civic, handlers
from madang.journal.checkpoint import Checkpoints
from madang.journal.config import JournalConfig
from madang.journal.courier import Courier
from madang.journal.firing import Firing
from madang.journal.guard import Guard, Job
from madang.journal.handlers import Handlers
from madang.journal.housekeeping import Housekeeping
from madang.journal.intake import Intake
from madang.journal.lanes import Retry
from madang.journal.lease import Leadership
from madang.journal.session import Store
from madang.kernel.clock import Clock, system_clock
from madang.kernel.workers import ThreadWorker


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
    """The civic store's threads: relay, inbox, timers, checkpoint, housekeeping."""
    journal = config()
    store = civic.store
    relay = Relay.over(store, handlers.CIVIC, journal, clock, random.random)
    guard = Guard(store, Leadership(store, clock, journal.lease_s), journal.wait_s)
    keeper = Housekeeping(store, settings.MADANG_KEYS, journal, clock)

    def deliver(stop: threading.Event) -> None:
        guard.run("relay", "outbox", Job(relay.courier.step, relay.courier.next_in_s), stop)
        relay.courier.drain(journal.drain_s)
        guard.leader.give_back()

    def every(name: str, seconds: float, work: Callable[[], object]) -> ThreadWorker:
        return ThreadWorker(name, lambda stop: guard.every(name, seconds, work, stop))

    found = [
        ThreadWorker("relay", deliver),
        ThreadWorker("inbox", lambda stop: guard.run("inbox", "inbox", relay.intake.job(), stop)),
        ThreadWorker("timers", lambda stop: guard.run("timers", "timers", relay.firing.job(), stop)),
        every("housekeeping", journal.housekeeping_every_s, keeper.run_once),
    ]
    if journal.checkpoint_file is not None:
        signer = Checkpoints(journal.checkpoint_file, settings.MADANG_KEYS.checkpoint_private_pem)
        found.append(every("checkpoint", journal.checkpoint_every_s, lambda: signer.write(store, clock())))
    return found
