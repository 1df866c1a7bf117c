"""What people do about signals: split an event out, merge incidents, report by hand. Shelving is in `shelves`."""

from __future__ import annotations

from datetime import datetime

import msgspec

from madang.identity.access import require
from madang.identity.rights import Actor, Right, Thing
from madang.journal import changes, civic
from madang.journal.session import Session
from madang.kernel.errors import BadRequestError, ConflictError, NotFoundError
from madang.kernel.geometry import Point
from madang.kernel.ids import new_id
from madang.kernel.mode import Mode
from madang.response import commands as response
from madang.response import timeline
from madang.response.domain import SaidPlace
from madang.response.models import Incident
from madang.response.record import save
from madang.response.signals.domain import BY_HAND, Source
from madang.response.signals.intake import Answer, Draft, Receipt, accept
from madang.response.signals.memory import EVENT_CHANGED
from madang.response.signals.models import Event, Signal
from madang.response.signals.opening import incident_key, open_event
from madang.response.signals.shelves import shelve, unshelve
from madang.response.timeline import Line

__all__ = ["Report", "merge", "report", "shelve", "split", "unshelve"]


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What a citizen told the operator, or the operator saw. `report_id` makes sending it twice harmless."""

    authority: str
    mode: Mode
    class_code: str
    informant: str = Source.OPERATOR.value
    priority: int | None = None
    place: Point | None = None
    address: str = ""
    text: str = ""
    observed_at: datetime | None = None
    report_id: str = ""


def report(tx: Session, actor: Actor, told: Report, now: datetime) -> Answer:
    """Takes a report by hand: it joins what is already known there, or opens an incident no cap holds back."""
    if told.informant not in (Source.OPERATOR, Source.CITIZEN):
        raise BadRequestError("a report is an operator's or a citizen's", where="informant", ko="제보자를 고르십시오.")
    device = actor.id if actor.id.startswith(BY_HAND) else BY_HAND + actor.id
    draft = Draft(
        authority=told.authority,
        mode=told.mode,
        source=told.informant,
        source_id=told.report_id or new_id(),
        device=device,
        class_code=told.class_code,
        observed_at=told.observed_at or _told_before(told, device) or _whole_ms(now),
        lon=told.place.lon if told.place else None,
        lat=told.place.lat if told.place else None,
        accuracy_m=None,
        address=told.address,
        priority=told.priority,
        text=told.text,
    )
    answer = accept(tx, actor, [draft], now)[0]
    if answer.receipt is Receipt.REFUSED:
        raise BadRequestError(answer.reason, where="report", ko="입력한 내용을 확인하십시오.")
    if answer.receipt is Receipt.CONFLICTING:
        raise ConflictError(answer.reason, where="report_id", ko="같은 번호로 다른 내용이 이미 접수되었습니다.")
    return answer


def _whole_ms(now: datetime) -> datetime:
    """To the millisecond, as the table keeps it."""
    return now.replace(microsecond=now.microsecond // 1000 * 1000)


def _told_before(told: Report, device: str) -> datetime | None:
    """When the same report was taken the first time: sent again, it says the same."""
    if not told.report_id:
        return None
    rows = Signal.objects.filter(
        authority_id=told.authority,
        mode=told.mode.value,
        source=told.informant,
        device=device,
        source_id=told.report_id,
    )
    at = rows.values_list("observed_at", flat=True).first()
    return None if at is None else datetime.fromisoformat(at)


def split(tx: Session, actor: Actor, event_id: str, reason: str, now: datetime) -> Incident:
    """Gives an event an incident of its own: out of a storm, or out of an incident it was wrongly merged into."""
    event, before = _standing(actor, event_id)
    if not reason.strip():
        raise BadRequestError("a reason is needed", where="reason", ko="사유를 입력하십시오.")
    in_storm = event.incident_id == event.storm_id
    alone = not in_storm and not Event.objects.filter(incident_id=before.pk).exclude(pk=event.pk).exists()
    if alone:
        raise ConflictError("the event has an incident of its own", ko="이미 독립된 사건입니다.")
    incident = open_event(
        tx,
        actor,
        city=str(event.authority_id),
        mode=Mode(event.mode),
        class_code=event.class_code,
        priority=event.priority,
        place=SaidPlace(event.lon, event.lat, event.accuracy_m, event.address),
        key=incident_key(event.id, event.splits),
        note=event.text,
        now=now,
    )
    incident.parent = before if in_storm else None
    _carry_over(tx, actor, event, before, incident, reason.strip()[:500], now)
    return incident


def _standing(actor: Actor, event_id: str) -> tuple[Event, Incident]:
    event = Event.objects.select_for_update().filter(pk=event_id).first()
    if event is None:
        raise NotFoundError(ko="사안을 찾을 수 없습니다.")
    require(actor, Right.WORK_INCIDENT, Thing(str(event.authority_id), agency=actor.agency))
    return event, Incident.objects.select_for_update().get(pk=event.incident_id)


def _carry_over(
    tx: Session, actor: Actor, event: Event, before: Incident, after: Incident, reason: str, now: datetime
) -> None:
    """Moves the event's figures, and says on both timelines what was done."""
    before.signal_count = max(0, before.signal_count - event.signals)
    after.signal_count += event.signals
    after.last_signal_at = datetime.fromisoformat(event.last_at)
    event.incident_id = after.pk
    event.splits += 1
    event.save(update_fields=["incident_id", "splits"])
    facts = {"event": event.pk, "from": before.pk, "into": after.pk, "reason": reason}
    out = Line("split_out", f"{after.number}(으)로 분리: {reason}", f"Split out as {after.number}: {reason}", facts)
    into = Line("split_from", f"{before.number}에서 분리: {reason}", f"Split from {before.number}: {reason}", facts)
    timeline.append(before, out, actor=actor.id, actor_name=actor.name, now=now)
    timeline.append(after, into, actor=actor.id, actor_name=actor.name, now=now)
    save(tx, before, now)
    save(tx, after, now)
    changes.touch(tx, kind="shelf", ref=EVENT_CHANGED + event.pk, authority=str(event.authority_id), now=now)
    civic.audit(
        tx,
        authority=str(event.authority_id),
        actor=actor.id,
        action="signals.split",
        thing=f"event:{event.pk}",
        mode=Mode(event.mode),
        now=now,
        body=facts,
        retention="incident",
    )


def merge(tx: Session, actor: Actor, incident_id: str, into_id: str, now: datetime) -> Incident:
    """Makes one incident of two, with their events; each can be split out again. Returns the one that is over."""
    gone = response.merge(tx, actor, incident_id, into_id, now)
    moved = list(Event.objects.filter(incident_id=incident_id).values_list("pk", flat=True))
    Event.objects.filter(pk__in=moved).update(incident_id=into_id)
    into = Incident.objects.select_for_update().get(pk=into_id)
    into.signal_count += gone.signal_count
    last = [at for at in (into.last_signal_at, gone.last_signal_at) if at is not None]
    into.last_signal_at = max(last, default=None)
    save(tx, into, now)
    for event_id in moved:
        changes.touch(tx, kind="shelf", ref=EVENT_CHANGED + event_id, authority=gone.authority_id, now=now)
    return gone
