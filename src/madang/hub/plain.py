"""Plain entities: what most writes are made of, checked while they are decoded. Pure.

An entity is plain when it has one type, an id and, under core names, nothing but single Properties of a scalar,
Relationships of one object and GeoProperties of a point. msgspec checks the members of those as it decodes, so that
what is left for Python is the form of names, URIs and instants; names and kinds are looked at once for all entities
that have the same. Reading a batch of 1,000 into `entity.Entity` and judging it member by member took 60 % of an upsert
(measured). What comes often gets a form (`forms`), by which it is known without being decoded. Whatever is not plain is
left to `entity`: nothing is refused here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
import orjson

from madang.hub import changes as change
from madang.hub.changes import Effect, Mutation, Op, Outcome, Stored
from madang.hub.contexts.context import CORE_CONTEXT
from madang.hub.entity import HEAD, MAX_GEOMETRIES, NULL, SHAPES, Entity, is_kept_instant
from madang.hub.errors import BadRequestDataError, InvalidRequestError, NgsiLdError
from madang.hub.forms import Form, Found, Point
from madang.hub.names import is_uri

_LAYOUTS_KEPT = 2_000
_KNOWN = 2_000
"""So many instants and types a reader knows by sight."""
_FORMS_KEPT = 256
_OFTEN = 50
"""So many entities alike get a form of their own: making it takes as long as reading them."""
_RECENT = 4
_LATEST = 8
_AT_ONCE = 65_536
"""Bytes of a batch that are read before others get their turn."""
_NULL = NULL.encode()
_INTEGER = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
_WORD = Annotated[str, msgspec.Meta(min_length=1)]


class PlainProperty(msgspec.Struct, tag_field="type", tag="Property", forbid_unknown_fields=True, gc=False):
    """A Property of one scalar; omits what it does not have."""

    value: str | _INTEGER | float | bool
    unit_code: _WORD | msgspec.UnsetType = msgspec.field(name="unitCode", default=msgspec.UNSET)
    observed_at: str | msgspec.UnsetType = msgspec.field(name="observedAt", default=msgspec.UNSET)


class PlainRelationship(msgspec.Struct, tag_field="type", tag="Relationship", forbid_unknown_fields=True, gc=False):
    """A Relationship of one object."""

    object: str


_LON = Annotated[int, msgspec.Meta(ge=-180, le=180)] | Annotated[float, msgspec.Meta(ge=-180, le=180)]
_LAT = Annotated[int, msgspec.Meta(ge=-90, le=90)] | Annotated[float, msgspec.Meta(ge=-90, le=90)]


class PlainPoint(msgspec.Struct, tag_field="type", tag="Point", forbid_unknown_fields=True, gc=False):
    """A GeoJSON point without height."""

    coordinates: tuple[_LON, _LAT]


class PlainGeoProperty(msgspec.Struct, tag_field="type", tag="GeoProperty", forbid_unknown_fields=True, gc=False):
    """A GeoProperty of one point; omits what it does not have."""

    value: PlainPoint
    observed_at: str | msgspec.UnsetType = msgspec.field(name="observedAt", default=msgspec.UNSET)


Raw = dict[str, PlainProperty | PlainRelationship | PlainGeoProperty | str]
"""An entity as it was decoded; texts are its id and type, or what is not plain."""
_split = msgspec.json.Decoder(list[msgspec.Raw]).decode
_decode = msgspec.json.Decoder(Raw).decode
_encode = msgspec.json.Encoder().encode
_NOT_READ = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


Refusal = Callable[[Stored | None], NgsiLdError | None]


@dataclass(slots=True, eq=False)
class Layout:
    """The attributes of plain entities that have the same, in order; without shapes where they are not plain."""

    names: tuple[str, ...]
    shapes: dict[str, int]
    in_order: bool
    """Whether id and type come first, as in the kept form."""
    points: tuple[str, ...] = ()
    """Those that are GeoProperties."""
    marks: tuple[bytes, ...] = ()
    """How each of them begins in the kept form, up to its longitude."""


class Plain(msgspec.Struct, gc=False):
    """A plain entity to be put whole in the place of what is there, as `changes.replace` does."""

    id: str
    types: tuple[str, ...]
    body: bytes
    layout: Layout
    refusal: Refusal
    """Why the asker may not put it in the place of what is stored."""
    points: tuple[Point, ...] = ()

    def geometries(self) -> list[tuple[str, dict[str, Any]]]:  # Any: GeoJSON
        """Its points as GeoJSON, with their attributes' names."""
        return [(name, {"type": "Point", "coordinates": [lon, lat]}) for name, lon, lat in self.points]

    def lies_as_in(self, before: bytes) -> bool:
        """Whether its points are those of the kept form of another entity of the same layout."""
        for mark in self.layout.marks:
            start = self.body.index(mark)
            if self.body[start : self.body.index(b"]", start) + 1] not in before:
                return False
        return True

    def change(self, current: Stored | None, at_ms: int) -> Outcome:
        """The general way, for stores and cases that know no shorter one."""
        if (refusal := self.refusal(current)) is not None:
            return refusal
        if current is None:
            made = self.body
            spots = self.geometries() if self.points else []
            return Effect(Op.CREATED, self.types, made, made, geometries=spots, updated=self.layout.names)
        document = orjson.loads(self.body)
        del document["id"], document["type"]
        entity = Entity(self.id, self.types, document, self.layout.shapes)
        return change.replace(entity, if_missing_create=True).change(current, at_ms)


