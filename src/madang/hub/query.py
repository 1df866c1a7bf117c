"""Query strings → syntax trees (clauses 4.7, 4.9, 4.10, 4.17, 5.7.2). Pure; names come out canonical.

`q` grammar: terms `path`, `path==value`, `!=`, `<`, `<=`, `>`, `>=`, `~=`, `!~=`, joined by `;` (and, binds tighter)
and `|` (or), with parentheses. A path is `attribute`, `attribute.sub.sub`, `attribute[member.member]`, or
`relationship{path}` and `relationship{Type,Type:path}` for what lies in linked entities; a value is a number, a quoted
string, true/false, a date, time or URI, a range `a..b`, or a list `a,b,c`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum

import msgspec
import orjson
from msgspec.structs import replace

from madang.hub.collation import check_collation
from madang.hub.contexts.context import CORE_CONTEXT, Context
from madang.hub.entity import Json, check_geometry, instant
from madang.hub.errors import BadRequestDataError, NgsiLdError, TooComplexQueryError, TooManyResultsError
from madang.hub.names import check_name, is_uri

MAX_Q = 8_192
MAX_TERMS = 64
MAX_PATTERN = 512
MAX_HOPS = 10


class Operator(StrEnum):
    """How a value is compared with a literal (clause 4.9)."""

    __hash__ = str.__hash__  # Enum's own is a Python function: 0.3 µs where a query looks several things up

    EQUAL = "=="
    UNEQUAL = "!="
    LESS = "<"
    LESS_EQUAL = "<="
    GREATER = ">"
    GREATER_EQUAL = ">="
    MATCHES = "~="
    MATCHES_NOT = "!~="


class Kind(StrEnum):
    """What a literal is."""

    NUMBER = "number"
    TEXT = "text"
    BOOLEAN = "boolean"
    INSTANT = "instant"


class Literal(msgspec.Struct, frozen=True):
    """`name` is a text's canonical name: what it is compared by where words are names (VocabProperty, expandValues)."""

    kind: Kind
    value: str | int | float | bool
    name: str = ""


@dataclass(frozen=True, slots=True)
class Range:
    """From `low` to `high`, both included."""

    low: Literal
    high: Literal


class Path(msgspec.Struct, frozen=True):
    """`attribute`, then names of sub-attributes or metadata, then members inside the value.

    `written` are the members as the client wrote them: languages and the members of a JsonProperty are no names.
    `expanded` says that texts are compared by their names (expandValues).
    """

    attribute: str
    subs: tuple[str, ...] = ()
    members: tuple[str, ...] = ()
    written: tuple[str, ...] = ()
    expanded: bool = False


@dataclass(frozen=True, slots=True)
class Exists:
    """The attribute, or what the path leads to in it, is there."""

    path: Path


class Compare(msgspec.Struct, frozen=True):
    """One comparison; several `values` are a list (any of them)."""

    path: Path
    operator: Operator
    values: tuple[Literal | Range, ...]


@dataclass(frozen=True, slots=True)
class All:
    """Every part holds (`;`)."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one part holds (`|`)."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Linked:
    """Some entity that a relationship points at, of one of `types` where given, meets the condition (4.9, 4.5.23)."""

    relationship: str
    types: tuple[str, ...]
    condition: Condition


Condition = Exists | Compare | All | AnyOf | Linked


@dataclass(frozen=True, slots=True)
class TypeName:
    """An entity that has this type, by its expanded name (clause 4.17)."""

    name: str


@dataclass(frozen=True, slots=True)
class TypeAll:
    """An entity that has all of them."""

    parts: tuple[TypeSelection, ...]


@dataclass(frozen=True, slots=True)
class TypeAny:
    """An entity that has any of them."""

    parts: tuple[TypeSelection, ...]


TypeSelection = TypeName | TypeAll | TypeAny


class Georel(StrEnum):
    """How an entity's place lies to the one asked about (clause 4.10)."""

    NEAR = "near"
    WITHIN = "within"
    CONTAINS = "contains"
    INTERSECTS = "intersects"
    EQUALS = "equals"
    DISJOINT = "disjoint"
    OVERLAPS = "overlaps"


