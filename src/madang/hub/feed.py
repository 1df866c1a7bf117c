"""The change feed's cursors: opaque, ordered within one tenant, resumable until what they point at is too old."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from madang.hub.changes import CORE_MEMBERS, Op
from madang.hub.errors import CursorLostError


@dataclass(frozen=True, slots=True)
class FeedChange:
    """One change of one entity. `cursor` resumes after it; `raw` holds the changed attributes in kept form."""

    cursor: str
    entity_id: str
    types: tuple[str, ...]
    op: Op
    at: datetime
    source: str
    raw: bytes

    def attributes(self) -> dict[str, Any]:  # Any: JSON; None stands for a deleted attribute
        """The changed attributes; for a creation or replacement, all of them."""
        decoded: dict[str, Any] = orjson.loads(self.raw)  # Any: JSON
        return {name: value for name, value in decoded.items() if name not in CORE_MEMBERS and name[0] != "@"}


def write_cursor(epoch: str, tenant: str, position: int) -> str:
    """A cursor that resumes after `position`; `epoch` names the store it is valid for."""
    return base64.urlsafe_b64encode(f"{epoch}.{position}.{tenant}".encode()).decode().rstrip("=")


def read_cursor(cursor: str, epoch: str, tenant: str) -> int:
    """The position of a cursor; raises `CursorLostError` when it is of another feed or no cursor."""
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        said_epoch, position, said_tenant = text.split(".", 2)
        number = int(position)
    except (binascii.Error, UnicodeDecodeError, ValueError):
        raise CursorLostError("This is not a cursor of the change feed", where="cursor") from None
    if said_epoch != epoch or said_tenant != tenant:
        raise CursorLostError("The cursor belongs to another feed", where="cursor", hint="Start without a cursor")
    return number
