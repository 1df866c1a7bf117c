"""History over HTTP: the temporal evolution of entities (clauses 5.6.11–5.6.16, 5.7.3, 5.7.4, 6.18–6.22, 6.24)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING
from urllib.parse import quote

import orjson

from madang.hub.access import Access
from madang.hub.changes import encode
from madang.hub.contexts.context import CORE_CONTEXT, Context, Json
from madang.hub.entity import VALUE_MEMBER, Entity, check_id, has_kind, instant, read_attribute, read_fragment
from madang.hub.errors import BadRequestDataError, ResourceNotFoundError
from madang.hub.history.finding import HistoryPage
from madang.hub.history.history import missing
from madang.hub.history.instances import SCOPE, read_instance_id, text_of
from madang.hub.history.query import (
    AGGREGATION_PARAMETERS,
    WINDOW_PARAMETERS,
    HistoryQuery,
    read_aggregation,
    read_datasets,
    read_last_n,
    read_window,
)
from madang.hub.history.representation import TemporalForm, TemporalView, represent
from madang.hub.history.rows import ALL
from madang.hub.http.bodies import read_body
from madang.hub.http.operation import Operation
from madang.hub.http.pages import page_links, with_context
from madang.hub.http.parameters import FILTER_PARAMETERS, PAGE_PARAMETERS, check_parameters, query_document
from madang.hub.http.wire import JSON_LD, Header, Request, Response, accepted, json_headers, request_context
from madang.hub.names import is_uri
from madang.hub.query import Query, attribute_list, boolean, linked_depth, parse_query, type_names
from madang.hub.scope import check_scope_query
from madang.hub.store import Page
from madang.identity.rights import Right

if TYPE_CHECKING:
    from madang.hub.http.app import HubApp

_SHOWN = frozenset({"attrs", "pick", "omit", "lang", "options", "format", "datasetId", "local"})
_RETRIEVE = _SHOWN | WINDOW_PARAMETERS | AGGREGATION_PARAMETERS
_QUERY = _RETRIEVE | FILTER_PARAMETERS | PAGE_PARAMETERS | {"orderBy", "collation", "splitEntities"}
_WRITE = frozenset({"local"})
_FORMS = {
    "normalized": TemporalForm.NORMALIZED,
    "concise": TemporalForm.CONCISE,
    "temporalValues": TemporalForm.VALUES,
    "simplified": TemporalForm.VALUES,
    "keyValues": TemporalForm.VALUES,
    "aggregatedValues": TemporalForm.AGGREGATED,
}
_SELECTING = ("type", "attrs", "q", "georel")
_SYSTEM = frozenset({"createdAt", "modifiedAt", "deletedAt", "observedAt", "expiresAt"})
_TIMES = frozenset({"createdAt", "modifiedAt", "deletedAt", "observedAt"})
_PLURALS = {
    "values": ("Property", "value"),
    "objects": ("Relationship", "object"),
    "languageMaps": ("LanguageProperty", "languageMap"),
    "vocabs": ("VocabProperty", "vocab"),
    "valueLists": ("ListProperty", "valueList"),
    "objectLists": ("ListRelationship", "objectList"),
    "jsons": ("JsonProperty", "json"),
}


# Reading.


async def retrieve(app: HubApp, request: Request, access: Access) -> Response:
    """Retrieve Temporal Evolution of an Entity (clauses 5.7.3, 6.19.3.1)."""
    media = accepted(request.headers.get(b"accept", b"*/*"))
    names = await request_context(request, app.hub.contexts)
    check_parameters(request.parameters, _RETRIEVE)
    entity_id = check_id(request.segments[2])
    query, view = _read(request.parameters, names, access, Query(ids=(entity_id,), limit=1))
    page = await app.hub.past.retrieve(access.tenant, entity_id, query)
    if page is None or not access.sees(page.entities[0].types, Right.HUB_HISTORY):
        raise missing(entity_id)
    body = orjson.dumps(represent(page.entities[0], view, names, query.window))
    headers = [*json_headers(media, names), *_range(page, query)]
    status = 200 if page.served_us is None else 206
    return Response(status, headers, with_context(body, names) if media == JSON_LD else body)


async def query(app: HubApp, request: Request, access: Access) -> Response:
    """Query Temporal Evolution of Entities (clauses 5.7.4, 6.18.3.2)."""
    names = await request_context(request, app.hub.contexts)
    return await _queried(app, request, access, names, request.parameters, links=True)


async def query_by_post(app: HubApp, request: Request, access: Access) -> Response:
    """Query Temporal Evolution of Entities by POST (clauses 5.7.4, 6.24.3.1)."""
    raw, names = await read_body(app, request)
    temporal = _temporal_document(raw)
    said, selectors = query_document(raw, names)
    if selectors:
        raise BadRequestDataError("A temporal query takes one entity selector, or several of types", where="entities")
    return await _queried(app, request, access, names, {**request.parameters, **said, **temporal}, links=False)


async def _queried(
    app: HubApp, request: Request, access: Access, names: Context, parameters: Mapping[str, str], *, links: bool
) -> Response:
    media = accepted(request.headers.get(b"accept", b"*/*"))
    what, parameters = _read_what(app, parameters, names, access)
    asked, view = _read(parameters, names, access, what)
    if asked.window.open:
        raise BadRequestDataError("A temporal query needs timerel and timeAt", where="timerel", hint="Clause 4.11")
    page = await app.hub.past.query(access.tenant, asked)
    bodies = [orjson.dumps(represent(one, view, names, asked.window)) for one in page.entities]
    if media == JSON_LD:
        bodies = [with_context(one, names) for one in bodies]
    headers = [*json_headers(media, names), *_range(page, asked)]
    if what.count:
        headers.append((b"ngsild-results-count", str(page.total or 0).encode()))
    if links:
        told = Page((), (), page.more)
        headers.extend(page_links(request.query_string, what, told, "/ngsi-ld/v1/temporal/entities", media))
    return Response(200 if page.served_us is None else 206, headers, b"[" + b",".join(bodies) + b"]")


def _temporal_document(raw: dict[str, Json]) -> dict[str, str]:
    """The temporal members of a Query (clauses 5.2.21, 5.2.23) as parameters; they are taken out of it."""
    said: dict[str, str] = {}
    for member in ("temporalQ", "aggrParams"):
        part = raw.pop(member, {})
        if not isinstance(part, dict) or part.keys() - WINDOW_PARAMETERS - AGGREGATION_PARAMETERS:
            raise BadRequestDataError(f"{member} is a TemporalQuery", where=member, hint="Clause 5.2.21")
        for name, value in part.items():
            if name == "aggrMethods" and isinstance(value, list):
                said[name] = ",".join(str(one) for one in value)
            elif isinstance(value, str | int) and not isinstance(value, bool):
                said[name] = str(value)
            else:
                raise BadRequestDataError(f"{member}.{name} is not text or a number", where=name)
    for name in ("lastN", "format"):
        if name in raw:
            said[name] = str(raw.pop(name))
    return said


def _read_what(
    app: HubApp, parameters: Mapping[str, str], names: Context, access: Access
) -> tuple[Query, Mapping[str, str]]:
    """Which entities (clause 5.7.4.4)."""
    check_parameters(parameters, _QUERY)
    local = parameters.get("local") == "true"
    if parameters.get("type") == "*":
        if parameters.get("local") == "false":
            raise BadRequestDataError("type=* is only for this broker's own entities", where="local")
        parameters, local = {name: value for name, value in parameters.items() if name != "type"}, True
    attributes = set(parameters.get("attrs", "").split(",")) - _SYSTEM - {""}
    selecting = [name for name in _SELECTING if parameters.get(name) and (name != "attrs" or attributes)]
    if not selecting and not local:
        raise BadRequestDataError(
            "The query selects too much", where="query", hint="Give one of type, attrs, q, georel"
        )
    if parameters.get("scopeQ"):
        check_scope_query(parameters["scopeQ"])
    config = app.config
    what = parse_query(parameters, names, default_limit=config.default_limit, max_limit=config.max_limit)
    if linked_depth(what.q):
        raise BadRequestDataError("A temporal query does not look into linked entities", where="q")
    if what.order is not None:
        if any(term.path.attribute != "id" for term in what.order.terms):
            raise BadRequestDataError("A temporal query is ordered by id only", where="orderBy")
        if not local:
            raise BadRequestDataError("orderBy needs local=true", where="orderBy")
    asked = type_names(what.types)
    if asked and not any(access.may(Right.HUB_HISTORY, one) for one in asked):
        access.require(Right.HUB_HISTORY, asked)
    return what, parameters


def _read(
    parameters: Mapping[str, str], names: Context, access: Access, what: Query
) -> tuple[HistoryQuery, TemporalView]:
    form, system = _form(parameters)
    for name in ("pick", "omit"):
        if "{" in parameters.get(name, ""):
            raise BadRequestDataError(f"A temporal {name} does not look into linked entities", where=name)
    pick = attribute_list(parameters.get("pick", ""), names, "pick")
    attrs = attribute_list(parameters.get("attrs", ""), names, "attrs")
    asked = HistoryQuery(
        what=what,
        window=read_window(parameters),
        attrs=tuple(dict.fromkeys((*attrs, *(one for one in pick if one not in ("id", "type", *_TIMES))))),
        datasets=read_datasets(parameters),
        last_n=read_last_n(parameters),
        aggregation=read_aggregation(parameters, form is TemporalForm.AGGREGATED),
        may_see=None if access.sees_all(Right.HUB_HISTORY) else _seer(access),
    )
    omit = frozenset(attribute_list(parameters.get("omit", ""), names, "omit"))
    return asked, TemporalView(form, system, parameters.get("lang", "")[:200], frozenset(pick), omit)


def _form(parameters: Mapping[str, str]) -> tuple[TemporalForm, bool]:
    """Representation and system attributes (clauses 6.3.7, 6.3.11); `format` goes before `options`."""
    options = [one for one in parameters.get("options", "").split(",") if one]
    if unknown := [one for one in options if one not in _FORMS and one not in ("sysAttrs", "audit")]:
        raise BadRequestDataError(f"options={unknown[0][:60]} is not known here", where="options")
    said = parameters.get("format", "")
    if said and said not in _FORMS:
        raise BadRequestDataError(f"format={said[:40]} is not known", where="format", hint=", ".join(_FORMS))
    forms = {_FORMS[one] for one in ([said] if said else options) if one in _FORMS}
    if len(forms) > 1:
        raise BadRequestDataError("Two representations are asked for at once", where="options")
    return (forms.pop() if forms else TemporalForm.NORMALIZED), "sysAttrs" in options or "audit" in options


def _range(page: HistoryPage, asked: HistoryQuery) -> list[Header]:
    """Content-Range of an answer that holds only part of the time asked about (clause 6.3.10)."""
    if page.served_us is None:
        return []
    start, end = page.served_us
    size = asked.last_n if asked.last_n is not None else "*"
    return [(b"content-range", f"date-time {text_of(start)}-{text_of(end)}/{size}".encode())]


# Writing.


async def create(app: HubApp, request: Request, access: Access) -> Response:
    """Create or Update Temporal Evolution of an Entity (clauses 5.6.11, 6.18.3.1)."""
    check_parameters(request.parameters, _WRITE)
    raw, names = await read_body(app, request)
    entity_id = check_id(raw.get("id", raw.get("@id")))
    head, given = _temporal(app, raw, names)
    if not head.types:
        raise BadRequestDataError("An entity needs a type", where="type")
    there = await app.hub.past.types_of(access.tenant, entity_id)
    right = Right.HUB_UPDATE if there else Right.HUB_CREATE
    access.require(right, head.types)
    if (refusal := access.refusal_of_stored(right, there)) is not None:
        raise refusal
    new = await app.hub.past.add(access.tenant, entity_id, head.types, given, create=True)
    if not new:
        return Response(204, [])
    return Response(201, [(b"location", b"/ngsi-ld/v1/temporal/entities/" + quote(entity_id, safe=":").encode())])


async def add(app: HubApp, request: Request, access: Access) -> Response:
    """Add Attributes to Temporal Evolution of an Entity (clauses 5.6.12, 6.20.3.1)."""
    check_parameters(request.parameters, _WRITE)
    entity_id = check_id(request.segments[2])
    raw, names = await read_body(app, request)
    said = raw.get("id", raw.get("@id", entity_id))
    if said != entity_id:
        raise BadRequestDataError("The id in the body is not that of the path", where="id")
    head, given = _temporal(app, raw, names)
    await _require(app, access, Right.HUB_UPDATE, entity_id, head.types)
    await app.hub.past.add(access.tenant, entity_id, head.types, given, create=False)
    return Response(204, [])


async def delete_attribute(app: HubApp, request: Request, access: Access) -> Response:
    """Delete Attribute from Temporal Evolution of an Entity (clauses 5.6.13, 6.21.3.1)."""
    parameters = request.parameters
    check_parameters(parameters, _DELETE)
    entity_id, name = await _path(app, request)
    every = boolean(parameters.get("deleteAll", "false"), "deleteAll")
    dataset = parameters.get("datasetId", "")
    if dataset and dataset != "@none" and not is_uri(dataset):
        raise BadRequestDataError("datasetId is not a URI", where="datasetId")
    await _require(app, access, Right.HUB_DELETE, entity_id)
    await app.hub.past.remove(access.tenant, entity_id, name, ALL if every else dataset.removeprefix("@none"))
    return Response(204, [])


async def modify_instance(app: HubApp, request: Request, access: Access) -> Response:
    """Modify Attribute Instance in Temporal Evolution of an Entity (clauses 5.6.14, 6.22.3.1)."""
    check_parameters(request.parameters, _WRITE)
    entity_id, name = await _path(app, request)
    place = _place(request)
    raw, names = await read_body(app, request, patch=True)
    _, given = _temporal(app, {name: raw} if _is_instance(raw) else raw, names)
    if len(given) != 1 or given[0][0] != name:
        raise BadRequestDataError(f"The body holds one instance of {request.segments[4][:80]}", where="body")
    await _require(app, access, Right.HUB_UPDATE, entity_id)
    one = await app.hub.past.find_instance(access.tenant, entity_id, name, place)
    await app.hub.past.change_instance(access.tenant, one, given[0][1])
    return Response(204, [])


def _is_instance(raw: dict[str, Json]) -> bool:
    """Whether the body is the instance itself; else it stands in it under its attribute's name."""
    return has_kind(raw) or not raw.keys().isdisjoint(VALUE_MEMBER.values())


