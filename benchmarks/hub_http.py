"""The hub over HTTP beside plain ASGI handlers in the same run: `python -m benchmarks.hub_http [quick] [all]`.

Server and load generator are processes of their own. Short runs alternate between the two servers, so that a slow spell
of the machine meets both; figures are medians. Ratios are of requests for each CPU second the server used, because a
neighbour on the machine changes throughput severalfold and this little; throughput stands beside them.
"""

from __future__ import annotations

import os
import signal
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from benchmarks.result import Result

ROOT = Path(__file__).parents[1]
SEEDED = 10_000
INDEXED = "pm25"
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Server:
    """A server under test."""

    process: subprocess.Popen[bytes]
    port: int
    created: int = 0
    rates: dict[str, list[float]] = field(default_factory=dict)
    cpu_us: dict[str, list[float]] = field(default_factory=dict)

    def cpu_s(self) -> float:
        """CPU seconds the server has used."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def run(self, kind: str, total: int) -> None:
        """One short run of one kind of load."""
        first = SEEDED if kind == "retrieve" else self.created
        before = self.cpu_s()
        command = [sys.executable, "-m", "benchmarks.hub_load", str(self.port), kind, str(total), str(first)]
        said = orjson.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, cwd=ROOT, timeout=120).stdout)
        if said["bad"]:
            raise RuntimeError(f"{said['bad']} answers of {kind} were not 2xx")
        if kind.startswith("create"):
            self.created += int(said["requests"])
        self.rates.setdefault(kind, []).append(said["requests"] / said["seconds"])
        self.cpu_us.setdefault(kind, []).append((self.cpu_s() - before) / said["requests"] * 1e6)


@contextmanager
def serving(which: str, folder: Path) -> Iterator[Server]:
    """A server on a fresh store."""
    command = [sys.executable, "-m", "benchmarks.hub_server", which, str(folder / f"{which}.sqlite3"), INDEXED]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdout is not None
        try:
            yield Server(process, int(process.stdout.readline()))
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(20)


def _seed(server: Server) -> None:
    """The entities that retrievals and queries find."""
    server.run("create-location", SEEDED)
    server.rates.clear()
    server.cpu_us.clear()


_TOTALS = {"retrieve": 10_000, "query": 3_000, "query-again": 6_000, "create": 4_000, "create-location": 4_000}
"""Requests in one run: a fixed number, so that what a connection costs weighs the same however slow the machine is."""
_KINDS = (
    ("retrieve", "hub retrieve", 0.6),
    ("query-again", "hub query of 20 by type and attribute, asked before", 0.3),
    ("create", "hub create, durable", 0.45),
    ("create-location", "hub create with location, durable", 0.45),
)
_ON_REQUEST = (("query", "hub query of 20 by type and attribute, never asked before", 0.3),)
"""Measured with `all`: not yet where it should be."""


def run(quick: bool, kinds: Sequence[tuple[str, str, float]] = _KINDS) -> list[Result]:
    """Medians of alternating short runs."""
    rounds, share = (3, 2) if quick else (9, 1)
    with (
        tempfile.TemporaryDirectory() as folder,
        serving("hub", Path(folder)) as hub,
        serving("bare", Path(folder)) as bare,
    ):
        for server in (hub, bare):
            _seed(server)
        for kind, _, _ in kinds:
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
    for result in run("quick" in sys.argv, (*_KINDS, *_ON_REQUEST) if "all" in sys.argv else _KINDS):
        figures = f"{result.ours:,.0f} / {result.limit:,.0f} {result.unit}"
        print(f"{result.name}: {figures}, ratio {result.ratio:.2f}, goal {result.goal}")
