"""From a file to sites and faults, streaming: memory does not grow with the length of a row, only with their number.

Pure but for reading the file. The only exception is `FileRefusedError`; everything wrong with a row is a value.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

import orjson

from madang.connectors.cctv_standard import faults, values
from madang.connectors.cctv_standard.columns import EXPECTED, EXPECTED_KO, Columns, recognise, score
from madang.connectors.cctv_standard.quality import Quality
from madang.kernel.geometry import Fault as PointFault
from madang.kernel.geometry import judge
from madang.places import tabular
from madang.places.domain import FileRefusedError, Issue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import date
    from pathlib import Path

MOST_CAMERAS = 300
"""More at one site is a typing error."""
UNUSUAL_CAMERAS = 30
LONGEST_RETENTION_DAYS = 3_650
ROWS_TRIED = 200
"""Rows looked at before a file is believed to be what its header says."""


@dataclass(slots=True)
class SiteRecord:
    """One row: a site with its cameras. Position is None where the file's cannot be believed."""

    row_number: int
    source_key: str
    name: str
    road_address: str
    lot_address: str
    lon: float | None
    lat: float | None
    purpose: str
    purpose_text: str
    camera_count: int
    pixels_mp: float | None
    direction_text: str
    retention_days: int | None
    installed_on: date | None
    agency_name: str
    agency_phone: str
    data_date: date | None


@dataclass(frozen=True, slots=True)
class Source:
    """A file recognised as a CCTV list: its columns, how it is written, and its rows."""

    columns: Columns
    form: str
    encoding: str
    rows: Callable[[], Iterator[tabular.Row]]


def open_source(path: Path, max_json_bytes: int = 200_000_000) -> Source:
    """Recognises a file; raises `FileRefusedError` saying what was expected and what was found."""
    head = tabular.first_bytes(path)
    tabular.refuse_foreign(head, EXPECTED, EXPECTED_KO)
    if head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"["):
        return _json_source(path, max_json_bytes)
    table = tabular.find_table(path, head, score)
    if table is None:
        shown = head[:200].decode(tabular.detect_encoding(head), "replace").splitlines()[:1]
        raise FileRefusedError(
            expected=EXPECTED,
            found=f"no header line in the first {tabular.HEADER_LINES} lines; it begins: {''.join(shown)[:80]}",
            hint="The first line must name the columns / 첫 줄에 열 이름이 있어야 합니다",
            ko=f"{EXPECTED_KO}이 아닙니다: 열 이름이 있는 줄을 찾지 못했습니다. 첫 줄: {''.join(shown)[:80]}",
        )
    columns = recognise(table.header)
    if not any(_fits(row, columns) for row in islice(table.rows(), ROWS_TRIED)):
        raise FileRefusedError(
            expected=EXPECTED,
            found=f"a header, but no row that fits it among the first {ROWS_TRIED}",
            hint="Open the file and compare the first rows with the header / 첫 행들이 열 이름과 맞는지 확인하십시오",
            ko=f"{EXPECTED_KO}이 아닙니다: 열 이름에 맞는 행이 앞 {ROWS_TRIED}행 안에 없습니다.",
        )
    return Source(columns, "csv", table.encoding, table.rows)


def _fits(row: tabular.Row, columns: Columns) -> bool:
    """Whether a row could belong to this header: its width, and digits where coordinates stand."""
    if len(row.values) < len(columns.header):
        return False
    places = [row.values[columns.index[name]] for name in ("lon", "lat") if name in columns.index]
    return all(text == "" or text.lstrip("+-")[:1].isdigit() for text in places)


