"""The addresses and names of one city in a file of their own: written whole at an import, then only read.

A SQLite file beside the civic store, so that a million addresses neither swell it nor hold its writers up. Names are
found by the trigrams of their letters; a gram's postings are one array of name ids, so that memory stays small.
"""

from __future__ import annotations

import math
import re
import sqlite3
import threading
from array import array
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any

from madang.places.hangul import initials, letters

FORMAT = 1
MOST_FOUND = 48
"""Names looked at closely for one question."""
COMMON = 0.25
"""A gram that more than this share of the names has says nothing, unless all do."""


class Kind(IntEnum):
    """What a name is of."""

    STREET = 0
    AREA = 1
    PLACE = 2


@dataclass(frozen=True, slots=True)
class Record:
    """An address as a file gives it: road name address, lot, name of the building. Degrees."""

    province: str
    town: str
    emd: str
    ri: str
    road: str
    basement: int
    main: int
    sub: int
    hill: bool
    lot_main: int
    lot_sub: int
    building: str
    lon: float
    lat: float


@dataclass(frozen=True, slots=True)
class PlaceName:
    """A named place that is no address: a landmark, a park, a shop."""

    label: str
    lon: float
    lat: float


@dataclass(frozen=True, slots=True)
class Name:
    """A name that may be meant. `ref` is the area or place; `text` as it is compared."""

    id: int
    kind: Kind
    town: int
    text: str
    ref: int


@dataclass(frozen=True, slots=True)
class Found:
    """An address as it stands in the file."""

    street: str
    basement: int
    main: int
    sub: int
    area: int
    hill: bool
    lot_main: int
    lot_sub: int
    building: str
    lon: float
    lat: float
    town: int


_BRANCH = re.compile(r"(.+?(?:대로|로|길))(\d+)([^\d]*길)")


def branch_of(road: str) -> tuple[str, str]:
    """A road's name as the road it leaves and the rest: `가야로`, `24번길`; the rest is empty for a road of its own."""
    match = _BRANCH.fullmatch(road)
    return (match[1], match[2] + match[3]) if match else (road, "")


_SPACES = re.compile(r"[\s·.,'\"()\-]+")
_SHORT_FORMS = (
    (re.compile(r"초등학교|초교"), "초"),
    (re.compile(r"고등학교"), "고"),
    (re.compile(r"중학교"), "중"),
    (re.compile(r"대학교"), "대"),
    (re.compile(r"행정복지센터|주민자치센터|동사무소|동주민센터|읍사무소|면사무소"), "주민센터"),
    (re.compile(r"아파트|아파드|apt\.?", re.IGNORECASE), "아파트"),
    (_SPACES, ""),
)


def compared(name: str) -> str:
    """A place's name as it is compared: the short form of what everyone shortens, without spaces."""
    for long, short in _SHORT_FORMS:
        name = long.sub(short, name)
    return name.casefold()


def grams(text: str, kind: Kind) -> set[str]:
    """The trigrams of a name's letters, and of its first letters (marked `!`)."""
    spelled = f"^{letters(text)}$"
    found = {spelled[at : at + 3] for at in range(len(spelled) - 2)}
    return found | (initial_grams(initials(text)) if kind is not Kind.AREA else set())


def first_letters(label: str) -> str:
    """The first letters of a place's whole name, as somebody types them."""
    return initials(_SPACES.sub("", label))


def initial_grams(firsts: str) -> set[str]:
    """The grams by which a name is found from its first letters."""
    spelled = f"^{firsts}$"
    return {f"!{spelled[at : at + 3]}" for at in range(len(spelled) - 2)}


