"""What a report says: everything the platform knows of one incident, from every room, as one JSON value.

People stand in it as codes, callers not at all. A section of a room that knows nothing says so with an empty list.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q

from madang.identity.models import Agency, Authority
from madang.kernel.clock import instant_text
from madang.kernel.mode import Mode
from madang.response import caller as callers
from madang.response import timeline
from madang.response.classes import class_named
from madang.response.duty.models import HandoverItem, LogEntry
from madang.response.messaging.models import Attempt, Delivery, SentMessage
from madang.response.models import Incident, SourceCall, Task, TimelineEntry
from madang.response.review import alarm_load
from madang.response.review.domain import CHECKLIST
from madang.response.review.loads import items_of, shifts_of
from madang.response.review.measures import timings_of
from madang.response.review.models import Finding, Lesson, Review
from madang.response.review.people import People
from madang.response.rules.models import Deed
from madang.response.signals.models import Event, Signal
from madang.response.signals.queries import sources_of
from madang.response.sop import domain as sop
from madang.response.sop.models import SopRun
from madang.response.sop.record import run_of
from madang.response.sop.wording import steps_of
from madang.video.evidence.models import Export, Item
from madang.video.legal import BASIS_KO, basis_of
from madang.video.models import Camera, GrantCamera, VideoGrant, ViewSession

JsonRow = dict[str, Any]  # Any: JSON values
FORMAT = "madang-after-action/1"
_LONGEST = timedelta(days=1)
MOST_ROWS = 2_000
"""Of any one list; how many there are in all is said beside it."""


def instant(value: datetime | None) -> str | None:
    """RFC 3339 in UTC, or None."""
    return instant_text(value) if value is not None else None


def holders_of(incident: Incident) -> frozenset[str]:
    """Everybody who ever answered for an incident."""
    claims = TimelineEntry.objects.filter(incident=incident, kind__in=("claim", "handover_accepted"))
    handed = HandoverItem.objects.filter(incident=incident).values_list("handover__giver", flat=True)
    taken = HandoverItem.objects.filter(incident=incident, state="accepted").values_list(
        "handover__receiver", flat=True
    )
    found = {incident.owner, *claims.values_list("actor", flat=True), *handed, *taken}
    return frozenset(actor for actor in found if actor)


def report_of(incident: Incident, review: Review | None, now: datetime) -> tuple[JsonRow, People]:
    """The report as it would be signed now, and who its codes stand for."""
    people = People(_caller_words(incident))
    entries = list(TimelineEntry.objects.filter(incident=incident).order_by("seq")[:MOST_ROWS])
    people.meet((entry.actor, entry.actor_name) for entry in entries if entry.actor_name)
    _meet_others(people, incident, review)
    family = _family(incident)
    views, grants = _video(incident, people)
    report = {
        "format": FORMAT,
        "made_at": instant_text(now),
        "authority": _authority(incident),
        "mode": incident.mode,
        "incident": _incident(incident, entries, people),
        "timings": timings_of(incident, entries, family),
        "timeline": [_line(entry, people) for entry in entries],
        "timeline_total": TimelineEntry.objects.filter(incident=incident).count(),
        "timeline_broken_at": timeline.first_broken(incident.id),
        "signals": _signals(incident, family, people),
        "grants": grants,
        "views": views,
        "cameras": _cameras(incident, views),
        "evidence": _evidence(incident, people),
        "exports": _exports(incident, people),
        "tasks": _tasks(incident, people),
        "checklists": _checklists(incident, people),
        "messages": _messages(incident, people),
        "handovers": _handovers(incident, people),
        "log": _log(incident, people),
        "rules": _rules(incident, people),
        "alarm_load": _load(incident),
        "review": _review(review, people),
    }
    report["staff"] = [{"code": one.code, "digest": one.digest} for one in people.disclosures]
    return report, people


def _caller_words(incident: Incident) -> tuple[str, ...]:
    """What is known of the caller, only to take it out of what others wrote down."""
    call = SourceCall.objects.filter(incident=incident).first()
    if call is None or not call.caller_sealed:
        return ()
    said = callers.unseal(call.id, bytes(call.caller_sealed))
    return tuple(sorted((word for word in said.values() if len(word) > 1), key=len, reverse=True))


def _meet_others(people: People, incident: Incident, review: Review | None) -> None:
    """Those who may be named in texts without having written a line."""
    people.meet([(incident.owner, incident.owner_name)] if incident.owner else [])
    rows = HandoverItem.objects.filter(incident=incident).select_related("handover")
    for item in rows:
        people.meet(
            (
                (item.handover.giver, item.handover.giver_name),
                (item.handover.receiver, item.handover.receiver_name),
            )
        )
    officer = incident.officer.get("name") if isinstance(incident.officer, dict) else None
    if officer:
        people.viewer(f"agency:{incident.agency}", str(officer))
    if review is not None:
        people.meet((lesson.owner, lesson.owner_name) for lesson in Lesson.objects.filter(review=review))


def _authority(incident: Incident) -> JsonRow:
    city = Authority.objects.get(code=incident.authority_id)
    return {"code": city.code, "name_ko": city.name_ko, "name_en": city.name_en}


def _class(code: str, said: str = "") -> JsonRow:
    named = class_named(said if code == "unknown" else code)
    return {"class_code": code, "class_ko": named.ko, "class_en": named.en}


def _agency(code: str) -> JsonRow | None:
    if not code:
        return None
    return {"code": code, "name_ko": Agency.objects.filter(code=code).values_list("name_ko", flat=True).first() or code}


def _incident(incident: Incident, entries: list[TimelineEntry], people: People) -> JsonRow:
    basis = basis_of(incident.basis)
    ends = [str(entry.payload.get("reason", "")) for entry in entries if entry.kind == "close"]
    return {
        "id": incident.id,
        "number": incident.number,
        **_class(incident.class_code, incident.class_text),
        "priority": incident.priority,
        "state": incident.state,
        "source": incident.source,
        "agency": _agency(incident.agency),
        "place": {
            "state": incident.place_state,
            "lon": incident.lon,
            "lat": incident.lat,
            "accuracy_m": incident.accuracy_m,
            "address": people.text(incident.address),
            "district": incident.district,
        },
        "basis": incident.basis,
        "basis_ko": BASIS_KO[basis] if basis else incident.basis,
        "note": people.text(incident.note),
        "outcome": people.text(incident.outcome or (ends[-1] if ends else "")),
        "owner": people.code(incident.owner, incident.owner_name),
        "opened_at": instant_text(incident.opened_at),
        "closed_at": instant(incident.closed_at),
        "signals": incident.signal_count,
    }


def _line(entry: TimelineEntry, people: People) -> JsonRow:
    return {
        "seq": entry.seq,
        "at": instant_text(entry.at),
        "actor": people.code(entry.actor, entry.actor_name),
        "kind": entry.kind,
        "ko": people.text(entry.text_ko),
        "en": people.text(entry.text_en),
        "hash": entry.hash,
    }


# ----------------------------------------------------------------------------------------------------- signals


def _family(incident: Incident) -> list[str]:
    """The incident and all that was merged into it."""
    found, fresh = [incident.id], [incident.id]
    while fresh:
        rows = Incident.objects.filter(merged_into_id__in=fresh).exclude(pk__in=found)
        fresh = [str(pk) for pk in rows.values_list("pk", flat=True)]
        found += fresh
    return found


def _signals(incident: Incident, family: list[str], people: People) -> JsonRow:
    events = Event.objects.filter(incident_id__in=family).order_by("first_at")
    kept = list(events[:MOST_ROWS])
    merged = Incident.objects.filter(pk__in=family).exclude(pk=incident.pk).order_by("opened_at")
    children = Incident.objects.filter(parent=incident).order_by("opened_at")
    sources: defaultdict[str, int] = defaultdict(int)
    for counted in sources_of(family).values():
        for source, n in counted.items():
            sources[source] += n
    return {
        "total": Signal.objects.filter(event_id__in=events.values("pk")).count(),
        "events_total": events.count(),
        "by_source": dict(sorted(sources.items())),
        "events": [_event(row, people) for row in kept],
        "merged": [{"number": one.number, "opened_at": instant_text(one.opened_at)} for one in merged],
        "parent": incident.parent.number if incident.parent is not None else None,
        "children": [{"number": one.number, **_class(one.class_code)} for one in children[:MOST_ROWS]],
    }


def _event(row: Event, people: People) -> JsonRow:
    return {
        **_class(row.class_code),
        "source": row.source,
        "device": row.device,
        "priority": row.priority,
        "first_at": row.first_at,
        "last_at": row.last_at,
        "signals": row.signals,
        "district": row.district,
        "lon": row.lon,
        "lat": row.lat,
        "text": people.text(row.text),
        "from_storm": bool(row.storm_id) and row.storm_id != row.incident_id,
    }


# ------------------------------------------------------------------------------------------------------- video


def _video(incident: Incident, people: People) -> tuple[list[JsonRow], list[JsonRow]]:
    """Every view, and every grant it could rest on."""
    grants = list(VideoGrant.objects.filter(case__incident_id=incident.id).order_by("requested_at")[:MOST_ROWS])
    views = ViewSession.objects.filter(grant__in=grants).select_related("camera", "grant").order_by("started_at")
    counts: defaultdict[str, int] = defaultdict(int)
    for grant_id in GrantCamera.objects.filter(grant__in=grants).values_list("grant_id", flat=True):
        counts[grant_id] += 1
    return [_view(row, people) for row in views[:MOST_ROWS]], [_grant(row, counts[row.id], people) for row in grants]


def _view(row: ViewSession, people: People) -> JsonRow:
    return {
        "camera_id": row.camera_id,
        "camera": row.camera.label,
        "viewer": people.viewer(row.viewer, row.viewer_name),
        "recipient": row.grant.recipient_name or row.grant.recipient_code,
        "basis": row.grant.basis,
        "basis_ko": _basis_ko(row.grant.basis),
        "started_at": instant_text(row.started_at),
        "ended_at": instant(row.ended_at),
        "seconds": round(row.seconds, 1),
        "crash_closed": row.crash_closed,
    }


def _basis_ko(code: str) -> str:
    basis = basis_of(code)
    return BASIS_KO[basis] if basis else code


def _grant(row: VideoGrant, cameras: int, people: People) -> JsonRow:
    return {
        "kind": row.kind,
        "state": row.state,
        "recipient": row.recipient_name or row.recipient_code,
        "recipient_kind": row.recipient_kind,
        "rights": row.rights,
        "cameras": cameras,
        "basis": row.basis,
        "basis_ko": _basis_ko(row.basis),
        "purpose": people.text(row.purpose),
        "rule": row.rule,
        "requested_by": people.code(row.requested_by, row.requested_by_name),
        "requested_at": instant_text(row.requested_at),
        "decided_by": people.code(row.decided_by),
        "decided_at": instant(row.decided_at),
        "reason": people.text(row.reason),
        "ended_at": instant(row.ended_at),
        "end_reason": people.text(row.end_reason),
    }


def _cameras(incident: Incident, views: list[JsonRow]) -> list[JsonRow]:
    """The cameras that were looked through, where they stand, how often and how long."""
    seen: defaultdict[str, list[float]] = defaultdict(list)
    for view in views:
        seen[view["camera_id"]].append(view["seconds"])
    rows = Camera.objects.filter(pk__in=seen, authority_id=incident.authority_id).select_related("site")
    return [
        {
            "id": row.id,
            "label": row.label,
            "lon": row.lon if row.lon is not None else row.site.lon,
            "lat": row.lat if row.lat is not None else row.site.lat,
            "views": len(seen[row.id]),
            "seconds": round(sum(seen[row.id]), 1),
        }
        for row in rows.order_by("label")
    ]


def _evidence(incident: Incident, people: People) -> list[JsonRow]:
    rows = Item.objects.filter(incident_id=incident.id, authority_id=incident.authority_id).order_by("wanted_at")
    return [
        {
            "kind": row.kind,
            "state": row.state,
            "camera": row.camera_label,
            "taken_by": people.code(row.taken_by, row.taken_by_name),
            "reason": people.text(row.reason),
            "wanted_at": instant_text(row.wanted_at),
            "began_at": instant(row.began_at),
            "ended_at": instant(row.ended_at),
            "digest": row.digest,
            "locked_until": instant(row.locked_until),
            "keep_until": instant(row.keep_until),
            "erased_at": instant(row.erased_at),
        }
        for row in rows[:MOST_ROWS]
    ]


def _exports(incident: Incident, people: People) -> list[JsonRow]:
    """Evidence that was handed out: to which office, on what ground, decided by whom."""
    rows = Export.objects.filter(incident_id=incident.id, authority_id=incident.authority_id)
    return [
        {
            "state": row.state,
            "to": people.code(f"recipient:export-{row.id}", row.recipient_name),
            "office": row.recipient_office,
            "basis": row.basis,
            "basis_ko": _basis_ko(row.basis),
            "purpose": people.text(row.purpose),
            "requested_by": people.code(row.requested_by, row.requested_by_name),
            "requested_at": instant_text(row.requested_at),
            "decided_by": people.code(row.decided_by, row.decided_by_name),
            "decided_at": instant(row.decided_at),
            "reason": people.text(row.reason),
            "manifest_digest": row.manifest_digest,
        }
        for row in rows.order_by("requested_at")[:MOST_ROWS]
    ]


# -------------------------------------------------------------------------------------------------------- work


def _tasks(incident: Incident, people: People) -> list[JsonRow]:
    return [
        {
            "kind": row.kind,
            "ko": people.text(row.text_ko),
            "en": people.text(row.text_en),
            "state": row.state,
            "created_at": instant_text(row.created_at),
            "due_at": instant_text(row.due_at),
            "done_at": instant(row.done_at),
            "late": row.done_at is None or row.done_at > row.due_at,
            "done_by": people.code(row.done_by),
            "note": people.text(row.note),
        }
        for row in Task.objects.filter(incident=incident).order_by("created_at")[:MOST_ROWS]
    ]


def _checklists(incident: Incident, people: People) -> list[JsonRow]:
    runs = SopRun.objects.filter(incident=incident).select_related("version").prefetch_related("steps")
    return [_run(run, people) for run in runs.order_by("started_at")]


def _run(run: SopRun, people: People) -> JsonRow:
    steps = steps_of(run.version.steps)
    rows = {row.key: row for row in run.steps.all()}
    standing = sop.standings(run_of(run, steps, rows.values()))
    return {
        "code": f"{run.code}@{run.version.version}",
        "ko": run.version.title_ko,
        "en": run.version.title_en,
        "phase": run.phase,
        "rule": run.rule,
        "started_by": people.code(run.started_by, run.started_name),
        "started_at": instant_text(run.started_at),
        "ended_at": instant(run.ended_at),
        "steps": [
            {
                "key": step.key,
                "ko": step.ko,
                "en": step.en,
                "standing": standing[step.key].value,
                "met": standing[step.key] in (sop.Standing.DONE, sop.Standing.OFF),
                "late": rows[step.key].overdue_at is not None,
                "done_at": instant(rows[step.key].done_at),
                "done_by": people.code(rows[step.key].done_by, rows[step.key].done_name),
                "note": people.text(rows[step.key].note or rows[step.key].value),
            }
            for step in steps
        ],
    }


def _messages(incident: Incident, people: People) -> list[JsonRow]:
    messages = list(SentMessage.objects.filter(incident=incident).order_by("sent_at")[:MOST_ROWS])
    deliveries: defaultdict[str, list[Delivery]] = defaultdict(list)
    for row in Delivery.objects.filter(message__in=messages).select_related("recipient"):
        deliveries[row.message_id].append(row)
    ids = [row.id for rows in deliveries.values() for row in rows]
    tries: defaultdict[str, list[str]] = defaultdict(list)
    for delivery_id, channel in (
        Attempt.objects.filter(delivery__in=ids).order_by("step").values_list("delivery_id", "channel")
    ):
        tries[delivery_id].append(channel)
    return [
        {
            "level": row.level,
            "tiers": row.tiers,
            "ko": people.text(row.text_ko),
            "en": people.text(row.text_en),
            "sent_at": instant_text(row.sent_at),
            "sent_by": people.code(row.sent_by, row.sent_by_name),
            "rule": row.rule,
            "ack_within_s": row.ack_within_s,
            "deliveries": [_delivery(one, tries[one.id], row.sent_at, people) for one in deliveries[row.id]],
        }
        for row in messages
    ]


def _delivery(row: Delivery, channels: list[str], sent_at: datetime, people: People) -> JsonRow:
    took = (row.acknowledged_at - sent_at).total_seconds() if row.acknowledged_at else None
    return {
        "to": people.code(f"recipient:{row.recipient_id}", row.recipient.name),
        "duty": row.recipient.duty,
        "tier": row.recipient.tier,
        "state": row.state,
        "channels": channels,
        "wants_ack": row.wants_ack,
        "acknowledged_at": instant(row.acknowledged_at),
        "took_s": took,
        "how": row.how,
    }


def _handovers(incident: Incident, people: People) -> list[JsonRow]:
    rows = HandoverItem.objects.filter(incident=incident).select_related("handover").order_by("handover__offered_at")
    return [
        {
            "from": people.code(row.handover.giver, row.handover.giver_name),
            "to": people.code(row.handover.receiver, row.handover.receiver_name),
            "offered_at": instant_text(row.handover.offered_at),
            "answered_at": instant(row.answered_at),
            "state": row.state,
            "reason": people.text(row.reason),
        }
        for row in rows
    ]


def _log(incident: Incident, people: People) -> list[JsonRow]:
    rows = LogEntry.objects.filter(incident=incident).select_related("corrected_by").order_by("said_at", "written_at")
    return [
        {
            "channel": row.channel,
            "direction": row.direction,
            "who": people.text(row.who),
            "whom": people.text(row.whom),
            "text": people.text(row.text),
            "said_at": instant_text(row.said_at),
            "by": people.code(row.actor, row.actor_name),
            "corrected": getattr(row, "corrected_by", None) is not None,
        }
        for row in rows[:MOST_ROWS]
    ]


def _load(incident: Incident) -> JsonRow:
    """What operators were given while the incident was open, in ten-minute windows; a day of it at most."""
    since = incident.opened_at
    until = min(incident.closed_at or since + _LONGEST, since + _LONGEST)
    until = max(until, since + alarm_load.WINDOW)
    items = items_of(incident.authority_id, Mode(incident.mode), since, until)
    stretch = alarm_load.windows(items, shifts_of(incident.authority_id, since, until), since, until)
    load = alarm_load.load_of(items, stretch)
    return {
        "from_at": instant_text(since),
        "to_at": instant_text(until),
        "items": load.items,
        "known": load.known,
        "average": load.average,
        "peak": load.peak,
        "flood": load.flood,
    }


def _rules(incident: Incident, people: People) -> list[JsonRow]:
    return [
        {
            "rule": row.rule,
            "effect": row.kind,
            "state": row.state,
            "reason": people.text(row.reason),
            "at": instant_text(row.at),
            "decided_by": people.code(row.decided_by),
            "decided_at": instant(row.decided_at),
        }
        for row in Deed.objects.filter(Q(incident_id=incident.id)).order_by("at")[:MOST_ROWS]
    ]


# ------------------------------------------------------------------------------------------------------ review


def _review(review: Review | None, people: People) -> JsonRow | None:
    if review is None:
        return None
    findings = Finding.objects.filter(review=review, dropped_by="")
    return {
        "opened_at": instant_text(review.opened_at),
        "opened_by": people.code(review.opened_by, review.opened_name),
        "summary": people.text(review.summary),
        "signed_by": people.code(review.signed_by, review.signed_name),
        "signed_at": instant(review.signed_at),
        "checklist": [
            {
                "key": point.key,
                "ko": point.ko,
                "en": point.en,
                "answer": review.checklist.get(point.key, {}).get("answer"),
                "note": people.text(review.checklist.get(point.key, {}).get("note", "")),
            }
            for point in CHECKLIST
        ],
        "findings": [
            {"kind": row.kind, "text": people.text(row.text), "by": people.code(row.made_by, row.made_name)}
            for row in findings
        ],
        "lessons": _lessons(Lesson.objects.filter(review=review), people),
    }


def _lessons(rows: Iterable[Lesson], people: People) -> list[JsonRow]:
    return [
        {
            "kind": row.kind,
            "text": people.text(row.text),
            "owner": people.code(row.owner, row.owner_name),
            "due_on": row.due_on.isoformat(),
            "state": row.state,
            "draft": row.draft,
        }
        for row in rows
    ]
