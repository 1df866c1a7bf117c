"""What messaging runs behind the scenes: the tries of each channel, and the clock of who has not acknowledged."""

from __future__ import annotations

import orjson

from madang.identity.rights import system_actor
from madang.journal import civic, handlers
from madang.journal.handlers import Delivery, OutboxMessage, Subscriber
from madang.kernel.canonical import canonical_json
from madang.kernel.clock import system_clock
from madang.kernel.workers import LoopWorker, ThreadWorker
from madang.response.forgetting import keeper
from madang.response.messaging import commands, sending
from madang.response.messaging.channels import CHANNELS, Channel
from madang.response.messaging.channels import register as register_channel
from madang.response.messaging.retention import FORGETTINGS
from madang.response.models import Incident

FOLLOWER = "messaging.endings"
ENDINGS = frozenset({"response.incident.closed", "response.incident.cancelled", "response.incident.dismissed"})


def register() -> None:
    """Tells the journal what this room handles."""
    handlers.on_timer(commands.TIMER, sending.fall_late)
    handlers.subscribe(Subscriber(FOLLOWER, ENDINGS, _prepare, _end, lanes=1))
    for name in CHANNELS:
        handlers.subscribe(sending.subscriber(name))


def open_channel(channel: Channel) -> None:
    """Makes a channel known to this room and to the relay."""
    register_channel(channel)
    handlers.subscribe(sending.subscriber(channel.name))


def workers(services: object) -> list[ThreadWorker | LoopWorker]:
    """The keeper of the retention; the journal's relay and timers do the rest of this room's work."""
    del services
    return [keeper("messaging", FORGETTINGS)]


def _prepare(message: OutboxMessage) -> bytes | None:
    return canonical_json({"incident": message.body["id"]})


def _end(delivery: Delivery) -> None:
    """An incident is over: what nobody acknowledged so far need not be acknowledged any more."""
    incident_id = str(orjson.loads(delivery.wire)["incident"])
    with civic.transaction() as tx:
        incident = Incident.objects.select_for_update().filter(pk=incident_id).first()
        if incident is not None:
            actor = system_actor(incident.authority_id, "messaging")
            commands.end_open(tx, incident, system_clock(), by=actor, reason="사건 종료 · the incident is over")
