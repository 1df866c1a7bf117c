"""Reads: the register and its filters, the board, outages, work, inspections, availability. All scoped by a city."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from django.db.models import Count, Min, Q, QuerySet

from madang.facilities.availability import Share, Span, share_of
from madang.facilities.commands.orders import OPEN_STATES
from madang.facilities.commands.proof import is_watched
from madang.facilities.domain import DOWN, ENDED, Cause, Kind, State
from madang.facilities.models import CAUSE_KO, DownSpan, Facility, Inspection, Outage, OutageNote, SeenSpan, WorkOrder
from madang.kernel.clock import SEOUL, instant_text
from madang.kernel.errors import BadRequestError, NotFoundError

Row = dict[str, Any]  # Any: JSON values
_DOWN = [state.value for state in DOWN]
_ENDED = [state.value for state in ENDED]
STANDING = [state.value for state in State if state not in ENDED and state is not State.SUSPECTED]
"""Outages people work on: those that opened and have not ended."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is looked for in the register; empty members ask for nothing."""

    q: str = ""
    kind: str = ""
    condition: str = ""
    vendor: str | None = None
    police_link: str = ""
    inspection: str = ""
    """overdue, never, failed."""
    service: str = ""
    """in, out."""


def today_of(now: datetime) -> date:
    """The day it is in Korea."""
    return now.astimezone(SEOUL).date()


# ------------------------------------------------------------------------------------------------- the register


def register(authority: str, wanted: Wanted, now: datetime) -> QuerySet[Facility]:
    """The facilities that answer to what is wanted."""
    rows = Facility.objects.filter(authority_id=authority)
    for word in wanted.q.split()[:6]:
        rows = rows.filter(
            Q(name__icontains=word)
            | Q(address__icontains=word)
            | Q(source_key__icontains=word)
            | Q(agency_name__icontains=word)
        )
    plain = {"kind": wanted.kind, "condition": wanted.condition, "police_link": wanted.police_link}
    rows = rows.filter(**{name: value for name, value in plain.items() if value})
    if wanted.vendor is not None:
        rows = rows.filter(vendor=wanted.vendor)
    if wanted.service:
        rows = rows.filter(in_service=wanted.service == "in")
    return rows.filter(_inspection(wanted.inspection, today_of(now)))


def _inspection(which: str, today: date) -> Q:
    known = {
        "": Q(),
        "overdue": Q(next_inspection_on__lt=today, in_service=True),
        "never": Q(last_inspected_on=None, in_service=True),
        "failed": Q(last_inspection_result="fail"),
    }
    if which not in known:
        raise BadRequestError(
            "inspection is overdue, never or failed", where="inspection", ko="점검 조건을 알 수 없습니다."
        )
    return known[which]


def facility_row(facility: Facility, today: date) -> Row:
    """A facility as lists show it."""
    due = facility.next_inspection_on
    return {
        "id": facility.pk,
        "kind": facility.kind,
        "name": str(facility),
        "address": facility.address,
        "lon": facility.lon,
        "lat": facility.lat,
        "vendor": facility.vendor,
        "condition": facility.condition if facility.in_service else "off",
        "condition_at": instant_or_none(facility.condition_at),
        "heard_at": instant_or_none(facility.heard_at),
        "watched": bool(facility.feed_key or facility.expected_every_s) or facility.kind == Kind.CCTV.value,
        "police_link": facility.police_link if facility.kind == Kind.BELL.value else None,
        "last_inspected_on": day_or_none(facility.last_inspected_on),
        "last_inspection_result": facility.last_inspection_result,
        "next_inspection_on": day_or_none(due),
        "overdue_days": (today - due).days if due is not None and due < today else None,
        "mode": facility.mode,
    }


def detail(authority: str, facility_id: str, now: datetime) -> Row:
    """One facility with its outages, work, inspections and this month's availability."""
    facility = Facility.objects.filter(authority_id=authority, pk=facility_id).first()
    if facility is None:
        raise NotFoundError(ko="시설물을 찾을 수 없습니다.")
    today = today_of(now)
    outages = facility.outages.exclude(state=State.CLEARED.value).select_related("facility").order_by("-began_at")[:20]
    orders = facility.orders.select_related("facility").order_by("-issued_at")[:20]
    looks = facility.inspections.select_related("facility").order_by("-done_on", "-due_on")[:20]
    return {
        **facility_row(facility, today),
        "source_key": facility.source_key,
        "model": facility.model,
        "agency_name": facility.agency_name,
        "agency_phone": facility.agency_phone,
        "installed_on": day_or_none(facility.installed_on),
        "feed_key": facility.feed_key,
        "expected_every_s": facility.expected_every_s,
        "in_service": facility.in_service,
        "service_note": facility.service_note,
        "hushed": facility.hushed,
        "parts": [{"id": key, **part} for key, part in sorted(facility.parts.items())],
        "attributes": facility.attributes,
        "outages": outage_rows(outages),
        "orders": order_rows(orders, today),
        "inspections": [inspection_row(one, today) for one in looks],
        "month": share_row(_share_of_one(facility, month_window(now), now)),
        "notes": _notes(facility),
    }


