"""The writing side of one process: one connection, on a thread of its own, that commits groups of units of work."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import orjson
import psycopg
from psycopg import errors

from madang.hub.changes import Stored
from madang.hub.errors import StoreUnavailableError
from madang.hub.postgres.address import Connection, connect, is_outage
from madang.hub.postgres.arrays import integers, texts
from madang.hub.postgres.catalog import Catalog, load_catalogs
from madang.hub.postgres.group import LOAD, LOCK_TENANTS, Group, clean
from madang.hub.postgres.pipeline import Pipeline
from madang.hub.postgres.schema import KEY_BLOCK
from madang.hub.sqlite.group import ms_of, stored_of
from madang.hub.store import Observer, Touches, WriteTx
from madang.kernel.clock import Clock

log = logging.getLogger("madang.hub.postgres")

CHANNEL = "madang_hub"
_PAYLOAD_BYTES = 7_900
_SETTINGS = ("idle_in_transaction_session_timeout=30s", "lock_timeout=30s")
_PATIENCE_S = 5.0
_PAUSE_S = 0.05
_CAREFUL_GROUPS = 8
_CONFLICTS = (errors.SerializationFailure, errors.DeadlockDetected, errors.UniqueViolation)
_UNPREPARED = (errors.InvalidSqlStatementName, errors.DuplicatePreparedStatement)
"""psycopg takes a statement for prepared although the pipeline it was to be prepared in failed before."""
_SERVER_FAULTS = frozenset({"53", "57", "58"})
"""Classes of SQLSTATE: out of disk or memory, shut down, system error."""
_TENANTS = 7_233_204_120
_KEYS_AHEAD = 16
_KEYS = "SELECT nextval('entity_key') FROM generate_series(1, %s)"

Work = Callable[[WriteTx], Any]  # Any: what the work returns


@dataclass(slots=True)
class Committed:
    """What a process must do once a group stands: see `PostgresStore`."""

    tenants: set[str] = field(default_factory=set)
    rows: list[tuple[tuple[str, str], tuple[str, ...], Stored]] = field(default_factory=list)
    """Entities with the types they had before."""
    spans: dict[str, tuple[int, int]] = field(default_factory=dict)
    """The feed's positions before and of the last change, by tenant."""
    certain: bool = True
    """Whether this is all that the group did."""
    catalogs: dict[str, Catalog] = field(default_factory=dict)
    woken: set[str] = field(default_factory=set)


@dataclass(slots=True)
class Unit:
    """One waiting write; after `Writer.run` either `result` or `error` holds."""

    work: Work
    touches: Touches | None = None
    result: Any = None  # Any: what the work returned
    error: BaseException | None = None


class Memory(Protocol):
    """What the writer may ask of the process's memory, from its own thread."""

    observers: tuple[Observer, ...]

    def known_catalog(self, tenant: str) -> Catalog | None: ...

    def cached(self, tenant: str, entity_id: str) -> Stored | None: ...

    def lacking(self, tenant: str, ids: Collection[str]) -> Collection[str]: ...


class _UncertainError(Exception):
    """The connection was lost while a commit was under way."""


