"""Columns in memory (`columns.py`) kept in step with a PostgreSQL that other processes write to as well.

Columns stand for a position in the tenant's feed. Own commits are taken in when they are published. A notice of another
process only says that there is something new: before columns answer again, one statement reads the changes behind the
position, with the entities as they then are, and the catalog's revision. So columns are as old as what `retrieve`
takes from memory: a notice. Where changes do not follow without a gap, or are too many, columns are read anew.

Whatever arrives twice or late is told by the entity's version, and an own commit that is published after columns passed
its position is not taken in: the entity may be deleted since, and columns do not remember what they never had.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import orjson
import psycopg

from madang.hub.changes import Stored
from madang.hub.columns import Building, Columns, Found, Plan, Rows, plan
from madang.hub.entity import Json
from madang.hub.errors import StoreUnavailableError
from madang.hub.postgres.address import Connection
from madang.hub.postgres.catalog import Tenant
from madang.hub.postgres.reader import Readers, consistently
from madang.hub.query import Query
from madang.hub.sqlite.group import COLUMNS, stored_of
from madang.hub.sqlite.schema import CHANGE_BITS
from madang.kernel.errors import MadangError

log = logging.getLogger("madang.hub.postgres")

_BLOCK = 5_000
_BEHIND = 5_000
_TRIES = 3
_NEWS = (
    "WITH t AS (SELECT position, revision FROM tenant WHERE id = %s),"  # noqa: S608 -- constants
    " c AS (SELECT key, count(*) AS n FROM (SELECT key FROM change WHERE seq > %s AND seq < %s ORDER BY seq LIMIT %s) x"
    f" GROUP BY key) SELECT t.position, t.revision, c.n, {COLUMNS} FROM t LEFT JOIN c ON TRUE"
    " LEFT JOIN entity e ON e.key = c.key"
)


@dataclass(slots=True)
class _Following:
    """How far a tenant's columns are in step."""

    position: int | None = None
    """The columns have every change up to here; None while the first are being read."""
    heard: int = 0
    """How often there was something new behind the position."""
    caught: int = -1
    """The last of them that was read up to."""
    rewinds: int = 0
    reading: asyncio.Task[None] | None = None


@dataclass(slots=True)
class _News:
    position: int
    revision: int
    rows: list[Stored]


@dataclass(slots=True)
class _Read:
    position: int
    revision: int
    rows: Rows | None