def _notes(facility: Facility) -> list[Row]:
    notes = OutageNote.objects.filter(outage__facility=facility).exclude(outage__state=State.CLEARED.value)
    return [
        {
            "at": instant_text(note.at),
            "actor": note.actor,
            "step": note.step,
            "text": note.text,
            "outage": note.outage_id,
        }
        for note in notes.order_by("-at", "-pk")[:50]
    ]


def instant_or_none(value: datetime | None) -> str | None:
    """RFC 3339, or null."""
    return None if value is None else instant_text(value)


def day_or_none(value: date | None) -> str | None:
    """ISO day, or null."""
    return None if value is None else value.isoformat()


def vendors(authority: str) -> list[str]:
    """Every vendor named, most things first; the nameless come as ""."""
    rows = Facility.objects.filter(authority_id=authority).values("vendor").annotate(n=Count("pk")).order_by("-n")
    return [row["vendor"] for row in rows[:200]]


# ------------------------------------------------------------------------------------------------------ the map

MAP_COLUMNS = ("id", "lon", "lat", "kind", "condition", "name")


def map_rows(authority: str, wanted: Wanted, bbox: tuple[float, float, float, float], limit: int, now: datetime) -> Row:
    """What stands in a rectangle: rows, or (where there are more than `limit`) clusters with their worst condition."""
    west, south, east, north = bbox
    inside = register(authority, wanted, now).filter(lon__gte=west, lon__lte=east, lat__gte=south, lat__lte=north)
    inside = inside.filter(in_service=True)
    found = list(inside.values_list("pk", "lon", "lat", "kind", "condition", "name", "address")[: MAP_MOST + 1])
    total = len(found) if len(found) <= MAP_MOST else inside.count()
    if len(found) <= limit:
        rows = [[*row[:5], row[5] or row[6]] for row in found]
        return {"columns": MAP_COLUMNS, "rows": rows, "clusters": [], "total": total}
    return {"columns": MAP_COLUMNS, "rows": [], "clusters": list(_clusters(found, bbox)), "total": total}


MAP_MOST = 60_000
_GRID = 14
_WORST = ("out", "suspect", "unknown", "working")


def _clusters(
    rows: Iterable[tuple[Any, ...]], bbox: tuple[float, float, float, float]
) -> Iterator[Row]:  # Any: columns
    west, south, east, north = bbox
    wide, high = max(east - west, 1e-9) / _GRID, max(north - south, 1e-9) / _GRID
    cells: dict[tuple[int, int], list[tuple[Any, ...]]] = {}
    for row in rows:
        cells.setdefault((int((row[1] - west) / wide), int((row[2] - south) / high)), []).append(row)
    for inside in cells.values():
        yield {
            "lon": sum(row[1] for row in inside) / len(inside),
            "lat": sum(row[2] for row in inside) / len(inside),
            "count": len(inside),
            "out": sum(row[4] == "out" for row in inside),
            "worst": min((row[4] for row in inside), key=_WORST.index),
        }


# ---------------------------------------------------------------------------------------------------- the board


def board(authority: str, now: datetime) -> list[Row]:
    """One row a kind: how many stand, in what condition, how available this month, what waits."""
    today = today_of(now)
    rows = Facility.objects.filter(authority_id=authority, in_service=True).values("kind")
    counted = rows.annotate(
        total=Count("pk"),
        **{name: Count("pk", filter=Q(condition=name)) for name in _WORST},
        overdue=Count("pk", filter=Q(next_inspection_on__lt=today)),
        never=Count("pk", filter=Q(last_inspected_on=None)),
        unlinked=Count("pk", filter=Q(police_link="no")),
        link_unknown=Count("pk", filter=Q(police_link="unknown")),
    )
    shares = {row["kind"]: row for row in availability(authority, month_text(now), now, by=("kind",))}
    oldest = _oldest(authority)
    found = {row["kind"]: row for row in counted}
    return [
        {
            **found[kind.value],
            **{name: shares.get(kind.value, {}).get(name) for name in ("availability", "coverage")},
            "oldest_outage_at": instant_or_none(oldest.get(kind.value)),
        }
        for kind in Kind
        if kind.value in found
    ]


