"""One group of writes on PostgreSQL: entities held in memory until the group's end, then written together.

Nothing is locked while the units of work run. At the end the group takes the row of each of its tenants, so that a
tenant's commits come one after another, and writes; what was read is proved still to hold by entity versions. Where
another process was first, the whole group runs again, this time with the tenants' rows taken before it reads.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

import orjson

from madang.hub.changes import Effect, Mutation, Op, Outcome, Stored
from madang.hub.entity import MAX_GEOMETRIES, Json
from madang.hub.errors import BadRequestDataError, NgsiLdError
from madang.hub.geo import box_of
from madang.hub.postgres.address import Connection
from madang.hub.postgres.arrays import blobs, documents, floats, integers, texts
from madang.hub.postgres.catalog import Catalog
from madang.hub.postgres.session import PostgresSession
from madang.hub.sqlite.group import COLUMNS, stored_of
from madang.hub.sqlite.schema import CHANGE_BITS
from madang.hub.store import Observed, Observer

LOAD = (
    f"SELECT {COLUMNS} FROM entity e JOIN unnest(%s::text[]) w ON e.tenant = %s"  # noqa: S608 -- constants
    " AND md5(e.id)::uuid = md5(w)::uuid AND e.id = w"
)
LOCK_TENANTS = "SELECT id FROM tenant WHERE id = ANY(%s) ORDER BY id FOR NO KEY UPDATE"
_ROW = (
    "u(key, tenant, id, types, created_ms, modified_ms, version, source_version, spots, expires_ms, stamps, body, doc,"
    " base)"
)
_ROWS = (
    "unnest(%s::bigint[], %s::bigint[], %s::text[], %s::text[], %s::bigint[], %s::bigint[], %s::bigint[],"
    " %s::bigint[], %s::bigint[], %s::bigint[], %s::text[], %s::bytea[], %s::jsonb[], %s::bigint[]) AS " + _ROW
)
_DOC = "coalesce(u.doc, convert_from(u.body, 'UTF8')::jsonb)"
"""A body is sent once; as a document of its own only where it is not the same."""
_INSERT = (
    "INSERT INTO entity (key, tenant, id, types, created_ms, modified_ms, version, source_version, spots, expires_ms,"  # noqa: S608 -- constants, and pieces whose values are bound
    " stamps, body, doc) SELECT u.key, u.tenant, u.id, u.types, u.created_ms, u.modified_ms, u.version,"
    f" u.source_version, u.spots, u.expires_ms, u.stamps, u.body, {_DOC} FROM {_ROWS}"
)
_UPDATE = (
    "WITH done AS (UPDATE entity e SET types = u.types, created_ms = u.created_ms, modified_ms = u.modified_ms,"  # noqa: S608 -- constants, and pieces whose values are bound
    " version = u.version, source_version = u.source_version, spots = u.spots, expires_ms = u.expires_ms,"
    f" stamps = u.stamps, body = u.body, doc = {_DOC} FROM {_ROWS}"
    " WHERE e.key = u.key AND e.version = u.base RETURNING 1) SELECT hub_expect(count(*), %s) FROM done"
)
_CHANGES = (
    "WITH t AS (UPDATE tenant SET position = position + %s, last_ms = greatest(last_ms, %s) WHERE id = %s"  # noqa: S608 -- constants, and pieces whose values are bound
    f" RETURNING (id << {CHANGE_BITS}) + position - %s AS base, last_ms), c AS (INSERT INTO change"
    " (seq, key, op, at_ms, source, body) SELECT t.base + u.place, u.key, u.op, t.last_ms, u.source,"
    " CASE WHEN u.body IS NULL THEN (SELECT e.body FROM entity e WHERE e.key = u.key) ELSE u.body END FROM t,"
    " unnest(%s::bigint[], %s::bigint[], %s::text[], %s::bytea[]) WITH ORDINALITY AS u(key, op, source, body, place))"
    " SELECT base, last_ms FROM t"
)
_PLACES = (
    "INSERT INTO place (id, key, attribute, lon, lat, geometry, spot)"
    " SELECT id, key, attribute, lon, lat, geometry, hub_spot(geometry, west, south, east, north)"
    " FROM unnest(%s::bigint[], %s::bigint[], %s::text[], %s::float8[], %s::float8[], %s::text[], %s::float8[],"
    " %s::float8[], %s::float8[], %s::float8[])"
    " AS u(id, key, attribute, lon, lat, geometry, west, south, east, north)"
)
_SOURCE = (
    "INSERT INTO source VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (tenant, (md5(name)::uuid)) DO UPDATE SET"
    " last_ms = greatest(source.last_ms, excluded.last_ms), readings = source.readings + excluded.readings,"
    " rejects = source.rejects + excluded.rejects"
)
_TRIM_REJECTS = (
    "DELETE FROM reject WHERE tenant = %s AND seq <="
    " (SELECT seq FROM reject WHERE tenant = %s ORDER BY seq DESC LIMIT 1 OFFSET %s)"
)
_ATTRIBUTE = (
    "INSERT INTO attribute VALUES (%s, %s, %s) ON CONFLICT (tenant, (md5(name)::uuid))"
    " DO UPDATE SET shape = attribute.shape | excluded.shape"
)
_KIND = (
    "INSERT INTO kind (tenant, name) VALUES (%s, %s) ON CONFLICT (tenant, (md5(name)::uuid))"
    " DO UPDATE SET name = excluded.name RETURNING id"
)
_REJECT_BYTES = 4_096
_NUL = re.compile(rb"(?<!\\)((?:\\\\)*)\\u0000")


def queryable(body: bytes) -> bytes:
    """A kept form as JSONB takes it: without NUL characters, which it cannot hold."""
    return _NUL.sub(rb"\1\\ufffd", body) if b"\\u0000" in body else body


def clean(text: str) -> str:
    """A text as PostgreSQL takes it."""
    return text.replace("\0", "\ufffd") if "\0" in text else text


class GroupStore(Protocol):
    """What a group needs of its store's writer."""

    connection: Connection

    @property
    def observers(self) -> tuple[Observer, ...]: ...

    def catalog(self, tenant: str) -> Catalog: ...

    def next_key(self) -> int: ...

    def cached(self, tenant: str, entity_id: str) -> Stored | None: ...


