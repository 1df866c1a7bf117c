"""Outages: what signs, people and time make of them, with their spans, their story and what is announced."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from madang.facilities import domain
from madang.facilities.commands.proof import verify_by_feed
from madang.facilities.commands.refusals import changed_meanwhile, refuse
from madang.facilities.commands.register import config, facility_for, record
from madang.facilities.domain import (
    Act,
    Began,
    Cause,
    Command,
    Condition,
    Down,
    Event,
    Moved,
    Policy,
    Renamed,
    State,
    Step,
    Tick,
    Up,
)
from madang.facilities.models import DownSpan, Facility, Outage, OutageNote
from madang.identity.access import require
from madang.identity.rights import Actor, Right, Thing
from madang.journal import changes, outbox, timers
from madang.journal.handlers import Timer
from madang.journal.session import Session
from madang.kernel.clock import instant_text
from madang.kernel.decisions import Rejected
from madang.kernel.errors import NotFoundError
from madang.kernel.mode import Mode

TIMER = "facilities.outage"
OPENED = "facilities.outage.opened"
ENDED = "facilities.outage.ended"
SYSTEM = "system:facilities"
_ENDED_STATES = [state.value for state in domain.ENDED]


@dataclass(frozen=True, slots=True)
class _By:
    """In whose name, and what they said."""

    actor: str = SYSTEM
    name: str = ""
    text: str = ""


def policy() -> Policy:
    """The city's patience."""
    said = config()
    return Policy(
        confirm_s=said.confirm_s,
        stable_s=said.stable_s,
        stable_most_s=said.stable_most_s,
        wobbles=said.wobbles,
        wobble_s=said.wobble_s,
    )


# ---------------------------------------------------------------------------------------------- what others tell


def open_outage(
    tx: Session, authority: str, kind: str, source_key: str, cause: str, at: datetime, now: datetime, *, text: str = ""
) -> Outage | None:
    """A sign from elsewhere that something is down since `at`; None where there is no such facility in service."""
    facility = _named(authority, kind, source_key)
    return None if facility is None else sign(tx, facility, Down(Cause(cause), at), now, text=text)


def end_outage(tx: Session, authority: str, kind: str, source_key: str, at: datetime, now: datetime) -> Outage | None:
    """A sign from elsewhere that something works, seen at `at`."""
    facility = _named(authority, kind, source_key)
    return None if facility is None else sign(tx, facility, Up(at), now)


def heard(tx: Session, authority: str, kind: str, source_key: str, at: datetime, now: datetime) -> bool:
    """A thing has spoken (a bell's heartbeat, a press of its button); whether it is known here."""
    del tx  # whose presence says that one is open
    facility = _named(authority, kind, source_key)
    if facility is None:
        return False
    if facility.heard_at is None or at > facility.heard_at:
        facility.heard_at = min(at, now)
        facility.save(update_fields=["heard_at"])
    return True


def _named(authority: str, kind: str, source_key: str) -> Facility | None:
    rows = Facility.objects.select_for_update()
    return rows.filter(authority_id=authority, kind=kind, source_key=source_key).first()


def sign(tx: Session, facility: Facility, command: Down | Up, now: datetime, *, text: str = "") -> Outage | None:
    """What a feed, a picture or a neighbouring room says of a facility. Returns the outage it touched, if any."""
    if not facility.in_service:
        return None
    if facility.hushed:
        if isinstance(command, Down) and not command.sure:
            return None
        facility.hushed = ""
        facility.save(update_fields=["hushed"])
    outage = standing(facility.pk)
    if outage is None and isinstance(command, Up):
        _seen_working(tx, facility, command.at, now)
        return None
    return _apply(tx, facility, outage, command, now, _By(text=text))


def standing(facility_id: str) -> Outage | None:
    """The outage of a facility that has not ended."""
    rows = Outage.objects.select_for_update()
    return rows.filter(facility_id=facility_id).exclude(state__in=_ENDED_STATES).first()


def _seen_working(tx: Session, facility: Facility, at: datetime, now: datetime) -> None:
    if facility.condition != Condition.WORKING:
        _set_condition(facility, Condition.WORKING, min(at, now))
        changes.touch(tx, kind="facility", ref=facility.pk, authority=facility.authority_id, now=now)


# --------------------------------------------------------------------------------------------------- what people do


