"""One camera's pictures for all who watch it: the last group of pictures kept, each viewer with its own backlog."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from madang.video.media.protocol import Close

MAX_GROUP_BYTES = 12_000_000
"""A group of pictures larger than this is not kept: newcomers wait for the next key frame."""


@dataclass(frozen=True, slots=True)
class Header:
    """What a player needs before the first picture."""

    init: bytes
    codec: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Fragment:
    """One picture (`moof`+`mdat`); `key` when a player may begin with it."""

    data: bytes
    key: bool


class Backlog:
    """What a viewer has not read yet. One that falls behind is moved on to the next key frame."""

    def __init__(self, max_bytes: int) -> None:
        self.dropped = 0
        self._max_bytes = max_bytes
        self._waiting: deque[Fragment] = deque()
        self._bytes = 0
        self._needs_key = True
        self._over = False
        self._filled = asyncio.Event()

    @property
    def waiting(self) -> int:
        """How many pictures wait to be read."""
        return len(self._waiting)

    def push(self, fragment: Fragment) -> None:
        """Adds a picture, or drops what waits when it is too much."""
        if self._needs_key and not fragment.key:
            self.dropped += 1
            return
        if self._bytes + len(fragment.data) > self._max_bytes:
            self.dropped += len(self._waiting)
            self._waiting.clear()
            self._bytes = 0
            self._needs_key = not fragment.key
            if self._needs_key:
                self.dropped += 1
                return
        self._needs_key = False
        self._waiting.append(fragment)
        self._bytes += len(fragment.data)
        self._filled.set()

    def end(self) -> None:
        """No more pictures, not even those that wait."""
        self._over = True
        self._filled.set()

    async def next(self) -> Fragment | None:
        """The next picture, waiting for it; None at the end."""
        while not self._waiting and not self._over:
            self._filled.clear()
            await self._filled.wait()
        if self._over:
            return None
        fragment = self._waiting.popleft()
        self._bytes -= len(fragment.data)
        return fragment


@dataclass(frozen=True, slots=True)
class Ended:
    """Why a feed gives no more pictures."""

    code: Close
    reason: str


class Past:
    """The last `seconds` of a camera, from a key picture on: in memory only, copied and never decoded.

    Holds at most `max_bytes`; with 0 seconds it holds nothing.
    """

    def __init__(self, seconds: float, max_bytes: int) -> None:
        self.seconds = seconds
        self._max_bytes = max_bytes
        self._groups: deque[list[tuple[float, Fragment]]] = deque()
        self._bytes = 0

    def __len__(self) -> int:
        return sum(map(len, self._groups))

    def add(self, fragment: Fragment, now: float) -> None:
        """Keeps a picture, and lets whole groups go that are older than need be."""
        if self.seconds <= 0 or not (fragment.key or self._groups):
            return
        if fragment.key:
            self._groups.append([])
        self._groups[-1].append((now, fragment))
        self._bytes += len(fragment.data)
        while len(self._groups) > 1 and self._groups[1][0][0] <= now - self.seconds:
            self._drop()
        while self._groups and self._bytes > self._max_bytes:
            self._drop()

    def _drop(self) -> None:
        self._bytes -= sum(len(fragment.data) for _, fragment in self._groups.popleft())

    def pictures(self, seconds: float, now: float) -> list[tuple[float, Fragment]]:
        """What is kept of the last `seconds`, with when each came, from a key picture on."""
        first = max((n for n, group in enumerate(self._groups) if group[0][0] <= now - seconds), default=0)
        return [kept for group in list(self._groups)[first:] for kept in group]

    def forget(self) -> None:
        """Lets go of everything."""
        self._groups.clear()
        self._bytes = 0


@dataclass(slots=True, eq=False)
class Feed:
    """A camera being read. All methods run on the event loop; `now` is monotonic seconds."""

    camera: str
    opened_at: float
    backlog_bytes: int
    header: Header | None = None
    ended: Ended | None = None
    last_picture_at: float = 0.0
    idle_since: float = 0.0
    viewers: set[Backlog] = field(default_factory=set)
    stop: Callable[[], None] = lambda: None
    _group: list[Fragment] = field(default_factory=list)
    _group_bytes: int = 0
    _ready: asyncio.Event = field(default_factory=asyncio.Event)
    past: Past = field(default_factory=lambda: Past(0.0, 0))

    def __post_init__(self) -> None:
        self.idle_since = self.last_picture_at = self.opened_at

    def begin(self, header: Header) -> None:
        """The camera answered."""
        self.header = header

    def add(self, fragment: Fragment, now: float) -> None:
        """A picture came: kept for newcomers, handed to every viewer."""
        self.last_picture_at = now
        self._keep(fragment)
        self.past.add(fragment, now)
        for backlog in self.viewers:
            backlog.push(fragment)
        if self.header is not None and self._group:
            self._ready.set()

    def _keep(self, fragment: Fragment) -> None:
        if fragment.key:
            self._group, self._group_bytes = [], 0
        elif not self._group:
            return
        self._group.append(fragment)
        self._group_bytes += len(fragment.data)
        if self._group_bytes > MAX_GROUP_BYTES:
            self._group, self._group_bytes = [], 0

    def end(self, ended: Ended) -> None:
        """No more pictures, for this reason. The first reason stands."""
        if self.ended is None:
            self.ended = ended
            self.past.forget()
            self._ready.set()
            self.stop()
            for backlog in self.viewers:
                backlog.end()

    @property
    def group(self) -> tuple[Fragment, ...]:
        """The pictures since the last key picture, which is the first."""
        return tuple(self._group)

    async def ready(self) -> Header | Ended:
        """Waits for the first key picture, or the end."""
        await self._ready.wait()
        if self.ended is not None or self.header is None:
            return self.ended or Ended(Close.CAMERA_DOWN, "")
        return self.header

    def join(self) -> Backlog:
        """A new viewer, who starts with the last group of pictures."""
        backlog = Backlog(self.backlog_bytes)
        for fragment in self._group:
            backlog.push(fragment)
        if self.ended is not None:
            backlog.end()
        self.viewers.add(backlog)
        return backlog

    def leave(self, backlog: Backlog, now: float) -> None:
        """A viewer has gone."""
        self.viewers.discard(backlog)
        if not self.viewers:
            self.idle_since = now