async def delete_instance(app: HubApp, request: Request, access: Access) -> Response:
    """Delete Attribute Instance from Temporal Evolution of an Entity (clauses 5.6.15, 6.22.3.2)."""
    check_parameters(request.parameters, _WRITE)
    entity_id, name = await _path(app, request)
    await _require(app, access, Right.HUB_DELETE, entity_id)
    one = await app.hub.past.find_instance(access.tenant, entity_id, name, _place(request))
    await app.hub.past.change_instance(access.tenant, one, None)
    return Response(204, [])


async def delete(app: HubApp, request: Request, access: Access) -> Response:
    """Delete Temporal Evolution of an Entity (clauses 5.6.16, 6.19.3.2). The present state stays."""
    check_parameters(request.parameters, _WRITE)
    entity_id = check_id(request.segments[2])
    await _require(app, access, Right.HUB_DELETE, entity_id)
    await app.hub.past.remove(access.tenant, entity_id)
    return Response(204, [])


async def _path(app: HubApp, request: Request) -> tuple[str, str]:
    names = await request_context(request, app.hub.contexts)
    return check_id(request.segments[2]), names.canonical(request.segments[4])


def _place(request: Request) -> tuple[int, int]:
    text = request.segments[5]
    if not is_uri(text):
        raise BadRequestDataError(f"The instanceId {text[:80]!r} is not a URI", where="instanceId")
    place = read_instance_id(text)
    if place is None:
        raise ResourceNotFoundError(f"There is no instance {text[:200]}", where="instanceId")
    return place


