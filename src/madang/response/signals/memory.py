"""What correlation remembers, rebuilt from the tables and kept up with what people do meanwhile."""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from madang.journal import changes
from madang.journal.session import Session
from madang.kernel.clock import instant_text
from madang.kernel.geometry import Point
from madang.places import boundaries
from madang.response.config import SignalsConfig
from madang.response.domain import ENDED_STATES, State
from madang.response.models import Incident
from madang.response.signals.correlation import (
    City,
    Correlator,
    DeviceKey,
    Limits,
    LiveEvent,
    LiveShelf,
    LiveStorm,
)
from madang.response.signals.domain import BY_HAND, Reason, effective_time
from madang.response.signals.instants import ms_at, ms_of
from madang.response.signals.models import Event, Shelf, Storm
from madang.response.signals.policies import CHANGED, Policies
from madang.video.models import DutyShift

TURN = "settlement"
EVENT_CHANGED = "event:"
"""What the ref of a `shelf` touch begins with when a person moved an event."""
_CHATTER_MEMORY = timedelta(minutes=65)
_ENDED = frozenset(state.value for state in ENDED_STATES)
_CHUNK = 400


@dataclass(frozen=True, slots=True)
class Standing:
    """How an incident stands: when it ended, if it has, and where its events belong after a merge."""

    id: str
    closed_ms: int | None


@dataclass
class Roster:
    """How many operators each city has on duty at `now`, counted when first asked."""

    now: datetime
    _counted: dict[str, int] = field(default_factory=dict)

    def at(self, now: datetime) -> None:
        """Counts anew from here on."""
        self.now = now
        self._counted.clear()

    def __call__(self, city: str) -> int:
        if city not in self._counted:
            self._counted[city] = on_duty(city, self.now)
        return self._counted[city]


@dataclass
class Districts:
    """Which district a point lies in; whether the map changed is looked at once a group, not for every point."""

    _maps: dict[str, boundaries.DistrictIndex] = field(default_factory=dict)

    def anew(self) -> None:
        """Looks at the maps again from here on."""
        self._maps.clear()

    def __call__(self, city: str, point: Point) -> str:
        if city not in self._maps:
            self._maps[city] = boundaries.index_of(city)
        index = self._maps[city]
        found = index.district_of(point) if len(index) else None
        return "" if found is None else found.name_ko


@dataclass
class Memory:
    """A correlator, and how far into the change feed and the groups it knows."""

    correlator: Correlator
    roster: Roster
    districts: Districts
    cursor: int
    groups: int
    written: set[tuple[str, str]] = field(default_factory=set)


def limits_of(config: SignalsConfig) -> Limits:
    """The figures correlation needs."""
    return Limits(
        remembered_ms=round(config.remembered_s * 1000),
        items=config.operator_items,
        window_ms=round(config.operator_window_s * 1000),
        storm_events=config.storm_events,
    )


def rebuild(tx: Session, config: SignalsConfig, now: datetime) -> Memory:
    """Everything correlation remembers, from the tables. The cursor is read first: what comes later is followed."""
    cursor = changes.latest(tx)
    groups = tx.execute("SELECT turns FROM signals_turn WHERE name = ?", (TURN,))
    roster, districts = Roster(now), Districts()
    correlator = Correlator(City(Policies().of, districts, roster), limits_of(config))
    _recall_events(correlator, config, now)
    _recall_storms(correlator, now)
    _recall_shelves(correlator, now)
    _recall_devices(tx, correlator, config, now)
    _recall_load(correlator, config, now)
    return Memory(correlator, roster, districts, cursor, groups[0][0] if groups else 0)


def on_duty(city: str, now: datetime) -> int:
    """How many people are on the roster now; at least one, for somebody always is."""
    shifts = DutyShift.objects.filter(
        authority_id=city, from_at__lte=now, to_at__gt=now, ended_at=None, accepted_at__isnull=False
    )
    return max(1, shifts.values("person_id").distinct().count())


def _since(now: datetime, seconds: float) -> str:
    return instant_text(now - timedelta(seconds=seconds))


# ------------------------------------------------------------------------------------------------- recalling


def _recall_events(correlator: Correlator, config: SignalsConfig, now: datetime) -> None:
    rows = list(Event.objects.filter(last_at__gte=_since(now, config.remembered_s)).order_by("opened_at", "id"))
    known = standings({row.incident_id for row in rows}, now)
    for row in rows:
        correlator.remember(live_event(row, known))


