"""What every step of evidence leaves behind: the state, the audit row, the screen's nudge, the announcement."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings

from madang.identity.rights import Actor
from madang.journal import changes, civic, outbox, timers
from madang.journal.session import Session
from madang.kernel.clock import instant_text
from madang.kernel.mode import Mode
from madang.video.config import EvidenceConfig, VideoConfig
from madang.video.evidence import domain
from madang.video.evidence.domain import ItemState, Kind
from madang.video.evidence.models import Export, Item

KEPT = "video.evidence.kept"
HANDED_OVER = "video.evidence.handed_over"
ERASE_TIMER = "video.evidence.erase"
TAKE_TIMER = "video.evidence.take"
EXPORT_TIMER = "video.evidence.export"


def config() -> EvidenceConfig:
    """The city's settings for evidence."""
    value = settings.MADANG_VIDEO
    assert isinstance(value, VideoConfig)
    return value.evidence


def as_domain(row: Item) -> domain.Item:
    """The item as the rules see it."""
    return domain.Item(
        Kind(row.kind), ItemState(row.state), row.pieces, row.locked_by, row.locked_until, row.keep_until
    )


def retention_days(kind: str) -> int:
    """How long an item of that kind is kept."""
    own = config()
    return {Kind.STILL: own.still_days, Kind.RECORDING: own.recording_days}.get(Kind(kind), own.past_days)


def note(
    tx: Session,
    row: Item | Export,
    by: str,
    action: str,
    now: datetime,
    body: Mapping[str, Any] | None = None,  # Any: JSON values
    *,
    retention: str = "video_provision",
) -> None:
    """The audit row and the nudge of one step."""
    kind = "evidence" if isinstance(row, Item) else "export"
    civic.audit(
        tx,
        authority=row.authority_id,
        actor=by,
        action=f"evidence.{action}",
        thing=f"{kind}:{row.pk}",
        mode=Mode(row.mode),
        now=now,
        basis=row.grant.basis if isinstance(row, Item) else row.basis,
        body=dict(body or {}),
        retention=retention,
    )
    changes.touch(tx, kind="evidence", ref=row.incident_id, authority=row.authority_id, now=now)


def log_access(tx: Session, row: Item, actor: Actor, action: str, now: datetime) -> None:
    """Somebody looked: in the access log, and no screen need ask again for it."""
    civic.audit(
        tx,
        authority=row.authority_id,
        actor=actor.id,
        action=f"evidence.{action}",
        thing=f"evidence:{row.pk}",
        mode=Mode(row.mode),
        now=now,
        basis=row.grant.basis,
        body={"viewer": actor.name, "camera": row.camera_id, "incident": row.incident_id},
    )


def came_to_an_end(tx: Session, row: Item, state: ItemState, fault: str, now: datetime) -> None:
    """No more comes of an item: kept, partly kept, or failed."""
    row.state, row.fault = state.value, fault[:40]
    row.keep_until = now + timedelta(days=retention_days(row.kind))
    if state is ItemState.FAILED:
        row.key_sealed = None
    row.save()
    timers.cancel_timer(tx, kind=TAKE_TIMER, key=row.pk)
    body = {"camera": row.camera_id, "kind": row.kind, "digest": row.digest, "bytes": row.bytes, "fault": row.fault}
    note(tx, row, row.taken_by, state.value.lower(), now, body)
    if state in domain.HELD:
        set_timer(tx, ERASE_TIMER, row, row.keep_until)
    announce(tx, KEPT, row, now)


def set_timer(tx: Session, kind: str, row: Item | Export, due_at: datetime) -> None:
    """Sets the row's timer of a kind."""
    timers.set_timer(tx, kind=kind, key=row.pk, due_at=due_at, authority=row.authority_id, mode=Mode(row.mode))


def announce(tx: Session, topic: str, row: Item, now: datetime, **more: Any) -> None:  # Any: JSON values
    """Tells other rooms, by incident."""
    outbox.announce(
        tx,
        topic=topic,
        key=row.incident_id,
        body={
            "incident_id": row.incident_id,
            "evidence_id": row.pk,
            "kind": row.kind,
            "state": row.state,
            "camera": row.camera_label,
            "camera_id": row.camera_id,
            "by": row.taken_by,
            "by_name": row.taken_by_name,
            "reason": row.reason,
            "began_at": instant_text(row.began_at) if row.began_at else "",
            "ended_at": instant_text(row.ended_at) if row.ended_at else "",
            **more,
        },
        authority=row.authority_id,
        mode=Mode(row.mode),
        now=now,
    )
