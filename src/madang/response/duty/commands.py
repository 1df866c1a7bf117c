"""What people on duty do with each other: hand their work over, and write down what was said by radio and telephone."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from madang.identity.access import require
from madang.identity.actors import actor_of_person
from madang.identity.models import Person
from madang.identity.rights import Actor, Right, Thing, may
from madang.journal import changes, civic, outbox
from madang.journal.session import Session
from madang.kernel.clock import seoul_text
from madang.kernel.decisions import Rejected
from madang.kernel.errors import BadRequestError, ConflictError, NotFoundError
from madang.kernel.mode import Mode
from madang.response import commands as response
from madang.response import timeline, todo
from madang.response.domain import OPEN_STATES
from madang.response.duty import domain
from madang.response.duty.domain import OVER, Accept, Command, Decline, ItemState, Phase, Withdraw
from madang.response.duty.models import Handover, HandoverItem, LogEntry
from madang.response.models import Incident
from madang.response.timeline import Line

TOPIC = "response.duty."
CHANNELS = {"radio": "무전", "phone": "전화", "visit": "대면", "message": "문자"}
DIRECTIONS = {"in": "수신", "out": "발신"}
_OPEN = frozenset(state.value for state in OPEN_STATES)

# ------------------------------------------------------------------------------------------------- hand-over


def hand_over(
    tx: Session,
    actor: Actor,
    authority: str,
    to_person: str,
    brief: str,
    now: datetime,
    *,
    incident_ids: Collection[str] | None = None,
    facts: Mapping[str, Any] | None = None,  # Any: JSON values
    mode: Mode = Mode.LIVE,
) -> Handover:
    """Offers what the actor answers for to a colleague (`to_person`: actor id): all of it, or only `incident_ids`.

    Until the colleague accepts, nothing changes hands. `facts` keeps what the brief was drawn from. Needs `KEEP_DUTY`.
    """
    require(actor, Right.KEEP_DUTY, Thing(authority, agency=actor.agency))
    if not brief.strip():
        raise BadRequestError("a hand-over needs a brief", where="brief", ko="인계 내용을 적으십시오.")
    receiver = _colleague(actor, authority, to_person)
    mine = Incident.objects.select_for_update().filter(authority_id=authority, owner=actor.id, state__in=_OPEN)
    chosen = [one for one in mine if incident_ids is None or one.id in incident_ids]
    if incident_ids is not None and len(chosen) != len(set(incident_ids)):
        raise ConflictError("only what one answers for can be handed over", ko="자신이 맡은 사건만 인계할 수 있습니다.")
    _refuse_offered_twice(chosen)
    row = Handover.objects.create(
        authority_id=authority,
        mode=mode.value,
        giver=actor.id,
        giver_name=actor.name,
        receiver=receiver.id,
        receiver_name=receiver.name,
        brief=brief.strip()[:8_000],
        facts=dict(facts or {}),
        offered_at=now,
    )
    HandoverItem.objects.bulk_create(HandoverItem(handover=row, incident=one) for one in chosen)
    for incident in chosen:
        ko, en = f"인계 요청: {actor.name} → {receiver.name}", f"Hand-over offered: {actor.name} → {receiver.name}"
        _line(tx, incident, actor, Line("handover_offered", ko, en, {"handover": row.id}), now)
    _tell(tx, actor, row, "offered", now)
    return row


def _refuse_offered_twice(incidents: Collection[Incident]) -> None:
    twice = HandoverItem.objects.filter(incident__in=incidents, state=ItemState.WAITING).select_related("incident")
    first = twice.first()
    if first is not None:
        raise ConflictError(
            f"{first.incident.number} is on offer already",
            ko=f"{first.incident.number} 사건은 이미 인계 요청 중입니다.",
        )


def accept_handover(
    tx: Session, actor: Actor, handover_id: str, now: datetime, *, incident_ids: Collection[str] | None = None
) -> Handover:
    """The receiver takes over: everything still waiting, or only some of it. From now on they answer for it."""
    chosen = None if incident_ids is None else frozenset(incident_ids)
    return _answer(tx, actor, handover_id, Accept(actor.id, chosen), now)


def decline_handover(
    tx: Session,
    actor: Actor,
    handover_id: str,
    reason: str,
    now: datetime,
    *,
    incident_ids: Collection[str] | None = None,
) -> Handover:
    """The receiver sends it back with a reason; the giver goes on answering for it."""
    chosen = None if incident_ids is None else frozenset(incident_ids)
    return _answer(tx, actor, handover_id, Decline(actor.id, reason.strip()[:300], chosen), now)


def withdraw_handover(tx: Session, actor: Actor, handover_id: str, now: datetime) -> Handover:
    """The giver takes back what nobody has answered yet."""
    return _answer(tx, actor, handover_id, Withdraw(actor.id), now)


def _answer(tx: Session, actor: Actor, handover_id: str, command: Command, now: datetime) -> Handover:
    row = Handover.objects.select_for_update().filter(pk=handover_id).first()
    if row is None:
        raise NotFoundError(ko="인수인계를 찾을 수 없습니다.")
    require(actor, Right.KEEP_DUTY, Thing(row.authority_id, agency=actor.agency))
    # Locked before their owners are read, so that nobody takes one over between the decision and the deed.
    incidents = {one.pk: one for one in Incident.objects.select_for_update().filter(handover_items__handover=row)}
    items = {item.incident_id: item for item in row.items.all()}
    for key, item in items.items():
        item.incident = incidents[key]
    decision = domain.decide(_state(row, items), command)
    if isinstance(decision, Rejected):
        raise _refusal(decision, row)
    for event in decision.events:
        if isinstance(event, domain.Settled):
            _settle(tx, actor, row, event, now)
        else:
            _answer_item(tx, actor, row, items[event.incident], event, now)
    if not any(isinstance(event, domain.Settled) for event in decision.events):
        _tell(tx, actor, row, "answered", now)
    return row


def _state(row: Handover, items: Mapping[str, HandoverItem]) -> domain.Handover:
    owners = {key: item.incident.owner if item.incident.state in _OPEN else OVER for key, item in items.items()}
    states = {key: ItemState(item.state) for key, item in items.items()}
    return domain.Handover(row.giver, row.receiver, Phase(row.phase), states, owners)


def _answer_item(
    tx: Session,
    actor: Actor,
    row: Handover,
    item: HandoverItem,
    event: domain.ItemAccepted | domain.ItemDeclined | domain.ItemLapsed,
    now: datetime,
) -> None:
    item.answered_at = now
    if isinstance(event, domain.ItemAccepted):
        item.state = ItemState.ACCEPTED
        ko, en = f"인수: {row.giver_name} → {row.receiver_name}", f"Taken over: {row.giver_name} → {row.receiver_name}"
        _line(tx, item.incident, actor, Line("handover_accepted", ko, en, {"handover": row.id}), now)
        response.claim(tx, actor, item.incident_id, now, take_over=True)
        todo.pass_on(tx, actor, item.incident, row.giver, now)
    elif isinstance(event, domain.ItemDeclined):
        item.state, item.reason = ItemState.DECLINED, event.reason
        ko, en = f"인계 거절: {event.reason}", f"Hand-over declined: {event.reason}"
        _line(tx, item.incident, actor, Line("handover_declined", ko, en, {"handover": row.id}), now)
    else:
        item.state = ItemState.LAPSED
    item.save()


def _settle(tx: Session, actor: Actor, row: Handover, event: domain.Settled, now: datetime) -> None:
    row.phase, row.reason, row.settled_at = event.phase.value, event.reason, now
    row.save()
    if event.phase is Phase.WITHDRAWN:
        row.items.filter(state=ItemState.WAITING).update(state=ItemState.LAPSED, answered_at=now)
    _tell(tx, actor, row, event.phase.value, now)


def _tell(tx: Session, actor: Actor, row: Handover, name: str, now: datetime) -> None:
    incidents = list(row.items.values_list("incident_id", "state"))
    changes.touch(tx, kind="handover", ref=row.id, authority=row.authority_id, now=now)
    outbox.announce(
        tx,
        topic=f"{TOPIC}handover_{name}",
        key=row.id,
        body={"handover_id": row.id, "giver": row.giver, "receiver": row.receiver, "incidents": dict(incidents)},
        authority=row.authority_id,
        mode=Mode(row.mode),
        now=now,
    )
    civic.audit(
        tx,
        authority=row.authority_id,
        actor=actor.id,
        action=f"handover.{name}",
        thing=f"handover:{row.id}",
        mode=Mode(row.mode),
        now=now,
        body={"giver": row.giver, "receiver": row.receiver, "reason": row.reason, "incidents": dict(incidents)},
    )


def _line(tx: Session, incident: Incident, actor: Actor, line: Line, now: datetime) -> None:
    timeline.append(incident, line, actor=actor.id, actor_name=actor.name, now=now)
    changes.touch(tx, kind="incident", ref=incident.id, authority=incident.authority_id, now=now)


def _colleague(actor: Actor, authority: str, actor_id: str) -> Actor:
    kind, _, key = actor_id.partition(":")
    person = Person.objects.filter(pk=key, is_active=True).first() if kind == "person" else None
    found = actor_of_person(person) if person is not None else None
    thing = Thing(authority)
    if found is None or not may(found, Right.KEEP_DUTY, thing) or not may(found, Right.WORK_INCIDENT, thing):
        raise BadRequestError("that person keeps no duty here", where="to", ko="인계받을 수 없는 사람입니다.")
    if found.id == actor.id:
        raise BadRequestError("one cannot hand over to oneself", where="to", ko="자신에게는 인계할 수 없습니다.")
    return found


_WHY = {
    "settled": ("this hand-over is settled already", "이미 끝난 인수인계입니다."),
    "not_receiver": ("only the one it is offered to answers it", "인계받는 사람만 답할 수 있습니다."),
    "not_giver": ("only the one who offered it takes it back", "인계한 사람만 거둘 수 있습니다."),
    "not_waiting": ("that was answered already", "이미 답한 사건입니다."),
}


def _refusal(rejected: Rejected, row: Handover) -> BadRequestError | ConflictError:
    if rejected.code == "reason_missing":
        return BadRequestError("a reason is needed", where="reason", ko="사유를 입력하십시오.", reason="reason_missing")
    english, korean = _WHY[rejected.code]
    return ConflictError(english, ko=korean, reason=rejected.code, handover=row.id)


# ------------------------------------------------------------------------------------------------------- log


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What was said: `channel` radio, phone, visit or message; `direction` in or out; who said it to whom."""

    channel: str
    direction: str
    who: str
    whom: str
    text: str
    said_at: datetime
    incident_id: str = ""


