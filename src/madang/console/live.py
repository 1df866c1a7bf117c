"""The live stream of the screens: server-sent events from the civic change feed. Plain ASGI, no thread a reader.

One tailer reads the feed for everybody; each row is projected once per distinct sight and fanned out to bounded
backlogs in which a newer change of a thing replaces the older. A reader that cannot be served gap-free is told
`reset` and fetches its snapshot again.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from typing import Any, Protocol, TypeVar
from urllib.parse import parse_qs

import orjson

from madang.console.sight import Sight, Viewer
from madang.console.stream import Backlog, Event, comment, frame, parse_cursor
from madang.kernel.errors import NotAuthenticatedError, NotFoundError, UnavailableError, problem

T = TypeVar("T")
Scope = MutableMapping[str, Any]  # Any: the ASGI message format is untyped
Message = MutableMapping[str, Any]  # Any: the same
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]

log = logging.getLogger(__name__)

BATCH = 500


class Services(Protocol):
    """What the site lends: a way to run database work off the event loop."""

    async def run_civic(self, work: Callable[[], T]) -> T: ...


class Change(Protocol):
    """One row of `journal.changes`."""

    @property
    def seq(self) -> int: ...
    @property
    def kind(self) -> str: ...
    @property
    def ref(self) -> str: ...
    @property
    def authority(self) -> str: ...


class Source(Protocol):
    """The civic reads behind the stream; each call is one piece of database work."""

    def viewer(self, session_key: str) -> Viewer | None:
        """Who the session belongs to now, or None once it has ended."""

    def span(self) -> tuple[int, int]:
        """The cursors that can be resumed from, oldest and newest."""

    def after(self, seq: int, limit: int) -> Sequence[Change]:
        """The next changes of every city."""

    def project(self, sight: Sight, changes: Sequence[Change]) -> list[Event]:
        """The changes as that sight sees them now, in the order given."""

    def floating(self, sight: Sight) -> list[Event]:
        """Rows that live outside the change feed (feeds, counters), as they are now."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How often things happen, in seconds, and how much may wait."""

    keep_alive_s: float = 10.0
    poll_s: float = 1.0
    gather_s: float = 0.1
    session_s: float = 10.0
    floating_s: float = 5.0
    backlog: int = 2_000
    readers: int = 500


@dataclass(eq=False)
class Reader:
    """One open stream: whose, how far it has heard, and what waits for it."""

    session_key: str
    viewer: Viewer
    seq: int
    backlog: Backlog
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    ended: bool = False

    def end(self) -> None:
        self.ended = True
        self.wake.set()


Framed = list[tuple[tuple[str, str], bytes]]
Listen = Callable[[Callable[[], None]], Callable[[], None]]
"""Registers what is called (on any thread) when something was committed; returns what ends it."""


def _framed(events: Sequence[Event]) -> Framed:
    return [((event.kind, event.ref), event.frame()) for event in events]


