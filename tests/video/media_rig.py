"""A real media process under test, a core that speaks the link protocol, and viewers."""

from __future__ import annotations

import asyncio
import io
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import msgspec
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from madang.kernel.ids import new_id
from madang.site.keys import new_private_pem, public_pem
from madang.video.lease_tokens import LeaseClaims, load_key, sign_lease
from madang.video.media.config import MediaConfig
from madang.video.media.protocol import (
    Ack,
    Beat,
    FromCore,
    FromMedia,
    HealthSeen,
    Hello,
    Looked,
    Open,
    Opened,
    Refused,
    Revoke,
    Stopped,
    Warm,
    decode_from_media,
    encode,
)
from madang.video.media_process import config_line, media_command

SECRET = "link secret of the tests"
LOOPS = Path(__file__).parents[2] / "src" / "madang_demo" / "loops"


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@asynccontextmanager
async def media_process(config: MediaConfig) -> AsyncIterator[int]:
    """Starts the gateway as `serve` does; gives its port."""
    process = await asyncio.create_subprocess_exec(*media_command(), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None and process.stdout is not None
    try:
        process.stdin.write(config_line(config))
        yield int(msgspec.json.decode(await process.stdout.readline())["listening"])
    finally:
        process.terminate()
        async with asyncio.timeout(10):
            await process.wait()


@dataclass
class FakeCore:
    """The other end of the link, as the protocol describes it, with its books open to the test."""

    sources: dict[str, str]
    answer: int = 0
    """Close code to refuse views with; 0 allows them."""
    beating: bool = True
    acking: bool = True
    started: list[tuple[str, str]] = field(default_factory=list)
    stopped: list[Stopped] = field(default_factory=list)
    health: list[tuple[str, str, str]] = field(default_factory=list)
    looked: list[Looked] = field(default_factory=list)
    hellos: list[dict[str, str]] = field(default_factory=list)
    answer_after: asyncio.Event = field(default_factory=asyncio.Event)
    camera_of: dict[str, str] = field(default_factory=dict)
    _sockets: set[ServerConnection] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.answer_after.set()

    async def serve(self, socket: ServerConnection) -> None:
        assert socket.request is not None
        if socket.request.headers.get("Authorization") != f"Bearer {SECRET}":
            await socket.close(4401, "wrong secret")
            return
        self._sockets.add(socket)
        beat = asyncio.create_task(self._beat(socket))
        try:
            async for message in socket:
                await self._hear(socket, decode_from_media(message))
        except ConnectionClosed:
            pass
        finally:
            self._sockets.discard(socket)
            beat.cancel()

    async def _beat(self, socket: ServerConnection) -> None:
        with suppress(ConnectionClosed):
            while True:
                if self.beating:
                    await socket.send(encode(Beat()))
                await asyncio.sleep(0.3)

    async def _hear(self, socket: ServerConnection, heard: FromMedia) -> None:
        match heard:
            case Hello():
                self.hellos.append(heard.views)
            case Open():
                await self.answer_after.wait()
                await socket.send(encode(self._open(heard)))
            case Stopped():
                if self.acking:
                    self.stopped.append(heard)
                    await socket.send(encode(Ack(heard.id)))
            case HealthSeen():
                self.health.append((heard.camera, heard.health, heard.reason))
                await socket.send(encode(Ack(heard.id)))
            case Looked():
                self.looked.append(heard)
                await socket.send(encode(Ack(heard.id)))

    def _open(self, heard: Open) -> FromCore:
        if self.answer:
            return Refused(heard.id, self.answer, "")
        self.started.append((heard.view, heard.lease))
        camera = self.camera_of[heard.lease]
        return Opened(heard.id, camera, self.sources[camera])

    async def tell(self, message: FromCore) -> None:
        for line in list(self._sockets):
            await line.send(encode(message))

    async def revoke(self, lease: str, code: int = 4403) -> None:
        await self.tell(Revoke([lease], code, ""))

    async def warm(self, camera: str) -> None:
        await self.tell(Warm({camera: self.sources[camera]}))

    async def hang_up(self) -> None:
        for line in list(self._sockets):
            await line.close()


@dataclass
class Viewer:
    """Someone at a screen."""

    socket: ClientConnection
    lease: str = ""
    ready: dict[str, object] = field(default_factory=dict)
    pictures: int = 0
    init: bytes = b""
    data: list[bytes] = field(default_factory=list)
    code: int | None = None
    reason: str = ""

    async def hear(self, pictures: int, within_s: float = 8.0) -> None:
        """Reads until that many pictures came in all, or the socket closed."""
        deadline = asyncio.get_running_loop().time() + within_s
        while self.pictures < pictures and self.code is None:
            await self._one(deadline)

    async def closed(self, within_s: float = 10.0) -> int:
        """Reads on until the gateway closes; the code."""
        deadline = asyncio.get_running_loop().time() + within_s
        while self.code is None:
            await self._one(deadline)
        return self.code

    async def _one(self, deadline: float) -> None:
        try:
            async with asyncio.timeout_at(deadline):
                message = await self.socket.recv()
        except ConnectionClosed as closed:
            assert closed.rcvd is not None, "the gateway hung up without a close frame"
            self.code, self.reason = closed.rcvd.code, closed.rcvd.reason
            return
        if isinstance(message, str):
            self.ready = msgspec.json.decode(message)
        elif not self.init:
            self.init = message
        else:
            self.pictures += 1
            self.data.append(message)


@dataclass
class Rig:
    """The gateway with a core and a maker of leases."""

    core: FakeCore
    port: int
    private_pem: bytes
    sockets: list[ClientConnection] = field(default_factory=list)

    def token(
        self, camera: str, *, lease: str = "", seconds: float = 30, pem: bytes | None = None, **other: str
    ) -> str:
        claims = LeaseClaims(
            lease_id=lease or new_id(),
            grant_id=other.get("grant", "grant-1"),
            camera_id=camera,
            viewer=other.get("viewer", "person:1"),
            viewer_name="김관제",
            incident="2026-000001",
            mode="simulated",
            issued_at=int(time.time()),
            expires_at=int(time.time() + seconds),
        )
        self.core.camera_of[claims.lease_id] = camera
        return sign_lease(load_key(pem or self.private_pem), claims)

    async def connect(self) -> ClientConnection:
        url = f"ws://127.0.0.1:{self.port}/v1/view"
        socket = await connect(url, max_size=None, proxy=None, compression=None, close_timeout=0.5)
        self.sockets.append(socket)
        return socket

    async def leave(self) -> None:
        """Every viewer goes home."""
        for line in self.sockets:
            line.transport.resume_reading()
            await line.close()

    async def view(self, camera: str, *, lease: str = "", seconds: float = 30) -> Viewer:
        lease = lease or new_id()
        viewer = Viewer(await self.connect(), lease)
        await self.renew(viewer, camera, seconds=seconds)
        return viewer

    async def renew(self, viewer: Viewer, camera: str, *, seconds: float = 30, lease: str = "") -> None:
        token = self.token(camera, lease=lease or viewer.lease, seconds=seconds)
        await viewer.socket.send(msgspec.json.encode({"lease": token}).decode())


async def until(condition: object, within_s: float = 8.0) -> None:
    """Waits until the callable is true, polling; fails after `within_s`."""
    assert callable(condition)
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "it never came true"
        await asyncio.sleep(0.02)


@asynccontextmanager
async def rig(sources: dict[str, str], **changed: object) -> AsyncIterator[Rig]:
    """A gateway and its core, up and connected."""
    private = new_private_pem()
    core = FakeCore(sources)
    async with serve(core.serve, "127.0.0.1", 0, max_size=None, compression=None) as server:
        link = next(iter(server.sockets)).getsockname()[1]
        plain = MediaConfig(
            secret=SECRET,
            lease_public_pem=public_pem(private).decode(),
            core_link_url=f"ws://127.0.0.1:{link}/internal/media/link",
            port=0,
            heartbeat_timeout_s=1.5,
            stall_s=2.0,
            allow_file_sources=True,
        )
        config = msgspec.structs.replace(plain, **changed)
        async with media_process(config) as port:
            it = Rig(core, port, private)
            try:
                await until(lambda: core.hellos, 10)
                yield it
            finally:
                core.answer_after.set()
                await it.leave()


def film() -> Path:
    """One of the committed H.264 loops."""
    found = sorted(LOOPS.glob("*.mp4"))
    if not found:
        pytest.skip("no camera loops in src/madang_demo/loops")
    return found[0]


@lru_cache(maxsize=8)
def transport_stream(path: Path) -> bytes:
    """The film as MPEG-TS, as cameras send it."""
    import av

    out_bytes = io.BytesIO()
    with av.open(str(path)) as source, av.open(out_bytes, "w", format="mpegts") as out:
        track = out.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(source.streams.video[0]):
            if packet.dts is not None:
                packet.stream = track
                out.mux(packet)
    return out_bytes.getvalue()


@contextmanager
def http_camera(
    body: bytes,
    *,
    seconds: float = 4.0,
    repeat: bool = True,
    hold: bool = False,
    status: int = 200,
    location: str = "",
    name: str = "1.ts",
) -> Iterator[str]:
    """A camera that sends `body` over about `seconds`, again and again, or once and then nothing (`hold`)."""
    stopping = threading.Event()

    class Camera(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            if location:
                self.send_header("Location", location)
            self.send_header("Content-Type", "video/mp2t")
            self.end_headers()
            with suppress(OSError):
                self._send()

        def _send(self) -> None:
            step = max(188, len(body) // 100 // 188 * 188)
            while not stopping.is_set():
                for at in range(0, len(body), step):
                    self.wfile.write(body[at : at + step])
                    if stopping.wait(seconds * step / max(len(body), 1)):
                        return
                if hold:
                    stopping.wait(60)
                if not repeat:
                    return

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the base class names it
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Camera)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/cam/{name}"
    finally:
        stopping.set()
        server.shutdown()
        server.server_close()
        thread.join(5)


@lru_cache(maxsize=1)
def h265_stream() -> bytes:
    """A short H.265 stream in MPEG-TS made by GStreamer; skips where its encoder is missing."""
    launch = shutil.which("gst-launch-1.0")
    if launch is None:
        pytest.skip("no gst-launch-1.0; install gstreamer1.0-tools and gstreamer1.0-plugins-bad (x265enc)")
    pipeline = (
        "videotestsrc num-buffers=60 ! video/x-raw,format=I420,width=320,height=240,framerate=15/1"
        " ! x265enc speed-preset=ultrafast key-int-max=10 ! h265parse config-interval=-1 ! mpegtsmux ! fdsink fd=1"
    )
    made = subprocess.run([launch, "-q", *pipeline.split()], capture_output=True, timeout=60, check=False)
    if made.returncode != 0 or not made.stdout:
        pytest.skip("GStreamer has no x265enc; install gstreamer1.0-plugins-bad")
    return made.stdout


def lying_stream() -> bytes:
    """The same H.265 pictures in a stream whose tables say H.264."""
    import av

    out_bytes = io.BytesIO()
    with (
        av.open(str(film())) as honest,
        av.open(io.BytesIO(h265_stream()), "r", format="mpegts") as real,
        av.open(out_bytes, "w", format="mpegts") as out,
    ):
        track = out.add_stream_from_template(honest.streams.video[0])
        for number, picture in enumerate(real.demux(video=0)):
            packet = av.Packet(bytes(picture))
            packet.stream, packet.time_base = track, Fraction(1, 90_000)
            packet.pts = packet.dts = number * 6_000
            packet.is_keyframe = number % 10 == 0
            if picture.size:
                out.mux(packet)
    return out_bytes.getvalue()


def decoded_frames(init: bytes, fragments: Sequence[bytes]) -> int:
    """How many pictures a player would get out of what a viewer received."""
    import av

    with av.open(io.BytesIO(init + b"".join(fragments)), "r", format="mp4") as container:
        return sum(1 for _ in container.decode(video=0))
