"""The reading side of one process: a few connections, used on threads, each statement bounded in time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from queue import Empty, SimpleQueue
from typing import Any, TypeVar, cast

import orjson
import psycopg
from psycopg import errors

from madang.hub.entity import Json
from madang.hub.errors import StoreUnavailableError, TooComplexQueryError
from madang.hub.postgres.address import Connection, connect, is_outage
from madang.hub.postgres.arrays import integers
from madang.hub.postgres.sql import Select
from madang.hub.query import Query
from madang.hub.sqlite.group import COLUMNS, stored_of
from madang.hub.store import Page

T = TypeVar("T")
Rows = list[tuple[Any, ...]]  # Any: column values

READERS = 4
_FETCHED = 1_000


class Readers:
    """A small pool. Connections are made when first needed and again when they were lost."""

    def __init__(self, address: str, timeout_s: float) -> None:
        self._address, self._timeout_s = address, timeout_s
        self._idle: SimpleQueue[Connection] = SimpleQueue()
        self._threads = ThreadPoolExecutor(READERS, "hub-read")

    async def run(self, read: Callable[[Connection], T]) -> T:
        """Runs `read` on a thread; raises `TooComplexQueryError`, `StoreUnavailableError`."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self.now, read)

    def now(self, read: Callable[[Connection], T]) -> T:
        """The same on this thread. A connection found dead is replaced once: reading twice does no harm."""
        try:
            return self._once(read)
        except _LostError:
            try:
                return self._once(read)
            except _LostError as error:
                raise StoreUnavailableError(f"The store was lost: {error}", hint="Try again") from error

    def _once(self, read: Callable[[Connection], T]) -> T:
        connection = self._take()
        try:
            return read(connection)
        except errors.QueryCanceled:
            hint = "Narrow it by type"
            raise TooComplexQueryError(f"The query ran longer than {self._timeout_s:g} s", hint=hint) from None
        except psycopg.Error as error:
            if is_outage(error, connection):
                connection.close()
                raise _LostError(str(error).strip().partition("\n")[0]) from error
            raise
        finally:
            self._give_back(connection)

    def _take(self) -> Connection:
        try:
            return self._idle.get_nowait()
        except Empty:
            milliseconds = max(1, int(self._timeout_s * 1000))
            return connect(self._address, f"statement_timeout={milliseconds}", "default_transaction_read_only=on")

    def _give_back(self, connection: Connection) -> None:
        if not connection.closed and connection.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
            try:
                connection.execute("ROLLBACK")
            except psycopg.Error:
                connection.close()
        if not connection.closed:
            self._idle.put(connection)

    def close(self) -> None:
        """Waits for readers and closes."""
        self._threads.shutdown()
        while not self._idle.empty():
            self._idle.get().close()


class _LostError(Exception):
    """The connection broke."""


def consistently(work: Callable[[Connection], T]) -> Callable[[Connection], T]:
    """The same work on one snapshot."""

    def run(connection: Connection) -> T:
        connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        try:
            return work(connection)
        finally:
            if not connection.closed and connection.info.transaction_status:
                connection.execute("ROLLBACK")

    return run


# Pages.


def page(connection: Connection, select: Select, query: Query, *, bodies_only: bool) -> Page:
    """The page a query asks for."""
    columns = "e.body" if bodies_only else COLUMNS
    if select.related is not None or select.sorts:
        rows, more, total = consistently(lambda one: _chosen(one, select, query, columns))(connection)
    else:
        total = _total(connection, select) if query.count else None
        rows = _found(connection, select, query, columns) if query.limit else []
        more = len(rows) > query.limit
        rows = rows[: query.limit]
    if bodies_only:
        return Page((), [row[0] for row in rows], more, total)
    return Page([stored_of(row) for row in rows], (), more, total)


def _run(connection: Connection, sql: str, values: tuple[object, ...]) -> Rows:
    return connection.execute(sql, cast(Any, values)).fetchall()  # Any: the driver checks


def _total(connection: Connection, select: Select) -> int:
    sql = f"SELECT count(DISTINCT e.key) FROM {select.source} WHERE {select.where.text}"  # noqa: S608 -- bound
    return int(_run(connection, sql, select.where.values)[0][0])


def _found(connection: Connection, select: Select, query: Query, columns: str) -> Rows:
    sql = (
        f"SELECT {columns} FROM {select.source} WHERE {select.where.text}"  # noqa: S608 -- bound
        " ORDER BY e.key LIMIT %s OFFSET %s"
    )
    return _run(connection, sql, (*select.where.values, query.limit + 1, query.offset))


def _chosen(connection: Connection, select: Select, query: Query, columns: str) -> tuple[Rows, bool, int | None]:
    """By geometry: PostGIS says whose box may match, our own arithmetic which do. By value: our own order. So that
    every store agrees; only keys and what they are sorted by are held."""
    wanted = None if query.count or select.sorts else query.offset + query.limit + 1
    keys = _matching(connection, select, wanted)
    chosen = keys[query.offset :][: query.limit]
    more = len(keys) > query.offset + query.limit
    total = len(keys) if query.count else None
    if not chosen:
        return [], more, total
    sql = f"SELECT {columns}, e.key FROM entity e WHERE e.key = ANY(%s)"  # noqa: S608 -- constants
    by_key = {row[-1]: row[:-1] for row in _run(connection, sql, (integers(chosen),))}
    return [by_key[key] for key in chosen], more, total


def _matching(connection: Connection, select: Select, wanted: int | None) -> list[int]:
    """Keys of the entities that match, in order; at most `wanted`."""
    sorted_by = [one.column for one in select.sorts]
    place = ", p.lon, p.lat, p.geometry" if select.related is not None else ", NULL, NULL, NULL"
    sql = (
        f"SELECT e.key{place}{''.join(f', {one.text}' for one in sorted_by)}"  # noqa: S608 -- bound
        f" FROM {select.source} WHERE {select.where.text} ORDER BY e.key"
    )
    values = (*(value for one in sorted_by for value in one.values), *select.where.values)
    found: dict[int, tuple[Any, ...]] = {}  # Any: column values
    with connection.cursor("matching") as cursor:
        cursor.itersize = _FETCHED
        cursor.execute(sql, cast(Any, values))  # Any: the driver checks
        for key, lon, lat, said, *columns in cursor:
            if key not in found and (select.related is None or select.related(_geometry(lon, lat, said))):
                found[key] = tuple(columns)
                if len(found) == wanted:
                    break
    keys = [*found]
    for place_of, sort in enumerate(select.sorts):
        keys.sort(key=lambda key, at=place_of, by=sort.key: by(found[key][at]), reverse=sort.descending)  # type: ignore[misc] # defaults bind the pass
    return keys


def _geometry(lon: float | None, lat: float | None, said: str | None) -> Json:
    return {"type": "Point", "coordinates": [lon, lat]} if said is None else orjson.loads(said)
