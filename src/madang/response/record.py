"""Decisions written down: events onto rows, timeline and tasks; what is announced to the other rooms."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from madang.identity.rights import Actor
from madang.journal import changes, outbox
from madang.journal.session import Session
from madang.kernel.mode import Mode
from madang.response import tasks, timeline, video_side
from madang.response.domain import (
    ENDED_STATES,
    Claimed,
    Event,
    PrioritySet,
    Released,
    State,
    Step,
    Stepped,
    TaskNeeded,
)
from madang.response.models import STATE_KO, Incident
from madang.response.timeline import Line

TOPIC = "response.incident."
_TOPIC_OF_STEP = {
    Step.CLOSE: "closed",
    Step.CANCEL: "cancelled",
    Step.DISMISS: "dismissed",
    Step.MERGE: "closed",
    Step.REOPEN: "reopened",
}
TOPICS = frozenset(TOPIC + name for name in ("opened", "updated", "located", *_TOPIC_OF_STEP.values()))


def save(tx: Session, incident: Incident, now: datetime) -> None:
    """Saves the incident as a new version and tells the screens."""
    incident.version += 1
    incident.updated_at = now
    incident.save()
    changes.touch(tx, kind="incident", ref=incident.id, authority=incident.authority_id, now=now)


def apply_events(tx: Session, actor: Actor, incident: Incident, events: Iterable[Event], now: datetime) -> None:
    """Carries out what was decided; the caller saves the incident afterwards."""
    for event in events:
        if isinstance(event, Stepped):
            _stepped(tx, actor, incident, event, now)
        elif isinstance(event, Claimed):
            _claimed(actor, incident, event, now)
        elif isinstance(event, Released):
            _released(actor, incident, event, now)
        elif isinstance(event, PrioritySet):
            _priority_set(actor, incident, event, now)
        elif isinstance(event, TaskNeeded):
            tasks.need(tx, incident, event.kind, now)
        else:
            tasks.finish(tx, incident, event.kinds or None, actor.id, now)


def _stepped(tx: Session, actor: Actor, incident: Incident, event: Stepped, now: datetime) -> None:
    incident.state = event.after.value
    ended = event.after in ENDED_STATES
    if not ended or event.before not in ENDED_STATES:
        incident.closed_at = now if ended else None
    why = f": {event.reason}" if event.reason else ""
    line = Line(
        event.step.value,
        f"{STATE_KO[event.before]} → {STATE_KO[event.after]}{why}",
        f"{event.before.value} → {event.after.value}{why}",
        {"before": event.before.value, "after": event.after.value, "reason": event.reason},
    )
    timeline.append(incident, line, actor=actor.id, actor_name=actor.name, now=now)
    if ended and event.before not in ENDED_STATES:
        video_side.end_video(tx, incident, f"incident_{event.after.value.lower()}", now)
    elif event.step is Step.REOPEN:
        video_side.reopen_video(tx, actor, incident, event.reason, now)


def _claimed(actor: Actor, incident: Incident, event: Claimed, now: datetime) -> None:
    incident.owner, incident.owner_name = event.by, actor.name
    line = Line("claim", f"담당: {actor.name}", f"Taken on by {actor.name}", {"before": event.before})
    timeline.append(incident, line, actor=actor.id, actor_name=actor.name, now=now)


def _released(actor: Actor, incident: Incident, event: Released, now: datetime) -> None:
    name, incident.owner, incident.owner_name = incident.owner_name, "", ""
    payload = {"before": event.before, "reason": event.reason}
    line = Line("released", f"담당 해제: {name} · {event.reason}", f"{name} is off it: {event.reason}", payload)
    timeline.append(incident, line, actor=actor.id, actor_name=actor.name, now=now)


def _priority_set(actor: Actor, incident: Incident, event: PrioritySet, now: datetime) -> None:
    incident.priority = event.after
    line = Line(
        "priority",
        f"우선순위 {event.before} → {event.after}",
        f"Priority {event.before} → {event.after}",
        {"before": event.before, "after": event.after},
    )
    timeline.append(incident, line, actor=actor.id, actor_name=actor.name, now=now)


def announce_incident(tx: Session, incident: Incident, events: Iterable[Event], now: datetime) -> None:
    """Announces what the events amount to; steps that matter outside have topics of their own."""
    names = [_TOPIC_OF_STEP[e.step] for e in events if isinstance(e, Stepped) and e.step in _TOPIC_OF_STEP]
    for name in names or ["updated"]:
        announce(tx, incident, name, now)


def announce(tx: Session, incident: Incident, name: str, now: datetime, **more: Any) -> None:  # Any: JSON values
    """Announces `response.incident.<name>` with a body that holds nothing personal."""
    outbox.announce(
        tx,
        topic=TOPIC + name,
        key=incident.id,
        body=public_body(incident) | more,
        authority=incident.authority_id,
        mode=Mode(incident.mode),
        now=now,
    )


def public_body(incident: Incident) -> dict[str, Any]:  # Any: JSON values
    """What other rooms and mirrors may know: neither caller nor note nor address detail."""
    return {
        "id": incident.id,
        "number": incident.number,
        "class": incident.class_code,
        "priority": incident.priority,
        "state": incident.state,
        "source": incident.source,
        "agency": incident.agency,
        "place": {
            "state": incident.place_state,
            "lon": incident.lon,
            "lat": incident.lat,
            "accuracy_m": incident.accuracy_m,
            "district": incident.district,
        },
        "opened_at": incident.opened_at.isoformat(),
        "closed_at": incident.closed_at.isoformat() if incident.closed_at else None,
        "version": incident.version,
        "open": State(incident.state) not in ENDED_STATES,
    }
