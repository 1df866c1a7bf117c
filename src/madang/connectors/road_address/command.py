"""Imports national road-name address files into a city and builds its search index anew."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

from madang.connectors.road_address.layouts import Layout, recognise
from madang.connectors.road_address.parse import (
    BAD_BYTES,
    BAD_COLUMNS,
    BAD_PLACE,
    Gone,
    Parsed,
    Spot,
    Unplaced,
    parse,
    placed,
)
from madang.connectors.road_address.source import Line, Member, Source, refusal
from madang.journal import civic
from madang.kernel.clock import Clock, system_clock
from madang.kernel.geometry import metres_per_degree
from madang.kernel.mode import Mode
from madang.places import imports, index, staging
from madang.places.boundaries import index_of
from madang.places.domain import Issue, Level
from madang.places.staging import Entrance, FurtherLot, Named, Staging

if TYPE_CHECKING:
    from pathlib import Path

    from madang.identity.rights import Actor
    from madang.places.models import ImportRun

KIND = "road_address"
NO_DATA = "No Data"
"""What a change file says on a day without changes."""
MISPLACED = 0.5
"""Share of rows with an impossible coordinate from which the whole file is taken to be in another system."""


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
    """Imports `path` (one text, or a ZIP of several) into a city. Names and positions come in separate files, in any
    order; importing again updates and never doubles."""

    def work(log: imports.ImportLog) -> None:
        _import(log, path, authority)

    return imports.perform(KIND, path, authority, actor, work, progress, run_id=run_id, mode=mode, clock=clock)


@dataclass(slots=True)
class _Tally:
    """What came of the rows so far."""

    counts: Counter[str] = field(default_factory=Counter)
    layouts: list[str] = field(default_factory=list)
    faults: Counter[str] = field(default_factory=Counter)


def _import(log: imports.ImportLog, path: Path, authority: str) -> None:
    source = Source(path, imports.config().max_unpacked_bytes)
    log.expect(source.size // 120)
    tally = _Tally()
    inside = _fence(authority)
    with staging.opened(authority) as gathered:
        for member, lines in source.members():
            _member(log, gathered, member, lines, tally, inside)
        known = gathered.counts()
    if not tally.counts["taken"]:
        raise refusal("no row that could be read", "읽을 수 있는 행이 하나도 없습니다. 문제 목록을 보십시오.")
    log.run.total = log.run.progress
    built = index.rebuild(authority, log.clock(), lambda _: log.alive(log.run.progress, log.run.total))
    bad = {"not_imported": tally.counts["not_imported"]}
    counts = {"rows": log.run.progress, **{k: v for k, v in tally.counts.items() if k != "taken"}, **bad}
    log.finish(
        counts | {"addresses_known": known["addresses"], "addresses_placed": known["placed"]} | built,
        {"layouts": tally.layouts, "crs": imports.config().address_crs},
    )


def _fence(authority: str) -> Callable[[Entrance], bool]:
    """Whether an address belongs to the city: the national files hold whole provinces."""
    districts = index_of(authority)
    if not len(districts):
        return lambda _: True
    west, south, east, north = districts.box
    lon_m, lat_m = metres_per_degree((south + north) / 2)
    slack = imports.config().outside_tolerance_m
    west, east = west - slack / lon_m, east + slack / lon_m
    south, north = south - slack / lat_m, north + slack / lat_m
    return lambda one: west <= one.lon <= east and south <= one.lat <= north


def _member(
    log: imports.ImportLog,
    gathered: Staging,
    member: Member,
    lines: Iterator[Line],
    tally: _Tally,
    inside: Callable[[Entrance], bool],
) -> None:
    first = next(lines, None)
    if first is None or (first.text or "").strip() == NO_DATA:
        return
    known = recognise((first.text or "").split("|"))
    if known is None:
        shown = (first.text or "no text")[:80]
        columns = (first.text or "").count("|") + 1
        raise refusal(
            f"{member.name}, whose first row has {columns} columns: {shown}",
            f"{member.name}의 첫 행이 {columns}열입니다: {shown}",
            "Known are 24 (도로명주소 한글), 14 (관련지번), 18 (위치정보요약DB) and 31 columns (건물DB)",
        )
    layout, places, is_header = known
    tally.layouts.append(f"{member.name}: {layout.title}, {member.encoding}")
    rows = lines if is_header else _chain(first, lines)
    while chunk := list(islice(rows, imports.config().chunk_rows)):
        _chunk(log, gathered, layout, places, chunk, tally, inside)


def _chain(first: Line, rest: Iterator[Line]) -> Iterator[Line]:
    yield first
    yield from rest


def _chunk(
    log: imports.ImportLog,
    gathered: Staging,
    layout: Layout,
    places: dict[str, int],
    chunk: list[Line],
    tally: _Tally,
    inside: Callable[[Entrance], bool],
) -> None:
    issues: list[Issue] = []
    crs = imports.config().address_crs
    parsed = [one for line in chunk if (one := _row(line, layout, places, issues, crs)) is not None]
    entrances = placed([one for one in parsed if isinstance(one, Spot)], issues, crs)
    _refuse_other_system(len(entrances), issues, crs)
    _write(gathered, parsed, entrances, tally, inside)
    gathered.commit()
    tally.counts["taken"] += len(parsed)
    tally.counts["not_imported"] += sum(issue.level is Level.ERROR for issue in issues)
    with civic.transaction() as tx:
        log.chunk(tx, len(chunk), issues)
    log.told()


def _row(line: Line, layout: Layout, places: dict[str, int], issues: list[Issue], crs: str) -> Parsed | None:
    if line.text is None:
        issues.append(BAD_BYTES.at(line.number))
        return None
    if not line.text.strip() or line.text.strip() == NO_DATA:
        return None
    values = line.text.split("|")
    if not len(layout.columns) <= len(values) <= len(layout.columns) + layout.more_columns and (
        len(values) <= max(places.values()) or len(values) > len(layout.columns) + 2
    ):
        issues.append(BAD_COLUMNS.at(line.number, str(len(layout.columns)), str(len(values))))
        return None
    return parse(line.number, values, layout, places, issues, crs)


def _refuse_other_system(right: int, issues: list[Issue], crs: str) -> None:
    """A file in another reference system has its every row wrong: nothing of it may be guessed."""
    wrong = [issue for issue in issues if issue.code == BAD_PLACE.code]
    if len(wrong) > 20 and len(wrong) > MISPLACED * (len(wrong) + right):
        raise refusal(
            f"coordinates that are not in {crs}, e.g. {wrong[0].value}",
            f"좌표가 {crs}가 아닙니다(예: {wrong[0].value}).",
            "State the system they are in as places.address_crs (EPSG:5174 and 5186 are often mixed up with 5179)"
            " / 5174·5186 등 다른 좌표계라면 places.address_crs에 적으십시오",
        )


def _write(
    gathered: Staging,
    parsed: list[Parsed],
    entrances: list[Entrance],
    tally: _Tally,
    inside: Callable[[Entrance], bool],
) -> None:
    named = [one for one in parsed if isinstance(one, Named)]
    here = [one for one in entrances if inside(one)]
    lots = [one for one in parsed if isinstance(one, FurtherLot)]
    gone = [one.key for one in parsed if isinstance(one, Gone)]
    gathered.put_named(named)
    gathered.put_entrances(here)
    gathered.put_lots(lots)
    gathered.drop(gone)
    unplaced = sum(isinstance(one, Unplaced) for one in parsed)
    found = {"names": len(named), "entrances": len(here), "lots": len(lots), "abolished": len(gone)}
    tally.counts.update(
        {name: count for name, count in found.items() if count}
        | {"outside": len(entrances) - len(here), "without_position": unplaced}
    )
