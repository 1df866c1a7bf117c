"""The line from Django's threads to the hub, which lives on core's event loop: one question, one answer, in time."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Collection
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass, field
from typing import TypeVar

from madang.console.hub_rates import Rates
from madang.console.sight import Viewer
from madang.hub.access import Access
from madang.hub.hub import Hub
from madang.kernel.errors import UnavailableError

T = TypeVar("T")
PATIENCE_S = 12.0
"""How long a person waits before being told that the hub is busy; a little more than the hub gives a query."""
QUESTIONS = 4
"""So many threads may wait for the hub at once: a slow hub must not take the control room's threads."""
QUEUE_S = 2.0


@dataclass(frozen=True, slots=True)
class _End:
    """The other end of the line."""

    hub: Hub
    loop: asyncio.AbstractEventLoop
    owned: Collection[str]
    rates: Rates = field(default_factory=Rates)


class HubLine:
    """Connected by core while its hub is open; in every other process, and before, nobody answers."""

    def __init__(self) -> None:
        self._end: _End | None = None
        self._places = threading.BoundedSemaphore(QUESTIONS)

    def connect(
        self, hub: Hub, loop: asyncio.AbstractEventLoop, owned: Collection[str] = (), rates: Rates | None = None
    ) -> None:
        """Says where the hub is, which entity types rooms own, and where its pace is noted."""
        self._end = _End(hub, loop, frozenset(owned), rates or Rates())

    def disconnect(self) -> None:
        """The hub is closing."""
        self._end = None

    @property
    def rates(self) -> Rates:
        """How fast readings come; nothing is known while nobody is connected."""
        return self._end.rates if self._end is not None else Rates()

    def access(self, viewer: Viewer) -> Access:
        """What the hub lets this person see in the city they look at."""
        owned = self._end.owned if self._end is not None else ()
        return Access(viewer.actor, viewer.authority, owned)

    def ask(self, question: Callable[[Hub], Awaitable[T]], within_s: float = PATIENCE_S) -> T:
        """Runs `question(hub)` on the hub's loop and returns what it returned; call it from a thread, never a loop.

        Raises `UnavailableError` when there is no hub in this process or it does not answer in time; what was asked is
        then cancelled. A refusal of the hub comes out as it is.
        """
        end = self._end
        if end is None:
            raise _silent("the hub is not open in this process")
        if not self._places.acquire(timeout=min(QUEUE_S, within_s)):
            raise _silent(f"{QUESTIONS} questions to the hub wait already")
        try:
            return _answer(question, end, within_s)
        finally:
            self._places.release()


def _answer(question: Callable[[Hub], Awaitable[T]], end: _End, within_s: float) -> T:
    future = asyncio.run_coroutine_threadsafe(_asked(question, end.hub), end.loop)
    try:
        return future.result(within_s)
    except FutureTimeout:
        if future.done():
            raise
        future.cancel()
        raise _silent(f"the hub did not answer within {within_s:g} s") from None


async def _asked(question: Callable[[Hub], Awaitable[T]], hub: Hub) -> T:
    return await question(hub)


def _silent(detail: str) -> UnavailableError:
    return UnavailableError(
        detail,
        hint="Try again in a few seconds",
        ko="데이터 허브가 답하지 않습니다. 잠시 뒤 다시 시도하십시오.",
    )


LINE = HubLine()
"""The one line of this process."""
