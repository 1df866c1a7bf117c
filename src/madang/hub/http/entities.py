"""Reading entities over HTTP: retrieve, query, query by POST (clauses 5.7.1, 5.7.2)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from msgspec import structs

from madang.hub import changes as change
from madang.hub.access import Access
from madang.hub.changes import Stored
from madang.hub.contexts.context import CORE_CONTEXT, Context
from madang.hub.entity import check_id
from madang.hub.errors import ResourceNotFoundError
from madang.hub.http.bodies import read_body
from madang.hub.http.operation import Operation
from madang.hub.http.pages import Shape, entity_bytes, entity_response, page_links, page_response, plain_page
from madang.hub.http.parameters import (
    PLAIN,
    QUERY_PARAMETERS,
    RETRIEVE_PARAMETERS,
    check_media,
    core_query,
    query_document,
    read_join,
    read_query,
    view_of,
)
from madang.hub.http.wire import (
    ENTITY_MEDIA,
    GEO_JSON,
    JSON,
    Request,
    Response,
    accepted,
    json_headers,
    request_context,
)
from madang.hub.query import Query, TypeName, has_types, linked_depth, parse_types, type_names
from madang.hub.render import View
from madang.hub.store import Page
from madang.identity.rights import Right

if TYPE_CHECKING:
    from madang.hub.http.app import HubApp

_ANY = b"*/*"


async def retrieve(app: HubApp, request: Request, access: Access) -> Response:
    """Retrieve Entity (clauses 5.7.1, 6.5.3.1)."""
    accept = request.headers.get(b"accept")
    media = JSON if accept is None else accepted(accept, ENTITY_MEDIA)
    names = CORE_CONTEXT
    if b"link" in request.headers:
        names = await request_context(request, app.hub.contexts)
    view = PLAIN if not request.query_string else view_of(request, names, RETRIEVE_PARAMETERS)
    entity_id = request.segments[1]
    stored = await app.hub.store.retrieve(access.tenant, entity_id)
    if stored is None or not access.sees(stored.types):
        check_id(entity_id)
        raise change.missing(entity_id)
    if not request.query_string and media != GEO_JSON and b"prefer" not in request.headers:
        return Response(200, json_headers(media, names), entity_bytes(stored, view, names, media))
    return await _retrieved(app, request, access, stored, Shape.of(request, media, names, view, None))


async def _retrieved(app: HubApp, request: Request, access: Access, stored: Stored, shape: Shape) -> Response:
    parameters = request.parameters
    check_media(parameters, shape.media)
    if parameters.get("type"):
        wanted = parse_types(parameters["type"], shape.names)
        if wanted is not None and not has_types(wanted, stored.types):
            raise change.missing(stored.id)
    if shape.view.only and not shape.view.only & stored.document().keys():
        raise ResourceNotFoundError(f"{stored.id} has none of the attributes asked for", where="attrs")
    shape = replace(shape, join=read_join(parameters))
    return await entity_response(app, access, stored, shape, request)


async def query(app: HubApp, request: Request, access: Access) -> Response:
    """Query Entities (clauses 5.7.2, 6.4.3.2)."""
    media = accepted(request.headers.get(b"accept", _ANY), ENTITY_MEDIA)
    if b"link" in request.headers:
        names = await request_context(request, app.hub.contexts)
        return await _queried(app, request, access, names, media)
    if b"prefer" in request.headers:
        return await _queried(app, request, access, CORE_CONTEXT, media)
    stamp = app.hub.store.stamp(access.tenant)
    key = (access, request.query_string, media)
    if (known := app.pages.get(key, stamp)) is not None:
        return known
    response = await _queried(app, request, access, CORE_CONTEXT, media)
    app.pages.answered(key, stamp, response)
    return response


async def _queried(app: HubApp, request: Request, access: Access, names: Context, media: bytes) -> Response:
    default_limit, max_limit = app.config.default_limit, app.config.max_limit
    if names is CORE_CONTEXT:
        query, view, join = core_query(request.query_string, default_limit, max_limit)
    else:
        query, view = read_query(request.parameters, names, default_limit, max_limit)
        join = read_join(request.parameters, query.q)
    if b"geometryProperty" in request.query_string:
        check_media(request.parameters, media)
    if view is PLAIN and join is None and media == JSON and names is CORE_CONTEXT and b"prefer" not in request.headers:
        types = readable_types(app, query, access)
        page = await app.hub.store.query(access.tenant, query, types=types, bodies_only=True)
        response = plain_page(page, query)
    else:
        shape = Shape.of(request, media, names, view, join)
        page = await find_page(app, query, shape.view, names, access, whole=media == GEO_JSON or join is not None)
        response = await page_response(app, access, page, query, shape, request)
    response.headers.extend(page_links(request.query_string, query, page, media=media))
    return response


async def query_by_post(app: HubApp, request: Request, access: Access) -> Response:
    """Query Entities by POST (clauses 5.7.2, 6.23.3.1)."""
    media = accepted(request.headers.get(b"accept", _ANY), ENTITY_MEDIA)
    raw, names = await read_body(app, request)
    said, selectors = query_document(raw, names)
    parameters = said | request.parameters
    query, view = read_query(parameters, names, app.config.default_limit, app.config.max_limit)
    if selectors:
        query = structs.replace(query, selectors=selectors)
    join = read_join(parameters, query.q)
    check_media(parameters, media)
    shape = Shape.of(request, media, names, view, join)
    page = await find_page(app, query, shape.view, names, access, whole=media == GEO_JSON or join is not None)
    response = await page_response(app, access, page, query, shape, request)
    path = "/ngsi-ld/v1/entityOperations/query"
    response.headers.extend(page_links(request.query_string, query, page, path, media))
    return response


async def find_page(
    app: HubApp, query: Query, view: View, names: Context, access: Access, *, whole: bool = False
) -> Page:
    """The page a query selects of what the asker may read; `whole` where kept bodies alone will not do."""
    plain = view.plain and names.is_core and not whole
    types = readable_types(app, query, access)
    return await app.hub.store.query(access.tenant, query, types=types, bodies_only=plain)


def readable_types(app: HubApp, query: Query, access: Access) -> list[str] | None:
    """The types among which a query finds what the asker may read, or None where it finds nothing else; raises where
    none of the types asked for may be read."""
    selection = query.types
    if isinstance(selection, TypeName) and access.reads(selection.name) and not linked_depth(query.q):
        return None  # whatever other types they have
    asked = type_names(selection)
    if asked and not any(map(access.reads, asked)):
        refusal = access.refusal(Right.HUB_READ, asked)
        assert refusal is not None
        raise refusal
    return access.readable(app.hub.store.types(access.tenant))


_ID = "/entities/{entityId}"
OPERATIONS = (
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
    Operation(
        "POST",
        "/entityOperations/query",
        "queryBatch",
        ("5.7.2", "6.23.3.1"),
        "Query entities by POST",
        query_by_post,
        QUERY_PARAMETERS,
        "Query",
        {200: "EntityList"},
    ),
)
"""What this module answers."""
