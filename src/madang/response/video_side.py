"""What an incident means for video: its case, the grants asked for, their end."""

from __future__ import annotations

from datetime import datetime

from madang.identity.models import Agency
from madang.identity.rights import Actor, system_actor
from madang.journal.session import Session
from madang.kernel.geometry import Point
from madang.kernel.mode import Mode
from madang.response.classes import class_named
from madang.response.models import Incident
from madang.video import commands as video
from madang.video import queries as video_queries
from madang.video.legal import basis_of

OPERATOR_BASIS = "city_duty"
"""What an incident the control room opens by itself rests on, unless the operator names another ground."""


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
    cameras = [ranked.camera_id for ranked in video_queries.rank_for_case(incident.case_id)]
    facts: dict[str, str | int] = {
        "crime_class": incident.class_code if incident.class_code != "unknown" else incident.class_text,
        "code": incident.priority,
        "basis": incident.basis,
        "place_state": incident.place_state,
        "mode": incident.mode,
    }
    if incident.agency:
        recipient = video.Recipient("agency", incident.agency)
        _ask(tx, actor, incident, recipient, cameras, facts | {"agency_kind": agency_kind(incident.agency)}, now)
    room = video.Recipient("control_room", incident.authority_id)
    asker = system_actor(incident.authority_id) if incident.agency else actor
    _ask(tx, asker, incident, room, cameras, facts | {"agency_kind": "control_room"}, now)


def _ask(
    tx: Session,
    actor: Actor,
    incident: Incident,
    recipient: video.Recipient,
    cameras: list[str],
    facts: dict[str, str | int],
    now: datetime,
) -> None:
    video.request_grant(
        tx,
        actor,
        case_id=incident.case_id,
        recipient=recipient,
        rights=("live",),
        camera_ids=cameras,
        facts=facts,
        now=now,
    )


def follow_place(tx: Session, actor: Actor, incident: Incident, now: datetime) -> None:
    """The place is known, or another: cameras are ranked anew, grants grow by a version, missing ones are asked for."""
    point = point_of(incident)
    if not incident.case_id:
        return
    video.move_case(tx, incident.case_id, point, now)
    if point is not None and not video_queries.grants_of(incident.case_id):
        ask_for_grants(tx, actor, incident, now)


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


def agency_kind(code: str) -> str:
    """What kind of agency that is."""
    return Agency.objects.filter(code=code).values_list("kind", flat=True).first() or "other"
