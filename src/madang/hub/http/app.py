"""The hub over HTTP: NGSI-LD at `/ngsi-ld/v1` (ETSI GS CIM 009 clause 6) and the device door at `/ingest/v1/batch`.

A plain ASGI application. Each handler names the clause it answers.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from functools import lru_cache, partial
from urllib.parse import quote

import orjson

from madang.hub import changes as change
from madang.hub.access import Access, Gate, is_loopback
from madang.hub.changes import Mutation, Outcome, Stored
from madang.hub.context import CORE_CONTEXT, Context, Json
from madang.hub.entity import Entity, check_id, read_attribute, read_entity, read_fragment
from madang.hub.errors import (
    BadRequestDataError,
    InvalidRequestError,
    MethodRefusedError,
    NgsiLdError,
    OperationNotSupportedError,
    ResourceNotFoundError,
    TooComplexQueryError,
)
from madang.hub.http.door import Door
from madang.hub.http.wire import (
    JSON,
    JSON_LD,
    Header,
    Receive,
    Request,
    Response,
    Scope,
    Send,
    accepted,
    body_context,
    context_member,
    decode,
    json_headers,
    media_type,
    problem,
    read_parameters,
    request_context,
    split_path,
)
from madang.hub.hub import BatchResult, Hub, ItemRefusal
from madang.hub.names import is_uri
from madang.hub.query import Query, TypeSelection, attribute_list, boolean, parse_query, type_names
from madang.hub.render import Form, View, render
from madang.hub.scope import check_scope_query
from madang.hub.store import Page
from madang.identity.rights import Actor, Right
from madang.kernel.errors import ConfigError, MadangError

log = logging.getLogger("madang.hub")

PREFIX = b"/ngsi-ld/v1/"
DOOR = b"/ingest/v1/batch"
_SLICE_S = 0.004
_PAGES = 256
_PAGE_BYTES = 65_536
"""Pages kept ready until the tenant's next commit: at most this many, each at most so large."""
_LINK_SAFE = "%&=;,:/?@!$'()*+~[]|"

