"""What other processes commit, as it happens: one connection that listens, and connections that hold leases.

While the listening connection is down nothing remembered is believed (`up` is False); when it is back, `on_lost` says
that anything may have been missed. A silent connection is tested every second, so that is also how old, at most, what a
process remembers can be when the network goes away without a word.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import orjson
import psycopg

from madang.hub.errors import StoreUnavailableError
from madang.hub.postgres.address import Connection, connect
from madang.hub.postgres.writer import CHANNEL

log = logging.getLogger("madang.hub.postgres")

STALE_S = 2.0
"""Nothing heard from the server for so long: what is remembered is no longer believed."""
_TEST_S = 1.0
_AGAIN_S = 0.25

Notice = Mapping[str, Any]  # Any: JSON


class Listening:
    """A thread that hears notices of other processes and gives them to the event loop."""

    def __init__(
        self, address: str, origin: str, on_notice: Callable[[Notice], None], on_lost: Callable[[], None]
    ) -> None:
        self._address, self._origin = address, origin
        self._on_notice, self._on_lost = on_notice, on_lost
        self._loop = asyncio.get_running_loop()
        self._stop = threading.Event()
        self._heard_s = 0.0
        self._connection: Connection | None = None
        self._thread = threading.Thread(target=self._listen, name="hub-listen", daemon=True)

    @property
    def up(self) -> bool:
        """Whether every notice arrives, as far as one can tell."""
        return time.monotonic() - self._heard_s < STALE_S

    def start(self) -> None:
        """Connects (raising `StoreUnavailableError`) and goes on listening."""
        self._connection = self._open()
        self._heard_s = time.monotonic()
        self._thread.start()

    def stop(self) -> None:
        """Has the thread end at the next notice, or within a second."""
        self._stop.set()

    def close(self) -> None:
        """Waits for its end."""
        self._stop.set()
        self._thread.join(5)

    def _open(self) -> Connection:
        connection = connect(self._address, "statement_timeout=2s")
        connection.execute(f"LISTEN {CHANNEL}")
        return connection

    def _listen(self) -> None:
        while not self._stop.is_set():
            try:
                if self._connection is None:
                    self._connection = self._open()
                    self._call(self._on_lost)
                    self._heard_s = time.monotonic()
                    log.info("the store is heard again")
                self._hear(self._connection)
            except (psycopg.Error, StoreUnavailableError) as error:
                if self._connection is not None:
                    log.warning("the store is no longer heard: %s", error)
                    self._connection.close()
                self._connection, self._heard_s = None, 0.0
                self._stop.wait(_AGAIN_S)
        if self._connection is not None:
            self._connection.close()

    def _hear(self, connection: Connection) -> None:
        heard = False
        for notice in connection.notifies(timeout=_TEST_S, stop_after=1):  # several come at once: all must be taken
            said = orjson.loads(notice.payload)
            if said.get("o") != self._origin:
                self._call(partial(self._on_notice, said))
            self._heard_s = time.monotonic()
            heard = True
        if not heard and not self._stop.is_set():
            connection.execute("SELECT 1")
            self._heard_s = time.monotonic()

    def _call(self, callback: Callable[[], None]) -> None:
        try:
            self._loop.call_soon_threadsafe(callback)
        except RuntimeError:  # the loop is closed
            self._stop.set()


class AdvisoryLease:
    """A lease held by a connection: PostgreSQL gives it to another as soon as that connection is gone."""

    def __init__(self, address: str, key: int) -> None:
        self._address, self._key = address, key
        self.sharers = 0
        self._event = asyncio.Event()
        self._ending = asyncio.Event()
        self._connection: Connection | None = None
        self._has = False
        self._tested_s = 0.0
        self._task = asyncio.get_running_loop().create_task(self._keep())

    @property
    def held(self) -> bool:
        """Whether this process holds it, as tested within the last seconds."""
        return self._event.is_set() and time.monotonic() - self._tested_s < STALE_S

    async def acquired(self) -> None:
        """Returns when it is held."""
        while not self.held:
            self._event.clear()
            await self._event.wait()

    async def _keep(self) -> None:
        while not self._ending.is_set():
            held = await asyncio.to_thread(self._test)
            self._tested_s = time.monotonic()
            if held:
                self._event.set()
            else:
                self._event.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ending.wait(), _TEST_S / 2)

    def _test(self) -> bool:
        try:
            if self._connection is None or self._connection.closed:
                self._connection = connect(self._address, "statement_timeout=1s")
                self._has = False
            if self._has:
                self._connection.execute("SELECT 1")
                return True
            row = self._connection.execute("SELECT pg_try_advisory_lock(%s)", (self._key,)).fetchone()
            self._has = bool(row and row[0])
            return self._has
        except (psycopg.Error, StoreUnavailableError):
            self._has = False
            if self._connection is not None:
                self._connection.close()
            return False

    async def close(self) -> None:
        """Gives it back."""
        self._ending.set()
        await asyncio.shield(self._task)
        self._event.clear()
        if self._connection is not None:
            self._connection.close()
