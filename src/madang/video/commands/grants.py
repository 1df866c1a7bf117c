"""Grants: asked for, ruled on by the decision table or a person, extended, ended. Each step is written everywhere."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import QuerySet

from madang.identity.access import require
from madang.identity.models import Agency
from madang.identity.rights import Actor, Right, Thing
from madang.journal import changes, civic, outbox, timers
from madang.journal.session import Session
from madang.kernel.clock import SEOUL, instant_text
from madang.kernel.decisions import Rejected
from madang.kernel.errors import BadRequestError, ForbiddenError, NotFoundError
from madang.kernel.geometry import Point, distance_m
from madang.kernel.mode import Mode
from madang.video import domain, register
from madang.video.commands import tables
from madang.video.commands.refusals import refuse
from madang.video.config import VideoConfig
from madang.video.decision_table import Fact, rule_on
from madang.video.domain import ENDED_STATES, GrantEvent, GrantKind, GrantState, Moved, VideoRight
from madang.video.models import Camera, Case, GrantVersion, Lease, VideoGrant

RULE_PREFIX = "video-grant@"
"""How `decided_by` begins when the decision table answered by itself."""
CONTROL_ROOM = "control_room"
_TOPIC = {
    GrantState.PENDING_HUMAN: "video.grant.pending",
    GrantState.APPROVED: "video.grant.approved",
    GrantState.DENIED: "video.grant.denied",
}


@dataclass(frozen=True, slots=True)
class Recipient:
    """Who gets to see: `agency` with its code, or the city's own `control_room` with the authority's code."""

    kind: str
    code: str


def config() -> VideoConfig:
    """The city's video settings."""
    value = settings.MADANG_VIDEO
    assert isinstance(value, VideoConfig)
    return value


def request_grant(
    tx: Session,
    actor: Actor,
    *,
    case_id: str,
    recipient: Recipient,
    rights: Collection[str],
    camera_ids: Sequence[str],
    facts: Mapping[str, Fact],
    now: datetime,
) -> VideoGrant:
    """Asks for video of a case; the published decision table answers APPROVED, PENDING_HUMAN or DENIED at once.

    Cameras beyond the row's number are left off the end, so give the best first. Raises `ForbiddenError` for cameras
    outside the case's radius, `ConflictError` for a closed case.
    """
    case = _case_for(actor, case_id, recipient)
    agency_kind, name = _recipient_of(recipient, case.authority_id)
    ids = list(dict.fromkeys(camera_ids))[: config().max_cameras_per_grant]
    told = _told(facts, case, agency_kind, len(ids), now)
    ruling = rule_on(tables.current(tx, case.authority_id, now), told)
    scope = scope_of(case, ids)
    fit = [camera for camera in ids if camera in scope.fit]
    row = _row(actor, case, recipient, now)
    row.agency_kind, row.recipient_name, row.rights = agency_kind, name, sorted(_rights(rights))
    row.facts = dict(told) | {"other_mode_left_out": len(scope.other_mode)}
    row.duration_s = ruling.duration_s or 1_800
    kept = fit[: ruling.max_cameras or len(fit)]
    asked = _as_domain(row, frozenset(kept) | scope.outside, scope.fit)
    decision = domain.decide_request(
        asked, ruling, cap_s=config().cap_s(agency_kind), pending_s=config().pending_s, now=now
    )
    if isinstance(decision, Rejected):
        refuse(decision)
    row.save(force_insert=True)
    _put_cameras(tx, row, kept, version=1)
    _announce(tx, row, "video.grant.requested", now)
    _apply(tx, row, asked, decision.events[0], now)
    return row


def _row(actor: Actor, case: Case, recipient: Recipient, now: datetime) -> VideoGrant:
    return VideoGrant(
        authority_id=case.authority_id,
        kind=GrantKind.CASE,
        case=case,
        state=GrantState.REQUESTED,
        recipient_kind=recipient.kind,
        recipient_code=recipient.code,
        basis=case.basis,
        purpose=case.purpose,
        max_viewers=config().max_viewers_per_grant,
        requested_by=actor.id,
        requested_by_name=actor.name,
        requested_at=now,
        mode=case.mode,
    )