_VIEW_PARAMETERS = frozenset({"attrs", "pick", "omit", "lang", "options", "format"})
_QUERY_PARAMETERS = _VIEW_PARAMETERS | {
    "type",
    "id",
    "idPattern",
    "q",
    "georel",
    "geometry",
    "coordinates",
    "geoproperty",
    "scopeQ",
    "limit",
    "offset",
    "count",
    "local",
}
_NO_PARAMETERS: frozenset[str] = frozenset()
_READ_OPTIONS = frozenset({"normalized", "concise", "keyValues", "simplified", "sysAttrs"})
Authenticate = Callable[[Iterable[Header]], Awaitable[Actor | None]]
Handler = Callable[["HubApp", Request, Access], Awaitable[Response]]


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
        self._config = hub.config
        self._authenticate = authenticate
        self._gate = Gate(owned_types, open_tenant if open_mode else None)
        self._door = Door(hub)
        self._pages: dict[tuple[Access, bytes, bytes], tuple[int, Response]] = {}

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
        await response.send(send)

    async def _answer(self, scope: Scope, receive: Receive) -> Response:
        raw_path: bytes = scope.get("raw_path") or quote(scope["path"]).encode()
        found = split_path(raw_path, PREFIX)
        if found is None and raw_path.rstrip(b"/") != DOOR:
            raise ResourceNotFoundError("There is no such resource", where=scope["path"][:200])
        request = Request(scope, receive, found[0] if found is not None else [])
        access = await self._access(scope, request)
        if found is None:
            response = await self._door.post(request, access)
        else:
            response = await _handler(request, found[1])(self, request, access)
        if (tenant := request.headers.get(b"ngsild-tenant")) is not None:
            response.headers.append((b"ngsild-tenant", tenant))
        return response

    async def _access(self, scope: Scope, request: Request) -> Access:
        header = request.headers.get(b"ngsild-tenant", b"").strip()
        if self._authenticate is not None and not self._gate.is_open:
            return self._gate.access(await self._authenticate(scope["headers"]), header)
        client = scope.get("client")
        if client is not None and not is_loopback(client[0]):
            return self._gate.access(None, header)
        writing = request.method != "GET" and request.segments[-1:] != ["query"]
        return self._gate.open_access(header, lambda tenant: bool(self.hub.store.types(tenant)), writing)

    # Reading.

    async def retrieve(self, request: Request, access: Access) -> Response:
        """Retrieve Entity (clauses 5.7.1, 6.5.3.1)."""
        accept = request.headers.get(b"accept")
        media = JSON if accept is None else accepted(accept)
        names = CORE_CONTEXT
        if b"link" in request.headers:
            names = await request_context(request, self.hub.contexts)
        view = _PLAIN if not request.query_string else _view_of(request, names, _RETRIEVE_PARAMETERS)
        entity_id = request.segments[1]
        stored = self.hub.store.retrieve(access.tenant, entity_id)
        if stored is None or not access.sees(stored.types):
            check_id(entity_id)
            raise change.missing(entity_id)
        if view.only and not view.only & stored.document().keys():
            raise ResourceNotFoundError(f"{entity_id} has none of the attributes asked for", where="attrs")
        return Response(200, json_headers(media, names), _entity_bytes(stored, view, names, media))

    async def query(self, request: Request, access: Access) -> Response:
        """Query Entities (clauses 5.7.2, 6.4.3.2)."""
        media = accepted(request.headers.get(b"accept", b"*/*"))
        stamp = self.hub.store.stamp(access.tenant)
        key = (access, request.query_string, media)
        if b"link" in request.headers:
            names = await request_context(request, self.hub.contexts)
            return await self._queried(request, access, names, media)
        known = self._pages.get(key)
        if known is not None and known[0] == stamp:
            return known[1].again()
        response = await self._queried(request, access, CORE_CONTEXT, media)
        if len(response.body) <= _PAGE_BYTES:
            if len(self._pages) >= _PAGES:
                self._pages.pop(next(iter(self._pages)))
            self._pages[key] = (stamp, response.again())
        return response

    async def _queried(self, request: Request, access: Access, names: Context, media: bytes) -> Response:
        limits = (self._config.default_limit, self._config.max_limit)
        if names is CORE_CONTEXT:
            query, view = _core_query(request.query_string, *limits)
        else:
            query, view = _read_query(request.parameters, names, *limits)
        page = await self._page(query, view, names, access)
        response = _page_response(page, query, view, names, media)
        response.headers.extend(_page_links(request.query_string, query, page))
        return response

    async def _page(self, query: Query, view: View, names: Context, access: Access) -> Page:
        selection: TypeSelection | None = query.types
        asked = type_names(selection)
        if asked and not any(access.may(Right.HUB_READ, one) for one in asked):
            refusal = access.refusal(Right.HUB_READ, asked)
            assert refusal is not None
            raise refusal
        types = access.readable(self.hub.store.types(access.tenant))
        plain = view.plain and names.is_core
        return await self.hub.store.query(access.tenant, query, types=types, bodies_only=plain)

    # Writing one entity.

    async def create(self, request: Request, access: Access) -> Response:
        """Create Entity (clauses 5.6.1, 6.4.3.1)."""
        _only_parameters(request, _CREATE_PARAMETERS)
        raw, names = await self._body(request)
        entity = read_entity(raw, names, simplified=_simplified(request), max_depth=self._config.max_depth)
        self._sized(raw, request, access, entity.types)
        await self._apply(access, change.create(entity))
        location = b"/ngsi-ld/v1/entities/" + quote(entity.id, safe=":").encode()
        return Response(201, [(b"location", location)])

    async def replace(self, request: Request, access: Access) -> Response:
        """Replace Entity (clauses 5.6.18, 6.5.3.3)."""
        _only_parameters(request, _CREATE_PARAMETERS)
        entity = await self._fragment(request, access)
        await self._apply(access, access.guarded(change.replace(entity)))
        return Response(204, [])

    async def merge(self, request: Request, access: Access) -> Response:
        """Merge Entity (clauses 5.6.17, 6.5.3.4)."""
        _only_parameters(request, _CREATE_PARAMETERS)
        fragment = await self._fragment(request, access, patch=True)
        await self._apply(access, access.guarded(change.merge(fragment.id, fragment)))
        return Response(204, [])

    async def delete(self, request: Request, access: Access) -> Response:
        """Delete Entity (clauses 5.6.6, 6.5.3.2)."""
        _only_parameters(request, _DELETE_PARAMETERS)
        entity_id = check_id(request.segments[1])
        await self._apply(access, access.guarded(change.delete(entity_id)))
        return Response(204, [])

    async def append(self, request: Request, access: Access) -> Response:
        """Append Attributes (clauses 5.6.3, 6.6.3.1)."""
        _only_parameters(request, _CREATE_PARAMETERS)
        fragment = await self._fragment(request, access)
        overwrite = "noOverwrite" not in _options(request.parameters, _WRITE_OPTIONS)
        mutation = change.append(fragment.id, fragment, overwrite=overwrite)
        return await self._partly(request, access, mutation)

    async def update(self, request: Request, access: Access) -> Response:
        """Update Attributes (clauses 5.6.2, 6.6.3.2)."""
        _only_parameters(request, _CREATE_PARAMETERS)
        fragment = await self._fragment(request, access, patch=True)
        return await self._partly(request, access, change.update(fragment.id, fragment))

    async def _partly(self, request: Request, access: Access, mutation: Mutation) -> Response:
        """204, or 207 with an UpdateResult (clause 5.2.18) where some attributes were left as they were."""
        effect = await self._apply(access, access.guarded(mutation))
        if not effect.not_updated:
            return Response(204, [])
        names = await request_context(request, self.hub.contexts)
        body = {
            "updated": [names.term(name) for name in effect.updated],
            "notUpdated": [{"attributeName": names.term(name), "reason": why} for name, why in effect.not_updated],
        }
        return Response(207, [(b"content-type", JSON)], orjson.dumps(body))

    async def update_attribute(self, request: Request, access: Access) -> Response:
        """Partial Attribute Update (clauses 5.6.4, 6.7.3.1)."""
        return await self._one_attribute(request, access, partial=True)

    async def replace_attribute(self, request: Request, access: Access) -> Response:
        """Replace Attribute (clauses 5.6.19, 6.7.3.3)."""
        return await self._one_attribute(request, access, partial=False)

    async def _one_attribute(self, request: Request, access: Access, *, partial: bool) -> Response:
        _only_parameters(request, _CREATE_PARAMETERS)
        entity_id = check_id(request.segments[1])
        raw, names = await self._body(request, patch=partial)
        if isinstance(raw, dict):
            raw.pop("@context", None)
        name = names.canonical(request.segments[3])
        fragment = read_attribute(raw, name, names, simplified=_simplified(request), partial=partial)
        make = change.partial if partial else change.replace_attribute
        await self._apply(access, access.guarded(make(entity_id, name, fragment)))
        return Response(204, [])

    async def delete_attribute(self, request: Request, access: Access) -> Response:
        """Delete Attribute (clauses 5.6.5, 6.7.3.2)."""
        _only_parameters(request, _DELETE_PARAMETERS)
        entity_id = check_id(request.segments[1])
        names = await request_context(request, self.hub.contexts)
        parameters = request.parameters
        every = boolean(parameters.get("deleteAll", "false"), "deleteAll")
        dataset = parameters.get("datasetId", "")
        if dataset and not is_uri(dataset):
            raise BadRequestDataError("datasetId is not a URI", where="datasetId")
        name = names.canonical(request.segments[3])
        await self._apply(
            access, access.guarded(change.delete_attribute(entity_id, name, dataset=dataset, every=every))
        )
        return Response(204, [])

    async def _fragment(self, request: Request, access: Access, *, patch: bool = False) -> Entity:
        """The body of a request about one entity; its id, where it has one, must be the path's."""
        entity_id = check_id(request.segments[1])
        raw, names = await self._body(request, patch=patch)
        fragment = read_fragment(raw, names, simplified=_simplified(request), max_depth=self._config.max_depth)
        if fragment.id and fragment.id != entity_id:
            raise BadRequestDataError("The id in the body is not that of the path", where="id")
        fragment.id = entity_id
        self._sized(raw, request, access, fragment.types)
        return fragment

    async def _body(self, request: Request, *, patch: bool = False) -> tuple[Json, Context]:
        media = media_type(request.headers, patch=patch)
        raw = decode(await request.body(self._config.max_body))
        if not isinstance(raw, dict):
            raise InvalidRequestError("The body is a JSON object here", where="body")
        return raw, await body_context(request, media, raw, self.hub.contexts)

    def _sized(self, _raw: Json, request: Request, access: Access, types: tuple[str, ...]) -> None:
        said = request.headers.get(b"content-length", b"0")
        if said.isdigit() and int(said) > self._config.max_entity:
            raise BadRequestDataError(f"One entity has at most {self._config.max_entity} bytes", where="body")
        if (refusal := access.refusal(Right.HUB_WRITE, types)) is not None:
            raise refusal

    async def _apply(self, access: Access, mutation: Mutation) -> change.Effect:
        tenant, source = access.tenant, access.source
        outcome: Outcome = await self.hub.store.write(lambda tx: tx.apply(tenant, mutation, source))
        if isinstance(outcome, NgsiLdError):
            raise outcome
        return outcome

    # Batches (clauses 5.6.7–5.6.10, 5.6.20, 6.14–6.17, 6.31).

    async def batch_create(self, request: Request, access: Access) -> Response:
        """Batch Entity Creation (clause 5.6.7)."""
        return await self._batch(request, access, change.create)

    async def batch_upsert(self, request: Request, access: Access) -> Response:
        """Batch Entity Creation or Update (clause 5.6.8); options=update appends, else whole entities are replaced."""
        options = _options(request.parameters, _UPSERT_OPTIONS)
        make = change.upsert if "update" in options else partial(change.replace, if_missing_create=True)
        return await self._batch(request, access, make)

    async def batch_update(self, request: Request, access: Access) -> Response:
        """Batch Entity Update (clause 5.6.9)."""
        overwrite = "noOverwrite" not in _options(request.parameters, _WRITE_OPTIONS)

        def make(entity: Entity) -> Mutation:
            return change.append(entity.id, entity, overwrite=overwrite)

        return await self._batch(request, access, make, whole=False)

    async def batch_merge(self, request: Request, access: Access) -> Response:
        """Batch Entity Merge (clause 5.6.20)."""
        return await self._batch(request, access, lambda entity: change.merge(entity.id, entity), whole=False)

    async def batch_delete(self, request: Request, access: Access) -> Response:
        """Batch Entity Delete (clause 5.6.10)."""
        raws, _ = await self._items(request)
        refused: list[ItemRefusal] = []
        mutations: list[Mutation] = []
        for raw in raws:
            if is_uri(raw):
                mutations.append(access.guarded(change.delete(raw)))
            else:
                refused.append(ItemRefusal(str(raw)[:200], BadRequestDataError("This is not a URI", where="id")))
        return _batch_response(await self._write_many(access, mutations), refused)

    async def _batch(
        self, request: Request, access: Access, make: Callable[[Entity], Mutation], *, whole: bool = True
    ) -> Response:
        simplified = _simplified(request)
        raws, shared = await self._items(request)
        refused: list[ItemRefusal] = []
        mutations: list[Mutation] = []
        slice_ends = time.monotonic() + _SLICE_S
        for raw in raws:
            try:
                names = await self._item_context(raw, shared)
                read = read_entity if whole else _read_identified
                entity = read(raw, names, simplified=simplified, max_depth=self._config.max_depth)
                if (refusal := access.refusal(Right.HUB_WRITE, entity.types)) is not None:
                    raise refusal
                mutations.append(access.guarded(make(entity)))
            except NgsiLdError as error:
                refused.append(ItemRefusal(_said_id(raw), error))
            if time.monotonic() > slice_ends:
                await asyncio.sleep(0)
                slice_ends = time.monotonic() + _SLICE_S
        return _batch_response(await self._write_many(access, mutations), refused)

    async def _item_context(self, raw: Json, shared: Context | None) -> Context:
        if shared is not None:
            if isinstance(raw, dict) and "@context" in raw:
                raise BadRequestDataError("An @context needs Content-Type: application/ld+json", where="@context")
            return shared
        if not isinstance(raw, dict) or "@context" not in raw:
            raise BadRequestDataError("Each entity of a JSON-LD batch needs its @context", where="@context")
        return await self.hub.contexts.get(raw["@context"])

    async def _items(self, request: Request) -> tuple[list[Json], Context | None]:
        """The batch and the @context all share; None where each brings its own (JSON-LD)."""
        media = media_type(request.headers)
        raws = decode(await request.body(self._config.max_body))
        if not isinstance(raws, list) or not raws:
            raise BadRequestDataError("A batch is a JSON array of at least one item", where="body")
        if len(raws) > self._config.max_batch:
            raise TooComplexQueryError(f"A batch has at most {self._config.max_batch} items", where="body")
        return raws, None if media == JSON_LD else await request_context(request, self.hub.contexts)

    async def _write_many(self, access: Access, mutations: list[Mutation]) -> BatchResult:
        return await self.hub.write(access.tenant, mutations, access.source)

    async def batch_query(self, request: Request, access: Access) -> Response:
        """Query Entities by POST (clauses 5.7.2, 6.23.3.1)."""
        media = accepted(request.headers.get(b"accept", b"*/*"))
        raw, names = await self._body(request)
        parameters = _query_document(raw) | request.parameters
        query, view = _read_query(parameters, names, self._config.default_limit, self._config.max_limit)
        page = await self._page(query, view, names, access)
        return _page_response(page, query, view, names, media)


