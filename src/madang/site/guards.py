"""What every request passes before it reaches a room: its host, the size and time of its body; and the headers back."""

from __future__ import annotations

import asyncio
import ipaddress
from typing import Any
from urllib.parse import urlsplit

import orjson

from madang.kernel.errors import BadRequestError, TooLargeError
from madang.site.asgi_types import Message, Receive, Scope, Send, header
from madang.site.config import ServerConfig

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})
_DRAINED_BYTES = 80_000_000
_DRAINED_S = 5.0


class Hosts:
    """Which `Host` headers are answered: a page opened under another name could be steered by that name's owner."""

    def __init__(self, server: ServerConfig) -> None:
        public = urlsplit(server.public_url).hostname or ""
        names = {name.lower() for name in (*server.allowed_hosts, server.host, public) if name}
        self._exact = LOOPBACK_NAMES | {name for name in names if not name.startswith(".")}
        self._suffixes = tuple(name for name in names if name.startswith("."))

    def check(self, scope: Scope) -> None:
        """Raises `BadRequestError` for a host that is not ours. A bare address is ours if the request came in on it."""
        host = header(scope, b"host")
        name = _without_port(host).lower()
        if name in self._exact or name.endswith(self._suffixes) or name == _arrived_at(scope):
            return
        raise BadRequestError(
            f"the host {host[:100]!r} is not served here",
            where="Host",
            hint="An administrator adds it to [server] allowed_hosts in madang.toml",
        )


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host.partition("]")[0] + "]"
    return host.partition(":")[0]


def _arrived_at(scope: Scope) -> str:
    address = str((scope.get("server") or ("", 0))[0])
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return ""
    return f"[{parsed}]" if parsed.version == 6 else str(parsed)


def bounded(scope: Scope, receive: Receive, limit: int, timeout_s: float) -> Receive:
    """A `receive` that raises `TooLargeError` once the body exceeds `limit` bytes and drops a body that dawdles."""
    declared = header(scope, b"content-length")
    if not declared and not header(scope, b"transfer-encoding"):
        return receive
    if declared.isdigit() and int(declared) > limit:
        raise too_large(int(declared), limit)
    taken = 0
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout_s
    done = False

    async def take() -> Message:
        nonlocal taken, done
        if done:
            return await receive()
        try:
            async with asyncio.timeout_at(deadline):
                message = await receive()
        except TimeoutError:
            raise BadRequestError(f"the body did not arrive within {timeout_s:g} s", where="body") from None
        taken += len(message.get("body", b""))
        if taken > limit:
            raise too_large(taken, limit)
        done = message["type"] != "http.request" or not message.get("more_body", False)
        return message

    return take


def too_large(size: int, limit: int) -> TooLargeError:
    """The refusal of a body beyond the limit."""
    return TooLargeError(
        f"the body has {size} bytes or more; at most {limit} are taken here",
        where="body",
        hint="Send it in smaller parts",
        ko=f"보낸 내용이 너무 큽니다. 한 번에 {limit:,}바이트까지 받습니다.",
    )


async def drain(receive: Receive) -> None:
    """Reads and forgets the rest of a refused body, within reason, so that its sender hears the refusal."""
    left = _DRAINED_BYTES
    try:
        async with asyncio.timeout(_DRAINED_S):
            while left > 0:
                message = await receive()
                left -= len(message.get("body", b""))
                if message["type"] != "http.request" or not message.get("more_body", False):
                    return
    except TimeoutError:
        return


async def send_problem(send: Send, members: dict[str, Any], *, close: bool = False) -> None:  # Any: JSON members
    """Answers with problem+json (RFC 9457)."""
    body = orjson.dumps(members)
    headers = [
        (b"content-type", b"application/problem+json"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
    ]
    if close:
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": members["status"], "headers": headers})
    await send({"type": "http.response.body", "body": body})


class Headers:
    """The security headers of every answer."""

    def __init__(self, server: ServerConfig, stream_url: str) -> None:
        self._common = [
            (b"x-content-type-options", b"nosniff"),
            (b"x-frame-options", b"DENY"),
            (b"referrer-policy", b"same-origin"),
            (b"cross-origin-opener-policy", b"same-origin"),
            (b"permissions-policy", b"camera=(), microphone=(), geolocation=(self), payment=()"),
        ]
        if server.speaks_tls:
            self._common.append((b"strict-transport-security", b"max-age=31536000"))
        self.data = tuple(self._common[:1])
        """For answers to programs."""
        self.page = (*self._common, (b"content-security-policy", _policy(stream_url, script="'self'")))
        """For everything a browser shows."""
        # The office's menus are Alpine expressions, evaluated in the browser.
        office = _policy(stream_url, script="'self' 'unsafe-inline' 'unsafe-eval'")
        self.office = (*self._common, (b"content-security-policy", office))
        """For the back office."""


def _policy(stream_url: str, *, script: str) -> bytes:
    parts = urlsplit(stream_url)
    streams = f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""
    rules = [
        "default-src 'self'",
        f"script-src {script}",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "media-src 'self' blob:",
        "worker-src 'self' blob:",
        f"connect-src 'self' {streams}".rstrip(),
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    ]
    return "; ".join(rules).encode()
