"""@contexts stored, listed, served, deleted and fetched anew (clauses 5.13, 6.29, 6.30)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import orjson

from madang.hub.access import Access
from madang.hub.contexts.context import Json
from madang.hub.contexts.shelf import Kept, Kind
from madang.hub.contexts.source import PATH
from madang.hub.errors import (
    BadRequestDataError,
    InvalidRequestError,
    OperationNotSupportedError,
    ResourceNotFoundError,
)
from madang.hub.http.operation import Operation
from madang.hub.http.pages import origin_of
from madang.hub.http.parameters import check_parameters
from madang.hub.http.wire import JSON, JSON_LD, Request, Response, accepted, decode, media_type
from madang.hub.query import boolean
from madang.identity.rights import Right
from madang.kernel.clock import instant_text

if TYPE_CHECKING:
    from madang.hub.http.app import HubApp

_LIST = frozenset({"details", "kind", "limit", "offset"})
_SERVE = frozenset({"details"})
_DELETE = frozenset({"reload"})


async def add(app: HubApp, request: Request, access: Access) -> Response:
    """Add @context (clauses 5.13.2, 6.29.3.1)."""
    _allowed(access)
    check_parameters(request.parameters, frozenset())
    media_type(request.headers)
    raw = decode(await request.body(app.config.max_body))
    if not isinstance(raw, dict):
        raise InvalidRequestError("The body is a JSON object here", where="body")
    if raw.get("@context") in (None, [], ""):
        raise BadRequestDataError("The body has no @context", where="@context")
    context_id = await app.hub.contexts.host(access.tenant, raw["@context"])
    return Response(201, [(b"location", (PATH + context_id).encode())])


def _allowed(access: Access) -> None:
    if (refusal := access.refusal(Right.HUB_CONTEXTS, ("*",))) is not None:
        raise refusal


async def listing(app: HubApp, request: Request, access: Access) -> Response:
    """List @contexts (clauses 5.13.3, 6.29.3.2)."""
    media = accepted(request.headers.get(b"accept", b"*/*"))
    parameters = request.parameters
    check_parameters(parameters, _LIST)
    details = boolean(parameters.get("details", "false"), "details")
    kept = await app.hub.contexts.shelf.listed(access.tenant, _kind(parameters.get("kind")))
    start, limit = _number(parameters, "offset", 0), _number(parameters, "limit", app.config.max_limit)
    kept = kept[start : start + limit]
    origin = origin_of(request)
    body = [_metadata(app, one, origin) if details else _address(one, origin) for one in kept]
    return Response(200, [(b"content-type", media)], orjson.dumps(body))


def _number(parameters: dict[str, str], name: str, default: int) -> int:
    text = parameters.get(name, str(default))
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise BadRequestDataError(f"{name} is {text[:40]!r}, not a whole number", where=name)
    return int(text)


def _kind(said: str | None) -> Kind | None:
    if said is None:
        return None
    try:
        return Kind(said)
    except ValueError:
        raise BadRequestDataError(f"kind is {said[:40]!r}", where="kind", hint=", ".join(Kind)) from None


def _address(kept: Kept, origin: str) -> str:
    return kept.address or origin + PATH + kept.id


def _metadata(app: HubApp, kept: Kept, origin: str) -> dict[str, Json]:
    """Clause 5.13.3.5."""
    said: dict[str, Json] = {
        "URL": _address(kept, origin),
        "localId": kept.id,
        "kind": kept.kind.value,
        "createdAt": _time(kept.created_ms),
    }
    if kept.expires_ms is not None:
        said["expiresAt"] = _time(kept.expires_ms)
    used = app.hub.contexts.usage.get(kept.address or kept.id)
    if used is not None:
        said |= {"lastUsage": _time(used.last_ms), "numberOfHits": used.hits}
    return said


def _time(ms: int) -> str:
    return instant_text(datetime.fromtimestamp(ms / 1000, UTC))


async def serve(app: HubApp, request: Request, _access: Access) -> Response:
    """Serve @context (clauses 5.13.4, 6.30.3.1): to whoever has its address, for that is what it is for."""
    media = accepted(request.headers.get(b"accept", b"*/*"), (JSON, JSON_LD))
    check_parameters(request.parameters, _SERVE)
    kept = await _found(app, request)
    if boolean(request.parameters.get("details", "false"), "details"):
        return Response(200, [(b"content-type", media)], orjson.dumps(_metadata(app, kept, origin_of(request))))
    if kept.kind is Kind.CACHED:
        raise OperationNotSupportedError(
            "A cached @context is not served from here", where="contextId", hint=f"It comes from {kept.address[:200]}"
        )
    return Response(200, [(b"content-type", media)], orjson.dumps(kept.document))


async def _found(app: HubApp, request: Request) -> Kept:
    said = request.segments[1]
    shelf = app.hub.contexts.shelf
    kept = await shelf.by_id(app.hub.contexts.local_id(said) or said)
    if kept is None and ":" in said:
        kept = await shelf.by_address(said)
    if kept is None:
        raise ResourceNotFoundError(f"There is no @context {said[:200]}", where="contextId")
    return kept


async def delete(app: HubApp, request: Request, access: Access) -> Response:
    """Delete and Reload @context (clauses 5.13.5, 6.30.3.2)."""
    _allowed(access)
    check_parameters(request.parameters, _DELETE)
    reload = boolean(request.parameters.get("reload", "false"), "reload")
    kept = await _found(app, request)
    if kept.tenant not in ("", access.tenant):
        raise ResourceNotFoundError(f"There is no @context {kept.id} of this tenant", where="contextId")
    if not reload:
        await app.hub.contexts.drop(kept)
    elif kept.kind is Kind.CACHED:
        await app.hub.contexts.reload(kept)
    else:
        raise BadRequestDataError(f"A {kept.kind.value} @context comes from nowhere to reload it", where="reload")
    return Response(204, [])


_MANY, _ONE = "/jsonldContexts", "/jsonldContexts/{contextId}"
OPERATIONS = (
    Operation(
        "POST", _MANY, "addContext", ("5.13.2", "6.29.3.1"), "Add an @context", add, body="LdContext", answers={201: ""}
    ),
    Operation(
        "GET",
        _MANY,
        "listContexts",
        ("5.13.3", "6.29.3.2"),
        "List the @contexts",
        listing,
        _LIST,
        answers={200: "LdContextList"},
    ),
    Operation(
        "GET",
        _ONE,
        "serveContext",
        ("5.13.4", "6.30.3.1"),
        "Serve an @context",
        serve,
        _SERVE,
        answers={200: "LdContext"},
    ),
    Operation(
        "DELETE",
        _ONE,
        "deleteContext",
        ("5.13.5", "6.30.3.2"),
        "Delete an @context, or fetch it anew",
        delete,
        _DELETE,
        answers={204: ""},
    ),
)
"""What this module answers."""
