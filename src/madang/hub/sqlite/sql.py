"""Syntax trees → SQL for SQLite's JSONB documents. Pure. Every name and value is bound, none is written into the text;
only attributes declared in the configuration appear as literals, because an expression index needs the very same text.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from msgspec import structs

from madang.hub.entity import Json, Shape
from madang.hub.geo import Box, matcher, search_box
from madang.hub.names import check_name, expand_canonical
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

Value = str | int | float | None


@dataclass(frozen=True, slots=True)
class Sql:
    """A piece of SQL and what its question marks stand for, in order."""

    text: str
    values: tuple[Value, ...] = ()


@dataclass(frozen=True, slots=True)
class Select:
    """How to find a query's entities: `source` (FROM), `where`, `order`, and a test for geometries."""

    source: str
    where: Sql
    order: Sql
    related: Callable[[Json], bool] | None = None
    cheaper: Select | None = None
    """The same by an attribute's index; to be used when `probe` counts few."""
    probe: Sql | None = None


class Catalog(Protocol):
    """What the store knows of one tenant's types and attributes."""

    @property
    def tenant(self) -> int: ...

    @property
    def kinds(self) -> Mapping[str, int]: ...

    @property
    def shapes(self) -> Mapping[str, int]: ...

    @property
    def indexed(self) -> Collection[str]: ...


NEVER = Sql("0")
_BY_KEY = Sql("e.key")


def joined(parts: Sequence[Sql], word: str) -> Sql:
    """Pieces joined by AND or OR; alone, the piece itself."""
    if len(parts) == 1:
        return parts[0]
    text = f" {word} ".join(f"({part.text})" for part in parts)
    return Sql(text, tuple(value for part in parts for value in part.values))


def index_expression(attribute: str) -> str:
    """The expression that a declared attribute's index is on."""
    check_name(attribute)
    escaped = attribute.replace("'", "''")
    return f"""(doc ->> '$."{escaped}".value')"""


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
        conditions.append(joined([Sql("json_type(e.doc, ?) IS NOT NULL", (_path(a),)) for a in query.attrs], "OR"))
    if query.scope:
        conditions.append(Sql("scoped(?, e.doc ->> '$.scope')", (query.scope,)))
    if query.q is not None:
        conditions.append(_condition(query.q, catalog, _Row("e", kinds_allowed)))
    select = _with_source(query, catalog, conditions, types)
    return select if query.order is None else _ordered(select, query.order, catalog)


def _named(ids: Sequence[str], pattern: str) -> list[Sql]:
    parts = [_any_of("e.id", ids)] if ids else []
    return [*parts, Sql("matches(?, e.id)", (pattern,))] if pattern else parts


def _selected(selector: Selector, catalog: Catalog) -> Sql:
    parts = _named(selector.ids, selector.id_pattern)
    if selector.types is not None:
        parts.append(_types(selector.types, catalog))
    return joined(parts, "AND") if parts else Sql("1")


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


_ORDERED_MEMBERS = {"id": "e.id", "type": "e.types", "createdAt": "e.created_ms", "modifiedAt": "e.modified_ms"}
_RANKED = "integer", "real", "text", "object", "array", "true", "false"


def _ordered(select: Select, order: Ordering, catalog: Catalog) -> Select:
    """Order by value: numbers, texts, objects, arrays, booleans, then what is null or lacking (clause 4.23.2)."""
    parts = [one for term in order.terms for one in _order_term(term, order, catalog)]
    text = ", ".join(part.text for part in (*parts, select.order))
    by = Sql(text, tuple(value for part in parts for value in part.values))
    cheaper = None if select.cheaper is None else replace(select.cheaper, order=by)
    return replace(select, order=by, cheaper=cheaper)


