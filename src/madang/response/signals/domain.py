"""How signals are judged: class policies, priorities, lateness, chatter, and what operators are shown. Pure.

Instants are whole milliseconds since 1970 (`_ms`), lengths metres.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType

from madang.response.domain import LOWEST_PRIORITY, URGENT_PRIORITY


class Source(StrEnum):
    """Where signals come from."""

    SENSOR = "sensor"
    BELL = "bell"
    FRIGATE = "frigate"
    ONVIF = "onvif"
    AGENCY = "agency"
    CITIZEN = "citizen"
    OPERATOR = "operator"
    RULE = "rule"
    FACILITY = "facility"


FROM_OUTSIDE = frozenset(
    {Source.SENSOR, Source.BELL, Source.FRIGATE, Source.ONVIF, Source.AGENCY, Source.CITIZEN, Source.FACILITY}
)
"""What may be said at the HTTP door; operators have their screens, and rules are our own."""
_BELIEVED = frozenset({Source.AGENCY, Source.OPERATOR, Source.RULE})
"""Whose proposed priority is taken as it is; a device's is held to its class's `highest`."""
BY_HAND = "person:"
"""Devices that are people at a desk: neither debounced, nor shelved, nor held back."""


class Outcome(StrEnum):
    """Where a signal ends: in exactly one of these (I7)."""

    INCIDENT = "incident"
    SHELF = "shelf"
    REJECT = "reject"


class Reason(StrEnum):
    """Why it ended there."""

    OPENED = "opened"
    REPEATED = "repeated"
    MERGED = "merged"
    ENDED = "ended"
    LATE = "late"
    PAST_SHELF = "past_shelf"
    SHELVED = "shelved"
    CHATTERING = "chattering"
    ENDED_NOTHING = "ended_nothing"
    OPENS_NOTHING = "opens_nothing"
    STALE = "stale"
    FAULT = "fault"


# --------------------------------------------------------------------------------------------- class policies


@dataclass(frozen=True, slots=True)
class ClassPolicy:
    """How signals of one class are correlated. `highest` is the best priority a device may propose for itself."""

    window_s: float = 300.0
    radius_m: float = 100.0
    debounce_s: float = 10.0
    chatter_n: int = 20
    chatter_s: float = 60.0
    shelf_s: float = 1_800.0
    priority: int = 3
    highest: int = 2
    opens: bool = True


_ANY = ClassPolicy()
_VIOLENCE = ClassPolicy(window_s=180, radius_m=80, debounce_s=5, priority=1, highest=0)
_CARRIED_OUT = ("abduction", "robbery", "assault", "homicide", "sexual_violence", "weapon", "arson")
DEFAULTS: Mapping[str, ClassPolicy] = MappingProxyType(
    {
        **dict.fromkeys(_CARRIED_OUT, _VIOLENCE),
        "emergency_bell": ClassPolicy(120, 30, 5, 12, 60, 900, priority=1, highest=0),
        "fire": ClassPolicy(600, 150, 10, 20, 60, 900, priority=1, highest=0),
        "smoke": ClassPolicy(600, 150, 10, 15, 60, 1_800, priority=2, highest=1),
        "gas": ClassPolicy(600, 150, 10, 20, 60, 900, priority=1, highest=1),
        "rescue": replace(_ANY, priority=1, highest=0),
        "medical": replace(_ANY, priority=1, highest=0),
        "suicide_risk": replace(_ANY, priority=1, highest=0),
        "traffic_accident": ClassPolicy(600, 120, 10, 20, 60, 1_800, priority=2, highest=1),
        "intrusion": ClassPolicy(180, 60, 10, 12, 60, 1_800, priority=2, highest=1),
        "fight": ClassPolicy(180, 60, 10, 12, 60, 1_800, priority=2, highest=1),
        "fall": ClassPolicy(180, 40, 10, 12, 60, 1_800, priority=2, highest=1),
        "crowd": ClassPolicy(900, 250, 30, 12, 120, 1_800, priority=2, highest=1),
        "flood": ClassPolicy(1_800, 400, 60, 12, 300, 3_600, priority=2, highest=1),
        "device_tampered": ClassPolicy(300, 30, 10, 10, 60, 1_800, priority=2, highest=2),
        "loitering": ClassPolicy(300, 80, 10, 12, 60, 1_800),
        "abandoned_object": ClassPolicy(600, 40, 30, 10, 120, 1_800),
        "noise": ClassPolicy(60, 120, 5, 12, 60, 1_800),
        "weather": ClassPolicy(3_600, 5_000, 60, 12, 300, 3_600),
        "air_quality": ClassPolicy(1_800, 500, 60, 12, 300, 3_600, priority=4),
        "facility_fault": ClassPolicy(3_600, 30, 60, 10, 300, 7_200),
        "motion": ClassPolicy(120, 60, 5, 30, 60, 1_800, priority=4, highest=3, opens=False),
        "object_seen": ClassPolicy(120, 60, 5, 30, 60, 1_800, priority=4, highest=3, opens=False),
    }
)


def default_policy(class_code: str) -> ClassPolicy:
    """What holds for a class in a city that set nothing."""
    return DEFAULTS.get(class_code, _ANY)


def effective_priority(policy: ClassPolicy, source: str, proposed: int | None) -> int:
    """The priority a signal is taken at: a device may not call itself more urgent than its class allows."""
    if proposed is None:
        return policy.priority
    wanted = min(max(proposed, 0), LOWEST_PRIORITY)
    return wanted if source in _BELIEVED else max(wanted, min(policy.highest, policy.priority))


def is_urgent(priority: int) -> bool:
    """Whether it is exempt from every cap and passes every shelf."""
    return priority <= URGENT_PRIORITY


# ----------------------------------------------------------------------------------------------------- time


def effective_time(observed_ms: int, received_ms: int, ahead_ms: int) -> int:
    """When it happened: the time of arrival where the device's clock runs ahead by more than `ahead_ms`."""
    return observed_ms if observed_ms <= received_ms + ahead_ms else received_ms