def _oldest(authority: str) -> dict[str, datetime]:
    rows = Outage.objects.filter(authority_id=authority, state__in=_DOWN).values("facility__kind")
    return {row["facility__kind"]: row["first"] for row in rows.annotate(first=Min("began_at"))}


# ------------------------------------------------------------------------------------- outages, orders, inspections


def outages(authority: str, *, ended: bool = False, kind: str = "") -> QuerySet[Outage]:
    """Outages people know of: those that stand, oldest first, or those that ended, newest first."""
    rows = Outage.objects.filter(authority_id=authority).select_related("facility")
    if kind:
        rows = rows.filter(facility__kind=kind)
    if ended:
        return rows.filter(state=State.CLOSED.value).order_by("-closed_at")
    return rows.filter(state__in=STANDING).order_by("began_at")


def outage_rows(rows: Iterable[Outage]) -> list[Row]:
    """Outages as lists show them, each with the work order that stands for it."""
    found = list(rows)
    open_orders = WorkOrder.objects.filter(outage_id__in=[row.pk for row in found], state__in=OPEN_STATES)
    orders = {order.outage_id: order for order in open_orders.order_by("issued_at")}
    return [_outage_row(row, orders.get(row.pk)) for row in found]


def _outage_row(row: Outage, order: WorkOrder | None) -> Row:
    return {
        "id": row.pk,
        "facility": _brief(row.facility),
        "state": row.state,
        "cause": row.cause,
        "cause_ko": CAUSE_KO[Cause(row.cause)],
        "text": row.text,
        "began_at": instant_text(row.began_at),
        "opened_at": instant_or_none(row.opened_at),
        "acknowledged_by": row.acknowledged_by,
        "restored_at": instant_or_none(row.restored_at),
        "due_at": instant_or_none(row.due_at),
        "closed_at": instant_or_none(row.closed_at),
        "close_reason": row.close_reason,
        "relapses": row.relapses,
        "void": row.void,
        "reported_by": row.reported_by,
        "order": None if order is None else {"id": order.pk, "number": order.number, "state": order.state},
        "version": row.version,
    }


def _brief(facility: Facility) -> Row:
    return {
        "id": facility.pk,
        "kind": facility.kind,
        "name": str(facility),
        "address": facility.address,
        "vendor": facility.vendor,
        "lon": facility.lon,
        "lat": facility.lat,
    }


def orders(authority: str, *, ended: bool = False) -> QuerySet[WorkOrder]:
    """Work orders that stand, by when they are due; or those that ended, newest first."""
    rows = WorkOrder.objects.filter(authority_id=authority).select_related("facility", "outage")
    if ended:
        return rows.exclude(state__in=OPEN_STATES).order_by("-issued_at")
    return rows.filter(state__in=OPEN_STATES).order_by("due_on", "issued_at")


def order_rows(rows: Iterable[WorkOrder], today: date) -> list[Row]:
    """Work orders as lists show them."""
    return [
        {
            "id": row.pk,
            "number": row.number,
            "facility": _brief(row.facility),
            "outage_id": row.outage_id,
            "state": row.state,
            "assignee_kind": row.assignee_kind,
            "assignee": row.assignee,
            "what": row.what,
            "due_on": row.due_on.isoformat(),
            "late_days": (today - row.due_on).days if row.state in OPEN_STATES and row.due_on < today else None,
            "parts": row.parts,
            "photos": row.photos,
            "issued_by": row.issued_by,
            "issued_at": instant_text(row.issued_at),
            "done_by": row.done_by,
            "done_at": instant_or_none(row.done_at),
            "verified_by": row.verified_by,
            "verified_at": instant_or_none(row.verified_at),
            "note": row.note,
            "version": row.version,
        }
        for row in rows
    ]


