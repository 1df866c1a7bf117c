"""`python -m madang.video.media.stiller`: films in on standard input, one JPEG of each film's last picture out.

A film is four bytes of length and an initialisation segment with the pictures since a key picture. Bounded in
pictures and time, because the film is the camera's word.
"""

from __future__ import annotations

import io
import sys
import time
from fractions import Fraction
from typing import TYPE_CHECKING

from madang.video.media.stills import HEAD, LENGTH, Still

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

_MOST_PICTURES = 1_500
_MOST_S = 8.0
_MOST_BYTES = 64_000_000
_MAX_PIXELS = 8_192 * 8_192


def still_of(film: bytes) -> Still:
    """The last picture as JPEG of high quality; raises `ValueError` when there is none."""
    picture = _last(film)
    shown = picture.reformat(format="yuvj420p")
    return Still(_jpeg(shown), shown.width, shown.height)


def _last(film: bytes) -> VideoFrame:
    import av

    deadline, last = time.monotonic() + _MOST_S, None
    with av.open(io.BytesIO(film), "r", format="mp4") as container:
        stream = container.streams.video[0]
        if stream.codec_context.width * stream.codec_context.height > _MAX_PIXELS:
            raise ValueError("too_large")
        stream.codec_context.thread_count = 1
        for number, picture in enumerate(container.decode(stream)):
            last = picture
            if number >= _MOST_PICTURES or time.monotonic() > deadline:
                break
    if last is None:
        raise ValueError("no_picture")
    return last


def _jpeg(picture: VideoFrame) -> bytes:
    import av

    encoder = av.VideoCodecContext.create("mjpeg", "w")
    encoder.width, encoder.height, encoder.pix_fmt = picture.width, picture.height, "yuvj420p"
    encoder.time_base = Fraction(1, 25)
    encoder.qmin, encoder.qmax = 2, 3
    picture.pts = 0
    picture.time_base = Fraction(1, 25)
    return b"".join(bytes(packet) for packet in [*encoder.encode(picture), *encoder.encode(None)])


def answer(film: bytes) -> bytes:
    """What is written back for a film."""
    import av

    try:
        still = still_of(film)
    except (av.error.FFmpegError, ValueError, IndexError) as error:
        reason = (str(error) if type(error) is ValueError else "cannot_decode").encode()
        return HEAD.pack(0, 0, 0, len(reason)) + reason
    return HEAD.pack(1, still.width, still.height, len(still.jpeg)) + still.jpeg


def main() -> None:
    """Answers until its input ends."""
    while len(head := sys.stdin.buffer.read(LENGTH.size)) == LENGTH.size:
        (length,) = LENGTH.unpack(head)
        if length > _MOST_BYTES:
            return
        sys.stdout.buffer.write(answer(sys.stdin.buffer.read(length)))
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