def _order_term(term: OrderTerm, order: Ordering, catalog: Catalog) -> list[Sql]:
    way = " DESC" if term.descending else ""
    column = _ORDERED_MEMBERS.get(term.path.attribute)
    if column is not None:
        text = f"collated(?, {column})" if column in ("e.id", "e.types") else column
        return [Sql(text + way, (order.collation,) if text != column else ())]
    if term.path.attribute == "scope":
        return [Sql(f"collated(?, e.doc ->> '$.scope'){way} NULLS LAST", (order.collation,))]
    shape = catalog.shapes.get(term.path.attribute, 0)
    found = _stamp_of(term.path)
    if found is not None:
        return [Sql(f"{found.text}{way} NULLS LAST", found.values)]
    leaves = _order_leaves(term.path, shape)
    if term.by_distance:
        near = _first(leaves, "e.doc -> ?")
        parts = [Sql(f"separated(?, {near.text}){way} NULLS LAST", (order.origin, *near.values))]
    else:
        parts = []
    kind, value = _first(leaves, "json_type(e.doc, ?)"), _first(leaves, "e.doc ->> ?")
    cases = " ".join(f"WHEN '{one}' THEN {place}" for place, one in enumerate(_RANKED, 1) if one != "real")
    rank = Sql(f"CASE coalesce({kind.text}, '') WHEN 'real' THEN 1 {cases} ELSE 9 END", kind.values)
    return [*parts, rank, Sql(f"collated(?, {value.text}){way}", (order.collation, *value.values))]


def _order_leaves(path: Path, shape: int) -> list[str]:
    base = _path(path.attribute)
    leaves = _leaves(path, shape, base)
    return [*leaves, *_leaves(path, shape, base + "[0]")] if shape & _MULTI else leaves


def _first(leaves: Sequence[str], form: str) -> Sql:
    """The first of several places that holds something; `form` has one question mark, for the place."""
    text = form if len(leaves) == 1 else f"coalesce({', '.join([form] * len(leaves))})"
    return Sql(text, tuple(leaves)) if leaves else Sql("NULL")


def _with_source(query: Query, catalog: Catalog, conditions: list[Sql], types: Sql | None) -> Select:
    living = [Sql("e.tenant = ?", (catalog.tenant,)), Sql("e.body IS NOT NULL")]
    of_type = [types] if types is not None else []
    if query.geo is not None:
        related = matcher(query.geo)
        spatial = _spatial(query.geo.attribute, search_box(query.geo))
        source = "place p CROSS JOIN entity e ON e.key = p.key"
        return Select(source, joined([*spatial, *living, *conditions, *of_type], "AND"), _BY_KEY, related)
    if isinstance(query.types, TypeName) and not query.ids:
        kind = Sql("k.kind = ?", (catalog.kinds[query.types.name],))
        where = joined([kind, *conditions], "AND")
        plain = Select("entity_kind k CROSS JOIN entity e ON e.key = k.key", where, Sql("k.key"))
    else:
        plain = Select("entity e", joined([*living, *conditions, *of_type], "AND"), _BY_KEY)
    return _by_index(query, catalog, plain, [*living, *conditions, *of_type])


def _by_index(query: Query, catalog: Catalog, plain: Select, conditions: list[Sql]) -> Select:
    """Adds the way over a declared attribute's index, when a comparison that must hold allows it."""
    parts = query.q.parts if isinstance(query.q, All) else (query.q,)
    for part in parts:
        if isinstance(part, Compare) and (found := _index_range(part, catalog)) is not None:
            name, bounds = found
            source = f'entity e INDEXED BY "{index_name(name)}"'
            probe_where = joined([Sql("e.tenant = ?", (catalog.tenant,)), bounds], "AND")
            probe = Sql(f"SELECT 1 FROM {source} WHERE {probe_where.text}", probe_where.values)  # noqa: S608 -- bound
            cheaper = Select(source, joined([bounds, *conditions], "AND"), _BY_KEY)
            return Select(plain.source, plain.where, plain.order, None, cheaper, probe)
    return plain


def index_name(attribute: str) -> str:
    """The name of a declared attribute's index."""
    return f"entity_by_{attribute}"


_RANGED = frozenset({Operator.EQUAL, Operator.LESS, Operator.LESS_EQUAL, Operator.GREATER, Operator.GREATER_EQUAL})


