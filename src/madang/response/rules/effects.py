"""What rules have done to incidents: each effect of a version once per incident, whatever is delivered twice.

The signal's settlement is announced with the effects its rule wants; here they are carried out in one transaction with
the row (`Deed`) that makes them once. What reaches outside waits for a person, unless whoever published the version
let it act by itself. What cannot be done is said on the timeline, and the rest is still done.
"""

from __future__ import annotations

import importlib
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec
import orjson

from madang.identity.access import require
from madang.identity.rights import Actor, Right, Thing
from madang.journal import changes, civic
from madang.journal.handlers import Delivery, OutboxMessage
from madang.journal.session import Session
from madang.kernel.canonical import canonical_json
from madang.kernel.clock import system_clock
from madang.kernel.errors import ConflictError, MadangError, NotFoundError, TemporaryError
from madang.kernel.geometry import Point
from madang.kernel.mode import Mode
from madang.response import commands as response
from madang.response import tasks, timeline, video_side
from madang.response.domain import OPEN_STATES
from madang.response.models import Incident
from madang.response.rules import published_tables
from madang.response.rules.models import Deed, Firing, RuleVersion
from madang.response.rules.saying import rule_actor, table_facts
from madang.response.rules.sentences import TIERS_KO, effect_en, effect_ko
from madang.response.rules.vocabulary import (
    EFFECT_CLASS,
    Ask,
    Effect,
    Message,
    Record,
    SetPriority,
    Show,
    StartSop,
)
from madang.response.rules.world import world_of
from madang.response.task_life import RULE_ASK as ASK_TASK
from madang.response.timeline import Line
from madang.video import commands as video
from madang.video import queries as video_queries

TOPICS = frozenset({"response.signal.settled"})
NAME = "response.rules.effects"
ASK_DUE_S = 60.0
_EFFECT: Any = Effect  # Any: a union, as msgspec wants it

log = logging.getLogger(__name__)


def prepare(message: OutboxMessage) -> bytes | None:
    """Only what ended in an incident, and wants something done there."""
    body = message.body
    if body.get("outcome") != "incident" or not body.get("incident_id"):
        return None
    return canonical_json(dict(body))


def deliver(delivery: Delivery) -> None:
    """Carries out the effects of one signal on the incident it ended in."""
    body = orjson.loads(delivery.wire)
    now = system_clock()
    with civic.transaction() as tx:
        tx.serialise()
        Firing.objects.filter(signal_id=body["signal_id"]).update(incident_id=body["incident_id"])
        incident = Incident.objects.select_for_update().filter(pk=body["incident_id"]).first()
        if incident is not None and body.get("effects"):
            carry_out(tx, incident, str(body["rule"]), body["effects"], now)


@dataclass(frozen=True, slots=True)
class Doing:
    """One effect under way; `found` is what came of it: which cameras, which run, which message.

    `confirmed_by` is who said yes where somebody was asked: what needs a second person later needs another than them.
    """

    tx: Session
    actor: Actor
    incident: Incident
    cited: str
    place: int
    now: datetime
    found: dict[str, Any] = field(default_factory=dict)  # Any: JSON values
    confirmed_by: Actor | None = None


def carry_out(
    tx: Session, incident: Incident, cited: str, effects: list[dict[str, Any]], now: datetime
) -> None:  # Any: JSON
    """Does, or asks for, each effect that was not dealt with on this incident before."""
    version = _version(incident.authority_id, cited)
    dealt_with = set(Deed.objects.filter(incident_id=incident.id, rule=cited).values_list("place", flat=True))
    for place, said in enumerate(effects):
        if place in dealt_with:
            continue
        deed = Deed(
            authority_id=incident.authority_id,
            incident_id=incident.id,
            version=version,
            rule=cited,
            place=place,
            kind=str(said.get("do", ""))[:20],
            effect=said,
            at=now,
        )
        doing = Doing(tx, rule_actor(incident.authority_id, cited), incident, cited, place, now)
        _deal(doing, deed, waits=version is None or not version.auto)
    changes.touch(tx, kind="incident", ref=incident.id, authority=incident.authority_id, now=now)


