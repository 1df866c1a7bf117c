"""Where a city's cameras stand and look, held in memory: the nearest ones, those that see a point, those to offer.

One index per city. It is rebuilt in the background when the city's coverage revision changed; until then the old one
answers, so that a call never waits for a rebuild. Health is not part of it: that is read fresh for the few offered.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from madang.kernel.geometry import EARTH_RADIUS_M, Point
from madang.video.horizon import BEHIND_WALL_M, BINS, OPEN, Stand
from madang.video.ranking import CameraView

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

INLINE_REBUILD = 2_000
"""A city with fewer cameras is indexed in milliseconds: its index is rebuilt at once instead of in the background."""
REST = 5.0
"""How many times the length of a rebuild to wait before the next: an import bumps the revision again and again."""
CANDIDATES = 256
_ONE_DEGREE_M = math.radians(1) * EARTH_RADIUS_M
_KINDS = {"fixed": 0, "ptz": 1, "omni": 2, "unknown": 3}


@dataclass(frozen=True, slots=True)
class IndexedCamera:
    """One camera as it is loaded into the index."""

    id: str
    label: str
    site_id: str
    lon: float
    lat: float
    azimuth_deg: float | None
    hfov_deg: float
    range_m: float
    kind: str
    megapixels: float | None
    purpose: str
    ptz: bool
    mode: str
    horizon: bytes = b""

    def view(self) -> CameraView:
        """The camera as ranking sees it, health still unknown."""
        return CameraView(
            id=self.id,
            label=self.label,
            site_id=self.site_id,
            at=Point(self.lon, self.lat),
            azimuth_deg=self.azimuth_deg,
            hfov_deg=self.hfov_deg,
            range_m=self.range_m,
            kind=self.kind,
            megapixels=self.megapixels,
            purpose=self.purpose,
            ptz=self.ptz,
            horizon=self.horizon,
        )


class CameraIndex:
    """Cameras of one city in a k-d tree over local metres. Immutable once built."""

    def __init__(self, cameras: Sequence[IndexedCamera], revision: int = 0) -> None:
        import numpy as np
        from scipy.spatial import cKDTree

        self.revision = revision
        self.cameras = cameras
        self._ids = [camera.id for camera in cameras]
        lat = sum(camera.lat for camera in cameras) / len(cameras) if cameras else 36.0
        self._lon_m = _ONE_DEGREE_M * math.cos(math.radians(lat))
        self._xy = np.array([(c.lon * self._lon_m, c.lat * _ONE_DEGREE_M) for c in cameras], dtype=np.float64)
        self._tree = cKDTree(self._xy.reshape(-1, 2)) if cameras else None
        self._azimuth = _column([camera.azimuth_deg for camera in cameras])
        self._half_view = _column([camera.hfov_deg / 2 for camera in cameras])
        self._range = _column([camera.range_m for camera in cameras])
        self._kind = np.array([_KINDS.get(camera.kind, 3) for camera in cameras], dtype=np.int8)
        self._live = np.array([camera.mode == "live" for camera in cameras], dtype=np.bool_)
        self._walled, self._horizons = _horizons([camera.horizon for camera in cameras])
        self._places = {camera_id: place for place, camera_id in enumerate(self._ids)}
        self._reach = float(self._range.max()) if cameras else 0.0

    def __len__(self) -> int:
        return len(self._ids)

    def nearest(self, lon: float, lat: float, k: int) -> list[tuple[str, float]]:
        """The `k` nearest cameras as (id, metres), nearest first."""
        if self._tree is None:
            return []
        wanted = min(k, len(self._ids))
        distances, places = self._tree.query((lon * self._lon_m, lat * _ONE_DEGREE_M), wanted)
        if wanted == 1:
            return [(self._ids[int(places)], float(distances))]
        ids = self._ids
        return [(ids[place], metres) for place, metres in zip(places.tolist(), distances.tolist(), strict=True)]

    def seeing(self, lon: float, lat: float) -> list[str]:
        """Ids of cameras known to see a point: surveyed sectors and all-round discs that cover it."""
        if self._tree is None:
            return []
        near = self._near(lon, lat, self._reach)
        return [self._ids[place] for place in near[self._sees(near, lon, lat) == 2].tolist()]

    def around(self, lon: float, lat: float, radius_m: float, world: str | None = None) -> list[CameraView]:
        """Cameras within a radius, at most `CANDIDATES`: those that see the point first, then those that may, nearest
        first among equals. `world` is `live`, `not live` or None for both."""
        import numpy as np

        if self._tree is None:
            return []
        near = self._near(lon, lat, radius_m)
        if world is not None:
            near = near[self._live[near] == (world == "live")]
        if len(near) > CANDIDATES:
            order = np.lexsort((self._squared(near, lon, lat), -self._sees(near, lon, lat)))
            near = near[order[:CANDIDATES]]
        return [self.cameras[place].view() for place in near.tolist()]

    def views(self, ids: Iterable[str]) -> list[CameraView]:
        """The cameras of those ids that are known, as ranking sees them."""
        places = (self._places.get(camera_id) for camera_id in ids)
        return [self.cameras[place].view() for place in places if place is not None]

    def mode_of(self, camera_id: str) -> str:
        """The mode a camera was registered with."""
        return self.cameras[self._places[camera_id]].mode

    def _near(self, lon: float, lat: float, radius_m: float) -> NDArray[np.int64]:
        import numpy as np

        assert self._tree is not None
        found = self._tree.query_ball_point((lon * self._lon_m, lat * _ONE_DEGREE_M), radius_m)
        return np.asarray(found, dtype=np.int64)

    def _offsets(self, near: NDArray[np.int64], lon: float, lat: float) -> tuple[Floats, Floats]:
        return lon * self._lon_m - self._xy[near, 0], lat * _ONE_DEGREE_M - self._xy[near, 1]

    def _squared(self, near: NDArray[np.int64], lon: float, lat: float) -> Floats:
        east, north = self._offsets(near, lon, lat)
        return east * east + north * north

    def _sees(self, near: NDArray[np.int64], lon: float, lat: float) -> NDArray[np.int64]:
        """2 sees, 1 not known, 0 does not; as `ranking.sees`, for many cameras at once."""
        import numpy as np

        east, north = self._offsets(near, lon, lat)
        distance = np.hypot(east, north)
        bearing = np.degrees(np.arctan2(east, north))
        off = np.abs((bearing - self._azimuth[near] + 180.0) % 360.0 - 180.0)
        kind = self._kind[near]
        all_round = (kind == _KINDS["omni"]) | (distance < 1.0)
        unknown = np.isnan(self._azimuth[near]) | (kind == _KINDS["ptz"])
        answer = np.where(all_round, 2, np.where(unknown, 1, np.where(off <= self._half_view[near], 2, 0)))
        within = (distance <= self._range[near]) & (distance <= self._free(near, bearing))
        return np.where(within, answer, 0).astype(np.int64)

    def _free(self, near: NDArray[np.int64], bearing: Floats) -> Floats:
        """How far each camera sees at a bearing before a building, with what is seen of its wall."""
        import numpy as np

        row = self._walled[near]
        metres = self._horizons[row, (bearing % 360 / 360 * BINS).astype(np.int64) % BINS]
        return np.where(metres == OPEN, np.inf, metres / 10 + BEHIND_WALL_M)


def _horizons(found: Sequence[bytes]) -> tuple[NDArray[np.int64], NDArray[np.uint16]]:
    """Which row of the table is each camera's horizon, and the table; row 0 is a horizon with nothing in the way."""
    import numpy as np

    rows, raw = np.zeros(len(found), dtype=np.int64), [b"\xff" * (2 * BINS)]
    for place, horizon in enumerate(found):
        if horizon:
            rows[place] = len(raw)
            raw.append(horizon)
    return rows, np.frombuffer(b"".join(raw), dtype="<u2").reshape(len(raw), BINS)


