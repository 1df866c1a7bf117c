"""What may be done with situation messages: load → decide → save, outbox and audit in one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from madang.identity.access import require
from madang.identity.rights import Actor, Right, Thing
from madang.journal import changes, civic, outbox, timers
from madang.journal.session import Session
from madang.kernel.decisions import Rejected
from madang.kernel.errors import BadRequestError, ConflictError, NotFoundError
from madang.kernel.ids import new_id
from madang.kernel.mode import Mode
from madang.response import tasks, timeline
from madang.response.domain import OPEN_STATES
from madang.response.messaging import tokens
from madang.response.messaging.addresses import PHONE, phone_of, unseal
from madang.response.messaging.channels import usable
from madang.response.messaging.domain import (
    OPEN,
    Acknowledge,
    AttemptState,
    CallByPhone,
    Command,
    DeliveryState,
    Event,
    Moved,
    Over,
    Phoned,
    Skip,
    Try,
    Way,
    Withdraw,
    begin,
    decide,
)
from madang.response.messaging.models import LEVELS, TIERS, Attempt, Delivery, Recipient, SentMessage
from madang.response.messaging.wording import LEVEL_KO
from madang.response.models import Incident
from madang.response.task_life import PHONE as PHONE_TASK
from madang.response.timeline import Line

TIMER = "messaging.unacknowledged"
ATTEMPT_TOPIC = "messaging.attempt."
_MOST_RECIPIENTS = 500
_TEXT_CHARS = 600
_ACK_KEPT = timedelta(hours=24)
"""How long after sending the link of a message still shows and acknowledges it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SituationMessage:
    """What is to be told, and to whom. `tiers` are codes of `models.TIERS`; `recipients` narrows them to these ids.

    `ack_within_s` is how long each channel is given before the next; at least 30 seconds. With a `ref` the same message
    is sent about the incident once only.
    """

    incident_id: str
    level: str
    tiers: tuple[str, ...]
    text_ko: str
    text_en: str = ""
    area: str = ""
    ack_within_s: int = 180
    recipients: tuple[str, ...] = ()
    rule: str = ""
    ref: str = ""


def send(tx: Session, actor: Actor, wanted: SituationMessage, now: datetime) -> SentMessage:
    """Tells everybody concerned about an open incident, each over their own channels. Needs `SEND_MESSAGES`."""
    incident = _workable(actor, wanted.incident_id)
    known = SentMessage.objects.filter(incident=incident, ref=wanted.ref).first() if wanted.ref else None
    if known is not None:
        return known
    if incident.state not in {state.value for state in OPEN_STATES}:
        raise ConflictError("the incident is over", ko="이미 종료된 사건입니다.", reason="not_open")
    _check(wanted)
    concerned = concerned_by(incident, wanted.tiers, wanted.recipients)
    if not concerned:
        raise ConflictError(
            "nobody is registered for these tiers, this class and this mode",
            ko="선택한 단계에 등록된 전파 대상이 없습니다. 업무관리에서 전파 대상을 등록하십시오.",
            reason="nobody",
        )
    message = SentMessage.objects.create(
        authority_id=incident.authority_id,
        mode=incident.mode,
        incident=incident,
        level=wanted.level,
        tiers=list(wanted.tiers),
        text_ko=wanted.text_ko.strip(),
        text_en=wanted.text_en.strip(),
        area=wanted.area.strip(),
        ack_within_s=wanted.ack_within_s,
        sent_by=actor.id,
        sent_by_name=actor.name,
        rule=wanted.rule,
        sent_at=now,
        ref=wanted.ref,
    )
    for recipient in concerned:
        _start(tx, message, recipient, now)
    _tell_sent(tx, actor, message, len(concerned), now)
    return message


def concerned_by(incident: Incident, tiers: Iterable[str], only: Iterable[str] = ()) -> list[Recipient]:
    """Who a message about the incident would go to. An exercise goes to real people; a simulation never does."""
    mode = Mode.SIMULATED if incident.mode == Mode.SIMULATED.value else Mode.LIVE
    rows = Recipient.objects.filter(
        authority_id=incident.authority_id, active=True, mode=mode.value, tier__in=list(tiers)
    )
    chosen = frozenset(only)
    of_class = [row for row in rows if not row.classes or incident.class_code in row.classes]
    return [row for row in of_class if not chosen or row.id in chosen]


def ways_to(recipient: Recipient, mode: Mode) -> tuple[str, ...]:
    """The channels a recipient can be tried over in that mode, in their order."""
    known = unseal(recipient)
    return tuple(name for name in recipient.channels if name != PHONE and name in known and usable(name, mode))