def log_call(
    tx: Session, actor: Actor, authority: str, call: Call, now: datetime, *, mode: Mode = Mode.LIVE
) -> LogEntry:
    """Writes down what was said by radio or telephone, tied to an incident or to none. Needs `KEEP_DUTY`."""
    require(actor, Right.KEEP_DUTY, Thing(authority, agency=actor.agency))
    _check(call, now)
    incident = _incident_of(actor, authority, call.incident_id)
    return _write(tx, actor, authority, call, incident, now, Mode(incident.mode) if incident is not None else mode)


def correct_call(tx: Session, actor: Actor, entry_id: str, text: str, now: datetime) -> LogEntry:
    """Corrects an entry by a new one that names it; the entry itself stays. A corrected one is corrected no further."""
    entry = LogEntry.objects.select_for_update(of=("self",)).select_related("incident").filter(pk=entry_id).first()
    if entry is None:
        raise NotFoundError(ko="통신 기록을 찾을 수 없습니다.")
    require(actor, Right.KEEP_DUTY, Thing(entry.authority_id, agency=actor.agency))
    if LogEntry.objects.filter(corrects=entry).exists():
        raise ConflictError(
            "it was corrected already; correct the newer entry", ko="이미 고친 기록입니다. 고친 기록을 다시 고치십시오."
        )
    call = Call(
        channel=entry.channel,
        direction=entry.direction,
        who=entry.who,
        whom=entry.whom,
        text=text,
        said_at=entry.said_at,
    )
    _check(call, now)
    return _write(tx, actor, entry.authority_id, call, entry.incident, now, Mode(entry.mode), corrects=entry)


