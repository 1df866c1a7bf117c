"""Reads: who is on duty and awake, hand-overs, the log, and what a hand-over's brief begins with."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q

from madang.identity.access import require
from madang.identity.models import Person
from madang.identity.rights import Actor, Right, Role, Thing, may
from madang.kernel.clock import instant_text
from madang.kernel.errors import NotFoundError
from madang.response import tasks
from madang.response.classes import class_named
from madang.response.domain import OPEN_STATES
from madang.response.duty.domain import span_after, span_at
from madang.response.duty.models import Handover, HandoverItem, LogEntry, Presence
from madang.response.duty.presence import duty_config
from madang.response.duty.roster import planned_for
from madang.response.models import Incident, Task
from madang.response.queries import task_row
from madang.video.models import DutyShift

JsonRow = dict[str, Any]  # Any: JSON values
_OPEN = [state.value for state in OPEN_STATES]
_ROOM = (Role.OPERATOR.value, Role.SUPERVISOR.value)


def board(actor: Actor, authority: str, now: datetime) -> JsonRow:
    """The shift now and next, one's own planned shift, and everybody of the control room with their sign of life."""
    require(actor, Right.KEEP_DUTY, Thing(authority, agency=actor.agency))
    names = duty_config().shifts
    current, following = span_at(now, names), span_after(now, names)
    mine = planned_for(actor.id, authority, now)
    return {
        "shift": {"name": current.name, "to_at": instant_text(current.to_at)} if current else None,
        "next_shift": {"name": following.name, "from_at": instant_text(following.from_at)},
        "planned": {"from_at": instant_text(mine.from_at), "to_at": instant_text(mine.to_at)} if mine else None,
        "people": people(authority, now),
        "next_people": sorted(
            {shift.person.display_name for shift in _shifts(authority).filter(from_at=following.from_at)}
        ),
    }


def _shifts(authority: str) -> Any:  # Any: mypy loses the model behind select_related
    return DutyShift.objects.filter(authority_id=authority, ended_at=None).select_related("person")


def people(authority: str, now: datetime) -> list[JsonRow]:
    """Everybody who works incidents here: on duty or not, awake at a screen or not, with how much they hold."""
    rows = Person.objects.filter(
        role_assignments__authority_id=authority, role_assignments__role__in=_ROOM, is_active=True, agency=None
    ).distinct()
    shifts = _shifts(authority).filter(accepted_at__isnull=False, from_at__lte=now, to_at__gt=now)
    on_duty = set(shifts.values_list("person_id", flat=True))
    seen = dict(Presence.objects.filter(authority_id=authority).values_list("actor", "seen_at"))
    awake_since = now - timedelta(seconds=duty_config().unseen_s)
    owners = list(Incident.objects.filter(authority_id=authority, state__in=_OPEN).values_list("owner", flat=True))
    found = []
    for person in rows:
        actor_id = f"person:{person.pk}"
        last = seen.get(actor_id)
        found.append(
            {
                "id": actor_id,
                "name": person.display_name,
                "on_duty": person.pk in on_duty,
                "alive": last is not None and last >= awake_since,
                "seen_at": instant_text(last) if last else None,
                "holds": owners.count(actor_id),
            }
        )
    return sorted(found, key=lambda row: (not row["on_duty"], not row["alive"], row["name"]))


def brief_facts(actor: Actor, authority: str, now: datetime) -> JsonRow:
    """What a hand-over of the actor is about: open incidents held, open tasks on them or theirs, the latest log."""
    require(actor, Right.KEEP_DUTY, Thing(authority, agency=actor.agency))
    held = list(
        Incident.objects.filter(authority_id=authority, owner=actor.id, state__in=_OPEN).order_by(
            "priority", "opened_at"
        )
    )
    open_tasks = Task.objects.filter(authority_id=authority, state__in=tasks.OPEN).select_related("incident")
    mine = open_tasks.filter(Q(incident__in=held) | Q(assignee=actor.id)).order_by("due_at")
    offered = set(HandoverItem.objects.filter(incident__in=held, state="waiting").values_list("incident_id", flat=True))
    said = LogEntry.objects.filter(authority_id=authority, actor=actor.id, said_at__gte=now - timedelta(hours=12))
    return {
        "incidents": [{**_held(one), "offered": one.id in offered} for one in held],
        "tasks": [task_row(task) for task in mine],
        "log": [log_row(entry) for entry in said.filter(corrected_by=None).order_by("-said_at")[:10]],
    }


