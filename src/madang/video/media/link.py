"""The gateway's line to core: heartbeats in, permission asked, ends reported until acknowledged, revocations heard."""

from __future__ import annotations

import asyncio
import itertools
import ssl
import time
from collections.abc import Callable, Mapping
from contextlib import suppress

import msgspec
import structlog
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake, InvalidMessage, WebSocketException

from madang.video.media.config import MediaConfig
from madang.video.media.protocol import (
    Ack,
    Beat,
    Close,
    FromCore,
    FromMedia,
    Halt,
    HealthSeen,
    Hello,
    Keep,
    LookAt,
    Looked,
    Open,
    Opened,
    Piece,
    Refused,
    Revoke,
    Stopped,
    Take,
    Taken,
    Warm,
    decode_from_core,
    encode,
)

log = structlog.get_logger(__name__)
_RETRY_S = 0.5
_RESEND_S = 3.0
_ANSWER_S = 5.0
_HEALTH_AGAIN_S = 600.0
_MAX_REPORTS = 50_000

Answer = Opened | Refused


class Link:
    """One connection to core at a time, for ever tried again."""

    def __init__(
        self,
        config: MediaConfig,
        *,
        views: Callable[[], Mapping[str, str]],
        on_revoke: Callable[[Revoke], None],
        on_warm: Callable[[Mapping[str, str]], None],
        on_look: Callable[[Mapping[str, str]], None] = lambda _cameras: None,
        on_evidence: Callable[[Take | Halt | Keep], None] = lambda _wish: None,
        takes: Callable[[], list[str]] = list,
    ) -> None:
        self._config = config
        self._views = views
        self._on_revoke = on_revoke
        self._on_warm = on_warm
        self._on_look = on_look
        self._on_evidence = on_evidence
        self._takes = takes
        self._socket: ClientConnection | None = None
        self._beat_at = float("-inf")
        self._numbers = itertools.count(1)
        self._asked: dict[int, asyncio.Future[Answer]] = {}
        self._reports: dict[int, FromMedia] = {}
        self._health: dict[str, tuple[str, str, float]] = {}

    @property
    def alive(self) -> bool:
        """Whether core was heard of recently enough to show anything."""
        return time.monotonic() - self._beat_at <= self._config.heartbeat_timeout_s

    @property
    def unreported(self) -> int:
        """Reports core has not acknowledged yet."""
        return len(self._reports)

    async def run(self) -> None:
        """Keeps the line up until cancelled."""
        while True:
            with suppress(OSError, TimeoutError, WebSocketException, InvalidHandshake, InvalidMessage):
                await self._once()
            self._socket = None
            await asyncio.sleep(_RETRY_S)

    async def _once(self) -> None:
        headers = {"Authorization": f"Bearer {self._config.secret}"}
        async with connect(
            self._config.core_link_url,
            additional_headers=headers,
            open_timeout=3,
            close_timeout=1,
            max_size=4_000_000,
            proxy=None,
            compression=None,
            ssl=_trust(self._config),
        ) as socket:
            self._socket = socket
            await socket.send(encode(Hello(dict(self._views()), [*self._takes(), *self._untold()])))
            resend = asyncio.create_task(self._resend(socket))
            try:
                async for message in socket:
                    self._hear(message)
            finally:
                resend.cancel()

    async def _resend(self, socket: ClientConnection) -> None:
        while True:
            for report in list(self._reports.values()):
                await socket.send(encode(report))
            await asyncio.sleep(_RESEND_S)

    def _hear(self, message: str | bytes) -> None:
        try:
            heard: FromCore = decode_from_core(message)
        except msgspec.MsgspecError:
            log.warning("media.link.unreadable")
            return
        match heard:
            case Beat():
                self._beat_at = time.monotonic()
            case Opened() | Refused():
                future = self._asked.pop(heard.id, None)
                if future is not None and not future.done():
                    future.set_result(heard)
            case Ack():
                self._reports.pop(heard.id, None)
            case Revoke():
                self._on_revoke(heard)
            case Warm():
                self._on_warm(heard.cameras)
            case LookAt():
                self._on_look(heard.cameras)
            case Take() | Halt() | Keep():
                self._on_evidence(heard)

    def _untold(self) -> list[str]:
        return [report.take for report in self._reports.values() if isinstance(report, Taken)]

    async def ask(self, view: str, lease: str) -> Answer:
        """Asks core to record and allow a view; refused with 4504 when core does not answer."""
        number = next(self._numbers)
        gone = Refused(number, Close.CORE_GONE, "")
        if self._socket is None or not self.alive:
            return gone
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._asked[number] = future
        try:
            await self._socket.send(encode(Open(number, view, lease)))
            return await asyncio.wait_for(future, _ANSWER_S)
        except (TimeoutError, WebSocketException):
            return gone
        finally:
            self._asked.pop(number, None)

    def report_stopped(self, view: str, *, seconds: float, sent: int, code: Close, reason: str) -> None:
        """A view has ended; told to core until it says it is stored."""
        number = next(self._numbers)
        self._report(number, Stopped(number, view, round(seconds, 3), sent, int(code), reason))

    def report_health(self, camera: str, health: str, reason: str) -> None:
        """What was seen of a camera, when it differs from what was last told or that is long ago."""
        now = time.monotonic()
        *told, at = self._health.get(camera, ("", "", 0.0))
        if told == [health, reason] and now - at < _HEALTH_AGAIN_S:
            return
        self._health[camera] = (health, reason, now)
        number = next(self._numbers)
        self._report(number, HealthSeen(number, camera, health, reason))

    def report_look(self, camera: str, look: Looked) -> None:
        """What a look at a camera found; told to core until it says it is stored."""
        number = next(self._numbers)
        self._report(number, msgspec.structs.replace(look, id=number, camera=camera))

    def report_piece(self, take: str, number: int, data: bytes) -> None:
        """The next bytes of what is taken; told to core until it says they are stored."""
        report = next(self._numbers)
        self._report(report, Piece(report, take, number, data))

    def report_taken(self, taken: Taken) -> None:
        """The end of a take; told to core until it says it is stored."""
        number = next(self._numbers)
        self._report(number, msgspec.structs.replace(taken, id=number))

    def unstored_bytes(self, take: str) -> int:
        """How much of a take core has not stored yet."""
        pieces = (report for report in self._reports.values() if isinstance(report, Piece) and report.take == take)
        return sum(len(piece.data) for piece in pieces)

    def _report(self, number: int, report: FromMedia) -> None:
        if len(self._reports) >= _MAX_REPORTS:
            log.error("media.link.reports_full")
            self._reports.pop(next(iter(self._reports)))
        self._reports[number] = report
        socket = self._socket
        if socket is not None:
            task = asyncio.get_running_loop().create_task(_send(socket, encode(report)))
            _SENDING.add(task)
            task.add_done_callback(_SENDING.discard)


def _trust(config: MediaConfig) -> ssl.SSLContext | None:
    if not config.core_link_url.startswith("wss:"):
        return None
    return ssl.create_default_context(cafile=config.core_link_ca or None)


_SENDING: set[asyncio.Task[None]] = set()


async def _send(socket: ClientConnection, data: bytes) -> None:
    with suppress(WebSocketException):
        await socket.send(data)
