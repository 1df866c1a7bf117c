"""The hub as the rest of the platform uses it: entities in, entities and changes out, bad input kept aside."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import orjson

from madang.hub import changes as change
from madang.hub.changes import Mutation, Op, Stored
from madang.hub.config import HubConfig
from madang.hub.contexts.context import CORE_CONTEXT
from madang.hub.contexts.source import ContextSource
from madang.hub.entity import Entity, Json, has_kind, read_entity
from madang.hub.errors import BadRequestDataError, NgsiLdError, StoreRefusedError
from madang.hub.expiry import Expiry
from madang.hub.feed import FeedChange
from madang.hub.history.finding import HistoryPage
from madang.hub.history.history import History
from madang.hub.history.query import HistoryQuery
from madang.hub.history.series import Series
from madang.hub.query import Query, TypeName
from madang.hub.sqlite.store import SqliteStore
from madang.hub.store import Feed, Page, RejectSummary, Store, WriteTx
from madang.hub.subscriptions.desk import Subscriptions
from madang.kernel.clock import Clock, system_clock
from madang.kernel.errors import MadangError

T = TypeVar("T")
_HOUSEKEEPING_S = 3600.0
_PAST_S = 60.0
_CHUNK = 200
_READINGS = 1_000
"""So much is done at one go, before others get their turn: 2–4 ms."""

log = logging.getLogger("madang.hub")


@dataclass(frozen=True, slots=True)
class ItemRefusal:
    """Why one item of a batch was not taken. `entity_id` is empty where it could not be told."""

    entity_id: str
    error: NgsiLdError


@dataclass(frozen=True, slots=True)
class BatchResult:
    """What became of a batch, item by item; every id stands in the order it came."""

    created: tuple[str, ...] = ()
    updated: tuple[str, ...] = ()
    errors: tuple[ItemRefusal, ...] = ()

    @property
    def success(self) -> tuple[str, ...]:
        """The ids taken, each once."""
        return tuple(dict.fromkeys((*self.created, *self.updated)))


class Hub:
    """One broker. Tenants are authority codes; their letter case does not matter."""

    def __init__(self, config: HubConfig, clock: Clock, store: Store) -> None:
        self.config = config
        self.contexts = ContextSource(config, store=store, clock=clock)
        self.store = store
        self.expiry = Expiry(store, clock)
        self.past = History(store, config, clock)
        self._keeping_past: asyncio.Task[None] | None = None
        self.subscriptions = Subscriptions(store, self.contexts, config, clock)
        self._clock = clock
        self._housekeeping: asyncio.Task[None] | None = None

    @classmethod
    async def open(cls, config: HubConfig | None = None, clock: Clock = system_clock) -> Hub:
        """Opens the store named in the configuration, upgrading an older one; raises `StoreRefusedError`."""
        config = config or HubConfig()
        _collect_seldom()
        hub = cls(config, clock, await open_store(config, clock))
        await hub.subscriptions.open()
        await hub.expiry.start()
        hub._housekeeping = asyncio.get_running_loop().create_task(hub._keep_house())
        hub._keeping_past = asyncio.get_running_loop().create_task(hub._keep_past())
        return hub

    async def close(self) -> None:
        """Finishes waiting writes and closes the store."""
        if self._housekeeping is not None:
            self._housekeeping.cancel()
        if self._keeping_past is not None:
            self._keeping_past.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeping_past
        self.past.close()
        await self.expiry.close()
        await self.subscriptions.close()
        await self.store.close()

    async def _keep_house(self) -> None:
        while True:
            try:
                await self.trim()
            except MadangError:
                log.warning("old changes could not be dropped; trying again in an hour", exc_info=True)
            await asyncio.sleep(_HOUSEKEEPING_S)

    async def trim(self) -> int:
        """Drops changes older than configured that history keeps in files; how many went."""
        before = self._clock() - timedelta(days=self.config.feed_keep_days)
        oldest_ms = await self.past.oldest_unrolled()
        if oldest_ms is not None and oldest_ms < before.timestamp() * 1_000:
            await self.roll()
            oldest_ms = await self.past.oldest_unrolled()
        if oldest_ms is not None:
            before = min(before, datetime.fromtimestamp(oldest_ms / 1_000, UTC))
        return await self.store.trim(before)

    # History.

    async def _keep_past(self) -> None:
        async with self.store.lease("history") as lease:
            while True:
                await asyncio.sleep(_PAST_S)
                await lease.acquired()
                try:
                    await self.past.roller.keep()
                except Exception:  # of SQL, DuckDB and disk alike: the next round does again what this one left
                    log.exception("history could not be moved to files; trying again in a minute")

    async def history(self, tenant: str, query: HistoryQuery) -> HistoryPage:
        """A page of entities with their attribute instances, recent and old in one view (clause 5.7.4)."""
        return await self.past.query(tenant.lower(), query)

    async def series(
        self,
        tenant: str,
        entity_id: str,
        attribute: str,
        from_at: datetime,
        to_at: datetime,
        max_points: int = 500,
        dataset: str = "",
    ) -> Series:
        """One attribute between two instants, as at most so many points, or as changes where it is no number."""
        return await self.past.series(tenant.lower(), entity_id, attribute, from_at, to_at, max_points, dataset)

    async def roll(self) -> int:
        """Moves what is due into history files; how many changes."""
        async with self.store.lease("history") as lease:
            await lease.acquired()
            return await self.past.roller.keep()

    async def erase(self, tenant: str, entity_id: str, attribute: str = "") -> None:
        """Removes an entity, or one attribute of it, from state, history, feed, files and the space they leave.

        Its id goes on standing in the feed, without anything else, until the feed drops it.
        """
        code = tenant.lower()
        made = change.delete_attribute(entity_id, attribute, every=True) if attribute else change.delete(entity_id)
        await self.store.write(lambda tx: tx.apply(code, made, "erasure"))
        await self.past.erase(code, entity_id, attribute)

    async def erase_type(self, tenant: str, name: str) -> None:
        """The same for all entities of a type (core name)."""
        code = tenant.lower()
        while entities := (await self.query(code, Query(types=TypeName(name), limit=_CHUNK))).entities:
            await self.write(code, [change.delete(one.id) for one in entities], "erasure")
        await self.past.erase_type(code, name)

    # Entities.

    async def upsert(
        self,
        tenant: str,
        entities: Iterable[Mapping[str, Json]],
        *,
        source: str,
        versions: Mapping[str, int] | None = None,
    ) -> BatchResult:
        """Creates entities or overwrites the attributes given (clause 5.6.8, options=update).

        Entities are normalized, concise or simplified; names are core names unless an entity brings its `@context`.
        With `versions` (entity id → number) an entity already held in that version or a later one is left alone, so a
        mirror can be sent again in any order.
        """
        held = versions or {}
        read, mutations, errors = await self._read(
            entities, lambda entity: change.upsert(entity, source_version=held.get(entity.id))
        )
        result = await self.write(tenant, mutations, source)
        self.expiry.note_all(read)
        return BatchResult(result.created, result.updated, (*errors, *result.errors))

    async def ingest(self, tenant: str, fragments: Iterable[Mapping[str, Json]], *, source: str) -> BatchResult:
        """Takes readings: entity fragments with id and type. Bad ones are kept aside under `source` and counted.

        A reading observed before the one that stands goes to history and leaves the state alone.
        """
        raws = list(fragments)
        chunks = [raws[start : start + _CHUNK] for start in range(0, len(raws), _CHUNK)]
        return _joined(await asyncio.gather(*(self._ingest(tenant.lower(), chunk, source) for chunk in chunks)))

    async def take(self, tenant: str, readings: Sequence[Mutation], *, source: str) -> BatchResult:
        """The same of readings made by `changes.reading`; tells of those refused only."""
        chunks = [readings[start : start + _READINGS] for start in range(0, len(readings), _READINGS)]
        code = tenant.lower()
        works = [(partial(_taken, tenant=code, readings=chunk, source=source), _ids(chunk)) for chunk in chunks]
        refused = await asyncio.gather(*(self.store.write(work, (code, ids)) for work, ids in works))
        return BatchResult(errors=tuple(one for errors in refused for one in errors))

    async def _ingest(self, tenant: str, raws: list[Mapping[str, Json]], source: str) -> BatchResult:
        read, mutations, misfits = await self._read(raws, change.ingest)

        def work(tx: WriteTx) -> BatchResult:
            result = _applied(tx, tenant, mutations, source)
            tx.heard(tenant, source, len(result.created) + len(result.updated))
            for one in misfits:
                tx.reject(tenant, source, one.error.detail, _shown(raws[one.place]))
            for refused in result.errors:
                tx.reject(tenant, source, refused.error.detail, refused.entity_id.encode())
            return result

        result = await self.store.write(work, (tenant, _ids(mutations)))
        self.expiry.note_all(read)
        return BatchResult(result.created, result.updated, (*misfits, *result.errors))

    async def _read(
        self, entities: Iterable[Mapping[str, Json]], make: Callable[[Entity], Mutation]
    ) -> tuple[list[Entity], list[Mutation], list[_Placed]]:
        read: list[Entity] = []
        mutations: list[Mutation] = []
        errors: list[_Placed] = []
        for place, raw in enumerate(entities):
            try:
                if not isinstance(raw, dict):
                    raise BadRequestDataError("An entity is a JSON object", where="body")
                names = await self.contexts.get(raw["@context"]) if "@context" in raw else CORE_CONTEXT
                simplified = not any(map(_is_reified, raw.values()))
                entity = read_entity(raw, names, simplified=simplified, max_depth=self.config.max_depth)
                if entity.expires_ms is not None:
                    self.expiry.check(entity)
                mutations.append(make(entity))
                read.append(entity)
            except NgsiLdError as error:
                errors.append(_Placed(_said_id(raw), error, place))
        return read, mutations, errors

    async def write(self, tenant: str, mutations: list[Mutation], source: str) -> BatchResult:
        """Applies mutations in order; each stands or fails by itself. Long lists are cut: others get their turn."""
        tenant = tenant.lower()
        chunks = [mutations[start : start + _CHUNK] for start in range(0, len(mutations), _CHUNK)]
        writes = [
            self.store.write(partial(_applied, tenant=tenant, mutations=c, source=source), (tenant, _ids(c)))
            for c in chunks
        ]
        return _joined(await asyncio.gather(*writes))

    async def retrieve(self, tenant: str, entity_id: str) -> Stored | None:
        """One entity; `.document()` is its normalized form with core names."""
        await self.expiry.ensure()
        return await self.store.retrieve(tenant.lower(), entity_id)

    async def query(self, tenant: str, query: Query, *, types: Collection[str] | None = None) -> Page:
        """A page of entities (`query.parse_query` makes a `Query` of parameters)."""
        await self.expiry.ensure()
        return await self.store.query(tenant.lower(), query, types=types)

    # The feed.

    async def changes(self, tenant: str, cursor: str | None, limit: int = 500) -> tuple[list[FeedChange], str]:
        """Changes after `cursor` (None: the oldest kept) in commit order, and the cursor to go on from.

        Raises `CursorLostError` when the feed cannot resume there: read everything afresh, then go on from
        `latest_cursor` taken before.
        """
        return await self.store.changes(tenant.lower(), cursor, limit)

    def latest_cursor(self, tenant: str) -> str:
        """A cursor for what comes after now."""
        return self.store.latest_cursor(tenant.lower())

    # Sources and what could not be taken.

    async def feeds(self, tenant: str) -> list[Feed]:
        """Each source of readings: when it was last heard, how much came, how much was bad."""
        return await self.store.feeds(tenant.lower())

    async def reject(self, tenant: str, source: str, reason: str, raw: bytes) -> None:
        """Keeps a bad input aside, with its reason, where a person sees it."""
        await self.store.write(lambda tx: tx.reject(tenant.lower(), source, reason, raw))

    async def reject_summary(self, tenant: str) -> RejectSummary:
        """How many inputs were kept aside, and the latest of them."""
        return await self.store.reject_summary(tenant.lower())

    async def backup(self, path: Path) -> None:
        """Writes a consistent copy of the store while it is in use, and of its history beside it (`.history`).

        Neither may exist.
        """
        await self.past.roller.copy_after(self.store.backup(path), path.with_suffix(".history"))

    def now(self) -> datetime:
        """The hub's clock."""
        return self._clock()


