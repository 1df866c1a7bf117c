"""What travels on the live stream and what waits for one reader. Pure: no sockets, no clock, no tables."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import orjson

Op = Literal["upsert", "remove"]


@dataclass(frozen=True, slots=True)
class Event:
    """One change of one row, as a screen applies it. `seq` 0 has no place in the change feed (feeds, counters)."""

    seq: int
    kind: str
    ref: str
    op: Op
    row: Any = None  # Any: the JSON row of that kind

    def frame(self) -> bytes:
        """The server-sent event, ending with its blank line."""
        data = {"kind": self.kind, "ref": self.ref, "op": self.op, "row": self.row}
        return frame("change", data, seq=self.seq or None)


def frame(name: str, data: Any, *, seq: int | None = None) -> bytes:  # Any: a JSON value
    """One server-sent event (WHATWG HTML §9.2.6); JSON holds no raw line break, so one data line is enough."""
    head = b"" if seq is None else b"id: %d\n" % seq
    return head + b"event: " + name.encode() + b"\ndata: " + orjson.dumps(data) + b"\n\n"


def comment(text: str) -> bytes:
    """A line readers ignore, which keeps the connection from looking dead."""
    return b": " + text.encode() + b"\n\n"


class Backlog:
    """The frames one reader has not been sent yet: the newest of each thing, oldest first, never more than `limit`.

    A frame's id is the sequence number of its newest change, and frames leave in that order, so whatever a reader has
    seen up to its last id it need not see again.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._frames: dict[tuple[str, str], bytes] = {}
        self.overflowed = False

    def __len__(self) -> int:
        return len(self._frames)

    def add(self, events: Iterable[tuple[tuple[str, str], bytes]]) -> None:
        """Queues frames by (kind, ref); past the limit everything is dropped and `overflowed` is set."""
        for key, data in events:
            self._frames.pop(key, None)
            self._frames[key] = data
        if len(self._frames) > self._limit:
            self._frames.clear()
            self.overflowed = True

    def take(self) -> bytes:
        """Everything waiting, as bytes to send."""
        data = b"".join(self._frames.values())
        self._frames.clear()
        return data

    def clear(self) -> None:
        """Forgets what waits and starts over."""
        self._frames.clear()
        self.overflowed = False


def parse_cursor(text: str | None) -> int | None:
    """The sequence number in a `Last-Event-ID` or `?cursor=`; -1 when it is none of ours, None when there is none."""
    if not text:
        return None
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else -1
