"""What response runs behind the scenes: tasks that fall due, and the timeline's view of video grants."""

from __future__ import annotations

from datetime import datetime

import orjson

from madang.journal import changes, civic, handlers
from madang.journal.handlers import Delivery, OutboxMessage, Subscriber
from madang.journal.session import Session
from madang.kernel.canonical import canonical_json
from madang.kernel.clock import system_clock
from madang.kernel.workers import LoopWorker, ThreadWorker
from madang.response import caller, evidence_lines, tasks, timeline
from madang.response.domain import APPROVE_GRANT
from madang.response.models import Incident
from madang.response.timeline import Line
from madang.video.models import VideoGrant

FOLLOWER = "response.grants"
GRANT_TOPICS = frozenset(f"video.grant.{name}" for name in ("approved", "pending", "denied", "extended", "ended"))
_TEXTS = {
    "video.grant.approved": ("영상 제공 승인", "Video granted"),
    "video.grant.pending": ("영상 제공 판단 대기", "Video waits for a decision"),
    "video.grant.denied": ("영상 제공 거부", "Video refused"),
    "video.grant.extended": ("영상 제공 연장·변경", "Video extended or changed"),
    "video.grant.ended": ("영상 제공 종료", "Video ended"),
}


def register() -> None:
    """Tells the journal what this room handles."""
    handlers.on_timer(tasks.TIMER, tasks.fall_due)
    handlers.on_timer(caller.FORGET, caller.forget)
    handlers.subscribe(Subscriber(FOLLOWER, GRANT_TOPICS, _prepare, _deliver, lanes=1))  # offers go first
    evidence_lines.register()


def workers(services: object) -> list[ThreadWorker | LoopWorker]:
    """Nothing of its own: the journal's timers and relay do this room's work."""
    del services
    return []


def _prepare(message: OutboxMessage) -> bytes | None:
    return canonical_json(dict(message.body)) if message.body.get("incident_id") else None


def _deliver(delivery: Delivery) -> None:
    body = orjson.loads(delivery.wire)
    now = system_clock()
    with civic.transaction() as tx:
        incident = Incident.objects.select_for_update().filter(pk=body["incident_id"]).first()
        if incident is not None:
            _follow(tx, incident, delivery, str(body["grant_id"]), str(body.get("reason", "")), now)


def _follow(tx: Session, incident: Incident, delivery: Delivery, grant_id: str, reason: str, now: datetime) -> None:
    """Holds the `approve_grant` task to the grant as it stands now, and writes the timeline once per message."""
    grant = VideoGrant.objects.filter(pk=grant_id).first()
    if grant is not None and grant.state == "PENDING_HUMAN":
        tasks.need(tx, incident, APPROVE_GRANT, grant.requested_at, ref=grant_id)
    else:
        tasks.finish(tx, incident, {APPROVE_GRANT}, "system:madang", now, ref=grant_id)
    texts = _TEXTS.get(delivery.topic)
    if texts is not None:
        tail = f": {reason}" if reason else ""
        line = Line(delivery.topic, texts[0] + tail, texts[1] + tail, {"grant": grant_id}, ref=delivery.message_id)
        timeline.append(incident, line, actor="system:video", now=now)
    changes.touch(tx, kind="incident", ref=incident.id, authority=incident.authority_id, now=now)
