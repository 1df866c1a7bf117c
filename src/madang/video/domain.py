"""When video may be seen: grants, leases, break-glass and roster, as pure decisions.

RESPONSE §5: `REQUESTED → PENDING_HUMAN | APPROVED | DENIED`; `APPROVED → ACTIVE → EXPIRED | REVOKED |
INCIDENT_CLOSED`; break-glass goes straight to `ACTIVE`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType

from madang.kernel.decisions import Accepted, Rejected
from madang.kernel.mode import Mode
from madang.video.decision_table import Outcome, Ruling
from madang.video.legal import NOT_FOR_OTHERS, LegalBasis, basis_of

__all__ = ["LegalBasis", "basis_of"]


class VideoRight(StrEnum):
    """What a grant may allow; each stands alone."""

    LIVE = "live"
    PLAYBACK = "playback"
    PTZ = "ptz"
    RECORD = "record"
    EXPORT = "export"


class GrantKind(StrEnum):
    """What a grant rests on (DESIGN §3 law 2)."""

    CASE = "case"
    ROSTER = "roster"
    BREAK_GLASS = "break_glass"


class GrantState(StrEnum):
    """Where a grant stands."""

    REQUESTED = "REQUESTED"
    PENDING_HUMAN = "PENDING_HUMAN"
    APPROVED = "APPROVED"
    DENIED = "DENIED"
    ACTIVE = "ACTIVE"
    EXPIRED = "EXPIRED"
    REVOKED = "REVOKED"
    INCIDENT_CLOSED = "INCIDENT_CLOSED"


class GrantEvent(StrEnum):
    """What moves a grant."""

    ASK = "ask"
    APPROVE = "approve"
    DENY = "deny"
    BREAK_GLASS = "break_glass"
    FIRST_VIEW = "first_view"
    EXPIRE = "expire"
    REVOKE = "revoke"
    CLOSE_INCIDENT = "close_incident"


_S, _E = GrantState, GrantEvent
TRANSITIONS: Mapping[tuple[GrantState, GrantEvent], GrantState] = MappingProxyType(
    {
        (_S.REQUESTED, _E.ASK): _S.PENDING_HUMAN,
        (_S.REQUESTED, _E.APPROVE): _S.APPROVED,
        (_S.REQUESTED, _E.DENY): _S.DENIED,
        (_S.REQUESTED, _E.BREAK_GLASS): _S.ACTIVE,
        (_S.PENDING_HUMAN, _E.APPROVE): _S.APPROVED,
        (_S.PENDING_HUMAN, _E.DENY): _S.DENIED,
        (_S.PENDING_HUMAN, _E.EXPIRE): _S.EXPIRED,
        (_S.PENDING_HUMAN, _E.REVOKE): _S.REVOKED,
        (_S.PENDING_HUMAN, _E.CLOSE_INCIDENT): _S.INCIDENT_CLOSED,
        (_S.APPROVED, _E.FIRST_VIEW): _S.ACTIVE,
        (_S.APPROVED, _E.EXPIRE): _S.EXPIRED,
        (_S.APPROVED, _E.REVOKE): _S.REVOKED,
        (_S.APPROVED, _E.CLOSE_INCIDENT): _S.INCIDENT_CLOSED,
        (_S.ACTIVE, _E.EXPIRE): _S.EXPIRED,
        (_S.ACTIVE, _E.REVOKE): _S.REVOKED,
        (_S.ACTIVE, _E.CLOSE_INCIDENT): _S.INCIDENT_CLOSED,
    }
)

LIVE_STATES = frozenset({_S.APPROVED, _S.ACTIVE})
"""States in which a lease may be opened."""
OPEN_STATES = frozenset({_S.REQUESTED, _S.PENDING_HUMAN}) | LIVE_STATES
ENDED_STATES = frozenset(GrantState) - OPEN_STATES


@dataclass(frozen=True, slots=True)
class Grant:
    """What the rules need to know of a grant. `cameras` is empty for a roster grant: it covers a purpose instead."""

    kind: GrantKind = GrantKind.CASE
    state: GrantState = GrantState.REQUESTED
    requested_by: str = ""
    decided_by: str = ""
    basis: LegalBasis | None = None
    case_open: bool = False
    rights: frozenset[VideoRight] = frozenset({VideoRight.LIVE})
    cameras: frozenset[str] = frozenset()
    scope: frozenset[str] = frozenset()
    not_before: datetime | None = None
    expires_at: datetime | None = None
    version: int = 1
    mode: Mode = Mode.LIVE

    def live_at(self, now: datetime) -> bool:
        """Whether a frame may be shown under it at `now`."""
        if self.state not in LIVE_STATES or self.expires_at is None or now >= self.expires_at:
            return False
        if self.not_before is not None and now < self.not_before:
            return False
        return self.case_open or self.kind is not GrantKind.CASE


@dataclass(frozen=True, slots=True)
class Moved:
    """A grant changed state, cameras, rights or end; the fields that are None stay as they were."""

    event: GrantEvent | None
    by: str
    reason: str = ""
    rule: str = ""
    expires_at: datetime | None = None
    not_before: datetime | None = None
    cameras: frozenset[str] | None = None
    rights: frozenset[VideoRight] | None = None
    conditions: tuple[str, ...] = field(default=())


Decision = Accepted[Moved] | Rejected


def evolve(grant: Grant, moved: Moved) -> Grant:
    """The grant after `moved`; raises `KeyError` for a step the table does not know."""
    state = grant.state if moved.event is None else TRANSITIONS[grant.state, moved.event]
    grown = moved.cameras is not None and grant.state in LIVE_STATES
    later = moved.event is None and moved.expires_at is not None
    return replace(
        grant,
        state=state,
        decided_by=moved.by if moved.event in _DECIDING else grant.decided_by,
        expires_at=moved.expires_at or grant.expires_at,
        not_before=moved.not_before or grant.not_before,
        cameras=grant.cameras if moved.cameras is None else moved.cameras,
        rights=grant.rights if moved.rights is None else moved.rights,
        version=grant.version + (1 if grown or later else 0),
    )


_DECIDING = frozenset({_E.APPROVE, _E.DENY, _E.BREAK_GLASS})


def step(grant: Grant, moved: Moved) -> Decision:
    """`moved` as a decision: refused with `wrong_state` where the table has no such step."""
    if moved.event is not None and (grant.state, moved.event) not in TRANSITIONS:
        return Rejected("wrong_state", {"state": grant.state.value, "event": moved.event.value})
    return Accepted((moved,))


def decide_request(grant: Grant, ruling: Ruling, *, cap_s: int, pending_s: int, now: datetime) -> Decision:
    """What the decision table's ruling makes of a request (I1, I2, I4). The rule is the approver (I5)."""
    if ruling.outcome is Outcome.DENY and grant.case_open:
        return step(grant, Moved(_E.DENY, by=ruling.rule, rule=ruling.rule, reason=ruling.why))
    if grant.case_open and grant.basis is None:
        return step(grant, Moved(_E.DENY, by="system:law", rule=ruling.rule, reason="no_lawful_basis"))
    refused = _lawful(grant)
    if refused is not None:
        return refused
    rights = grant.rights & frozenset(VideoRight(right) for right in ruling.rights)
    if not rights:
        return step(grant, Moved(_E.DENY, by=ruling.rule, rule=ruling.rule, reason="rights_not_granted"))
    if ruling.outcome is Outcome.ASK:
        until = now + timedelta(seconds=pending_s)
        asked = Moved(_E.ASK, by=ruling.rule, rule=ruling.rule, reason=ruling.why, rights=rights, expires_at=until)
        return step(grant, replace(asked, conditions=ruling.conditions))
    until = now + timedelta(seconds=min(cap_s, ruling.duration_s))
    approved = Moved(
        _E.APPROVE,
        by=ruling.rule,
        rule=ruling.rule,
        reason=ruling.why,
        rights=rights,
        not_before=now,
        expires_at=until,
        conditions=ruling.conditions,
    )
    return step(grant, approved)


