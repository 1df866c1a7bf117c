"""What a city may set about incidents: the `[response]` section."""

from __future__ import annotations

from typing import Annotated

import msgspec

ShiftName = Annotated[str, msgspec.Meta(pattern=r"^([01]\d|2[0-3]):[0-5]\d-([01]\d|2[0-3]):[0-5]\d$")]
"""`HH:MM-HH:MM`, Seoul."""


class DutyConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Shifts and presence: the `[response.duty]` section. Times of day in Seoul, lengths in seconds."""

    shifts: Annotated[tuple[ShiftName, ...], msgspec.Meta(min_length=1)] = ("06:00-14:00", "14:00-22:00", "22:00-06:00")
    """The shifts of a day, in order; the last may end on the next day."""
    early_s: int = 1_800
    """How long before a planned shift its person may begin it."""
    unseen_s: Annotated[int, msgspec.Meta(ge=30)] = 60
    """How long a person's screen may stay silent before what they hold is released."""
    seen_every_s: Annotated[int, msgspec.Meta(ge=1, le=15)] = 10
    """How often a screen's sign of life is written down at most."""
    lookout_gap_s: Annotated[int, msgspec.Meta(ge=10)] = 15
    """A longer silence of the platform itself (restart, suspension, clock step) starts everybody's time anew."""


class SopConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Checklists: the `[response.sop]` section."""

    max_steps: int = 60
    """The most steps a checklist may have."""


class SignalsConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How signals become incidents: `[response.signals]`."""

    group: int = 500
    """At most so many signals are settled in one transaction."""
    openings: int = 1
    """A group ends early once it has opened so many incidents: each costs some eighty statements, and others wait."""
    lateness_s: float = 30.0
    """A signal that arrives later than this after what it tells of is late: it annotates and retracts nothing."""
    stale_s: float = 21_600.0
    """A signal older than this on arrival is kept but rejected, unless it is urgent."""
    ahead_s: float = 60.0
    """How far a device's clock may run ahead before the time of arrival is taken instead."""
    remembered_s: float = 3_600.0
    """How long after its last signal an event can still be joined by a late one."""
    operator_items: int = 10
    """How many new items that are not urgent one operator is given within `operator_window_s` (EEMUA-191)."""
    operator_window_s: float = 600.0
    storm_events: int = 12
    """So many new events of a district within `operator_window_s` make a storm of it."""
    touch_every_s: float = 0.5
    """The screens hear of a growing incident at most once in this time."""
    door_batch: int = 1_000
    """The most signals in one request."""


class ReviewConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """After-action reports: the `[response.review]` section."""

    font: str = ""
    """A font file (TrueType, also as .woff) for PDF reports; empty: the one the screens are built with."""
    font_bold: str = ""


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
    snooze_max_s: int = 14_400
    """The longest a task may be put off at once."""
    duty: DutyConfig = DutyConfig()
    sop: SopConfig = SopConfig()
    signals: SignalsConfig = SignalsConfig()
    review: ReviewConfig = ReviewConfig()
