"""What sop runs behind the scenes: steps that fall due, runs that begin and end with their incidents."""

from __future__ import annotations

import orjson

from madang.identity.rights import system_actor
from madang.journal import civic, handlers
from madang.journal.handlers import Delivery, OutboxMessage, Subscriber
from madang.kernel.canonical import canonical_json
from madang.kernel.clock import system_clock
from madang.kernel.workers import LoopWorker, ThreadWorker
from madang.response.domain import OPEN_STATES
from madang.response.models import Incident
from madang.response.sop import commands

FOLLOWER = "sop.incidents"
TOPICS = frozenset(
    f"response.incident.{name}" for name in ("opened", "updated", "closed", "cancelled", "dismissed", "reopened")
)
_OPEN = frozenset(state.value for state in OPEN_STATES)


def register() -> None:
    """Tells the journal what this room handles."""
    handlers.on_timer(commands.STEP_DUE, commands.fall_due)
    handlers.subscribe(Subscriber(FOLLOWER, TOPICS, _prepare, _deliver, lanes=1))


def workers(services: object) -> list[ThreadWorker | LoopWorker]:
    """Nothing of its own: the journal's timers and relay do this room's work."""
    del services
    return []


def _prepare(message: OutboxMessage) -> bytes | None:
    return canonical_json({"incident": message.key})


def _deliver(delivery: Delivery) -> None:
    """Holds the runs of an incident to what the incident is now, however often and in whatever order it is told."""
    incident_id = orjson.loads(delivery.wire)["incident"]
    now = system_clock()
    told = Incident.objects.filter(pk=incident_id).first()
    if told is None or not commands.lags_behind(told):
        return
    with civic.transaction() as tx:
        incident = Incident.objects.select_for_update().filter(pk=incident_id).first()
        if incident is None:
            return
        actor = system_actor(incident.authority_id)
        commands.follow_incident(tx, actor, incident, now)
        if incident.state in _OPEN:
            commands.start_for_class(tx, incident, actor, now)
