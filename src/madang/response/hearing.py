"""What a source says about a call, taken in: in any order, however often, before and after the incident's life."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from madang.identity.rights import Actor
from madang.journal import changes, civic
from madang.journal.session import Session
from madang.kernel.clock import SEOUL
from madang.kernel.decisions import Accepted
from madang.kernel.geometry import Point
from madang.kernel.ids import new_id
from madang.kernel.mode import Mode
from madang.response import caller, domain, timeline, video_side
from madang.response.classes import class_named
from madang.response.domain import (
    LOCATE,
    Account,
    Doubt,
    Ending,
    Event,
    Fact,
    Move,
    Place,
    PlaceState,
    SaidPlace,
    Situation,
    State,
    Step,
    TaskNeeded,
    TasksOver,
)
from madang.response.models import Incident, IncidentCounter, SourceCall
from madang.response.record import announce, announce_incident, apply_events, save
from madang.response.situating import in_words, situate
from madang.response.tasks import OPEN, response_config
from madang.response.timeline import Line
from madang.video.legal import basis_of

_ENDED_BY_SOURCE = {
    Step.CLOSE: "신고 기관 종결 통보 · closed by its source",
    Step.CANCEL: "신고 기관 취소 통보 · cancelled by its source",
}
NOT_OPENING = frozenset({"outcome"})
"""Facts that do not open an incident by themselves."""


@dataclass(frozen=True, slots=True)
class CallKey:
    """Which call: its number is unique within city, mode, source and agency."""

    authority: str
    mode: Mode
    source: str
    agency: str
    source_key: str


@dataclass(frozen=True, slots=True)
class Word:
    """One message about a call. `seq` is the sender's count within the call.

    Facts by name: `class` text, `code`, `place` (see `place_fact`), `radius_m`, `basis`, `officer`, `text`, `outcome`;
    `doubt:<field>` says why a fact was set aside, or "" that it no longer is.
    """

    key: CallKey
    seq: int
    facts: Mapping[str, Any]  # Any: JSON values
    caller: Mapping[str, str] = field(default_factory=dict)
    request: bool = False
    ending: Step | None = None
    reason: str = ""
    message_id: str = ""


def hear(tx: Session, actor: Actor, word: Word, now: datetime) -> Incident | None:
    """Takes a word in, in the caller's transaction. None when it opens nothing and nothing is open."""
    call = _call(word.key, now)
    before = _load(call.account)
    account = domain.tell(before, word.seq, _with_caller(word), request=word.request)
    if word.ending is not None:
        account = domain.end(account, Ending(word.ending, word.seq, word.reason))
    _keep(tx, call, word, before, account, now)
    incident = call.incident
    if incident is None:
        incident = _open_if_told(tx, actor, call, word, account, now)
    else:
        incident = Incident.objects.select_for_update().get(pk=incident.pk)
        _apply(tx, actor, incident, call, word, _changed(before, account), now)
    if word.key.source_key:
        call.incident = incident
        call.save()
    return incident


def found(
    tx: Session,
    actor: Actor,
    incident: Incident,
    point: Point,
    *,
    how: str,
    contained: bool | None,
    district: str,
    now: datetime,
) -> None:
    """A person found the place: believed as it is, also outside the city."""
    state = PlaceState.OUTSIDE if contained is False else PlaceState.LOCATED
    place = Place(state, point, 0.0, _address_at(incident, point), district, how)
    _set_place(incident, place, ())
    line = Line("located", f"위치 확인 ({how}) {district}", f"Located ({how}) {district}", {"how": how})
    timeline.append(incident, line, actor=actor.id, actor_name=actor.name, now=now)
    apply_events(tx, actor, incident, (TasksOver(frozenset({LOCATE})),), now)
    if situation(incident).open:
        video_side.follow_place(tx, actor, incident, now)
    save(tx, incident, now)
    announce(tx, incident, "located", now)


def _address_at(incident: Incident, point: Point) -> str:
    """What somebody said stays; what was put into words from the point before is put into words anew."""
    before = None if incident.lon is None or incident.lat is None else Point(incident.lon, incident.lat)
    said = incident.address if incident.address != in_words(incident.authority_id, before) else ""
    return said or in_words(incident.authority_id, point)


def situation(incident: Incident) -> Situation:
    """What the rules need to know of an incident."""
    kinds = incident.tasks.filter(state__in=OPEN).values_list("kind", flat=True) if incident.pk else []
    return Situation(State(incident.state), incident.priority, incident.owner, incident.version, frozenset(kinds))


