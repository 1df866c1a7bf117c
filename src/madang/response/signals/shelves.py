"""Shelves: devices whose signals are put aside for a while, by chatter or by hand. Urgent signals pass them."""

from __future__ import annotations

from datetime import datetime, timedelta

from madang.identity.access import require
from madang.identity.rights import Actor, Right, Thing
from madang.journal import changes, civic, timers
from madang.journal.session import Session
from madang.kernel.clock import instant_text
from madang.kernel.errors import BadRequestError, ConflictError, NotFoundError
from madang.kernel.mode import Mode
from madang.response.signals.domain import BY_HAND, Source
from madang.response.signals.group import UNSHELVE, end_expired
from madang.response.signals.models import Shelf

MOST_MINUTES = 24 * 60


def shelve(
    tx: Session,
    actor: Actor,
    *,
    authority: str,
    mode: Mode,
    source: str,
    device: str,
    minutes: float,
    reason: str,
    now: datetime,
) -> Shelf:
    """Puts a device's signals aside for so many minutes, up to a day, for a reason. What is urgent still passes."""
    require(actor, Right.SHELVE_SIGNALS, Thing(authority, agency=actor.agency))
    _check(source, device, minutes, reason)
    at = instant_text(now)
    end_expired(tx, (authority, mode.value, source, device), at)
    if Shelf.objects.filter(
        authority_id=authority, mode=mode.value, source=source, device=device, ended_at=""
    ).exists():
        raise ConflictError("the device is on a shelf already", where="device", ko="이미 보류된 장치입니다.")
    until = now + timedelta(minutes=minutes)
    seq = tx.execute("SELECT COALESCE(MAX(seq), 0) FROM signals_signal WHERE outcome <> ''")[0][0]
    shelf = Shelf.objects.create(
        authority_id=authority,
        mode=mode.value,
        source=source,
        device=device,
        reason=reason.strip(),
        shelved_by=actor.id,
        shelved_by_name=actor.name,
        shelved_at=at,
        until=instant_text(until),
        from_seq=seq,
    )
    timers.set_timer(tx, kind=UNSHELVE, key=shelf.id, due_at=until, authority=authority, mode=mode)
    _tell(tx, actor, shelf, "shelved", {"minutes": minutes, "reason": reason.strip()}, now)
    return shelf


def _check(source: str, device: str, minutes: float, reason: str) -> None:
    if source not in frozenset(Source) or not device or len(device) > 100 or device.startswith(BY_HAND):
        raise BadRequestError("name a source and one of its devices", where="device", ko="보류할 장치를 고르십시오.")
    if not 1 <= minutes <= MOST_MINUTES:
        raise BadRequestError(
            f"a shelf lasts 1 to {MOST_MINUTES} minutes", where="minutes", ko="보류 시간은 1분에서 24시간까지입니다."
        )
    if not reason.strip() or len(reason.strip()) > 500:
        raise BadRequestError("a reason of up to 500 characters is needed", where="reason", ko="사유를 입력하십시오.")


def unshelve(tx: Session, actor: Actor, shelf_id: str, reason: str, now: datetime) -> Shelf:
    """Takes a device off its shelf before its time, for a reason."""
    shelf = Shelf.objects.select_for_update().filter(pk=shelf_id).first()
    if shelf is None:
        raise NotFoundError(ko="보류를 찾을 수 없습니다.")
    require(actor, Right.SHELVE_SIGNALS, Thing(str(shelf.authority_id), agency=actor.agency))
    if not reason.strip() or len(reason.strip()) > 500:
        raise BadRequestError("a reason of up to 500 characters is needed", where="reason", ko="사유를 입력하십시오.")
    if shelf.ended_at:
        raise ConflictError("the device is off this shelf already", ko="이미 해제된 보류입니다.")
    shelf.ended_at, shelf.ended_reason = instant_text(now), reason.strip()
    shelf.ended_by, shelf.ended_by_name = actor.id, actor.name
    shelf.save(update_fields=["ended_at", "ended_reason", "ended_by", "ended_by_name"])
    timers.cancel_timer(tx, kind=UNSHELVE, key=shelf.id)
    _tell(tx, actor, shelf, "unshelved", {"reason": reason.strip()}, now)
    return shelf


def expire(tx: Session, shelf_id: str, due_at: datetime, now: datetime) -> None:
    """The shelf's time is over."""
    ended = tx.execute(
        "UPDATE signals_shelf SET ended_at = ?, ended_by = 'system:timer' WHERE id = ? AND ended_at = ''"
        " RETURNING authority",
        (instant_text(due_at), shelf_id),
    )
    for (authority,) in ended:
        changes.touch(tx, kind="shelf", ref=shelf_id, authority=authority, now=now)


def _tell(tx: Session, actor: Actor, shelf: Shelf, deed: str, body: dict[str, object], now: datetime) -> None:
    authority = str(shelf.authority_id)
    civic.audit(
        tx,
        authority=authority,
        actor=actor.id,
        action=f"signals.{deed}",
        thing=f"shelf:{shelf.id}",
        mode=Mode(shelf.mode),
        now=now,
        body={"source": shelf.source, "device": shelf.device, **body},
        retention="incident",
    )
    changes.touch(tx, kind="shelf", ref=shelf.id, authority=authority, now=now)
