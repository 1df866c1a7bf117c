"""The hub over HTTP: NGSI-LD at `/ngsi-ld/v1` (ETSI GS CIM 009 clause 6) and the device door at `/ingest/v1/batch`.

A plain ASGI application; the operations stand in the modules beside this one.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Collection, Iterable
from urllib.parse import quote

from madang.hub.access import Access, Gate, is_loopback
from madang.hub.census import Censuses
from madang.hub.errors import NgsiLdError, ResourceNotFoundError
from madang.hub.http import batches, discovery, entities, hosted, openapi, provision, purge, subscriptions, temporal
from madang.hub.http.door import Door
from madang.hub.http.operation import Operation, Router
from madang.hub.http.pages import KeptPages
from madang.hub.http.wire import Header, Receive, Request, Response, Scope, Send, problem, split_path
from madang.hub.hub import Hub
from madang.hub.plain import PlainReader
from madang.identity.rights import Actor
from madang.kernel.errors import ConfigError, MadangError

log = logging.getLogger("madang.hub")

PREFIX = b"/ngsi-ld/v1/"
DOOR = b"/ingest/v1/batch"
OPERATIONS: tuple[Operation, ...] = (
    *entities.OPERATIONS,
    *provision.OPERATIONS,
    *purge.OPERATIONS,
    *batches.OPERATIONS,
    *discovery.OPERATIONS,
    *hosted.OPERATIONS,
    *subscriptions.OPERATIONS,
    *temporal.OPERATIONS,
    *openapi.OPERATIONS,
)
ROUTER = Router(OPERATIONS)
_FIXED: dict[bytes, list[str]] = {
    PREFIX + one.path.strip("/").encode(): one.path.strip("/").split("/") for one in OPERATIONS if "{" not in one.path
}
"""Segments of the paths that are always the same."""
Authenticate = Callable[[Iterable[Header]], Awaitable[Actor | None]]


class HubApp:
    """The ASGI application.

    `authenticate` turns raw ASGI headers into an actor or None; `owned_types` (canonical names) are written by rooms
    only. `open_mode` asks nobody for a credential and is refused unless `bound_host` is a loopback address; requests
    from elsewhere are then refused too.
    """

    def __init__(
        self,
        hub: Hub,
        authenticate: Authenticate | None = None,
        owned_types: Collection[str] = (),
        open_mode: bool = False,
        *,
        bound_host: str = "",
        open_tenant: str = "open",
    ) -> None:
        if open_mode and not is_loopback(bound_host):
            raise ConfigError(
                f"The hub's open mode needs a loopback address, not {bound_host or 'an unknown one'}",
                where="hub.open_mode",
                hint="Bind to 127.0.0.1, or give clients tokens",
            )
        if not open_mode and authenticate is None:
            raise ConfigError("The hub needs a way to authenticate", where="hub")
        self.hub = hub
        self.config = hub.config
        self._authenticate = authenticate
        self._gate = Gate(owned_types, open_tenant if open_mode else None)
        self._door = Door(hub)
        self.censuses = Censuses(hub.store)
        self.pages = KeptPages()
        self.creators: dict[Access, PlainReader] = {}
        """Who reads the plain entities that an asker creates (`provision.create`)."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        try:
            response = await self._answer(scope, receive)
        except MadangError as error:
            response = problem(error)
        except Exception:
            log.exception("a request to the hub failed: %s %s", scope["method"], scope["path"][:200])
            response = problem(NgsiLdError("Something went wrong inside the hub; it has been logged"))
        await response.send(send, head=scope["method"] == "HEAD")

    async def _answer(self, scope: Scope, receive: Receive) -> Response:
        raw_path: bytes = scope.get("raw_path") or quote(scope["path"]).encode()
        segments = _FIXED[raw_path] if raw_path in _FIXED else split_path(raw_path, PREFIX)
        if segments is None and raw_path.rstrip(b"/") != DOOR:
            raise ResourceNotFoundError("There is no such resource", where=scope["path"][:200])
        request = Request(scope, receive, segments or [])
        if request.method in ("HEAD", "OPTIONS"):
            if request.method == "OPTIONS":
                return Response(204, ROUTER.options(request.segments) if segments else [(b"allow", b"OPTIONS, POST")])
            request.method = "GET"
        access = await self._access(scope, request)
        if self.hub.expiry.due():
            await self.hub.expiry.ensure()
        if segments is None:
            response = await self._door.post(request, access)
        else:
            response = await ROUTER.find(request.method, segments).handler(self, request, access)
        if (tenant := request.headers.get(b"ngsild-tenant")) is not None:
            response.headers.append((b"ngsild-tenant", tenant))
        return response

    async def _access(self, scope: Scope, request: Request) -> Access:
        header = request.headers.get(b"ngsild-tenant", b"").strip()
        if self._authenticate is not None and not self._gate.is_open:
            actor = await self._authenticate(scope["headers"])
            return self._gate.access(actor, header, shown=actor is None and b"authorization" in request.headers)
        client = scope.get("client")
        if client is not None and not is_loopback(client[0]):
            return self._gate.access(None, header)
        return self._gate.open_access(header, self._exists, _founds(request))

    def _exists(self, tenant: str) -> bool:
        """Whether anything was ever written for a tenant."""
        return self.hub.store.number(tenant) is not None or self.hub.subscriptions.knows(tenant)


_FOUNDING = frozenset(
    {
        ("entities",),
        ("entityOperations", "create"),
        ("entityOperations", "upsert"),
        ("temporal", "entities"),
        ("subscriptions",),
        ("jsonldContexts",),
    }
)


def _founds(request: Request) -> bool:
    """Whether a tenant comes to be with the request (clause 5.5.10): all others ask for one that is there."""
    return request.method == "POST" and (not request.segments or tuple(request.segments) in _FOUNDING)
