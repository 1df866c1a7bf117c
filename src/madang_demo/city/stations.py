"""Air-quality stations and traffic sensors, and what they are called on the broker."""

from __future__ import annotations

from typing import TYPE_CHECKING

from madang_demo.city.ground import to_degrees

if TYPE_CHECKING:
    from numpy.random import Generator

    from madang_demo.city.ground import District
    from madang_demo.city.streets import Street

TRAFFIC_SENSORS = 40


def air_stations(districts: list[District]) -> list[dict[str, object]]:
    """One station in the middle of each district that is a town, and one of the countryside."""
    chosen = [district for district in districts if district.seed.urban >= 0.5] + [districts[4]]
    found = []
    for number, district in enumerate(chosen, start=1):
        lon, lat = to_degrees(*district.middle)
        station = {"id": f"air{number:02}", "name": f"{district.name} 측정소(모의)", "district": district.name}
        found.append({**station, "lon": round(lon, 6), "lat": round(lat, 6)})
    return found


def traffic_sensors(rng: Generator, streets: list[Street]) -> list[dict[str, object]]:
    """Detectors on the trunk roads, evenly over their length."""
    trunks = [street for street in streets if street.rank == 0]
    found: list[dict[str, object]] = []
    for number in range(1, TRAFFIC_SENSORS + 1):
        street = trunks[(number - 1) % len(trunks)]
        point = street.line.interpolate(float(rng.uniform(0.15, 0.85)) * street.line.length)
        lon, lat = to_degrees(point.x, point.y)
        sensor = {"id": f"traffic{number:02}", "name": f"{street.name} 검지기(모의)", "road": street.name}
        lanes = {"lanes": int(rng.integers(2, 5)), "limit_kmh": int(rng.choice((50, 60, 70)))}
        found.append({**sensor, **lanes, "lon": round(lon, 6), "lat": round(lat, 6)})
    return found