def report_fault(tx: Session, actor: Actor, facility_id: str, text: str, now: datetime) -> Outage:
    """A person says that it does not work: an outage at once, or a word more on the one that stands."""
    facility = facility_for(actor, facility_id, Right.REPORT_FAULT, lock=True)
    said = text.strip()[:500]
    outage = standing(facility.pk)
    if facility.hushed:
        facility.hushed = ""
        facility.save(update_fields=["hushed"])
    by = _By(actor.id, actor.name, said)
    found = _apply(tx, facility, outage, Down(Cause.REPORTED, now, sure=True), now, by)
    if outage is not None and found.version == outage.version:
        _note(found, by, "report", now)
    if not found.reported_by:
        found.reported_by, found.text = actor.name[:100], said or found.text
        found.save(update_fields=["reported_by", "text"])
    record(tx, actor, facility, "fault_reported", now, {"text": said})
    return found


def step_outage(
    tx: Session, actor: Actor, outage_id: str, step: Step, reason: str, now: datetime, *, version: int | None = None
) -> Outage:
    """A person acknowledges, begins repair, reports it restored, closes or dismisses an outage.

    Acknowledging is for whoever may report faults; the rest is the managers'.
    """
    outage = outage_for(actor, outage_id, Right.REPORT_FAULT if step is Step.ACKNOWLEDGE else Right.MANAGE_FACILITIES)
    if version is not None and version != outage.version:
        raise changed_meanwhile(outage.version)
    facility = Facility.objects.select_for_update().get(pk=outage.facility_id)
    done = _apply(tx, facility, outage, Act(step, reason), now, _By(actor.id, actor.name, reason.strip()[:500]))
    if step is Step.DISMISS:
        facility.hushed = reason.strip()[:300]
        facility.save(update_fields=["hushed"])
    record(tx, actor, facility, f"outage_{step.value}", now, {"outage": outage.pk, "reason": reason[:500]})
    return done


def outage_for(actor: Actor, outage_id: str, right: Right) -> Outage:
    """The outage, if the actor may do this to it; another city's is not there."""
    outage = Outage.objects.select_for_update().filter(pk=outage_id).first()
    if outage is None:
        raise NotFoundError(ko="고장을 찾을 수 없습니다.")
    require(actor, right, Thing(outage.authority_id))
    return outage


def tick(tx: Session, timer: Timer, now: datetime) -> None:
    """The journal's timer: a suspicion has stood long enough, or a restored thing has worked long enough."""
    outage = Outage.objects.select_for_update().filter(pk=timer.key).first()
    if outage is None or outage.state in _ENDED_STATES:
        return
    if outage.due_at is not None and now < outage.due_at:
        _set_timer(tx, outage, outage.due_at)
    else:
        facility = Facility.objects.select_for_update().get(pk=outage.facility_id)
        _apply(tx, facility, outage, Tick(), now, _By())


# --------------------------------------------------------------------------------------------------- the one way in


def _apply(tx: Session, facility: Facility, outage: Outage | None, command: Command, now: datetime, by: _By) -> Outage:
    """Decides, and writes what follows: row, spans, story, timer, announcements, the facility's condition."""
    state = None if outage is None else _state_of(outage)
    wobbles = _wobbles(facility, now) if state is None else 0
    decided = domain.decide(state, command, now, policy(), wobbles=wobbles)
    if isinstance(decided, Rejected):
        refuse(decided)
    row = outage
    for event in decided.events:
        state = domain.evolve(state, event)
        row = _save(facility, row, state, event, by)
        _spans(facility, row, event)
        _tell(tx, facility, row, state, event, now, by)
    assert row is not None
    if any(not isinstance(event, domain.Heard) for event in decided.events):
        _after(tx, facility, row, state, now)
    return row


def _state_of(row: Outage) -> domain.Outage:
    return domain.Outage(
        state=State(row.state),
        cause=Cause(row.cause),
        began_at=row.began_at,
        heard_at=row.heard_at,
        due_at=row.due_at,
        opened_at=row.opened_at,
        restored_at=row.restored_at,
        closed_at=row.closed_at,
        before=State(row.before),
        relapses=row.relapses,
        void=row.void,
    )


def _wobbles(facility: Facility, now: datetime) -> int:
    since = now - timedelta(seconds=policy().wobble_s)
    return facility.outages.filter(state=State.CLEARED.value, closed_at__gte=since).count()


def _save(facility: Facility, row: Outage | None, state: domain.Outage, event: Event, by: _By) -> Outage:
    if row is None:
        row = Outage(facility=facility, authority_id=facility.authority_id, mode=facility.mode, text=by.text, version=0)
    for name in ("state", "cause", "before"):
        setattr(row, name, getattr(state, name).value)
    for name in ("began_at", "heard_at", "due_at", "opened_at", "restored_at", "closed_at", "relapses", "void"):
        setattr(row, name, getattr(state, name))
    if isinstance(event, Moved):
        _sign_off(row, event, by)
    row.version += not isinstance(event, domain.Heard)
    row.save(force_insert=isinstance(event, Began))
    return row


