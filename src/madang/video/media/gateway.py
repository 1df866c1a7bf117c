"""The viewers' door: a lease first, then permission from core, then pictures; each view ends for one stated reason."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from typing import Any

import msgspec
import structlog
from joserfc.jwk import ECKey
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.typing import Origin

from madang.kernel.clock import system_clock
from madang.kernel.ids import new_id
from madang.video.lease_tokens import SKEW_S, BadTokenError, LeaseClaims, load_key, read_lease
from madang.video.media.cameras import Cameras
from madang.video.media.config import MediaConfig
from madang.video.media.feed import Backlog, Ended, Feed, Header
from madang.video.media.link import Link
from madang.video.media.looking import Looking
from madang.video.media.protocol import VIEW_PATH, Close, Halt, Keep, Opened, Refused, Revoke, Take, encode, reason_text
from madang.video.media.takings import Takings

log = structlog.get_logger(__name__)
_FIRST_MESSAGE_S = 5.0
_MAX_MESSAGE_BYTES = 4_096
_REVOKED_KEPT = 100_000
_WATCH_S = 0.2


class _LeaseMessage(msgspec.Struct, frozen=True):
    lease: str


class _Ready(msgspec.Struct, frozen=True, tag="ready"):
    codec: str
    width: int
    height: int


class _EndError(Exception):
    """The view ends with this code."""

    def __init__(self, code: Close, reason: str = "") -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


@dataclass(slots=True, eq=False)
class _View:
    """One viewer of one camera."""

    id: str
    claims: LeaseClaims
    stop: asyncio.Future[_EndError]
    started_at: float | None = None
    sent: int = 0

    def end(self, code: Close, reason: str = "") -> None:
        """Ends the view; the first reason stands."""
        if not self.stop.done():
            self.stop.set_result(_EndError(code, reason))


@dataclass(slots=True)
class Gateway:
    """Everything the media process does. `clock` is wall time for leases."""

    config: MediaConfig
    clock: Callable[[], datetime] = system_clock
    views: dict[str, _View] = field(default_factory=dict)
    _revoked: dict[str, Close] = field(default_factory=dict)
    _connections: int = 0
    _key: ECKey = field(init=False)
    link: Link = field(init=False)
    cameras: Cameras = field(init=False)
    looking: Looking = field(init=False)
    takings: Takings = field(init=False)

    def __post_init__(self) -> None:
        self._key = load_key(self.config.lease_public_pem.encode())
        self.link = Link(
            self.config,
            views=self._running,
            on_revoke=self._revoke,
            on_warm=self._warm,
            on_look=self._look,
            on_evidence=self._evidence,
            takes=self._taking,
        )
        self.cameras = Cameras(self.config, self.link.report_health)
        self.looking = Looking(self.config, self.link.report_look)
        self.takings = Takings(self.config, self.cameras, self.link, self.clock)

    def _running(self) -> Mapping[str, str]:
        return {view.id: view.claims.lease_id for view in self.views.values() if view.started_at is not None}

    async def listen(self) -> Server:
        """Opens the door; port 0 takes a free one."""
        origins: list[Origin | None] | None = None
        if self.config.origins:
            origins = [Origin(origin) for origin in self.config.origins] + [None]
        return await serve(
            self._accept,
            self.config.host,
            self.config.port,
            origins=origins,
            ssl=self._tls(),
            compression=None,
            max_size=_MAX_MESSAGE_BYTES,
            open_timeout=5,
            close_timeout=1,
            ping_interval=20,
            ping_timeout=20,
            write_limit=1 << 18,
            process_request=self._route,
            server_header=None,
        )

    def _tls(self) -> ssl.SSLContext | None:
        if not self.config.certificate:
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self.config.certificate, self.config.private_key or None)
        return context

    def _route(self, connection: ServerConnection, request: Request) -> Response | None:
        path = request.path.partition("?")[0]
        if path == "/healthz":
            status = HTTPStatus.OK if self.link.alive else HTTPStatus.SERVICE_UNAVAILABLE
            return connection.respond(status, f"views {len(self.views)} cameras {len(self.cameras)}\n")
        if path != VIEW_PATH:
            return connection.respond(HTTPStatus.NOT_FOUND, f"Viewers connect to {VIEW_PATH}\n")
        if self._connections >= self.config.max_connections:
            return connection.respond(HTTPStatus.SERVICE_UNAVAILABLE, "Too many connections\n")
        return None

    async def run(self) -> None:
        """Keeps the line to core and watches leases, cameras and heartbeats until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.link.run())
            group.create_task(self._watch())

    async def _watch(self) -> None:
        while True:
            now = self.clock().timestamp()
            for view in list(self.views.values()):
                if now >= view.claims.expires_at + SKEW_S:
                    view.end(Close.LEASE_EXPIRED)
            if not self.link.alive:
                self._go_dark()
            self.cameras.tend()
            await asyncio.sleep(_WATCH_S)

    def _go_dark(self) -> None:
        for view in list(self.views.values()):
            view.end(Close.CORE_GONE)
        self.cameras.close_all(Ended(Close.CORE_GONE, ""))
        self.looking.drop()

    def _revoke(self, revoke: Revoke) -> None:
        code = Close(revoke.code) if revoke.code in Close._value2member_map_ else Close.GRANT_ENDED
        for lease in revoke.leases:
            self._revoked[lease] = code
        while len(self._revoked) > _REVOKED_KEPT:
            self._revoked.pop(next(iter(self._revoked)))
        for view in list(self.views.values()):
            if view.claims.lease_id in revoke.leases:
                view.end(code, revoke.reason)

    def _taking(self) -> list[str]:
        return self.takings.running

    def _evidence(self, wish: Take | Halt | Keep) -> None:
        match wish:
            case Take():
                self.takings.take(wish)
            case Halt():
                self.takings.halt(wish.take)
            case Keep():
                self.cameras.keep(wish.cameras)

    def _look(self, cameras: Mapping[str, str]) -> None:
        self.looking.ask(cameras)

    def _warm(self, cameras: Mapping[str, str]) -> None:
        self.cameras.warm(cameras)

    async def _accept(self, socket: ServerConnection) -> None:
        self._connections += 1
        try:
            await self._serve(socket)
        except _EndError as end:
            await _close(socket, end.code, end.reason)
        except ConnectionClosed:
            pass
        finally:
            self._connections -= 1

    async def _serve(self, socket: ServerConnection) -> None:
        claims = await self._first_lease(socket)
        view = _View(new_id(), claims, asyncio.get_running_loop().create_future())
        self.views[view.id] = view
        end = _EndError(Close.DONE)
        try:
            end = await self._show(socket, view)
        except _EndError as early:
            end = early
        except ConnectionClosed:
            end = _EndError(Close.DONE, "the viewer left")
        finally:
            del self.views[view.id]
            self._report(view, end)
        await _close(socket, end.code, end.reason)

    def _report(self, view: _View, end: _EndError) -> None:
        if view.started_at is not None:
            seconds = time.monotonic() - view.started_at
            reason = reason_text(end.code, end.reason)
            self.link.report_stopped(view.id, seconds=seconds, sent=view.sent, code=end.code, reason=reason)

    async def _first_lease(self, socket: ServerConnection) -> LeaseClaims:
        try:
            message = await asyncio.wait_for(socket.recv(), _FIRST_MESSAGE_S)
        except TimeoutError:
            raise _EndError(Close.MALFORMED) from None
        claims = self._read(message)
        if claims.lease_id in self._revoked:
            raise _EndError(self._revoked[claims.lease_id])
        return claims

    def _read(self, message: str | bytes) -> LeaseClaims:
        try:
            token = msgspec.json.decode(message, type=_LeaseMessage).lease
        except msgspec.MsgspecError:
            raise _EndError(Close.MALFORMED) from None
        try:
            return read_lease(self._key, token, self.clock())
        except BadTokenError as bad:
            code = Close.LEASE_EXPIRED if bad.expired else Close.LEASE_NOT_VALID
            raise _EndError(code, "" if bad.expired else str(bad)) from None

    async def _show(self, socket: ServerConnection, view: _View) -> _EndError:
        """Runs the view's two halves, and ends with whatever ends first."""
        jobs: list[Coroutine[Any, Any, _EndError]] = [  # Any: coroutine plumbing
            self._send(socket, view),
            self._hear(socket, view),
        ]
        tasks: set[asyncio.Future[_EndError]] = {asyncio.ensure_future(job) for job in jobs} | {view.stop}
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return _first(view.stop if view.stop in done else next(iter(done)))

    async def _hear(self, socket: ServerConnection, view: _View) -> _EndError:
        """Renewals on the same socket: for the same lease, grant, camera and viewer only."""
        heard = 0
        async for message in socket:
            heard += 1
            if heard > 20 + self._seconds(view):
                return _EndError(Close.MALFORMED, "too many messages")
            renewed = self._read(message)
            if _who(renewed) != _who(view.claims):
                raise _EndError(Close.LEASE_NOT_VALID, "the renewal is for another lease")
            if renewed.expires_at > view.claims.expires_at:
                view.claims = renewed
        return _EndError(Close.DONE, "the viewer left")

    def _seconds(self, view: _View) -> float:
        return 0.0 if view.started_at is None else time.monotonic() - view.started_at

    async def _send(self, socket: ServerConnection, view: _View) -> _EndError:
        feed = await self._allowed(view)
        header = await feed.ready()
        if not isinstance(header, Header):
            return _EndError(header.code, header.reason)
        await socket.send(encode(_Ready(header.codec, header.width, header.height)).decode())
        await self._put(socket, view, header.init)
        backlog = feed.join()
        try:
            return await self._stream(socket, view, feed, backlog)
        finally:
            feed.leave(backlog, time.monotonic())

    async def _allowed(self, view: _View) -> Feed:
        """Core's yes (which is the audit row) and the camera's feed."""
        asked_at = time.monotonic()
        answer = await asyncio.shield(self._ask(view, asked_at))
        if isinstance(answer, Refused):
            raise _EndError(_code(answer.code), answer.reason)
        feed = self.cameras.feed(answer.camera, answer.source)
        if isinstance(feed, Ended):
            raise _EndError(feed.code, feed.reason)
        if len(feed.viewers) >= self.config.max_viewers_per_camera:
            raise _EndError(Close.TOO_MANY)
        return feed

    async def _ask(self, view: _View, asked_at: float) -> Opened | Refused:
        """Shielded: if the viewer leaves while core records the start, its stop is still reported."""
        answer = await self.link.ask(view.id, view.claims.lease_id)
        if isinstance(answer, Opened):
            view.started_at = asked_at
            self._end_older(view)
            if view.id not in self.views:
                self._report(view, _EndError(Close.DONE, "the viewer left"))
        return answer

    def _end_older(self, view: _View) -> None:
        """A lease is one viewer at one screen: opened again, the newest place is shown."""
        for other in list(self.views.values()):
            if other is not view and other.claims.lease_id == view.claims.lease_id and other.started_at is not None:
                other.end(Close.LEASE_NOT_VALID, "the lease was opened elsewhere / 다른 곳에서 열렸습니다")

    async def _stream(self, socket: ServerConnection, view: _View, feed: Feed, backlog: Backlog) -> _EndError:
        while (picture := await backlog.next()) is not None:
            await self._put(socket, view, picture.data)
        ended = feed.ended or Ended(Close.CAMERA_DOWN, "")
        return _EndError(ended.code, ended.reason)

    async def _put(self, socket: ServerConnection, view: _View, data: bytes) -> None:
        if not self.link.alive:
            raise _EndError(Close.CORE_GONE)
        try:
            async with asyncio.timeout(self.config.slow_s):
                await socket.send(data)
        except TimeoutError:
            raise _EndError(Close.TOO_SLOW) from None
        view.sent += len(data)

    async def shut(self) -> None:
        """Ends every view and gives its report a moment to be acknowledged."""
        for view in list(self.views.values()):
            view.end(Close.SHUTTING_DOWN)
        self.takings.halt_all()
        deadline = time.monotonic() + 2.0
        while (self.views or self.takings.running or self.link.unreported) and time.monotonic() < deadline:
            await asyncio.sleep(0.02)
        self.cameras.close_all(Ended(Close.SHUTTING_DOWN, ""))
        await self.takings.close()
        await self.looking.close()


def _who(claims: LeaseClaims) -> tuple[str, str, str, str]:
    return claims.lease_id, claims.grant_id, claims.camera_id, claims.viewer


def _code(value: int) -> Close:
    try:
        return Close(value)
    except ValueError:
        return Close.LEASE_NOT_VALID


def _first(task: asyncio.Future[_EndError]) -> _EndError:
    try:
        return task.result()
    except _EndError as end:
        return end
    except ConnectionClosed:
        return _EndError(Close.DONE, "the viewer left")


async def _close(socket: ServerConnection, code: Close, reason: str) -> None:
    with suppress(ConnectionClosed):
        await socket.close(int(code), reason_text(code, reason))
