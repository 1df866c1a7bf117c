"""Writers of one process take turns, in the order in which they came."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

PATIENCE_S = 10.0
"""How long a writer waits for its turn before it leaves the matter to the database."""


class Turns:
    """A lock that is handed on in order.

    SQLite lets one write at a time, but who waits there polls with growing pauses and may be overtaken for seconds.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._busy = False
        self._waiting: deque[threading.Lock] = deque()

    @contextmanager
    def turn(self, patience_s: float = PATIENCE_S) -> Iterator[bool]:
        """Waits for its turn, then holds it; yields False, holding nothing, when that took too long."""
        mine = self._take(patience_s)
        try:
            yield mine
        finally:
            if mine:
                self._hand_on()

    def _take(self, patience_s: float) -> bool:
        with self._lock:
            if not self._busy:
                self._busy = True
                return True
            gate = threading.Lock()
            gate.acquire()
            self._waiting.append(gate)
        if gate.acquire(timeout=patience_s):
            return True
        with self._lock:
            if gate in self._waiting:
                self._waiting.remove(gate)
                return False
        return True  # handed over in the very moment of giving up

    def _hand_on(self) -> None:
        with self._lock:
            if self._waiting:
                self._waiting.popleft().release()
            else:
                self._busy = False
