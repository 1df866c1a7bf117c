"""Road-name addresses as the national files bring them, gathered by key until the search index is built from them.

One file names the addresses, another says where they are, a third gives further lots; they come in any order and again
every month. SQLite beside the civic store; only the import of a city opens it, one at a time.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from madang.places.files import folder
from madang.places.gazetteer import Record

_SCHEMA = """
CREATE TABLE IF NOT EXISTS address (
    road_code TEXT, basement INT, main INT, sub INT,
    province TEXT, town TEXT, emd TEXT, ri TEXT, road TEXT,
    hill INT, lot_main INT, lot_sub INT, building TEXT, lon REAL, lat REAL,
    PRIMARY KEY (road_code, basement, main, sub)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS lot (
    road_code TEXT, basement INT, main INT, sub INT, emd TEXT, ri TEXT, hill INT, lot_main INT, lot_sub INT,
    PRIMARY KEY (road_code, basement, main, sub, emd, ri, hill, lot_main, lot_sub)) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Key:
    """What the national files agree on: road code (시군구 + 도로명번호), 지하여부, number."""

    road_code: str
    basement: int
    main: int
    sub: int


@dataclass(frozen=True, slots=True)
class Named:
    """An address as 도로명주소 한글 and 건물DB name it."""

    key: Key
    province: str
    town: str
    emd: str
    ri: str
    road: str
    hill: bool
    lot_main: int
    lot_sub: int
    building: str


@dataclass(frozen=True, slots=True)
class Entrance:
    """Where an address is, as 위치정보요약DB says."""

    key: Key
    province: str
    town: str
    emd: str
    road: str
    building: str
    lon: float
    lat: float


@dataclass(frozen=True, slots=True)
class FurtherLot:
    """Another lot an address stands on (관련지번)."""

    key: Key
    emd: str
    ri: str
    hill: bool
    lot_main: int
    lot_sub: int


class Staging:
    """The gathered addresses of one city."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def put_named(self, rows: Iterable[Named]) -> None:
        """Names, lots and buildings; positions stay."""
        self._db.executemany(
            "INSERT INTO address VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,NULL,NULL) ON CONFLICT DO UPDATE SET"
            " province = excluded.province, town = excluded.town, emd = excluded.emd, ri = excluded.ri,"
            " road = excluded.road, hill = excluded.hill, lot_main = excluded.lot_main, lot_sub = excluded.lot_sub,"
            " building = CASE excluded.building WHEN '' THEN address.building ELSE excluded.building END",
            (
                (
                    *(*_key(one.key), one.province, one.town, one.emd, one.ri, one.road),
                    *(int(one.hill), one.lot_main, one.lot_sub, one.building),
                )
                for one in rows
            ),
        )

    def put_entrances(self, rows: Iterable[Entrance]) -> None:
        """Positions; names stay where they are known better."""
        self._db.executemany(
            "INSERT INTO address VALUES (?,?,?,?,?,?,?,'',?,0,0,0,?,?,?) ON CONFLICT DO UPDATE SET"
            " lon = excluded.lon, lat = excluded.lat,"
            " building = CASE address.building WHEN '' THEN excluded.building ELSE address.building END",
            (
                (*_key(one.key), one.province, one.town, one.emd, one.road, one.building, one.lon, one.lat)
                for one in rows
            ),
        )

    def put_lots(self, rows: Iterable[FurtherLot]) -> None:
        """Further lots."""
        self._db.executemany(
            "INSERT OR IGNORE INTO lot VALUES (?,?,?,?,?,?,?,?,?)",
            ((*_key(one.key), one.emd, one.ri, int(one.hill), one.lot_main, one.lot_sub) for one in rows),
        )

    def drop(self, keys: Iterable[Key]) -> None:
        """Removes addresses that were abolished (이동사유 63)."""
        gone = [_key(key) for key in keys]
        for table in ("address", "lot"):
            self._db.executemany(
                f"DELETE FROM {table} WHERE road_code = ? AND basement = ? AND main = ? AND sub = ?",  # noqa: S608 -- our own table names
                gone,
            )

    def commit(self) -> None:
        """Makes what was put durable."""
        self._db.commit()

    def counts(self) -> dict[str, int]:
        """How many addresses there are, and how many of them can be placed."""
        every, placed = self._db.execute("SELECT count(*), count(lon) FROM address").fetchone()
        return {"addresses": every, "placed": placed}

    def records(self) -> Iterator[Record]:
        """Every address whose position is known, by town and road, then their further lots."""
        rows = self._db.execute(
            "SELECT province, town, emd, ri, road, basement, main, sub, hill, lot_main, lot_sub, building, lon, lat"
            " FROM address WHERE lon IS NOT NULL ORDER BY province, town, road, main, sub"
        )
        for row in rows:
            yield Record(*row)
        more = self._db.execute(
            "SELECT a.province, a.town, l.emd, l.ri, a.road, a.basement, a.main, a.sub, l.hill, l.lot_main, l.lot_sub,"
            " '', a.lon, a.lat FROM lot l JOIN address a USING (road_code, basement, main, sub)"
            " WHERE a.lon IS NOT NULL"
        )
        for row in more:
            yield Record(*row)


def _key(key: Key) -> tuple[str, int, int, int]:
    return key.road_code, key.basement, key.main, key.sub


def path_of(authority: str) -> Path:
    """Where a city's addresses are gathered."""
    return folder(authority) / "staging.sqlite3"


@contextmanager
def at(path: Path) -> Iterator[Staging]:
    """Gathered addresses in a file; made if need be."""
    with closing(sqlite3.connect(path)) as db:
        db.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-65536;" + _SCHEMA)
        yield Staging(db)
        db.commit()


@contextmanager
def opened(authority: str) -> Iterator[Staging]:
    """The gathered addresses of a city, for one import at a time."""
    with at(path_of(authority)) as gathered:
        yield gathered
