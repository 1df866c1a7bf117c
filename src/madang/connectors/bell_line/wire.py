"""What a bell says, read strictly where it matters and generously elsewhere. Pure."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

import msgspec

from madang.kernel.canonical import parse_json
from madang.kernel.clock import instant_text, parse_instant
from madang.kernel.geometry import judge

AHEAD = timedelta(minutes=5)
"""A bell's clock may run ahead so far; beyond, the time of arrival counts."""


class Kind(StrEnum):
    """What a message is about."""

    PRESS = "press"
    TEST = "test"
    HEARTBEAT = "heartbeat"
    INTERCOM = "intercom"
    RESET = "reset"
    TAMPER = "tamper"


class Intercom(StrEnum):
    """The state of a bell's intercom."""

    IDLE = "idle"
    RINGING = "ringing"
    TALKING = "talking"
    FAILED = "failed"


class BellMessage(msgspec.Struct, frozen=True, kw_only=True):
    """The contract (see README). Members not named here are ignored: vendors add their own."""

    kind: Kind
    bell: str = ""
    id: str = ""
    at: str = ""
    pressed: bool | None = None
    intercom: Intercom | None = None
    battery: float | None = None
    lon: float | None = None
    lat: float | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class Said:
    """A message made ready. `observed_at` is the bell's time where that is believed (`timed`), else that of arrival."""

    bell: str
    id: str
    kind: Kind
    observed_at: datetime
    timed: bool
    device_time: str
    pressed: bool
    intercom: str
    battery: float | None
    lon: float | None
    lat: float | None
    text: str


def read(payload: bytes, topic: str, now: datetime, max_payload: int) -> Said:
    """Reads a message; raises `ValueError` or `MadangError` saying what is wrong with it."""
    return said(parse_json(payload, max_bytes=max_payload, max_depth=6, where="payload"), now, topic)


def said(raw: Any, now: datetime, topic: str = "") -> Said:  # Any: JSON from outside
    """The same from a JSON value. Raises `ValueError`."""
    told = msgspec.convert(raw, BellMessage)
    bell = (told.bell or topic.rpartition("/")[2]).strip()
    if not 1 <= len(bell) <= 100 or not bell.isprintable():
        raise ValueError("bell is missing: the bell's number, 1 to 100 printable characters")
    if len(told.id) > 200 or len(told.text) > 1_000:
        raise ValueError("id has at most 200 characters, text at most 1000")
    observed_at, timed, device_time = _time(told.at, now)
    lon, lat = told.lon, told.lat
    if lon is None or lat is None or judge(lon, lat) is not None:
        lon = lat = None
    return Said(
        bell,
        told.id or _own_id(bell, told, observed_at),
        told.kind,
        observed_at,
        timed,
        device_time,
        bool(told.pressed),
        told.intercom.value if told.intercom else "",
        told.battery if told.battery is not None and 0 <= told.battery <= 100 else None,
        lon,
        lat,
        told.text,
    )


def _time(at: str, now: datetime) -> tuple[datetime, bool, str]:
    """When it happened, whether the bell said so, and what its clock said where that is not believed."""
    if not at:
        return now, False, ""
    try:
        observed_at = parse_instant(at)
    except ValueError:
        return now, False, at[:40]
    return (observed_at, True, "") if observed_at <= now + AHEAD else (now, False, at[:40])


def _own_id(bell: str, told: BellMessage, observed_at: datetime) -> str:
    """A bell without ids: the same thing said of the same second is the same report."""
    moment = told.at or instant_text(observed_at)[:19]
    return hashlib.sha256(f"{bell}\n{told.kind}\n{moment}\n{told.intercom}".encode()).hexdigest()[:32]
