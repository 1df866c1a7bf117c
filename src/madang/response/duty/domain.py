"""Shifts of a day, and a hand-over that leaves nobody between two people. Pure decisions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from datetime import time as time_of_day
from enum import StrEnum

from madang.kernel.clock import SEOUL
from madang.kernel.decisions import Accepted, Rejected

# --------------------------------------------------------------------------------------------------- shifts


@dataclass(frozen=True, slots=True)
class Span:
    """One shift on one day, by its name `HH:MM-HH:MM` (Seoul); both ends aware."""

    name: str
    from_at: datetime
    to_at: datetime


_SPAN = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)")


def span_on(day: date, name: str) -> Span:
    """The shift of that name beginning on `day`; one that ends at or before its beginning ends on the next day.

    `ValueError` for a name that is no `HH:MM-HH:MM`.
    """
    found = _SPAN.fullmatch(name)
    if found is None:
        raise ValueError(f"{name!r} is not HH:MM-HH:MM")
    h1, m1, h2, m2 = map(int, found.groups())
    begins = datetime.combine(day, time_of_day(h1, m1), SEOUL)
    ends = datetime.combine(day, time_of_day(h2, m2), SEOUL)
    return Span(name, begins, ends if ends > begins else ends + timedelta(days=1))


def span_at(now: datetime, names: Sequence[str]) -> Span | None:
    """The shift under way at `now`; None between shifts."""
    today = now.astimezone(SEOUL).date()
    spans = [span_on(day, name) for day in (today - timedelta(days=1), today) for name in names]
    return next((span for span in spans if span.from_at <= now < span.to_at), None)


def span_after(now: datetime, names: Sequence[str]) -> Span:
    """The next shift to begin after `now`."""
    today = now.astimezone(SEOUL).date()
    spans = [span_on(today + timedelta(days=n), name) for n in (0, 1) for name in names]
    return min((span for span in spans if span.from_at > now), key=lambda span: span.from_at)


# -------------------------------------------------------------------------------------------------- presence


def release_at(seen_at: datetime, listening_since: datetime, unseen_s: float) -> datetime:
    """When what a silent person holds is released: that long after the last sign of life, and never sooner than that
    long after the platform itself began to listen."""
    return max(seen_at, listening_since) + timedelta(seconds=unseen_s)


# ------------------------------------------------------------------------------------------------- hand-over


class Phase(StrEnum):
    """Where a hand-over stands."""

    OFFERED = "offered"
    ACCEPTED = "accepted"
    PARTLY = "partly"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"


class ItemState(StrEnum):
    """Where one incident of a hand-over stands."""

    WAITING = "waiting"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    LAPSED = "lapsed"
    """It ended, or somebody else took it, before the receiver answered."""


OVER = "-"
"""In `Handover.owners`: the incident is over and nobody can take it."""


@dataclass(frozen=True, slots=True)
class Handover:
    """What one person offers another. `owners` says who answers for each incident at the moment (or `OVER`)."""

    giver: str
    receiver: str
    phase: Phase = Phase.OFFERED
    items: Mapping[str, ItemState] = field(default_factory=dict)
    owners: Mapping[str, str] = field(default_factory=dict)

    @property
    def waiting(self) -> frozenset[str]:
        """The incidents not answered yet."""
        return frozenset(key for key, state in self.items.items() if state is ItemState.WAITING)


@dataclass(frozen=True, slots=True)
class Accept:
    """The receiver takes these incidents over; None: everything still waiting."""

    by: str
    incidents: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Decline:
    """The receiver sends these back, for a reason; None: everything still waiting."""

    by: str
    reason: str
    incidents: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Withdraw:
    """The giver takes the offer back."""

    by: str


Command = Accept | Decline | Withdraw


@dataclass(frozen=True, slots=True)
class ItemAccepted:
    """The receiver answers for the incident from now on; until now `before` did (empty: nobody)."""

    incident: str
    before: str


@dataclass(frozen=True, slots=True)
class ItemDeclined:
    incident: str
    reason: str


@dataclass(frozen=True, slots=True)
class ItemLapsed:
    incident: str
    owner: str


@dataclass(frozen=True, slots=True)
class Settled:
    """Nothing of the hand-over waits any more."""

    phase: Phase
    reason: str = ""


Event = ItemAccepted | ItemDeclined | ItemLapsed | Settled


def decide(now: Handover, command: Command) -> Accepted[Event] | Rejected:
    """What `command` means for a hand-over.

    Refusals: `settled`, `not_receiver`, `not_giver`, `not_waiting`, `reason_missing`.
    """
    if now.phase is not Phase.OFFERED:
        return Rejected("settled", {"phase": now.phase.value})
    if isinstance(command, Withdraw):
        return Accepted((Settled(Phase.WITHDRAWN),)) if command.by == now.giver else Rejected("not_giver")
    if command.by != now.receiver:
        return Rejected("not_receiver", {"receiver": now.receiver})
    if isinstance(command, Decline) and not command.reason.strip():
        return Rejected("reason_missing")
    meant = now.waiting if command.incidents is None else command.incidents
    if not meant <= now.waiting or (command.incidents is not None and not meant):
        return Rejected("not_waiting", {"incidents": sorted(meant - now.waiting)})
    reason = command.reason if isinstance(command, Decline) else ""
    items = tuple(_answer(now, incident, command) for incident in sorted(meant))
    return Accepted((*items, *_settling(now, items, reason, accepting=isinstance(command, Accept))))


def _answer(now: Handover, incident: str, command: Accept | Decline) -> Event:
    if isinstance(command, Decline):
        return ItemDeclined(incident, command.reason)
    owner = now.owners.get(incident, "")
    if owner == OVER or owner not in ("", now.giver, now.receiver):
        return ItemLapsed(incident, owner)
    return ItemAccepted(incident, owner)


def _settling(now: Handover, items: Iterable[Event], reason: str, *, accepting: bool) -> tuple[Event, ...]:
    """The end of the hand-over, once nothing waits. An accepted brief counts as accepted, also without incidents."""
    after = evolve_all(now, items)
    if after.waiting:
        return ()
    declined = ItemState.DECLINED in after.items.values()
    taken = ItemState.ACCEPTED in after.items.values() or (accepting and not declined)
    phase = Phase.PARTLY if taken and declined else Phase.ACCEPTED if taken else Phase.DECLINED
    return (Settled(phase, reason),)


def evolve(now: Handover, event: Event) -> Handover:
    """The hand-over after `event`."""
    if isinstance(event, Settled):
        return replace(now, phase=event.phase)
    if isinstance(event, ItemAccepted):
        owners = {**now.owners, event.incident: now.receiver}
        return replace(now, items={**now.items, event.incident: ItemState.ACCEPTED}, owners=owners)
    state = ItemState.DECLINED if isinstance(event, ItemDeclined) else ItemState.LAPSED
    return replace(now, items={**now.items, event.incident: state})


def evolve_all(now: Handover, events: Iterable[Event]) -> Handover:
    """The hand-over after all of `events`, in order."""
    for event in events:
        now = evolve(now, event)
    return now
