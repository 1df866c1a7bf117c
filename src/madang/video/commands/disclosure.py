"""A citizen asks whether video of them was provided: received, checked, answered or refused within ten days."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from types import MappingProxyType

import orjson
from django.conf import settings

from madang.identity.access import require
from madang.identity.rights import Actor, Right, Thing
from madang.journal import civic, timers
from madang.journal.session import Session
from madang.kernel.clock import SEOUL, instant_text
from madang.kernel.decisions import Rejected
from madang.kernel.errors import BadRequestError, NotFoundError
from madang.kernel.ids import new_id
from madang.kernel.mode import Mode
from madang.video.commands.grants import config
from madang.video.commands.refusals import refuse
from madang.video.models import DisclosureRequest
from madang.video.seal import seal, unseal

STEPS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "received": frozenset({"checking", "answered", "refused"}),
        "checking": frozenset({"answered", "refused"}),
        "answered": frozenset(),
        "refused": frozenset(),
    }
)
_ALPHABET = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
_MAX_TEXT = 2_000


def ask_disclosure(
    tx: Session,
    *,
    authority: str,
    place: str,
    from_at: datetime,
    to_at: datetime,
    contact: str,
    note: str,
    now: datetime,
) -> DisclosureRequest:
    """Takes a citizen's question and seals it; the receipt number lets them follow it without an account."""
    if from_at >= to_at or to_at > now + timedelta(hours=1) or to_at - from_at > timedelta(days=31):
        raise BadRequestError(
            "the period must lie in the past, begin before it ends, and span at most 31 days",
            where="from_at",
            ko="기간은 과거여야 하고, 시작이 끝보다 앞서며, 31일을 넘을 수 없습니다.",
        )
    if not place.strip() or not contact.strip():
        raise BadRequestError("place and contact are needed", where="place", ko="장소와 연락처를 적으십시오.")
    told = {
        "place": place[:_MAX_TEXT],
        "from_at": instant_text(from_at),
        "to_at": instant_text(to_at),
        "contact": contact[:_MAX_TEXT],
        "note": note[:_MAX_TEXT],
    }
    request_id = new_id()
    key = settings.MADANG_KEYS.blob_key
    row = DisclosureRequest.objects.create(
        id=request_id,
        authority_id=authority,
        receipt=_receipt(now),
        sealed=seal(orjson.dumps(told).decode(), key=key, about=f"disclosure:{request_id}"),
        received_at=now,
        due_at=now + timedelta(seconds=config().disclosure_due_s),
    )
    timers.set_timer(
        tx, kind="video.disclosure.due", key=row.pk, due_at=row.due_at, authority=authority, mode=Mode.LIVE
    )
    _audit(tx, row, "citizen", "video.disclosure.received", now)
    return row


def _receipt(now: datetime) -> str:
    return f"{now.astimezone(SEOUL):%y%m%d}-" + "".join(secrets.choice(_ALPHABET) for _ in range(10))


def read_disclosure(tx: Session, actor: Actor, request_id: str, now: datetime) -> dict[str, str]:
    """What the citizen wrote, opened for the officer who answers; each opening is audited."""
    row = _row_for(actor, request_id)
    _audit(tx, row, actor.id, "video.disclosure.opened", now)
    opened = unseal(row.sealed, key=settings.MADANG_KEYS.blob_key, about=f"disclosure:{row.pk}")
    told: dict[str, str] = orjson.loads(opened) if opened else {}
    return told


def check_disclosure(tx: Session, actor: Actor, request_id: str, now: datetime) -> DisclosureRequest:
    """An officer takes it up."""
    return _move(tx, actor, request_id, "checking", "", now)


def answer_disclosure(tx: Session, actor: Actor, request_id: str, answer: str, now: datetime) -> DisclosureRequest:
    """The answer the citizen will read under the receipt number."""
    return _move(tx, actor, request_id, "answered", answer, now)


def refuse_disclosure(tx: Session, actor: Actor, request_id: str, reason: str, now: datetime) -> DisclosureRequest:
    """A refusal with its reason."""
    return _move(tx, actor, request_id, "refused", reason, now)


def _move(tx: Session, actor: Actor, request_id: str, state: str, text: str, now: datetime) -> DisclosureRequest:
    row = _row_for(actor, request_id)
    if state not in STEPS[row.state]:
        refuse(Rejected("wrong_state", {"state": row.state}))
    if state != "checking" and not text.strip():
        raise BadRequestError(
            "write what the citizen will read", where="answer", ko="민원인에게 보낼 답변을 적으십시오."
        )
    row.state, row.handled_by = state, actor.id
    if state != "checking":
        row.answer, row.answered_at = text[: 2 * _MAX_TEXT], now
        timers.cancel_timer(tx, kind="video.disclosure.due", key=row.pk)
    row.save()
    _audit(tx, row, actor.id, f"video.disclosure.{state}", now)
    return row


def _row_for(actor: Actor, request_id: str) -> DisclosureRequest:
    row = DisclosureRequest.objects.filter(pk=request_id).first()
    if row is None:
        raise NotFoundError("there is no such request", ko="청구를 찾을 수 없습니다.")
    require(actor, Right.ANSWER_DISCLOSURE, Thing(row.authority_id))
    return row


def mark_overdue(tx: Session, request_id: str, now: datetime) -> None:
    """Ten days have passed without an answer (timer): shown as overdue."""
    row = DisclosureRequest.objects.filter(pk=request_id, answered_at=None).first()
    if row is not None:
        row.overdue = True
        row.save(update_fields=["overdue"])
        _audit(tx, row, "system:timer", "video.disclosure.overdue", now)


def _audit(tx: Session, row: DisclosureRequest, by: str, action: str, now: datetime) -> None:
    civic.audit(
        tx,
        authority=row.authority_id,
        actor=by,
        action=action,
        thing=f"disclosure:{row.pk}",
        mode=Mode.LIVE,
        now=now,
        body={"state": row.state},
    )
