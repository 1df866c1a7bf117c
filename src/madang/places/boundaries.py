"""Which district a point lies in, and whether it lies in the city at all.

The index is built from the stored boundaries at the first question and again when their revision changed.
"""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from madang.kernel.geometry import Point, metres_per_degree
from madang.places.layers import Layer, revisions
from madang.places.models import Boundary

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class District:
    """An administrative area a point lies in."""

    code: str
    level: str
    name_ko: str
    name_en: str


class DistrictIndex:
    """The boundaries of one city at one revision, in an STR-tree."""

    def __init__(self, revision: int, rows: Sequence[tuple[str, str, str, str, str]]) -> None:
        """`rows` hold code, level, Korean and English name, and GeoJSON geometry."""
        import shapely

        self.revision = revision
        self._districts = [District(*row[:4]) for row in rows]
        self.names = frozenset(district.name_ko for district in self._districts)
        self._shapes: Any = shapely.from_geojson([row[4] for row in rows])  # Any: shapely has no types
        self._tree: Any = shapely.STRtree(self._shapes)
        self._point: Any = shapely.Point

    def __len__(self) -> int:
        return len(self._districts)

    @property
    def box(self) -> tuple[float, float, float, float]:
        """West, south, east and north of all districts; only where there are some."""
        import shapely

        west, south, east, north = (float(edge) for edge in shapely.total_bounds(self._shapes))
        return west, south, east, north

    def district_of(self, point: Point) -> District | None:
        """The smallest district that covers the point; None outside all of them."""
        found = self._tree.query(self._point(point.lon, point.lat), predicate="intersects")
        if not len(found):
            return None
        return self._districts[int(min(found, key=lambda at: self._shapes[at].area))]

    def outside_m(self, point: Point) -> float:
        """Metres to the nearest district; 0 inside one (flat to 0.5 % over a city)."""
        spot = self._point(point.lon, point.lat)
        if len(self._tree.query(spot, predicate="intersects")):
            return 0.0
        import shapely

        line = shapely.shortest_line(spot, self._shapes[self._tree.nearest(spot)])
        (lon_a, lat_a), (lon_b, lat_b) = line.coords
        east, north = metres_per_degree(point.lat)
        return math.hypot((lon_b - lon_a) * east, (lat_b - lat_a) * north)

    def centres(self) -> list[tuple[District, Point]]:
        """A point inside each district, for labels and for finding it by name."""
        spots = [shape.representative_point() for shape in self._shapes]
        return [(district, Point(spot.x, spot.y)) for district, spot in zip(self._districts, spots, strict=True)]


_indexes: dict[str, DistrictIndex] = {}
_lock = threading.Lock()


def index_of(authority: str) -> DistrictIndex:
    """The city's boundaries as they are now."""
    revision = revisions(authority)[Layer.BOUNDARIES]
    known = _indexes.get(authority)
    if known is not None and known.revision == revision:
        return known
    rows = list(
        Boundary.objects.filter(authority_id=authority).values_list("code", "level", "name_ko", "name_en", "geometry")
    )
    fresh = DistrictIndex(revision, rows)
    with _lock:
        _indexes[authority] = fresh
    return fresh


def district_of(authority: str, point: Point) -> District | None:
    """The district of a city that covers a point; None outside, and where no boundaries are known."""
    index = index_of(authority)
    return index.district_of(point) if len(index) else None


def contains(authority: str, point: Point) -> bool | None:
    """Whether a point lies in the city; None when no boundaries are known."""
    index = index_of(authority)
    return index.district_of(point) is not None if len(index) else None
