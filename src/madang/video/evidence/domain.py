"""What may become of evidence: taken, kept, locked, handed over, erased. Pure decisions with explicit tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType

from madang.kernel.decisions import Accepted, Rejected

REASON_CHARS = 5
"""A reason shorter than this tells a reviewer nothing."""


class Kind(StrEnum):
    """What is kept."""

    STILL = "still"
    RECORDING = "recording"
    PAST = "past"


class ItemState(StrEnum):
    """Where a piece of evidence stands."""

    WANTED = "WANTED"
    TAKING = "TAKING"
    KEPT = "KEPT"
    PARTIAL = "PARTIAL"
    FAILED = "FAILED"
    ERASED = "ERASED"


class ItemEvent(StrEnum):
    """What moves it."""

    BEGIN = "begin"
    FINISH = "finish"
    BREAK = "break"
    FAIL = "fail"
    ERASE = "erase"


_S, _E = ItemState, ItemEvent
ITEM_STEPS: Mapping[tuple[ItemState, ItemEvent], ItemState] = MappingProxyType(
    {
        (_S.WANTED, _E.BEGIN): _S.TAKING,
        (_S.WANTED, _E.FAIL): _S.FAILED,
        (_S.TAKING, _E.FINISH): _S.KEPT,
        (_S.TAKING, _E.BREAK): _S.PARTIAL,
        (_S.TAKING, _E.FAIL): _S.FAILED,
        (_S.KEPT, _E.ERASE): _S.ERASED,
        (_S.PARTIAL, _E.ERASE): _S.ERASED,
    }
)
HELD = frozenset({_S.KEPT, _S.PARTIAL})
"""States in which there is something to look at, lock and hand over."""
UNDER_WAY = frozenset({_S.WANTED, _S.TAKING})


@dataclass(frozen=True, slots=True)
class Item:
    """What the rules need to know of a piece of evidence."""

    kind: Kind
    state: ItemState = ItemState.WANTED
    pieces: int = 0
    locked_by: str = ""
    locked_until: datetime | None = None
    keep_until: datetime | None = None

    def locked_at(self, now: datetime) -> bool:
        """Whether a lock holds it."""
        return self.locked_until is not None and now < self.locked_until


def step(item: Item, event: ItemEvent) -> Accepted[ItemState] | Rejected:
    """The next state, or `wrong_state`."""
    to = ITEM_STEPS.get((item.state, event))
    if to is None:
        return Rejected("wrong_state", {"state": item.state.value, "event": event.value})
    return Accepted((to,))


def take_piece(item: Item, number: int) -> Accepted[ItemState] | Rejected | None:
    """What a piece means: stored (accepted), stored before or too late (None), or one before it is missing."""
    if item.state not in UNDER_WAY or number < item.pieces:
        return None
    if number > item.pieces:
        return Rejected("piece_missing", {"wanted": item.pieces})
    return Accepted((_S.TAKING,))


def finish(item: Item, *, ok: bool, pieces: int) -> Accepted[ItemState] | Rejected | None:
    """What the end of a take means. A piece still missing is waited for; what is over stays as it is."""
    if item.state not in UNDER_WAY:
        return None
    if item.pieces < pieces:
        return Rejected("piece_missing", {"wanted": item.pieces})
    return Accepted((ended_as(item, ok=ok),))


def ended_as(item: Item, *, ok: bool) -> ItemState:
    """The state of an item of which no more comes. What was stored is never thrown away."""
    lost = item.pieces == 0 or (item.kind is Kind.STILL and not ok)
    return ITEM_STEPS[item.state, _E.FAIL if lost else _E.FINISH if ok else _E.BREAK]


def lock(
    item: Item, *, by: str, reason: str, until: datetime, now: datetime, most_days: int
) -> Accepted[Item] | Rejected:
    """Held beyond its retention, until a stated day. A lock is only ever lengthened by locking again."""
    if item.state not in HELD:
        return Rejected("nothing_held", {"state": item.state.value})
    if len(reason.strip()) < REASON_CHARS:
        return Rejected("reason_missing")
    if not now < until <= now + timedelta(days=most_days):
        return Rejected("until_out_of_bounds", {"most_days": most_days})
    if item.locked_until is not None and item.locked_at(now) and until < item.locked_until:
        return Rejected("lock_shortened", {"until": item.locked_until.isoformat()})
    return Accepted((replace(item, locked_by=by, locked_until=until),))


def unlock(item: Item, *, by: str, reason: str, now: datetime) -> Accepted[Item] | Rejected:
    """Taken off by somebody other than who put it on."""
    if not item.locked_at(now):
        return Rejected("not_locked")
    if by == item.locked_by:
        return Rejected("own_lock")
    if len(reason.strip()) < REASON_CHARS:
        return Rejected("reason_missing")
    return Accepted((replace(item, locked_by="", locked_until=None),))


def erase(item: Item, now: datetime, *, case_open: bool) -> Accepted[ItemState] | Rejected:
    """Retention is over: erased, unless a lock or the open case holds it (`held`, with when to look again)."""
    if item.state not in HELD:
        return Rejected("wrong_state", {"state": item.state.value})
    if item.locked_at(now) and item.locked_until is not None:
        return Rejected("held", {"again_at": item.locked_until})
    if item.keep_until is not None and now < item.keep_until:
        return Rejected("held", {"again_at": item.keep_until})
    if case_open:
        return Rejected("held", {"again_at": now + timedelta(days=1)})
    return Accepted((_S.ERASED,))


class ExportState(StrEnum):
    """Where a request to hand evidence over stands."""

    REQUESTED = "REQUESTED"
    APPROVED = "APPROVED"
    DENIED = "DENIED"
    WITHDRAWN = "WITHDRAWN"
    READY = "READY"
    FAILED = "FAILED"
    HANDED_OVER = "HANDED_OVER"
    LAPSED = "LAPSED"


class ExportEvent(StrEnum):
    """What moves it."""

    APPROVE = "approve"
    DENY = "deny"
    WITHDRAW = "withdraw"
    PACK = "pack"
    FAIL = "fail"
    HAND_OVER = "hand_over"
    LAPSE = "lapse"


_X, _V = ExportState, ExportEvent
EXPORT_STEPS: Mapping[tuple[ExportState, ExportEvent], ExportState] = MappingProxyType(
    {
        (_X.REQUESTED, _V.APPROVE): _X.APPROVED,
        (_X.REQUESTED, _V.DENY): _X.DENIED,
        (_X.REQUESTED, _V.WITHDRAW): _X.WITHDRAWN,
        (_X.REQUESTED, _V.LAPSE): _X.LAPSED,
        (_X.APPROVED, _V.PACK): _X.READY,
        (_X.APPROVED, _V.FAIL): _X.FAILED,
        (_X.APPROVED, _V.WITHDRAW): _X.WITHDRAWN,
        (_X.READY, _V.HAND_OVER): _X.HANDED_OVER,
        (_X.READY, _V.WITHDRAW): _X.WITHDRAWN,
        (_X.READY, _V.LAPSE): _X.LAPSED,
    }
)
EXPORT_OPEN = frozenset({_X.REQUESTED, _X.APPROVED, _X.READY})


@dataclass(frozen=True, slots=True)
class Export:
    """What the rules need to know of a request."""

    state: ExportState = ExportState.REQUESTED
    requested_by: str = ""


def decide_export(export: Export, event: ExportEvent, *, by: str, reason: str = "") -> Accepted[ExportState] | Rejected:
    """A step of a request. Nobody approves or denies their own; only who asked fetches and withdraws."""
    to = EXPORT_STEPS.get((export.state, event))
    if to is None:
        return Rejected("wrong_state", {"state": export.state.value, "event": event.value})
    own = by == export.requested_by
    if event in (_V.APPROVE, _V.DENY) and own:
        return Rejected("own_request")
    if event in (_V.HAND_OVER, _V.WITHDRAW) and not own:
        return Rejected("not_the_requester")
    if event is _V.DENY and len(reason.strip()) < REASON_CHARS:
        return Rejected("reason_missing")
    return Accepted((to,))
