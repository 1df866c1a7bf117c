"""Whether one entity satisfies a query: the same answers as the store's SQL, over a document in memory. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import orjson

from madang.hub.changes import Stored, stamp_of
from madang.hub.query import (
    All,
    AnyOf,
    Compare,
    Condition,
    Exists,
    Kind,
    Linked,
    Literal,
    Operator,
    Path,
    Range,
    TypeAll,
    TypeName,
    TypeSelection,
    compile_pattern,
)
from madang.hub.scope import in_scope

Json = Any  # Any: parts of a kept document

STAMPS = frozenset({"createdAt", "modifiedAt"})
_METADATA = frozenset({"observedAt", "unitCode", "datasetId", "objectType", "valueType", "expiresAt"})
_VALUES: tuple[str, ...] = ("value", "object", "vocab", "valueList", "json", "languageMap", "objectList")
_SUB_VALUES: tuple[str, ...] = ("value", "object", "languageMap", "vocab", "json", "valueList", "objectList")
_WHOLE = frozenset({"languageMap", "objectList"})
_VERBATIM = frozenset({"json", "languageMap"})
_POINTING = frozenset({"object", "objectList"})
_EQUALITY = frozenset({Operator.EQUAL, Operator.UNEQUAL})
_MISSING = object()


Look = Callable[[str], "Stored | None"]
Allowed = Callable[[Iterable[str]], bool]


def _everything(_types: Iterable[str]) -> bool:
    return True


class Subject:
    """An entity to be judged, decoded once. `look` finds the entities it is linked to; without it there are none."""

    __slots__ = ("document", "look", "stored", "types")

    def __init__(self, stored: Stored, look: Look | None = None) -> None:
        self.stored = stored
        self.look = look
        self.types = frozenset(stored.types)
        self.document = stored.document()

    def instances(self, attribute: str) -> list[Json]:
        """The attribute's instances; none where it is not there."""
        value = self.document.get(attribute)
        if type(value) is dict:
            return [value]
        return [one for one in value if type(one) is dict] if type(value) is list else []


def of_types(selection: TypeSelection, types: frozenset[str]) -> bool:
    """Whether the types of an entity satisfy a type selection (clause 4.17)."""
    if isinstance(selection, TypeName):
        return selection.name in types
    found = (of_types(part, types) for part in selection.parts)
    return all(found) if isinstance(selection, TypeAll) else any(found)


def within_scope(query: str, subject: Subject) -> bool:
    """Whether the entity's scopes satisfy a scope query (clause 4.19)."""
    scope = subject.document.get("scope")
    return in_scope(query, orjson.dumps(scope).decode() if type(scope) is list else scope)


def related(test: Callable[[Json], bool], attribute: str, subject: Subject) -> bool:
    """Whether any geometry of a GeoProperty stands in the asked relation (clause 4.10)."""
    return any(one["type"] == "GeoProperty" and test(one["value"]) for one in subject.instances(attribute))


def satisfied(condition: Condition, subject: Subject, allowed: Allowed = _everything) -> bool:
    """Whether the condition of a `q` (clause 4.9) holds; linked entities count where their types are allowed."""
    if isinstance(condition, All):
        return all(satisfied(part, subject, allowed) for part in condition.parts)
    if isinstance(condition, AnyOf):
        return any(satisfied(part, subject, allowed) for part in condition.parts)
    if isinstance(condition, Linked):
        return any(satisfied(condition.condition, one, allowed) for one in _linked(condition, subject, allowed))
    path, stored = condition.path, subject.stored
    if path.attribute in STAMPS and not path.subs:
        return _stamped(condition, stored.created_ms if path.attribute == "createdAt" else stored.modified_ms)
    for instance in subject.instances(path.attribute):
        if path.subs and path.subs[0] in STAMPS:
            created, modified = stamp_of(stored, path.attribute, instance)
            if _stamped(condition, created if path.subs[0] == "createdAt" else modified):
                return True
        elif _held(condition, instance):
            return True
    return False


def _linked(condition: Linked, subject: Subject, allowed: Allowed) -> Iterator[Subject]:
    """The entities that a relationship points at (clause 4.5.23), of the types asked for."""
    look = subject.look
    if look is None:
        return
    for instance in subject.instances(condition.relationship):
        said = instance.get("object", instance.get("objectList", []))
        for target in said if type(said) is list else [said]:
            found = look(target["object"] if type(target) is dict else target)
            if found is not None and allowed(found.types) and _one_of(condition.types, found):
                yield Subject(found, look)


def _one_of(types: tuple[str, ...], stored: Stored) -> bool:
    return not types or not frozenset(types).isdisjoint(stored.types)


