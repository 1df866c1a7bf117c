"""The clustered store: PostgreSQL with PostGIS, written to by any number of hub processes at once.

Each process commits groups of writes on one connection and remembers the entities it read or wrote. What another
process commits it hears of at once (`listening`): what is remembered of an entity is a notice old at most,
usually milliseconds, and never more than `listening.STALE_S`; while no notices can be heard nothing is taken from memory.
"""  # noqa: E501

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from madang.hub.changes import Op, Stored
from madang.hub.columns import Found, Plan, plan
from madang.hub.config import HubConfig
from madang.hub.errors import CursorLostError, StoreUnavailableError
from madang.hub.feed import FeedChange, read_cursor, write_cursor
from madang.hub.moving import to_sqlite
from madang.hub.postgres.address import Connection, check_address, connect
from madang.hub.postgres.arrays import integers, texts
from madang.hub.postgres.catalog import Catalog, Tenant, load_catalogs
from madang.hub.postgres.following import FollowedColumns
from madang.hub.postgres.group import LOAD
from madang.hub.postgres.listening import AdvisoryLease, Listening, Notice
from madang.hub.postgres.reader import Readers, consistently, page
from madang.hub.postgres.schema import ensure_indexes, migrate
from madang.hub.postgres.session import PostgresSession
from madang.hub.postgres.sql import Select, build
from madang.hub.postgres.writer import CHANNEL, Committed, Unit, Writer
from madang.hub.query import Query, TypeName, type_names
from madang.hub.sqlite.group import COLUMNS, moment_of, ms_of, stored_of
from madang.hub.sqlite.schema import CHANGE_BITS
from madang.hub.store import Feed, Lease, Observer, Page, Reject, RejectSummary, Touches, WriteTx
from madang.hub.wakes import Wakes
from madang.journal.inbox import purge_arrivals
from madang.journal.session import Session
from madang.kernel.clock import Clock, system_clock
from madang.kernel.ids import new_id

T = TypeVar("T")

_SELECTS = 512
_TRIMMED = 1_000
_WEIGHT = 700
"""What an entity takes in memory beside its body."""
_FORGOTTEN = 2_000


