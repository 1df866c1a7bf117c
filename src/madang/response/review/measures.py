"""How long it took from one thing to the next: from a signal to the close, from a call to the first view."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db.models import Min

from madang.kernel.clock import instant_text, parse_instant
from madang.response.models import Incident, SourceCall, TimelineEntry
from madang.response.signals.models import Event, Signal
from madang.video.models import VideoGrant, ViewSession

JsonRow = dict[str, Any]  # Any: JSON values
_STEPS: tuple[tuple[str, str, str, str, str], ...] = (
    ("observed_received", "observed", "received", "관측 → 수신", "Seen → received"),
    ("received_presented", "received", "presented", "수신 → 표시", "Received → on the screen"),
    ("call_presented", "call", "presented", "신고 → 표시", "Call → on the screen"),
    ("call_offered", "call", "offered", "신고 → 영상 제공", "Call → cameras offered"),
    ("offered_viewed", "offered", "viewed", "영상 제공 → 첫 열람", "Offered → first view"),
    ("presented_claimed", "presented", "claimed", "표시 → 담당 지정", "On the screen → taken on"),
    ("claimed_verified", "claimed", "verified", "담당 지정 → 확인", "Taken on → verified"),
    ("verified_activated", "verified", "activated", "확인 → 대응", "Verified → acted upon"),
    ("presented_closed", "presented", "closed", "표시 → 종결", "On the screen → closed"),
)


def timings_of(incident: Incident, entries: Sequence[TimelineEntry], family: Sequence[str]) -> list[JsonRow]:
    """Each step with its instants and seconds; None where one of them never was. Clocks of devices may run ahead."""
    at = _instants(incident, entries, family)
    return [_between(key, at[first], at[then], ko, en) for key, first, then, ko, en in _STEPS]


def _between(key: str, first: datetime | None, then: datetime | None, ko: str, en: str) -> JsonRow:
    took = (then - first).total_seconds() if first is not None and then is not None else None
    return {
        "key": key,
        "ko": ko,
        "en": en,
        "from_at": instant_text(first) if first else None,
        "to_at": instant_text(then) if then else None,
        "seconds": round(took, 3) if took is not None else None,
    }


def _instants(
    incident: Incident, entries: Sequence[TimelineEntry], family: Sequence[str]
) -> dict[str, datetime | None]:
    events = Event.objects.filter(incident_id__in=family)
    observed = events.aggregate(at=Min("first_at"))["at"]
    received = Signal.objects.filter(event_id__in=events.values("pk")).aggregate(at=Min("received_at"))["at"]
    call = SourceCall.objects.filter(incident=incident, source="police112").first()
    grants = VideoGrant.objects.filter(case__incident_id=incident.id)
    return {
        "observed": parse_instant(observed) if observed else None,
        "received": parse_instant(received) if received else None,
        "presented": incident.opened_at,
        "call": call.first_heard_at if call else None,
        "offered": grants.filter(state__in=_GIVEN).aggregate(at=Min("decided_at"))["at"],
        "viewed": ViewSession.objects.filter(grant__in=grants).aggregate(at=Min("started_at"))["at"],
        "claimed": _first(entries, "claim"),
        "verified": _first(entries, "verify"),
        "activated": _first(entries, "activate"),
        "closed": _last(entries, "close") or incident.closed_at,
    }


_GIVEN = ("APPROVED", "ACTIVE", "EXPIRED", "REVOKED", "INCIDENT_CLOSED")


def _first(entries: Sequence[TimelineEntry], kind: str) -> datetime | None:
    return next((entry.at for entry in entries if entry.kind == kind), None)


def _last(entries: Sequence[TimelineEntry], kind: str) -> datetime | None:
    return next((entry.at for entry in reversed(entries) if entry.kind == kind), None)
