"""From a file to bells and faults. Pure but for reading the file; everything wrong with a row is a value.

The same number may stand in a file several times: an older edition of the same bell (the later data date counts), a
mere repetition, or another bell of an agency that gave a number twice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from madang.connectors.bell_standard import faults, sheet, values
from madang.connectors.bell_standard.columns import EXPECTED, EXPECTED_KO, Columns, recognise, score
from madang.kernel.geometry import Fault as PointFault
from madang.kernel.geometry import Point, distance_m, judge
from madang.places import tabular
from madang.places.domain import Fault, FileRefusedError, Issue

MOVED_M = 200.0
"""Two editions of one bell this far apart are worth a look."""
_OLDEST = date.min


@dataclass(slots=True)
class Bell:
    """One row: a bell. Position is None where the file's cannot be believed."""

    row_number: int
    source_key: str
    number: str
    name: str
    lon: float | None
    lat: float | None
    address: str
    police_link: str
    installed_on: date | None
    inspected_on: date | None
    result: str
    agency_name: str
    agency_phone: str
    vendor: str
    model: str
    data_date: date | None
    attributes: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Source:
    """A file recognised as a list of bells."""

    columns: Columns
    form: str
    encoding: str
    rows: Callable[[], Iterator[tabular.Row]]


def open_source(path: Path) -> Source:
    """Recognises a file; raises `FileRefusedError` saying what was expected and what was found."""
    head = tabular.first_bytes(path)
    if sheet.is_xlsx(head):
        header, _, rows = sheet.read_sheet(path)
        return Source(recognise(header), "xlsx", "", lambda: rows)
    tabular.refuse_foreign(head, EXPECTED, EXPECTED_KO)
    table = tabular.find_table(path, head, score)
    if table is None:
        first = head[:200].decode(tabular.detect_encoding(head), "replace").splitlines()[:1]
        raise FileRefusedError(
            expected=EXPECTED,
            found=f"no header line in the first {tabular.HEADER_LINES} lines; it begins: {''.join(first)[:80]}",
            hint="The first line must name the columns / 첫 줄에 열 이름이 있어야 합니다",
            ko=f"{EXPECTED_KO}이 아닙니다: 열 이름이 있는 줄을 찾지 못했습니다. 첫 줄: {''.join(first)[:80]}",
        )
    return Source(recognise(table.header), "csv", table.encoding, table.rows)


@dataclass(slots=True)
class Reading:
    """What came of a file: bells by key in the order they stand in it, and every issue."""

    bells: dict[str, Bell] = field(default_factory=dict)
    issues: list[Issue] = field(default_factory=list)
    rows: int = 0
    not_imported: int = 0


def read(source: Source, today: date) -> Reading:
    """Reads a whole file. `today` tells which dates have not come yet."""
    reading = Reading()
    reader = _Reader(source.columns, today, reading)
    for row in source.rows():
        reading.rows += 1
        bell = reader.bell(row)
        if bell is None:
            reading.not_imported += 1
        else:
            reader.keep(bell)
    return reading


_ROW_FAULTS = {
    tabular.BAD_BYTES: faults.BAD_BYTES,
    tabular.BROKEN_QUOTE: faults.BROKEN_QUOTE,
    tabular.UNREADABLE: faults.UNREADABLE,
}


