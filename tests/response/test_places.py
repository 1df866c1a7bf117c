"""What becomes of places as callers say them, with the city's real map room behind: nothing bounces."""

from __future__ import annotations

from typing import Any

import pytest

from madang.identity.models import Agency, Authority
from madang.identity.rights import Actor
from madang.kernel.geometry import Point, destination
from madang.places.commands import AddressRow, BoundaryRow, put_addresses, put_boundaries
from madang.response import commands
from madang.response.domain import SaidPlace
from madang.response.models import Incident
from tests.response.conftest import HALL, NOW, civic_tx, robbery

FAR = destination(HALL, 0, 40_000)


def square(code: str, name: str, centre: Point, half_m: float) -> BoundaryRow:
    """A square district."""
    west, east = destination(centre, 270, half_m).lon, destination(centre, 90, half_m).lon
    south, north = destination(centre, 180, half_m).lat, destination(centre, 0, half_m).lat
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    geometry: dict[str, Any] = {"type": "Polygon", "coordinates": [ring]}  # Any: GeoJSON
    return BoundaryRow(code, name, name, geometry, (west, south, east, north))


@pytest.fixture
def mapped(city: Authority) -> Authority:
    """The city with two districts and two known addresses."""
    with civic_tx() as tx:
        districts = [
            square("1", "부원동", HALL, 1_000),
            square("2", "장유동", destination(HALL, 90, 5_000), 1_000),
        ]
        put_boundaries(tx, city.code, districts)
        addresses = [
            AddressRow("경상남도 김해시 김해대로 2401", HALL.lon, HALL.lat),
            AddressRow("경상남도 김해시 김해대로 2403", destination(HALL, 90, 60).lon, HALL.lat),
        ]
        put_addresses(tx, city.code, addresses)
    return city


def opened(actor: Actor, police: Agency, **place: Any) -> Incident:  # Any: members of `SaidPlace`
    with civic_tx() as tx:
        return commands.open_incident(tx, actor, robbery(police, place=SaidPlace(**place)), NOW)


def open_tasks(incident: Incident) -> set[str]:
    return set(incident.tasks.filter(state="open").values_list("kind", flat=True))


def whys(incident: Incident) -> set[tuple[str, str]]:
    return {(doubt["field"], doubt["why"]) for doubt in incident.doubts}


def test_a_point_inside_gets_its_district(mapped: Authority, caller_actor: Actor, police: Agency) -> None:
    incident = opened(caller_actor, police, lon=HALL.lon, lat=HALL.lat)
    assert (incident.place_state, incident.district) == ("located", "부원동")
    assert "locate" not in open_tasks(incident)


def test_a_point_outside_the_city_opens_and_asks_a_person(
    mapped: Authority, caller_actor: Actor, police: Agency
) -> None:
    incident = opened(caller_actor, police, lon=FAR.lon, lat=FAR.lat)
    assert (incident.place_state, incident.lon) == ("outside", FAR.lon)
    assert "locate" in open_tasks(incident)


def test_swapped_coordinates_find_their_cameras_and_are_marked(
    mapped: Authority, caller_actor: Actor, police: Agency
) -> None:
    incident = opened(caller_actor, police, lon=HALL.lat, lat=HALL.lon)
    assert (incident.place_state, incident.lon, incident.lat) == ("located", HALL.lon, HALL.lat)
    assert whys(incident) == {("place", "swapped")}
    assert "locate" in open_tasks(incident)


def test_an_exact_address_is_enough_to_begin_with(mapped: Authority, caller_actor: Actor, police: Agency) -> None:
    incident = opened(caller_actor, police, address="김해시 김해대로 2401")
    assert (incident.place_state, incident.place_how) == ("approximate", "geocoded")
    assert (incident.lon, incident.district) == (HALL.lon, "부원동")
    assert "locate" in open_tasks(incident)


def test_a_near_address_waits_with_its_candidates(mapped: Authority, caller_actor: Actor, police: Agency) -> None:
    incident = opened(caller_actor, police, address="김해시 김해대로 2402")
    assert (incident.place_state, incident.lon) == ("unlocated", None)
    assert len(incident.candidates) >= 2
    assert {"label", "lon", "lat", "score", "kind"} <= set(incident.candidates[0])


def test_an_address_of_the_wrong_district_is_marked_and_the_point_believed(
    mapped: Authority, caller_actor: Actor, police: Agency
) -> None:
    incident = opened(caller_actor, police, lon=HALL.lon, lat=HALL.lat, address="장유동 어딘가")
    assert (incident.place_state, incident.district) == ("located", "부원동")
    assert whys(incident) == {("place.address", "other_district")}


def test_words_that_mean_nothing_still_open_an_incident(mapped: Authority, caller_actor: Actor, police: Agency) -> None:
    incident = opened(caller_actor, police, address="ㅁㄴㅇㄹ 뒤쪽")
    assert (incident.place_state, incident.candidates) == ("unlocated", [])
