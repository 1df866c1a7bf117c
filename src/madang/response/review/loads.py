"""Alarm load out of the store: by day, week, shift and person, with the sources that make the most of it."""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, time, timedelta
from typing import Any

from django.db.models import Count, Max

from madang.identity.access import require
from madang.identity.models import Person
from madang.identity.rights import Actor, Right, Thing, may
from madang.kernel.clock import SEOUL, instant_text
from madang.kernel.errors import BadRequestError
from madang.kernel.mode import Mode
from madang.response.duty.domain import Span, span_on
from madang.response.duty.presence import duty_config
from madang.response.models import Incident, TimelineEntry
from madang.response.review import alarm_load
from madang.response.review.alarm_load import Item, Load, Shift, Window
from madang.response.signals.models import Event, Shelf, Signal
from madang.video.models import DutyShift

JsonRow = dict[str, Any]  # Any: JSON values
MOST_DAYS = 92
TOP = 15
_STANDING = timedelta(hours=24)
BY = ("day", "week", "shift")


def may_name(actor: Actor, authority: str) -> bool:
    """Whether staff are shown by name: to reviewers and to auditors."""
    thing = Thing(authority)
    return bool(may(actor, Right.REVIEW_INCIDENT, thing) or may(actor, Right.READ_AUDIT, thing))


def alarm_load_of(
    actor: Actor, authority: str, mode: Mode, since: datetime, until: datetime, by: str, now: datetime
) -> JsonRow:
    """The load of a city from `since` to `until`, not beyond now. Needs `READ_REVIEWS`."""
    require(actor, Right.READ_REVIEWS, Thing(authority))
    if by not in BY:
        raise BadRequestError("by is day, week or shift", where="by", ko="일·주·근무 가운데 고르십시오.")
    until = min(until, now)
    if not since < until or until - since > timedelta(days=MOST_DAYS):
        raise BadRequestError(
            f"a period is from 1 second to {MOST_DAYS} days and begins before now",
            where="from",
            ko=f"기간은 지금보다 앞서 시작해 {MOST_DAYS}일을 넘지 않아야 합니다.",
        )
    items, shifts = items_of(authority, mode, since, until), shifts_of(authority, since, until)
    stretch = alarm_load.windows(items, shifts, since, until)
    names = _names(shifts, items) if may_name(actor, authority) else {}
    return {
        "from_at": instant_text(since),
        "to_at": instant_text(until),
        "mode": mode.value,
        "by": by,
        "wanted": {
            "steady": alarm_load.STEADY,
            "flood_from": alarm_load.FLOOD_FROM,
            "flood_until": alarm_load.FLOOD_UNTIL,
            "shares": alarm_load.WANTED_SHARES,
        },
        "whole": _row(alarm_load.load_of(items, stretch)),
        "stretches": [
            {"name": span.name, "from_at": instant_text(span.from_at), "to_at": instant_text(span.to_at)}
            | _row(_within(items, stretch, span))
            for span in _spans(since, until, by)
        ],
        "people": _people(items, shifts, since, until, names),
        "named": bool(names),
        "sources": sources_of(authority, mode, since, until),
    }


def _row(load: Load) -> JsonRow:
    found = asdict(load)
    found["peak_at"] = instant_text(load.peak_at) if load.peak_at else None
    return found


def items_of(authority: str, mode: Mode, since: datetime, until: datetime) -> list[Item]:
    """Every new incident of the period with who first took it on."""
    rows = Incident.objects.filter(authority_id=authority, mode=mode.value, opened_at__gte=since, opened_at__lt=until)
    claims: dict[str, tuple[str, datetime]] = {}
    entries = TimelineEntry.objects.filter(incident__in=rows, kind="claim").order_by("-at")
    for incident_id, actor, at in entries.values_list("incident_id", "actor", "at"):
        claims[incident_id] = (actor, at)
    return [
        _item(opened_at, priority, claims.get(pk))
        for pk, opened_at, priority in rows.order_by("opened_at").values_list("pk", "opened_at", "priority")
    ]


def _item(opened_at: datetime, priority: int, claim: tuple[str, datetime] | None) -> Item:
    if claim is None:
        return Item(opened_at, priority)
    return Item(opened_at, priority, claim[0], max(0.0, (claim[1] - opened_at).total_seconds()))


def shifts_of(authority: str, since: datetime, until: datetime) -> list[Shift]:
    """Who was on duty when: shifts that were accepted, cut where they were ended early."""
    rows = DutyShift.objects.filter(
        authority_id=authority, accepted_at__isnull=False, from_at__lt=until, to_at__gt=since
    )
    return [
        Shift(f"person:{row.person_id}", row.from_at, min(row.to_at, row.ended_at) if row.ended_at else row.to_at)
        for row in rows
    ]


def _names(shifts: Sequence[Shift], items: Sequence[Item]) -> dict[str, str]:
    ids = {shift.person for shift in shifts} | {item.taken_by for item in items if item.taken_by}
    keys = [actor.removeprefix("person:") for actor in ids if actor.startswith("person:")]
    return {f"person:{one.pk}": one.display_name for one in Person.objects.filter(pk__in=keys)}