_PLAIN = View()
_RETRIEVE_PARAMETERS = _VIEW_PARAMETERS | {"type", "local"}
_CREATE_PARAMETERS = frozenset({"options", "format", "type", "local"})
_DELETE_PARAMETERS = frozenset({"type", "local", "datasetId", "deleteAll"})
_WRITE_OPTIONS = frozenset({"noOverwrite", "keyValues", "concise", "normalized", "simplified"})
_UPSERT_OPTIONS = _WRITE_OPTIONS | {"replace", "update"}
_FORMS = {
    "normalized": Form.NORMALIZED,
    "concise": Form.CONCISE,
    "keyValues": Form.SIMPLIFIED,
    "simplified": Form.SIMPLIFIED,
}


def _only_parameters(request: Request, known: frozenset[str]) -> None:
    if request.query_string:
        _check_parameters(request.parameters, known)


def _check_parameters(parameters: Mapping[str, str], known: frozenset[str]) -> None:
    for name in parameters:
        if name not in known:
            raise InvalidRequestError(
                f"There is no parameter {name[:60]!r} here", where=name[:60], hint=f"Known: {', '.join(sorted(known))}"
            )
    if "local" in parameters:
        boolean(parameters["local"], "local")


def _options(parameters: Mapping[str, str], known: frozenset[str]) -> frozenset[str]:
    given = frozenset(one for one in parameters.get("options", "").split(",") if one)
    if unknown := given - known:
        raise BadRequestDataError(f"options={sorted(unknown)[0][:60]} is not known here", where="options")
    return given


