"""What lies on the ground of a city, in a file of its own: roads, buildings, water, parks, named places.

Written whole at an import, then only read. Search index, reverse geocoding, camera occlusion and map tiles read it.
"""

from __future__ import annotations

import math
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from madang.kernel.geometry import Point, metres_per_degree
from madang.places import files
from madang.places.files import Part
from madang.places.models import BaseKind

Box = tuple[float, float, float, float]
"""West, south, east, north; degrees."""
CITIES_KEPT = 40
_SCHEMA = """
CREATE TABLE feature (id INTEGER PRIMARY KEY, kind TEXT, class TEXT, name TEXT, name_en TEXT, rank INT, height REAL,
    shape BLOB);
CREATE VIRTUAL TABLE box USING rtree (id, west, east, south, north, +kind TEXT, +rank INT);
"""
_IN_BOX = """
SELECT f.kind, f.class, f.name, f.name_en, f.rank, f.height, f.shape FROM box b JOIN feature f ON f.id = b.id
WHERE b.east >= ? AND b.west <= ? AND b.north >= ? AND b.south <= ? AND b.rank <= ?
"""


@dataclass(frozen=True, slots=True)
class MapFeature:
    """One thing on the ground. `rank` 0 is seen from afar, 9 only close by; `height_m` 0 where it is not known."""

    kind: BaseKind
    cls: str
    name: str
    name_en: str
    rank: int
    height_m: float
    shape: Any  # Any: a shapely geometry in degrees


@dataclass(frozen=True, slots=True)
class NearRoad:
    """A named road near a point: how far its middle is, and on which side of it the point lies (bearing from road)."""

    name: str
    distance_m: float
    side_deg: float


@dataclass(frozen=True, slots=True)
class NearPlace:
    """A named place near a point. `distance_m` 0 when the point is in it; `bearing_deg` looks from it to the point."""

    name: str
    rank: int
    distance_m: float
    bearing_deg: float


class GroundWriter:
    """Writes a ground file."""

    def __init__(self, path: Path) -> None:
        path.unlink(missing_ok=True)
        self._db = sqlite3.connect(path)
        self._db.executescript("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA cache_size=-65536;" + _SCHEMA)
        self.counts: dict[str, int] = {}
        self._last = 0

    def put(self, features: Iterable[MapFeature]) -> None:
        """Writes features."""
        import shapely

        rows, boxes = [], []
        for one in features:
            self._last += 1
            west, south, east, north = one.shape.bounds
            blob = shapely.to_wkb(one.shape)
            rows.append((self._last, one.kind.value, one.cls, one.name, one.name_en, one.rank, one.height_m, blob))
            boxes.append((self._last, west, east, south, north, one.kind.value, one.rank))
            self.counts[one.kind.value] = self.counts.get(one.kind.value, 0) + 1
        self._db.executemany("INSERT INTO feature VALUES (?,?,?,?,?,?,?,?)", rows)
        self._db.executemany("INSERT INTO box VALUES (?,?,?,?,?,?,?)", boxes)

    def finish(self) -> dict[str, int]:
        """Closes the file; returns how many features there are of each kind."""
        self._db.execute("CREATE INDEX feature_named ON feature (kind) WHERE name != ''")
        self._db.commit()
        self._db.close()
        return self.counts