def _case_for(actor: Actor, case_id: str, recipient: Recipient) -> Case:
    case = Case.objects.filter(pk=case_id).first()
    if case is None:
        raise NotFoundError(ko="사건을 찾을 수 없습니다.")
    require(actor, Right.REQUEST_GRANT, Thing(case.authority_id, agency=case.agency))
    if actor.agency and (recipient.kind, recipient.code) != ("agency", actor.agency):
        raise ForbiddenError("an agency asks for itself only", ko="기관은 자신을 위해서만 요청할 수 있습니다.")
    return case


def _recipient_of(recipient: Recipient, authority: str) -> tuple[str, str]:
    """The kind of agency and its name, for the decision table and the register."""
    if recipient.kind == CONTROL_ROOM:
        if recipient.code not in (authority, CONTROL_ROOM, ""):
            raise NotFoundError(ko="관제실을 찾을 수 없습니다.")
        return CONTROL_ROOM, "도시관제센터"
    agency = Agency.objects.filter(code=recipient.code, authority_id=authority, active=True).first()
    if recipient.kind != "agency" or agency is None:
        raise NotFoundError("there is no such recipient in this city", ko="받을 기관을 찾을 수 없습니다.")
    return agency.kind, agency.name_ko


def _rights(rights: Collection[str]) -> frozenset[VideoRight]:
    try:
        return frozenset(VideoRight(right) for right in rights)
    except ValueError:
        known = ", ".join(right.value for right in VideoRight)
        raise BadRequestError(f"rights must be among {known}", where="rights") from None


def _told(facts: Mapping[str, Fact], case: Case, agency_kind: str, cameras: int, now: datetime) -> dict[str, Fact]:
    """What the table is asked with: the caller's facts, then those only the platform may state."""
    return {
        **facts,
        "agency_kind": agency_kind,
        "basis": case.basis,
        "mode": case.mode,
        "hour": now.astimezone(SEOUL).hour,
        "cameras": cameras,
        "place_state": "located" if case.lon is not None else "unlocated",
    }


@dataclass(frozen=True, slots=True)
class Scope:
    """The cameras asked for, by whether the case's place and mode cover them."""

    fit: frozenset[str]
    outside: frozenset[str]
    other_mode: frozenset[str]


_SCOPE = ("pk", "mode", "authority_id", "active", "lon", "lat", "site__lon", "site__lat")


def scope_of(case: Case, camera_ids: Sequence[str]) -> Scope:
    """Sorts the cameras asked for: within the case's radius and of its mode, outside, or of another mode."""
    cameras = Camera.objects.filter(pk__in=camera_ids).values_list(*_SCOPE)
    fit: set[str] = set()
    other_mode: set[str] = set()
    for camera_id, mode, authority, active, *at in cameras:
        if authority == case.authority_id and active and _near(case, *_place(*at)):
            (fit if domain.same_world(Mode(mode), Mode(case.mode)) else other_mode).add(camera_id)
    return Scope(frozenset(fit), frozenset(set(camera_ids) - fit - other_mode), frozenset(other_mode))


def _near(case: Case, lon: float | None, lat: float | None) -> bool:
    if case.lon is None or case.lat is None or lon is None or lat is None:
        return False
    return distance_m(Point(case.lon, case.lat), Point(lon, lat)) <= case.radius_m * 1.02 + 5


def place_of(camera: Camera) -> tuple[float | None, float | None]:
    """A camera's own position, else its site's."""
    return _place(camera.lon, camera.lat, camera.site.lon, camera.site.lat)


def _place(
    lon: float | None, lat: float | None, site_lon: float | None, site_lat: float | None
) -> tuple[float | None, float | None]:
    return (lon, lat) if lon is not None and lat is not None else (site_lon, site_lat)


