"""Names of endpoint hosts → addresses that may be called, on threads of their own: a name server that does not answer
holds up neither other endpoints nor the rest of the process."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from concurrent.futures import ThreadPoolExecutor

from madang.hub.outward import Outward
from madang.kernel.errors import MadangError

_KEPT_S = 1.0
_MANY = 10_000
_SURE, _NEW, _SLOW = 8, 16, 4


class Resolver:
    """Judges where a name points to, at each delivery but for bursts within a second: the connection always goes to
    the very address that was judged."""

    def __init__(self, outward: Outward) -> None:
        self._outward = outward
        self._sure = ThreadPoolExecutor(_SURE, "resolve-sure")
        self._new = ThreadPoolExecutor(_NEW, "resolve-new")
        self._slow = ThreadPoolExecutor(_SLOW, "resolve-slow")
        self._found: set[str] = set()
        self._known: dict[str, tuple[str, float]] = {}
        self._failed: set[str] = set()
        self._asking: dict[str, asyncio.Task[str]] = {}

    async def address(self, host: str) -> str:
        """An address of a host; raises `ForbiddenError`, `UnavailableError`."""
        known = self._known.get(host)
        if known is not None and known[1] > asyncio.get_running_loop().time():
            return known[0]
        if (literal := _literal(host)) is not None:
            return self._outward.judged(host, [literal])
        if host not in self._asking:
            task = asyncio.get_running_loop().create_task(self._ask(host))
            self._asking[host] = task
            task.add_done_callback(lambda done: self._asked(host, done))
        return await asyncio.shield(self._asking[host])

    def _asked(self, host: str, done: asyncio.Task[str]) -> None:
        self._asking.pop(host, None)
        if not done.cancelled():
            done.exception()  # heard here, too: whoever asked may have gone

    async def _ask(self, host: str) -> str:
        threads = self._sure if host in self._found else self._slow if host in self._failed else self._new
        self._failed.add(host)
        self._found.discard(host)
        try:
            addresses = await asyncio.get_running_loop().run_in_executor(threads, _addresses, host)
            address = self._outward.judged(host, addresses)
        except MadangError:
            self._known.pop(host, None)
            raise
        self._failed.discard(host)
        self._found.add(host)
        if len(self._known) >= _MANY:
            self._known.clear()
        self._known[host] = address, asyncio.get_running_loop().time() + _KEPT_S
        return address

    def close(self) -> None:
        """Asks no more."""
        for threads in (self._sure, self._new, self._slow):
            threads.shutdown(wait=False, cancel_futures=True)


def _literal(host: str) -> str | None:
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return None


def _addresses(host: str) -> list[str]:
    """Every address of a host; none where it cannot be found."""
    try:
        return [str(one[4][0]) for one in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)]
    except (OSError, UnicodeError):
        return []