def acknowledge(tx: Session, actor: Actor, delivery_id: str, now: datetime, *, how: str = "console") -> Delivery:
    """Somebody at a desk heard from the recipient that they have it."""
    delivery = _delivery(actor, delivery_id)
    _do(tx, delivery, Acknowledge(how), now, by=actor.id, by_name=actor.name, how=how)
    return delivery


def acknowledge_by_token(tx: Session, token: str, now: datetime) -> Delivery:
    """The recipient opened the link and said so. Acknowledging twice is the same as once.

    `NotFoundError` for a token nobody was given; `ConflictError` once the link is too old.
    """
    delivery = delivery_of_token(token, now)
    if delivery.state != DeliveryState.ACKNOWLEDGED.value:
        by = f"recipient:{delivery.recipient_id}"
        _do(tx, delivery, Acknowledge("link"), now, by=by, by_name=delivery.recipient.name, how="link")
    return delivery


def delivery_of_token(token: str, now: datetime) -> Delivery:
    """The delivery a link belongs to, locked inside a transaction. An old link opens nothing: telephones get lost.

    `NotFoundError` for a token nobody was given; `ConflictError` once the link is too old.
    """
    rows = Delivery.objects.select_for_update().select_related("message__incident", "recipient")
    delivery = rows.filter(token_hash=tokens.hash_of(token[:64])).first()
    if delivery is None:
        raise NotFoundError(ko="확인할 메시지를 찾을 수 없습니다.")
    if now > delivery.message.sent_at + _ACK_KEPT:
        raise ConflictError("the link is too old", ko="확인 기간이 지난 링크입니다.", reason="expired")
    return delivery


def phoned(tx: Session, actor: Actor, delivery_id: str, reached: bool, note: str, now: datetime) -> Delivery:
    """What came of telephoning; not reached needs words."""
    delivery = _delivery(actor, delivery_id)
    if not reached and not note.strip():
        raise BadRequestError("say what came of the call", where="note", ko="통화 결과를 적으십시오.")
    delivery.note = note.strip()[:300]
    _do(tx, delivery, Phoned(reached), now, by=actor.id, by_name=actor.name, how="phone")
    return delivery


def dial(tx: Session, actor: Actor, delivery_id: str, now: datetime) -> str:
    """The number to telephone, for who has to; each look leaves an audit row. "" where none is known."""
    delivery = _delivery(actor, delivery_id)
    if delivery.state not in (DeliveryState.PHONE.value, DeliveryState.UNREACHED.value):
        raise ConflictError("nobody has to telephone here", ko="전화할 차례가 아닙니다.", reason="not_by_phone")
    _audit(tx, actor, delivery.message, "messaging.number_read", now, {"delivery": delivery.id})
    return phone_of(delivery.recipient)


def next_channel(tx: Session, actor: Actor, delivery_id: str, now: datetime) -> Delivery:
    """Does not wait for the time to pass: the next channel at once, or the telephone."""
    delivery = _delivery(actor, delivery_id)
    _do(tx, delivery, Skip(), now, by=actor.id, by_name=actor.name)
    return delivery


def withdraw(tx: Session, actor: Actor, message_id: str, reason: str, now: datetime) -> SentMessage:
    """Nobody needs to acknowledge any more, for a reason. What went out cannot be taken back."""
    message = SentMessage.objects.select_related("incident").filter(pk=message_id).first()
    if message is None:
        raise NotFoundError(ko="메시지를 찾을 수 없습니다.")
    _workable(actor, message.incident_id)
    if not reason.strip():
        raise BadRequestError("a reason is needed", where="reason", ko="사유를 입력하십시오.")
    end_open(tx, message.incident, now, by=actor, message=message, reason=reason.strip()[:300])
    return message


def end_open(
    tx: Session, incident: Incident, now: datetime, *, by: Actor, message: SentMessage | None = None, reason: str = ""
) -> int:
    """Withdraws what is still open of an incident, or of one of its messages; returns how much that was."""
    rows = Delivery.objects.select_for_update().select_related("message__incident", "recipient")
    rows = rows.filter(message__incident=incident, state__in=[state.value for state in OPEN])
    open_ones = list(rows if message is None else rows.filter(message=message))
    for delivery in open_ones:
        _do(tx, delivery, Withdraw(), now, by=by.id, by_name=by.name)
    if open_ones and reason:
        line = Line(
            "message_withdrawn", f"상황전파 거둠: {reason}", f"Message withdrawn: {reason}", {"count": len(open_ones)}
        )
        timeline.append(incident, line, actor=by.id, actor_name=by.name, now=now)
    return len(open_ones)