class LiveFeed:
    """The one tailer and its readers. All state belongs to the event loop."""

    def __init__(self, services: Services, source: Source, pace: Pace, listen: Listen) -> None:
        self._services = services
        self._source = source
        self._listen = listen
        self._unlisten: Callable[[], None] | None = None
        self.pace = pace
        self.readers: set[Reader] = set()
        self.position = -1
        self._nudge = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._shown: dict[Sight, dict[tuple[str, str], bytes]] = {}

    async def _civic(self, work: Callable[..., T], *args: object) -> T:
        return await self._services.run_civic(functools.partial(work, *args))

    async def start(self) -> None:
        """Begins tailing at the newest change; called by the first reader."""
        if self._tasks:
            return
        loop = asyncio.get_running_loop()

        def nudge() -> None:
            loop.call_soon_threadsafe(self._nudge.set)

        self._unlisten = self._listen(nudge)
        endless = (self._tail, self._check_sessions, self._show_floating)
        self._tasks = [asyncio.create_task(self._guarded(work)) for work in endless]
        if self.position < 0:
            newest = (await self._civic(self._source.span))[1]
            self.position = max(self.position, newest)

    async def stop(self) -> None:
        """Ends every stream and the tailer."""
        for reader in self.readers:
            reader.end()
        if self._unlisten is not None:
            self._unlisten()
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _guarded(self, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await work()
            except Exception:
                # The stream outlives a locked database.
                log.exception("live stream: %s failed, trying again", getattr(work, "__name__", "?"))
            await asyncio.sleep(self.pace.poll_s)

    async def _tail(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._nudge.wait(), self.pace.poll_s)
            self._nudge.clear()
            if self.position >= 0:
                while await self._step() == BATCH:
                    pass
            await asyncio.sleep(self.pace.gather_s)

    async def _step(self) -> int:
        before = self.position
        changes = await self._civic(self._source.after, before, BATCH)
        if not changes:
            return 0
        sights = {reader.viewer.sight for reader in self.readers}
        framed = {sight: await self._project(sight, changes) for sight in sights}
        self.position = changes[-1].seq
        for reader in self.readers:
            self._hand_out(reader, before, framed)
        return len(changes)

    async def _project(self, sight: Sight, changes: Sequence[Change]) -> Framed:
        newest = {(change.kind, change.ref): change for change in changes if change.authority == sight.authority}
        wanted = sorted(newest.values(), key=lambda change: change.seq)
        return _framed(await self._civic(self._source.project, sight, wanted)) if wanted else []

    def _hand_out(self, reader: Reader, before: int, framed: Mapping[Sight, Framed]) -> None:
        # A reader still catching up, or who came while this batch was projected, reads the feed itself.
        mine = framed.get(reader.viewer.sight)
        if reader.seq == before and mine is not None:
            reader.backlog.add(mine)
            reader.seq = self.position
        reader.wake.set()

    async def catch_up(self, reader: Reader) -> None:
        """Brings one reader from its cursor to where the tailer is."""
        while reader.seq < self.position and not reader.ended:
            changes = await self._civic(self._source.after, reader.seq, BATCH)
            framed = await self._project(reader.viewer.sight, changes)
            reader.backlog.add(framed)
            reader.seq = changes[-1].seq if changes else self.position

    async def _check_sessions(self) -> None:
        while True:
            await asyncio.sleep(self.pace.session_s)
            readers = list(self.readers)
            if not readers:
                continue
            keys = {reader.session_key for reader in readers}
            now_is = await self._civic(self._viewers, keys)
            for reader in readers:
                if now_is[reader.session_key] != reader.viewer:
                    reader.end()

    def _viewers(self, keys: Collection[str]) -> dict[str, Viewer | None]:
        return {key: self._source.viewer(key) for key in keys}

    async def _show_floating(self) -> None:
        while True:
            await asyncio.sleep(self.pace.floating_s)
            sights = {reader.viewer.sight for reader in self.readers}
            self._shown = {sight: shown for sight, shown in self._shown.items() if sight in sights}
            for sight in sights:
                frames = dict(_framed(await self._civic(self._source.floating, sight)))
                fresh = [item for item in frames.items() if self._shown.get(sight, {}).get(item[0]) != item[1]]
                self._shown[sight] = frames
                self._offer(sight, fresh)

    def _offer(self, sight: Sight, framed: Framed) -> None:
        for reader in self.readers:
            if framed and reader.viewer.sight == sight:
                reader.backlog.add(framed)
                reader.wake.set()

    async def enter(self, session_key: str, cursor: int | None) -> tuple[Reader, bytes]:
        """Admits a reader; the bytes are its first words: `hello`, or `reset` when its cursor cannot be resumed."""
        viewer = await self._civic(self._source.viewer, session_key) if session_key else None
        if viewer is None:
            raise NotAuthenticatedError(
                "No open session", ko="로그인이 필요합니다", hint="Log in and open the stream again"
            )
        if len(self.readers) >= self.pace.readers:
            raise UnavailableError(
                "Too many live streams are open", ko="실시간 연결이 너무 많습니다", hint="Try again later"
            )
        await self.start()
        oldest, newest = await self._civic(self._source.span)
        known = cursor is not None and oldest <= cursor <= newest
        reader = Reader(
            session_key, viewer, cursor if known and cursor is not None else newest, Backlog(self.pace.backlog)
        )
        reader.backlog.add(self._shown.get(viewer.sight, {}).items())
        self.readers.add(reader)
        name = "hello" if known or cursor is None else "reset"
        return reader, frame(name, {"cursor": reader.seq}, seq=reader.seq)

    async def next_bytes(self, reader: Reader) -> bytes:
        """What to send now: frames, a reset, or after a silence a keep-alive. Empty when the stream has ended."""
        try:
            async with asyncio.timeout(self.pace.keep_alive_s):
                return await self._frames(reader)
        except TimeoutError:
            return comment("keep-alive")

    async def _frames(self, reader: Reader) -> bytes:
        while not reader.ended:
            reader.wake.clear()
            await self.catch_up(reader)
            if reader.backlog.overflowed:
                reader.backlog.clear()
                return frame("reset", {"cursor": reader.seq}, seq=reader.seq)
            if len(reader.backlog):
                return reader.backlog.take()
            await reader.wake.wait()
        return b""


def _cookie(scope: Scope, name: str) -> str:
    jar: SimpleCookie = SimpleCookie()
    for key, value in scope["headers"]:
        if key == b"cookie":
            with contextlib.suppress(CookieError):
                jar.load(value.decode("latin-1"))
    return jar[name].value if name in jar else ""


def _header(scope: Scope, name: bytes) -> str | None:
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), None)


