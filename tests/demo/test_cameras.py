"""The simulated cameras really play, at their own pace, and fail the way real ones do."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator

import av
import pytest


@pytest.fixture(scope="module")
def farm() -> Iterator[str]:
    """A running farm of twenty cameras; yields its address."""
    process = subprocess.Popen(
        [sys.executable, "-m", "madang_demo.cameras", "--port", "0", "--count", "20"], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    yield line.split("on ")[1].split("/cam/")[0]
    process.terminate()
    process.wait(10)
    process.stdout.close()


def packets(url: str, count: int) -> list[tuple[int, bool]]:
    """Presentation time and key flag of the first `count` packets."""
    found: list[tuple[int, bool]] = []
    with av.open(url, "r", format="mpegts", timeout=(5, 5)) as stream:
        assert stream.streams.video[0].codec_context.name == "h264"
        for packet in stream.demux(video=0):
            found.append((packet.pts or 0, packet.is_keyframe))
            if len(found) == count:
                break
    return found


@pytest.mark.parametrize("camera", range(8))
def test_every_loop_decodes_and_moves(farm: str, camera: int) -> None:
    with av.open(f"{farm}/cam/{camera}.ts", "r", format="mpegts", timeout=(5, 5)) as stream:
        frames = []
        for frame in stream.decode(video=0):
            frames.append(frame.to_ndarray(format="gray"))
            if len(frames) == 6:
                break
    assert frames[0].shape == (720, 1280)
    assert abs(frames[0].astype(int) - frames[-1].astype(int)).mean() > 0.05


def test_a_stream_starts_on_a_key_frame_and_time_only_goes_forward(farm: str) -> None:
    found = packets(f"{farm}/cam/3.ts", 40)
    times = [pts for pts, _ in found]
    assert found[0][1]
    assert times == sorted(set(times))


def test_a_camera_does_not_run_ahead_of_the_clock(farm: str) -> None:
    began = time.monotonic()
    packets(f"{farm}/cam/4.ts", 30)
    assert time.monotonic() - began > 1.3


def test_a_dropping_camera_ends_and_a_missing_one_is_not_found(farm: str) -> None:
    seen = 0
    with (
        contextlib.suppress(OSError),
        av.open(f"{farm}/cam/5.ts?fault=drop", "r", format="mpegts", timeout=(5, 5)) as stream,
    ):
        for packet in stream.demux(video=0):
            seen += bool(packet.size)
    assert 20 < seen < 60
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(f"{farm}/cam/20.ts", timeout=5)  # noqa: S310 -- the farm above
