"""Reads for the screens: how each agency's link stands."""

from __future__ import annotations

from typing import Any

from madang.identity.models import Agency
from madang.kernel.clock import instant_text
from madang.linkages.police112.models import LinkState


def links(authority: str) -> list[dict[str, Any]]:  # Any: JSON values
    """Every active police agency of a city with the state of its link; `never` for one not heard yet."""
    rows = {row.agency_id: row for row in LinkState.objects.filter(authority_id=authority)}
    agencies = Agency.objects.filter(authority_id=authority, kind="police", active=True).order_by("code")
    return [link_row(agency, rows.get(agency.code)) for agency in agencies]


def link_row(agency: Agency, link: LinkState | None) -> dict[str, Any]:  # Any: JSON values
    """A link as screens show it."""
    return {
        "name": "police112",
        "agency": {"code": agency.code, "name_ko": agency.name_ko},
        "state": link.state if link else "never",
        "last_heard_at": instant_text(link.last_heard_at) if link and link.last_heard_at else None,
        "last_sent_at": instant_text(link.last_sent_at) if link and link.last_sent_at else None,
        "last_error": link.last_error if link else "",
        "mode": agency.mode,
    }
