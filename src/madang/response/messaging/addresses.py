"""How recipients are reached: sealed, opened only to send or to telephone, erased with the recipient."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime

import orjson
from django.conf import settings

from madang.identity.access import require
from madang.identity.rights import Actor, Right, Thing
from madang.journal import civic
from madang.journal.session import Session
from madang.kernel.canonical import canonical_json
from madang.kernel.errors import BadRequestError, NotFoundError
from madang.kernel.mode import Mode
from madang.response.messaging.models import Recipient
from madang.video import seal as box

PHONE = "phone"
"""The number a person dials when every channel was tried."""
_MOST = 200
_FORMS: Mapping[str, re.Pattern[str]] = {
    "sms": re.compile(r"\+?[0-9][0-9 -]{6,18}[0-9]"),
    PHONE: re.compile(r"\+?[0-9][0-9 -]{6,18}[0-9]"),
    "email": re.compile(r"[^@\s,;:<>\"]{1,64}@[A-Za-z0-9.-]{1,190}"),
}


def seal(recipient: Recipient, addresses: Mapping[str, str]) -> None:
    """Puts a recipient's addresses (channel → address) into its row; refuses what is no address."""
    kept = {name: value.strip() for name, value in addresses.items() if value.strip()}
    for name, value in kept.items():
        form = _FORMS.get(name)
        if len(value) > _MOST or any(ord(char) < 32 for char in value) or (form and not form.fullmatch(value)):
            raise BadRequestError(f"this is no {name} address", where=name, ko=f"{name} 주소 형식이 아닙니다.")
    text = canonical_json(kept).decode()
    recipient.addresses_sealed = (
        box.seal(text, key=settings.MADANG_KEYS.blob_key, about=_about(recipient)) if kept else b""
    )


def unseal(recipient: Recipient) -> dict[str, str]:
    """The addresses by channel; empty when none are known, or they were erased."""
    text = box.unseal(bytes(recipient.addresses_sealed), key=settings.MADANG_KEYS.blob_key, about=_about(recipient))
    said: dict[str, object] = orjson.loads(text) if text else {}
    return {name: str(value) for name, value in said.items()}


def phone_of(recipient: Recipient) -> str:
    """The number to dial: the one given for that, or else the one messages go to."""
    known = unseal(recipient)
    return known.get(PHONE) or known.get("sms", "")


def erase(tx: Session, actor: Actor, recipient_id: str, now: datetime) -> Recipient:
    """Erases who a recipient is and how they are reached; what was sent stays, to nobody by name."""
    recipient = Recipient.objects.select_for_update().filter(pk=recipient_id).first()
    if recipient is None:
        raise NotFoundError(ko="전파 대상을 찾을 수 없습니다.")
    require(actor, Right.MANAGE_RECIPIENTS, Thing(recipient.authority_id))
    recipient.name, recipient.duty, recipient.key = "(삭제됨)", "", ""
    recipient.addresses_sealed, recipient.active = b"", False
    recipient.save()
    civic.audit(
        tx,
        authority=recipient.authority_id,
        actor=actor.id,
        action="messaging.recipient_erased",
        thing=f"recipient:{recipient.id}",
        mode=Mode(recipient.mode),
        now=now,
        retention="administration",
    )
    return recipient


def _about(recipient: Recipient) -> str:
    return f"recipient:{recipient.id}"
