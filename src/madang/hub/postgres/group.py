"""One group of writes on PostgreSQL: entities held in memory until the group's end, then written together.

Nothing is locked while the units of work run. At the end the group takes the row of each of its tenants, so that a
tenant's commits come one after another, and writes; what was read is proved still to hold by entity versions. Where
another process was first, the whole group runs again, this time with the tenants' rows taken before it reads.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain
from typing import Any, Protocol, overload

import orjson

from madang.hub.changes import Effect, Mutation, Op, Outcome, Stored
from madang.hub.entity import MAX_GEOMETRIES, Json
from madang.hub.errors import BadRequestDataError, NgsiLdError
from madang.hub.forms import Point
from madang.hub.geo import box_of
from madang.hub.plain import Plain
from madang.hub.postgres.address import Connection
from madang.hub.postgres.arrays import Array, blobs, documents, floats, integers, texts
from madang.hub.postgres.catalog import Catalog
from madang.hub.postgres.pipeline import Pipeline
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
_INSERT_ALIKE = (
    "INSERT INTO entity (key, tenant, id, types, created_ms, modified_ms, version, spots, body, doc)"
    " SELECT u.key, %s, u.id, %s, %s, %s, 1, %s, u.body, convert_from(u.body, 'UTF8')::jsonb"
    " FROM unnest(%s::bigint[], %s::text[], %s::bytea[]) AS u(key, id, body)"
)
"""New plain entities of one type and time."""
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
_POINTS = (
    "INSERT INTO place (id, key, attribute, lon, lat, spot)"
    " SELECT id, key, attribute, lon, lat, ST_SetSRID(ST_MakePoint(lon, lat), 4326)"
    " FROM unnest(%s::bigint[], %s::bigint[], %s::text[], %s::float8[], %s::float8[])"
    " AS u(id, key, attribute, lon, lat)"
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
_PUT_NEW = Effect(Op.CREATED, (), b"", b"")
"""What putting a plain entity did where there was none: whoever does asks no more."""
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
    pipeline: Pipeline

    @property
    def observers(self) -> tuple[Observer, ...]: ...

    def catalog(self, tenant: str) -> Catalog: ...

    def next_key(self) -> int: ...

    def cached(self, tenant: str, entity_id: str) -> Stored | None: ...


class _Slot:
    """An entity the group works on. `base` is what the store holds, `row` what it will; deleted means an empty body."""

    __slots__ = ("base", "catalog", "fresh", "geometries", "points", "row")

    def __init__(self, catalog: Catalog, base: Stored | None, *, fresh: bool) -> None:
        self.catalog = catalog
        self.base = base
        self.fresh = fresh
        """Whether `base` was read in this transaction, not remembered from before."""
        self.row = base
        self.geometries: list[tuple[str, Json]] | None = None
        self.points: tuple[Point, ...] = ()
        """Where a new plain entity lies."""


_Told = tuple[Stored, Stored | None, Effect | Plain]
"""A change: the entity after it (without body where it went), before it, and what it did or was asked to do."""


class _Seen(Sequence[Observed]):
    """A tenant's changes as observers are told them, made when somebody looks: most tenants have no subscriptions, and
    then nobody does (0.7 µs a change, measured)."""

    def __init__(self, told: list[_Told], first: int) -> None:
        self._told, self._first = told, first
        self._made: list[Observed] = []

    def __len__(self) -> int:
        return len(self._told)

    @overload
    def __getitem__(self, place: int) -> Observed: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Observed]: ...
    def __getitem__(self, place: int | slice) -> Observed | Sequence[Observed]:
        if not self._made:
            self._made = [_observed(seq, *one) for seq, one in enumerate(self._told, self._first)]
        return self._made[place]


def _observed(seq: int, row: Stored, before: Stored | None, did: Effect | Plain) -> Observed:
    effect = did.change(before, row.modified_ms) if isinstance(did, Plain) else did
    assert isinstance(effect, Effect)
    return Observed(seq, row.id, before, row if row.body else None, effect)


@dataclass(slots=True)
class _Feed:
    """The changes of one tenant, and what observers will be told of them."""

    rows: list[tuple[_Slot, Op, str, bytes]] = field(default_factory=list)
    seen: list[_Told] = field(default_factory=list)


class _Turned:
    """What a group changed, sorted for writing."""

    def __init__(self, slots: Mapping[tuple[str, str], _Slot]) -> None:
        self.alike: dict[tuple[str, tuple[str, ...], int, int], list[_Slot]] = {}
        """New plain entities by tenant, types, time and number of places."""
        self.others: list[tuple[str, _Slot]] = []
        for (tenant, _), slot in slots.items():
            row = slot.row
            if row is None or row is slot.base:
                continue
            if slot.base is None and row.layout is not None:
                key = tenant, row.types, row.created_ms, row.spots
                known = self.alike.get(key)
                if known is None:
                    self.alike[key] = [slot]
                else:
                    known.append(slot)
            else:
                self.others.append((tenant, slot))

    def living(self) -> dict[tuple[str, tuple[str, ...]], Catalog]:
        """The types that entities came to have or kept, by tenant, and where they are known."""
        found = {(tenant, types): slots[0].catalog for (tenant, types, _, _), slots in self.alike.items()}
        return found | {(t, slot.row.types): slot.catalog for t, slot in self.others if slot.row and slot.row.body}


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
        self._send = store.pipeline.send
        self._rejects_kept = rejects_kept
        self._slots: dict[tuple[str, str], _Slot] = {}
        self._feeds: dict[str, _Feed] = {}
        self._observed = bool(store.observers)
        self._turned: _Turned | None = None
        self._shapes: dict[tuple[str, str], int] = {}
        self._noted: tuple[str, Mapping[str, int]] = ("", {})
        """The tenant and the shapes last noted: most entities of a group have the same."""
        self._kinds: dict[tuple[str, str], int] = {}
        self._sources: dict[tuple[int, str], list[int]] = {}
        self._rejects: list[tuple[int, str, str, bytes]] = []
        self._answers: dict[tuple[str, str], bytes] = {}
        self._no_stamps: dict[str, list[int]] = {}

    # What units of work do.

    def apply(self, tenant: str, mutation: Mutation, source: str = "") -> Outcome:
        """Applies a mutation to the state the group has reached."""
        slot = self._slots.get((tenant, mutation.entity_id)) or self._slot(tenant, mutation.entity_id)
        if mutation.plain is not None and slot.row is None:
            return self._put(tenant, slot, mutation.plain, source)
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
            feed.seen.append((row, before if before is not None and before.body else None, outcome))
        return outcome

    def _put(self, tenant: str, slot: _Slot, plain: Plain, source: str) -> Outcome:
        """Puts a plain entity in place where there is none, as its general way would."""
        if (refusal := plain.refusal(None)) is not None:
            return refusal
        layout, at_ms = plain.layout, self.at_ms
        if layout.shapes is not self._noted[1] or tenant != self._noted[0]:
            self._note_shapes(tenant, slot.catalog, layout.shapes)
        key, body, points = self._store.next_key(), plain.body, plain.points
        row = Stored(
            key, plain.id, plain.types, body, self._no_stamps, at_ms, at_ms, 1, None, len(points), None, layout
        )
        slot.row, slot.points = row, points
        self._turned = None
        feed = self._feeds.get(tenant) or self._feeds.setdefault(tenant, _Feed())
        feed.rows.append((slot, Op.CREATED, source, body))
        if self._observed:
            feed.seen.append((row, None, plain))
        return _PUT_NEW

    def take(self, tenant: str, readings: Iterable[Mutation], source: str) -> list[tuple[str, NgsiLdError]]:
        """Applies readings in order; ids and why, of those refused."""
        outcomes = ((one.entity_id, self.apply(tenant, one, source)) for one in readings)
        return [(entity_id, said) for entity_id, said in outcomes if isinstance(said, NgsiLdError)]

    def _outcome(self, slot: _Slot, mutation: Mutation) -> Outcome:
        row = slot.row
        if row is not None and row.modified_ms > self.at_ms:
            self.at_ms = row.modified_ms  # another process's clock is ahead: an entity's time never goes back
        return mutation.change(row if row is not None and row.body else None, self.at_ms)

    def _slot(self, tenant: str, entity_id: str) -> _Slot:
        catalog = self._known(tenant)
        base = self._store.cached(tenant, entity_id)
        slot = _Slot(catalog, base, fresh=False)
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
            self._slots[tenant, entity_id] = _Slot(catalog, found.get(entity_id), fresh=True)

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
            slot.geometries, slot.points = effect.geometries, ()
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
        self.send_lock()
        self._store.pipeline.run()

    def send_lock(self) -> None:
        """The same as one of the statements to be sent."""
        self._send(LOCK_TENANTS, (integers(sorted(self.dirty.values())),))

    def discover(self) -> None:
        """Gives numbers to types nobody knew and notes new shapes; the tenants' rows are held."""
        for (tenant, name), shape in self._shapes.items():
            self._connection.execute(_ATTRIBUTE, (self.tenants[tenant], name, shape))
        for (tenant, types), catalog in self._turns().living().items():
            for name in types:
                if name not in catalog.kinds and (tenant, name) not in self._kinds:
                    row = self._connection.execute(_KIND, (catalog.tenant, name)).fetchone()
                    assert row is not None
                    self._kinds[tenant, name] = int(row[0])
        self.discovering = {tenant for tenant, _ in (*self._shapes, *self._kinds)}
        for tenant in sorted(self.discovering):
            self._connection.execute("UPDATE tenant SET revision = revision + 1 WHERE id = %s", (self.tenants[tenant],))

    def discovers(self) -> bool:
        """Whether there is something `discover` must do, with answers to wait for."""
        if self._shapes:
            return True
        living = self._turns().living()
        return any(name not in catalog.kinds for (_, types), catalog in living.items() for name in types)

    def flush(self) -> list[tuple[str, int]]:
        """Sends what the group holds; gives the tenants, and where each one's first position is among the answers."""
        turned = self._turns()
        for alike in turned.alike.values():
            self._send_alike(alike)
        self._send_entities([slot for _, slot in turned.others])
        self._send_kinds(turned)
        self._send_places(turned)
        self._send_notes()
        return [(tenant, self._send_changes(tenant, feed)) for tenant, feed in self._feeds.items()]

    def _turns(self) -> _Turned:
        if self._turned is None:
            self._turned = _Turned(self._slots)
        return self._turned

    def _send_alike(self, slots: list[_Slot]) -> None:
        rows = [slot.row for slot in slots if slot.row is not None]
        bodies = blobs([row.body for row in rows])
        if b"\\u0000" in bodies.data:
            self._send_entities(slots)
            return
        first, keys, ids = rows[0], integers([row.key for row in rows]), texts([row.id for row in rows])
        said = (slots[0].catalog.tenant, first.types[0], first.created_ms, first.created_ms, first.spots)
        self._send(_INSERT_ALIKE, (*said, keys, ids, bodies))

    def _send_entities(self, slots: list[_Slot]) -> None:
        fresh = [slot for slot in slots if slot.base is None]
        known = [slot for slot in slots if slot.base is not None]
        if fresh:
            self._send(_INSERT, _columns(fresh))
        if known:
            self._send(_UPDATE, (*_columns(known), len(known)))

    def _kind(self, tenant: str, catalog: Catalog, name: str) -> int:
        kind = catalog.kinds.get(name)
        return kind if kind is not None else self._kinds[tenant, name]

    def _send_kinds(self, turned: _Turned) -> None:
        turns: dict[tuple[str, tuple[str, ...], tuple[str, ...]], list[_Slot]] = {}
        for (tenant, types, _, _), slots in turned.alike.items():
            turns.setdefault((tenant, (), types), []).extend(slots)
        for tenant, slot in turned.others:
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
            self._send(sql, (integers([a for a, _ in went]), integers([b for _, b in went])))
        if came:
            sql = f"INSERT INTO entity_kind (kind, key) {source}"
            self._send(sql, (integers([a for a, _ in came]), integers([b for _, b in came])))

    def _send_places(self, turned: _Turned) -> None:
        points: list[tuple[int, int, str, float, float]] = []
        lying = [slots for (_, _, _, spots), slots in turned.alike.items() if spots]
        for slot in chain(*lying, (slot for _, slot in turned.others if slot.points)):
            assert slot.row is not None
            key = slot.row.key
            points += [(id_, key, *point) for id_, point in enumerate(slot.points, key * MAX_GEOMETRIES)]
        gone: list[int] = []
        rows: list[tuple[Any, ...]] = []  # Any: column values
        for _, slot in turned.others:
            row = slot.row
            if slot.geometries is None or row is None or not (slot.geometries or slot.base):
                continue
            first = row.key * MAX_GEOMETRIES
            gone += range(first, first + (slot.base.spots if slot.base is not None else 0))
            for id_, (attribute, geometry) in enumerate(slot.geometries, first):
                said = None if geometry["type"] == "Point" else orjson.dumps(geometry).decode()
                rows.append(place_columns(id_, row.key, attribute, geometry, said))
        if gone:
            self._send("DELETE FROM place WHERE id = ANY(%s)", (integers(gone),))
        if rows:
            self._send(_PLACES, _place_arrays(rows))
        if points:
            ids, keys, names, lons, lats = zip(*points, strict=True)
            self._send(_POINTS, (integers(ids), integers(keys), texts(names), floats(lons), floats(lats)))

    def _send_notes(self) -> None:
        for (number, name), (readings, rejects) in self._sources.items():
            self._send(_SOURCE, (number, clean(name), self.at_ms, self.at_ms, readings, rejects))
        for number, source, reason, raw in self._rejects:
            sql = "INSERT INTO reject (tenant, at_ms, source, reason, raw) VALUES (%s, %s, %s, %s, %s)"
            self._send(sql, (number, self.at_ms, source, reason, raw))
        for number in {one[0] for one in self._rejects}:
            self._send(_TRIM_REJECTS, (number, number, self._rejects_kept))
        for (source, message_id), body in self._answers.items():
            sql = (
                "INSERT INTO answer VALUES (%s, %s, %s, %s) ON CONFLICT (source, message_id)"
                " DO UPDATE SET at_ms = excluded.at_ms, body = excluded.body"
            )
            self._send(sql, (source, message_id, self.at_ms, body))

    def _send_changes(self, tenant: str, feed: _Feed) -> int:
        number, count = self.tenants[tenant], len(feed.rows)
        slots, ops, sources, bodies = zip(*feed.rows, strict=True)
        rows: list[Stored] = [slot.row for slot in slots]
        columns = (
            integers([row.key for row in rows]),
            integers([int(op) for op in ops]),
            texts([*map(clean, sources)]),
            blobs([None if body is row.body else body for row, body in zip(rows, bodies, strict=True)]),
        )
        return self._send(_CHANGES, (count, self.at_ms, number, count, *columns))

    def observed(self, tenant: str, first: int) -> Sequence[Observed]:
        """What observers are told of a tenant whose first change stands behind `first`."""
        return _Seen(self._feeds[tenant].seen, first + 1)

    def changed_keys(self) -> dict[int, list[int]]:
        """Entities that other processes must forget, by tenant's number."""
        found: dict[int, list[int]] = {number: [] for number in self.dirty.values()}
        for _, slot in self._turns().others:
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
    connection.execute(_PLACES, _place_arrays(rows))


def _place_arrays(rows: list[tuple[Any, ...]]) -> tuple[Array, ...]:
    ids, keys, names, lons, lats, said, west, south, east, north = zip(*rows, strict=True)
    boxes = (floats(west), floats(south), floats(east), floats(north))
    return integers(ids), integers(keys), texts(names), floats(lons), floats(lats), texts(said), *boxes