def _sign_off(row: Outage, event: Moved, by: _By) -> None:
    if event.step is Step.ACKNOWLEDGE:
        row.acknowledged_at, row.acknowledged_by = event.at, by.name[:100]
    if event.step in (Step.CLOSE, Step.DISMISS):
        row.close_reason = event.reason[:500]


def _spans(facility: Facility, row: Outage, event: Event) -> None:
    """Down time is written when an outage opens, from when it began; a suspicion that passed leaves none."""
    opened = isinstance(event, Began) and row.state == State.OPEN.value
    step = event.step if isinstance(event, Moved) else None
    at = event.at if isinstance(event, Moved) else row.began_at
    if opened or step is Step.CONFIRM:
        DownSpan.objects.create(outage=row, facility=facility, from_at=row.began_at)
    elif step is Step.RELAPSE:
        DownSpan.objects.create(outage=row, facility=facility, from_at=at)
    elif step is Step.RESTORE:
        row.spans.filter(to_at=None).update(to_at=at)
    elif step is Step.DISMISS:
        row.spans.all().delete()


_STORY = {Step.CONFIRM: "open", Step.CLEAR: "clear"}


def _tell(
    tx: Session, facility: Facility, row: Outage, state: domain.Outage, event: Event, now: datetime, by: _By
) -> None:
    if isinstance(event, domain.Heard):
        return
    step = event.step if isinstance(event, Moved) else None
    name = _STORY.get(step, step.value) if step else ("cause" if isinstance(event, Renamed) else "begin")
    _note(row, by, name, now, "" if not isinstance(event, Renamed) else state.cause.value)
    if step is Step.CONFIRM or (isinstance(event, Began) and state.state is State.OPEN):
        _announce(tx, OPENED, facility, row, now)
    elif step in (Step.CLOSE, Step.DISMISS):
        _announce(tx, ENDED, facility, row, now)


def _note(row: Outage, by: _By, step: str, now: datetime, text: str = "") -> None:
    OutageNote.objects.create(outage=row, at=now, actor=(by.name or by.actor)[:100], step=step, text=text or by.text)


def _announce(tx: Session, topic: str, facility: Facility, row: Outage, now: datetime) -> None:
    outbox.announce(
        tx,
        topic=topic,
        key=facility.pk,
        subject=row.pk,
        body=told(facility, row),
        authority=facility.authority_id,
        mode=Mode(facility.mode),
        now=now,
        ending=topic == ENDED,
    )


def told(facility: Facility, row: Outage) -> Mapping[str, Any]:  # Any: JSON values
    """An outage as it is announced to other rooms."""
    return {
        "outage_id": row.pk,
        "facility_id": facility.pk,
        "kind": facility.kind,
        "source_key": facility.source_key,
        "name": str(facility),
        "vendor": facility.vendor,
        "lon": facility.lon,
        "lat": facility.lat,
        "address": facility.address,
        "cause": row.cause,
        "text": row.text,
        "began_at": instant_text(row.began_at),
        "restored_at": instant_text(row.restored_at) if row.restored_at else None,
        "void": row.void,
    }


def _after(tx: Session, facility: Facility, row: Outage, state: domain.Outage | None, now: datetime) -> None:
    """Sets the timer, the facility's condition, and lets work orders hear of what happened."""
    assert state is not None
    if state.due_at is not None:
        _set_timer(tx, row, state.due_at)
    else:
        timers.cancel_timer(tx, kind=TIMER, key=row.pk)
    condition = _condition(state)
    if facility.condition != condition:
        _set_condition(facility, condition, now)
    if state.state is State.CLOSED:
        verify_by_feed(tx, row, now)
    changes.touch(tx, kind="facility", ref=facility.pk, authority=facility.authority_id, now=now)


def _set_timer(tx: Session, row: Outage, due_at: datetime) -> None:
    """The journal keeps whole milliseconds: a timer cut short would fire before its time and find nothing to do."""
    later = due_at + timedelta(milliseconds=1)
    timers.set_timer(tx, kind=TIMER, key=row.pk, due_at=later, authority=row.authority_id, mode=Mode(row.mode))


def _condition(state: domain.Outage) -> Condition:
    if state.down:
        return Condition.OUT
    if state.state is State.SUSPECTED:
        return Condition.SUSPECT
    return Condition.UNKNOWN if state.void and state.state is State.CLOSED else Condition.WORKING


def _set_condition(facility: Facility, condition: Condition, at: datetime) -> None:
    facility.condition, facility.condition_at = condition.value, at
    facility.save(update_fields=["condition", "condition_at"])
