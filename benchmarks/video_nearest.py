"""Finding cameras among 100,000: the 20 nearest beside a bare k-d tree, and those that see a point in a millisecond."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

from benchmarks.result import Result

Points = Sequence[tuple[float, float]]
WEST, SOUTH, SIZE = 128.70, 35.10, 0.45


def run(quick: bool) -> list[Result]:
    """Two lines: nearest (ratio to cKDTree) and seeing (ratio to 1 ms)."""
    import numpy as np
    from scipy.spatial import cKDTree

    from madang.video.coverage import CameraIndex

    cameras = _cameras(5_000 if quick else 100_000)
    index = CameraIndex(cameras)
    metres = [(camera.lon * 90_900.0, camera.lat * 111_195.0) for camera in cameras]
    bare: Any = cKDTree(np.array(metres))  # Any: scipy has no types
    points = _points(200 if quick else 3_000)
    tries = 3 if quick else 7
    ours, limit, seeing = [], [], []
    for _ in range(tries):
        limit.append(_each_us(points, lambda lon, lat: bare.query((lon * 90_900.0, lat * 111_195.0), 20)))
        ours.append(_each_us(points, lambda lon, lat: index.nearest(lon, lat, 20)))
        seeing.append(_each_us(points, index.seeing))
    mine, theirs, seen = statistics.median(ours), statistics.median(limit), statistics.median(seeing)
    return [
        Result(
            "20 nearest of 100k cameras, beside a bare cKDTree", mine, theirs, mine / theirs, 3.0, "µs", at_least=False
        ),
        Result("cameras that see a point, of 100k", seen, 1_000.0, seen / 1_000.0, 1.0, "µs", at_least=False),
    ]


def _cameras(count: int) -> list[Any]:  # Any: imported late, so that `--help` stays quick
    from madang.video.coverage import IndexedCamera

    dice = random.Random(7)
    made = []
    for number in range(count):
        surveyed = dice.random() < 0.5
        lon, lat = WEST + dice.random() * SIZE, SOUTH + dice.random() * SIZE
        made.append(
            IndexedCamera(
                id=f"camera-{number}",
                label="",
                site_id="",
                lon=lon,
                lat=lat,
                azimuth_deg=dice.random() * 360 if surveyed else None,
                hfov_deg=dice.choice((60.0, 90.0, 110.0)),
                range_m=dice.uniform(30, 120),
                kind="fixed" if surveyed else "unknown",
                megapixels=2.0,
                purpose="",
                ptz=False,
                mode="simulated",
            )
        )
    return made


def _points(count: int) -> Points:
    dice = random.Random(8)
    return [(WEST + dice.random() * SIZE, SOUTH + dice.random() * SIZE) for _ in range(count)]


def _each_us(points: Points, find: Callable[[float, float], object]) -> float:
    started = time.perf_counter()
    for lon, lat in points:
        find(lon, lat)
    return (time.perf_counter() - started) / max(1, len(points)) * 1e6


if __name__ == "__main__":
    for result in run(quick=False):
        print(f"{result.name}: {result.ours:.1f} {result.unit} ({result.ratio:.2f}, goal {result.goal})")
