"""Who called: sealed with the platform's blob key, bound to its call, opened only to be read and logged, forgotten in
time."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

import orjson
from django.conf import settings

from madang.journal import changes, civic, retention, timers
from madang.journal.handlers import Timer
from madang.journal.session import Session
from madang.kernel.canonical import canonical_json
from madang.kernel.mode import Mode
from madang.response.domain import OPEN_STATES, State
from madang.response.models import SourceCall
from madang.video import seal as box

FORGET = "response.forget_caller"
_RETENTION = "caller"
_KEPT_DAYS = 30
"""Where the retention table says nothing."""


def seal(call_id: str, caller: Mapping[str, str]) -> bytes:
    """The caller's data as it lies in the store."""
    return box.seal(canonical_json(dict(caller)).decode(), key=settings.MADANG_KEYS.blob_key, about=_about(call_id))


def unseal(call_id: str, sealed: bytes) -> dict[str, str]:
    """What was sealed; empty when there is nothing."""
    text = box.unseal(sealed, key=settings.MADANG_KEYS.blob_key, about=_about(call_id))
    said: dict[str, object] = orjson.loads(text) if text else {}
    return {name: str(value) for name, value in said.items()}


def _about(call_id: str) -> str:
    return f"caller:{call_id}"


def remember_to_forget(tx: Session, call: SourceCall, now: datetime) -> None:
    """Sets the timer that erases the caller once the retention period is over."""
    days = next((kind.days for kind in retention.kinds(tx) if kind.kind == _RETENTION), _KEPT_DAYS)
    timers.set_timer(
        tx,
        kind=FORGET,
        key=call.id,
        due_at=now + timedelta(days=days),
        authority=call.authority_id,
        mode=Mode(call.mode),
    )


def forget(tx: Session, timer: Timer, now: datetime) -> None:
    """Erases the caller (timer); while the incident is open a day later."""
    call = SourceCall.objects.select_related("incident").filter(pk=timer.key).first()
    if call is None or not call.caller_sealed:
        return
    incident = call.incident
    if incident is not None and State(incident.state) in OPEN_STATES:
        later = now + timedelta(days=1)
        timers.set_timer(tx, kind=FORGET, key=call.id, due_at=later, authority=call.authority_id, mode=Mode(call.mode))
        return
    call.caller_sealed = b""
    call.save(update_fields=["caller_sealed"])
    if incident is not None:
        incident.has_caller = False
        incident.save(update_fields=["has_caller"])
        changes.touch(tx, kind="incident", ref=incident.id, authority=incident.authority_id, now=now)
    civic.audit(
        tx,
        authority=call.authority_id,
        actor="system:retention",
        action="incident.caller_erased",
        thing=f"incident:{incident.id}" if incident else f"call:{call.id}",
        mode=Mode(call.mode),
        now=now,
        retention="administration",
    )
