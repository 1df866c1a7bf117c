"""What may be done to incidents: one function per command, each load → decide → save, outbox and audit in one
transaction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from madang.identity.access import require
from madang.identity.rights import Actor, Right, Thing
from madang.journal import civic
from madang.journal.session import Session
from madang.kernel.decisions import Rejected
from madang.kernel.errors import BadRequestError, ConflictError, NotFoundError
from madang.kernel.geometry import Point, judge
from madang.kernel.mode import Mode
from madang.response import caller as callers
from madang.response import domain, hearing, timeline, video_side
from madang.response.domain import Claim, Command, Doubt, Move, Release, SaidPlace, Step
from madang.response.hearing import CallKey, Word
from madang.response.models import Incident, SourceCall
from madang.response.record import announce, announce_incident, apply_events, save
from madang.response.situating import situate_point
from madang.response.timeline import Line
from madang.video.domain import LIVE_STATES
from madang.video.models import VideoGrant

__all__ = [
    "CallKey",
    "OpenIncident",
    "Word",
    "activate",
    "add_note",
    "ask_again",
    "cancel_incident",
    "claim",
    "close_call",
    "close_incident",
    "dismiss",
    "hear",
    "locate",
    "merge",
    "open_incident",
    "read_caller",
    "release",
    "reopen_incident",
    "review",
    "set_priority",
    "stabilise",
    "update_incident",
    "verify",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenIncident:
    """Something that happened, as its source tells it.

    `source` is e.g. `police112`, `operator`, `system`. With a `source_key` (a call number) opening is idempotent on
    (authority, mode, source, agency, source_key). `code` 0–4 is the priority; anything else counts as unknown.
    `radius_m` metres. `basis` is a legal basis of `video.legal`, or whatever was said.
    """

    authority: str
    source: str
    mode: Mode
    class_text: str
    code: object = None
    place: SaidPlace = field(default_factory=SaidPlace)
    source_key: str = ""
    agency: str = ""
    radius_m: float | None = None
    basis: str = ""
    note: str = ""
    officer: Mapping[str, str] = field(default_factory=dict)
    caller: Mapping[str, str] = field(default_factory=dict)
    doubts: tuple[Doubt, ...] = ()
    seq: int = 1
    message_id: str = ""


# ---------------------------------------------------------------------------------------- from a source


def open_incident(tx: Session, actor: Actor, wanted: OpenIncident, now: datetime) -> Incident:
    """Opens an incident with its video case and its grants, or adds to the one that call already has.

    One transaction: incident, timeline, tasks, case, ranking, grants for the agency and the control room, outbox, audit
    and change feed. Needs `OPEN_INCIDENT`.
    """
    facts: dict[str, Any] = {  # Any: facts are JSON values
        "class": wanted.class_text,
        "code": wanted.code,
        "place": hearing.place_fact(wanted.place),
        "radius_m": wanted.radius_m,
        "basis": wanted.basis,
        "text": wanted.note,
        "officer": dict(wanted.officer),
    }
    facts |= {f"doubt:{doubt.field}": doubt.why for doubt in wanted.doubts}
    key = CallKey(wanted.authority, wanted.mode, wanted.source, wanted.agency, wanted.source_key)
    word = Word(key, wanted.seq, facts, caller=wanted.caller, request=True, message_id=wanted.message_id)
    incident = hear(tx, actor, word, now)
    assert incident is not None, "a word with facts always opens an incident"
    return incident


def hear(tx: Session, actor: Actor, word: Word, now: datetime) -> Incident | None:
    """Takes in what a source says about a call. None when it said only the end of a call nobody knows yet.

    Needs `OPEN_INCIDENT` for the call's city and agency.
    """
    require(actor, Right.OPEN_INCIDENT, Thing(word.key.authority, agency=word.key.agency))
    return hearing.hear(tx, actor, word, now)


def update_incident(
    tx: Session,
    actor: Actor,
    key: CallKey,
    *,
    seq: int,
    facts: Mapping[str, Any],  # Any: JSON values
    now: datetime,
) -> Incident | None:
    """Facts of a call changed; one nobody knows yet is opened with what there is."""
    return hear(tx, actor, Word(key, seq, facts), now)


def cancel_incident(
    tx: Session, actor: Actor, key: CallKey, *, seq: int, reason: str, now: datetime
) -> Incident | None:
    """The source takes its call back. Before the call itself came, this is kept: it then opens as cancelled."""
    return hear(tx, actor, Word(key, seq, {}, ending=Step.CANCEL, reason=reason), now)


def close_call(tx: Session, actor: Actor, key: CallKey, *, seq: int, reason: str, now: datetime) -> Incident | None:
    """The source says its call is over."""
    return hear(tx, actor, Word(key, seq, {}, ending=Step.CLOSE, reason=reason), now)


def ask_again(tx: Session, actor: Actor, key: CallKey, *, grant_id: str, reason: str, now: datetime) -> None:
    """The agency needs video longer: the decision table is asked anew. What cannot be asked for is said so."""
    require(actor, Right.OPEN_INCIDENT, Thing(key.authority, agency=key.agency))
    call = hearing.find_call(key)
    incident = call.incident if call is not None else None
    if incident is None:
        return
    grant = VideoGrant.objects.filter(
        pk=grant_id, case_id=incident.case_id, recipient_kind="agency", recipient_code=key.agency
    ).first()
    possible = grant is not None and hearing.situation(incident).open and grant.state in (*LIVE_STATES, "EXPIRED")
    ko, en = (
        ("연장 요청", "Asked for longer") if possible else ("연장할 수 없는 요청", "Asked for longer, not possible")
    )
    line = Line("extend_asked", f"{ko}: {reason}", f"{en}: {reason}", {"grant": grant_id})
    timeline.append(incident, line, actor=actor.id, actor_name=actor.name, now=now)
    if grant is not None and possible:
        video_side.ask_agency_again(tx, actor, incident, grant, now)
    save(tx, incident, now)
    if not possible:
        announce(tx, incident, "updated", now, extend_refused=grant_id)
    _audit(tx, actor, incident, "incident.extend_asked", now, {"grant": grant_id, "reason": reason})


# ------------------------------------------------------------------------------------------ from a person


def claim(
    tx: Session, actor: Actor, incident_id: str, now: datetime, *, take_over: bool = False, version: int | None = None
) -> Incident:
    """Takes an incident on; somebody else's only with `take_over`."""
    incident = _work(actor, incident_id)
    _expect(incident, version)
    return _do(tx, actor, incident, Claim(actor.id, take_over), now)


