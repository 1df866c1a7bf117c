"""Purge: deletes what a query finds, or some of its attributes (clauses 5.6.21, 6.4.3.3)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from msgspec.structs import replace

from madang.hub import changes as change
from madang.hub.access import Access
from madang.hub.changes import Mutation
from madang.hub.contexts.context import Context
from madang.hub.errors import BadRequestDataError
from madang.hub.http.batches import batch_response
from madang.hub.http.operation import Operation
from madang.hub.http.parameters import check_parameters, read_query
from madang.hub.http.wire import Request, Response, request_context
from madang.hub.hub import BatchResult, ItemRefusal
from madang.hub.query import Query, attribute_list, linked_depth
from madang.hub.store import Page
from madang.identity.rights import Right

if TYPE_CHECKING:
    from madang.hub.http.app import HubApp

_SELECTING = frozenset({"type", "attrs", "q", "georel"})
_FILTERS = _SELECTING | {"id", "idPattern", "scopeQ", "geometry", "coordinates", "geoproperty", "local", "csf"}
_PARAMETERS = _FILTERS | {"geometryProperty", "drop", "keep"}
_SLICE = 500
_REPORTED = 1_000
"""At most so many refusals stand in the report; the purge ends there."""


async def purge(app: HubApp, request: Request, access: Access) -> Response:
    """Purge Entities (clauses 5.6.21, 6.4.3.3): in slices, so that others get their turn."""
    names = await request_context(request, app.hub.contexts)
    parameters = dict(request.parameters)
    check_parameters(parameters, _PARAMETERS)
    chosen = _chosen(parameters.pop("drop", ""), parameters.pop("keep", ""), names)
    if not any(parameters.get(name) for name in _SELECTING) and parameters.get("local") != "true":
        raise BadRequestDataError(
            "The purge selects too much",
            where="query",
            hint="Give at least one of type, attrs, q, georel, or local=true",
        )
    parameters.pop("geometryProperty", None)
    query, _ = read_query(parameters, names, _SLICE, _SLICE)
    if linked_depth(query.q):
        raise BadRequestDataError("A purge does not look into linked entities", where="q")
    right = Right.HUB_DELETE if chosen is None else Right.HUB_UPDATE

    def make(entity_id: str) -> Mutation:
        did = change.delete(entity_id) if chosen is None else change.drop_attributes(entity_id, chosen)
        return access.guarded(did, right)

    success, refused = await _purged(app, access, replace(query, count=False), make, stays=chosen is not None)
    return batch_response(BatchResult(updated=tuple(success)), refused)


def _chosen(drop: str, keep: str, names: Context) -> Callable[[str], bool] | None:
    """Which attributes go; None where whole entities do."""
    if drop and keep:
        raise BadRequestDataError("drop and keep exclude each other", where="keep")
    if drop:
        return _attributes(drop, names, "drop").__contains__
    kept = _attributes(keep, names, "keep")
    return (lambda name: name not in kept) if kept else None


def _attributes(text: str, names: Context, where: str) -> frozenset[str]:
    listed = frozenset(attribute_list(text, names, where))
    if listed & change.CORE_MEMBERS:
        raise BadRequestDataError(f"{where} names attributes; an entity keeps its id, type and scope", where=where)
    return listed


async def _purged(
    app: HubApp, access: Access, query: Query, make: Callable[[str], Mutation], *, stays: bool
) -> tuple[list[str], list[ItemRefusal]]:
    """Slice by slice. What is deleted leaves the query, so the next slice moves up to it; what `stays` is passed over,
    and the query asked from its beginning again until nothing new is found (an attribute that goes may move others)."""
    done: dict[str, None] = {}
    refused: list[ItemRefusal] = []
    offset, passed = 0, 0
    while len(refused) < _REPORTED:
        page = await _slice(app, access, replace(query, offset=offset))
        fresh = [one.id for one in page.entities if one.id not in done]
        result = await app.hub.write(access.tenant, [make(entity_id) for entity_id in fresh], access.source)
        done.update(dict.fromkeys(fresh))
        refused += result.errors
        offset += len(page.entities) if stays else len(result.errors)
        passed += len(fresh)
        if not page.more and (not stays or not passed):
            break
        if not page.more:
            offset, passed = 0, 0
    return [one for one in done if one not in {refusal.entity_id for refusal in refused}], refused


async def _slice(app: HubApp, access: Access, query: Query) -> Page:
    types = access.readable(app.hub.store.types(access.tenant))
    return await app.hub.store.query(access.tenant, query, types=types)


OPERATIONS = (
    Operation(
        "DELETE",
        "/entities",
        "purgeEntities",
        ("5.6.21", "6.4.3.3"),
        "Delete what a query finds, or attributes of it",
        purge,
        _PARAMETERS,
        "",
        {204: "", 207: "BatchOperationResult"},
    ),
)
"""What this module answers."""
