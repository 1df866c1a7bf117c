"""Reads: the queue, one incident, its tasks, as the screens and the linkages want them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Q

from madang.identity.access import require
from madang.identity.models import Agency
from madang.identity.rights import Actor, Right, Thing, may
from madang.kernel.clock import instant_text
from madang.kernel.errors import NotFoundError
from madang.response.classes import UNKNOWN, class_named
from madang.response.domain import OPEN_STATES
from madang.response.models import Incident, Task, TimelineEntry
from madang.response.task_life import BOUND
from madang.video.models import GrantCamera, VideoGrant

JsonRow = dict[str, Any]  # Any: JSON values
_OPEN = [state.value for state in OPEN_STATES]


@dataclass(frozen=True, slots=True)
class Extras:
    """What other rooms know about incidents, fetched for many at once."""

    agencies: dict[str, str]
    cameras: dict[str, int]
    pending: dict[str, int]


def queue(actor: Actor, authority: str, now: datetime, *, closed_within_s: float = 43_200) -> list[JsonRow]:
    """Open incidents of the city and those that ended lately, the most pressing first, as the actor may see them."""
    since = now - timedelta(seconds=closed_within_s)
    rows = Incident.objects.filter(authority_id=authority).filter(Q(state__in=_OPEN) | Q(closed_at__gte=since))
    visible = [row for row in rows.order_by("priority", "-opened_at") if _may_see(actor, row)]
    extras = extras_for(visible)
    return [incident_row(row, extras) for row in visible]


def one(actor: Actor, incident_id: str) -> JsonRow:
    """One incident's row; `NotFoundError` for another city's."""
    incident = visible_incident(actor, incident_id)
    return incident_row(incident, extras_for([incident]))


def rows_for(actor: Actor, incident_ids: Iterable[str]) -> list[JsonRow]:
    """The rows of those incidents that exist and that the actor may see."""
    found = [row for row in Incident.objects.filter(pk__in=list(incident_ids)) if _may_see(actor, row)]
    extras = extras_for(found)
    return [incident_row(row, extras) for row in found]


def detail(actor: Actor, incident_id: str) -> JsonRow:
    """One incident with its timeline and tasks. The caller is not in it: see `commands.read_caller`."""
    incident = visible_incident(actor, incident_id)
    row = incident_row(incident, extras_for([incident]))
    row["timeline"] = [timeline_row(entry) for entry in incident.timeline.order_by("seq")]
    row["tasks"] = [task_row(task) for task in incident.tasks.select_related("incident").order_by("due_at")]
    row["case_id"] = incident.case_id
    row["has_caller"] = incident.has_caller
    return row


def open_tasks(actor: Actor, authority: str) -> list[JsonRow]:
    """The open tasks of the city, the most due first."""
    rows = Task.objects.filter(authority_id=authority, state__in=("open", "escalated"))
    ordered = rows.select_related("incident").order_by("due_at")
    return [task_row(task) for task in ordered if _may_see(actor, task.incident)]


def task(actor: Actor, task_id: str) -> JsonRow | None:
    """One task's row; None when it is not there or not to be seen."""
    row = Task.objects.select_related("incident").filter(pk=task_id).first()
    return task_row(row) if row is not None and _may_see(actor, row.incident) else None


def visible_incident(actor: Actor, incident_id: str) -> Incident:
    """The incident itself, if the actor may see it; else `NotFoundError` or `ForbiddenError`."""
    incident = Incident.objects.filter(pk=incident_id).first()
    if incident is None:
        raise NotFoundError(ko="사건을 찾을 수 없습니다.")
    require(actor, Right.VIEW_INCIDENT, Thing(incident.authority_id, agency=incident.agency))
    return incident


def _may_see(actor: Actor, incident: Incident) -> bool:
    return bool(may(actor, Right.VIEW_INCIDENT, Thing(incident.authority_id, agency=incident.agency)))


