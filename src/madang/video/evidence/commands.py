"""What changes evidence: taking, stopping, locking, unlocking, and the policy of the time before an event."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import Q

from madang.identity.access import require
from madang.identity.rights import Actor, Right, Thing
from madang.journal import changes, civic
from madang.journal.session import Session
from madang.kernel.decisions import Rejected
from madang.kernel.errors import BadRequestError, NotFoundError
from madang.kernel.ids import new_id
from madang.kernel.mode import Mode
from madang.video.commands.leases import not_showable, received
from madang.video.domain import LIVE_STATES, VideoRight, same_world
from madang.video.evidence import domain, record, vault
from madang.video.evidence.domain import HELD, UNDER_WAY, ItemState, Kind
from madang.video.evidence.models import Item, PastPolicy
from madang.video.evidence.refusals import refusal, refuse
from madang.video.models import Camera, Case, Lease, VideoGrant

_MEDIA_TYPE = {Kind.STILL: "image/jpeg", Kind.RECORDING: "video/mp4", Kind.PAST: "video/mp4"}


def take_still(tx: Session, actor: Actor, lease_id: str, reason: str, now: datetime) -> Item:
    """Keeps the picture a lease of the actor's shows now. Only under a grant of an incident, never on ordinary duty."""
    lease = Lease.objects.select_related("grant", "grant__case", "camera").filter(pk=lease_id, viewer=actor.id).first()
    if lease is None or lease.authority_id not in actor.authorities:
        raise NotFoundError("there is no such lease of yours", ko="열람권을 찾을 수 없습니다.")
    require(actor, Right.LOCK_EVIDENCE, Thing(lease.authority_id))
    case = lease.grant.case
    if case is None:
        refuse(Rejected("not_of_the_incident"))
    if not_showable(lease, now) or not lease.views.filter(ended_at=None).exists():
        refuse(Rejected("no_view"))
    return _want(tx, actor, Kind.STILL, case, lease.grant, lease.camera, reason, now, lease=lease)


def start_recording(
    tx: Session, actor: Actor, incident_id: str, camera_id: str, reason: str, now: datetime, seconds: float = 0
) -> Item:
    """Records a camera from now on, under a grant of the incident that includes `record`; at most `seconds`."""
    case = open_case_of(actor, incident_id)
    require(actor, Right.LOCK_EVIDENCE, Thing(case.authority_id))
    _need_reason(reason)
    grant, camera = _granted(actor, case, camera_id, {VideoRight.RECORD}, now)
    running = Item.objects.filter(camera=camera, case=case, kind=Kind.RECORDING, state__in=UNDER_WAY, halted_by="")
    if running.exists():
        refuse(Rejected("recording_already"))
    most = min(seconds or record.config().recording_s, record.config().recording_s)
    return _want(tx, actor, Kind.RECORDING, case, grant, camera, reason, now, most_s=most)


def stop_recording(tx: Session, actor: Actor, item_id: str, now: datetime) -> Item:
    """Ends a recording; what was taken so far is kept. Ending what has ended does nothing."""
    row = item_for(actor, item_id, Right.LOCK_EVIDENCE)
    if row.kind == Kind.RECORDING and row.state in UNDER_WAY and not row.halted_by:
        row.halted_by = actor.id
        row.save(update_fields=["halted_by"])
        record.note(tx, row, actor.id, "halted", now)
    return row


def keep_past(tx: Session, actor: Actor, incident_id: str, camera_id: str, reason: str, now: datetime) -> Item:
    """Keeps what a camera's ring holds of the time before, where its policy lets it hold anything."""
    case = open_case_of(actor, incident_id)
    require(actor, Right.LOCK_EVIDENCE, Thing(case.authority_id))
    _need_reason(reason)
    grant, camera = _granted(actor, case, camera_id, {VideoRight.RECORD, VideoRight.PLAYBACK}, now)
    seconds = past_seconds(camera)
    if seconds <= 0:
        refuse(Rejected("policy_off"))
    return _want(tx, actor, Kind.PAST, case, grant, camera, reason, now, most_s=seconds)