def _version(authority: str, cited: str) -> RuleVersion | None:
    name, _, number = cited.rpartition("@")
    if not number.isdigit():
        return None
    return RuleVersion.objects.filter(authority_id=authority, name=name, number=int(number)).first()


def _deal(doing: Doing, deed: Deed, *, waits: bool) -> None:
    """Does the effect, or writes down that a person is asked, or why it cannot be."""
    try:
        effect: Effect = msgspec.convert(deed.effect, _EFFECT)
    except msgspec.ValidationError as error:
        _impossible(doing, deed, f"unreadable effect: {error}")
        return
    if isinstance(effect, Ask) or (waits and EFFECT_CLASS[type(effect)] == "act_externally"):
        _ask(doing, deed, effect)
        return
    _try(doing, deed, effect, "done")


def _try(doing: Doing, deed: Deed, effect: Effect, state: str) -> None:
    try:
        with civic.transaction():
            _DOERS[type(effect)](doing, effect)
    except TemporaryError:
        raise
    except MadangError as error:
        _impossible(doing, deed, error.ko or error.detail)
        return
    deed.state, deed.effect = state, {**deed.effect, **doing.found}
    deed.save()
    _audit(doing, deed, f"rule.{deed.kind}")


def _impossible(doing: Doing, deed: Deed, why: str) -> None:
    deed.state, deed.reason = "impossible", why[:500]
    deed.save()
    told = f"규칙 {doing.cited}의 조치를 하지 못했습니다 ({deed.kind}): {why}"
    english = f"An effect of rule {doing.cited} was not possible ({deed.kind}): {why}"
    _line(doing, "rule_impossible", told, english, {"effect": deed.effect, "why": why})
    _audit(doing, deed, "rule.impossible")


def _line(doing: Doing, kind: str, ko: str, en: str, payload: Mapping[str, Any] | None = None) -> None:  # Any: JSON
    line = Line(kind, ko, en, {"rule": doing.cited, **(payload or {})}, ref=f"{doing.cited}#{doing.place}:{kind}"[:100])
    timeline.append(doing.incident, line, actor=doing.actor.id, actor_name=doing.cited, now=doing.now)


def _audit(doing: Doing, deed: Deed, action: str, actor: Actor | None = None) -> None:
    civic.audit(
        doing.tx,
        authority=doing.incident.authority_id,
        actor=(actor or doing.actor).id,
        action=action,
        thing=f"incident:{doing.incident.id}",
        mode=Mode(doing.incident.mode),
        now=doing.now,
        body={"rule": doing.cited, "effect": deed.effect, "state": deed.state, "reason": deed.reason},
        retention="incident",
    )


# --------------------------------------------------------------------------------------------- doing it


def _record(doing: Doing, effect: Record) -> None:
    ko, en = effect.text_ko or f"규칙 {doing.cited} 발동", effect.text_en or f"Rule {doing.cited} fired"
    _line(doing, "rule_record", ko, en)


def _show(doing: Doing, effect: Show) -> None:
    ids, incident = list(effect.camera_ids), doing.incident
    if not ids and incident.case_id:
        ids = [camera.id for camera in video_queries.rank_for_case(incident.case_id, effect.cameras)]
    elif not ids and incident.lon is not None and incident.lat is not None:
        place = Point(incident.lon, incident.lat)
        found = video_queries.rank_for(
            incident.authority_id, place, incident.radius_m, effect.cameras, mode=Mode(incident.mode)
        )
        ids = [camera.id for camera in found]
    if not ids:
        raise ConflictError("no camera to show: the place is unknown or none sees it", ko="보일 카메라가 없습니다.")
    doing.found["camera_ids"] = ids
    _line(doing, "rule_show", f"카메라 {len(ids)}대 표시", f"{len(ids)} cameras shown", {"cameras": ids})