def place_fact(said: SaidPlace) -> dict[str, Any]:  # Any: JSON values
    """A place as a fact of a call."""
    return {"lon": said.lon, "lat": said.lat, "accuracy_m": said.accuracy_m, "address": said.address}


# ---------------------------------------------------------------------------------------- the call's account


def find_call(key: CallKey) -> SourceCall | None:
    """What was heard of that call so far, if anything."""
    rows = SourceCall.objects.select_for_update().filter(
        authority_id=key.authority,
        mode=key.mode.value,
        source=key.source,
        agency=key.agency,
        source_key=key.source_key,
    )
    return rows.first() if key.source_key else None


def _call(key: CallKey, now: datetime) -> SourceCall:
    return find_call(key) or SourceCall(
        authority_id=key.authority,
        mode=key.mode.value,
        source=key.source,
        agency=key.agency,
        source_key=key.source_key,
        first_heard_at=now,
    )


def _with_caller(word: Word) -> dict[str, Any]:  # Any: JSON values
    facts = {name: value for name, value in word.facts.items() if value is not None}
    return facts | ({"caller": True} if word.caller else {})


def _keep(tx: Session, call: SourceCall, word: Word, before: Account, account: Account, now: datetime) -> None:
    call.account = _dump(account)
    if word.caller and _fact_seq(account, "caller") != _fact_seq(before, "caller"):
        call.caller_sealed = caller.seal(call.id, word.caller)
        caller.remember_to_forget(tx, call, now)
    if word.request and word.message_id:
        call.request_message_id = word.message_id


def _fact_seq(account: Account, name: str) -> int:
    fact = account.facts.get(name)
    return 0 if fact is None else fact.seq


def _changed(before: Account, after: Account) -> frozenset[str]:
    return frozenset(name for name, fact in after.facts.items() if before.facts.get(name) != fact)


def _load(data: Mapping[str, Any]) -> Account:  # Any: JSON values
    facts = {name: Fact(seq, value) for name, (seq, value) in data.get("facts", {}).items()}
    said = data.get("ending")
    ending = Ending(Step(said["step"]), said["seq"], said["reason"]) if said else None
    return Account(facts, ending, bool(data.get("requested")))


def _dump(account: Account) -> dict[str, Any]:  # Any: JSON values
    ending = account.ending
    return {
        "facts": {name: [fact.seq, fact.value] for name, fact in account.facts.items()},
        "ending": {"step": ending.step.value, "seq": ending.seq, "reason": ending.reason} if ending else None,
        "requested": account.requested,
    }


# ------------------------------------------------------------------------------------------------- opening


def _open_if_told(
    tx: Session, actor: Actor, call: SourceCall, word: Word, account: Account, now: datetime
) -> Incident | None:
    if not account.requested and not set(account.facts) - NOT_OPENING:
        return None
    incident = _fresh(call, word.key, account, now)
    place, doubts = situate(incident.authority_id, _said_place(account))
    _set_place(incident, place, doubts)
    _set_doubts(incident, account)
    incident.save(force_insert=True)
    ended = account.ending.step if account.ending else None
    place_known = not place.needs_a_person or incident.source == "system"
    events = domain.opened(incident.priority, place_known=place_known, ended=ended)
    _write_opening(incident, actor, now)
    apply_events(tx, actor, incident, events, now)
    announce(tx, incident, "opened", now, late=ended is not None)
    if situation(incident).open:
        _begin_video(tx, actor, incident, now)
    else:
        announce_incident(tx, incident, events, now)
    incident.save()
    changes.touch(tx, kind="incident", ref=incident.id, authority=incident.authority_id, now=now)
    _audit_opening(tx, actor, incident, now)
    return incident


def _fresh(call: SourceCall, key: CallKey, account: Account, now: datetime) -> Incident:
    named = class_named(str(account.value("class", "")))
    ident = new_id()
    return Incident(
        id=ident,
        authority_id=key.authority,
        number=_next_number(key.authority, now),
        mode=key.mode.value,
        source=key.source,
        source_key=key.source_key,
        agency=key.agency,
        class_code=named.code,
        class_text=str(account.value("class", ""))[:64],
        priority=domain.priority_of(account.value("code")),
        state=State.NEW.value,
        radius_m=_radius(account),
        basis=str(account.value("basis", ""))[:64],
        note=str(account.value("text", "")),
        outcome=str(account.value("outcome", ""))[:64],
        officer=account.value("officer", {}),
        has_caller=bool(call.caller_sealed),
        opened_at=now,
        updated_at=now,
    )


