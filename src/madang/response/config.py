"""What a city may set about incidents: the `[response]` section."""

from __future__ import annotations

import msgspec


class ResponseConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Due times in seconds, lengths in metres."""

    attend_due_s: int = 60
    """How long an urgent incident may stand without an owner before everybody is told again."""
    locate_due_s: int = 60
    """How long the place of an urgent incident may stay unknown before the task is escalated."""
    approve_due_s: int = 30
    """How long an operator has for a waiting video request before the supervisor is called (RESPONSE §5, S2)."""
    escalate_again_s: int = 60
    """How long after an escalation it is repeated."""
    approximate_above_m: float = 200.0
    """A stated accuracy worse than this makes a place approximate."""
    default_radius_m: float = 500.0
    """How far around the place cameras are looked for when the caller names no radius."""
    max_radius_m: float = 5_000.0
    candidates: int = 5
    """How many guesses for an unknown place are shown."""
    geocode_sure: float = 0.95
    """A single address match at least this good is taken as an approximate place at once."""
