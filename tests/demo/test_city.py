"""What the simulated city promises: the same every time, whole, plainly simulated, and dirty as real files are."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import shapely

from madang_demo.city.__main__ import main
from madang_demo.city.ground import outline

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("city")
    assert main(["--out", str(folder), "--seed", "7"]) == 0
    return folder


def features(city: Path, name: str) -> list[dict[str, Any]]:  # Any: GeoJSON
    document = json.loads((city / name).read_bytes())
    found: list[dict[str, Any]] = document["features"]  # Any: GeoJSON
    return found


def sites(city: Path) -> list[dict[str, str]]:
    with (city / "cctv.csv").open(encoding="cp949", newline="") as file:
        return list(csv.DictReader(file))


def test_the_same_seed_gives_the_same_city_and_another_another(city: Path, tmp_path: Path) -> None:
    main(["--out", str(tmp_path / "again"), "--seed", "7"])
    names = sorted(path.name for path in city.iterdir())
    assert names == sorted(path.name for path in (tmp_path / "again").iterdir())
    assert all((city / name).read_bytes() == (tmp_path / "again" / name).read_bytes() for name in names)
    edges = [outline(np.random.default_rng(seed)) for seed in (7, 7, 8)]
    assert edges[0].equals(edges[1])
    assert not edges[0].equals(edges[2])


def test_its_nineteen_districts_fill_the_city_without_overlap(city: Path) -> None:
    shapes = [shapely.from_geojson(json.dumps(each["geometry"])) for each in features(city, "boundaries.geojson")]
    names = {each["properties"]["name"] for each in features(city, "boundaries.geojson")}
    assert len(shapes) == len(names) == 19
    assert {"진영읍", "내외동", "장유3동", "대동면"} <= names
    assert all(shape.is_valid for shape in shapes)
    whole = shapely.union_all(shapes)
    assert sum(shape.area for shape in shapes) == pytest.approx(whole.area, rel=1e-4)
    west, south, east, north = whole.bounds
    assert 128.6 < west < 128.75
    assert 128.95 < east < 129.1
    assert 35.1 < south < 35.2
    assert 35.33 < north < 35.45


def test_everything_says_that_it_is_simulated(city: Path) -> None:
    for name in ("boundaries.geojson", "basemap.geojson", "cameras_survey.json", "sensors.json", "city.json"):
        assert json.loads((city / name).read_bytes())["simulated"] is True
    assert all("모의" in row["관리기관명"] for row in sites(city))


def test_twelve_hundred_cameras_are_surveyed_each_at_a_site_of_the_file(city: Path) -> None:
    survey = json.loads((city / "cameras_survey.json").read_bytes())["cameras"]
    counted = {row["관리번호"]: int(row["카메라대수"]) for row in sites(city) if not row["관리번호"].startswith("GH-9")}
    assert len(survey) == 1_200 == sum(counted.values())
    assert sorted(each["stream"] for each in survey) == list(range(1_200))
    assert all(1 <= each["camera"] <= counted[each["site_number"]] for each in survey)
    assert all(0 <= each["azimuth_deg"] < 360 and each["range_m"] > 0 for each in survey)


def test_cameras_stand_inside_the_district_their_address_names(city: Path) -> None:
    shapes = {
        each["properties"]["name"]: shapely.from_geojson(json.dumps(each["geometry"]))
        for each in features(city, "boundaries.geojson")
    }
    placed = [row for row in sites(city) if not row["관리번호"].startswith("GH-9")]
    inside = sum(
        any(
            shape.contains(shapely.Point(float(row["WGS84경도"]), float(row["WGS84위도"]))) for shape in shapes.values()
        )
        for row in placed
    )
    assert inside == len(placed)


def test_its_camera_file_has_the_dirt_real_files_have(city: Path) -> None:
    rows = sites(city)
    places = [(row["WGS84위도"], row["WGS84경도"]) for row in rows]
    assert ("0", "0") in places
    assert ("", "") in places
    assert any(lat.startswith("128") for lat, _ in places)
    assert len({row["관리기관명"] for row in rows}) == 2
    assert any(row["WGS84위도"] is None for row in rows)
    assert rows[-1] == rows[-2]


def test_streets_have_names_once_and_addresses_lie_on_land(city: Path) -> None:
    base = features(city, "basemap.geojson")
    roads = [each["properties"]["name"] for each in base if each["properties"]["kind"] == "road"]
    assert len(roads) == len(set(roads)) > 200
    assert all(name.endswith(("대로", "로", "길")) for name in roads)
    water = shapely.union_all(
        [shapely.from_geojson(json.dumps(e["geometry"])) for e in base if e["properties"]["kind"] == "water"]
    )
    with (city / "addresses.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) > 4_000
    points = shapely.points([[float(row["lon"]), float(row["lat"])] for row in rows])
    assert not shapely.intersects(water, points).any()
    assert len({row["district"] for row in rows}) == 19


def test_its_sensors_stand_in_it(city: Path) -> None:
    sensors = json.loads((city / "sensors.json").read_bytes())
    whole = shapely.union_all(
        [shapely.from_geojson(json.dumps(each["geometry"])) for each in features(city, "boundaries.geojson")]
    )
    assert len(sensors["air"]) >= 10
    assert len(sensors["traffic"]) == 40
    for each in sensors["air"] + sensors["traffic"]:
        assert whole.buffer(0.01).contains(shapely.Point(each["lon"], each["lat"]))
