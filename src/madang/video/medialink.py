"""Core's end of the line to the media gateway: records each view before it starts and after it stops, and watches.

Watching is by state, not by event: every second, and at once when something was committed, each running view's lease
is looked up, and what may no longer be shown is revoked. The heartbeat is sent only after that look succeeded, so a
core without its store goes silent and the gateway goes dark.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol, TypeVar

import msgspec
import structlog
from django.db import DatabaseError

from madang.journal import civic
from madang.kernel.clock import Clock, system_clock
from madang.kernel.keyring import Keyring
from madang.video.commands import set_camera_health, start_view, stop_view
from madang.video.commands.grants import config
from madang.video.commands.leases import not_showable
from madang.video.commands.sites import stream_source
from madang.video.domain import GrantState
from madang.video.media.protocol import (
    Ack,
    Beat,
    Close,
    FromCore,
    HealthSeen,
    Hello,
    LookAt,
    Looked,
    Open,
    Opened,
    Piece,
    Refused,
    Revoke,
    Stopped,
    Taken,
    Warm,
    decode_from_media,
    encode,
)
from madang.video.models import Lease, VideoGrant, ViewSession
from madang.video.sweep import Sweep

log = structlog.get_logger(__name__)
T = TypeVar("T")
Scope = MutableMapping[str, Any]  # Any: ASGI
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]  # Any: ASGI
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]  # Any: ASGI

_POLL_S = 1.0
_GATHER_S = 0.1
"""Commits this close together are looked at once."""
_WARM_FOR = timedelta(seconds=30)
_CODES = {"revoked": Close.GRANT_ENDED, "expired": Close.LEASE_EXPIRED, "unknown": Close.LEASE_NOT_VALID}


class RunCivic(Protocol):
    """Runs a function that uses the civic store on a bounded thread."""

    def __call__(self, work: Callable[[], T], /) -> Awaitable[T]: ...


class SideLine(Protocol):
    """What another room has to say and hear on this line: evidence."""

    def hello(self, takes: Sequence[str], now: datetime) -> None: ...
    def due(self, now: datetime) -> list[FromCore]: ...
    def hear(self, message: Piece | Taken, now: datetime) -> bool: ...


_SIDES: list[Callable[[], SideLine]] = []


def join_line(side: Callable[[], SideLine]) -> None:
    """Lets a room above share the line; `side` is made anew with each connection of a gateway."""
    if side not in _SIDES:
        _SIDES.append(side)


def own_thread() -> RunCivic:
    """One thread of its own for the link, so that a busy site never delays a heartbeat or a revocation."""
    pool = ThreadPoolExecutor(1, thread_name_prefix="media-link")

    def run(work: Callable[[], T], /) -> Awaitable[T]:
        return asyncio.get_running_loop().run_in_executor(pool, _on_connection, work)

    return run


def _on_connection(work: Callable[[], T]) -> T:
    try:
        return work()
    except DatabaseError:
        civic.store.recover()
        raise


class Lends(Protocol):
    """What the site lends: the keys and the time."""

    @property
    def keyring(self) -> Keyring: ...
    @property
    def clock(self) -> Clock: ...


def asgi_app(services: Lends) -> MediaLink:
    """The app for `/internal/media/link`."""
    return MediaLink(services.keyring.media_secret, clock=services.clock)


@dataclass(slots=True)
class MediaLink:
    """The ASGI app behind `/internal/media/link`."""

    secret: str = field(repr=False)
    run: RunCivic = field(default_factory=own_thread)
    clock: Clock = system_clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one gateway connection."""
        if scope["type"] != "websocket":
            await _not_found(send)
            return
        await receive()
        if not self._known(scope):
            log.warning("media.link.refused")
            await send({"type": "websocket.close", "code": 4401, "reason": "wrong secret"})
            return
        await send({"type": "websocket.accept"})
        await _Session(self, receive, send).serve()

    def _known(self, scope: Scope) -> bool:
        headers = dict(scope.get("headers", []))
        given = headers.get(b"authorization", b"")
        return bool(self.secret) and hmac.compare_digest(given, f"Bearer {self.secret}".encode())


async def _not_found(send: Send) -> None:
    await send({"type": "http.response.start", "status": 404, "headers": []})
    await send({"type": "http.response.body", "body": b""})