class Ground:
    """A finished ground file, open for reading by any number of threads."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._local = threading.local()
        with closing(self._open()) as db:
            row = db.execute("SELECT min(west), min(south), max(east), max(north), count(*) FROM box").fetchone()
        self.box: Box = (row[0] or 0.0, row[1] or 0.0, row[2] or 0.0, row[3] or 0.0)
        self.features = int(row[4])

    def _open(self) -> sqlite3.Connection:
        return sqlite3.connect(f"file:{self._path}?mode=ro&immutable=1", uri=True, check_same_thread=False)

    @property
    def _db(self) -> sqlite3.Connection:
        found = getattr(self._local, "db", None)
        if found is None:
            found = self._local.db = self._open()
        return found

    def in_box(self, box: Box, kinds: Sequence[BaseKind], most_rank: int = 9) -> Iterator[MapFeature]:
        """The features of some kinds whose boxes touch a box."""
        import shapely

        marks = ",".join("?" * len(kinds))
        select = f"{_IN_BOX} AND b.kind IN ({marks})"
        corners = (box[0], box[2], box[1], box[3])
        rows = self._db.execute(select, (*corners, most_rank, *(kind.value for kind in kinds)))
        for kind, cls, name, name_en, rank, height, blob in rows:
            yield MapFeature(BaseKind(kind), cls, name, name_en, rank, height, shapely.from_wkb(blob))

    def boxes(self) -> Iterator[tuple[Box, str, int]]:
        """The box, kind and rank of every feature."""
        for west, south, east, north, kind, rank in self._db.execute(
            "SELECT west, south, east, north, kind, rank FROM box"
        ):
            yield (west, south, east, north), kind, rank

    def named_places(self) -> Iterator[tuple[str, float, float]]:
        """Name and middle of everything named that is no road."""
        rows = self._db.execute(
            "SELECT f.name, (b.west + b.east) / 2, (b.south + b.north) / 2 FROM feature f JOIN box b ON b.id = f.id"
            " WHERE f.name != '' AND f.kind != 'road' AND f.class != 'district'"
        )
        yield from rows

    def roads_near(self, at: Point, within_m: float) -> list[NearRoad]:
        """Named roads, nearest first, each once."""
        found: dict[str, NearRoad] = {}
        for feature in self.in_box(around(at, within_m), (BaseKind.ROAD,)):
            if feature.name and feature.cls != "rail":
                east, north = _to_nearest(feature.shape, at)
                metres = math.hypot(east, north)
                known = found.get(feature.name)
                if metres <= within_m and (known is None or metres < known.distance_m):
                    found[feature.name] = NearRoad(feature.name, metres, _bearing(-east, -north))
        return sorted(found.values(), key=lambda road: road.distance_m)

    def places_near(self, at: Point, within_m: float) -> list[NearPlace]:
        """Named places and buildings, nearest first, each once."""
        found: dict[str, NearPlace] = {}
        kinds = (BaseKind.BUILDING, BaseKind.PARK, BaseKind.WATER, BaseKind.LABEL)
        for feature in self.in_box(around(at, within_m), kinds):
            if not feature.name or feature.cls == "district":
                continue
            east, north = _to_nearest(feature.shape, at)
            metres = math.hypot(east, north)
            known = found.get(feature.name)
            if metres <= within_m and (known is None or metres < known.distance_m):
                found[feature.name] = NearPlace(feature.name, feature.rank, metres, _bearing(-east, -north))
        return sorted(found.values(), key=lambda place: place.distance_m)


def around(at: Point, metres: float) -> Box:
    """The box that reaches `metres` in each direction."""
    east, north = metres_per_degree(at.lat)
    return at.lon - metres / east, at.lat - metres / north, at.lon + metres / east, at.lat + metres / north


def _to_nearest(shape: Any, at: Point) -> tuple[float, float]:  # Any: shapely
    """Metres east and north from a point to the nearest place of a shape; zeros inside it."""
    import shapely

    east_m, north_m = metres_per_degree(at.lat)
    flat = shapely.transform(shape, lambda xy: (xy - (at.lon, at.lat)) * (east_m, north_m))
    here = shapely.Point(0, 0)
    if flat.geom_type.endswith("Polygon") and flat.covers(here):
        return 0.0, 0.0
    (_, _), (east, north) = shapely.shortest_line(here, flat).coords
    return float(east), float(north)


def _bearing(east: float, north: float) -> float:
    return math.degrees(math.atan2(east, north)) % 360


_grounds: dict[str, tuple[str, Ground]] = {}
_lock = threading.Lock()


def ground_of(authority: str) -> Ground | None:
    """The ground of a city as it is now; None where none was imported."""
    published = files.current(authority, Part.GROUND)
    if published is None:
        return None
    known = _grounds.get(authority)
    if known is not None and known[0] == published.token:
        return known[1]
    try:
        fresh = Ground(published.path)
    except sqlite3.OperationalError:
        return None
    with _lock:
        _grounds[authority] = (published.token, fresh)
        for surplus in list(_grounds)[:-CITIES_KEPT]:
            del _grounds[surplus]
    return fresh


def buildings_near(authority: str, box: Box) -> list[Any]:  # Any: shapely polygons
    """The footprints of buildings that touch a box, in degrees; empty where no ground was imported."""
    ground = ground_of(authority)
    return [] if ground is None else [one.shape for one in ground.in_box(box, (BaseKind.BUILDING,))]