class Writer:
    """See the module's docstring. Everything but `__init__` is called from the writer's thread."""

    def __init__(
        self, address: str, memory: Memory, clock: Clock, origin: str, indexed: tuple[str, ...], rejects_kept: int
    ) -> None:
        self._address, self._memory, self._clock = address, memory, clock
        self._origin, self._indexed, self._rejects_kept = origin, indexed, rejects_kept
        self.connection: Connection = connect(address, *_SETTINGS)
        self.pipeline = Pipeline(self.connection)
        self._keys: list[int] = []
        self._last_ms = 0
        self._careful = 0
        """So many groups yet take their tenants' rows first: processes meet at the same entities just now."""
        self._catalogs: dict[str, Catalog] = {}
        self._transaction = ""

    @property
    def observers(self) -> tuple[Observer, ...]:
        """Who is told of changes."""
        return self._memory.observers

    def close(self) -> None:
        """Closes the connection."""
        self.connection.close()

    # Running groups.

    def run(self, units: list[Unit]) -> list[Committed]:
        """Commits the units, in one group or, where one fails, in parts; says in each unit what became of it."""
        try:
            return [self._persistently(units)]
        except Exception as error:  # noqa: BLE001 -- one unit's fault must not reach the others: halves are tried
            if len(units) == 1 or self._is_outage(error):
                for unit in units:
                    unit.error = _told(error)
                return []
            middle = len(units) // 2
            return self.run(units[:middle]) + self.run(units[middle:])

    def _is_outage(self, error: Exception) -> bool:
        """Whether no unit is to blame: nothing would be taken now."""
        if isinstance(error, psycopg.Error):
            return is_outage(error, self.connection) or (error.sqlstate or "")[:2] in _SERVER_FAULTS
        return isinstance(error, StoreUnavailableError)

    def _persistently(self, units: list[Unit]) -> Committed:
        """Tries until the group stands or cannot: conflicts with other processes are no error of anybody's."""
        touched: dict[str, set[str]] = {}
        for attempt in range(8):
            try:
                self._reconnect(_PATIENCE_S if attempt else 0.0)
                return self._attempt(units, touched, careful=bool(attempt) or self._careful > 0)
            except _CONFLICTS as error:
                if isinstance(error, errors.UniqueViolation) and error.diag.table_name != "entity":
                    raise
                self._careful = _CAREFUL_GROUPS
            except _UncertainError as error:
                if self._stands():
                    return Committed(tenants=set(touched), catalogs=self._fresh_catalogs(touched), certain=False)
                log.warning("the store was lost while a group was being committed; it runs again", exc_info=error)
            except _UNPREPARED:
                self.connection.close()
            except psycopg.Error as error:
                if not is_outage(error, self.connection):
                    raise
                log.warning("the store was lost; the group runs again", exc_info=error)
            finally:
                self._roll_back()
        raise StoreUnavailableError("Other processes were first, time and again", hint="Nothing was kept; try again")

    def _attempt(self, units: list[Unit], touched: dict[str, set[str]], *, careful: bool) -> Committed:
        for unit in units:
            if unit.touches is not None:
                touched.setdefault(unit.touches[0], set()).update(unit.touches[1])
        group = self._begin(touched, careful=careful)
        try:
            for unit in units:
                unit.result = unit.work(group)
            return self._commit(group, locked=careful)
        except BaseException:
            touched.update(group.touched())
            for tenant in group.tenants:
                touched.setdefault(tenant, set())
            raise

    def _begin(self, wanted: Mapping[str, set[str]], *, careful: bool) -> Group:
        now = self._clock()
        self._last_ms = max(self._last_ms, ms_of(now))
        group = Group(self, now, self._last_ms, self._rejects_kept)
        catalogs = {tenant: self.catalog(tenant) for tenant in sorted(wanted)}
        lacking = {tenant: self._lacking(tenant, ids, remember=not careful) for tenant, ids in wanted.items()}
        pipeline, loads = self.pipeline, []
        pipeline.send("BEGIN")
        if careful and catalogs:
            pipeline.send(LOCK_TENANTS, (integers(sorted(one.tenant for one in catalogs.values())),))
        transaction = pipeline.send("SELECT pg_current_xact_id()::text")
        blocks = self._blocks_lacking(sum(map(len, lacking.values())))
        keys = pipeline.send(_KEYS, (blocks,)) if blocks else None
        for tenant, ids in lacking.items():
            if ids:
                loads.append((tenant, ids, pipeline.send(LOAD, (texts([*ids]), catalogs[tenant].tenant))))
        answers = pipeline.run()
        self._transaction = str(pipeline.rows(answers[transaction])[0][0])
        if keys is not None:
            self._take_keys(pipeline.rows(answers[keys]))
        for tenant, ids, place in loads:
            found = {row[1]: stored_of(row) for row in pipeline.rows(answers[place])} if answers[place].ntuples else {}
            group.expect(tenant, ids, found)
        return group

    def _lacking(self, tenant: str, ids: set[str], *, remember: bool) -> set[str]:
        lacking = self._memory.lacking(tenant, ids) if remember else ids
        return {one for one in lacking if "\0" not in one}

    def _commit(self, group: Group, *, locked: bool) -> Committed:
        if group.discovers():
            if not locked:
                group.lock()
                locked = True
            group.discover()
        group.discovering |= {tenant for tenant in group.tenants if self._memory.known_catalog(tenant) is None}
        observers = self._memory.observers
        sending = True
        try:
            if group.dirty and not locked:
                group.send_lock()
            feeds = group.flush()
            if not observers:
                self._send_end(group)
            answers = self.pipeline.run()
            firsts = {tenant: self.pipeline.rows(answers[place])[0] for tenant, place in feeds}
            if observers:
                sending = False
                self._tell(group, firsts, observers)
                sending = True
                self._send_end(group)
                self.pipeline.run()
        except psycopg.Error as error:
            if sending and is_outage(error, self.connection):
                raise _UncertainError from error
            raise
        self._last_ms = max((self._last_ms, *(int(first[1]) for first in firsts.values())))
        self._careful = max(0, self._careful - 1)
        fresh = self._fresh_catalogs(group.discovering)
        spans = {tenant: group.span(tenant, int(first[0])) for tenant, first in firsts.items()}
        certain = group.discovering <= fresh.keys()
        return Committed(
            {*group.dirty}, [*group.committed()], spans, certain, catalogs=fresh, woken=set(group.session.woken)
        )

    @staticmethod
    def _tell(group: Group, firsts: Mapping[str, tuple[Any, ...]], observers: Iterable[Observer]) -> None:
        for tenant, first in firsts.items():
            seen = group.observed(tenant, int(first[0]))
            for observer in observers:
                observer(group, tenant, seen)

    def _send_end(self, group: Group) -> None:
        said = payload(self._origin, group)
        if said is not None:
            self.pipeline.send("SELECT pg_notify(%s, %s)", (CHANNEL, said))
        self.pipeline.send("COMMIT")

    def _roll_back(self) -> None:
        self.pipeline.forget()
        if self.connection.closed or self.connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE:
            return
        try:
            self.connection.execute("ROLLBACK")
        except psycopg.Error:
            self.connection.close()

    # The connection.

    def _reconnect(self, patience_s: float) -> None:
        """Opens the connection again where it was lost, waiting so long for a server that is starting."""
        until = time.monotonic() + patience_s
        while self.connection.closed:
            try:
                self.connection = connect(self._address, *_SETTINGS)
                self.pipeline = Pipeline(self.connection)
            except StoreUnavailableError:
                if time.monotonic() >= until:
                    raise
                time.sleep(_PAUSE_S)

    def _stands(self) -> bool:
        """Whether the transaction whose commit was not answered stands; raises when that cannot be found out."""
        hint = "Whether it was kept could not be found out: read before sending it again"
        until = time.monotonic() + _PATIENCE_S
        while time.monotonic() < until:
            self.connection.close()
            try:
                self._reconnect(max(0.0, until - time.monotonic()))
                row = self.connection.execute("SELECT pg_xact_status(%s::xid8)", (self._transaction,)).fetchone()
            except (psycopg.Error, StoreUnavailableError):
                continue
            if row is not None and row[0] in ("committed", "aborted"):
                return bool(row[0] == "committed")
            time.sleep(_PAUSE_S)
        raise StoreUnavailableError("The store was lost while it committed", hint=hint)

    # Keys and catalogs.

    def next_key(self) -> int:
        """The key of a new entity."""
        if not self._keys:
            self._take_keys(self.connection.execute(_KEYS, (1,)).fetchall())
        return self._keys.pop()

    def _blocks_lacking(self, count: int) -> int:
        return max(0, -(-(count + _KEYS_AHEAD - len(self._keys)) // KEY_BLOCK))

    def _take_keys(self, firsts: list[tuple[Any, ...]]) -> None:  # Any: column values
        fresh = [first + n for (first,) in firsts for n in range(KEY_BLOCK)]
        self._keys = fresh[::-1] + self._keys  # taken from the end: the older ones first

    def cached(self, tenant: str, entity_id: str) -> Stored | None:
        """An entity as this process remembers it; not while processes meet at the same ones."""
        return None if self._careful else self._memory.cached(tenant, entity_id)

    def catalog(self, tenant: str) -> Catalog:
        """What is known of a tenant; makes it where nothing was ever written to it."""
        known = self._memory.known_catalog(tenant) or self._catalogs.get(tenant)
        if known is None:
            known = self._catalogs[tenant] = self._make_tenant(tenant)
        return known

    def _make_tenant(self, tenant: str) -> Catalog:
        """In a transaction of its own: a tenant without entities is as good as none."""
        with connect(self._address) as connection:
            with connection.transaction():
                connection.execute("SELECT pg_advisory_xact_lock(%s)", (_TENANTS,))
                connection.execute(
                    "INSERT INTO tenant (id, code) SELECT coalesce(max(id), 0) + 1, %s FROM tenant"
                    " ON CONFLICT (code) DO NOTHING",
                    (clean(tenant),),
                )
            return load_catalogs(connection, self._indexed, clean(tenant))[clean(tenant)]

    def _fresh_catalogs(self, tenants: Iterable[str]) -> dict[str, Catalog]:
        found: dict[str, Catalog] = {}
        try:
            for tenant in tenants:
                found |= load_catalogs(self.connection, self._indexed, tenant)
        except psycopg.Error:
            log.warning("the catalog could not be read again; it will be when it is asked for", exc_info=True)
        return found


def _row(cursor: Any) -> tuple[Any, ...]:  # Any: psycopg's cursor and column values
    row: tuple[Any, ...] | None = cursor.fetchone()
    assert row is not None
    return row


def payload(origin: str, group: Group) -> str | None:
    """What other processes are told at the commit: tenants with the entities to forget, catalogs to read, wakes."""
    if not group.dirty and not group.discovering and not group.session.woken:
        return None
    keys: dict[str, list[int] | None] = {str(number): found for number, found in group.changed_keys().items()}
    said = {"o": origin, "w": sorted(group.session.woken), "c": [group.tenants[one] for one in group.discovering]}
    text = orjson.dumps(said | {"t": keys})
    if len(text) > _PAYLOAD_BYTES:
        text = orjson.dumps(said | {"t": dict.fromkeys(keys)})
    if len(text) > _PAYLOAD_BYTES:
        text = orjson.dumps({"o": origin, "w": said["w"], "c": None, "t": None})
    return text.decode()


def _told(error: BaseException) -> BaseException:
    """An error as clients may see it."""
    if isinstance(error, psycopg.Error):
        said = str(error).strip().partition("\n")[0][:200]
        return StoreUnavailableError(f"The store did not take the write: {said}", hint="Nothing was kept; try again")
    return error
