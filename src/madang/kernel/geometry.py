"""Points on the ground: WGS84 longitude/latitude at the edges, metres inside. Pure arithmetic, no libraries."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

EARTH_RADIUS_M = 6_371_008.8
"""Mean Earth radius (IUGG)."""

KOREA_LON = (124.0, 132.0)
KOREA_LAT = (33.0, 39.0)


@dataclass(frozen=True, slots=True)
class Point:
    """A WGS84 position in degrees."""

    lon: float
    lat: float


class Fault(StrEnum):
    """Why a coordinate cannot be believed."""

    MISSING = "missing"
    NOT_A_NUMBER = "not_a_number"
    ZERO = "zero"
    SWAPPED = "swapped"
    OUTSIDE_KOREA = "outside_korea"


def in_korea(lon: float, lat: float) -> bool:
    """Whether a position lies in the box of South Korea, Dokdo included."""
    return KOREA_LON[0] <= lon <= KOREA_LON[1] and KOREA_LAT[0] <= lat <= KOREA_LAT[1]


def judge(lon: float | None, lat: float | None) -> Fault | None:
    """The fault of a coordinate pair, or None. `SWAPPED` means exchanging them would put it in Korea."""
    if lon is None or lat is None:
        return Fault.MISSING
    if not (math.isfinite(lon) and math.isfinite(lat)):
        return Fault.NOT_A_NUMBER
    if lon == 0 or lat == 0:
        return Fault.ZERO
    if in_korea(lon, lat):
        return None
    return Fault.SWAPPED if in_korea(lat, lon) else Fault.OUTSIDE_KOREA


def metres_per_degree(lat: float) -> tuple[float, float]:
    """Metres per degree of longitude and of latitude at `lat` (spherical; good to 0.5 % over a city)."""
    one = math.radians(1) * EARTH_RADIUS_M
    return one * math.cos(math.radians(lat)), one


def distance_m(a: Point, b: Point) -> float:
    """Great-circle distance in metres (haversine)."""
    phi_a, phi_b = math.radians(a.lat), math.radians(b.lat)
    half_phi = (phi_b - phi_a) / 2
    half_lambda = math.radians(b.lon - a.lon) / 2
    chord = math.sin(half_phi) ** 2 + math.cos(phi_a) * math.cos(phi_b) * math.sin(half_lambda) ** 2
    return 2 * EARTH_RADIUS_M * math.asin(min(1.0, math.sqrt(chord)))


def bearing_deg(a: Point, b: Point) -> float:
    """Initial bearing from `a` to `b`, degrees clockwise from north in [0, 360)."""
    phi_a, phi_b = math.radians(a.lat), math.radians(b.lat)
    delta = math.radians(b.lon - a.lon)
    east = math.sin(delta) * math.cos(phi_b)
    north = math.cos(phi_a) * math.sin(phi_b) - math.sin(phi_a) * math.cos(phi_b) * math.cos(delta)
    return math.degrees(math.atan2(east, north)) % 360


def destination(origin: Point, bearing: float, metres: float) -> Point:
    """The point `metres` from `origin` along `bearing` degrees (spherical)."""
    angle, theta = metres / EARTH_RADIUS_M, math.radians(bearing)
    phi = math.radians(origin.lat)
    sin_lat = math.sin(phi) * math.cos(angle) + math.cos(phi) * math.sin(angle) * math.cos(theta)
    lat = math.asin(sin_lat)
    lon = math.radians(origin.lon) + math.atan2(
        math.sin(theta) * math.sin(angle) * math.cos(phi), math.cos(angle) - math.sin(phi) * sin_lat
    )
    return Point(math.degrees(lon), math.degrees(lat))