def inspection_row(row: Inspection, today: date) -> Row:
    """An inspection as lists show it."""
    late = row.state == "planned" and row.due_on is not None and row.due_on < today
    return {
        "id": row.pk,
        "facility": _brief(row.facility),
        "state": row.state,
        "due_on": day_or_none(row.due_on),
        "late_days": (today - row.due_on).days if late and row.due_on is not None else None,
        "assigned_to": row.assigned_to,
        "done_on": day_or_none(row.done_on),
        "result": row.result,
        "note": row.note,
        "photos": row.photos,
        "source": row.source,
        "recorded_by": row.recorded_by,
        "version": row.version,
    }


def planned(authority: str) -> QuerySet[Inspection]:
    """Inspections that somebody planned, by day."""
    rows = Inspection.objects.filter(authority_id=authority, state="planned").select_related("facility")
    return rows.order_by("due_on")


# -------------------------------------------------------------------------------------------------- availability


def month_text(now: datetime) -> str:
    """The month it is in Korea, `2026-11`."""
    return today_of(now).strftime("%Y-%m")


def month_window(now: datetime, month: str = "") -> Span:
    """A month's first instant in Korea and the next month's; raises `BadRequestError` for what is no month."""
    text = month or month_text(now)
    try:
        first = datetime.strptime(text, "%Y-%m").replace(tzinfo=SEOUL)
        if not 2000 <= first.year < 3000:
            raise ValueError(text)
    except ValueError:
        raise BadRequestError(
            f"{text[:20]!r} is no month; write e.g. 2026-11", where="month", ko="달은 2026-11처럼 씁니다."
        ) from None
    return first, (first + timedelta(days=32)).replace(day=1)


def availability(authority: str, month: str, now: datetime, *, by: tuple[str, ...] = ("kind", "vendor")) -> list[Row]:
    """Availability and coverage of a month, rolled up by kind, vendor or both; the part of it that has passed."""
    shares: dict[tuple[str, ...], Share] = {}
    for facility, share in _shares(authority, month_window(now, month), now):
        key = tuple(str(facility[name]) for name in by)
        shares[key] = shares.get(key, Share()) + share
    return [dict(zip(by, key, strict=True)) | share_row(share) for key, share in sorted(shares.items())]


def _shares(authority: str, window: Span, now: datetime) -> Iterator[tuple[Mapping[str, Any], Share]]:  # Any: columns
    end = min(window[1], now)
    things = Facility.objects.filter(authority_id=authority, in_service=True, registered_at__lt=end)
    spans = _Spans.of(Q(facility__authority_id=authority), window, now)
    for facility in things.values("pk", "kind", "vendor", "registered_at").iterator(2_000):
        own = (max(window[0], facility["registered_at"]), end)
        yield facility, spans.share(facility["pk"], own)


@dataclass(slots=True)
class _Spans:
    """What was seen, seen down and reported down in a window, by facility."""

    seen: dict[str, list[Span]] = field(default_factory=dict)
    down: dict[str, list[Span]] = field(default_factory=dict)
    reported: dict[str, list[Span]] = field(default_factory=dict)

    @classmethod
    def of(cls, whose: Q, window: Span, now: datetime) -> _Spans:
        found = cls()
        rows = SeenSpan.objects.filter(whose, to_at__gt=window[0], from_at__lt=window[1])
        for key, from_at, to_at in rows.values_list("facility_id", "from_at", "to_at").iterator(2_000):
            found.seen.setdefault(key, []).append((from_at, min(to_at, now)))
        broken = DownSpan.objects.filter(whose, Q(to_at=None) | Q(to_at__gt=window[0]), from_at__lt=window[1])
        for span in broken.select_related("outage").iterator(2_000):
            kept = found.down if is_watched(span.outage) else found.reported
            kept.setdefault(span.facility_id, []).append((span.from_at, span.to_at or now))
        return found

    def share(self, key: str, window: Span) -> Share:
        return share_of(window, self.seen.get(key, ()), self.down.get(key, ()), self.reported.get(key, ()))


def _share_of_one(facility: Facility, window: Span, now: datetime) -> Share:
    own = (max(window[0], facility.registered_at), min(window[1], now))
    return _Spans.of(Q(facility=facility), window, now).share(facility.pk, own)


def share_row(share: Share) -> Row:
    """A share as it is shown: null where nothing is known, coverage always beside it."""
    return {
        "facilities": share.facilities,
        "known_facilities": share.known_facilities,
        "availability": None if share.availability is None else round(share.availability, 6),
        "coverage": None if share.coverage is None else round(share.coverage, 6),
        "down_hours": round(share.told_down_s / 3_600, 3),
        "known_hours": round(share.known_s / 3_600, 3),
        "total_hours": round(share.total_s / 3_600, 3),
    }
