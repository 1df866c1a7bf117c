"""What an incident may become and what is believed about it. Pure decisions (RESPONSE §5)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from madang.kernel.decisions import Accepted, Rejected
from madang.kernel.geometry import Fault, Point, judge

URGENT_PRIORITY = 1
"""Priorities 0 and 1 are urgent (긴급), as 112 response codes are."""
LOWEST_PRIORITY = 4
PRIORITY_WHEN_UNKNOWN = 2


class State(StrEnum):
    """Where an incident stands."""

    NEW = "NEW"
    VERIFYING = "VERIFYING"
    ACTIVE = "ACTIVE"
    STABILISED = "STABILISED"
    CLOSED = "CLOSED"
    REVIEWED = "REVIEWED"
    DISMISSED = "DISMISSED"
    MERGED = "MERGED"
    CANCELLED = "CANCELLED"


class Step(StrEnum):
    """What moves an incident."""

    VERIFY = "verify"
    ACTIVATE = "activate"
    STABILISE = "stabilise"
    CLOSE = "close"
    REVIEW = "review"
    DISMISS = "dismiss"
    MERGE = "merge"
    CANCEL = "cancel"
    REOPEN = "reopen"


_OPEN_STEPS: Mapping[Step, State] = {Step.CLOSE: State.CLOSED, Step.CANCEL: State.CANCELLED}
TRANSITIONS: Mapping[State, Mapping[Step, State]] = MappingProxyType(
    {
        State.NEW: {
            Step.VERIFY: State.VERIFYING,
            Step.ACTIVATE: State.ACTIVE,
            Step.DISMISS: State.DISMISSED,
            Step.MERGE: State.MERGED,
            **_OPEN_STEPS,
        },
        State.VERIFYING: {
            Step.ACTIVATE: State.ACTIVE,
            Step.DISMISS: State.DISMISSED,
            Step.MERGE: State.MERGED,
            **_OPEN_STEPS,
        },
        State.ACTIVE: {Step.STABILISE: State.STABILISED, Step.MERGE: State.MERGED, **_OPEN_STEPS},
        State.STABILISED: {Step.ACTIVATE: State.ACTIVE, **_OPEN_STEPS},
        State.CLOSED: {Step.REOPEN: State.ACTIVE, Step.REVIEW: State.REVIEWED},
        State.DISMISSED: {Step.REOPEN: State.VERIFYING},
        State.CANCELLED: {Step.REOPEN: State.VERIFYING},
        State.REVIEWED: {},
        State.MERGED: {},
    }
)
OPEN_STATES = frozenset({State.NEW, State.VERIFYING, State.ACTIVE, State.STABILISED})
"""States in which video may rest on the incident."""
ENDED_STATES = frozenset(State) - OPEN_STATES
NEEDS_REASON = frozenset({Step.REOPEN, Step.DISMISS, Step.CANCEL, Step.MERGE})


# ----------------------------------------------------------------------------------------------- the incident


@dataclass(frozen=True, slots=True)
class Situation:
    """What the rules need to know of an incident. `tasks` are the kinds of its open tasks."""

    state: State = State.NEW
    priority: int = PRIORITY_WHEN_UNKNOWN
    owner: str = ""
    version: int = 1
    tasks: frozenset[str] = frozenset()

    @property
    def open(self) -> bool:
        """Whether work goes on and video may rest on it."""
        return self.state in OPEN_STATES

    @property
    def urgent(self) -> bool:
        """Whether it is 긴급."""
        return self.priority <= URGENT_PRIORITY

    @property
    def attended(self) -> bool:
        """Invariant I8: an open urgent incident has an owner, or an open task to find one that falls due."""
        return not (self.open and self.urgent) or bool(self.owner) or ATTEND in self.tasks


@dataclass(frozen=True, slots=True)
class Move:
    """Take a step; `reason` is needed for some. `expected_version` refuses a decision made on an old picture."""

    step: Step
    reason: str = ""
    expected_version: int | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """Take it on. Another's incident changes hands only with `take_over`."""

    by: str
    take_over: bool = False


@dataclass(frozen=True, slots=True)
class SetPriority:
    """What is known now makes it more or less pressing."""

    priority: int


@dataclass(frozen=True, slots=True)
class Release:
    """Its owner `held_by` no longer answers for it, for a reason."""

    held_by: str
    reason: str


Command = Move | Claim | SetPriority | Release


@dataclass(frozen=True, slots=True)
class Stepped:
    """It moved."""

    step: Step
    before: State
    after: State
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Claimed:
    """Someone is responsible now; until then `before` was."""

    by: str
    before: str = ""


@dataclass(frozen=True, slots=True)
class Released:
    """Nobody is responsible now; until then `before` was."""

    before: str
    reason: str


@dataclass(frozen=True, slots=True)
class PrioritySet:
    """It became more or less pressing."""

    before: int
    after: int


@dataclass(frozen=True, slots=True)
class TaskNeeded:
    """A task of that kind must be open from now on."""

    kind: str


@dataclass(frozen=True, slots=True)
class TasksOver:
    """The open tasks of these kinds are done; empty means all."""

    kinds: frozenset[str] = frozenset()