def _lawful(grant: Grant) -> Rejected | None:
    """I1 (an open case and a basis) and I4 (cameras within the case's scope)."""
    if not grant.case_open:
        return Rejected("case_closed")
    if grant.basis is None:
        return Rejected("no_basis")
    outside = grant.cameras - grant.scope
    if outside:
        return Rejected("outside_scope", {"cameras": sorted(outside)[:20]})
    return None


def decide_human(
    grant: Grant, *, by: str, approve: bool, reason: str, rule: str, cap_s: int, duration_s: int, now: datetime
) -> Decision:
    """A person's answer to a pending request. Nobody approves what they asked for (I5)."""
    if grant.state is not _S.PENDING_HUMAN:
        return Rejected("wrong_state", {"state": grant.state.value})
    if not approve:
        return step(grant, Moved(_E.DENY, by=by, rule=rule, reason=reason))
    if by == grant.requested_by:
        return Rejected("own_request")
    refused = _lawful(grant)
    if refused is not None:
        return refused
    until = now + timedelta(seconds=min(cap_s, duration_s))
    return step(grant, Moved(_E.APPROVE, by=by, rule=rule, reason=reason, not_before=now, expires_at=until))


def decide_extend(grant: Grant, *, by: str, reason: str, cap_s: int, duration_s: int, now: datetime) -> Decision:
    """A later end as a new version, never beyond the cap from now; break-glass is never extended (I2)."""
    if not grant.live_at(now):
        return Rejected("wrong_state", {"state": grant.state.value})
    if grant.kind is not GrantKind.CASE:
        return Rejected("not_extendable", {"kind": grant.kind.value})
    if by == grant.requested_by:
        return Rejected("own_request")
    until = now + timedelta(seconds=min(cap_s, duration_s))
    if grant.expires_at is not None and until <= grant.expires_at:
        return Rejected("not_later", {"expires_at": grant.expires_at.isoformat()})
    return Accepted((Moved(event=None, by=by, reason=reason, expires_at=until),))


