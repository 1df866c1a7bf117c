"""The history of everything: one view over the store's recent rows and the files, and what clients may change in it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

import orjson
from msgspec import structs

from madang.hub.config import HubConfig
from madang.hub.errors import BadRequestDataError, HistoryUnavailableError, ResourceNotFoundError
from madang.hub.history import rows
from madang.hub.history.engine import Engine, append, make_table
from madang.hub.history.finding import EntityHistory, HistoryPage, Limits, find
from madang.hub.history.instances import Instance, us_of
from madang.hub.history.query import HistoryQuery, Timerel, Window
from madang.hub.history.roller import Roller, by_entity, hides
from madang.hub.history.rows import ALL, HistoryFile
from madang.hub.history.selection import Snapshot
from madang.hub.history.series import Series, read_series
from madang.hub.query import Query
from madang.hub.store import Store, WriteTx
from madang.journal.session import Session
from madang.kernel.canonical import digest
from madang.kernel.clock import Clock

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

log = logging.getLogger("madang.hub.history")
T = TypeVar("T")
Json = Any  # Any: JSON in kept form
Question = Callable[["DuckDBPyConnection", Snapshot, HistoryQuery, Limits], T]
_TRIES = 3


def folder_of(config: HubConfig) -> Path:
    """Where the history files of a hub lie."""
    if config.history:
        return Path(config.history)
    if "://" in config.store:
        parts = urlsplit(config.store)
        place = f"{parts.hostname}:{parts.port}{parts.path}"  # not the password: it changes
        return Path("var") / f"hub-{digest(place.encode())[:12]}.history"
    return Path(config.store).with_suffix(".history")


class History:
    """What was, over rows and files. Tenants are given casefolded."""

    def __init__(self, store: Store, config: HubConfig, clock: Clock) -> None:
        self._store, self._config = store, config
        self._directory = folder_of(config).absolute()
        self._engine = Engine(self._directory, config.history_memory)
        self._limits = Limits(config.history_instances, config.history_answer)
        self.roller = Roller(store, self._engine, self._directory, config, clock)

    def close(self) -> None:
        """Ends questions under way."""
        self._engine.close()

    # Reading.

    async def query(self, tenant: str, query: HistoryQuery) -> HistoryPage:
        """A page of entities with their instances or aggregates (clause 5.7.4); raises `TooComplexQueryError`."""
        number = self._store.number(tenant)
        if number is None:
            return HistoryPage([], total=0 if query.what.count else None)
        page = await self._ask(number, query, find)
        await self._introduce(number, page.entities)
        return page

    async def retrieve(self, tenant: str, entity_id: str, query: HistoryQuery) -> HistoryPage | None:
        """One entity's (clause 5.7.3): without instances where none lie in the window; None for one never heard of."""
        of_one = replace(query, what=structs.replace(query.what, ids=(entity_id,), limit=1, offset=0, count=False))
        page = await self.query(tenant, of_one)
        if page.entities:
            return page
        anything = HistoryQuery(Query(ids=(entity_id,), limit=1), may_see=query.may_see)
        if not await self.exists(tenant, entity_id, anything):
            return None
        page.entities = [EntityHistory(entity_id)]
        await self._introduce(self._store.number(tenant) or 0, page.entities)
        return page

    async def exists(self, tenant: str, entity_id: str, query: HistoryQuery | None = None) -> bool:
        """Whether anything is known of an entity's past, or of what a query selects of it."""
        number = self._store.number(tenant)
        if number is None:
            return False
        noted = await self._store.read(lambda session: rows.noted(session, number, entity_id))
        query = query or HistoryQuery(Query(ids=(entity_id,), limit=1))
        if noted and query.takes(noted) and not query.attrs:
            return True
        return bool((await self._ask(number, query, _find_one)).entities)

    async def series(
        self, tenant: str, entity_id: str, attribute: str, from_at: datetime, to_at: datetime, most: int, dataset: str
    ) -> Series:
        """An attribute between two instants, as points."""
        number = self._store.number(tenant)
        if number is None:
            return Series()
        window = Window(us_of(from_at), us_of(to_at), "observedAt", Timerel.BETWEEN)
        query = HistoryQuery(Query(ids=(entity_id,)), window, (attribute,), frozenset({dataset}), or_modified=True)
        return await self._ask(number, query, partial(read_series, most=most))

    async def types_of(self, tenant: str, entity_id: str) -> tuple[str, ...]:
        """The types an entity has or had."""
        number = self._store.number(tenant)
        if number is None:
            return ()
        found = await self._store.read(lambda session: rows.entity_types(session, number, (entity_id,)))
        return found.get(entity_id, ())

    async def _ask(self, number: int, query: HistoryQuery, question: Question[T]) -> T:
        """Asks over one snapshot; once more where a file went between looking and reading.

        Raises `HistoryUnavailableError` where a file stays away.
        """
        import duckdb

        for left in reversed(range(_TRIES)):
            cursor, snapshot = await self._store.read(partial(self._open, number, query.what.ids))
            try:
                work = partial(_asked, question, snapshot, query, self._limits)
                return await self._engine.run(cursor, work, self._config.query_timeout_s)
            except duckdb.IOException as error:
                if not left:
                    log.error("history cannot be read in %s: %s", self._directory, str(error).partition("\n")[0])
                    raise HistoryUnavailableError(
                        "Files of older history cannot be read",
                        hint="The log of the hub names them; hub.history must be the folder that holds them",
                    ) from error
            finally:
                cursor.close()
        raise AssertionError

    def _open(self, number: int, ids: Collection[str], session: Session) -> tuple[DuckDBPyConnection, Snapshot]:
        hidden = rows.hidden(session, number)
        of = by_entity(hidden)
        cursor = self._engine.cursor()
        make_table(cursor, "hot")
        for page in rows.recent(session, number, rows.mark(session, number), ids):
            append(cursor, "hot", (one for one in page if not hides(of, one)))
        append(cursor, "hot", rows.past(session, number, ids))
        return cursor, Snapshot(str(self._directory), rows.files(session, number), hidden)

    async def _introduce(self, number: int, entities: Sequence[EntityHistory]) -> None:
        """Their types, and when they came to be."""
        ids = [one.id for one in entities]

        def read(session: Session) -> None:
            types = rows.entity_types(session, number, ids)
            times = rows.entity_times(session, number, ids)
            for one in entities:
                one.types = types.get(one.id, one.types)
                if one.id in times:
                    created, modified, there = times[one.id]
                    one.created_us, one.modified_us = created * 1_000, modified * 1_000
                    one.deleted_us = None if there else modified * 1_000

        if ids:
            await self._store.read(read)

    # What clients write.

    async def add(
        self, tenant: str, entity_id: str, types: tuple[str, ...], given: Iterable[tuple[str, Json]], *, create: bool
    ) -> bool:
        """Adds instances to the past (clauses 5.6.11, 5.6.12); whether the entity was new to history."""
        known = await self.exists(tenant, entity_id)
        if not known and not create:
            raise missing(entity_id)
        listed = [(name, orjson.dumps(one).decode()) for name, one in given]

        def work(tx: WriteTx) -> None:
            number, session = tx.tenant(tenant), tx.session
            there = rows.entity_types(session, number, (entity_id,)).get(entity_id, ())
            all_types = tuple(dict.fromkeys((*there, *types)))
            if not all_types:
                raise BadRequestDataError("An entity needs a type", where="type")
            if not known or set(types) - set(there):
                rows.note_entity(session, number, entity_id, all_types)
            seq, at_us, joined = rows.next_past(session), tx.at_ms * 1_000, "\n".join(all_types)
            fresh = ((seq, place, entity_id, joined, name, body, at_us, at_us) for place, (name, body) in
                     enumerate(listed))  # fmt: skip
            rows.add_past(session, number, fresh)

        await self._store.write(work)
        return not known

    async def find_instance(self, tenant: str, entity_id: str, attribute: str, place: tuple[int, int]) -> Instance:
        """One instance; raises `ResourceNotFoundError`."""
        number = self._store.number(tenant)
        query = HistoryQuery(Query(ids=(entity_id,), limit=1), attrs=(attribute,), instance=place)
        page = await self._ask(number, query, find) if number is not None else HistoryPage([])
        found = [one for entity in page.entities for one in entity.instances]
        if not found:
            raise ResourceNotFoundError(f"{attribute} of {entity_id} has no such instance", where="instanceId")
        return found[0]

    async def change_instance(self, tenant: str, one: Instance, value: Json | None) -> None:
        """Replaces an instance (clause 5.6.14), or removes it (clause 5.6.15)."""

        def work(tx: WriteTx) -> None:
            number, at_us = tx.tenant(tenant), max(tx.at_ms * 1_000, one.modified_us + 1)
            rows.hide_instance(tx.session, number, one, at_us)
            if value is not None:
                body = orjson.dumps(value).decode()
                again = (one.seq, one.place, one.entity, one.types, one.attribute, body, one.created_us, at_us)
                rows.add_past(tx.session, number, [again])

        await self._store.write(work)

    async def remove(self, tenant: str, entity_id: str, attribute: str = "", dataset: str = ALL) -> None:
        """Removes an entity's history, or an attribute's, from sight at once and from the disk soon after (clauses
        5.6.13, 5.6.16); raises `ResourceNotFoundError`."""
        attrs = (attribute,) if attribute else ()
        datasets = None if dataset == ALL else frozenset({dataset})
        query = HistoryQuery(Query(ids=(entity_id,), limit=1), attrs=attrs, datasets=datasets)
        if not await self.exists(tenant, entity_id, query):
            raise missing(entity_id, attribute)
        await self._store.write(lambda tx: rows.hide(tx.session, tx.tenant(tenant), entity_id, attribute, dataset))

    # Erasure.

    async def erase(self, tenant: str, entity_id: str, attribute: str = "") -> None:
        """Removes an entity's history (or an attribute's; of all entities where `entity_id` is empty) from rows, files
        and the free space they leave. Returns when it is gone."""
        number = self._store.number(tenant)
        if number is None:
            return
        await self._store.write(lambda tx: rows.hide(tx.session, number, entity_id, attribute))
        await self.roller.settle(number)
        await self._store.scrub()

    async def erase_type(self, tenant: str, name: str) -> None:
        """The same for every entity that has, or had, a type."""
        number = self._store.number(tenant)
        if number is None:
            return

        def ids(session: Session) -> list[str]:
            return rows.ids_of_type(session, number, name)

        def of_type(file: HistoryFile) -> bool:
            return name in file.types.split("\n")

        for entity_id in await self._store.read(ids):
            await self._store.write(partial(_hidden, number, entity_id))
        await self.roller.drop_files(number, of_type)
        await self.roller.settle(number)
        await self._store.scrub()

    async def oldest_unrolled(self) -> int | None:
        """When the oldest change was made that is in no file yet (ms): what is younger may not leave the store."""

        def read(session: Session) -> int | None:
            found = [
                rows.oldest_waiting_ms(session, tenant, rows.mark(session, tenant)) for tenant in rows.tenants(session)
            ]
            return min((one for one in found if one is not None), default=None)

        return await self._store.read(read)


def _asked(
    question: Question[T], snapshot: Snapshot, query: HistoryQuery, limits: Limits, cursor: DuckDBPyConnection
) -> T:
    return question(cursor, snapshot, query, limits)


def _hidden(number: int, entity_id: str, tx: WriteTx) -> None:
    rows.hide(tx.session, number, entity_id)


def _find_one(cursor: DuckDBPyConnection, snapshot: Snapshot, query: HistoryQuery, limits: Limits) -> HistoryPage:
    return find(cursor, snapshot, replace(query, last_n=1), limits)


def missing(entity_id: str, attribute: str = "") -> ResourceNotFoundError:
    """Nothing of the kind in history."""
    of = f"an attribute {attribute} of " if attribute else ""
    return ResourceNotFoundError(f"History knows nothing of {of}{entity_id}", where=attribute or entity_id)