def split_batch(body: bytes) -> list[msgspec.Raw] | None:
    """The items of a batch, not looked into; None where it is no JSON array."""
    try:
        return _split(body)
    except _NOT_READ:
        return None


def as_sent(item: msgspec.Raw) -> Any:  # Any: JSON
    """The JSON of an item; raises `InvalidRequestError`."""
    try:
        return msgspec.json.decode(item)
    except _NOT_READ as error:
        raise InvalidRequestError(f"The body is not JSON: {str(error)[:200]}", where="body") from None


def decode_plain(item: bytes | msgspec.Raw) -> Raw | None:
    """An entity that may be plain, or None."""
    try:
        return _decode(item)
    except _NOT_READ:
        return None


_layouts: dict[tuple[object, ...], Layout] = {}


def layout_of(raw: Raw) -> Layout:
    """The layout of an entity: the same object for all that have the same names and kinds."""
    signature = (*raw, *map(type, raw.values()))
    found = _layouts.get(signature)
    if found is None:
        if len(_layouts) >= _LAYOUTS_KEPT:
            _layouts.clear()
        found = _layouts[signature] = _new_layout(raw)
    return found


_KINDS: dict[type, str] = {
    PlainProperty: "Property",
    PlainRelationship: "Relationship",
    PlainGeoProperty: "GeoProperty",
}
_POINT = b'{"type":"GeoProperty","value":{"type":"Point","coordinates":['
_NOT_PLAIN = Layout((), {}, in_order=False)


def _new_layout(raw: Raw) -> Layout:
    members = [*raw]
    if raw.get("id").__class__ is not str or raw.get("type").__class__ is not str:
        return _NOT_PLAIN
    kinds = {name: _KINDS.get(type(one), "") for name, one in raw.items() if name not in ("id", "type")}
    points = tuple(name for name, kind in kinds.items() if kind == "GeoProperty")
    if len(points) > MAX_GEOMETRIES or not all(kind and is_kept_name(name) for name, kind in kinds.items()):
        return _NOT_PLAIN
    shapes = {name: SHAPES[kind] for name, kind in kinds.items()}
    marks = tuple(b"%b:%b" % (_encode(name), _POINT) for name in points)
    return Layout(tuple(shapes), shapes, members[:2] == ["id", "type"], points, marks)


def is_kept_name(name: str) -> bool:
    """Whether an attribute of this name, or a type, is kept under it."""
    try:
        return name[:1] != "@" and name not in HEAD and CORE_CONTEXT.canonical(name) == name
    except BadRequestDataError:
        return False


class _Forms:
    """The forms of what comes often, whoever sends it."""

    def __init__(self) -> None:
        self._forms: dict[tuple[Layout, str], Form] = {}
        self._seen: dict[tuple[Layout, str], int] = {}
        self.latest: list[tuple[Form, Layout, str]] = []
        """The last ones somebody asked for."""

    def see(self, raw: Raw, layout: Layout, type_name: str) -> Form | None:
        """Counts an entity that came in kept form; its form, once there is one."""
        key = (layout, type_name)
        if (form := self._forms.get(key)) is not None:
            self.latest = [(form, *key), *(one for one in self.latest if one[0] is not form)][:_LATEST]
            return form
        times = self._seen.pop(key, 0) + 1
        if times < _OFTEN:
            self._seen[key] = times
            if len(self._seen) > _LAYOUTS_KEPT:
                self._seen.clear()
            return None
        if len(self._forms) >= _FORMS_KEPT:
            del self._forms[next(iter(self._forms))]
        form = self._forms[key] = Form(type_name, {name: _KINDS[type(raw[name])] for name in layout.names})
        return form


_forms = _Forms()