def decide_grant(tx: Session, actor: Actor, grant_id: str, approve: bool, reason: str, now: datetime) -> VideoGrant:
    """A person approves or denies a pending request; nobody approves their own (I5)."""
    row = grant_for(actor, grant_id, Right.APPROVE_GRANT)
    grant = _as_domain(row, _cameras_of(row), _cameras_of(row))
    decision = domain.decide_human(
        grant,
        by=actor.id,
        approve=approve,
        reason=reason,
        rule=row.rule,
        cap_s=config().cap_s(row.agency_kind),
        duration_s=row.duration_s,
        now=now,
    )
    if isinstance(decision, Rejected):
        refuse(decision)
    _apply(tx, row, grant, decision.events[0], now)
    return row


def extend_grant(
    tx: Session, actor: Actor, grant_id: str, reason: str, now: datetime, duration_s: int | None = None
) -> VideoGrant:
    """Sets a later end as a new version, within the cap for the recipient from now on (I2)."""
    row = grant_for(actor, grant_id, Right.APPROVE_GRANT)
    grant = _as_domain(row, _cameras_of(row), _cameras_of(row))
    wanted = duration_s or row.duration_s
    decision = domain.decide_extend(
        grant, by=actor.id, reason=reason, cap_s=config().cap_s(row.agency_kind), duration_s=wanted, now=now
    )
    if isinstance(decision, Rejected):
        refuse(decision)
    _apply(tx, row, grant, decision.events[0], now)
    register.lengthen(row)
    _announce(tx, row, "video.grant.extended", now)
    return row


def revoke_grant(tx: Session, actor: Actor, grant_id: str, reason: str, now: datetime) -> VideoGrant:
    """Ends a grant at once: by whoever may revoke, or by the one who asked for it."""
    row = locked(grant_id)
    own = row is not None and row.requested_by == actor.id
    if row is None or not own:
        row = grant_for(actor, grant_id, Right.REVOKE_GRANT)
    end_grant(tx, row, GrantEvent.REVOKE, by=actor.id, reason=reason, now=now)
    return row


def end_grant(tx: Session, row: VideoGrant, event: GrantEvent, *, by: str, reason: str, now: datetime) -> None:
    """Moves a grant to its end; raises `ConflictError` if it has ended already."""
    grant = _as_domain(row, frozenset(), frozenset())
    decision = domain.step(grant, Moved(event, by=by, reason=reason))
    if isinstance(decision, Rejected):
        refuse(decision)
    _apply(tx, row, grant, decision.events[0], now)


def follow_case(tx: Session, row: VideoGrant, case: Case, by: str, now: datetime) -> None:
    """Gives a grant the cameras of the case's new place, as a new version; leases of others end (I4)."""
    from madang.video.queries import rank_for_case

    limit = max(row.grant_cameras.filter(until_version=None).count(), config().offered_cameras)
    wanted = [ranked.id for ranked in rank_for_case(case.pk, limit)]
    scope = scope_of(case, wanted)
    kept = [camera for camera in wanted if camera in scope.fit]
    grant = _as_domain(row, _cameras_of(row), scope.fit)
    decision = domain.decide_rescope(grant, by=by, cameras=frozenset(kept), reason="place changed")
    if isinstance(decision, Rejected) or not decision.events:
        return
    _apply(tx, row, grant, decision.events[0], now)
    _put_cameras(tx, row, kept, version=row.version)
    gone = Lease.objects.filter(grant=row, ended_at=None).exclude(camera_id__in=kept)
    end_leases(gone, "place_changed", now)
    if row.state != GrantState.PENDING_HUMAN:
        register.rescope(row, len(kept))
        _announce(tx, row, "video.grant.extended", now)


def _put_cameras(tx: Session, row: VideoGrant, kept: Sequence[str], version: int) -> None:
    before = {link.camera_id: link for link in row.grant_cameras.filter(until_version=None)}
    for camera_id, link in before.items():
        if camera_id not in kept:
            link.until_version = version
            link.save(update_fields=["until_version"])
    tx.executemany(
        "INSERT INTO video_grantcamera (grant_id, camera_id, rank, since_version) VALUES (?, ?, ?, ?)",
        [(row.pk, camera_id, rank, version) for rank, camera_id in enumerate(kept) if camera_id not in before],
    )


