"""A work order from hand to hand: issued, taken on, worked on, done, and verified by the thing working again. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from madang.kernel.decisions import Accepted, Rejected


class OrderState(StrEnum):
    """Where a work order stands."""

    ISSUED = "issued"
    ACCEPTED = "accepted"
    WORKING = "working"
    DONE = "done"
    VERIFIED = "verified"
    CANCELLED = "cancelled"


class OrderStep(StrEnum):
    """What moves a work order."""

    ACCEPT = "accept"
    START = "start"
    FINISH = "finish"
    VERIFY = "verify"
    REJECT = "reject"
    CANCEL = "cancel"


_S, _T = OrderState, OrderStep
_WORK: Mapping[OrderStep, OrderState] = {_T.FINISH: _S.DONE, _T.CANCEL: _S.CANCELLED}
ORDER_TRANSITIONS: Mapping[OrderState, Mapping[OrderStep, OrderState]] = MappingProxyType(
    {
        _S.ISSUED: {_T.ACCEPT: _S.ACCEPTED, _T.START: _S.WORKING, **_WORK},
        _S.ACCEPTED: {_T.START: _S.WORKING, **_WORK},
        _S.WORKING: _WORK,
        _S.DONE: {_T.VERIFY: _S.VERIFIED, _T.REJECT: _S.WORKING, _T.CANCEL: _S.CANCELLED},
        _S.VERIFIED: {},
        _S.CANCELLED: {},
    }
)
ORDER_ENDED = frozenset({OrderState.VERIFIED, OrderState.CANCELLED})
FEED = "feed"
"""Who verifies where the thing's own feed does."""


@dataclass(frozen=True, slots=True)
class OrderMove:
    """A step by somebody; `by` is `FEED` when the thing itself has shown that it works."""

    step: OrderStep
    by: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Ordered:
    """The step was taken."""

    step: OrderStep
    state: OrderState


def decide_order(state: OrderState, move: OrderMove, *, done_by: str = "") -> Accepted[Ordered] | Rejected:
    """Whether a step may be taken. Nobody verifies their own work; sending work back and cancelling need a reason."""
    to = ORDER_TRANSITIONS[state].get(move.step)
    if to is None:
        return Rejected("not_now", {"step": move.step.value, "state": state.value})
    if move.step is OrderStep.VERIFY and move.by == done_by:
        return Rejected("own_work")
    if move.step in (OrderStep.REJECT, OrderStep.CANCEL) and not move.reason.strip():
        return Rejected("reason_needed", {"step": move.step.value})
    return Accepted((Ordered(move.step, to),))