@dataclass(slots=True)
class _Reader:
    columns: Columns
    today: date
    reading: Reading

    def bell(self, row: tabular.Row) -> Bell | None:
        """The bell of a row, or None with the reason among the issues."""
        if not self._fits(row):
            return None
        cells = row.values
        number = self._cell(cells, "number") or self._cell(cells, "register_number")
        if not number:
            self._say(faults.NO_NUMBER, row)
            return None
        lon, lat = self._position(row, self._cell(cells, "lon"), self._cell(cells, "lat"))
        address = self._address(row, cells)
        agency = self._cell(cells, "agency_name")
        owner = self._cell(cells, "agency_code") or values.agency(agency)
        installed = self._day(row, "installed", values.year)
        return Bell(
            row_number=row.number,
            source_key=f"{owner}:{number}"[:180],
            number=number,
            name=self._name(row, cells, address, number),
            lon=lon,
            lat=lat,
            address=address,
            police_link=self._police_link(row, cells),
            installed_on=installed,
            inspected_on=self._inspected(row, installed),
            result=self._result(row, self._cell(cells, "result")),
            agency_name=agency,
            agency_phone=self._cell(cells, "phone"),
            vendor=self._cell(cells, "vendor"),
            model=self._cell(cells, "model"),
            data_date=self._day(row, "data_date", values.day),
            attributes=self._attributes(cells, number),
        )

    def keep(self, bell: Bell) -> None:
        """Takes a bell in, or decides between it and the one that has its number already."""
        bells = self.reading.bells
        first = bells.get(bell.source_key)
        if first is None:
            bells[bell.source_key] = bell
            return
        if _same(first, bell):
            self._note(faults.REPEATED.at(bell.row_number, value=bell.number, other=first.row_number))
            return
        if (first.data_date or _OLDEST) == (bell.data_date or _OLDEST):
            self._share(first, bell)
            return
        older, newer = sorted((first, bell), key=lambda one: one.data_date or _OLDEST)
        bells[bell.source_key] = newer
        said = faults.SUPERSEDED.at(older.row_number, value=bell.number, other=newer.row_number, date=newer.data_date)
        self._note(said)
        self._compare(older, newer)

    def _share(self, first: Bell, bell: Bell) -> None:
        """Two bells with one number: the later gets a key of its own, by its turn in the file."""
        self._note(faults.SHARED_NUMBER.at(bell.row_number, value=bell.number, other=first.row_number))
        turn = 2
        while f"{bell.source_key}#{turn}" in self.reading.bells:
            if _same(self.reading.bells[f"{bell.source_key}#{turn}"], bell):
                return
            turn += 1
        bell.source_key = f"{bell.source_key}#{turn}"
        self.reading.bells[bell.source_key] = bell

    def _compare(self, older: Bell, newer: Bell) -> None:
        if None in (older.lon, older.lat, newer.lon, newer.lat):
            return
        assert older.lon is not None and older.lat is not None and newer.lon is not None and newer.lat is not None
        metres = distance_m(Point(older.lon, older.lat), Point(newer.lon, newer.lat))
        if metres > MOVED_M:
            number = newer.number
            self._note(faults.MOVED.at(newer.row_number, value=number, other=older.row_number, metres=round(metres)))

    def _fits(self, row: tabular.Row) -> bool:
        found, wanted = len(row.values), len(self.columns.header)
        if row.fault:
            self._say(_ROW_FAULTS[row.fault], row)
            if row.fault == tabular.UNREADABLE:
                return False
        if found == wanted:
            return True
        fault = faults.SHORT_ROW if found < wanted else faults.LONG_ROW
        self._note(fault.at(row.number, found=found, wanted=wanted))
        return False

    def _cell(self, cells: list[str], name: str) -> str:
        at = self.columns.index.get(name)
        return cells[at] if at is not None and at < len(cells) else ""

    def _note(self, issue: Issue) -> None:
        self.reading.issues.append(issue)

    def _say(self, fault: Fault, row: tabular.Row, name: str = "", value: str = "") -> None:
        self._note(fault.at(row.number, self.columns.title(name) if name else "", value))

    def _address(self, row: tabular.Row, cells: list[str]) -> str:
        road, lot = self._cell(cells, "road_address"), self._cell(cells, "lot_address")
        name, address = (
            ("road_address", road) if road and not (values.is_coarse(road) and lot) else ("lot_address", lot)
        )
        if not address:
            self._say(faults.NO_ADDRESS, row, "road_address")
        elif values.is_coarse(address):
            self._say(faults.COARSE_ADDRESS, row, name, address)
        return address

    def _name(self, row: tabular.Row, cells: list[str], address: str, number: str) -> str:
        location = self._cell(cells, "location")
        if not values.is_vague(location):
            return location
        if location:
            self._say(faults.VAGUE_LOCATION, row, "location", location)
        return f"{address} ({number})" if address else f"비상벨 {number}"

    def _position(self, row: tabular.Row, lon_text: str, lat_text: str) -> tuple[float | None, float | None]:
        shown = f"{lat_text}, {lon_text}"
        if not lon_text and not lat_text:
            self._say(faults.NO_COORDINATE, row, "lat")
            return None, None
        lon, lat = values.coordinate(lon_text), values.coordinate(lat_text)
        if lon is None or lat is None:
            self._say(faults.BAD_COORDINATE, row, "lat", shown)
            return None, None
        fault = judge(lon, lat)
        if fault is None:
            if min(values.decimals(lon_text), values.decimals(lat_text)) < 4:
                self._say(faults.COARSE_COORDINATE, row, "lat", shown)
            return lon, lat
        kinds = {PointFault.ZERO: faults.ZERO_COORDINATE, PointFault.SWAPPED: faults.SWAPPED_COORDINATE}
        self._say(kinds.get(fault, faults.OUTSIDE_KOREA), row, "lat", shown)
        return None, None

    def _police_link(self, row: tabular.Row, cells: list[str]) -> str:
        text = self._cell(cells, "police_link")
        link = values.yes_no(text)
        if link is None:
            self._say(faults.BAD_LINK, row, "police_link", text)
            return "unknown"
        if link == "yes" and self._cell(cells, "link_method").strip() == "미연계":
            self._say(faults.CONTRADICTING_LINK, row, "link_method")
            return "unknown"
        return link

    def _day(self, row: tabular.Row, name: str, read_day: Callable[[str], date | None]) -> date | None:
        text = self._cell(row.values, name)
        if not text:
            return None
        found = read_day(text)
        if found is None:
            self._say(faults.BAD_DATE, row, name, text)
        elif found > self.today:
            self._say(faults.FUTURE_DATE, row, name, text)
            return None
        return found

    def _inspected(self, row: tabular.Row, installed: date | None) -> date | None:
        found = self._day(row, "inspected", values.day)
        if found is None:
            if "inspected" in self.columns.index and not self._cell(row.values, "inspected"):
                self._say(faults.NEVER_INSPECTED, row, "inspected")
            return None
        if installed is not None and found.year < installed.year:
            self._say(faults.INSPECTED_BEFORE_INSTALLED, row, "inspected", found.isoformat())
        return found

    def _result(self, row: tabular.Row, text: str) -> str:
        found = values.result(text)
        if found is None:
            self._say(faults.BAD_RESULT, row, "result", text)
            return "unknown"
        if found == "fail":
            self._say(faults.FAILED, row, "result", text)
        return found

    def _attributes(self, cells: list[str], number: str) -> dict[str, str]:
        names = ("purpose", "place_type", "link_method", "security_link", "office_link", "extra", "location")
        said = {name: text[:200] for name in names if (text := self._cell(cells, name))}
        return {"number": number[:100], **said}


def _same(a: Bell, b: Bell) -> bool:
    names = [name for name in Bell.__slots__ if name not in ("row_number", "source_key")]
    return all(getattr(a, name) == getattr(b, name) for name in names)


def count_codes(issues: Iterable[Issue]) -> dict[str, int]:
    """How often each kind of fault was found, most frequent first."""
    counts: dict[str, int] = {}
    for issue in issues:
        counts[issue.code] = counts.get(issue.code, 0) + 1
    return dict(sorted(counts.items(), key=lambda item: -item[1]))