def _cameras_of(row: VideoGrant) -> frozenset[str]:
    return frozenset(row.grant_cameras.filter(until_version=None).values_list("camera_id", flat=True))


def as_domain(row: VideoGrant) -> domain.Grant:
    """The grant as the rules see it, with its present cameras."""
    cameras = _cameras_of(row)
    return _as_domain(row, cameras, cameras)


def _as_domain(row: VideoGrant, cameras: frozenset[str], scope: frozenset[str]) -> domain.Grant:
    return domain.Grant(
        kind=GrantKind(row.kind),
        state=GrantState(row.state),
        requested_by=row.requested_by,
        decided_by=row.decided_by,
        basis=domain.usable_basis(row.basis, row.recipient_kind),
        case_open=row.case is not None and row.case.state == "open",
        rights=frozenset(VideoRight(right) for right in row.rights),
        cameras=cameras,
        scope=scope,
        not_before=row.not_before,
        expires_at=row.expires_at,
        version=row.version,
        mode=Mode(row.mode),
    )


def _apply(tx: Session, row: VideoGrant, before: domain.Grant, moved: Moved, now: datetime) -> None:
    """Writes a step to the row and everywhere it must be known: versions, register, leases, timer, audit, outbox."""
    after = domain.evolve(before, moved)
    row.state, row.version = after.state, after.version
    row.not_before, row.expires_at = after.not_before, after.expires_at
    row.rights = sorted(right.value for right in after.rights)
    if moved.rule:
        row.rule, row.conditions = moved.rule, list(moved.conditions) or row.conditions
    if moved.event in (GrantEvent.APPROVE, GrantEvent.DENY, GrantEvent.BREAK_GLASS):
        row.decided_by, row.decided_at, row.reason = moved.by, now, moved.reason[:500]
    elif moved.event is GrantEvent.ASK:
        row.reason = moved.reason[:500]
    if after.state in ENDED_STATES:
        row.ended_at, row.end_reason = now, moved.reason[:500]
    row.save()
    _write_version(row, moved, now)
    _follow(tx, row, moved, now)
    _audit(tx, row, moved, now)
    changes.touch(tx, kind="grant", ref=row.pk, authority=row.authority_id, now=now)


def _follow(tx: Session, row: VideoGrant, moved: Moved, now: datetime) -> None:
    if row.state in ENDED_STATES:
        timers.cancel_timer(tx, kind="video.grant.expire", key=row.pk)
        end_leases(row.leases.filter(ended_at=None), "grant_ended", now)
        register.close(row, now)
    elif row.expires_at is not None and moved.expires_at is not None:
        timers.set_timer(
            tx,
            kind="video.grant.expire",
            key=row.pk,
            due_at=row.expires_at,
            authority=row.authority_id,
            mode=Mode(row.mode),
        )
    if moved.event in (GrantEvent.APPROVE, GrantEvent.BREAK_GLASS):
        register.open_record(row, now)
    state = GrantState(row.state)
    if moved.event is GrantEvent.BREAK_GLASS:
        _announce(tx, row, "video.grant.approved", now)
    elif moved.event in (GrantEvent.ASK, GrantEvent.APPROVE, GrantEvent.DENY):
        _announce(tx, row, _TOPIC[state], now)
    elif state in ENDED_STATES:
        _announce(tx, row, "video.grant.ended", now, ending=True)


def end_leases(leases: QuerySet[Lease], reason: str, now: datetime) -> None:
    """Ends leases; the media link sees it within a second and stops their frames."""
    leases.update(ended_at=now, end_reason=reason[:40])


def _write_version(row: VideoGrant, moved: Moved, now: datetime) -> None:
    change: dict[str, object] = {"state": row.state, "rights": row.rights}
    if moved.expires_at is not None:
        change["expires_at"] = instant_text(moved.expires_at)
    if moved.cameras is not None:
        change["cameras"] = sorted(moved.cameras)
    GrantVersion.objects.create(
        grant=row,
        version=row.version,
        at=now,
        by=moved.by[:120],
        step=moved.event.value if moved.event else ("rescope" if moved.cameras is not None else "extend"),
        reason=moved.reason[:500],
        change=change,
    )


