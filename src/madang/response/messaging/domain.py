"""What becomes of one situation message on its way to one recipient. Pure decisions.

A channel is tried; a person has some minutes to acknowledge; then the next channel, and after the last one somebody
telephones. Only a person's acknowledgement, or a telephone call whose outcome was written down, ends it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType

from madang.kernel.decisions import Accepted, Rejected


class DeliveryState(StrEnum):
    """Where a delivery stands."""

    TRYING = "trying"
    SENT = "sent"
    PHONE = "phone"
    ACKNOWLEDGED = "acknowledged"
    UNREACHED = "unreached"
    TOLD = "told"
    WITHDRAWN = "withdrawn"


class AttemptState(StrEnum):
    """Where one try over one channel stands. `UNSURE`: it may or may not have gone out, and nobody can tell."""

    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"
    UNSURE = "unsure"
    DROPPED = "dropped"


OPEN = frozenset({DeliveryState.TRYING, DeliveryState.SENT, DeliveryState.PHONE})
"""States in which somebody is still owed the message."""
TERMINAL = frozenset(DeliveryState) - OPEN


@dataclass(frozen=True, slots=True)
class Way:
    """One recipient's delivery: the channels in the order they are tried, which one is being tried, since when.

    `wants_ack` is False for what is only announced (a loudspeaker): sent is then the end of it.
    """

    channels: tuple[str, ...]
    step: int = 0
    state: DeliveryState = DeliveryState.TRYING
    wants_ack: bool = True

    @property
    def channel(self) -> str:
        """The channel being tried; empty when only the telephone is left."""
        return self.channels[self.step] if self.step < len(self.channels) else ""


# ------------------------------------------------------------------------------------------------- commands


@dataclass(frozen=True, slots=True)
class Went:
    """The try of that step went out."""

    step: int


@dataclass(frozen=True, slots=True)
class Broke:
    """The try of that step cannot succeed."""

    step: int


@dataclass(frozen=True, slots=True)
class Late:
    """Nobody has acknowledged the try of that step in time."""

    step: int


@dataclass(frozen=True, slots=True)
class Skip:
    """A person does not want to wait: the next channel at once."""


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """A human has it."""

    how: str


@dataclass(frozen=True, slots=True)
class Phoned:
    """Somebody telephoned: reached, or not."""

    reached: bool


@dataclass(frozen=True, slots=True)
class Withdraw:
    """It is no longer wanted."""


Command = Went | Broke | Late | Skip | Acknowledge | Phoned | Withdraw


# --------------------------------------------------------------------------------------------------- events


@dataclass(frozen=True, slots=True)
class Moved:
    """It stands elsewhere now."""

    state: DeliveryState


@dataclass(frozen=True, slots=True)
class Try:
    """The channel of that step is to be tried."""

    step: int


@dataclass(frozen=True, slots=True)
class CallByPhone:
    """Channels are used up: a person has to telephone."""


@dataclass(frozen=True, slots=True)
class Over:
    """Nothing more is owed: timers and tasks of it end."""


Event = Moved | Try | CallByPhone | Over


ALLOWED: Mapping[DeliveryState, frozenset[type[Command]]] = MappingProxyType(
    {
        DeliveryState.TRYING: frozenset({Went, Broke, Late, Skip, Acknowledge, Withdraw}),
        DeliveryState.SENT: frozenset({Late, Skip, Acknowledge, Withdraw}),
        DeliveryState.PHONE: frozenset({Acknowledge, Phoned, Withdraw}),
        DeliveryState.ACKNOWLEDGED: frozenset(),
        DeliveryState.TOLD: frozenset({Acknowledge}),
        DeliveryState.UNREACHED: frozenset({Acknowledge, Phoned}),
        DeliveryState.WITHDRAWN: frozenset({Acknowledge}),
    }
)
"""Which commands mean something in which state. A late acknowledgement is always welcome, once."""


def begin(way: Way) -> tuple[Event, ...]:
    """The first step: a channel, or the telephone for who has none."""
    return _try(way, 0)


def decide(way: Way, command: Command) -> Accepted[Event] | Rejected:
    """What `command` means. What concerns a step already left behind means nothing, and is accepted as nothing.

    Refusals: `over` (already acknowledged, or ended), `not_by_phone` (no telephone call is asked for).
    """
    if isinstance(command, Went | Broke | Late) and (command.step != way.step or way.state not in OPEN):
        return Accepted(())
    if type(command) not in ALLOWED[way.state]:
        if isinstance(command, Acknowledge) or way.state in TERMINAL:
            return Rejected("over", {"state": way.state.value})
        return Accepted(()) if isinstance(command, Went | Broke | Late) else Rejected("not_by_phone")
    if isinstance(command, Acknowledge):
        return Accepted((Moved(DeliveryState.ACKNOWLEDGED), Over()))
    if isinstance(command, Phoned):
        return Accepted((Moved(DeliveryState.ACKNOWLEDGED if command.reached else DeliveryState.UNREACHED), Over()))
    if isinstance(command, Withdraw):
        return Accepted((Moved(DeliveryState.WITHDRAWN), Over()))
    if isinstance(command, Went):
        return Accepted((Moved(DeliveryState.SENT),) if way.wants_ack else (Moved(DeliveryState.TOLD), Over()))
    return Accepted(_try(way, way.step + 1))


def _try(way: Way, step: int) -> tuple[Event, ...]:
    if step < len(way.channels):
        return (Moved(DeliveryState.TRYING), Try(step))
    if way.wants_ack or not way.channels:
        return (Moved(DeliveryState.PHONE), CallByPhone())
    return (Moved(DeliveryState.UNREACHED), Over())


def evolve(way: Way, event: Event) -> Way:
    """The delivery after `event`."""
    if isinstance(event, Moved):
        return replace(way, state=event.state)
    if isinstance(event, Try):
        return replace(way, step=event.step)
    if isinstance(event, CallByPhone):
        return replace(way, step=len(way.channels))
    return way


def evolve_all(way: Way, events: Iterable[Event]) -> Way:
    """The delivery after all of `events`, in order."""
    for event in events:
        way = evolve(way, event)
    return way