def _json_source(path: Path, max_bytes: int) -> Source:
    size = path.stat().st_size
    if size > max_bytes:
        raise FileRefusedError(
            expected=EXPECTED,
            found=f"a JSON file of {size} bytes; at most {max_bytes} are read",
            hint="Ask the portal for CSV / 포털에서 CSV로 받으십시오",
            ko=f"JSON 파일이 너무 큽니다: {size:,} 바이트(최대 {max_bytes:,}). CSV로 받으십시오.",
        )
    try:
        document = orjson.loads(path.read_bytes().removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError as error:
        raise FileRefusedError(
            expected=EXPECTED, found=f"broken JSON: {error}", ko=f"{EXPECTED_KO}이 아닙니다: JSON이 깨져 있습니다."
        ) from None
    items = _items(document)
    header = list(dict.fromkeys(key for item in items if isinstance(item, dict) for key in item))
    return Source(recognise(header), "json", "utf-8", lambda: _json_rows(items, header))


def _items(document: Any) -> list[Any]:  # Any: JSON from outside
    """The rows in a portal reply (`response.body.items[.item]`), a portal download (`records`) or a bare list."""
    inner = document
    for step in ("response", "body", "items", "item", "records", "data"):
        if isinstance(inner, dict) and step in inner:
            inner = inner[step]
    if isinstance(inner, list) and any(isinstance(item, dict) for item in inner):
        return inner
    said = _portal_message(document)
    found = f"JSON with {', '.join(map(str, document))[:80]}" if isinstance(document, dict) else "JSON without rows"
    raise FileRefusedError(
        expected=EXPECTED,
        found=f"{found}{f' saying {said!r}' if said else ''}",
        hint="Ask for the rows again, or for CSV / 다시 받거나 CSV로 받으십시오",
        ko=f"{EXPECTED_KO}이 아닙니다: 행이 없는 JSON입니다. {said}".strip(),
    )


def _portal_message(document: Any) -> str:  # Any: JSON from outside
    """What the portal itself says went wrong: `response.header.resultMsg`."""
    for step in ("response", "header", "resultMsg"):
        document = document.get(step) if isinstance(document, dict) else None
    return document[:120] if isinstance(document, str) else ""


def _json_rows(items: list[Any], header: list[str]) -> Iterator[tabular.Row]:  # Any: JSON from outside
    for number, item in enumerate(items, start=1):
        if isinstance(item, dict):
            yield tabular.Row(number, [_json_text(item.get(key)) for key in header])
        else:
            yield tabular.Row(number, [str(item)[:200]], tabular.UNREADABLE)


def _json_text(value: Any) -> str:  # Any: JSON from outside
    return "" if value is None else tabular.clean(str(value))


@dataclass(slots=True)
class Reader:
    """Turns the rows of one source into records, and remembers what the quality report needs."""

    columns: Columns
    quality: Quality = field(default_factory=Quality)
    _seen: dict[str, int] = field(default_factory=dict)
    _ordinals: dict[str, int] = field(default_factory=dict)

    def read(self, rows: Iterable[tabular.Row]) -> Iterator[tuple[SiteRecord | None, list[Issue]]]:
        """For each row its record (None when it is not imported) and its issues."""
        for row in rows:
            found: list[Issue] = []
            record = self._record(row, found)
            self.quality.count(found, record is not None)
            if record is not None:
                self.quality.take(record.row_number, record.lon, record.lat, record.camera_count, record.purpose_text)
            yield record, found

    def _record(self, row: tabular.Row, found: list[Issue]) -> SiteRecord | None:
        cells = self._cells(row, found)
        if cells is None:
            return None
        index = self.columns.index

        def cell(name: str) -> str:
            at = index.get(name)
            return cells[at] if at is not None else ""

        road, lot = cell("road_address") or cell("address"), cell("lot_address")
        if not (road or lot or cell("lat") or cell("lon")):
            found.append(faults.EMPTY_ROW.at(row.number))
            return None
        agency = cell("agency_name") or cell("provider")
        key = self._key(row.number, cells, cell, agency, road, lot, found)
        if key is None:
            return None
        self.quality.empties(cells)
        self.quality.agency(agency)
        lon, lat = self._position(row.number, cell("lon"), cell("lat"), found)
        said = cell("purpose")
        return SiteRecord(
            row_number=row.number,
            source_key=key,
            name=(road or lot or cell("number"))[:200],
            road_address=road[:300],
            lot_address=lot[:300],
            lon=lon,
            lat=lat,
            purpose=self._purpose(row.number, said, found),
            purpose_text=said[:200],
            camera_count=self._cameras(row.number, cell("cameras"), found),
            pixels_mp=values.megapixels(cell("pixels")),
            direction_text=cell("direction")[:200],
            retention_days=self._retention(row.number, cell("retention"), found),
            installed_on=self._date(row.number, "installed", cell("installed"), found),
            agency_name=agency[:200],
            agency_phone=cell("phone")[:60],
            data_date=self._date(row.number, "data_date", cell("data_date"), found),
        )

    def _cells(self, row: tabular.Row, found: list[Issue]) -> list[str] | None:
        """The row's values in the header's width, mended where that is safe."""
        wanted, got = len(self.columns.header), len(row.values)
        if row.fault == tabular.UNREADABLE:
            found.append(faults.UNREADABLE.at(row.number, value=row.values[0]))
            return None
        if row.fault:
            fault = faults.BAD_BYTES if row.fault == tabular.BAD_BYTES else faults.BROKEN_QUOTE
            found.append(fault.at(row.number, value=next((v for v in row.values if "\ufffd" in v), "")))
        if got == wanted:
            return row.values
        if got < wanted:
            return self._lengthened(row, found)
        if not any(row.values[wanted:]):
            return row.values[:wanted]
        return self._shortened(row, found)

    def _lengthened(self, row: tabular.Row, found: list[Issue]) -> list[str] | None:
        wanted, got = len(self.columns.header), len(row.values)
        cells = row.values + [""] * (wanted - got)
        fault = faults.SHORT_ROW_TAKEN if self._plausible(cells) else faults.SHORT_ROW
        found.append(fault.at(row.number, value=",".join(row.values), found=got, wanted=wanted))
        return cells if fault is faults.SHORT_ROW_TAKEN else None

    def _shortened(self, row: tabular.Row, found: list[Issue]) -> list[str] | None:
        wanted, extra = len(self.columns.header), len(row.values) - len(self.columns.header)
        for name in ("road_address", "lot_address", "address", "direction"):
            at = self.columns.index.get(name)
            if at is None:
                continue
            joined = ",".join(row.values[at : at + extra + 1])
            cells = [*row.values[:at], joined, *row.values[at + extra + 1 :]]
            if self._plausible(cells):
                found.append(faults.LONG_ROW_REPAIRED.at(row.number, self.columns.title(name), joined))
                return cells
        found.append(faults.LONG_ROW.at(row.number, value=",".join(row.values), found=len(row.values), wanted=wanted))
        return None

    def _plausible(self, cells: list[str]) -> bool:
        """Whether the values seem to stand in their own columns: coordinates in Korea, numbers where numbers belong."""
        index = self.columns.index
        if "lat" not in index or "lon" not in index:
            return False
        lon, lat = values.coordinate(cells[index["lon"]]), values.coordinate(cells[index["lat"]])
        if judge(lon, lat) is not None:
            return False
        counted = [cells[index[name]] for name in ("cameras", "retention", "pixels") if name in index]
        return all(text == "" or values.number(text) is not None for text in counted)

    def _key(
        self,
        row_number: int,
        cells: list[str],
        cell: Callable[[str], str],
        agency: str,
        road: str,
        lot: str,
        found: list[Issue],
    ) -> str | None:
        """The key a later file of the same agency finds this row again by; None for a mere repetition.

        The agency's own number where there is one. A running row number (번호) is none: it shifts with every
        edition, so such rows, and those whose number is repeated, go by their address and its ordinal in the file.
        """
        number = cell("number")
        named = values.agency(agency)
        same = self._twin(row_number, cells)
        content = _content(named, road, lot, cell("lon"), cell("lat"))
        if number:
            key = f"{cell('agency_code') or named}:{number}"[:150]
            first = self._seen.setdefault(key, row_number)
            if first == row_number:
                self._note_twin(row_number, same, found)
                return key
            if same is not None and self.quality.number_of(same) == number:
                found.append(faults.REPEATED.at(row_number, self.columns.title("number"), number))
                return None
            content = f"{key}~{content}"
        self._note_twin(row_number, same, found)
        ordinal = self._ordinals.get(content, 0) + 1
        self._ordinals[content] = ordinal
        return f"{content}#{ordinal}"

    def _twin(self, row_number: int, cells: list[str]) -> int | None:
        rest, number = cells.copy(), ""
        for name in ("row_number", "number"):
            at = self.columns.index.get(name)
            if at is not None:
                number, rest[at] = rest[at], ""
        return self.quality.twin_of(rest, row_number, number)

    def _note_twin(self, row_number: int, same: int | None, found: list[Issue]) -> None:
        if same is not None:
            self.quality.identical += 1
            found.append(faults.IDENTICAL.at(row_number, value=str(same)))

    def _position(
        self, row_number: int, lon_text: str, lat_text: str, found: list[Issue]
    ) -> tuple[float | None, float | None]:
        index = self.columns.index
        if "lat" not in index or "lon" not in index:
            return None, None
        column = f"{self.columns.title('lat')}·{self.columns.title('lon')}"
        shown = f"{lat_text}, {lon_text}"
        if not (lon_text or lat_text):
            found.append(faults.NO_COORDINATE.at(row_number, column))
            return None, None
        lon, lat = values.coordinate(lon_text), values.coordinate(lat_text)
        if lon is None or lat is None:
            found.append(faults.BAD_COORDINATE.at(row_number, column, shown))
            return None, None
        fault = judge(lon, lat)
        if fault is None:
            return lon, lat
        kind = {PointFault.ZERO: faults.ZERO_COORDINATE, PointFault.SWAPPED: faults.SWAPPED_COORDINATE}
        found.append(kind.get(fault, faults.OUTSIDE_KOREA).at(row_number, column, shown, candidate=f"{lon}, {lat}"))
        return None, None

    def _purpose(self, row_number: int, text: str, found: list[Issue]) -> str:
        if not text:
            return values.UNKNOWN_PURPOSE
        code = values.purpose(text)
        if code is None:
            found.append(faults.UNKNOWN_PURPOSE.at(row_number, self.columns.title("purpose"), text))
            return values.UNKNOWN_PURPOSE
        return code

    def _cameras(self, row_number: int, text: str, found: list[Issue]) -> int:
        column = self.columns.title("cameras")
        if not text:
            return 1
        count = values.number(text)
        if count is None or count < 0 or count != int(count):
            found.append(faults.BAD_COUNT.at(row_number, column, text))
            return 1
        if count == 0:
            found.append(faults.ZERO_COUNT.at(row_number, column, text))
        elif count > MOST_CAMERAS:
            found.append(faults.ABSURD_COUNT.at(row_number, column, text))
            return 1
        elif count > UNUSUAL_CAMERAS:
            found.append(faults.MANY_CAMERAS.at(row_number, column, text))
        return int(count)

    def _retention(self, row_number: int, text: str, found: list[Issue]) -> int | None:
        days = values.number(text) if text else 0
        if days == 0:
            return None
        if days is None or not 1 <= days <= LONGEST_RETENTION_DAYS:
            found.append(faults.BAD_RETENTION.at(row_number, self.columns.title("retention"), text))
            return None
        return int(days)

    def _date(self, row_number: int, name: str, text: str, found: list[Issue]) -> date | None:
        if not text:
            return None
        day = values.day(text)
        if day is None:
            found.append(faults.BAD_DATE.at(row_number, self.columns.title(name), text))
        return day


def _content(agency: str, road: str, lot: str, lon: str, lat: str) -> str:
    """A digest of who and where: of the address if there is one, so that a corrected coordinate is an update."""
    where = f"{road}\x1f{lot}" if road or lot else f"{lon}\x1f{lat}"
    plain = "".join(where.split())
    return "c:" + hashlib.blake2b(f"{agency}\x1f{plain}".encode("utf-8", "replace"), digest_size=12).hexdigest()
