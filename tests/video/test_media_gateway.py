"""The gateway shows pictures against a lease and fails closed. A real process; core is played by the protocol."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import time
from pathlib import Path

import pytest

from madang.kernel.ids import new_id
from madang.site.keys import new_private_pem
from tests.video.media_rig import (
    Rig,
    Viewer,
    decoded_frames,
    film,
    h265_stream,
    http_camera,
    lying_stream,
    rig,
    transport_stream,
    until,
)

pytestmark = pytest.mark.integration


def looping(name: str = "cam") -> dict[str, str]:
    return {name: f"file://{film()}"}


def test_a_lease_shows_pictures_that_decode_and_every_view_is_reported() -> None:
    async def scenario() -> None:
        with http_camera(transport_stream(film())) as url:
            async with rig({"cam": url}) as it:
                viewer = await it.view("cam")
                await viewer.hear(20)
                assert str(viewer.ready["codec"]).startswith("avc1.")
                assert (viewer.ready["type"], viewer.ready["width"]) == ("ready", 1280)
                assert decoded_frames(viewer.init, viewer.data) >= 18
                await viewer.socket.close()
                await until(lambda: it.core.stopped)
                stopped = it.core.stopped[0]
                assert stopped.view == it.core.started[0][0]
                assert stopped.bytes > sum(map(len, viewer.data[:10]))
                assert ("cam", "ok", "") in it.core.health

    asyncio.run(scenario())


@pytest.mark.data
def test_a_real_film_served_over_http_plays_as_a_camera() -> None:
    shared = Path(os.environ.get("MADANG_SHARED_DATA", Path(__file__).parents[3] / "shared" / "data"))
    path = shared / "09_video" / "vtest_h264.mp4"
    if not path.exists():
        pytest.skip("no shared data; set MADANG_SHARED_DATA to the folder that holds 09_video/vtest_h264.mp4")

    async def scenario() -> None:
        with http_camera(path.read_bytes(), seconds=0.2, repeat=False, name="street.mp4") as url:
            async with rig({"cam": url}, stall_s=6.0) as it:
                viewer = await it.view("cam")
                await viewer.hear(15, within_s=15)
                assert (viewer.ready["codec"], viewer.ready["width"]) == ("avc1.64001f", 768)
                assert decoded_frames(viewer.init, viewer.data) >= 13

    asyncio.run(scenario())


def test_no_picture_leaves_before_core_has_recorded_the_view() -> None:
    async def scenario() -> None:
        async with rig(looping()) as it:
            await it.core.warm("cam")
            it.core.answer_after.clear()
            viewer = await it.view("cam")
            with pytest.raises(TimeoutError):
                await viewer.hear(1, within_s=1.0)
            assert (viewer.ready, viewer.init) == ({}, b"")
            it.core.answer_after.set()
            await viewer.hear(2)
            assert viewer.pictures == 2

    asyncio.run(scenario())


def test_what_core_refuses_is_not_shown() -> None:
    async def scenario() -> None:
        async with rig(looping()) as it:
            it.core.answer = 4403
            viewer = await it.view("cam")
            assert await viewer.closed() == 4403
            assert viewer.init == b""
            assert it.core.stopped == []

    asyncio.run(scenario())


def test_revocation_stops_the_pictures_at_once_and_the_lease_stays_dead() -> None:
    async def scenario() -> None:
        async with rig(looping()) as it:
            viewer, other = await it.view("cam"), await it.view("cam")
            await viewer.hear(5)
            await it.core.revoke(viewer.lease)
            asked_at = time.monotonic()
            assert await viewer.closed() == 4403
            assert time.monotonic() - asked_at < 5
            again = await it.view("cam", lease=viewer.lease)
            assert await again.closed() == 4403
            await other.hear(other.pictures + 10)
            assert other.code is None
            await until(lambda: [stop.code for stop in it.core.stopped] == [4403])

    asyncio.run(scenario())


def test_a_lease_that_is_not_renewed_ends_and_a_renewed_one_goes_on() -> None:
    async def scenario() -> None:
        async with rig(looping()) as it:
            left, kept = await it.view("cam", seconds=2), await it.view("cam", seconds=2)
            await it.renew(kept, "cam", seconds=20)
            assert await left.closed() == 4408
            await kept.hear(kept.pictures + 8)
            assert kept.code is None
            late = await it.view("cam", seconds=-5)
            assert await late.closed() == 4408

    asyncio.run(scenario())


def test_a_lease_is_shown_in_one_place_the_newest() -> None:
    async def scenario() -> None:
        async with rig(looping()) as it:
            first = await it.view("cam")
            await first.hear(3)
            second = await it.view("cam", lease=first.lease)
            await second.hear(3)
            assert await first.closed() == 4401
            await second.hear(second.pictures + 5)
            assert second.code is None

    asyncio.run(scenario())


def test_a_renewal_for_another_lease_ends_the_view() -> None:
    async def scenario() -> None:
        async with rig(looping()) as it:
            viewer = await it.view("cam")
            await viewer.hear(1)
            await it.renew(viewer, "cam", lease=new_id())
            assert await viewer.closed() == 4401

    asyncio.run(scenario())


def test_when_core_goes_silent_everything_goes_dark_and_light_returns_with_it() -> None:
    async def scenario() -> None:
        async with rig(looping()) as it:
            viewer = await it.view("cam")
            await viewer.hear(3)
            it.core.beating = False
            assert await viewer.closed(6) == 4504
            refused = await it.view("cam")
            assert await refused.closed() == 4504
            it.core.beating = True
            await asyncio.sleep(0.5)
            back = await it.view("cam")
            await back.hear(3)
            assert back.code is None

    asyncio.run(scenario())


def test_a_line_that_breaks_for_a_moment_darkens_nothing_and_ends_are_told_afterwards() -> None:
    async def scenario() -> None:
        async with rig(looping()) as it:
            viewer, leaving = await it.view("cam"), await it.view("cam")
            await viewer.hear(2)
            await leaving.hear(2)
            it.core.acking = False
            await leaving.socket.close()
            await it.core.hang_up()
            await until(lambda: len(it.core.hellos) >= 2)
            assert viewer.lease in it.core.hellos[-1].values()
            it.core.acking = True
            await until(lambda: it.core.stopped, 10)
            await viewer.hear(viewer.pictures + 8)
            assert viewer.code is None

    asyncio.run(scenario())


def test_a_second_viewer_starts_with_a_key_frame_and_shares_the_one_reader() -> None:
    async def scenario() -> None:
        async with rig(looping()) as it:
            first = await it.view("cam")
            await first.hear(8)
            second = await it.view("cam")
            await second.hear(14)
            assert decoded_frames(second.init, second.data) >= 12
            assert it.core.health.count(("cam", "ok", "")) == 1

    asyncio.run(scenario())


def test_a_warmed_camera_shows_its_first_picture_from_memory() -> None:
    async def scenario() -> None:
        async with rig(looping()) as it:
            await it.core.warm("cam")
            await until(lambda: it.core.health)
            viewer = await it.view("cam")
            await viewer.hear(1)
            assert viewer.pictures == 1

    asyncio.run(scenario())


def test_a_camera_that_stalls_is_reported_and_its_viewers_are_told() -> None:
    async def scenario() -> None:
        with http_camera(transport_stream(film()), seconds=0.5, hold=True) as url:
            async with rig({"cam": url}) as it:
                viewer = await it.view("cam")
                assert await viewer.closed(15) == 4503
                assert viewer.pictures > 10
                await until(lambda: ("cam", "offline") in [seen[:2] for seen in it.core.health])

    asyncio.run(scenario())


UNREACHABLE = [
    "http://127.0.0.1:9/none.ts",
    "http://192.0.2.7/cam.ts",
    "http://169.254.169.254/latest/meta-data",
    "http://localhost.invalid/cam.ts",
    "gopher://127.0.0.1/",
    "concat:/etc/passwd",
    "/etc/passwd",
    "",
]


def test_a_camera_that_cannot_be_opened_closes_with_camera_down_and_never_tells_its_address() -> None:
    async def scenario() -> None:
        cameras = {f"cam-{number}": source for number, source in enumerate(UNREACHABLE)}
        async with rig(cameras) as it:
            viewers = {name: await it.view(name) for name in cameras}
            for name, viewer in viewers.items():
                assert await viewer.closed(15) == 4503, cameras[name]
                assert "passwd" not in viewer.reason and "none.ts" not in viewer.reason
                assert viewer.init == b""

    asyncio.run(scenario())


def test_a_redirect_to_elsewhere_is_not_followed() -> None:
    async def scenario() -> None:
        with http_camera(transport_stream(film())) as real, http_camera(b"", status=302, location=real) as url:
            async with rig({"cam": url}) as it:
                viewer = await it.view("cam")
                assert await viewer.closed(15) in (4503, 4415)
                assert viewer.pictures == 0

    asyncio.run(scenario())


def test_bytes_that_are_no_stream_are_refused_by_name() -> None:
    async def scenario() -> None:
        with http_camera(b"\x47" + b"not a picture at all " * 20_000, seconds=0.5) as url:
            async with rig({"cam": url}) as it:
                viewer = await it.view("cam")
                assert await viewer.closed(20) in (4415, 4503)
                assert viewer.init == b""

    asyncio.run(scenario())


def test_h265_is_refused_by_name_and_shown_on_the_cameras_health() -> None:
    async def scenario() -> None:
        with http_camera(h265_stream(), seconds=2) as url:
            async with rig({"cam": url}) as it:
                viewer = await it.view("cam")
                assert await viewer.closed(15) == 4415
                assert "H.265" in viewer.reason and viewer.init == b""
                await until(lambda: ("cam", "degraded") in [seen[:2] for seen in it.core.health])

    asyncio.run(scenario())


def test_a_camera_that_lies_about_its_codec_is_refused() -> None:
    async def scenario() -> None:
        with http_camera(lying_stream(), seconds=2) as url:
            async with rig({"cam": url}, stall_s=6.0) as it:
                viewer = await it.view("cam")
                assert await viewer.closed(20) == 4415
                assert viewer.pictures == 0

    asyncio.run(scenario())


def _forged(it: Rig, kind: str) -> str:
    good = it.token("cam")
    head, body, signature = good.split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))

    def part(value: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    if kind == "none":
        return f"{part({'alg': 'none'})}.{body}."
    if kind == "other_key":
        return it.token("cam", pem=new_private_pem())
    if kind == "changed_claim":
        return f"{head}.{part({**claims, 'cam': 'another'})}.{signature}"
    if kind == "hs256":
        return f"{part({'alg': 'HS256'})}.{body}.{signature}"
    if kind == "garbage":
        return "not.a.token"
    return good[:-4] + "AAAA"


def test_a_forged_token_opens_nothing() -> None:
    async def scenario() -> None:
        async with rig(looping()) as it:
            for kind in ("none", "other_key", "changed_claim", "hs256", "garbage", "cut"):
                viewer = Viewer(await it.connect())
                await viewer.socket.send(json.dumps({"lease": _forged(it, kind)}))
                assert await viewer.closed() == 4401, kind
            assert it.core.started == []

    asyncio.run(scenario())


MALFORMED: list[str | bytes] = ["", "{}", '{"lease": 7}', "[]", b"\xff\x00", '{"lease": "' + "x" * 3_000 + '"}']


def test_a_malformed_first_message_is_refused() -> None:
    async def scenario() -> None:
        async with rig(looping()) as it:
            for message in MALFORMED:
                viewer = Viewer(await it.connect())
                await viewer.socket.send(message)
                assert await viewer.closed() == (4400 if len(message) < 100 else 4401), message

    asyncio.run(scenario())


def test_a_viewer_who_does_not_read_is_let_go_and_harms_nobody() -> None:
    async def scenario() -> None:
        async with rig(looping(), slow_s=1.0, backlog_bytes=200_000) as it:
            asleep = await it.view("cam")
            awake = await it.view("cam")
            asleep.socket.transport.pause_reading()
            await awake.hear(25, within_s=15)
            assert awake.code is None
            asleep.socket.transport.resume_reading()
            await asleep.hear(20, within_s=15)
            assert decoded_frames(asleep.init, asleep.data) >= 1

    asyncio.run(scenario())
