"""Follows the hub's feed and the signals: batches of both become facts for the rules of each city.

The cursor is written in the transaction of what the batch caused, and only where it still stands where the batch was
read from: after a kill, or beside another process, a batch counts once or not at all.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import TYPE_CHECKING, Protocol, TypeVar

from django.conf import settings

from madang.hub.errors import CursorLostError
from madang.journal import civic
from madang.kernel.clock import Clock
from madang.kernel.mode import Mode
from madang.response.rules import feeds, memories, running
from madang.response.rules.domain import RUNNING
from madang.response.rules.facts import READING, Fact
from madang.response.rules.feeds import Readings
from madang.response.rules.models import RuleVersion
from madang.response.rules.running import PACE
from madang.response.signals.intake import WAKE

if TYPE_CHECKING:
    from madang.hub.hub import Hub

T = TypeVar("T")
HUB, SIGNALS = "hub", "signals"
BATCH = 500
EVERY_S = 0.2
KEEP_S = 5.0
"""Where changes concern no rule the cursor is written this often all the same: what is read again after a restart must
not be old."""

log = logging.getLogger(__name__)


class Services(Protocol):
    """What the site lends."""

    @property
    def clock(self) -> Clock:
        """The platform's time."""
        ...

    @property
    def hub(self) -> Hub | None:
        """The hub, where it is open."""
        ...


def mode_here() -> str:
    """What readings are of that do not say so themselves: the mode this installation runs in."""
    return str(getattr(getattr(settings, "MADANG_CONSOLE", None), "mode", Mode.LIVE))


def digest(
    authority: str,
    feed: str,
    before: str | None,
    after: str,
    facts: Sequence[Fact],
    now: datetime,
    *,
    lost: bool = False,
) -> bool:
    """Gives a batch to the rules and moves the cursor, in one transaction; False where another was there first."""
    with civic.transaction() as tx:
        tx.serialise()
        if memories.cursor_of(tx, authority, feed) != before:
            return False
        running.give(tx, authority, facts, now)
        memories.set_cursor(tx, authority, feed, after, now, lost=lost)
        return True


def cities() -> list[str]:
    """Where rules run."""
    found = RuleVersion.objects.filter(stage__in=[stage.value for stage in RUNNING])
    return list(found.order_by("authority").values_list("authority_id", flat=True).distinct())


class Follower:
    """One per process that has the hub open; its thread does the civic store's work."""

    def __init__(self, services: Services) -> None:
        self._hub, self._clock = services.hub, services.clock
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="rules")
        self._readings: dict[str, Readings] = {}
        self._read: dict[str, tuple[str | None, str, float]] = {}
        """By city: the cursor as written, as read since, and when it was written (monotonic seconds)."""
        self._seen: set[str] = set()

    async def run(self) -> None:
        """Until cancelled."""
        woken = asyncio.Event()
        loop = asyncio.get_running_loop()
        end = civic.add_listener(WAKE, lambda: _wake(loop, woken))
        try:
            while True:
                woken.clear()
                if not await self.step():
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(woken.wait(), EVERY_S)
        finally:
            end()
            PACE.behind_since.clear()
            self._thread.submit(civic.store.close_thread)
            self._thread.shutdown(wait=False)

    async def step(self) -> bool:
        """One batch of each feed of each city; True while there is more."""
        more = False
        for city in await self._civic(cities):
            if city not in self._seen:
                self._seen.add(city)
                PACE.fell_behind(city)
            left = await self._signals(city)
            left = await self._changes(city) or left
            (PACE.fell_behind if left else PACE.caught_up)(city)
            more = more or left
        return more

    async def _civic(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def _signals(self, city: str) -> bool:
        return await self._civic(lambda: follow_signals(city, self._clock()))

    async def _changes(self, city: str) -> bool:
        if self._hub is None:
            return False
        book = await self._civic(lambda: running.book(city))
        written, read, written_s = await self._position(city)
        try:
            changes, after = await self._hub.changes(city, read, BATCH)
        except CursorLostError:
            log.warning("the hub's feed of %s cannot be resumed: what lay between was missed by the rules", city)
            await self._start(city, written, lost=True)
            return True
        wanted = {name for kind, name in book.by_name if kind == READING}
        facts = await self._of(city).facts(changes, wanted, book.types) if wanted else []
        if not facts and (after == written or time.monotonic() - written_s < KEEP_S):
            self._read[city] = (written, after, written_s)
        elif await self._civic(lambda: digest(city, HUB, written, after, facts, self._clock())):
            self._read[city] = (after, after, time.monotonic())
        else:
            self._read.pop(city)
            self._readings.pop(city, None)
            return True
        return len(changes) >= BATCH

    def _of(self, city: str) -> Readings:
        hub = self._hub
        assert hub is not None, "readings come from the hub"
        if city not in self._readings:
            self._readings[city] = Readings(lambda entity: hub.retrieve(city, entity), mode_here())
        return self._readings[city]

    async def _position(self, city: str) -> tuple[str | None, str, float]:
        if city not in self._read:
            written = await self._civic(lambda: _cursor(city, HUB))
            if written is None:
                await self._start(city, None)
            else:
                self._read[city] = (written, written, time.monotonic())
        return self._read[city]

    async def _start(self, city: str, written: str | None, *, lost: bool = False) -> None:
        """Follows from now on: what was before rules ran concerns nobody."""
        assert self._hub is not None, "only asked where the hub is open"
        now = self._hub.latest_cursor(city.lower())
        await self._civic(lambda: digest(city, HUB, written, now, (), self._clock(), lost=lost))
        self._read[city] = (now, now, time.monotonic())


def follow_signals(city: str, now: datetime) -> bool:
    """One batch of a city's signals; True where there may be more."""
    with civic.reading() as tx:
        written = memories.cursor_of(tx, city, SIGNALS)
        found = feeds.signals_after(tx, city, int(written), BATCH) if written is not None else []
        latest = feeds.latest_signal(tx) if written is None else 0
    if written is None:
        digest(city, SIGNALS, None, str(latest), (), now)
        return False
    if found:
        digest(city, SIGNALS, written, str(found[-1][0]), [fact for _, fact in found], now)
    return len(found) >= BATCH


def _cursor(city: str, feed: str) -> str | None:
    with civic.reading() as tx:
        return memories.cursor_of(tx, city, feed)


def _wake(loop: asyncio.AbstractEventLoop, woken: asyncio.Event) -> None:
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(woken.set)
