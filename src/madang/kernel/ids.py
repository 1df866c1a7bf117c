"""Identifiers: time-ordered, unguessable, printable."""

from __future__ import annotations

import os
import time


def new_id() -> str:
    """A UUIDv7 as text (RFC 9562 §5.7): sorts by creation time, 74 random bits."""
    milliseconds = time.time_ns() // 1_000_000
    chance = int.from_bytes(os.urandom(10), "big")
    high = milliseconds << 16 | 0x7000 | chance >> 68
    low = 0x8000_0000_0000_0000 | chance & 0x3FFF_FFFF_FFFF_FFFF
    text = f"{high:016x}{low:016x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def urn(kind: str, local: str) -> str:
    """The NGSI-LD id of something we own, e.g. `urn:ngsi-ld:Camera:…` (ETSI GS CIM 009 annex A.3)."""
    return f"urn:ngsi-ld:{kind}:{local}"
