"""The timeline's view of evidence: what was kept of which camera, and what was handed over to whom."""

from __future__ import annotations

from typing import Any

import orjson

from madang.journal import changes, civic, handlers
from madang.journal.handlers import Delivery, OutboxMessage, Subscriber
from madang.kernel.canonical import canonical_json
from madang.kernel.clock import parse_instant, system_clock
from madang.response import timeline
from madang.response.models import Incident
from madang.response.timeline import Line

FOLLOWER = "response.evidence"
KEPT = "video.evidence.kept"
HANDED_OVER = "video.evidence.handed_over"
_KINDS = {
    "still": ("정지영상", "Still"),
    "recording": ("녹화", "Recording"),
    "past": ("사전 영상", "Time before the event"),
}
_STATES = {"KEPT": ("", ""), "PARTIAL": (" (일부)", " (in part)"), "FAILED": (" 실패", " failed")}


def register() -> None:
    """Tells the journal that the timeline follows evidence."""
    handlers.subscribe(Subscriber(FOLLOWER, frozenset({KEPT, HANDED_OVER}), _prepare, _deliver, lanes=1))


def _prepare(message: OutboxMessage) -> bytes | None:
    return canonical_json(dict(message.body)) if message.body.get("incident_id") else None


def _deliver(delivery: Delivery) -> None:
    body, now = orjson.loads(delivery.wire), system_clock()
    line = _kept(body, delivery.message_id) if delivery.topic == KEPT else _handed_over(body, delivery.message_id)
    with civic.transaction() as tx:
        incident = Incident.objects.select_for_update().filter(pk=body["incident_id"]).first()
        if incident is not None:
            timeline.append(incident, line, actor=str(body["by"]), actor_name=str(body["by_name"]), now=now)
            changes.touch(tx, kind="incident", ref=incident.id, authority=incident.authority_id, now=now)


def _kept(body: dict[str, Any], ref: str) -> Line:  # Any: JSON values
    """Stills carry their id and moment, so that a review can show them at their place."""
    (ko, en), (state_ko, state_en) = _KINDS[body["kind"]], _STATES[body["state"]]
    tail = f": {body['camera']}" + (f" · {body['reason']}" if body["reason"] else "")
    moment = body.get("began_at") or ""
    payload = {
        "evidence": body["evidence_id"],
        "kind": body["kind"],
        "state": body["state"],
        "camera": body["camera_id"],
        "moment": parse_instant(moment).isoformat() if moment else "",
    }
    return Line("evidence", f"{ko}{state_ko}{tail}", f"{en}{state_en}{tail}", payload, ref=ref)


def _handed_over(body: dict[str, Any], ref: str) -> Line:  # Any: JSON values
    payload = {"export": body["export_id"], "manifest": body["manifest_digest"]}
    count, to = body["items"], body["recipient"]
    return Line(
        "evidence_out", f"증거 반출 {count}건: {to}", f"Evidence handed over, {count} items: {to}", payload, ref=ref
    )