def decide_rescope(grant: Grant, *, by: str, cameras: frozenset[str], reason: str) -> Decision:
    """Other cameras as a new version, within the case's scope (I4)."""
    if grant.state not in OPEN_STATES:
        return Rejected("wrong_state", {"state": grant.state.value})
    outside = cameras - grant.scope
    if outside:
        return Rejected("outside_scope", {"cameras": sorted(outside)[:20]})
    if cameras == grant.cameras:
        return Accepted(())
    return Accepted((Moved(event=None, by=by, reason=reason, cameras=cameras),))


def decide_break_glass(*, reason: str, cameras: frozenset[str], max_cameras: int, locked: bool) -> Rejected | None:
    """Whether glass may be broken: a reason a reviewer can judge, few cameras, no review overdue."""
    if locked:
        return Rejected("review_overdue")
    if len(reason.strip()) < 5:
        return Rejected("reason_missing")
    if not cameras:
        return Rejected("no_cameras")
    if len(cameras) > max_cameras:
        return Rejected("too_many_cameras", {"max": max_cameras})
    return None


def broken_glass(grant: Grant, *, by: str, reason: str, duration_s: int, now: datetime) -> Decision:
    """A break-glass grant, live at once and for at most `duration_s` (ten minutes)."""
    until = now + timedelta(seconds=duration_s)
    return step(
        grant, Moved(_E.BREAK_GLASS, by=by, rule="break-glass", reason=reason, not_before=now, expires_at=until)
    )


@dataclass(frozen=True, slots=True)
class LeaseAsked:
    """What is known when someone wants to watch one camera now."""

    camera: str
    camera_mode: Mode
    camera_purpose: str
    grant: Grant
    viewers: int
    max_viewers: int
    roster_purposes: frozenset[str] = frozenset()


def decide_lease(asked: LeaseAsked, *, lease_s: int, now: datetime) -> datetime | Rejected:
    """The end of a new or renewed lease, or why there is none (I3). Live view only."""
    grant = asked.grant
    if not grant.live_at(now) or grant.expires_at is None:
        return Rejected("grant_not_live", {"state": grant.state.value})
    if VideoRight.LIVE not in grant.rights:
        return Rejected("right_not_granted", {"right": VideoRight.LIVE.value})
    refused = _camera_covered(asked)
    if refused is not None:
        return refused
    if not same_world(asked.camera_mode, grant.mode):
        return Rejected("mode_differs", {"camera": asked.camera_mode.value, "grant": grant.mode.value})
    if asked.viewers >= asked.max_viewers:
        return Rejected("too_many_viewers", {"max": asked.max_viewers})
    return min(now + timedelta(seconds=lease_s), grant.expires_at)


def same_world(camera: Mode, asked_for: Mode) -> bool:
    """Whether a camera may be shown: real ones for what is real only, and nothing else for it (DESIGN §3 law 5)."""
    return (camera is Mode.LIVE) == (asked_for is Mode.LIVE)


def _camera_covered(asked: LeaseAsked) -> Rejected | None:
    if asked.grant.kind is not GrantKind.ROSTER:
        covered = asked.camera in asked.grant.cameras
        return None if covered else Rejected("camera_not_granted")
    if not asked.camera_purpose:
        return Rejected("purpose_unknown")
    if asked.roster_purposes and asked.camera_purpose not in asked.roster_purposes:
        return Rejected("purpose_not_on_roster", {"purpose": asked.camera_purpose})
    return None


def usable_basis(text: str, recipient_kind: str) -> LegalBasis | None:
    """The ground `text` names if it can cover that recipient: the city's own duty never covers someone else."""
    basis = basis_of(text)
    if basis in NOT_FOR_OTHERS and recipient_kind != "control_room":
        return None
    return basis