def _next_number(authority: str, now: datetime) -> str:
    year = now.astimezone(SEOUL).year
    counter, _ = IncidentCounter.objects.select_for_update().get_or_create(authority_id=authority, year=year)
    counter.last += 1
    counter.save(update_fields=["last"])
    return f"{year}-{counter.last:06}"


def _radius(account: Account) -> float:
    config = response_config()
    return min(max(float(account.value("radius_m", config.default_radius_m)), 10.0), config.max_radius_m)


def _said_place(account: Account) -> SaidPlace:
    said = account.value("place", {})
    return SaidPlace(said.get("lon"), said.get("lat"), said.get("accuracy_m"), said.get("address", ""))


def _write_opening(incident: Incident, actor: Actor, now: datetime) -> None:
    named = class_named(incident.class_text)
    doubtful = ", ".join(f"{doubt['field']} ({doubt['why']})" for doubt in incident.doubts)
    line = Line(
        "opened",
        f"{named.ko} 접수" + (f", 확인 필요: {doubtful}" if doubtful else ""),
        f"{named.en} reported" + (f", doubtful: {doubtful}" if doubtful else ""),
        {"priority": incident.priority, "place_state": incident.place_state, "doubts": incident.doubts},
    )
    timeline.append(incident, line, actor=actor.id, actor_name=actor.name, now=now)
    if incident.note:
        said = Line("said", incident.note, incident.note)
        timeline.append(incident, said, actor=actor.id, actor_name=actor.name, now=now)


def _begin_video(tx: Session, actor: Actor, incident: Incident, now: datetime) -> None:
    """Opens the case, unless nothing known makes it lawful: then the timeline says so."""
    if incident.source == "system" or video_side.open_video(tx, actor, incident, now):
        return
    line = Line(
        "no_basis",
        "영상 제공의 법적 근거가 확인되지 않아 영상을 제공하지 않습니다.",
        "No video is offered: no known legal basis was given.",
        {"basis": incident.basis},
    )
    timeline.append(incident, line, actor="system:madang", now=now)


def _audit_opening(tx: Session, actor: Actor, incident: Incident, now: datetime) -> None:
    civic.audit(
        tx,
        authority=incident.authority_id,
        actor=actor.id,
        action="incident.open",
        thing=f"incident:{incident.id}",
        mode=Mode(incident.mode),
        now=now,
        body={"number": incident.number, "source": incident.source, "call": incident.source_key},
        basis=incident.basis,
        retention="incident",
    )


# ------------------------------------------------------------------------------------------------ updating


def _apply(
    tx: Session,
    actor: Actor,
    incident: Incident,
    call: SourceCall,
    word: Word,
    changed: frozenset[str],
    now: datetime,
) -> None:
    """Brings an incident up to what its source says now. After its end the facts are kept, but nothing is reopened."""
    was_open = situation(incident).open
    account = _load(call.account)
    doubts = list(incident.doubts)
    events = _take_facts(incident, call, account, changed)
    doubtful = bool(incident.doubts) and incident.doubts != doubts
    late = not was_open and not _is_result(word)
    _write_update(incident, actor, word, changed, late=late, now=now)
    if was_open:
        apply_events(tx, actor, incident, events, now)
        _follow_video(tx, actor, incident, changed, now)
    ended: tuple[Event, ...] = _end(tx, actor, incident, word, now) if was_open else ()
    save(tx, incident, now)
    if "place" in changed and incident.place_state != PlaceState.UNLOCATED.value:
        announce(tx, incident, "located", now, late=late, doubtful=doubtful)
    elif changed or not ended:
        announce(tx, incident, "updated", now, late=late, doubtful=doubtful)
    if ended:
        announce_incident(tx, incident, ended, now)
    _audit_update(tx, actor, incident, word, changed, now)


def _is_result(word: Word) -> bool:
    """Whether a word only says what came of the call, which is in time also after the end."""
    return bool(word.facts) and word.facts.keys() <= NOT_OPENING