async def open_store(config: HubConfig, clock: Clock = system_clock) -> Store:
    """The store a configuration names: a file, or a PostgreSQL; raises `StoreRefusedError`."""
    if not config.store.startswith(("postgresql://", "postgres://")):
        return await SqliteStore.open(Path(config.store), config, clock)
    try:
        from madang.hub.postgres.store import PostgresStore  # lazily: psycopg is an extra
    except ImportError:
        hint = "pip install 'madang[postgres]'"
        raise StoreRefusedError("hub.store is a PostgreSQL, and psycopg is missing", where="store", hint=hint) from None
    return await PostgresStore.open(config.store, config, clock)


def _collect_seldom() -> None:
    """Has cyclic garbage looked for less often, in the whole process.

    A batch of 1,000 entities is 10,000 dictionaries that die by themselves; looking through them every 700 takes 30 %
    of its time (measured). 50,000 young objects are about 10 MB.
    """
    young, middle, old = gc.get_threshold()
    gc.set_threshold(max(young, 50_000), max(middle, 20), old)


def _ids(mutations: Iterable[Mutation]) -> tuple[str, ...]:
    return tuple([mutation.entity_id for mutation in mutations])  # of a list: half the time of a generator


@dataclass(frozen=True, slots=True)
class _Placed(ItemRefusal):
    place: int = 0