class FollowedColumns:
    """The columns of every tenant. Everything happens on the event loop; statements run in the readers' threads."""

    def __init__(self, readers: Readers, learn: Callable[[str], Awaitable[None]], max_bytes: int) -> None:
        self._readers, self._learn = readers, learn
        self.columns = Columns(max_bytes)
        self._following: dict[str, _Following] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    # What is heard.

    def committed(
        self, tenant: str, span: tuple[int, int], rows: Sequence[tuple[tuple[str, str], tuple[str, ...], Stored]]
    ) -> None:
        """Hears of an own commit: the positions before and of its last change, and its entities (`Committed`)."""
        following = self._following.get(tenant)
        if following is None:
            return
        before, last = span
        if following.position is not None and last <= following.position:
            return
        for key, types, row in rows:
            if key[0] == tenant:
                self.columns.note(tenant, types, row)
        if following.position == before:
            following.position = last
        else:
            following.heard += 1  # another process was between; its notice may be on the way yet

    def heard(self, tenant: str) -> None:
        """Hears that another process committed something, or that nobody knows what was committed."""
        if (following := self._following.get(tenant)) is not None:
            following.heard += 1

    def lost(self) -> None:
        """Anything may have happened."""
        self.columns.clear()
        self._following.clear()

    async def close(self) -> None:
        """Waits for what is being read."""
        self.lost()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # Asking.

    def now(self, tenant: str, asked: Plan, query: Query) -> Found | None:
        """A page; None where columns are not in step, or cannot tell."""
        following = self._following.get(tenant)
        if following is None or following.caught != following.heard:
            return None
        return self.columns.find(tenant, asked, query)

    async def find(self, known: Tenant, asked: Plan, query: Query) -> Found | None:
        """A page; None where columns cannot tell."""
        tenant = known.catalog.code
        following = self._following.get(tenant)
        if following is None or following.caught != following.heard:
            if not self.columns.covers(tenant, asked):
                self._wish(known, asked)
                return None
            if not await self._in_step(known):
                return None
            if plan(query, known.catalog.shapes) is None:  # another process gave an attribute another shape
                return None
        found = self.columns.find(tenant, asked, query)
        if found is None:
            self._wish(known, asked)
        return found

    async def _in_step(self, known: Tenant) -> bool:
        """Whether the columns have everything that was heard of until now; reads it where they have not."""
        following = self._following.get(known.catalog.code)
        if following is None:
            return False
        wanted = following.heard
        for _ in range(_TRIES):
            if following.caught >= wanted:
                return True
            if following.position is None:
                return False
            if following.reading is None:
                following.reading = self._start(self._follow(known, following, following.position))
            await asyncio.shield(following.reading)
        return following.caught >= wanted

    def _start(self, work: Any) -> asyncio.Task[None]:  # Any: a coroutine
        task: asyncio.Task[None] = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    # Reading.

    async def _follow(self, known: Tenant, following: _Following, after: int) -> None:
        tenant, heard, rewinds = known.catalog.code, following.heard, following.rewinds
        try:
            said = await self._readers.run(partial(_news, tenant=known.catalog.tenant, after=after))
            if said is not None and said.revision > known.catalog.revision:
                await self._learn(tenant)
        except (MadangError, psycopg.Error):  # it is away, or took too long
            said = None
        finally:
            following.reading = None
        if self._following.get(tenant) is not following or following.rewinds != rewinds:
            return
        if said is None:
            self._drop(tenant)
            return
        for row in said.rows:
            self.columns.hear(tenant, row)
        following.position = max(following.position or 0, said.position)
        following.caught = heard

    def _drop(self, tenant: str) -> None:
        self.columns.drop(tenant)
        self._following.pop(tenant, None)

    def _wish(self, known: Tenant, asked: Plan) -> None:
        kind = known.catalog.kinds.get(asked.type_name)
        building = self.columns.wish(known.catalog.code, asked) if kind is not None else None
        if building is not None and kind is not None:
            self._following.setdefault(known.catalog.code, _Following())
            self._start(self._build(known, kind, building))

    async def _build(self, known: Tenant, kind: int, building: Building) -> None:
        tenant, read = known.catalog.code, None
        work = partial(
            _read, tenant=known.catalog.tenant, kind=kind, building=building, max_bytes=self.columns.max_bytes
        )
        try:
            read = await self._readers.run(consistently(work))
            if read.revision > known.catalog.revision:
                await self._learn(tenant)
        except StoreUnavailableError:
            self._drop(tenant)
        except (MadangError, psycopg.Error):
            log.warning("columns of %s could not be read; its queries stay slow", building.type_name, exc_info=True)
        building.pending.clear()  # what was committed meanwhile is read again, behind the position
        if read is not None and read.rows is not None and not building.dropped:
            self._rewind(tenant, read.position)
        self.columns.built(tenant, building, read.rows if read is not None else None)

    def _rewind(self, tenant: str, position: int) -> None:
        """Columns have come that stand for `position`: from there is read before any of the tenant's answers again."""
        following = self._following[tenant]
        if following.position is None or not self.columns.stands(tenant):
            following.position = position
        else:
            following.position = min(following.position, position)
        following.heard += 1
        following.rewinds += 1


def _news(connection: Connection, tenant: int, after: int) -> _News | None:
    """What changed behind a position; None where not all of it can be told, or it is too much."""
    base = tenant << CHANGE_BITS
    asked = (tenant, base + after, base + (1 << CHANGE_BITS), _BEHIND)
    found = connection.execute(_NEWS, asked).fetchall()
    if not found:
        return None
    position, revision = found[0][:2]
    changed = [row for row in found if row[2] is not None]
    if sum(row[2] for row in changed) != position - after or any(row[3] is None for row in changed):
        return None
    return _News(position, revision, [stored_of(row[3:]) for row in changed])


def _read(connection: Connection, tenant: int, kind: int, building: Building, max_bytes: int) -> _Read:
    """A type's columns, on one snapshot; no rows where they would be too large."""
    sql = "SELECT position, revision FROM tenant WHERE id = %s"
    position, revision = connection.execute(sql, (tenant,)).fetchall()[0]
    rows = Rows(building.type_name, building.attributes, 0, versioned=True)
    for keys, versions, values in _blocks(connection, kind, building.attributes):
        rows.append(keys, values, versions)
        if rows.bytes > max_bytes:
            return _Read(position, revision, None)
    return _Read(position, revision, rows)


def _blocks(
    connection: Connection, kind: int, attributes: Sequence[str]
) -> Iterator[tuple[list[int], list[int], list[list[Json]]]]:
    each = "".join(f", e.doc -> %s -> 'value' AS v{n}" for n in range(len(attributes)))
    block = (
        f"SELECT e.key, e.version{each} FROM entity_kind k JOIN entity e ON e.key = k.key"  # noqa: S608 -- bound
        f" WHERE k.kind = %s AND k.key > %s ORDER BY k.key LIMIT {_BLOCK}"
    )
    packed = "".join(f", json_agg(b.v{n})::text" for n in range(len(attributes)))
    sql = f"SELECT json_agg(b.key)::text, json_agg(b.version)::text{packed} FROM ({block}) b"  # noqa: S608 -- bound
    last = 0
    while True:
        [row] = connection.execute(sql, (*attributes, kind, last)).fetchall()
        if row[0] is None:
            return
        keys, versions, *values = map(orjson.loads, row)
        yield keys, versions, values
        last = keys[-1]
