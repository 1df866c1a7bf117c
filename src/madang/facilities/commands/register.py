"""The register: taken in by the thousand, adopted from the hub, put into and out of service, heard of."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import islice, repeat
from typing import Any

import orjson
from django.conf import settings
from django.db import connection

from madang.facilities.config import FacilitiesConfig
from madang.facilities.domain import Kind, next_inspection_days
from madang.facilities.models import Facility
from madang.identity.access import require
from madang.identity.rights import Actor, Right, Thing
from madang.journal import changes, civic
from madang.journal.session import Session
from madang.kernel.errors import BadRequestError, NotFoundError
from madang.kernel.ids import new_id
from madang.kernel.mode import Mode

EVERY = "*"
"""The ref of a change to very many facilities at once."""
_BATCH = 500


@dataclass(frozen=True, slots=True)
class FacilityRow:
    """A thing as an importer hands it over. `source_key` names it in its source: the same key updates, never doubles.

    Unknown stays None, "" or "unknown". `feed_key` is the hub entity that speaks for it, `expected_every_s` how often.
    """

    kind: str
    source_key: str
    name: str = ""
    lon: float | None = None
    lat: float | None = None
    address: str = ""
    vendor: str = ""
    model: str = ""
    installed_on: date | None = None
    police_link: str = "unknown"
    last_inspected_on: date | None = None
    last_inspection_result: str = "unknown"
    attributes: Mapping[str, Any] = field(default_factory=dict)  # Any: JSON values
    agency_name: str = ""
    agency_phone: str = ""
    feed_key: str = ""
    expected_every_s: float | None = None


@dataclass(frozen=True, slots=True)
class Counts:
    """What became of the rows."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.created + other.created, self.updated + other.updated, self.unchanged + other.unchanged)


def config() -> FacilitiesConfig:
    """The room's settings; defaults where the site gives none."""
    found = getattr(settings, "MADANG_FACILITIES", None)
    return found if isinstance(found, FacilitiesConfig) else FacilitiesConfig()


_GIVEN = (
    "name",
    "lon",
    "lat",
    "address",
    "vendor",
    "model",
    "agency_name",
    "agency_phone",
    "installed_on",
    "police_link",
    "attributes",
)
"""What a file says of a thing; the rest of a row is ours and survives another import."""
_OURS_ONCE = (
    "last_inspected_on",
    "last_inspection_result",
    "next_inspection_on",
    "feed_key",
    "expected_every_s",
    "digest",
    "mode",
)
_KEPT_IF_UNSAID = frozenset({"vendor", "model"})
"""What the office may have added: a file that does not say it does not take it away."""
_TAKEN = "excluded.{name}"
_KEPT = "CASE WHEN excluded.{name} = '' THEN facilities_facility.{name} ELSE excluded.{name} END"
_FRESH = {"parts": "{}", "condition": "unknown", "hushed": "", "service_note": ""}
_COLUMNS = ("id", "authority", "kind", "source_key", *_GIVEN, *_OURS_ONCE, "registered_at", "in_service", *_FRESH)
_UPSERT = (
    f"INSERT INTO facilities_facility ({', '.join(_COLUMNS)}) VALUES ({', '.join(repeat('?', len(_COLUMNS)))})"  # noqa: S608 -- own columns
    " ON CONFLICT (authority, kind, source_key) DO UPDATE SET "
    + ", ".join(
        f"{name} = " + (_KEPT if name in _KEPT_IF_UNSAID else _TAKEN).format(name=name)
        for name in (*_GIVEN, *_OURS_ONCE)
    )
)
_INSERT_INSPECTION = (
    "INSERT INTO facilities_inspection (id, authority, facility_id, state, assigned_to, done_on, result, note, photos,"
    " source, recorded_by, recorded_at, version, mode)"
    " VALUES (?, ?, ?, 'done', '', ?, ?, '', '[]', 'import', '', ?, 1, ?)"
)


@dataclass(frozen=True, slots=True)
class _Known:
    id: str
    last_on: date | None
    last_result: str
    every_days: int | None
    feed_key: str
    expected_every_s: float | None


def put_facilities(tx: Session, authority: str, rows: Iterable[FacilityRow], now: datetime, mode: Mode) -> Counts:
    """Creates or updates facilities by the thousand. What people and feeds have added since is kept.

    An inspection that is later than the one known becomes the last one, and a row of its own. Within one call the last
    row of a key counts.
    """
    counts = Counts()
    for batch in _batches(rows):
        counts = counts + _put_batch(tx, authority, batch, now, mode)
    if counts.created or counts.updated:
        changes.touch(tx, kind="facility", ref=EVERY, authority=authority, now=now)
    return counts


def _batches(rows: Iterable[FacilityRow]) -> Iterator[list[FacilityRow]]:
    left = iter(rows)
    while batch := list(islice(left, _BATCH)):
        yield list({(row.kind, row.source_key): row for row in batch}.values())


def _put_batch(tx: Session, authority: str, rows: Sequence[FacilityRow], now: datetime, mode: Mode) -> Counts:
    marks = _digests(tx, authority, rows)
    changed: list[tuple[FacilityRow, str]] = []
    created = 0
    for row in rows:
        Kind(row.kind)
        mark, before = _digest(row, mode), marks.get((row.kind, row.source_key))
        if before != mark:
            created += before is None
            changed.append((row, mark))
    known = _known(authority, [row for row, _ in changed if (row.kind, row.source_key) in marks])
    fresh = [(row, *_identified(known.get((row.kind, row.source_key))), mark) for row, mark in changed]
    batch = _Batch(authority, mode, instant(now), config().inspect_every_days)
    tx.executemany(_UPSERT, [_values(batch, *one) for one in fresh])
    tx.executemany(_INSERT_INSPECTION, list(_inspections(batch, fresh)))
    return Counts(created, len(fresh) - created, len(rows) - len(fresh))


