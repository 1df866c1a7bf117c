"""What the screens are promised about the ground: tiles under login in ranges, and any point in words."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import shapely
from django.test import Client
from pmtiles.reader import Reader

from madang.identity.rights import Role
from madang.journal import civic
from madang.places import index, mapping
from madang.places.commands import AddressRow, put_addresses
from madang.places.config import PlacesConfig
from madang.places.ground import MapFeature
from madang.places.models import BaseKind
from madang.response.models import Incident
from tests.console.conftest import CORNER, Desk

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_django import Settings

    from madang.identity.models import Authority

NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
LON, LAT = CORNER


@pytest.fixture(autouse=True)
def _state(settings: Settings, tmp_path: Path) -> None:
    settings.BASE_DIR = tmp_path / "state"
    settings.MADANG_PLACES = PlacesConfig()


@pytest.fixture
def operator(desk: Callable[..., Desk]) -> Client:
    """An operator's browser."""
    return desk(Role.OPERATOR).client


def put_ground(city: str) -> None:
    road = shapely.LineString([(LON - 0.002, LAT), (LON + 0.002, LAT)])
    hall = shapely.Point(LON, LAT + 0.0018)
    features = [
        MapFeature(BaseKind.ROAD, "primary", "가온대로", "Gaon-daero", 0, 0.0, road),
        MapFeature(BaseKind.LABEL, "townhall", "가온시청", "", 1, 0.0, hall),
    ]
    mapping.publish_ground(city, features, mapping.OSM, NOW)
    mapping.publish_tiles(city, NOW)
    with civic.transaction() as tx:
        put_addresses(tx, city, [AddressRow("김해시 가온대로 12", LON + 0.0001, LAT + 0.0001)])
    index.rebuild(city, NOW)


def tiles_of(client: Client) -> str:
    url: str = client.get("/api/console/ground").json()["tiles"]
    return url


def content(answer: Any) -> bytes:  # Any: Django's test response
    return b"".join(answer.streaming_content) if answer.streaming else bytes(answer.content)


def test_without_tiles_the_screen_is_told_to_draw_the_features(operator: Client) -> None:
    assert operator.get("/api/console/ground").json() == {"tiles": None, "min_zoom": 6, "made_at": None}


def test_tiles_are_read_in_ranges_as_a_reader_does(operator: Client, authority: Authority) -> None:
    put_ground(authority.code)
    url = tiles_of(operator)

    def read(offset: int, length: int) -> bytes:
        answer = operator.get(url, headers={"Range": f"bytes={offset}-{offset + length - 1}"})
        assert answer.status_code == 206
        return content(answer)

    reader = Reader(read)
    header = reader.header()
    assert header["max_zoom"] == 14
    from madang.places.tiles import _tile_of

    assert reader.get(14, *_tile_of(LON, LAT, 14))


def test_a_range_says_where_it_lies_and_what_it_is_of(operator: Client, authority: Authority) -> None:
    put_ground(authority.code)
    url = tiles_of(operator)
    whole = operator.get(url)
    size = len(content(whole))
    part = operator.get(url, headers={"Range": "bytes=0-126"})
    assert (part.status_code, part["Content-Range"], len(content(part))) == (206, f"bytes 0-126/{size}", 127)
    assert part["ETag"] == whole["ETag"]
    last = operator.get(url, headers={"Range": "bytes=-10"})
    assert last["Content-Range"] == f"bytes {size - 10}-{size - 1}/{size}"
    beyond = operator.get(url, headers={"Range": f"bytes={size}-"})
    assert (beyond.status_code, beyond["Content-Range"]) == (416, f"bytes */{size}")
    other = operator.get(url, headers={"Range": "bytes=0-9", "If-Range": '"another"'})
    assert other.status_code == 200
    assert len(content(other)) == size
    same = operator.get(url, headers={"If-None-Match": whole["ETag"]})
    assert same.status_code == 304


@pytest.mark.parametrize("odd", ["bytes=", "bytes=a-b", "bytes=5", "bytes=0-1,4-5", "lines=1-2", "bytes=--1"])
def test_a_range_that_cannot_be_read_gives_the_whole(operator: Client, authority: Authority, odd: str) -> None:
    put_ground(authority.code)
    answer = operator.get(tiles_of(operator), headers={"Range": odd})
    assert answer.status_code == 200
    answer.close()


def test_nobody_reads_tiles_without_a_login(client: Client, operator: Client, authority: Authority) -> None:
    put_ground(authority.code)
    assert Client().get(tiles_of(operator)).status_code == 401


@pytest.mark.parametrize("token", ["0" * 16, "..%2f..%2fcivic", "zz", "a" * 400])
def test_tiles_of_no_known_name_are_not_found(operator: Client, authority: Authority, token: str) -> None:
    put_ground(authority.code)
    assert operator.get(f"/api/console/tiles/{token}.pmtiles").status_code == 404


def test_new_tiles_leave_those_before_to_open_screens(operator: Client, authority: Authority) -> None:
    put_ground(authority.code)
    before = tiles_of(operator)
    mapping.publish_tiles(authority.code, NOW)
    after = tiles_of(operator)
    assert before != after
    for url in (before, after):
        assert operator.get(url, headers={"Range": "bytes=0-9"}).status_code == 206


def test_a_point_is_told_in_words(operator: Client, authority: Authority) -> None:
    put_ground(authority.code)
    said = operator.get("/api/console/describe", {"lon": str(LON + 0.0001), "lat": str(LAT + 0.0001)}).json()
    assert said["address"] == "김해시 가온대로 12"
    assert said["road"]["name"] == "가온대로"
    assert said["landmarks"][0]["ko"] == "가온시청 남쪽 190 m"


def test_a_point_nothing_is_known_of_is_told_so(operator: Client) -> None:
    said = operator.get("/api/console/describe", {"lon": "129.5", "lat": "36.5"}).json()
    assert (said["ko"], said["address"], said["landmarks"], said["road"]) == ("", "", [], None)


@pytest.mark.parametrize(("lon", "lat"), [("999", "35"), ("128", "nan"), ("x", "35"), ("inf", "35")])
def test_no_place_on_earth_is_refused(operator: Client, lon: str, lat: str) -> None:
    assert operator.get("/api/console/describe", {"lon": lon, "lat": lat}).status_code in (400, 422)


def test_an_incident_with_coordinates_only_gets_its_address_in_words(operator: Client, authority: Authority) -> None:
    put_ground(authority.code)
    body = {"class_code": "fire", "priority": 1, "lon": LON + 0.0001, "lat": LAT + 0.0001, "note": ""}
    made = operator.post("/api/console/incidents", body, content_type="application/json")
    assert made.status_code in (200, 201), made.content
    row = Incident.objects.get(pk=made.json()["id"])
    assert row.address == "김해시 가온대로 12"
