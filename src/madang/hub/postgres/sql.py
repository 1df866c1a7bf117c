"""Syntax trees → SQL for PostgreSQL's JSONB documents, with the meaning `sqlite/sql.py` gives them. Pure.

Every name and value is bound; only attributes declared in the configuration appear as literals, because an expression
index needs the very same text. Comparisons are JSON paths: `strict` looks at a value as it stands, `lax` also into it
when it is an array, which is done only for attributes that ever had arrays.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

import orjson
from msgspec import structs

from madang.hub.collation import collated
from madang.hub.entity import Json, Shape
from madang.hub.geo import Box, matcher, search_box, separated
from madang.hub.names import expand_canonical
from madang.hub.postgres import pattern
from madang.hub.postgres.arrays import Array, integers, texts
from madang.hub.postgres.catalog import Catalog
from madang.hub.postgres.schema import number_expression, text_expression
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
    Ordering,
    OrderTerm,
    Path,
    Query,
    Range,
    Selector,
    TypeAll,
    TypeName,
    TypeSelection,
)

Value = str | int | float | None | Array | list[str]


@dataclass(frozen=True, slots=True)
class Sql:
    """A piece of SQL and what its placeholders (`%s`) stand for, in order."""

    text: str
    values: tuple[Value, ...] = ()


@dataclass(frozen=True, slots=True)
class Sort:
    """One pass of a sort by what `column` gives; sorting is done here and not by the server, so that texts and
    distances come in the same order from every store."""

    column: Sql
    key: Callable[[Json], Json]
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Select:
    """How to find a query's entities: `source` (FROM), `where`, a test for geometries, and passes of a sort of what is
    in order of keys, the last first."""

    source: str
    where: Sql
    related: Callable[[Json], bool] | None = None
    sorts: tuple[Sort, ...] = ()


NEVER = Sql("FALSE")


def joined(parts: Sequence[Sql], word: str) -> Sql:
    """Pieces joined by AND or OR; alone, the piece itself."""
    if len(parts) == 1:
        return parts[0]
    text = f" {word} ".join(f"({part.text})" for part in parts)
    return Sql(text, tuple(value for part in parts for value in part.values))


def build(query: Query, catalog: Catalog, kinds_allowed: Collection[int] | None = None) -> Select | None:
    """The selection, or None when nothing can match; `kinds_allowed` bounds what the asker may see."""
    conditions: list[Sql] = []
    types = None if query.types is None else _types(query.types, catalog)
    if types == NEVER:
        return None
    if kinds_allowed is not None:
        conditions.append(_within_kinds(kinds_allowed))
    conditions.extend(_named(query.ids, query.id_pattern))
    if query.selectors:
        conditions.append(joined([_selected(one, catalog) for one in query.selectors], "OR"))
    if query.attrs:
        conditions.append(Sql("e.doc ?| %s::text[]", (texts(query.attrs),)))
    if query.scope:
        conditions.append(_scope(query.scope))
    if query.q is not None:
        conditions.append(_condition(query.q, catalog, _Row("e", kinds_allowed)))
    select = _with_source(query, catalog, conditions, types)
    return select if query.order is None else replace(select, sorts=_sorts(query.order, catalog))


def _named(ids: Sequence[str], id_pattern: str) -> list[Sql]:
    found = "md5(e.id)::uuid IN (SELECT md5(x)::uuid FROM unnest(%s::text[]) x) AND e.id = ANY(%s::text[])"
    parts = [Sql(found, (texts(ids), texts(ids)))] if ids else []
    return [*parts, Sql("e.id ~ %s", (pattern.translated(id_pattern),))] if id_pattern else parts


def _selected(selector: Selector, catalog: Catalog) -> Sql:
    parts = _named(selector.ids, selector.id_pattern)
    if selector.types is not None:
        parts.append(_types(selector.types, catalog))
    return joined(parts, "AND") if parts else Sql("TRUE")


@dataclass(frozen=True, slots=True)
class _Row:
    """The entity a condition is about: its table alias, and the kinds the asker may see of what it links to."""

    alias: str
    allowed: Collection[int] | None

    @property
    def doc(self) -> str:
        return f"{self.alias}.doc"

    def linked(self) -> _Row:
        """The row of an entity that this one points at."""
        return _Row("l" + self.alias, self.allowed)


# Orders.

_ORDERED_MEMBERS = {"id": "e.id", "type": "e.types", "createdAt": "e.created_ms", "modifiedAt": "e.modified_ms"}
_RANKS: dict[type, int] = {int: 1, float: 1, str: 3, dict: 4, list: 5}


def _sorts(order: Ordering, catalog: Catalog) -> tuple[Sort, ...]:
    """By value: numbers, texts, objects, arrays, booleans, then what is null or lacking (clause 4.23.2)."""
    return tuple(one for term in reversed(order.terms) for one in reversed(_sorts_of(term, order, catalog)))


def _sorts_of(term: OrderTerm, order: Ordering, catalog: Catalog) -> list[Sort]:
    def collate(value: Json) -> Json:
        return collated(order.collation, value)

    column = _ORDERED_MEMBERS.get(term.path.attribute)
    if column is not None:
        return [Sort(Sql(column), collate, term.descending)]
    if term.path.attribute == "scope":
        return _lacking_last(Sql("e.doc ->> 'scope'"), collate, term.descending)
    found = _stamp_of(term.path)
    if found is not None:
        return _lacking_last(found, collate, term.descending)
    shape = catalog.shapes.get(term.path.attribute, 0)
    value = _first(_order_leaves(term.path, shape))
    by_value = [Sort(value, _rank), Sort(value, lambda said: _alike(collate(_scalar(said))), term.descending)]
    if not term.by_distance:
        return by_value
    return [*_lacking_last(value, lambda said: separated(order.origin, said), term.descending), *by_value]


def _lacking_last(column: Sql, key: Callable[[Json], Json], descending: bool) -> list[Sort]:
    def or_nothing(value: Json) -> Json:
        found = key(value)
        return (found is not None, found) if found is not None else (False,)

    return [Sort(column, lambda value: key(value) is None), Sort(column, or_nothing, descending)]


def _rank(said: str | None) -> int:
    value = orjson.loads(said) if said is not None else None
    if isinstance(value, bool):
        return 6 if value else 7
    return _RANKS.get(type(value), 9)


def _scalar(said: str | None) -> Json:
    """What is compared within a rank."""
    value = orjson.loads(said) if said is not None else None
    return value if isinstance(value, (str, int, float)) else said or ""


def _alike(value: Json) -> tuple[str, float]:
    """A text or number in a form that can be compared with the other; between the two the rank decides."""
    return (value, 0.0) if isinstance(value, str) else ("", value)


def _order_leaves(path: Path, shape: int) -> list[list[str]]:
    leaves = _leaves(path, shape, [path.attribute])
    return [*leaves, *_leaves(path, shape, [path.attribute, "0"])] if shape & _MULTI else leaves


def _first(leaves: list[list[str]]) -> Sql:
    """The first of several places that holds something, as JSON text."""
    if not leaves:
        return Sql("NULL::text")
    places = [_at("e.doc", leaf) for leaf in leaves]
    values = tuple(value for one in places for value in one.values)
    return Sql(f"coalesce({', '.join(one.text for one in places)})::text", values)


# Sources.


def _with_source(query: Query, catalog: Catalog, conditions: list[Sql], types: Sql | None) -> Select:
    living = [Sql("e.tenant = %s", (catalog.tenant,)), Sql("e.body IS NOT NULL")]
    of_type = [types] if types is not None else []
    if query.geo is not None:
        spatial = _spatial(query.geo.attribute, search_box(query.geo))
        where = joined([*spatial, *living, *conditions, *of_type], "AND")
        return Select("place p JOIN entity e ON e.key = p.key", where, matcher(query.geo))
    conditions += _declared(query, catalog)
    if isinstance(query.types, TypeName) and not query.ids:
        kind = Sql("k.kind = %s", (catalog.kinds[query.types.name],))
        where = joined([kind, *living, *conditions], "AND")
        return Select("entity_kind k JOIN entity e ON e.key = k.key", where)
    return Select("entity e", joined([*living, *conditions, *of_type], "AND"))


# Declared attributes: a second, coarser condition that their index answers.

_RANGED = frozenset({Operator.EQUAL, Operator.LESS, Operator.LESS_EQUAL, Operator.GREATER, Operator.GREATER_EQUAL})


def _declared(query: Query, catalog: Catalog) -> list[Sql]:
    parts = query.q.parts if isinstance(query.q, All) else (query.q,)
    return [found for part in parts if isinstance(part, Compare) and (found := _by_index(part, catalog)) is not None]


def _by_index(part: Compare, catalog: Catalog) -> Sql | None:
    name, shape = part.path.attribute, catalog.shapes.get(part.path.attribute, 0)
    plain = name in catalog.indexed and not part.path.subs and not part.path.members
    if not plain or shape != _PROPERTY or part.operator not in _RANGED or len(part.values) != 1:
        return None
    value = part.values[0]
    number = number_expression(name).replace("(doc", "(e.doc").replace("%", "%%")
    if isinstance(value, Range):
        if value.low.kind is not Kind.NUMBER:
            return None
        return Sql(f"{number} BETWEEN %s::numeric AND %s::numeric", (_literal(value.low), _literal(value.high)))
    if value.kind is Kind.NUMBER:
        operator = "=" if part.operator is Operator.EQUAL else part.operator.value
        return Sql(f"{number} {operator} %s::numeric", (_literal(value),))
    if value.kind is Kind.TEXT and part.operator is Operator.EQUAL:
        text = text_expression(name).replace("(doc", "(e.doc").replace("%", "%%")
        return Sql(f"{text} = left(%s, 200)", (str(value.value).replace("\0", "\ufffd"),))
    return None


# Places, ids, types, scopes.


def _spatial(attribute: str, box: Box | None) -> list[Sql]:
    parts = [Sql("p.attribute = %s", (attribute,))]
    if box is not None:
        parts.insert(0, Sql("p.spot && ST_MakeEnvelope(%s, %s, %s, %s, 4326)", box))
    return parts


def _within_kinds(kinds: Collection[int], alias: str = "e") -> Sql:
    if not kinds:
        return NEVER
    inner = f"SELECT 1 FROM entity_kind a WHERE a.key = {alias}.key AND a.kind = ANY(%s)"  # noqa: S608 -- our alias
    return Sql(f"EXISTS ({inner})", (integers([*kinds]),))


def _types(selection: TypeSelection, catalog: Catalog) -> Sql:
    if isinstance(selection, TypeName):
        kind = catalog.kinds.get(selection.name)
        return NEVER if kind is None else _within_kinds((kind,))
    parts = [_types(part, catalog) for part in selection.parts]
    if isinstance(selection, TypeAll):
        return NEVER if NEVER in parts else joined(parts, "AND")
    possible = [part for part in parts if part != NEVER]
    return joined(possible, "OR") if possible else NEVER


def _scope(query: str) -> Sql:
    one = "EXISTS (SELECT 1 FROM jsonb_path_query(e.doc, 'lax $.\"scope\"[*]') s WHERE (s #>> '{}') ~ %s)"
    either = [joined([Sql(one, (term,)) for term in terms], "AND") for terms in pattern.scope_patterns(query)]
    return joined(either, "OR")


# Conditions on attributes.

_ENTITY_STAMPS = {"createdAt": "created_ms", "modifiedAt": "modified_ms"}
_ATTRIBUTE_STAMPS: dict[tuple[str, ...], tuple[int, str]] = {
    ("createdAt",): (0, "created_ms"),
    ("modifiedAt",): (1, "created_ms"),
}
_METADATA = frozenset({"observedAt", "unitCode", "datasetId", "objectType", "valueType", "expiresAt"})
_ITEMS = "jsonb_array_elements(CASE WHEN jsonb_typeof({0}) = 'array' THEN {0} ELSE '[]' END)"


def _condition(condition: Condition, catalog: Catalog, row: _Row) -> Sql:
    if isinstance(condition, (All, AnyOf)):
        word = "AND" if isinstance(condition, All) else "OR"
        return joined([_condition(part, catalog, row) for part in condition.parts], word)
    if isinstance(condition, Linked):
        return _linked(condition, catalog, row)
    path = condition.path
    if path.attribute in _ENTITY_STAMPS and not path.subs:
        return _stamp(condition, Sql(f"{row.alias}.{_ENTITY_STAMPS[path.attribute]}"))
    shape = catalog.shapes.get(path.attribute, 0)
    if not shape:
        return NEVER
    if (stamp := _stamp_of(path, row.alias)) is not None:
        return _stamp(condition, stamp)
    alone = _instance(condition, shape, row.doc, [path.attribute])
    if not shape & _MULTI:
        return alone
    one_of = _instance(condition, shape, "i.value", [])
    items = _ITEMS.format(f"({row.doc} -> %s)")
    values = (path.attribute, path.attribute, *one_of.values)
    return joined([alone, Sql(f"EXISTS (SELECT 1 FROM {items} i WHERE {one_of.text})", values)], "OR")  # noqa: S608 -- constants, and pieces whose values are bound


def _linked(condition: Linked, catalog: Catalog, row: _Row) -> Sql:
    """Entities that some instance of a relationship points at (clauses 4.9 and 4.5.23)."""
    shape = catalog.shapes.get(condition.relationship, 0)
    if not shape & _POINTING:
        return NEVER
    there = row.linked()
    bases = [[condition.relationship]]
    if shape & _MULTI:
        bases += [[condition.relationship, str(n)] for n in range(_INSTANCES)]
    places = [[*base, member] for base in bases for member in ("object", "objectList")]
    pointed = " UNION ALL ".join([_TARGETS.format(doc=row.doc)] * len(places))
    head = Sql(
        f"{there.alias}.tenant = %s AND md5({there.alias}.id)::uuid IN (SELECT md5(g)::uuid FROM ({pointed}) x(g))",  # noqa: S608 -- constants, and pieces whose values are bound
        (catalog.tenant, *(texts(one) for one in places)),
    )
    parts = [head, Sql(f"{there.alias}.body IS NOT NULL"), _condition(condition.condition, catalog, there)]
    if condition.types:
        kinds = [catalog.kinds[name] for name in condition.types if name in catalog.kinds]
        parts.append(_within_kinds(kinds, there.alias))
    if row.allowed is not None:
        parts.append(_within_kinds(row.allowed, there.alias))
    every = joined(parts, "AND")
    return Sql(f"EXISTS (SELECT 1 FROM entity {there.alias} WHERE {every.text})", every.values)  # noqa: S608 -- bound


_INSTANCES = 8
"""So many instances of one relationship are followed."""
_TARGETS = (
    "SELECT CASE jsonb_typeof(t) WHEN 'object' THEN t ->> 'object' ELSE t #>> '{{}}' END"
    " FROM jsonb_path_query({doc} #> %s::text[], 'lax $[*]') t"
)


def _stamp_of(path: Path, alias: str = "e") -> Sql | None:
    """Where the time lies when an attribute was made or changed, if that is what a path asks for."""
    if path.subs[:1] not in _ATTRIBUTE_STAMPS:
        return None
    position, column = _ATTRIBUTE_STAMPS[path.subs[:1]]
    text = f"coalesce(({alias}.stamps::jsonb #>> %s::text[])::bigint, {alias}.{column})"
    return Sql(text, (texts([path.attribute, str(position)]),))


def _stamp(condition: Exists | Compare, clock: Sql) -> Sql:
    if isinstance(condition, Exists):
        return Sql("TRUE")
    moment = "round(hub_seconds(%s) * 1000)::bigint"
    parts = []
    for value in condition.values:
        low, high = (value.low, value.high) if isinstance(value, Range) else (value, value)
        said_low, said_high = str(low.value), str(high.value)
        if condition.operator in (Operator.EQUAL, Operator.UNEQUAL):
            parts.append(Sql(f"{clock.text} BETWEEN {moment} AND {moment}", (*clock.values, said_low, said_high)))
        else:
            parts.append(Sql(f"{clock.text} {condition.operator.value} {moment}", (*clock.values, said_low)))
    either = joined(parts, "OR")
    return Sql(f"({either.text}) IS NOT TRUE", either.values) if condition.operator is Operator.UNEQUAL else either


def _instance(condition: Exists | Compare, shape: int, document: str, base: list[str]) -> Sql:
    """The condition on one attribute instance that lies at `base` of `document`."""
    if isinstance(condition, Exists):
        if not condition.path.members:
            return _there(document, [*base, *condition.path.subs])
        leaves = _leaves(condition.path, shape, base)
        return joined([_there(document, leaf) for leaf in leaves], "OR") if leaves else NEVER
    if condition.operator not in _EQUALITY:
        shape &= ~_POINTING  # what relationships point at is only equal or not (clause 4.9)
    named = _leaves(condition.path, shape & _VOCAB, base) if shape & _VOCAB else []
    leaves = _leaves(condition.path, shape, base)
    listed = bool(shape & _LISTED) or "*" in condition.path.members
    return _compare(condition, document, leaves, _Sought(listed, named)) if leaves else NEVER


@dataclass(frozen=True, slots=True)
class _Sought:
    """How values are looked for: inside lists too, and in which places a text stands for a name."""

    listed: bool
    named: list[list[str]]


def _there(document: str, leaf: list[str]) -> Sql:
    found = _at(document, leaf)
    return Sql(f"{found.text} IS NOT NULL", found.values)


def _at(document: str, leaf: list[str]) -> Sql:
    return Sql(f"({document} #> %s::text[])", (texts(leaf),)) if leaf else Sql(document)


_EQUALITY = frozenset({Operator.EQUAL, Operator.UNEQUAL})
_LISTED = int(Shape.ARRAY | Shape.LIST | Shape.LANGUAGE | Shape.OBJECT_LIST)
_MULTI = int(Shape.MULTI)
_TYPED = int(Shape.TYPED)
_PROPERTY = int(Shape.PROPERTY)
_POINTING = int(Shape.RELATIONSHIP | Shape.OBJECT_LIST)
_VOCAB = int(Shape.VOCAB)
_VERBATIM = frozenset({"json", "languageMap"})
_SUB_MEMBERS: tuple[str, ...] = ("value", "object", "languageMap", "vocab", "json", "valueList", "objectList")
_MEMBERS = (
    (int(Shape.PROPERTY), "value"),
    (int(Shape.RELATIONSHIP), "object"),
    (int(Shape.VOCAB), "vocab"),
    (int(Shape.LIST), "valueList"),
    (int(Shape.JSON), "json"),
    (int(Shape.LANGUAGE), "languageMap"),
    (int(Shape.GEO), "value"),
    (int(Shape.OBJECT_LIST), "objectList"),
)


def _leaves(path: Path, shape: int, base: list[str]) -> list[list[str]]:
    """Where the value a path speaks of can lie."""
    if path.subs:
        base = [*base, *path.subs]
        if path.subs[-1] in _METADATA:
            return [base]
        members = _SUB_MEMBERS
    else:
        members = tuple(dict.fromkeys(member for bit, member in _MEMBERS if shape & bit))
    found = [[*base, member, *_inner(path, member)] for member in members]
    if shape & _TYPED and not path.members and not path.subs:
        found.append([*base, "value", "@value"])
    return found


def _inner(path: Path, member: str) -> list[str]:
    """The members inside a value. In a language map `*` is any language: then the whole map is looked through."""
    names = path.written if member in _VERBATIM and path.written else path.members
    return [name for name in names if name != "*"]


def _compare(condition: Compare, document: str, leaves: list[list[str]], sought: _Sought) -> Sql:
    path = condition.path
    tests = [
        _test(
            condition.operator, one, _at(document, leaf), _depth(leaf, sought.listed or bool(path.subs or path.members))
        )
        for leaf in leaves
        for value in condition.values
        for one in _worded(value, leaf in sought.named, path.expanded)
    ]
    either = joined(tests, "OR")
    if condition.operator not in (Operator.UNEQUAL, Operator.MATCHES_NOT):
        return either
    there = _there if condition.operator is Operator.UNEQUAL else _textual
    some = joined([there(document, leaf) for leaf in leaves], "OR")
    return Sql(f"({some.text}) AND ({either.text}) IS NOT TRUE", (*some.values, *either.values))


def _textual(document: str, leaf: list[str]) -> Sql:
    """A pattern that must not match says nothing of numbers (clause 4.9)."""
    found = _at(document, leaf)
    return Sql(f"jsonb_typeof({found.text}) IN ('string', 'array', 'object')", found.values)


def _worded(value: Literal | Range, named: bool, expanded: bool) -> list[Literal | Range]:
    """What a literal is compared as: a text, the name it stands for (VocabProperty), or both (expandValues)."""
    if not isinstance(value, Literal) or not value.name or not (named or expanded):
        return [value]
    said = structs.replace(value, value=value.name)
    return [said] if named else [value, said, structs.replace(value, value=expand_canonical(value.name))]


def _depth(leaf: list[str], listed: bool) -> str:
    """Which values at a place are compared, as a JSON path: itself, those of an array, or all below."""
    if not listed:
        return "strict $"
    return "strict $.**" if leaf[-1:] in (["languageMap"], ["objectList"]) else "lax $[*]"


def _test(operator: Operator, value: Literal | Range, leaf: Sql, depth: str) -> Sql:
    kind = value.low.kind if isinstance(value, Range) else value.kind
    if kind is not Kind.INSTANT and operator not in (Operator.MATCHES, Operator.MATCHES_NOT):
        return Sql(f"{leaf.text} @? %s::jsonpath", (*leaf.values, f"{depth} ? ({_predicate(operator, value)})"))
    inner = _bounded(operator, value, kind, Sql("(v #>> '{}')"))
    each = f"SELECT 1 FROM jsonb_path_query({leaf.text}, %s::jsonpath) v WHERE jsonb_typeof(v) = 'string'"  # noqa: S608 -- constants, and pieces whose values are bound
    return Sql(f"EXISTS ({each} AND {inner.text})", (*leaf.values, depth, *inner.values))


def _predicate(operator: Operator, value: Literal | Range) -> str:
    if isinstance(value, Range):
        return f"@ >= {_literal(value.low)} && @ <= {_literal(value.high)}"
    sign = "==" if operator in (Operator.EQUAL, Operator.UNEQUAL) else operator.value
    return f"@ {sign} {_literal(value)}"


def _literal(value: Literal) -> str:
    """A value as JSON paths and numeric literals spell it."""
    found = value.value
    if isinstance(found, bool):
        return "true" if found else "false"
    if isinstance(found, float) and math.isinf(found):
        return "1e9999" if found > 0 else "-1e9999"
    if isinstance(found, str):
        return json.dumps(found.replace("\0", "\ufffd"))
    return repr(found)


def _bounded(operator: Operator, value: Literal | Range, kind: Kind, found: Sql) -> Sql:
    if kind is not Kind.INSTANT:
        assert isinstance(value, Literal)
        return Sql(f"{found.text} ~ %s", (*found.values, pattern.translated(str(value.value))))
    seconds = f"hub_seconds({found.text})"
    if isinstance(value, Range):
        bounds = (str(value.low.value), str(value.high.value))
        return Sql(f"{seconds} BETWEEN hub_seconds(%s) AND hub_seconds(%s)", (*found.values, *bounds))
    sign = "=" if operator in (Operator.EQUAL, Operator.UNEQUAL) else operator.value
    return Sql(f"{seconds} {sign} hub_seconds(%s)", (*found.values, str(value.value)))