@dataclass(frozen=True, slots=True)
class GeoQuery:
    """Clause 4.10. Distances in metres; `geometry` is GeoJSON; `attribute` the GeoProperty asked about."""

    georel: Georel
    geometry: Json
    attribute: str = "location"
    min_m: float | None = None
    max_m: float | None = None


@dataclass(frozen=True, slots=True)
class OrderTerm:
    """One thing to order by: an attribute's path, or `id`, `type`, `scope`, `createdAt`, `modifiedAt`."""

    path: Path
    descending: bool = False
    by_distance: bool = False


@dataclass(frozen=True, slots=True)
class Ordering:
    """In which order entities are listed (clause 4.23); what an entity lacks comes last. `origin` is GeoJSON text."""

    terms: tuple[OrderTerm, ...]
    collation: str = ""
    origin: str = ""


@dataclass(frozen=True, slots=True)
class Selector:
    """Clause 5.2.33: entities of these types, with one of these ids, whose id matches the pattern."""

    types: TypeSelection | None = None
    ids: tuple[str, ...] = ()
    id_pattern: str = ""


class Query(msgspec.Struct, frozen=True):
    """Which entities (clause 5.7.2), and which page of them. Several `selectors` are alternatives."""

    types: TypeSelection | None = None
    ids: tuple[str, ...] = ()
    id_pattern: str = ""
    attrs: tuple[str, ...] = ()
    q: Condition | None = None
    geo: GeoQuery | None = None
    scope: str = ""
    limit: int = 20
    offset: int = 0
    count: bool = False
    order: Ordering | None = None
    selectors: tuple[Selector, ...] = ()

    def asking(self, q: Condition | None) -> Query:
        """The same with another condition, quicker than `replace`."""
        return Query(
            self.types,
            self.ids,
            self.id_pattern,
            self.attrs,
            q,
            self.geo,
            self.scope,
            self.limit,
            self.offset,
            self.count,
            self.order,
            self.selectors,
        )


def parse_query(
    parameters: Mapping[str, str], names: Context = CORE_CONTEXT, *, default_limit: int = 20, max_limit: int = 1000
) -> Query:
    """A `Query` from decoded query-string parameters; raises `BadRequestDataError` naming the parameter."""
    given = parameters.get
    limit, count = _paging(parameters, default_limit, max_limit)
    return Query(
        types=parse_types(given("type", ""), names),
        ids=_ids(given("id", "")),
        id_pattern=_pattern(given("idPattern", ""), "idPattern"),
        attrs=attribute_list(given("attrs", ""), names, "attrs"),
        q=parse_q(
            given("q", ""),
            names,
            expanded=frozenset(attribute_list(given("expandValues", ""), names, "expandValues")),
            verbatim=frozenset(attribute_list(given("jsonKeys", ""), names, "jsonKeys")),
        ),
        geo=parse_geo(parameters, names),
        scope=given("scopeQ", ""),
        limit=limit,
        offset=_whole(given("offset", "0"), "offset"),
        count=count,
        order=parse_order(parameters, names),
    )


def _paging(parameters: Mapping[str, str], default_limit: int, max_limit: int) -> tuple[int, bool]:
    """Limit and count (clause 5.5.9)."""
    count = boolean(parameters.get("count", "false"), "count")
    limit = _whole(parameters.get("limit", str(default_limit)), "limit")
    if limit > max_limit:
        raise TooManyResultsError(
            f"limit is {limit}; at most {max_limit} at once", where="limit", hint="Page by offset"
        )
    if limit == 0 and not count:
        raise BadRequestDataError("limit=0 needs count=true", where="limit")
    return limit, count


