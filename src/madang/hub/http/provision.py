"""Writing one entity over HTTP (clauses 5.6.1 to 5.6.6, 5.6.17 to 5.6.19 and their bindings in 6.4 to 6.7)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from madang.hub import changes as change
from madang.hub.access import Access
from madang.hub.changes import Effect, Mutation, Stored
from madang.hub.contexts.context import Context
from madang.hub.entity import check_id, read_attribute, read_entity
from madang.hub.errors import BadRequestDataError, NgsiLdError
from madang.hub.http.bodies import allow, apply, of_types, path_fragment, read_body, read_writing
from madang.hub.http.operation import Operation
from madang.hub.http.wire import JSON, Request, Response, media_type, path_part, request_context
from madang.hub.names import expand_canonical, is_uri
from madang.hub.plain import PlainReader
from madang.hub.query import boolean
from madang.identity.rights import Right

if TYPE_CHECKING:
    from madang.hub.http.app import HubApp

_CREATE = frozenset({"options", "format", "local"})
_WRITE = _CREATE | {"type"}
_MERGE = _WRITE | {"observedAt", "lang"}
_DELETE = frozenset({"type", "local"})
_DELETE_ATTRIBUTE = _DELETE | {"datasetId", "deleteAll"}
_NO_OVERWRITE = frozenset({"noOverwrite"})
_CREATORS = 256


async def create(app: HubApp, request: Request, access: Access) -> Response:
    """Create Entity (clauses 5.6.1, 6.4.3.1)."""
    body = None
    if not request.query_string and b"link" not in request.headers and media_type(request.headers) == JSON:
        body = await request.body(app.config.max_body)
        plain = _plain_creation(app, access, body)
        if plain is not None:
            await apply(app, access, plain)
            return _created(plain.entity_id)
    raw, names = await read_body(app, request, body=body)
    how = read_writing(request, names, _CREATE)
    entity = read_entity(raw, names, simplified=how.simplified, max_depth=app.config.max_depth)
    allow(app, request, access, entity, Right.HUB_CREATE)
    await apply(app, access, change.create(entity))
    return _created(entity.id)


def _created(entity_id: str) -> Response:
    return Response(201, [(b"location", b"/ngsi-ld/v1/entities/" + path_part(entity_id))])


def _plain_creation(app: HubApp, access: Access, body: bytes) -> Mutation | None:
    """What creates a plain entity, in half the time the general way takes to read it (measured); None elsewhere."""
    if len(body) > app.config.max_entity:
        return None
    reader = app.creators.get(access)
    if reader is None:
        if len(app.creators) >= _CREATORS:
            app.creators.clear()
        reader = app.creators[access] = PlainReader(_there_already)
    mutation = reader.mutation(body)
    if mutation is None or mutation.plain is None:
        return None
    if (refusal := access.refusal(Right.HUB_CREATE, mutation.plain.types)) is not None:
        raise refusal
    return mutation


def _there_already(_types: tuple[str, ...], current: Stored | None) -> NgsiLdError | None:
    return None if current is None else change.exists_already(current.id)


async def replace(app: HubApp, request: Request, access: Access) -> Response:
    """Replace Entity (clauses 5.6.18, 6.5.3.3)."""
    raw, names = await read_body(app, request)
    how = read_writing(request, names, _WRITE)
    entity = path_fragment(app, request, raw, names, how)
    allow(app, request, access, entity)
    await apply(app, access, of_types(access.guarded(change.replace(entity)), how.types))
    return Response(204, [])


async def merge(app: HubApp, request: Request, access: Access) -> Response:
    """Merge Entity (clauses 5.6.17, 6.5.3.4)."""
    raw, names = await read_body(app, request, patch=True)
    how = read_writing(request, names, _MERGE)
    fragment = path_fragment(app, request, raw, names, how, nulls=True, values_needed=False)
    allow(app, request, access, fragment)
    merging = change.Merging(how.simplified, how.observed_at, how.lang, names.canonical)
    await apply(app, access, of_types(access.guarded(change.merge(fragment.id, fragment, merging)), how.types))
    return Response(204, [])


async def delete(app: HubApp, request: Request, access: Access) -> Response:
    """Delete Entity (clauses 5.6.6, 6.5.3.2)."""
    entity_id = check_id(request.segments[1])
    names = await request_context(request, app.hub.contexts)
    how = read_writing(request, names, _DELETE)
    await apply(app, access, of_types(access.guarded(change.delete(entity_id), Right.HUB_DELETE), how.types))
    return Response(204, [])


async def append(app: HubApp, request: Request, access: Access) -> Response:
    """Append Attributes (clauses 5.6.3, 6.6.3.1)."""
    raw, names = await read_body(app, request)
    how = read_writing(request, names, _WRITE, _NO_OVERWRITE)
    fragment = path_fragment(app, request, raw, names, how)
    allow(app, request, access, fragment)
    mutation = change.append(fragment.id, fragment, overwrite="noOverwrite" not in how.options)
    return _update_result(await apply(app, access, of_types(access.guarded(mutation), how.types)))


async def update(app: HubApp, request: Request, access: Access) -> Response:
    """Update Attributes (clauses 5.6.2, 6.6.3.2)."""
    raw, names = await read_body(app, request, patch=True)
    how = read_writing(request, names, _WRITE)
    fragment = path_fragment(app, request, raw, names, how, nulls=True)
    allow(app, request, access, fragment)
    mutation = change.update(fragment.id, fragment)
    return _update_result(await apply(app, access, of_types(access.guarded(mutation), how.types)))


def _update_result(effect: Effect) -> Response:
    """204, or 207 with an UpdateResult (clause 5.2.18) where some attributes were left as they were.

    Names are fully qualified: there is no @context in such an answer (clause 6.3.6).
    """
    if not effect.not_updated:
        return Response(204, [])
    body = {
        "updated": [expand_canonical(name) for name in effect.updated],
        "notUpdated": [{"attributeName": expand_canonical(name), "reason": why} for name, why in effect.not_updated],
    }
    return Response(207, [(b"content-type", JSON)], orjson.dumps(body))


async def update_attribute(app: HubApp, request: Request, access: Access) -> Response:
    """Partial Attribute Update (clauses 5.6.4, 6.7.3.1)."""
    return await _one_attribute(app, request, access, partial=True)


async def replace_attribute(app: HubApp, request: Request, access: Access) -> Response:
    """Replace Attribute (clauses 5.6.19, 6.7.3.3)."""
    return await _one_attribute(app, request, access, partial=False)


async def _one_attribute(app: HubApp, request: Request, access: Access, *, partial: bool) -> Response:
    entity_id = check_id(request.segments[1])
    raw, names = await read_body(app, request, patch=partial)
    how = read_writing(request, names, _WRITE)
    raw.pop("@context", None)
    name = _attribute_name(request.segments[3], names)
    depth = app.config.max_depth
    fragment = read_attribute(raw, name, names, simplified=how.simplified, max_depth=depth, partial=partial)
    allow(app, request, access, fragment)
    make = change.partial if partial else change.replace_attribute
    await apply(app, access, of_types(access.guarded(make(entity_id, name, fragment)), how.types))
    return Response(204, [])


def _attribute_name(said: str, names: Context) -> str:
    name = names.canonical(said)
    if name in change.CORE_MEMBERS or name[:1] == "@":
        raise BadRequestDataError(f"{said[:60]!r} is no attribute", where="attrId")
    return name


async def delete_attribute(app: HubApp, request: Request, access: Access) -> Response:
    """Delete Attribute (clauses 5.6.5, 6.7.3.2)."""
    entity_id = check_id(request.segments[1])
    names = await request_context(request, app.hub.contexts)
    how = read_writing(request, names, _DELETE_ATTRIBUTE)
    every = boolean(request.parameters.get("deleteAll", "false"), "deleteAll")
    dataset = request.parameters.get("datasetId", "").removeprefix("@none")
    if dataset and not is_uri(dataset):
        raise BadRequestDataError("datasetId is not a URI", where="datasetId")
    if names.canonical(request.segments[3]) == "scope":
        mutation = change.delete_scope(entity_id)
    else:
        name = _attribute_name(request.segments[3], names)
        mutation = change.delete_attribute(entity_id, name, dataset=dataset, every=every)
    await apply(app, access, of_types(access.guarded(mutation), how.types))
    return Response(204, [])


_ID, _ATTRS, _ATTR = "/entities/{entityId}", "/entities/{entityId}/attrs", "/entities/{entityId}/attrs/{attrId}"
_DONE = {204: ""}
_PARTLY = {204: "", 207: "UpdateResult"}


def _operation(
    method: str,
    path: str,
    name: str,
    clauses: tuple[str, str],
    summary: str,
    body: str = "",
    answers: dict[int, str] = _DONE,
) -> Operation:
    handler, parameters = _HANDLERS[name]
    return Operation(method, path, name, clauses, summary, handler, parameters, body, answers)


_HANDLERS = {
    "createEntity": (create, _CREATE),
    "deleteEntity": (delete, _DELETE),
    "replaceEntity": (replace, _WRITE),
    "mergeEntity": (merge, _MERGE),
    "appendAttrs": (append, _WRITE),
    "updateEntity": (update, _WRITE),
    "updateAttrs": (update_attribute, _WRITE),
    "deleteAttrs": (delete_attribute, _DELETE_ATTRIBUTE),
    "replaceAttrs": (replace_attribute, _WRITE),
}
_PART = "EntityFragment"
OPERATIONS = (
    _operation("POST", "/entities", "createEntity", ("5.6.1", "6.4.3.1"), "Create an entity", "Entity", {201: ""}),
    _operation("DELETE", _ID, "deleteEntity", ("5.6.6", "6.5.3.2"), "Delete an entity"),
    _operation("PUT", _ID, "replaceEntity", ("5.6.18", "6.5.3.3"), "Replace an entity", "Entity"),
    _operation("PATCH", _ID, "mergeEntity", ("5.6.17", "6.5.3.4"), "Merge into an entity", _PART),
    _operation("POST", _ATTRS, "appendAttrs", ("5.6.3", "6.6.3.1"), "Append attributes", _PART, _PARTLY),
    _operation("PATCH", _ATTRS, "updateEntity", ("5.6.2", "6.6.3.2"), "Update attributes", _PART, _PARTLY),
    _operation("PATCH", _ATTR, "updateAttrs", ("5.6.4", "6.7.3.1"), "Change part of an attribute", "Attribute"),
    _operation("DELETE", _ATTR, "deleteAttrs", ("5.6.5", "6.7.3.2"), "Delete an attribute"),
    _operation("PUT", _ATTR, "replaceAttrs", ("5.6.19", "6.7.3.3"), "Replace an attribute", "Attribute"),
)
"""What this module answers."""
