"""Calls outward, only to where they may go: never to a private address unless it is configured (DESIGN, law 7)."""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urljoin, urlsplit

from madang.kernel.errors import ForbiddenError, UnavailableError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_REDIRECTS = 3


@dataclass(frozen=True, slots=True)
class Fetched:
    """A body, and for how many seconds its server says it may be kept (None where it does not say)."""

    body: bytes
    keep_s: float | None = None


def keep_s(headers: Mapping[str, str]) -> float | None:
    """How long an answer is fresh (RFC 9111 §4.2.1): Cache-Control before Expires; None where neither says."""
    control = headers.get("cache-control", "").lower()
    if re.search(r"\bno-(?:store|cache)\b", control):
        return 0.0
    found = re.search(r"\bs-maxage\s*=\s*\"?(\d{1,9})", control) or re.search(r"\bmax-age\s*=\s*\"?(\d{1,9})", control)
    if found is not None:
        age = headers.get("age", "0")
        return max(0.0, float(found[1]) - (float(age) if age.isascii() and age.isdigit() and len(age) < 10 else 0.0))
    if "expires" not in headers:
        return None
    try:
        until = parsedate_to_datetime(headers["expires"])
        since = parsedate_to_datetime(headers["date"]) if "date" in headers else datetime.now(UTC)
        return max(0.0, (until - since).total_seconds())
    except (TypeError, ValueError):
        return 0.0


_CARRYING = tuple(map(ipaddress.IPv6Network, ("::/96", "::ffff:0:0:0/96", "64:ff9b::/96")))
"""IPv6 addresses whose last 32 bits are the IPv4 address that is reached: compatible, translated (RFC 2765), NAT64."""
_INSIDE = tuple(map(ipaddress.ip_network, ("192.0.0.0/24", "fec0::/10", "64:ff9b:1::/48", "3fff::/20", "5f00::/16")))
"""Not of the public network, though some versions of Python's ipaddress think so."""


def _carried(address: ipaddress.IPv6Address) -> ipaddress.IPv4Address | None:
    """The IPv4 address that a gateway would call for an IPv6 address."""
    if any(address in network for network in _CARRYING):
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.sixtofour


def _is_public(address: Address) -> bool:
    return address.is_global and not address.is_multicast and not any(address in network for network in _INSIDE)


class Outward:
    """An allow-list: public addresses, and hosts or networks named in the configuration."""

    def __init__(self, allowed: Collection[str] = ()) -> None:
        self._hosts: set[str] = set()
        self._networks: list[ipaddress.IPv4Network | ipaddress.IPv6Network] = []
        for one in allowed:
            try:
                self._networks.append(ipaddress.ip_network(one, strict=False))
            except ValueError:
                self._hosts.add(one.lower())

    def allows(self, host: str, address: Address) -> bool:
        """Whether a host that resolves to `address` may be called."""
        if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        carried = _carried(address) if isinstance(address, ipaddress.IPv6Address) else None
        if host.lower() in self._hosts or any(address in network for network in self._networks):
            return True
        return _is_public(address) and (carried is None or _is_public(carried))

    async def resolve(self, url: str) -> tuple[str, str]:
        """The host of a URL and one address of it that may be called; raises `ForbiddenError`, `UnavailableError`.

        Whoever calls must connect to that very address: a name can resolve differently a moment later.
        """
        try:
            parts = urlsplit(url)
            readable = parts.port != 0
        except ValueError:
            readable = False
        if not readable:
            raise ForbiddenError(f"{url[:200]} cannot be read as an address", where="url") from None
        host = parts.hostname
        if parts.scheme not in ("http", "https") or not host or parts.username is not None:
            raise ForbiddenError(f"{url[:200]} is not an address that may be called", where="url")
        return host, await self.locate(host)

    async def locate(self, host: str) -> str:
        """One address of a host that may be called, to connect to; raises `ForbiddenError`, `UnavailableError`."""
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, None, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            found = []
        return self.judged(host, [str(one[4][0]) for one in found])

    def judged(self, host: str, addresses: Collection[str]) -> str:
        """The first of a host's addresses, if all of them may be called; raises as `locate` does."""
        if not addresses:
            raise UnavailableError(f"The host {host[:200]} cannot be found", where="url")
        read = [ipaddress.ip_address(one.partition("%")[0]) for one in addresses]
        if not all(self.allows(host, one) for one in read):
            raise ForbiddenError(
                f"{host} is at a private address", where="url", hint="Name it in hub.outward_allow if this is meant"
            )
        return str(read[0])

    async def fetch(self, url: str, *, timeout_s: float, max_bytes: int, accept: str) -> Fetched:
        """What is behind a URL; every redirect is judged anew. Raises `ForbiddenError` or `UnavailableError`."""
        try:
            async with asyncio.timeout(timeout_s):
                for _ in range(_REDIRECTS + 1):
                    found, url = await self._get(url, max_bytes, accept)
                    if found is not None:
                        return found
        except TimeoutError:
            raise UnavailableError(f"{url} did not answer within {timeout_s:g} s", where="url") from None
        raise UnavailableError(f"{url} redirects more than {_REDIRECTS} times", where="url")

    async def _get(self, url: str, max_bytes: int, accept: str) -> tuple[Fetched | None, str]:
        import httpx  # lazily: most contexts are built in or already compiled

        host, address = await self.resolve(url)
        try:
            target = httpx.URL(url).copy_with(host=address)
            headers = {"Host": httpx.URL(url).netloc.decode(), "Accept": accept}
            async with (
                httpx.AsyncClient(trust_env=False) as client,
                client.stream("GET", target, headers=headers, extensions={"sni_hostname": host}) as answer,
            ):
                if answer.is_redirect:
                    return None, urljoin(url, answer.headers.get("location", ""))
                if answer.status_code != 200:
                    raise UnavailableError(f"{url} answered {answer.status_code}", where="url")
                body = await _read(answer.aiter_bytes(), max_bytes, url)
                return Fetched(body, keep_s(answer.headers)), url
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            raise UnavailableError(f"{url} cannot be read: {type(error).__name__}", where="url") from None


async def _read(chunks: object, max_bytes: int, url: str) -> bytes:
    body = bytearray()
    async for chunk in chunks:  # type: ignore[attr-defined] # httpx's async iterator, imported lazily
        body += chunk
        if len(body) > max_bytes:
            raise UnavailableError(f"{url} sends more than {max_bytes} bytes", where="url")
    return bytes(body)
