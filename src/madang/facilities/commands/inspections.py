"""Inspections: planned, recorded with their result, called off."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from madang.facilities.commands import outages
from madang.facilities.commands.refusals import changed_meanwhile
from madang.facilities.commands.register import config, facility_for, next_on, record
from madang.facilities.domain import Cause, Down, next_inspection_days
from madang.facilities.models import Facility, Inspection
from madang.identity.access import require
from madang.identity.rights import Actor, Right, Thing
from madang.journal.session import Session
from madang.kernel.clock import SEOUL
from madang.kernel.errors import BadRequestError, ConflictError, NotFoundError

RESULTS = ("pass", "fail")
MOST_PHOTOS = 20


@dataclass(frozen=True, slots=True)
class Result:
    """What an inspection found. `photos` are references to pictures kept elsewhere."""

    done_on: date
    result: str
    note: str = ""
    photos: tuple[str, ...] = ()


def plan_inspection(
    tx: Session, actor: Actor, facility_id: str, due_on: date, assigned_to: str, now: datetime
) -> Inspection:
    """Plans a look at a facility for a day; one planned before is moved."""
    facility = facility_for(actor, facility_id, Right.MANAGE_FACILITIES, lock=True)
    if due_on < now.astimezone(SEOUL).date():
        raise BadRequestError("that day has passed", where="due_on", ko="지난 날짜로는 예정할 수 없습니다.")
    planned = facility.inspections.filter(state="planned").first() or Inspection(
        facility=facility, authority_id=facility.authority_id, mode=facility.mode, version=0
    )
    planned.due_on, planned.assigned_to = due_on, assigned_to.strip()[:100]
    planned.version += 1
    planned.save()
    facility.next_inspection_on = due_on
    facility.save(update_fields=["next_inspection_on"])
    record(tx, actor, facility, "inspection_planned", now, {"due_on": due_on.isoformat(), "by": planned.assigned_to})
    return planned


def record_inspection(tx: Session, actor: Actor, facility_id: str, found: Result, now: datetime) -> Inspection:
    """Writes down what a look found: the planned one is done with it. A bad result opens an outage at once."""
    facility = facility_for(actor, facility_id, Right.MANAGE_FACILITIES, lock=True)
    _check(found, now)
    inspection = facility.inspections.filter(state="planned").first() or Inspection(
        facility=facility, authority_id=facility.authority_id, mode=facility.mode, version=0
    )
    inspection.state, inspection.done_on, inspection.result = "done", found.done_on, found.result
    inspection.note, inspection.photos = found.note.strip()[:1000], [ref[:300] for ref in found.photos][:MOST_PHOTOS]
    inspection.recorded_by, inspection.recorded_at = actor.name[:100], now
    inspection.version += 1
    inspection.save()
    _note_last(facility, found)
    if found.result == "fail":
        outages.sign(tx, facility, Down(Cause.INSPECTION, now, sure=True), now, text=inspection.note)
    record(tx, actor, facility, "inspected", now, {"result": found.result, "on": found.done_on.isoformat()})
    return inspection


def _check(found: Result, now: datetime) -> None:
    if found.result not in RESULTS:
        raise BadRequestError("the result is pass or fail", where="result", ko="결과는 정상 또는 불량입니다.")
    if found.done_on > now.astimezone(SEOUL).date():
        raise BadRequestError("that day has not come", where="done_on", ko="아직 오지 않은 날짜입니다.")
    if found.result == "fail" and not found.note.strip():
        raise BadRequestError("say what is wrong with it", where="note", ko="무엇이 불량인지 적으십시오.")


def _note_last(facility: Facility, found: Result) -> None:
    if facility.last_inspected_on is not None and found.done_on < facility.last_inspected_on:
        return
    days = next_inspection_days(facility.kind, config().inspect_every_days, facility.inspect_every_days)
    facility.last_inspected_on, facility.last_inspection_result = found.done_on, found.result
    facility.next_inspection_on = next_on(found.done_on, days)
    facility.save(update_fields=["last_inspected_on", "last_inspection_result", "next_inspection_on"])


def cancel_inspection(
    tx: Session, actor: Actor, inspection_id: str, reason: str, now: datetime, *, version: int | None = None
) -> Inspection:
    """Calls off a planned inspection; when the next is due follows from the last one again."""
    inspection = Inspection.objects.select_for_update().select_related("facility").filter(pk=inspection_id).first()
    if inspection is None:
        raise NotFoundError(ko="점검을 찾을 수 없습니다.")
    require(actor, Right.MANAGE_FACILITIES, Thing(inspection.authority_id))
    if version is not None and version != inspection.version:
        raise changed_meanwhile(inspection.version)
    if inspection.state != "planned":
        raise ConflictError("only a planned inspection can be called off", ko="예정된 점검만 취소할 수 있습니다.")
    if not reason.strip():
        raise BadRequestError("a reason is needed", where="reason", ko="사유를 적으십시오.")
    inspection.state, inspection.note = "cancelled", reason.strip()[:1000]
    inspection.version += 1
    inspection.save()
    facility = inspection.facility
    days = next_inspection_days(facility.kind, config().inspect_every_days, facility.inspect_every_days)
    facility.next_inspection_on = next_on(facility.last_inspected_on, days)
    facility.save(update_fields=["next_inspection_on"])
    record(tx, actor, facility, "inspection_cancelled", now, {"reason": reason[:300]})
    return inspection
