"""The bodies of hub requests: their @context, the entity they speak of, whether the asker may write it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from madang.hub.access import Access
from madang.hub.changes import Effect, Mutation, Outcome
from madang.hub.contexts.context import Context, Json
from madang.hub.entity import Entity, check_id, read_fragment
from madang.hub.errors import BadRequestDataError, InvalidRequestError, NgsiLdError
from madang.hub.http.parameters import simplified
from madang.hub.http.wire import Request, body_context, decode, media_type
from madang.identity.rights import Right

if TYPE_CHECKING:
    from madang.hub.http.app import HubApp


async def read_path_fragment(app: HubApp, request: Request, access: Access, *, patch: bool = False) -> Entity:
    """The body of a request about one entity; its id, where it has one, must be the path's."""
    entity_id = check_id(request.segments[1])
    raw, names = await read_body(app, request, patch=patch)
    fragment = read_fragment(raw, names, simplified=simplified(request), max_depth=app.config.max_depth)
    if fragment.id and fragment.id != entity_id:
        raise BadRequestDataError("The id in the body is not that of the path", where="id")
    fragment.id = entity_id
    allow(app, request, access, fragment.types)
    return fragment


async def read_body(app: HubApp, request: Request, *, patch: bool = False) -> tuple[Json, Context]:
    """A JSON object and the @context it is written in."""
    media = media_type(request.headers, patch=patch)
    raw = decode(await request.body(app.config.max_body))
    if not isinstance(raw, dict):
        raise InvalidRequestError("The body is a JSON object here", where="body")
    return raw, await body_context(request, media, raw, app.hub.contexts)


def allow(app: HubApp, request: Request, access: Access, types: tuple[str, ...]) -> None:
    """Raises unless an entity of this size and these types may be written by the asker."""
    said = request.headers.get(b"content-length", b"0")
    if said.isdigit() and int(said) > app.config.max_entity:
        raise BadRequestDataError(f"One entity has at most {app.config.max_entity} bytes", where="body")
    if (refusal := access.refusal(Right.HUB_WRITE, types)) is not None:
        raise refusal


async def apply(app: HubApp, access: Access, mutation: Mutation) -> Effect:
    """What a mutation did; a refusal is raised."""
    tenant, source = access.tenant, access.source
    outcome: Outcome = await app.hub.store.write(lambda tx: tx.apply(tenant, mutation, source))
    if isinstance(outcome, NgsiLdError):
        raise outcome
    return outcome


def said_id(raw: Json) -> str:
    """The id an item of a batch gives, for the report on it."""
    return str(raw.get("id", ""))[:200] if isinstance(raw, dict) else ""
