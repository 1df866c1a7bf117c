"""Signals becoming events, in the order they came: what is remembered, and what each signal makes of it.

No clock, no tables: what is remembered here is rebuilt from the tables by `memory`, and the same signals in the same
order settle the same way whether or not it was.
"""

from __future__ import annotations

import math
from bisect import insort
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from madang.kernel.geometry import EARTH_RADIUS_M, Point, distance_m
from madang.response.signals.domain import (
    BY_HAND,
    ClassPolicy,
    Load,
    Outcome,
    Reason,
    Showing,
    chatters,
    is_urgent,
    showing,
)

Room = tuple[str, str]
"""City and mode: nothing is ever correlated across."""
DeviceKey = tuple[str, str, str, str]
"""City, mode, source, device."""
District = tuple[str, str, str]
"""City, mode, district."""
_Cell = tuple[str, str, str, int, int]

_MOST_TIMES = 1_000
_METRES_PER_DEGREE = math.radians(1) * EARTH_RADIUS_M
_NARROWEST = math.cos(math.radians(39.0))
"""A degree of longitude is nowhere in Korea narrower than this share of one of latitude."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A signal as correlation looks at it: its time, place and priority are already judged."""

    seq: int
    id: str
    city: str
    mode: str
    source: str
    device: str
    class_code: str
    at_ms: int
    priority: int
    lon: float | None = None
    lat: float | None = None
    accuracy_m: float | None = None
    address: str = ""
    text: str = ""
    ending: bool = False
    late: bool = False
    stale: bool = False

    @property
    def room(self) -> Room:
        return self.city, self.mode

    @property
    def device_key(self) -> DeviceKey:
        return self.city, self.mode, self.source, self.device

    @property
    def by_hand(self) -> bool:
        """Whether a person at a desk entered it."""
        return self.device.startswith(BY_HAND)

    @property
    def of_a_device(self) -> bool:
        """Whether it came from something that can repeat itself and chatter."""
        return bool(self.device) and not self.by_hand


@dataclass(slots=True, eq=False)
class LiveEvent:
    """An event that signals can still join. `closed_ms` says when its incident ended, if it has."""

    id: str
    city: str
    mode: str
    class_code: str
    priority: int
    source: str
    device: str
    district: str
    lon: float | None
    lat: float | None
    accuracy_m: float | None
    address: str
    text: str
    first_ms: int
    last_ms: int
    opened_ms: int
    ended_ms: int = 0
    presented_ms: int = 0
    counted: bool = True
    signals: int = 1
    incident_id: str = ""
    storm_id: str = ""
    splits: int = 0
    closed_ms: int | None = None

    @property
    def in_storm(self) -> bool:
        """Whether it has no incident of its own."""
        return self.storm_id != "" and self.incident_id == self.storm_id

    def fits(self, at_ms: int, window_ms: int) -> bool:
        """Whether something of that time belongs to it: near its span, and not after its incident ended."""
        near = self.first_ms - window_ms <= at_ms <= self.last_ms + window_ms
        return near and (self.closed_ms is None or at_ms <= self.closed_ms)


@dataclass(slots=True, eq=False)
class LiveStorm:
    """An open storm. `incident_id` is empty until its incident is opened."""

    city: str
    mode: str
    district: str
    opened_ms: int
    last_ms: int
    incident_id: str = ""