def _check(call: Call, now: datetime) -> None:
    wrong = {
        "channel": call.channel not in CHANNELS,
        "direction": call.direction not in DIRECTIONS,
        "who": not call.who.strip(),
        "whom": not call.whom.strip(),
        "text": not call.text.strip(),
        "said_at": not now - timedelta(days=7) <= call.said_at <= now + timedelta(minutes=1),
    }
    for where, holds in wrong.items():
        if holds:
            raise BadRequestError(
                f"{where} is missing or cannot be so", where=where, ko=f"입력값을 확인하십시오: {where}"
            )


def _incident_of(actor: Actor, authority: str, incident_id: str) -> Incident | None:
    if not incident_id:
        return None
    incident = Incident.objects.select_for_update().filter(pk=incident_id, authority_id=authority).first()
    if incident is None:
        raise NotFoundError(ko="사건을 찾을 수 없습니다.")
    require(actor, Right.VIEW_INCIDENT, Thing(authority, agency=incident.agency))
    return incident


def _write(
    tx: Session,
    actor: Actor,
    authority: str,
    call: Call,
    incident: Incident | None,
    now: datetime,
    mode: Mode,
    corrects: LogEntry | None = None,
) -> LogEntry:
    entry = LogEntry.objects.create(
        authority_id=authority,
        mode=mode.value,
        incident=incident,
        channel=call.channel,
        direction=call.direction,
        who=call.who.strip()[:100],
        whom=call.whom.strip()[:100],
        text=call.text.strip()[:4_000],
        said_at=call.said_at,
        written_at=now,
        actor=actor.id,
        actor_name=actor.name,
        corrects=corrects,
    )
    if incident is not None:
        _line(tx, incident, actor, _log_line(entry), now)
    changes.touch(tx, kind="handover", ref=entry.id, authority=authority, now=now)
    civic.audit(
        tx,
        authority=authority,
        actor=actor.id,
        action="log.corrected" if corrects is not None else "log.written",
        thing=f"log:{entry.id}",
        mode=mode,
        now=now,
        body={"incident": incident.id if incident else "", "text": entry.text},
        retention="incident",
    )
    return entry


def _log_line(entry: LogEntry) -> Line:
    said = f"{entry.who} → {entry.whom}: {entry.text}"
    fixed_ko, fixed_en = ("통신 기록 고침 · ", "Log corrected · ") if entry.corrects_id else ("", "")
    at = seoul_text(entry.said_at)
    payload = {"entry": entry.id, "corrects": entry.corrects_id or "", "said_at": entry.said_at.isoformat(), "at": at}
    ko = f"{fixed_ko}{CHANNELS[entry.channel]} {DIRECTIONS[entry.direction]} · {said}"
    return Line("log", ko, f"{fixed_en}{entry.channel} {entry.direction} · {said}", payload)