_SCHEMA = """
CREATE TABLE about (key TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
CREATE TABLE town (id INTEGER PRIMARY KEY, province TEXT, name TEXT);
CREATE TABLE span (kind INT, town INT, first INT, last INT, PRIMARY KEY (kind, town)) WITHOUT ROWID;
CREATE TABLE name (id INTEGER PRIMARY KEY, kind INT, town INT, text TEXT, ref INT);
CREATE TABLE gram (kind INT, gram TEXT, ids BLOB, PRIMARY KEY (kind, gram)) WITHOUT ROWID;
CREATE TABLE area (id INTEGER PRIMARY KEY, town INT, emd TEXT, ri TEXT);
CREATE TABLE street (id INTEGER PRIMARY KEY, base INT, branch TEXT, road TEXT, town INT);
CREATE TABLE address (street INT, main INT, sub INT, basement INT, area INT, hill INT, lot_main INT, lot_sub INT,
    building TEXT, lon REAL, lat REAL, cell INT, PRIMARY KEY (street, main, sub, basement, area)) WITHOUT ROWID;
CREATE TABLE lot (area INT, main INT, sub INT, hill INT, lon REAL, lat REAL, street INT, street_main INT,
    street_sub INT, PRIMARY KEY (area, main, sub, hill, street, street_main, street_sub)) WITHOUT ROWID;
CREATE TABLE place (id INTEGER PRIMARY KEY, label TEXT, lon REAL, lat REAL, area INT, address TEXT, cell INT);
"""
_INDEXES = """
CREATE INDEX name_text ON name (kind, text);
CREATE INDEX street_base ON street (base, branch);
CREATE INDEX address_cell ON address (cell);
CREATE INDEX place_cell ON place (cell);
"""


CELL_DEG = 1 / 400
"""Edge of a cell of the spatial index, degrees: about 280 m by 230 m."""
_CELLS_EAST = 100_000


def cell_of(lon: float, lat: float) -> int:
    """The cell a point lies in."""
    return int(lat / CELL_DEG) * _CELLS_EAST + int(lon / CELL_DEG)


