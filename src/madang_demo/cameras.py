"""A farm of simulated cameras: endless H.264 in MPEG-TS over HTTP, one loop per camera, sent only while watched.

Run as `python -m madang_demo.cameras --port 8090 --count 1200`. Camera `n` is `http://127.0.0.1:8090/cam/n.ts`; it
plays one of the committed loops from a phase of its own. What real cameras do on a bad day: `?fault=stall` stops
sending after two seconds and holds the connection, `?fault=drop` ends it, `?fault=frozen` goes on sending one picture,
and `?fault=black` sends black ones (`loops/faults/black.mp4`, made by GStreamer's videotestsrc and openh264enc).
"""

from __future__ import annotations

import argparse
import io
import re
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from urllib.parse import parse_qs, urlsplit

LOOPS = Path(__file__).parent / "loops"
BLACK = LOOPS / "faults" / "black.mp4"
FAULT_AFTER_S = 2.0
LEAD_S = 0.3
"""How far ahead of the clock a newcomer is served, so that it starts with a whole group of pictures."""
_CAMERA_PATH = re.compile(r"/cam/(\d{1,6})\.ts")
_CLOCK_HZ = 90_000


@dataclass(frozen=True)
class Loop:
    """One film in memory: its packets in order, its frame rate and the container bytes it came from."""

    source: bytes
    packets: tuple[tuple[bytes, bool], ...]
    rate: Fraction


@lru_cache(maxsize=32)
def load_loop(path: Path) -> Loop:
    """Reads a loop once; every viewer shares it."""
    import av

    source = path.read_bytes()
    with av.open(io.BytesIO(source), "r", format="mp4") as film:
        stream = film.streams.video[0]
        packets = tuple((bytes(packet), bool(packet.is_keyframe)) for packet in film.demux(stream) if packet.size)
        rate = stream.average_rate
    if not packets or rate is None:
        raise ValueError(f"{path.name} holds no video")
    return Loop(source, packets, rate)


def loop_of(films: Path, camera: int) -> Loop:
    """Which film camera `camera` shows; `films` is a folder of MP4 files or one of them."""
    found = [films] if films.is_file() else sorted(films.glob("*.mp4"))
    return load_loop(found[camera % len(found)])


def first_frame(loop: Loop, camera: int) -> int:
    """A key frame to begin with, different from camera to camera."""
    keys = [index for index, (_, is_key) in enumerate(loop.packets) if is_key]
    return keys[(camera // 8) % len(keys)]


def due_frames(loop: Loop, start_at: float, stop: Event) -> Iterator[int]:
    """Frame counts 0, 1, 2, … each when its time has come."""
    count = 0
    while True:
        wait_s = start_at + count / float(loop.rate) - LEAD_S - time.monotonic()
        if stop.wait(max(0.0, wait_s)):
            return
        yield count
        count += 1


def send_stream(loop: Loop, camera: int, sink: io.RawIOBase, fault: str, stop: Event) -> None:
    """Muxes the camera's loop into `sink` at its own pace until the viewer leaves or `stop` is set."""
    import av

    start_at, offset = time.monotonic(), first_frame(loop, camera)
    with av.open(io.BytesIO(loop.source), "r", format="mp4") as film, av.open(sink, "w", format="mpegts") as out:
        stream = out.add_stream_from_template(film.streams.video[0])
        step = int(_CLOCK_HZ / loop.rate)
        for count in due_frames(loop, start_at, stop):
            if fault in ("stall", "drop") and time.monotonic() - start_at > FAULT_AFTER_S:
                if fault == "stall":
                    stop.wait(600)
                return
            shown = offset if fault == "frozen" else (offset + count) % len(loop.packets)
            data, is_key = loop.packets[shown]
            packet = av.Packet(data)
            packet.stream, packet.time_base = stream, Fraction(1, _CLOCK_HZ)
            packet.pts = packet.dts = count * step
            packet.duration, packet.is_keyframe = step, is_key
            out.mux_one(packet)


class _Sink(io.RawIOBase):
    """What the muxer writes to: the viewer's socket, flushed packet by packet."""

    def __init__(self, write: io.BufferedIOBase) -> None:
        self._out = write

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        view = memoryview(data)  # type: ignore[arg-type]  # the muxer hands over bytes-like objects only
        self._out.write(view)
        return len(view)


class CameraHandler(BaseHTTPRequestHandler):
    """`GET /cam/N.ts`, and `GET /health` for whoever waits for the farm."""

    protocol_version = "HTTP/1.0"
    server: CameraFarm

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        if url.path == "/health":
            self._answer(200, b"ok\n")
            return
        match = _CAMERA_PATH.fullmatch(url.path)
        camera = int(match[1]) if match else -1
        if not 0 <= camera < self.server.count:
            self._answer(404, b"no such camera\n")
            return
        self.send_response(200)
        self.send_header("Content-Type", "video/mp2t")
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        fault = parse_qs(url.query).get("fault", [""])[0]
        try:
            loop = load_loop(BLACK) if fault == "black" else loop_of(self.server.films, camera)
            send_stream(loop, camera, _Sink(self.wfile), fault, self.server.stopping)
        except OSError:
            return

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the base class names it
        """Says nothing: a farm of a thousand cameras would drown the console."""


class CameraFarm(ThreadingHTTPServer):
    """The server; `count` cameras exist, a thread each while somebody looks."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, address: tuple[str, int], count: int, films: Path) -> None:
        super().__init__(address, CameraHandler)
        self.count = count
        self.films = films
        self.stopping = Event()

    def handle_error(self, request: object, client_address: object) -> None:
        """A viewer that leaves is no error worth a traceback."""


def main(arguments: list[str] | None = None) -> None:
    """Serves until interrupted."""
    parser = argparse.ArgumentParser(prog="madang_demo.cameras", description=__doc__.partition("\n")[0])
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8090)
    parser.add_argument("--count", type=int, default=1200)
    parser.add_argument("--films", type=Path, default=LOOPS, help="a folder of H.264 MP4 files, or one such file")
    options = parser.parse_args(arguments)
    farm = CameraFarm((options.host, options.port), options.count, options.films)

    def end(*_: object) -> None:
        farm.stopping.set()
        Thread(target=farm.shutdown, daemon=True).start()

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    sys.stdout.write(f"cameras on http://{options.host}:{farm.server_address[1]}/cam/0.ts … {options.count - 1}.ts\n")
    sys.stdout.flush()
    farm.serve_forever(poll_interval=0.2)
    farm.server_close()


if __name__ == "__main__":
    main()