def _index_range(part: Compare, catalog: Catalog) -> tuple[str, Sql] | None:
    name, shape = part.path.attribute, catalog.shapes.get(part.path.attribute, 0)
    plain = name in catalog.indexed and not part.path.subs and not part.path.members
    if not plain or shape != _PROPERTY or part.operator not in _RANGED or len(part.values) != 1:
        return None
    value = part.values[0]
    expression = index_expression(name).replace("(doc", "(e.doc", 1)
    if isinstance(value, Range):
        if value.low.kind is Kind.NUMBER:
            held = f"{expression} IS NOT NULL AND {expression} BETWEEN ? AND ?"
            return name, Sql(held, (value.low.value, value.high.value))
        return None
    if value.kind not in (Kind.NUMBER, Kind.TEXT):
        return None
    operator = "=" if part.operator is Operator.EQUAL else part.operator.value
    return name, Sql(f"{expression} IS NOT NULL AND {expression} {operator} ?", (value.value,))


def _spatial(attribute: str, box: Box | None) -> list[Sql]:
    parts = [Sql("p.attribute = ?", (attribute,))]
    if box is not None:
        west, south, east, north = box
        inside = "p.max_lon >= ? AND p.min_lon <= ? AND p.max_lat >= ? AND p.min_lat <= ?"
        parts.insert(0, Sql(inside, (west, east, south, north)))
    exact = "related(p.lon, p.lat, CASE WHEN p.lon IS NULL THEN p.geometry END)"
    return [*parts, Sql(exact)]


def _any_of(column: str, values: Sequence[str]) -> Sql:
    return Sql(f"{column} IN ({', '.join('?' * len(values))})", tuple(values))


def _within_kinds(kinds: Collection[int], alias: str = "e") -> Sql:
    if not kinds:
        return NEVER
    marks = ", ".join("?" * len(kinds))
    inner = f"SELECT 1 FROM entity_kind a WHERE a.key = {alias}.key AND a.kind IN ({marks})"  # noqa: S608 -- question marks
    return Sql(f"EXISTS ({inner})", tuple(kinds))


def _types(selection: TypeSelection, catalog: Catalog) -> Sql:
    if isinstance(selection, TypeName):
        kind = catalog.kinds.get(selection.name)
        return NEVER if kind is None else _within_kinds((kind,))
    parts = [_types(part, catalog) for part in selection.parts]
    if isinstance(selection, TypeAll):
        return NEVER if NEVER in parts else joined(parts, "AND")
    possible = [part for part in parts if part != NEVER]
    return joined(possible, "OR") if possible else NEVER


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
    base = _path(path.attribute)
    alone = _instance(condition, shape, row.doc, base)
    if not shape & _MULTI:
        return alone
    one_of = _instance(condition, shape, "i.value", "$")
    several = f"json_type({row.doc}, ?) = 'array' AND EXISTS (SELECT 1 FROM json_each({row.doc}, ?) i WHERE "  # noqa: S608
    return joined([alone, Sql(f"{several}{one_of.text})", (base, base, *one_of.values))], "OR")


def _linked(condition: Linked, catalog: Catalog, row: _Row) -> Sql:
    """Entities that some instance of a relationship points at (clauses 4.9 and 4.5.23)."""
    shape = catalog.shapes.get(condition.relationship, 0)
    if not shape & _POINTING:
        return NEVER
    there = row.linked()
    base = _path(condition.relationship)
    places = [f"{base}.object", f"{base}.objectList"]
    if shape & _MULTI:
        places += [f"{base}[{n}].{member}" for n in range(_INSTANCES) for member in ("object", "objectList")]
    pointed = " UNION ALL ".join([_TARGETS.format(doc=row.doc)] * len(places))
    head = Sql(f"{there.alias}.tenant = ? AND {there.alias}.id IN ({pointed})", (catalog.tenant, *places))
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
_TARGETS = "SELECT iif(t.type = 'object', t.value ->> '$.object', t.value) FROM json_each({doc}, ?) t"


def _stamp_of(path: Path, alias: str = "e") -> Sql | None:
    """Where the time lies when an attribute was made or changed, if that is what a path asks for."""
    if path.subs[:1] not in _ATTRIBUTE_STAMPS:
        return None
    position, column = _ATTRIBUTE_STAMPS[path.subs[:1]]
    stamp_path = f"{_path(path.attribute)}[{position}]"
    return Sql(f"COALESCE({alias}.stamps ->> ?, {alias}.{column})", (stamp_path,))