def _simplified(request: Request) -> bool:
    if not request.query_string:
        return False
    options = _options(request.parameters, _UPSERT_OPTIONS)
    said = request.parameters.get("format", "")
    if said and said not in _FORMS:
        raise BadRequestDataError(f"format={said[:40]} is not known", where="format")
    return bool({"keyValues", "simplified"} & options) or _FORMS.get(said) is Form.SIMPLIFIED


def _view_of(request: Request, names: Context, known: frozenset[str]) -> View:
    _check_parameters(request.parameters, known)
    return _read_view(request.parameters, names)


def _read_view(parameters: Mapping[str, str], names: Context) -> View:
    """The representation asked for (clauses 6.3.7, 6.3.8, 4.21)."""
    options = _options(parameters, _READ_OPTIONS)
    said = parameters.get("format", "")
    if said and said not in _FORMS:
        raise BadRequestDataError(f"format={said[:40]} is not known", where="format", hint=", ".join(_FORMS))
    forms = {_FORMS[one] for one in (*options, said) if one in _FORMS}
    if len(forms) > 1:
        raise BadRequestDataError("Two representations are asked for at once", where="options")
    return View(
        form=forms.pop() if forms else Form.NORMALIZED,
        system="sysAttrs" in options,
        only=frozenset(attribute_list(parameters.get("attrs", ""), names, "attrs")),
        pick=frozenset(attribute_list(parameters.get("pick", ""), names, "pick")),
        omit=frozenset(attribute_list(parameters.get("omit", ""), names, "omit")),
        lang=parameters.get("lang", "")[:100],
    )


