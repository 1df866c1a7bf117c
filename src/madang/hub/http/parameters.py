"""What the query string of a hub request asks for: filters, pages, representations (clauses 6.3.7–6.3.13)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

import orjson

from madang.hub.collation import check_collation
from madang.hub.contexts.context import CORE_CONTEXT, Context, Json
from madang.hub.errors import (
    BadRequestDataError,
    InvalidRequestError,
    OperationNotSupportedError,
    TooComplexQueryError,
)
from madang.hub.http.wire import GEO_JSON, Request, read_parameters
from madang.hub.language import wishes
from madang.hub.names import is_uri
from madang.hub.query import (
    MAX_HOPS,
    Condition,
    Query,
    Selector,
    asked_about,
    attribute_list,
    boolean,
    comparisons,
    linked_depth,
    parse_q,
    parse_query,
)
from madang.hub.render import Form, View
from madang.hub.scope import check_scope_query

JOIN_PARAMETERS = frozenset({"join", "joinLevel", "containedBy"})
VIEW_PARAMETERS = frozenset({"attrs", "pick", "omit", "lang", "options", "format", "datasetId", "geometryProperty"})
_MAPS = frozenset({"entityMap", "entityMapLifetime"})
FILTER_PARAMETERS = frozenset(
    {
        "type",
        "id",
        "idPattern",
        "q",
        "expandValues",
        "jsonKeys",
        "georel",
        "geometry",
        "coordinates",
        "geoproperty",
        "scopeQ",
        "csf",
    }
)
PAGE_PARAMETERS = frozenset({"limit", "offset", "count"})
ORDER_PARAMETERS = frozenset({"orderBy", "collation", "orderFrom", "orderGeometry"})
QUERY_PARAMETERS = (
    VIEW_PARAMETERS
    | FILTER_PARAMETERS
    | PAGE_PARAMETERS
    | ORDER_PARAMETERS
    | JOIN_PARAMETERS
    | _MAPS
    | {"local", "splitEntities"}
)
_READ_OPTIONS = frozenset({"normalized", "concise", "keyValues", "simplified", "sysAttrs"})
PLAIN = View()
RETRIEVE_PARAMETERS = VIEW_PARAMETERS | JOIN_PARAMETERS | _MAPS | {"type", "local"}
WRITE_OPTIONS = frozenset({"noOverwrite", "keyValues", "concise", "normalized", "simplified"})
UPSERT_OPTIONS = WRITE_OPTIONS | {"replace", "update"}
_FORMS = {
    "normalized": Form.NORMALIZED,
    "concise": Form.CONCISE,
    "keyValues": Form.SIMPLIFIED,
    "simplified": Form.SIMPLIFIED,
}


def check_parameters(parameters: Mapping[str, str], known: frozenset[str]) -> None:
    """Raises `InvalidRequestError` for a parameter that the operation does not know, naming those it does."""
    for name in parameters:
        if name not in known:
            raise InvalidRequestError(
                f"There is no parameter {name[:60]!r} here", where=name[:60], hint=f"Known: {', '.join(sorted(known))}"
            )
    for name in ("local", "splitEntities"):
        if name in parameters:
            boolean(parameters[name], name)
    if "entityMap" in parameters and boolean(parameters["entityMap"], "entityMap"):
        raise OperationNotSupportedError("Entity maps are not kept here", where="entityMap")


def options_of(parameters: Mapping[str, str], known: frozenset[str]) -> frozenset[str]:
    """The words of `options`; raises `BadRequestDataError` for one that is not known here."""
    given = frozenset(one for one in parameters.get("options", "").split(",") if one)
    if unknown := given - known:
        raise BadRequestDataError(f"options={sorted(unknown)[0][:60]} is not known here", where="options")
    return given


def simplified(request: Request) -> bool:
    """Whether a body comes in the simplified representation (`options` or `format`)."""
    if not request.query_string:
        return False
    options = options_of(request.parameters, UPSERT_OPTIONS)
    said = request.parameters.get("format", "")
    if said and said not in _FORMS:
        raise BadRequestDataError(f"format={said[:40]} is not known", where="format")
    return bool({"keyValues", "simplified"} & options) or _FORMS.get(said) is Form.SIMPLIFIED


def view_of(request: Request, names: Context, known: frozenset[str]) -> View:
    """How the answer is to be shown, from parameters that must all be known."""
    check_parameters(request.parameters, known)
    return read_view(request.parameters, names)


def read_view(parameters: Mapping[str, str], names: Context) -> View:
    """The representation asked for (clauses 6.3.7, 6.3.11, 4.15, 4.21, 4.5.5)."""
    options = options_of(parameters, _READ_OPTIONS)
    pick = read_projection(parameters.get("pick", ""), names, "pick")
    omit = read_projection(parameters.get("omit", ""), names, "omit")
    only = frozenset(attribute_list(parameters.get("attrs", ""), names, "attrs"))
    if only & _NO_ATTRIBUTES:
        raise BadRequestDataError("attrs names attributes, not id, type or scope", where="attrs", hint="Use pick")
    lang = parameters.get("lang", "")[:200]
    if lang:
        wishes(lang)
    geometry = parameters.get("geometryProperty", "")
    view = View(
        form=_form(parameters.get("format", ""), options),
        system="sysAttrs" in options,
        only=only,
        lang=lang,
        datasets=_datasets(parameters.get("datasetId", "")),
        geometry=names.canonical(geometry) if geometry else "location",
    )
    return _projected(view, pick, omit) if pick or omit else view


_NO_ATTRIBUTES = frozenset({"id", "type", "scope"})


def _form(said: str, options: frozenset[str]) -> Form:
    """`format` goes before `options` (table 6.3.7-1)."""
    if said:
        if said not in _FORMS:
            raise BadRequestDataError(f"format={said[:40]} is not known", where="format", hint=", ".join(_FORMS))
        return _FORMS[said]
    forms = {_FORMS[one] for one in options if one in _FORMS}
    if len(forms) > 1:
        raise BadRequestDataError("Two representations are asked for at once", where="options")
    return forms.pop() if forms else Form.NORMALIZED


def _datasets(text: str) -> frozenset[str]:
    found = [one for one in text.split(",") if one]
    for one in found:
        if one != "@none" and not is_uri(one):
            raise BadRequestDataError(f"datasetId names {one[:80]!r}, which is not a URI", where="datasetId")
    return frozenset("" if one == "@none" else one for one in found)


Projection = dict[str, "Projection | None"]
"""Members of an entity; those of linked entities below the relationship that leads to them (clause 4.21)."""


def read_projection(text: str, names: Context, where: str) -> Projection:
    """`a,b{c,d{e}}` → canonical names; raises `BadRequestDataError`."""
    tokens = re.findall(r"[{},|]|[^{},|]+", text)
    found, rest = _projection(tokens, names, where, 0)
    if rest:
        raise BadRequestDataError(f"{where} has a brace too many", where=where, hint="e.g. name,locatedIn{name}")
    return found


def _projection(tokens: list[str], names: Context, where: str, depth: int) -> tuple[Projection, list[str]]:
    found: Projection = {}
    while tokens:
        name, *tokens = tokens
        if name in _MARKS or depth > MAX_HOPS:
            raise BadRequestDataError(f"{where} has an empty name or nests too deep", where=where)
        inner: Projection | None = None
        if tokens[:1] == ["{"]:
            inner, tokens = _projection(tokens[1:], names, where, depth + 1)
            if tokens[:1] != ["}"] or not inner:
                raise BadRequestDataError(f"{where} has a brace that is not closed", where=where)
            tokens = tokens[1:]
        found[names.canonical(name)] = inner
        if not tokens or tokens[0] == "}":
            return found, tokens
        if tokens[0] not in (",", "|") or len(tokens) == 1:
            raise BadRequestDataError(f"{where} is not a list of names", where=where, hint="Clause 4.21")
        tokens = tokens[1:]
    return found, tokens


_MARKS = frozenset("{},|")


def _projected(view: View, pick: Projection, omit: Projection) -> View:
    """What stands plainly holds for linked entities too, unless a brace says what is picked of those (5.7.1.5)."""
    plain = {name for name, inner in omit.items() if inner is None}
    linked = []
    for name in {**pick, **omit}:
        picked, omitted = pick.get(name), omit.get(name)
        if picked is not None or omitted is not None:
            beyond: Projection = dict.fromkeys(plain) | (omitted or {})
            linked.append((name, _projected(replace(view, only=frozenset()), picked or pick, beyond)))
    return replace(view, pick=frozenset(pick), omit=frozenset(plain), linked=tuple(linked))


def projection_depth(text: str) -> int:
    """How many relationships a projection follows one after another."""
    depth = deepest = 0
    for one in text:
        depth += (one == "{") - (one == "}")
        deepest = max(deepest, depth)
    return deepest


@dataclass(frozen=True, slots=True)
class Join:
    """Linked entity retrieval (clause 4.5.23): inline or flattened, how far, and what the client has already."""

    inline: bool
    levels: int = 1
    contained: frozenset[str] = frozenset()


MAX_JOIN_LEVEL = 10


def read_join(parameters: Mapping[str, str], condition: Condition | None = None) -> Join | None:
    """`join`, `joinLevel` and `containedBy`; raises where projection or query reach further than they allow."""
    said = parameters.get("join", "@none")
    if said not in ("inline", "flat", "@none"):
        raise BadRequestDataError(f"join is {said[:40]!r}", where="join", hint="inline, flat or @none")
    level = parameters.get("joinLevel", "1")
    if not level.isascii() or not level.isdigit() or int(level[:9]) < 1:
        raise BadRequestDataError(f"joinLevel is {level[:40]!r}, not a positive whole number", where="joinLevel")
    if int(level[:9]) > MAX_JOIN_LEVEL:
        raise TooComplexQueryError(f"joinLevel is at most {MAX_JOIN_LEVEL}", where="joinLevel")
    contained = [one for one in parameters.get("containedBy", "").split(",") if one]
    if not all(map(is_uri, contained)):
        raise BadRequestDataError("containedBy is a list of URIs", where="containedBy")
    join = None if said == "@none" else Join(said == "inline", int(level), frozenset(contained))
    reach = join.levels if join is not None else 0
    for name, depth in (
        ("q", linked_depth(condition)),
        ("pick", projection_depth(parameters.get("pick", ""))),
        ("omit", projection_depth(parameters.get("omit", ""))),
    ):
        if depth > reach:
            raise BadRequestDataError(
                f"{name} follows {depth} relationships, joinLevel allows {reach}",
                where=name,
                hint="Give join, joinLevel",
            )
    return join


def check_media(parameters: Mapping[str, str], media: bytes) -> None:
    """Raises where a parameter only means something in GeoJSON and that is not asked for (clause 5.7.1.4)."""
    if parameters.get("geometryProperty") and media != GEO_JSON:
        raise BadRequestDataError(
            "geometryProperty needs GeoJSON", where="geometryProperty", hint="Accept: application/geo+json"
        )


def read_query(
    parameters: Mapping[str, str],
    names: Context,
    default_limit: int,
    max_limit: int,
    known: frozenset[str] = QUERY_PARAMETERS,
) -> tuple[Query, View]:
    """A query and how its entities are shown; raises `BadRequestDataError`, also where nothing is selected."""
    check_parameters(parameters, known)
    if parameters.get("type") == "*" and parameters.get("local") == "false":
        raise BadRequestDataError("type=* is only for this broker's own entities", where="local")
    if parameters.get("scopeQ"):
        check_scope_query(parameters["scopeQ"])
    if parameters.get("csf"):
        parse_q(parameters["csf"], names)
    check_collation(parameters.get("collation", ""))
    query = parse_query(parameters, names, default_limit=default_limit, max_limit=max_limit)
    if parameters.get("local") != "true" and not _narrows(parameters, query):
        raise BadRequestDataError(
            "The query is too wide", where="query", hint="Give at least one of type, attrs, q, georel, or local=true"
        )
    return query, read_view(parameters, names)


_SYSTEM = frozenset({"createdAt", "modifiedAt", "deletedAt", "expiresAt"})


def _narrows(parameters: Mapping[str, str], query: Query) -> bool:
    """Whether a query is narrow enough (clause 5.7.2.4): ids, scopes and system times alone do not make it so."""
    if parameters.get("type") or parameters.get("georel"):
        return True
    return bool(set(query.attrs) - _SYSTEM) or (query.q is not None and not asked_about(query.q) <= _SYSTEM)


def core_query(query_string: bytes, default_limit: int, max_limit: int) -> tuple[Query, View, Join | None]:
    """A query string in core names; kept, for clients ask the same again.

    Or the same with other numbers: what stands around `q` is kept by itself (reading all costs 45 µs, `q` alone 3).
    """
    start = query_string.find(b"q=") + 2
    if start > 1 and (start == 2 or query_string[start - 3] == _AND):
        end = query_string.find(b"&", start)
        text, rest = (query_string[start:], b"") if end < 0 else (query_string[start:end], query_string[end:])
        condition = comparisons(text.decode("latin-1"), CORE_CONTEXT)
        if condition is not None and b"expandValues" not in query_string:
            query, view, join = _core_query(query_string[:start] + b"q" + rest, default_limit, max_limit)
            if query.types is not None:  # else it may be too wide
                return query.asking(condition), view, join
    return _core_query(query_string, default_limit, max_limit)


_AND = ord("&")


@lru_cache(maxsize=512)
def _core_query(query_string: bytes, default_limit: int, max_limit: int) -> tuple[Query, View, Join | None]:
    parameters = read_parameters(query_string)
    query, view = read_query(parameters, CORE_CONTEXT, default_limit, max_limit)
    return query, PLAIN if view == PLAIN else view, read_join(parameters, query.q)


_LISTS = ("attrs", "pick", "omit", "containedBy", "datasetId")
_TEXTS = ("q", "scopeQ", "lang", "csf", "join", "expandValues", "jsonKeys", "entityMapLifetime")
_FLAGS = ("entityMap", "splitEntities")
_DOCUMENT = frozenset({"@context", "type", "entities", "geoQ", "joinLevel", "ordering", *_LISTS, *_TEXTS, *_FLAGS})


def query_document(raw: dict[str, Json], names: Context) -> tuple[dict[str, str], tuple[Selector, ...]]:
    """A Query (clause 5.2.23) as the parameters that say the same, and the entity selectors where they are several."""
    if raw.get("type") != "Query":
        raise BadRequestDataError('The body is a Query: its type is "Query"', where="type")
    if unknown := raw.keys() - _DOCUMENT:
        name = min(unknown)[:60]
        raise BadRequestDataError(f"{name} is no member of a Query of entities", where=name, hint="Clause 5.2.23")
    said = {name: _text(raw[name], name) for name in _TEXTS if name in raw}
    said |= {name: ",".join(_texts(raw[name], name)) for name in _LISTS if name in raw}
    said |= {name: _flag(raw[name], name) for name in _FLAGS if name in raw}
    if "joinLevel" in raw:
        said["joinLevel"] = str(raw["joinLevel"])
    said |= _geo_document(raw["geoQ"]) if "geoQ" in raw else {}
    said |= _ordering_document(raw["ordering"]) if "ordering" in raw else {}
    one, several = _selectors(raw["entities"], names) if "entities" in raw else ({}, ())
    return said | one, several


def _text(value: Json, where: str) -> str:
    if isinstance(value, list) and where in ("expandValues", "jsonKeys"):
        return ",".join(_texts(value, where))
    if not isinstance(value, str):
        raise BadRequestDataError(f"{where} is text", where=where)
    return value


def _flag(value: Json, where: str) -> str:
    if not isinstance(value, bool):
        raise BadRequestDataError(f"{where} is true or false", where=where)
    return "true" if value else "false"


def _geo_document(raw: Json) -> dict[str, str]:
    """A GeoQuery (clause 5.2.13)."""
    if not isinstance(raw, dict) or not raw.keys() <= {"geometry", "coordinates", "georel", "geoproperty"}:
        raise BadRequestDataError("geoQ is a GeoQuery", where="geoQ", hint="geometry, coordinates, georel, geoproperty")
    said = {name: _text(raw[name], f"geoQ.{name}") for name in ("georel", "geometry", "geoproperty") if name in raw}
    return said | _coordinates(raw, "coordinates")


def _coordinates(raw: dict[str, Json], name: str) -> dict[str, str]:
    if "coordinates" not in raw:
        return {}
    value = raw["coordinates"]
    return {name: value if isinstance(value, str) else orjson.dumps(value).decode()}


def _ordering_document(raw: Json) -> dict[str, str]:
    """An OrderingParams (clause 5.2.43)."""
    if not isinstance(raw, dict) or "orderBy" not in raw:
        raise BadRequestDataError("ordering needs orderBy", where="ordering", hint="Clause 5.2.43")
    if not raw.keys() <= {"orderBy", "collation", "coordinates", "geometry"}:
        raise BadRequestDataError("ordering has an unknown member", where="ordering", hint="Clause 5.2.43")
    said = {"orderBy": ",".join(_texts(raw["orderBy"], "ordering.orderBy"))} | _coordinates(raw, "orderFrom")
    for name, parameter in (("collation", "collation"), ("geometry", "orderGeometry")):
        if name in raw:
            said[parameter] = _text(raw[name], f"ordering.{name}")
    return said


def _texts(value: Json, where: str) -> list[str]:
    if not isinstance(value, list) or not value or not all(isinstance(one, str) and one for one in value):
        raise BadRequestDataError(f"{where} is a list of texts", where=where)
    return value


def _selectors(entities: Json, names: Context) -> tuple[dict[str, str], tuple[Selector, ...]]:
    """EntitySelectors (clause 5.2.33): one as parameters; several of types alone as one type selection."""
    if not isinstance(entities, list) or not entities or not all(isinstance(one, dict) for one in entities):
        raise BadRequestDataError("entities is a list of entity selectors", where="entities")
    if len(entities) > _MOST_SELECTORS:
        raise TooComplexQueryError(f"entities has more than {_MOST_SELECTORS} selectors", where="entities")
    said = [_selector(one) for one in entities]
    if len(said) == 1:
        return said[0], ()
    types = [one.get("type", "*") for one in said]
    shared = {} if "*" in types else {"type": ",".join(f"({one})" for one in types)}
    if all(one.keys() == {"type"} for one in said):
        return shared or {"type": "*"}, ()
    queries = [parse_query(one, names) for one in said]
    return shared or {"type": "*"}, tuple(Selector(one.types, one.ids, one.id_pattern) for one in queries)


_MOST_SELECTORS = 100


def _selector(raw: dict[str, Json]) -> dict[str, str]:
    if not raw or not raw.keys() <= {"id", "idPattern", "type"}:
        raise BadRequestDataError("An entity selector has type, id and idPattern", where="entities")
    said = {}
    for name, value in raw.items():
        parts = _texts(value, f"entities.{name}") if isinstance(value, list) else [_text(value, f"entities.{name}")]
        said[name] = ",".join(parts)
    return said
