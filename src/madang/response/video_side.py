"""What an incident means for video: its case, the grants asked for, their end."""

from __future__ import annotations

from datetime import datetime

from madang.identity.rights import Actor, system_actor
from madang.journal.session import Session
from madang.kernel.geometry import Point
from madang.kernel.mode import Mode
from madang.response.classes import class_named
from madang.response.models import Incident
from madang.video import commands as video
from madang.video import queries as video_queries
from madang.video.commands.grants import scope_of
from madang.video.domain import OPEN_STATES, GrantState
from madang.video.legal import basis_of
from madang.video.models import Case, VideoGrant

OPERATOR_BASIS = "city_duty"
"""What an incident the control room opens by itself rests on, unless the operator names another ground."""
_MOST_OFFERED = 32
"""Cameras handed to the decision table, best first; its row says how many of them are granted."""


def open_video(tx: Session, actor: Actor, incident: Incident, now: datetime) -> bool:
    """Opens the incident's case and asks for its grants; False when no known legal basis was given (I1)."""
    basis = basis_of(incident.basis)
    if basis is None:
        return False
    case = video.open_case(
        tx,
        authority=incident.authority_id,
        incident_id=incident.id,
        incident_number=incident.number,
        basis=basis,
        purpose=purpose_of(incident),
        place=point_of(incident),
        radius_m=incident.radius_m,
        mode=Mode(incident.mode),
        agency=incident.agency,
        now=now,
    )
    incident.case_id = case.id
    if point_of(incident) is not None:
        ask_for_grants(tx, actor, incident, now)
    return True


def ask_for_grants(tx: Session, actor: Actor, incident: Incident, now: datetime) -> None:
    """Asks the decision table for the agency that called and for the control room."""
    cameras = offerable(incident.case_id)
    if incident.agency:
        _ask(tx, actor, incident, _agency(incident), cameras, now)
    asker = system_actor(incident.authority_id) if incident.agency else actor
    _ask(tx, asker, incident, _room(incident), cameras, now)


def ask_anew(tx: Session, actor: Actor, incident: Incident, now: datetime) -> None:
    """What is known now may change the answer: requests that wait are taken back and put again."""
    if not incident.case_id or point_of(incident) is None:
        return
    waiting = VideoGrant.objects.filter(case_id=incident.case_id, state=GrantState.PENDING_HUMAN.value)
    cameras = offerable(incident.case_id) if waiting.exists() else []
    for grant in waiting:
        of_agency = grant.recipient_kind == "agency"
        asker = actor if grant.requested_by == actor.id else system_actor(incident.authority_id)
        if grant.requested_by != asker.id:
            continue
        video.revoke_grant(tx, asker, grant.pk, "asked anew", now)
        _ask(tx, asker, incident, _agency(incident) if of_agency else _room(incident), cameras, now)


def _agency(incident: Incident) -> video.Recipient:
    return video.Recipient("agency", incident.agency)


def _room(incident: Incident) -> video.Recipient:
    return video.Recipient("control_room", incident.authority_id)


def _facts(incident: Incident) -> dict[str, str | int]:
    """What the decision table may be asked about an incident."""
    named = incident.class_code if incident.class_code != "unknown" else incident.class_text
    return {"crime_class": named, "code": incident.priority, "place_state": incident.place_state}


def offerable(case_id: str) -> list[str]:
    """The case's cameras, best first. Left out is what the store no longer has there: the ranking's index may lag."""
    ranked = [camera.id for camera in video_queries.rank_for_case(case_id, limit=_MOST_OFFERED)]
    scope = scope_of(Case.objects.get(pk=case_id), ranked)
    return [camera for camera in ranked if camera in scope.fit]


def _ask(
    tx: Session,
    actor: Actor,
    incident: Incident,
    recipient: video.Recipient,
    cameras: list[str],
    now: datetime,
) -> None:
    video.request_grant(
        tx,
        actor,
        case_id=incident.case_id,
        recipient=recipient,
        rights=("live",),
        camera_ids=cameras,
        facts=_facts(incident),
        now=now,
    )


def ask_agency_again(tx: Session, actor: Actor, incident: Incident, grant: VideoGrant, now: datetime) -> None:
    """The agency needs longer: the decision table is asked anew for what the grant covers now."""
    cameras = list(grant.grant_cameras.filter(until_version=None).order_by("rank").values_list("camera_id", flat=True))
    _ask(tx, actor, incident, _agency(incident), cameras, now)


def follow_place(tx: Session, actor: Actor, incident: Incident, now: datetime) -> None:
    """The place is known, or another: cameras are ranked anew, grants grow by a version, missing ones are asked for.

    While the place is not known again, what was granted stays as it was.
    """
    point = point_of(incident)
    if not incident.case_id or point is None:
        return
    video.move_case(tx, incident.case_id, point, now, by=actor.id, radius_m=incident.radius_m)
    standing = VideoGrant.objects.filter(case_id=incident.case_id, state__in=[state.value for state in OPEN_STATES])
    if not standing.exists():
        ask_for_grants(tx, actor, incident, now)


def reopen_video(tx: Session, actor: Actor, incident: Incident, reason: str, now: datetime) -> None:
    """The case of a reopened incident is open again; what ended stays ended and is asked for anew."""
    if not incident.case_id:
        open_video(tx, actor, incident, now)
        return
    video.reopen_case(tx, system_actor(incident.authority_id), incident.case_id, reason, now)
    point = point_of(incident)
    if point is not None:
        video.move_case(tx, incident.case_id, point, now, by=actor.id, radius_m=incident.radius_m)
        ask_for_grants(tx, system_actor(incident.authority_id), incident, now)


def end_video(tx: Session, incident: Incident, reason: str, now: datetime) -> None:
    """Ends every grant and lease of the incident's case."""
    if incident.case_id:
        video.close_case(tx, system_actor(incident.authority_id), incident.case_id, reason, now)


def purpose_of(incident: Incident) -> str:
    """What the register says the video was for."""
    named = class_named(incident.class_code if incident.class_code != "unknown" else incident.class_text)
    who = "112 신고" if incident.source == "police112" else "관제 사건"
    return f"{who} 대응: {named.ko}"


def point_of(incident: Incident) -> Point | None:
    """Where the incident is believed to be."""
    if incident.lon is None or incident.lat is None:
        return None
    return Point(incident.lon, incident.lat)