@dataclass(slots=True)
class _Slot:
    """An entity the group works on. `base` is what the store holds, `row` what it will; deleted means an empty body."""

    catalog: Catalog
    base: Stored | None
    fresh: bool
    """Whether `base` was read in this transaction, not remembered from before."""
    row: Stored | None = None
    geometries: list[tuple[str, Json]] | None = None


@dataclass(slots=True)
class _Feed:
    """The changes of one tenant, and what observers will be told of them."""

    rows: list[tuple[_Slot, Op, str, bytes]] = field(default_factory=list)
    seen: list[tuple[str, Stored | None, Stored | None, Effect]] = field(default_factory=list)


class Group:
    """The transaction of one group of writes, seen by each unit of work as its `WriteTx`."""

    def __init__(self, store: GroupStore, at: datetime, at_ms: int, rejects_kept: int) -> None:
        self.at = at
        self.at_ms = at_ms
        self.session = PostgresSession(store.connection)
        self.tenants: dict[str, int] = {}
        """The tenants it has to do with, and their numbers."""
        self.discovering: set[str] = set()
        """Tenants that got a type or a shape of attribute nobody knew."""
        self._store = store
        self._connection = store.connection
        self._rejects_kept = rejects_kept
        self._slots: dict[tuple[str, str], _Slot] = {}
        self._feeds: dict[str, _Feed] = {}
        self._observed = bool(store.observers)
        self._turned: list[tuple[str, _Slot]] | None = None
        self._shapes: dict[tuple[str, str], int] = {}
        self._noted: tuple[str, Mapping[str, int]] = ("", {})
        """The tenant and the shapes last noted: most entities of a group have the same."""
        self._kinds: dict[tuple[str, str], int] = {}
        self._sources: dict[tuple[int, str], list[int]] = {}
        self._rejects: list[tuple[int, str, str, bytes]] = []
        self._answers: dict[tuple[str, str], bytes] = {}

    # What units of work do.

    def apply(self, tenant: str, mutation: Mutation, source: str = "") -> Outcome:
        """Applies a mutation to the state the group has reached."""
        slot = self._slots.get((tenant, mutation.entity_id)) or self._slot(tenant, mutation.entity_id)
        outcome = self._outcome(slot, mutation)
        if isinstance(outcome, NgsiLdError) or not outcome.changed:
            if slot.fresh or slot.row is not slot.base:
                return outcome
            self._refresh(slot, mutation.entity_id)  # nothing may be refused for what was only remembered
            outcome = self._outcome(slot, mutation)
            if isinstance(outcome, NgsiLdError) or not outcome.changed:
                return outcome
        if outcome.geometries and len(outcome.geometries) > MAX_GEOMETRIES:
            return BadRequestDataError(f"An entity has at most {MAX_GEOMETRIES} geometries", where=mutation.entity_id)
        if mutation.shapes != self._noted[1] or tenant != self._noted[0]:
            self._note_shapes(tenant, slot.catalog, mutation.shapes)
        before = row = slot.row
        if row is None or outcome.op is not Op.LATE:
            row = slot.row = self._next_row(slot, mutation.entity_id, outcome)
            self._turned = None
        feed = self._feeds.get(tenant) or self._feeds.setdefault(tenant, _Feed())
        feed.rows.append((slot, outcome.op, source, outcome.changed))
        if self._observed:
            known = before if before is not None and before.body else None
            feed.seen.append((row.id, known, row if row.body else None, outcome))
        return outcome

    def _outcome(self, slot: _Slot, mutation: Mutation) -> Outcome:
        row = slot.row
        if row is not None and row.modified_ms > self.at_ms:
            self.at_ms = row.modified_ms  # another process's clock is ahead: an entity's time never goes back
        return mutation.change(row if row is not None and row.body else None, self.at_ms)

    def _slot(self, tenant: str, entity_id: str) -> _Slot:
        catalog = self._known(tenant)
        base = self._store.cached(tenant, entity_id)
        slot = _Slot(catalog, base, fresh=False, row=base)
        self._slots[tenant, entity_id] = slot
        if base is None:
            self._refresh(slot, entity_id)
        return slot

    def _known(self, tenant: str) -> Catalog:
        catalog = self._store.catalog(tenant)
        self.tenants[tenant] = catalog.tenant
        return catalog

    def _refresh(self, slot: _Slot, entity_id: str) -> None:
        found = self._connection.execute(LOAD, (texts([clean(entity_id)]), slot.catalog.tenant)).fetchone()
        slot.base = slot.row = stored_of(found) if found is not None else None
        slot.fresh = True

    def expect(self, tenant: str, ids: set[str], found: Mapping[str, Stored]) -> None:
        """Takes entities fetched ahead: those asked for, and those there are rows of."""
        catalog = self._known(tenant)
        for entity_id in ids:
            stored = found.get(entity_id)
            self._slots[tenant, entity_id] = _Slot(catalog, stored, fresh=True, row=stored)

    def touched(self) -> dict[str, set[str]]:
        """Every entity looked at, by tenant: what is to be fetched should the group run again."""
        found: dict[str, set[str]] = {}
        for tenant, entity_id in self._slots:
            found.setdefault(tenant, set()).add(entity_id)
        return found

    def _note_shapes(self, tenant: str, catalog: Catalog, shapes: Mapping[str, int]) -> None:
        self._noted = tenant, shapes
        for name, shape in shapes.items():
            known = catalog.shapes.get(name, 0) | self._shapes.get((tenant, name), 0)
            if known | shape != known:
                self._shapes[tenant, name] = known | shape

    def _next_row(self, slot: _Slot, entity_id: str, effect: Effect) -> Stored:
        row, at_ms = slot.row, self.at_ms
        if effect.geometries is not None:
            slot.geometries = effect.geometries
        return Stored(
            row.key if row is not None else self._store.next_key(),
            entity_id,
            effect.types,
            effect.body or b"",
            effect.stamps,
            row.created_ms if row is not None and row.body else at_ms,
            at_ms,
            row.version + 1 if row is not None else 1,
            effect.source_version,
            len(effect.geometries) if effect.geometries is not None else (row.spots if row is not None else 0),
            effect.expires_ms,
        )

    def tenant(self, tenant: str) -> int:
        """The tenant's number; it is made where it is new."""
        return self._known(tenant).tenant

    def heard(self, tenant: str, source: str, readings: int) -> None:
        """Notes that a source was heard."""
        self._count(tenant, source, 0, readings)

    def _count(self, tenant: str, source: str, which: int, by: int) -> int:
        number = self._known(tenant).tenant
        self._sources.setdefault((number, source), [0, 0])[which] += by
        return number

    def reject(self, tenant: str, source: str, reason: str, raw: bytes) -> None:
        """Keeps a bad input aside and counts it."""
        number = self._count(tenant, source, 1, 1)
        self._rejects.append((number, clean(source), clean(reason[:1000]), raw[:_REJECT_BYTES]))

    def answered(self, source: str, message_id: str) -> bytes | None:
        """What was answered to a message before."""
        if (source, message_id) in self._answers:
            return self._answers[source, message_id]
        sql = "SELECT body FROM answer WHERE source = %s AND message_id = %s"
        row = self._connection.execute(sql, (source, message_id)).fetchone()
        return bytes(row[0]) if row is not None else None

    def answer(self, source: str, message_id: str, body: bytes) -> None:
        """Keeps the answer to a message."""
        self._answers[source, message_id] = body

    # The end of the group.

    @property
    def dirty(self) -> dict[str, int]:
        """The tenants it writes to, and their numbers."""
        noted = {number for number, _ in self._sources}
        return {t: number for t, number in self.tenants.items() if t in self._feeds or number in noted}

    def lock(self) -> None:
        """Waits for the turn of this group at each of its tenants, in one order for everybody."""
        self._connection.execute(LOCK_TENANTS, (integers(sorted(self.dirty.values())),))

    def discover(self) -> None:
        """Gives numbers to types nobody knew and notes new shapes; the tenants' rows are held."""
        for (tenant, name), shape in self._shapes.items():
            self._connection.execute(_ATTRIBUTE, (self.tenants[tenant], name, shape))
        for tenant, slot in self._touched():
            assert slot.row is not None
            for name in slot.row.types if slot.row.body else ():
                if name not in slot.catalog.kinds and (tenant, name) not in self._kinds:
                    row = self._connection.execute(_KIND, (slot.catalog.tenant, name)).fetchone()
                    assert row is not None
                    self._kinds[tenant, name] = int(row[0])
        self.discovering = {tenant for tenant, _ in (*self._shapes, *self._kinds)}
        for tenant in sorted(self.discovering):
            self._connection.execute("UPDATE tenant SET revision = revision + 1 WHERE id = %s", (self.tenants[tenant],))

    def discovers(self) -> bool:
        """Whether there is something `discover` must do, with answers to wait for."""
        if self._shapes:
            return True
        living = {
            (tenant, slot.row.types): slot.catalog for tenant, slot in self._touched() if slot.row and slot.row.body
        }
        return any(name not in catalog.kinds for (_, types), catalog in living.items() for name in types)

    def flush(self) -> list[tuple[str, Any]]:
        """Sends what the group holds, without waiting; gives (tenant, cursor) of each feed's first position."""
        self._send_entities()
        self._send_kinds()
        self._send_places()
        self._send_notes()
        return [(tenant, self._send_changes(tenant, feed)) for tenant, feed in self._feeds.items()]

    def _touched(self) -> list[tuple[str, _Slot]]:
        """What was changed, with its tenant."""
        if self._turned is None:
            self._turned = [(one[0], slot) for one, slot in self._slots.items() if slot.row is not slot.base]
        return self._turned

    def _send_entities(self) -> None:
        slots = [slot for _, slot in self._touched()]
        fresh = [slot for slot in slots if slot.base is None]
        known = [slot for slot in slots if slot.base is not None]
        if fresh:
            self._connection.execute(_INSERT, _columns(fresh))
        if known:
            self._connection.execute(_UPDATE, (*_columns(known), len(known)))

    def _kind(self, tenant: str, catalog: Catalog, name: str) -> int:
        kind = catalog.kinds.get(name)
        return kind if kind is not None else self._kinds[tenant, name]

    def _send_kinds(self) -> None:
        turns: dict[tuple[str, tuple[str, ...], tuple[str, ...]], list[_Slot]] = {}
        for tenant, slot in self._touched():
            row, base = slot.row, slot.base
            assert row is not None
            now = row.types if row.body else ()
            before = base.types if base is not None and base.body else ()
            if now != before:
                turns.setdefault((tenant, before, now), []).append(slot)
        came: list[tuple[int, int]] = []
        went: list[tuple[int, int]] = []
        for (tenant, before, now), slots in turns.items():
            for name in {*before} ^ {*now}:
                kind = self._kind(tenant, slots[0].catalog, name)
                pairs = [(kind, slot.row.key) for slot in slots if slot.row is not None]
                (went if name in before else came).extend(pairs)
        source = "SELECT * FROM unnest(%s::bigint[], %s::bigint[]) AS u(kind, key)"
        if went:
            sql = f"DELETE FROM entity_kind k USING ({source}) u WHERE k.kind = u.kind AND k.key = u.key"  # noqa: S608 -- constants, and pieces whose values are bound
            self._connection.execute(sql, (integers([a for a, _ in went]), integers([b for _, b in went])))
        if came:
            sql = f"INSERT INTO entity_kind (kind, key) {source}"
            self._connection.execute(sql, (integers([a for a, _ in came]), integers([b for _, b in came])))

    def _send_places(self) -> None:
        gone: list[int] = []
        rows: list[tuple[Any, ...]] = []  # Any: column values
        for _, slot in self._touched():
            row = slot.row
            if slot.geometries is None or row is None or not (slot.geometries or slot.base):
                continue
            first = row.key * MAX_GEOMETRIES
            gone += range(first, first + (slot.base.spots if slot.base is not None else 0))
            for id_, (attribute, geometry) in enumerate(slot.geometries, first):
                said = None if geometry["type"] == "Point" else orjson.dumps(geometry).decode()
                rows.append(place_columns(id_, row.key, attribute, geometry, said))
        if gone:
            self._connection.execute("DELETE FROM place WHERE id = ANY(%s)", (integers(gone),))
        if rows:
            send_places(self._connection, rows)

    def _send_notes(self) -> None:
        for (number, name), (readings, rejects) in self._sources.items():
            self._connection.execute(_SOURCE, (number, clean(name), self.at_ms, self.at_ms, readings, rejects))
        for number, source, reason, raw in self._rejects:
            sql = "INSERT INTO reject (tenant, at_ms, source, reason, raw) VALUES (%s, %s, %s, %s, %s)"
            self._connection.execute(sql, (number, self.at_ms, source, reason, raw))
        for number in {one[0] for one in self._rejects}:
            self._connection.execute(_TRIM_REJECTS, (number, number, self._rejects_kept))
        for (source, message_id), body in self._answers.items():
            sql = (
                "INSERT INTO answer VALUES (%s, %s, %s, %s) ON CONFLICT (source, message_id)"
                " DO UPDATE SET at_ms = excluded.at_ms, body = excluded.body"
            )
            self._connection.execute(sql, (source, message_id, self.at_ms, body))

    def _send_changes(self, tenant: str, feed: _Feed) -> Any:  # Any: psycopg's cursor
        number, count = self.tenants[tenant], len(feed.rows)
        slots, ops, sources, bodies = zip(*feed.rows, strict=True)
        rows: list[Stored] = [slot.row for slot in slots]
        columns = (
            integers([row.key for row in rows]),
            integers([int(op) for op in ops]),
            texts([clean(source) for source in sources]),
            blobs([None if body is row.body else body for row, body in zip(rows, bodies, strict=True)]),
        )
        return self._connection.execute(_CHANGES, (count, self.at_ms, number, count, *columns))

    def observed(self, tenant: str, first: int) -> list[Observed]:
        """What observers are told of a tenant whose first change stands behind `first`."""
        return [Observed(seq, *one) for seq, one in enumerate(self._feeds[tenant].seen, first + 1)]

    def changed_keys(self) -> dict[int, list[int]]:
        """Entities that other processes must forget, by tenant's number."""
        found: dict[int, list[int]] = {number: [] for number in self.dirty.values()}
        for _, slot in self._touched():
            if slot.base is not None:
                found[slot.catalog.tenant].append(slot.base.key)
        return found

    def committed(self) -> Iterator[tuple[tuple[str, str], tuple[str, ...], Stored]]:
        """What the group changed, for what is remembered, with the types it had before."""
        for key, slot in self._slots.items():
            if slot.row is not slot.base and slot.row is not None:
                yield key, slot.base.types if slot.base is not None else (), slot.row

    def span(self, tenant: str, first: int) -> tuple[int, int]:
        """The feed's positions before and of the last change of a tenant; `first` as in `observed`."""
        before = first & ((1 << CHANGE_BITS) - 1)
        return before, before + len(self._feeds[tenant].rows)