def chatters(times_ms: Sequence[int], at_ms: int, policy: ClassPolicy) -> bool:
    """Whether `at_ms` is at least the n-th of the sorted `times_ms` within the chatter window before it."""
    if len(times_ms) < policy.chatter_n:
        return False
    return times_ms[-policy.chatter_n] > at_ms - round(policy.chatter_s * 1000)


# ------------------------------------------------------------------------------------- what operators are shown


class Showing(StrEnum):
    """How a new event reaches the operators."""

    OWN = "own"
    """An incident of its own."""
    DISTRICT = "district"
    """Inside the storm of its district."""
    CITY = "city"
    """Inside the storm of the city: nothing else may be opened any more."""


SHARE = MappingProxyType({2: 1.0, 3: 0.7, 4: 0.4})
"""How much of the load the lesser priorities may fill, so that room is left for the more pressing."""
_KEPT_FOR_STORMS = 0.2


@dataclass(frozen=True, slots=True)
class Load:
    """What the operators of a city have been given within the window."""

    operators: int
    used: int
    items: int = 10
    """New items an operator is given in a window (EEMUA-191)."""

    @property
    def quota(self) -> int:
        """New items for all of them; there is always at least one operator."""
        return self.items * max(1, self.operators)


def showing(priority: int, load: Load, *, stormy: bool, district_storm: bool) -> Showing:
    """How to show a new event: urgent ones always by themselves, others while there is room and no storm.

    One item is always left for the storm of the city, some for those of districts.
    """
    if is_urgent(priority):
        return Showing.OWN
    kept = max(1, round(load.quota * _KEPT_FOR_STORMS))
    room = SHARE.get(priority, SHARE[LOWEST_PRIORITY]) * (load.quota - kept)
    if not stormy and load.used < room:
        return Showing.OWN
    return Showing.DISTRICT if district_storm or load.used < load.quota - 1 else Showing.CITY
