"""Leases: half a minute of one camera for one viewer, renewed while the grant lives; and what was really shown."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache

from django.conf import settings
from joserfc.jwk import ECKey

from madang.identity.access import require
from madang.identity.rights import Actor, ActorKind, Right, Thing
from madang.journal import changes, civic, timers
from madang.journal.session import Session
from madang.kernel.decisions import Rejected
from madang.kernel.errors import NotFoundError
from madang.kernel.mode import Mode
from madang.video import domain, register
from madang.video.commands import grants
from madang.video.commands.refusals import refuse
from madang.video.commands.roster import roster_grant, shift_purposes
from madang.video.commands.sites import camera_for
from madang.video.domain import LIVE_STATES, GrantKind, LeaseAsked
from madang.video.lease_tokens import LeaseClaims, load_key, sign_lease
from madang.video.models import Camera, Lease, VideoGrant, ViewSession

CRASH_GRACE_S = 60
"""How long after a lease's end a view that was never reported stopped is closed as crashed."""


@dataclass(frozen=True, slots=True)
class LeaseTicket:
    """What a viewer needs to watch: the token goes into the first message to `url`, never into an address."""

    lease_id: str
    token: str = field(repr=False)
    url: str
    expires_at: datetime
    renew_after_s: int
    viewer_name: str
    incident: str
    mode: str


def open_lease(
    tx: Session, actor: Actor, *, camera_id: str, grant_id: str | None, viewer_name: str, now: datetime
) -> LeaseTicket:
    """Opens a lease under a grant the actor received, or (without one) under the actor's duty shift."""
    grant = _grant_to_use(actor, camera_id, grant_id, now)
    camera = _camera_of(grant, camera_id)
    asked = _asked(grant, camera, now)
    until = domain.decide_lease(asked, lease_s=grants.config().lease_s, now=now)
    if isinstance(until, Rejected):
        refuse(until)
    lease = Lease.objects.create(
        authority_id=grant.authority_id,
        grant=grant,
        camera=camera,
        viewer=actor.id,
        viewer_name=(viewer_name or actor.name)[:100],
        opened_at=now,
        expires_at=until,
        mode=grant.mode,
    )
    grants.first_view(tx, grant, actor.id, now)
    _audit(tx, lease, actor.id, "video.lease.opened", now)
    return _ticket(lease, now)


def renew_lease(tx: Session, actor: Actor, lease_id: str, now: datetime) -> LeaseTicket:
    """Half a minute more, if the lease has not ended and the grant still lives."""
    lease = _lease_for(actor, lease_id)
    _may_watch(actor, lease.grant)
    if lease.ended_at is not None or now >= lease.expires_at + timedelta(seconds=5):
        refuse(Rejected("lease_ended", {"why": lease.end_reason or "expired"}))
    asked = _asked(lease.grant, lease.camera, now, renewing=lease.pk)
    until = domain.decide_lease(asked, lease_s=grants.config().lease_s, now=now)
    if isinstance(until, Rejected):
        refuse(until)
    lease.expires_at = until
    lease.save(update_fields=["expires_at"])
    for view in lease.views.filter(ended_at=None):
        _watch_for_crash(tx, view, until)
    return _ticket(lease, now)


def close_lease(tx: Session, actor: Actor, lease_id: str, now: datetime) -> None:
    """The viewer is done. Closing what is closed does nothing."""
    lease = _lease_for(actor, lease_id)
    if lease.ended_at is None:
        grants.end_leases(Lease.objects.filter(pk=lease.pk), "closed", now)
        tx.wake("changes")
        _audit(tx, lease, actor.id, "video.lease.closed", now)


def _lease_for(actor: Actor, lease_id: str) -> Lease:
    lease = (
        Lease.objects.select_related("grant", "grant__case", "camera", "camera__site")
        .filter(pk=lease_id, viewer=actor.id)
        .first()
    )
    if lease is None:
        raise NotFoundError("there is no such lease of yours", ko="열람권을 찾을 수 없습니다.")
    return lease