@dataclass(slots=True, eq=False)
class _Recent:
    """A form that was met lately, and what all entities of it have."""

    form: Form
    layout: Layout
    types: tuple[str, ...]
    refusal: Refusal

    def mutation(self, found: Found) -> Mutation:
        entity_id, body, points = found
        plain = Plain(entity_id, self.types, body, self.layout, self.refusal, points)
        return Mutation(entity_id, plain.change, self.layout.shapes, None, plain)


class PlainReader:
    """Makes the plain entities of one asker into mutations."""

    def __init__(self, refusal: Callable[[tuple[str, ...], Stored | None], NgsiLdError | None]) -> None:
        self._refusal = refusal
        self._types: dict[str, tuple[tuple[str, ...], Refusal] | None] = {}
        self._instants: set[object] = {msgspec.UNSET}
        self._recent: list[_Recent] = []

    def mutation(self, item: bytes | msgspec.Raw) -> Mutation | None:
        """What puts an entity in place; None where it is not plain after all, or no JSON."""
        for recent in self._recent:
            if (found := recent.form.find(item)) is not None:
                if recent is not self._recent[0]:
                    self._come_first(recent)
                return recent.mutation(found)
        raw = decode_plain(item)
        return None if raw is None else self._judged(raw, item)

    def alike(self, batch: bytes, start: int) -> tuple[list[Mutation], int]:
        """Some items of a batch from `start` on, where all of them have the same form, and where the next begins.

        None where they have not.
        """
        recent = next((one for one in self._recent if one.form.begins(batch, start)), None)
        if recent is None and (recent := self._met_by_others(batch, start)) is None:
            return [], start
        found = recent.form.find_all(batch, start, start + _AT_ONCE)
        end = start + sum([len(body) for _, body, _ in found]) + len(found)
        if batch[end - 1 : end] != (b"]" if end == len(batch) else b","):
            return [], start
        return [*map(recent.mutation, found)], end

    def _met_by_others(self, batch: bytes, start: int) -> _Recent | None:
        """What the next item is, where another reader met its form lately."""
        for form, layout, type_name in _forms.latest:
            if form.begins(batch, start):
                known = self._types[type_name] if type_name in self._types else self._learn(type_name)
                if known is not None:
                    self._come_first(recent := _Recent(form, layout, *known))
                    return recent
        return None

    def _come_first(self, recent: _Recent) -> None:
        self._recent = [recent, *(one for one in self._recent if one.form is not recent.form)][:_RECENT]

    def _judged(self, raw: Raw, item: bytes | msgspec.Raw) -> Mutation | None:
        layout = layout_of(raw)
        if not layout.shapes or not all(map(self._is_good, raw.values())):
            return None
        entity_id, type_name = str(raw["id"]), str(raw["type"])
        known = self._types[type_name] if type_name in self._types else self._learn(type_name)
        if known is None or not is_uri(entity_id):
            return None
        body = _encode(raw if layout.in_order else {"id": entity_id, "type": type_name} | raw)
        if _NULL in body:
            return None
        if layout.in_order and body == bytes(item) and (form := _forms.see(raw, layout, type_name)) is not None:
            self._come_first(_Recent(form, layout, *known))
        points = tuple((name, *_position(raw[name])) for name in layout.points)
        plain = Plain(entity_id, known[0], body, layout, known[1], points)
        return Mutation(entity_id, plain.change, layout.shapes, None, plain)

    def _is_good(self, one: PlainProperty | PlainRelationship | PlainGeoProperty | str) -> bool:
        """What msgspec could not see of an attribute."""
        if one.__class__ is str:
            return True
        if isinstance(one, PlainRelationship):
            return is_uri(one.object)
        said = one.observed_at  # type: ignore[union-attr] # texts are gone
        return said in self._instants or self._is_instant(said)

    def _is_instant(self, text: object) -> bool:
        if not is_kept_instant(text):
            return False
        if len(self._instants) >= _KNOWN:
            self._instants = {msgspec.UNSET}
        self._instants.add(text)
        return True

    def _learn(self, name: str) -> tuple[tuple[str, ...], Refusal] | None:
        """A type's canonical name, and who may write it where what is stored is of which types."""
        try:
            types = (name,) if name and CORE_CONTEXT.canonical(name) == name else None
        except BadRequestDataError:
            types = None
        if len(self._types) >= _KNOWN:
            self._types.clear()
        if types is None:
            self._types[name] = None
            return None
        judge, allowed = self._refusal, set[tuple[str, ...] | None]()

        def refusal(current: Stored | None) -> NgsiLdError | None:
            there = None if current is None else current.types
            if there in allowed:
                return None
            verdict = judge(types, current)
            if verdict is None:
                allowed.add(there)
            return verdict

        self._types[name] = known = (types, refusal)
        return known


def _position(one: object) -> tuple[float, float]:
    assert isinstance(one, PlainGeoProperty)
    return one.value.coordinates
