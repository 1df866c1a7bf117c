"""Batches over HTTP (clauses 5.6.7–5.6.10, 5.6.20, 6.14–6.17, 6.31)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import orjson

from madang.hub import changes as change
from madang.hub.access import Access
from madang.hub.changes import Mutation
from madang.hub.contexts.context import Context, Json
from madang.hub.entity import Entity, read_entity, read_fragment
from madang.hub.errors import BadRequestDataError, NgsiLdError, TooComplexQueryError
from madang.hub.http.bodies import read_body, said_id
from madang.hub.http.entities import find_page
from madang.hub.http.operation import Operation
from madang.hub.http.pages import page_response
from madang.hub.http.parameters import (
    QUERY_PARAMETERS,
    UPSERT_OPTIONS,
    WRITE_OPTIONS,
    options_of,
    query_document,
    read_query,
    simplified,
)
from madang.hub.http.wire import JSON, JSON_LD, Request, Response, accepted, decode, media_type, request_context
from madang.hub.hub import BatchResult, ItemRefusal
from madang.hub.names import is_uri
from madang.identity.rights import Right

if TYPE_CHECKING:
    from madang.hub.http.app import HubApp

_SLICE_S = 0.004


async def batch_create(app: HubApp, request: Request, access: Access) -> Response:
    """Batch Entity Creation (clause 5.6.7)."""
    return await _batch(app, request, access, change.create)


async def batch_upsert(app: HubApp, request: Request, access: Access) -> Response:
    """Batch Entity Creation or Update (clause 5.6.8); options=update appends, else whole entities are replaced."""
    options = options_of(request.parameters, UPSERT_OPTIONS)
    make = change.upsert if "update" in options else partial(change.replace, if_missing_create=True)
    return await _batch(app, request, access, make)


async def batch_update(app: HubApp, request: Request, access: Access) -> Response:
    """Batch Entity Update (clause 5.6.9)."""
    overwrite = "noOverwrite" not in options_of(request.parameters, WRITE_OPTIONS)

    def make(entity: Entity) -> Mutation:
        return change.append(entity.id, entity, overwrite=overwrite)

    return await _batch(app, request, access, make, whole=False)


async def batch_merge(app: HubApp, request: Request, access: Access) -> Response:
    """Batch Entity Merge (clause 5.6.20)."""
    return await _batch(app, request, access, lambda entity: change.merge(entity.id, entity), whole=False)


async def batch_delete(app: HubApp, request: Request, access: Access) -> Response:
    """Batch Entity Delete (clause 5.6.10)."""
    raws, _ = await _items(app, request)
    refused: list[ItemRefusal] = []
    mutations: list[Mutation] = []
    for raw in raws:
        if is_uri(raw):
            mutations.append(access.guarded(change.delete(raw)))
        else:
            refused.append(ItemRefusal(str(raw)[:200], BadRequestDataError("This is not a URI", where="id")))
    return _batch_response(await _write_many(app, access, mutations), refused)


async def _batch(
    app: HubApp, request: Request, access: Access, make: Callable[[Entity], Mutation], *, whole: bool = True
) -> Response:
    plain = simplified(request)
    raws, shared = await _items(app, request)
    refused: list[ItemRefusal] = []
    mutations: list[Mutation] = []
    slice_ends = time.monotonic() + _SLICE_S
    for raw in raws:
        try:
            names = await _item_context(app, raw, shared)
            read = read_entity if whole else _read_identified
            entity = read(raw, names, simplified=plain, max_depth=app.config.max_depth)
            if (refusal := access.refusal(Right.HUB_WRITE, entity.types)) is not None:
                raise refusal
            mutations.append(access.guarded(make(entity)))
        except NgsiLdError as error:
            refused.append(ItemRefusal(said_id(raw), error))
        if time.monotonic() > slice_ends:
            await asyncio.sleep(0)
            slice_ends = time.monotonic() + _SLICE_S
    return _batch_response(await _write_many(app, access, mutations), refused)


async def _item_context(app: HubApp, raw: Json, shared: Context | None) -> Context:
    if shared is not None:
        if isinstance(raw, dict) and "@context" in raw:
            raise BadRequestDataError("An @context needs Content-Type: application/ld+json", where="@context")
        return shared
    if not isinstance(raw, dict) or "@context" not in raw:
        raise BadRequestDataError("Each entity of a JSON-LD batch needs its @context", where="@context")
    return await app.hub.contexts.get(raw["@context"])


async def _items(app: HubApp, request: Request) -> tuple[list[Json], Context | None]:
    """The batch and the @context all share; None where each brings its own (JSON-LD)."""
    media = media_type(request.headers)
    raws = decode(await request.body(app.config.max_body))
    if not isinstance(raws, list) or not raws:
        raise BadRequestDataError("A batch is a JSON array of at least one item", where="body")
    if len(raws) > app.config.max_batch:
        raise TooComplexQueryError(f"A batch has at most {app.config.max_batch} items", where="body")
    return raws, None if media == JSON_LD else await request_context(request, app.hub.contexts)


async def _write_many(app: HubApp, access: Access, mutations: list[Mutation]) -> BatchResult:
    return await app.hub.write(access.tenant, mutations, access.source)


async def batch_query(app: HubApp, request: Request, access: Access) -> Response:
    """Query Entities by POST (clauses 5.7.2, 6.23.3.1)."""
    media = accepted(request.headers.get(b"accept", b"*/*"))
    raw, names = await read_body(app, request)
    parameters = query_document(raw) | request.parameters
    query, view = read_query(parameters, names, app.config.default_limit, app.config.max_limit)
    page = await find_page(app, query, view, names, access)
    return page_response(page, query, view, names, media)


def _read_identified(raw: Json, names: Context, *, simplified: bool, max_depth: int) -> Entity:
    fragment = read_fragment(raw, names, simplified=simplified, max_depth=max_depth)
    if not fragment.id:
        raise BadRequestDataError("An item needs its entity's id", where="id")
    return fragment


def _batch_response(result: BatchResult, refused: list[ItemRefusal]) -> Response:
    """Clauses 6.14.3.1 ff.: 201 with the created ids, 204, or 207 with a BatchOperationResult (clause 5.2.16)."""
    errors = [*refused, *result.errors]
    if errors:
        body = {
            "success": list(result.success),
            "errors": [{"entityId": one.entity_id, "error": one.error.problem()} for one in errors],
        }
        return Response(207, [(b"content-type", JSON)], orjson.dumps(body, default=str))
    if result.created:
        return Response(201, [(b"content-type", JSON)], orjson.dumps(list(dict.fromkeys(result.created))))
    return Response(204, [])


_TAKEN = frozenset({"options", "format", "local"})
_MANY = {201: "EntityIds", 204: "", 207: "BatchOperationResult"}
_SOME = {204: "", 207: "BatchOperationResult"}
_AT = "/entityOperations/"
OPERATIONS = (
    Operation(
        "POST",
        _AT + "create",
        "createBatch",
        ("5.6.7", "6.14.3.1"),
        "Create entities",
        batch_create,
        _TAKEN,
        "EntityList",
        _MANY,
    ),
    Operation(
        "POST",
        _AT + "upsert",
        "upsertBatch",
        ("5.6.8", "6.15.3.1"),
        "Create or update entities",
        batch_upsert,
        _TAKEN,
        "EntityList",
        _MANY,
    ),
    Operation(
        "POST",
        _AT + "update",
        "updateBatch",
        ("5.6.9", "6.16.3.1"),
        "Update entities",
        batch_update,
        _TAKEN,
        "EntityFragmentList",
        _SOME,
    ),
    Operation(
        "POST",
        _AT + "delete",
        "deleteBatch",
        ("5.6.10", "6.17.3.1"),
        "Delete entities",
        batch_delete,
        _TAKEN,
        "EntityIds",
        _SOME,
    ),
    Operation(
        "POST",
        _AT + "merge",
        "mergeBatch",
        ("5.6.20", "6.31.3.1"),
        "Merge entities",
        batch_merge,
        _TAKEN,
        "EntityFragmentList",
        _SOME,
    ),
    Operation(
        "POST",
        _AT + "query",
        "queryBatch",
        ("5.7.2", "6.23.3.1"),
        "Query entities by POST",
        batch_query,
        QUERY_PARAMETERS,
        "Query",
        {200: "EntityList"},
    ),
)
"""What this module answers."""