def _read_query(
    parameters: Mapping[str, str], names: Context, default_limit: int, max_limit: int
) -> tuple[Query, View]:
    _check_parameters(parameters, frozenset(_QUERY_PARAMETERS))
    if not any(parameters.get(name) for name in _SELECTING) and parameters.get("local") != "true":
        raise BadRequestDataError(
            "The query selects nothing", where="query", hint="Give at least one of type, id, attrs, q, georel"
        )
    if parameters.get("scopeQ"):
        check_scope_query(parameters["scopeQ"])
    query = parse_query(parameters, names, default_limit=default_limit, max_limit=max_limit)
    return query, _read_view(parameters, names)


_SELECTING = ("type", "id", "idPattern", "attrs", "q", "georel", "scopeQ")


@lru_cache(maxsize=512)
def _core_query(query_string: bytes, default_limit: int, max_limit: int) -> tuple[Query, View]:
    return _read_query(read_parameters(query_string), CORE_CONTEXT, default_limit, max_limit)


def _entity_bytes(stored: Stored, view: View, names: Context, media: bytes) -> bytes:
    body = (
        stored.body
        if names.is_core and (view is _PLAIN or view == _PLAIN)
        else orjson.dumps(render(stored, view, names))
    )
    return body if media == JSON else _with_context(body, names)


