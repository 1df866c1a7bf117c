"""What the site lends to the rooms' ASGI apps and workers: time, the civic store off the loop, the hub, the keys."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from madang.kernel.clock import Clock, system_clock
from madang.kernel.errors import UnavailableError

if TYPE_CHECKING:
    from datetime import datetime

    from madang.hub.hub import Hub
    from madang.identity.access_tokens import AccessClaims
    from madang.identity.rights import Actor
    from madang.kernel.keyring import Keyring
    from madang.site.config import Config

T = TypeVar("T")

TOKEN_MEMORY_S = 5.0
"""How long a token once checked is believed: the longest a revocation can go unnoticed, seconds."""
_TOKENS_REMEMBERED = 10_000
_TOKEN_CHARS = 8_000


class CivicThreads:
    """The threads that do the civic store's work for code that must not block the event loop."""

    def __init__(self, threads: int, queue: int) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="civic")
        self._limit = threads + queue
        self.pending = 0

    async def run(self, work: Callable[[], T]) -> T:
        """Runs `work` on one of the threads; raises `UnavailableError` at once when too much is waiting.

        Work already begun is finished even when the caller is cancelled.
        """
        if self.pending >= self._limit:
            raise UnavailableError(
                f"{self.pending} requests wait for the civic store",
                hint="Try again in a few seconds",
                ko="요청이 몰려 잠시 처리하지 못합니다. 몇 초 뒤 다시 시도하십시오.",
            )
        loop = asyncio.get_running_loop()
        self.pending += 1
        future = loop.run_in_executor(self._pool, partial(_on_connection, work))
        future.add_done_callback(self._finished)
        return await future

    def _finished(self, _future: asyncio.Future[T]) -> None:
        self.pending -= 1

    def close(self) -> None:
        """Takes no more work; what runs is finished."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def _on_connection(work: Callable[[], T]) -> T:
    from django.db import connection

    try:
        return work()
    except BaseException:
        connection.close_if_unusable_or_obsolete()
        raise


@dataclass
class Services:
    """One per process. `hub` is None where the hub's store is not open: in every process but core."""

    config: Config
    keyring: Keyring
    civic: CivicThreads
    clock: Clock = system_clock
    hub: Hub | None = None
    owned_types: frozenset[str] = frozenset()
    """Entity types that a room mirrors into the hub."""
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the process begins to end: streams should close."""
    _known: dict[bytes, tuple[float, Actor | None]] = field(default_factory=dict, repr=False)
    _signed: dict[bytes, AccessClaims] = field(default_factory=dict, repr=False)

    async def run_civic(self, work: Callable[[], T]) -> T:
        """Runs database work on the civic threads and returns what it returns."""
        return await self.civic.run(work)

    async def authenticate(self, headers: Iterable[tuple[bytes, bytes]]) -> Actor | None:
        """The actor of the `Authorization: Bearer` token among raw ASGI headers, or None.

        A token checked before costs a digest and a look into a dictionary; it is checked again every few seconds.
        """
        raw = b""
        for name, value in headers:
            if name == b"authorization":  # ASGI names are in lower case
                raw = value
                break
        if raw[:7].lower() != b"bearer " or len(raw) > _TOKEN_CHARS:
            return None
        token = raw[7:]
        key = hashlib.sha256(token).digest()
        known = self._known.get(key)
        if known is not None and time.monotonic() < known[0]:
            return known[1]
        return await self._look_up(key, token.strip().decode("latin-1"))

    async def actor_today(self, actor_id: str, authority: str) -> Actor | None:
        """An actor as it stands now, by the id it was recorded under."""
        from madang.identity.actors import actor_today

        return await self.run_civic(partial(actor_today, actor_id, authority, self.clock()))

    async def _look_up(self, key: bytes, token: str) -> Actor | None:
        now = self.clock()
        actor, holds_s = await (self._of_client(key, token, now) if "." in token else self._of_token(token, now))
        known = self._known.get(key)
        if known is not None and known[1] == actor:
            actor = known[1]  # the same object, so that what the hub remembers of the asker stays
        if len(self._known) >= _TOKENS_REMEMBERED:
            self._known.clear()
        self._known[key] = (time.monotonic() + holds_s, actor)
        return actor

    async def _of_token(self, token: str, now: datetime) -> tuple[Actor | None, float]:
        from madang.identity.actors import actor_of_token

        return await self.run_civic(partial(actor_of_token, token, now)), TOKEN_MEMORY_S

    async def _of_client(self, key: bytes, token: str, now: datetime) -> tuple[Actor | None, float]:
        """An access token's actor: its signature is looked at once, whether the client still holds every time."""
        from madang.identity.access_tokens import read_access, signing_key
        from madang.identity.clients import actor_of_access

        claims = self._signed.get(key)
        if claims is None:
            claims = read_access(signing_key(self.keyring.blob_key), token, now)
            if claims is None:
                return None, TOKEN_MEMORY_S
            if len(self._signed) >= _TOKENS_REMEMBERED:
                self._signed.clear()
            self._signed[key] = claims
        left_s = claims.expires_at - now.timestamp()
        if left_s <= 0:
            self._signed.pop(key, None)
            return None, TOKEN_MEMORY_S
        return await self.run_civic(partial(actor_of_access, claims, now)), min(TOKEN_MEMORY_S, left_s)


def build_services(config: Config) -> Services:
    """The services of this process, from its configuration. Call after `django.setup()`."""
    from django.conf import settings

    civic = CivicThreads(config.server.civic_threads, config.server.civic_queue)
    return Services(config=config, keyring=settings.MADANG_KEYS, civic=civic)
