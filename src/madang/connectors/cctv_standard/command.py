"""Imports a CCTV file: sites and cameras for video, facilities, addresses for the search, and a quality report."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from madang.connectors.cctv_standard import faults
from madang.connectors.cctv_standard.columns import EXPECTED
from madang.connectors.cctv_standard.parse import Reader, SiteRecord, open_source
from madang.facilities.commands import FacilityRow, put_facilities
from madang.facilities.domain import Kind
from madang.journal import civic
from madang.kernel.clock import Clock, system_clock
from madang.kernel.geometry import Point
from madang.kernel.mode import Mode
from madang.places import imports
from madang.places.boundaries import DistrictIndex, index_of
from madang.places.commands import AddressRow, put_addresses
from madang.places.domain import FileRefusedError, Issue
from madang.video.commands.sites import Counts, SiteRow, put_sites

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from madang.identity.rights import Actor
    from madang.places.models import ImportRun

KIND = "cctv"


def run(
    path: Path,
    authority: str,
    actor: Actor,
    progress: Callable[[int, int], None] = imports.silent,
    *,
    run_id: str = "",
    mode: Mode = Mode.LIVE,
    clock: Clock = system_clock,
) -> ImportRun:
    """Imports `path` into a city; the returned run is done or refused. Importing again updates and never doubles.

    Written in chunks: after a kill, what was committed stays, and the next import of the file repairs the rest.
    """

    def work(log: imports.ImportLog) -> None:
        _import(log, path, authority, mode)

    return imports.perform(KIND, path, authority, actor, work, progress, run_id=run_id, mode=mode, clock=clock)


def _import(log: imports.ImportLog, path: Path, authority: str, mode: Mode) -> None:
    source = open_source(path, imports.config().max_json_bytes)
    reader = Reader(source.columns)
    index = index_of(authority)
    log.expect(imports.count_lines(path) if source.form == "csv" else 0)
    read = reader.read(source.rows())
    counts = Counts()
    while chunk := list(islice(read, imports.config().chunk_rows)):
        counts = counts + _write(log, authority, mode, chunk, reader, index)
    if not reader.quality.sites:
        raise FileRefusedError(
            expected=EXPECTED,
            found="a header and no row that could be read",
            hint="See the issues of this import / 문제 목록을 보십시오",
            ko="읽을 수 있는 행이 하나도 없습니다. 문제 목록을 보십시오.",
        )
    _tell_far_away(log, reader, index)
    result = {"created": counts.created, "updated": counts.updated, "unchanged": counts.unchanged}
    report = reader.quality.report(source.columns) | {"encoding": source.encoding, "form": source.form}
    log.run.total = log.run.progress
    log.finish(reader.quality.counts() | result, report)


def _write(
    log: imports.ImportLog,
    authority: str,
    mode: Mode,
    chunk: list[tuple[SiteRecord | None, list[Issue]]],
    reader: Reader,
    index: DistrictIndex,
) -> Counts:
    issues = [issue for _, found in chunk for issue in found]
    records = [record for record, _ in chunk if record is not None]
    if len(index):
        issues += _drop_outside(records, index, reader)
    with civic.transaction() as tx:
        counts = put_sites(tx, authority, [_site(record) for record in records], log.clock(), mode)
        put_facilities(tx, authority, map(_facility, records), log.clock(), mode)
        put_addresses(tx, authority, _addresses(records))
        log.chunk(tx, len(chunk), issues)
    log.told()
    return counts


def _drop_outside(records: list[SiteRecord], index: DistrictIndex, reader: Reader) -> Iterator[Issue]:
    """Takes the position from sites that stand well outside the city: the file's is wrong, no better one is known."""
    tolerance_m = imports.config().outside_tolerance_m
    for record in records:
        if record.lon is None or record.lat is None:
            continue
        if index.outside_m(Point(record.lon, record.lat)) > tolerance_m:
            issue = faults.OUTSIDE_CITY.at(record.row_number, "위도·경도", f"{record.lat}, {record.lon}")
            record.lon = record.lat = None
            reader.quality.note(issue)
            reader.quality.unlocated += 1
            yield issue


def _tell_far_away(log: imports.ImportLog, reader: Reader, index: DistrictIndex) -> None:
    """Without boundaries, the sites that stand apart are told at the end, when the rest is known."""
    if len(index):
        return
    away = list(reader.quality.far_away())
    for issue in away:
        reader.quality.note(issue)
    with civic.transaction() as tx:
        log.chunk(tx, 0, away)


def _addresses(records: list[SiteRecord]) -> Iterator[AddressRow]:
    for record in records:
        if record.lon is not None and record.lat is not None:
            for text in (record.road_address, record.lot_address):
                if text:
                    yield AddressRow(text, record.lon, record.lat)


def _facility(record: SiteRecord) -> FacilityRow:
    """A site as a thing in the street: what video tells of its cameras is known there by the same key."""
    return FacilityRow(
        kind=Kind.CCTV.value,
        source_key=record.source_key,
        name=record.name,
        lon=record.lon,
        lat=record.lat,
        address=record.road_address or record.lot_address,
        installed_on=record.installed_on,
        agency_name=record.agency_name,
        agency_phone=record.agency_phone,
        attributes={"purpose": record.purpose, "cameras": record.camera_count},
    )


def _site(record: SiteRecord) -> SiteRow:
    return SiteRow(
        source_key=record.source_key,
        name=record.name,
        road_address=record.road_address,
        lot_address=record.lot_address,
        lon=record.lon,
        lat=record.lat,
        purpose=record.purpose,
        purpose_text=record.purpose_text,
        camera_count=record.camera_count,
        pixels_mp=record.pixels_mp,
        direction_text=record.direction_text,
        retention_days=record.retention_days,
        installed_on=record.installed_on,
        agency_name=record.agency_name,
        agency_phone=record.agency_phone,
        data_date=record.data_date,
    )
