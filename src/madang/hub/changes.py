"""What a write does to an entity: pure functions from what is stored to what will be, run inside the one writer.

Each mutation is called with what is stored (None where nothing is) and the time; it answers an `Effect` to write or a
refusal as a value. It never changes what it is given, so the writer may call it again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

import orjson

from madang.hub.entity import NULL, Attribute, Entity, Json, document
from madang.hub.errors import AlreadyExistsError, BadRequestDataError, NgsiLdError, ResourceNotFoundError

CORE_MEMBERS = frozenset({"id", "type", "scope"})
_DATASET = "\x1f"


class Op(IntEnum):
    """What happened to an entity, as it stands in history and feed."""

    CREATED = 1
    UPDATED = 2
    REPLACED = 3
    DELETED = 4
    LATE = 5
    """A reading older than the current one: kept in history, the state left as it was."""


@dataclass(slots=True)
class Stored:
    """An entity as the store holds it. `body` is the kept form as JSON bytes; `stamps` are the system attributes of
    attribute instances that differ from the entity's creation: name → [created, modified] in ms since 1970."""

    key: int
    id: str
    types: tuple[str, ...]
    body: bytes
    stamps: dict[str, list[int]]
    created_ms: int
    modified_ms: int
    version: int
    source_version: int | None = None
    spots: int = 0
    """Rows in the spatial index."""
    expires_ms: int | None = None
    """When the entity, or the first of its attribute instances, expires (clause 4.22); ms since 1970."""

    def document(self) -> dict[str, Json]:
        """The kept form, decoded afresh."""
        decoded: dict[str, Json] = orjson.loads(self.body)
        return decoded

    def attributes(self) -> dict[str, Attribute]:
        """The attributes alone."""
        return {name: value for name, value in self.document().items() if name not in CORE_MEMBERS}


@dataclass(slots=True)
class Effect:
    """What to write. `body` None deletes; `geometries` None leaves the spatial index as it is."""

    op: Op
    types: tuple[str, ...]
    body: bytes | None
    changed: bytes
    stamps: dict[str, list[int]] = field(default_factory=dict)
    geometries: list[tuple[str, Json]] | None = None
    source_version: int | None = None
    updated: tuple[str, ...] = ()
    not_updated: tuple[tuple[str, str], ...] = ()
    expires_ms: int | None = None


Outcome = Effect | NgsiLdError
Change = Callable[[Stored | None, int], Outcome]


@dataclass(slots=True)
class Mutation:
    """One change of one entity, ready for the writer. `shapes` are what its attributes look like."""

    entity_id: str
    change: Change
    shapes: Mapping[str, int] = field(default_factory=dict)


def encode(value: Json, where: str) -> bytes:
    """JSON bytes; raises `BadRequestDataError` for what cannot be kept (integers beyond 64 bits, lone surrogates)."""
    try:
        return orjson.dumps(value)
    except TypeError as error:
        raise BadRequestDataError(f"{where} cannot be kept: {error}", where=where) from None


def missing(entity_id: str) -> ResourceNotFoundError:
    return ResourceNotFoundError(f"There is no entity {entity_id}", where=entity_id)


def geometries(attributes: Mapping[str, Attribute]) -> list[tuple[str, Json]]:
    """Every geometry of an entity's own GeoProperties, with its attribute's name."""
    return [
        (name, one["value"])
        for name, value in attributes.items()
        for one in (value if type(value) is list else (value,))
        if one["type"] == "GeoProperty"
    ]


def create(entity: Entity) -> Mutation:
    """Clause 5.6.1: the entity comes to be; refused where it is."""
    body = encode(entity.document(), entity.id)

    def change(current: Stored | None, _at_ms: int) -> Outcome:
        if current is not None:
            return AlreadyExistsError(f"{entity.id} exists already", where=entity.id)
        return _created(entity, body)

    return Mutation(entity.id, change, entity.shapes)