Event = Stepped | Claimed | Released | PrioritySet | TaskNeeded | TasksOver
ATTEND = "attend"
LOCATE = "locate"
APPROVE_GRANT = "approve_grant"


def decide(now: Situation, command: Command) -> Accepted[Event] | Rejected:
    """What `command` means for an incident in this situation.

    Refusals: `stale_version`, `reason_missing`, `wrong_state`, `not_open`, `owned_by_other`.
    """
    if isinstance(command, Claim):
        return _claim(now, command)
    if isinstance(command, SetPriority):
        return _set_priority(now, command)
    if isinstance(command, Release):
        return _release(now, command)
    return _move(now, command)


def _move(now: Situation, move: Move) -> Accepted[Event] | Rejected:
    if move.expected_version is not None and move.expected_version != now.version:
        return Rejected("stale_version", {"expected": move.expected_version, "version": now.version})
    after = TRANSITIONS[now.state].get(move.step)
    if after is None:
        allowed = sorted(step.value for step in TRANSITIONS[now.state])
        return Rejected("wrong_state", {"state": now.state.value, "step": move.step.value, "allowed": allowed})
    if move.step in NEEDS_REASON and not move.reason.strip():
        return Rejected("reason_missing", {"step": move.step.value})
    stepped = Stepped(move.step, now.state, after, move.reason)
    moved = replace(now, state=after)
    return Accepted((stepped, *_follow_ups(now, moved)))


def _claim(now: Situation, claim: Claim) -> Accepted[Event] | Rejected:
    if not now.open:
        return Rejected("not_open", {"state": now.state.value})
    if now.owner == claim.by:
        return Accepted(())
    if now.owner and not claim.take_over:
        return Rejected("owned_by_other", {"owner": now.owner})
    return Accepted((Claimed(claim.by, now.owner), TasksOver(frozenset({ATTEND}))))


def _release(now: Situation, release: Release) -> Accepted[Event] | Rejected:
    if not now.open:
        return Rejected("not_open", {"state": now.state.value})
    if not release.held_by or now.owner != release.held_by:
        return Rejected("owned_by_other", {"owner": now.owner})
    if not release.reason.strip():
        return Rejected("reason_missing", {"step": "release"})
    freed = replace(now, owner="")
    return Accepted((Released(now.owner, release.reason), *_follow_ups(now, freed)))


def _set_priority(now: Situation, command: SetPriority) -> Accepted[Event] | Rejected:
    wanted = min(max(command.priority, 0), LOWEST_PRIORITY)
    if wanted == now.priority:
        return Accepted(())
    moved = replace(now, priority=wanted)
    return Accepted((PrioritySet(now.priority, wanted), *_follow_ups(now, moved)))


def _follow_ups(before: Situation, after: Situation) -> tuple[Event, ...]:
    """Tasks that the change makes needless or needed (I8)."""
    if before.open and not after.open:
        return (TasksOver(),)
    return (TaskNeeded(ATTEND),) if not after.attended else ()


def opened(priority: int, *, place_known: bool, ended: Step | None = None) -> tuple[Event, ...]:
    """The events of an incident's beginning. `ended` was said before the incident itself arrived."""
    fresh = Situation(priority=priority)
    if ended is not None:
        return (Stepped(ended, State.NEW, TRANSITIONS[State.NEW][ended], "ended before it was opened"),)
    attend = () if fresh.attended else (TaskNeeded(ATTEND),)
    return (*attend, *(() if place_known else (TaskNeeded(LOCATE),)))


def evolve(now: Situation, event: Event) -> Situation:
    """The situation after `event`."""
    if isinstance(event, Stepped):
        return replace(now, state=event.after, version=now.version + 1)
    if isinstance(event, Claimed):
        return replace(now, owner=event.by, version=now.version + 1)
    if isinstance(event, Released):
        return replace(now, owner="", version=now.version + 1)
    if isinstance(event, PrioritySet):
        return replace(now, priority=event.after, version=now.version + 1)
    if isinstance(event, TaskNeeded):
        return replace(now, tasks=now.tasks | {event.kind})
    return replace(now, tasks=now.tasks - event.kinds if event.kinds else frozenset())


def evolve_all(now: Situation, events: Iterable[Event]) -> Situation:
    """The situation after all of `events`, in order."""
    for event in events:
        now = evolve(now, event)
    return now


# ------------------------------------------------------------------------------------------------- the place


class PlaceState(StrEnum):
    """How well the place is known."""

    LOCATED = "located"
    APPROXIMATE = "approximate"
    UNLOCATED = "unlocated"
    OUTSIDE = "outside"


@dataclass(frozen=True, slots=True)
class SaidPlace:
    """The place as somebody said it; nothing of it is believed yet."""

    lon: float | None = None
    lat: float | None = None
    accuracy_m: float | None = None
    address: str = ""


ADDRESS = "address"
"""The kind of a candidate that is one address, not a street, a name or an area."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A guess where an unknown place may be. `score` in 0–1, higher is better."""

    label: str
    lon: float
    lat: float
    score: float
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Doubt:
    """A fact that was set aside or put right, and why."""

    field: str
    why: str