def release(tx: Session, actor: Actor, incident_id: str, held_by: str, reason: str, now: datetime) -> Incident:
    """Takes an incident off `held_by`, who gives it up or no longer answers; refused once another holds it.

    An urgent one gets its task to find an owner back (I8).
    """
    incident = _work(actor, incident_id)
    return _do(tx, actor, incident, Release(held_by, reason.strip()[:500]), now)


def verify(tx: Session, actor: Actor, incident_id: str, now: datetime, *, version: int | None = None) -> Incident:
    """Somebody checks whether it is so."""
    return _move(tx, actor, incident_id, Step.VERIFY, "", now, version)


def activate(tx: Session, actor: Actor, incident_id: str, now: datetime, *, version: int | None = None) -> Incident:
    """It is so, and is being dealt with."""
    return _move(tx, actor, incident_id, Step.ACTIVATE, "", now, version)


def stabilise(tx: Session, actor: Actor, incident_id: str, now: datetime, *, version: int | None = None) -> Incident:
    """It no longer gets worse."""
    return _move(tx, actor, incident_id, Step.STABILISE, "", now, version)


def dismiss(
    tx: Session, actor: Actor, incident_id: str, reason: str, now: datetime, *, version: int | None = None
) -> Incident:
    """It was nothing, for a reason. Its video ends."""
    return _move(tx, actor, incident_id, Step.DISMISS, reason, now, version)


