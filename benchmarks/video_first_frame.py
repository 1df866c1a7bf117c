"""From an open lease to the first picture at the viewer: cameras opened beforehand, as an offer does, and cold ones.

A real gateway process and real MPEG-TS over HTTP from the simulated camera farm; viewers come one after another.
"""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.video.media_rig import Rig, rig, until

from benchmarks.result import Result

GOAL_S = 3.0


def run(quick: bool) -> list[Result]:
    """p95 of warmed and of cold cameras, in seconds, against three seconds."""
    count = 4 if quick else 20
    with _farm(2 * count) as base:
        warm, cold = asyncio.run(_measure({f"cam-{number}": f"{base}/cam/{number}.ts" for number in range(2 * count)}))
    return [
        Result(
            f"first picture, camera opened when offered, p95 of {count}",
            _p95(warm),
            GOAL_S,
            _p95(warm) / GOAL_S,
            1.0,
            "s",
            at_least=False,
        ),
        Result(
            f"first picture, camera cold, p95 of {count}",
            _p95(cold),
            GOAL_S,
            _p95(cold) / GOAL_S,
            1.0,
            "s",
            at_least=False,
        ),
    ]


async def _measure(sources: dict[str, str]) -> tuple[list[float], list[float]]:
    names = list(sources)
    warmed, cold = names[: len(names) // 2], names[len(names) // 2 :]
    async with rig(sources, stall_s=6.0) as it:
        for name in warmed:
            await it.core.warm(name)
        await until(lambda: len(it.core.health) >= len(warmed), 30)
        return [await _first(it, name) for name in warmed], [await _first(it, name) for name in cold]


async def _first(it: Rig, camera: str) -> float:
    started = time.perf_counter()
    viewer = await it.view(camera)
    await viewer.hear(1, within_s=15)
    took = time.perf_counter() - started
    await viewer.socket.close()
    if not viewer.pictures:
        raise RuntimeError(f"{camera} showed nothing: {viewer.code} {viewer.reason}")
    return took


def _p95(seconds: list[float]) -> float:
    return sorted(seconds)[max(0, -(-95 * len(seconds) // 100) - 1)]


@contextmanager
def _farm(count: int) -> Iterator[str]:
    command = [sys.executable, "-m", "madang_demo.cameras", "--port", "0", "--count", str(count)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        found = re.search(r"http://[\d.]+:\d+", process.stdout.readline())
        assert found is not None
        yield found.group()
    finally:
        process.terminate()
        process.wait(10)


if __name__ == "__main__":
    for result in run(quick="--quick" in sys.argv):
        print(f"{result.name}: {result.ours:.3f} {result.unit} (goal {GOAL_S})")