async def _require(
    app: HubApp, access: Access, right: Right, entity_id: str, types: tuple[str, ...] = ()
) -> tuple[str, ...]:
    """The types of an entity the asker may change; one of types that may not be seen is not there."""
    there = await app.hub.past.types_of(access.tenant, entity_id)
    if not there or not access.sees(there, Right.HUB_HISTORY):
        raise missing(entity_id)
    access.require(right, (*there, *types))
    return there


def _seer(access: Access) -> Json:
    return lambda types: access.sees(types, Right.HUB_HISTORY)


def _temporal(app: HubApp, raw: dict[str, Json], names: Context) -> tuple[Entity, list[tuple[str, Json]]]:
    """An EntityTemporal (clause 5.2.20): its types, and the instances of its attributes in kept form."""
    own = {key: value for key, value in raw.items() if key in ("id", "@id", "type", "@type")}
    head = read_fragment(own, names, max_depth=app.config.max_depth)
    given: list[tuple[str, Json]] = []
    for key, value in raw.items():
        if key in own or key == "@context":
            continue
        name = names.canonical(key)
        if name in _SYSTEM:
            continue
        given.extend((name, _scope(one) if name == SCOPE else _instance(key, one, names)) for one in _listed(value))
    if len(encode(given, "body")) > app.config.max_body:
        raise BadRequestDataError("The body holds too much", where="body")
    return head, given


