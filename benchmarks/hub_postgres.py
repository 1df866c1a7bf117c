"""The hub on PostgreSQL beside bare psycopg in the same run: `python -m benchmarks.hub_postgres [quick]`.

As `hub_http` and `hub_batch`, on a PostgreSQL that is started for it with its own settings (fsync on). The bare peer
writes the same rows to the same tables and indexes in the same groups by COPY. CPU is that of the Python process:
PostgreSQL's own is the same on both sides and not counted. Needs PostgreSQL and PostGIS on this machine.
"""

from __future__ import annotations

import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import psycopg

from benchmarks.hub_http import ROOT, Server
from benchmarks.hub_load import BATCH
from benchmarks.hub_rows import INDEXED, SHAPES, TENANT, TYPE, entity
from benchmarks.result import Result
from madang.hub.postgres.address import Connection, connect
from madang.hub.postgres.schema import ensure_indexes, migrate
from madang.hub.sqlite.schema import CHANGE_BITS

Json = Any  # Any: JSON members
SEEDED = 100_000
_BASE = 1 << CHANGE_BITS
_KINDS = (
    ("retrieve", "retrieve", 0.6, 10_000),
    ("query", "query of 20 by type and attribute of 100k, never asked before", 0.3, 2_000),
    ("query-again", "query of 20 by type and attribute of 100k, asked before", 0.3, 6_000),
    ("create", "create, durable", 0.65, 4_000),
    ("create-location", "create with location, durable", 0.65, 4_000),
)


class BareWriter:
    """Writes the same rows to the same tables and indexes as the hub does, and no more."""

    def __init__(self, address: str, indexed: tuple[str, ...] = (INDEXED,)) -> None:
        with connect(address) as connection:
            migrate(connection, address)
            ensure_indexes(connection, indexed)
        self.connection: Connection = connect(address)
        run = self.connection.execute
        run("INSERT INTO tenant (id, code) VALUES (1, %s) ON CONFLICT DO NOTHING", (TENANT,))
        run("INSERT INTO kind (id, tenant, name) VALUES (1, 1, %s) ON CONFLICT DO NOTHING", (TYPE,))
        for name, shape in SHAPES.items():
            run("INSERT INTO attribute VALUES (1, %s, %s) ON CONFLICT DO NOTHING", (name, shape))
        self.at_ms = time.time_ns() // 1_000_000  # of now: older changes would be dropped while the hub is measured
        self._key = int(run("SELECT coalesce(max(key), 0) FROM entity").fetchall()[0][0])

    def insert(self, group: Sequence[tuple[dict[str, Json], bytes]]) -> None:
        """Begins a transaction and writes new entities, each with its JSON; the caller commits."""
        at = self.at_ms
        keyed = [(self._key + n, *one) for n, one in enumerate(group, 1)]
        self._key += len(group)
        seq = self._begin(len(group))
        self._copy(
            "entity (key, tenant, id, types, created_ms, modified_ms, version, spots, body, doc)",
            [(k, 1, e["id"], e["type"], at, at, 1, int("location" in e), b, b.decode()) for k, e, b in keyed],
        )
        self._copy("entity_kind (kind, key)", [(1, key) for key, _, _ in keyed])
        self._copy("change", [(seq + n, key, 1, at, "bench", b) for n, (key, _, b) in enumerate(keyed, 1)])
        places = [
            (key * 16, key, *one["location"]["value"]["coordinates"]) for key, one, _ in keyed if "location" in one
        ]
        if places:
            self._copy(
                "place (id, key, attribute, lon, lat, spot)",
                [(i, k, "location", x, y, f"SRID=4326;POINT({x} {y})") for i, k, x, y in places],
            )

    def update(self, group: Sequence[tuple[int, bytes, bytes]]) -> None:
        """Begins a transaction and exchanges bodies (key, JSON, system attributes as JSON); the caller commits."""
        seq = self._begin(len(group))
        with self.connection.cursor() as cursor:
            cursor.executemany(
                "UPDATE entity SET modified_ms = %s, version = 2, stamps = %s, body = %s, doc = %s::jsonb"
                " WHERE key = %s",
                [(self.at_ms, stamps.decode(), kept, kept.decode(), key) for key, kept, stamps in group],
            )
        self._copy("change", [(seq + n, key, 3, self.at_ms, "bench", b) for n, (key, b, _) in enumerate(group, 1)])

    def _begin(self, count: int) -> int:
        self.connection.execute("BEGIN")
        sql = "UPDATE tenant SET position = position + %s WHERE id = 1 RETURNING position"
        return _BASE + int(self.connection.execute(sql, (count,)).fetchall()[0][0]) - count

    def _copy(self, where: str, rows: Sequence[tuple[object, ...]]) -> None:
        with self.connection.cursor() as cursor, cursor.copy(f"COPY {where} FROM STDIN") as out:
            for row in rows:
                out.write_row(row)

    def commit(self) -> None:
        """Ends the transaction; it is durable when this returns."""
        self.connection.execute("COMMIT")

    def first(self, count: int) -> list[tuple[str, bytes]]:
        """Ids and bodies of the first entities."""
        return self.connection.execute("SELECT id, body FROM entity ORDER BY key LIMIT %s", (count,)).fetchall()

    def finish(self) -> None:
        """Leaves the sequence of keys and the statistics as the hub needs them."""
        self.connection.execute("SELECT setval('entity_key', %s, false)", (self._key + 1,))
        self.connection.execute("VACUUM ANALYZE")
        self.connection.close()


