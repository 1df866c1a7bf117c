"""Duty shifts: ordinary viewing of the city's own cameras for their own published purpose, live only."""

from __future__ import annotations

from datetime import datetime, timedelta

from madang.identity.access import require
from madang.identity.rights import Actor, ActorKind, Right, Thing
from madang.journal.session import Session
from madang.kernel.errors import BadRequestError, ForbiddenError, NotFoundError
from madang.kernel.mode import Mode
from madang.video.commands import grants
from madang.video.domain import LIVE_STATES, GrantEvent, GrantKind, GrantState, Moved, VideoRight
from madang.video.legal import LegalBasis
from madang.video.models import Camera, DutyShift, VideoGrant

_LIVE = [state.value for state in LIVE_STATES]


def start_shift(
    tx: Session, actor: Actor, authority: str, hours: float, now: datetime, purposes: tuple[str, ...] = ()
) -> DutyShift:
    """Someone takes up duty at the wall: a roster grant for that person until the shift ends. An earlier one ends."""
    require(actor, Right.VIEW_LIVE, Thing(authority, agency=actor.agency))
    if actor.kind is not ActorKind.PERSON or actor.agency:
        raise ForbiddenError("the city's own staff keep the roster", ko="관제 근무는 시 소속 직원만 할 수 있습니다.")
    length = timedelta(hours=hours)
    if not timedelta(0) < length <= timedelta(seconds=grants.config().max_shift_s):
        longest = grants.config().max_shift_s // 3_600
        raise BadRequestError(
            f"a shift lasts up to {longest} hours", where="hours", ko=f"근무는 최대 {longest}시간입니다."
        )
    end_shift(tx, actor, authority, now)
    row = _grant_row(actor, authority, now)
    moved = Moved(GrantEvent.APPROVE, by="roster", rule="roster", not_before=now, expires_at=now + length)
    grants.open_direct(tx, row, moved, (), now)
    return DutyShift.objects.create(
        authority_id=authority,
        person_id=actor.id.partition(":")[2],
        grant=row,
        from_at=now,
        to_at=now + length,
        accepted_at=now,
        purposes=list(purposes),
    )


def _grant_row(actor: Actor, authority: str, now: datetime) -> VideoGrant:
    return VideoGrant(
        authority_id=authority,
        kind=GrantKind.ROSTER,
        state=GrantState.REQUESTED,
        recipient_kind=grants.CONTROL_ROOM,
        recipient_code=authority,
        recipient_name="도시관제센터",
        agency_kind=grants.CONTROL_ROOM,
        rights=[VideoRight.LIVE.value],
        basis=LegalBasis.CITY_DUTY.value,
        purpose="설치 목적에 따른 일상 관제",
        max_viewers=1_000,
        requested_by=actor.id,
        requested_by_name=actor.name,
        requested_at=now,
        mode=_mode_of(authority),
    )


def _mode_of(authority: str) -> str:
    """A city all of whose cameras are simulated keeps a simulated roster."""
    cameras = Camera.objects.filter(authority_id=authority, active=True)
    real = cameras.filter(mode=Mode.LIVE).exists() or not cameras.exists()
    return Mode.LIVE.value if real else Mode.SIMULATED.value


def end_shift(tx: Session, actor: Actor, authority: str, now: datetime) -> None:
    """Ends the actor's running shifts and what they allowed; planned ones stay. Without one, nothing happens."""
    running = DutyShift.objects.select_related("grant").filter(
        authority_id=authority, person_id=actor.id.partition(":")[2], ended_at=None, accepted_at__isnull=False
    )
    for shift in running:
        shift.ended_at = min(now, shift.to_at)
        shift.save(update_fields=["ended_at"])
        if shift.grant is not None and shift.grant.state in _LIVE:
            grants.end_grant(tx, shift.grant, GrantEvent.REVOKE, by=actor.id, reason="shift ended", now=now)


def assign_shift(
    tx: Session, actor: Actor, authority: str, person_id: str, from_at: datetime, to_at: datetime, now: datetime
) -> DutyShift:
    """Plans a shift for someone; it allows nothing until that person accepts it by starting."""
    require(actor, Right.ASSIGN_ROSTER, Thing(authority))
    if not now <= to_at or not from_at < to_at:
        raise BadRequestError("a shift ends after it begins, and not in the past", where="to_at")
    from madang.identity.models import Person

    if not Person.objects.filter(pk=person_id, role_assignments__authority_id=authority).exists():
        raise NotFoundError("there is no such person in this city", ko="사람을 찾을 수 없습니다.")
    tx.wake("changes")
    return DutyShift.objects.create(authority_id=authority, person_id=person_id, from_at=from_at, to_at=to_at)


def on_duty(actor_id: str, authority: str, now: datetime) -> DutyShift | None:
    """The accepted shift someone is on now."""
    return (
        DutyShift.objects.select_related("grant")
        .filter(
            authority_id=authority,
            person_id=actor_id.partition(":")[2],
            ended_at=None,
            accepted_at__isnull=False,
            from_at__lte=now,
            to_at__gt=now,
        )
        .order_by("-from_at")
        .first()
    )


def roster_grant(actor: Actor, authority: str, now: datetime) -> VideoGrant | None:
    """The grant that goes with the actor's shift, or None when not on duty."""
    shift = on_duty(actor.id, authority, now)
    return shift.grant if shift is not None else None


def shift_purposes(grant: VideoGrant) -> frozenset[str]:
    """The purposes a roster grant is narrowed to; empty for all published ones."""
    if grant.kind != GrantKind.ROSTER:
        return frozenset()
    shift = DutyShift.objects.filter(grant=grant).first()
    return frozenset(map(str, shift.purposes)) if shift is not None else frozenset()
