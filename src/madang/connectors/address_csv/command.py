"""Imports a table of addresses: 도로명주소 or 지번주소 with 위도 and 경도."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from madang.journal import civic
from madang.kernel.clock import Clock, system_clock
from madang.kernel.geometry import judge
from madang.kernel.mode import Mode
from madang.places import imports, index, tabular
from madang.places.commands import AddressRow, put_addresses
from madang.places.domain import Fault, FileRefusedError, Issue, Level

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from madang.identity.rights import Actor
    from madang.places.models import ImportRun

KIND = "addresses"
EXPECTED = "a table of addresses (도로명주소 or 지번주소, 위도, 경도)"
EXPECTED_KO = "주소 파일(도로명주소·지번주소, 위도, 경도)"
TITLES = {
    "도로명주소": "road",
    "소재지도로명주소": "road",
    "road_address": "road",
    "지번주소": "lot",
    "소재지지번주소": "lot",
    "lot_address": "lot",
    "주소": "road",
    "address": "road",
    "위도": "lat",
    "wgs84위도": "lat",
    "latitude": "lat",
    "lat": "lat",
    "경도": "lon",
    "wgs84경도": "lon",
    "longitude": "lon",
    "lon": "lon",
    "lng": "lon",
}
MAX_COLUMNS = 12
"""A table with more columns is about something else that happens to have an address."""

BAD_ROW = Fault("bad_row", Level.ERROR, "행을 읽을 수 없습니다.", "The row cannot be read.")
BAD_PLACE = Fault(
    "bad_coordinate", Level.ERROR, "좌표를 믿을 수 없습니다: {value}", "The coordinate cannot be believed: {value}"
)


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
    """Imports `path` into a city; importing again moves addresses and never doubles them."""

    def work(log: imports.ImportLog) -> None:
        _import(log, path, authority)

    return imports.perform(KIND, path, authority, actor, work, progress, run_id=run_id, mode=mode, clock=clock)


def _import(log: imports.ImportLog, path: Path, authority: str) -> None:
    table, columns = _open(path)
    log.expect(imports.count_lines(path))
    rows, done, bad = table.rows(), 0, 0
    while chunk := list(islice(rows, imports.config().chunk_rows)):
        issues: list[Issue] = []
        found = [row for line in chunk for row in _addresses(line, columns, issues)]
        with civic.transaction() as tx:
            log.chunk(tx, len(chunk), issues)
            done += put_addresses(tx, authority, found)
        log.told()
        bad += len(issues)
    log.run.total = log.run.progress
    index.rebuild(authority, log.clock())
    log.finish({"rows": log.run.progress, "addresses": done, "not_imported": bad}, {"encoding": table.encoding})


def _open(path: Path) -> tuple[tabular.Table, dict[str, int]]:
    head = tabular.first_bytes(path)
    tabular.refuse_foreign(head, EXPECTED, EXPECTED_KO)
    table = tabular.find_table(path, head, lambda header: len(_columns(header)))
    columns = _columns(table.header) if table is not None else {}
    if table is None or not {"lat", "lon"} <= columns.keys() or not {"road", "lot"} & columns.keys():
        shown = ", ".join(table.header[:8]) if table is not None else head[:60].decode("utf-8", "replace")
        raise FileRefusedError(
            expected=EXPECTED, found=f"a file beginning: {shown}", ko=f"{EXPECTED_KO}이 아닙니다: {shown}"
        )
    if len(table.header) > MAX_COLUMNS:
        raise FileRefusedError(
            expected=EXPECTED,
            found=f"a table of {len(table.header)} columns",
            ko=f"{EXPECTED_KO}이 아닙니다: 열이 {len(table.header)}개입니다.",
        )
    return table, columns


def _columns(header: Sequence[str]) -> dict[str, int]:
    found: dict[str, int] = {}
    for at, title in enumerate(header):
        name = TITLES.get(title.replace(" ", "").casefold())
        if name is not None:
            found.setdefault(name, at)
    return found


def _addresses(row: tabular.Row, columns: dict[str, int], issues: list[Issue]) -> list[AddressRow]:
    if row.fault or len(row.values) <= max(columns.values()):
        issues.append(BAD_ROW.at(row.number, value=",".join(row.values)))
        return []
    shown = f"{row.values[columns['lat']]}, {row.values[columns['lon']]}"
    try:
        lat, lon = float(row.values[columns["lat"]]), float(row.values[columns["lon"]])
    except ValueError:
        issues.append(BAD_PLACE.at(row.number, "위도·경도", shown))
        return []
    if judge(lon, lat) is not None:
        issues.append(BAD_PLACE.at(row.number, "위도·경도", shown))
        return []
    texts = (row.values[columns[name]] for name in ("road", "lot") if name in columns)
    return [AddressRow(text, lon, lat) for text in texts if text]