def _grant_to_use(actor: Actor, camera_id: str, grant_id: str | None, now: datetime) -> VideoGrant:
    if grant_id is None:
        camera = camera_for(actor, camera_id, Right.VIEW_LIVE)
        grant = roster_grant(actor, camera.authority_id, now)
        if grant is None:
            refuse(Rejected("not_on_duty"))
        return grant
    row = grants.locked(grant_id)
    if row is None:
        raise NotFoundError("there is no such grant of yours", ko="영상 제공을 찾을 수 없습니다.")
    _may_watch(actor, row)
    return row


def _may_watch(actor: Actor, row: VideoGrant) -> None:
    """Asked again at each renewal: a role taken away takes the picture away."""
    if not received(actor, row):
        raise NotFoundError("there is no such grant of yours", ko="영상 제공을 찾을 수 없습니다.")
    agency = row.recipient_code if row.recipient_kind == "agency" else actor.agency
    require(actor, Right.VIEW_LIVE, Thing(row.authority_id, agency=agency))


def received(actor: Actor, row: VideoGrant) -> bool:
    """Whether the grant was given to this actor: its agency, its control room, its shift, its own broken glass."""
    if row.authority_id not in actor.authorities:
        return False
    if row.kind != GrantKind.CASE:
        return row.requested_by == actor.id
    if row.recipient_kind == "agency":
        return bool(actor.agency) and actor.agency == row.recipient_code
    return actor.kind is ActorKind.PERSON and not actor.agency


def _camera_of(grant: VideoGrant, camera_id: str) -> Camera:
    camera = (
        Camera.objects.select_related("site").filter(pk=camera_id, authority_id=grant.authority_id, active=True).first()
    )
    if camera is None:
        raise NotFoundError("there is no such camera", ko="카메라를 찾을 수 없습니다.")
    return camera


def _asked(grant: VideoGrant, camera: Camera, now: datetime, renewing: str = "") -> LeaseAsked:
    live = Lease.objects.filter(grant=grant, ended_at=None, expires_at__gt=now).exclude(pk=renewing)
    viewers = live.values("viewer", "viewer_name").distinct().count()
    return LeaseAsked(
        camera=camera.pk,
        camera_mode=Mode(camera.mode),
        camera_purpose=camera.site.purpose,
        grant=grants.as_domain(grant),
        viewers=viewers if grant.kind == GrantKind.CASE else 0,
        max_viewers=grant.max_viewers,
        roster_purposes=shift_purposes(grant),
    )


def _ticket(lease: Lease, now: datetime) -> LeaseTicket:
    case = lease.grant.case
    incident = (case.incident_number or case.incident_id) if case is not None else ""
    claims = LeaseClaims(
        lease_id=lease.pk,
        grant_id=lease.grant_id,
        camera_id=lease.camera_id,
        viewer=lease.viewer,
        viewer_name=lease.viewer_name,
        incident=incident,
        mode=lease.mode,
        issued_at=int(now.timestamp()),
        expires_at=int(lease.expires_at.timestamp()),
    )
    token = sign_lease(_signing_key(settings.MADANG_KEYS.lease_private_pem), claims)
    config = grants.config()
    return LeaseTicket(
        lease.pk,
        token,
        config.view_url,
        lease.expires_at,
        config.renew_after_s,
        lease.viewer_name,
        incident,
        lease.mode,
    )


@lru_cache(maxsize=4)
def _signing_key(pem: bytes) -> ECKey:
    return load_key(pem)


def start_view(tx: Session, *, lease_id: str, view_id: str, now: datetime) -> ViewSession | str:
    """The media gateway is about to show frames: recorded first. A reason text when it must not.

    Repeating it for the same view changes nothing.
    """
    known = ViewSession.objects.filter(pk=view_id).select_related("camera").first()
    if known is not None:
        return known if known.ended_at is None else "ended"
    lease = Lease.objects.select_related("grant", "grant__case", "camera", "camera__site").filter(pk=lease_id).first()
    why = not_showable(lease, now)
    if lease is None or why:
        return why
    view = ViewSession.objects.create(
        id=view_id,
        authority_id=lease.authority_id,
        lease=lease,
        grant=lease.grant,
        camera=lease.camera,
        viewer=lease.viewer,
        viewer_name=lease.viewer_name,
        started_at=now,
        mode=lease.mode,
    )
    _watch_for_crash(tx, view, lease.expires_at)
    _audit_view(tx, view, "video.view.started", now, {})
    changes.touch(tx, kind="grant", ref=lease.grant_id, authority=lease.authority_id, now=now)
    return view