def _created(entity: Entity, body: bytes, source_version: int | None = None) -> Effect:
    spots = geometries(entity.attributes) if any(shape & 4 for shape in entity.shapes.values()) else []
    return Effect(
        Op.CREATED,
        entity.types,
        body,
        body,
        geometries=spots,
        source_version=source_version,
        updated=tuple(entity.attributes),
    )


def replace(entity: Entity, *, if_missing_create: bool = False, source_version: int | None = None) -> Mutation:
    """Clauses 5.6.18 and 5.6.8 (replace): all attributes are exchanged; creation time stays."""
    said = encode(entity.document() if entity.types else entity.attributes, entity.id)
    whole = said if entity.types else b""

    def change(current: Stored | None, at_ms: int) -> Outcome:
        if current is None:
            return _created(entity, whole, source_version) if if_missing_create else missing(entity.id)
        if _outdated(current, source_version):
            return _unchanged(current)
        types = entity.types or current.types
        scope = entity.scope
        body = whole or orjson.dumps(document(entity.id, types, scope, entity.attributes))
        old = current.attributes()
        stamps = _stamps(current, old, entity.attributes, at_ms)
        spots = geometries(entity.attributes)
        return Effect(
            Op.REPLACED,
            types,
            body,
            body,
            stamps,
            None if spots == geometries(old) else spots,
            source_version,
            tuple(entity.attributes),
        )

    return Mutation(entity.id, change, entity.shapes)


def _outdated(current: Stored, source_version: int | None) -> bool:
    return (
        source_version is not None and current.source_version is not None and source_version <= current.source_version
    )


def _unchanged(current: Stored) -> Effect:
    """Nothing to write: the mirror holds this version or a later one already."""
    return Effect(Op.UPDATED, current.types, current.body, b"", current.stamps, None, current.source_version)


def upsert(entity: Entity, *, source_version: int | None = None) -> Mutation:
    """Clause 5.6.8 with options=update: created, or its attributes appended and overwritten."""
    body = encode(entity.document(), entity.id)

    def change(current: Stored | None, at_ms: int) -> Outcome:
        if current is None:
            return _created(entity, body, source_version)
        if _outdated(current, source_version):
            return _unchanged(current)
        return _appended(current, entity, at_ms, source_version=source_version)

    return Mutation(entity.id, change, entity.shapes)


def append(entity_id: str, fragment: Entity, *, overwrite: bool = True) -> Mutation:
    """Clause 5.6.3: attributes are added; those there already are replaced unless `overwrite` is off."""
    encode(fragment.attributes, entity_id)

    def change(current: Stored | None, at_ms: int) -> Outcome:
        if current is None:
            return missing(entity_id)
        return _appended(current, fragment, at_ms, overwrite=overwrite)

    return Mutation(entity_id, change, fragment.shapes)


def _appended(
    current: Stored, fragment: Entity, at_ms: int, *, overwrite: bool = True, source_version: int | None = None
) -> Effect:
    old = current.attributes()
    new = dict(old)
    refused: list[tuple[str, str]] = []
    for name, value in fragment.attributes.items():
        if overwrite or name not in old:
            _put(new, name, value)
            continue
        merged, held = _only_new_instances(old[name], value)
        if merged is None:
            refused.append((name, f"{name} exists already"))
        else:
            new[name] = merged
            del held
    return _effect(current, old, new, fragment, at_ms, refused, source_version)


def _only_new_instances(old: Attribute, value: Attribute) -> tuple[Attribute | None, int]:
    if value is None:
        return None, 0
    there = instances(old)
    fresh = {dataset: one for dataset, one in instances(value).items() if dataset not in there}
    return (packed(there | fresh) if fresh else None), len(fresh)


def update(entity_id: str, fragment: Entity) -> Mutation:
    """Clause 5.6.2: attributes that are there are replaced; the others are told as not updated."""
    encode(fragment.attributes, entity_id)

    def change(current: Stored | None, at_ms: int) -> Outcome:
        if current is None:
            return missing(entity_id)
        old = current.attributes()
        new = dict(old)
        refused: list[tuple[str, str]] = []
        for name, value in fragment.attributes.items():
            if name in old:
                _put(new, name, value)
            else:
                refused.append((name, f"{entity_id} has no attribute {name}"))
        return _effect(current, old, new, fragment, at_ms, refused)

    return Mutation(entity_id, change, fragment.shapes)


