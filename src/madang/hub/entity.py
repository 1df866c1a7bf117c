"""Entities as clients send them → entities as the store keeps them: checked, and in canonical names. Pure.

Kept form: normalized NGSI-LD under the core @context, without system attributes; `type` is a string or, for several
types, a list. Normalized, concise and simplified representations are taken (clauses 4.5.1–4.5.4, 4.5.17, 4.5.20).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import IntFlag
from functools import lru_cache
from typing import Any

from madang.hub.contexts.context import Context
from madang.hub.errors import BadRequestDataError
from madang.hub.names import is_uri

Json = Any  # Any: JSON as it came
Attribute = Any  # Any: one instance (dict) or several (list of dict), or None for one that is to be deleted

NULL = "urn:ngsi-ld:null"
"""Means "delete this" in merge and update requests (clause 4.5.0)."""


class Shape(IntFlag):
    """What kinds of values an attribute has ever had: the query builder tests only for those."""

    PROPERTY = 1
    RELATIONSHIP = 2
    GEO = 4
    LANGUAGE = 8
    VOCAB = 16
    LIST = 32
    OBJECT_LIST = 64
    JSON = 128
    MULTI = 256
    ARRAY = 512
    TYPED = 1024
    """A JSON-LD value object: the value lies in its `@value`."""


VALUE_MEMBER = {
    "Property": "value",
    "Relationship": "object",
    "GeoProperty": "value",
    "LanguageProperty": "languageMap",
    "VocabProperty": "vocab",
    "ListProperty": "valueList",
    "ListRelationship": "objectList",
    "JsonProperty": "json",
}
SHAPES = {
    "Property": 1,
    "Relationship": 2,
    "GeoProperty": 4,
    "LanguageProperty": 8,
    "VocabProperty": 16,
    "ListProperty": 32,
    "ListRelationship": 64,
    "JsonProperty": 128,
}
_CONCISE = {
    "object": "Relationship",
    "languageMap": "LanguageProperty",
    "vocab": "VocabProperty",
    "valueList": "ListProperty",
    "objectList": "ListRelationship",
    "json": "JsonProperty",
    "value": "Property",
}
_POSITIONS = {"Point": 0, "MultiPoint": 1, "LineString": 1, "MultiLineString": 2, "Polygon": 2, "MultiPolygon": 3}
GEOMETRIES = frozenset({*_POSITIONS, "GeometryCollection"})
_VALUES = frozenset(VALUE_MEMBER.values())
_SIMPLIFIED = {member: kind for member, kind in _CONCISE.items() if member not in ("object", "value")}
_PREVIOUS = frozenset(
    {
        "previousValue",
        "previousObject",
        "previousLanguageMap",
        "previousVocab",
        "previousJson",
        "previousValueList",
        "previousObjectList",
    }
)
_DROPPED = frozenset({"createdAt", "modifiedAt", "deletedAt", "@context"})
_UNREAD = _DROPPED | _PREVIOUS | {"instanceId"}
"""Output only members of attributes: ignored where they are given (clause 5.2.5)."""
HEAD = _DROPPED | {"id", "@id", "type", "@type", "scope", "expiresAt"}
"""Members of an entity that are no attributes."""
_LINKED = frozenset({"entity", "entityList"})
"""Entities shown inside a relationship by `join` (clause 4.5.23); never part of it."""
_UNITLESS = frozenset({"Relationship", "ListRelationship", "LanguageProperty", "VocabProperty"})
_TEXT_MEMBERS = frozenset({"unitCode"})
_NAME_MEMBERS = frozenset({"objectType", "valueType"})
PROOF = "ngsildproof"
"""A seal over the attribute (1.9, clause 4.5.2.2): kept as it came, for any change would break it."""
_METADATA = frozenset({"type", "unitCode", "observedAt", "datasetId", "expiresAt", "objectType", "valueType", PROOF})
_RESERVED = _METADATA | _VALUES | _UNREAD | _LINKED
_LANGUAGE = re.compile(r"(?:@none|[A-Za-z]{1,8}(?:-[A-Za-z0-9]{1,8})*)\Z")
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)\Z")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MAX_GEOMETRIES = 16


@dataclass(slots=True)
class Entity:
    """A checked entity or fragment in kept form. In fragments `id` and `types` may be empty."""

    id: str
    types: tuple[str, ...]
    attributes: dict[str, Attribute]
    shapes: Mapping[str, int] = field(default_factory=dict)
    scope: Json = None
    expires_at: Json = None
    """When the entity itself expires (clause 4.22): a DateTime, None where not said, NULL where taken back."""
    expires_ms: int | None = None
    """The first expiry of the entity and of its attribute instances, ms since 1970."""

    def document(self) -> dict[str, Json]:
        """The kept form as one object."""
        return document(self.id, self.types, self.scope, self.attributes, self.expires_at)


def document(
    entity_id: str, types: tuple[str, ...], scope: Json, attributes: dict[str, Attribute], expires_at: Json = None
) -> dict[str, Json]:
    """Id, type, scope and expiry first, then the attributes as they came."""
    head: dict[str, Json] = {"id": entity_id, "type": types[0] if len(types) == 1 else list(types)}
    if scope is not None:
        head["scope"] = scope
    if expires_at is not None:
        head["expiresAt"] = expires_at
    return head | attributes


def read_entity(raw: Json, names: Context, *, simplified: bool = False, max_depth: int = 64) -> Entity:
    """A whole entity (clause 5.2.4): id and type are there, nothing is null; raises `BadRequestDataError`."""
    entity = read_fragment(raw, names, simplified=simplified, max_depth=max_depth)
    if not entity.id:
        raise BadRequestDataError("An entity needs an id", where="id", hint="Give a URI, e.g. urn:ngsi-ld:Sensor:1")
    if not entity.types:
        raise BadRequestDataError("An entity needs a type", where="type")
    return entity


def read_fragment(
    raw: Json,
    names: Context,
    *,
    simplified: bool = False,
    max_depth: int = 64,
    nulls: bool = False,
    values_needed: bool = True,
) -> Entity:
    """Part of an entity (clause 5.2.4 without the obligation of id and type); raises `BadRequestDataError`.

    `nulls` takes NGSI-LD Nulls (clauses 5.5.8 and 5.5.12); without `values_needed` an attribute may be a fragment too.
    """
    if not isinstance(raw, dict):
        raise BadRequestDataError("An entity is a JSON object", where="body")
    return _Reader(names, simplified, max_depth, nulls, 0 if values_needed else max_depth).entity(raw)


def read_attribute(
    raw: Json, name: str, names: Context, *, simplified: bool = False, max_depth: int = 64, partial: bool = False
) -> Entity:
    """One attribute given by itself (clauses 5.6.4, 5.6.19), as a fragment that holds only it."""
    reader = _Reader(names, simplified, max_depth, partial, 2 if partial else 0)
    canonical = names.canonical(name)
    value = reader.attribute(canonical, raw)
    return Entity("", (), {canonical: value}, reader.shapes, expires_ms=reader.expires_ms)


def is_tombstone(instance: Json) -> bool:
    """Whether an instance in a change stands for one that was deleted: its value is the NGSI-LD Null."""
    return isinstance(instance, dict) and instance.get(VALUE_MEMBER.get(instance.get("type", ""), "")) == NULL


def tombstone(instance: Mapping[str, Json]) -> dict[str, Json]:
    """What stands in a change for a deleted instance of an attribute that has others."""
    kind = instance["type"]
    said = {"type": kind, VALUE_MEMBER[kind]: NULL}
    return said | {"datasetId": instance["datasetId"]} if "datasetId" in instance else said


def incomplete(instance: Mapping[str, Json], path: str) -> str | None:
    """Where an attribute instance made of fragments lacks its kind or value, itself or below; None where nowhere."""
    own = VALUE_MEMBER.get(instance.get("type", ""))
    if own not in instance:
        return path
    for member, value in instance.items():
        if member == own or member in _METADATA:
            continue
        for one in value if type(value) is list else (value,):
            if type(one) is dict and (lacking := incomplete(one, f"{path}.{member}")) is not None:
                return lacking
    return None


def sub_attributes(instance: Mapping[str, Json]) -> Iterator[tuple[str, str, dict[str, Json]]]:
    """The attributes of an attribute instance: member, datasetId ("" for the default instance), sub-instance."""
    own = VALUE_MEMBER.get(instance["type"])
    for member, value in instance.items():
        if member == own or member in _METADATA:
            continue
        for one in value if type(value) is list else (value,):
            if type(one) is dict and "type" in one:
                yield member, one.get("datasetId", ""), one


def check_id(value: Json) -> str:
    """The id, if it is a URI (clause 5.2.4); raises `BadRequestDataError`."""
    if not is_uri(value):
        raise BadRequestDataError(
            f"The id {str(value)[:80]!r} is not a URI", where="id", hint="e.g. urn:ngsi-ld:Sensor:1"
        )
    return str(value)


def instant(value: Json, where: str) -> str:
    """A DateTime (clause 4.6.3) as UTC text ending in Z; raises `BadRequestDataError`."""
    if isinstance(value, dict) and value.get("@type") == "DateTime":
        value = value.get("@value")
    if isinstance(value, str) and _is_instant(value):
        if value.endswith("Z"):
            return value.replace(",", ".")
        return datetime.fromisoformat(value).astimezone(UTC).isoformat().replace("+00:00", "Z")
    raise BadRequestDataError(
        f"{where} is {str(value)[:60]!r}, not a DateTime", where=where, hint="e.g. 2026-11-22T09:00:00Z"
    )


def instant_ms(text: str) -> int:
    """A kept DateTime as milliseconds since 1970, rounded down."""
    return (datetime.fromisoformat(text.replace(",", ".")) - _EPOCH) // timedelta(milliseconds=1)


@lru_cache(maxsize=4096)
def _is_instant(text: str) -> bool:
    if _INSTANT.match(text) is None:
        return False
    try:
        value = datetime.fromisoformat(text)
        return value.tzinfo is not None and value.astimezone(UTC) is not None
    except (ValueError, OverflowError):
        return False


class _Reader:
    """Walks one entity. Hot: kept flat, one dictionary lookup for each member."""

    __slots__ = ("_core", "_depth", "_loose", "_merging", "_names", "_nulls", "_simplified", "expires_ms", "shapes")

    def __init__(self, names: Context, simplified: bool, max_depth: int, nulls: bool, loose: int) -> None:
        self._names = names
        self._core = names.is_core
        self._simplified = simplified
        self._depth = max_depth
        self._nulls = nulls
        self._loose = loose
        self._merging = nulls and loose > 2
        self.shapes: dict[str, int] = {}
        self.expires_ms: int | None = None

    def entity(self, raw: dict[str, Json]) -> Entity:
        entity_id, scope, expires_at = "", None, None
        types: tuple[str, ...] = ()
        attributes: dict[str, Attribute] = {}
        known = self._names.known
        for key, value in raw.items():
            name = known.get(key) or self._member(key)
            if name not in HEAD:
                if name in attributes:
                    raise BadRequestDataError(f"{key!r} names an attribute that is there already", where=key)
                if value.__class__ is dict and _is_plain(value):
                    attributes[name] = value
                    self.shapes[name] = 1
                else:
                    attributes[name] = self.attribute(name, value)
            elif name in ("id", "@id"):
                entity_id = check_id(value)
            elif name in ("type", "@type"):
                types = self._types(value)
            elif name == "scope":
                scope = self._scope(value)
            elif name == "expiresAt":
                expires_at = self._expiry(value, "expiresAt")
        return Entity(entity_id, types, attributes, self.shapes, scope, expires_at, self.expires_ms)

    def _member(self, key: str) -> str:
        name = self._names.canonical(key) if key[:1] != "@" else key
        if name[:1] == "@" and name not in HEAD:
            raise BadRequestDataError(f"{key!r} cannot be an attribute name", where=key)
        return name

    def _types(self, value: Json) -> tuple[str, ...]:
        if value.__class__ is str and value and value != NULL:
            return (self._names.canonical(value),)
        listed = value if isinstance(value, list) else [value]
        if not listed or len(listed) > 64 or not all(isinstance(one, str) and one and one != NULL for one in listed):
            raise BadRequestDataError("type is a name or a list of names", where="type")
        return tuple(dict.fromkeys(self._names.canonical(one) for one in listed))

    def _scope(self, value: Json) -> Json:
        """A scope (clause 4.18): `/a/b` or a list of those."""
        if value == NULL and self._nulls:
            return NULL
        listed = value if isinstance(value, list) else [value]
        if not listed or not all(isinstance(one, str) and one and len(one) < 1024 and one != NULL for one in listed):
            raise BadRequestDataError("scope is a path like /Gimhae/Traffic or a list of those", where="scope")
        said = [one if one.startswith("/") else "/" + one for one in listed]
        return said if isinstance(value, list) else said[0]

    def _expiry(self, value: Json, where: str) -> str:
        if value == NULL and self._nulls:
            return NULL
        said = instant(value, where)
        at_ms = instant_ms(said)
        self.expires_ms = at_ms if self.expires_ms is None else min(self.expires_ms, at_ms)
        return said

    def attribute(self, name: str, raw: Json) -> Attribute:
        if raw.__class__ is dict:
            if _is_plain(raw):
                self.shapes[name] = self.shapes.get(name, 0) | 1
                return raw
            if (
                raw.get("type") == "Relationship"
                and raw.keys() == _POINTING
                and is_uri(raw["object"])
                and raw["object"] != NULL
            ):
                self.shapes[name] = self.shapes.get(name, 0) | 2
                return raw
        if type(raw) is list and self._several(raw):
            return self._instances(name, raw)
        if name[:1] == "@":
            raise BadRequestDataError(f"{name!r} cannot be an attribute name", where=name)
        if self._simplified and type(raw) is dict and raw.keys() == {"dataset"} and type(raw["dataset"]) is dict:
            return self._simplified_instances(name, raw["dataset"])
        return self._instance(name, raw, 2)

    @staticmethod
    def _several(raw: list[Json]) -> bool:
        """Whether a list is several instances, not a list value: each tells a value, and one tells kind or datasetId.

        Among concise instances the default one may be a bare value (clause 4.5.5).
        """
        told = [one for one in raw if type(one) is dict and not _is_geometry(one)]
        if not told or not all(_reified(one) for one in told):
            return False
        if len(told) == len(raw):
            return any(has_kind(one) or "datasetId" in one for one in told)
        return len(told) == len(raw) - 1 and all("datasetId" in one for one in told)

    def _simplified_instances(self, name: str, listed: dict[str, Json]) -> Attribute:
        """Several instances in the simplified representation (clause 4.5.4): values by datasetId."""
        found: list[Json] = []
        for dataset, value in listed.items():
            one = self._instance(name, value, 2)
            if one is None:
                raise BadRequestDataError(f"{name} has a null among its instances", where=name)
            found.append(one if dataset == "@none" else one | {"datasetId": _dataset(dataset, name)})
        if not found:
            raise BadRequestDataError(f"{name} has no instance", where=name)
        if len(found) > 1:
            self.shapes[name] |= Shape.MULTI
        return found if len(found) > 1 else found[0]

    def _instances(self, name: str, raw: list[dict[str, Json]]) -> Attribute:
        found: dict[str, Json] = {}
        for one in raw:
            instance = self._instance(name, one, 2)
            if instance is None:
                raise BadRequestDataError(f"{name} has a null among its instances", where=name)
            dataset = instance.get("datasetId", "")
            if dataset in found:
                said = dataset or "the default one"
                raise BadRequestDataError(
                    f"{name} has two instances for {said}", where=name, hint="Give each a datasetId"
                )
            found[dataset] = instance
        if len(found) == 1:
            return next(iter(found.values()))
        self.shapes[name] = self.shapes.get(name, 0) | Shape.MULTI
        return list(found.values())

    def _instance(self, name: str, raw: Json, depth: int) -> Json:
        if type(raw) is not dict:
            return self._bare(name, raw, depth)
        kind = raw.get("type")
        if kind.__class__ is not str or (member := VALUE_MEMBER.get(kind)) is None:
            return self._untyped(name, raw, depth)
        return self._reified(name, raw, kind, member, depth)

    def _reified(self, name: str, raw: dict[str, Json], kind: str, member: str, depth: int) -> Json:
        if depth > self._depth:
            raise BadRequestDataError(f"{name} nests deeper than {self._depth} levels", where=name)
        instance: dict[str, Json] = {"type": kind} if kind else {}
        found = False
        for key, value in raw.items():
            if key == member and kind:
                found = True
                instance[key] = self._value(name, kind, value, depth)
            elif key == "type":
                continue
            elif key == "observedAt":
                instance[key] = NULL if self._nulls and value == NULL else instant(value, f"{name}.observedAt")
            else:
                self._other(instance, name, key, value, depth)
        if found and depth == 2:
            self._note(name, kind, instance[member])
            if "datasetId" in instance:  # another instance may come with another write
                self.shapes[name] |= 256
        elif not found and depth > self._loose:
            raise BadRequestDataError(f"The {kind} {name} has no {member}", where=name)
        return instance

    def _note(self, name: str, kind: str, value: Json) -> None:
        shape = SHAPES[kind]
        if type(value) is list:
            shape |= 512
        elif type(value) is dict and "@value" in value:
            shape |= 1024
        self.shapes[name] = self.shapes.get(name, 0) | shape

    def _other(self, instance: dict[str, Json], name: str, key: str, value: Json, depth: int) -> None:
        member = key if key[:1] == "@" else self._names.canonical(key)
        if member in _UNREAD:
            return
        if member in _LINKED or (member == "unitCode" and instance.get("type") in _UNITLESS):
            if member in _LINKED and instance.get("type") in ("Relationship", "ListRelationship"):
                return
            raise BadRequestDataError(f"{name} may not have the member {key!r}", where=f"{name}.{key}")
        if member == "datasetId":
            if value != "@none":
                instance[member] = _dataset(value, name)
        elif self._nulls and value == NULL:
            instance[member] = NULL
        elif member in _TEXT_MEMBERS:
            if not isinstance(value, str) or not value or value == NULL:
                raise BadRequestDataError(f"{name}.{member} is text", where=f"{name}.{member}")
            instance[member] = value
        elif member in _NAME_MEMBERS:
            instance[member] = self._vocabulary(value, f"{name}.{member}")
        elif member == "expiresAt":
            instance[member] = self._expiry(value, f"{name}.expiresAt") if depth == 2 else instant(value, name)
        elif member in _VALUES or member[:1] == "@":
            raise BadRequestDataError(f"{name} may not have the member {key!r} beside its own value", where=name)
        elif member == PROOF:
            _bounded(value, self._depth - depth, name)
            instance[member] = value
        else:
            instance[member] = self._sub_attribute(f"{name}.{key}", value, depth)

    def _sub_attribute(self, path: str, value: Json, depth: int) -> Json:
        if type(value) is list and self._several(value):
            read = [self._instance(path, one, depth + 1) for one in value]
            if None in read:
                raise BadRequestDataError(f"{path} has a null among its instances", where=path)
            if len({one.get("datasetId", "") for one in read}) < len(read):
                raise BadRequestDataError(f"{path} has two instances for one datasetId", where=path)
            return read if len(read) > 1 else read[0]
        return self._instance(path, value, depth + 1)

    def _bare(self, name: str, value: Json, depth: int) -> Json:
        """A scalar or list standing for a Property's value: concise and simplified forms."""
        if value is None:
            raise BadRequestDataError(f"{name} is null", where=name, hint=f"To delete it, merge with {NULL!r}")
        if value == NULL and self._nulls:
            return None
        instance = {"type": "Property", "value": self._value(name, "Property", value, depth)}
        if depth == 2:
            self._note(name, "Property", instance["value"])
        return instance

    def _untyped(self, name: str, raw: dict[str, Json], depth: int) -> Json:
        if _is_geometry(raw):
            return self._reified(name, {"value": raw}, "GeoProperty", "value", depth)
        if self._simplified:
            return self._simple(name, raw, depth)
        if "@value" in raw:
            return self._reified(name, {"value": raw}, "Property", "value", depth)
        kind = raw.get("type", raw.get("@type"))
        if kind is not None:
            said = str(kind)[:40]
            raise BadRequestDataError(f"{said!r} is not a kind of attribute", where=f"{name}.type", hint=_KINDS_HINT)
        for member, concise in _CONCISE.items():
            if member in raw:
                geo = concise == "Property" and _is_geometry(raw[member])
                return self._reified(name, raw, "GeoProperty" if geo else concise, member, depth)
        if depth <= self._loose:
            return self._reified(name, raw, "", "", depth)
        if raw and not raw.keys() & _RESERVED:  # concise: the value of a Property without sub-attributes (4.5.2.3)
            return self._reified(name, {"value": raw}, "Property", "value", depth)
        raise BadRequestDataError(f"{name} has neither type nor value", where=name, hint=_KINDS_HINT)

    def _simple(self, name: str, raw: dict[str, Json], depth: int) -> Json:
        """An object in the simplified representation (clause 4.5.4): a value member alone tells the kind."""
        if len(raw) == 1 and (kind := _SIMPLIFIED.get(next(iter(raw)))) is not None:
            return self._reified(name, raw, kind, VALUE_MEMBER[kind], depth)
        return self._reified(name, {"value": raw}, "Property", "value", depth)

    def _value(self, name: str, kind: str, value: Json, depth: int) -> Json:
        if value.__class__ is str and value == NULL:
            if self._nulls:
                return NULL
            raise BadRequestDataError(f"{name} is an NGSI-LD Null", where=name, hint="It deletes in merges and updates")
        if kind == "Property":
            if value.__class__ in _SCALARS:
                return value
            if value is None:
                raise BadRequestDataError(f"The value of {name} is null", where=name)
            return self._inside(name, value, depth)
        return getattr(self, _CHECKS[kind])(name, value, depth)

    def _object(self, name: str, value: Json, _depth: int) -> Json:
        if is_uri(value):
            return value
        if isinstance(value, list) and value and all(is_uri(one) and one != NULL for one in value):
            return value
        raise BadRequestDataError(f"The object of {name} is not a URI", where=name, hint="e.g. urn:ngsi-ld:Building:1")

    def _geometry(self, name: str, value: Json, _depth: int) -> Json:
        return check_geometry(value, name)

    def _language_map(self, name: str, value: Json, _depth: int) -> Json:
        if not isinstance(value, dict) or not value or not all(_language(said) for said in value.values()):
            raise BadRequestDataError(f"The languageMap of {name} maps language tags to text", where=name)
        if self._nulls and value == {"@none": NULL}:
            return NULL
        if not self._merging and NULL in value.values():
            raise BadRequestDataError(f"The languageMap of {name} holds an NGSI-LD Null", where=name)
        for tag in value:
            if _LANGUAGE.match(tag) is None:
                raise BadRequestDataError(
                    f"{tag[:40]!r} is no language tag", where=name, hint="RFC 5646, e.g. ko, en-GB"
                )
        return value

    def _vocab(self, name: str, value: Json, _depth: int) -> Json:
        return self._vocabulary(value, name)

    def _vocabulary(self, value: Json, where: str) -> Json:
        listed = value if isinstance(value, list) else [value]
        if not listed or not all(isinstance(one, str) and one and one != NULL for one in listed):
            raise BadRequestDataError(f"{where} is a name or a list of names", where=where)
        said = [self._names.canonical(one) for one in listed]
        return said if isinstance(value, list) else said[0]

    def _list(self, name: str, value: Json, depth: int) -> Json:
        if not isinstance(value, list):
            raise BadRequestDataError(f"The valueList of {name} is a list", where=name)
        return self._inside(name, value, depth)

    def _objects(self, name: str, value: Json, _depth: int) -> Json:
        if type(value) is not list:
            raise BadRequestDataError(f"The objectList of {name} is a list of URIs", where=name)
        listed = [one["object"] if type(one) is dict and one.keys() == {"object"} else one for one in value]
        if not all(is_uri(one) and one != NULL for one in listed):
            raise BadRequestDataError(f"The objectList of {name} is a list of URIs", where=name)
        return [{"object": one} for one in listed]

    def _json(self, name: str, value: Json, depth: int) -> Json:
        if value is None:
            raise BadRequestDataError(f"The json of {name} is null", where=name)
        _bounded(value, self._depth - depth, name)
        return value

    def _inside(self, name: str, value: Json, depth: int) -> Json:
        """A compound value: its depth is bounded, its member names are translated like any other."""
        if not self._core:
            return self._translated(name, value, depth)
        _bounded(value, self._depth - depth, name, nulls=self._merging)
        return value

    def _translated(self, name: str, value: Json, depth: int) -> Json:
        if depth > self._depth:
            raise BadRequestDataError(f"{name} nests deeper than {self._depth} levels", where=name)
        if isinstance(value, list):
            return [self._translated(name, one, depth + 1) for one in value]
        if not isinstance(value, dict):
            if value == NULL and not self._merging:
                raise BadRequestDataError(f"The value of {name} holds an NGSI-LD Null", where=name)
            return value
        said = {}
        for key, inner in value.items():
            member = key if key[:1] == "@" else self._names.canonical(key)
            if member in ("type", "@type") and isinstance(inner, str) and inner:
                said[member] = self._names.canonical(inner)
            else:
                said[member] = self._translated(name, inner, depth + 1)
        return said


