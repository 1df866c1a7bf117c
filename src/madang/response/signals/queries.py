"""Reads: storms with what they hold, shelves, the signals behind an incident, how much operators are given."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson
from django.db.models import Count, Max, Min, Q, QuerySet, Sum

from madang.identity.access import require
from madang.identity.rights import Actor, Right, Thing
from madang.kernel.clock import instant_text
from madang.kernel.errors import NotFoundError
from madang.response.classes import STORM, class_named
from madang.response.domain import URGENT_PRIORITY
from madang.response.models import Incident
from madang.response.queries import JsonRow, visible_incident
from madang.response.signals.domain import BY_HAND
from madang.response.signals.memory import on_duty
from madang.response.signals.models import Event, Shelf, Signal, Storm
from madang.response.tasks import response_config
from madang.video.models import DutyShift

MOST_ROWS = 200


@dataclass(frozen=True, slots=True)
class Filter:
    """Which events of a storm or incident: all that are given must hold. Instants are RFC 3339 in UTC."""

    text: str = ""
    """Part of the text, address, device or class name."""
    class_code: str = ""
    priority: int | None = None
    source: str = ""
    district: str = ""
    since: str = ""
    until: str = ""


@dataclass(frozen=True, slots=True)
class Page:
    """Rows, how many there are in all, and where the next page begins (None: this is the last)."""

    rows: list[JsonRow]
    total: int
    next_offset: int | None


# ----------------------------------------------------------------------------------------------------- storms


def storms(actor: Actor, authority: str) -> list[JsonRow]:
    """The open storms of a city with what they hold, the newest first."""
    _may_look(actor, authority)
    rows = list(Storm.objects.filter(authority_id=authority, open=True).order_by("-opened_at"))
    incidents = Incident.objects.in_bulk([row.incident_id for row in rows])
    counts = _held([row.incident_id for row in rows])
    split_out = Counter(
        Event.objects.filter(storm_id__in=incidents)
        .exclude(incident_id__in=incidents)
        .values_list("storm_id", flat=True)
    )
    return [
        {
            "incident_id": row.incident_id,
            "number": incidents[row.incident_id].number,
            "state": incidents[row.incident_id].state,
            "mode": row.mode,
            "district": row.district,
            "opened_at": row.opened_at,
            "last_at": row.last_at,
            "signals": incidents[row.incident_id].signal_count,
            "split_out": split_out[row.incident_id],
            **counts[row.incident_id],
        }
        for row in rows
    ]


def _held(storm_ids: list[str]) -> defaultdict[str, JsonRow]:
    """How many events each storm holds, by priority and by class."""
    found: defaultdict[str, JsonRow] = defaultdict(lambda: {"events": 0, "by_priority": {}, "by_class": []})
    classes: defaultdict[str, Counter[str]] = defaultdict(Counter)
    rows = Event.objects.filter(incident_id__in=storm_ids).values_list("incident_id", "priority", "class_code")
    for storm, priority, class_code, n in rows.annotate(n=Count("id")).order_by():
        held = found[storm]
        held["events"] += n
        held["by_priority"][str(priority)] = held["by_priority"].get(str(priority), 0) + n
        classes[storm][class_code] += n
    for storm, counted in classes.items():
        found[storm]["by_class"] = [{**_class(code), "events": n} for code, n in counted.most_common()]
    return found


def events_of(actor: Actor, incident_id: str, wanted: Filter, *, offset: int = 0, limit: int = 50) -> Page:
    """The events of an incident or storm, the most pressing first; those of what was merged into it too."""
    visible_incident(actor, incident_id)
    rows = _filtered(Event.objects.filter(incident_id__in=_with_merged(incident_id)), wanted)
    return _page(rows.order_by("priority", "-last_at", "id"), offset, limit, event_row)


def _with_merged(incident_id: str) -> list[str]:
    found, fresh = [incident_id], [incident_id]
    while fresh:
        fresh = list(
            Incident.objects.filter(merged_into_id__in=fresh).exclude(pk__in=found).values_list("pk", flat=True)
        )
        found += fresh
    return found


def find_events(actor: Actor, authority: str, mode: str, wanted: Filter, *, offset: int = 0, limit: int = 50) -> Page:
    """Events of the whole city, wherever they ended: what is in a storm is found as easily as what is not."""
    _may_look(actor, authority)
    rows = Event.objects.filter(authority_id=authority)
    rows = _filtered(rows.filter(mode=mode) if mode else rows, wanted)
    return _page(rows.order_by("-last_at", "id"), offset, limit, event_row)


def _filtered(rows: QuerySet[Event], wanted: Filter) -> QuerySet[Event]:
    exact = {
        "class_code": wanted.class_code,
        "source": wanted.source,
        "district": wanted.district,
        "last_at__gte": wanted.since,
        "first_at__lte": wanted.until,
    }
    rows = rows.filter(**{name: value for name, value in exact.items() if value})
    if wanted.priority is not None:
        rows = rows.filter(priority=wanted.priority)
    for word in wanted.text.split()[:8]:
        known = class_named(word)
        anywhere = Q(text__icontains=word) | Q(address__icontains=word) | Q(device__icontains=word)
        anywhere |= Q(district__icontains=word) | Q(class_code=known.code) | Q(id=word) | Q(class_code__icontains=word)
        rows = rows.filter(anywhere)
    return rows


def _page(rows: QuerySet[Any], offset: int, limit: int, row_of: Any) -> Page:  # Any: rows of either table
    limit = max(1, min(limit, MOST_ROWS))
    total = rows.count()
    some = [row_of(row) for row in rows[max(0, offset) : max(0, offset) + limit]]
    following = max(0, offset) + len(some)
    return Page(some, total, following if some and following < total else None)


def event(actor: Actor, event_id: str) -> JsonRow:
    """One event."""
    row = Event.objects.filter(pk=event_id).first()
    if row is None:
        raise NotFoundError(ko="사안을 찾을 수 없습니다.")
    visible_incident(actor, row.incident_id)
    return event_row(row)


def event_row(row: Event) -> JsonRow:
    """An event as screens show it."""
    return {
        "id": row.id,
        **_class(row.class_code),
        "mode": row.mode,
        "priority": row.priority,
        "source": row.source,
        "device": row.device,
        "district": row.district,
        "place": {"lon": row.lon, "lat": row.lat, "accuracy_m": row.accuracy_m, "address": row.address},
        "text": row.text,
        "first_at": row.first_at,
        "last_at": row.last_at,
        "ended_at": row.ended_at or None,
        "signals": row.signals,
        "incident_id": row.incident_id,
        "storm_id": row.storm_id or None,
        "in_storm": bool(row.storm_id) and row.storm_id == row.incident_id,
    }


def _class(code: str) -> JsonRow:
    named = class_named(code)
    return {"class_code": code, "class_ko": named.ko, "class_en": named.en}


# ---------------------------------------------------------------------------------------------------- signals


def signals_of(actor: Actor, incident_id: str, *, event_id: str = "", offset: int = 0, limit: int = 50) -> Page:
    """The signals behind an incident, or behind one of its events, the newest first."""
    visible_incident(actor, incident_id)
    events = Event.objects.filter(incident_id__in=_with_merged(incident_id))
    if event_id:
        events = events.filter(pk=event_id)
    rows = Signal.objects.filter(event_id__in=events.values("pk")).order_by("-seq")
    return _page(rows, offset, limit, signal_row)


def signal(actor: Actor, signal_id: str) -> JsonRow:
    """One signal and where it ended; `outcome` is empty while it waits."""
    row = Signal.objects.filter(id=signal_id).first()
    if row is None:
        raise NotFoundError(ko="신호를 찾을 수 없습니다.")
    _may_look(actor, str(row.authority_id))
    return signal_row(row) | {"incident_id": incident_of(row.event_id)}


def incident_of(event_id: str) -> str | None:
    """The incident an event ends in."""
    found = Event.objects.filter(pk=event_id).values_list("incident_id", flat=True).first() if event_id else None
    return str(found) if found else None


def signal_row(row: Signal) -> JsonRow:
    """A signal as screens show it."""
    return {
        "id": row.id,
        **_class(row.class_code),
        "mode": row.mode,
        "source": row.source,
        "device": row.device,
        "observed_at": row.observed_at,
        "received_at": row.received_at,
        "place": {"lon": row.lon, "lat": row.lat, "accuracy_m": row.accuracy_m, "address": row.address},
        "priority": row.priority,
        "confidence": row.confidence,
        "text": row.text,
        "media_ref": row.media_ref,
        "attributes": orjson.loads(row.attributes),
        "rule": row.rule,
        "ending": row.ending,
        "outcome": row.outcome,
        "reason": row.reason,
        "event_id": row.event_id or None,
        "shelf_id": row.shelf_id or None,
    }


def rejected(actor: Actor, authority: str, *, reason: str = "", offset: int = 0, limit: int = 50) -> Page:
    """The signals that were rejected, the newest first."""
    _may_look(actor, authority)
    rows = Signal.objects.filter(authority_id=authority, outcome="reject")
    return _page((rows.filter(reason=reason) if reason else rows).order_by("-seq"), offset, limit, signal_row)


# ---------------------------------------------------------------------------------------------------- shelves


def shelves(actor: Actor, authority: str, *, ended: bool = False, limit: int = MOST_ROWS) -> list[JsonRow]:
    """The devices on shelves now, those that come back soonest first; or those taken off lately."""
    _may_look(actor, authority)
    rows = Shelf.objects.filter(authority_id=authority)
    chosen = rows.exclude(ended_at="").order_by("-ended_at") if ended else rows.filter(ended_at="").order_by("until")
    return [shelf_row(row) for row in chosen[:limit]]


def shelf_row(row: Shelf) -> JsonRow:
    """A shelf as screens show it."""
    return {
        "id": row.id,
        "mode": row.mode,
        "source": row.source,
        "device": row.device,
        "reason": row.reason,
        "automatic": row.automatic,
        "shelved_by": {"id": row.shelved_by, "name": row.shelved_by_name},
        "shelved_at": row.shelved_at,
        "until": row.until,
        "ended_at": row.ended_at or None,
        "ended_by": {"id": row.ended_by, "name": row.ended_by_name} if row.ended_by else None,
        "ended_reason": row.ended_reason,
        "signals": row.signals,
    }


def signals_on_shelf(actor: Actor, shelf_id: str, *, offset: int = 0, limit: int = 50) -> Page:
    """What a shelved device reported meanwhile, the newest first."""
    row = Shelf.objects.filter(pk=shelf_id).first()
    if row is None:
        raise NotFoundError(ko="보류를 찾을 수 없습니다.")
    _may_look(actor, str(row.authority_id))
    return _page(Signal.objects.filter(shelf_id=shelf_id).order_by("-seq"), offset, limit, signal_row)


def talkers(actor: Actor, authority: str, now: datetime, *, within_s: float = 3_600, limit: int = 20) -> list[JsonRow]:
    """The devices that said most lately, the most talkative first, and whether each is on a shelf."""
    _may_look(actor, authority)
    since = instant_text(now - timedelta(seconds=within_s))
    events = Event.objects.filter(authority_id=authority, last_at__gt=since).exclude(device__startswith=BY_HAND)
    counted = events.values("mode", "source", "device").annotate(
        said=Sum("signals"), of=Count("id"), last=Max("last_at")
    )
    aside = set(Shelf.objects.filter(authority_id=authority, ended_at="").values_list("mode", "source", "device"))
    return [
        {
            "mode": row["mode"],
            "source": row["source"],
            "device": row["device"],
            "signals": row["said"],
            "events": row["of"],
            "last_at": row["last"],
            "shelved": (row["mode"], row["source"], row["device"]) in aside,
        }
        for row in counted.order_by("-said", "device")[:limit]
    ]


# ------------------------------------------------------------------------------------------------- alarm load


def alarm_load(actor: Actor, authority: str, now: datetime) -> JsonRow:
    """What operators were given, against EEMUA-191: by window and operator, urgent apart, and what was held back."""
    _may_look(actor, authority)
    config = response_config().signals
    window = timedelta(seconds=config.operator_window_s)
    operators = on_duty(authority, now)
    given = _given(authority, now - window, now)
    hour = _given(authority, now - timedelta(hours=1), now)
    return {
        "operators": operators,
        "window_s": config.operator_window_s,
        "allowed": config.operator_items * operators,
        "new_items": given["capped"],
        "new_urgent": given["urgent"],
        "per_operator": round(given["capped"] / operators, 2),
        "per_operator_hour": round((hour["capped"] + hour["urgent"]) / operators, 2),
        "in_storms": Event.objects.filter(
            authority_id=authority, opened_at__gt=instant_text(now - window), storm_id__gt=""
        ).count(),
        "shelved": Shelf.objects.filter(authority_id=authority, ended_at="").count(),
        "by_operator": _by_operator(authority, now, window),
    }


def _given(authority: str, since: datetime, until: datetime) -> Counter[str]:
    """New items from signals: those under the cap, storms among them, and the urgent ones."""
    opened = Incident.objects.filter(authority_id=authority, opened_at__gt=since, opened_at__lte=until)
    rows = opened.filter(Q(source="signal") | Q(class_code=STORM)).values_list("priority", flat=True)
    return Counter("urgent" if priority <= URGENT_PRIORITY else "capped" for priority in rows)


def _by_operator(authority: str, now: datetime, window: timedelta) -> list[JsonRow]:
    """What each person on duty took on within the window, and holds open now."""
    shifts = DutyShift.objects.filter(authority_id=authority, from_at__lte=now, to_at__gt=now, ended_at=None)
    people = shifts.select_related("person").order_by("person_id")
    names = {f"person:{shift.person_id}": shift.person.display_name for shift in people}
    mine = Incident.objects.filter(authority_id=authority, owner__in=names)
    taken = _counts(mine.filter(opened_at__gt=now - window))
    held = _counts(mine.filter(closed_at=None))
    return [{"id": who, "name": name, "taken": taken[who], "open": held[who]} for who, name in names.items()]


def _counts(rows: QuerySet[Incident]) -> Counter[str]:
    return Counter(rows.values_list("owner", flat=True))


def load_between(authority: str, since: datetime, until: datetime, step: timedelta) -> list[JsonRow]:
    """New items in each step of a period, for shift statistics and reviews."""
    found, at = [], since
    while at < until:
        given = _given(authority, at, min(at + step, until))
        found.append({"from": instant_text(at), "capped": given["capped"], "urgent": given["urgent"]})
        at += step
    return found


def sources_of(incident_ids: Iterable[str]) -> dict[str, dict[str, int]]:
    """How many signals of each source stand behind incidents, for lists."""
    found: defaultdict[str, dict[str, int]] = defaultdict(dict)
    events = dict(Event.objects.filter(incident_id__in=list(incident_ids)).values_list("pk", "incident_id"))
    rows = Signal.objects.filter(event_id__in=events).values_list("event_id", "source").annotate(n=Count("seq"))
    for event_id, source, n in rows.order_by():
        held = found[events[event_id]]
        held[source] = held.get(source, 0) + n
    return dict(found)


def oldest_unsettled(authority: str) -> str | None:
    """When the signal that has waited longest came; None when none waits."""
    waiting = Signal.objects.filter(authority_id=authority, outcome="")
    found: str | None = waiting.aggregate(at=Min("received_at"))["at"]
    return found


def _may_look(actor: Actor, authority: str) -> None:
    require(actor, Right.VIEW_INCIDENT, Thing(authority))
