"""Django inside the server: WSGI on a bounded number of threads, which a slow client cannot hold.

The body is taken whole on the event loop before a thread is given to the request (a2wsgi alone would hand Django a
truncated body when the client goes away), and an answer the client does not read is dropped.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from typing import IO, TYPE_CHECKING, Any, cast

from madang.kernel.errors import UnavailableError
from madang.site.asgi_types import Asgi, Message, Receive, Scope, Send, header
from madang.site.guards import bounded

if TYPE_CHECKING:
    from madang.site.config import ServerConfig

_IN_MEMORY_BYTES = 1_000_000
_CHUNK_BYTES = 262_144
_SEND_QUEUE = 256
_WAITING_PER_THREAD = 32
SLOW_READER_S = 20.0


class GoneError(Exception):
    """The client went away before its request was complete."""


class Pages:
    """The Django site as an ASGI app."""

    def __init__(self, server: ServerConfig, may_upload: Callable[[Scope], Awaitable[bool]]) -> None:
        self._server = server
        self._may_upload = may_upload
        self._limit = server.threads * _WAITING_PER_THREAD
        self._app: Asgi | None = None
        self.pending = 0

    def warm(self) -> None:
        """Loads Django's handler, every address and the login page's templates; takes a while, once."""
        from django.test import RequestFactory
        from django.urls import get_resolver

        self._wsgi()
        get_resolver().url_patterns  # noqa: B018 -- importing every address is the point
        RequestFactory()

    def _wsgi(self) -> Asgi:
        if self._app is None:
            from a2wsgi import WSGIMiddleware
            from django.core.wsgi import get_wsgi_application

            site: Any = get_wsgi_application()  # Any: the stubs' and a2wsgi's idea of a WSGI answer differ
            threads = self._server.threads
            self._app = cast("Asgi", WSGIMiddleware(site, workers=threads, send_queue_size=_SEND_QUEUE))
        return self._app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request. Raises `TooLargeError`, `BadRequestError` or `UnavailableError` before it begins."""
        if self.pending >= self._limit:
            raise UnavailableError(f"{self.pending} requests wait for a page", ko="요청이 몰려 잠시 처리하지 못합니다.")
        self.pending += 1
        try:
            with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY_BYTES) as body:
                await self._answer(scope, receive, send, body)
        except GoneError:
            return
        finally:
            self.pending -= 1

    async def _answer(self, scope: Scope, receive: Receive, send: Send, body: IO[bytes]) -> None:
        limit = await self._limit_for(scope)
        size = await _take(bounded(scope, receive, limit, self._timeout_for(limit)), body)
        headers = [(name, value) for name, value in scope["headers"] if name not in _BODY_HEADERS]
        headers.append((b"content-length", str(size).encode()))
        await self._wsgi()({**scope, "headers": _joined(headers)}, _replay(body), _patient(send))

    async def _limit_for(self, scope: Scope) -> int:
        declared = header(scope, b"content-length")
        wants_more = declared.isdigit() and int(declared) > self._server.max_body_bytes
        if wants_more and scope["path"].startswith("/office/") and await self._may_upload(scope):
            return self._server.max_upload_bytes
        return self._server.max_body_bytes

    def _timeout_for(self, limit: int) -> float:
        return self._server.body_timeout_s * (10 if limit > self._server.max_body_bytes else 1)


_BODY_HEADERS = frozenset({b"content-length", b"transfer-encoding"})


def _joined(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """Several Cookie lines become one, as RFC 9113 §8.2.3 wants; names WSGI would confuse are dropped."""
    cookies = [value for name, value in headers if name == b"cookie"]
    rest = [(name, value) for name, value in headers if name != b"cookie" and b"_" not in name]
    return [*rest, (b"cookie", b"; ".join(cookies))] if cookies else rest


async def _take(receive: Receive, body: IO[bytes]) -> int:
    size = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise GoneError
        size += body.write(message.get("body", b""))
        if not message.get("more_body", False):
            body.seek(0)
            return size


def _replay(body: IO[bytes]) -> Receive:
    async def receive() -> Message:
        chunk = body.read(_CHUNK_BYTES)
        return {"type": "http.request", "body": chunk, "more_body": len(chunk) == _CHUNK_BYTES}

    return receive


def _patient(send: Send) -> Send:
    """A `send` that gives a reader `SLOW_READER_S` for each piece and then drops the rest, freeing the thread."""
    gone = False

    async def sender(message: Message) -> None:
        nonlocal gone
        if gone:
            return
        try:
            async with asyncio.timeout(SLOW_READER_S):
                await send(message)
        except (TimeoutError, OSError):
            gone = True

    return sender
