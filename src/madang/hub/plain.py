"""Plain entities: what most batches are made of, checked while they are decoded. Pure.

An entity is plain when it has one type, an id and, under core names, nothing but single Properties of a scalar and
Relationships of one object. msgspec checks the members of those as it decodes, so that what is left for Python is the
form of names, URIs and instants; names and kinds are looked at once for all entities that have the same. Reading a
batch of 1,000 into `entity.Entity` and judging it member by member took 60 % of an upsert (measured). Whatever is not
plain is left to `entity`: nothing is refused here.
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
from madang.hub.entity import HEAD, NULL, SHAPES, Entity, is_kept_instant
from madang.hub.errors import BadRequestDataError, NgsiLdError
from madang.hub.names import is_uri

_LAYOUTS_KEPT = 2_000
_KNOWN = 2_000
"""So many instants and types a reader knows by sight."""
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


Raw = dict[str, PlainProperty | PlainRelationship | str]
"""An entity as it was decoded; texts are its id and type, or what is not plain."""
_decode = msgspec.json.Decoder(list[Raw]).decode
_decode_one = msgspec.json.Decoder(Raw).decode
_encode = msgspec.json.Encoder().encode


@dataclass(slots=True, eq=False)
class Layout:
    """The attributes of plain entities that have the same, in order; without shapes where they are not plain."""

    names: tuple[str, ...]
    shapes: dict[str, int]
    in_order: bool
    """Whether id and type come first, as in the kept form."""


@dataclass(slots=True)
class Plain:
    """A plain entity to be put whole in the place of what is there, as `changes.replace` does."""

    id: str
    types: tuple[str, ...]
    body: bytes
    layout: Layout
    refusal: Callable[[Stored | None], NgsiLdError | None]
    """Why the asker may not put it in the place of what is stored."""

    def change(self, current: Stored | None, at_ms: int) -> Outcome:
        """The general way, for stores and cases that know no shorter one."""
        if (refusal := self.refusal(current)) is not None:
            return refusal
        if current is None:
            made = self.body
            return Effect(Op.CREATED, self.types, made, made, geometries=[], updated=self.layout.names)
        document = orjson.loads(self.body)
        del document["id"], document["type"]
        entity = Entity(self.id, self.types, document, self.layout.shapes)
        return change.replace(entity, if_missing_create=True).change(current, at_ms)


def decode_plain(body: bytes) -> list[Raw] | None:
    """A batch, if plain entities could be in it and nothing stands out."""
    try:
        return _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def decode_plain_one(body: bytes) -> Raw | None:
    """An entity that may be plain, or None."""
    if b'"GeoProperty"' in body:  # the commonest that is not: looking costs less than failing
        return None
    try:
        return _decode_one(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def as_sent(raw: Raw) -> dict[str, Any]:  # Any: JSON
    """The JSON that was decoded."""
    sent: dict[str, Any] = msgspec.to_builtins(raw)  # Any: JSON
    return sent


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


_KINDS: dict[type, int] = {PlainProperty: SHAPES["Property"], PlainRelationship: SHAPES["Relationship"]}
_NOT_PLAIN = Layout((), {}, in_order=False)


def _new_layout(raw: Raw) -> Layout:
    members = [*raw]
    if raw.get("id").__class__ is not str or raw.get("type").__class__ is not str:
        return _NOT_PLAIN
    shapes = {name: _KINDS.get(type(one), 0) for name, one in raw.items() if name not in ("id", "type")}
    if not all(shape and is_kept_name(name) for name, shape in shapes.items()):
        return _NOT_PLAIN
    return Layout(tuple(shapes), shapes, members[:2] == ["id", "type"])


def is_kept_name(name: str) -> bool:
    """Whether an attribute of this name, or a type, is kept under it."""
    try:
        return name[:1] != "@" and name not in HEAD and CORE_CONTEXT.canonical(name) == name
    except BadRequestDataError:
        return False


class PlainReader:
    """Makes the plain entities of one asker into mutations."""

    def __init__(self, refusal: Callable[[tuple[str, ...], Stored | None], NgsiLdError | None]) -> None:
        self._refusal = refusal
        self._types: dict[str, tuple[tuple[str, ...], Callable[[Stored | None], NgsiLdError | None]] | None] = {}
        self._instants: set[object] = {msgspec.UNSET}

    def mutation(self, raw: Raw) -> Mutation | None:
        """What puts an entity in place; None where it is not plain after all."""
        layout = layout_of(raw)
        if not layout.shapes:
            return None
        instants = self._instants
        for one in raw.values():
            if one.__class__ is PlainProperty:
                if one.observed_at not in instants and not self._is_instant(one.observed_at):
                    return None
            elif one.__class__ is PlainRelationship and not is_uri(one.object):
                return None
        entity_id, type_name = str(raw["id"]), str(raw["type"])
        known = self._types[type_name] if type_name in self._types else self._learn(type_name)
        if known is None or not is_uri(entity_id):
            return None
        body = _encode(raw if layout.in_order else {"id": entity_id, "type": type_name} | raw)
        if _NULL in body:
            return None
        plain = Plain(entity_id, known[0], body, layout, known[1])
        return Mutation(entity_id, plain.change, layout.shapes, None, plain)

    def _is_instant(self, text: object) -> bool:
        if not is_kept_instant(text):
            return False
        if len(self._instants) >= _KNOWN:
            self._instants = {msgspec.UNSET}
        self._instants.add(text)
        return True

    def _learn(self, name: str) -> tuple[tuple[str, ...], Callable[[Stored | None], NgsiLdError | None]] | None:
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
