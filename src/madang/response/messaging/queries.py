"""Reads: the messages of an incident and of a shift, who has acknowledged, and who would be told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from madang.identity.access import require
from madang.identity.rights import Actor, Right, Thing, may
from madang.kernel.clock import instant_text
from madang.kernel.mode import Mode
from madang.response.classes import class_named
from madang.response.messaging import wording
from madang.response.messaging.channels import CHANNELS
from madang.response.messaging.commands import concerned_by, ways_to
from madang.response.messaging.domain import DeliveryState
from madang.response.messaging.models import TIERS, Attempt, Delivery, Recipient, SentMessage, Template
from madang.response.queries import visible_incident

JsonRow = dict[str, Any]  # Any: JSON values


def of_incident(actor: Actor, incident_id: str) -> list[JsonRow]:
    """The incident's messages, newest first, each with its deliveries and their tries."""
    incident = visible_incident(actor, incident_id)
    messages = list(SentMessage.objects.filter(incident=incident).order_by("-sent_at"))
    deliveries = Delivery.objects.filter(message__in=messages).select_related("recipient").order_by("recipient__order")
    by_message: dict[str, list[Delivery]] = {}
    for delivery in deliveries:
        by_message.setdefault(delivery.message_id, []).append(delivery)
    tries = _tries([one.id for rows in by_message.values() for one in rows])
    return [
        message_row(message, by_message.get(message.id, []))
        | {"deliveries": [_delivery_row(one, tries.get(one.id, [])) for one in by_message.get(message.id, [])]}
        for message in messages
    ]


def since(actor: Actor, authority: str, start: datetime, limit: int = 200) -> list[JsonRow]:
    """The messages of a city since an instant, newest first, with how many have acknowledged."""
    require(actor, Right.VIEW_INCIDENT, Thing(authority, agency=actor.agency))
    rows = SentMessage.objects.filter(authority_id=authority, sent_at__gte=start).select_related("incident")
    seen = [
        row
        for row in rows.order_by("-sent_at")[:limit]
        if may(actor, Right.VIEW_INCIDENT, Thing(authority, agency=row.incident.agency))
    ]
    by_message: dict[str, list[Delivery]] = {}
    for delivery in Delivery.objects.filter(message__in=seen):
        by_message.setdefault(delivery.message_id, []).append(delivery)
    return [
        message_row(row, by_message.get(row.id, []))
        | {"incident_id": row.incident_id, "incident_number": row.incident.number}
        for row in seen
    ]


def preview(actor: Actor, incident_id: str, tiers: Iterable[str]) -> list[JsonRow]:
    """Who a message to these tiers would go to, over what; nothing is sent. No address is shown."""
    incident = visible_incident(actor, incident_id)
    mode = Mode(incident.mode)
    return [
        {
            "id": one.id,
            "name": one.name,
            "duty": one.duty,
            "tier": one.tier,
            "channels": list(ways_to(one, mode)),
            "wants_ack": one.wants_ack,
        }
        for one in concerned_by(incident, tiers)
    ]


def choices(actor: Actor, incident_id: str) -> JsonRow:
    """What a message about the incident can be made of: tiers with how many are in each, templates filled in."""
    incident = visible_incident(actor, incident_id)
    everyone = concerned_by(incident, [code for code, _ in TIERS])
    count = Counter(one.tier for one in everyone)
    named = class_named(incident.class_text if incident.class_code == "unknown" else incident.class_code)
    place = incident.address or incident.district
    facts = {"number": incident.number, "class": named.ko, "place": place}
    fits = Template.objects.filter(authority_id=incident.authority_id, class_code__in=("", incident.class_code))
    return {
        "tiers": [{"code": code, "label": label, "recipients": count[code]} for code, label in TIERS],
        "levels": [{"code": code, "ko": ko, "en": wording.LEVEL_EN[code]} for code, ko in wording.LEVEL_KO.items()],
        "channels": [{"name": one.name, "ko": one.ko, "en": one.en} for one in CHANNELS.values()],
        "area": incident.district,
        "templates": [
            {
                "name": row.name,
                "level": row.level,
                "tiers": row.tiers,
                "text_ko": wording.filled(row.text_ko, facts),
                "text_en": wording.filled(row.text_en, facts | {"class": named.en}),
            }
            for row in fits.order_by("-class_code", "name")
        ],
    }


def message_row(message: SentMessage, deliveries: Iterable[Delivery]) -> JsonRow:
    """A message with how far it has come."""
    states = Counter(one.state for one in deliveries)
    return {
        "id": message.id,
        "mode": message.mode,
        "level": message.level,
        "level_ko": wording.LEVEL_KO.get(message.level, message.level),
        "tiers": message.tiers,
        "text_ko": message.text_ko,
        "text_en": message.text_en,
        "area": message.area,
        "ack_within_s": message.ack_within_s,
        "sent_by": message.sent_by_name or message.sent_by,
        "rule": message.rule,
        "sent_at": instant_text(message.sent_at),
        "states": {state.value: states[state.value] for state in DeliveryState},
        "total": sum(states.values()),
    }


def _delivery_row(delivery: Delivery, tries: list[Attempt]) -> JsonRow:
    recipient = delivery.recipient
    return {
        "id": delivery.id,
        "recipient": {"name": recipient.name, "duty": recipient.duty, "tier": recipient.tier},
        "state": delivery.state,
        "channels": delivery.channels,
        "step": delivery.step,
        "wants_ack": delivery.wants_ack,
        "acknowledged_at": instant_text(delivery.acknowledged_at) if delivery.acknowledged_at else None,
        "acknowledged_by": delivery.acknowledged_by,
        "how": delivery.how,
        "note": delivery.note,
        "attempts": [
            {
                "channel": one.channel,
                "state": one.state,
                "at": instant_text(one.sent_at or one.queued_at),
                "error": one.error,
            }
            for one in tries
        ],
    }


def _tries(delivery_ids: list[str]) -> dict[str, list[Attempt]]:
    found: dict[str, list[Attempt]] = {}
    for attempt in Attempt.objects.filter(delivery__in=delivery_ids).order_by("step"):
        found.setdefault(attempt.delivery_id, []).append(attempt)
    return found


def recipients(actor: Actor, authority: str) -> list[Recipient]:
    """The address book of a city, for who keeps it."""
    require(actor, Right.MANAGE_RECIPIENTS, Thing(authority))
    return list(Recipient.objects.filter(authority_id=authority))