def _set_priority(doing: Doing, effect: SetPriority) -> None:
    priority = effect.priority
    if priority is None:
        priority = published_tables.priority(doing.incident.authority_id, _facts(doing))
    if priority is None:
        raise ConflictError("the priority table has no answer", ko="우선순위 결정표에 답이 없습니다.")
    if priority != doing.incident.priority:
        response.set_priority(doing.tx, doing.actor, doing.incident.id, priority, doing.now)
        doing.incident.refresh_from_db()


def _facts(doing: Doing) -> dict[str, str | int]:
    incident = doing.incident
    name = doing.cited.rpartition("@")[0]
    world = world_of(incident.authority_id, near=False)
    place = (incident.lon, incident.lat)
    facts = table_facts(name, incident.class_code, incident.mode, doing.now.timestamp(), place=place, world=world)
    return {**facts, "priority": incident.priority, "source": "rule"}


def _start_sop(doing: Doing, effect: StartSop) -> None:
    sop = _room("sop")
    run = sop.start(doing.tx, doing.actor, doing.incident.id, effect.code, doing.now, rule=doing.cited)
    doing.found["run_id"] = run.pk


def _send(doing: Doing, effect: Message) -> None:
    messaging = _room("messaging")
    tiers = effect.tiers or published_tables.tiers(doing.incident.authority_id, _facts(doing))
    if not tiers:
        raise ConflictError("nobody to tell: no tiers, and the list has no answer", ko="전파할 대상이 없습니다.")
    wanted = messaging.SituationMessage(
        incident_id=doing.incident.id,
        level=effect.level,
        tiers=tuple(tiers),
        text_ko=effect.text_ko,
        text_en=effect.text_en,
        area=doing.incident.district,
        ack_within_s=180,
        rule=doing.cited,
        ref=f"{doing.cited}#{doing.place}",
    )
    doing.found["message_id"] = messaging.send(doing.tx, doing.actor, wanted, doing.now).pk


def _room(name: str) -> Any:  # Any: a module of a room beside the ones rules are built on
    """The commands of another sub-room, looked up when they are needed."""
    try:
        return importlib.import_module(f"madang.response.{name}.commands")
    except ImportError:
        raise ConflictError(f"{name} is not part of this installation", ko="설치되지 않은 기능입니다.") from None


def _propose(doing: Doing, effect: Ask) -> None:
    """Somebody said yes: the pictures are asked for as the decision table of video has it."""
    incident = doing.incident
    if effect.propose != "grant":
        return
    if not incident.case_id:
        raise ConflictError("the incident has no video case", ko="영상 사건이 없어 제공할 수 없습니다.")
    agency = effect.agency or published_tables.proposes(incident.authority_id, _facts(doing))[1]
    kind, code = ("agency", agency) if agency else ("control_room", incident.authority_id)
    grant = video.request_grant(
        doing.tx,
        doing.confirmed_by or doing.actor,
        case_id=incident.case_id,
        recipient=video.Recipient(kind, code),
        rights=("live",),
        camera_ids=video_side.offerable(incident.case_id),
        facts={"crime_class": incident.class_code, "code": incident.priority, "place_state": incident.place_state},
        now=doing.now,
    )
    doing.found["grant_id"] = grant.pk


_DOERS: Mapping[type, Callable[[Doing, Any], None]] = {  # Any: each takes its own effect
    Record: _record,
    Show: _show,
    SetPriority: _set_priority,
    StartSop: _start_sop,
    Message: _send,
    Ask: _propose,
}


# ------------------------------------------------------------------------------------------ asking a person


def _ask(doing: Doing, deed: Deed, effect: Effect) -> None:
    incident = doing.incident
    if incident.state not in {state.value for state in OPEN_STATES}:
        _impossible(doing, deed, "이미 종료된 사건입니다.")
        return
    if isinstance(effect, Ask) and effect.propose == "grant":
        wanted, agency = published_tables.proposes(incident.authority_id, _facts(doing))
        if not wanted:
            _impossible(doing, deed, "결정표가 영상 제공을 제안하지 않습니다.")
            return
        if agency and not effect.agency:
            deed.effect = {**deed.effect, "agency": agency}
    deed.state = "asked"
    deed.save()
    ko, en = question(effect)
    _line(doing, "rule_asked", f"확인 요청: {ko}", f"Asked: {en}", {"deed": deed.id})
    tasks.need(doing.tx, incident, ASK_TASK, doing.now, ref=deed.id, wording=tasks.wording_of(ko, en), due_s=ASK_DUE_S)
    _audit(doing, deed, "rule.asked")


