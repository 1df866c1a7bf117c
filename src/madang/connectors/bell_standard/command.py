"""Imports a file of safety bells: facilities with their police link and last inspection, and a quality report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from madang.connectors.bell_standard import faults
from madang.connectors.bell_standard.columns import EXPECTED
from madang.connectors.bell_standard.parse import Bell, Reading, Source, count_codes, open_source, read
from madang.facilities.commands import Counts, FacilityRow, put_facilities
from madang.facilities.domain import Kind
from madang.identity.rights import Actor
from madang.journal import civic
from madang.kernel.clock import SEOUL, Clock, system_clock
from madang.kernel.geometry import Point
from madang.kernel.mode import Mode
from madang.places import imports
from madang.places.boundaries import index_of
from madang.places.domain import FileRefusedError, Issue
from madang.places.models import ImportRun

KIND = "bells"
OLD_DAYS = 365


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
    """Imports `path` into a city; the returned run is done or refused. Importing again updates and never doubles."""

    def work(log: imports.ImportLog) -> None:
        _import(log, path, authority, mode)

    return imports.perform(KIND, path, authority, actor, work, progress, run_id=run_id, mode=mode, clock=clock)


def _import(log: imports.ImportLog, path: Path, authority: str, mode: Mode) -> None:
    source = open_source(path)
    today = log.clock().astimezone(SEOUL).date()
    reading = read(source, today)
    if not reading.bells:
        _keep_issues(log, reading.issues)
        raise FileRefusedError(
            expected=EXPECTED,
            found="a header and no row that could be read",
            hint="See the issues of this import / 문제 목록을 보십시오",
            ko="읽을 수 있는 행이 하나도 없습니다. 문제 목록을 보십시오.",
        )
    bells = list(reading.bells.values())
    reading.issues += list(_outside(bells, authority))
    log.expect(len(bells))
    counts = _write(log, authority, mode, bells)
    _keep_issues(log, reading.issues)
    log.finish(_counts(reading, bells, counts), _report(source, reading, bells, today))


def _write(log: imports.ImportLog, authority: str, mode: Mode, bells: Sequence[Bell]) -> Counts:
    counts, size = Counts(), imports.config().chunk_rows
    for start in range(0, len(bells), size):
        chunk = bells[start : start + size]
        with civic.transaction() as tx:
            counts = counts + put_facilities(tx, authority, map(_row, chunk), log.clock(), mode)
            log.chunk(tx, len(chunk), ())
        log.told()
    return counts


def _keep_issues(log: imports.ImportLog, issues: Sequence[Issue]) -> None:
    with civic.transaction() as tx:
        log.chunk(tx, 0, sorted(issues, key=lambda issue: issue.row_number))


def _outside(bells: Sequence[Bell], authority: str) -> Iterator[Issue]:
    """Takes the position from bells that stand well outside the city: the file's is wrong, no better one is known."""
    index = index_of(authority)
    if not len(index):
        return
    tolerance_m = imports.config().outside_tolerance_m
    for bell in bells:
        if bell.lon is not None and bell.lat is not None and index.outside_m(Point(bell.lon, bell.lat)) > tolerance_m:
            yield faults.OUTSIDE_CITY.at(bell.row_number, "위도·경도", f"{bell.lat}, {bell.lon}")
            bell.lon = bell.lat = None


def _row(bell: Bell) -> FacilityRow:
    dated = {"data_date": bell.data_date.isoformat()} if bell.data_date else {}
    return FacilityRow(
        kind=Kind.BELL.value,
        source_key=bell.source_key,
        name=bell.name,
        lon=bell.lon,
        lat=bell.lat,
        address=bell.address,
        vendor=bell.vendor,
        model=bell.model,
        installed_on=bell.installed_on,
        police_link=bell.police_link,
        last_inspected_on=bell.inspected_on,
        last_inspection_result=bell.result,
        attributes={**bell.attributes, **dated},
        agency_name=bell.agency_name,
        agency_phone=bell.agency_phone,
    )


def _counts(reading: Reading, bells: Sequence[Bell], counts: Counts) -> dict[str, int]:
    return {
        "rows": reading.rows,
        "bells": len(bells),
        "not_imported": reading.not_imported,
        "unlocated": sum(bell.lon is None for bell in bells),
        "linked_to_police": sum(bell.police_link == "yes" for bell in bells),
        "failed_inspection": sum(bell.result == "fail" for bell in bells),
        "created": counts.created,
        "updated": counts.updated,
        "unchanged": counts.unchanged,
    }


def _report(source: Source, reading: Reading, bells: Sequence[Bell], today: date) -> dict[str, Any]:  # Any: JSON
    codes = count_codes(reading.issues)
    return {
        "encoding": source.encoding,
        "form": source.form,
        "issues": codes,
        "levels": dict(Counter(issue.level.value for issue in reading.issues)),
        "missing_columns": list(source.columns.missing),
        "unknown_columns": list(source.columns.unknown),
        "police_link": dict(Counter(bell.police_link for bell in bells)),
        "inspection": {
            "never": sum(bell.inspected_on is None for bell in bells),
            "older_than_a_year": sum(_is_old(bell.inspected_on, today) for bell in bells),
            **Counter(bell.result for bell in bells),
        },
        "agencies": dict(Counter(bell.agency_name for bell in bells).most_common(200)),
        "data_dates": dict(Counter(str(bell.data_date or "") for bell in bells).most_common(50)),
    }


def _is_old(day: date | None, today: date) -> bool:
    return day is not None and (today - day).days > OLD_DAYS
