"""Video at the screen: asking for it, deciding on it, and the half-minute leases tiles live on."""

from __future__ import annotations

from typing import Literal, TypedDict

from ninja import Router, Schema
from pydantic import Field

from madang.console.incident_api import incident_for
from madang.console.projection import GrantRow, grant_rows
from madang.console.seat import SeatedRequest
from madang.console.sight import Viewer
from madang.journal import civic
from madang.kernel.clock import instant_text, system_clock
from madang.kernel.errors import ConflictError, NotFoundError
from madang.response.models import Incident
from madang.video import commands as video
from madang.video.domain import LIVE_STATES
from madang.video.models import GrantCamera, VideoGrant

router = Router(tags=["video"])


class Wanted(Schema):
    """A request for cameras of an incident."""

    incident_id: str = Field(max_length=36)
    camera_ids: list[str] = Field(min_length=1, max_length=64)
    rights: list[str] = Field(default=["live"], max_length=5)


class Reason(Schema):
    reason: str = Field(default="", max_length=500)
    duration_s: int | None = Field(default=None, gt=0, le=86_400)


class Glass(Schema):
    camera_ids: list[str] = Field(min_length=1, max_length=64)
    reason: str = Field(min_length=1, max_length=500)


class LeaseWanted(Schema):
    """A camera to watch: under a grant, under whichever grant of an incident covers it, or on ordinary duty."""

    camera_id: str = Field(max_length=36)
    grant_id: str | None = Field(default=None, max_length=36)
    incident_id: str | None = Field(default=None, max_length=36)


class Overlay(TypedDict):
    """What is written over the picture."""

    viewer: str
    incident: str | None
    mode: str


class Ticket(TypedDict):
    """A lease and its token. The token goes into the first WebSocket frame, never into an address."""

    lease_id: str
    token: str
    url: str
    expires_at: str
    renew_after_s: int
    overlay: Overlay


def _grant_answer(grant: VideoGrant) -> GrantRow:
    return grant_rows([VideoGrant.objects.select_related("case").get(pk=grant.pk)])[0]


@router.post("/grants")
def ask(request: SeatedRequest, body: Wanted) -> GrantRow:
    """Asks for cameras of an incident; the decision table answers at once, or a person is asked."""
    viewer = request.auth
    incident = incident_for(viewer, body.incident_id)
    if not incident.case_id:
        raise ConflictError("This incident has no video case", ko="영상 사건이 열려 있지 않습니다.")
    with civic.transaction() as tx:
        grant = video.request_grant(
            tx,
            viewer.actor,
            case_id=incident.case_id,
            recipient=_recipient(viewer),
            rights=body.rights,
            camera_ids=body.camera_ids,
            facts={"crime_class": incident.class_code, "code": incident.priority},
            now=system_clock(),
        )
    return _grant_answer(grant)


def _recipient(viewer: Viewer) -> video.Recipient:
    """Seconded people ask for their agency, everybody else for the control room."""
    agency = viewer.sight.only_agency
    return video.Recipient("agency", agency) if agency else video.Recipient("control_room", viewer.authority)


@router.post("/grants/{grant_id}/{step}")
def decide(
    request: SeatedRequest, grant_id: str, step: Literal["approve", "deny", "revoke", "extend"], body: Reason
) -> GrantRow:
    """A person decides on a grant. Nobody approves their own request."""
    actor, now = request.auth.actor, system_clock()
    _in_city(request.auth, grant_id)
    with civic.transaction() as tx:
        if step == "revoke":
            grant = video.revoke_grant(tx, actor, grant_id, body.reason, now)
        elif step == "extend":
            grant = video.extend_grant(tx, actor, grant_id, body.reason, now, body.duration_s)
        else:
            grant = video.decide_grant(tx, actor, grant_id, step == "approve", body.reason, now)
    return _grant_answer(grant)


def _in_city(viewer: Viewer, grant_id: str) -> None:
    if not VideoGrant.objects.filter(pk=grant_id, authority=viewer.authority).exists():
        raise NotFoundError("There is no such grant here", where="id", ko="영상 제공을 찾을 수 없습니다.")


@router.post("/break-glass")
def break_glass(request: SeatedRequest, body: Glass) -> GrantRow:
    """Ten minutes without a case; two people are told, and a third reviews it within a day."""
    with civic.transaction() as tx:
        grant = video.break_glass(tx, request.auth.actor, body.camera_ids, body.reason, system_clock())
    return _grant_answer(grant)


@router.post("/leases")
def open_lease(request: SeatedRequest, body: LeaseWanted) -> Ticket:
    """Half a minute of one camera."""
    viewer, now = request.auth, system_clock()
    grant_id = body.grant_id
    if grant_id is None and body.incident_id is not None:
        grant_id = _covering(incident_for(viewer, body.incident_id), body.camera_id, viewer)
    with civic.transaction() as tx:
        ticket = video.open_lease(
            tx, viewer.actor, camera_id=body.camera_id, grant_id=grant_id, viewer_name=viewer.actor.name, now=now
        )
    return _ticket(ticket)


def _covering(incident: Incident, camera_id: str, viewer: Viewer) -> str:
    """The grant of the incident under which this camera may be seen from here."""
    recipient = _recipient(viewer)
    covering = GrantCamera.objects.filter(
        camera_id=camera_id,
        until_version=None,
        grant__case_id=incident.case_id,
        grant__recipient_kind=recipient.kind,
        grant__state__in=[state.value for state in LIVE_STATES],
    )
    grant = covering.order_by("-grant__expires_at").values_list("grant_id", flat=True).first()
    if grant is None:
        raise ConflictError(
            "No grant of this incident covers the camera",
            where="camera_id",
            ko="이 사건으로 제공된 카메라가 아닙니다. 먼저 영상 제공을 요청하십시오.",
            hint="Request a grant for it first",
        )
    return str(grant)


@router.post("/leases/{lease_id}/renew")
def renew_lease(request: SeatedRequest, lease_id: str) -> Ticket:
    """The next half minute."""
    with civic.transaction() as tx:
        ticket = video.renew_lease(tx, request.auth.actor, lease_id, system_clock())
    return _ticket(ticket)


@router.post("/leases/{lease_id}/close")
def close_lease(request: SeatedRequest, lease_id: str) -> dict[str, bool]:
    """Stops watching."""
    with civic.transaction() as tx:
        video.close_lease(tx, request.auth.actor, lease_id, system_clock())
    return {"ok": True}


def _ticket(ticket: video.LeaseTicket) -> Ticket:
    return {
        "lease_id": ticket.lease_id,
        "token": ticket.token,
        "url": ticket.url,
        "expires_at": instant_text(ticket.expires_at),
        "renew_after_s": ticket.renew_after_s,
        "overlay": {"viewer": ticket.viewer_name, "incident": ticket.incident or None, "mode": ticket.mode},
    }
