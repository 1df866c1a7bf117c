"""Evidence at the screen: taking stills, recording, locking, looking, and handing over."""

from __future__ import annotations

from typing import Literal

from django.http import HttpResponse
from ninja import Router, Schema
from pydantic import AwareDatetime, Field

from madang.console.incident_api import incident_for
from madang.console.seat import SeatedRequest
from madang.journal import civic
from madang.kernel.clock import SEOUL, system_clock
from madang.video.evidence import commands, exports, queries
from madang.video.evidence.queries import Content, JsonRow

router = Router(tags=["evidence"])


class StillWanted(Schema):
    """The picture a lease of one's own shows now."""

    lease_id: str = Field(max_length=36)
    reason: str = Field(default="", max_length=300)


class RecordingWanted(Schema):
    camera_id: str = Field(max_length=36)
    reason: str = Field(max_length=300)
    seconds: float = Field(default=0, ge=0, le=86_400, allow_inf_nan=False)


class LockWanted(Schema):
    reason: str = Field(max_length=300)
    until: AwareDatetime


class Word(Schema):
    reason: str = Field(default="", max_length=300)


class ExportWanted(Schema):
    items: list[str] = Field(min_length=1, max_length=200)
    recipient_name: str = Field(max_length=100)
    recipient_office: str = Field(max_length=100)
    basis: str = Field(max_length=30)
    purpose: str = Field(max_length=300)


@router.get("/incidents/{incident_id}/evidence")
def of_incident(request: SeatedRequest, incident_id: str) -> JsonRow:
    """The incident's evidence and exports, and what can be recorded now."""
    return queries.of_incident(request.auth.actor, _incident(request, incident_id), system_clock())


@router.get("/evidence")
def of_city(request: SeatedRequest, month: str = "") -> JsonRow:
    """Who took and handed over what in a month, and why. Without a month, this one."""
    now = system_clock()
    return queries.of_city(request.auth.actor, request.auth.authority, month or f"{now.astimezone(SEOUL):%Y-%m}", now)


@router.post("/evidence/stills")
def take_still(request: SeatedRequest, wanted: StillWanted) -> JsonRow:
    """Keeps the picture now open at one's screen."""
    now = system_clock()
    with civic.transaction() as tx:
        item = commands.take_still(tx, request.auth.actor, wanted.lease_id, wanted.reason, now)
    return queries.item_rows([item], now)[0]


@router.post("/incidents/{incident_id}/evidence/{kind}")
def keep(
    request: SeatedRequest, incident_id: str, kind: Literal["recording", "past"], wanted: RecordingWanted
) -> JsonRow:
    """Records a camera from now on, or keeps what it held of the time before."""
    incident, actor, now = _incident(request, incident_id), request.auth.actor, system_clock()
    with civic.transaction() as tx:
        if kind == "recording":
            commands.start_recording(tx, actor, incident, wanted.camera_id, wanted.reason, now, wanted.seconds)
        else:
            commands.keep_past(tx, actor, incident, wanted.camera_id, wanted.reason, now)
    return queries.of_incident(actor, incident, now)


@router.post("/evidence/{item_id}/stop")
def stop(request: SeatedRequest, item_id: str) -> JsonRow:
    """Ends a recording."""
    now = system_clock()
    with civic.transaction() as tx:
        item = commands.stop_recording(tx, request.auth.actor, item_id, now)
    return queries.item_rows([item], now)[0]


@router.post("/evidence/{item_id}/lock")
def lock(request: SeatedRequest, item_id: str, wanted: LockWanted) -> JsonRow:
    """Holds an item beyond its retention."""
    now = system_clock()
    with civic.transaction() as tx:
        item = commands.lock(tx, request.auth.actor, item_id, wanted.reason, wanted.until, now)
    return queries.item_rows([item], now)[0]


@router.post("/evidence/{item_id}/unlock")
def unlock(request: SeatedRequest, item_id: str, word: Word) -> JsonRow:
    """Takes a lock off, by another person."""
    now = system_clock()
    with civic.transaction() as tx:
        item = commands.unlock(tx, request.auth.actor, item_id, word.reason, now)
    return queries.item_rows([item], now)[0]


@router.get("/evidence/{item_id}/history")
def history(request: SeatedRequest, item_id: str) -> list[JsonRow]:
    """Who did what with it, from the audit chain."""
    return queries.history(request.auth.actor, item_id)


@router.get("/evidence/{item_id}/picture")
def picture(request: SeatedRequest, item_id: str) -> HttpResponse:
    """A still, as JPEG. Each look is logged."""
    with civic.transaction() as tx:
        return _shown(queries.picture(tx, request.auth.actor, item_id, system_clock()))


@router.get("/evidence/{item_id}/film")
def film(request: SeatedRequest, item_id: str) -> HttpResponse:
    """A recording, for who may play back. Each time is logged."""
    with civic.transaction() as tx:
        return _shown(queries.film(tx, request.auth.actor, item_id, system_clock()))


def _shown(content: Content) -> HttpResponse:
    response = HttpResponse(content.data, content_type=content.media_type)
    response["Cache-Control"] = "no-store"
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Disposition"] = f'inline; filename="{content.name}"'
    return response


@router.post("/incidents/{incident_id}/exports")
def request_export(request: SeatedRequest, incident_id: str, wanted: ExportWanted) -> JsonRow:
    """Asks for evidence to be handed over; another person decides."""
    incident, actor, now = _incident(request, incident_id), request.auth.actor, system_clock()
    asked = exports.Wanted(
        incident, wanted.items, wanted.recipient_name, wanted.recipient_office, wanted.basis, wanted.purpose
    )
    with civic.transaction() as tx:
        exports.request_export(tx, actor, asked, now)
    return queries.of_incident(actor, incident, now)


@router.post("/exports/{export_id}/package", url_name="evidence-package")
def package(request: SeatedRequest, export_id: str) -> HttpResponse:
    """The package, once, for whoever asked for it."""
    with civic.transaction() as tx:
        row, data = exports.fetch(tx, request.auth.actor, export_id, system_clock())
    response = HttpResponse(data, content_type="application/zip")
    response["Content-Disposition"] = (
        f'attachment; filename="evidence-{row.incident_number or row.pk[-8:]}-{row.pk[-8:]}.zip"'
    )
    response["Cache-Control"] = "no-store"
    return response


@router.post("/exports/{export_id}/{step}")
def decide(request: SeatedRequest, export_id: str, step: Literal["approve", "deny", "withdraw"], word: Word) -> JsonRow:
    """Another person's yes or no; or whoever asked asks no more."""
    actor, now = request.auth.actor, system_clock()
    with civic.transaction() as tx:
        if step == "withdraw":
            row = exports.withdraw(tx, actor, export_id, word.reason, now)
        else:
            row = exports.decide(tx, actor, export_id, step == "approve", word.reason, now)
    return queries.export_rows([row])[0]


def _incident(request: SeatedRequest, incident_id: str) -> str:
    """The incident, where the viewer works incidents; an auditor reads its evidence by id."""
    if request.auth.sight.sees_incidents:
        return str(incident_for(request.auth, incident_id).id)
    return incident_id
