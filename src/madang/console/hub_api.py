"""The data hub's screen: what is in the hub, how fresh, what came in wrong, who is told, and how values went.

Every answer is of the city the person looks at and holds what the hub itself would let them read.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Annotated, Any

from msgspec.structs import replace
from ninja import Query as QueryParameter
from ninja import Router, Schema
from pydantic import Field

from madang.console import hub_notifications, hub_series
from madang.console.feeds import feed_rows
from madang.console.hub_line import LINE
from madang.console.hub_rows import entity_detail, entity_row, printable
from madang.console.hub_series import SeriesJson
from madang.console.seat import SeatedRequest, demand
from madang.console.sight import Viewer
from madang.hub.access import Access
from madang.hub.changes import Stored
from madang.hub.contexts.context import CORE_CONTEXT
from madang.hub.hub import Hub
from madang.hub.names import is_uri
from madang.hub.query import Query, TypeName, parse_query
from madang.hub.store import Page, Reject
from madang.identity.office import mode_banner
from madang.identity.rights import Right
from madang.journal import civic
from madang.journal.session import Session
from madang.kernel.clock import instant_text, parse_instant, system_clock
from madang.kernel.errors import BadRequestError, NotFoundError
from madang.kernel.mode import Mode

router = Router(tags=["hub"])
Json = dict[str, Any]  # Any: JSON values
PAGE = 25
MOST_A_PAGE = 200
REJECTS_SHOWN = 50
LONGEST_RANGE = timedelta(days=400)
ERASURE_S = 120.0
"""Files and free space are written anew for it."""
SORTS = {"created": "", "modified": "modifiedAt;desc", "id": "id"}
_OFFSETS = 1_000_000
_PUNCTUATION = re.compile(r"[!-/;-@\[-^`{-~]")
"""What a pattern would read as an operator; RE2 takes a backslash before these and no others."""
_Text = Annotated[str, QueryParameter(max_length=2_000)]


# ------------------------------------------------------------------------------------------------- overview


@router.get("/hub/overview")
def overview(request: SeatedRequest) -> Json:
    """What the hub holds and hears, and what waits."""
    viewer = request.auth
    demand(viewer, Right.HUB_READ)
    access = LINE.access(viewer)
    look = LINE.ask(lambda hub: _look(hub, access))
    return {
        "now": instant_text(system_clock()),
        "store": look["store"],
        "types": look["types"],
        "feeds": _feeds(viewer.authority),
        "rejects": _rejects(look["rejects"], look["latest"], _may(viewer, Right.SEE_DEAD_LETTERS)),
        "notifications": look["notifications"],
    }


async def _look(hub: Hub, access: Access) -> Json:
    tenant = access.tenant
    counts = await hub.store.read(lambda session: type_counts(session, hub.store.number(tenant)))
    kind, size = await hub.store.read(store_size)
    rejects = await hub.store.reject_summary(tenant, REJECTS_SHOWN)
    return {
        "types": [{"name": name, "count": count} for name, count in counts if access.may(Right.HUB_READ, name)],
        "store": {"kind": kind, "bytes": size, "feed_keep_days": hub.config.feed_keep_days},
        "rejects": rejects.by_source,
        "latest": rejects.latest,
        "notifications": await hub_notifications.figures(hub, tenant),
    }


def type_counts(session: Session, tenant: int | None) -> list[tuple[str, int]]:
    """How many entities of each type there are; an entity of two types counts for both."""
    sql = (
        "SELECT k.name, count(*) FROM kind k JOIN entity_kind e ON e.kind = k.id WHERE k.tenant = ?"
        " GROUP BY k.name ORDER BY 2 DESC, 1"
    )
    return [(str(name), int(count)) for name, count in session.execute(sql, (tenant,))] if tenant is not None else []


def store_size(session: Session) -> tuple[str, int]:
    """What the store is and how large, bytes (of every city together)."""
    if session.dialect == "sqlite":
        pages = "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()"
        return "sqlite", int(session.execute(pages)[0][0])
    return "postgresql", int(session.execute("SELECT pg_database_size(current_database())")[0][0])


def _feeds(city: str) -> list[Json]:
    now_s = time.monotonic()
    return [
        {
            **row,
            "minute": LINE.rates.last_minute(city, row["name"]),
            "hour": LINE.rates.last_hour(city, row["name"], now_s),
        }
        for row in feed_rows(city)
    ]


def _rejects(by_source: Json, latest: Iterable[Reject], shown: bool) -> Json:
    """Counts and reasons for everybody who reads the hub; what came itself only for those who tend the desks."""
    alike = Counter((one.source, one.reason) for one in latest)
    newest = {(one.source, one.reason): one for one in sorted(latest, key=lambda one: one.at)}
    return {
        "total": sum(by_source.values()),
        "by_source": [{"source": source, "count": count} for source, count in sorted(by_source.items())],
        "examples_shown": shown,
        "latest": [
            {
                "source": one.source,
                "reason": one.reason,
                "count": alike[key],
                "at": instant_text(one.at),
                "bytes": len(one.raw),
                "begins": printable(one.raw) if shown else None,
            }
            for key, one in sorted(newest.items(), key=lambda item: item[1].at, reverse=True)
        ],
    }


def _may(viewer: Viewer, right: Right) -> bool:
    return viewer.sight.may(right, viewer.actor.agency)


# ------------------------------------------------------------------------------------------------- entities


@router.get("/hub/entities")
def entities(
    request: SeatedRequest,
    type: _Text = "",  # noqa: A002 -- the parameter's name
    search: _Text = "",
    idPattern: _Text = "",  # noqa: N803 -- as the hub's own API calls it
    q: _Text = "",
    sort: Annotated[str, QueryParameter(pattern="^(created|modified|id)$")] = "modified",
    offset: Annotated[int, QueryParameter(ge=0, le=_OFFSETS)] = 0,
    limit: Annotated[int, QueryParameter(ge=1, le=MOST_A_PAGE)] = PAGE,
) -> Json:
    """A page of entities: of a type, with a text in their id, matching `idPattern` or `q`."""
    viewer = request.auth
    demand(viewer, Right.HUB_READ)
    if search and idPattern:
        raise BadRequestError(
            "Give a text to look for or a pattern, not both",
            where="idPattern",
            ko="아이디 글자와 아이디 패턴은 함께 쓸 수 없습니다. 하나를 지우십시오.",
        )
    access = LINE.access(viewer)
    pattern = idPattern or _PUNCTUATION.sub(r"\\\g<0>", search)
    asked = {"idPattern": pattern, "q": q, "limit": str(limit), "offset": str(offset), "count": "true"}
    query = _query(asked | {"orderBy": SORTS[sort]}, type)
    page = LINE.ask(lambda hub: _page(hub, access, query, search))
    return {
        "total": page.total,
        "more": page.more,
        "offset": offset,
        "limit": limit,
        "entities": [entity_row(stored) for stored in page.entities],
        "now": instant_text(system_clock()),
    }


def _query(asked: dict[str, str], name: str) -> Query:
    """As the hub's own API would read it; the type is a canonical name, which may hold what a selection may not."""
    said = {parameter: value for parameter, value in asked.items() if value}
    query = parse_query(said, CORE_CONTEXT, max_limit=MOST_A_PAGE)
    return replace(query, types=TypeName(CORE_CONTEXT.canonical(name))) if name else query


