"""Entities and pages as answers (clauses 6.3.10, 6.3.13)."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import quote

import orjson

from madang.hub.changes import Stored
from madang.hub.contexts.context import Context
from madang.hub.http.parameters import PLAIN
from madang.hub.http.wire import JSON, JSON_LD, Header, Response, context_member, json_headers
from madang.hub.query import Query
from madang.hub.render import View, render
from madang.hub.store import Page

_LINK_SAFE = "%&=;,:/?@!$'()*+~[]|"


def entity_bytes(stored: Stored, view: View, names: Context, media: bytes) -> bytes:
    body = (
        stored.body if names.is_core and (view is PLAIN or view == PLAIN) else orjson.dumps(render(stored, view, names))
    )
    return body if media == JSON else with_context(body, names)


def with_context(body: bytes, names: Context) -> bytes:
    member = b'{"@context":' + orjson.dumps(context_member(names))
    return member + (b"," + body[1:] if len(body) > 2 else body[1:])


def page_response(page: Page, query: Query, view: View, names: Context, media: bytes) -> Response:
    bodies: Iterable[bytes] = page.bodies
    if page.entities:
        bodies = [orjson.dumps(render(one, view, names)) for one in page.entities]
    if media == JSON_LD:
        bodies = [with_context(one, names) for one in bodies]
    headers = json_headers(media, names)
    if query.count:
        headers.append((b"ngsild-results-count", str(page.total).encode()))
    return Response(200, headers, b"[" + b",".join(bodies) + b"]")


def page_links(query_string: bytes, query: Query, page: Page) -> list[Header]:
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
