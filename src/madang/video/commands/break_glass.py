"""Break-glass: ten minutes of a few cameras without a case, two others told at once, reviewed within a day."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from madang.identity.access import require
from madang.identity.models import Person, RoleAssignment
from madang.identity.rights import Actor, Right, Role, Thing
from madang.journal import changes, civic, outbox, timers
from madang.journal.session import Session
from madang.kernel.clock import instant_text
from madang.kernel.decisions import Rejected
from madang.kernel.errors import BadRequestError, NotFoundError
from madang.kernel.mode import Mode
from madang.video import domain
from madang.video.commands import grants
from madang.video.commands.refusals import refuse
from madang.video.domain import GrantKind, GrantState, VideoRight
from madang.video.models import BreakGlassReview, Camera, VideoGrant

_TOLD_FIRST = (Role.SUPERVISOR, Role.AUDITOR, Role.CITY_OFFICER, Role.ADMINISTRATOR)
_LEAST_TOLD = 2


def break_glass(tx: Session, actor: Actor, camera_ids: Sequence[str], reason: str, now: datetime) -> VideoGrant:
    """Opens the cameras at once for at most ten minutes; two others are notified and one must review it in time."""
    cameras = _cameras(camera_ids)
    authority = _authority_of(actor, cameras)
    config = grants.config()
    ids = [camera.pk for camera in cameras]
    refused = domain.decide_break_glass(
        reason=reason, cameras=frozenset(ids), max_cameras=config.break_glass_cameras, locked=_locked(actor)
    )
    told = _people_to_tell(authority, actor)
    if refused is None and len(told) < _LEAST_TOLD:
        refused = Rejected("nobody_to_notify", {"found": len(told)})
    if refused is not None:
        refuse(refused)
    row = _grant_row(actor, authority, cameras, reason, now)
    grant = domain.Grant(kind=GrantKind.BREAK_GLASS, requested_by=actor.id)
    decision = domain.broken_glass(
        grant, by=actor.id, reason=reason, duration_s=min(config.break_glass_s, 600), now=now
    )
    assert not isinstance(decision, Rejected)
    grants.open_direct(tx, row, decision.events[0], ids, now)
    _ask_for_review(tx, actor, row, told, now)
    return row


def _cameras(camera_ids: Sequence[str]) -> list[Camera]:
    wanted = list(dict.fromkeys(camera_ids))
    found = {camera.pk: camera for camera in Camera.objects.filter(pk__in=wanted[:100], active=True)}
    if set(wanted) - set(found):
        raise NotFoundError("some cameras do not exist", ko="카메라를 찾을 수 없습니다.")
    return [found[camera_id] for camera_id in wanted]


def _authority_of(actor: Actor, cameras: Sequence[Camera]) -> str:
    if not cameras:
        refuse(Rejected("no_cameras"))
    for camera in cameras:
        require(actor, Right.BREAK_GLASS, Thing(camera.authority_id, agency=actor.agency))
    if len({(camera.authority_id, camera.mode == Mode.LIVE) for camera in cameras}) > 1:
        raise BadRequestError("cameras of one city and one mode at a time", where="camera_ids")
    return cameras[0].authority_id


def _locked(actor: Actor) -> bool:
    return BreakGlassReview.objects.filter(actor=actor.id, overdue=True, reviewed_at=None).exists()


def _people_to_tell(authority: str, actor: Actor) -> list[str]:
    held = RoleAssignment.objects.filter(
        authority_id=authority, role__in=[role.value for role in _TOLD_FIRST], person__is_active=True
    ).exclude(person_id=actor.id.partition(":")[2])
    order = {role.value: rank for rank, role in enumerate(_TOLD_FIRST)}
    ranked = sorted(held.values_list("role", "person_id"), key=lambda found: order[found[0]])
    people = list(dict.fromkeys(person for _, person in ranked))
    supervisors = {person for role, person in ranked if role == Role.SUPERVISOR.value}
    return [person for rank, person in enumerate(people) if rank < _LEAST_TOLD or person in supervisors]


def _grant_row(actor: Actor, authority: str, cameras: Sequence[Camera], reason: str, now: datetime) -> VideoGrant:
    return VideoGrant(
        authority_id=authority,
        kind=GrantKind.BREAK_GLASS,
        state=GrantState.REQUESTED,
        recipient_kind=grants.CONTROL_ROOM,
        recipient_code=authority,
        recipient_name="도시관제센터",
        agency_kind=grants.CONTROL_ROOM,
        rights=[VideoRight.LIVE.value],
        basis="",
        purpose=reason[:200],
        requested_by=actor.id,
        requested_by_name=actor.name,
        requested_at=now,
        mode=cameras[0].mode,
    )


def _ask_for_review(tx: Session, actor: Actor, row: VideoGrant, told: Sequence[str], now: datetime) -> None:
    due_at = now + timedelta(seconds=grants.config().break_glass_review_s)
    review = BreakGlassReview.objects.create(
        authority_id=row.authority_id, grant=row, actor=actor.id, notified=list(told), due_at=due_at
    )
    mode = Mode(row.mode)
    timers.set_timer(
        tx, kind="video.break_glass.review", key=review.pk, due_at=due_at, authority=row.authority_id, mode=mode
    )
    outbox.announce(
        tx,
        topic="video.break_glass.opened",
        key=row.pk,
        body={
            "grant_id": row.pk,
            "actor": actor.id,
            "actor_name": actor.name,
            "notified": list(told),
            "review_due_at": instant_text(due_at),
        },
        authority=row.authority_id,
        mode=mode,
        now=now,
    )


def review_break_glass(tx: Session, actor: Actor, grant_id: str, verdict: str, note: str, now: datetime) -> None:
    """Another person judges a broken glass `justified` or `unjustified`."""
    review = BreakGlassReview.objects.select_related("grant").filter(grant_id=grant_id).first()
    if review is None:
        raise NotFoundError("there is no such break-glass view", ko="긴급 열람을 찾을 수 없습니다.")
    require(actor, Right.REVIEW_BREAK_GLASS, Thing(review.authority_id, requested_by=review.actor))
    if review.reviewed_at is not None:
        refuse(Rejected("already_reviewed"))
    if verdict not in ("justified", "unjustified"):
        raise BadRequestError("the verdict is justified or unjustified", where="verdict")
    review.verdict, review.note, review.reviewed_by, review.reviewed_at = verdict, note[:500], actor.id, now
    review.save()
    timers.cancel_timer(tx, kind="video.break_glass.review", key=review.pk)
    if review.overdue and verdict == "justified":
        _lock(review.actor, locked=False)
    _audit(tx, review, actor.id, "video.break_glass.reviewed", now, {"verdict": verdict, "note": note})
    changes.touch(tx, kind="grant", ref=grant_id, authority=review.authority_id, now=now)


def lock_unreviewed(tx: Session, review_id: str, now: datetime) -> None:
    """Nobody reviewed it in time (timer): the account that broke the glass is locked until it is found justified."""
    review = BreakGlassReview.objects.select_related("grant").filter(pk=review_id, reviewed_at=None).first()
    if review is None or review.overdue:
        return
    review.overdue = True
    review.save(update_fields=["overdue"])
    _lock(review.actor, locked=True)
    _audit(tx, review, "system:timer", "video.break_glass.locked", now, {"actor": review.actor})
    changes.touch(tx, kind="grant", ref=review.grant_id, authority=review.authority_id, now=now)


def _lock(actor: str, *, locked: bool) -> None:
    kind, _, person_id = actor.partition(":")
    if kind == "person":
        Person.objects.filter(pk=person_id).update(is_active=not locked)


def _audit(tx: Session, review: BreakGlassReview, by: str, action: str, now: datetime, body: dict[str, object]) -> None:
    civic.audit(
        tx,
        authority=review.authority_id,
        actor=by,
        action=action,
        thing=f"grant:{review.grant_id}",
        mode=Mode(review.grant.mode),
        now=now,
        body=body,
        retention="video_provision",
    )