@dataclass(frozen=True, slots=True)
class Place:
    """What is believed about the place. `point` is None exactly while it is unlocated."""

    state: PlaceState
    point: Point | None = None
    accuracy_m: float | None = None
    address: str = ""
    district: str = ""
    how: str = ""
    candidates: tuple[Candidate, ...] = ()

    @property
    def needs_a_person(self) -> bool:
        """Whether an operator should look where it really is."""
        return self.state in (PlaceState.UNLOCATED, PlaceState.OUTSIDE) or self.how in ("geocoded", "swapped")


def believable_point(said: SaidPlace) -> tuple[Point | None, str, tuple[Doubt, ...]]:
    """The point that was meant, how it was read (`said`, `swapped` or empty), and what is doubtful about it."""
    fault = judge(said.lon, said.lat)
    if fault is Fault.SWAPPED and said.lon is not None and said.lat is not None:
        return Point(said.lat, said.lon), "swapped", (Doubt("place", "swapped"),)
    if fault is Fault.MISSING:
        half = said.lon is not None or said.lat is not None
        return None, "", (Doubt("place", "half_a_coordinate"),) if half else ()
    if fault is not None:
        return None, "", (Doubt("place", fault.value),)
    assert said.lon is not None and said.lat is not None
    return Point(said.lon, said.lat), "said", ()


@dataclass(frozen=True, slots=True)
class Known:
    """What the city's maps say about a point and an address.

    `contained` is None where no boundary is known. `address_district` is the district the address names, if it does.
    """

    contained: bool | None = None
    district: str = ""
    candidates: tuple[Candidate, ...] = ()
    address_district: str = ""


def settle(
    said: SaidPlace, known: Known, *, approximate_above_m: float, sure: float
) -> tuple[Place, tuple[Doubt, ...]]:
    """What to believe of a place as said, given what the maps know. Never refuses: the worst case is *unlocated*."""
    point, how, doubts = believable_point(said)
    if known.district and known.address_district and known.district != known.address_district:
        doubts = (*doubts, Doubt("place.address", "other_district"))
    place = Place(
        state=PlaceState.UNLOCATED,
        accuracy_m=said.accuracy_m,
        address=said.address,
        district=known.district,
        candidates=known.candidates,
    )
    if point is None:
        return _from_address(place, sure), doubts
    state = _state_of(said, known, how, approximate_above_m)
    return replace(place, state=state, point=point, how=how), doubts


def _state_of(said: SaidPlace, known: Known, how: str, approximate_above_m: float) -> PlaceState:
    if known.contained is False:
        return PlaceState.OUTSIDE
    rough = said.accuracy_m is not None and said.accuracy_m > approximate_above_m
    unsure = how == "swapped" and known.contained is None
    return PlaceState.APPROXIMATE if rough or unsure else PlaceState.LOCATED


def _from_address(place: Place, sure: float) -> Place:
    """A single sure address match stands in for coordinates; anything less waits for a person."""
    matches = [one for one in place.candidates if one.score >= sure and one.kind == ADDRESS]
    if len(matches) != 1:
        return place
    return replace(place, state=PlaceState.APPROXIMATE, point=Point(matches[0].lon, matches[0].lat), how="geocoded")


# ------------------------------------------------------------------------------------- what a source has said


@dataclass(frozen=True, slots=True)
class Fact:
    """A value with the number of the message that said it."""

    seq: int
    value: Any  # Any: a JSON value, its type depends on the fact


@dataclass(frozen=True, slots=True)
class Ending:
    """The source said the call is over: `close` or `cancel`."""

    step: Step
    seq: int
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Account:
    """Everything a source has said about one call so far, in whatever order it came.

    For every fact the highest message number wins, so the same messages give the same account in any order.
    """

    facts: Mapping[str, Fact] = field(default_factory=dict)
    ending: Ending | None = None
    requested: bool = False

    def value(self, name: str, default: Any = None) -> Any:  # Any: as in `Fact`
        """The value of a fact, or `default` if nobody said it."""
        fact = self.facts.get(name)
        return default if fact is None else fact.value


def tell(account: Account, seq: int, said: Mapping[str, Any], *, request: bool) -> Account:  # Any: as in `Fact`
    """The account after one more message. Equal numbers are settled by the larger value, so order never matters."""
    facts = dict(account.facts)
    for name, value in said.items():
        held = facts.get(name)
        if held is None or (seq, repr(value)) > (held.seq, repr(held.value)):
            facts[name] = Fact(seq, value)
    return replace(account, facts=facts, requested=account.requested or request)


def end(account: Account, ending: Ending) -> Account:
    """The account after its ending was said. A call ends once: the first ending heard stands."""
    return account if account.ending is not None else replace(account, ending=ending)


def priority_of(code: object) -> int:
    """The priority of a 112 response code; one that is no code at all is neither urgent nor idle."""
    if isinstance(code, int) and not isinstance(code, bool) and 0 <= code <= LOWEST_PRIORITY:
        return code
    return PRIORITY_WHEN_UNKNOWN
