"""Subscriptions and what they could not deliver, as the data hub's screen shows them. No secret leaves here: endpoints
come masked from the hub, and what is sent to them as headers is left out."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson

from madang.hub.access import Access
from madang.hub.hub import Hub
from madang.hub.subscriptions.contents import content
from madang.hub.subscriptions.desk import Health, Parked
from madang.hub.subscriptions.subscription import Subscription
from madang.journal.session import Session
from madang.kernel.clock import instant_text

Json = dict[str, Any]  # Any: JSON values
SHOWN = 200
_STATES = {"failing": "failing", "parked": "parked", "paused": "paused", "expired": "expired", "ok": "active"}
_URGENT_FIRST = ("failing", "parked", "paused", "active", "expired")
_SHOWN_TEXT = 300
# One count over what waits, asked every few seconds by every open screen: the room's own list reads each subscription.
_WAITING = (
    "SELECT count(*), count(n.parked_ms) FROM notification n JOIN subscription s ON s.number = n.subscription"
    " WHERE s.tenant = ?"
)


async def figures(hub: Hub, tenant: str) -> Json:
    """How many subscriptions a city has, and how many notifications wait for their turn or for a person."""
    waiting, parked = await hub.store.read(lambda session: _count(session, tenant))
    return {"subscriptions": len(hub.subscriptions.every(tenant)), "waiting": waiting, "parked": parked}


def _count(session: Session, tenant: str) -> tuple[int, int]:
    every, parked = session.execute(_WAITING, (tenant,))[0]
    return int(every) - int(parked), int(parked)


async def subscriptions(hub: Hub, tenant: str) -> Json:
    """A city's subscriptions, those in trouble first; at most `SHOWN` of them."""
    said = {one.id: one for one in hub.subscriptions.every(tenant)}
    rows = [_row(one, said[one.id]) for one in await hub.subscriptions.health(tenant) if one.id in said]
    rows.sort(key=lambda row: (_URGENT_FIRST.index(row["state"]), row["name"]))
    return {"subscriptions": rows[:SHOWN], "total": len(rows)}


def _row(health: Health, said: Subscription) -> Json:
    document = said.document
    notification = document.get("notification", {})
    return {
        "id": health.id,
        "name": health.name or health.description[:_SHOWN_TEXT],
        "owner": health.owner,
        "state": _STATES.get(health.state, health.state),
        "types": list(health.types),
        "ids": sorted(one for selector in said.selectors for one in selector.ids)[:20],
        "attributes": list(document.get("watchedAttributes", [])),
        "conditions": list(_conditions(document)),
        "endpoint": health.endpoint,
        "sends": f"{notification.get('format', 'normalized')} · {said.endpoint.accept}",
        "every_s": health.interval_s,
        "throttling_s": document.get("throttling"),
        "expires_at": document.get("expiresAt"),
        "last_success_at": _text(health.last_success_at),
        "last_failure_at": _text(health.last_failure_at),
        "oldest_at": _text(health.oldest_pending_at),
        "retry_at": _text(health.retry_at),
        "last_error": health.reason[:_SHOWN_TEXT] or None,
        "sent": health.times_sent,
        "failed": health.times_failed,
        "dropped": health.dropped,
        "waiting": health.pending,
        "parked": health.parked,
    }


def _conditions(document: Mapping[str, Any]) -> list[dict[str, str]]:  # Any: JSON values
    """What narrows it, in the words it was asked in."""
    found = {name: document[name] for name in ("q", "scopeQ") if name in document}
    if isinstance(geo := document.get("geoQ"), Mapping):
        found["geoQ"] = f"{geo.get('georel')} {geo.get('geometry')} {geo.get('coordinates')}"
    if triggers := document.get("notificationTrigger"):
        found["trigger"] = ", ".join(map(str, triggers))
    for number, selector in enumerate(document.get("entities") or []):
        if isinstance(selector, Mapping) and "idPattern" in selector:
            found[f"idPattern{number or ''}"] = selector["idPattern"]
    return [{"name": name, "value": str(value)[:_SHOWN_TEXT]} for name, value in found.items()]


def _text(at: datetime | None) -> str | None:
    return None if at is None else instant_text(at)


async def parked(hub: Hub, tenant: str, subscription_id: str, *, contents: bool) -> Json:
    """Notifications that wait for a person, the latest first; what they are about only for who may see `contents`."""
    found = await hub.subscriptions.parked(tenant, SHOWN)
    chosen = [one for one in found if not subscription_id or one.subscription_id == subscription_id]
    return {"parked": [_parked(one, contents) for one in chosen], "more": len(found) >= SHOWN}


def _parked(one: Parked, contents: bool) -> Json:
    return {
        "id": one.key,
        "subscription_id": one.subscription_id,
        "endpoint": one.endpoint,
        "at": instant_text(one.at),
        "parked_at": instant_text(one.parked_at),
        "attempts": one.attempts,
        "reason": one.reason[:_SHOWN_TEXT],
        "entities": list(one.entity_ids)[:20] if contents else [],
    }


async def body_of(hub: Hub, access: Access, key: str) -> Json:
    """What a parked notification would say to its endpoint, as far as the person may read it."""
    body = await content(hub.store, hub.subscriptions.every(access.tenant), key, access)
    return {"id": key, "bytes": len(body), "body": orjson.loads(body)}