async def _page(hub: Hub, access: Access, query: Query, search: str) -> Page:
    """The page; an id typed whole is looked up at once, which a pattern over a large store is not."""
    if search and query.types is None and query.q is None and is_uri(search):
        whole = await hub.retrieve(access.tenant, search)
        if whole is not None and access.sees(whole.types):
            return Page([whole], [], False, 1)
    readable = access.readable(hub.store.types(access.tenant))
    return await hub.query(access.tenant, query, types=readable)


@router.get("/hub/entity")
def entity(request: SeatedRequest, id: _Text) -> Json:  # noqa: A002 -- the parameter's name
    """One entity with everything known of it."""
    demand(request.auth, Right.HUB_READ)
    access = LINE.access(request.auth)
    stored = LINE.ask(lambda hub: _visible(hub, access, id))
    return {**entity_detail(stored), "now": instant_text(system_clock())}


async def _visible(hub: Hub, access: Access, entity_id: str) -> Stored:
    """An entity one may see; one that is not there and one that may not be seen look the same."""
    stored = await hub.retrieve(access.tenant, entity_id)
    if stored is None or not access.sees(stored.types):
        raise NotFoundError(
            f"There is no entity {entity_id[:200]}", where="id", ko="그런 개체가 없습니다. 지워졌을 수 있습니다."
        )
    return stored