_ENTITY_STAMPS = {"createdAt": "created_ms", "modifiedAt": "modified_ms"}
_ATTRIBUTE_STAMPS: dict[tuple[str, ...], tuple[int, str]] = {
    ("createdAt",): (0, "created_ms"),
    ("modifiedAt",): (1, "created_ms"),
}
_METADATA = frozenset({"observedAt", "unitCode", "datasetId", "objectType", "valueType", "expiresAt"})


def _path(*names: str) -> str:
    """A JSON path; names hold no double quote (`names.check_name`)."""
    return "$" + "".join(f'."{name}"' for name in names)


def _stamp(condition: Exists | Compare, clock: Sql) -> Sql:
    if isinstance(condition, Exists):
        return Sql("1")
    parts = []
    for value in condition.values:
        low, high = (value.low, value.high) if isinstance(value, Range) else (value, value)
        moment = "CAST(round(unixepoch(?, 'subsec') * 1000) AS INTEGER)"
        if condition.operator in (Operator.EQUAL, Operator.UNEQUAL):
            text, values = f"{clock.text} BETWEEN {moment} AND {moment}", (*clock.values, low.value, high.value)
        else:
            text, values = f"{clock.text} {condition.operator.value} {moment}", (*clock.values, low.value)
        parts.append(Sql(text, values))
    either = joined(parts, "OR")
    return Sql(f"NOT ({either.text})", either.values) if condition.operator is Operator.UNEQUAL else either


def _instance(condition: Exists | Compare, shape: int, document: str, base: str) -> Sql:
    """The condition on one attribute instance that lies at `base` of `document`."""
    if isinstance(condition, Exists):
        leaf = base + _path(*condition.path.subs)[1:]
        if not condition.path.members:
            return Sql(f"json_type({document}, ?) IS NOT NULL", (leaf,))
    if isinstance(condition, Exists):
        leaves = _leaves(condition.path, shape, base)
        return joined([Sql(f"json_type({document}, ?) IS NOT NULL", (leaf,)) for leaf in leaves], "OR")
    if condition.operator not in _EQUALITY:
        shape &= ~_POINTING  # what relationships point at is only equal or not (clause 4.9)
    named = frozenset(_leaves(condition.path, shape & _VOCAB, base)) if shape & _VOCAB else frozenset()
    leaves = _leaves(condition.path, shape, base)
    listed = bool(shape & _LISTED) or "*" in condition.path.members
    return _compare(condition, document, leaves, _Sought(listed, named)) if leaves else NEVER


@dataclass(frozen=True, slots=True)
class _Sought:
    """How values are looked for: inside lists too, and in which places a text stands for a name."""

    listed: bool
    named: frozenset[str]


_EQUALITY = frozenset({Operator.EQUAL, Operator.UNEQUAL})
_LISTED = int(
    Shape.ARRAY | Shape.LIST | Shape.LANGUAGE | Shape.OBJECT_LIST
)  # plain numbers: an IntFlag costs 2 µs each time it is tested
_MULTI = int(Shape.MULTI)
_TYPED = int(Shape.TYPED)
_PROPERTY = int(Shape.PROPERTY)
_POINTING = int(Shape.RELATIONSHIP | Shape.OBJECT_LIST)
_VOCAB = int(Shape.VOCAB)
_VERBATIM = frozenset({"json", "languageMap"})
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


def _leaves(path: Path, shape: int, base: str) -> list[str]:
    """Where the value a path speaks of can lie."""
    if path.subs:
        base += "".join(f'."{name}"' for name in path.subs)
        if path.subs[-1] in _METADATA:
            return [base]
        members = _SUB_MEMBERS
    else:
        members = tuple([member for bit, member in _MEMBERS if shape & bit])
    found = [f"{base}.{member}{_inner(path, member)}" for member in members]
    if shape & _TYPED and not path.members and not path.subs:
        found.append(f'{base}.value."@value"')
    return list(dict.fromkeys(found))


_SUB_MEMBERS: tuple[str, ...] = ("value", "object", "languageMap", "vocab", "json", "valueList", "objectList")


