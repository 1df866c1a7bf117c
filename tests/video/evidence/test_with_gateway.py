"""The real link, a real media process, real streams: what is kept is what the cameras sent, also after kill -9."""

from __future__ import annotations

import asyncio
import io
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from threading import Thread

import msgspec
import pytest
import uvicorn
from django.conf import settings

from madang.identity.models import Authority
from madang.identity.rights import Actor
from madang.journal import civic
from madang.kernel.clock import system_clock
from madang.video.commands import open_lease
from madang.video.commands.grants import config as grants_config
from madang.video.evidence import commands, packing, vault
from madang.video.evidence.models import Item
from madang.video.media.config import MediaConfig
from madang.video.media.remuxer import remux
from madang.video.media_process import config_line, media_command, media_config
from madang.video.medialink import MediaLink
from madang.video.models import Camera, VideoGrant
from madang_demo.cameras import LOOPS, CameraFarm
from tests.video.evidence.conftest import INCIDENT, open_room
from tests.video.media_rig import Viewer, until
from tests.video.test_media_link import in_store

pytestmark = [pytest.mark.integration, pytest.mark.django_db(transaction=True), pytest.mark.timeout(120)]


@contextmanager
def farm() -> Iterator[str]:
    server = CameraFarm(("127.0.0.1", 0), 8, LOOPS)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/cam/1.ts"
    finally:
        server.stopping.set()
        server.shutdown()
        server.server_close()


@dataclass
class Room:
    """The control room with a gateway that may be killed and started again."""

    operator: Actor
    grant: VideoGrant
    config: MediaConfig
    process: asyncio.subprocess.Process | None = None
    port: int = 0

    async def start(self) -> None:
        pipe = asyncio.subprocess.PIPE
        self.process = await asyncio.create_subprocess_exec(*media_command(), stdin=pipe, stdout=pipe)
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(config_line(self.config))
        self.port = int(msgspec.json.decode(await self.process.stdout.readline())["listening"])

    async def kill(self) -> None:
        assert self.process is not None
        os.kill(self.process.pid, signal.SIGKILL)
        await self.process.wait()

    async def stop(self) -> None:
        assert self.process is not None
        if self.process.returncode is None:
            self.process.terminate()
            await asyncio.wait_for(self.process.wait(), 10)

    async def camera(self) -> Camera:
        link = await in_store(lambda: self.grant.grant_cameras.select_related("camera").order_by("rank").first())
        assert link is not None
        return link.camera

    async def view(self, pictures: int = 10) -> Viewer:
        camera = await self.camera()

        def lease() -> tuple[str, str]:
            with civic.transaction() as tx:
                ticket = open_lease(
                    tx, self.operator, camera_id=camera.pk, grant_id=self.grant.pk, viewer_name="", now=system_clock()
                )
            return ticket.lease_id, ticket.token

        from websockets.asyncio.client import connect

        for _ in range(50):
            lease_id, token = await in_store(lease)
            url = f"ws://127.0.0.1:{self.port}/v1/view"
            viewer = Viewer(await connect(url, max_size=None, proxy=None), lease_id)
            await viewer.socket.send(msgspec.json.encode({"lease": token}).decode())
            await viewer.hear(pictures, within_s=20)
            if viewer.pictures:
                return viewer
            await asyncio.sleep(0.2)
        raise AssertionError("no picture came")


@asynccontextmanager
async def room(authority: Authority, operator: Actor, stream: str) -> AsyncIterator[Room]:
    grant = await in_store(lambda: open_room(authority, operator, stream))
    app = MediaLink(settings.MADANG_KEYS.media_secret)
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            port=0,
            log_level="error",
            ws="websockets-sansio",
            ws_max_size=1_000_000,
            lifespan="off",
            timeout_graceful_shutdown=1,
        )
    )
    serving = asyncio.create_task(server.serve())
    await until(lambda: server.started)
    port = server.servers[0].sockets[0].getsockname()[1]
    config = msgspec.structs.replace(
        media_config(grants_config(), settings.MADANG_KEYS),
        core_link_url=f"ws://127.0.0.1:{port}/internal/media/link",
        port=0,
    )
    it = Room(operator, grant, config)
    await it.start()
    try:
        yield it
    finally:
        await it.stop()
        server.should_exit = True
        await serving


async def item_when(ident: str, ready: Callable[[Item], bool], within_s: float = 25) -> Item:
    deadline = asyncio.get_running_loop().time() + within_s
    while True:
        item = await in_store(lambda: Item.objects.get(pk=ident))
        if ready(item):
            return item
        assert asyncio.get_running_loop().time() < deadline, (item.state, item.fault, item.pieces)
        await asyncio.sleep(0.05)


def content(item: Item) -> bytes:
    return b"".join(vault.read(item.pk, item.key_sealed, item.pieces, item.digest))


def pictures(film: bytes) -> list[bytes]:
    """The pictures of a film, as they are compressed."""
    import av

    with av.open(io.BytesIO(film), "r", format="mp4") as container:
        assert len(container.streams) == 1, "no sound, ever"
        return [bytes(packet) for packet in container.demux(video=0) if packet.size]