def _listed(value: Json) -> Iterator[Json]:
    """Instances one by one; of the simplified representation (clause 4.5.9) each pair of a value and a time."""
    for one in value if isinstance(value, list) else [value]:
        plural = next((name for name in _PLURALS if isinstance(one, dict) and isinstance(one.get(name), list)), None)
        if plural is None:
            yield one
            continue
        kind, member = _PLURALS[plural]
        rest = {key: inner for key, inner in one.items() if key not in ("type", plural)}
        for pair in one[plural]:
            if not isinstance(pair, list) or len(pair) != 2:
                raise BadRequestDataError(f"{plural} holds pairs of a value and a time", where=plural)
            said = pair[0].get(member, pair[0]) if isinstance(pair[0], dict) and kind != "Property" else pair[0]
            yield {"type": one.get("type", kind), member: said, "observedAt": pair[1], **rest}


def _instance(key: str, raw: Json, names: Context) -> Json:
    entity = read_attribute(raw, key, names)
    (value,) = entity.attributes.values()
    if not isinstance(value, dict):
        raise BadRequestDataError(f"{key[:80]} is not an instance of an attribute", where=key[:80])
    return value


def _scope(raw: Json) -> Json:
    """A scope in time (clause 4.5.6); plain, it is the present one."""
    value = raw.get("value") if isinstance(raw, dict) else raw
    scope = read_fragment({"scope": value}, CORE_CONTEXT).scope
    said: dict[str, Json] = {"type": "Property", "value": scope}
    if isinstance(raw, dict) and "observedAt" in raw:
        said["observedAt"] = instant(raw["observedAt"], "scope.observedAt")
    return said


