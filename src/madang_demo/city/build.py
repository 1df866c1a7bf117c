"""Puts the city together and writes it as the files a real city would bring."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely

from madang_demo.city import buildings as houses
from madang_demo.city import cameras, furniture, ground, stations, streets
from madang_demo.city.names import NameGiver

if TYPE_CHECKING:
    from pathlib import Path

NOTE = (
    "Simulated. The names of the 19 districts and their rough places are those of Gimhae; everything else is invented."
)
AUTHORITY = {"code": "48250", "name_ko": "김해시(모의)", "name_en": "Gimhae (simulated)"}


@dataclass(frozen=True, slots=True)
class City:
    """Everything in the simulated city, in metres around its middle."""

    districts: list[ground.District]
    river: Any  # Any: shapely
    stream: Any  # Any: shapely
    streets: list[streets.Street]
    buildings: list[houses.Building]
    landmarks: list[houses.Landmark]
    parks: list[houses.Park]
    sites: list[cameras.Site]


def make(seed: int) -> City:
    """The city of a seed: the same seed gives the same city, to the last digit."""
    rng = np.random.default_rng(seed)
    edge = ground.outline(rng)
    districts = ground.districts(rng, edge)
    river = ground.river(rng, edge)
    by_name = {district.name: district for district in districts}
    stream = ground.stream(rng, by_name["북부동"].middle, by_name["칠산서부동"].middle)
    roads = streets.lay_out(rng, districts, NameGiver(rng))
    built = houses.build(rng, roads, shapely.union_all([river, stream]))
    named = houses.landmarks(rng, districts, roads)
    green = houses.parks(rng, districts)
    sites = cameras.place(rng, roads, named, green, built)
    return City(districts, river, stream, roads, built, named, green, sites)


def write(city: City, folder: Path, seed: int) -> dict[str, int]:
    """Writes the city's files; returns how much of what they hold."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed + 1)
    air, traffic = stations.air_stations(city.districts), stations.traffic_sensors(rng, city.streets)
    survey = cameras.survey(city.sites)
    others = np.random.default_rng(seed + 2)
    bells = furniture.bells_csv(others, city.sites)
    things = furniture.standing(others, city.buildings, city.parks, city.landmarks)
    files: dict[str, bytes] = {
        "boundaries.geojson": _collection(_district_features(city)),
        "basemap.geojson": _collection(_base_features(city)),
        "cctv.csv": cameras.standard_csv(rng, city.sites),
        "cameras_survey.json": _json({"simulated": True, "note": NOTE, "cameras": survey}),
        "addresses.csv": _addresses(city),
        "bells.csv": bells,
        "facilities.json": _json({"simulated": True, "note": NOTE, "facilities": things}),
        "sensors.json": _json(
            {
                "simulated": True,
                "note": NOTE,
                "air": air,
                "traffic": traffic,
                "bells": furniture.speaking_bells(bells),
            }
        ),
    }
    lon, lat = ground.to_degrees(0, 0)
    counts = {
        "districts": len(city.districts),
        "streets": len(city.streets),
        "buildings": len(city.buildings),
        "sites": len(city.sites),
        "cameras": len(survey),
        "air_stations": len(air),
        "traffic_sensors": len(traffic),
        "bells": furniture.BELLS,
        "lights_and_shelters": len(things),
    }
    about = {
        "simulated": True,
        "note": NOTE,
        "seed": seed,
        "authority": {**AUTHORITY, "lon": lon, "lat": lat, "zoom": 12},
    }
    files["city.json"] = _json({**about, "counts": counts, "files": sorted(files)})
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return counts


def _json(value: object) -> bytes:
    return (json.dumps(value, ensure_ascii=False, indent=1) + "\n").encode()


def _collection(features: list[dict[str, Any]]) -> bytes:  # Any: GeoJSON
    lines = ",\n".join(json.dumps(feature, ensure_ascii=False, separators=(",", ":")) for feature in features)
    head = json.dumps({"simulated": True, "note": NOTE}, ensure_ascii=False)[1:-1]
    return f'{{"type":"FeatureCollection",{head},"features":[\n{lines}\n]}}\n'.encode()


def _feature(shape: Any, **properties: object) -> dict[str, Any]:  # Any: shapely, GeoJSON
    geometry = json.loads(shapely.to_geojson(ground.shape_to_degrees(shape)))
    return {"type": "Feature", "properties": properties, "geometry": geometry}


def _district_features(city: City) -> list[dict[str, Any]]:  # Any: GeoJSON
    return [
        _feature(district.shape, code=district.code, name=district.name, name_en=district.seed.name_en)
        for district in city.districts
    ]


def _base_features(city: City) -> list[dict[str, Any]]:  # Any: GeoJSON
    found = [
        _feature(city.river, kind="water", id="water-1", name="큰강", rank=0),
        _feature(city.stream, kind="water", id="water-2", name="가온천", rank=1),
    ]
    found += [
        _feature(park.shape, kind="park", id=f"park-{at}", name=park.name, rank=1) for at, park in enumerate(city.parks)
    ]
    found += [
        _feature(street.line, kind="road", id=f"road-{at}", name=street.name, rank=street.rank)
        for at, street in enumerate(city.streets)
    ]
    found += [
        _feature(building.shape, kind="building", id=f"building-{at}", name=building.name, rank=2)
        for at, building in enumerate(city.buildings)
    ]
    found += [
        _feature(
            shapely.Point(district.middle),
            kind="label",
            id=f"label-{district.code}",
            name=district.name,
            name_en=district.seed.name_en,
            rank=0,
        )
        for district in city.districts
    ]
    found += [
        _feature(
            shapely.Point(landmark.x, landmark.y),
            kind="label",
            id=f"place-{at}",
            name=landmark.name,
            name_en=landmark.name_en,
            rank=landmark.rank,
        )
        for at, landmark in enumerate(city.landmarks)
    ]
    return found


def _addresses(city: City) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(["address", "lot_address", "lon", "lat", "district"])
    for building in city.buildings:
        address = building.address
        lon, lat = ground.to_degrees(address.x, address.y)
        writer.writerow([address.road, address.lot, f"{lon:.6f}", f"{lat:.6f}", address.district.name])
    return text.getvalue().encode("utf-8-sig")
