"""Statements sent to PostgreSQL together, over libpq as psycopg binds it.

A group of 48 creations is a dozen statements in three exchanges. psycopg's cursors take some 18 µs of CPU for each
statement and 70 for each exchange, prepared or not: a third of all that it took to write such a group. Here a statement
takes 2 µs and an exchange 28 (measured). Everything else goes through psycopg, on the same connection.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import errors, pq, waiting
from psycopg.adapt import Transformer

from madang.hub.postgres.address import Connection
from madang.hub.postgres.arrays import Array

if TYPE_CHECKING:
    from psycopg.abc import PQGen

Value = Array | int | str | bytes | None
_INT8, _TEXT, _BYTEA = 20, 25, 17
_integer = struct.Struct("!q").pack
_FAILED = frozenset({pq.ExecStatus.FATAL_ERROR, pq.ExecStatus.BAD_RESPONSE, pq.ExecStatus.NONFATAL_ERROR})


class Pipeline:
    """Statements of one connection, each prepared when it is first sent."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._waiting: list[tuple[str, tuple[int, ...], list[bytes | None]]] = []
        self._names: dict[tuple[str, tuple[int, ...]], bytes] = {}

    def send(self, sql: str, values: Sequence[Value] = ()) -> int:
        """Takes a statement, in psycopg's spelling, to be sent by `run`; the place of its answer."""
        oids, said = [], []
        for value in values:
            oid, one = _bound(value)
            oids.append(oid)
            said.append(one)
        self._waiting.append((sql, tuple(oids), said))
        return len(self._waiting) - 1

    def forget(self) -> None:
        """Drops what has been taken and not sent."""
        self._waiting.clear()

    def run(self) -> list[pq.abc.PGresult]:
        """Sends the statements and waits for their answers; raises what the first that failed was told."""
        taken, self._waiting = self._waiting, []
        fresh: dict[int, tuple[str, tuple[int, ...]]] = {}
        pgconn = self._connection.pgconn
        try:
            pgconn.enter_pipeline_mode()
            sent = 0
            names = dict(self._names)
            for sql, oids, said in taken:
                name = names.get((sql, oids))
                if name is None:
                    name = names[sql, oids] = b"hub_%d" % len(names)
                    pgconn.send_prepare(name, _numbered(sql), oids)
                    fresh[sent] = sql, oids
                    sent += 1
                pgconn.send_query_prepared(name, said, _FORMATS[len(said)], pq.Format.BINARY)
                sent += 1
            pgconn.pipeline_sync()
            results = self._connection.wait(_received(pgconn))
            pgconn.exit_pipeline_mode()
        except BaseException:
            self._connection.close()  # what was sent, and what is yet to come, nobody knows
            raise
        for place, known in fresh.items():
            if place < len(results) and results[place].status == pq.ExecStatus.COMMAND_OK:
                self._names[known] = names[known]
        for result in results:
            if result.status in _FAILED:
                raise errors.error_from_result(result)
        return [result for place, result in enumerate(results) if place not in fresh]

    def rows(self, answer: pq.abc.PGresult) -> list[tuple[Any, ...]]:  # Any: column values
        """The rows of an answer."""
        transformer = Transformer(self._connection)
        transformer.set_pgresult(answer)
        return transformer.load_rows(0, answer.ntuples, tuple)


_FORMATS = [[pq.Format.BINARY] * count for count in range(40)]


def _bound(value: Value) -> tuple[int, bytes | None]:
    if value.__class__ is Array:
        return value.oid, value.data
    if isinstance(value, str):
        return _TEXT, value.encode()
    if isinstance(value, int):
        return _INT8, _integer(value)
    return (_BYTEA, value) if isinstance(value, bytes) else (0, None)


@lru_cache(maxsize=256)
def _numbered(sql: str) -> bytes:
    """A statement with libpq's placeholders."""
    first, *rest = sql.split("%s")
    return (first + "".join(f"${place}{part}" for place, part in enumerate(rest, 1))).replace("%%", "%").encode()


def _received(pgconn: pq.abc.PGconn) -> PQGen[list[pq.abc.PGresult]]:
    """Results up to the synchronisation, while what is yet to be sent goes out."""
    results: list[pq.abc.PGresult] = []
    while True:
        ready = yield waiting.Wait.RW if pgconn.flush() else waiting.Wait.R
        if not ready & waiting.Ready.R:
            continue
        pgconn.consume_input()
        while not pgconn.is_busy():
            result = pgconn.get_result()
            if result is None:
                if pgconn.status == pq.ConnStatus.BAD:
                    raise psycopg.OperationalError("the connection is lost")
                continue
            if result.status == pq.ExecStatus.PIPELINE_SYNC:
                return results
            results.append(result)