_SCALARS = frozenset({str, int, float, bool})
_KINDS_HINT = "A kind is one of " + ", ".join(VALUE_MEMBER) + "; simplified input needs options=keyValues"
_CHECKS = {
    "Relationship": "_object",
    "GeoProperty": "_geometry",
    "LanguageProperty": "_language_map",
    "VocabProperty": "_vocab",
    "ListProperty": "_list",
    "ListRelationship": "_objects",
    "JsonProperty": "_json",
}


def has_kind(value: Json) -> bool:
    """Whether a value is an attribute instance that says its kind."""
    return isinstance(value, dict) and isinstance(value.get("type"), str) and value["type"] in VALUE_MEMBER


def _reified(one: dict[str, Json]) -> bool:
    return has_kind(one) or any(member in one for member in _CONCISE)


def _is_geometry(value: Json) -> bool:
    return (
        isinstance(value, dict)
        and isinstance(value.get("type"), str)
        and value["type"] in GEOMETRIES
        and ("coordinates" in value or "geometries" in value)
    )


def _language(said: Json) -> bool:
    return isinstance(said, str) or (isinstance(said, list) and all(isinstance(one, str) for one in said))


_POINTING = frozenset({"type", "object"})


def _is_plain(raw: dict[str, Json]) -> bool:
    """Whether a Property is already in kept form: most are, and then nothing is copied (halves reading, measured).

    Members are counted instead of looked at: kind, value and the two that a plain Property may have must be all.
    """
    if raw.get("type") != "Property":
        return False
    value, unit, observed = raw.get("value"), raw.get("unitCode"), raw.get("observedAt")
    if value.__class__ not in _SCALARS or value == NULL:
        return False
    if len(raw) != 2 + (unit is not None) + (observed is not None):
        return False
    if unit is not None and (unit.__class__ is not str or not unit or unit == NULL):
        return False
    return observed is None or is_kept_instant(observed)


