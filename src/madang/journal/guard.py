"""Keeps a background job going, whatever it meets."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from madang.journal.lease import Leadership
from madang.journal.session import Store

log = logging.getLogger("madang.journal.guard")


@dataclass(frozen=True, slots=True)
class Job:
    """`step()` does what is due and says whether there was anything; `next_in_s()` how long nothing will be."""

    step: Callable[[], bool]
    next_in_s: Callable[[], float | None]


@dataclass
class Guard:
    """Runs jobs while this process leads: survives any fault, tells of it once and of its end once."""

    store: Store
    leader: Leadership
    wait_s: float

    def run(self, name: str, signal_name: str, job: Job, stop: threading.Event) -> None:
        """Steps while there is work, else waits for the signal, the next due time or `wait_s`; ends after `stop`."""
        signal = self.store.wakeups.signal(signal_name)

        def turn() -> None:
            seen = signal.count
            if not (self.leader.held() and job.step()):
                next_in_s = job.next_in_s()
                pause = self.wait_s if next_in_s is None or not self.leader.held() else min(next_in_s, self.wait_s)
                signal.wait(max(pause, 0.001), since=seen)

        self._turn_until(name, turn, stop)

    def every(self, name: str, seconds: float, work: Callable[[], object], stop: threading.Event) -> None:
        """Does `work` at once and then every so many seconds, while this process leads; ends after `stop`."""
        due_s = time.monotonic()

        def turn() -> None:
            nonlocal due_s
            if time.monotonic() >= due_s and self.leader.held():
                work()
                due_s = time.monotonic() + seconds
            stop.wait(min(self.wait_s, max(0.01, due_s - time.monotonic())))

        self._turn_until(name, turn, stop)

    def _turn_until(self, name: str, turn: Callable[[], None], stop: threading.Event) -> None:
        failing = False
        while not stop.is_set():
            try:
                turn()
                if failing:
                    failing = False
                    log.info("%s works again", name)
            except Exception:
                if not failing:
                    failing = True
                    log.exception("%s failed; it goes on trying", name)
                self._recover()
                stop.wait(self.wait_s)
        self.store.close_thread()

    def _recover(self) -> None:
        try:
            self.store.recover()
        except Exception:
            log.exception("the store's connection could not be dropped")