def _asked_cursor(scope: Scope) -> int | None:
    query = parse_qs(scope.get("query_string", b"").decode("latin-1"))
    return parse_cursor(_header(scope, b"last-event-id") or next(iter(query.get("cursor", [])), None))


async def _refuse(send: Send, body: Mapping[str, Any]) -> None:  # Any: problem members
    headers = [(b"content-type", b"application/problem+json"), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": body["status"], "headers": headers})
    await send({"type": "http.response.body", "body": orjson.dumps(body)})


_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
]


class LiveApp:
    """`/api/console/live` as an ASGI application. Call `stop()` before the server waits for its connections."""

    def __init__(self, feed: LiveFeed, session_cookie: str) -> None:
        self.feed = feed
        self._cookie_name = session_cookie

    async def stop(self) -> None:
        await self.feed.stop()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise NotFoundError("The live stream speaks HTTP only")
        if scope["method"] != "GET":
            return await _refuse(send, problem("bad-request", 405, "The live stream is read with GET", scope["method"]))
        try:
            reader, first = await self.feed.enter(_cookie(scope, self._cookie_name), _asked_cursor(scope))
        except (NotAuthenticatedError, UnavailableError) as error:
            return await _refuse(send, error.problem())
        try:
            await self._serve(reader, first, receive, send)
        finally:
            self.feed.readers.discard(reader)
        return None

    async def _serve(self, reader: Reader, first: bytes, receive: Receive, send: Send) -> None:
        gone = asyncio.create_task(_until_gone(receive, reader))
        try:
            await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
            await send({"type": "http.response.body", "body": b"retry: 2000\n" + first, "more_body": True})
            while data := await self.feed.next_bytes(reader):
                await send({"type": "http.response.body", "body": data, "more_body": True})
            await send({"type": "http.response.body", "body": frame("bye", {})})
        finally:
            gone.cancel()
            await asyncio.gather(gone, return_exceptions=True)


async def _until_gone(receive: Receive, reader: Reader) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    reader.end()


def asgi_app(services: Services) -> LiveApp:
    """The live stream over the civic store, as this city configured it."""
    from django.conf import settings

    from madang.console.config import console_config
    from madang.console.snapshot import CivicSource
    from madang.journal import civic

    config = console_config()
    pace = Pace(
        keep_alive_s=config.keep_alive_s,
        session_s=config.session_check_s,
        backlog=config.live_backlog,
        readers=config.live_readers,
    )
    feed = LiveFeed(services, CivicSource(), pace, functools.partial(civic.add_listener, "changes"))
    return LiveApp(feed, settings.SESSION_COOKIE_NAME)
