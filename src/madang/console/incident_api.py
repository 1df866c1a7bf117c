"""The queue and the incident panel: what stands, what happened, and what a person does about it."""

from __future__ import annotations

from typing import Literal, TypedDict

from ninja import Router, Schema
from pydantic import Field

from madang.console.projection import (
    RankedRow,
    cameras_of,
    grant_rows,
    incident_rows,
    ranked_rows,
    task_rows,
    timeline_rows,
    visible_grants,
    visible_incidents,
)
from madang.console.seat import SeatedRequest, demand
from madang.console.sight import Viewer
from madang.console.snapshot import Snapshot, snapshot
from madang.identity.office import mode_banner
from madang.identity.rights import Right
from madang.journal import civic
from madang.kernel.clock import system_clock
from madang.kernel.errors import BadRequestError, ForbiddenError, NotFoundError
from madang.kernel.geometry import Point
from madang.kernel.mode import Mode
from madang.response import commands as response
from madang.response.domain import SaidPlace
from madang.response.models import Incident
from madang.response.queries import JsonRow
from madang.video import queries as video_queries
from madang.video.domain import LIVE_STATES
from madang.video.models import VideoGrant

router = Router(tags=["incidents"])
OFFERED = 24


class NewIncident(Schema):
    class_code: str = Field(min_length=1, max_length=64)
    priority: int = Field(ge=0, le=4)
    lon: float | None = Field(default=None, allow_inf_nan=False)
    lat: float | None = Field(default=None, allow_inf_nan=False)
    address: str = Field(default="", max_length=500)
    note: str = Field(default="", max_length=4000)


class Deed(Schema):
    """What a person does to an incident; `version` refuses a decision made on an old picture."""

    reason: str = Field(default="", max_length=500)
    text: str = Field(default="", max_length=4000)
    lon: float | None = Field(default=None, allow_inf_nan=False)
    lat: float | None = Field(default=None, allow_inf_nan=False)
    how: str = Field(default="map", max_length=20)
    take_over: bool = False
    version: int | None = None


class Caller(TypedDict):
    phone: str
    name: str


Step = Literal["claim", "verify", "activate", "stabilise", "dismiss", "close", "reopen", "note", "locate"]


@router.get("/snapshot")
def everything(request: SeatedRequest) -> Snapshot:
    """What the screen starts from; the live stream goes on from its cursor."""
    viewer = request.auth
    if not viewer.sight.sees_incidents:
        demand(viewer, Right.VIEW_MAP)
    return snapshot(viewer.sight, system_clock())


def incident_for(viewer: Viewer, incident_id: str) -> Incident:
    """The incident, if the viewer may know of it in the city they look at."""
    incident = visible_incidents(viewer.sight).filter(pk=incident_id).first()
    if incident is None:
        raise NotFoundError("There is no such incident here", where="id", ko="사건을 찾을 수 없습니다.")
    return incident


@router.get("/incidents/{incident_id}")
def incident(request: SeatedRequest, incident_id: str) -> JsonRow:
    """The incident panel. Showing the caller leaves an audit row."""
    viewer = request.auth
    found = incident_for(viewer, incident_id)
    grants = list(visible_grants(viewer.sight).filter(case__incident_id=found.pk).order_by("requested_at"))
    detail: JsonRow = {
        **_row(found),
        "timeline": timeline_rows(found.timeline.order_by("seq")),
        "cameras": _ranked(found, grants),
        "grants": grant_rows(grants),
        "tasks": task_rows(found.tasks.select_related("incident").exclude(state="done").order_by("due_at")),
    }
    caller = _caller(viewer, found)
    return detail if caller is None else {**detail, "caller": caller}


def _row(incident: Incident) -> JsonRow:
    return incident_rows([incident])[0]


def _ranked(incident: Incident, grants: list[VideoGrant]) -> list[RankedRow]:
    if not incident.case_id:
        return []
    live = [grant.pk for grant in grants if grant.state in LIVE_STATES and grant.recipient_kind == "control_room"]
    covering = {camera: grant for grant, cameras in cameras_of(live).items() for camera in cameras}
    return ranked_rows(video_queries.rank_for_case(incident.case_id, OFFERED), covering)


def _caller(viewer: Viewer, incident: Incident) -> Caller | None:
    try:
        with civic.transaction() as tx:
            caller = response.read_caller(tx, viewer.actor, incident.pk, system_clock())
    except ForbiddenError:
        return None
    return {"phone": caller.get("phone", ""), "name": caller.get("name", "")} if caller else None


@router.post("/incidents")
def open_incident(request: SeatedRequest, body: NewIncident) -> JsonRow:
    """Opens what an operator saw or was told."""
    viewer = request.auth
    wanted = response.OpenIncident(
        authority=viewer.authority,
        source="operator",
        mode=Mode(mode_banner() or Mode.LIVE),
        class_text=body.class_code,
        code=body.priority,
        place=SaidPlace(body.lon, body.lat, None, body.address),
        note=body.note,
        basis="city_duty",
    )
    with civic.transaction() as tx:
        opened = response.open_incident(tx, viewer.actor, wanted, system_clock())
    return _row(opened)


@router.post("/incidents/{incident_id}/{step}")
def act(request: SeatedRequest, incident_id: str, step: Step, body: Deed) -> JsonRow:
    """One step of the work on an incident."""
    viewer = request.auth
    incident_for(viewer, incident_id)
    with civic.transaction() as tx:
        done = _STEPS[step](tx, viewer, incident_id, body)
    return _row(done)


def _point(body: Deed) -> Point:
    if body.lon is None or body.lat is None:
        raise BadRequestError("lon and lat are needed", where="lon", ko="지도에서 위치를 고르십시오.")
    return Point(body.lon, body.lat)


_STEPS = {
    "claim": lambda tx, who, id_, body: response.claim(
        tx, who.actor, id_, system_clock(), take_over=body.take_over, version=body.version
    ),
    "verify": lambda tx, who, id_, body: response.verify(tx, who.actor, id_, system_clock(), version=body.version),
    "activate": lambda tx, who, id_, body: response.activate(tx, who.actor, id_, system_clock(), version=body.version),
    "stabilise": lambda tx, who, id_, body: response.stabilise(
        tx, who.actor, id_, system_clock(), version=body.version
    ),
    "dismiss": lambda tx, who, id_, body: response.dismiss(
        tx, who.actor, id_, body.reason, system_clock(), version=body.version
    ),
    "close": lambda tx, who, id_, body: response.close_incident(
        tx, who.actor, id_, body.reason, system_clock(), version=body.version
    ),
    "reopen": lambda tx, who, id_, body: response.reopen_incident(
        tx, who.actor, id_, body.reason, system_clock(), version=body.version
    ),
    "note": lambda tx, who, id_, body: response.add_note(tx, who.actor, id_, body.text, system_clock()),
    "locate": lambda tx, who, id_, body: response.locate(
        tx, who.actor, id_, _point(body), body.how, system_clock(), version=body.version
    ),
}
