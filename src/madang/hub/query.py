"""Query strings → syntax trees (clauses 4.7, 4.9, 4.10, 4.17, 5.7.2). Pure; names come out canonical.

`q` grammar: terms `path`, `path==value`, `!=`, `<`, `<=`, `>`, `>=`, `~=`, `!~=`, joined by `;` (and, binds tighter)
and `|` (or), with parentheses. A path is `attribute`, `attribute.sub.sub` or `attribute[member.member]`; a value is a
number, a quoted string, true/false, a date, time or URI, a range `a..b`, or a list `a,b,c`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

import orjson

from madang.hub.contexts.context import CORE_CONTEXT, Context
from madang.hub.entity import Json, check_geometry, instant
from madang.hub.errors import BadRequestDataError, NgsiLdError, TooComplexQueryError, TooManyResultsError
from madang.hub.names import is_uri

MAX_Q = 8_192
MAX_TERMS = 64
MAX_PATTERN = 512


class Operator(StrEnum):
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


@dataclass(frozen=True, slots=True)
class Literal:
    kind: Kind
    value: str | int | float | bool


@dataclass(frozen=True, slots=True)
class Range:
    low: Literal
    high: Literal


@dataclass(frozen=True, slots=True)
class Path:
    """`attribute`, then names of sub-attributes or metadata, then members inside the value."""

    attribute: str
    subs: tuple[str, ...] = ()
    members: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Exists:
    path: Path


@dataclass(frozen=True, slots=True)
class Compare:
    """One comparison; several `values` are a list (any of them)."""

    path: Path
    operator: Operator
    values: tuple[Literal | Range, ...]


@dataclass(frozen=True, slots=True)
class All:
    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    parts: tuple[Condition, ...]


Condition = Exists | Compare | All | AnyOf


@dataclass(frozen=True, slots=True)
class TypeName:
    name: str


@dataclass(frozen=True, slots=True)
class TypeAll:
    parts: tuple[TypeSelection, ...]


@dataclass(frozen=True, slots=True)
class TypeAny:
    parts: tuple[TypeSelection, ...]


TypeSelection = TypeName | TypeAll | TypeAny


class Georel(StrEnum):
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
class Query:
    """Which entities (clause 5.7.2), and which page of them."""

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
        q=parse_q(given("q", ""), names),
        geo=parse_geo(parameters, names),
        scope=given("scopeQ", ""),
        limit=limit,
        offset=_whole(given("offset", "0"), "offset"),
        count=count,
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
    if not text:
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


def parse_q(text: str, names: Context) -> Condition | None:
    """The query language (clause 4.9) → `Condition`; raises `BadRequestDataError` with the place."""
    if not text:
        return None
    if len(text) > MAX_Q:
        raise TooComplexQueryError(f"q is longer than {MAX_Q} characters", where="q")
    return _Q(text, names).parse()


_OPERATORS = re.compile(r"!~=|~=|==|!=|<=|>=|<|>")
_PATH_END = re.compile(r"[=!<>~;|()]")
_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?\Z")
_DATE = re.compile(r"\d{4}-\d\d-\d\d\Z")
_TIME = re.compile(r"\d\d:\d\d:\d\d(?:\.\d{1,6})?Z?\Z")
_ORDERED = frozenset({Operator.LESS, Operator.LESS_EQUAL, Operator.GREATER, Operator.GREATER_EQUAL})


class _Q:
    def __init__(self, text: str, names: Context) -> None:
        self._text = text
        self._names = names
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
        path = self._path()
        found = _OPERATORS.match(self._text, self._at)
        if found is None:
            if self._at < len(self._text) and self._text[self._at] not in ";|)":
                raise self._wrong("an operator is expected")
            return Exists(path)
        self._at = found.end()
        operator = Operator(found.group())
        return Compare(path, operator, self._values(operator))

    def _path(self) -> Path:
        end = _PATH_END.search(self._text, self._at)
        text = self._text[self._at : end.start() if end else len(self._text)].strip()
        if not text:
            raise self._wrong("an attribute name is expected")
        head, bracket, inner = text.partition("[")
        if bracket and (not inner.endswith("]") or len(inner) < 2):
            raise self._wrong("a bracket is not closed")
        first, *subs = [head] if "://" in head or head.startswith("urn:") else head.split(".")
        members = inner[:-1].split(".") if bracket else []
        if not all((first, *subs, *members)):
            raise self._wrong("a path has an empty part")
        self._at = end.start() if end else len(self._text)
        canonical = self._names.canonical
        return Path(canonical(first), tuple(map(canonical, subs)), tuple(map(self._member, members)))

    def _member(self, name: str) -> str:
        return name if name[:1] == "@" else self._names.canonical(name)

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
            return Literal(Kind.TEXT, self._quoted())
        start = self._at
        while self._at < len(self._text) and self._text[self._at] not in ";|),":
            if self._next_is(".."):
                break
            self._at += 1
        return self._unquoted(self._text[start : self._at], start)

    def _quoted(self) -> str:
        said: list[str] = []
        self._at += 1
        while self._at < len(self._text):
            one = self._text[self._at]
            if one == '"':
                self._at += 1
                return "".join(said)
            if one == "\\" and self._at + 1 < len(self._text):
                self._at += 1
                one = self._text[self._at]
            said.append(one)
            self._at += 1
        raise self._wrong("a string is not closed")

    def _unquoted(self, text: str, start: int) -> Literal:
        if text in ("true", "false"):
            return Literal(Kind.BOOLEAN, text == "true")
        if _NUMBER.match(text):
            return Literal(Kind.NUMBER, _number(text))
        if "T" in text and text[:1].isdigit():
            return Literal(Kind.INSTANT, instant(text, "q"))
        if _DATE.match(text) or _TIME.match(text) or is_uri(text):
            return Literal(Kind.TEXT, text)
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
    given = [name for name in (*_GEO_PARAMETERS, "geoproperty") if parameters.get(name)]
    if not given:
        return None
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


def _query_geometry(kind: str, coordinates: str) -> Json:
    if kind == "GeometryCollection" or len(coordinates) > 200_000:
        raise BadRequestDataError(f"geometry is {kind[:40]!r}, which is not taken here", where="geometry")
    try:
        decoded = orjson.loads(coordinates)
    except orjson.JSONDecodeError:
        raise BadRequestDataError("coordinates is not a JSON array", where="coordinates") from None
    try:
        return check_geometry({"type": kind, "coordinates": decoded}, "coordinates")
    except NgsiLdError as error:
        raise BadRequestDataError(error.detail, where="coordinates", hint=error.hint) from None
