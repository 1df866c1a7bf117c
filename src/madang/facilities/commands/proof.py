"""When work counts as proven: what moves an order, and how a thing that works again verifies it."""

from __future__ import annotations

from datetime import datetime

from madang.facilities.commands.refusals import refuse
from madang.facilities.domain import Cause
from madang.facilities.models import Outage, WorkOrder
from madang.facilities.orders import FEED, OrderMove, OrderState, OrderStep, decide_order
from madang.journal import timers
from madang.journal.session import Session
from madang.kernel.decisions import Rejected

TIMER = "facilities.order"


def move(order: WorkOrder, step: OrderMove, now: datetime) -> None:
    """Takes a work order one step on, or raises why not. The caller saves it."""
    decided = decide_order(OrderState(order.state), step, done_by=order.done_by)
    if isinstance(decided, Rejected):
        refuse(decided)
    for event in decided.events:
        order.state = event.state.value
    order.version += 1
    if step.step is OrderStep.FINISH:
        order.done_by, order.done_at = step.by[:100], now
    if step.step is OrderStep.VERIFY:
        order.verified_by, order.verified_at = step.by[:100], now


def is_watched(outage: Outage) -> bool:
    """Whether the thing itself can show that it works again; what a person reported only a person can verify."""
    return outage.cause not in (Cause.REPORTED.value, Cause.INSPECTION.value, Cause.OTHER.value)


def verify_by_feed(tx: Session, outage: Outage, now: datetime) -> None:
    """An outage has closed because the thing works: work on it that was reported done is verified."""
    if outage.void or not is_watched(outage):
        return
    for order in outage.orders.select_for_update().filter(state=OrderState.DONE.value):
        move(order, OrderMove(OrderStep.VERIFY, FEED), now)
        order.save()
        timers.cancel_timer(tx, kind=TIMER, key=order.pk)
