"""Keeping pictures as evidence, on core's word: a still, a recording, or what a camera's ring holds.

Pictures are copied as the camera sent them; only a still is decoded, in a process of its own. Nothing is kept here:
pieces go to core, which seals and stores them before it acknowledges.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from madang.video.media.cameras import Cameras
from madang.video.media.config import MediaConfig
from madang.video.media.feed import Backlog, Feed, Fragment, Header
from madang.video.media.protocol import Take, Taken
from madang.video.media.stills import StillMaker, StillRefusedError

PIECE_BYTES = 448_000
"""The most one message to core carries."""
_FLUSH_S = 1.0
_READY_S = 10.0


class Line(Protocol):
    """The line to core, as far as a take needs it."""

    def report_piece(self, take: str, number: int, data: bytes) -> None: ...
    def report_taken(self, taken: Taken) -> None: ...
    def unstored_bytes(self, take: str) -> int: ...


class TakeBrokenError(Exception):
    """The take cannot go on; the reason is told to core."""


@dataclass(slots=True, eq=False)
class _Running:
    """One take under way: what was sent of it, and how to end it."""

    take: Take
    task: asyncio.Task[None] | None = None
    backlog: Backlog | None = None
    header: Header | None = None
    halted: bool = False
    pieces: int = 0
    bytes: int = 0
    began_at: float = 0.0
    ended_at: float = 0.0
    waiting: bytearray = field(default_factory=bytearray)

    def halt(self) -> None:
        self.halted = True
        if self.backlog is not None:
            self.backlog.end()


class Takings:
    """Every take under way. All methods run on the event loop; `clock` is wall time."""

    def __init__(self, config: MediaConfig, cameras: Cameras, line: Line, clock: Callable[[], datetime]) -> None:
        self._config = config
        self._cameras = cameras
        self._line = line
        self._clock = clock
        self._stills = StillMaker()
        self._running: dict[str, _Running] = {}

    @property
    def running(self) -> list[str]:
        """The takes under way."""
        return list(self._running)

    def take(self, take: Take) -> None:
        """Begins a take; one that runs already is not begun twice."""
        if take.take in self._running:
            return
        running = _Running(take)
        self._running[take.take] = running
        running.task = asyncio.get_running_loop().create_task(self._run(running))

    def halt(self, take: str) -> None:
        """Ends a recording; what was taken so far is kept."""
        running = self._running.get(take)
        if running is not None:
            running.halt()

    def halt_all(self) -> None:
        """The process stops: every recording ends with what it has."""
        for running in self._running.values():
            running.halt()

    async def close(self) -> None:
        """Ends what still runs."""
        tasks = [running.task for running in self._running.values() if running.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._stills.close()

    async def _run(self, running: _Running) -> None:
        work = {"still": self._still, "past": self._past, "recording": self._record}.get(running.take.kind)
        reason = ""
        try:
            if work is None:
                raise TakeBrokenError("unknown_kind")
            await work(running)
        except TakeBrokenError as broken:
            reason = str(broken)
        finally:
            self._flush(running)
            self._running.pop(running.take.take, None)
        self._line.report_taken(_taken(running, reason))

    # ------------------------------------------------------------------------------------------------- the kinds

    async def _still(self, running: _Running) -> None:
        feed = self._cameras.open_feed(running.take.camera)
        if feed is None or feed.header is None or not feed.group:
            raise TakeBrokenError("camera_not_open")
        running.began_at = running.ended_at = self._wall(feed.last_picture_at)
        pictures = b"".join(fragment.data for fragment in feed.group)
        try:
            picture = await self._stills.make(feed.header.init + pictures)
        except StillRefusedError as refused:
            raise TakeBrokenError(str(refused)) from None
        running.header = Header(b"", "image/jpeg", picture.width, picture.height)
        running.waiting += picture.jpeg

    async def _past(self, running: _Running) -> None:
        feed = self._cameras.open_feed(running.take.camera)
        now = time.monotonic()
        kept = feed.past.pictures(running.take.seconds, now) if feed is not None else []
        if feed is None or feed.header is None or not kept:
            raise TakeBrokenError("nothing_kept")
        running.header = feed.header
        running.began_at, running.ended_at = self._wall(kept[0][0]), self._wall(kept[-1][0])
        running.waiting += feed.header.init
        for _, fragment in kept:
            running.waiting += fragment.data
            self._send(running, PIECE_BYTES)

    async def _record(self, running: _Running) -> None:
        feed = self._cameras.feed(running.take.camera, running.take.source)
        if not isinstance(feed, Feed):
            raise TakeBrokenError("camera_not_answering")
        running.header = await self._ready(feed)
        running.waiting += running.header.init
        running.began_at = self._clock().timestamp()
        running.backlog = feed.join()
        ends = asyncio.get_running_loop().call_later(running.take.seconds, running.halt)
        if running.halted:
            running.backlog.end()
        try:
            await self._gather(running, running.backlog)
        finally:
            ends.cancel()
            feed.leave(running.backlog, time.monotonic())
            running.ended_at = self._clock().timestamp()
        if not running.halted:
            raise TakeBrokenError("camera_stopped")

    async def _ready(self, feed: Feed) -> Header:
        try:
            header = await asyncio.wait_for(feed.ready(), _READY_S)
        except TimeoutError:
            raise TakeBrokenError("camera_not_answering") from None
        if not isinstance(header, Header):
            raise TakeBrokenError("camera_not_answering")
        return header

    async def _gather(self, running: _Running, backlog: Backlog) -> None:
        sent_at = time.monotonic()
        while (picture := await backlog.next()) is not None:
            if time.monotonic() - sent_at >= _FLUSH_S:
                self._flush(running)
                sent_at = time.monotonic()
            self._add(running, picture)

    def _add(self, running: _Running, picture: Fragment) -> None:
        if running.bytes + len(running.waiting) + len(picture.data) > self._config.take_bytes:
            raise TakeBrokenError("too_large")
        if self._line.unstored_bytes(running.take.take) > self._config.unstored_bytes:
            raise TakeBrokenError("core_does_not_store")
        running.waiting += picture.data
        self._send(running, PIECE_BYTES)

    def _flush(self, running: _Running) -> None:
        self._send(running, 1)

    def _send(self, running: _Running, at_least: int) -> None:
        while len(running.waiting) >= at_least:
            data = bytes(running.waiting[:PIECE_BYTES])
            del running.waiting[:PIECE_BYTES]
            self._line.report_piece(running.take.take, running.pieces, data)
            running.pieces += 1
            running.bytes += len(data)

    def _wall(self, at: float) -> float:
        """A moment of the monotonic clock as epoch seconds."""
        return self._clock().timestamp() - (time.monotonic() - at)


def _taken(running: _Running, reason: str) -> Taken:
    header = running.header or Header(b"", "", 0, 0)
    return Taken(
        id=0,
        take=running.take.take,
        ok=not reason,
        pieces=running.pieces,
        reason=reason,
        began_at=running.began_at,
        ended_at=running.ended_at,
        codec=header.codec,
        width=header.width,
        height=header.height,
    )