def apply(tx: Session, delivery: Delivery, command: Command, now: datetime) -> None:
    """Carries out what happened to a delivery by itself: a try went out or broke, nobody acknowledged in time."""
    _do(tx, delivery, command, now, by="system:messaging")


# ------------------------------------------------------------------------------------------------ inside


def way_of(delivery: Delivery) -> Way:
    """What the rules need to know of a delivery."""
    return Way(tuple(delivery.channels), delivery.step, DeliveryState(delivery.state), delivery.wants_ack)


def _start(tx: Session, message: SentMessage, recipient: Recipient, now: datetime) -> None:
    channels = ways_to(recipient, Mode(message.mode))
    delivery_id = new_id()
    delivery = Delivery(
        id=delivery_id,
        authority_id=message.authority_id,
        message=message,
        recipient=recipient,
        channels=list(channels),
        state=DeliveryState.TRYING.value,
        wants_ack=recipient.wants_ack,
        token_hash=tokens.hash_of(tokens.token_of(delivery_id)),
        updated_at=now,
    )
    delivery.save(force_insert=True)
    _carry_out(tx, delivery, begin(way_of(delivery)), now, by="system:messaging")


def _do(
    tx: Session, delivery: Delivery, command: Command, now: datetime, *, by: str, by_name: str = "", how: str = ""
) -> None:
    decision = decide(way_of(delivery), command)
    if isinstance(decision, Rejected):
        raise ConflictError(
            "this delivery is over already" if decision.code == "over" else "nobody has to telephone here",
            ko="이미 끝난 전파입니다." if decision.code == "over" else "전화할 차례가 아닙니다.",
            reason=decision.code,
            **decision.data,
        )
    if isinstance(command, Acknowledge | Phoned) and decision.events:
        delivery.how = how
        delivery.acknowledged_by, delivery.acknowledged_at = by_name or by, now
        _tell_ended(delivery, command, now, by, by_name)
    _carry_out(tx, delivery, decision.events, now, by=by)


def _carry_out(tx: Session, delivery: Delivery, events: Iterable[Event], now: datetime, *, by: str) -> None:
    for event in events:
        if isinstance(event, Moved):
            delivery.state = event.state.value
        elif isinstance(event, Try):
            delivery.step = event.step
            _try(tx, delivery, now)
        elif isinstance(event, CallByPhone):
            delivery.step = len(delivery.channels)
            _ask_to_phone(tx, delivery, now)
        elif isinstance(event, Over):
            timers.cancel_timer(tx, kind=TIMER, key=delivery.id)
            tasks.finish(tx, delivery.message.incident, {PHONE_TASK}, by, now, ref=delivery.id)
            _announce_over(tx, delivery, now)
    delivery.updated_at = now
    delivery.save()
    changes.touch(tx, kind="message", ref=delivery.message.incident_id, authority=delivery.authority_id, now=now)


def _try(tx: Session, delivery: Delivery, now: datetime) -> None:
    attempt = Attempt.objects.create(
        delivery=delivery,
        step=delivery.step,
        channel=delivery.channels[delivery.step],
        state=AttemptState.QUEUED.value,
        queued_at=now,
    )
    outbox.announce(
        tx,
        topic=ATTEMPT_TOPIC + attempt.channel,
        key=attempt.id,
        body={"attempt": attempt.id},
        authority=delivery.authority_id,
        mode=Mode(delivery.message.mode),
        now=now,
    )
    timers.set_timer(
        tx,
        kind=TIMER,
        key=delivery.id,
        due_at=now + timedelta(seconds=delivery.message.ack_within_s),
        authority=delivery.authority_id,
        mode=Mode(delivery.message.mode),
        body={"step": delivery.step},
    )


def _ask_to_phone(tx: Session, delivery: Delivery, now: datetime) -> None:
    timers.cancel_timer(tx, kind=TIMER, key=delivery.id)
    who = str(delivery.recipient)
    wording = tasks.wording_of(f"{who}에게 전화로 상황을 알리십시오.", f"Telephone {who} about this incident.")
    due_s = delivery.message.ack_within_s
    tasks.need(tx, delivery.message.incident, PHONE_TASK, now, ref=delivery.id, wording=wording, due_s=due_s)
    line = Line(
        "message_phone",
        f"{who}: 확인 없음, 전화 필요",
        f"{who}: not acknowledged, to be telephoned",
        {"delivery": delivery.id},
        ref=delivery.id,
    )
    timeline.append(delivery.message.incident, line, actor="system:messaging", now=now)
    _touch_incident(tx, delivery.message.incident, now)


