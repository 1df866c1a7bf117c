"""Work orders: issued to a vendor or department, done, and verified by the thing itself or by another person."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from madang.facilities.commands import outages
from madang.facilities.commands.proof import TIMER, is_watched, move
from madang.facilities.commands.refusals import changed_meanwhile
from madang.facilities.commands.register import config, facility_for, record
from madang.facilities.domain import TRANSITIONS, State, Step
from madang.facilities.models import WorkOrder
from madang.facilities.orders import FEED, ORDER_ENDED, OrderMove, OrderState, OrderStep
from madang.identity.access import require
from madang.identity.rights import Actor, Right, Thing, system_actor
from madang.journal import timers
from madang.journal.handlers import Timer
from madang.journal.session import Session
from madang.kernel.clock import SEOUL
from madang.kernel.errors import BadRequestError, NotFoundError
from madang.kernel.mode import Mode

MOST_REFS = 20


@dataclass(frozen=True, slots=True)
class Part:
    """A thing used in the work."""

    name: str
    count: int = 1


@dataclass(frozen=True, slots=True)
class NewOrder:
    """What a manager asks for. `due_on` None takes the city's usual time."""

    facility_id: str
    assignee_kind: str
    assignee: str
    what: str
    due_on: date | None = None
    outage_id: str = ""
    parts: tuple[Part, ...] = ()


@dataclass(frozen=True, slots=True)
class WorkDone:
    """What was used and shown, as references to pictures kept elsewhere, never pictures themselves."""

    note: str = ""
    parts: tuple[Part, ...] = ()
    photos: tuple[str, ...] = ()


def issue_order(tx: Session, actor: Actor, wanted: NewOrder, now: datetime) -> WorkOrder:
    """Gives out work on a facility. It belongs to the outage named, or to the one that stands."""
    facility = facility_for(actor, wanted.facility_id, Right.MANAGE_FACILITIES, lock=True)
    if not wanted.assignee.strip() or not wanted.what.strip():
        raise BadRequestError("say who is to do what", where="assignee", ko="맡을 곳과 할 일을 모두 적으십시오.")
    open_ones = facility.outages.exclude(state__in=[State.CLOSED.value, State.CLEARED.value])
    outage = facility.outages.filter(pk=wanted.outage_id).first() if wanted.outage_id else open_ones.first()
    today = now.astimezone(SEOUL).date()
    order = WorkOrder.objects.create(
        authority_id=facility.authority_id,
        number=_next_number(facility.authority_id, today.year),
        facility=facility,
        outage=outage,
        state=OrderState.ISSUED.value,
        assignee_kind=wanted.assignee_kind,
        assignee=wanted.assignee.strip()[:100],
        what=wanted.what.strip()[:1000],
        due_on=wanted.due_on or today + timedelta(days=config().order_due_days),
        parts=_parts(wanted.parts),
        issued_by=actor.name[:100],
        issued_at=now,
        mode=facility.mode,
    )
    record(tx, actor, facility, "order_issued", now, {"order": order.number, "assignee": order.assignee})
    return order


def _next_number(authority: str, year: int) -> str:
    """W-2026-00001, one sequence a city and year; the writer's lock makes it safe."""
    prefix = f"W-{year}-"
    rows = WorkOrder.objects.filter(authority_id=authority, number__startswith=prefix)
    last = rows.order_by("-number").values_list("number", flat=True).first()
    return f"{prefix}{(int(last.removeprefix(prefix)) if last else 0) + 1:05d}"


def _parts(parts: Iterable[Part]) -> list[dict[str, object]]:
    return [{"name": part.name[:100], "count": part.count} for part in parts][:MOST_REFS]


def step_order(
    tx: Session,
    actor: Actor,
    order_id: str,
    step: OrderStep,
    now: datetime,
    *,
    reason: str = "",
    done: WorkDone | None = None,
    version: int | None = None,
) -> WorkOrder:
    """Takes a work order one step on. Done work on a watched thing waits for its feed; else another person verifies."""
    order = WorkOrder.objects.select_for_update().select_related("facility").filter(pk=order_id).first()
    if order is None:
        raise NotFoundError(ko="작업 지시를 찾을 수 없습니다.")
    require(actor, Right.MANAGE_FACILITIES, Thing(order.authority_id))
    if version is not None and version != order.version:
        raise changed_meanwhile(order.version)
    move(order, OrderMove(step, actor.name, reason), now)
    if step is OrderStep.FINISH:
        _finished(tx, order, done or WorkDone(note=reason), now)
    elif reason.strip():
        order.note = reason.strip()[:1000]
    order.save()
    if step in (OrderStep.START, OrderStep.ACCEPT):
        _outage_in_repair(tx, actor, order, now)
    record(tx, actor, order.facility, f"order_{step.value}", now, {"order": order.number, "reason": reason[:500]})
    return order


def _finished(tx: Session, order: WorkOrder, done: WorkDone, now: datetime) -> None:
    order.note = done.note.strip()[:1000] or order.note
    order.parts = _parts(done.parts) or order.parts
    order.photos = [ref[:300] for ref in done.photos][:MOST_REFS] or order.photos
    outage = order.outage
    if outage is not None and outage.state == State.CLOSED.value:
        return
    if outage is not None and is_watched(outage):
        due = now + timedelta(seconds=config().verify_within_s)
        mode = Mode(order.mode)
        timers.set_timer(tx, kind=TIMER, key=order.pk, due_at=due, authority=order.authority_id, mode=mode)


def _outage_in_repair(tx: Session, actor: Actor, order: WorkOrder, now: datetime) -> None:
    if order.outage is not None and Step.REPAIR in TRANSITIONS[State(order.outage.state)]:
        outages.step_outage(tx, actor, order.outage.pk, Step.REPAIR, order.number, now)


def overdue_proof(tx: Session, timer: Timer, now: datetime) -> None:
    """The journal's timer: work was reported done, and its feed has not come back. It is sent back."""
    order = WorkOrder.objects.select_for_update().select_related("facility").filter(pk=timer.key).first()
    if order is None or order.state != OrderState.DONE.value:
        return
    if order.outage is not None and order.outage.state == State.RESTORED.value:
        due = now + timedelta(seconds=config().verify_within_s)
        mode = Mode(order.mode)
        timers.set_timer(tx, kind=TIMER, key=order.pk, due_at=due, authority=order.authority_id, mode=mode)
        return
    reason = "완료 보고 뒤에도 신호가 돌아오지 않았습니다. Its feed did not come back."
    move(order, OrderMove(OrderStep.REJECT, FEED, reason), now)
    order.note = reason
    order.save()
    record(tx, system_actor(order.authority_id), order.facility, "order_sent_back", now, {"order": order.number})


OPEN_STATES = [state.value for state in OrderState if state not in ORDER_ENDED]