def extras_for(incidents: Iterable[Incident]) -> Extras:
    """Agency names, offered cameras and waiting grants of many incidents, in three queries."""
    rows = list(incidents)
    codes = {row.agency for row in rows if row.agency}
    cases = {row.case_id for row in rows if row.case_id}
    agencies = dict(Agency.objects.filter(code__in=codes).values_list("code", "name_ko"))
    pending: dict[str, int] = defaultdict(int)
    waiting = VideoGrant.objects.filter(case_id__in=cases, state="PENDING_HUMAN").values_list("case_id")
    pending.update(waiting.annotate(n=Count("id")))
    offered = (
        GrantCamera.objects.filter(
            grant__case_id__in=cases, grant__state__in=("APPROVED", "ACTIVE"), until_version__isnull=True
        )
        .values_list("grant__case_id")
        .annotate(n=Count("camera", distinct=True))
    )
    cameras: dict[str, int] = defaultdict(int)
    cameras.update(offered)
    return Extras(agencies, cameras, pending)


def incident_row(incident: Incident, extras: Extras) -> JsonRow:
    """An incident as screens show it: no caller, codes with their names, instants in RFC 3339."""
    named = class_named(incident.class_text if incident.class_code == UNKNOWN else incident.class_code)
    return {
        "id": incident.id,
        "number": incident.number,
        "version": incident.version,
        "mode": incident.mode,
        "authority": incident.authority_id,
        "source": incident.source,
        "agency": _agency(incident, extras),
        "call_no": incident.source_key,
        "class_code": incident.class_code,
        "class_ko": named.ko,
        "class_en": named.en,
        "priority": incident.priority,
        "state": incident.state,
        "place": _place(incident),
        "candidates": incident.candidates,
        "doubts": incident.doubts,
        "owner": {"id": incident.owner, "name": incident.owner_name} if incident.owner else None,
        "opened_at": instant_text(incident.opened_at),
        "updated_at": instant_text(incident.updated_at),
        "closed_at": instant_text(incident.closed_at) if incident.closed_at else None,
        "note": incident.note,
        "outcome": incident.outcome,
        "basis": incident.basis,
        "cameras_offered": extras.cameras.get(incident.case_id, 0),
        "pending_grants": extras.pending.get(incident.case_id, 0),
        "parent_id": incident.parent_id,
        "signal_count": incident.signal_count,
        "last_signal_at": instant_text(incident.last_signal_at) if incident.last_signal_at else None,
    }


def _agency(incident: Incident, extras: Extras) -> JsonRow | None:
    if not incident.agency:
        return None
    return {"code": incident.agency, "name_ko": extras.agencies.get(incident.agency, incident.agency)}


def _place(incident: Incident) -> JsonRow:
    return {
        "state": incident.place_state,
        "lon": incident.lon,
        "lat": incident.lat,
        "accuracy_m": incident.accuracy_m,
        "address": incident.address,
        "district": incident.district,
    }


def task_row(row: Task) -> JsonRow:
    """A task as screens show it."""
    return {
        "id": row.id,
        "kind": row.kind,
        "ref": row.ref,
        "incident_id": row.incident_id,
        "incident_number": row.incident.number,
        "state": row.state,
        "due_at": instant_text(row.due_at),
        "text_ko": row.text_ko,
        "text_en": row.text_en,
        "assignee": {"id": row.assignee, "name": row.assignee_name} if row.assignee else None,
        "snoozed_until": instant_text(row.snoozed_until) if row.snoozed_until else None,
        "snooze_reason": row.snooze_reason,
        "note": row.note,
        "by_hand": row.kind not in BOUND,
        "mode": row.mode,
    }


def timeline_row(entry: TimelineEntry) -> JsonRow:
    """A line of the timeline as screens show it."""
    return {
        "seq": entry.seq,
        "at": instant_text(entry.at),
        "actor": entry.actor_name or entry.actor,
        "kind": entry.kind,
        "text_ko": entry.text_ko,
        "text_en": entry.text_en,
        **_still(entry),
    }


def _still(entry: TimelineEntry) -> JsonRow:
    """The still a line tells of, for a screen to show at its place."""
    payload = entry.payload if entry.kind == "evidence" else {}
    kept = payload.get("kind") == "still" and payload.get("state") == "KEPT"
    return {"still": payload["evidence"]} if kept else {}