def _tell_sent(tx: Session, actor: Actor, message: SentMessage, count: int, now: datetime) -> None:
    head = f"[{LEVEL_KO[message.level]}] {message.text_ko}"
    line = Line(
        "message_sent",
        f"상황전파 {count}곳: {head}",
        f"Situation message to {count}: {message.text_en or message.text_ko}",
        {"message": message.id, "tiers": message.tiers, "level": message.level, "recipients": count},
    )
    timeline.append(message.incident, line, actor=actor.id, actor_name=actor.name, now=now)
    _touch_incident(tx, message.incident, now)
    _audit(tx, actor, message, "messaging.sent", now, {"recipients": count, "tiers": message.tiers})


def _audit(
    tx: Session,
    actor: Actor,
    message: SentMessage,
    action: str,
    now: datetime,
    body: Mapping[str, Any],  # Any: JSON values
) -> None:
    civic.audit(
        tx,
        authority=message.authority_id,
        actor=actor.id,
        action=action,
        thing=f"incident:{message.incident_id}",
        mode=Mode(message.mode),
        now=now,
        body={"message": message.id, **body},
        retention="incident",
    )


def _tell_ended(delivery: Delivery, command: Acknowledge | Phoned, now: datetime, by: str, by_name: str) -> None:
    who = str(delivery.recipient)
    reached = isinstance(command, Acknowledge) or command.reached
    ko, en = ("확인", "acknowledged") if reached else ("연락 안 됨", "not reached")
    tail = f" · {delivery.note}" if delivery.note else ""
    line = Line(
        "message_acknowledged" if reached else "message_unreached",
        f"{who}: {ko}{tail}",
        f"{who}: {en}{tail}",
        {"delivery": delivery.id, "how": delivery.how},
    )
    timeline.append(delivery.message.incident, line, actor=by, actor_name=by_name, now=now)


def _announce_over(tx: Session, delivery: Delivery, now: datetime) -> None:
    outbox.announce(
        tx,
        topic="response.message." + delivery.state,
        key=delivery.message.incident_id,
        body={"delivery": delivery.id, "message": delivery.message_id, "incident_id": delivery.message.incident_id},
        authority=delivery.authority_id,
        mode=Mode(delivery.message.mode),
        now=now,
    )
    _touch_incident(tx, delivery.message.incident, now)


def _touch_incident(tx: Session, incident: Incident, now: datetime) -> None:
    changes.touch(tx, kind="incident", ref=incident.id, authority=incident.authority_id, now=now)


def _workable(actor: Actor, incident_id: str) -> Incident:
    incident = Incident.objects.select_for_update().filter(pk=incident_id).first()
    if incident is None:
        raise NotFoundError(ko="사건을 찾을 수 없습니다.")
    require(actor, Right.SEND_MESSAGES, Thing(incident.authority_id, agency=incident.agency))
    return incident


def _delivery(actor: Actor, delivery_id: str) -> Delivery:
    rows = Delivery.objects.select_for_update().select_related("message__incident", "recipient")
    delivery = rows.filter(pk=delivery_id).first()
    if delivery is None:
        raise NotFoundError(ko="전파 내역을 찾을 수 없습니다.")
    require(actor, Right.SEND_MESSAGES, Thing(delivery.authority_id, agency=delivery.message.incident.agency))
    return delivery


_LEVELS = frozenset(code for code, _ in LEVELS)
_TIERS = frozenset(code for code, _ in TIERS)


def _check(wanted: SituationMessage) -> None:
    faults: Mapping[str, tuple[bool, str]] = {
        "text_ko": (0 < len(wanted.text_ko.strip()) <= _TEXT_CHARS, f"내용을 {_TEXT_CHARS}자 이내로 적으십시오."),
        "text_en": (len(wanted.text_en) <= _TEXT_CHARS, f"영문은 {_TEXT_CHARS}자 이내로 적으십시오."),
        "area": (len(wanted.area) <= 200, "지역은 200자 이내로 적으십시오."),
        "level": (wanted.level in _LEVELS, "단계를 고르십시오."),
        "tiers": (bool(wanted.tiers) and _TIERS.issuperset(wanted.tiers), "대상 단계를 고르십시오."),
        "ack_within_s": (30 <= wanted.ack_within_s <= 3_600, "확인 기한은 30초에서 1시간까지입니다."),
        "recipients": (len(wanted.recipients) <= _MOST_RECIPIENTS, "대상이 너무 많습니다."),
    }
    for where, (right, ko) in faults.items():
        if not right:
            raise BadRequestError(f"{where} is missing, too long or unknown", where=where, ko=ko)