def _audit(tx: Session, row: VideoGrant, moved: Moved, now: datetime) -> None:
    civic.audit(
        tx,
        authority=row.authority_id,
        actor=moved.by or row.requested_by,
        action=f"video.grant.{moved.event.value if moved.event else 'changed'}",
        thing=f"grant:{row.pk}",
        mode=Mode(row.mode),
        now=now,
        basis=row.basis,
        body={
            "version": row.version,
            "state": row.state,
            "rule": row.rule,
            "facts": row.facts,
            "reason": moved.reason,
            "recipient": f"{row.recipient_kind}:{row.recipient_code}",
            "requested_by": row.requested_by,
            "cameras": sorted(moved.cameras) if moved.cameras is not None else sorted(_cameras_of(row)),
            "expires_at": instant_text(row.expires_at) if row.expires_at else None,
        },
        retention="video_provision",
    )


def _announce(tx: Session, row: VideoGrant, topic: str, now: datetime, *, ending: bool = False) -> None:
    incident = row.case.incident_id if row.case is not None else ""
    views, seconds = register.totals(row) if row.decided_at is not None and row.decided_at != now else (0, 0.0)
    outbox.announce(
        tx,
        topic=topic,
        key=incident or row.pk,
        subject=row.pk,
        body={
            "grant_id": row.pk,
            "kind": row.kind,
            "case_id": row.case_id,
            "incident_id": incident,
            "recipient_kind": row.recipient_kind,
            "recipient_code": row.recipient_code,
            "state": row.state,
            "version": row.version,
            "reason": row.end_reason or row.reason,
            "rights": row.rights,
            "expires_at": instant_text(row.expires_at) if row.expires_at else None,
            "views": views,
            "seconds": round(seconds, 1),
            "ending": ending,
        },
        authority=row.authority_id,
        mode=Mode(row.mode),
        now=now,
        ending=ending,
    )


def first_view(tx: Session, row: VideoGrant, by: str, now: datetime) -> None:
    """An approved grant is used for the first time: from now on it is ACTIVE."""
    if row.state == GrantState.APPROVED:
        _apply(tx, row, _as_domain(row, frozenset(), frozenset()), Moved(GrantEvent.FIRST_VIEW, by=by), now)


def expire_grant(tx: Session, grant_id: str, now: datetime) -> None:
    """Its time is over (timer). A grant that was extended meanwhile or has ended is left alone."""
    row = locked(grant_id)
    if row is None or row.state in ENDED_STATES or row.expires_at is None:
        return
    if row.expires_at > now + timedelta(milliseconds=500):
        return
    reason = "nobody decided in time" if row.state == GrantState.PENDING_HUMAN else "time over"
    end_grant(tx, row, GrantEvent.EXPIRE, by="system:timer", reason=reason, now=now)


def locked(grant_id: str) -> VideoGrant | None:
    """The grant, held against others until the transaction ends (on SQLite the transaction itself does that)."""
    rows = VideoGrant.objects.select_related("case").select_for_update(of=("self",))
    return rows.filter(pk=grant_id).first()


def grant_for(actor: Actor, grant_id: str, right: Right) -> VideoGrant:
    """The grant, if the actor may do this to it; another city's is not there, another agency's is refused."""
    row = locked(grant_id)
    if row is None:
        raise NotFoundError("there is no such grant", ko="영상 제공을 찾을 수 없습니다.")
    agency = row.case.agency if row.case is not None else ""
    require(actor, right, Thing(row.authority_id, agency=agency, requested_by=row.requested_by))
    return row


def open_direct(tx: Session, row: VideoGrant, moved: Moved, cameras: Sequence[str], now: datetime) -> VideoGrant:
    """Writes a grant that no table rules on: roster and break-glass."""
    before = _as_domain(row, frozenset(cameras), frozenset(cameras))
    row.save(force_insert=True)
    _put_cameras(tx, row, cameras, version=1)
    _announce(tx, row, "video.grant.requested", now)
    _apply(tx, row, before, moved, now)
    return row
