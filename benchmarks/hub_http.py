"""The hub over HTTP beside plain ASGI handlers in the same run: `python -m benchmarks.hub_http [quick] [KIND …]`.

Both serve the same 100,000 entities, all with a location. Server and load generator are processes of their own. Short
runs alternate between the two servers, so that a slow spell of the machine meets both; figures are medians. Ratios are
of requests for each CPU second the server used, because a neighbour on the machine changes throughput severalfold and
this little; throughput stands beside them.
"""

from __future__ import annotations

import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from benchmarks.hub_rows import INDEXED, seed
from benchmarks.result import Result

ROOT = Path(__file__).parents[1]
SEEDED = 100_000
RETRIEVED = 10_000


@dataclass
class Server:
    """A server under test."""

    process: subprocess.Popen[bytes]
    port: int
    created: int = SEEDED
    rates: dict[str, list[float]] = field(default_factory=dict)
    cpu_us: dict[str, list[float]] = field(default_factory=dict)

    def cpu_s(self) -> float:
        """CPU seconds the server has used."""
        return time.clock_gettime(~self.process.pid << 3 | 2)  # Linux: the clock of another process's CPU, in ns

    def run(self, kind: str, total: int) -> None:
        """One short run of one kind of load."""
        first = RETRIEVED if kind == "retrieve" else self.created
        before = self.cpu_s()
        command = [sys.executable, "-m", "benchmarks.hub_load", str(self.port), kind, str(total), str(first)]
        said = orjson.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, cwd=ROOT, timeout=120).stdout)
        if said["bad"]:
            raise RuntimeError(f"{said['bad']} answers of {kind} were not 2xx")
        if kind.startswith("create"):
            self.created += int(said["requests"])
        self.rates.setdefault(kind, []).append(said["requests"] / said["seconds"])
        self.cpu_us.setdefault(kind, []).append((self.cpu_s() - before) / said["requests"] * 1e6)

    def warm(self, kind: str) -> None:
        """A run that does not count: entities come into memory, and the hub learns which queries are asked."""
        self.run(kind, RETRIEVED if kind == "retrieve" else 200)
        self.rates[kind].clear()
        self.cpu_us[kind].clear()


@contextmanager
def serving(which: str, folder: Path) -> Iterator[Server]:
    """A server on the store of its name."""
    command = [sys.executable, "-m", "benchmarks.hub_server", which, str(folder / f"{which}.sqlite3"), INDEXED]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdout is not None
        try:
            yield Server(process, int(process.stdout.readline()))
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(20)


_TOTALS = {
    "retrieve": 10_000,
    "query": 6_000,
    "query-again": 6_000,
    "query-rare": 3_000,
    "create": 4_000,
    "create-location": 4_000,
}
"""Requests in one run: a fixed number, so that what a connection costs weighs the same however slow the machine is."""
_KINDS = (
    ("retrieve", "hub retrieve", 0.6),
    ("query", "hub query of 20 by type and attribute of 100k, never asked before", 0.3),
    ("query-again", "hub query of 20 by type and attribute of 100k, asked before", 0.3),
    ("create", "hub create, durable", 0.65),
    ("create-location", "hub create with location, durable", 0.65),
)
_ON_REQUEST = (("query-rare", "hub query of 20 that one in 200 entities meets, never asked before", 0.3),)


def run(quick: bool, kinds: Sequence[tuple[str, str, float]] = _KINDS) -> list[Result]:
    """Medians of alternating short runs."""
    rounds, share = (3, 2) if quick else (9, 1)
    with tempfile.TemporaryDirectory() as folder:
        seed(Path(folder) / "hub.sqlite3", SEEDED)
        shutil.copyfile(Path(folder) / "hub.sqlite3", Path(folder) / "bare.sqlite3")
        with serving("hub", Path(folder)) as hub, serving("bare", Path(folder)) as bare:
            return _alternating(hub, bare, kinds, rounds, share)


def _alternating(
    hub: Server, bare: Server, kinds: Sequence[tuple[str, str, float]], rounds: int, share: int
) -> list[Result]:
    for kind, _, _ in kinds:
        for server in (bare, hub):
            server.warm(kind)
        for _ in range(rounds):
            for server in (bare, hub):
                server.run(kind, _TOTALS[kind] // share)
    return [_result(kind, name, goal, hub, bare) for kind, name, goal in kinds]


def _result(kind: str, name: str, goal: float, hub: Server, bare: Server) -> Result:
    """The ratio is the median over neighbouring runs, which met the same spell of the machine."""
    ours, limit = (1e6 / statistics.median(server.cpu_us[kind]) for server in (hub, bare))
    ratio = statistics.median(b / h for h, b in zip(hub.cpu_us[kind], bare.cpu_us[kind], strict=True))
    wall = " / ".join(f"{statistics.median(server.rates[kind]):,.0f}" for server in (hub, bare))
    return Result(f"{name} (wall {wall} req/s)", ours, limit, ratio, goal, "req/CPU-s")


if __name__ == "__main__":
    asked = tuple(one for one in (*_KINDS, *_ON_REQUEST) if one[0] in sys.argv)
    for result in run("quick" in sys.argv, asked or _KINDS):
        figures = f"{result.ours:,.0f} / {result.limit:,.0f} {result.unit}"
        print(f"{result.name}: {figures}, ratio {result.ratio:.2f}, goal {result.goal}")
