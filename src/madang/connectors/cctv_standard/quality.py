"""What a city learns about its own file: counts, duplicates, empty columns, spellings. Pure."""

from __future__ import annotations

import statistics
from array import array
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from madang.connectors.cctv_standard import faults, values
from madang.kernel.geometry import Point, distance_m

if TYPE_CHECKING:
    from collections.abc import Iterator

    from madang.connectors.cctv_standard.columns import Columns
    from madang.places.domain import Issue

FAR_M = 40_000.0
FAR_TIMES = 6.0
"""A site is far away when both `FAR_M` and `FAR_TIMES` the median distance lie between it and the median place."""


@dataclass(slots=True)
class Quality:
    """Counts that grow row by row; `report` tells them."""

    rows: int = 0
    sites: int = 0
    cameras: int = 0
    identical: int = 0
    shared_coordinates: int = 0
    unlocated: int = 0
    by_code: Counter[str] = field(default_factory=Counter)
    by_level: Counter[str] = field(default_factory=Counter)
    purposes: Counter[str] = field(default_factory=Counter)
    agencies: Counter[str] = field(default_factory=Counter)
    _empty: list[int] = field(default_factory=list)
    _twins: dict[int, int] = field(default_factory=dict)
    _numbers: dict[int, str] = field(default_factory=dict)
    _places: set[tuple[float, float]] = field(default_factory=set)
    _lon: array[float] = field(default_factory=lambda: array("d"))
    _lat: array[float] = field(default_factory=lambda: array("d"))
    _at_row: array[int] = field(default_factory=lambda: array("q"))

    def count(self, issues: list[Issue], taken: bool) -> None:
        """One more row of the file, with its issues."""
        self.rows += 1
        self.sites += taken
        for issue in issues:
            self.note(issue)

    def note(self, issue: Issue) -> None:
        """One more issue, of a row already counted."""
        self.by_code[issue.code] += 1
        self.by_level[issue.level.value] += 1

    def take(self, row_number: int, lon: float | None, lat: float | None, cameras: int, purpose: str) -> None:
        """One more site."""
        self.cameras += cameras
        self.purposes[purpose] += 1
        if lon is None or lat is None:
            self.unlocated += 1
            return
        if (lon, lat) in self._places:
            self.shared_coordinates += 1
        else:
            self._places.add((lon, lat))
        self._lon.append(lon)
        self._lat.append(lat)
        self._at_row.append(row_number)

    def twin_of(self, rest: list[str], row_number: int, number: str) -> int | None:
        """The earlier row that is the same but for its number, or None. Remembers this one."""
        digest = hash(tuple(rest))
        first = self._twins.setdefault(digest, row_number)
        if first != row_number:
            return first
        if number:
            self._numbers[row_number] = number
        return None

    def number_of(self, row_number: int) -> str:
        """The number a remembered row carries."""
        return self._numbers.get(row_number, "")

    def empties(self, cells: list[str]) -> None:
        """Counts the empty fields of a row, per column."""
        if len(self._empty) != len(cells):
            self._empty = [0] * len(cells)
        if "" in cells:
            for at, value in enumerate(cells):
                if not value:
                    self._empty[at] += 1

    def agency(self, name: str) -> None:
        """One more row of this agency, as spelled."""
        if name:
            self.agencies[name] += 1

    def far_away(self) -> Iterator[Issue]:
        """The sites that stand apart from all others; a nationwide or island file has a wide median and few of them."""
        if len(self._lon) < 20:
            return
        centre = Point(statistics.median(self._lon), statistics.median(self._lat))
        away = [distance_m(centre, Point(lon, lat)) for lon, lat in zip(self._lon, self._lat, strict=True)]
        limit = max(FAR_M, FAR_TIMES * statistics.median(away))
        for at, metres in enumerate(away):
            if metres > limit:
                shown = f"{self._lat[at]}, {self._lon[at]}"
                yield faults.FAR_AWAY.at(self._at_row[at], "위도·경도", shown, km=round(metres / 1000))

    def spellings(self) -> list[list[str]]:
        """Agencies written in more than one way."""
        groups: dict[str, list[str]] = {}
        for name in self.agencies:
            groups.setdefault(values.agency(name), []).append(name)
        return [sorted(names) for names in groups.values() if len(names) > 1]

    def counts(self) -> dict[str, int]:
        """The numbers shown first."""
        return {
            "rows": self.rows,
            "sites": self.sites,
            "cameras": self.cameras,
            "not_imported": self.rows - self.sites,
            "identical_rows": self.identical,
            "shared_coordinates": self.shared_coordinates,
            "unlocated": self.unlocated,
            "coordinate_faults": sum(self.by_code[fault.code] for fault in COORDINATE_FAULTS),
        }

    def report(self, columns: Columns) -> dict[str, Any]:  # Any: JSON
        """Everything but the single issues."""
        return {
            "counts": self.counts(),
            "issues": dict(self.by_code.most_common()),
            "levels": dict(self.by_level),
            "missing_columns": list(columns.missing),
            "unknown_columns": list(columns.unknown),
            "empty_fields": {title: n for title, n in zip(columns.header, self._empty, strict=False) if n},
            "purposes": dict(self.purposes.most_common(50)),
            "unknown_purposes": {
                text: n for text, n in self.purposes.most_common() if text and values.purpose(text) is None
            },
            "agencies": dict(self.agencies.most_common(200)),
            "agency_spellings": self.spellings(),
        }


COORDINATE_FAULTS = (
    faults.BAD_COORDINATE,
    faults.ZERO_COORDINATE,
    faults.SWAPPED_COORDINATE,
    faults.OUTSIDE_KOREA,
    faults.OUTSIDE_CITY,
    faults.FAR_AWAY,
)