def question(effect: Effect) -> tuple[str, str]:
    """What the person is asked, in both languages."""
    if isinstance(effect, Message):
        korean = ", ".join(TIERS_KO[tier] for tier in effect.tiers) or "전파 명단"
        english = ", ".join(effect.tiers) or "the list"
        return (
            f"{korean}에 전파하시겠습니까? “{effect.text_ko}”",
            f"Send “{effect.text_en or effect.text_ko}” to {english}?",
        )
    assert isinstance(effect, Ask), "only these are asked"
    return effect.text_ko, effect.text_en or effect.text_ko


def answer(tx: Session, actor: Actor, deed_id: str, yes: bool, reason: str, now: datetime) -> Deed:
    """A person confirms or declines what a rule asked. Messages need `SEND_MESSAGES`, the rest `WORK_INCIDENT`."""
    tx.serialise()
    deed = Deed.objects.select_for_update().filter(pk=deed_id).first()
    if deed is None:
        raise NotFoundError("there is no such question", where="id", ko="요청을 찾을 수 없습니다.")
    incident = Incident.objects.select_for_update().get(pk=deed.incident_id)
    right = Right.SEND_MESSAGES if deed.kind == "message" else Right.WORK_INCIDENT
    require(actor, right, Thing(deed.authority_id, agency=incident.agency))
    if deed.state != "asked":
        raise ConflictError("this was answered already", ko="이미 처리된 요청입니다.", state=deed.state)
    rule = rule_actor(deed.authority_id, deed.rule)
    doing = Doing(tx, rule, incident, deed.rule, deed.place, now, confirmed_by=actor)
    deed.decided_by, deed.decided_at, deed.reason = actor.id, now, reason.strip()[:500]
    if yes:
        _try(doing, deed, msgspec.convert(deed.effect, _EFFECT), "confirmed")
    else:
        deed.state = "declined"
        deed.save()
    _answered(doing, deed, actor, yes)
    return deed


def _answered(doing: Doing, deed: Deed, actor: Actor, yes: bool) -> None:
    incident = doing.incident
    tasks.finish(doing.tx, incident, {ASK_TASK}, actor.id, doing.now, ref=deed.id)
    ko, en = ("확인", "Confirmed") if yes else ("거절", "Declined")
    line = Line(
        "rule_answered",
        f"규칙 {deed.rule} 요청 {ko}" + (f": {deed.reason}" if deed.reason else ""),
        f"{en}: {deed.kind} of rule {deed.rule}" + (f": {deed.reason}" if deed.reason else ""),
        {"deed": deed.id, "state": deed.state},
        ref=deed.id,
    )
    timeline.append(incident, line, actor=actor.id, actor_name=actor.name, now=doing.now)
    _audit(doing, deed, "rule.confirmed" if yes else "rule.declined", actor)
    changes.touch(doing.tx, kind="incident", ref=incident.id, authority=incident.authority_id, now=doing.now)


_OUTCOMES = frozenset({"run_id", "message_id", "grant_id"})
"""What a deed's effect holds besides what the rule said."""


def told_of(deed: Deed) -> tuple[str, str]:
    """What an effect is in words: for one that is asked, the question."""
    wanted = {name: value for name, value in deed.effect.items() if name not in _OUTCOMES}
    try:
        effect: Effect = msgspec.convert(wanted, _EFFECT)
    except msgspec.ValidationError:
        return deed.kind, deed.kind
    if isinstance(effect, Ask | Message):
        return question(effect)
    return effect_ko(effect), effect_en(effect)
