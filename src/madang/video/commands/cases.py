"""Cases: the reason cameras around one place may be seen. Opened, moved and closed with their incident."""

from __future__ import annotations

from datetime import datetime

from madang.identity.rights import Actor, Right
from madang.journal import changes, civic
from madang.journal.session import Session
from madang.kernel.errors import ForbiddenError, NotFoundError
from madang.kernel.geometry import Point
from madang.kernel.mode import Mode
from madang.video.commands import grants
from madang.video.domain import OPEN_STATES, GrantEvent, GrantState
from madang.video.legal import LegalBasis
from madang.video.models import Case, VideoGrant


def open_case(
    tx: Session,
    *,
    authority: str,
    incident_id: str,
    basis: LegalBasis | str,
    purpose: str,
    place: Point | None,
    radius_m: float,
    mode: Mode,
    agency: str,
    now: datetime,
    incident_number: str = "",
) -> Case:
    """Opens the case of an incident, in the incident's own transaction. No frame is allowed by it alone."""
    case = Case.objects.create(
        authority_id=authority,
        incident_id=incident_id,
        incident_number=incident_number,
        agency=agency,
        basis=str(basis)[:30],
        purpose=purpose[:200],
        lon=place.lon if place else None,
        lat=place.lat if place else None,
        radius_m=min(max(radius_m, 10), grants.config().max_case_radius_m),
        opened_at=now,
        mode=mode.value,
    )
    _note(tx, case, f"agency:{agency}" if agency else "system:madang", "video.case.opened", now)
    return case


def move_case(
    tx: Session, case_id: str, place: Point, now: datetime, by: str = "system:madang", radius_m: float | None = None
) -> Case:
    """The place was found or mended: what rules granted follows it, what people granted for the old place stays.

    Grants that a rule answered and requests that wait are given the cameras of the new place, as a new version.
    """
    case = open_case_row(case_id)
    case.lon, case.lat = place.lon, place.lat
    if radius_m is not None:
        case.radius_m = min(max(radius_m, 10), grants.config().max_case_radius_m)
    case.save(update_fields=["lon", "lat", "radius_m"])
    _note(tx, case, by, "video.case.moved", now)
    for grant in case.grants.filter(state__in=[state.value for state in OPEN_STATES]):
        if grant.state == GrantState.PENDING_HUMAN or grant.decided_by.startswith(grants.RULE_PREFIX):
            grants.follow_case(tx, grant, case, by, now)
    return case


def close_case(tx: Session, actor: Actor, case_id: str, reason: str, now: datetime) -> None:
    """Ends the case with every grant and lease under it. Closing what is closed does nothing."""
    case = Case.objects.select_for_update().filter(pk=case_id).first()
    if case is None or case.authority_id not in actor.authorities:
        raise NotFoundError(ko="사건을 찾을 수 없습니다.")
    _may_close(actor, case)
    if case.state == "closed":
        return
    case.state, case.closed_at, case.close_reason = "closed", now, reason[:300]
    case.save(update_fields=["state", "closed_at", "close_reason"])
    _note(tx, case, actor.id, "video.case.closed", now, reason)
    for grant in VideoGrant.objects.filter(case=case, state__in=[state.value for state in OPEN_STATES]):
        grants.end_grant(tx, grant, GrantEvent.CLOSE_INCIDENT, by=actor.id, reason=reason or "incident closed", now=now)


def reopen_case(tx: Session, actor: Actor, case_id: str, reason: str, now: datetime) -> Case:
    """Opens a closed case again with its incident. Ended grants stay ended: they are asked for anew."""
    case = Case.objects.filter(pk=case_id).first()
    if case is None or case.authority_id not in actor.authorities:
        raise NotFoundError(ko="사건을 찾을 수 없습니다.")
    _may_close(actor, case)
    if case.state != "open":
        case.state, case.closed_at, case.close_reason = "open", None, ""
        case.save(update_fields=["state", "closed_at", "close_reason"])
        _note(tx, case, actor.id, "video.case.reopened", now, reason)
    return case


def _may_close(actor: Actor, case: Case) -> None:
    held = actor.rights_in(case.authority_id)
    if Right.WORK_INCIDENT in held or (Right.OPEN_INCIDENT in held and actor.agency == case.agency):
        return
    raise ForbiddenError("closing a case takes the right to work its incident", ko="이 사건을 처리할 권한이 없습니다.")


def open_case_row(case_id: str) -> Case:
    """The open case of that id; raises `NotFoundError`."""
    case = Case.objects.filter(pk=case_id, state="open").first()
    if case is None:
        raise NotFoundError("there is no open case by that id", ko="열린 사건을 찾을 수 없습니다.")
    return case


def _note(tx: Session, case: Case, by: str, action: str, now: datetime, reason: str = "") -> None:
    civic.audit(
        tx,
        authority=case.authority_id,
        actor=by,
        action=action,
        thing=f"case:{case.pk}",
        mode=Mode(case.mode),
        now=now,
        basis=case.basis,
        body={"incident_id": case.incident_id, "reason": reason},
        retention="video_provision",
    )
    changes.touch(tx, kind="case", ref=case.pk, authority=case.authority_id, now=now)