@dataclass(slots=True)
class _Session:
    link: MediaLink
    receive: Receive
    send: Send
    views: dict[str, str] = field(default_factory=dict)
    """Running views of this gateway: view id → lease id."""
    warmed: dict[str, datetime] = field(default_factory=dict)
    sweep: Sweep = field(default_factory=lambda: Sweep(config()))
    sides: list[SideLine] = field(default_factory=lambda: [make() for make in _SIDES])
    greeted: bool = False

    async def serve(self) -> None:
        changed = asyncio.Event()
        loop = asyncio.get_running_loop()
        forget = civic.add_listener("changes", lambda: _wake(loop, changed))
        watching = asyncio.create_task(self._watch(changed))
        try:
            while (message := await self.receive())["type"] != "websocket.disconnect":
                await self._hear(message)
        finally:
            forget()
            watching.cancel()
            with suppress(asyncio.CancelledError):
                await watching
            with suppress(DatabaseError):
                await self.link.run(lambda: self.sweep.tell(self.link.clock(), ending=True))

    async def _say(self, message: FromCore) -> None:
        await self.send({"type": "websocket.send", "text": encode(message).decode()})

    async def _hear(self, message: Mapping[str, Any]) -> None:  # Any: ASGI
        try:
            heard = decode_from_media(message.get("text") or message.get("bytes") or b"")
        except msgspec.MsgspecError:
            log.warning("media.link.unreadable")
            return
        match heard:
            case Hello():
                self.views.update(heard.views)
                await self._greet(heard)
            case Open():
                await self._say(await self._open(heard))
            case Stopped():
                self.views.pop(heard.view, None)
                await self._store(heard.id, lambda: self._stopped(heard))
            case HealthSeen():
                await self._store(heard.id, lambda: self._health(heard))
            case Looked():
                await self._store(heard.id, lambda: self.sweep.take(heard, self.link.clock()))
            case Piece() | Taken():
                await self._store(heard.id, lambda: self._kept(heard))

    async def _open(self, asked: Open) -> Opened | Refused:
        try:
            answer = await self.link.run(lambda: self._start(asked))
        except DatabaseError:
            log.exception("media.link.open_failed")
            return Refused(asked.id, Close.CORE_GONE, "")
        if isinstance(answer, Opened):
            self.views[asked.view] = asked.lease
        return answer

    def _start(self, asked: Open) -> Opened | Refused:
        with civic.transaction() as tx:
            view = start_view(tx, lease_id=asked.lease, view_id=asked.view, now=self.link.clock())
        if isinstance(view, ViewSession):
            return Opened(asked.id, view.camera_id, stream_source(view.camera))
        return Refused(asked.id, _CODES.get(view, Close.GRANT_ENDED), "")

    async def _store(self, number: int, work: Callable[[], bool | None]) -> None:
        """Stores a report and acknowledges it; what could not be stored (or not yet) is sent again by the gateway."""
        try:
            stored = await self.link.run(work)
        except DatabaseError:
            log.exception("media.link.report_failed")
            return
        if stored is not False:
            await self._say(Ack(number))

    async def _greet(self, heard: Hello) -> None:
        with suppress(DatabaseError):
            await self.link.run(lambda: self._introduce(heard.takes))
            self.greeted = True

    def _introduce(self, takes: Sequence[str]) -> None:
        for side in self.sides:
            side.hello(takes, self.link.clock())

    def _kept(self, heard: Piece | Taken) -> bool:
        return all(side.hear(heard, self.link.clock()) for side in self.sides)

    def _stopped(self, heard: Stopped) -> None:
        with civic.transaction() as tx:
            stop_view(
                tx,
                view_id=heard.view,
                now=self.link.clock(),
                seconds=heard.seconds,
                bytes_sent=heard.bytes,
                code=heard.code,
                reason=heard.reason,
            )

    def _health(self, heard: HealthSeen) -> None:
        with civic.transaction() as tx:
            set_camera_health(tx, heard.camera, heard.health, self.link.clock(), heard.reason)

    async def _watch(self, changed: asyncio.Event) -> None:
        while True:
            changed.clear()
            try:
                messages = await self.link.run(self._look)
            except DatabaseError:
                log.exception("media.link.store_gone")
                messages = []
            else:
                messages.append(Beat())
            for message in messages:
                await self._say(message)
            with suppress(TimeoutError):
                await asyncio.wait_for(changed.wait(), _POLL_S)
            await asyncio.sleep(_GATHER_S)

    def _look(self) -> list[FromCore]:
        now = self.link.clock()
        sides = [message for side in self.sides for message in side.due(now)] if self.greeted else []
        return [*self._revocations(now), *self._warmings(now), *self._looks(now), *sides]

    def _looks(self, now: datetime) -> list[FromCore]:
        self.sweep.tell(now)
        cameras = self.sweep.due(now)
        return [LookAt(cameras)] if cameras else []

    def _revocations(self, now: datetime) -> list[FromCore]:
        leases = set(self.views.values())
        found = Lease.objects.select_related("grant", "grant__case").filter(pk__in=leases).in_bulk() if leases else {}
        ended: dict[tuple[Close, str], list[str]] = {}
        for lease_id in leases:
            lease = found.get(lease_id)
            why = not_showable(lease, now)
            if why:
                ended.setdefault(_told(why, lease), []).append(lease_id)
        self.views = {view: lease for view, lease in self.views.items() if not any(lease in x for x in ended.values())}
        return [Revoke(leases=ids, code=int(code), reason=reason) for (code, reason), ids in ended.items()]

    def _warmings(self, now: datetime) -> list[FromCore]:
        self.warmed = {grant: at for grant, at in self.warmed.items() if now - at < 2 * _WARM_FOR}
        grants = VideoGrant.objects.filter(state=GrantState.APPROVED, decided_at__gte=now - _WARM_FOR)
        cameras: dict[str, str] = {}
        for grant in grants.exclude(pk__in=self.warmed)[:50]:
            self.warmed[grant.pk] = now
            offered = grant.grant_cameras.filter(until_version=None).exclude(camera__stream_sealed=b"")
            best = offered.select_related("camera").order_by("rank")[: config().prewarm_per_grant]
            cameras.update({link.camera_id: stream_source(link.camera) for link in best})
        return [Warm(cameras)] if cameras else []


def _told(why: str, lease: Lease | None) -> tuple[Close, str]:
    if lease is not None and lease.end_reason == "closed":
        return Close.DONE, "closed"
    return _CODES[why], ""


def _wake(loop: asyncio.AbstractEventLoop, event: asyncio.Event) -> None:
    with suppress(RuntimeError):
        loop.call_soon_threadsafe(event.set)