# -------------------------------------------------------------------------------------------------- history


@router.get("/hub/series")
def series(
    request: SeatedRequest,
    id: _Text,  # noqa: A002 -- the parameter's name
    attribute: _Text,
    from_at: _Text,
    to_at: _Text,
    points: Annotated[int, QueryParameter(ge=2, le=2_000)] = 400,
) -> SeriesJson:
    """How an attribute went between two instants: numbers in buckets, anything else as a list of changes."""
    viewer = request.auth
    demand(viewer, Right.HUB_READ)
    demand(viewer, Right.HUB_HISTORY)
    access = LINE.access(viewer)
    begins, ends = _range(from_at, to_at)
    name = CORE_CONTEXT.canonical(attribute)

    async def asked(hub: Hub) -> SeriesJson:
        await _visible(hub, access, id)
        return await hub_series.series(hub, access.tenant, id, name, begins, ends, points)

    return LINE.ask(asked)


def _range(from_at: str, to_at: str) -> tuple[datetime, datetime]:
    try:
        begins, ends = parse_instant(from_at), parse_instant(to_at)
    except ValueError as error:
        raise BadRequestError(f"not an instant: {error}", where="from_at", ko="기간이 올바르지 않습니다.") from None
    if not timedelta(0) < ends - begins <= LONGEST_RANGE:
        raise BadRequestError(
            "to_at must be after from_at, by 400 days at most", where="to_at", ko="기간이 올바르지 않습니다."
        )
    return begins, ends


# -------------------------------------------------------------------------------------------------- erasure


class Erasure(Schema):
    """An entity to erase for good, or one attribute of it (core name), and why."""

    id: str = Field(min_length=1, max_length=2_000)
    attribute: str = Field(default="", max_length=2_000)
    reason: str = Field(min_length=1, max_length=500)


@router.post("/hub/erase")
def erase(request: SeatedRequest, body: Erasure) -> Json:
    """Erases state, history, files and the space they leave; also of an entity that was deleted before.

    Repeating it does no harm: what was asked for, and that it was done, both stand in the audit chain.
    """
    viewer = request.auth
    demand(viewer, Right.ERASE_PERSONAL_DATA)
    reason, access = _reason(body.reason), LINE.access(viewer)
    name = CORE_CONTEXT.canonical(body.attribute) if body.attribute else ""
    thing = f"{body.id} {name}".strip()
    LINE.ask(lambda hub: _erasable(hub, access, body.id))
    _note(viewer, "hub.erasure.asked", thing, reason)
    LINE.ask(lambda hub: hub.erase(access.tenant, body.id, name), ERASURE_S)
    _note(viewer, "hub.erased", thing, reason)
    return {"ok": True}


async def _erasable(hub: Hub, access: Access, entity_id: str) -> None:
    """Raises for an entity of a room: its room erases it, and the mirror follows."""
    stored = await hub.retrieve(access.tenant, entity_id)
    if stored is not None and (refusal := access.refusal(Right.HUB_DELETE, stored.types)) is not None:
        raise refusal


# -------------------------------------------------------------------------------------------- subscriptions


class Switch(Schema):
    """A subscription to pause or to go on with, and why."""

    id: str = Field(min_length=1, max_length=2_000)
    reason: str = Field(min_length=1, max_length=500)


class Letter(Schema):
    """A parked notification."""

    id: str = Field(min_length=1, max_length=40)


