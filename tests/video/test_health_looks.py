"""The health sweep: real cameras, a real media process, and a core that judges. No picture is kept or shown."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread

import msgspec
import pytest

from madang.identity.models import Authority
from madang.journal import civic
from madang.kernel.mode import Mode
from madang.video.commands import SiteRow, put_sites, set_camera_health
from madang.video.commands.sites import sealed_stream
from madang.video.config import VideoConfig
from madang.video.health import BLOCKS, MARK_HEX
from madang.video.media.protocol import LookAt, Looked, MarksSeen, encode
from madang.video.models import Camera, CameraLook, ViewSession
from madang.video.sweep import Sweep
from madang_demo.cameras import LOOPS, CameraFarm
from tests.video.media_rig import free_port, http_camera, rig, until

NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
pytestmark = pytest.mark.timeout(120)


@contextmanager
def farm() -> Iterator[str]:
    server = CameraFarm(("127.0.0.1", 0), 8, LOOPS)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/cam"
    finally:
        server.stopping.set()
        server.shutdown()
        server.server_close()


def test_a_look_tells_a_living_a_black_and_a_frozen_camera_apart_and_sends_no_picture() -> None:
    async def run(base: str) -> dict[str, Looked]:
        cameras = {
            "alive": f"{base}/1.ts",
            "black": f"{base}/2.ts?fault=black",
            "frozen": f"{base}/3.ts?fault=frozen",
            "gone": f"http://127.0.0.1:{free_port()}/cam/1.ts",
            "elsewhere": "http://192.0.2.1/cam/1.ts",
        }
        async with rig({}, looks_at_once=2, look_s=6.0) as it:
            await it.core.tell(LookAt(cameras))
            await until(lambda: len(it.core.looked) == len(cameras), 60)
            return {one.camera: one for one in it.core.looked}

    with farm() as base:
        found = asyncio.run(run(base))
    assert {camera: one.outcome for camera, one in found.items()} == {
        "alive": "seen",
        "black": "seen",
        "frozen": "seen",
        "gone": "silent",
        "elsewhere": "silent",
    }
    alive, black, frozen = (found[name].marks for name in ("alive", "black", "frozen"))
    assert len({mark.blocks for mark in alive}) == 2
    assert len({mark.blocks for mark in frozen}) == 1 and len(frozen) == 2
    assert black[0].luma < 5 and black[0].spread < 2 < alive[0].spread
    for one in found.values():
        assert len(encode(one)) < 2_000, "what is sent of a look is smaller than any picture"
        assert all(re.fullmatch(r"[0-9a-f]+", mark.blocks) for mark in one.marks)


def test_a_stream_that_is_no_video_breaks_nothing_and_the_next_camera_is_looked_at() -> None:
    async def run(junk: str, base: str) -> dict[str, str]:
        async with rig({}, looks_at_once=1, look_s=4.0) as it:
            await it.core.tell(LookAt({"junk": junk, "good": f"{base}/1.ts"}))
            await until(lambda: len(it.core.looked) == 2, 60)
            return {one.camera: one.outcome for one in it.core.looked}

    with farm() as base, http_camera(b"\x47" + bytes(range(256)) * 400) as junk:
        found = asyncio.run(run(junk, base))
    assert found["good"] == "seen"
    assert found["junk"] in ("silent", "unreadable")


def marks(number: int, luma: float = 100.0, spread: float = 30.0) -> MarksSeen:
    return MarksSeen(luma, spread, f"{number:0{MARK_HEX}x}" * BLOCKS)


def looked(camera: Camera, *seen: MarksSeen, outcome: str = "seen") -> Looked:
    return Looked(1, camera.pk, outcome, list(seen))


CONFIG = VideoConfig(health_every_s=3_600, health_per_minute=60, health_forbidden_purposes=("목욕탕",))


@pytest.fixture
def cameras(authority: Authority) -> list[Camera]:
    """Two cameras with a stream, one without, one whose purpose forbids looking, one whose owner does."""
    rows = [
        SiteRow(key, name=key, lon=128.88, lat=35.22, purpose="목욕탕" if key == "d" else "생활방범")
        for key in ("a", "b", "c", "d", "e")
    ]
    with civic.transaction() as tx:
        put_sites(tx, authority.code, rows, NOW, Mode.LIVE)
    found = list(Camera.objects.select_related("site").order_by("site__source_key"))
    for camera in found:
        if camera.site.source_key != "c":
            camera.stream_sealed = sealed_stream("http://127.0.0.1/cam/1.ts", camera.site_id, camera.number)
            camera.may_look = camera.site.source_key != "e"
            camera.save()
    return found


def announced(topic: str) -> list[dict[str, object]]:
    with civic.reading() as tx:
        rows = tx.execute("SELECT body FROM journal_outbox WHERE topic = ? ORDER BY seq", (topic,))
    return [msgspec.json.decode(row[0]) for row in rows]


@pytest.mark.django_db(transaction=True)
def test_only_cameras_that_may_be_looked_at_are_and_each_in_its_turn(cameras: list[Camera]) -> None:
    sweep = Sweep(CONFIG)
    chosen: list[str] = []
    for second in range(10):
        chosen += sweep.due(NOW + timedelta(seconds=second))
    assert sorted(chosen) == [cameras[0].pk, cameras[1].pk]
    assert sweep.due(NOW + timedelta(seconds=3_700)) != {}


@pytest.mark.django_db(transaction=True)
def test_the_rate_is_kept_whatever_is_due(authority: Authority) -> None:
    rows = [SiteRow(str(n), name=str(n), lon=128.88, lat=35.22) for n in range(60)]
    with civic.transaction() as tx:
        put_sites(tx, authority.code, rows, NOW, Mode.LIVE)
    for camera in Camera.objects.all():
        camera.stream_sealed = sealed_stream("http://127.0.0.1/cam/1.ts", camera.site_id, camera.number)
        camera.save()
    sweep = Sweep(VideoConfig(health_every_s=3_600, health_per_minute=30))
    counts = [len(sweep.due(NOW + timedelta(seconds=second))) for second in range(60)]
    assert sum(counts) <= 31
    assert sum(counts) >= 29
    assert Sweep(VideoConfig(health_every_s=0)).due(NOW + timedelta(hours=9)) == {}


@pytest.mark.django_db(transaction=True)
def test_a_frozen_camera_is_told_once_and_a_stream_that_flows_does_not_make_it_well(cameras: list[Camera]) -> None:
    sweep, camera = Sweep(CONFIG), cameras[0]
    sweep.due(NOW)
    for minute in range(8):
        sweep.take(looked(camera, marks(7), marks(7)), NOW + timedelta(minutes=minute))
    camera.refresh_from_db()
    assert (camera.health, camera.health_fault) == ("degraded", "frozen")
    with civic.transaction() as tx:
        set_camera_health(tx, camera.pk, "ok", NOW + timedelta(minutes=9))
    camera.refresh_from_db()
    assert (camera.health, camera.health_fault) == ("degraded", "frozen")
    sweep.take(looked(camera, marks(8), marks(9)), NOW + timedelta(minutes=20))
    told = announced("video.camera.health")
    assert [(one["health"], one["reason"], one["site_source_key"]) for one in told] == [
        ("degraded", "frozen", "a"),
        ("ok", "", "a"),
    ]


@pytest.mark.django_db(transaction=True)
def test_what_was_suspected_survives_a_restart_of_core(cameras: list[Camera]) -> None:
    camera = cameras[1]
    Sweep(CONFIG).due(NOW)
    Sweep(CONFIG).take(looked(camera, marks(0, 0.1, 0.1)), NOW)
    Sweep(CONFIG).take(looked(camera, marks(0, 0.1, 0.1)), NOW + timedelta(seconds=90))
    camera.refresh_from_db()
    assert (camera.health, camera.health_fault) == ("degraded", "black")


@pytest.mark.django_db(transaction=True)
def test_looks_are_no_views_and_their_number_stands_in_the_audit_chain(cameras: list[Camera]) -> None:
    sweep = Sweep(CONFIG)
    sweep.due(NOW)
    for n in range(3):
        sweep.take(looked(cameras[0], marks(2 * n), marks(2 * n + 1)), NOW + timedelta(minutes=n))
    sweep.tell(NOW + timedelta(minutes=3))
    sweep.tell(NOW + timedelta(minutes=5), ending=True)
    with civic.reading() as tx:
        rows = tx.execute("SELECT actor, action FROM journal_audit WHERE action LIKE 'video.health%'")
    assert [tuple(row) for row in rows] == [("system:video-health", "video.health.looked")]
    assert ViewSession.objects.count() == 0
    assert [one["site_source_keys"] for one in announced("video.cameras.seen")] == [["a"]]


@pytest.mark.django_db(transaction=True)
def test_nothing_that_is_kept_of_a_look_is_a_picture(cameras: list[Camera]) -> None:
    sweep = Sweep(CONFIG)
    sweep.due(NOW)
    sweep.take(looked(cameras[0], marks(1), marks(2)), NOW)
    sweep.take(msgspec.structs.replace(looked(cameras[0]), marks=[MarksSeen(100, 30, "x" * 90_000)]), NOW)
    row = CameraLook.objects.get(camera=cameras[0])
    assert len(row.blocks) == BLOCKS * MARK_HEX
    source = Path(__file__).parents[2] / "src/madang/video/media/looker.py"
    assert not re.search(r"to_image|to_ndarray|open\(.*['\"]w|\.save\(", source.read_text("utf-8"))


@pytest.mark.django_db(transaction=True)
def test_a_doubtful_camera_is_looked_at_again_before_those_never_looked_at(authority: Authority) -> None:
    rows = [SiteRow(f"{n:02}", name=str(n), lon=128.88, lat=35.22) for n in range(30)]
    with civic.transaction() as tx:
        put_sites(tx, authority.code, rows, NOW, Mode.LIVE)
    for camera in Camera.objects.all():
        camera.stream_sealed = sealed_stream("http://127.0.0.1/cam/1.ts", camera.site_id, camera.number)
        camera.save()
    sweep = Sweep(VideoConfig(health_every_s=3_600, health_per_minute=6, health_again_s=20))
    (first,) = sweep.due(NOW)
    sweep.take(looked(Camera.objects.get(pk=first), marks(0, 0.1, 0.1)), NOW)
    assert first not in sweep.due(NOW + timedelta(seconds=10))
    assert list(sweep.due(NOW + timedelta(seconds=21))) == [first]