def merge(entity_id: str, fragment: Entity) -> Mutation:
    """Clause 5.6.17: JSON merge patch over entity, attributes and sub-attributes; `urn:ngsi-ld:null` deletes."""
    encode(fragment.attributes, entity_id)

    def change(current: Stored | None, at_ms: int) -> Outcome:
        if current is None:
            return missing(entity_id)
        old = current.attributes()
        new = dict(old)
        for name, value in fragment.attributes.items():
            merged = _merged_attribute(old.get(name), value)
            if merged is None:
                new.pop(name, None)
            else:
                new[name] = merged
        return _effect(current, old, new, fragment, at_ms, [])

    return Mutation(entity_id, change, fragment.shapes)


def _merged_attribute(old: Attribute, value: Attribute) -> Attribute:
    if value is None:
        return None
    there = instances(old) if old is not None else {}
    for dataset, one in instances(value).items():
        before = there.get(dataset)
        said = _patched(before, one) if before is not None and _same_kind(before, one) else _without_nulls(one)
        if said is None:
            there.pop(dataset, None)
        else:
            there[dataset] = said
    return packed(there)


def _same_kind(before: Json, one: Json) -> bool:
    return bool(one.get("type", before["type"]) == before["type"])


def _patched(before: Json, one: Json) -> Json:
    """RFC 7396 with NGSI-LD's null; None where the instance's own value is deleted."""
    said = dict(before)
    for member, value in one.items():
        if value == NULL or value is None:
            if member in _VALUES:
                return None
            said.pop(member, None)
        elif isinstance(value, dict) and isinstance(said.get(member), dict) and "coordinates" not in value:
            inner = _patched_inside(said[member], value)
            said[member] = inner
        else:
            said[member] = _without_nulls(value)
    return said


def _patched_inside(before: dict[str, Json], patch: dict[str, Json]) -> dict[str, Json]:
    said = dict(before)
    for member, value in patch.items():
        if value == NULL or value is None:
            said.pop(member, None)
        elif isinstance(value, dict) and isinstance(said.get(member), dict) and "coordinates" not in value:
            said[member] = _patched_inside(said[member], value)
        else:
            said[member] = _without_nulls(value)
    return said


def _without_nulls(value: Json) -> Json:
    if not isinstance(value, dict):
        return value
    if any(value.get(member) == NULL for member in _VALUES):
        return None
    kept = {member: _without_nulls(one) for member, one in value.items() if one != NULL}
    return {member: one for member, one in kept.items() if one is not None}


_VALUES = ("value", "object", "languageMap", "vocab", "valueList", "objectList", "json")


def partial(entity_id: str, name: str, fragment: Entity) -> Mutation:
    """Clause 5.6.4: members of one attribute instance are exchanged, the others stay."""
    encode(fragment.attributes, entity_id)
    patch = fragment.attributes[name]

    def change(current: Stored | None, at_ms: int) -> Outcome:
        if current is None:
            return missing(entity_id)
        old = current.attributes()
        if name not in old:
            return ResourceNotFoundError(f"{entity_id} has no attribute {name}", where=name)
        there = instances(old[name])
        return _partially(current, old, there, patch, at_ms)

    def _partially(
        current: Stored, old: dict[str, Attribute], there: dict[str, Json], patch: Attribute, at_ms: int
    ) -> Outcome:
        new = dict(old)
        if patch is None:
            new.pop(name)
            return _effect(current, old, new, fragment, at_ms, [])
        dataset = patch.get("datasetId", "")
        if dataset not in there:
            return ResourceNotFoundError(f"{name} has no instance {dataset or 'without datasetId'}", where=name)
        before = there[dataset]
        if not _same_kind(before, patch):
            return BadRequestDataError(f"{name} is a {before['type']}, not a {patch['type']}", where=name)
        said = _patched(before, {k: v for k, v in patch.items() if not isinstance(v, dict)})
        if said is not None:
            said |= {k: v for k, v in patch.items() if isinstance(v, dict)}
            there[dataset] = said
        else:
            there.pop(dataset)
        _replace_or_drop(new, name, packed(there))
        return _effect(current, old, new, fragment, at_ms, [])

    return Mutation(entity_id, change, fragment.shapes)


