"""Agencies and the keys they sign with."""

from __future__ import annotations

from datetime import datetime

from madang.identity.models import AgencyKey


def key_for(key_id: str, now: datetime) -> AgencyKey | None:
    """The key of that name if a signature by it may be believed now, its agency loaded with it.

    None for an unknown, not yet valid, expired or revoked key, and for a key of a switched-off agency.
    """
    key = AgencyKey.objects.select_related("agency").filter(key_id=key_id, agency__active=True).first()
    return key if key is not None and key.valid_at(now) else None