class Leaving(Letter):
    """A parked notification to give up, and why."""

    reason: str = Field(min_length=1, max_length=500)


@router.get("/hub/subscriptions")
def subscriptions(request: SeatedRequest) -> Json:
    """Who is told of what, and how that goes. Endpoints are shown without their secrets."""
    demand(request.auth, Right.HUB_READ)
    tenant = LINE.access(request.auth).tenant
    found = LINE.ask(lambda hub: hub_notifications.subscriptions(hub, tenant))
    return {**found, "now": instant_text(system_clock())}


@router.post("/hub/subscriptions/pause")
def pause(request: SeatedRequest, body: Switch) -> Json:
    """Nothing is sent until it is resumed; whose rights it reads with stays as it was."""
    return _switch(request.auth, body, active=False)


@router.post("/hub/subscriptions/resume")
def resume(request: SeatedRequest, body: Switch) -> Json:
    """Changes from now on are sent again."""
    return _switch(request.auth, body, active=True)


def _switch(viewer: Viewer, body: Switch, *, active: bool) -> Json:
    demand(viewer, Right.HUB_SUBSCRIBE)
    reason, tenant = _reason(body.reason), LINE.access(viewer).tenant
    LINE.ask(lambda hub: hub.subscriptions.set_active(tenant, body.id, active))
    _note(viewer, "hub.subscription.resumed" if active else "hub.subscription.paused", body.id, reason)
    return {"ok": True}


@router.get("/hub/parked")
def parked(request: SeatedRequest, subscription: _Text = "") -> Json:
    """Notifications that could not be delivered and wait for a person."""
    viewer = request.auth
    demand(viewer, Right.HUB_PARKED)
    tenant, contents = LINE.access(viewer).tenant, _may(viewer, Right.HUB_READ)
    found = LINE.ask(lambda hub: hub_notifications.parked(hub, tenant, subscription, contents=contents))
    return {**found, "now": instant_text(system_clock())}


@router.get("/hub/parked/body")
def parked_body(request: SeatedRequest, id: _Text) -> Json:  # noqa: A002 -- the parameter's name
    """What one of them would say."""
    demand(request.auth, Right.HUB_READ)
    demand(request.auth, Right.HUB_PARKED)
    access = LINE.access(request.auth)
    return LINE.ask(lambda hub: hub_notifications.body_of(hub, access, id))


@router.post("/hub/parked/retry")
def retry(request: SeatedRequest, body: Letter) -> Json:
    """Sends it once more, at its place in the queue."""
    viewer = request.auth
    demand(viewer, Right.HUB_PARKED)
    demand(viewer, Right.RETRY_DEAD_LETTERS)
    tenant = LINE.access(viewer).tenant
    LINE.ask(lambda hub: hub.subscriptions.retry(tenant, body.id))
    _note(viewer, "hub.notification.retried", body.id, "")
    return {"ok": True}


@router.post("/hub/parked/give-up")
def give_up(request: SeatedRequest, body: Leaving) -> Json:
    """Drops it for good; the reason is kept in the audit chain."""
    viewer = request.auth
    demand(viewer, Right.HUB_PARKED)
    demand(viewer, Right.RETRY_DEAD_LETTERS)
    reason, tenant = _reason(body.reason), LINE.access(viewer).tenant
    LINE.ask(lambda hub: hub.subscriptions.give_up(tenant, body.id, reason))
    _note(viewer, "hub.notification.given_up", body.id, reason)
    return {"ok": True}


def _reason(text: str) -> str:
    if not text.strip():
        raise BadRequestError("A reason is needed", where="reason", ko="사유를 적어 주십시오.")
    return text.strip()


def _note(viewer: Viewer, action: str, thing: str, reason: str) -> None:
    """The hub's store and the civic one share no transaction: the deed is done first, then told in the audit chain."""
    with civic.transaction() as tx:
        civic.audit(
            tx,
            authority=viewer.authority,
            actor=viewer.actor.id,
            action=action,
            thing=thing,
            mode=Mode(mode_banner() or Mode.LIVE),
            now=system_clock(),
            body={"reason": reason},
            retention="administration",
        )
