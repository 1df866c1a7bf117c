"""Entities over HTTP: create, retrieve, query, change, delete (clauses 5.6.1–5.6.6, 5.6.17–5.6.19, 5.7.1, 5.7.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

import orjson

from madang.hub import changes as change
from madang.hub.access import Access
from madang.hub.changes import Mutation
from madang.hub.contexts.context import CORE_CONTEXT, Context
from madang.hub.entity import check_id, read_attribute, read_entity
from madang.hub.errors import BadRequestDataError, ResourceNotFoundError
from madang.hub.http.bodies import allow, apply, read_body, read_path_fragment
from madang.hub.http.operation import Operation
from madang.hub.http.pages import entity_bytes, page_links, page_response
from madang.hub.http.parameters import (
    DELETE_PARAMETERS,
    PLAIN,
    QUERY_PARAMETERS,
    RETRIEVE_PARAMETERS,
    WRITE_OPTIONS,
    WRITE_PARAMETERS,
    core_query,
    only_parameters,
    options_of,
    read_query,
    simplified,
    view_of,
)
from madang.hub.http.wire import JSON, Request, Response, accepted, json_headers, request_context
from madang.hub.names import is_uri
from madang.hub.query import Query, TypeSelection, boolean, type_names
from madang.hub.render import View
from madang.hub.store import Page
from madang.identity.rights import Right

if TYPE_CHECKING:
    from madang.hub.http.app import HubApp

_PAGES = 256
_PAGE_BYTES = 65_536
"""Pages kept ready until the tenant's next commit: at most this many, each at most so large."""


async def retrieve(app: HubApp, request: Request, access: Access) -> Response:
    """Retrieve Entity (clauses 5.7.1, 6.5.3.1)."""
    accept = request.headers.get(b"accept")
    media = JSON if accept is None else accepted(accept)
    names = CORE_CONTEXT
    if b"link" in request.headers:
        names = await request_context(request, app.hub.contexts)
    view = PLAIN if not request.query_string else view_of(request, names, RETRIEVE_PARAMETERS)
    entity_id = request.segments[1]
    stored = await app.hub.store.retrieve(access.tenant, entity_id)
    if stored is None or not access.sees(stored.types):
        check_id(entity_id)
        raise change.missing(entity_id)
    if view.only and not view.only & stored.document().keys():
        raise ResourceNotFoundError(f"{entity_id} has none of the attributes asked for", where="attrs")
    return Response(200, json_headers(media, names), entity_bytes(stored, view, names, media))


async def query(app: HubApp, request: Request, access: Access) -> Response:
    """Query Entities (clauses 5.7.2, 6.4.3.2)."""
    media = accepted(request.headers.get(b"accept", b"*/*"))
    stamp = app.hub.store.stamp(access.tenant)
    key = (access, request.query_string, media)
    if b"link" in request.headers:
        names = await request_context(request, app.hub.contexts)
        return await _queried(app, request, access, names, media)
    known = app.pages.get(key)
    if known is not None and known[0] == stamp:
        return known[1].again()
    response = await _queried(app, request, access, CORE_CONTEXT, media)
    if len(response.body) <= _PAGE_BYTES:
        if len(app.pages) >= _PAGES:
            app.pages.pop(next(iter(app.pages)))
        app.pages[key] = (stamp, response.again())
    return response


async def _queried(app: HubApp, request: Request, access: Access, names: Context, media: bytes) -> Response:
    limits = (app.config.default_limit, app.config.max_limit)
    if names is CORE_CONTEXT:
        query, view = core_query(request.query_string, *limits)
    else:
        query, view = read_query(request.parameters, names, *limits)
    page = await find_page(app, query, view, names, access)
    response = page_response(page, query, view, names, media)
    response.headers.extend(page_links(request.query_string, query, page))
    return response