@dataclass(frozen=True, slots=True)
class _Batch:
    """What all rows of a batch share."""

    authority: str
    mode: Mode
    stamp: object
    every_days: Mapping[str, int]


def _digest(row: FacilityRow, mode: Mode) -> str:
    said = orjson.dumps((row, mode.value), option=orjson.OPT_SORT_KEYS)
    return hashlib.blake2b(said, digest_size=24).hexdigest()


def _digests(tx: Session, authority: str, rows: Sequence[FacilityRow]) -> dict[tuple[str, str], str]:
    kinds = sorted({row.kind for row in rows})
    marks, kind_marks = (", ".join(repeat("?", len(some))) for some in (rows, kinds))
    found = tx.execute(
        f"SELECT kind, source_key, digest FROM facilities_facility WHERE authority = ? AND kind IN ({kind_marks})"  # noqa: S608 -- placeholders
        f" AND source_key IN ({marks})",
        [authority, *kinds, *(row.source_key for row in rows)],
    )
    return {(kind, key): mark for kind, key, mark in found}


def _identified(before: _Known | None) -> tuple[str, _Known | None]:
    return (before.id if before else new_id()), before


def _known(authority: str, rows: Sequence[FacilityRow]) -> dict[tuple[str, str], _Known]:
    if not rows:
        return {}
    kinds, keys = {row.kind for row in rows}, [row.source_key for row in rows]
    found = Facility.objects.filter(authority_id=authority, kind__in=kinds, source_key__in=keys)
    names = ("pk", "last_inspected_on", "last_inspection_result", "inspect_every_days", "feed_key")
    values = found.values_list("kind", "source_key", *names, "expected_every_s")
    return {(kind, key): _Known(*rest) for kind, key, *rest in values}


def _is_news(row: FacilityRow, before: _Known | None) -> bool:
    """Whether the file tells of an inspection later than the one known."""
    if row.last_inspected_on is None:
        return False
    return before is None or before.last_on is None or row.last_inspected_on > before.last_on


def _values(batch: _Batch, row: FacilityRow, key: str, before: _Known | None, mark: str) -> tuple[object, ...]:
    news = _is_news(row, before)
    last_on = row.last_inspected_on if news or before is None else before.last_on
    result = row.last_inspection_result if news or before is None else before.last_result
    days = next_inspection_days(row.kind, batch.every_days, before.every_days if before else None)
    return (
        key,
        batch.authority,
        row.kind,
        row.source_key[:200],
        row.name[:200],
        row.lon,
        row.lat,
        row.address[:300],
        row.vendor[:100],
        row.model[:100],
        row.agency_name[:200],
        row.agency_phone[:60],
        _day(row.installed_on),
        row.police_link,
        orjson.dumps(dict(row.attributes)).decode(),
        _day(last_on),
        result,
        _day(next_on(last_on, days)),
        row.feed_key or (before.feed_key if before else ""),
        row.expected_every_s or (before.expected_every_s if before else None),
        mark,
        batch.mode.value,
        batch.stamp,
        True,
        *_FRESH.values(),
    )


def next_on(last_on: date | None, days: int) -> date | None:
    """When the next inspection is due; None where none was ever made or none is asked for."""
    return last_on + timedelta(days=days) if last_on is not None and days > 0 else None


def _inspections(
    batch: _Batch, fresh: Iterable[tuple[FacilityRow, str, _Known | None, str]]
) -> Iterator[tuple[object, ...]]:
    for row, key, before, _ in fresh:
        if _is_news(row, before):
            done = _day(row.last_inspected_on)
            yield (new_id(), batch.authority, key, done, row.last_inspection_result, batch.stamp, batch.mode.value)


def _day(value: date | None) -> str | None:
    return None if value is None else value.isoformat()


def instant(value: datetime) -> object:
    """An instant as Django keeps it in this database, for rows written without the ORM."""
    return connection.ops.adapt_datetimefield_value(value)


def facility_for(actor: Actor, facility_id: str, right: Right, *, lock: bool = False) -> Facility:
    """The facility, if the actor may do this to it; another city's is not there."""
    rows = Facility.objects.select_for_update() if lock else Facility.objects
    facility = rows.filter(pk=facility_id).first()
    if facility is None:
        raise NotFoundError(ko="시설물을 찾을 수 없습니다.")
    require(actor, right, Thing(facility.authority_id))
    return facility


def set_service(
    tx: Session, actor: Actor, facility_id: str, *, in_service: bool, reason: str, now: datetime
) -> Facility:
    """Takes a facility out of service (nothing it does counts as an outage) or back into it."""
    facility = facility_for(actor, facility_id, Right.MANAGE_FACILITIES, lock=True)
    if not reason.strip():
        raise BadRequestError("a reason is needed", where="reason", ko="사유를 적으십시오.")
    facility.in_service, facility.service_note = in_service, reason.strip()[:300]
    facility.save(update_fields=["in_service", "service_note"])
    record(tx, actor, facility, "in_service" if in_service else "out_of_service", now, {"reason": reason[:300]})
    return facility


def record(
    tx: Session, actor: Actor, facility: Facility, what: str, now: datetime, body: Mapping[str, Any] | None = None
) -> None:  # Any: JSON values
    """Audits a person's deed on a facility and tells the screens."""
    civic.audit(
        tx,
        authority=facility.authority_id,
        actor=actor.id,
        action=f"facilities.{what}",
        thing=f"facility:{facility.pk}",
        mode=Mode(facility.mode),
        now=now,
        body=body,
        retention="administration",
    )
    changes.touch(tx, kind="facility", ref=facility.pk, authority=facility.authority_id, now=now)