def is_kept_instant(value: Json) -> bool:
    """Whether it is a DateTime as it is kept: UTC text ending in Z."""
    return value.__class__ is str and value[-1:] == "Z" and value[19:20] != "," and _is_instant(value)


def _dataset(value: Json, name: str) -> str:
    if not is_uri(value) or value == NULL:
        raise BadRequestDataError(f"The datasetId of {name} is not a URI", where=f"{name}.datasetId")
    return str(value)


def _bounded(value: Json, left: int, name: str, *, nulls: bool = True) -> None:
    if left < 0:
        raise BadRequestDataError(f"{name} nests too deep", where=name)
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, list):
        return
    for one in value:
        if type(one) is dict or type(one) is list:
            _bounded(one, left - 1, name, nulls=nulls)
        elif one == NULL and not nulls:
            raise BadRequestDataError(f"The value of {name} holds an NGSI-LD Null", where=name)


def check_geometry(value: Json, name: str, *, collected: bool = False) -> Json:
    """A GeoJSON geometry (RFC 7946) with believable WGS84 positions; raises `BadRequestDataError`."""
    if not isinstance(value, dict):
        raise BadRequestDataError(f"{name} is not a GeoJSON geometry", where=name)
    kind = value.get("type")
    if kind == "GeometryCollection":
        members = value.get("geometries")
        if not isinstance(members, list) or not members or collected:
            wrong = "has a GeometryCollection within another" if collected else "is an empty GeometryCollection"
            raise BadRequestDataError(f"{name} {wrong}", where=name, hint="RFC 7946, 3.1.8")
        for one in members:
            check_geometry(one, name, collected=True)
        return value
    if not isinstance(kind, str) or kind not in _POSITIONS:
        raise BadRequestDataError(f"{name} has the geometry type {str(kind)[:40]!r}", where=name, hint="RFC 7946, 3.1")
    coordinates = value.get("coordinates")
    _positions(coordinates, _POSITIONS[kind], name)
    _closed(kind, coordinates, name)
    return value


