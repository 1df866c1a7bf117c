"""Events shown to people: an incident of their own, or the storm of their district."""

from __future__ import annotations

from datetime import datetime

from madang.identity.rights import Actor, system_actor
from madang.journal.session import Session
from madang.kernel.mode import Mode
from madang.response.classes import STORM
from madang.response.commands import OpenIncident, open_incident
from madang.response.domain import SaidPlace
from madang.response.models import Incident
from madang.response.signals.correlation import LiveEvent, LiveStorm
from madang.response.signals.instants import text_of
from madang.response.signals.models import Storm

SOURCE = "signal"
NAME = "signals"
"""The name in which the platform acts here."""
_BASIS = "city_duty"
_STORM_PRIORITY = 2
_STORM_ACCURACY_M = 1_000.0


def ourselves(city: str) -> Actor:
    """The platform settling signals."""
    return system_actor(city, NAME)


def incident_key(event_id: str, splits: int) -> str:
    """The source key of an event's incident: another one each time it is split out again."""
    return f"{event_id}/{splits}" if splits else event_id


def open_own(tx: Session, event: LiveEvent, now: datetime) -> Incident:
    """Opens the event's own incident, with its video case."""
    key = incident_key(event.id, event.splits)
    event.splits += 1
    return open_event(
        tx,
        ourselves(event.city),
        city=event.city,
        mode=Mode(event.mode),
        class_code=event.class_code,
        priority=event.priority,
        place=SaidPlace(event.lon, event.lat, event.accuracy_m, event.address),
        key=key,
        note=event.text,
        now=now,
    )


def open_event(
    tx: Session,
    actor: Actor,
    *,
    city: str,
    mode: Mode,
    class_code: str,
    priority: int,
    place: SaidPlace,
    key: str,
    note: str,
    now: datetime,
) -> Incident:
    """Opens an incident for an event; the same key opens it only once."""
    wanted = OpenIncident(
        authority=city,
        source=SOURCE,
        mode=mode,
        class_text=class_code,
        code=priority,
        place=place,
        source_key=key,
        basis=_BASIS,
        note=note,
    )
    return open_incident(tx, actor, wanted, now)


def open_storm(tx: Session, storm: LiveStorm, event: LiveEvent, now: datetime) -> Incident:
    """Opens a storm's parent incident, about where its first event is; nobody's video is asked for."""
    known = event.lon is not None and event.lat is not None and storm.district != ""
    where = storm.district or "시 전체"
    wanted = OpenIncident(
        authority=storm.city,
        source="system",
        mode=Mode(storm.mode),
        class_text=STORM,
        code=_STORM_PRIORITY,
        place=SaidPlace(event.lon, event.lat, _STORM_ACCURACY_M) if known else SaidPlace(),
        source_key=f"storm:{event.id}",
        note=f"경보 폭주: {where} · Alarm storm: {storm.district or 'the whole city'}",
    )
    incident = open_incident(tx, ourselves(storm.city), wanted, now)
    storm.incident_id = incident.id
    Storm.objects.filter(authority_id=storm.city, mode=storm.mode, district=storm.district).update(open=False)
    Storm.objects.create(
        incident_id=incident.id,
        authority_id=storm.city,
        mode=storm.mode,
        district=storm.district,
        opened_at=text_of(storm.opened_ms),
        last_at=text_of(storm.last_ms),
    )
    return incident