def _inner(path: Path, member: str) -> str:
    """The members inside a value. In a language map `*` is any language: then the whole map is looked through."""
    names = path.written if member in _VERBATIM and path.written else path.members
    return "".join(f'."{name}"' for name in names if name != "*")


def _compare(condition: Compare, document: str, leaves: list[str], sought: _Sought) -> Sql:
    path = condition.path
    tests = [
        _test(condition.operator, one, document, leaf, sought.listed or bool(path.subs or path.members))
        for leaf in leaves
        for value in condition.values
        for one in _worded(value, leaf in sought.named, path.expanded)
    ]
    either = joined(tests, "OR")
    if condition.operator not in (Operator.UNEQUAL, Operator.MATCHES_NOT):
        return either
    form = "json_type({0}, ?) IS NOT NULL" if condition.operator is Operator.UNEQUAL else _TEXTUAL
    there = joined([Sql(form.format(document), (leaf,)) for leaf in leaves], "OR")
    return Sql(f"({there.text}) AND NOT coalesce({either.text}, 0)", (*there.values, *either.values))


_TEXTUAL = "json_type({0}, ?) IN ('text', 'array', 'object')"
"""A pattern that must not match says nothing of numbers (clause 4.9)."""


def _worded(value: Literal | Range, named: bool, expanded: bool) -> list[Literal | Range]:
    """What a literal is compared as: a text, the name it stands for (VocabProperty), or both (expandValues)."""
    if not isinstance(value, Literal) or not value.name or not (named or expanded):
        return [value]
    said = structs.replace(value, value=value.name)
    return [said] if named else [value, said, structs.replace(value, value=expand_canonical(value.name))]


def _test(operator: Operator, value: Literal | Range, document: str, leaf: str, listed: bool) -> Sql:
    kind = value.low.kind if isinstance(value, Range) else value.kind
    types = _JSON_TYPES[kind]
    if kind is Kind.BOOLEAN and isinstance(value, Literal):
        types = f"('{'true' if value.value else 'false'}')"
    alone = _bounded(operator, value, kind, Sql(f"{document} ->> ?", (leaf,)))
    plain = Sql(f"json_type({document}, ?) IN {types} AND {alone.text}", (leaf, *alone.values))
    if not listed:
        return plain
    inner = _bounded(operator, value, kind, Sql("v.value"))
    if leaf.endswith((".languageMap", ".objectList")):
        each = f"EXISTS (SELECT 1 FROM json_tree({document}, ?) v WHERE v.type IN {types} AND {inner.text})"  # noqa: S608
        return Sql(each, (leaf, *inner.values))
    each = f"EXISTS (SELECT 1 FROM json_each({document}, ?) v WHERE v.type IN {types} AND {inner.text})"  # noqa: S608
    return joined([plain, Sql(f"json_type({document}, ?) = 'array' AND {each}", (leaf, leaf, *inner.values))], "OR")


_JSON_TYPES = {
    Kind.NUMBER: "('integer', 'real')",
    Kind.TEXT: "('text')",
    Kind.INSTANT: "('text')",
    Kind.BOOLEAN: "('true', 'false')",
}


def _bounded(operator: Operator, value: Literal | Range, kind: Kind, found: Sql) -> Sql:
    """`found` against a literal or range; negation is the caller's."""
    if operator in (Operator.MATCHES, Operator.MATCHES_NOT):
        assert isinstance(value, Literal)
        return Sql(f"matches(?, {found.text})", (value.value, *found.values))
    if kind is Kind.BOOLEAN:
        return Sql("1")
    mark = "?"
    if kind is Kind.INSTANT:
        found, mark = Sql(f"unixepoch({found.text}, 'subsec')", found.values), "unixepoch(?, 'subsec')"
    if isinstance(value, Range):
        return Sql(f"({found.text}) BETWEEN {mark} AND {mark}", (*found.values, value.low.value, value.high.value))
    sign = "=" if operator in (Operator.EQUAL, Operator.UNEQUAL) else operator.value
    return Sql(f"({found.text}) {sign} {mark}", (*found.values, value.value))
