"""The cameras this process has open: one reader each, whoever watches; stalled, idle and refused ones are let go."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from madang.video.media.config import MediaConfig
from madang.video.media.demux import Limits, ReadCamera, read_camera
from madang.video.media.feed import Ended, Feed, Fragment, Header, Past
from madang.video.media.protocol import Close, Kept
from madang.video.sources import SourceRefusedError, resolve_source

_CHANCE_S = 3.0
"""How long a camera opened beforehand stays open at least, seconds."""

_AGAIN_S = 5.0
"""How long until a camera that must stay open, and closed, is opened again."""

ReportHealth = Callable[[str, str, str], None]
"""Tells core (camera, health, reason)."""


class Cameras:
    """Open feeds by camera id. All methods run on the event loop."""

    def __init__(self, config: MediaConfig, report: ReportHealth, read: ReadCamera = read_camera) -> None:
        self._config = config
        self._report = report
        self._read = read
        self._feeds: dict[str, Feed] = {}
        self._kept: dict[str, Kept] = {}
        self._again_at: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._feeds)

    def feed(self, camera: str, source: str) -> Feed | Ended:
        """The camera's feed, opened if it is not; or why it cannot be."""
        feed = self._feeds.get(camera)
        if feed is not None:
            return feed
        if not source:
            return Ended(Close.CAMERA_DOWN, "the camera has no stream address / 영상 주소 없음")
        if len(self._feeds) >= self._config.max_cameras_open and not self._make_room():
            return Ended(Close.TOO_MANY, "too many cameras are open")
        return self._open(camera, source)

    def open_feed(self, camera: str) -> Feed | None:
        """The camera's feed if it is open; nothing is opened for it."""
        return self._feeds.get(camera)

    def keep(self, cameras: Mapping[str, Kept]) -> None:
        """Exactly these cameras stay open and keep their last seconds in memory; the rings of others are emptied."""
        self._kept = dict(list(cameras.items())[: self._config.max_past_cameras])
        self._again_at.clear()
        for feed in self._feeds.values():
            self._set_past(feed)
        self._open_kept(time.monotonic())

    def _set_past(self, feed: Feed) -> None:
        kept = self._kept.get(feed.camera)
        seconds = kept.seconds if kept else 0.0
        if feed.past.seconds != seconds:
            feed.past = Past(seconds, self._config.past_bytes)

    def _open_kept(self, now: float) -> None:
        for camera, kept in self._kept.items():
            if camera not in self._feeds and now >= self._again_at.get(camera, 0.0):
                self._again_at[camera] = now + _AGAIN_S
                self.feed(camera, kept.source)

    def warm(self, cameras: Mapping[str, str]) -> None:
        """Opens cameras (id → source, best first) that may soon be watched, as long as not too many run unwatched.

        In a rush of calls those that stood unwatched longest make room, but not before they had a chance.
        """
        idle = sorted(self._unwatched(), key=lambda feed: feed.idle_since)
        room = self._config.max_idle_cameras - len(idle)
        for camera, source in cameras.items():
            if camera in self._feeds:
                continue
            if room <= 0:
                if not idle or time.monotonic() - idle[0].idle_since < _CHANCE_S:
                    return
                self._end(idle.pop(0), Ended(Close.DONE, "idle"))
                room += 1
            self.feed(camera, source)
            room -= 1

    def _unwatched(self) -> list[Feed]:
        return [feed for feed in self._feeds.values() if not feed.viewers and feed.camera not in self._kept]

    def _make_room(self) -> bool:
        idle = self._unwatched()
        if not idle:
            return False
        self._end(min(idle, key=lambda feed: feed.idle_since), Ended(Close.DONE, "idle"))
        return True

    def _open(self, camera: str, source: str) -> Feed:
        feed = Feed(camera, time.monotonic(), self._config.backlog_bytes)
        stop = threading.Event()
        feed.stop = stop.set
        self._set_past(feed)
        self._feeds[camera] = feed
        sink = _LoopSink(asyncio.get_running_loop(), feed, self._report, self._forget)
        threading.Thread(
            target=self._run, args=(source, sink, stop), name=f"camera-{camera[-12:]}", daemon=True
        ).start()
        return feed

    def _run(self, source: str, sink: _LoopSink, stop: threading.Event) -> None:
        try:
            resolved = resolve_source(source, self._config)
        except SourceRefusedError as refused:
            sink.end(Ended(Close.CAMERA_DOWN, refused.detail))
            return
        self._read(resolved, sink, stop, Limits(self._config.stall_s, self._config.stall_s))

    def _forget(self, feed: Feed) -> None:
        if self._feeds.get(feed.camera) is feed:
            del self._feeds[feed.camera]

    def _end(self, feed: Feed, ended: Ended) -> None:
        self._forget(feed)
        feed.end(ended)

    def tend(self) -> None:
        """Ends feeds whose camera has stalled, or that nobody watches any more. Called a few times a second."""
        now = time.monotonic()
        for feed in list(self._feeds.values()):
            waited = self._config.stall_s * (1.0 if feed.header is not None else 1.5)
            if now - feed.last_picture_at > waited:
                self._report(feed.camera, "offline", "no picture")
                self._end(feed, Ended(Close.CAMERA_DOWN, ""))
                continue
            if feed.header is not None:
                self._report(feed.camera, "ok", "")
            if not feed.viewers and feed.camera not in self._kept and now - feed.idle_since > self._config.idle_s:
                self._end(feed, Ended(Close.DONE, "idle"))
        self._open_kept(now)

    def close_all(self, ended: Ended) -> None:
        """Core is gone, or the process stops: no camera stays open."""
        self._kept.clear()
        for feed in list(self._feeds.values()):
            self._end(feed, ended)


@dataclass(frozen=True, slots=True)
class _LoopSink:
    """Brings what the reading thread says to the event loop."""

    loop: asyncio.AbstractEventLoop
    feed: Feed
    report: ReportHealth
    forget: Callable[[Feed], None]

    def begin(self, header: Header) -> None:
        self._call(self._begin, header)

    def _begin(self, header: Header) -> None:
        self.feed.begin(header)
        self.report(self.feed.camera, "ok", "")

    def add(self, fragment: Fragment) -> None:
        self._call(self._add, fragment)

    def _add(self, fragment: Fragment) -> None:
        self.feed.add(fragment, time.monotonic())

    def end(self, ended: Ended) -> None:
        self._call(self._end, ended)

    def _end(self, ended: Ended) -> None:
        if self.feed.ended is None:
            health = "degraded" if ended.code is Close.CODEC else "offline"
            self.report(self.feed.camera, health, ended.reason)
        self.forget(self.feed)
        self.feed.end(ended)

    def _call(self, what: Callable[..., None], value: object) -> None:
        try:
            self.loop.call_soon_threadsafe(what, value)
        except RuntimeError:
            self.feed.stop()  # the loop has closed: the process is ending
