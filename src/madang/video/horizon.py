"""How far each camera sees in each direction before a building stands in the way.

A camera's horizon is one distance for each of `BINS` directions. It depends on where the camera stands and on the
buildings around, not on where it looks: so it is worked out once and kept (`occlusion`), and a question costs one look
into a table. Pure.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from madang.kernel.geometry import metres_per_degree

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


BINS = 120
"""Directions, from north clockwise: 3 degrees each."""
OPEN = 65_535
"""Nothing in the way; other values are decimetres."""
BEHIND_WALL_M = 10.0
"""A place is often meant that lies a little inside the building one looks at: its face is what is seen, metres."""
ON_WALL_M = 1.0
"""A camera this close to a building hangs on it: that building does not hide what is before the wall."""
_BYTES = 2 * BINS

Buildings = Callable[[tuple[float, float, float, float]], Sequence[Any]]  # Any: shapely polygons in degrees


@dataclass(frozen=True, slots=True)
class Stand:
    """Where a camera stands and how far it reaches."""

    camera_id: str
    lon: float
    lat: float
    range_m: float

    @property
    def mark(self) -> str:
        """Changes when the horizon must be worked out anew."""
        return f"{self.lon:.6f},{self.lat:.6f},{self.range_m:.0f}"


def free_m(horizon: bytes, bearing_deg: float) -> float:
    """How far a camera sees at a bearing, metres; infinite without a horizon or with nothing in the way."""
    if not horizon:
        return math.inf
    at = 2 * (int(bearing_deg % 360 / 360 * BINS) % BINS)
    value = int.from_bytes(horizon[at : at + 2], "little")
    return math.inf if value == OPEN else value / 10


def distances(horizon: bytes) -> list[float | None] | None:
    """A horizon as metres for each direction, None where nothing is in the way; None for an empty one."""
    if not horizon:
        return None
    values = memoryview(horizon).cast("H")
    return [None if value == OPEN else value / 10 for value in values]


def is_hidden(horizon: bytes, bearing_deg: float, distance_m: float) -> bool:
    """Whether a building stands between a camera and a place."""
    return distance_m > free_m(horizon, bearing_deg) + BEHIND_WALL_M


def horizon_of(stand: Stand, buildings: Iterable[Any]) -> bytes:  # Any: shapely polygons in degrees
    """The horizon of one camera; empty when nothing stands in its way.

    Each direction is tried at its middle and both edges, and the nearest wall counts.
    """
    import numpy as np

    walls = _walls(stand, buildings)
    if not len(walls):
        return b""
    angles = np.radians((np.arange(3 * BINS) / 3 + 1 / 6) * 360 / BINS)
    nearest = _first_hits(walls, np.sin(angles), np.cos(angles)).reshape(BINS, 3).min(axis=1)
    nearest[nearest > stand.range_m] = np.inf
    if not np.isfinite(nearest).any():
        return b""
    decimetres = np.where(np.isfinite(nearest), np.minimum(nearest * 10, OPEN - 1), OPEN)
    return bytes(decimetres.astype("<u2").tobytes())


def _walls(stand: Stand, buildings: Iterable[Any]) -> NDArray[np.float64]:
    """The walls around a camera as rows of x1, y1, x2, y2, metres from it; not of a building it hangs on."""
    import numpy as np
    import shapely

    east, north = metres_per_degree(stand.lat)
    here = shapely.Point(0, 0)
    rows = []
    for building in buildings:
        flat = shapely.transform(building, lambda xy: (xy - (stand.lon, stand.lat)) * (east, north))
        if shapely.distance(flat, here) < ON_WALL_M:
            continue
        for part in getattr(flat, "geoms", (flat,)):
            ring = shapely.get_coordinates(part.exterior)
            rows.append(np.hstack((ring[:-1], ring[1:])))
    return np.vstack(rows) if rows else np.empty((0, 4))


def _first_hits(
    walls: NDArray[np.float64], sines: NDArray[np.float64], cosines: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Metres to the first wall in each direction; infinite where there is none."""
    import numpy as np

    x1, y1 = walls[:, 0, None], walls[:, 1, None]
    dx, dy = walls[:, 2, None] - x1, walls[:, 3, None] - y1
    cross = sines * dy - cosines * dx
    with np.errstate(divide="ignore", invalid="ignore"):
        away = (x1 * dy - y1 * dx) / cross
        along = (x1 * cosines - y1 * sines) / cross
    hit = (np.abs(cross) > 1e-12) & (away > 0) & (along >= 0) & (along <= 1)
    result: NDArray[np.float64] = np.where(hit, away, np.inf).min(axis=0)
    return result


def work_out(
    stands: Sequence[Stand],
    known: Mapping[str, tuple[str, bytes]],
    buildings: Buildings,
    stopped: Callable[[], bool] = lambda: False,
) -> dict[str, tuple[str, bytes]] | None:
    """Mark and horizon of every camera; `known` ones that still stand where they stood are taken over. None when
    stopped halfway."""
    found: dict[str, tuple[str, bytes]] = {}
    for stand in stands:
        if stopped():
            return None
        before = known.get(stand.camera_id)
        if before is not None and before[0] == stand.mark:
            found[stand.camera_id] = before
            continue
        east, north = metres_per_degree(stand.lat)
        dx, dy = stand.range_m / east, stand.range_m / north
        near = buildings((stand.lon - dx, stand.lat - dy, stand.lon + dx, stand.lat + dy))
        found[stand.camera_id] = (stand.mark, horizon_of(stand, near))
    return found
