"""Entities as clients send them → entities as the store keeps them: checked, and in canonical names. Pure.

Kept form: normalized NGSI-LD under the core @context, without system attributes; `type` is a string or, for several
types, a list. Normalized, concise and simplified representations are taken (clauses 4.5.1–4.5.4, 4.5.17, 4.5.20).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import UTC, datetime
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
_DROPPED = frozenset({"createdAt", "modifiedAt", "deletedAt", "@context", "instanceId"})
_TEXT_MEMBERS = frozenset({"unitCode"})
_NAME_MEMBERS = frozenset({"objectType", "valueType"})
MAX_GEOMETRIES = 16


@dataclass(slots=True)
class Entity:
    """A checked entity or fragment in kept form. In fragments `id` and `types` may be empty."""

    id: str
    types: tuple[str, ...]
    attributes: dict[str, Attribute]
    shapes: dict[str, int] = field(default_factory=dict)
    scope: Json = None

    def document(self) -> dict[str, Json]:
        """The kept form as one object."""
        return document(self.id, self.types, self.scope, self.attributes)


def document(entity_id: str, types: tuple[str, ...], scope: Json, attributes: dict[str, Attribute]) -> dict[str, Json]:
    """Id, type and scope first, then the attributes as they came."""
    head: dict[str, Json] = {"id": entity_id, "type": types[0] if len(types) == 1 else list(types)}
    if scope is not None:
        head["scope"] = scope
    return head | attributes


def read_entity(raw: Json, names: Context, *, simplified: bool = False, max_depth: int = 64) -> Entity:
    """A whole entity (clause 5.2.4): id and type are there, nothing is null; raises `BadRequestDataError`."""
    entity = read_fragment(raw, names, simplified=simplified, max_depth=max_depth, nulls=False)
    if not entity.id:
        raise BadRequestDataError("An entity needs an id", where="id", hint="Give a URI, e.g. urn:ngsi-ld:Sensor:1")
    if not entity.types:
        raise BadRequestDataError("An entity needs a type", where="type")
    return entity


def read_fragment(
    raw: Json, names: Context, *, simplified: bool = False, max_depth: int = 64, nulls: bool = True
) -> Entity:
    """Part of an entity (clause 5.2.4 without the obligation of id and type); raises `BadRequestDataError`."""
    if not isinstance(raw, dict):
        raise BadRequestDataError("An entity is a JSON object", where="body")
    return _Reader(names, simplified, max_depth, nulls).entity(raw)


def read_attribute(raw: Json, name: str, names: Context, *, simplified: bool = False, partial: bool = False) -> Entity:
    """One attribute given by itself (clauses 5.6.4, 5.6.19), as a fragment that holds only it."""
    reader = _Reader(names, simplified, 64, nulls=True)
    canonical = names.canonical(name)
    if partial and isinstance(raw, dict):
        value: Attribute = reader.partial(canonical, raw)
    else:
        value = reader.attribute(canonical, raw)
    return Entity("", (), {canonical: value}, reader.shapes)


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
            return value
        return datetime.fromisoformat(value).astimezone(UTC).isoformat().replace("+00:00", "Z")
    raise BadRequestDataError(
        f"{where} is {str(value)[:60]!r}, not a DateTime", where=where, hint="e.g. 2026-11-22T09:00:00Z"
    )


@lru_cache(maxsize=4096)
def _is_instant(text: str) -> bool:
    if len(text) > 40 or "T" not in text:
        return False
    try:
        value = datetime.fromisoformat(text)
        return value.tzinfo is not None and value.astimezone(UTC) is not None
    except (ValueError, OverflowError):
        return False


class _Reader:
    """Walks one entity. Hot: kept flat, one dictionary lookup for each member."""

    __slots__ = ("_core", "_depth", "_names", "_nulls", "_simplified", "shapes")

    def __init__(self, names: Context, simplified: bool, max_depth: int, nulls: bool) -> None:
        self._names = names
        self._core = names.is_core
        self._simplified = simplified
        self._depth = max_depth
        self._nulls = nulls
        self.shapes: dict[str, int] = {}

    def entity(self, raw: dict[str, Json]) -> Entity:
        entity_id, scope = "", None
        types: tuple[str, ...] = ()
        attributes: dict[str, Attribute] = {}
        canonical, known = self._names.canonical, self._names.known
        for key, value in raw.items():
            name = known.get(key) or (canonical(key) if key[:1] != "@" else key)
            if name in ("id", "@id"):
                entity_id = check_id(value)
            elif name in ("type", "@type"):
                types = self._types(value)
            elif name == "scope":
                scope = _scope(value)
            elif name in _DROPPED:
                continue
            elif name in attributes:
                raise BadRequestDataError(f"{key!r} names an attribute that is there already", where=key)
            else:
                attributes[name] = self.attribute(name, value)
        return Entity(entity_id, types, attributes, self.shapes, scope)

    def _types(self, value: Json) -> tuple[str, ...]:
        listed = value if isinstance(value, list) else [value]
        if not listed or len(listed) > 64 or not all(isinstance(one, str) and one for one in listed):
            raise BadRequestDataError("type is a name or a list of names", where="type")
        return tuple(dict.fromkeys(self._names.canonical(one) for one in listed))

    def attribute(self, name: str, raw: Json) -> Attribute:
        if type(raw) is dict and raw.keys() <= _PLAIN and raw.get("type") == "Property" and _is_plain(raw):
            self.shapes[name] = self.shapes.get(name, 0) | 1
            return raw
        if type(raw) is list and self._several(raw):
            return self._instances(name, raw)
        if name[:1] == "@":
            raise BadRequestDataError(f"{name!r} cannot be an attribute name", where=name)
        return self._instance(name, raw, 2)

    def _several(self, raw: list[Json]) -> bool:
        return bool(raw) and all(type(one) is dict and not _is_geometry(one) and _reified(one) for one in raw)

    def _instances(self, name: str, raw: list[dict[str, Json]]) -> Attribute:
        found: dict[str, Json] = {}
        for one in raw:
            instance = self._instance(name, one, 2)
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
        instance: dict[str, Json] = {"type": kind}
        found = False
        for key, value in raw.items():
            if key == member:
                found = True
                instance[key] = self._value(name, kind, value, depth)
            elif key == "type":
                continue
            elif key == "observedAt":
                instance[key] = NULL if self._nulls and value == NULL else instant(value, f"{name}.observedAt")
            else:
                self._other(instance, name, key, value, depth)
        if not found:
            raise BadRequestDataError(f"The {kind} {name} has no {member}", where=name)
        if depth == 2:
            self._note(name, kind, instance[member])
        return instance

    def _note(self, name: str, kind: str, value: Json) -> None:
        shape = SHAPES[kind]
        if type(value) is list:
            shape |= 512
        elif type(value) is dict and "@value" in value:
            shape |= 1024
        self.shapes[name] = self.shapes.get(name, 0) | shape

    def partial(self, name: str, raw: dict[str, Json]) -> Json:
        """An instance whose value may be missing (clause 5.6.4)."""
        instance: dict[str, Json] = {}
        kind = raw.get("type")
        if kind is None:
            kind = next((_CONCISE[key] for key in raw if key in _CONCISE), None)
            if kind == "Property" and _is_geometry(raw.get("value")):
                kind = "GeoProperty"
        elif not has_kind(raw):
            raise BadRequestDataError(f"{str(kind)[:40]!r} is not a kind of attribute", where=f"{name}.type")
        for key, value in raw.items():
            if key == "type":
                instance[key] = kind
            elif kind is not None and key == VALUE_MEMBER[kind]:
                instance[key] = self._value(name, kind, value, 2)
                self._note(name, kind, instance[key])
            elif key == "observedAt":
                instance[key] = NULL if value == NULL else instant(value, f"{name}.observedAt")
            else:
                self._other(instance, name, key, value, 2)
        return instance

    def _other(self, instance: dict[str, Json], name: str, key: str, value: Json, depth: int) -> None:
        member = key if key[:1] == "@" else self._names.canonical(key)
        if member in _DROPPED:
            return
        if self._nulls and value == NULL:
            instance[member] = NULL
        elif member == "datasetId":
            instance[member] = _dataset(value, name)
        elif member in _TEXT_MEMBERS:
            if not isinstance(value, str) or not value:
                raise BadRequestDataError(f"{name}.{member} is text", where=f"{name}.{member}")
            instance[member] = value
        elif member in _NAME_MEMBERS:
            instance[member] = self._vocabulary(value, f"{name}.{member}")
        elif member == "expiresAt":
            instance[member] = instant(value, f"{name}.expiresAt")
        elif member in VALUE_MEMBER.values() or member[:1] == "@":
            raise BadRequestDataError(f"{name} may not have the member {key!r} beside its own value", where=name)
        else:
            instance[member] = self._sub_attribute(f"{name}.{key}", value, depth)

    def _sub_attribute(self, path: str, value: Json, depth: int) -> Json:
        if type(value) is list and self._several(value):
            return [self._instance(path, one, depth + 1) for one in value]
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
        kind = raw.get("type", raw.get("@type"))
        if not self._simplified and kind is None:
            for member, concise in _CONCISE.items():
                if member in raw:
                    geo = concise == "Property" and _is_geometry(raw[member])
                    return self._reified(name, raw, "GeoProperty" if geo else concise, member, depth)
        if self._simplified:
            if set(raw) == {"languageMap"}:
                return self._reified(name, raw, "LanguageProperty", "languageMap", depth)
            return self._bare_object(name, raw, depth)
        if kind is not None:
            said = str(kind)[:40]
            raise BadRequestDataError(f"{said!r} is not a kind of attribute", where=f"{name}.type", hint=_KINDS_HINT)
        raise BadRequestDataError(f"{name} has neither type nor value", where=name, hint=_KINDS_HINT)

    def _bare_object(self, name: str, raw: dict[str, Json], depth: int) -> Json:
        return self._reified(name, {"value": raw}, "Property", "value", depth)

    def _value(self, name: str, kind: str, value: Json, depth: int) -> Json:
        if kind == "Property":
            if value.__class__ in _SCALARS:
                return value
            if value is None:
                raise BadRequestDataError(f"The value of {name} is null", where=name)
            return self._inside(name, value, depth)
        if value == NULL and self._nulls:
            return NULL
        return getattr(self, _CHECKS[kind])(name, value, depth)

    def _object(self, name: str, value: Json, _depth: int) -> Json:
        if is_uri(value):
            return value
        if isinstance(value, list) and value and all(is_uri(one) for one in value):
            return value
        raise BadRequestDataError(f"The object of {name} is not a URI", where=name, hint="e.g. urn:ngsi-ld:Building:1")

    def _geometry(self, name: str, value: Json, _depth: int) -> Json:
        return check_geometry(value, name)

    def _language_map(self, name: str, value: Json, _depth: int) -> Json:
        if isinstance(value, dict) and value and all(_language(said) for said in value.values()):
            return value
        raise BadRequestDataError(f"The languageMap of {name} maps language tags to text", where=name)

    def _vocab(self, name: str, value: Json, _depth: int) -> Json:
        return self._vocabulary(value, name)

    def _vocabulary(self, value: Json, where: str) -> Json:
        listed = value if isinstance(value, list) else [value]
        if not listed or not all(isinstance(one, str) and one for one in listed):
            raise BadRequestDataError(f"{where} is a name or a list of names", where=where)
        said = [self._names.canonical(one) for one in listed]
        return said if isinstance(value, list) else said[0]

    def _list(self, name: str, value: Json, depth: int) -> Json:
        if not isinstance(value, list):
            raise BadRequestDataError(f"The valueList of {name} is a list", where=name)
        return self._inside(name, value, depth)

    def _objects(self, name: str, value: Json, _depth: int) -> Json:
        listed = [one.get("object") if isinstance(one, dict) else one for one in value] if type(value) is list else []
        if type(value) is not list or not all(is_uri(one) for one in listed):
            raise BadRequestDataError(f"The objectList of {name} is a list of URIs", where=name)
        return [{"object": one} for one in listed]

    def _json(self, name: str, value: Json, depth: int) -> Json:
        if value is None:
            raise BadRequestDataError(f"The json of {name} is null", where=name)
        _bounded(value, self._depth - depth, name)
        return value

    def _inside(self, name: str, value: Json, depth: int) -> Json:
        """A compound value: its depth is bounded, its member names are translated like any other."""
        if self._core:
            _bounded(value, self._depth - depth, name)
            return value
        return self._translated(name, value, depth)

    def _translated(self, name: str, value: Json, depth: int) -> Json:
        if depth > self._depth:
            raise BadRequestDataError(f"{name} nests deeper than {self._depth} levels", where=name)
        if isinstance(value, list):
            return [self._translated(name, one, depth + 1) for one in value]
        if not isinstance(value, dict):
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
    return has_kind(one) or ("datasetId" in one and any(member in one for member in _CONCISE))


def _is_geometry(value: Json) -> bool:
    return (
        isinstance(value, dict)
        and isinstance(value.get("type"), str)
        and value["type"] in GEOMETRIES
        and ("coordinates" in value or "geometries" in value)
    )


def _language(said: Json) -> bool:
    return isinstance(said, str) or (isinstance(said, list) and all(isinstance(one, str) for one in said))


_PLAIN = frozenset({"type", "value", "unitCode", "observedAt"})


def _is_plain(raw: dict[str, Json]) -> bool:
    """Whether a Property is already in kept form: most are, and then nothing is copied (halves reading, measured)."""
    value = raw.get("value")
    if value.__class__ not in _SCALARS or value == NULL:
        return False
    observed, unit = raw.get("observedAt", ""), raw.get("unitCode", "x")
    if observed.__class__ is not str or unit.__class__ is not str or not unit or unit == NULL:
        return False
    return not observed or (observed[-1] == "Z" and _is_instant(observed))


def _dataset(value: Json, name: str) -> str:
    if not is_uri(value):
        raise BadRequestDataError(f"The datasetId of {name} is not a URI", where=f"{name}.datasetId")
    return str(value)


def _scope(value: Json) -> Json:
    """A scope (clause 4.18): `/a/b` or a list of those."""
    listed = value if isinstance(value, list) else [value]
    if value == NULL:
        return NULL
    if not all(isinstance(one, str) and one and len(one) < 1024 for one in listed) or not listed:
        raise BadRequestDataError("scope is a path like /Gimhae/Traffic or a list of those", where="scope")
    said = [one if one.startswith("/") else "/" + one for one in listed]
    return said if isinstance(value, list) else said[0]


def _bounded(value: Json, left: int, name: str) -> None:
    if left < 0:
        raise BadRequestDataError(f"{name} nests too deep", where=name)
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, list):
        return
    for one in value:
        if type(one) is dict or type(one) is list:
            _bounded(one, left - 1, name)


def check_geometry(value: Json, name: str) -> Json:
    """A GeoJSON geometry (RFC 7946) with believable WGS84 positions; raises `BadRequestDataError`."""
    if not isinstance(value, dict):
        raise BadRequestDataError(f"{name} is not a GeoJSON geometry", where=name)
    kind = value.get("type")
    if kind == "GeometryCollection":
        members = value.get("geometries")
        if not isinstance(members, list) or not members:
            raise BadRequestDataError(f"{name} is an empty GeometryCollection", where=name)
        return {"type": kind, "geometries": [check_geometry(one, name) for one in members]}
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
