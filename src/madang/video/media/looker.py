"""`python -m madang.video.media.looker`: looks at cameras one after another, in a process of its own.

A decoder meets more of a hostile stream than a repacker does: what it may break is this process, which holds nothing
and is started again. One line of JSON in is one camera, one line out are its pictures' marks. No picture leaves it.
"""

from __future__ import annotations

import sys
import time
import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec

from madang.video.health import MARK_HEX, Outcome
from madang.video.media.demux import Limits, StreamRefusedError, open_camera, video_of
from madang.video.media.nal import is_h264_key
from madang.video.media.protocol import Close, Looked, MarksSeen
from madang.video.sources import Source

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

PICTURES = 2
_WIDTH, _HEIGHT, _ACROSS, _DOWN = 320, 180, 16, 9
"""Points sampled from each picture, and the blocks they are grouped in."""


class Task(msgspec.Struct, frozen=True):
    """A camera to look at: its checked and resolved address, and how long it may take (s)."""

    url: str
    scheme: str
    host: str
    within_s: float


def look(task: Task) -> Looked:
    """Opens a camera, decodes at most two key pictures, and tells their marks or why there are none."""
    import av

    source = Source(task.url, task.scheme, task.host)
    deadline = time.monotonic() + task.within_s
    try:
        with open_camera(source, Limits(task.within_s, task.within_s)) as container:
            marks = list(_marks(container, video_of(container), deadline))
    except StreamRefusedError as refused:
        return _nothing(Outcome.UNREADABLE if refused.ended.code is Close.CODEC else Outcome.SILENT, str(refused))
    except av.error.InvalidDataError:
        return _nothing(Outcome.UNREADABLE, "the camera does not send what its address promises")
    except (av.error.FFmpegError, OSError, ValueError) as error:
        return _nothing(Outcome.SILENT, f"the camera is not answering ({type(error).__name__})")
    return Looked(0, "", Outcome.SEEN, marks) if marks else _nothing(Outcome.SILENT, "no picture")


def _nothing(outcome: Outcome, reason: str) -> Looked:
    return Looked(0, "", outcome.value, [], reason[:160])


def _marks(container: InputContainer, stream: VideoStream, deadline: float) -> Iterator[MarksSeen]:
    decoder = stream.codec_context
    decoder.thread_count = 1
    extradata, seen = bytes(decoder.extradata or b""), 0
    for packet in container.demux(stream):
        if time.monotonic() > deadline:
            return
        if not packet.is_keyframe or packet.size == 0:
            continue
        if not is_h264_key(bytes(packet), extradata):
            raise ValueError("the camera says H.264 but sends something else")
        pictures = [*decoder.decode(packet), *decoder.decode(None)]
        decoder.flush_buffers()
        if pictures:
            yield marks_of(pictures[0])
            seen += 1
        if seen >= PICTURES:
            return


def marks_of(picture: VideoFrame) -> MarksSeen:
    """Mean, spread and block checksums of a picture, from points sampled as they are: noise is not averaged away."""
    grey = picture.reformat(width=_WIDTH, height=_HEIGHT, format="gray", interpolation="POINT")
    plane = grey.planes[0]
    data, step = bytes(plane), plane.line_size
    rows = [data[at * step : at * step + _WIDTH] for at in range(_HEIGHT)]
    luma = sum(map(sum, rows)) / (_WIDTH * _HEIGHT)
    square = sum(sum(value * value for value in row) for row in rows) / (_WIDTH * _HEIGHT)
    return MarksSeen(round(luma, 2), round(max(0.0, square - luma * luma) ** 0.5, 2), "".join(_checksums(rows)))


def _checksums(rows: list[bytes]) -> Iterator[str]:
    high, wide = _HEIGHT // _DOWN, _WIDTH // _ACROSS
    for top in range(0, _HEIGHT, high):
        for left in range(0, _WIDTH, wide):
            block = b"".join(row[left : left + wide] for row in rows[top : top + high])
            yield f"{zlib.crc32(block) & 0xFFFF:0{MARK_HEX}x}"


def main() -> None:
    """Looks until its input ends."""
    for line in sys.stdin.buffer:
        sys.stdout.buffer.write(msgspec.json.encode(look(msgspec.json.decode(line, type=Task))) + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