class PostgresStore:
    """See `store.Store`. Everything but what runs in `_writer` and `_readers` happens on the event loop."""

    def __init__(self, address: str, config: HubConfig, clock: Clock) -> None:
        self._address, self._config, self._clock = address, config, clock
        self.observers: tuple[Observer, ...] = ()
        self._wakes = Wakes()
        self._stamps = 0
        self._tenants: dict[str, Tenant] = {}
        self._codes: dict[int, str] = {}
        self._cache: dict[tuple[str, str], Stored] = {}
        self._by_key: dict[int, Stored] = {}
        """The same entities as in `_cache`."""
        self._cached_bytes = 0
        self._waiting: list[tuple[Unit, asyncio.Future[Any]]] = []  # Any: what works return
        self._writing: asyncio.Task[None] | None = None
        self._learning: set[asyncio.Task[None]] = set()
        self._leases: dict[str, AdvisoryLease] = {}
        self._closed = False
        origin = new_id()
        with connect(address) as connection:
            migrate(connection, address)
            ensure_indexes(connection, config.indexed_attributes)
            self._epoch = str(connection.execute("SELECT value FROM meta WHERE name = 'epoch'").fetchall()[0][0])
        self._origin = origin
        self._writer = Writer(address, self, clock, origin, config.indexed_attributes, config.rejects_kept)
        self._readers = Readers(address, config.query_timeout_s)
        self._followed = FollowedColumns(self._readers, self._learn_again, config.column_bytes)
        self._write_thread = ThreadPoolExecutor(1, "hub-write")
        self._listening: Listening | None = None

    @classmethod
    async def open(cls, address: str, config: HubConfig, clock: Clock = system_clock) -> PostgresStore:
        """Connects, making the tables where there are none; raises `StoreRefusedError`, `StoreUnavailableError`."""
        check_address(address)
        store = await asyncio.to_thread(cls, address, config, clock)
        listening = Listening(address, store._origin, store._on_notice, store._on_lost)
        await asyncio.to_thread(listening.start)
        store._listening = listening
        store._learn(await store._readers.run(lambda one: load_catalogs(one, config.indexed_attributes)))
        return store

    # What is remembered.

    def known_catalog(self, tenant: str) -> Catalog | None:
        """What is known of a tenant. The writer asks from its thread."""
        found = self._tenants.get(tenant)
        return found.catalog if found is not None else None

    def cached(self, tenant: str, entity_id: str) -> Stored | None:
        """An entity as this process remembers it, where that may be believed."""
        return self._cache.get((tenant, entity_id)) if self._believed else None

    def lacking(self, tenant: str, ids: Collection[str]) -> Collection[str]:
        """Those of some entities that it does not remember."""
        cache = self._cache if self._believed else {}
        return [one for one in ids if (tenant, one) not in cache]

    @property
    def _believed(self) -> bool:
        return self._listening is not None and self._listening.up

    def _next_stamp(self) -> int:
        self._stamps += 1
        return self._stamps

    def _learn(self, catalogs: dict[str, Catalog]) -> None:
        for code, catalog in catalogs.items():
            known = self._tenants.get(code)
            if known is None:
                self._tenants[code] = Tenant(catalog, self._next_stamp())
                self._codes[catalog.tenant] = code
            elif catalog.revision >= known.catalog.revision:
                known.catalog = catalog
                known.stamp = self._next_stamp()

    async def _learn_again(self, tenant: str | None = None) -> None:
        indexed = self._config.indexed_attributes
        self._learn(await self._readers.run(lambda one: load_catalogs(one, indexed, tenant)))

    def _learn_soon(self) -> None:
        task = asyncio.get_running_loop().create_task(self._learn_quietly())
        self._learning.add(task)
        task.add_done_callback(self._learning.discard)

    async def _learn_quietly(self) -> None:
        with contextlib.suppress(StoreUnavailableError):  # then the listening is lost too, and learns when it is back
            await self._learn_again()

    def _forget(self, tenant: str, keys: Collection[int] | None) -> None:
        """Another process changed entities (None: any)."""
        found = self._tenants.get(tenant)
        if found is None:
            return
        found.stamp = self._next_stamp()
        found.strangers += 1
        self._followed.heard(tenant)
        if keys is None:
            gone = [row for (code, _), row in self._cache.items() if code == tenant]
        else:
            gone = [row for key in keys if (row := self._by_key.get(key)) is not None]
        for row in gone:
            self._drop((tenant, row.id))

    def _on_notice(self, said: Notice) -> None:
        if "t" not in said:  # a process that ends
            return
        if said["t"] is None:
            self._on_lost()
            return
        if said["c"] or any(int(number) not in self._codes for number in said["t"]):
            self._learn_soon()
        for number, keys in said["t"].items():
            if (code := self._codes.get(int(number))) is not None:
                self._forget(code, keys)
        self._wakes.call(said["w"])

    def _on_lost(self) -> None:
        """Anything may have happened."""
        self._followed.lost()
        for code in self._tenants:
            self._forget(code, None)
        self._learn_soon()
        self._wakes.call_all()

    def _keep(self, key: tuple[str, str], row: Stored) -> None:
        self._drop(key)
        self._cached_bytes += len(row.body) + _WEIGHT
        self._cache[key] = self._by_key[row.key] = row
        if self._cached_bytes > self._config.cache_bytes:
            self._make_room()

    def _make_room(self) -> None:
        """Forgets the oldest, a sixteenth at once: a dict looks for its first past all that were dropped before, which
        took 7 µs for each new entity (measured)."""
        cache, by_key, enough = self._cache, self._by_key, self._config.cache_bytes * 15 // 16
        while self._cached_bytes > enough and cache:
            for key in [*islice(cache, _FORGOTTEN)]:
                old = cache.pop(key)
                by_key.pop(old.key, None)
                self._cached_bytes -= len(old.body) + _WEIGHT
                if self._cached_bytes <= enough:
                    break

    def _drop(self, key: tuple[str, str]) -> None:
        if (old := self._cache.pop(key, None)) is not None:
            self._cached_bytes -= len(old.body) + _WEIGHT
            self._by_key.pop(old.key, None)

    # Writing.

    async def write(self, work: Callable[[WriteTx], T], touches: Touches | None = None) -> T:
        if self._closed:
            raise StoreUnavailableError("The hub is closing")
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Any] = loop.create_future()  # Any: what the work returns
        self._waiting.append((Unit(work, touches), done))
        if self._writing is None:
            self._writing = loop.create_task(self._write_groups())
        result: T = await done
        return result

    async def _write_groups(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            waiting = self._waiting[: self._config.group_max]
            del self._waiting[: len(waiting)]
            strangers = {code: one.strangers for code, one in self._tenants.items()}
            units = [unit for unit, _ in waiting]
            for committed in await loop.run_in_executor(self._write_thread, self._writer.run, units):
                self._publish(committed, strangers)
            for unit, done in waiting:
                if done.done():
                    continue
                if unit.error is not None:
                    done.set_exception(unit.error)
                else:
                    done.set_result(unit.result)
        self._writing = None

    def _publish(self, committed: Committed, strangers: dict[str, int]) -> None:
        self._learn(committed.catalogs)
        for code in committed.tenants:
            if (tenant := self._tenants.get(code)) is not None:
                tenant.stamp = self._next_stamp()
        alone = {code for code, one in self._tenants.items() if strangers.get(code, 0) == one.strangers}
        deleted: set[str] = set()
        for key, _, row in committed.rows:
            if row.body and key[0] in alone:
                self._keep(key, row)
            else:
                self._drop(key)
            if not row.body:
                deleted.add(key[0])
        for code in deleted & self._tenants.keys():
            self._tenants[code].strangers += 1  # a read that is under way must not bring back what is deleted
        for code, span in committed.spans.items():
            self._followed.committed(code, span, committed.rows)
        for code in () if committed.certain else committed.tenants:
            self._forget(code, None)
        self._wakes.call(committed.woken)

    # Reading.

    async def read(self, work: Callable[[Session], T]) -> T:
        return await self._readers.run(consistently(lambda connection: work(PostgresSession(connection))))

    def observe(self, observer: Observer) -> None:
        self.observers = (*self.observers, observer)

    def listen(self, name: str, callback: Callable[[], None]) -> Callable[[], None]:
        return self._wakes.listen(name, callback)

    @contextlib.asynccontextmanager
    async def lease(self, name: str) -> AsyncIterator[Lease]:
        """Shared by all who ask for it in this process; given back when the last of them is done."""
        shared = self._leases.get(name)
        if shared is None:
            digest = blake2b(f"madang hub lease {name}".encode(), digest_size=8).digest()
            shared = self._leases[name] = AdvisoryLease(self._address, int.from_bytes(digest, "big", signed=True))
        shared.sharers += 1
        try:
            yield shared
        finally:
            shared.sharers -= 1
            if not shared.sharers:
                del self._leases[name]
                await shared.close()

    def number(self, tenant: str) -> int | None:
        catalog = self.known_catalog(tenant)
        return catalog.tenant if catalog is not None else None

    async def _tenant(self, code: str) -> Tenant | None:
        """A tenant; one not known yet may have been made by another process."""
        if code not in self._tenants and "\0" not in code:
            await self._learn_again(code)
        return self._tenants.get(code)

    async def retrieve(self, tenant: str, entity_id: str) -> Stored | None:
        found = self.cached(tenant, entity_id)
        if found is not None:
            return found
        known = await self._tenant(tenant)
        if known is None or "\0" in entity_id:
            return None
        strangers = known.strangers
        row = await self._readers.run(lambda one: _load(one, known.catalog.tenant, entity_id))
        if row is None or row[3] is None:
            return None
        stored = stored_of(row)
        if known.strangers == strangers:
            self._keep_read((tenant, entity_id), stored)
        return stored

    def _keep_read(self, key: tuple[str, str], row: Stored) -> None:
        """Unless this process has itself committed a later version meanwhile."""
        held = self._cache.get(key)
        if held is None or held.version < row.version:
            self._keep(key, row)

    def stamp(self, tenant: str) -> int:
        known = self._tenants.get(tenant)
        if not self._believed:
            return self._next_stamp()
        return known.stamp if known is not None else -1

    def types(self, tenant: str) -> Collection[str]:
        catalog = self.known_catalog(tenant)
        return catalog.kinds.keys() if catalog is not None else ()

    async def query(
        self, tenant: str, query: Query, *, types: Collection[str] | None = None, bodies_only: bool = False
    ) -> Page:
        known = self._tenants.get(tenant) or await self._tenant(tenant)
        if known is None:
            return _empty(query)
        selection, kinds = query.types, known.catalog.kinds
        familiar = selection.name in kinds if selection.__class__ is TypeName else type_names(selection) <= kinds.keys()
        if not (familiar and self._believed):
            await self._catch_up(known.catalog)
        if (asked := self._plan(known, query, types)) is not None:
            answer = self._at_once(known, asked, query, bodies_only=bodies_only)
            answer = answer or await self._by_columns(known, asked, query, bodies_only=bodies_only)
            if answer is not None:
                return answer
        select = self._select(query, known.catalog, None if types is None else tuple(types))
        if select is None:
            return _empty(query)
        return await self._readers.run(partial(page, select=select, query=query, bodies_only=bodies_only))

    def _plan(self, known: Tenant, query: Query, types: Collection[str] | None) -> Plan | None:
        """How the answer comes from memory, where it would be the server's to the last bit; see `following`."""
        asked = plan(query, known.catalog.shapes) if self._believed else None
        return asked if asked is not None and (types is None or asked.type_name in types) else None

    def _at_once(self, known: Tenant, asked: Plan, query: Query, *, bodies_only: bool) -> Page | None:
        """The answer where nobody has to be waited for, as is most often so."""
        found = self._followed.now(known.catalog.code, asked, query)
        if found is None:
            return None
        rows = [*map(self._by_key.get, found[0])]
        return _judged(rows, found, bodies_only=bodies_only) if all(rows) else None  # type: ignore[arg-type] # all

    async def _by_columns(self, known: Tenant, asked: Plan, query: Query, *, bodies_only: bool) -> Page | None:
        """The answer from memory, of columns brought in step and entities fetched where they have to be."""
        found = await self._followed.find(known, asked, query)
        if found is None:
            return None
        keys = found[0]
        rows = [*map(self._by_key.get, keys)]
        if not all(rows):
            fetched = await self._fetch(known, [key for key, row in zip(keys, rows, strict=True) if row is None])
            rows = [row or fetched.get(key) for key, row in zip(keys, rows, strict=True)]
        return _judged([row for row in rows if row is not None], found, bodies_only=bodies_only)

    async def _fetch(self, known: Tenant, keys: list[int]) -> dict[int, Stored]:
        """Entities by key, to be remembered."""
        strangers = known.strangers
        fetched = await self._readers.run(partial(_by_keys, keys=keys))
        for row in fetched.values() if known.strangers == strangers else ():
            self._keep_read((known.catalog.code, row.id), row)
        return fetched

    async def _catch_up(self, catalog: Catalog) -> None:
        """Before a query is answered by a type nobody knows here: another process may have just made it known."""
        sql = "SELECT revision FROM tenant WHERE id = %s"
        rows = await self._readers.run(lambda one: one.execute(sql, (catalog.tenant,)).fetchall())
        if rows and rows[0][0] != catalog.revision:
            await self._learn_again(catalog.code)

    @staticmethod
    def _select(query: Query, catalog: Catalog, types: tuple[str, ...] | None) -> Select | None:
        """The compiled query; kept, because clients ask the same again."""
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

    # The feed.

    async def changes(self, tenant: str, cursor: str | None, limit: int) -> tuple[list[FeedChange], str]:
        known = await self._tenant(tenant)
        if known is None:
            return [], write_cursor(self._epoch, tenant, 0)
        base = known.catalog.tenant << CHANGE_BITS
        after = None if cursor is None else read_cursor(cursor, self._epoch, tenant)
        position, floor, rows = await self._readers.run(
            consistently(lambda one: _changes(one, known.catalog.tenant, after, limit))
        )
        after = floor if after is None else after
        if after < floor or after > position:
            raise CursorLostError(
                "The changes after this cursor are no longer kept", where="cursor", hint="Read afresh"
            )
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
        """Asks the server from the calling thread: one short statement, for followers that begin."""
        rows = self._readers.now(
            lambda one: one.execute("SELECT position FROM tenant WHERE code = %s", (tenant,)).fetchall()
        )
        return write_cursor(self._epoch, tenant, rows[0][0] if rows else 0)

    async def trim(self, before: datetime) -> int:
        limit_ms, total = ms_of(before), 0
        for known in [*self._tenants.values()]:
            while gone := await self.write(partial(_trim, known.catalog, limit_ms)):
                total += gone
        await self.write(partial(_trim_arrivals, before))
        return total

    # What people look at.

    async def feeds(self, tenant: str) -> list[Feed]:
        known = await self._tenant(tenant)
        if known is None:
            return []
        sql = "SELECT name, first_ms, last_ms, readings, rejects FROM source WHERE tenant = %s ORDER BY name"
        rows = await self._readers.run(lambda one: one.execute(sql, (known.catalog.tenant,)).fetchall())
        now = self._clock()
        return [self._feed(row, now) for row in rows]

    def _feed(self, row: tuple[Any, ...], now: datetime) -> Feed:  # Any: column values
        last = moment_of(row[2])
        limit = self._config.feed_stale_after_s.get(row[0], self._config.stale_after_s)
        age = max(0.0, (now - last).total_seconds())
        return Feed(row[0], moment_of(row[1]), last, row[3], row[4], age, limit)

    async def reject_summary(self, tenant: str, latest: int = 50) -> RejectSummary:
        known = await self._tenant(tenant)
        if known is None:
            return RejectSummary(0, {}, ())
        number = known.catalog.tenant

        def read(connection: Connection) -> RejectSummary:
            sql = "SELECT name, rejects FROM source WHERE tenant = %s AND rejects > 0"
            counts: dict[str, int] = dict(connection.execute(sql, (number,)).fetchall())
            sql = "SELECT at_ms, source, reason, raw FROM reject WHERE tenant = %s ORDER BY seq DESC LIMIT %s"
            rows = connection.execute(sql, (number, latest)).fetchall()
            return RejectSummary(sum(counts.values()), counts, [Reject(moment_of(row[0]), *row[1:]) for row in rows])

        return await self._readers.run(read)

    # The whole.

    async def backup(self, path: Path) -> None:
        """Writes a SQLite store: it opens by itself anywhere. A province's own backups are PostgreSQL's."""
        if path.exists():
            raise StoreUnavailableError(f"{path} exists already; a backup never overwrites", where=str(path))
        await asyncio.to_thread(self._copy, path)

    def _copy(self, path: Path) -> None:
        part = path.with_name(path.name + ".part")
        part.unlink(missing_ok=True)
        with connect(self._address) as connection:
            to_sqlite(connection, part, lambda _table, _done, _all: None)
        part.replace(path)

    async def scrub(self) -> None:
        """Writes the tables anew. The server's log of writes keeps older pages for as long as it is kept itself."""
        await asyncio.to_thread(self._write_anew)

    def _write_anew(self) -> None:
        with connect(self._address) as connection:
            names = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'hub'").fetchall()
            connection.execute(f"VACUUM (FULL, ANALYZE) {', '.join(f'hub.{quoted(name)}' for (name,) in names)}")

    async def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        if self._writing is not None:
            await self._writing
        if self._listening is not None:
            await asyncio.to_thread(self._stop_listening, self._listening)
        await self._followed.close()
        self._write_thread.shutdown()
        self._readers.close()
        self._writer.close()

    def _stop_listening(self, listening: Listening) -> None:
        listening.stop()
        with contextlib.suppress(Exception):  # it stops by itself within a second
            said = f'{{"o":"{self._origin}"}}'
            self._readers.now(lambda one: one.execute("SELECT pg_notify(%s, %s)", (CHANNEL, said)))
        listening.close()


def quoted(name: str) -> str:
    """A table's name as SQL writes it."""
    return '"' + name.replace('"', '""') + '"'


def _empty(query: Query) -> Page:
    return Page((), (), False, 0 if query.count else None)


def _judged(rows: list[Stored], found: Found, *, bodies_only: bool) -> Page | None:
    """A page of entities as columns judged them; None where one has changed since."""
    _, more, total, versions = found
    if [row.version for row in rows] != versions:
        return None
    return Page((), [row.body for row in rows], more, total) if bodies_only else Page(rows, (), more, total)


def _load(connection: Connection, tenant: int, entity_id: str) -> tuple[Any, ...] | None:  # Any: column values
    return connection.execute(LOAD, (texts([entity_id]), tenant)).fetchone()


def _by_keys(connection: Connection, keys: list[int]) -> dict[int, Stored]:
    sql = f"SELECT {COLUMNS} FROM entity e WHERE e.key = ANY(%s) AND e.body IS NOT NULL"  # noqa: S608 -- constants
    return {row[0]: stored_of(row) for row in connection.execute(sql, (integers(keys),))}


def _changes(
    connection: Connection, tenant: int, after: int | None, limit: int
) -> tuple[int, int, list[tuple[Any, ...]]]:  # Any: column values
    sql = (
        "SELECT t.position, coalesce((SELECT value::bigint FROM meta WHERE name = 'floor.' || t.id), 0)"
        " FROM tenant t WHERE t.id = %s"
    )
    position, floor = connection.execute(sql, (tenant,)).fetchall()[0]
    base = tenant << CHANGE_BITS
    sql = (
        "SELECT c.seq, e.id, e.types, c.op, c.at_ms, c.source, c.body FROM change c JOIN entity e ON e.key = c.key"
        " WHERE c.seq > %s AND c.seq < %s ORDER BY c.seq LIMIT %s"
    )
    first = base + (floor if after is None else after)
    rows = connection.execute(sql, (first, base + (1 << CHANGE_BITS), limit)).fetchall()
    return position, floor, rows


def _trim(catalog: Catalog, limit_ms: int, tx: WriteTx) -> int:
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
            "INSERT INTO meta VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value ="
            " greatest(meta.value::bigint, excluded.value::bigint)::text",
            (f"floor.{catalog.tenant}", str(old[-1] - base)),
        )
    return len(old)


def _trim_arrivals(before: datetime, tx: WriteTx) -> None:
    """Forgets answers and the arrivals they answered together: an arrival without answer could not be repeated."""
    tx.session.execute("DELETE FROM answer WHERE at_ms < ?", (ms_of(before),))
    purge_arrivals(tx.session, bodies_before=before, rows_before=before)