def seed(address: str, count: int) -> None:
    """A store of so many entities, all with a location."""
    writer = BareWriter(address)
    for first in range(0, count, 5_000):
        made = (entity(number, location=True) for number in range(first, min(first + 5_000, count)))
        writer.insert([(one, orjson.dumps(one)) for one in made])
        writer.commit()
    writer.finish()


@contextmanager
def server() -> Iterator[str]:
    """A PostgreSQL of our own, durable, on a socket; gives the folder."""
    folder = Path(tempfile.mkdtemp(prefix="madang-bench-pg-"))
    binaries = max(Path("/usr/lib/postgresql").glob("*/bin"), default=Path("/usr/bin"))
    user: list[str] = []
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres")
        user = ["runuser", "-u", "postgres", "--"]

    def call(program: str, *more: str) -> None:
        command = [*user, str(binaries / program), "-D", str(folder / "data"), *more]
        subprocess.run(command, check=True, capture_output=True, cwd=folder, timeout=60)

    options = f"-c listen_addresses='' -c unix_socket_directories={folder} -c shared_buffers=256MB -c max_wal_size=4GB"
    try:
        call("initdb", "-A", "trust", "-U", "madang", "-E", "UTF8", "--locale=C.UTF-8")
        call("pg_ctl", "-w", "-l", str(folder / "log"), "-o", options, "start")
        try:
            yield str(folder)
        finally:
            call("pg_ctl", "-w", "-m", "fast", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def database(folder: str, name: str) -> str:
    """One more database; its address."""
    with psycopg.connect(f"postgresql://madang@/postgres?host={folder}", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return f"postgresql://madang@/{name}?host={folder}"


@contextmanager
def serving(which: str, address: str) -> Iterator[Server]:
    """A server on a database."""
    command = [sys.executable, "-m", "benchmarks.hub_server", which, address, INDEXED]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdout is not None
        try:
            yield Server(process, int(process.stdout.readline()))
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(20)


def run(quick: bool) -> list[Result]:
    """Medians of alternating short runs."""
    rounds, share = (2, 4) if quick else (5, 1)
    results = []
    with server() as folder:
        stores = {which: database(folder, which) for which in ("hub", "bare")}
        for address in stores.values():
            seed(address, SEEDED // 10 if quick else SEEDED)
        with serving("hub", stores["hub"]) as hub, serving("bare", stores["bare"]) as bare:
            for kind, name, goal, total in _KINDS:
                for one in (bare, hub):
                    one.warm(kind)
                for _ in range(rounds):
                    for one in (bare, hub):
                        one.run(kind, total // share)
                results.append(_result(kind, f"hub on PostgreSQL, {name}", goal, hub, bare))
            results += _batches(hub, stores["bare"], 2 if quick else 5)
    return results


def _result(kind: str, name: str, goal: float, hub: Server, bare: Server) -> Result:
    ours, limit = (1e6 / statistics.median(one.cpu_us[kind]) for one in (hub, bare))
    ratio = statistics.median(b / h for h, b in zip(hub.cpu_us[kind], bare.cpu_us[kind], strict=True))
    wall = " / ".join(f"{statistics.median(one.rates[kind]):,.0f}" for one in (hub, bare))
    return Result(f"{name} (wall {wall} req/s)", ours, limit, ratio, goal, "req/CPU-s")


def _batches(hub: Server, address: str, rounds: int) -> list[Result]:
    ours, theirs = [], []
    writer = BareWriter(address)
    for turn in range(rounds + 1):
        first = 2_000_000 + turn * 3 * BATCH
        groups = [
            [entity(n, location=False) for n in range(first + b * BATCH, first + (b + 1) * BATCH)] for b in range(3)
        ]
        rows = [[(one, orjson.dumps(one)) for one in group] for group in groups]
        began = time.process_time()
        for group in rows:
            writer.insert(group)
            writer.commit()
        bare_us = (time.process_time() - began) / (3 * BATCH) * 1e6
        before = hub.cpu_s()
        command = [sys.executable, "-m", "benchmarks.hub_load", str(hub.port), "upsert", "3", str(first)]
        subprocess.run(command, check=True, stdout=subprocess.PIPE, cwd=ROOT, timeout=120)
        if turn:
            theirs.append(bare_us)
            ours.append((hub.cpu_s() - before) / (3 * BATCH) * 1e6)
    writer.connection.close()
    ratio = statistics.median(b / h for h, b in zip(ours, theirs, strict=True))
    figures = (1e6 / statistics.median(ours), 1e6 / statistics.median(theirs))
    return [Result("hub on PostgreSQL, batch upsert of 1,000 new entities", *figures, ratio, 0.5, "entities/CPU-s")]


if __name__ == "__main__":
    for result in run("quick" in sys.argv):
        print(result.line())
