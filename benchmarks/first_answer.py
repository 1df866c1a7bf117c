"""How soon the platform answers after its start, and what core holds of memory when a demo idles.

Medians of starts of `madang serve` on the demo city's migrated stores (1,200 cameras), measured from outside.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import demo_city
from benchmarks.result import Result

GOAL_S = 3.0
GOAL_MB = 400.0


def run(quick: bool) -> list[Result]:
    """Seconds to the first answer of platform and hub; megabytes of core after half a minute with sensors running."""
    starts, idle_s = (3, 5.0) if quick else (5, 30.0)
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder) / "demo"
        with demo_city.demo(state) as process:
            time.sleep(idle_s)
            rss_mb = demo_city.status_mb(demo_city.core_of(process.pid), "VmRSS")
        took = [_start_s(state) for _ in range(starts)]
    first_s, hub_s = (statistics.median(column) for column in zip(*took, strict=True))
    return [
        Result(
            f"first answer after start, median of {starts}", first_s, GOAL_S, first_s / GOAL_S, 1.0, "s", at_least=False
        ),
        Result(f"first answer of the hub, median of {starts}", hub_s, GOAL_S, hub_s / GOAL_S, 1.0, "s", at_least=False),
        Result(
            f"core of the idle demo after {idle_s:.0f} s, RSS",
            rss_mb,
            GOAL_MB,
            rss_mb / GOAL_MB,
            1.0,
            "MB",
            at_least=False,
        ),
    ]


def _start_s(state: Path) -> tuple[float, float]:
    """Seconds from the start of `madang serve` to the first answer of `/healthz` and of the hub."""
    origin = f"http://127.0.0.1:{demo_city.port_of(state)}"
    command = [sys.executable, "-m", "madang.cli", "--config", str(state / "madang.toml"), "serve"]
    began = time.perf_counter()
    with demo_city.running(command, state / "logs" / "benchmark.log"):
        first_s = _until(f"{origin}/healthz") - began
        hub_s = _until(f"{origin}/ngsi-ld/v1/entities?type=AirQualityObserved", 401) - began
    return first_s, hub_s


def _until(url: str, *also: int) -> float:
    deadline = time.perf_counter() + 60
    while not demo_city.answers(url, *also):
        if time.perf_counter() > deadline:
            raise RuntimeError(f"{url} gave no answer in a minute")
        time.sleep(0.01)
    return time.perf_counter()


if __name__ == "__main__":
    for result in run(quick="--quick" in sys.argv):
        print(result.line())
