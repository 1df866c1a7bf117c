"""Entities and pages as answers: JSON, JSON-LD and GeoJSON, linked entities, older versions (6.3.6, 6.3.10, 6.3.13)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import quote

import orjson

from madang.hub.access import Access
from madang.hub.changes import Stored
from madang.hub.contexts.context import CORE_CONTEXT, Context, Json
from madang.hub.http.linked import Reach, reach
from madang.hub.http.parameters import PLAIN, Join
from madang.hub.http.wire import (
    GEO_JSON,
    JSON,
    JSON_LD,
    Header,
    Request,
    Response,
    context_link,
    context_member,
    json_headers,
)
from madang.hub.query import Query
from madang.hub.render import Graph, View, feature, render
from madang.hub.store import Page
from madang.hub.versions import older, wished

if TYPE_CHECKING:
    from madang.hub.http.app import HubApp

_LINK_SAFE = "%&=;,:/?@!$'()*+~[]|{}"
_LINKABLE = re.compile(rb"[\w.%&=;,:/?@!$'()*+~[\]|{}<>\"-]*\Z")  # quote() itself takes 5 µs


_PAGES = 256
_PAGE_BYTES = 65_536
_ASKED = 4_096

Asked = tuple[Access, bytes, bytes]
"""Who asks, the query string, and the media type wanted."""


class KeptPages:
    """Answers to queries kept ready until the tenant's next commit: of what was asked before.

    What is asked only once is not kept: most of what is never asked again would push out the rest, and a body that is
    let go at once leaves its memory warm for the next (a query never asked before costs a tenth less, measured).
    """

    def __init__(self) -> None:
        self._pages: dict[Asked, tuple[int, Response]] = {}
        self._asked: set[Asked] = set()

    def get(self, asked: Asked, stamp: int) -> Response | None:
        """The answer, if it is kept and still holds."""
        known = self._pages.get(asked)
        return known[1].again() if known is not None and known[0] == stamp else None

    def answered(self, asked: Asked, stamp: int, response: Response) -> None:
        """Hears of an answer; keeps it where the same was asked lately."""
        if asked not in self._asked:
            if len(self._asked) >= _ASKED:
                self._asked.clear()
            self._asked.add(asked)
        elif len(response.body) <= _PAGE_BYTES:
            if len(self._pages) >= _PAGES:
                self._pages.pop(next(iter(self._pages)))
            self._pages[asked] = (stamp, response.again())


def entity_bytes(stored: Stored, view: View, names: Context, media: bytes) -> bytes:
    """One entity's body where nothing is linked."""
    body = (
        stored.body if names.is_core and (view is PLAIN or view == PLAIN) else orjson.dumps(render(stored, view, names))
    )
    return body if media == JSON else with_context(body, names)


def with_context(body: bytes, names: Context) -> bytes:
    """The same JSON object with its @context inside."""
    member = b'{"@context":' + orjson.dumps(context_member(names))
    return member + (b"," + body[1:] if len(body) > 2 else body[1:])


@dataclass(frozen=True, slots=True)
class Shape:
    """What an answer with entities looks like: media type, names, view, linked entities, and the Prefer header's wish.

    `linked_context`: in GeoJSON the @context stands in a Link header, not in the body (Prefer: body=json).
    """

    media: bytes
    names: Context
    view: View
    join: Join | None = None
    linked_context: bool = False
    prefers: bool = False

    @classmethod
    def of(cls, request: Request, media: bytes, names: Context, view: View, join: Join | None) -> Shape:
        """The shape a request asks for."""
        prefer = request.headers.get(b"prefer")
        if prefer is None:
            return cls(media, names, view, join)
        said = prefer.decode("latin-1")
        version = wished(said)
        if version is not None:
            view = replace(view, version=version)
        as_json = "body=json" in said.lower().replace(" ", "").replace('"', "")
        return cls(media, names, view, join, as_json, version is not None)


async def entity_response(app: HubApp, access: Access, stored: Stored, shape: Shape, request: Request) -> Response:
    """The answer to a retrieval (clauses 5.7.1.4, 6.5.3.1)."""
    found = await _reached(app, access, [stored], shape)
    flat = shape.join is not None and not shape.join.inline
    shown = [_shown(one, view, shape.names, found) for one, view in [(stored, shape.view), *found.flat]]
    body: Json = shown if flat else shown[0]
    if shape.media == GEO_JSON:
        entities = [(stored, shape.view), *found.flat]
        features = [feature(one, view, said) for (one, view), said in zip(entities, shown, strict=True)]
        body = _collection(features) if flat else features[0]
    return await _answer(app, request, shape, _encoded(body, shape), found, _altered([stored], shape))


def plain_page(page: Page, query: Query) -> Response:
    """The answer to a query that wants kept bodies as they are: what most ask (10 µs less than `page_response`)."""
    headers = json_headers(JSON, CORE_CONTEXT)
    if query.count:
        headers.append((b"ngsild-results-count", str(page.total).encode()))
    return Response(200, headers, listed(page.bodies))


def listed(bodies: Iterable[bytes]) -> bytes:
    """A JSON array, copied once: 20 entities are 15 kB."""
    items = [*bodies]
    if not items:
        return b"[]"
    items[0] = b"[" + items[0]
    items[-1] += b"]"
    return b",".join(items)