def replace_attribute(entity_id: str, name: str, fragment: Entity) -> Mutation:
    """Clause 5.6.19: one attribute (or the instance with its datasetId) is replaced."""
    encode(fragment.attributes, entity_id)

    def change(current: Stored | None, at_ms: int) -> Outcome:
        if current is None:
            return missing(entity_id)
        old = current.attributes()
        if name not in old:
            return ResourceNotFoundError(f"{entity_id} has no attribute {name}", where=name)
        new = dict(old)
        _put(new, name, fragment.attributes[name])
        return _effect(current, old, new, fragment, at_ms, [])

    return Mutation(entity_id, change, fragment.shapes)


def delete_attribute(entity_id: str, name: str, *, dataset: str = "", every: bool = False) -> Mutation:
    """Clause 5.6.5: one instance (the default one, or that of `dataset`), or every one, goes."""

    def change(current: Stored | None, at_ms: int) -> Outcome:
        if current is None:
            return missing(entity_id)
        old = current.attributes()
        there = instances(old[name]) if name in old else {}
        if not there or (not every and dataset not in there):
            return ResourceNotFoundError(f"{entity_id} has no attribute {name} {dataset}".rstrip(), where=name)
        there.pop(dataset, None)
        new = dict(old)
        _replace_or_drop(new, name, None if every else packed(there))
        return _effect(current, old, new, Entity("", (), {name: None}), at_ms, [])

    return Mutation(entity_id, change)


def delete(entity_id: str) -> Mutation:
    """Clause 5.6.6: the entity goes; its history stays for as long as history is kept."""

    def change(current: Stored | None, _at_ms: int) -> Outcome:
        if current is None:
            return missing(entity_id)
        return Effect(Op.DELETED, current.types, None, b"{}", {}, [])

    return Mutation(entity_id, change)


def ingest(fragment: Entity) -> Mutation:
    """A reading: creates or appends like `upsert`, but never lets an older observation overwrite a newer one."""
    body = encode(fragment.document(), fragment.id)

    def change(current: Stored | None, at_ms: int) -> Outcome:
        if current is None:
            return _created(fragment, body)
        old = current.attributes()
        late = {name for name, value in fragment.attributes.items() if _older(value, old.get(name))}
        if late and late == set(fragment.attributes):
            changed = encode(fragment.attributes, fragment.id)
            return Effect(Op.LATE, current.types, current.body, changed, current.stamps, None, current.source_version)
        timely = {name: value for name, value in fragment.attributes.items() if name not in late}
        return _appended(current, Entity(fragment.id, fragment.types, timely, {}, fragment.scope), at_ms)

    return Mutation(fragment.id, change, fragment.shapes)


def _older(value: Attribute, old: Attribute) -> bool:
    if type(value) is not dict or type(old) is not dict:
        return False
    new_at, old_at = value.get("observedAt"), old.get("observedAt")
    if new_at is None or old_at is None:
        return False
    return _sortable(new_at) < _sortable(old_at)


def _sortable(text: str) -> str:
    """UTC texts compare as text once the Z is gone: `…00` < `…00.5`."""
    return text.rstrip("Z")


def instances(value: Attribute) -> dict[str, Json]:
    """An attribute's instances by datasetId; the default one under the empty string."""
    listed = value if type(value) is list else [value]
    return {one.get("datasetId", ""): one for one in listed if one is not None}


def packed(there: dict[str, Json]) -> Attribute:
    """The other way: one instance alone, several as a list, none as None."""
    if len(there) == 1:
        return next(iter(there.values()))
    return list(there.values()) if there else None


