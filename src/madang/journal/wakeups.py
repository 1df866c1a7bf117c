"""Who waits for a commit hears of it at once: in-process signals, for threads and for event loops."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable


class Signal:
    """Counts how often something happened; threads wait for the next time, listeners are called at once."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._count = 0
        self._listeners: list[Callable[[], None]] = []

    @property
    def count(self) -> int:
        """How often it was set. Read it before looking for work, pass it to `wait`: no wake-up is missed."""
        return self._count

    def set(self) -> None:
        """Wakes every waiting thread and calls every listener on the calling thread."""
        with self._condition:
            self._count += 1
            self._condition.notify_all()
            listeners = tuple(self._listeners)
        for listener in listeners:
            listener()

    def wait(self, timeout: float | None = None, since: int | None = None) -> bool:
        """Waits until the count is beyond `since` (default: now); False when `timeout` seconds passed first."""
        with self._condition:
            start = self._count if since is None else since
            return self._condition.wait_for(lambda: self._count > start, timeout)

    def add_listener(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Calls `callback` on each set; returns what removes it.

        It runs on the thread that committed: an event loop passes `lambda: loop.call_soon_threadsafe(...)`.
        """
        with self._condition:
            self._listeners.append(callback)
        return lambda: self._remove(callback)

    def _remove(self, callback: Callable[[], None]) -> None:
        with self._condition:
            if callback in self._listeners:
                self._listeners.remove(callback)


class Wakeups:
    """The named signals of one store: `outbox`, `inbox`, `timers`, `changes`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._signals: dict[str, Signal] = {}

    def signal(self, name: str) -> Signal:
        """The signal of that name, made when first asked for."""
        with self._lock:
            return self._signals.setdefault(name, Signal())

    def wake(self, names: Iterable[str]) -> None:
        """Sets each named signal."""
        for name in names:
            self.signal(name).set()
