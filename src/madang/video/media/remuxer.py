"""`python -m madang.video.media.remuxer`: a recording in on standard input, a plain MP4 of the same pictures out.

Pictures are copied, none is decoded or made anew; time begins at 0, and there is no sound. Exit code 1 with a reason on
standard error when the recording holds nothing that can be played.
"""

from __future__ import annotations

import io
import sys

_MOST_BYTES = 800_000_000


def remux(film: bytes) -> bytes:
    """The film's pictures in an MP4 with one index; raises `ValueError` when there are none."""
    import av

    made, copied, start = io.BytesIO(), 0, None
    with av.open(io.BytesIO(film), "r", format="mp4") as source, av.open(made, "w", format="mp4") as out:
        stream = source.streams.video[0]
        track = out.add_stream_from_template(stream)
        for packet in source.demux(stream):
            if packet.dts is None or packet.pts is None or packet.size == 0:
                continue
            start = packet.dts if start is None else start
            packet.dts, packet.pts = packet.dts - start, packet.pts - start
            packet.stream = track
            out.mux(packet)
            copied += 1
    if not copied:
        raise ValueError("the recording holds no picture")
    return made.getvalue()


def main() -> int:
    """One film in, one out."""
    import av

    film = sys.stdin.buffer.read(_MOST_BYTES + 1)
    try:
        if len(film) > _MOST_BYTES:
            raise ValueError("the recording is too large")
        sys.stdout.buffer.write(remux(film))
    except (av.error.FFmpegError, ValueError, IndexError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
