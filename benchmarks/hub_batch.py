"""Batch upserts of 1,000 over HTTP beside bare writes of the same rows: `python -m benchmarks.hub_batch [quick]`.

The bare writer is a process that has its rows ready and only writes them, 1,000 in a transaction, to the same tables
and indexes with the same durability: no HTTP, no JSON to read, nothing to check, nothing to answer. Ratios are of
entities for each CPU second of the server, of the writer's write loop. Runs alternate; medians.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import orjson

from benchmarks.hub_http import ROOT, Server, serving
from benchmarks.hub_load import BATCH
from benchmarks.hub_rows import BareWriter, entity
from benchmarks.result import Result

GOAL = 0.5
_NAMES = {
    "upsert": "new entities",
    "upsert-again": "known entities",
    "upsert-location": "new entities with location",
}
_FIRST = 1_000_000
"""Far above what is there before: every entity of a run is new."""


def run(quick: bool) -> list[Result]:
    """New entities, the same with other readings, then new ones with a location."""
    rounds, batches = (2, 3) if quick else (7, 6)
    ours: dict[str, list[float]] = {kind: [] for kind in _NAMES}
    bare: dict[str, list[float]] = {kind: [] for kind in _NAMES}
    with tempfile.TemporaryDirectory() as folder, serving("hub", Path(folder)) as hub:
        for turn in range(rounds + 1):
            for kind in ours:
                first = (_FIRST if kind != "upsert-location" else 2 * _FIRST) + turn * batches * BATCH
                theirs_us = _bare_us(Path(folder) / "bare.sqlite3", kind, first, batches)
                ours_us = _hub_us(hub, kind, first, batches)
                if turn:  # the first is to get warm
                    bare[kind].append(theirs_us)
                    ours[kind].append(ours_us)
    return [_result(f"hub batch upsert of 1,000 {_NAMES[kind]}", ours[kind], bare[kind]) for kind in ours]


def _result(name: str, ours_us: list[float], bare_us: list[float]) -> Result:
    ratio = statistics.median(bare / ours for ours, bare in zip(ours_us, bare_us, strict=True))
    ours, limit = (1e6 / statistics.median(column) for column in (ours_us, bare_us))
    return Result(name, ours, limit, ratio, GOAL, "entities/CPU-s")


def _hub_us(hub: Server, kind: str, first: int, batches: int) -> float:
    before = hub.cpu_s()
    command = [sys.executable, "-m", "benchmarks.hub_load", str(hub.port), kind, str(batches), str(first)]
    said = orjson.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, cwd=ROOT, timeout=120).stdout)
    if said["bad"]:
        raise RuntimeError(f"{said['bad']} answers of {kind} were not 2xx")
    return (hub.cpu_s() - before) / (batches * BATCH) * 1e6


def _bare_us(path: Path, kind: str, first: int, batches: int) -> float:
    command = [sys.executable, "-m", "benchmarks.hub_batch", "bare", str(path), kind, str(first), str(batches)]
    said = subprocess.run(command, check=True, stdout=subprocess.PIPE, cwd=ROOT, timeout=120).stdout
    return float(said)


def bare(path: Path, kind: str, first: int, batches: int) -> float:
    """CPU microseconds for each entity, written from rows made beforehand."""
    writer = BareWriter(path)
    starts = range(first, first + batches * BATCH, BATCH)
    if kind != "upsert-again":
        location = kind == "upsert-location"
        fresh = [[entity(n, location=location) for n in range(start, start + BATCH)] for start in starts]
        groups = [[(one, orjson.dumps(one)) for one in group] for group in fresh]
        began = time.process_time()
        for group in groups:
            writer.insert(group)
            writer.commit()
        return (time.process_time() - began) / (batches * BATCH) * 1e6
    known = [[entity(n, location=False, shift=1) for n in range(start, start + BATCH)] for start in starts]
    keys = {str(row[0]): int(str(row[1])) for row in writer.connection.execute("SELECT id, key FROM entity")}
    stamps = orjson.dumps({name: [writer.at_ms, writer.at_ms] for name in known[0][0] if name not in ("id", "type")})
    updates = [[(keys[one["id"]], orjson.dumps(one), stamps) for one in group] for group in known]
    began = time.process_time()
    for update in updates:
        writer.update(update)
        writer.commit()
    return (time.process_time() - began) / (batches * BATCH) * 1e6


if __name__ == "__main__":
    if sys.argv[1:2] == ["bare"]:
        print(bare(Path(sys.argv[2]), sys.argv[3], int(sys.argv[4]), int(sys.argv[5])))
    else:
        for result in run("quick" in sys.argv):
            print(result.line())