def _want(
    tx: Session,
    actor: Actor,
    kind: Kind,
    case: Case,
    grant: VideoGrant,
    camera: Camera,
    reason: str,
    now: datetime,
    *,
    lease: Lease | None = None,
    most_s: float = 0.0,
) -> Item:
    if vault.room_mb() < record.config().free_mb:
        refuse(Rejected("no_room"))
    ident = new_id()
    row = Item.objects.create(
        id=ident,
        authority_id=case.authority_id,
        kind=kind.value,
        state=ItemState.WANTED.value,
        case=case,
        incident_id=case.incident_id,
        grant=grant,
        lease=lease,
        camera=camera,
        camera_label=camera.label,
        taken_by=actor.id,
        taken_by_name=actor.name[:100],
        reason=reason.strip()[:300],
        wanted_at=now,
        most_s=most_s,
        media_type=_MEDIA_TYPE[kind],
        key_sealed=vault.new_key(ident),
        mode=grant.mode,
    )
    body = {"camera": camera.pk, "grant": grant.pk, "incident": case.incident_id, "reason": row.reason}
    record.note(tx, row, actor.id, f"{kind.value}_wanted", now, body)
    record.set_timer(tx, record.TAKE_TIMER, row, now + timedelta(seconds=record.config().take_within_s + most_s))
    return row


def open_case_of(actor: Actor, incident_id: str) -> Case:
    """The open video case of an incident in a city of the actor's."""
    case = (
        Case.objects.filter(incident_id=incident_id, authority_id__in=actor.authorities).order_by("-opened_at").first()
    )
    if case is None:
        raise NotFoundError("this incident has no video case", ko="영상 사건을 찾을 수 없습니다.")
    if case.state != "open":
        refuse(Rejected("case_closed"))
    return case


def _granted(
    actor: Actor, case: Case, camera_id: str, rights: set[VideoRight], now: datetime
) -> tuple[VideoGrant, Camera]:
    """A live grant the actor received that covers the camera with one of `rights`."""
    found = VideoGrant.objects.select_related("case").filter(
        case=case,
        state__in=[state.value for state in LIVE_STATES],
        expires_at__gt=now,
        grant_cameras__camera_id=camera_id,
        grant_cameras__until_version=None,
    )
    for grant in found.order_by("-expires_at"):
        if rights & {VideoRight(right) for right in grant.rights} and received(actor, grant):
            camera = Camera.objects.get(pk=camera_id)
            if same_world(Mode(camera.mode), Mode(grant.mode)):
                return grant, camera
    raise refusal(Rejected("no_grant", {"rights": sorted(right.value for right in rights)}))


def _need_reason(reason: str) -> None:
    if len(reason.strip()) < domain.REASON_CHARS:
        refuse(Rejected("reason_missing"))


def item_for(actor: Actor, item_id: str, right: Right) -> Item:
    """The item, locked for this transaction, if the actor may; another city's is not found."""
    row = (
        Item.objects.select_for_update(of=("self",))
        .select_related("grant", "case", "camera")
        .filter(pk=item_id, authority_id__in=actor.authorities)
        .first()
    )
    if row is None:
        raise NotFoundError("there is no such evidence", ko="증거를 찾을 수 없습니다.")
    require(actor, right, Thing(row.authority_id))
    return row


# ------------------------------------------------------------------------------------------------------- locks


def lock(tx: Session, actor: Actor, item_id: str, reason: str, until: datetime, now: datetime) -> Item:
    """Holds an item beyond its retention, until a stated time."""
    row = item_for(actor, item_id, Right.LOCK_EVIDENCE)
    decision = domain.lock(
        record.as_domain(row),
        by=actor.id,
        reason=reason,
        until=until,
        now=now,
        most_days=record.config().most_locked_days,
    )
    if isinstance(decision, Rejected):
        refuse(decision)
    row.locked_by, row.locked_by_name, row.locked_at = actor.id, actor.name[:100], now
    row.locked_until, row.lock_reason = until, reason.strip()[:300]
    row.save()
    record.note(tx, row, actor.id, "locked", now, {"reason": row.lock_reason, "until": until.isoformat()})
    return row