def live_event(row: Event, known: Mapping[str, Standing]) -> LiveEvent:
    """An event as correlation holds it."""
    standing = known.get(row.incident_id)
    return LiveEvent(
        id=row.id,
        city=str(row.authority_id),
        mode=row.mode,
        class_code=row.class_code,
        priority=row.priority,
        source=row.source,
        device=row.device,
        district=row.district,
        lon=row.lon,
        lat=row.lat,
        accuracy_m=row.accuracy_m,
        address=row.address,
        text=row.text,
        first_ms=ms_of(row.first_at),
        last_ms=ms_of(row.last_at),
        opened_ms=ms_of(row.opened_at),
        ended_ms=ms_of(row.ended_at) if row.ended_at else 0,
        presented_ms=ms_of(row.presented_at) if row.presented_at else 0,
        counted=row.counted,
        signals=row.signals,
        incident_id=standing.id if standing else row.incident_id,
        storm_id=row.storm_id,
        splits=row.splits,
        closed_ms=standing.closed_ms if standing else None,
    )


def standings(incident_ids: Iterable[str], now: datetime) -> dict[str, Standing]:
    """How those incidents stand; one that was merged stands as the one it was merged into."""
    wanted = list(incident_ids)
    rows: dict[str, tuple[str, datetime | None, str | None]] = {}
    while wanted:
        some, wanted = wanted[:_CHUNK], wanted[_CHUNK:]
        found = Incident.objects.filter(pk__in=some).values_list("id", "state", "closed_at", "merged_into_id")
        for ident, state, closed_at, into in found:
            rows[ident] = (state, closed_at, into)
            if state == State.MERGED.value and into and into not in rows:
                wanted.append(into)
    return {ident: _standing(ident, rows, now) for ident in rows}


def _standing(ident: str, rows: Mapping[str, tuple[str, datetime | None, str | None]], now: datetime) -> Standing:
    at, seen = ident, {ident}
    while rows[at][0] == State.MERGED.value and rows[at][2] in rows and rows[at][2] not in seen:
        at = str(rows[at][2])
        seen.add(at)
    state, closed_at, _ = rows[at]
    return Standing(at, ms_at(closed_at or now) if state in _ENDED else None)


def _recall_storms(correlator: Correlator, now: datetime) -> None:
    rows = list(Storm.objects.filter(open=True))
    known = standings((row.incident_id for row in rows), now)
    for row in rows:
        standing = known[row.incident_id]
        if standing.closed_ms is not None or standing.id != row.incident_id:
            continue
        key = (str(row.authority_id), row.mode, row.district)
        correlator.storms[key] = LiveStorm(*key, ms_of(row.opened_at), ms_of(row.last_at), row.incident_id)


def _recall_shelves(correlator: Correlator, now: datetime) -> None:
    for row in Shelf.objects.filter(ended_at="", until__gt=instant_text(now)):
        shelf = live_shelf(row)
        correlator.shelves[shelf.key] = shelf


def live_shelf(row: Shelf) -> LiveShelf:
    """A shelf as correlation holds it."""
    return LiveShelf(row.id, _device(row), ms_of(row.until))


def _device(row: Shelf) -> DeviceKey:
    return str(row.authority_id), row.mode, row.source, row.device


def _recall_devices(tx: Session, correlator: Correlator, config: SignalsConfig, now: datetime) -> None:
    """What each device told of last, and how often it did lately."""
    of_devices = f"device <> '' AND device NOT LIKE '{BY_HAND}%' AND outcome <> ''"
    last = tx.execute(
        "WITH recent AS MATERIALIZED (SELECT seq, authority, mode, source, device, class_code FROM signals_signal"  # noqa: S608 -- constants
        f" WHERE seq >= ? AND event_id <> '' AND {of_devices})"
        " SELECT authority, mode, source, device, class_code, event_id, observed_at, received_at FROM signals_signal"
        " WHERE seq IN (SELECT MAX(seq) FROM recent GROUP BY authority, mode, source, device, class_code)",
        (_first_seq(tx, _since(now, config.remembered_s + config.stale_s)),),
    )
    for *key, class_code, event_id, observed, received in last:
        at = effective_time(ms_of(observed), ms_of(received), round(config.ahead_s * 1000))
        correlator.last[(key[0], key[1], key[2], key[3]), class_code] = (event_id, at)
    _recall_times(tx, correlator, config, instant_text(now - _CHATTER_MEMORY), of_devices)


def _first_seq(tx: Session, since: str) -> int:
    """The first signal received since: what comes later has greater numbers, but for a clock that was set back."""
    rows = tx.execute(
        "SELECT seq FROM signals_signal WHERE received_at >= ? ORDER BY received_at, seq LIMIT 1", (since,)
    )
    return int(rows[0][0]) if rows else 2**62


