"""Whether the pictures move: reads fragmented MP4 as it arrives, by box and, for a taste, by decoding."""

from __future__ import annotations

import contextlib
import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

_CONTAINERS = {b"moov", b"trak", b"mdia", b"moof", b"traf"}
_TASTE_BYTES = 4_000_000
_TASTE_FRAGMENTS = 16


def boxes(data: bytes, start: int = 0, end: int | None = None) -> Iterator[tuple[bytes, int, int]]:
    """Type, payload start and end of each box, containers entered (ISO 14496-12 §4.2)."""
    position, stop = start, len(data) if end is None else end
    while position + 8 <= stop:
        size, kind = struct.unpack_from(">I4s", data, position)
        header = 8
        if size == 1:
            size, header = struct.unpack_from(">Q", data, position + 8)[0], 16
        if size < header or position + size > stop:
            return
        yield kind, position + header, position + size
        if kind in _CONTAINERS:
            yield from boxes(data, position + header, position + size)
        position += size


def timescale(initialisation: bytes) -> int:
    """Ticks a second of the track, from `mdhd`."""
    for kind, start, _ in boxes(initialisation):
        if kind == b"mdhd":
            offset = 20 if initialisation[start] == 1 else 12
            return int(struct.unpack_from(">I", initialisation, start + offset)[0])
    raise ValueError("no mdhd box: not an initialisation segment")


def decode_time(fragment: bytes) -> int | None:
    """`baseMediaDecodeTime` of a fragment in ticks, or None where it has none."""
    for kind, start, _ in boxes(fragment):
        if kind == b"tfdt":
            return int(struct.unpack_from(">Q" if fragment[start] == 1 else ">I", fragment, start + 4)[0])
    return None


@dataclass
class Film:
    """One view: counts fragments and their time, keeps the first second for decoding."""

    fragments: int = 0
    first_ticks: int | None = None
    last_ticks: int = 0
    backwards: int = 0
    _scale: int = 1
    _taste: bytearray = field(default_factory=bytearray)

    def begin(self, initialisation: bytes) -> None:
        self._scale = timescale(initialisation)
        self._taste += initialisation

    def add(self, fragment: bytes) -> None:
        """Takes the next binary frame of the socket."""
        ticks = decode_time(fragment)
        if ticks is None:
            return
        if self.first_ticks is None:
            self.first_ticks = ticks
        elif ticks <= self.last_ticks:
            self.backwards += 1
        self.last_ticks = ticks
        self.fragments += 1
        if self.fragments <= _TASTE_FRAGMENTS and len(self._taste) < _TASTE_BYTES:
            self._taste += fragment

    @property
    def media_s(self) -> float:
        """Seconds of film seen."""
        return 0.0 if self.first_ticks is None else (self.last_ticks - self.first_ticks) / self._scale

    def change(self) -> float | None:
        """Mean absolute grey difference between the first and last frame tasted; None if nothing could be decoded."""
        import av

        first = last = None
        with (
            contextlib.suppress(av.error.FFmpegError, IndexError),
            av.open(io.BytesIO(bytes(self._taste)), "r", format="mp4") as film,
        ):
            for frame in film.decode(video=0):
                last = frame.reformat(format="gray").to_ndarray().astype("int16")
                first = last if first is None else first
        return None if first is None or last is first or last is None else float(abs(first - last).mean())