def _held(incident: Incident) -> JsonRow:
    named = class_named(incident.class_code)
    return {
        "id": incident.id,
        "number": incident.number,
        "class_ko": named.ko,
        "class_en": named.en,
        "priority": incident.priority,
        "state": incident.state,
        "address": incident.address,
        "opened_at": instant_text(incident.opened_at),
    }


def handovers(actor: Actor, authority: str, now: datetime) -> list[JsonRow]:
    """Open hand-overs the actor gives, gets or supervises, and those settled in the last twelve hours."""
    require(actor, Right.KEEP_DUTY, Thing(authority, agency=actor.agency))
    rows = Handover.objects.filter(authority_id=authority)
    rows = rows.filter(Q(phase="offered") | Q(settled_at__gte=now - timedelta(hours=12)))
    if not may(actor, Right.ASSIGN_ROSTER, Thing(authority)):
        rows = rows.filter(Q(giver=actor.id) | Q(receiver=actor.id))
    return [handover_row(row) for row in rows.prefetch_related("items__incident").order_by("-offered_at")[:50]]


def handover_row(row: Handover) -> JsonRow:
    """A hand-over as screens show it."""
    return {
        "id": row.id,
        "phase": row.phase,
        "mode": row.mode,
        "giver": {"id": row.giver, "name": row.giver_name},
        "receiver": {"id": row.receiver, "name": row.receiver_name},
        "brief": row.brief,
        "reason": row.reason,
        "offered_at": instant_text(row.offered_at),
        "settled_at": instant_text(row.settled_at) if row.settled_at else None,
        "items": [
            {**_held(item.incident), "item_state": item.state, "reason": item.reason}
            for item in sorted(row.items.all(), key=lambda item: (item.incident.priority, item.incident.opened_at))
        ],
    }


def handover(handover_id: str) -> JsonRow:
    """One hand-over."""
    row = Handover.objects.prefetch_related("items__incident").filter(pk=handover_id).first()
    if row is None:
        raise NotFoundError(ko="인수인계를 찾을 수 없습니다.")
    return handover_row(row)


def log(actor: Actor, authority: str, *, incident_id: str = "", limit: int = 100) -> list[JsonRow]:
    """The log of a city, or of one incident, newest first; corrections and what they correct both stand."""
    require(actor, Right.KEEP_DUTY, Thing(authority, agency=actor.agency))
    rows = LogEntry.objects.filter(authority_id=authority).select_related("incident", "corrected_by")
    if incident_id:
        rows = rows.filter(incident_id=incident_id)
    return [log_row(entry) for entry in rows.order_by("-said_at", "-written_at")[:limit]]


def log_row(entry: LogEntry) -> JsonRow:
    """An entry as screens show it."""
    newer: LogEntry | None = getattr(entry, "corrected_by", None)
    return {
        "id": entry.id,
        "incident_id": entry.incident_id,
        "incident_number": entry.incident.number if entry.incident else None,
        "channel": entry.channel,
        "direction": entry.direction,
        "who": entry.who,
        "whom": entry.whom,
        "text": entry.text,
        "said_at": instant_text(entry.said_at),
        "written_at": instant_text(entry.written_at),
        "by": entry.actor_name,
        "corrects": entry.corrects_id,
        "corrected_by": newer.id if newer is not None else None,
        "mode": entry.mode,
    }