def _put(new: dict[str, Attribute], name: str, value: Attribute) -> None:
    """Replaces the instances given, leaves those of other datasetIds; a null deletes the attribute."""
    before = new.get(name)
    if (
        value is None
        or before is None
        or (type(value) is dict and type(before) is dict and _same_dataset(value, before))
    ):
        said = value if value is None else _given(value)
    else:
        said = packed(instances(before) | instances(value))
    _replace_or_drop(new, name, said)


def _given(value: Attribute) -> Attribute:
    if type(value) is list:
        return packed({k: kept for k, one in instances(value).items() if (kept := _without_nulls(one)) is not None})
    return _without_nulls(value) if _holds_null(value) else value


def _holds_null(value: dict[str, Json]) -> bool:
    return any(one == NULL for one in value.values() if type(one) is str)


def _same_dataset(a: dict[str, Json], b: dict[str, Json]) -> bool:
    return bool(a.get("datasetId") == b.get("datasetId"))


def _replace_or_drop(new: dict[str, Attribute], name: str, value: Attribute) -> None:
    if value is None:
        new.pop(name, None)
    else:
        new[name] = value


def _effect(
    current: Stored,
    old: dict[str, Attribute],
    new: dict[str, Attribute],
    fragment: Entity,
    at_ms: int,
    refused: list[tuple[str, str]],
    source_version: int | None = None,
) -> Effect:
    kept_out = {name for name, _ in refused}
    touched = tuple(name for name in fragment.attributes if name not in kept_out)
    types = tuple(dict.fromkeys((*current.types, *fragment.types)))
    scope = _next_scope(current, fragment)
    body = orjson.dumps(document(current.id, types, scope, new))
    changed = orjson.dumps({name: new.get(name) for name in touched})
    moved = any(_is_geo(new.get(name)) or _is_geo(old.get(name)) for name in touched)
    spots = geometries(new) if moved else None
    if spots is not None and spots == geometries(old):
        spots = None
    stamps = _stamps(current, old, new, at_ms, touched)
    said_version = source_version if source_version is not None else current.source_version
    return Effect(Op.UPDATED, types, body, changed, stamps, spots, said_version, touched, tuple(refused))


def _next_scope(current: Stored, fragment: Entity) -> Json:
    if fragment.scope == NULL:
        return None
    if fragment.scope is not None:
        return fragment.scope
    return current.document().get("scope") if b'"scope"' in current.body else None


def _is_geo(value: Attribute) -> bool:
    listed = value if type(value) is list else (value,)
    return any(one is not None and one["type"] == "GeoProperty" for one in listed)


def _stamps(
    current: Stored,
    old: dict[str, Attribute],
    new: dict[str, Attribute],
    at_ms: int,
    touched: tuple[str, ...] | None = None,
) -> dict[str, list[int]]:
    """System attributes of the instances after a change; those equal to the entity's creation are left out."""
    stamps = dict(current.stamps)
    for name in new if touched is None else touched:
        before = instances(old[name]) if name in old else {}
        after = instances(new[name]) if name in new else {}
        for dataset in before.keys() | after.keys():
            label = name + _DATASET + dataset if dataset else name
            if dataset not in after:
                stamps.pop(label, None)
            elif before.get(dataset) is not after[dataset]:
                born = stamps.get(label, [current.created_ms])[0] if dataset in before else at_ms
                stamps[label] = [born, at_ms]
    if touched is None:
        gone = old.keys() - new.keys()
        stamps = {label: value for label, value in stamps.items() if label.partition(_DATASET)[0] not in gone}
    return stamps


def stamp_of(stored: Stored, name: str, instance: Mapping[str, Any]) -> tuple[int, int]:  # Any: JSON
    """When an attribute instance was created and last modified, ms since 1970."""
    dataset = instance.get("datasetId", "")
    label = name + _DATASET + dataset if dataset else name
    created, modified = stored.stamps.get(label, (stored.created_ms, stored.created_ms))
    return created, modified
