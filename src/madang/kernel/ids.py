"""Identifiers: time-ordered, unguessable, printable."""

from __future__ import annotations

import secrets
import time
import uuid


def new_id() -> str:
    """A UUIDv7 as text (RFC 9562 §5.7): sorts by creation time, 74 random bits."""
    milliseconds = time.time_ns() // 1_000_000
    rand_a, rand_b = secrets.randbits(12), secrets.randbits(62)
    value = (milliseconds & (1 << 48) - 1) << 80 | 0x7 << 76 | rand_a << 64 | 0b10 << 62 | rand_b
    return str(uuid.UUID(int=value))


def urn(kind: str, local: str) -> str:
    """The NGSI-LD id of something we own, e.g. `urn:ngsi-ld:Camera:…` (ETSI GS CIM 009 annex A.3)."""
    return f"urn:ngsi-ld:{kind}:{local}"
