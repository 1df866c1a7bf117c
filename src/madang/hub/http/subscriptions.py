"""Subscriptions over HTTP (clauses 5.8.1–5.8.5, 6.10, 6.11)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote

import orjson

from madang.hub.access import Access
from madang.hub.contexts.context import Context, Json
from madang.hub.entity import check_id
from madang.hub.http.bodies import read_body
from madang.hub.http.operation import Operation
from madang.hub.http.pages import origin_of, page_links, with_context
from madang.hub.http.parameters import check_parameters, options_of
from madang.hub.http.wire import JSON, Request, Response, accepted, json_headers, request_context
from madang.hub.query import parse_query
from madang.hub.sqlite.group import ms_of
from madang.hub.store import Page
from madang.hub.subscriptions.desk import State
from madang.hub.subscriptions.notification import time_text
from madang.hub.subscriptions.subscription import Subscription, masked_uri

if TYPE_CHECKING:
    from madang.hub.http.app import HubApp

_ONE = frozenset({"options", "local"})
_LIST = _ONE | {"limit", "offset", "count"}
_LOCAL = frozenset({"local"})
_PATH = "/ngsi-ld/v1/subscriptions"


async def create(app: HubApp, request: Request, access: Access) -> Response:
    """Create Subscription (clauses 5.8.1, 6.10.3.1)."""
    check_parameters(request.parameters, _LOCAL)
    raw, names = await read_body(app, request)
    address = await app.hub.contexts.address_of(names, origin_of(request))
    said = b"ngsild-tenant" in request.headers
    made = await app.hub.subscriptions.create(access.tenant, raw, names, access, address=address, tenant_said=said)
    return Response(201, [(b"location", f"{_PATH}/{quote(made, safe=':')}".encode())])


async def update(app: HubApp, request: Request, access: Access) -> Response:
    """Update Subscription (clauses 5.8.2, 6.11.3.2)."""
    check_parameters(request.parameters, _LOCAL)
    subscription_id = check_id(request.segments[1])
    raw, names = await read_body(app, request, patch=True)
    address = await app.hub.contexts.address_of(names, origin_of(request))
    await app.hub.subscriptions.update(access.tenant, subscription_id, raw, names, access, address=address)
    return Response(204, [])


async def delete(app: HubApp, request: Request, access: Access) -> Response:
    """Delete Subscription (clauses 5.8.5, 6.11.3.3)."""
    check_parameters(request.parameters, _LOCAL)
    await app.hub.subscriptions.delete(access.tenant, check_id(request.segments[1]), access)
    return Response(204, [])


async def retrieve(app: HubApp, request: Request, access: Access) -> Response:
    """Retrieve Subscription (clauses 5.8.3, 6.11.3.1)."""
    check_parameters(request.parameters, _ONE)
    media = accepted(request.headers.get(b"accept", b"*/*"))
    names = await request_context(request, app.hub.contexts)
    one = app.hub.subscriptions.find(access.tenant, check_id(request.segments[1]), access)
    states = await app.hub.subscriptions.states([one])
    body = _body(app, one, states.get(one.number, State()), names, access, _system(request))
    headers = json_headers(media, names, await app.hub.contexts.address_of(names, origin_of(request)))
    return Response(200, headers, body if media == JSON else with_context(body, names))


async def listing(app: HubApp, request: Request, access: Access) -> Response:
    """Query Subscriptions (clauses 5.8.4, 6.10.3.2)."""
    check_parameters(request.parameters, _LIST)
    media = accepted(request.headers.get(b"accept", b"*/*"))
    names = await request_context(request, app.hub.contexts)
    paging = {name: value for name, value in request.parameters.items() if name in ("limit", "offset", "count")}
    query = parse_query(paging, default_limit=app.config.default_limit, max_limit=app.config.max_limit)
    every = app.hub.subscriptions.every(access.tenant, access)
    shown = every[query.offset : query.offset + query.limit]
    states = await app.hub.subscriptions.states(shown)
    system = _system(request)
    bodies = [_body(app, one, states.get(one.number, State()), names, access, system) for one in shown]
    if media != JSON:
        bodies = [with_context(one, names) for one in bodies]
    headers = json_headers(media, names, await app.hub.contexts.address_of(names, origin_of(request)))
    if query.count:
        headers.append((b"ngsild-results-count", str(len(every)).encode()))
    page = Page((), bodies, len(every) > query.offset + query.limit)
    headers.extend(page_links(request.query_string, query, page, _PATH, media))
    return Response(200, headers, b"[" + b",".join(bodies) + b"]")


def _system(request: Request) -> bool:
    return "sysAttrs" in options_of(request.parameters, frozenset({"sysAttrs"}))


def _body(app: HubApp, one: Subscription, state: State, names: Context, access: Access, system: bool) -> bytes:
    now_ms, own = ms_of(app.hub.now()), access.source == one.owner
    return orjson.dumps(shown_subscription(one, state, names, now_ms, own=own, system=system))


def shown_subscription(
    one: Subscription, state: State, names: Context, now_ms: int, *, own: bool, system: bool
) -> dict[str, Json]:
    """A subscription as it is told (clause 5.2.12), in the names of an @context; its secrets only to its owner."""
    shown = _renamed(one, names)
    shown["notification"] = _notification(shown["notification"], state, own)
    shown["status"] = one.status(now_ms)
    if system:
        shown["createdAt"], shown["modifiedAt"] = time_text(one.created_ms), time_text(one.modified_ms)
    return shown


def _notification(raw: dict[str, Json], state: State, own: bool) -> dict[str, Json]:
    """With what became of notifications (clause 5.2.14.2)."""
    shown = dict(raw)
    if not own:
        shown["endpoint"] = _masked(shown["endpoint"])
    if state.sent:
        failing = state.failure_ms is not None and (state.success_ms or 0) < state.failure_ms
        shown["status"] = "failed" if failing else "ok"
        shown["timesSent"] = state.sent
        shown["timesFailed"] = state.failed
    for name, at_ms in (
        ("lastNotification", state.notified_ms),
        ("lastSuccess", state.success_ms),
        ("lastFailure", state.failure_ms),
    ):
        if at_ms is not None:
            shown[name] = time_text(at_ms)
    return shown


def _masked(endpoint: dict[str, Json]) -> dict[str, Json]:
    masked = endpoint | {"uri": masked_uri(endpoint["uri"])}
    if "receiverInfo" in endpoint:
        masked["receiverInfo"] = [{"key": pair["key"], "value": "***"} for pair in endpoint["receiverInfo"]]
    return masked


_TYPE_PART = re.compile(r"[^(),;|]+")
_Q_PART = re.compile(r'"(?:[^"\\]|\\.)*"|[^\s"=!<>~;|()\[\].,]+')


def _renamed(one: Subscription, names: Context) -> dict[str, Json]:
    """The document in the names of another @context than its own."""
    changed = {term: said for term, name in one.names.items() if name and (said := names.term(name)) != term}
    shown = {**one.document, "id": one.id, "type": "Subscription"}
    shown = {"id": shown.pop("id"), "type": shown.pop("type"), **shown}
    if not changed:
        return shown

    def renamed(text: str) -> str:
        return changed.get(text, text)

    def listed(holder: dict[str, Json], *members: str) -> None:
        for member in members:
            if isinstance(holder.get(member), list):
                holder[member] = [renamed(text) for text in holder[member]]

    listed(shown, "watchedAttributes")
    if "entities" in shown:
        shown["entities"] = [_selector(selector, changed) for selector in shown["entities"]]
    if "q" in shown:
        shown["q"] = _Q_PART.sub(lambda found: renamed(found[0]), shown["q"])
    if "geoproperty" in shown.get("geoQ", {}):
        shown["geoQ"] = shown["geoQ"] | {"geoproperty": renamed(shown["geoQ"]["geoproperty"])}
    shown["notification"] = dict(shown["notification"])
    listed(shown["notification"], "attributes", "pick", "omit")
    return shown


def _selector(selector: dict[str, Json], changed: dict[str, str]) -> dict[str, Json]:
    def renamed(text: str) -> str:
        return _TYPE_PART.sub(lambda found: changed.get(found[0], found[0]), text)

    said = selector["type"]
    return selector | {"type": [renamed(one) for one in said] if isinstance(said, list) else renamed(said)}


_ID = "/subscriptions/{subscriptionId}"
OPERATIONS = (
    Operation(
        "POST",
        "/subscriptions",
        "createSubscription",
        ("5.8.1", "6.10.3.1"),
        "Create a subscription",
        create,
        _LOCAL,
        "Subscription",
        {201: ""},
    ),
    Operation(
        "GET",
        "/subscriptions",
        "querySubscription",
        ("5.8.4", "6.10.3.2"),
        "List subscriptions",
        listing,
        _LIST,
        "",
        {200: "SubscriptionList"},
    ),
    Operation(
        "GET",
        _ID,
        "retrieveSubscription",
        ("5.8.3", "6.11.3.1"),
        "Retrieve a subscription",
        retrieve,
        _ONE,
        "",
        {200: "Subscription"},
    ),
    Operation(
        "PATCH",
        _ID,
        "updateSubscription",
        ("5.8.2", "6.11.3.2"),
        "Change a subscription",
        update,
        _LOCAL,
        "SubscriptionFragment",
        {204: ""},
    ),
    Operation(
        "DELETE",
        _ID,
        "deleteSubscription",
        ("5.8.5", "6.11.3.3"),
        "Delete a subscription",
        delete,
        _LOCAL,
        "",
        {204: ""},
    ),
)
"""What this module answers."""
