"""The front of the house: one ASGI app that shows every request to its room.

Hub, live streams, video links and agency links are plain ASGI; everything for people is Django on threads.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from madang.kernel.errors import MadangError, NotFoundError, TooLargeError, UnavailableError
from madang.site.asgi_types import Asgi, Message, Receive, Scope, Send
from madang.site.guards import Headers, Hosts, bounded, drain, send_problem
from madang.site.metrics import Meter

if TYPE_CHECKING:
    from madang.site.config import Config
    from madang.site.services import Services

log = logging.getLogger(__name__)

STREAMS_CLOSE_S = 1.0
"""How long open streams are given to end by themselves when the server stops, seconds."""


@dataclass(frozen=True, slots=True)
class Door:
    """One way in: every path that starts with `prefix` goes to `app`.

    `limit` bounds the body in bytes; None leaves that to the app. `streams` says that answers may stay open, so that
    they are closed when the server stops. `open_host` answers whatever the `Host` header says.
    """

    name: str
    prefix: str
    app: Asgi
    limit: int | None = 0
    streams: bool = False
    open_host: bool = False
    for_programs: bool = True


Assemble = Callable[["Services"], AbstractAsyncContextManager[Sequence[Door]]]


class Front:
    """Hosts, limits, headers and counting, then the room. Its doors open with the server (ASGI lifespan)."""

    def __init__(self, services: Services, assemble: Assemble) -> None:
        server = services.config.server
        self.services = services
        self._assemble = assemble
        self._doors: list[Door] = []
        self._hosts = Hosts(server)
        self._headers = Headers(server, str(getattr(services.config.rooms.get("video"), "view_url", "")))
        self._body_timeout_s = server.body_timeout_s
        self.meter = Meter(server.metrics_token)
        self.meter.watch("madang_civic_pending", "Work waiting for the civic store", lambda: services.civic.pending)
        self._open: set[asyncio.Future[None]] = set()
        self.refused = ""
        """Why the house could not be opened, if it could not."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI entry point."""
        if scope["type"] == "http":
            await self._request(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._connect(scope, receive, send)
        else:
            await self._lifespan(receive, send)

    async def close_streams(self) -> None:
        """Ends what would stay open for ever: a server waits for every connection before it lets the app end."""
        self.services.stopping.set()
        stops = [door.app.stop() for door in self._doors if hasattr(door.app, "stop")]
        await asyncio.gather(*stops, return_exceptions=True)
        open_now = set(self._open)
        if open_now:
            await asyncio.wait(open_now, timeout=STREAMS_CLOSE_S / 2)
        for task in open_now:
            task.cancel()
        if open_now:
            await asyncio.wait(open_now, timeout=STREAMS_CLOSE_S / 2)

    async def _request(self, scope: Scope, receive: Receive, send: Send) -> None:
        started_s = time.perf_counter()
        door = self._door(scope["path"])
        framing = self._framing(door, scope["path"])
        status = 0

        async def watch(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                _add(message, framing)
            await send(message)

        try:
            await self._through(door, scope, receive, watch)
        except Exception as error:
            if status:
                raise
            await self._refuse(error, scope, receive, watch)
        finally:
            self.meter.answered(door.name if door else "none", status, time.perf_counter() - started_s)

    async def _through(self, door: Door | None, scope: Scope, receive: Receive, send: Send) -> None:
        if door is None:
            raise NotFoundError
        if not door.open_host:
            self._hosts.check(scope)
        if door.limit is not None:
            receive = bounded(scope, receive, door.limit, self._body_timeout_s)
        if door.streams:
            await self._held(door, scope, receive, send)
        else:
            await door.app(scope, receive, send)

    async def _refuse(self, error: Exception, scope: Scope, receive: Receive, send: Send) -> None:
        if not isinstance(error, MadangError):
            log.error("%s %s failed", scope["method"], scope["path"], exc_info=error)
            error = MadangError(ko="내부 오류입니다. 시스템 관리자에게 알리십시오.")
        large = isinstance(error, TooLargeError)
        if large:
            await drain(receive)
        await send_problem(send, error.problem(), close=large)

    async def _connect(self, scope: Scope, receive: Receive, send: Send) -> None:
        door = self._door(scope["path"])
        try:
            if door is None or not door.streams:
                raise NotFoundError
            self._hosts.check(scope)
            await self._held(door, scope, receive, send)
        except MadangError:
            await send({"type": "websocket.close", "code": 1008})

    async def _held(self, door: Door, scope: Scope, receive: Receive, send: Send) -> None:
        """Runs an app whose answer may stay open, in a task that `close_streams` can end."""
        if self.services.stopping.is_set():
            raise UnavailableError("the server is stopping", hint="Connect again in a few seconds")
        task: asyncio.Future[None] = asyncio.ensure_future(door.app(scope, receive, send))
        self._open.add(task)
        self.meter.stream(door.name, 1)
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            task.cancel()
            if not self.services.stopping.is_set():
                raise
            await _end(scope, send)
        finally:
            self._open.discard(task)
            self.meter.stream(door.name, -1)

    def _door(self, path: str) -> Door | None:
        return next((door for door in self._doors if path.startswith(door.prefix)), None)

    def _framing(self, door: Door | None, path: str) -> Sequence[tuple[bytes, bytes]]:
        if door is None or door.for_programs:
            return self._headers.data
        return self._headers.office if path.startswith("/office/") else self._headers.page

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        async with contextlib.AsyncExitStack() as stack:
            try:
                doors = await stack.enter_async_context(self._assemble(self.services))
            except MadangError as error:
                self.refused = error.detail
                await send({"type": "lifespan.startup.failed", "message": ""})
                return
            own = [Door("metrics", "/metrics", self.meter), Door("healthz", "/healthz", healthz, open_host=True)]
            self._doors = sorted([*doors, *own], key=lambda door: -len(door.prefix))
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})


def _add(message: Message, framing: Sequence[tuple[bytes, bytes]]) -> None:
    given = list(message.get("headers", ()))
    names = {name for name, _ in given}
    message["headers"] = given + [item for item in framing if item[0] not in names]


async def _end(scope: Scope, send: Send) -> None:
    """Closes a stream that was cut short; 1012 tells a WebSocket client that the service restarts."""
    if scope["type"] == "websocket":
        last: Message = {"type": "websocket.close", "code": 1012}
    else:
        last = {"type": "http.response.body", "body": b""}
    with contextlib.suppress(Exception):
        await send(last)


async def healthz(_scope: Scope, _receive: Receive, send: Send) -> None:
    """Whether the process answers at all; says nothing that needs a right."""
    from madang import __version__

    body = f'{{"status":"ok","version":"{__version__}"}}'.encode()
    headers = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def build_app(config: Config) -> Front:
    """The whole platform as one ASGI app. Call after `django.setup()`."""
    from madang.site.house import assemble
    from madang.site.services import build_services

    return Front(build_services(config), assemble)
