"""How soon a hub with 370,000 entities answers, and what it holds of memory: `python -m benchmarks.hub_start [quick]`.

The store is seeded by bare writes, the page cache of the system warm. Measured from outside: seconds from the start of
the server process to its first retrieval, to its first query by attribute, and the most memory it ever held after
10,000 retrievals, 2,000 queries never asked before and 4,000 creations.
"""

from __future__ import annotations

import http.client
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.hub_http import ROOT, Server
from benchmarks.hub_load import HEAD
from benchmarks.hub_rows import INDEXED, TYPE, seed
from benchmarks.result import Result

ENTITIES = 370_000
GOAL_S, GOAL_QUERY_S, GOAL_MB = 3.0, 3.0, 500.0
_RETRIEVAL = f"/ngsi-ld/v1/entities/urn:ngsi-ld:{TYPE}:77"
_QUERY = f"/ngsi-ld/v1/entities?type={TYPE}&q={INDEXED}>199;pm10<1&limit=20"
_TOKEN = {"Authorization": HEAD.partition("Authorization: ")[2].strip()}


def run(quick: bool) -> list[Result]:
    """Seconds and megabytes."""
    entities, starts = (40_000, 2) if quick else (ENTITIES, 5)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "hub.sqlite3"
        seed(path, entities)
        took = [_start_s(path) for _ in range(starts)]
        with _started(path) as (server, _):
            for kind, total in (("retrieve", 10_000), ("query", 1_000), ("query-rare", 1_000), ("create", 4_000)):
                server.created = entities
                server.run(kind, total)
            peak_mb = _peak_mb(server.process.pid)
    answer_s, query_s = (statistics.median(column) for column in zip(*took, strict=True))
    what = f"hub of {entities:,} entities"
    return [
        Result(f"{what}: start to first answer", answer_s, GOAL_S, answer_s / GOAL_S, 1.0, "s", at_least=False),
        Result(
            f"{what}: start to first query", query_s, GOAL_QUERY_S, query_s / GOAL_QUERY_S, 1.0, "s", at_least=False
        ),
        Result(f"{what}: memory under load, peak", peak_mb, GOAL_MB, peak_mb / GOAL_MB, 1.0, "MB", at_least=False),
    ]


def _start_s(path: Path) -> tuple[float, float]:
    with _started(path) as (server, began):
        _ask(server.port, _RETRIEVAL)
        answer_s = time.perf_counter() - began
        _ask(server.port, _QUERY)
        return answer_s, time.perf_counter() - began


@contextmanager
def _started(path: Path) -> Iterator[tuple[Server, float]]:
    began = time.perf_counter()
    command = [sys.executable, "-m", "benchmarks.hub_server", "hub", str(path), INDEXED]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdout is not None
        try:
            yield Server(process, int(process.stdout.readline())), began
        finally:
            process.terminate()
            process.wait(20)


def _ask(port: int, path: str) -> None:
    """Asks until there is an answer: the socket listens before the server serves."""
    deadline = time.perf_counter() + 60
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        try:
            connection.request("GET", path, headers=_TOKEN)
            answer = connection.getresponse()
            answer.read()
            if answer.status == 200:
                return
            raise RuntimeError(f"{path} answered {answer.status}")
        except OSError:
            if time.perf_counter() > deadline:
                raise
            time.sleep(0.01)
        finally:
            connection.close()


def _peak_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    for result in run("quick" in sys.argv):
        print(result.line())
