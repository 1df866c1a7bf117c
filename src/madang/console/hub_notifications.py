"""Subscriptions and what they could not deliver, as the data hub's screen shows them."""

from __future__ import annotations

from typing import Any

from madang.hub.access import Access
from madang.hub.hub import Hub

Json = dict[str, Any]  # Any: JSON values


async def figures(hub: Hub, tenant: str) -> Json | None:
    """How many subscriptions there are, and how much waits."""
    del hub, tenant
    return None


async def subscriptions(hub: Hub, access: Access) -> list[Json]:
    """Every subscription of a city."""
    del hub, access
    return []