async def find_page(app: HubApp, query: Query, view: View, names: Context, access: Access) -> Page:
    selection: TypeSelection | None = query.types
    asked = type_names(selection)
    if asked and not any(access.may(Right.HUB_READ, one) for one in asked):
        refusal = access.refusal(Right.HUB_READ, asked)
        assert refusal is not None
        raise refusal
    types = access.readable(app.hub.store.types(access.tenant))
    plain = view.plain and names.is_core
    return await app.hub.store.query(access.tenant, query, types=types, bodies_only=plain)


# Writing one entity.


async def create(app: HubApp, request: Request, access: Access) -> Response:
    """Create Entity (clauses 5.6.1, 6.4.3.1)."""
    only_parameters(request, WRITE_PARAMETERS)
    raw, names = await read_body(app, request)
    entity = read_entity(raw, names, simplified=simplified(request), max_depth=app.config.max_depth)
    allow(app, request, access, entity.types)
    await apply(app, access, change.create(entity))
    location = b"/ngsi-ld/v1/entities/" + quote(entity.id, safe=":").encode()
    return Response(201, [(b"location", location)])


async def replace(app: HubApp, request: Request, access: Access) -> Response:
    """Replace Entity (clauses 5.6.18, 6.5.3.3)."""
    only_parameters(request, WRITE_PARAMETERS)
    entity = await read_path_fragment(app, request, access)
    await apply(app, access, access.guarded(change.replace(entity)))
    return Response(204, [])


async def merge(app: HubApp, request: Request, access: Access) -> Response:
    """Merge Entity (clauses 5.6.17, 6.5.3.4)."""
    only_parameters(request, WRITE_PARAMETERS)
    fragment = await read_path_fragment(app, request, access, patch=True)
    await apply(app, access, access.guarded(change.merge(fragment.id, fragment)))
    return Response(204, [])


async def delete(app: HubApp, request: Request, access: Access) -> Response:
    """Delete Entity (clauses 5.6.6, 6.5.3.2)."""
    only_parameters(request, DELETE_PARAMETERS)
    entity_id = check_id(request.segments[1])
    await apply(app, access, access.guarded(change.delete(entity_id)))
    return Response(204, [])


async def append(app: HubApp, request: Request, access: Access) -> Response:
    """Append Attributes (clauses 5.6.3, 6.6.3.1)."""
    only_parameters(request, WRITE_PARAMETERS)
    fragment = await read_path_fragment(app, request, access)
    overwrite = "noOverwrite" not in options_of(request.parameters, WRITE_OPTIONS)
    mutation = change.append(fragment.id, fragment, overwrite=overwrite)
    return await _partly(app, request, access, mutation)


async def update(app: HubApp, request: Request, access: Access) -> Response:
    """Update Attributes (clauses 5.6.2, 6.6.3.2)."""
    only_parameters(request, WRITE_PARAMETERS)
    fragment = await read_path_fragment(app, request, access, patch=True)
    return await _partly(app, request, access, change.update(fragment.id, fragment))


async def _partly(app: HubApp, request: Request, access: Access, mutation: Mutation) -> Response:
    """204, or 207 with an UpdateResult (clause 5.2.18) where some attributes were left as they were."""
    effect = await apply(app, access, access.guarded(mutation))
    if not effect.not_updated:
        return Response(204, [])
    names = await request_context(request, app.hub.contexts)
    body = {
        "updated": [names.term(name) for name in effect.updated],
        "notUpdated": [{"attributeName": names.term(name), "reason": why} for name, why in effect.not_updated],
    }
    return Response(207, [(b"content-type", JSON)], orjson.dumps(body))


async def update_attribute(app: HubApp, request: Request, access: Access) -> Response:
    """Partial Attribute Update (clauses 5.6.4, 6.7.3.1)."""
    return await _one_attribute(app, request, access, partial=True)


async def replace_attribute(app: HubApp, request: Request, access: Access) -> Response:
    """Replace Attribute (clauses 5.6.19, 6.7.3.3)."""
    return await _one_attribute(app, request, access, partial=False)


