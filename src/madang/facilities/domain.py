"""When something in the street counts as broken, and how it comes back: pure decisions about outages and silence.

An outage begins as a suspicion, opens when that has stood for a while, is worked on by people, and is closed only
after the thing has worked long enough. Something that goes on and off stays one outage, whose proof takes longer each
time: it is told once, not eighty times.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType

from madang.kernel.decisions import Accepted, Rejected


class Kind(StrEnum):
    """What stands in the street."""

    CCTV = "cctv"
    BELL = "bell"
    LIGHT = "light"
    SENSOR = "sensor"
    SHELTER = "shelter"
    OTHER = "other"


class Condition(StrEnum):
    """What is known of a facility now. Unknown until something has been seen of it."""

    WORKING = "working"
    SUSPECT = "suspect"
    OUT = "out"
    UNKNOWN = "unknown"


class Cause(StrEnum):
    """Why something counts as broken."""

    SILENT = "silent"
    BLACK = "black"
    FROZEN = "frozen"
    SHIFTED = "shifted"
    UNSTABLE = "unstable"
    INSPECTION = "inspection"
    REPORTED = "reported"
    OTHER = "other"


class State(StrEnum):
    """Where an outage stands. Cleared is a suspicion that passed before anybody was told."""

    SUSPECTED = "suspected"
    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    IN_REPAIR = "in_repair"
    RESTORED = "restored"
    CLOSED = "closed"
    CLEARED = "cleared"


class Step(StrEnum):
    """What moves an outage."""

    CONFIRM = "confirm"
    CLEAR = "clear"
    ACKNOWLEDGE = "acknowledge"
    REPAIR = "repair"
    RESTORE = "restore"
    RELAPSE = "relapse"
    CLOSE = "close"
    DISMISS = "dismiss"


_STANDING: Mapping[Step, State] = {Step.RESTORE: State.RESTORED, Step.DISMISS: State.CLOSED}
TRANSITIONS: Mapping[State, Mapping[Step, State]] = MappingProxyType(
    {
        State.SUSPECTED: {Step.CONFIRM: State.OPEN, Step.CLEAR: State.CLEARED},
        State.OPEN: {Step.ACKNOWLEDGE: State.ACKNOWLEDGED, Step.REPAIR: State.IN_REPAIR, **_STANDING},
        State.ACKNOWLEDGED: {Step.REPAIR: State.IN_REPAIR, **_STANDING},
        State.IN_REPAIR: _STANDING,
        State.RESTORED: {Step.RELAPSE: State.OPEN, Step.CLOSE: State.CLOSED},
        State.CLOSED: {},
        State.CLEARED: {},
    }
)
"""A relapse goes back to where the work stood when it was restored: what was acknowledged need not be again."""
ENDED = frozenset({State.CLOSED, State.CLEARED})
DOWN = frozenset({State.OPEN, State.ACKNOWLEDGED, State.IN_REPAIR})
"""States in which the thing does not work."""
BY_PEOPLE = frozenset({Step.ACKNOWLEDGE, Step.REPAIR, Step.RESTORE, Step.CLOSE, Step.DISMISS})
NEEDS_REASON = frozenset({Step.DISMISS, Step.RESTORE})


@dataclass(frozen=True, slots=True)
class Policy:
    """How patient the judgement is; seconds."""

    confirm_s: float = 120.0
    """How long a suspicion must stand before the outage opens."""
    stable_s: float = 300.0
    """How long a thing must work before its outage is closed; doubles with each relapse."""
    stable_most_s: float = 14_400.0
    wobbles: int = 3
    """So many suspicions that passed within `wobble_s` are an outage of their own: unstable."""
    wobble_s: float = 3_600.0

    def proof_s(self, relapses: int) -> float:
        """How long it must work after so many relapses."""
        return min(self.stable_most_s, self.stable_s * 2.0 ** min(relapses, 20))


@dataclass(frozen=True, slots=True)
class Outage:
    """One time something does not work. `began_at` is when it stopped working as far as is known; `due_at` is when
    time alone will move it; `heard_at` the newest sign taken into account."""

    state: State
    cause: Cause
    began_at: datetime
    heard_at: datetime
    due_at: datetime | None = None
    opened_at: datetime | None = None
    restored_at: datetime | None = None
    closed_at: datetime | None = None
    before: State = State.OPEN
    """Where the work stood when it was restored."""
    relapses: int = 0
    void: bool = False
    """Dismissed: it was no outage, and its time counts as none."""

    @property
    def ended(self) -> bool:
        return self.state in ENDED

    @property
    def down(self) -> bool:
        """Whether the thing does not work now, and everybody may know."""
        return self.state in DOWN


# ------------------------------------------------------------------------------------------ what can be said to it


@dataclass(frozen=True, slots=True)
class Down:
    """A sign that it does not work: since `at`. `sure` leaves out the waiting (a person saw it)."""

    cause: Cause
    at: datetime
    sure: bool = False


@dataclass(frozen=True, slots=True)
class Up:
    """A sign that it works, seen at `at`."""

    at: datetime


@dataclass(frozen=True, slots=True)
class Act:
    """A person's step."""

    step: Step
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed."""


Command = Down | Up | Act | Tick


@dataclass(frozen=True, slots=True)
class Began:
    """A suspicion, or (where it is sure) an outage at once."""

    outage: Outage


@dataclass(frozen=True, slots=True)
class Moved:
    """It took a step; `at` is the instant in the world that the step speaks of."""

    step: Step
    at: datetime
    due_at: datetime | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Renamed:
    """The same outage turned out to have another cause."""

    cause: Cause
    at: datetime


@dataclass(frozen=True, slots=True)
class Heard:
    """A sign that changes nothing but when it was last heard."""

    at: datetime


Event = Began | Moved | Renamed | Heard


def decide(
    outage: Outage | None, command: Command, now: datetime, policy: Policy, *, wobbles: int = 0
) -> Accepted[Event] | Rejected:
    """What a sign, a person or time means for the outage that stands (None: none does).

    `wobbles` is how many suspicions of this thing passed within the policy's window. A sign older than the newest one
    heard changes nothing; a sign from the future counts as one of now.
    """
    if outage is not None and outage.ended:
        outage = None
    match command:
        case Down():
            return _down(outage, replace(command, at=min(command.at, now)), now, policy, wobbles)
        case Up():
            return _up(outage, min(command.at, now), now, policy)
        case Act():
            return _act(outage, command, now, policy)
        case Tick():
            return _tick(outage, now)


def _down(outage: Outage | None, sign: Down, now: datetime, policy: Policy, wobbles: int) -> Accepted[Event] | Rejected:
    if outage is None:
        return Accepted((Began(_begun(sign, now, policy, wobbles)),))
    if outage.state is State.RESTORED:
        late = outage.restored_at is not None and sign.at <= outage.restored_at
        return Accepted() if late else Accepted((Moved(Step.RELAPSE, sign.at),))
    if outage.state is State.SUSPECTED and sign.sure:
        return Accepted((Renamed(sign.cause, now), Moved(Step.CONFIRM, now)))
    if sign.cause is not outage.cause and sign.at >= outage.heard_at and _outweighs(sign.cause, outage.cause):
        return Accepted((Renamed(sign.cause, sign.at),))
    return Accepted((Heard(sign.at),)) if sign.at > outage.heard_at else Accepted()


def _outweighs(new: Cause, old: Cause) -> bool:
    """What a machine sees says more than that something is unstable; what a person said stands."""
    return old not in (Cause.REPORTED, Cause.INSPECTION, Cause.UNSTABLE) and new is not Cause.OTHER


def _begun(sign: Down, now: datetime, policy: Policy, wobbles: int) -> Outage:
    unstable = wobbles >= policy.wobbles
    cause = Cause.UNSTABLE if unstable and not sign.sure else sign.cause
    begun = Outage(State.SUSPECTED, cause, began_at=sign.at, heard_at=sign.at)
    if sign.sure or unstable:
        return replace(begun, state=State.OPEN, opened_at=now, relapses=wobbles if unstable else 0)
    return replace(begun, due_at=now + timedelta(seconds=policy.confirm_s))


def _up(outage: Outage | None, at: datetime, now: datetime, policy: Policy) -> Accepted[Event] | Rejected:
    if outage is None or at <= outage.heard_at:
        return Accepted()
    if outage.state is State.SUSPECTED:
        return Accepted((Moved(Step.CLEAR, at),))
    if outage.state is State.RESTORED:
        return Accepted((Heard(at),))
    if outage.cause in (Cause.REPORTED, Cause.INSPECTION):
        return Accepted((Heard(at),))  # that its feed speaks does not mend a broken glass
    return Accepted((_restored(outage, at, now, policy),))


def _restored(outage: Outage, at: datetime, now: datetime, policy: Policy, reason: str = "") -> Moved:
    return Moved(Step.RESTORE, at, now + timedelta(seconds=policy.proof_s(outage.relapses)), reason)


def _act(outage: Outage | None, command: Act, now: datetime, policy: Policy) -> Accepted[Event] | Rejected:
    if outage is None:
        return Rejected("ended")
    step = command.step
    if step not in BY_PEOPLE:
        return Rejected("not_by_people", {"step": step.value})
    if step not in TRANSITIONS[outage.state]:
        return Rejected("not_now", {"step": step.value, "state": outage.state.value})
    if step in NEEDS_REASON and not command.reason.strip():
        return Rejected("reason_needed", {"step": step.value})
    if step is Step.RESTORE:
        return Accepted((_restored(outage, now, now, policy, command.reason),))
    return Accepted((Moved(step, now, reason=command.reason),))


def _tick(outage: Outage | None, now: datetime) -> Accepted[Event] | Rejected:
    if outage is None or outage.due_at is None or now < outage.due_at:
        return Accepted()
    step = Step.CONFIRM if outage.state is State.SUSPECTED else Step.CLOSE
    return Accepted((Moved(step, now),))


def evolve(outage: Outage | None, event: Event) -> Outage:
    """The outage after an event."""
    if isinstance(event, Began):
        return event.outage
    assert outage is not None
    match event:
        case Renamed():
            return replace(outage, cause=event.cause, heard_at=max(event.at, outage.heard_at))
        case Heard():
            return replace(outage, heard_at=max(event.at, outage.heard_at))
        case Moved():
            return _moved(outage, event)


def _moved(outage: Outage, event: Moved) -> Outage:
    state = TRANSITIONS[outage.state][event.step]
    heard = max(event.at, outage.heard_at)
    match event.step:
        case Step.CONFIRM:
            return replace(outage, state=state, due_at=None, opened_at=event.at)
        case Step.RESTORE:
            return replace(
                outage, state=state, before=outage.state, restored_at=event.at, due_at=event.due_at, heard_at=heard
            )
        case Step.RELAPSE:
            return replace(
                outage, state=outage.before, restored_at=None, due_at=None, relapses=outage.relapses + 1, heard_at=heard
            )
        case Step.CLOSE | Step.CLEAR | Step.DISMISS:
            void = event.step is not Step.CLOSE
            return replace(outage, state=state, due_at=None, closed_at=event.at, void=void)
        case _:
            return replace(outage, state=state)


# ------------------------------------------------------------------------------------------------------- silence


@dataclass(frozen=True, slots=True)
class Feed:
    """What is known of one thing's own voice. `every_s` is how often it is expected to speak; `group` names what it
    comes through, so that a broken line is not taken for a hundred broken things."""

    ref: str
    heard_at: datetime | None
    every_s: float
    group: str = ""


MISSED = 3
"""A thing is silent when it has missed so many of its turns."""
COMMON_SHARE = 0.6
COMMON_LEAST = 5
"""When at least so many of a group, and at least this share of it, fall silent at once, the line is broken."""


def is_silent(feed: Feed, now: datetime) -> bool | None:
    """Whether it has been silent too long; None where it has never been heard, so nothing can be said."""
    if feed.heard_at is None:
        return None
    return now - feed.heard_at > timedelta(seconds=MISSED * feed.every_s)


def silent_since(feed: Feed) -> datetime:
    """When it first failed to speak."""
    assert feed.heard_at is not None
    return feed.heard_at + timedelta(seconds=feed.every_s)


@dataclass(frozen=True, slots=True)
class Silence:
    """What listening to many feeds found: who speaks, who is silent, and which groups cannot be judged at all."""

    speaking: tuple[Feed, ...] = ()
    silent: tuple[Feed, ...] = ()
    unjudged: tuple[Feed, ...] = ()
    broken_groups: tuple[str, ...] = ()


def listen(feeds: Sequence[Feed], now: datetime) -> Silence:
    """Judges many feeds together. A group nearly all of which fell silent is not judged: its line is broken."""
    heard = [(feed, is_silent(feed, now)) for feed in feeds]
    broken = _broken_groups(heard)
    return Silence(
        speaking=tuple(feed for feed, silent in heard if silent is False),
        silent=tuple(feed for feed, silent in heard if silent and feed.group not in broken),
        unjudged=tuple(feed for feed, silent in heard if silent is None or (silent and feed.group in broken)),
        broken_groups=tuple(sorted(broken)),
    )


def _broken_groups(heard: Iterable[tuple[Feed, bool | None]]) -> frozenset[str]:
    known: dict[str, list[bool]] = {}
    for feed, silent in heard:
        if feed.group and silent is not None:
            known.setdefault(feed.group, []).append(silent)
    return frozenset(
        group
        for group, silences in known.items()
        if sum(silences) >= COMMON_LEAST and sum(silences) >= COMMON_SHARE * len(silences)
    )


# ---------------------------------------------------------------------------------------------------- inspections


def next_inspection_days(kind: Kind | str, every: Mapping[str, int], own: int | None) -> int:
    """How many days may lie between two inspections of a thing; 0 means nobody asks for any."""
    return own if own is not None else every.get(str(kind), 0)