def _whole(text: str, where: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 12:
        raise BadRequestDataError(f"{where} is {text[:40]!r}, not a whole number", where=where)
    return int(text)


def boolean(text: str, where: str) -> bool:
    """`true` or `false`; raises `BadRequestDataError`."""
    if text in ("true", "false"):
        return text == "true"
    raise BadRequestDataError(f"{where} is {text[:40]!r}; it is true or false", where=where)


def _ids(text: str) -> tuple[str, ...]:
    ids = tuple(one for one in text.split(",") if one)
    for one in ids:
        if not is_uri(one):
            raise BadRequestDataError(f"id names {one[:80]!r}, which is not a URI", where="id")
    return ids


def attribute_list(text: str, names: Context, where: str) -> tuple[str, ...]:
    """Canonical names from a comma-separated list."""
    if not text:
        return ()
    parts = text.split(",")
    if not all(parts):
        raise BadRequestDataError(f"{where} has an empty name", where=where)
    return tuple(names.canonical(one) for one in parts)


def _pattern(text: str, where: str) -> str:
    if text:
        check_pattern(text, where)
    return text


def check_pattern(text: str, where: str) -> None:
    """Raises unless RE2 can run it: RE2 never backtracks, so no pattern can be made to hang."""
    compile_pattern(text, where)


def compile_pattern(text: str, where: str = "pattern") -> Callable[[str], object]:
    """A search function of a regular expression; raises `BadRequestDataError`."""
    import re2  # type: ignore[import-untyped] # ships no types; lazily: only some queries need it

    if len(text) > MAX_PATTERN:
        raise TooComplexQueryError(f"{where} is longer than {MAX_PATTERN} characters", where=where)
    options = re2.Options()
    options.max_mem = 1 << 20
    options.log_errors = False
    try:
        search: Callable[[str], object] = re2.compile(text, options).search
    except (re2.error, UnicodeError) as error:
        said = error.args[0] if error.args else ""
        said = said.decode(errors="replace") if isinstance(said, bytes) else said
        raise BadRequestDataError(
            f"{where} is not a regular expression: {said}", where=where, hint="RE2 syntax: no back references"
        ) from None
    return search


def parse_types(text: str, names: Context) -> TypeSelection | None:
    """EntityTypeSelection (clause 4.17): `A`, `A,B`, `A|B`, `(A;B),C`."""
    if text in ("", "*"):
        return None
    return _Types(text, names).parse()


class _Types:
    _TOKEN = re.compile(r"[(),;|]|[^(),;|]+")

    def __init__(self, text: str, names: Context) -> None:
        if len(text) > MAX_Q:
            raise TooComplexQueryError("type is too long", where="type")
        self._tokens = self._TOKEN.findall(text)
        self._names = names
        self._at = 0

    def parse(self) -> TypeSelection:
        if len(self._tokens) > 4 * MAX_TERMS:
            raise TooComplexQueryError("type selects too many types", where="type")
        found = self._either(0)
        if self._at != len(self._tokens):
            raise self._wrong()
        return found

    def _wrong(self) -> BadRequestDataError:
        said = self._tokens[self._at][:40] if self._at < len(self._tokens) else "the end"
        return BadRequestDataError(f"type is not a type selection near {said!r}", where="type", hint="e.g. A,(B;C)")

    def _peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _either(self, depth: int) -> TypeSelection:
        parts = [self._both(depth)]
        while self._peek() in (",", "|"):
            self._at += 1
            parts.append(self._both(depth))
        return parts[0] if len(parts) == 1 else TypeAny(tuple(parts))

    def _both(self, depth: int) -> TypeSelection:
        parts = [self._one(depth)]
        while self._peek() == ";":
            self._at += 1
            parts.append(self._one(depth))
        return parts[0] if len(parts) == 1 else TypeAll(tuple(parts))

    def _one(self, depth: int) -> TypeSelection:
        said = self._peek()
        if said == "(" and depth < 16:
            self._at += 1
            inner = self._either(depth + 1)
            if self._peek() != ")":
                raise self._wrong()
            self._at += 1
            return inner
        if not said or said in "(),;|":
            raise self._wrong()
        self._at += 1
        return TypeName(self._names.canonical(said))


def type_names(selection: TypeSelection | None) -> frozenset[str]:
    """Every type a selection names."""
    if selection is None:
        return frozenset()
    if isinstance(selection, TypeName):
        return frozenset({selection.name})
    return frozenset().union(*(type_names(part) for part in selection.parts))


def has_types(selection: TypeSelection, types: Collection[str]) -> bool:
    """Whether an entity of these types is selected."""
    if isinstance(selection, TypeName):
        return selection.name in types
    fits = all if isinstance(selection, TypeAll) else any
    return fits(has_types(part, types) for part in selection.parts)


def parse_q(
    text: str, names: Context, *, expanded: frozenset[str] = frozenset(), verbatim: frozenset[str] = frozenset()
) -> Condition | None:
    """The query language (clause 4.9) → `Condition`; raises `BadRequestDataError` with the place.

    Values of `expanded` attributes are names of the @context; members inside `verbatim` ones are plain JSON keys.
    """
    if not text:
        return None
    if len(text) > MAX_Q:
        raise TooComplexQueryError(f"q is longer than {MAX_Q} characters", where="q")
    if not expanded and (found := comparisons(text, names)) is not None:
        return found
    return _Q(text, names, expanded, verbatim).parse()


_COMPARISON = re.compile(
    r"([A-Za-z_][\w-]*)(==|!=|<=|>=|<|>)(-?(?:0|[1-9]\d{0,17})(?:\.\d{1,17})?)(?:;(?!\Z)|\Z)", re.A
)
_A_NUMBER = Kind.NUMBER
_SIGNS = {operator.value: operator for operator in Operator}


def comparisons(text: str, names: Context) -> Condition | None:
    """`a>1.5;b==2` and nothing else, or None: what most ask, read in 2 µs instead of 20 (measured)."""
    parts: list[Condition] = []
    at, end = 0, len(text)
    while at < end <= MAX_Q:
        found = _COMPARISON.match(text, at)
        if found is None or len(parts) >= MAX_TERMS:
            return None
        name, sign, number = found.groups()
        value = Literal(_A_NUMBER, float(number) if "." in number else int(number))
        parts.append(Compare(Path(names.canonical(name)), _SIGNS[sign], (value,)))
        at = found.end()
    return parts[0] if len(parts) == 1 else All(tuple(parts)) if parts else None


def linked_depth(condition: Condition | None) -> int:
    """How many relationships a condition follows one after another."""
    if isinstance(condition, Linked):
        return 1 + linked_depth(condition.condition)
    if isinstance(condition, (All, AnyOf)):
        return max(map(linked_depth, condition.parts))
    return 0


def asked_about(condition: Condition) -> frozenset[str]:
    """The attributes and relationships of the entity itself that a condition speaks of."""
    if isinstance(condition, (All, AnyOf)):
        return frozenset().union(*map(asked_about, condition.parts))
    return frozenset({condition.relationship if isinstance(condition, Linked) else condition.path.attribute})


_DIRECTIONS = {"asc": (False, False), "desc": (True, False), "dist-asc": (False, True), "dist-desc": (True, True)}
MAX_ORDER = 8


def parse_order(parameters: Mapping[str, str], names: Context) -> Ordering | None:
    """`orderBy`, `collation`, `orderFrom` and `orderGeometry` (clause 4.23)."""
    text = parameters.get("orderBy", "")
    if not text:
        return None
    if text.count(",") >= MAX_ORDER:
        raise TooComplexQueryError(f"orderBy names more than {MAX_ORDER} members", where="orderBy")
    terms = tuple(_order_term(one, names) for one in text.split(","))
    collation = parameters.get("collation", "")
    check_collation(collation)
    origin = ""
    if any(one.by_distance for one in terms):
        if not parameters.get("orderFrom"):
            raise BadRequestDataError(
                "Ordering by distance needs orderFrom", where="orderFrom", hint="e.g. orderFrom=[128.9,35.2]"
            )
        kind = parameters.get("orderGeometry") or "Point"
        origin = orjson.dumps(_query_geometry(kind, parameters["orderFrom"], "orderFrom")).decode()
    return Ordering(terms, collation, origin)


def _order_term(text: str, names: Context) -> OrderTerm:
    name, mark, said = text.partition(";")
    direction = _DIRECTIONS.get(said if mark else "asc")
    if direction is None:
        raise BadRequestDataError(
            f"orderBy has the direction {said[:40]!r}", where="orderBy", hint=", ".join(_DIRECTIONS)
        )
    try:
        path = read_path(name, names)
    except ValueError as error:
        raise BadRequestDataError(f"orderBy: {error}", where="orderBy", hint="Clause 4.23") from None
    return OrderTerm(path, *direction)


def read_path(text: str, names: Context, verbatim: frozenset[str] = frozenset()) -> Path:
    """`attribute.sub[member.member]` (clause 4.9, ValuePath); raises `ValueError` saying what is wrong."""
    head, bracket, inner = text.partition("[")
    if not text:
        raise ValueError("an attribute name is expected")
    if bracket and (not inner.endswith("]") or len(inner) < 2):
        raise ValueError("a bracket is not closed")
    first, *subs = [head] if "://" in head or head.startswith("urn:") else head.split(".")
    members = tuple(inner[:-1].split(".")) if bracket else ()
    if not all((first, *subs, *members)):
        raise ValueError("a path has an empty part")
    attribute = names.canonical(first)
    canonical = members if attribute in verbatim else tuple(_member(one, names) for one in members)
    return Path(attribute, tuple(map(names.canonical, subs)), canonical, tuple(map(check_name, members)))


def _member(name: str, names: Context) -> str:
    return name if name[:1] == "@" or name == "*" else names.canonical(name)


_OPERATORS = re.compile(r"!~=|~=|==|!=|<=|>=|<|>")
_PATH_END = re.compile(r"[=!<>~;|()]")
_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?\Z")
_DATE = re.compile(r"\d{4}-\d\d-\d\d\Z")
_TIME = re.compile(r"\d\d:\d\d:\d\d(?:\.\d{1,6})?Z?\Z")
_ORDERED = frozenset({Operator.LESS, Operator.LESS_EQUAL, Operator.GREATER, Operator.GREATER_EQUAL})


class _Q:
    def __init__(self, text: str, names: Context, expanded: frozenset[str], verbatim: frozenset[str]) -> None:
        self._text = text
        self._names = names
        self._expanded = expanded
        self._verbatim = verbatim
        self._words = False
        self._at = 0
        self._terms = 0

    def parse(self) -> Condition:
        found = self._either(0)
        if self._at != len(self._text):
            raise self._wrong("something follows the end of the query")
        return found

    def _wrong(self, what: str) -> BadRequestDataError:
        rest = self._text[self._at : self._at + 30]
        return BadRequestDataError(f"q: {what}, at character {self._at + 1} ({rest!r})", where="q", hint="Clause 4.9")

    def _next_is(self, mark: str) -> bool:
        return self._text.startswith(mark, self._at)

    def _either(self, depth: int) -> Condition:
        parts = [self._both(depth)]
        while self._next_is("|"):
            self._at += 1
            parts.append(self._both(depth))
        return parts[0] if len(parts) == 1 else AnyOf(tuple(parts))

    def _both(self, depth: int) -> Condition:
        parts = [self._term(depth)]
        while self._next_is(";"):
            self._at += 1
            parts.append(self._term(depth))
        return parts[0] if len(parts) == 1 else All(tuple(parts))

    def _term(self, depth: int) -> Condition:
        self._terms += 1
        if self._terms > MAX_TERMS or depth > 16:
            raise TooComplexQueryError(f"q has more than {MAX_TERMS} terms or nests too deep", where="q")
        if self._next_is("("):
            self._at += 1
            inner = self._either(depth + 1)
            if not self._next_is(")"):
                raise self._wrong("a parenthesis is not closed")
            self._at += 1
            return inner
        hops, path = self._path()
        found = _OPERATORS.match(self._text, self._at)
        condition: Condition = Exists(path)
        if found is not None:
            self._at = found.end()
            operator = Operator(found.group())
            self._words = path.expanded
            condition = Compare(path, operator, self._values(operator))
        elif self._at < len(self._text) and self._text[self._at] not in ";|)":
            raise self._wrong("an operator is expected")
        for relationship, types in reversed(hops):
            condition = Linked(relationship, types, condition)
        return condition

    def _path(self) -> tuple[list[tuple[str, tuple[str, ...]]], Path]:
        """The relationships to follow, each with the types wanted behind it, and the path from there."""
        end = _PATH_END.search(self._text, self._at)
        stop = end.start() if end else len(self._text)
        text = self._text[self._at : stop].strip()
        hops: list[tuple[str, tuple[str, ...]]] = []
        try:
            while "{" in text:
                name, _, rest = text.partition("{")
                if not name or not rest.endswith("}") or len(hops) >= MAX_HOPS:
                    raise ValueError("a brace is not closed" if name else "a relationship is expected before {")
                types, text = self._hint(rest[:-1])
                hops.append((self._names.canonical(name), types))
            path = read_path(text, self._names, self._verbatim)
        except ValueError as error:
            raise self._wrong(str(error)) from None
        self._at = stop
        return hops, replace(path, expanded=True) if path.attribute in self._expanded else path

    def _hint(self, text: str) -> tuple[tuple[str, ...], str]:
        """`Type,Type:rest` → the types and the rest; a prefix of the @context is no type."""
        head, colon, rest = text.partition(":")
        if not colon or rest.startswith("//") or head == "urn" or "{" in head or self._names.is_prefix(head):
            return (), text
        return tuple(self._names.canonical(one) for one in head.split(",")), rest

    def _values(self, operator: Operator) -> tuple[Literal | Range, ...]:
        if operator in (Operator.MATCHES, Operator.MATCHES_NOT):
            return (self._pattern_value(),)
        values: list[Literal | Range] = [self._value()]
        while self._next_is(",") and operator not in _ORDERED:
            self._at += 1
            values.append(self._value())
            if len(values) > 4 * MAX_TERMS:
                raise TooComplexQueryError("q lists too many values", where="q")
        if operator in _ORDERED and not all(isinstance(one, Literal) for one in values):
            raise self._wrong(f"{operator.value} takes one value, not a range")
        return tuple(values)

    def _value(self) -> Literal | Range:
        low = self._literal()
        if not self._next_is(".."):
            return low
        self._at += 2
        high = self._literal()
        if low.kind is not high.kind or low.kind is Kind.BOOLEAN:
            raise self._wrong("the ends of a range are of different kinds")
        return Range(low, high)

    def _literal(self) -> Literal:
        if self._next_is('"'):
            return self._text_literal(self._quoted())
        start = self._at
        while self._at < len(self._text) and self._text[self._at] not in ";|),":
            if self._next_is(".."):
                break
            self._at += 1
        return self._unquoted(self._text[start : self._at], start)

    def _text_literal(self, text: str) -> Literal:
        try:
            return Literal(Kind.TEXT, text, self._names.canonical(text))
        except BadRequestDataError:
            return Literal(Kind.TEXT, text)

    def _quoted(self) -> str:
        """A JSON string."""
        end = self._at + 1
        while end < len(self._text) and self._text[end] != '"':
            end += 2 if self._text[end] == "\\" else 1
        if end >= len(self._text):
            raise self._wrong("a string is not closed")
        try:
            text: str = orjson.loads(self._text[self._at : end + 1])
        except orjson.JSONDecodeError:
            text = re.sub(r"\\(.)", r"\1", self._text[self._at + 1 : end], flags=re.DOTALL)
        self._at = end + 1
        return text

    def _unquoted(self, text: str, start: int) -> Literal:
        if text in ("true", "false"):
            return Literal(Kind.BOOLEAN, text == "true")
        if _NUMBER.match(text):
            return Literal(Kind.NUMBER, _number(text))
        if "T" in text and text[:1].isdigit():
            return Literal(Kind.INSTANT, instant(text, "q"))
        if _DATE.match(text) or _TIME.match(text) or is_uri(text) or (self._words and text):
            return self._text_literal(text)
        self._at = start
        raise self._wrong("a value is expected" if not text else "text values are written in double quotes")

    def _pattern_value(self) -> Literal:
        if self._next_is('"'):
            text = self._quoted_pattern()
        else:
            end = re.compile(r"[;|)]").search(self._text, self._at)
            stop = end.start() if end else len(self._text)
            text, self._at = self._text[self._at : stop], stop
        if not text:
            raise self._wrong("a pattern is expected")
        check_pattern(text, "q")
        return Literal(Kind.TEXT, text)

    def _quoted_pattern(self) -> str:
        """Backslashes stay: they belong to the pattern; only an escaped quote loses its own."""
        end = self._at + 1
        while end < len(self._text) and self._text[end] != '"':
            end += 2 if self._text[end] == "\\" else 1
        if end >= len(self._text):
            raise self._wrong("a pattern is not closed")
        text = self._text[self._at + 1 : end]
        self._at = end + 1
        return text.replace('\\"', '"')


def _number(text: str) -> int | float:
    if re.fullmatch(r"-?\d{1,18}", text):
        return int(text)
    return float(text)


_NEAR = re.compile(r"(maxDistance|minDistance)==(\d+(?:\.\d+)?)\Z")
_GEO_PARAMETERS = ("georel", "geometry", "coordinates")


def parse_geo(parameters: Mapping[str, str], names: Context) -> GeoQuery | None:
    """The geo-query (clause 4.10) from `georel`, `geometry`, `coordinates` and `geoproperty`."""
    if not any(parameters.get(name) for name in _GEO_PARAMETERS):
        return None  # a geoproperty alone is ignored (table 6.4.3.2-1)
    if lacking := [name for name in _GEO_PARAMETERS if not parameters.get(name)]:
        raise BadRequestDataError(f"A geo-query also needs {', '.join(lacking)}", where=lacking[0], hint="Clause 4.10")
    georel, min_m, max_m = _georel(parameters["georel"])
    geometry = _query_geometry(parameters["geometry"], parameters["coordinates"])
    attribute = names.canonical(parameters.get("geoproperty") or "location")
    return GeoQuery(georel, geometry, attribute, min_m, max_m)


def _georel(text: str) -> tuple[Georel, float | None, float | None]:
    name, *modifiers = text.split(";")
    if name not in list(Georel):
        raise BadRequestDataError(f"georel is {name[:40]!r}; it is one of {', '.join(Georel)}", where="georel")
    if name != Georel.NEAR:
        if modifiers:
            raise BadRequestDataError(f"georel={name} takes no modifier", where="georel")
        return Georel(name), None, None
    found: dict[str, float] = {}
    for modifier in modifiers:
        match = _NEAR.match(modifier)
        if match is None or match[1] in found:
            raise BadRequestDataError(
                f"{modifier[:60]!r} is not a distance", where="georel", hint="near;maxDistance==2000"
            )
        found[match[1]] = float(match[2])
    if not found:
        raise BadRequestDataError(
            "near needs maxDistance or minDistance", where="georel", hint="near;maxDistance==2000"
        )
    return Georel.NEAR, found.get("minDistance"), found.get("maxDistance")


def _query_geometry(kind: str, coordinates: str, where: str = "coordinates") -> Json:
    if kind == "GeometryCollection" or len(coordinates) > 200_000:
        raise BadRequestDataError(f"geometry is {kind[:40]!r}, which is not taken here", where="geometry")
    try:
        decoded = orjson.loads(coordinates)
    except orjson.JSONDecodeError:
        raise BadRequestDataError(f"{where} is not a JSON array", where=where) from None
    try:
        return check_geometry({"type": kind, "coordinates": decoded}, where)
    except NgsiLdError as error:
        raise BadRequestDataError(error.detail, where=where, hint=error.hint) from None
