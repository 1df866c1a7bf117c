"""Cameras that speak RTSP: a real server from GStreamer."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.video.media_rig import decoded_frames, rig

pytestmark = pytest.mark.integration
SYSTEM_PYTHON = "/usr/bin/python3"


@pytest.fixture(scope="module")
def rtsp() -> Iterator[str]:
    """The address of a running RTSP server."""
    script = Path(__file__).with_name("rtsp_camera.py")
    if shutil.which(SYSTEM_PYTHON) is None:
        pytest.skip("no system Python for GStreamer's bindings")
    process = subprocess.Popen([SYSTEM_PYTHON, str(script)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stderr is not None
    try:
        address = process.stdout.readline().strip()
        if not address.startswith("rtsp://"):
            pytest.skip("no RTSP server; install python3-gi and gir1.2-gst-rtsp-server-1.0")
        yield address
    finally:
        process.terminate()
        process.wait(10)
        process.stdout.close()
        process.stderr.close()


def test_an_rtsp_camera_is_shown(rtsp: str) -> None:
    async def scenario() -> None:
        async with rig({"cam": f"{rtsp}/h264"}, stall_s=8.0) as it:
            viewer = await it.view("cam")
            await viewer.hear(30, within_s=20)
            assert viewer.pictures >= 30, viewer.reason
            assert decoded_frames(viewer.init, viewer.data) >= 28

    asyncio.run(scenario())


def test_an_rtsp_camera_that_sends_h265_is_refused_and_one_that_is_not_there_too(rtsp: str) -> None:
    async def scenario() -> None:
        async with rig({"h265": f"{rtsp}/h265", "gone": f"{rtsp}/gone"}, stall_s=8.0) as it:
            refused, missing = await it.view("h265"), await it.view("gone")
            assert await refused.closed(20) == 4415
            assert "H.265" in refused.reason
            assert await missing.closed(20) == 4503

    asyncio.run(scenario())