def _positions(coordinates: Json, depth: int, name: str) -> None:
    if not isinstance(coordinates, list) or not coordinates:
        raise BadRequestDataError(f"The coordinates of {name} are not a list", where=name)
    if depth:
        for inner in coordinates:
            _positions(inner, depth - 1, name)
        return
    if not 2 <= len(coordinates) <= 3 or not all(_number(one) for one in coordinates):
        raise BadRequestDataError(f"{name} has a position that is not [longitude, latitude]", where=name)
    lon, lat = coordinates[0], coordinates[1]
    if -180 <= lon <= 180 and -90 <= lat <= 90:
        return
    swapped = -180 <= lat <= 180 and -90 <= lon <= 90
    hint = "Longitude comes first: the two look swapped" if swapped else "Degrees, WGS84, longitude first"
    raise BadRequestDataError(f"{name} lies at [{lon}, {lat}], outside the world", where=name, hint=hint)


def _number(value: Json) -> bool:
    return (type(value) is float and math.isfinite(value)) or type(value) is int


def _closed(kind: str, coordinates: Json, name: str) -> None:
    if kind == "LineString" and len(coordinates) < 2:
        raise BadRequestDataError(f"{name} is a line of one position", where=name)
    if kind not in ("Polygon", "MultiPolygon"):
        return
    rings = coordinates if kind == "Polygon" else [ring for part in coordinates for ring in part]
    if not all(len(ring) >= 4 and ring[0] == ring[-1] for ring in rings):
        raise BadRequestDataError(
            f"{name} has a ring that is not closed", where=name, hint="Repeat the first position last"
        )