def unlock(tx: Session, actor: Actor, item_id: str, reason: str, now: datetime) -> Item:
    """Takes a lock off: never by who put it on. Retention goes on as if it had not been locked."""
    row = item_for(actor, item_id, Right.LOCK_EVIDENCE)
    decision = domain.unlock(record.as_domain(row), by=actor.id, reason=reason, now=now)
    if isinstance(decision, Rejected):
        refuse(decision)
    was = {"reason": reason.strip(), "locked_by": row.locked_by}
    row.locked_by, row.locked_by_name, row.locked_at, row.locked_until, row.lock_reason = "", "", None, None, ""
    row.save()
    record.set_timer(tx, record.ERASE_TIMER, row, max(row.keep_until or now, now))
    record.note(tx, row, actor.id, "unlocked", now, was)
    return row


# ------------------------------------------------------------------------------------- the time before an event


def past_seconds(camera: Camera) -> float:
    """How much of the time before an event this camera may hold; the camera's own rule goes before its purpose's."""
    own = PastPolicy.objects.filter(camera=camera).first()
    rule = (
        own
        or PastPolicy.objects.filter(
            Q(purpose=camera.site.purpose) & ~Q(purpose=""), authority_id=camera.authority_id, camera=None
        ).first()
    )
    return min(float(rule.seconds), record.config().past_s) if rule is not None else 0.0


def put_policy(
    tx: Session,
    actor: Actor,
    *,
    authority: str,
    camera_id: str | None,
    purpose: str,
    seconds: int,
    legal_note: str,
    now: datetime,
) -> PastPolicy:
    """Says how many seconds a camera, or every camera of a purpose, keeps in memory; 0 switches it off.

    Beyond 0 a legal note is needed: keeping pictures of everybody who passes is a processing of its own.
    """
    require(actor, Right.EDIT_RETENTION, Thing(authority))
    _check_policy(authority, camera_id, purpose, seconds, legal_note)
    known = {"camera_id": camera_id} if camera_id else {"camera": None, "purpose": purpose}
    row = PastPolicy.objects.filter(authority_id=authority, **known).first() or PastPolicy(
        authority_id=authority, **known
    )
    row.seconds, row.legal_note, row.set_by, row.set_at = seconds, legal_note.strip()[:300], actor.id, now
    row.save()
    civic.audit(
        tx,
        authority=authority,
        actor=actor.id,
        action="evidence.policy_set",
        thing=f"policy:{row.pk}",
        mode=Mode.LIVE,
        now=now,
        body={"camera": camera_id or "", "purpose": purpose, "seconds": seconds, "legal_note": row.legal_note},
        retention="administration",
    )
    changes.touch(tx, kind="evidence", ref=row.pk, authority=authority, now=now)
    return row


def _check_policy(authority: str, camera_id: str | None, purpose: str, seconds: int, legal_note: str) -> None:
    if bool(camera_id) == bool(purpose):
        raise BadRequestError(
            "name a camera or a purpose", where="camera", ko="카메라나 설치목적 가운데 하나를 정하십시오."
        )
    if camera_id and not Camera.objects.filter(pk=camera_id, authority_id=authority).exists():
        raise NotFoundError("there is no such camera", ko="카메라를 찾을 수 없습니다.")
    most = record.config().past_s
    if not 0 <= seconds <= most:
        raise BadRequestError(
            f"seconds must be 0 to {most:.0f}", where="seconds", ko=f"0초에서 {most:.0f}초 사이입니다."
        )
    if seconds and len(legal_note.strip()) < domain.REASON_CHARS:
        raise BadRequestError("a legal note is needed", where="legal_note", ko="법적 근거를 적으십시오.")


__all__ = [
    "HELD",
    "item_for",
    "keep_past",
    "lock",
    "open_case_of",
    "past_seconds",
    "put_policy",
    "start_recording",
    "stop_recording",
    "take_still",
    "unlock",
]