@dataclass(slots=True, eq=False)
class LiveShelf:
    """A shelf in force until `until_ms`."""

    id: str
    key: DeviceKey
    until_ms: int
    signals: int = 0


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one signal. `show` asks for an incident (or a storm) to be opened for the event, now."""

    outcome: Outcome
    reason: Reason
    event: LiveEvent | None = None
    shelf: LiveShelf | None = None
    new_shelf: bool = False
    show: Showing | None = None
    storm: LiveStorm | None = None
    raised: bool = False


@dataclass(frozen=True, slots=True)
class City:
    """What correlation asks about a city."""

    policy: Callable[[str, str], ClassPolicy]
    """City and class."""
    district: Callable[[str, Point], str]
    operators: Callable[[str], int]


@dataclass(frozen=True, slots=True)
class Limits:
    """The figures of `SignalsConfig` that matter here, in milliseconds where they are times."""

    remembered_ms: int = 3_600_000
    items: int = 10
    window_ms: int = 600_000
    storm_events: int = 12


@dataclass
class Correlator:
    """Everything remembered about the signals so far."""

    city: City
    limits: Limits
    events: dict[str, LiveEvent] = field(default_factory=dict)
    storms: dict[District, LiveStorm] = field(default_factory=dict)
    shelves: dict[DeviceKey, LiveShelf] = field(default_factory=dict)
    times: dict[DeviceKey, list[int]] = field(default_factory=dict)
    last: dict[tuple[DeviceKey, str], tuple[str, int]] = field(default_factory=dict)
    items: defaultdict[Room, deque[int]] = field(default_factory=lambda: defaultdict(deque))
    openings: defaultdict[District, deque[int]] = field(default_factory=lambda: defaultdict(deque))
    by_incident: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    _cells: defaultdict[_Cell, list[LiveEvent]] = field(default_factory=lambda: defaultdict(list))
    _addresses: dict[tuple[str, str, str, str], LiveEvent] = field(default_factory=dict)

    # ------------------------------------------------------------------------------------------ one signal

    def settle(self, seen: Seen, now_ms: int) -> Verdict:
        """Where this signal ends, and what it changes."""
        policy = self.city.policy(seen.city, seen.class_code)
        shelf = self._shelf(seen.device_key, now_ms)
        fresh = self._count(seen, policy, shelf, now_ms)
        shelf = shelf or fresh
        event = self._ended_event(seen, now_ms) if seen.ending else None
        if seen.ending and event is not None:
            return self._end(seen, event, shelf, fresh)
        if shelf is not None and not (is_urgent(seen.priority) and not seen.ending):
            shelf.signals += 1
            reason = Reason.SHELVED if fresh is None else Reason.CHATTERING
            return Verdict(Outcome.SHELF, reason, shelf=shelf, new_shelf=fresh is not None)
        if seen.ending:
            return Verdict(Outcome.REJECT, Reason.ENDED_NOTHING)
        if seen.stale and not is_urgent(seen.priority):
            return Verdict(Outcome.REJECT, Reason.STALE)
        return self._place(seen, policy, shelf, fresh, now_ms)

    def _place(
        self, seen: Seen, policy: ClassPolicy, shelf: LiveShelf | None, fresh: LiveShelf | None, now_ms: int
    ) -> Verdict:
        found = self._repeated(seen, policy, now_ms)
        reason = Reason.REPEATED
        if found is None:
            found, reason = self._near(seen, policy, now_ms), Reason.MERGED
        if found is not None:
            return self._join(seen, found, reason, shelf, fresh)
        if not (policy.opens or seen.by_hand):
            return Verdict(Outcome.REJECT, Reason.OPENS_NOTHING, shelf=shelf, new_shelf=fresh is not None)
        return self._open(seen, shelf, fresh, now_ms)

    # ----------------------------------------------------------------------------------- chatter and shelves

    def _shelf(self, key: DeviceKey, now_ms: int) -> LiveShelf | None:
        shelf = self.shelves.get(key)
        return shelf if shelf is not None and now_ms < shelf.until_ms else None

    def _count(self, seen: Seen, policy: ClassPolicy, shelf: LiveShelf | None, now_ms: int) -> LiveShelf | None:
        """Counts a signal towards chatter; the shelf it puts its device on, if it is one too many."""
        if shelf is not None or seen.late or not seen.of_a_device:
            return None
        times = self.times.setdefault(seen.device_key, [])
        insort(times, seen.at_ms)
        del times[:-_MOST_TIMES]
        if not chatters(times, seen.at_ms, policy):
            return None
        return self.put_on_shelf(LiveShelf(seen.id, seen.device_key, now_ms + round(policy.shelf_s * 1000)))

    def put_on_shelf(self, shelf: LiveShelf) -> LiveShelf:
        """From now on the device's signals are put aside, and what it sent before no longer counts as chatter."""
        self.shelves[shelf.key] = shelf
        self.times.pop(shelf.key, None)
        return shelf

    # --------------------------------------------------------------------------------------- finding an event

    def _alive(self, event: LiveEvent, now_ms: int) -> bool:
        return event.last_ms >= now_ms - self.limits.remembered_ms

    def _repeated(self, seen: Seen, policy: ClassPolicy, now_ms: int) -> LiveEvent | None:
        """The event this device told of a moment ago."""
        known = self.last.get((seen.device_key, seen.class_code)) if seen.of_a_device else None
        if known is None or abs(seen.at_ms - known[1]) > policy.debounce_s * 1000:
            return None
        event = self.events.get(known[0])
        window_ms = round(policy.window_s * 1000)
        if event is None or not (self._alive(event, now_ms) and event.fits(seen.at_ms, window_ms)):
            return None
        away_m = _between_m(seen, event)
        return event if away_m is None or away_m <= _reach_m(seen, policy) else None

    def _near(self, seen: Seen, policy: ClassPolicy, now_ms: int) -> LiveEvent | None:
        """The nearest event of its class in space and time; without a place, that of its device or address."""
        window_ms = round(policy.window_s * 1000)
        if seen.lon is None or seen.lat is None:
            return self._without_place(seen, window_ms, now_ms)
        here = Point(seen.lon, seen.lat)
        reach_m = _reach_m(seen, policy)
        best: tuple[float, int, str] | None = None
        for event in self._around(seen.room, seen.class_code, here, policy.radius_m):
            if not (self._alive(event, now_ms) and event.fits(seen.at_ms, window_ms)):
                continue
            away_m = _between_m(seen, event)
            if away_m is not None and away_m <= reach_m and (best is None or (away_m, -event.last_ms, event.id) < best):
                best = (away_m, -event.last_ms, event.id)
        return self.events[best[2]] if best is not None else None

    def _without_place(self, seen: Seen, window_ms: int, now_ms: int) -> LiveEvent | None:
        known = self.last.get((seen.device_key, seen.class_code)) if seen.of_a_device else None
        of_device = self.events.get(known[0]) if known is not None else None
        key = (seen.city, seen.mode, seen.class_code, seen.address)
        of_address = self._addresses.get(key) if seen.address else None
        found = (event for event in (of_device, of_address) if event is not None)
        return next((e for e in found if self._alive(e, now_ms) and e.fits(seen.at_ms, window_ms)), None)

    def _ended_event(self, seen: Seen, now_ms: int) -> LiveEvent | None:
        known = self.last.get((seen.device_key, seen.class_code)) if seen.of_a_device else None
        event = self.events.get(known[0]) if known is not None else None
        return event if event is not None and self._alive(event, now_ms) else None

    def _around(self, room: Room, class_code: str, at: Point, radius_m: float) -> Iterator[LiveEvent]:
        x, y = _cell(at, radius_m)
        for column in (x - 1, x, x + 1):
            for line in (y - 1, y, y + 1):
                yield from self._cells.get((*room, class_code, column, line), ())

    # -------------------------------------------------------------------------------------------- its verdict

    def _end(self, seen: Seen, event: LiveEvent, shelf: LiveShelf | None, fresh: LiveShelf | None) -> Verdict:
        event.signals += 1
        event.ended_ms = max(event.ended_ms, seen.at_ms)
        if not seen.late:
            event.last_ms = max(event.last_ms, seen.at_ms)
        self.last[seen.device_key, seen.class_code] = (event.id, seen.at_ms)
        reason = Reason.ENDED if shelf is None else Reason.PAST_SHELF
        return Verdict(Outcome.INCIDENT, reason, event, shelf, new_shelf=fresh is not None)

    def _join(
        self, seen: Seen, event: LiveEvent, reason: Reason, shelf: LiveShelf | None, fresh: LiveShelf | None
    ) -> Verdict:
        event.signals += 1
        over = event.closed_ms is not None
        if not seen.late:
            event.first_ms, event.last_ms = min(event.first_ms, seen.at_ms), max(event.last_ms, seen.at_ms)
        if seen.of_a_device:
            self.last[seen.device_key, seen.class_code] = (event.id, seen.at_ms)
        raised = seen.priority < event.priority
        event.priority = min(event.priority, seen.priority)
        show = Showing.OWN if event.in_storm and not over and is_urgent(event.priority) else None
        why = Reason.PAST_SHELF if shelf is not None else Reason.LATE if seen.late or over else reason
        return Verdict(
            Outcome.INCIDENT, why, event, shelf, fresh is not None, show, raised=raised and not over and show is None
        )

    def _open(self, seen: Seen, shelf: LiveShelf | None, fresh: LiveShelf | None, now_ms: int) -> Verdict:
        event = self._new_event(seen, now_ms)
        self.remember(event)
        if seen.of_a_device:
            self.last[seen.device_key, seen.class_code] = (event.id, seen.at_ms)
        reason = Reason.OPENED if shelf is None else Reason.PAST_SHELF
        how = self._show(seen, event, now_ms)
        storm = None if how is Showing.OWN else self._storm(event, how, now_ms)
        return Verdict(Outcome.INCIDENT, reason, event, shelf, fresh is not None, how, storm)

    def _new_event(self, seen: Seen, now_ms: int) -> LiveEvent:
        located = seen.lon is not None and seen.lat is not None
        district = self.city.district(seen.city, Point(seen.lon or 0.0, seen.lat or 0.0)) if located else ""
        return LiveEvent(
            id=seen.id,
            city=seen.city,
            mode=seen.mode,
            class_code=seen.class_code,
            priority=seen.priority,
            source=seen.source,
            device=seen.device,
            district=district,
            lon=seen.lon,
            lat=seen.lat,
            accuracy_m=seen.accuracy_m,
            address=seen.address,
            text=seen.text,
            first_ms=seen.at_ms,
            last_ms=seen.at_ms,
            opened_ms=now_ms,
            counted=not (is_urgent(seen.priority) or seen.by_hand),
        )

    # -------------------------------------------------------------------------------- what operators are shown

    def load(self, room: Room, now_ms: int) -> Load:
        """What the operators were given within the window."""
        used = _within(self.items[room], now_ms - self.limits.window_ms)
        return Load(self.city.operators(room[0]), used, self.limits.items)

    def _show(self, seen: Seen, event: LiveEvent, now_ms: int) -> Showing:
        if not event.counted:
            return Showing.OWN
        key = (event.city, event.mode, event.district)
        openings = self.openings[key]
        openings.append(now_ms)
        stormy = _within(openings, now_ms - self.limits.window_ms) >= self.limits.storm_events
        load = self.load(seen.room, now_ms)
        how = showing(event.priority, load, stormy=stormy, district_storm=key in self.storms)
        if how is Showing.OWN:
            event.presented_ms = now_ms
            self.items[seen.room].append(now_ms)
        return how

    def _storm(self, event: LiveEvent, how: Showing, now_ms: int) -> LiveStorm:
        key = (event.city, event.mode, event.district if how is Showing.DISTRICT else "")
        storm = self.storms.get(key)
        room = (event.city, event.mode)
        if storm is None and self.load(room, now_ms).used >= self.load(room, now_ms).quota:
            storm = self._any_storm(room)
        if storm is None:
            storm = self.storms[key] = LiveStorm(*key, now_ms, now_ms)
            self.items[room].append(now_ms)
        storm.last_ms = now_ms
        return storm

    def _any_storm(self, room: Room) -> LiveStorm | None:
        """The newest open storm: where everything goes when not even one item is left."""
        mine = [storm for storm in self.storms.values() if (storm.city, storm.mode) == room]
        return max(mine, key=lambda storm: (storm.opened_ms, storm.district), default=None)

    # ------------------------------------------------------------------------------------------- remembering

    def remember(self, event: LiveEvent) -> None:
        """Makes an event findable."""
        self.events[event.id] = event
        self.by_incident[event.incident_id].add(event.id)
        if event.lon is not None and event.lat is not None:
            radius_m = self.city.policy(event.city, event.class_code).radius_m
            cell = _cell(Point(event.lon, event.lat), radius_m)
            self._cells[event.city, event.mode, event.class_code, *cell].append(event)
        if event.address:
            self._addresses[event.city, event.mode, event.class_code, event.address] = event

    def move(self, event: LiveEvent, incident_id: str) -> None:
        """The event ends in that incident from now on."""
        self.by_incident[event.incident_id].discard(event.id)
        event.incident_id = incident_id
        self.by_incident[incident_id].add(event.id)

    def forget_old(self, now_ms: int) -> None:
        """Drops what nothing can join any more; never changes a verdict."""
        for event in [one for one in self.events.values() if not self._alive(one, now_ms)]:
            self._forget(event)
        since = now_ms - 2 * self.limits.remembered_ms
        self.last = {key: value for key, value in self.last.items() if value[0] in self.events}
        self.times = {key: times for key, times in self.times.items() if times[-1] > since}
        self.shelves = {key: shelf for key, shelf in self.shelves.items() if now_ms < shelf.until_ms}

    def _forget(self, event: LiveEvent) -> None:
        del self.events[event.id]
        mine = self.by_incident[event.incident_id]
        mine.discard(event.id)
        if not mine:
            del self.by_incident[event.incident_id]
        if event.lon is not None and event.lat is not None:
            radius_m = self.city.policy(event.city, event.class_code).radius_m
            key = (event.city, event.mode, event.class_code, *_cell(Point(event.lon, event.lat), radius_m))
            self._cells[key].remove(event)
            if not self._cells[key]:
                del self._cells[key]
        named = (event.city, event.mode, event.class_code, event.address)
        if self._addresses.get(named) is event:
            del self._addresses[named]


def _reach_m(seen: Seen, policy: ClassPolicy) -> float:
    """How far an event may be from a signal that belongs to it: farther where the signal's place is rough."""
    return policy.radius_m + min(max(seen.accuracy_m or 0.0, 0.0), policy.radius_m)


def _between_m(seen: Seen, event: LiveEvent) -> float | None:
    """Metres between them; None where either has no place."""
    if seen.lon is None or seen.lat is None or event.lon is None or event.lat is None:
        return None
    return distance_m(Point(seen.lon, seen.lat), Point(event.lon, event.lat))


def _cell(at: Point, radius_m: float) -> tuple[int, int]:
    """A square at least twice the radius wide, so that its neighbours hold everything within twice the radius."""
    step = max(2 * radius_m, 20.0) / _METRES_PER_DEGREE
    return math.floor(at.lon / (step / _NARROWEST)), math.floor(at.lat / step)


def _within(times: deque[int], since_ms: int) -> int:
    """How many of the times, which only grow, lie after `since_ms`; the older ones are dropped."""
    while times and times[0] <= since_ms:
        times.popleft()
    return len(times)
