"""What the platform has booked for one agency, in pages: messages both ways, and views. Read from the journal's and
video's own rows, so there is no second book that could differ."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from django.db.models import Q

from madang.journal import civic, relay
from madang.journal.session import Row, Session
from madang.kernel.canonical import digest
from madang.kernel.clock import instant_text
from madang.kernel.errors import BadRequestError
from madang.kernel.keyring import Keyring
from madang.kernel.mode import Mode
from madang.linkages.police112 import links, sealed, wire
from madang.linkages.police112.models import WaitingMessage
from madang.response.models import Incident
from madang.video.models import ViewSession

Json = dict[str, Any]  # Any: JSON values

MOST = 500
"""Rows of one page, of each of the three lists it is read from."""
_CURSOR = re.compile(r"(\d{1,18})\.(\d{1,18})\.(\d{1,16})\.([0-9A-Za-z-]{0,36})")
_STATES = {"done": "delivered", "superseded": "superseded", "cancelled": "superseded", "dead": "dead"}
_STATES |= {"given_up": "dead", "waiting": "waiting", "parked": "waiting"}


@dataclass(frozen=True, slots=True)
class Position:
    """How far the pages have come: the last arrival, delivery and view handed out."""

    arrival: int = 0
    delivery: int = 0
    view_micros: int = 0
    view_id: str = ""

    @property
    def text(self) -> str:
        """The cursor."""
        return f"{self.arrival}.{self.delivery}.{self.view_micros}.{self.view_id}"


@dataclass(frozen=True, slots=True)
class Asked:
    """Whose rows, of which mode and time (`until` excluded), and where to go on."""

    authority: str
    agency: str
    source: str
    mode: Mode
    since: datetime
    until: datetime
    after: Position
    limit: int


def read_cursor(text: str) -> Position:
    """The position in a cursor; raises `BadRequestError` for one that was never given out."""
    found = _CURSOR.fullmatch(text) if text.isascii() else None
    if found is None:
        raise BadRequestError("after is not a cursor of this platform", where="after")
    return Position(int(found[1]), int(found[2]), int(found[3]), found[4])


def reaches_back_to(now: datetime) -> datetime:
    """Since when the books are whole: older message bodies may have been forgotten."""
    return now - timedelta(days=relay.config().body_days)


def page(asked: Asked, keys: Keyring) -> Json:
    """The next rows, and the cursor for those after them; `next` is None when there are no more now."""
    with civic.reading() as session:
        arrivals = _arrivals(session, asked)
        deliveries = _deliveries(session, asked)
    views = _views(asked)
    more = max(len(arrivals), len(deliveries), len(views)) == asked.limit
    return {
        "mode": asked.mode.value,
        "messages": [_arrived(row, asked.source, keys) for row in arrivals] + _delivered(deliveries),
        "views": _shown(views),
        "next": _last(asked.after, arrivals, deliveries, views).text if more else None,
    }


def _last(before: Position, arrivals: list[Row], deliveries: list[Row], views: Sequence[ViewSession]) -> Position:
    return Position(
        int(arrivals[-1][0]) if arrivals else before.arrival,
        int(deliveries[-1][0]) if deliveries else before.delivery,
        _micros(views[-1].started_at) if views else before.view_micros,
        views[-1].pk if views else before.view_id,
    )


# ------------------------------------------------------------------------------------------------ messages
# Numbers are committed in the order they were given, instants are not quite: so pages go by number, within the
# numbers of the time asked for. `|| ''` keeps a planner from reading an agency's rows of all times instead.


def _arrivals(session: Session, asked: Asked) -> list[Row]:
    since, until = instant_text(asked.since), instant_text(asked.until)
    first, last = session.execute(
        "SELECT MIN(seq), MAX(seq) FROM journal_inbox WHERE received_at >= ? AND received_at < ?", (since, until)
    )[0]
    if first is None:
        return []
    return session.execute(
        "SELECT seq, message_id, kind, key, body, received_at FROM journal_inbox WHERE seq > ? AND seq <= ?"
        " AND (source || '') = ? AND authority = ? AND mode = ?"
        " AND (received_at || '') >= ? AND (received_at || '') < ? ORDER BY seq LIMIT ?",
        (
            max(asked.after.arrival, int(first) - 1),
            last,
            asked.source,
            asked.authority,
            asked.mode.value,
            since,
            until,
            asked.limit,
        ),
    )


def _arrived(row: Row, source: str, keys: Keyring) -> Json:
    body = bytes(row[4])
    return {
        "direction": "in",
        "msg_id": row[1],
        "kind": row[2].removeprefix(f"{wire.SOURCE}."),
        "dialogue_id": row[3].partition(":")[2],
        "digest": digest(sealed.unseal(keys, source, body)) if body else None,
        "at": row[5],
        "state": "accepted",
    }


def _deliveries(session: Session, asked: Asked) -> list[Row]:
    since, until = instant_text(asked.since), instant_text(asked.until)
    first, last = session.execute(
        "SELECT MIN(d.seq), MAX(d.seq) FROM journal_outbox o JOIN journal_delivery d ON d.outbox_seq = o.seq"
        " AND d.subscriber = ? WHERE o.announced_at >= ? AND o.announced_at < ?",
        (links.SUBSCRIBER, since, until),
    )[0]
    if first is None:
        return []
    return session.execute(
        "SELECT d.seq, o.message_id, d.wire, o.announced_at, d.state FROM journal_delivery d"
        " JOIN journal_outbox o ON o.seq = d.outbox_seq JOIN response_incident i ON i.id = o.key"
        " WHERE d.seq > ? AND d.seq <= ? AND (d.subscriber || '') = ? AND d.wire IS NOT NULL"
        " AND i.authority = ? AND i.agency = ? AND i.source = ? AND o.mode = ?"
        " AND (o.announced_at || '') >= ? AND (o.announced_at || '') < ? ORDER BY d.seq LIMIT ?",
        (
            max(asked.after.delivery, int(first) - 1),
            last,
            links.SUBSCRIBER,
            asked.authority,
            asked.agency,
            wire.SOURCE,
            asked.mode.value,
            since,
            until,
            asked.limit,
        ),
    )


def _delivered(rows: list[Row]) -> list[Json]:
    """Deliveries as rows of the ledger; one kept for an agency that fetches still waits."""
    ids = [row[1] for row in rows]
    unfetched = set(WaitingMessage.objects.filter(message_id__in=ids).values_list("message_id", flat=True))
    return [_delivery(row, unfetched) for row in rows]


def _delivery(row: Row, unfetched: set[str]) -> Json:
    body = bytes(row[2])
    said = orjson.loads(body)
    return {
        "direction": "out",
        "msg_id": row[1],
        "kind": said["kind"],
        "dialogue_id": said["dialogue_id"],
        "digest": digest(body),
        "at": row[3],
        "state": "waiting" if row[1] in unfetched else _STATES[row[4]],
    }


# --------------------------------------------------------------------------------------------------- views


def _views(asked: Asked) -> list[ViewSession]:
    """Views under grants the agency received, oldest first."""
    after = _EPOCH + timedelta(microseconds=asked.after.view_micros)
    later = Q(started_at__gt=after) | Q(started_at=after, pk__gt=asked.after.view_id)
    found = ViewSession.objects.filter(
        later,
        authority_id=asked.authority,
        mode=asked.mode.value,
        started_at__gte=max(after, asked.since),
        started_at__lt=asked.until,
        grant__recipient_kind="agency",
        grant__recipient_code=asked.agency,
    )
    return list(found.select_related("grant__case").order_by("started_at", "pk")[: asked.limit])


def _shown(views: Sequence[ViewSession]) -> list[Json]:
    incidents = {view.grant.case.incident_id for view in views if view.grant.case is not None}
    calls = dict(Incident.objects.filter(pk__in=incidents).values_list("pk", "source_key"))
    return [_view(view, calls.get(view.grant.case.incident_id, "") if view.grant.case else "") for view in views]


def _view(view: ViewSession, call: str) -> Json:
    return {
        "lease_id": view.lease_id,
        "dialogue_id": call,
        "grant_id": view.grant_id,
        "camera_id": view.camera_id,
        "started_at": instant_text(view.started_at),
        "ended_at": instant_text(view.ended_at) if view.ended_at else None,
        "seconds": round(view.seconds, 3),
    }


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _micros(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(microseconds=1)
