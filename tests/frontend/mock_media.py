"""Live pictures for the screen's tests: a clip as the fragmented MP4 the media process would send, in real time."""

from __future__ import annotations

import functools
import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

LOOPS = Path(__file__).parents[2] / "src" / "madang_demo" / "loops"
SECONDS = 90


@dataclass(frozen=True)
class Film:
    """The codec as MSE names it, the init segment, and one fragment a frame."""

    codec: str
    width: int
    height: int
    frame_s: float
    init: bytes
    fragments: tuple[bytes, ...]


@functools.cache
def film() -> Film | None:
    """A film of a minute and a half out of the demo's first loop; None where it or PyAV is missing."""
    try:
        import av
    except ImportError:
        return None
    clip = next(iter(sorted(LOOPS.glob("*.mp4"))), None)
    if clip is None:
        return None
    sink = io.BytesIO()
    with av.open(str(clip)) as source:
        stream = source.streams.video[0]
        rate = stream.average_rate or Fraction(15)
        options = {"movflags": "frag_every_frame+empty_moov+default_base_moof"}
        with av.open(sink, "w", format="mp4", options=options) as target:
            copy = target.add_stream_from_template(stream)
            step = int(Fraction(1) / rate / stream.time_base) if stream.time_base else 1
            packets = [packet for packet in source.demux(stream) if packet.size]
            clip_length = step * len(packets)
            for turn in range(int(SECONDS * rate / len(packets)) + 1):
                for index, packet in enumerate(packets):
                    again = av.Packet(bytes(packet))
                    again.time_base = packet.time_base
                    again.pts = again.dts = turn * clip_length + index * step
                    again.is_keyframe = packet.is_keyframe
                    again.stream = copy
                    target.mux(again)
        extra = stream.codec_context.extradata or b"\0\x42\xc0\x1f"
        width, height = stream.width, stream.height
    init, fragments = _cut(sink.getvalue())
    return Film(f"avc1.{extra[1:4].hex()}", width, height, float(1 / rate), init, fragments)


def _cut(body: bytes) -> tuple[bytes, tuple[bytes, ...]]:
    """ftyp+moov, then each moof with its mdat."""
    init, fragments, moof = b"", [], b""
    for kind, box in _boxes(body):
        if kind in (b"ftyp", b"moov"):
            init += box
        elif kind == b"moof":
            moof = box
        elif kind == b"mdat":
            fragments.append(moof + box)
    return init, tuple(fragments)


def _boxes(body: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    while at + 8 <= len(body):
        (size,) = struct.unpack(">I", body[at : at + 4])
        if size < 8:
            return
        yield body[at + 4 : at + 8], body[at : at + size]
        at += size