def _column(values: Sequence[float | None]) -> Floats:
    import numpy as np

    return np.array([math.nan if value is None else value for value in values], dtype=np.float64)


Loader = Callable[[str], tuple[int, Sequence[IndexedCamera]]]
"""Reads a city's revision and cameras, consistently."""


class Coverage:
    """The indexes of all cities of this process."""

    def __init__(self, load: Loader, revision_of: Callable[[str], int], is_small: Callable[[str], bool]) -> None:
        self._load = load
        self._revision_of = revision_of
        self._is_small = is_small
        self._indexes: dict[str, CameraIndex] = {}
        self._building: set[str] = set()
        self._rest_until: dict[str, float] = {}
        self._lock = threading.Lock()

    def index(self, authority: str) -> CameraIndex:
        """The city's index: built now if there is none, refreshed in the background if it is old and large."""
        index = self._indexes.get(authority)
        if index is None:
            return self.rebuild(authority)
        if index.revision == self._revision_of(authority):
            return index
        if self._is_small(authority):
            return self.rebuild(authority)
        if time.monotonic() >= self._rest_until.get(authority, 0.0):
            self._rebuild_behind(authority)
        return index

    def refresh(self, authority: str) -> None:
        """Rebuilds the city's index here and now if it is old or missing: for the worker that keeps it."""
        index = self._indexes.get(authority)
        stale = index is None or index.revision != self._revision_of(authority)
        if stale and (index is None or time.monotonic() >= self._rest_until.get(authority, 0.0)):
            self.rebuild(authority)

    def rebuild(self, authority: str) -> CameraIndex:
        """Builds the index now and keeps it."""
        started = time.monotonic()
        revision, cameras = self._load(authority)
        index = CameraIndex(cameras, revision)
        self._indexes[authority] = index
        took = time.monotonic() - started
        self._rest_until[authority] = started + took + REST * took
        return index

    def _rebuild_behind(self, authority: str) -> None:
        with self._lock:
            if authority in self._building:
                return
            self._building.add(authority)
        threading.Thread(target=self._build_then_forget, args=(authority,), name="coverage", daemon=True).start()

    def _build_then_forget(self, authority: str) -> None:
        try:
            self.rebuild(authority)
        finally:
            with self._lock:
                self._building.discard(authority)
            _close_connection()