def _with_context(body: bytes, names: Context) -> bytes:
    member = b'{"@context":' + orjson.dumps(context_member(names))
    return member + (b"," + body[1:] if len(body) > 2 else body[1:])


def _page_response(page: Page, query: Query, view: View, names: Context, media: bytes) -> Response:
    bodies: Iterable[bytes] = page.bodies
    if page.entities:
        bodies = [orjson.dumps(render(one, view, names)) for one in page.entities]
    if media == JSON_LD:
        bodies = [_with_context(one, names) for one in bodies]
    headers = json_headers(media, names)
    if query.count:
        headers.append((b"ngsild-results-count", str(page.total).encode()))
    return Response(200, headers, b"[" + b",".join(bodies) + b"]")


def _page_links(query_string: bytes, query: Query, page: Page) -> list[Header]:
    """Links to the next and previous page (clause 6.3.10)."""
    steps = []
    if page.more:
        steps.append(("next", query.offset + query.limit))
    if query.offset and query.limit:
        steps.append(("prev", max(0, query.offset - query.limit)))
    kept = [
        part for part in query_string.decode("ascii").split("&") if part.partition("=")[0] not in ("limit", "offset")
    ]
    links = []
    for rel, offset in steps:
        target = quote("&".join([*kept, f"limit={query.limit}", f"offset={offset}"]), safe=_LINK_SAFE)
        links.append((b"link", f'</ngsi-ld/v1/entities?{target}>; rel="{rel}"'.encode()))
    return links