class Writer:
    """Writes a gazetteer. Addresses must come sorted by town and road; names are kept in memory until the end."""

    def __init__(self, path: Path) -> None:
        path.unlink(missing_ok=True)
        self._db = sqlite3.connect(path)
        self._db.executescript("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA cache_size=-65536;" + _SCHEMA)
        self._towns: dict[tuple[str, str], int] = {}
        self._areas: dict[tuple[int, str, str], int] = {}
        self._streets: dict[tuple[int, str], int] = {}
        self._bases: dict[tuple[int, str], list[int]] = {}
        self._places: list[tuple[str, float, float, int, str, int]] = []
        self.addresses = 0

    def put(self, records: Iterable[Record]) -> None:
        """Writes addresses. Two of one number keep the first."""
        addresses, lots = [], []
        for one in records:
            town = self._town(one.province, one.town)
            area = self._areas.setdefault((town, one.emd, one.ri), len(self._areas) + 1)
            street = self._street(town, one.road) if one.road else 0
            if street:
                addresses.append(
                    (
                        *(street, one.main, one.sub, one.basement, area, int(one.hill), one.lot_main, one.lot_sub),
                        *(one.building, one.lon, one.lat, cell_of(one.lon, one.lat)),
                    )
                )
            if one.lot_main:
                lots.append(
                    (area, one.lot_main, one.lot_sub, int(one.hill), one.lon, one.lat, street, one.main, one.sub)
                )
            if one.building:
                number = f"{one.main}-{one.sub}" if one.sub else f"{one.main}"
                at = f"{one.road} {number}" if one.road else ""
                self._places.append((one.building, one.lon, one.lat, area, at, town))
        self.addresses += len(addresses)
        self._db.executemany("INSERT OR IGNORE INTO address VALUES (?,?,?,?,?,?,?,?,?,?,?,?)", addresses)
        self._db.executemany("INSERT OR IGNORE INTO lot VALUES (?,?,?,?,?,?,?,?,?)", lots)

    def _town(self, province: str, town: str) -> int:
        """A town's id. A row that names no province means the only town of that name, if there is one."""
        known = self._towns.get((province, town))
        if known is None and not province:
            known = next((at for (_, name), at in self._towns.items() if name == town), None)
        if known is None:
            known = self._towns[province, town] = len(self._towns) + 1
        return known

    def put_places(self, places: Iterable[PlaceName]) -> None:
        """Writes named places; the town is that of the whole city (0)."""
        self._places += [(one.label, one.lon, one.lat, 0, "", 0) for one in places]

    def _street(self, town: int, road: str) -> int:
        known = self._streets.get((town, road))
        if known is None:
            known = self._streets[town, road] = len(self._streets) + 1
            self._bases.setdefault((town, branch_of(road)[0]), []).append(known)
        return known

    def finish(self) -> dict[str, int]:
        """Writes names, grams and indexes; returns how many there are of what."""
        db = self._db
        db.executemany("INSERT INTO town VALUES (?,?,?)", [(at, *town) for town, at in self._towns.items()])
        db.executemany("INSERT INTO area VALUES (?,?,?,?)", [(at, *area) for area, at in self._areas.items()])
        names = self._names()
        for kind in Kind:
            self._write_grams(kind, [(at, text, ref) for at, found, _, text, ref in names if found is kind])
        db.executemany("INSERT INTO name VALUES (?,?,?,?,?)", [(at, int(k), *rest) for at, k, *rest in names])
        db.executescript(_INDEXES)
        db.execute("INSERT INTO about VALUES ('format', ?)", (str(FORMAT),))
        db.commit()
        db.close()
        return {"streets": len(self._streets), "areas": len(self._areas), "places": len(self._places)}

    def _names(self) -> list[tuple[int, Kind, int, str, int]]:
        """Every name with its id; those of one kind and town have ids that follow each other."""
        rows: list[tuple[Kind, int, str, int, list[int]]] = []
        rows += [(Kind.STREET, town, base, 0, streets) for (town, base), streets in self._bases.items()]
        for (town, emd, ri), at in self._areas.items():
            forms = {emd + ri, ri or emd, (ri or emd)[:-1]} if emd else set()
            rows += [(Kind.AREA, town, form, at, []) for form in sorted(forms) if len(form) > 1]
        rows += [(Kind.PLACE, place[5], compared(place[0]), at, []) for at, place in enumerate(self._places, 1)]
        rows.sort(key=lambda row: (row[0], row[1], row[2]))
        self._db.executemany(
            "INSERT INTO place VALUES (?,?,?,?,?,?,?)",
            ((at, *place[:5], cell_of(place[1], place[2])) for at, place in enumerate(self._places, 1)),
        )
        road_of = {at: (town, road) for (town, road), at in self._streets.items()}
        spans: dict[tuple[int, int], tuple[int, int]] = {}
        streets: list[tuple[int, int, str, str, int]] = []
        names: list[tuple[int, Kind, int, str, int]] = []
        for at, (kind, town, text, ref, roads) in enumerate(rows):
            first, _ = spans.setdefault((int(kind), town), (at, at))
            spans[int(kind), town] = (first, at)
            names.append((at, kind, town, text, ref))
            streets += [(road, at, branch_of(road_of[road][1])[1], road_of[road][1], town) for road in roads]
        self._db.executemany("INSERT INTO street VALUES (?,?,?,?,?)", streets)
        self._db.executemany("INSERT INTO span VALUES (?,?,?,?)", [(*key, *span) for key, span in spans.items()])
        return names

    def _write_grams(self, kind: Kind, names: Iterable[tuple[int, str, int]]) -> None:
        postings: dict[str, array[int]] = {}
        for at, text, ref in names:
            found = grams(text, kind)
            if kind is Kind.PLACE:
                found |= initial_grams(first_letters(self._places[ref - 1][0]))
            for gram in found:
                postings.setdefault(gram, array("I")).append(at)
        self._db.executemany(
            "INSERT INTO gram VALUES (?,?,?)",
            ((int(kind), gram, postings[gram].tobytes()) for gram in sorted(postings)),
        )


_BY_NUMBER = """
SELECT s.road, a.basement, a.main, a.sub, a.area, a.hill, a.lot_main, a.lot_sub, a.building, a.lon, a.lat, s.town
FROM street s JOIN address a ON a.street = s.id WHERE s.id = ? AND a.main BETWEEN ? AND ?
ORDER BY abs(a.main - ?), abs(a.sub - ?), a.basement != ? LIMIT ?
"""
_BY_LOT = """
SELECT COALESCE(s.road, ''), 0, l.street_main, l.street_sub, l.area, l.hill, l.main, l.sub, '', l.lon, l.lat, r.town
FROM lot l JOIN area r ON r.id = l.area LEFT JOIN street s ON s.id = l.street
WHERE l.area = ? AND l.main BETWEEN ? AND ? ORDER BY abs(l.main - ?), abs(l.sub - ?), l.hill != ? LIMIT ?
"""


