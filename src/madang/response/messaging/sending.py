"""The tries that go out: one subscriber for each channel, outside any transaction.

Where a receiver honours the key, a try that was interrupted is repeated under it. Where it does not (SMS, telephone), a
try found half done is never repeated by itself: it is marked unsure, shown to a person, and the clock goes on.
"""

from __future__ import annotations

from datetime import datetime

import orjson

from madang.journal import changes, civic
from madang.journal.handlers import Delivery as Errand
from madang.journal.handlers import OutboxMessage, Subscriber, Timer
from madang.journal.session import Session
from madang.kernel.canonical import canonical_json
from madang.kernel.clock import system_clock
from madang.kernel.errors import PermanentError, TemporaryError
from madang.kernel.mode import Mode
from madang.response.classes import class_named
from madang.response.messaging import commands, tokens, wording
from madang.response.messaging.addresses import unseal
from madang.response.messaging.channels import CHANNELS, Channel, Outgoing, UnsureError, usable
from madang.response.messaging.domain import AttemptState, Broke, DeliveryState, Late, Went
from madang.response.messaging.models import Attempt, Delivery

SUBSCRIBER = "messaging."
LANES = 2
_OVER = frozenset({AttemptState.SENT, AttemptState.FAILED, AttemptState.UNSURE, AttemptState.DROPPED})


def subscriber(channel: str) -> Subscriber:
    """What carries the tries of one channel."""
    return Subscriber(
        SUBSCRIBER + channel, frozenset({commands.ATTEMPT_TOPIC + channel}), prepare, deliver, lanes=LANES
    )


def prepare(message: OutboxMessage) -> bytes | None:
    """Which try; the address is looked up when it is sent and lies nowhere else."""
    return canonical_json({"attempt": message.body["attempt"]})


def deliver(errand: Errand) -> None:
    """One go at one try."""
    attempt_id = str(orjson.loads(errand.wire)["attempt"])
    taken = _take_up(attempt_id, system_clock())
    if taken is None:
        return
    channel, outgoing = taken
    try:
        provider_ref = channel.send(outgoing)
    except TemporaryError:
        _put_back(attempt_id)
        raise
    except PermanentError as error:
        _settle(attempt_id, AttemptState.FAILED, str(error))
    except UnsureError as error:
        _settle(attempt_id, AttemptState.UNSURE, str(error))
    else:
        _settle(attempt_id, AttemptState.SENT, "", provider_ref)


def fall_late(tx: Session, timer: Timer, now: datetime) -> None:
    """Nobody acknowledged in time (timer)."""
    rows = Delivery.objects.select_for_update().select_related("message__incident", "recipient")
    delivery = rows.filter(pk=timer.key).first()
    if delivery is not None:
        commands.apply(tx, delivery, Late(int(timer.body.get("step", delivery.step))), now)


def _take_up(attempt_id: str, now: datetime) -> tuple[Channel, Outgoing] | None:
    """Marks a try as begun and gives what to send; None when there is nothing to be sent (any more)."""
    with civic.transaction() as tx:
        attempt = _locked(attempt_id)
        if attempt is None or AttemptState(attempt.state) in _OVER:
            return None
        delivery = attempt.delivery
        if not _still_wanted(attempt):
            _mark(tx, attempt, AttemptState.DROPPED, "", "", now)
            return None
        mode = Mode(delivery.message.mode)
        address = unseal(delivery.recipient).get(attempt.channel, "")
        channel = CHANNELS.get(attempt.channel)
        if channel is None or not address or not usable(attempt.channel, mode):
            why = "no address" if channel else "this channel is not set up"
            _mark(tx, attempt, AttemptState.FAILED, why, "", now)
            commands.apply(tx, delivery, Broke(attempt.step), now)
            return None
        if attempt.state == AttemptState.SENDING.value and not channel.idempotent:
            _mark(tx, attempt, AttemptState.UNSURE, "interrupted while sending", "", now)
            commands.apply(tx, delivery, Went(attempt.step), now)
            return None
        attempt.state = AttemptState.SENDING.value
        attempt.save(update_fields=["state"])
        return channel, _outgoing(attempt, address, mode)


def _outgoing(attempt: Attempt, address: str, mode: Mode) -> Outgoing:
    message = attempt.delivery.message
    incident = message.incident
    named = class_named(incident.class_text if incident.class_code == "unknown" else incident.class_code)
    text = wording.body(
        mode,
        message.level,
        class_ko=named.ko,
        area=message.area or incident.district,
        text_ko=message.text_ko,
        text_en=message.text_en,
        link=tokens.link_of(attempt.delivery_id) if attempt.delivery.wants_ack else "",
    )
    return Outgoing(attempt.id, address, wording.subject(mode, message.level, named.ko, incident.number), text, mode)


def _still_wanted(attempt: Attempt) -> bool:
    delivery = attempt.delivery
    return delivery.state == DeliveryState.TRYING.value and delivery.step == attempt.step


def _put_back(attempt_id: str) -> None:
    with civic.transaction():
        Attempt.objects.filter(pk=attempt_id, state=AttemptState.SENDING.value).update(state=AttemptState.QUEUED.value)


def _settle(attempt_id: str, state: AttemptState, error: str, provider_ref: str = "") -> None:
    now = system_clock()
    with civic.transaction() as tx:
        attempt = _locked(attempt_id)
        if attempt is None:
            return
        _mark(tx, attempt, state, error, provider_ref, now)
        command = Broke(attempt.step) if state is AttemptState.FAILED else Went(attempt.step)
        commands.apply(tx, attempt.delivery, command, now)


def _mark(tx: Session, attempt: Attempt, state: AttemptState, error: str, provider_ref: str, now: datetime) -> None:
    attempt.state, attempt.error, attempt.provider_ref = state.value, error[:300], provider_ref[:120]
    attempt.sent_at = now if state in (AttemptState.SENT, AttemptState.UNSURE) else None
    attempt.save()
    changes.touch(
        tx,
        kind="message",
        ref=attempt.delivery.message.incident_id,
        authority=attempt.delivery.authority_id,
        now=now,
    )


def _locked(attempt_id: str) -> Attempt | None:
    rows = Attempt.objects.select_for_update().select_related("delivery__message__incident", "delivery__recipient")
    return rows.filter(pk=attempt_id).first()
