"""What the query string of a hub request asks for: filters, pages, representations (clauses 6.3.7–6.3.13)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import orjson

from madang.hub.contexts.context import CORE_CONTEXT, Context, Json
from madang.hub.errors import BadRequestDataError, InvalidRequestError, OperationNotSupportedError
from madang.hub.http.wire import Request, read_parameters
from madang.hub.query import Query, attribute_list, boolean, parse_query
from madang.hub.render import Form, View
from madang.hub.scope import check_scope_query

VIEW_PARAMETERS = frozenset({"attrs", "pick", "omit", "lang", "options", "format"})
QUERY_PARAMETERS = VIEW_PARAMETERS | {
    "type",
    "id",
    "idPattern",
    "q",
    "georel",
    "geometry",
    "coordinates",
    "geoproperty",
    "scopeQ",
    "limit",
    "offset",
    "count",
    "local",
}
_READ_OPTIONS = frozenset({"normalized", "concise", "keyValues", "simplified", "sysAttrs"})
PLAIN = View()
RETRIEVE_PARAMETERS = VIEW_PARAMETERS | {"type", "local"}
WRITE_PARAMETERS = frozenset({"options", "format", "type", "local"})
DELETE_PARAMETERS = frozenset({"type", "local", "datasetId", "deleteAll"})
WRITE_OPTIONS = frozenset({"noOverwrite", "keyValues", "concise", "normalized", "simplified"})
UPSERT_OPTIONS = WRITE_OPTIONS | {"replace", "update"}
_FORMS = {
    "normalized": Form.NORMALIZED,
    "concise": Form.CONCISE,
    "keyValues": Form.SIMPLIFIED,
    "simplified": Form.SIMPLIFIED,
}


def only_parameters(request: Request, known: frozenset[str]) -> None:
    if request.query_string:
        check_parameters(request.parameters, known)


def check_parameters(parameters: Mapping[str, str], known: frozenset[str]) -> None:
    for name in parameters:
        if name not in known:
            raise InvalidRequestError(
                f"There is no parameter {name[:60]!r} here", where=name[:60], hint=f"Known: {', '.join(sorted(known))}"
            )
    if "local" in parameters:
        boolean(parameters["local"], "local")


def options_of(parameters: Mapping[str, str], known: frozenset[str]) -> frozenset[str]:
    given = frozenset(one for one in parameters.get("options", "").split(",") if one)
    if unknown := given - known:
        raise BadRequestDataError(f"options={sorted(unknown)[0][:60]} is not known here", where="options")
    return given


def simplified(request: Request) -> bool:
    if not request.query_string:
        return False
    options = options_of(request.parameters, UPSERT_OPTIONS)
    said = request.parameters.get("format", "")
    if said and said not in _FORMS:
        raise BadRequestDataError(f"format={said[:40]} is not known", where="format")
    return bool({"keyValues", "simplified"} & options) or _FORMS.get(said) is Form.SIMPLIFIED


def view_of(request: Request, names: Context, known: frozenset[str]) -> View:
    check_parameters(request.parameters, known)
    return read_view(request.parameters, names)


def read_view(parameters: Mapping[str, str], names: Context) -> View:
    """The representation asked for (clauses 6.3.7, 6.3.8, 4.21)."""
    options = options_of(parameters, _READ_OPTIONS)
    said = parameters.get("format", "")
    if said and said not in _FORMS:
        raise BadRequestDataError(f"format={said[:40]} is not known", where="format", hint=", ".join(_FORMS))
    forms = {_FORMS[one] for one in (*options, said) if one in _FORMS}
    if len(forms) > 1:
        raise BadRequestDataError("Two representations are asked for at once", where="options")
    return View(
        form=forms.pop() if forms else Form.NORMALIZED,
        system="sysAttrs" in options,
        only=frozenset(attribute_list(parameters.get("attrs", ""), names, "attrs")),
        pick=frozenset(attribute_list(parameters.get("pick", ""), names, "pick")),
        omit=frozenset(attribute_list(parameters.get("omit", ""), names, "omit")),
        lang=parameters.get("lang", "")[:100],
    )


def read_query(parameters: Mapping[str, str], names: Context, default_limit: int, max_limit: int) -> tuple[Query, View]:
    check_parameters(parameters, QUERY_PARAMETERS)
    if not any(parameters.get(name) for name in _SELECTING) and parameters.get("local") != "true":
        raise BadRequestDataError(
            "The query selects nothing", where="query", hint="Give at least one of type, id, attrs, q, georel"
        )
    if parameters.get("scopeQ"):
        check_scope_query(parameters["scopeQ"])
    query = parse_query(parameters, names, default_limit=default_limit, max_limit=max_limit)
    return query, read_view(parameters, names)


_SELECTING = ("type", "id", "idPattern", "attrs", "q", "georel", "scopeQ")


@lru_cache(maxsize=512)
def core_query(query_string: bytes, default_limit: int, max_limit: int) -> tuple[Query, View]:
    return read_query(read_parameters(query_string), CORE_CONTEXT, default_limit, max_limit)


def query_document(raw: dict[str, Json]) -> dict[str, str]:
    """A Query (clause 5.2.23) as the parameters that say the same."""
    if raw.get("type") != "Query":
        raise BadRequestDataError('The body is a Query: its type is "Query"', where="type")
    known = {"@context", "type", "entities", "attrs", "pick", "omit", "q", "geoQ", "scopeQ", "lang"}
    if unknown := raw.keys() - known:
        raise OperationNotSupportedError(f"{sorted(unknown)[0][:60]} is not supported in a Query", where="body")
    said: dict[str, str] = {name: raw[name] for name in ("q", "scopeQ", "lang") if name in raw}
    said |= {name: ",".join(_texts(raw[name], name)) for name in ("attrs", "pick", "omit") if name in raw}
    said |= _selector(raw.get("entities"))
    geo = raw.get("geoQ")
    if isinstance(geo, dict):
        said |= {name: geo[name] for name in ("georel", "geometry", "geoproperty") if name in geo}
        coordinates = geo.get("coordinates")
        said["coordinates"] = coordinates if isinstance(coordinates, str) else orjson.dumps(coordinates).decode()
    if not all(isinstance(value, str) for value in said.values()):
        raise BadRequestDataError("A member of the Query is not text", where="body")
    return said


def _texts(value: Json, where: str) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise BadRequestDataError(f"{where} is a list of texts", where=where)
    return value


def _selector(entities: Json) -> dict[str, str]:
    if entities is None:
        return {}
    if not isinstance(entities, list) or not entities or not all(isinstance(one, dict) for one in entities):
        raise BadRequestDataError("entities is a list of entity selectors", where="entities")
    if len(entities) > 1:
        if any(one.keys() != {"type"} for one in entities):
            raise OperationNotSupportedError("Several selectors may only name types", where="entities")
        return {"type": ",".join(_texts([one["type"] for one in entities], "type"))}
    one = entities[0]
    return {
        name: ",".join(_texts(one[name], name)) if isinstance(one[name], list) else one[name]
        for name in ("type", "id", "idPattern")
        if name in one
    }
