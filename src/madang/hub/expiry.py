"""What is kept only for a while (clause 4.22): entities and attributes with `expiresAt` go when their time comes.

The hub knows the first moment anything expires. Every request asks whether that moment has come; if it has, what has
expired is deleted before the request is answered, so nobody sees it any more. A task deletes it when nobody asks.
Deletions are ordinary changes: subscriptions and history see them.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Iterable
from functools import partial

from madang.hub import changes as change
from madang.hub.changes import Effect
from madang.hub.entity import Entity
from madang.hub.errors import BadRequestDataError
from madang.hub.store import Store, WriteTx
from madang.journal.session import Session
from madang.kernel.clock import Clock
from madang.kernel.errors import MadangError

SOURCE = "expiry"
"""The source of changes made here."""
_SLICE = 200
_SWEEPS = 3
_PAUSE_S = 1.0
"""After a sweep that failed."""
_LOOK_S = 30.0
"""At least so often the store is asked again: the clock may step, and another process may have written."""

log = logging.getLogger("madang.hub")


class Expiry:
    """Watches over what expires in a store, of every tenant."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._next_ms: float = math.inf
        self._noted_ms: float = math.inf
        self._not_before = -math.inf
        self._sooner = asyncio.Event()
        self._sweeping: asyncio.Task[None] | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Looks for the first expiry, deletes what expired meanwhile, and watches from now on."""
        await self._look()
        await self.ensure()
        self._task = asyncio.get_running_loop().create_task(self._watch())

    async def close(self) -> None:
        """Stops watching, and waits for a sweep under way."""
        if self._task is not None:
            self._task.cancel()
        if self._sweeping is not None:
            await asyncio.wait([self._sweeping])

    def due(self) -> bool:
        """Whether something has expired that may still be there. Asked by every request."""
        return self._next_ms != math.inf and self._next_ms <= self._now_ms()

    def note(self, expires_ms: int) -> None:
        """Something was written that expires then."""
        self._noted_ms = min(self._noted_ms, expires_ms)
        if expires_ms < self._next_ms:
            self._next_ms = expires_ms
            self._sooner.set()

    def note_all(self, entities: Iterable[Entity]) -> None:
        """These were written."""
        for one in entities:
            if one.expires_ms is not None:
                self.note(one.expires_ms)

    def check(self, entity: Entity) -> None:
        """Raises `BadRequestDataError` where what is to be written has expired already."""
        if entity.expires_ms is not None and entity.expires_ms <= self._now_ms():
            raise BadRequestDataError("expiresAt lies in the past", where="expiresAt")

    async def ensure(self) -> None:
        """Before anything is read: what has expired is gone. A store that takes no writes is still read."""
        for _ in range(_SWEEPS):  # another's sweep may have begun before what is due now was
            if not self.due() or time.monotonic() < self._not_before:
                return
            try:
                await self.sweep()
            except MadangError:
                self._not_before = time.monotonic() + _PAUSE_S
                log.warning("what has expired could not be deleted and may still be seen", exc_info=True)

    async def sweep(self) -> None:
        """Deletes what has expired; those who ask at the same time share one sweep."""
        if self._sweeping is None or self._sweeping.done():
            self._sweeping = asyncio.get_running_loop().create_task(self._sweep())
        await asyncio.shield(self._sweeping)

    def _now_ms(self) -> int:
        return int(self._clock().timestamp() * 1000)

    async def _sweep(self) -> None:
        now_ms = self._now_ms()
        while await self._store.write(partial(_swept, now_ms)) == _SLICE:
            pass
        await self._look()

    async def _look(self) -> None:
        """Asks the store what expires first. What is written meanwhile is noted, and is not forgotten here."""
        self._noted_ms = math.inf
        found = await self._store.read(_first)
        self._next_ms = self._noted_ms if found is None else min(self._noted_ms, found)

    async def _watch(self) -> None:
        while True:
            await self._rest()
            try:
                await (self.sweep() if self.due() else self._look())
            except MadangError:
                log.warning("what has expired could not be deleted; trying again", exc_info=True)
                await asyncio.sleep(_PAUSE_S)

    async def _rest(self) -> None:
        """Until the next expiry or something that expires sooner, but not for long."""
        ends = time.monotonic() + _LOOK_S
        while not self.due() and (left := ends - time.monotonic()) > 0:
            self._sooner.clear()
            until = (self._next_ms - self._now_ms()) / 1000
            try:
                await asyncio.wait_for(self._sooner.wait(), max(0.001, min(left, until)))
            except TimeoutError:
                continue


def _swept(now_ms: int, tx: WriteTx) -> int:
    """Deletes one slice of what has expired; how many entities that changed."""
    sql = (
        "SELECT t.code, e.id FROM entity e JOIN tenant t ON t.id = e.tenant"
        " WHERE e.expires_ms IS NOT NULL AND e.expires_ms <= ? ORDER BY e.expires_ms LIMIT ?"
    )
    rows = tx.session.execute(sql, (now_ms, _SLICE))
    outcomes = [tx.apply(tenant, change.expire(entity_id, now_ms), SOURCE) for tenant, entity_id in rows]
    return sum(isinstance(one, Effect) and bool(one.changed) for one in outcomes)


def _first(session: Session) -> int | None:
    rows = session.execute("SELECT min(expires_ms) FROM entity WHERE expires_ms IS NOT NULL")
    return None if rows[0][0] is None else int(rows[0][0])