def close_incident(
    tx: Session, actor: Actor, incident_id: str, reason: str, now: datetime, *, version: int | None = None
) -> Incident:
    """It is over. Every grant and lease of its case ends."""
    return _move(tx, actor, incident_id, Step.CLOSE, reason, now, version)


def reopen_incident(
    tx: Session, actor: Actor, incident_id: str, reason: str, now: datetime, *, version: int | None = None
) -> Incident:
    """It was not over after all, for a reason. A new video case is opened."""
    return _move(tx, actor, incident_id, Step.REOPEN, reason, now, version)


def review(tx: Session, actor: Actor, incident_id: str, now: datetime, *, version: int | None = None) -> Incident:
    """The closed incident was looked over; it is never opened again."""
    return _move(tx, actor, incident_id, Step.REVIEW, "", now, version)


def merge(
    tx: Session, actor: Actor, incident_id: str, into_id: str, now: datetime, *, version: int | None = None
) -> Incident:
    """It is the same as another open incident, which goes on alone. Its own video ends."""
    incident, into = _work(actor, incident_id), _work(actor, into_id)
    if incident.pk == into.pk or not hearing.situation(into).open or incident.authority_id != into.authority_id:
        raise ConflictError(
            "an incident is merged into another open one of its city", ko="열려 있는 다른 사건에만 병합할 수 있습니다."
        )
    if incident.mode != into.mode:
        raise ConflictError(
            "real, exercise and simulated are never merged", ko="모드가 다른 사건은 병합할 수 없습니다."
        )
    incident.merged_into = into
    line = Line("merged_in", f"{incident.number} 병합", f"{incident.number} merged in", {"incident": incident.pk})
    timeline.append(into, line, actor=actor.id, actor_name=actor.name, now=now)
    save(tx, into, now)
    return _do(tx, actor, incident, Move(Step.MERGE, into.number, version), now)


def set_priority(
    tx: Session, actor: Actor, incident_id: str, priority: int, now: datetime, *, version: int | None = None
) -> Incident:
    """It is more or less pressing than it was; 0 and 1 are urgent."""
    incident = _work(actor, incident_id)
    _expect(incident, version)
    return _do(tx, actor, incident, domain.SetPriority(priority), now)


def add_note(tx: Session, actor: Actor, incident_id: str, text: str, now: datetime) -> Incident:
    """Writes what somebody saw or did on the timeline."""
    if not text.strip():
        raise BadRequestError("a note needs words", where="text", ko="내용을 입력하십시오.")
    if "\0" in text or any("\ud800" <= letter <= "\udfff" for letter in text):
        raise BadRequestError("the text holds what is no letter", where="text", ko="글자가 아닌 것이 섞여 있습니다.")
    incident = _work(actor, incident_id)
    line = Line("note", text.strip()[:4000], text.strip()[:4000])
    timeline.append(incident, line, actor=actor.id, actor_name=actor.name, now=now)
    save(tx, incident, now)
    _audit(tx, actor, incident, "incident.note", now)
    return incident


def locate(
    tx: Session, actor: Actor, incident_id: str, point: Point, how: str, now: datetime, *, version: int | None = None
) -> Incident:
    """Somebody found the place (`how`: `map`, `candidate`, `phone` …): the cameras are ranked anew and offered."""
    incident = _work(actor, incident_id)
    _expect(incident, version)
    fault = judge(point.lon, point.lat)
    if fault is not None:
        raise BadRequestError(
            f"({point.lon}, {point.lat}) is no place in Korea: {fault.value}", where="lon", ko="위치를 확인하십시오."
        )
    contained, district = situate_point(incident.authority_id, point)
    hearing.found(tx, actor, incident, point, how=how[:20] or "map", contained=contained, district=district, now=now)
    _audit(tx, actor, incident, "incident.locate", now, {"lon": point.lon, "lat": point.lat, "how": how})
    return incident


