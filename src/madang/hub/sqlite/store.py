"""The embedded store: SQLite through apsw. One writer with group commit, readers beside it.

Writes that wait share one transaction. Their statements run on the event loop's thread (they are short and hit the
page cache), the COMMIT with its fsync on a thread of its own, so that requests are read and parsed meanwhile. Within a
group each entity is held in memory and written once, however many updates it gets; its changes are all written.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import lru_cache, partial
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TypeVar

import apsw
import orjson

from madang.hub.changes import Op, Stored
from madang.hub.collation import collated
from madang.hub.columns import Building, Columns, Found, Plan, Rows, plan
from madang.hub.config import HubConfig
from madang.hub.entity import Json
from madang.hub.errors import CursorLostError, StoreRefusedError, StoreUnavailableError, TooComplexQueryError
from madang.hub.feed import FeedChange, read_cursor, write_cursor
from madang.hub.geo import separated
from madang.hub.query import Query, compile_pattern
from madang.hub.scope import in_scope
from madang.hub.sqlite.group import COLUMNS, Group, TenantCatalog, moment_of, ms_of, stored_of
from madang.hub.sqlite.schema import CHANGE_BITS, ensure_indexes, migrate, own
from madang.hub.sqlite.sql import Select, build
from madang.hub.store import Feed, Lease, Observer, Page, Reject, RejectSummary, Touches, WriteTx
from madang.hub.wakes import OwnLease, Wakes
from madang.journal.apsw_session import ApswSession
from madang.journal.inbox import purge_arrivals
from madang.journal.session import Session
from madang.kernel.clock import Clock, system_clock
from madang.kernel.errors import MadangError

T = TypeVar("T")
log = logging.getLogger("madang.hub")

_SLICE_S = 0.004
_INLINE_STEPS = 10
_INLINE_KEYS = 100
_STEPS = 2_000
_PROBE_LIMIT = 2_000
_LOOK_STEPS = 4
_SELECTS = 512
_TOGETHER = 4
_TRIMMED = 1_000
_READERS = 2
_WEIGHT = 800
"""Bytes of memory of an entity beside its body, about."""
_LOAD = f"SELECT {COLUMNS} FROM entity e WHERE e.tenant = ? AND e.id = ?"  # noqa: S608 -- constants


class _Unit:
    """One waiting write."""

    __slots__ = ("done", "result", "touches", "work")

    def __init__(
        self,
        work: Callable[[WriteTx], Any],  # Any: what the work returns
        done: asyncio.Future[Any],  # Any: the same
        touches: Touches | None,
    ) -> None:
        self.work = work
        self.done = done
        self.touches = touches
        self.result: Any = None


class _Reader:
    """One read-only connection and what its SQL functions presently stand for."""

    def __init__(self, path: str, vfs: str | None) -> None:
        self.connection = apsw.Connection(path, vfs=vfs)
        self.connection.set_busy_timeout(5_000)
        self.connection.pragma("query_only", True)
        self.connection.pragma("cache_size", -16_000)
        self.related: Callable[[Json], bool] = lambda _geometry: False
        self.deadline = math.inf
        self.steps = math.inf
        self.rare: set[str] = set()
        """Comparisons that found few entities the last time: their index is asked first."""
        create: Any = self.connection.create_scalar_function  # Any: apsw types the arguments as any column value
        create("matches", _matches, 2, deterministic=True)
        create("scoped", in_scope, 2, deterministic=True)
        create("collated", collated, 2, deterministic=True)
        create("separated", separated, 2, deterministic=True)
        create("related", self._related, 3)
        self.connection.set_progress_handler(self._too_long, _STEPS)

    def _related(self, lon: float | None, lat: float | None, geometry: str | None) -> bool:
        if geometry is not None:
            return self.related(orjson.loads(geometry))
        return self.related({"type": "Point", "coordinates": [lon, lat]})

    def _too_long(self) -> bool:
        """Ends a statement that takes too many steps or too long; asked every `_STEPS` steps of SQLite's machine.

        On the event loop steps are counted, not time: a neighbour on the machine must not make a query look slow.
        """
        self.steps -= 1
        return self.steps < 0 or time.monotonic() > self.deadline


@lru_cache(maxsize=256)
def _searcher(pattern: str) -> Callable[[str], object]:
    return compile_pattern(pattern)


def _matches(pattern: str, text: object) -> bool:
    return isinstance(text, str) and _searcher(pattern)(text) is not None


class SqliteStore:
    """See `store.Store`. Only one process may hold a file; another is refused at opening."""

    def __init__(self, path: Path, config: HubConfig, clock: Clock, vfs: str | None) -> None:
        self._path, self._config, self._clock, self._vfs = path, config, clock, vfs
        self._catalogs: dict[str, TenantCatalog] = {}
        self._keys = 0
        self._stamps = 0
        self._last_ms = 0
        self.observer: Observer | None = None
        self._wakes = Wakes()
        self._cache: dict[tuple[str, str], Stored] = {}
        self._by_key: dict[int, Stored] = {}
        """The same entities as in `_cache`."""
        self._cached_bytes = 0
        self._columns = Columns(config.column_bytes)
        self._committing = False
        self._waiting: list[_Unit] = []
        self._writing: asyncio.Task[None] | None = None
        self._closed = False
        self._tasks: set[asyncio.Task[None]] = set()
        with contextlib.ExitStack() as undo:
            self._lock = undo.enter_context(contextlib.closing(own(path)))
            self.writer = undo.enter_context(contextlib.closing(apsw.Connection(str(path), vfs=vfs)))
            self._prepare()
            readers = [_Reader(str(path), vfs) for _ in range(_READERS)]
            self._inline = _Reader(str(path), vfs)
            undo.pop_all()
        self._readers: SimpleQueue[_Reader] = SimpleQueue()
        for reader in readers:
            self._readers.put(reader)
        self._read_threads = ThreadPoolExecutor(_READERS, "hub-read")
        self._commit_thread = ThreadPoolExecutor(1, "hub-commit")
        self._column_thread = ThreadPoolExecutor(1, "hub-columns")
        self._scans = 0

    def _prepare(self) -> None:
        self.writer.set_busy_timeout(10_000)
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "wal_autocheckpoint=4000", "cache_size=-64000"):
            self.writer.execute(f"PRAGMA {pragma}")
        migrate(self.writer, str(self._path))
        ensure_indexes(self.writer, self._config.indexed_attributes)
        self._epoch = str(self.writer.execute("SELECT value FROM meta WHERE name = 'epoch'").fetchall()[0][0])
        self._learn()

    @classmethod
    async def open(
        cls, path: Path, config: HubConfig, clock: Clock = system_clock, *, vfs: str | None = None
    ) -> SqliteStore:
        """Opens or makes the file; raises `StoreRefusedError` for a newer schema, one held by another process, and
        what is no store."""
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            return await asyncio.to_thread(cls, path, config, clock, vfs)
        except (apsw.NotADBError, apsw.CantOpenError) as error:
            raise StoreRefusedError(f"{path} cannot be opened as a store: {error}", where=str(path)) from error

    # What the writer's group needs of the store.

    def catalog(self, tenant: str) -> TenantCatalog | None:
        """What is known of a tenant, if it was ever written to."""
        return self._catalogs.get(tenant)

    def make_tenant(self, tenant: str) -> TenantCatalog:
        """A tenant written to for the first time; inside a transaction."""
        number = max((one.tenant for one in self._catalogs.values()), default=0) + 1
        self.writer.execute("INSERT INTO tenant (id, code) VALUES (?, ?)", (number, tenant))
        catalog = TenantCatalog(number, tenant, self._config.indexed_attributes, stamp=self._next_stamp())
        self._catalogs[tenant] = catalog
        return catalog

    def _next_stamp(self) -> int:
        self._stamps += 1
        return self._stamps

    def next_key(self) -> int:
        """The key of a new entity."""
        self._keys += 1
        return self._keys

    def cached(self, tenant: str, entity_id: str) -> Stored | None:
        """An entity as last committed, when it is in memory."""
        return self._cache.get((tenant, entity_id))

    def _learn(self) -> None:
        """Reads what is kept in memory; again after a rollback."""
        run = ApswSession(self.writer).execute
        self._catalogs = {
            code: TenantCatalog(number, code, self._config.indexed_attributes, stamp=self._next_stamp())
            for number, code in run("SELECT id, code FROM tenant")
        }
        by_number = {one.tenant: one for one in self._catalogs.values()}
        for number, name, kind in run("SELECT tenant, name, id FROM kind"):
            by_number[number].kinds[name] = kind
        for number, name, shape in run("SELECT tenant, name, shape FROM attribute"):
            by_number[number].shapes[name] = shape
        for number, catalog in by_number.items():
            low, high = number << CHANGE_BITS, (number + 1) << CHANGE_BITS
            last = run("SELECT max(seq) FROM change WHERE seq > ? AND seq < ?", (low, high))[0][0]
            floor = self._floor(self.writer, catalog)
            catalog.position = max(floor, 0 if last is None else last - low)
            for (at_ms,) in run("SELECT at_ms FROM change WHERE seq = ?", (last,)):
                self._last_ms = max(self._last_ms, at_ms)
        self._keys = run("SELECT coalesce(max(key), 0) FROM entity")[0][0]

    # Writing.

    async def write(self, work: Callable[[WriteTx], T], touches: Touches | None = None) -> T:
        if self._closed:
            raise StoreUnavailableError("The hub is closing")
        unit = _Unit(work, asyncio.get_running_loop().create_future(), touches)
        self._waiting.append(unit)
        if self._writing is None:
            self._writing = asyncio.get_running_loop().create_task(self._write_groups())
        result: T = await unit.done
        return result

    async def _write_groups(self) -> None:
        while self._waiting:
            units = self._waiting[: self._config.group_max]
            del self._waiting[: len(units)]
            await self._write_group(units)
        self._writing = None

    async def _write_group(self, units: list[_Unit]) -> None:
        try:
            await self._commit(units)
        except Exception as error:  # noqa: BLE001 -- one unit's fault must not reach the others: each is tried alone
            self._roll_back()
            if len(units) == 1:
                _fail(units[0], error)
                return
            for unit in units:
                await self._write_group([unit])

    async def _commit(self, units: list[_Unit]) -> None:
        group = self._begin()
        _expect(group, units)
        slice_ends = time.monotonic() + _SLICE_S
        for unit in units:
            unit.result = unit.work(group)
            if time.monotonic() > slice_ends:
                await asyncio.sleep(0)
                slice_ends = time.monotonic() + _SLICE_S
        group.flush()
        self._committing = True
        await asyncio.get_running_loop().run_in_executor(self._commit_thread, self.writer.execute, "COMMIT")
        self._committing = False
        self._publish(group)
        for unit in units:
            if not unit.done.done():
                unit.done.set_result(unit.result)

    def _begin(self) -> Group:
        self.writer.execute("BEGIN IMMEDIATE")
        now = self._clock()
        self._last_ms = max(self._last_ms, ms_of(now))
        return Group(self, now, self._last_ms, self._config.rejects_kept)

    def _roll_back(self) -> None:
        if self.writer.in_transaction:
            with contextlib.suppress(apsw.Error):
                self.writer.execute("ROLLBACK")
        self._committing = False
        self._columns.clear()
        self._learn()

    def _publish(self, group: Group) -> None:
        for tenant in group.catalogs():
            self._catalogs[tenant].stamp = self._next_stamp()
        self._keep_all(group.committed())
        if self._columns.watching:
            for tenant, types, row in group.turned():
                self._columns.note(tenant, types, row)
        if group.session.woken:
            self._wakes.call(group.session.woken)

    def listen(self, name: str, callback: Callable[[], None]) -> Callable[[], None]:
        return self._wakes.listen(name, callback)

    @contextlib.asynccontextmanager
    async def lease(self, name: str) -> AsyncIterator[Lease]:  # noqa: ARG002 -- this process holds every lease
        yield OwnLease()

    def _keep(self, key: tuple[str, str], row: Stored) -> None:
        self._keep_all(((key, row),))

    def _keep_all(self, rows: Iterable[tuple[tuple[str, str], Stored]]) -> None:
        """Holds entities in memory as the youngest there, and lets go of those that are deleted, and of the oldest."""
        cache, by_key = self._cache, self._by_key
        for key, row in rows:
            if (old := cache.pop(key, None)) is not None:
                self._forget(old)
            if row.body:
                cache[key] = by_key[row.key] = row
                self._cached_bytes += len(row.body) + _WEIGHT
        if self._cached_bytes > self._config.cache_bytes:
            self._make_room()

    def _make_room(self) -> None:
        """Forgets the oldest, a sixteenth at once: a dict looks for its first past all that were dropped before, which
        took 7 µs for each new entity (measured)."""
        for key in [*self._cache]:
            if self._cached_bytes <= self._config.cache_bytes * 15 // 16:
                break
            self._forget(self._cache.pop(key))

    def _forget(self, row: Stored) -> None:
        self._cached_bytes -= _weight(row)
        self._by_key.pop(row.key, None)

    # Reading.

    async def read(self, work: Callable[[Session], T]) -> T:
        def consistently(reader: _Reader) -> T:
            reader.connection.execute("BEGIN")
            try:
                return work(ApswSession(reader.connection))
            finally:
                reader.connection.execute("COMMIT")

        return await self._in_thread(consistently)

    def observe(self, observer: Observer) -> None:
        self.observer = observer

    def number(self, tenant: str) -> int | None:
        catalog = self._catalogs.get(tenant)
        return catalog.tenant if catalog is not None else None

    async def retrieve(self, tenant: str, entity_id: str) -> Stored | None:
        key = (tenant, entity_id)
        found = self._cache.get(key)
        if found is not None:
            return found
        catalog = self._catalogs.get(tenant)
        if catalog is None:
            return None
        row = self._inline.connection.execute(_LOAD, (catalog.tenant, entity_id)).fetchone()
        stored = stored_of(row) if row is not None and row[3] is not None else None
        if stored is not None:
            self._keep(key, stored)
        return stored

    def stamp(self, tenant: str) -> int:
        catalog = self._catalogs.get(tenant)
        return catalog.stamp if catalog is not None else -1

    def types(self, tenant: str) -> Collection[str]:
        catalog = self._catalogs.get(tenant)
        return catalog.kinds.keys() if catalog is not None else ()

    async def query(
        self, tenant: str, query: Query, *, types: Collection[str] | None = None, bodies_only: bool = False
    ) -> Page:
        catalog = self._catalogs.get(tenant)
        if catalog is None:
            return _empty(query)
        asked = plan(query, catalog.shapes)
        if asked is not None and (types is None or asked.type_name in types):
            found = self._columns.find(tenant, asked, query)
            if found is not None:
                page = self._held(found, bodies_only) or await self._page(tenant, catalog, found, bodies_only)
                if page is not None:
                    return page
            self._wish(tenant, catalog, asked)
        else:
            asked = None
        select = self._select(query, catalog, None if types is None else tuple(types))
        if select is None:
            return _empty(query)
        if not query.count:
            with contextlib.suppress(apsw.InterruptError), self._briefly():
                return _run(self._inline, select, query, bodies_only)
        if asked is not None:
            self._wish(tenant, catalog, asked)  # it is slow: reason enough, also for the first of its kind
            if (page := await self._awaited(tenant, catalog, asked, query, bodies_only)) is not None:
                return page
        self._scans += 1
        try:
            return await self._in_thread(lambda reader: _run(reader, select, query, bodies_only))
        finally:
            self._scans -= 1

    async def _from_columns(
        self, tenant: str, catalog: TenantCatalog, asked: Plan, query: Query, bodies_only: bool
    ) -> Page | None:
        found = self._columns.find(tenant, asked, query)
        if found is None:
            return None
        return self._held(found, bodies_only) or await self._page(tenant, catalog, found, bodies_only)

    async def _awaited(
        self, tenant: str, catalog: TenantCatalog, asked: Plan, query: Query, bodies_only: bool
    ) -> Page | None:
        """Where every reader is busy scanning, the columns being built will be there before it would be our turn."""
        building = self._columns.awaited(tenant, asked) if self._scans >= _READERS else None
        if building is None:
            return None
        await building.done.wait()
        return await self._from_columns(tenant, catalog, asked, query, bodies_only)

    def _held(self, found: Found, bodies_only: bool) -> Page | None:
        """The entities of keys, where all are in memory; most often they are, and nobody is waited for."""
        keys, more, total, _ = found
        rows = [*map(self._by_key.get, keys)]
        if not all(rows):
            return None
        if bodies_only:
            return Page((), [row.body for row in rows], more, total)  # type: ignore[union-attr] # none lacks
        return Page(rows, (), more, total)  # type: ignore[arg-type] # none lacks

    async def _page(self, tenant: str, catalog: TenantCatalog, found: Found, bodies_only: bool) -> Page | None:
        """The same, fetching what is not; None when a commit is under way whose bodies would not be those judged."""
        keys, more, total, _ = found
        there = self._by_key
        held = {key: there[key] for key in keys if key in there}
        lacking = [key for key in keys if key not in held]
        if self._committing:
            return None
        stamp = catalog.stamp
        read = partial(_by_keys, keys=lacking)
        fetched = read(self._inline) if len(lacking) <= _INLINE_KEYS else await self._in_thread(read)
        if catalog.stamp != stamp or len(fetched) != len(lacking):
            return None
        for row in fetched.values():
            self._keep((tenant, row.id), row)
        rows = [held.get(key) or fetched[key] for key in keys]
        return Page((), [row.body for row in rows], more, total) if bodies_only else Page(rows, (), more, total)

    def _wish(self, tenant: str, catalog: TenantCatalog, asked: Plan) -> None:
        building = self._columns.wish(tenant, asked)
        kind = catalog.kinds.get(asked.type_name)
        if building is not None and kind is not None:
            self._tasks.add(task := asyncio.get_running_loop().create_task(self._build(tenant, kind, building)))
            task.add_done_callback(self._tasks.discard)

    async def _build(self, tenant: str, kind: int, building: Building) -> None:
        rows = None
        try:
            read = partial(self._read_columns, kind, building)
            rows = await asyncio.get_running_loop().run_in_executor(self._column_thread, read)
        except (apsw.Error, MadangError):
            log.warning("columns of %s could not be read; its queries stay slow", building.type_name, exc_info=True)
        finally:
            self._columns.built(tenant, building, rows)

    def _read_columns(self, kind: int, building: Building) -> Rows | None:
        with contextlib.closing(apsw.Connection(str(self._path), vfs=self._vfs)) as connection:
            connection.set_busy_timeout(5_000)
            connection.pragma("query_only", True)
            return self._columns.read(connection, kind, building)

    @staticmethod
    def _select(query: Query, catalog: TenantCatalog, types: tuple[str, ...] | None) -> Select | None:
        """The compiled query; kept, because clients ask the same again and compiling costs as much as finding 20."""
        key = (id(query), types)
        known = catalog.selects.get(key)
        if known is not None and known[0] is query:
            return known[1]
        allowed = None if types is None else [catalog.kinds[name] for name in types if name in catalog.kinds]
        select = build(query, catalog, allowed)
        if len(catalog.selects) >= _SELECTS:
            catalog.selects.clear()
        catalog.selects[key] = (query, select)
        return select

    @contextlib.contextmanager
    def _briefly(self) -> Iterator[None]:
        """On the event loop only what is quick; what is not goes to a thread (a thread costs 60 µs, measured)."""
        self._inline.steps = _INLINE_STEPS
        try:
            yield
        finally:
            self._inline.steps = math.inf

    async def _in_thread(self, read: Callable[[_Reader], T]) -> T:
        def run() -> T:
            reader = self._readers.get()
            reader.deadline = time.monotonic() + self._config.query_timeout_s
            try:
                return read(reader)
            except apsw.InterruptError:
                limit = self._config.query_timeout_s
                raise TooComplexQueryError(f"The query ran longer than {limit:g} s", hint="Narrow it by type") from None
            finally:
                self._readers.put(reader)

        return await asyncio.get_running_loop().run_in_executor(self._read_threads, run)

    # The feed.

    async def changes(self, tenant: str, cursor: str | None, limit: int) -> tuple[list[FeedChange], str]:
        catalog = self._catalogs.get(tenant)
        if catalog is None:
            return [], write_cursor(self._epoch, tenant, 0)
        floor = self._floor(self._inline.connection, catalog)
        after = floor if cursor is None else read_cursor(cursor, self._epoch, tenant)
        if after < floor or after > catalog.position:
            raise CursorLostError(
                "The changes after this cursor are no longer kept", where="cursor", hint="Read afresh"
            )
        base = catalog.tenant << CHANGE_BITS
        rows = await self._in_thread(lambda reader: _changes(reader, base, after, limit))
        found = [
            FeedChange(
                write_cursor(self._epoch, tenant, row[0] - base),
                row[1],
                tuple(row[2].split("\n")),
                Op(row[3]),
                moment_of(row[4]),
                row[5],
                row[6],
            )
            for row in rows
        ]
        return found, found[-1].cursor if found else write_cursor(self._epoch, tenant, after)

    def latest_cursor(self, tenant: str) -> str:
        catalog = self._catalogs.get(tenant)
        if catalog is None:
            return write_cursor(self._epoch, tenant, 0)
        base = catalog.tenant << CHANGE_BITS
        sql = "SELECT max(seq) FROM change WHERE seq > ? AND seq < ?"
        row = ApswSession(self._inline.connection).execute(sql, (base, base + (1 << CHANGE_BITS)))[0]
        floor = self._floor(self._inline.connection, catalog)
        return write_cursor(self._epoch, tenant, floor if row[0] is None else max(floor, row[0] - base))

    @staticmethod
    def _floor(connection: apsw.Connection, catalog: TenantCatalog) -> int:
        sql = "SELECT value FROM meta WHERE name = ?"
        row = connection.execute(sql, (f"floor.{catalog.tenant}",)).fetchone()
        return int(row[0]) if row is not None else 0

    async def trim(self, before: datetime) -> int:
        limit_ms, total = ms_of(before), 0
        for catalog in [*self._catalogs.values()]:
            while gone := await self.write(partial(_trim, catalog, limit_ms)):
                total += gone
        await self.write(partial(_trim_arrivals, before))
        return total

    # What people look at.

    async def feeds(self, tenant: str) -> list[Feed]:
        catalog = self._catalogs.get(tenant)
        if catalog is None:
            return []
        sql = "SELECT name, first_ms, last_ms, readings, rejects FROM source WHERE tenant = ? ORDER BY name"
        rows = await self._in_thread(lambda reader: reader.connection.execute(sql, (catalog.tenant,)).fetchall())
        now = self._clock()
        return [self._feed(row, now) for row in rows]

    def _feed(self, row: tuple[Any, ...], now: datetime) -> Feed:  # Any: column values
        last = moment_of(row[2])
        limit = self._config.feed_stale_after_s.get(row[0], self._config.stale_after_s)
        age = max(0.0, (now - last).total_seconds())
        return Feed(row[0], moment_of(row[1]), last, row[3], row[4], age, limit)

    async def reject_summary(self, tenant: str, latest: int = 50) -> RejectSummary:
        catalog = self._catalogs.get(tenant)
        if catalog is None:
            return RejectSummary(0, {}, ())
        sql = "SELECT name, rejects FROM source WHERE tenant = ? AND rejects > 0"
        newest = "SELECT at_ms, source, reason, raw FROM reject WHERE tenant = ? ORDER BY seq DESC LIMIT ?"

        def read(reader: _Reader) -> RejectSummary:
            counts: dict[str, int] = dict(ApswSession(reader.connection).execute(sql, (catalog.tenant,)))
            rows = reader.connection.execute(newest, (catalog.tenant, latest))
            return RejectSummary(sum(counts.values()), counts, [Reject(moment_of(row[0]), *row[1:]) for row in rows])

        return await self._in_thread(read)

    # Files.

    async def scrub(self) -> None:
        while self._writing is not None:
            await asyncio.shield(self._writing)
        self._writing = asyncio.get_running_loop().create_task(self._scrub())
        await asyncio.shield(self._writing)

    async def _scrub(self) -> None:
        try:
            await asyncio.get_running_loop().run_in_executor(self._commit_thread, self._vacuum)
        finally:
            await self._write_groups()

    def _vacuum(self) -> None:
        self.writer.execute("VACUUM")
        self.writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()

    async def backup(self, path: Path) -> None:
        if path.exists():
            raise StoreUnavailableError(f"{path} exists already; a backup never overwrites", where=str(path))
        await asyncio.to_thread(self._copy, path)

    def _copy(self, path: Path) -> None:
        source = apsw.Connection(str(self._path), vfs=self._vfs)
        target = apsw.Connection(str(path))
        try:
            with target.backup("main", source, "main") as copying:
                while not copying.done:
                    copying.step(-1)
            target.execute("PRAGMA journal_mode=DELETE")
        finally:
            target.close()
            source.close()

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        if self._writing is not None:
            await self._writing
        await asyncio.gather(*self._tasks)
        self._commit_thread.shutdown()
        self._column_thread.shutdown()
        self._read_threads.shutdown()
        for reader in (self._inline, *(self._readers.get() for _ in range(_READERS))):
            reader.connection.close()
        self.writer.close()
        self._lock.close()


def _expect(group: Group, units: Iterable[_Unit]) -> None:
    touched: dict[str, dict[str, None]] = {}  # in order: rows of new entities are appended, not inserted
    for unit in units:
        if unit.touches is not None:
            touched.setdefault(unit.touches[0], {}).update(dict.fromkeys(unit.touches[1]))
    for tenant, entity_ids in touched.items():
        if len(entity_ids) >= _TOGETHER:
            group.expect(tenant, entity_ids)


def _empty(query: Query) -> Page:
    return Page((), (), False, 0 if query.count else None)


def _weight(row: Stored) -> int:
    return len(row.body) + _WEIGHT


def _fail(unit: _Unit, error: Exception) -> None:
    if unit.done.done():
        return
    if isinstance(error, apsw.Error):
        error = StoreUnavailableError(f"The store did not take the write: {error}", hint="Nothing was kept; try again")
    unit.done.set_exception(error)


def _by_keys(reader: _Reader, keys: list[int]) -> dict[int, Stored]:
    marks = ",".join("?" * len(keys))
    sql = f"SELECT {COLUMNS} FROM entity e WHERE e.key IN ({marks}) AND e.body IS NOT NULL"  # noqa: S608 -- bound
    return {row[0]: stored_of(row) for row in reader.connection.execute(sql, keys)}


def _run(reader: _Reader, select: Select, query: Query, bodies_only: bool) -> Page:
    if select.related is not None:
        reader.related = select.related
    columns = "e.body" if bodies_only else COLUMNS
    total = _total(reader.connection, select) if query.count else None
    rows = _found(reader, select, query, columns) if query.limit else []
    more = len(rows) > query.limit
    rows = rows[: query.limit]
    if bodies_only:
        return Page((), [row[0] for row in rows], more, total)
    return Page([stored_of(row) for row in rows], (), more, total)


def _found(reader: _Reader, select: Select, query: Query, columns: str) -> list[tuple[Any, ...]]:  # Any: column values
    """The rows of a page. Where an attribute's index may help, a short look along the type's entities comes first: it
    finds a page of what is common at once. Only for what is rare the index is counted, and used where it says few."""
    if select.cheaper is None or select.probe is None:
        return [*_rows(reader.connection, select, query, columns)]
    patience = reader.steps
    if select.probe.text not in reader.rare:
        reader.steps = _LOOK_STEPS
        try:
            return [*_rows(reader.connection, select, query, columns)]
        except apsw.InterruptError:
            if reader.steps >= 0:
                raise
        finally:
            reader.steps = patience
    probe = f"SELECT count(*) FROM ({select.probe.text} LIMIT {_PROBE_LIMIT})"  # noqa: S608 -- bound
    few = ApswSession(reader.connection).execute(probe, select.probe.values)[0][0] < _PROBE_LIMIT
    if few and len(reader.rare) < _SELECTS:
        reader.rare.add(select.probe.text)
    elif not few:
        reader.rare.discard(select.probe.text)
    return [*_rows(reader.connection, select.cheaper if few else select, query, columns)]


def _total(connection: apsw.Connection, select: Select) -> int:
    sql = f"SELECT count(DISTINCT e.key) FROM {select.source} WHERE {select.where.text}"  # noqa: S608 -- bound
    return int(ApswSession(connection).execute(sql, select.where.values)[0][0])


def _rows(connection: apsw.Connection, select: Select, query: Query, columns: str) -> Iterator[tuple[Any, ...]]:
    distinct = " GROUP BY e.key" if select.related is not None else ""
    sql = (
        f"SELECT {columns} FROM {select.source} WHERE {select.where.text}{distinct}"  # noqa: S608 -- bound
        f" ORDER BY {select.order.text} LIMIT ? OFFSET ?"
    )
    return connection.execute(sql, (*select.where.values, *select.order.values, query.limit + 1, query.offset))


def _changes(reader: _Reader, base: int, after: int, limit: int) -> list[tuple[Any, ...]]:  # Any: column values
    sql = (
        "SELECT c.seq, e.id, e.types, c.op, c.at_ms, c.source, c.body FROM change c JOIN entity e ON e.key = c.key"
        " WHERE c.seq > ? AND c.seq < ? ORDER BY c.seq LIMIT ?"
    )
    return reader.connection.execute(sql, (base + after, base + (1 << CHANGE_BITS), limit)).fetchall()


def _trim(catalog: TenantCatalog, limit_ms: int, tx: WriteTx) -> int:
    """Drops the oldest changes of a tenant, at most so many at once that nobody waits for it."""
    base = catalog.tenant << CHANGE_BITS
    rows = tx.session.execute(
        "SELECT seq, at_ms FROM change WHERE seq > ? AND seq < ? ORDER BY seq LIMIT ?",
        (base, base + (1 << CHANGE_BITS), _TRIMMED),
    )
    old = [seq for seq, at_ms in rows if at_ms < limit_ms]
    if old:
        tx.session.execute("DELETE FROM change WHERE seq > ? AND seq <= ?", (base, old[-1]))
        tx.session.execute(
            "INSERT INTO meta VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            (f"floor.{catalog.tenant}", str(old[-1] - base)),
        )
    return len(old)


def _trim_arrivals(before: datetime, tx: WriteTx) -> None:
    """Forgets answers and the arrivals they answered together: an arrival without answer could not be repeated."""
    tx.session.execute("DELETE FROM answer WHERE at_ms < ?", (ms_of(before),))
    purge_arrivals(tx.session, bodies_before=before, rows_before=before)