async def page_response(
    app: HubApp, access: Access, page: Page, query: Query, shape: Shape, request: Request
) -> Response:
    """The answer to a query (clauses 5.7.2.4, 6.4.3.2)."""
    found = await _reached(app, access, page.entities, shape)
    bodies: Iterable[bytes] = page.bodies
    if page.entities:
        entities = [*((one, shape.view) for one in page.entities), *found.flat]
        shown = [_shown(one, view, shape.names, found) for one, view in entities]
        if shape.media == GEO_JSON:
            shown = [feature(one, view, said) for (one, view), said in zip(entities, shown, strict=True)]
        bodies = [orjson.dumps(one) for one in shown]
    if shape.media == JSON_LD:
        bodies = [with_context(one, shape.names) for one in bodies]
    body = listed(bodies)
    if shape.media == GEO_JSON:
        body = b'{"type":"FeatureCollection","features":' + body + b"}"
        body = body if shape.linked_context else with_context(body, shape.names)
    response = await _answer(app, request, shape, body, found, _altered(page.entities, shape))
    if query.count:
        response.headers.append((b"ngsild-results-count", str(page.total).encode()))
    return response


async def _reached(app: HubApp, access: Access, entities: Sequence[Stored], shape: Shape) -> Reach:
    if shape.join is None:
        return Reach()
    return await reach(app.hub.store, access, entities, shape.view, shape.join)


def _shown(stored: Stored, view: View, names: Context, found: Reach) -> dict[str, Json]:
    graph: Graph | None = found.graph_from(stored.id)
    return render(stored, view, names, graph)


def _collection(features: list[Json]) -> Json:
    return {"type": "FeatureCollection", "features": features}


def _encoded(body: Json, shape: Shape) -> bytes:
    if shape.media == JSON_LD and isinstance(body, list):
        return b"[" + b",".join(with_context(orjson.dumps(one), shape.names) for one in body) + b"]"
    encoded = orjson.dumps(body)
    inside = shape.media == JSON_LD or (shape.media == GEO_JSON and not shape.linked_context)
    return with_context(encoded, shape.names) if inside else encoded


def _altered(entities: Sequence[Stored], shape: Shape) -> bool:
    """Whether an older version of the specification knows these entities otherwise (clause 4.3.6.8)."""
    version = shape.view.version
    if version is None:
        return False
    documents = (one.document() for one in entities)
    return any(older(document, version) is not document for document in documents)


async def _answer(app: HubApp, request: Request, shape: Shape, body: bytes, found: Reach, altered: bool) -> Response:
    by_link = shape.media == JSON or shape.linked_context
    address = await _address(app, request, shape.names) if by_link else ""
    headers = json_headers(shape.media, shape.names, address)
    if shape.media == GEO_JSON and shape.linked_context:
        headers.append(context_link(shape.names, address))
    applied = []
    if shape.prefers and shape.view.version is not None:
        applied.append("ngsi-ld={}.{}".format(*shape.view.version))
    if shape.media == GEO_JSON and shape.linked_context:
        applied.append("body=json")
    headers.extend((b"preference-applied", one.encode()) for one in applied)
    if found.truncated:
        headers.append((b"ngsild-warning", b'199 madang "not every linked entity is shown: there are too many"'))
    return Response(203 if altered else 200, headers, body)


async def _address(app: HubApp, request: Request, names: Context) -> str:
    """Where an @context that came inside a request can be had, so that a Link header can name it."""
    if names.is_core or isinstance(names.source, str):
        return ""
    return await app.hub.contexts.address_of(names, origin_of(request))


def origin_of(request: Request) -> str:
    """Where the client reached the hub."""
    host = request.headers.get(b"host", b"").decode("latin-1")
    return f"{request.scheme}://{host}" if host else ""


def page_links(
    query_string: bytes, query: Query, page: Page, path: str = "/ngsi-ld/v1/entities", media: bytes = JSON
) -> list[Header]:
    """Links to the next and previous page, of the media type of this one (clause 6.3.10)."""
    steps = []
    if page.more:
        steps.append((b"next", query.offset + query.limit))
    if query.offset and query.limit:
        steps.append((b"prev", max(0, query.offset - query.limit)))
    if not steps:
        return []
    kept = _without_paging(query_string)
    if _LINKABLE.match(kept):
        kept = kept.replace(b"<", b"%3C").replace(b">", b"%3E").replace(b'"', b"%22")
    else:
        kept = quote(kept.decode("ascii"), safe=_LINK_SAFE).encode()
    start = b"<%b?%b%b" % (path.encode(), kept, b"&" if kept else b"")
    return [
        (b"link", b'%blimit=%d&offset=%d>; rel="%b"; type="%b"' % (start, query.limit, offset, rel, media))
        for rel, offset in steps
    ]


def _without_paging(query_string: bytes) -> bytes:
    """A query string without limit and offset, which mostly stand last."""
    kept, mark, limit = query_string.rpartition(b"&limit=")
    if (
        mark
        and limit.isdigit()
        and b"offset=" not in kept
        and b"limit=" not in kept
        and b"&&" not in b"&" + query_string
    ):
        return kept
    parts = query_string.split(b"&")
    return b"&".join(part for part in parts if part and part.partition(b"=")[0] not in (b"limit", b"offset"))
