"""What a city may set about accounts: the `[identity]` section."""

import msgspec


class IdentityConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Login, session and password rules."""

    lockout_failures: int = 5
    """Failed logins of one name from one address before it is locked."""
    lockout_s: int = 900
    """How long a lock lasts, seconds."""
    session_s: int = 43_200
    """How long a session lasts without a new login, seconds: one shift."""
    password_min_length: int = 10
    token_max_days: int = 365
    """The longest life a device or API token may be given, days."""
