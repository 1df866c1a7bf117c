"""Batches over HTTP (clauses 5.6.7–5.6.10, 5.6.20, 6.14–6.17, 6.31)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import orjson

from madang.hub import changes as change
from madang.hub.access import Access
from madang.hub.changes import Effect, Mutation, Op, Stored
from madang.hub.contexts.context import CORE_CONTEXT, Context, Json
from madang.hub.entity import Entity, read_entity, read_fragment
from madang.hub.errors import BadRequestDataError, NgsiLdError, TooComplexQueryError
from madang.hub.http.bodies import Writing, read_writing, said_id
from madang.hub.http.operation import Operation
from madang.hub.http.wire import JSON, JSON_LD, Request, Response, decode, media_type, request_context
from madang.hub.hub import BatchResult, ItemRefusal
from madang.hub.names import is_uri
from madang.hub.plain import PlainReader, as_sent, split_batch
from madang.identity.rights import Right

if TYPE_CHECKING:
    from madang.hub.http.app import HubApp

_SLICE_S = 0.004


_CREATE = frozenset({"options", "format", "local"})
_WRITE = _CREATE | {"type"}
_MERGE = _WRITE | {"observedAt", "lang"}
_DELETE = frozenset({"local", "options"})


async def batch_create(app: HubApp, request: Request, access: Access) -> Response:
    """Batch Entity Creation (clause 5.6.7)."""
    how = read_writing(request, CORE_CONTEXT, _CREATE)
    whole = None if how.simplified else _creating_reader(access)
    return await _batch(
        app, request, access, how, lambda entity, _names: change.create(entity), Right.HUB_CREATE, whole=whole
    )


def _creating_reader(access: Access) -> PlainReader:
    """Reads plain entities that are to come to be."""

    def refusal(types: tuple[str, ...], current: Stored | None) -> NgsiLdError | None:
        if (refused := access.refusal(Right.HUB_CREATE, types)) is not None:
            return refused
        return None if current is None else change.exists_already(current.id)

    return PlainReader(refusal)


async def batch_upsert(app: HubApp, request: Request, access: Access) -> Response:
    """Batch Entity Creation or Update (clause 5.6.8); options=update appends, else whole entities are replaced."""
    how = read_writing(request, CORE_CONTEXT, _CREATE, frozenset({"replace", "update"}))
    if {"replace", "update"} <= how.options:
        raise BadRequestDataError("options asks to replace and to update at once", where="options")

    def make(entity: Entity, _names: Context) -> Mutation:
        return change.upsert(entity) if "update" in how.options else change.replace(entity, if_missing_create=True)

    whole = _plain_reader(access) if "update" not in how.options and not how.simplified else None
    return await _batch(app, request, access, how, make, None, whole=whole)


def _plain_reader(access: Access) -> PlainReader:
    """Reads plain entities, which the asker may put in place as `_batch` lets them without a right."""

    def refusal(types: tuple[str, ...], current: Stored | None) -> NgsiLdError | None:
        asked = access.guarded(_ALLOWED, Right.HUB_UPDATE, creates=types).change(current, 0)
        return asked if isinstance(asked, NgsiLdError) else None

    return PlainReader(refusal)


_ALLOWED = Mutation("", lambda _current, _at_ms: Effect(Op.UPDATED, (), b"", b""))


async def batch_update(app: HubApp, request: Request, access: Access) -> Response:
    """Batch Entity Update (clause 5.6.9)."""
    how = read_writing(request, CORE_CONTEXT, _CREATE, frozenset({"noOverwrite"}))

    def make(entity: Entity, _names: Context) -> Mutation:
        return change.append(entity.id, entity, overwrite="noOverwrite" not in how.options)

    return await _batch(app, request, access, how, make, reading=_Reading(whole=False))


async def batch_merge(app: HubApp, request: Request, access: Access) -> Response:
    """Batch Entity Merge (clause 5.6.20)."""
    how = read_writing(request, CORE_CONTEXT, _MERGE)

    def make(entity: Entity, names: Context) -> Mutation:
        merging = change.Merging(how.simplified, how.observed_at, how.lang, names.canonical)
        return change.merge(entity.id, entity, merging)

    return await _batch(app, request, access, how, make, reading=_Reading(whole=False, merging=True))


async def batch_delete(app: HubApp, request: Request, access: Access) -> Response:
    """Batch Entity Delete (clause 5.6.10)."""
    read_writing(request, CORE_CONTEXT, _DELETE)
    media = media_type(request.headers)
    raws, _, _ = await _items(app, request, media, await request.body(app.config.max_body))
    _check_length(app, len(raws))
    refused: list[ItemRefusal] = []
    mutations: list[Mutation] = []
    for raw in raws:
        if is_uri(raw):
            mutations.append(access.guarded(change.delete(raw), Right.HUB_DELETE))
        else:
            refused.append(ItemRefusal(str(raw)[:200], BadRequestDataError("This is not a URI", where="id")))
    return batch_response(await _write_many(app, access, mutations), refused)


@dataclass(frozen=True, slots=True)
class _Reading:
    """How the items of a batch are read: whole entities or fragments, and those with nulls or without."""

    whole: bool = True
    merging: bool = False


async def _batch(
    app: HubApp,
    request: Request,
    access: Access,
    how: Writing,
    make: Callable[[Entity, Context], Mutation],
    right: Right | None = Right.HUB_UPDATE,
    reading: _Reading = _Reading(),
    whole: PlainReader | None = None,
) -> Response:
    """Reads, judges and writes item by item. Without a `right` an item may create or update: the writer judges it.

    `whole` reads what is plain where entities are to be created or put in place whole.
    """
    media = media_type(request.headers)
    body = await request.body(app.config.max_body)
    mutations: list[Mutation] = []
    if whole is not None and media == JSON and b"link" not in request.headers:
        mutations, body = await _alike(whole, body)
        _check_length(app, len(mutations))
        if mutations and not body:
            return batch_response(await _write_many(app, access, mutations), [])
    raws, shared, plain = await _items(app, request, media, body, whole is not None)
    _check_length(app, len(mutations) + len(raws))
    whole = whole if plain else None
    refused: list[ItemRefusal] = []
    entities: list[Entity] = []
    slice_ends = time.monotonic() + _SLICE_S
    for raw in raws:
        if time.monotonic() > slice_ends:
            await asyncio.sleep(0)
            slice_ends = time.monotonic() + _SLICE_S
        if whole is not None and (ready := whole.mutation(raw)) is not None:
            mutations.append(ready)
            continue
        item = raw if whole is None else _no_null(as_sent(raw))
        try:
            names = await _item_context(app, item, shared)
            entity = _read_item(app, item, names, how, reading)
            if right is not None and (refusal := access.refusal(right, entity.types)) is not None:
                raise refusal
            creates = entity.types if right is None else None
            mutations.append(access.guarded(make(entity, names), right or Right.HUB_UPDATE, creates=creates))
            entities.append(entity)
        except NgsiLdError as error:
            refused.append(ItemRefusal(said_id(item), error))
    result = await _write_many(app, access, mutations)
    app.hub.expiry.note_all(entities)
    return batch_response(result, refused)


def _read_item(app: HubApp, raw: Json, names: Context, how: Writing, reading: _Reading) -> Entity:
    depth = app.config.max_depth
    if reading.whole:
        entity = read_entity(raw, names, simplified=how.simplified, max_depth=depth)
    else:
        entity = read_fragment(
            raw,
            names,
            simplified=how.simplified,
            max_depth=depth,
            nulls=reading.merging,
            values_needed=not reading.merging,
        )
        if not entity.id:
            raise BadRequestDataError("An item needs its entity's id", where="id")
    app.hub.expiry.check(entity)
    return entity


async def _item_context(app: HubApp, raw: Json, shared: Context | None) -> Context:
    if shared is not None:
        if isinstance(raw, dict) and "@context" in raw:
            raise BadRequestDataError("An @context needs Content-Type: application/ld+json", where="@context")
        return shared
    if not isinstance(raw, dict) or "@context" not in raw:
        raise BadRequestDataError("Each entity of a JSON-LD batch needs its @context", where="@context")
    return await app.hub.contexts.get(raw["@context"])


async def _alike(reader: PlainReader, body: bytes) -> tuple[list[Mutation], bytes]:
    """Items at the front of a batch that have one form, and a batch of what follows them; empty after the last."""
    mutations: list[Mutation] = []
    place = 1
    slice_ends = time.monotonic() + _SLICE_S
    while body[:1] == b"[" and (found := reader.alike(body, place))[0]:
        mutations += found[0]
        place = found[1]
        if time.monotonic() > slice_ends:
            await asyncio.sleep(0)
            slice_ends = time.monotonic() + _SLICE_S
    if not mutations:
        return mutations, body
    return mutations, b"" if place == len(body) else b"[" + body[place:]


def _check_length(app: HubApp, items: int) -> None:
    if items > app.config.max_batch:
        raise TooComplexQueryError(f"A batch has at most {app.config.max_batch} items", where="body")


async def _items(
    app: HubApp, request: Request, media: bytes, body: bytes, plain: bool = False
) -> tuple[list[Json], Context | None, bool]:
    """The batch, the @context all share (None where each brings its own, as JSON-LD), and whether the items are as
    `split_batch` leaves them, where that was asked for."""
    shared = None if media == JSON_LD else await request_context(request, app.hub.contexts)
    split = split_batch(body) if plain and shared is not None and shared.is_core else None
    raws: Json = decode(body) if split is None else split
    if not isinstance(raws, list) or not raws:
        raise BadRequestDataError("A batch is a JSON array of at least one item", where="body")
    if split is None:
        for raw in raws:
            _no_null(raw)
    return raws, shared, split is not None


def _no_null(raw: Json) -> Json:
    if raw is None:
        raise BadRequestDataError("A batch holds no null", where="body")
    return raw


async def _write_many(app: HubApp, access: Access, mutations: list[Mutation]) -> BatchResult:
    return await app.hub.write(access.tenant, mutations, access.source)


def batch_response(result: BatchResult, refused: list[ItemRefusal]) -> Response:
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
        _CREATE,
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
        _CREATE,
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
        _CREATE,
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
        _DELETE,
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
        _MERGE,
        "EntityFragmentList",
        _SOME,
    ),
)
"""What this module answers."""
