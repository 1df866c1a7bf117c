"""Situation messages: who would be told, sending, who has acknowledged, and telephoning who has not."""

from __future__ import annotations

from datetime import timedelta

from ninja import Router, Schema
from pydantic import Field

from madang.console.incident_api import incident_for
from madang.console.seat import SeatedRequest
from madang.journal import civic
from madang.kernel.clock import system_clock
from madang.response.messaging import commands, queries
from madang.response.queries import JsonRow

router = Router(tags=["messages"])
_SHIFT_HOURS = 24


class NewMessage(Schema):
    level: str = Field(max_length=10)
    tiers: list[str] = Field(min_length=1, max_length=10)
    text_ko: str = Field(min_length=1, max_length=600)
    text_en: str = Field(default="", max_length=600)
    area: str = Field(default="", max_length=200)
    ack_within_s: int = Field(default=180, ge=30, le=3_600)
    recipients: list[str] = Field(default_factory=list, max_length=500)
    key: str = Field(default="", max_length=100)


class Word(Schema):
    reached: bool = True
    note: str = Field(default="", max_length=300)
    reason: str = Field(default="", max_length=300)


@router.get("/incidents/{incident_id}/messages")
def of_incident(request: SeatedRequest, incident_id: str) -> list[JsonRow]:
    """The incident's messages, each with who has acknowledged."""
    incident = incident_for(request.auth, incident_id)
    return queries.of_incident(request.auth.actor, incident.id)


@router.get("/incidents/{incident_id}/messages/choices")
def choices(request: SeatedRequest, incident_id: str) -> JsonRow:
    """Tiers, levels and words to begin with."""
    incident = incident_for(request.auth, incident_id)
    return queries.choices(request.auth.actor, incident.id)


@router.get("/incidents/{incident_id}/messages/preview")
def preview(request: SeatedRequest, incident_id: str, tiers: str = "") -> list[JsonRow]:
    """Who would be told, over what. `tiers` are codes with commas between."""
    incident = incident_for(request.auth, incident_id)
    return queries.preview(request.auth.actor, incident.id, [one for one in tiers.split(",")[:10] if one])


@router.post("/incidents/{incident_id}/messages")
def send(request: SeatedRequest, incident_id: str, wanted: NewMessage) -> list[JsonRow]:
    """Sends; the same `key` again sends nothing more. Answers with the incident's messages."""
    viewer = request.auth
    incident = incident_for(viewer, incident_id)
    message = commands.SituationMessage(
        incident_id=incident.id,
        level=wanted.level,
        tiers=tuple(wanted.tiers),
        text_ko=wanted.text_ko,
        text_en=wanted.text_en,
        area=wanted.area,
        ack_within_s=wanted.ack_within_s,
        recipients=tuple(wanted.recipients),
        ref=wanted.key,
    )
    with civic.transaction() as tx:
        commands.send(tx, viewer.actor, message, system_clock())
    return queries.of_incident(viewer.actor, incident.id)


@router.get("/messages")
def recent(request: SeatedRequest, hours: int = 12) -> list[JsonRow]:
    """The city's messages of the last hours, newest first."""
    start = system_clock() - timedelta(hours=min(max(hours, 1), _SHIFT_HOURS))
    return queries.since(request.auth.actor, request.auth.authority, start)


@router.post("/messages/{message_id}/withdraw")
def withdraw(request: SeatedRequest, message_id: str, word: Word) -> list[JsonRow]:
    """Nobody needs to acknowledge any more."""
    with civic.transaction() as tx:
        message = commands.withdraw(tx, request.auth.actor, message_id, word.reason, system_clock())
    return queries.of_incident(request.auth.actor, message.incident_id)


@router.post("/deliveries/{delivery_id}/acknowledge")
def acknowledge(request: SeatedRequest, delivery_id: str) -> list[JsonRow]:
    """The recipient told the operator that they have it."""
    with civic.transaction() as tx:
        delivery = commands.acknowledge(tx, request.auth.actor, delivery_id, system_clock())
    return queries.of_incident(request.auth.actor, delivery.message.incident_id)


@router.post("/deliveries/{delivery_id}/next")
def next_channel(request: SeatedRequest, delivery_id: str) -> list[JsonRow]:
    """The next channel at once, or the telephone."""
    with civic.transaction() as tx:
        delivery = commands.next_channel(tx, request.auth.actor, delivery_id, system_clock())
    return queries.of_incident(request.auth.actor, delivery.message.incident_id)


@router.post("/deliveries/{delivery_id}/dial")
def dial(request: SeatedRequest, delivery_id: str) -> dict[str, str]:
    """The number to telephone; each look is logged."""
    with civic.transaction() as tx:
        return {"phone": commands.dial(tx, request.auth.actor, delivery_id, system_clock())}


@router.post("/deliveries/{delivery_id}/phoned")
def phoned(request: SeatedRequest, delivery_id: str, word: Word) -> list[JsonRow]:
    """What came of the telephone call."""
    with civic.transaction() as tx:
        delivery = commands.phoned(tx, request.auth.actor, delivery_id, word.reached, word.note, system_clock())
    return queries.of_incident(request.auth.actor, delivery.message.incident_id)