def _people(
    items: Sequence[Item], shifts: Sequence[Shift], since: datetime, until: datetime, names: dict[str, str]
) -> list[JsonRow]:
    found = []
    for number, one in enumerate(alarm_load.by_person(items, shifts, since, until), start=1):
        code = f"P{number}"
        shown = {"code": code, "name": names.get(one.person, code)}
        found.append(shown | {name: value for name, value in asdict(one).items() if name != "person"})
    return found


# ---------------------------------------------------------------------------------------------------- stretches


def _within(items: Sequence[Item], stretch: Sequence[Window], span: Span) -> Load:
    inside = [item for item in items if span.from_at <= item.at < span.to_at]
    return alarm_load.load_of(inside, [one for one in stretch if span.from_at <= one.from_at < span.to_at])


def _spans(since: datetime, until: datetime, by: str) -> list[Span]:
    """The days, weeks (from Monday) or shifts of a period, in Seoul time, cut at its ends."""
    day = since.astimezone(SEOUL).date() - timedelta(days=1)
    last = until.astimezone(SEOUL).date()
    if by == "week":
        day -= timedelta(days=day.weekday())
    found = []
    while day <= last:
        if by == "shift":
            found += [span_on(day, name) for name in duty_config().shifts]
        else:
            length = timedelta(days=7 if by == "week" else 1)
            begins = datetime.combine(day, time(), SEOUL)
            found.append(Span(day.isoformat(), begins, begins + length))
        day += timedelta(days=7 if by == "week" else 1)
    cut = [Span(one.name, max(one.from_at, since), min(one.to_at, until)) for one in found]
    return sorted((one for one in cut if one.from_at < one.to_at), key=lambda one: one.from_at)


# ------------------------------------------------------------------------------------------------------ sources


def sources_of(authority: str, mode: Mode, since: datetime, until: datetime) -> JsonRow:
    """Who makes the load: the devices that signal most, those that chatter, and what stands for longer than a day."""
    mine = {"authority_id": authority, "mode": mode.value}
    came = Signal.objects.filter(**mine, received_at__gte=instant_text(since), received_at__lt=instant_text(until))
    counts = came.values("source", "device").annotate(signals=Count("seq")).order_by("-signals", "device")
    shelves = Shelf.objects.filter(
        **mine, automatic=True, shelved_at__gte=instant_text(since), shelved_at__lt=instant_text(until)
    )
    chatter = shelves.values("source", "device").annotate(times=Count("pk"), last_at=Max("shelved_at"))
    return {
        "signals": came.count(),
        "most": list(counts[:TOP]),
        "chattering": list(chatter.order_by("-times", "device")[:TOP]),
        "standing": _standing(mine, since, until),
    }


def _standing(mine: dict[str, str], since: datetime, until: datetime) -> list[JsonRow]:
    """Events whose source goes on signalling for longer than a day and never said it was over."""
    rows = Event.objects.filter(**mine, ended_at="", last_at__gte=instant_text(since))
    rows = rows.filter(first_at__lt=instant_text(until - _STANDING)).order_by("first_at")
    found: defaultdict[tuple[str, str], JsonRow] = defaultdict(dict)
    for source, device, first_at, last_at in rows.values_list("source", "device", "first_at", "last_at")[:1_000]:
        lasted = datetime.fromisoformat(last_at) - datetime.fromisoformat(first_at)
        if lasted >= _STANDING and not found[source, device]:
            found[source, device] = {"source": source, "device": device, "first_at": first_at, "last_at": last_at}
    return [row for row in found.values() if row][:TOP]


# ---------------------------------------------------------------------------------------------------------- csv

_COLUMNS = (
    ("name", "구분"),
    ("from_at", "시작(UTC)"),
    ("to_at", "끝(UTC)"),
    ("items", "신규 건수"),
    ("average", "1인 10분당 평균"),
    ("peak", "1인 10분 최대"),
    ("peak_at", "최대 시각(UTC)"),
    ("flood", "폭주 시간 비율"),
    ("known", "근무자 확인 비율"),
    ("high", "높음 비율"),
    ("medium", "보통 비율"),
    ("low", "낮음 비율"),
    ("untaken", "미지정"),
    ("to_claim_median_s", "담당 지정 중앙값(초)"),
    ("to_claim_p90_s", "담당 지정 90%(초)"),
)


def csv_of(load: JsonRow) -> str:
    """The stretches and people as CSV with a byte-order mark, for Korean spreadsheets; unknown is `미상`."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow([ko for _, ko in _COLUMNS])
    for row in [
        *load["stretches"],
        {"name": "전체", "from_at": load["from_at"], "to_at": load["to_at"], **load["whole"]},
    ]:
        flat = row | (row["shares"] or {})
        writer.writerow([_cell(flat.get(key)) for key, _ in _COLUMNS])
    writer.writerow([])
    writer.writerow(["근무자", "근무 시간", "담당 건수", "10분당", "10분 최대", "담당 지정 중앙값(초)", "90%(초)"])
    keys = ("name", "hours", "taken", "per_10_min", "busiest", "to_claim_median_s", "to_claim_p90_s")
    for row in load["people"]:
        writer.writerow([_cell(row[key]) for key in keys])
    return "\ufeff" + out.getvalue()


def _cell(value: object) -> object:
    if value is None:
        return "미상"
    if isinstance(value, float):
        return round(value, 4)
    text = str(value)
    return f"'{text}" if text[:1] in "=+-@\t\r" and not isinstance(value, int) else value