_NEAR = """
SELECT s.road, a.basement, a.main, a.sub, a.area, a.hill, a.lot_main, a.lot_sub, a.building, a.lon, a.lat, s.town
FROM address a JOIN street s ON s.id = a.street WHERE a.cell IN (?,?,?,?,?,?,?,?,?)
"""


def _cells_around(lon: float, lat: float) -> list[int]:
    steps = (-CELL_DEG, 0.0, CELL_DEG)
    return [cell_of(lon + east, lat + north) for north in steps for east in steps]


class Gazetteer:
    """A finished gazetteer, open for reading by any number of threads."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._local = threading.local()
        with closing(self._open()) as db:
            self.towns: dict[int, tuple[str, str]] = {
                at: (province, name) for at, province, name in db.execute("SELECT id, province, name FROM town")
            }
            self._spans: dict[tuple[int, int], tuple[int, int]] = {
                (kind, town): (first, last)
                for kind, town, first, last in db.execute("SELECT kind, town, first, last FROM span")
            }

    def _open(self) -> sqlite3.Connection:
        return sqlite3.connect(f"file:{self._path}?mode=ro&immutable=1", uri=True, check_same_thread=False)

    @property
    def _db(self) -> sqlite3.Connection:
        found = getattr(self._local, "db", None)
        if found is None:
            found = self._local.db = self._open()
            found.execute("PRAGMA cache_size = -4096")
        return found

    def area(self, at: int) -> tuple[str, str]:
        """읍·면·동 and 리 of an area; empty for an unknown one."""
        row = self._db.execute("SELECT emd, ri FROM area WHERE id = ?", (at,)).fetchone()
        return (row[0], row[1]) if row else ("", "")

    def places(self, refs: Iterable[int]) -> dict[int, tuple[str, float, float, int, str]]:
        """Label, position, area and road address of places."""
        wanted = list(refs)
        marks = ",".join("?" * len(wanted))
        rows = self._db.execute(f"SELECT id, label, lon, lat, area, address FROM place WHERE id IN ({marks})", wanted)  # noqa: S608 -- only question marks
        return {row[0]: row[1:] for row in rows}

    def called(self, kind: Kind, text: str) -> list[Name]:
        """The names spelled exactly so."""
        rows = self._db.execute("SELECT id, kind, town, text, ref FROM name WHERE kind = ? AND text = ?", (kind, text))
        return [Name(row[0], Kind(row[1]), *row[2:]) for row in rows.fetchmany(200)]

    def beginning(self, text: str, kind: Kind) -> list[Name]:
        """The names that stand at the beginning of a text, the longest first."""
        starts = [text[:length] for length in range(2, min(len(text), 9) + 1)]
        marks = ",".join("?" * len(starts))
        rows = self._db.execute(
            f"SELECT id, kind, town, text, ref FROM name WHERE kind = ? AND text IN ({marks})"  # noqa: S608 -- only question marks
            " ORDER BY length(text) DESC LIMIT 40",
            (kind, *starts),
        )
        return [Name(row[0], Kind(row[1]), *row[2:]) for row in rows]

    def like(self, kind: Kind, wanted: set[str], towns: frozenset[int], most: int = MOST_FOUND) -> list[Name]:
        """Names that share the most telling grams with `wanted`, in `towns` (all when empty) or of no town."""
        spans = [span for (of, town), span in self._spans.items() if of == kind and self._in(town, towns)]
        if not spans or not wanted:
            return []
        ids = self._most_alike(kind, wanted, spans, most)
        marks = ",".join("?" * len(ids))
        rows = self._db.execute(f"SELECT id, kind, town, text, ref FROM name WHERE id IN ({marks})", ids)  # noqa: S608 -- only question marks
        return [Name(row[0], Kind(row[1]), *row[2:]) for row in rows]

    @staticmethod
    def _in(town: int, towns: frozenset[int]) -> bool:
        return not towns or town in towns or town == 0

    def _most_alike(self, kind: Kind, wanted: set[str], spans: list[tuple[int, int]], most: int) -> list[int]:
        import numpy as np

        low, high = min(span[0] for span in spans), max(span[1] for span in spans) + 1
        marks = ",".join("?" * len(wanted))
        select = f"SELECT ids FROM gram WHERE kind = ? AND gram IN ({marks})"  # noqa: S608 -- only question marks
        rows = self._db.execute(select, (kind, *wanted)).fetchall()
        postings = [np.frombuffer(row[0], dtype=np.uint32) for row in rows]
        total = sum(last - first + 1 for of, (first, last) in self._spans_of(kind))
        telling = [ids for ids in postings if len(ids) <= max(50, COMMON * total)] or postings
        weights: Any = np.zeros(high - low, dtype=np.float32)  # Any: numpy
        for ids in telling:
            part = ids[np.searchsorted(ids, low) : np.searchsorted(ids, high)]
            weights[part - low] += math.log(1 + total / len(ids))
        if len(spans) > 1 and high - low > sum(last - first + 1 for first, last in spans):
            allowed = np.zeros(high - low, dtype=bool)
            for first, last in spans:
                allowed[first - low : last - low + 1] = True
            weights[~allowed] = 0
        count = min(most, len(weights))
        best = np.argpartition(-weights, count - 1)[:count]
        return [int(at) + low for at in best if weights[at] > 0]

    def _spans_of(self, kind: Kind) -> Iterator[tuple[int, tuple[int, int]]]:
        return ((town, span) for (of, town), span in self._spans.items() if of == kind)

    def streets(self, base: int, branch: str | None) -> list[tuple[int, str]]:
        """The streets of a base name: its own (`branch` empty), one branch, or all of them (None)."""
        if branch is None:
            rows = self._db.execute("SELECT id, road FROM street WHERE base = ? LIMIT 60", (base,))
        else:
            rows = self._db.execute("SELECT id, road FROM street WHERE base = ? AND branch = ?", (base, branch))
        return rows.fetchall()

    def road(self, street: int) -> str:
        """A street's whole name; empty for an unknown one."""
        row = self._db.execute("SELECT road FROM street WHERE id = ?", (street,)).fetchone()
        return row[0] if row else ""

    def base_of(self, street: int) -> str:
        """The name of the road a street belongs to."""
        row = self._db.execute(
            "SELECT n.text FROM street s JOIN name n ON n.id = s.base WHERE s.id = ?", (street,)
        ).fetchone()
        return row[0] if row else ""

    def on_street(self, street: int, main: int, sub: int, basement: int, reach: int, most: int) -> list[Found]:
        """The addresses of a street nearest to a number, no further than `reach` from it."""
        rows = self._db.execute(_BY_NUMBER, (street, main - reach, main + reach, main, sub, basement, most))
        return [Found(*row) for row in rows]

    def in_area(self, area: int, main: int, sub: int, hill: bool, reach: int, most: int) -> list[Found]:
        """The lots of an area nearest to a number."""
        rows = self._db.execute(_BY_LOT, (area, main - reach, main + reach, main, sub, int(hill), most))
        return [Found(*row) for row in rows]

    def addresses_near(self, lon: float, lat: float) -> list[Found]:
        """The addresses in the cell of a point and those around it, in no order."""
        rows = self._db.execute(_NEAR, _cells_around(lon, lat))
        return [Found(*row) for row in rows]

    def places_near(self, lon: float, lat: float) -> list[tuple[str, float, float]]:
        """Named places around a point: label, position; in no order."""
        rows = self._db.execute(
            "SELECT label, lon, lat FROM place WHERE cell IN (?,?,?,?,?,?,?,?,?)", _cells_around(lon, lat)
        )
        return rows.fetchall()

    def middle_of_street(self, street: int) -> tuple[float, float] | None:
        """Somewhere in the middle of a street."""
        rows: list[tuple[float, float]]
        rows = self._db.execute("SELECT lon, lat FROM address WHERE street = ? ORDER BY main", (street,)).fetchall()
        return rows[len(rows) // 2] if rows else None

    def middle_of_area(self, area: int) -> tuple[float, float] | None:
        """A lot of an area that has others all around."""
        rows: list[tuple[float, float]]
        rows = self._db.execute("SELECT lon, lat FROM lot WHERE area = ? LIMIT 500", (area,)).fetchall()
        if not rows:
            return None
        rows.sort()
        return rows[len(rows) // 2]
