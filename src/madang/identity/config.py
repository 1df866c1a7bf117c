"""What a city may set about accounts: the `[identity]` section."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

import msgspec


class IdentityConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Login, session and password rules."""

    lockout_failures: int = 5
    """Failed logins before a login is locked."""
    lockout_s: int = 900
    """How long a lock lasts, seconds."""
    lockout_by: Literal["name_and_address", "name", "address"] = "name_and_address"
    """What is locked: a name at one address, a name everywhere, or an address for every name."""
    session_s: int = 43_200
    """How long a session lasts without a new login, seconds: one shift."""
    password_min_length: int = 10
    token_max_days: int = 365
    """The longest life a device or API token, or a client, may be given, days."""
    token_requests_per_minute: int = 60
    """How often one address may ask for access tokens (`/oauth2/token`) in a minute."""

    @property
    def lockout(self) -> timedelta:
        """How long a lock lasts."""
        return timedelta(seconds=self.lockout_s)

    @property
    def lockout_parameters(self) -> list[str | list[str]]:
        """`lockout_by` in django-axes' words."""
        names: dict[str, list[str | list[str]]] = {
            "name_and_address": [["username", "ip_address"]],
            "name": ["username"],
            "address": ["ip_address"],
        }
        return names[self.lockout_by]
