"""Listening to what speaks for itself: hub entities and heartbeats. Who has fallen silent, who is back, who is new.

The hub's state is looked at, not its feed: after a restart nothing has to be caught up with, and a flood of readings
costs no more than a few.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from madang.facilities.commands.outages import sign
from madang.facilities.commands.register import EVERY, FacilityRow, config, put_facilities
from madang.facilities.domain import ENDED, MISSED, Cause, Condition, Down, Feed, Silence, Up, listen, silent_since
from madang.facilities.models import Facility, Outage
from madang.facilities.seeing import note_seen
from madang.hub.changes import Stored
from madang.hub.contexts.context import CORE_CONTEXT
from madang.hub.hub import Hub
from madang.hub.query import Query, TypeName
from madang.journal import changes, civic
from madang.kernel.geometry import judge
from madang.kernel.mode import Mode

log = logging.getLogger(__name__)
_PAGE = 500
_SIGNS_A_TRANSACTION = 100
_NOTE_S = 60.0
"""When a thing was last heard is written at most this often."""


@dataclass(frozen=True, slots=True)
class Voice:
    """An entity of the hub that speaks for a facility: when it last did, and what it is where it is new."""

    entity_id: str
    entity_type: str
    heard_at: datetime
    row: FacilityRow | None = None


# ------------------------------------------------------------------------------------------------ asking the hub


async def voices(hub: Hub, city: str, known: Mapping[str, str]) -> list[Voice]:
    """Every entity that speaks for a facility: those of the adopted types, and those facilities name (`known`)."""
    found: dict[str, Voice] = {}
    for name, kind in config().adopt_types.items():
        for stored in await _of_type(hub, city, name):
            found[stored.id] = _voice(stored, name, None if stored.id in known else kind)
    for entity_id in known:
        if entity_id not in found:
            one = await hub.retrieve(city, entity_id)
            if one is not None:
                found[entity_id] = _voice(one, CORE_CONTEXT.term(one.types[0]) if one.types else "", None)
    return list(found.values())


async def _of_type(hub: Hub, city: str, name: str) -> list[Stored]:
    types = TypeName(CORE_CONTEXT.canonical(name))
    all_of: list[Stored] = []
    while len(all_of) < config().adopt_most:
        page = await hub.query(city, Query(types=types, limit=_PAGE, offset=len(all_of)))
        all_of += page.entities
        if not page.more:
            break
    return all_of


def _voice(stored: Stored, entity_type: str, kind: str | None) -> Voice:
    heard_at = datetime.fromtimestamp(stored.modified_ms / 1000, UTC)
    row = None if kind is None else _row(stored, entity_type, kind)
    return Voice(stored.id, entity_type, heard_at, row)


def _row(stored: Stored, entity_type: str, kind: str) -> FacilityRow:
    """What an entity says of itself, as a facility. Its own `expectedEvery` (s) is believed within reason."""
    attributes = stored.attributes()
    lon, lat = _place(_value(attributes, "location"))
    every = _value(attributes, "expectedEvery")
    return FacilityRow(
        kind=kind,
        source_key=stored.id[:200],
        name=_name(_value(attributes, "name")) or stored.id.rpartition(":")[2],
        lon=lon,
        lat=lat,
        address=_name(_value(attributes, "address")),
        vendor=_name(_value(attributes, "vendor")),
        model=_name(_value(attributes, "model")),
        attributes={"entity_type": entity_type},
        feed_key=stored.id,
        expected_every_s=float(every) if isinstance(every, int | float) and 1 <= every <= 604_800 else None,
    )


def _value(attributes: Mapping[str, Any], name: str) -> Any:  # Any: JSON from outside
    one = attributes.get(name)
    one = one[0] if isinstance(one, list) and one else one
    return one.get("value", one.get("languageMap")) if isinstance(one, dict) else None


def _name(value: Any) -> str:  # Any: JSON from outside
    if isinstance(value, dict):
        value = value.get("ko") or value.get("en") or ""
    return str(value)[:200] if isinstance(value, str | int) else ""


def _place(value: Any) -> tuple[float | None, float | None]:  # Any: JSON from outside
    if not isinstance(value, dict) or value.get("type") != "Point":
        return None, None
    place = value.get("coordinates")
    if not isinstance(place, list) or len(place) < 2 or not all(isinstance(one, int | float) for one in place[:2]):
        return None, None
    lon, lat = float(place[0]), float(place[1])
    return (lon, lat) if judge(lon, lat) is None else (None, None)


# --------------------------------------------------------------------------------------------- on the civic store


def known_feeds(city: str) -> dict[str, str]:
    """Hub entity → facility id, for every facility that names one."""
    rows = Facility.objects.filter(authority_id=city).exclude(feed_key="")
    return dict(rows.values_list("feed_key", "pk"))


def hear(city: str, heard: Sequence[Voice], now: datetime, mode: Mode) -> Silence:
    """Registers newcomers, notes who was heard, and judges silence: outages are suspected and restored by it."""
    _adopt(city, [voice.row for voice in heard if voice.row is not None], now, mode)
    at = {voice.entity_id: voice for voice in heard}
    watched = list(_watched(city))
    feeds = [_feed(facility, at.get(facility.feed_key)) for facility in watched]
    found = listen(feeds, now)
    by_id = {facility.pk: facility for facility in watched}
    _note_heard(by_id, feeds, found, now)
    _sign(city, by_id, found, now)
    _grey(city, by_id, found, now)
    return found


def _adopt(city: str, rows: Sequence[FacilityRow], now: datetime, mode: Mode) -> None:
    for start in range(0, len(rows), _PAGE):
        with civic.transaction() as tx:
            put_facilities(tx, city, rows[start : start + _PAGE], now, mode)


def _watched(city: str) -> Iterable[Facility]:
    rows = Facility.objects.filter(authority_id=city, in_service=True)
    return rows.exclude(feed_key="", expected_every_s=None)


def _feed(facility: Facility, voice: Voice | None) -> Feed:
    entity_type = str(facility.attributes.get("entity_type", "")) if isinstance(facility.attributes, dict) else ""
    every = facility.expected_every_s or config().every_s(facility.kind, entity_type)
    heard_at = max(filter(None, (facility.heard_at, voice.heard_at if voice else None)), default=None)
    group = f"hub:{entity_type}" if facility.feed_key else f"{facility.kind}:{facility.vendor}"
    return Feed(facility.pk, heard_at, every if every > 0 else 1e9, group)


def _note_heard(by_id: Mapping[str, Facility], feeds: Sequence[Feed], found: Silence, now: datetime) -> None:
    later = []
    for feed in feeds:
        facility = by_id[feed.ref]
        before = facility.heard_at
        if feed.heard_at and (before is None or (feed.heard_at - before).total_seconds() >= _NOTE_S):
            facility.heard_at = feed.heard_at
            later.append(facility)
    until = {
        feed.ref: feed.heard_at + timedelta(seconds=MISSED * feed.every_s) for feed in found.speaking if feed.heard_at
    }
    with civic.transaction():
        Facility.objects.bulk_update(later, ["heard_at"], batch_size=_PAGE)
        note_seen(until, now)


def _sign(city: str, by_id: Mapping[str, Facility], found: Silence, now: datetime) -> None:
    """Tells the outages, in small transactions, and only where something differs from what stands."""
    downs = [
        (feed.ref, Down(Cause.SILENT, silent_since(feed)))
        for feed in found.silent
        if _is_news(by_id, feed.ref, up=False)
    ]
    back = [feed for feed in found.speaking if feed.heard_at and _is_news(by_id, feed.ref, up=True)]
    plain = _first_heard(city, by_id, [feed.ref for feed in back], now)
    ups = [(feed.ref, Up(feed.heard_at)) for feed in back if feed.heard_at and feed.ref not in plain]
    signs: list[tuple[str, Down | Up]] = [*downs, *ups]
    for start in range(0, len(signs), _SIGNS_A_TRANSACTION):
        with civic.transaction() as tx:
            for key, one in signs[start : start + _SIGNS_A_TRANSACTION]:
                facility = Facility.objects.select_for_update().filter(pk=key).first()
                if facility is not None:
                    sign(tx, facility, one, now)


def _first_heard(city: str, by_id: Mapping[str, Facility], refs: Sequence[str], now: datetime) -> frozenset[str]:
    """Things of which nothing was known and no outage stands: many at once when a line comes up, so set at once."""
    unknown = [ref for ref in refs if by_id[ref].condition == Condition.UNKNOWN and not by_id[ref].hushed]
    if not unknown:
        return frozenset()
    with civic.transaction() as tx:
        standing = Outage.objects.filter(authority_id=city).exclude(state__in=[state.value for state in ENDED])
        plain = frozenset(unknown) - frozenset(standing.values_list("facility_id", flat=True))
        for part in _parts(sorted(plain)):
            rows = Facility.objects.filter(pk__in=part, condition=Condition.UNKNOWN.value)
            rows.update(condition=Condition.WORKING.value, condition_at=now)
        changes.touch(tx, kind="facility", ref=EVERY, authority=city, now=now)
    return plain


def _parts(refs: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(refs), _PAGE):
        yield refs[start : start + _PAGE]


def _is_news(by_id: Mapping[str, Facility], key: str, *, up: bool) -> bool:
    facility = by_id[key]
    if up:
        return facility.condition != Condition.WORKING or bool(facility.hushed)
    return facility.condition in (Condition.WORKING, Condition.UNKNOWN) and not facility.hushed


def _grey(city: str, by_id: Mapping[str, Facility], found: Silence, now: datetime) -> None:
    """Things behind a broken line are unknown, not broken."""
    if not found.broken_groups:
        return
    behind = [feed.ref for feed in found.unjudged if by_id[feed.ref].condition == Condition.WORKING]
    if not behind:
        return
    log.warning("feeds of %s are silent as a whole: %s", city, ", ".join(found.broken_groups))
    with civic.transaction() as tx:
        for part in _parts(behind):
            rows = Facility.objects.filter(pk__in=part, condition=Condition.WORKING.value)
            rows.update(condition=Condition.UNKNOWN.value, condition_at=now)
        changes.touch(tx, kind="facility", ref=EVERY, authority=city, now=now)