def _take_facts(incident: Incident, call: SourceCall, account: Account, changed: frozenset[str]) -> tuple[Event, ...]:
    """Writes the changed facts onto the row; the events that follow from them."""
    events: tuple[Event, ...] = ()
    if "class" in changed:
        incident.class_text = str(account.value("class"))[:64]
        incident.class_code = class_named(incident.class_text).code
    if "code" in changed:
        command = domain.SetPriority(domain.priority_of(account.value("code")))
        decision = domain.decide(situation(incident), command)
        events += decision.events if isinstance(decision, Accepted) else ()
        incident.priority = command.priority if not situation(incident).open else incident.priority
    if "place" in changed:
        place, doubts = situate(incident.authority_id, _said_place(account))
        _set_place(incident, place, doubts)
        events += (TaskNeeded(LOCATE),) if place.needs_a_person else (TasksOver(frozenset({LOCATE})),)
    if "radius_m" in changed:
        incident.radius_m = _radius(account)
    incident.basis = str(account.value("basis", incident.basis))[:64]
    incident.note = str(account.value("text", incident.note))
    incident.outcome = str(account.value("outcome", incident.outcome))[:64]
    incident.officer = account.value("officer", incident.officer)
    incident.has_caller = bool(call.caller_sealed)
    _set_doubts(incident, account)
    return events


def _follow_video(tx: Session, actor: Actor, incident: Incident, changed: frozenset[str], now: datetime) -> None:
    if not incident.case_id and "basis" in changed:
        video_side.open_video(tx, actor, incident, now)
    elif changed & {"place", "radius_m"}:
        video_side.follow_place(tx, actor, incident, now)
    if changed & {"class", "code"}:
        video_side.ask_anew(tx, actor, incident, now)


def _end(tx: Session, actor: Actor, incident: Incident, word: Word, now: datetime) -> tuple[Event, ...]:
    if word.ending is None:
        return ()
    reason = word.reason or _ENDED_BY_SOURCE[word.ending]
    decision = domain.decide(situation(incident), Move(word.ending, reason))
    assert isinstance(decision, Accepted), "every open state may be closed and cancelled"
    apply_events(tx, actor, incident, decision.events, now)
    return decision.events


def _write_update(
    incident: Incident, actor: Actor, word: Word, changed: frozenset[str], *, late: bool, now: datetime
) -> None:
    if not late and not changed:
        return
    names = ", ".join(sorted(name for name in changed if not name.startswith("doubt:"))) or "-"
    said = str(word.facts.get("text") or word.reason or "")
    ko, en = (
        (f"종료 후 통보: {names}", f"Told after the end: {names}") if late else (f"변경: {names}", f"Changed: {names}")
    )
    tail = f" · {said}" if said else ""
    payload = {"changed": sorted(changed), "seq": word.seq, "ending": word.ending.value if word.ending else ""}
    kind = "late" if late else "updated"
    line = Line(kind, ko + tail, en + tail, payload, ref=word.message_id)
    timeline.append(incident, line, actor=actor.id, actor_name=actor.name, now=now)


def _audit_update(
    tx: Session, actor: Actor, incident: Incident, word: Word, changed: frozenset[str], now: datetime
) -> None:
    civic.audit(
        tx,
        authority=incident.authority_id,
        actor=actor.id,
        action=f"incident.{word.ending.value}" if word.ending else "incident.update",
        thing=f"incident:{incident.id}",
        mode=Mode(incident.mode),
        now=now,
        body={"changed": sorted(changed), "seq": word.seq},
        basis=incident.basis,
        retention="incident",
    )


def _set_place(incident: Incident, place: Place, doubts: tuple[Doubt, ...]) -> None:
    incident.place_state = place.state.value
    incident.place_how = place.how
    incident.lon = place.point.lon if place.point else None
    incident.lat = place.point.lat if place.point else None
    incident.accuracy_m = place.accuracy_m
    incident.address = place.address[:500]
    incident.district = place.district[:60]
    incident.candidates = [
        {"label": one.label, "lon": one.lon, "lat": one.lat, "score": one.score, "kind": one.kind}
        for one in place.candidates
    ]
    kept = [doubt for doubt in incident.doubts if doubt.get("seen") != "map"]
    incident.doubts = kept + [{"field": doubt.field, "why": doubt.why, "seen": "map"} for doubt in doubts]


def _set_doubts(incident: Incident, account: Account) -> None:
    said = [
        {"field": name.removeprefix("doubt:"), "why": fact.value, "seen": "said"}
        for name, fact in sorted(account.facts.items())
        if name.startswith("doubt:") and fact.value
    ]
    if incident.source != "system" and basis_of(incident.basis) is None:
        said.append({"field": "basis", "why": "unknown", "seen": "law"})
    incident.doubts = said + [doubt for doubt in incident.doubts if doubt.get("seen") == "map"]