def _query_document(raw: dict[str, Json]) -> dict[str, str]:
    """A Query (clause 5.2.23) as the parameters that say the same."""
    if raw.get("type") != "Query":
        raise BadRequestDataError('The body is a Query: its type is "Query"', where="type")
    known = {"@context", "type", "entities", "attrs", "pick", "omit", "q", "geoQ", "scopeQ", "lang"}
    if unknown := raw.keys() - known:
        raise OperationNotSupportedError(f"{sorted(unknown)[0][:60]} is not supported in a Query", where="body")
    said: dict[str, str] = {name: raw[name] for name in ("q", "scopeQ", "lang") if name in raw}
    said |= {name: ",".join(_texts(raw[name], name)) for name in ("attrs", "pick", "omit") if name in raw}
    said |= _selector(raw.get("entities"))
    geo = raw.get("geoQ")
    if isinstance(geo, dict):
        said |= {name: geo[name] for name in ("georel", "geometry", "geoproperty") if name in geo}
        coordinates = geo.get("coordinates")
        said["coordinates"] = coordinates if isinstance(coordinates, str) else orjson.dumps(coordinates).decode()
    if not all(isinstance(value, str) for value in said.values()):
        raise BadRequestDataError("A member of the Query is not text", where="body")
    return said


def _texts(value: Json, where: str) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise BadRequestDataError(f"{where} is a list of texts", where=where)
    return value


def _selector(entities: Json) -> dict[str, str]:
    if entities is None:
        return {}
    if not isinstance(entities, list) or not entities or not all(isinstance(one, dict) for one in entities):
        raise BadRequestDataError("entities is a list of entity selectors", where="entities")
    if len(entities) > 1:
        if any(one.keys() != {"type"} for one in entities):
            raise OperationNotSupportedError("Several selectors may only name types", where="entities")
        return {"type": ",".join(_texts([one["type"] for one in entities], "type"))}
    one = entities[0]
    return {
        name: ",".join(_texts(one[name], name)) if isinstance(one[name], list) else one[name]
        for name in ("type", "id", "idPattern")
        if name in one
    }


def _read_identified(raw: Json, names: Context, *, simplified: bool, max_depth: int) -> Entity:
    fragment = read_fragment(raw, names, simplified=simplified, max_depth=max_depth)
    if not fragment.id:
        raise BadRequestDataError("An item needs its entity's id", where="id")
    return fragment


def _said_id(raw: Json) -> str:
    return str(raw.get("id", ""))[:200] if isinstance(raw, dict) else ""


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


def _handler(request: Request, route: tuple[str, ...]) -> Handler:
    methods = _ROUTES.get(route)
    if methods is None:
        raise ResourceNotFoundError("There is no such resource", where="/".join(request.segments)[:200])
    handler = methods.get(request.method)
    if handler is None:
        raise MethodRefusedError(
            f"{request.method} is not known here; {', '.join(methods)} are", allow=", ".join(methods)
        )
    return handler


_ROUTES: dict[tuple[str, ...], dict[str, Handler]] = {
    ("entities",): {"GET": HubApp.query, "POST": HubApp.create},
    ("entities", "*"): {
        "GET": HubApp.retrieve,
        "PATCH": HubApp.merge,
        "PUT": HubApp.replace,
        "DELETE": HubApp.delete,
    },
    ("entities", "*", "attrs"): {"POST": HubApp.append, "PATCH": HubApp.update},
    ("entities", "*", "attrs", "*"): {
        "PATCH": HubApp.update_attribute,
        "PUT": HubApp.replace_attribute,
        "DELETE": HubApp.delete_attribute,
    },
    ("entityOperations", "create"): {"POST": HubApp.batch_create},
    ("entityOperations", "upsert"): {"POST": HubApp.batch_upsert},
    ("entityOperations", "update"): {"POST": HubApp.batch_update},
    ("entityOperations", "merge"): {"POST": HubApp.batch_merge},
    ("entityOperations", "delete"): {"POST": HubApp.batch_delete},
    ("entityOperations", "query"): {"POST": HubApp.batch_query},
}
