"""What a point is told as: its road and number, its district, and what people know near by, in words one can say."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from madang.journal import civic
from madang.kernel.geometry import Point, destination
from madang.places import files, index, mapping
from madang.places.commands import AddressRow, BoundaryRow, put_addresses, put_boundaries
from madang.places.config import PlacesConfig
from madang.places.files import Part
from madang.places.geocode import candidates
from madang.places.ground import MapFeature
from madang.places.models import BaseKind
from madang.places.reverse import describe, spoken_m, wind

if TYPE_CHECKING:
    from pytest_django import Settings

    from madang.identity.models import Authority

HERE = Point(128.88, 35.23)
NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)


@pytest.fixture
def city(authority: Authority, settings: Settings, tmp_path: Path) -> str:
    """One road from west to east, houses along it, a hall to the north and a school around a yard."""
    settings.BASE_DIR = tmp_path / "state"
    settings.MADANG_PLACES = PlacesConfig()
    west, east = destination(HERE, 270, 400), destination(HERE, 90, 400)
    hall, yard = destination(HERE, 0, 200), destination(HERE, 180, 150)
    features = [
        MapFeature(
            BaseKind.ROAD, "primary", "가온대로", "", 0, 0.0, shapely.LineString([pair(west), pair(HERE), pair(east)])
        ),
        MapFeature(BaseKind.LABEL, "townhall", "가온시청", "", 1, 0.0, shapely.Point(pair(hall))),
        MapFeature(BaseKind.BUILDING, "building", "가온초등학교", "", 1, 9.0, shapely.Point(pair(yard)).buffer(0.0005)),
        MapFeature(BaseKind.LABEL, "district", "가람동", "", 0, 0.0, shapely.Point(pair(HERE))),
    ]
    mapping.publish_ground(authority.code, features, mapping.OSM, NOW)
    ring = [[128.87, 35.22], [128.89, 35.22], [128.89, 35.24], [128.87, 35.24], [128.87, 35.22]]
    with civic.transaction() as tx:
        houses = [
            AddressRow(f"김해시 가온대로 {2 * n}", destination(HERE, 90, 20 * n).lon, HERE.lat + 0.0001)
            for n in (1, 2, 3, 4)
        ]
        put_addresses(tx, authority.code, houses)
        shape = {"type": "Polygon", "coordinates": [ring]}
        put_boundaries(tx, authority.code, [BoundaryRow("1", "가람동", "", shape, (128.87, 35.22, 128.89, 35.24))])
    index.rebuild(authority.code, NOW)
    return authority.code


def pair(at: Point) -> tuple[float, float]:
    return at.lon, at.lat


def test_a_point_before_a_house_is_at_its_number(city: str) -> None:
    said = describe(city, destination(HERE, 90, 41))
    assert said.address == "김해시 가온대로 4"
    assert said.district == "가람동"
    assert said.ko == "가람동 가온대로 4 앞, 가온초등학교 북쪽 100 m"
    assert said.en.startswith("가온대로 4, 가람동")


def test_a_point_off_the_houses_is_on_a_side_of_its_road(city: str) -> None:
    said = describe(city, destination(destination(HERE, 270, 300), 0, 30))
    assert said.road is not None
    assert (said.road.name, said.road.number, said.road.side_ko) == ("가온대로", "", "북쪽")
    assert said.address == ""


def test_a_point_in_a_building_is_at_it_and_not_beside_it(city: str) -> None:
    said = describe(city, destination(HERE, 180, 150))
    assert (said.landmarks[0].name, said.landmarks[0].ko) == ("가온초등학교", "가온초등학교")
    assert said.landmarks[1].ko.startswith("가온시청 남쪽 350 m")


def test_a_district_is_no_landmark(city: str) -> None:
    assert all(mark.name != "가람동" for mark in describe(city, HERE).landmarks)


def test_far_from_everything_nothing_is_made_up(city: str) -> None:
    said = describe(city, Point(127.0, 37.5))
    assert (said.ko, said.en, said.road, said.landmarks, said.district) == ("", "", None, (), "")


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lon=st.floats(-180, 180), lat=st.floats(-89.9, 89.9))
def test_any_point_is_described(city: str, lon: float, lat: float) -> None:
    assert describe(city, Point(lon, lat)).ko is not None


def test_an_index_that_was_lost_or_damaged_is_as_if_there_were_none(city: str) -> None:
    published = files.current(city, Part.ADDRESSES)
    assert published is not None
    published.path.unlink()
    assert candidates(city, "가온대로 4")[0].score == 1.0, "the rows answer"
    with civic.transaction() as tx:
        made = files.folder(city) / "junk"
        made.write_bytes(b"this is no database" * 100)
        files.publish(tx, city, Part.ADDRESSES, made, "x", NOW)
    assert candidates(city, "가온대로 4")[0].score == 1.0
    assert describe(city, HERE).district == "가람동"


def test_a_build_that_fails_leaves_the_one_before(city: str) -> None:
    before = files.current(city, Part.GROUND)

    def broken() -> object:
        yield MapFeature(BaseKind.LABEL, "place", "a", "", 0, 0.0, shapely.Point(pair(HERE)))
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        mapping.publish_ground(city, broken(), mapping.OSM, NOW)  # type: ignore[arg-type] # it breaks on purpose
    assert files.current(city, Part.GROUND) == before
    assert not list(files.folder(city).glob("*.part"))


@pytest.mark.parametrize(
    ("bearing", "ko"),
    [(0, "북쪽"), (44, "북동쪽"), (90, "동쪽"), (200, "남쪽"), (225, "남서쪽"), (359, "북쪽"), (-90, "서쪽")],
)
def test_winds(bearing: float, ko: str) -> None:
    assert wind(bearing)[0] == ko


def test_distances_are_said_as_one_says_them() -> None:
    assert [spoken_m(metres) for metres in (2, 14, 118, 996, 1_240)] == [10, 10, 120, 1000, 1200]