def _recall_times(tx: Session, correlator: Correlator, config: SignalsConfig, since: str, of_devices: str) -> None:
    uncounted = {_device(row): row.from_seq for row in Shelf.objects.filter(shelved_at__gte=since).order_by("from_seq")}
    rows = tx.execute(
        "SELECT seq, authority, mode, source, device, observed_at, received_at FROM signals_signal"  # noqa: S608 -- constants
        f" WHERE seq >= ? AND {of_devices} AND outcome <> 'shelf' AND reason NOT IN (?, ?) ORDER BY seq",
        (_first_seq(tx, since), Reason.PAST_SHELF.value, Reason.FAULT.value),
    )
    late_ms, ahead_ms = round(config.lateness_s * 1000), round(config.ahead_s * 1000)
    for seq, city, mode, source, device, observed, received in rows:
        key = (city, mode, source, device)
        received_ms = ms_of(received)
        at = effective_time(ms_of(observed), received_ms, ahead_ms)
        if seq > uncounted.get(key, 0) and received_ms - at <= late_ms:
            insort(correlator.times.setdefault(key, []), at)


def _recall_load(correlator: Correlator, config: SignalsConfig, now: datetime) -> None:
    since = _since(now, config.operator_window_s)
    items: list[tuple[int, str, str]] = []
    for row in Event.objects.filter(opened_at__gt=since, counted=True).order_by("opened_at", "id"):
        correlator.openings[str(row.authority_id), row.mode, row.district].append(ms_of(row.opened_at))
        if row.presented_at:
            items.append((ms_of(row.presented_at), str(row.authority_id), row.mode))
    storms = Storm.objects.filter(opened_at__gt=since)
    items += [(ms_of(storm.opened_at), str(storm.authority_id), storm.mode) for storm in storms]
    for at, city, mode in sorted(items):
        correlator.items[city, mode].append(at)


# ------------------------------------------------------------------------------------------------- following


class OutOfDateError(Exception):
    """What is remembered no longer follows from the tables: it is rebuilt."""


def follow(tx: Session, memory: Memory, now: datetime) -> None:
    """Takes in what people and other workers did since; raises `OutOfDateError` when only a rebuild helps."""
    _take_turn(tx, memory)
    memory.roster.at(now)
    memory.districts.anew()
    rows = tx.execute(
        "SELECT kind, ref, MAX(seq) FROM journal_change WHERE seq > ? AND kind IN ('incident', 'shelf')"
        " GROUP BY kind, ref",
        (memory.cursor,),
    )
    refs: dict[str, set[str]] = {"incident": set(), "shelf": set()}
    for kind, ref, _ in rows:
        refs[kind].add(ref)
    if CHANGED in refs["shelf"]:
        raise OutOfDateError
    moved = {ref.removeprefix(EVENT_CHANGED) for ref in refs["shelf"] if ref.startswith(EVENT_CHANGED)}
    _follow_shelves(memory.correlator, refs["shelf"])
    _follow_events(memory.correlator, moved, now)
    _follow_incidents(tx, memory.correlator, refs["incident"], now)


def _take_turn(tx: Session, memory: Memory) -> None:
    memory.groups += 1
    rows = tx.execute(
        "INSERT INTO signals_turn (name, turns) VALUES (?, 1)"
        " ON CONFLICT (name) DO UPDATE SET turns = signals_turn.turns + 1 RETURNING turns",
        (TURN,),
    )
    if rows[0][0] != memory.groups:
        raise OutOfDateError


def _follow_shelves(correlator: Correlator, refs: set[str]) -> None:
    if not refs:
        return
    for row in Shelf.objects.filter(pk__in=refs):
        held = correlator.shelves.get(_device(row))
        if row.ended_at and held is not None and held.id == row.id:
            del correlator.shelves[held.key]
        elif not row.ended_at and (held is None or held.id != row.id):
            correlator.put_on_shelf(live_shelf(row))


def _follow_events(correlator: Correlator, moved: set[str], now: datetime) -> None:
    rows = [row for row in Event.objects.filter(pk__in=moved) if row.id in correlator.events] if moved else []
    known = standings({row.incident_id for row in rows}, now)
    for row in rows:
        event = correlator.events[row.id]
        event.storm_id, event.splits = row.storm_id, row.splits
        standing = known[row.incident_id]
        correlator.move(event, standing.id)
        event.closed_ms = standing.closed_ms


def _follow_incidents(tx: Session, correlator: Correlator, refs: set[str], now: datetime) -> None:
    storms = {storm.incident_id: key for key, storm in correlator.storms.items()}
    mine = {ref for ref in refs if ref in correlator.by_incident or ref in storms}
    for ident, standing in standings(mine, now).items():
        over = standing.closed_ms is not None or standing.id != ident
        if over and ident in storms:
            del correlator.storms[storms[ident]]
            tx.execute("UPDATE signals_storm SET open = ? WHERE incident_id = ?", (False, ident))
        if standing.id != ident:
            tx.execute("UPDATE signals_event SET incident_id = ? WHERE incident_id = ?", (standing.id, ident))
        for event_id in list(correlator.by_incident.get(ident, ())):
            event = correlator.events[event_id]
            event.closed_ms = standing.closed_ms
            if standing.id != ident:
                correlator.move(event, standing.id)
