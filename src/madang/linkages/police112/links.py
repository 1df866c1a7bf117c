"""Whether each agency's link is alive, and the incident everybody sees when it is not."""

from __future__ import annotations

from datetime import datetime, timedelta

from madang.identity.models import Agency
from madang.identity.rights import system_actor
from madang.journal import changes, civic, outbox, timers
from madang.journal.handlers import Timer
from madang.journal.session import Session
from madang.kernel.clock import instant_text, seoul_text, system_clock
from madang.kernel.mode import Mode
from madang.linkages.police112.config import police112_config
from madang.linkages.police112.models import LinkState
from madang.response import commands
from madang.response.classes import LINKAGE_DOWN
from madang.response.domain import OPEN_STATES
from madang.response.models import Incident

LISTENING_SINCE = system_clock()
"""When this process began: nobody can have been heard before, so nobody fell silent before."""
SILENCE = "police112.silence"
SUBSCRIBER = "police112"
_SENT_EVERY = timedelta(seconds=5)


def heard(tx: Session, agency: Agency, now: datetime) -> None:
    """A signed message or request of the agency came in: the link is up, its silence is counted from now."""
    link = state_of(agency)
    back = link.state == "down"
    link.state, link.last_heard_at, link.down_since = "up", now, None
    _save(tx, link, now)
    _watch(tx, agency, now + timedelta(seconds=police112_config().silence_s))
    if back:
        _recovered(tx, link, now)


def _watch(tx: Session, agency: Agency, due_at: datetime) -> None:
    timers.set_timer(
        tx, kind=SILENCE, key=agency.code, due_at=due_at, authority=agency.authority_id, mode=Mode(agency.mode)
    )


def fell_silent(tx: Session, timer: Timer, now: datetime) -> None:
    """Nothing was heard for too long (timer): the link is down, and an incident says so."""
    agency = Agency.objects.filter(code=timer.key, active=True).first()
    if agency is None:
        return
    link = state_of(agency)
    if link.state != "up" or link.last_heard_at is None:
        return
    due = max(link.last_heard_at, LISTENING_SINCE) + timedelta(seconds=police112_config().silence_s)
    if now < due:
        _watch(tx, agency, due)
        return
    link.state, link.down_since = "down", now
    link.incident_id = _raise_incident(tx, agency, link.last_heard_at, now).id
    _save(tx, link, now)


def _raise_incident(tx: Session, agency: Agency, last_heard_at: datetime, now: datetime) -> Incident:
    actor = system_actor(agency.authority_id, "police112")
    wanted = commands.OpenIncident(
        authority=agency.authority_id,
        source="system",
        source_key=f"police112/{agency.code}/{instant_text(last_heard_at)}",
        mode=Mode(agency.mode),
        class_text=LINKAGE_DOWN,
        code=1,
        note=f"{agency.name_ko}: {seoul_text(last_heard_at)} 이후 응답이 없습니다. 전화로 확인하십시오.",
    )
    return commands.open_incident(tx, actor, wanted, now)


def _recovered(tx: Session, link: LinkState, now: datetime) -> None:
    """Closes the incident, if nobody did, and sends at once what waited."""
    outbox.hurry(tx, subscriber=SUBSCRIBER, now=now)
    incident = Incident.objects.filter(pk=link.incident_id, state__in=[state.value for state in OPEN_STATES]).first()
    if incident is not None:
        actor = system_actor(link.authority_id, "police112")
        commands.close_incident(tx, actor, incident.id, "연계가 다시 연결됨", now)


def note_sent(agency: Agency, error: str, now: datetime) -> None:
    """How the last attempt to reach the agency ended; written when that changes, and now and then when it does not."""
    known = LinkState.objects.filter(pk=agency.code).first()
    same = known is not None and known.last_error == error[:300]
    lately = known is not None and known.last_sent_at is not None and now - known.last_sent_at < _SENT_EVERY
    if same and (error or lately):
        return
    with civic.transaction() as tx:
        link = state_of(agency)
        link.last_error = error[:300]
        link.last_sent_at = link.last_sent_at if error else now
        link.save()
        if not same:
            changes.touch(tx, kind="link", ref=link.agency_id, authority=link.authority_id, now=now)


def state_of(agency: Agency) -> LinkState:
    """The agency's link; one never heard is not down, it is `never`."""
    found = LinkState.objects.select_for_update().filter(pk=agency.code).first()
    return found or LinkState(agency=agency, authority_id=agency.authority_id, state="never", mode=agency.mode)


def _save(tx: Session, link: LinkState, now: datetime) -> None:
    link.save()
    changes.touch(tx, kind="link", ref=link.agency_id, authority=link.authority_id, now=now)