def _held(condition: Exists | Compare, instance: Json) -> bool:
    path = condition.path
    if isinstance(condition, Exists):
        if not path.members:
            return _inside(instance, path.subs) is not _MISSING
        return any(True for _ in leaves(path, instance))
    found = [*leaves(path, instance)]
    if condition.operator not in _EQUALITY and not path.subs:
        found = [one for one in found if one[0] not in _POINTING]
    matched = any(_compared(condition.operator, value, *one) for one in found for value in condition.values)
    if condition.operator is Operator.MATCHES_NOT:
        return not matched and any(type(leaf) in (str, list, dict) for _, leaf in found)
    return bool(found) and not matched if condition.operator is Operator.UNEQUAL else matched


def leaves(path: Path, instance: Json) -> Iterator[tuple[str, Json]]:
    """The values a path speaks of in one attribute instance, each with the member it lies in.

    Language maps and lists of objects come as the list of all that is written in them.
    """
    members = _VALUES
    if path.subs:
        instance = _inside(instance, path.subs)
        members = _SUB_VALUES
        if path.subs[-1] in _METADATA:
            if instance is not _MISSING:
                yield "", instance
            return
    if type(instance) is not dict:
        return
    for member in members:
        if member in instance:
            leaf = _inside(instance[member], _names(path, member))
            if leaf is not _MISSING:
                yield member, [*_written(leaf)] if member in _WHOLE else leaf
                if type(leaf) is dict and not path.members and "@value" in leaf:
                    yield member, leaf["@value"]


def _names(path: Path, member: str) -> tuple[str, ...]:
    names = path.written if member in _VERBATIM and path.written else path.members
    return tuple(name for name in names if name != "*")


def _written(value: Json) -> Iterator[Json]:
    """Every scalar inside a value."""
    if type(value) is dict or type(value) is list:
        for one in value.values() if type(value) is dict else value:
            yield from _written(one)
    else:
        yield value


def _inside(value: Json, members: tuple[str, ...]) -> Json:
    for member in members:
        if type(value) is not dict or member not in value:
            return _MISSING
        value = value[member]
    return value


def _compared(operator: Operator, value: Literal | Range, member: str, leaf: Json) -> bool:
    if member == "vocab" and isinstance(value, Literal) and value.name:
        value = Literal(value.kind, value.name)
    if type(leaf) is list:
        return any(_one(operator, value, part) for part in leaf)
    return _one(operator, value, leaf)


def _one(operator: Operator, value: Literal | Range, leaf: Json) -> bool:
    low, high = (value.low, value.high) if isinstance(value, Range) else (value, value)
    said = _comparable(low.kind, leaf)
    if said is None:
        return False
    if operator in (Operator.MATCHES, Operator.MATCHES_NOT):
        return _searcher(str(low.value))(said) is not None
    bottom, top = _comparable(low.kind, low.value), _comparable(high.kind, high.value)
    if bottom is None or top is None:
        return False
    return _ordered(operator, said, bottom, top)


def _ordered(operator: Operator, said: Json, bottom: Json, top: Json) -> bool:
    if operator is Operator.LESS:
        return bool(said < bottom)
    if operator is Operator.LESS_EQUAL:
        return bool(said <= bottom)
    if operator is Operator.GREATER:
        return bool(said > bottom)
    if operator is Operator.GREATER_EQUAL:
        return bool(said >= bottom)
    return bool(bottom <= said <= top)


def _comparable(kind: Kind, value: Json) -> Json:
    """The value, if it is of the literal's kind; None otherwise."""
    if kind is Kind.NUMBER:
        return value if type(value) in (int, float) else None
    if kind is Kind.BOOLEAN:
        return value if type(value) is bool else None
    if type(value) is not str:
        return None
    return value if kind is Kind.TEXT else moment_ms(value)


@lru_cache(maxsize=4096)
def moment_ms(text: str) -> float | None:
    """A time as ms since 1970, cut to the millisecond as SQLite does; None for what is no time."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return round(moment.timestamp() * 1000)


def _stamped(condition: Exists | Compare, at_ms: int) -> bool:
    if isinstance(condition, Exists):
        return True
    for value in condition.values:
        low, high = (value.low, value.high) if isinstance(value, Range) else (value, value)
        bottom, top = moment_ms(str(low.value)), moment_ms(str(high.value))
        if bottom is None or top is None:
            return False
        if _ordered(condition.operator, at_ms, bottom, top):
            return condition.operator is not Operator.UNEQUAL
    return condition.operator is Operator.UNEQUAL


@lru_cache(maxsize=256)
def _searcher(pattern: str) -> Callable[[str], object]:
    return compile_pattern(pattern)