_DELETE = frozenset({"datasetId", "deleteAll", "local"})
_AT = "/temporal/entities"
_ID = _AT + "/{entityId}"
_ATTR = _ID + "/attrs/{attrId}"
_INSTANCE = _ATTR + "/{instanceId}"
OPERATIONS = (
    Operation(
        "POST",
        _AT,
        "upsertTemporal",
        ("5.6.11", "6.18.3.1"),
        "Create or update the temporal evolution of an entity",
        create,
        _WRITE,
        "EntityTemporal",
        {201: "", 204: ""},
    ),
    Operation(
        "GET",
        _AT,
        "queryTemporal",
        ("5.7.4", "6.18.3.2"),
        "Query the temporal evolution of entities",
        query,
        _QUERY,
        "",
        {200: "EntityTemporalList", 206: "EntityTemporalList"},
    ),
    Operation(
        "GET",
        _ID,
        "retrieveTemporal",
        ("5.7.3", "6.19.3.1"),
        "Retrieve the temporal evolution of an entity",
        retrieve,
        _RETRIEVE,
        "",
        {200: "EntityTemporal", 206: "EntityTemporal"},
    ),
    Operation(
        "DELETE",
        _ID,
        "deleteTemporal",
        ("5.6.16", "6.19.3.2"),
        "Delete the temporal evolution of an entity",
        delete,
        _WRITE,
        "",
        {204: ""},
    ),
    Operation(
        "POST",
        _ID + "/attrs",
        "appendAttrsTemporal",
        ("5.6.12", "6.20.3.1"),
        "Add attribute instances to a temporal evolution",
        add,
        _WRITE,
        "EntityTemporalFragment",
        {204: ""},
    ),
    Operation(
        "DELETE",
        _ATTR,
        "deleteAttrsTemporal",
        ("5.6.13", "6.21.3.1"),
        "Delete an attribute from a temporal evolution",
        delete_attribute,
        _DELETE,
        "",
        {204: ""},
    ),
    Operation(
        "PATCH",
        _INSTANCE,
        "updateAttrInstanceTemporal",
        ("5.6.14", "6.22.3.1"),
        "Replace an attribute instance of a temporal evolution",
        modify_instance,
        _WRITE,
        "EntityTemporalFragment",
        {204: ""},
    ),
    Operation(
        "DELETE",
        _INSTANCE,
        "deleteAttrInstanceTemporal",
        ("5.6.15", "6.22.3.2"),
        "Delete an attribute instance of a temporal evolution",
        delete_instance,
        _WRITE,
        "",
        {204: ""},
    ),
    Operation(
        "POST",
        "/temporal/entityOperations/query",
        "queryTemporalBatch",
        ("5.7.4", "6.24.3.1"),
        "Query the temporal evolution of entities by POST",
        query_by_post,
        _QUERY,
        "Query",
        {200: "EntityTemporalList", 206: "EntityTemporalList"},
    ),
)
"""What this module answers."""