async def _one_attribute(app: HubApp, request: Request, access: Access, *, partial: bool) -> Response:
    only_parameters(request, WRITE_PARAMETERS)
    entity_id = check_id(request.segments[1])
    raw, names = await read_body(app, request, patch=partial)
    if isinstance(raw, dict):
        raw.pop("@context", None)
    name = names.canonical(request.segments[3])
    fragment = read_attribute(raw, name, names, simplified=simplified(request), partial=partial)
    make = change.partial if partial else change.replace_attribute
    await apply(app, access, access.guarded(make(entity_id, name, fragment)))
    return Response(204, [])


async def delete_attribute(app: HubApp, request: Request, access: Access) -> Response:
    """Delete Attribute (clauses 5.6.5, 6.7.3.2)."""
    only_parameters(request, DELETE_PARAMETERS)
    entity_id = check_id(request.segments[1])
    names = await request_context(request, app.hub.contexts)
    parameters = request.parameters
    every = boolean(parameters.get("deleteAll", "false"), "deleteAll")
    dataset = parameters.get("datasetId", "")
    if dataset and not is_uri(dataset):
        raise BadRequestDataError("datasetId is not a URI", where="datasetId")
    name = names.canonical(request.segments[3])
    await apply(app, access, access.guarded(change.delete_attribute(entity_id, name, dataset=dataset, every=every)))
    return Response(204, [])


_ID, _ATTRS = "/entities/{entityId}", "/entities/{entityId}/attrs"
_ATTR = "/entities/{entityId}/attrs/{attrId}"
_W, _D = WRITE_PARAMETERS, DELETE_PARAMETERS
OPERATIONS = (
    Operation(
        "POST", "/entities", "createEntity", ("5.6.1", "6.4.3.1"), "Create an entity", create, _W, "Entity", {201: ""}
    ),
    Operation(
        "GET",
        "/entities",
        "queryEntity",
        ("5.7.2", "6.4.3.2"),
        "Query entities",
        query,
        QUERY_PARAMETERS,
        "",
        {200: "EntityList"},
    ),
    Operation(
        "GET",
        _ID,
        "retrieveEntity",
        ("5.7.1", "6.5.3.1"),
        "Retrieve an entity",
        retrieve,
        RETRIEVE_PARAMETERS,
        "",
        {200: "Entity"},
    ),
    Operation("DELETE", _ID, "deleteEntity", ("5.6.6", "6.5.3.2"), "Delete an entity", delete, _D, "", {204: ""}),
    Operation(
        "PUT", _ID, "replaceEntity", ("5.6.18", "6.5.3.3"), "Replace an entity", replace, _W, "Entity", {204: ""}
    ),
    Operation(
        "PATCH",
        _ID,
        "mergeEntity",
        ("5.6.17", "6.5.3.4"),
        "Merge into an entity",
        merge,
        _W,
        "EntityFragment",
        {204: ""},
    ),
    Operation(
        "POST",
        _ATTRS,
        "appendAttrs",
        ("5.6.3", "6.6.3.1"),
        "Append attributes",
        append,
        _W,
        "EntityFragment",
        {204: "", 207: "UpdateResult"},
    ),
    Operation(
        "PATCH",
        _ATTRS,
        "updateEntity",
        ("5.6.2", "6.6.3.2"),
        "Update attributes",
        update,
        _W,
        "EntityFragment",
        {204: "", 207: "UpdateResult"},
    ),
    Operation(
        "PATCH",
        _ATTR,
        "updateAttrs",
        ("5.6.4", "6.7.3.1"),
        "Change part of an attribute",
        update_attribute,
        _W,
        "Attribute",
        {204: ""},
    ),
    Operation(
        "DELETE", _ATTR, "deleteAttrs", ("5.6.5", "6.7.3.2"), "Delete an attribute", delete_attribute, _D, "", {204: ""}
    ),
    Operation(
        "PUT",
        _ATTR,
        "replaceAttrs",
        ("5.6.19", "6.7.3.3"),
        "Replace an attribute",
        replace_attribute,
        _W,
        "Attribute",
        {204: ""},
    ),
)
"""What this module answers."""
