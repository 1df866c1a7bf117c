"""One group of writes: entities held in memory until the group's end, then written together."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

import apsw
import msgspec
import orjson

from madang.hub.changes import Effect, Mutation, Op, Outcome, Reading, Stored, dumps, take_again, take_in
from madang.hub.entity import MAX_GEOMETRIES, Json
from madang.hub.errors import BadRequestDataError, NgsiLdError
from madang.hub.forms import Point
from madang.hub.geo import box_of
from madang.hub.plain import Layout, Plain
from madang.hub.query import Query
from madang.hub.sqlite.schema import CHANGE_BITS
from madang.hub.sqlite.sql import Select
from madang.hub.store import Observed, Observer
from madang.journal.apsw_session import ApswSession

COLUMNS = (
    "e.key, e.id, e.types, e.body, e.stamps, e.created_ms, e.modified_ms, e.version, e.source_version, e.spots,"
    " e.expires_ms"
)
_LOAD = f"SELECT {COLUMNS} FROM entity e WHERE e.tenant = ? AND e.id = ?"  # noqa: S608 -- constants
_LOAD_MANY = f"SELECT {COLUMNS} FROM json_each(?) j CROSS JOIN entity e ON e.id = j.value WHERE e.tenant = ?"  # noqa: S608
_INSERT = (
    "INSERT INTO entity (key, tenant, id, types, created_ms, modified_ms, version, source_version, spots, expires_ms,"
    " stamps, body, doc) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, jsonb(CAST(?12 AS TEXT)))"
)
"""A body is handed over once, as bytes: as text it would be decoded and encoded again, 2 µs of 6 (measured)."""
_UPDATE = (
    "UPDATE entity SET types = ?1, created_ms = ?2, modified_ms = ?3, version = ?4, source_version = ?5, spots = ?6,"
    " expires_ms = ?7, stamps = ?8, body = ?9, doc = jsonb(CAST(?9 AS TEXT)) WHERE key = ?10"
)
_SOURCE = (
    "INSERT INTO source VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (tenant, name) DO UPDATE SET last_ms = excluded.last_ms,"
    " readings = readings + excluded.readings, rejects = rejects + excluded.rejects"
)
_CHANGE = "INSERT INTO change VALUES (?, ?, ?, ?, ?, ?)"
_PLACE = "INSERT INTO place VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_UNPLACE = "DELETE FROM place WHERE id = ?"
_KIND = "INSERT INTO entity_kind VALUES (?, ?)"
_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
_REJECT_BYTES = 4_096
_TAKEN_IN = Effect(Op.UPDATED, (), b"", b"")
"""What a reading that was taken in did: whoever sends readings asks no more."""
_PUT_NEW = Effect(Op.CREATED, (), b"", b"")
_PUT_AGAIN = Effect(Op.REPLACED, (), b"", b"")
"""The same for plain entities of a batch."""


def ms_of(moment: datetime) -> int:
    """Milliseconds since 1970."""
    return (moment - _EPOCH) // timedelta(milliseconds=1)


def moment_of(ms: int) -> datetime:
    """The instant of milliseconds since 1970."""
    return _EPOCH + timedelta(milliseconds=ms)


def stored_of(row: tuple[Any, ...]) -> Stored:  # Any: column values
    """An entity from a row of `COLUMNS`; a deleted one has an empty body."""
    return Stored(
        row[0],
        row[1],
        tuple(row[2].split("\n")),
        row[3] or b"",
        orjson.loads(row[4]) if row[4] else {},
        row[5],
        row[6],
        row[7],
        row[8],
        row[9],
        row[10],
    )


@dataclass(slots=True)
class TenantCatalog:
    """What is known of one tenant, kept in memory: the writer is the only one who changes it."""

    tenant: int
    code: str
    indexed: Collection[str]
    kinds: dict[str, int] = field(default_factory=dict)
    shapes: dict[str, int] = field(default_factory=dict)
    position: int = 0
    stamp: int = 0
    """The number of the last commit that changed the tenant, never used twice while the store is open."""
    selects: dict[tuple[int, tuple[str, ...] | None], tuple[Query, Select | None]] = field(default_factory=dict)
    """Compiled queries; dropped when a new type or shape of attribute could change them."""


class GroupStore(Protocol):
    """What a group needs of its store."""

    writer: apsw.Connection
    observer: Observer | None

    def catalog(self, tenant: str) -> TenantCatalog | None: ...

    def make_tenant(self, tenant: str) -> TenantCatalog: ...

    def next_key(self) -> int: ...

    def cached(self, tenant: str, entity_id: str) -> Stored | None: ...


class _Slot(msgspec.Struct, gc=False):
    """An entity the group works on. `base` is what the file holds, `row` what it will; deleted means an empty body."""

    catalog: TenantCatalog
    base: Stored | None
    row: Stored | None
    spots: list[_Spot] | None = None
    """What its rows in the spatial index are to be, where they change."""
    document: dict[str, Json] | None = None
    """`row` decoded, with `turns` readings taken in that `row` does not have yet (`changes.take_in`)."""
    stamps: dict[str, list[int]] | None = None
    turns: int = 0
    last: Reading | None = None
    """The reading taken in last."""

    def takes_in(self, reading: Reading, at_ms: int) -> bool:
        """Takes a reading in, where that is simple."""
        row = self.row
        if row is None or not row.body:
            return False
        last = self.last
        if self.document is None:
            self.document, self.stamps = row.document(), dict(row.stamps)
        elif last is not None and last.shapes is reading.shapes and last.types == reading.types:
            if not take_again(last, self.document, reading):
                return False
            self.last = reading
            self.turns += 1
            return True
        assert self.stamps is not None
        taken = take_in(row, self.document, self.stamps, reading, at_ms)
        self.turns += taken
        self.last = reading if taken else None
        return taken

    def settle(self, at_ms: int) -> None:
        """Makes `row` what the readings taken in have made of it."""
        row = self.row
        assert row is not None
        assert self.stamps is not None
        self.row = Stored(
            row.key,
            row.id,
            row.types,
            dumps(self.document),
            self.stamps,
            row.created_ms,
            at_ms,
            row.version + self.turns,
            row.source_version,
            row.spots,
            row.expires_ms,
        )
        self.document, self.turns = None, 0


_Row = tuple[Any, ...]  # Any: column values
_Spot = tuple[tuple[float, float, float, float], tuple[str, float | None, float | None, str | None]]
"""A box (west, east, south, north), then attribute, longitude and latitude of a point, any other geometry as JSON."""


def _spot_of(point: Point) -> _Spot:
    _, lon, lat = point
    return (lon, lon, lat, lat), (*point, None)


def _spot(attribute: str, geometry: Json) -> _Spot:
    west, south, east, north = box_of(geometry)
    if geometry["type"] == "Point":
        return (west, east, south, north), (attribute, west, south, None)
    return (west, east, south, north), (attribute, None, None, orjson.dumps(geometry).decode())


class Group:
    """The transaction of one group of writes, seen by each unit of work as its `WriteTx`."""

    def __init__(self, store: GroupStore, at: datetime, at_ms: int, rejects_kept: int) -> None:
        self.at = at
        self.at_ms = at_ms
        self.session = ApswSession(store.writer)
        self._store = store
        self._run = store.writer.execute
        self._rejects_kept = rejects_kept
        self._slots: dict[tuple[str, str], _Slot] = {}
        self._changes: list[tuple[int, int, int, int, str, bytes]] = []
        self._sources: dict[tuple[int, str], list[int]] = {}
        self._rejecting: set[int] = set()
        self._observed: dict[str, list[Observed]] = {}
        self._noted: Layout | None = None
        self._noted_in: TenantCatalog | None = None
        self._fresh_stamps: dict[str, list[int]] = {}
        self._turned: dict[tuple[int, int, Layout], tuple[dict[str, list[int]], dict[str, list[int]]]] = {}

    def apply(self, tenant: str, mutation: Mutation, source: str = "") -> Outcome:
        """Applies a mutation to the state the group has reached."""
        slot = self._slots.get((tenant, mutation.entity_id)) or self._load(tenant, mutation.entity_id)
        reading = mutation.reading
        if reading is not None and self._store.observer is None and slot.takes_in(reading, self.at_ms):
            self._note_shapes(slot.catalog, mutation.shapes)
            self._record(slot, Op.UPDATED, source, reading.encoded)
            return _TAKEN_IN
        if slot.turns:
            slot.settle(self.at_ms)
        plain = mutation.plain
        if plain is not None and self._store.observer is None and (known := self._put(slot, plain, source)) is not None:
            return known
        row = slot.row
        before = row if row is not None and row.body else None
        outcome = mutation.change(before, self.at_ms)
        if isinstance(outcome, NgsiLdError) or not outcome.changed:
            return outcome
        if outcome.geometries is not None and len(outcome.geometries) > MAX_GEOMETRIES:
            return BadRequestDataError(f"An entity has at most {MAX_GEOMETRIES} geometries", where=mutation.entity_id)
        self._note_shapes(slot.catalog, mutation.shapes)
        if row is None or outcome.op is not Op.LATE:
            slot.row = row = self._next_row(slot, mutation.entity_id, outcome)
            slot.document = None
            if plain is not None:
                row.layout = plain.layout
        seq = self._record(slot, outcome.op, source, outcome.changed)
        if self._store.observer is not None:
            seen = Observed(seq, row.id, before, row if row.body else None, outcome)
            self._observed.setdefault(tenant, []).append(seen)
        return outcome

    def take(self, tenant: str, readings: Iterable[Mutation], source: str) -> list[tuple[str, NgsiLdError]]:
        """Applies readings in order; ids and why, of those refused. Half of what `apply` needs for each (measured)."""
        refused: list[tuple[str, NgsiLdError]] = []
        find, at_ms, alone = self._slots.get, self.at_ms, self._store.observer is None
        noted: Mapping[str, int] = {}
        for mutation in readings:
            slot, reading = find((tenant, mutation.entity_id)), mutation.reading
            if alone and slot is not None and reading is not None and slot.takes_in(reading, at_ms):
                if reading.shapes is not noted:
                    noted = reading.shapes
                    self._note_shapes(slot.catalog, noted)
                self._record(slot, Op.UPDATED, source, reading.encoded)
            elif isinstance(outcome := self.apply(tenant, mutation, source), NgsiLdError):
                refused.append((mutation.entity_id, outcome))
        return refused

    def _put(self, slot: _Slot, plain: Plain, source: str) -> Outcome | None:
        """Puts a plain entity in place where there is none, or one that has the same attributes; None elsewhere.

        What `changes.replace` does then needs neither document: half of the time of a batch of known entities
        (measured).
        """
        row, layout, at_ms, spots, catalog = slot.row, plain.layout, self.at_ms, len(plain.points), slot.catalog
        if row is not None and row.layout is not layout:
            return None
        if (refusal := plain.refusal(row)) is not None:
            return refusal
        if self._noted is not layout or self._noted_in is not catalog:
            self._note_shapes(catalog, layout.shapes)
            self._noted, self._noted_in = layout, catalog
        if row is None:
            key, body, stamps = self._store.next_key(), plain.body, self._fresh_stamps
            slot.row = Stored(key, plain.id, plain.types, body, stamps, at_ms, at_ms, 1, None, spots, None, layout)
            if spots:
                slot.spots = [*map(_spot_of, plain.points)]
            self._record(slot, Op.CREATED, source, body)
            return _PUT_NEW
        stamps, version = self._turned_stamps(row, layout), row.version + 1
        made = Stored(
            row.key, row.id, plain.types, plain.body, stamps, row.created_ms, at_ms, version, None, spots, None, layout
        )
        if spots and not plain.lies_as_in(row.body):
            slot.spots = [*map(_spot_of, plain.points)]
        slot.row = made
        slot.document = None
        self._record(slot, Op.REPLACED, source, plain.body)
        return _PUT_AGAIN

    def _turned_stamps(self, row: Stored, layout: Layout) -> dict[str, list[int]]:
        """System attributes after all attributes are exchanged; one object for entities that had one before."""
        known = (id(row.stamps), row.created_ms, layout)
        found = self._turned.get(known)
        if found is None:
            old = row.stamps
            made = {name: [old[name][0] if name in old else row.created_ms, self.at_ms] for name in layout.names}
            found = self._turned[known] = (old, made)  # the old ones are held so that their id stays theirs
        return found[1]

    def _note_shapes(self, catalog: TenantCatalog, shapes: Mapping[str, int]) -> None:
        for name, shape in shapes.items():
            known = catalog.shapes.get(name, 0)
            if known | shape != known:
                self._note_shape(catalog, name, known | shape)

    def _record(self, slot: _Slot, op: Op, source: str, changed: bytes) -> int:
        """The row of the feed and of history; its number."""
        catalog, row = slot.catalog, slot.row
        assert row is not None
        catalog.position += 1
        seq = catalog.tenant << CHANGE_BITS | catalog.position
        self._changes.append((seq, row.key, int(op), self.at_ms, source, changed))
        return seq

    def expect(self, tenant: str, entity_ids: Iterable[str]) -> None:
        """Loads entities that are going to be worked on together: one by one each costs 4 µs, so 1.5 (measured)."""
        catalog = self._store.catalog(tenant)
        if catalog is None:
            return
        unknown = []
        for entity_id in entity_ids:
            base = self._store.cached(tenant, entity_id)
            if base is not None:
                self._slots[tenant, entity_id] = _Slot(catalog, base, base)
            else:
                unknown.append(entity_id)
        asked = orjson.dumps(unknown).decode() if unknown else "[]"
        found = {row[1]: stored_of(row) for row in self._run(_LOAD_MANY, (asked, catalog.tenant))} if unknown else {}
        for entity_id in unknown:
            row = found.get(entity_id)
            self._slots[tenant, entity_id] = _Slot(catalog, row, row)

    def _load(self, tenant: str, entity_id: str) -> _Slot:
        catalog = self._store.catalog(tenant) or self._store.make_tenant(tenant)
        base = self._store.cached(tenant, entity_id)
        if base is None:
            found = self._run(_LOAD, (catalog.tenant, entity_id)).fetchone()
            base = stored_of(found) if found is not None else None
        slot = _Slot(catalog, base, base)
        self._slots[tenant, entity_id] = slot
        return slot

    def _next_row(self, slot: _Slot, entity_id: str, effect: Effect) -> Stored:
        row, at_ms = slot.row, self.at_ms
        if effect.geometries is not None:
            slot.spots = [_spot(attribute, geometry) for attribute, geometry in effect.geometries]
        alive = row is not None and row.body
        return Stored(
            row.key if row is not None else self._store.next_key(),
            entity_id,
            effect.types,
            effect.body or b"",
            effect.stamps,
            row.created_ms if row is not None and alive else at_ms,
            at_ms,
            row.version + 1 if row is not None else 1,
            effect.source_version,
            len(effect.geometries) if effect.geometries is not None else (row.spots if row is not None else 0),
            effect.expires_ms,
        )

    def _note_shape(self, catalog: TenantCatalog, name: str, shape: int) -> None:
        catalog.shapes[name] = shape
        catalog.selects.clear()
        sql = "INSERT INTO attribute VALUES (?, ?, ?) ON CONFLICT (tenant, name) DO UPDATE SET shape = excluded.shape"
        self._run(sql, (catalog.tenant, name, shape))

    def _kind(self, catalog: TenantCatalog, name: str) -> int:
        kind = catalog.kinds.get(name)
        if kind is None:
            sql = "INSERT INTO kind (tenant, name) VALUES (?, ?) RETURNING id"
            kind = int(self.session.execute(sql, (catalog.tenant, name))[0][0])
            catalog.kinds[name] = kind
            catalog.selects.clear()
        return kind

    def tenant(self, tenant: str) -> int:
        """The tenant's number; it is made where it is new."""
        return (self._store.catalog(tenant) or self._store.make_tenant(tenant)).tenant

    def heard(self, tenant: str, source: str, readings: int) -> None:
        """Notes that a source was heard."""
        self._count(tenant, source, 0, readings)

    def _count(self, tenant: str, source: str, which: int, by: int) -> int:
        catalog = self._store.catalog(tenant) or self._store.make_tenant(tenant)
        self._sources.setdefault((catalog.tenant, source), [0, 0])[which] += by
        return catalog.tenant

    def reject(self, tenant: str, source: str, reason: str, raw: bytes) -> None:
        """Keeps a bad input aside and counts it."""
        number = self._count(tenant, source, 1, 1)
        self._rejecting.add(number)
        sql = "INSERT INTO reject (tenant, at_ms, source, reason, raw) VALUES (?, ?, ?, ?, ?)"
        self._run(sql, (number, self.at_ms, source, reason[:1000], raw[:_REJECT_BYTES]))

    def answered(self, source: str, message_id: str) -> bytes | None:
        """What was answered to a message before."""
        row = self._run("SELECT body FROM answer WHERE source = ? AND message_id = ?", (source, message_id)).fetchone()
        return bytes(row[0]) if row is not None else None

    def answer(self, source: str, message_id: str, body: bytes) -> None:
        """Keeps the answer to a message."""
        self._run("INSERT OR REPLACE INTO answer VALUES (?, ?, ?, ?)", (source, message_id, self.at_ms, body))

    def flush(self) -> None:
        """Writes what the group holds; the caller commits."""
        many = self._store.writer.executemany
        written = self._written()
        for sql, rows in zip((_INSERT, _UPDATE, _KIND, _PLACE), written, strict=True):
            if rows:
                many(sql, rows)
        if self._changes:
            many(_CHANGE, self._changes)
        for (number, name), (readings, rejects) in self._sources.items():
            self._run(_SOURCE, (number, name, self.at_ms, self.at_ms, readings, rejects))
        for number in self._rejecting:
            self._trim_rejects(number)
        if self._store.observer is not None:
            for tenant, observed in self._observed.items():
                self._store.observer(self, tenant, observed)

    def _written(self) -> tuple[list[_Row], list[_Row], list[_Row], list[_Row]]:
        """Rows of entities that are new and of those that are not, of their types and of their places."""
        fresh, known, kinds, places = list[_Row](), list[_Row](), list[_Row](), list[_Row]()
        texts: dict[int, str | None] = {}
        for slot in self._slots.values():
            if slot.turns:
                slot.settle(self.at_ms)
            row, base = slot.row, slot.base
            if row is base or row is None:
                continue
            stamps = texts.get(id(row.stamps), "")
            if stamps == "":
                stamps = texts[id(row.stamps)] = orjson.dumps(row.stamps).decode() if row.stamps else None
            body, types = row.body or None, row.types
            middle = (row.modified_ms, row.version, row.source_version, row.spots, row.expires_ms, stamps, body)
            text = types[0] if len(types) == 1 else "\n".join(types)
            if base is None:
                fresh.append((row.key, slot.catalog.tenant, row.id, text, row.created_ms, *middle))
            else:
                known.append((text, row.created_ms, *middle, row.key))
            if base is None and len(types) == 1 and body:
                kinds.append((slot.catalog.kinds.get(text) or self._kind(slot.catalog, text), row.key))
            elif base is None or types is not base.types or not body or not base.body:
                self._turn_kinds(slot.catalog, row, base, kinds)
            if slot.spots is not None:
                first = row.key * MAX_GEOMETRIES
                for place in range(first, first + (base.spots if base is not None else 0)):
                    self._run(_UNPLACE, (place,))
                places += [(place, *box, row.key, *spot) for place, (box, spot) in enumerate(slot.spots, first)]
        return fresh, known, kinds, places

    def _turn_kinds(self, catalog: TenantCatalog, row: Stored, base: Stored | None, kinds: list[_Row]) -> None:
        """Notes the types an entity comes to have, and drops those it had."""
        now = row.types if row.body else ()
        before = base.types if base is not None and base.body else ()
        for name in before:
            if name not in now:
                self._run("DELETE FROM entity_kind WHERE kind = ? AND key = ?", (self._kind(catalog, name), row.key))
        kinds += [(self._kind(catalog, name), row.key) for name in now if name not in before]

    def _trim_rejects(self, number: int) -> None:
        sql = "SELECT seq FROM reject WHERE tenant = ? ORDER BY seq DESC LIMIT 1 OFFSET ?"
        row = self._run(sql, (number, self._rejects_kept)).fetchone()
        if row is not None:
            self._run("DELETE FROM reject WHERE tenant = ? AND seq <= ?", (number, row[0]))

    def catalogs(self) -> set[str]:
        """The tenants the group changed."""
        return {tenant for tenant, _ in self._slots}

    def committed(self) -> list[tuple[tuple[str, str], Stored]]:
        """What the group changed, for the cache."""
        return [
            (key, slot.row) for key, slot in self._slots.items() if slot.row is not slot.base and slot.row is not None
        ]

    def turned(self) -> Iterator[tuple[str, tuple[str, ...], Stored]]:
        """What the group changed, with its tenant and the types it had before."""
        for (tenant, _), slot in self._slots.items():
            if slot.row is not slot.base and slot.row is not None:
                yield tenant, slot.base.types if slot.base is not None else (), slot.row
