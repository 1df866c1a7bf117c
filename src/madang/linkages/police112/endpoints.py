"""How many messages may be on their way to each agency at once, and which agencies are left alone for a while: an
endpoint that hangs must not hold up what is meant for the others."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from madang.kernel.errors import TemporaryError

LANES = 16
"""Threads that deliver to all agencies."""
PER_AGENCY = 8
"""Of them, at most so many for one agency."""
QUEUE_S = 0.25
"""How long a message holds its thread to wait for room at an endpoint that answers."""
FIRST_REST_S = 5.0
LONGEST_REST_S = 60.0


class HangingError(TemporaryError):
    """The agency did not answer in time."""


@dataclass(slots=True)
class _Endpoint:
    busy: int = 0
    hung: int = 0
    rests_until_s: float = 0.0


@dataclass
class Endpoints:
    """What is known of each agency's endpoint in this process. `clock_s` is monotonic."""

    clock_s: Callable[[], float] = time.monotonic
    _lock: threading.Condition = field(default_factory=threading.Condition)
    _known: dict[str, _Endpoint] = field(default_factory=lambda: defaultdict(_Endpoint))

    @contextmanager
    def visit(self, agency: str, patience_s: float) -> Iterator[None]:
        """Room for one message; raises `TemporaryError` at once where there is none, or while the endpoint rests.

        Hanging is told by a `HangingError` from inside; anything else that comes from there means it answered.
        """
        self._enter(agency, patience_s)
        hung = False
        try:
            yield
        except HangingError:
            hung = True
            raise
        finally:
            self._leave(agency, hung=hung)

    def answered(self, agency: str) -> bool:
        """The endpoint is alive: messages go again. True when it had been resting."""
        with self._lock:
            one = self._known[agency]
            rested, one.hung, one.rests_until_s = one.hung > 0, 0, 0.0
            self._lock.notify_all()
            return rested

    def _enter(self, agency: str, patience_s: float) -> None:
        with self._lock:
            one = self._known[agency]
            self._lock.wait_for(lambda: one.hung or one.busy < PER_AGENCY, QUEUE_S)
            rest_s = one.rests_until_s - self.clock_s()
            if rest_s > 0:
                raise TemporaryError("the endpoint hung lately; it is tried again soon", delay_s=rest_s)
            if one.hung and one.busy:
                delay_s = patience_s + _rest_s(one.hung + 1)
                raise TemporaryError("one message tries whether the endpoint answers again", delay_s=delay_s)
            if one.busy >= PER_AGENCY:
                raise TemporaryError("enough is on its way to this endpoint", delay_s=2.0)
            one.busy += 1

    def _leave(self, agency: str, *, hung: bool) -> None:
        with self._lock:
            one = self._known[agency]
            one.busy -= 1
            one.hung = one.hung + 1 if hung else 0
            one.rests_until_s = self.clock_s() + _rest_s(one.hung) if hung else 0.0
            self._lock.notify_all()


def _rest_s(times: int) -> float:
    return float(min(LONGEST_REST_S, FIRST_REST_S * 2.0 ** min(times - 1, 10)))


ENDPOINTS = Endpoints()