def read_caller(tx: Session, actor: Actor, incident_id: str, now: datetime) -> dict[str, str]:
    """Who called, for those who may see it; each reading leaves an audit row. Empty when nothing is known."""
    incident = _visible(actor, incident_id)
    require(actor, Right.SEE_CALLER, Thing(incident.authority_id, agency=incident.agency))
    call = SourceCall.objects.filter(incident=incident).first()
    if call is None or not call.caller_sealed:
        return {}
    _audit(tx, actor, incident, "incident.caller_read", now)
    return callers.unseal(call.id, bytes(call.caller_sealed))


# ------------------------------------------------------------------------------------------------ inside


def _visible(actor: Actor, incident_id: str) -> Incident:
    incident = Incident.objects.select_for_update().filter(pk=incident_id).first()
    if incident is None:
        raise NotFoundError(ko="사건을 찾을 수 없습니다.")
    require(actor, Right.VIEW_INCIDENT, Thing(incident.authority_id, agency=incident.agency))
    return incident


def _work(actor: Actor, incident_id: str) -> Incident:
    incident = _visible(actor, incident_id)
    require(actor, Right.WORK_INCIDENT, Thing(incident.authority_id, agency=incident.agency))
    return incident


def _move(
    tx: Session, actor: Actor, incident_id: str, step: Step, reason: str, now: datetime, version: int | None
) -> Incident:
    incident = _work(actor, incident_id)
    return _do(tx, actor, incident, Move(step, reason.strip()[:500], version), now)


def _do(tx: Session, actor: Actor, incident: Incident, command: Command, now: datetime) -> Incident:
    decision = domain.decide(hearing.situation(incident), command)
    if isinstance(decision, Rejected):
        raise refusal(decision)
    if not decision.events:
        return incident
    apply_events(tx, actor, incident, decision.events, now)
    save(tx, incident, now)
    announce_incident(tx, incident, decision.events, now)
    name = command.step.value if isinstance(command, Move) else type(command).__name__.lower()
    reason = command.reason if isinstance(command, Move) else ""
    _audit(tx, actor, incident, f"incident.{name}", now, {"reason": reason} if reason else None)
    return incident


def _expect(incident: Incident, version: int | None) -> None:
    if version is not None and version != incident.version:
        raise refusal(Rejected("stale_version", {"expected": version, "version": incident.version}))


_WHY = {
    "stale_version": (
        "the incident was changed meanwhile; look again",
        "그 사이 사건이 변경되었습니다. 다시 확인하십시오.",
    ),
    "wrong_state": ("the incident's state does not allow this", "현재 사건 상태에서는 할 수 없습니다."),
    "not_open": ("the incident is over", "이미 종료된 사건입니다."),
    "owned_by_other": ("somebody else is responsible for it", "다른 담당자가 맡고 있습니다."),
    "reason_missing": ("a reason is needed", "사유를 입력하십시오."),
}


def refusal(rejected: Rejected) -> BadRequestError | ConflictError:
    """The error that tells a person why the rules said no."""
    english, korean = _WHY[rejected.code]
    if rejected.code == "reason_missing":
        return BadRequestError(english, where="reason", ko=korean, reason=rejected.code)
    return ConflictError(english, ko=korean, reason=rejected.code, **rejected.data)


def _audit(
    tx: Session,
    actor: Actor,
    incident: Incident,
    action: str,
    now: datetime,
    body: Mapping[str, Any] | None = None,  # Any: JSON values
) -> None:
    civic.audit(
        tx,
        authority=incident.authority_id,
        actor=actor.id,
        action=action,
        thing=f"incident:{incident.id}",
        mode=Mode(incident.mode),
        now=now,
        body=body,
        basis=incident.basis,
        retention="access_log" if action == "incident.caller_read" else "incident",
    )
