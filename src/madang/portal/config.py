"""What a city may set about the citizens' pages: the `[portal]` section."""

from __future__ import annotations

import msgspec


class PortalConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Limits of the forms citizens fill in. Times in seconds."""

    requests_per_day: int = 5
    """Requests taken from one address in a day."""
    lookups_per_hour: int = 20
    """Status lookups taken from one address in an hour."""
    acknowledgements_per_hour: int = 600
    """Openings of acknowledgement links from one address in an hour."""
    requests_per_day_overall: int = 500
    """Requests taken from everybody in a day, so that a flood cannot fill the desk."""
    contact_ko: str = "시청 개인영상정보 관리책임자"
    contact_phone: str = ""