def _is_reified(value: Json) -> bool:
    first = value[0] if isinstance(value, list) and value else value
    return has_kind(first)


def _applied(tx: WriteTx, tenant: str, mutations: Iterable[Mutation], source: str) -> BatchResult:
    created: list[str] = []
    updated: list[str] = []
    errors: list[ItemRefusal] = []
    for mutation in mutations:
        outcome = tx.apply(tenant, mutation, source)
        if isinstance(outcome, NgsiLdError):
            errors.append(ItemRefusal(mutation.entity_id, outcome))
        elif outcome.op is Op.CREATED:
            created.append(mutation.entity_id)
        else:
            updated.append(mutation.entity_id)
    return BatchResult(tuple(created), tuple(updated), tuple(errors))


def _taken(tx: WriteTx, tenant: str, readings: Sequence[Mutation], source: str) -> list[ItemRefusal]:
    refused = tx.take(tenant, readings, source)
    for entity_id, why in refused:
        tx.reject(tenant, source, why.detail, entity_id.encode())
    tx.heard(tenant, source, len(readings) - len(refused))
    return [ItemRefusal(entity_id, why) for entity_id, why in refused]


def _joined(results: Iterable[BatchResult]) -> BatchResult:
    results = list(results)
    return BatchResult(
        tuple(one for result in results for one in result.created),
        tuple(one for result in results for one in result.updated),
        tuple(one for result in results for one in result.errors),
    )


def _said_id(raw: Json) -> str:
    return str(raw.get("id", ""))[:200] if isinstance(raw, dict) else ""


def _shown(raw: Any) -> bytes:  # Any: whatever JSON came in
    try:
        return orjson.dumps(raw)
    except TypeError:
        return repr(raw).encode(errors="replace")