def _columns(slots: list[_Slot]) -> tuple[Any, ...]:  # Any: arrays
    rows = [slot.row for slot in slots if slot.row is not None]
    bodies = [row.body or None for row in rows]
    return (
        integers([row.key for row in rows]),
        integers([slot.catalog.tenant for slot in slots]),
        texts([row.id for row in rows]),
        texts(["\n".join(row.types) for row in rows]),
        integers([row.created_ms for row in rows]),
        integers([row.modified_ms for row in rows]),
        integers([row.version for row in rows]),
        integers([row.source_version for row in rows]),
        integers([row.spots for row in rows]),
        integers([row.expires_ms for row in rows]),
        texts([clean(orjson.dumps(row.stamps).decode()) if row.stamps else None for row in rows]),
        blobs(bodies),
        documents([None if body is None or (doc := queryable(body)) is body else doc for body in bodies]),
        integers([slot.base.version if slot.base is not None else None for slot in slots]),
    )


def place_columns(id_: int, key: int, attribute: str, geometry: Json, said: str | None) -> tuple[Any, ...]:
    """A row of `place` and its box; `said` is the geometry's text, None for a point."""
    west, south, east, north = box_of(geometry)
    lon, lat = (west, south) if said is None else (None, None)
    return id_, key, attribute, lon, lat, said, west, south, east, north


def send_places(connection: Connection, rows: list[tuple[Any, ...]]) -> None:
    """Adds rows of `place`."""
    ids, keys, names, lons, lats, said, west, south, east, north = zip(*rows, strict=True)
    boxes = (floats(west), floats(south), floats(east), floats(north))
    where = (floats(lons), floats(lats), texts(said))
    connection.execute(_PLACES, (integers(ids), integers(keys), texts(names), *where, *boxes))
