"""How many deliveries are under way at once: endpoints that answer never queue behind endpoints that do not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import StrEnum

_BUDGET = 8_000
_SMALL_BUDGET = 512


class Trust(StrEnum):
    """What is known of an endpoint: its last delivery went well, nothing yet, or it failed."""

    PROVEN = "proven"
    NEW = "new"
    SUSPECT = "suspect"


_SHARE = {Trust.PROVEN: 0.5, Trust.NEW: 0.3, Trust.SUSPECT: 0.2}
_PER_HOST = {Trust.PROVEN: 64, Trust.NEW: 256, Trust.SUSPECT: 32}


class Lanes:
    """A lane for each degree of trust, each with places of its own, together and for each host and port."""

    def __init__(self) -> None:
        budget = open_files_budget()
        self._every = {trust: asyncio.Semaphore(max(8, int(budget * share))) for trust, share in _SHARE.items()}
        self._by_host: dict[tuple[Trust, str], asyncio.Semaphore] = {}
        self._users: dict[tuple[Trust, str], int] = {}

    @asynccontextmanager
    async def place(self, trust: Trust, host: str) -> AsyncIterator[None]:
        """A place in the lane; waits for one."""
        key = (trust, host)
        semaphore = self._by_host.setdefault(key, asyncio.Semaphore(_PER_HOST[trust]))
        self._users[key] = self._users.get(key, 0) + 1
        try:
            async with semaphore, self._every[trust]:
                yield
        finally:
            self._users[key] -= 1
            if not self._users[key]:
                del self._users[key], self._by_host[key]


def open_files_budget() -> int:
    """Connections to have at once: half of the files this process may open, raised as far as the system lets it."""
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return _SMALL_BUDGET
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * _BUDGET if hard == resource.RLIM_INFINITY else min(hard, 2 * _BUDGET)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    return _BUDGET if soft == resource.RLIM_INFINITY else min(_BUDGET, soft // 2)