def not_showable(lease: Lease | None, now: datetime) -> str:
    """Why no frame may be shown under the lease, or "". `expired`, `revoked` and `unknown` are the reasons."""
    if lease is None:
        return "unknown"
    if lease.ended_at is not None:
        return "revoked"
    if now >= lease.expires_at + timedelta(seconds=1):
        return "expired"
    grant = lease.grant
    if grant.state not in LIVE_STATES or grant.expires_at is None or now >= grant.expires_at:
        return "revoked"
    return "revoked" if grant.case is not None and grant.case.state != "open" else ""


def stop_view(
    tx: Session, *, view_id: str, now: datetime, seconds: float, bytes_sent: int, code: int, reason: str
) -> None:
    """The gateway reports a view's end. Repeating it, or reporting one already closed as crashed, changes nothing."""
    view = ViewSession.objects.select_related("grant").filter(pk=view_id).first()
    if view is None or (view.ended_at is not None and not view.crash_closed):
        return
    was_crashed = view.crash_closed
    view.ended_at = view.started_at + timedelta(seconds=max(seconds, 0.0)) if was_crashed else now
    view.seconds, view.bytes_sent, view.crash_closed = max(seconds, 0.0), max(bytes_sent, 0), False
    view.end_code, view.end_reason = code, reason[:120]
    view.save()
    timers.cancel_timer(tx, kind="video.view.crash", key=view_id)
    register.count_view(view)
    _audit_view(tx, view, "video.view.stopped", now, {"seconds": round(seconds, 1), "code": code, "reason": reason})
    changes.touch(tx, kind="grant", ref=view.grant_id, authority=view.authority_id, now=now)


def crash_close_view(tx: Session, view_id: str, now: datetime) -> None:
    """Nobody reported the end (timer): closed at the end of its last lease, marked as such."""
    view = ViewSession.objects.select_related("lease", "grant").filter(pk=view_id, ended_at=None).first()
    if view is None:
        return
    if view.lease.ended_at is None and view.lease.expires_at + timedelta(seconds=CRASH_GRACE_S) > now:
        _watch_for_crash(tx, view, view.lease.expires_at)
        return
    view.ended_at = max(view.started_at, min(view.lease.ended_at or view.lease.expires_at, view.lease.expires_at))
    view.seconds = (view.ended_at - view.started_at).total_seconds()
    view.crash_closed, view.end_reason = True, "not reported"
    view.save()
    register.count_view(view)
    _audit_view(tx, view, "video.view.crash_closed", now, {"seconds": round(view.seconds, 1)})
    changes.touch(tx, kind="grant", ref=view.grant_id, authority=view.authority_id, now=now)


def _watch_for_crash(tx: Session, view: ViewSession, lease_ends_at: datetime) -> None:
    timers.set_timer(
        tx,
        kind="video.view.crash",
        key=view.pk,
        due_at=lease_ends_at + timedelta(seconds=CRASH_GRACE_S),
        authority=view.authority_id,
        mode=Mode(view.mode),
    )


def _audit(tx: Session, lease: Lease, by: str, action: str, now: datetime) -> None:
    civic.audit(
        tx,
        authority=lease.authority_id,
        actor=by,
        action=action,
        thing=f"lease:{lease.pk}",
        mode=Mode(lease.mode),
        now=now,
        basis=lease.grant.basis,
        body={"camera": lease.camera_id, "grant": lease.grant_id, "viewer": lease.viewer_name},
    )


def _audit_view(tx: Session, view: ViewSession, action: str, now: datetime, more: dict[str, object]) -> None:
    civic.audit(
        tx,
        authority=view.authority_id,
        actor=view.viewer,
        action=action,
        thing=f"view:{view.pk}",
        mode=Mode(view.mode),
        now=now,
        basis=view.grant.basis,
        body={
            "camera": view.camera_id,
            "grant": view.grant_id,
            "lease": view.lease_id,
            "viewer": view.viewer_name,
            **more,
        },
    )