def _close_connection() -> None:
    from django.db import connections

    connections.close_all()


_SELECT = """
SELECT c.id, c.label, c.site_id, COALESCE(c.lon, s.lon), COALESCE(c.lat, s.lat),
       CASE WHEN c.azimuth_surveyed_on IS NULL THEN NULL ELSE c.azimuth_deg END,
       c.hfov_deg, c.range_m, c.kind, COALESCE(c.pixels_mp, s.pixels_mp), s.purpose, c.ptz, c.mode
FROM video_camera c JOIN video_site s ON s.id = c.site_id
WHERE c.authority = %s AND c.active AND COALESCE(c.lon, s.lon) IS NOT NULL AND COALESCE(c.lat, s.lat) IS NOT NULL
"""


def _load_from_store(authority: str) -> tuple[int, list[IndexedCamera]]:
    from madang.video import occlusion

    revision = _revision_in_store(authority)
    known = occlusion.current(authority)
    if not known:
        return revision, cameras_in_store(authority)
    return revision, [_with_horizon(camera, known.get(camera.id)) for camera in cameras_in_store(authority)]


def _with_horizon(camera: IndexedCamera, known: tuple[str, bytes] | None) -> IndexedCamera:
    """The camera with its horizon, unless it was moved since that was worked out."""
    if known is None or known[0] != Stand(camera.id, camera.lon, camera.lat, camera.range_m).mark:
        return camera
    return replace(camera, horizon=known[1])


def cameras_in_store(authority: str) -> list[IndexedCamera]:
    """The cameras of a city that stand somewhere."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(_SELECT, [authority])
        rows: list[tuple[Any, ...]] = cursor.fetchall()  # Any: column values
    return [IndexedCamera(*row) for row in rows]


def _revision_in_store(authority: str) -> int:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT revision FROM video_coveragerevision WHERE authority = %s", [authority])
        row = cursor.fetchone()
    return int(row[0]) if row else 0


def _is_small_in_store(authority: str) -> bool:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT COUNT(*) FROM (SELECT 1 FROM video_camera WHERE authority = %s LIMIT %s) AS some",
            [authority, INLINE_REBUILD],
        )
        return int(cursor.fetchone()[0]) < INLINE_REBUILD


COVERAGE = Coverage(_load_from_store, _revision_in_store, _is_small_in_store)
"""The indexes of this process over the civic store."""