def decoded(film: bytes) -> int:
    import av

    with av.open(io.BytesIO(film), "r", format="mp4") as container:
        return sum(1 for _ in container.decode(video=0))


def test_a_still_is_the_picture_that_was_on_the_screen(authority: Authority, operator: Actor) -> None:
    async def scenario(stream: str) -> Item:
        async with room(authority, operator, stream) as it:
            viewer = await it.view()

            def still() -> str:
                with civic.transaction() as tx:
                    return commands.take_still(tx, operator, viewer.lease, "인상착의", system_clock()).pk

            item = await item_when(await in_store(still), lambda item: item.state in ("KEPT", "FAILED"))
            await viewer.socket.close()
            return item

    with farm() as stream:
        item = asyncio.run(scenario(stream))
    assert (item.state, item.fault) == ("KEPT", "")
    import av

    data = content(item)
    assert data[:3] == b"\xff\xd8\xff"
    with av.open(io.BytesIO(data), "r", format="jpeg_pipe") as still:
        [picture] = list(still.decode(video=0))
    assert (picture.width, picture.height) == (item.width, item.height) == (1280, 720)
    assert item.began_at is not None and abs((system_clock() - item.began_at).total_seconds()) < 60


def test_a_recording_holds_the_cameras_own_pictures_and_ends_when_it_is_stopped(
    authority: Authority, operator: Actor
) -> None:
    async def scenario(stream: str) -> Item:
        async with room(authority, operator, stream) as it:
            camera = await it.camera()
            ident = await in_store(lambda: begin(operator, camera.pk))
            await item_when(ident, lambda item: item.pieces >= 3)
            await in_store(lambda: stop(operator, ident))
            return await item_when(ident, lambda item: item.state == "KEPT")

    with farm() as stream:
        item = asyncio.run(scenario(stream))
    film = content(item)
    assert item.codec.startswith("avc1.") and (item.width, item.height) == (1280, 720)
    plain = remux(film)
    assert pictures(plain) == pictures(film), "copied, not made anew"
    assert decoded(plain) == len(pictures(film)) >= 25
    assert packing.remuxed(film) == plain, "the process of its own makes the same"


def test_kill_9_of_the_gateway_leaves_every_piece_it_had_delivered(authority: Authority, operator: Actor) -> None:
    async def scenario(stream: str) -> tuple[Item, int]:
        async with room(authority, operator, stream) as it:
            camera = await it.camera()
            ident = await in_store(lambda: begin(operator, camera.pk))
            before = await item_when(ident, lambda item: item.pieces >= 3)
            await it.kill()
            await it.start()
            item = await item_when(ident, lambda item: item.state == "PARTIAL")
            return item, before.pieces

    with farm() as stream:
        item, delivered = asyncio.run(scenario(stream))
    assert item.fault == "gateway_restarted" and item.pieces >= delivered
    assert decoded(content(item)) >= 10


def test_the_time_before_an_event_is_kept_only_where_the_policy_says_so(
    authority: Authority, operator: Actor, officer: Actor
) -> None:
    async def scenario(stream: str) -> Item:
        async with room(authority, operator, stream) as it:
            links = await in_store(
                lambda: list(it.grant.grant_cameras.select_related("camera", "camera__site").order_by("rank"))
            )
            kept = links[0].camera
            await in_store(lambda: policy(officer, authority.code, kept.pk, 3))
            for _ in range(60):
                ident = await in_store(lambda: past(operator, kept.pk))
                found = await item_when(ident, lambda item: item.state in ("KEPT", "FAILED"))
                if found.state == "KEPT" and _seconds(found) >= 2:
                    break
                await asyncio.sleep(0.5)
            return found

    with farm() as stream:
        item = asyncio.run(scenario(stream))
    assert 2 <= _seconds(item) <= 3 + 5, "the seconds asked for, and what is left of a group of pictures"
    assert decoded(content(item)) >= 20


def _seconds(item: Item) -> float:
    if item.began_at is None or item.ended_at is None:
        return 0.0
    return (item.ended_at - item.began_at).total_seconds()


def begin(actor: Actor, camera: str) -> str:
    with civic.transaction() as tx:
        return commands.start_recording(tx, actor, INCIDENT, camera, "도주 방향 기록", system_clock()).pk


def stop(actor: Actor, item: str) -> None:
    with civic.transaction() as tx:
        commands.stop_recording(tx, actor, item, system_clock())


def past(actor: Actor, camera: str) -> str:
    with civic.transaction() as tx:
        return commands.keep_past(tx, actor, INCIDENT, camera, "폭행 직전 상황", system_clock()).pk


def policy(actor: Actor, authority: str, camera: str, seconds: int) -> None:
    with civic.transaction() as tx:
        commands.put_policy(
            tx,
            actor,
            authority=authority,
            camera_id=camera,
            purpose="",
            seconds=seconds,
            legal_note="운영·관리 방침 제7조",
            now=system_clock(),
        )
