"""The messages of the contract as types. What a call says (`body`) is read by `translate`, which never refuses it."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from madang.kernel.mode import Mode

SCHEMA_VER = "1.0"
PATH = "/linkages/police112/v1"
TAG = "madang-police112"
SOURCE = "police112"

Identifier = Annotated[str, msgspec.Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]*$")]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=64, pattern=r"^[^\x00]+$")]
Instant = Annotated[
    str, msgspec.Meta(pattern=r"^\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})$")
]


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """What every message carries. `body` is any object: unknown members and odd values are the caller's right."""

    kind: Name
    schema_ver: Annotated[str, msgspec.Meta(pattern=r"^\d+\.\d+$")]
    msg_id: Identifier
    dialogue_id: Name
    sent_at: Instant
    sender: Name = msgspec.field(name="from")
    recipient: Name = msgspec.field(name="to")
    mode: Mode
    body: dict[str, Any]  # Any: JSON values
    seq: Annotated[int, msgspec.Meta(ge=1, le=2**53)] | None = None
    in_reply_to: str | None = None


class Officer(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks or looks."""

    id: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    name: Annotated[str, msgspec.Meta(max_length=100)] = ""
    unit: Annotated[str, msgspec.Meta(max_length=100)] = ""


class ExtendBody(msgspec.Struct, frozen=True, kw_only=True):
    """The body of a `GrantExtendRequest`."""

    grant_id: Name
    reason: Annotated[str, msgspec.Meta(min_length=1, max_length=1000)]


class LeaseOpen(msgspec.Struct, frozen=True, kw_only=True):
    """`POST /leases`."""

    sender: Name = msgspec.field(name="from")
    recipient: Name = msgspec.field(name="to")
    mode: Mode
    grant_id: Name
    camera_id: Name
    officer: Officer


class LeaseAct(msgspec.Struct, frozen=True, kw_only=True):
    """`POST /leases/{lease_id}/renew` and `…/close`."""

    sender: Name = msgspec.field(name="from")
    recipient: Name = msgspec.field(name="to")
    mode: Mode


FACTS = frozenset({"VideoRequest", "VideoUpdate"})
"""Kinds that say facts of a call."""
ENDINGS = frozenset({"VideoCancel", "CallClosed"})
"""Kinds that end a call: they overtake what is stuck before them."""
CALL_KINDS = FACTS | ENDINGS | {"ResultReport", "GrantExtendRequest"}
HEARTBEAT = "Heartbeat"
INBOUND = CALL_KINDS | {HEARTBEAT}
