"""From a point to words: the road and number it lies at, its 읍·면·동, and what stands near it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from madang.kernel.geometry import Point, metres_per_degree
from madang.places import boundaries
from madang.places.gazetteer import Found, Gazetteer
from madang.places.geocode import gazetteer_of
from madang.places.ground import Ground, NearPlace, ground_of

ROAD_WITHIN_M = 80.0
"""A road further off than this is not where a point lies."""
AT_ADDRESS_M = 25.0
"""Nearer than this, a point lies at an address; further off, near it."""
ADDRESS_WITHIN_M = 150.0
LANDMARKS_WITHIN_M = 400.0
LANDMARKS = 3
INSIDE_M = 3.0
_WINDS = (
    ("북쪽", "north"),
    ("북동쪽", "north-east"),
    ("동쪽", "east"),
    ("남동쪽", "south-east"),
    ("남쪽", "south"),
    ("남서쪽", "south-west"),
    ("서쪽", "west"),
    ("북서쪽", "north-west"),
)


@dataclass(frozen=True, slots=True)
class RoadSide:
    """The road a point lies on: its name, the nearest number on it (or ""), how far off, and on which side."""

    name: str
    number: str
    distance_m: float
    side_ko: str
    side_en: str


@dataclass(frozen=True, slots=True)
class Landmark:
    """A known place nearby; the wind is where the point lies as seen from it ("" when the point is in it)."""

    name: str
    distance_m: float
    wind_ko: str
    wind_en: str

    @property
    def ko(self) -> str:
        """`가온시청 남동쪽 120 m`."""
        return f"{self.name} {self.wind_ko} {spoken_m(self.distance_m)} m" if self.wind_ko else self.name

    @property
    def en(self) -> str:
        """`120 m south-east of 가온시청`."""
        return f"{spoken_m(self.distance_m)} m {self.wind_en} of {self.name}" if self.wind_en else f"at {self.name}"


@dataclass(frozen=True, slots=True)
class Described:
    """A point in words. Each part is None, empty or "" where nothing is known of it."""

    road: RoadSide | None
    address: str
    district: str
    landmarks: tuple[Landmark, ...]

    @property
    def ko(self) -> str:
        """In one line, for a person who must find it."""
        place = " ".join(part for part in (self.district, self._road_ko()) if part)
        return ", ".join(part for part in (place, self.landmarks[0].ko if self.landmarks else "") if part)

    @property
    def en(self) -> str:
        """The same in English."""
        place = ", ".join(part for part in (self._road_en(), self.district) if part)
        return "; ".join(part for part in (place, self.landmarks[0].en if self.landmarks else "") if part)

    def _road_ko(self) -> str:
        if self.road is None:
            return ""
        where = "부근" if self.road.distance_m > AT_ADDRESS_M else "앞" if self.road.number else ""
        side = f"({self.road.side_ko})" if self.road.side_ko and not self.road.number else ""
        return " ".join(part for part in (self.road.name, self.road.number, where + side) if part)

    def _road_en(self) -> str:
        if self.road is None:
            return ""
        near = "near " if self.road.distance_m > AT_ADDRESS_M else ""
        side = f"({self.road.side_en} side)" if self.road.side_en and not self.road.number else ""
        return near + " ".join(part for part in (self.road.name, self.road.number, side) if part)


def spoken_m(metres: float) -> int:
    """A distance as one says it: tens of metres, then hundreds beyond a kilometre."""
    step = 10 if metres < 1_000 else 100
    return max(step, round(metres / step) * step)


def describe(authority: str, at: Point) -> Described:
    """What is known about a point of a city; never fails for an odd point."""
    district = boundaries.district_of(authority, at)
    ground, gazetteer = ground_of(authority), gazetteer_of(authority)
    nearest = _nearest_address(gazetteer, at)
    road = _road(ground, gazetteer, at, nearest)
    address = ""
    if gazetteer is not None and nearest is not None and road is not None and nearest[0].street == road.name:
        address = _written(gazetteer, nearest[0], near=nearest[1] > AT_ADDRESS_M)
    return Described(
        road, address, "" if district is None else district.name_ko, tuple(_landmarks(ground, gazetteer, at))
    )


def _nearest_address(gazetteer: Gazetteer | None, at: Point) -> tuple[Found, float] | None:
    if gazetteer is None:
        return None
    found = [(one, _metres(at, one.lon, one.lat)) for one in gazetteer.addresses_near(at.lon, at.lat)]
    best = min(found, key=lambda one: (one[1], one[0].main, one[0].sub), default=None)
    return best if best is not None and best[1] <= ADDRESS_WITHIN_M else None


def _metres(at: Point, lon: float, lat: float) -> float:
    east, north = metres_per_degree(at.lat)
    return math.hypot((lon - at.lon) * east, (lat - at.lat) * north)


def _road(
    ground: Ground | None, gazetteer: Gazetteer | None, at: Point, nearest: tuple[Found, float] | None
) -> RoadSide | None:
    """The nearest drawn road that has a name, with the nearest number on it; else the road of the nearest address."""
    drawn = ground.roads_near(at, ROAD_WITHIN_M) if ground is not None else []
    if not drawn:
        return None if nearest is None else RoadSide(nearest[0].street, _number(nearest[0]), nearest[1], "", "")
    road = drawn[0]
    on_it = [
        (one, _metres(at, one.lon, one.lat))
        for one in (gazetteer.addresses_near(at.lon, at.lat) if gazetteer is not None else [])
        if one.street == road.name
    ]
    closest = min(on_it, key=lambda one: one[1], default=None)
    number = _number(closest[0]) if closest is not None and closest[1] <= ADDRESS_WITHIN_M else ""
    distance = closest[1] if closest is not None and number else road.distance_m
    side_ko, side_en = ("", "") if road.distance_m < INSIDE_M else wind(road.side_deg)
    return RoadSide(road.name, number, distance, side_ko, side_en)


def _number(one: Found) -> str:
    return f"{'지하 ' if one.basement == 1 else ''}{one.main}{f'-{one.sub}' if one.sub else ''}"


def _written(gazetteer: Gazetteer, one: Found, *, near: bool) -> str:
    _, town = gazetteer.towns.get(one.town, ("", ""))
    emd, _ = gazetteer.area(one.area)
    rural = emd if emd[-1:] in "읍면" and emd else ""
    brackets = f" ({emd})" if emd and not rural else ""
    parts = (town, rural, one.street, _number(one))
    return " ".join(part for part in parts if part) + brackets + (" 부근" if near else "")


def wind(bearing_deg: float) -> tuple[str, str]:
    """One of the eight winds, Korean and English."""
    return _WINDS[round(bearing_deg % 360 / 45) % 8]


def _landmarks(ground: Ground | None, gazetteer: Gazetteer | None, at: Point) -> list[Landmark]:
    """What people know nearby: important before unimportant, near before far."""
    places = ground.places_near(at, LANDMARKS_WITHIN_M) if ground is not None else _named_near(gazetteer, at)
    places.sort(key=lambda place: place.distance_m + 60 * place.rank)
    return [_landmark(place) for place in places[:LANDMARKS]]


def _landmark(place: NearPlace) -> Landmark:
    inside = place.distance_m < INSIDE_M
    ko, en = ("", "") if inside else wind(place.bearing_deg)
    return Landmark(place.name, place.distance_m, ko, en)


def _named_near(gazetteer: Gazetteer | None, at: Point) -> list[NearPlace]:
    found: dict[str, NearPlace] = {}
    for name, lon, lat in gazetteer.places_near(at.lon, at.lat) if gazetteer is not None else []:
        metres = _metres(at, lon, lat)
        east, north = metres_per_degree(at.lat)
        bearing = math.degrees(math.atan2((at.lon - lon) * east, (at.lat - lat) * north)) % 360
        if metres <= LANDMARKS_WITHIN_M and (name not in found or metres < found[name].distance_m):
            found[name] = NearPlace(name, 1, metres, bearing)
    return list(found.values())
