"""Which district a point lies in, at a border, outside, and where nothing is known."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from madang.journal import civic
from madang.kernel.geometry import Point, destination
from madang.places.boundaries import contains, district_of, index_of
from madang.places.commands import BoundaryRow, put_boundaries
from tests.places.test_geocode import square

if TYPE_CHECKING:
    from madang.identity.models import Authority


@pytest.fixture
def city(authority: Authority) -> str:
    rows = [
        BoundaryRow("1", "서동", "West", square(128.8, 35.2, 128.85, 35.3), (128.8, 35.2, 128.85, 35.3)),
        BoundaryRow("2", "동동", "East", square(128.85, 35.2, 128.9, 35.3), (128.85, 35.2, 128.9, 35.3)),
        BoundaryRow("9", "마당시", "Madang", square(128.8, 35.2, 128.9, 35.3), (128.8, 35.2, 128.9, 35.3), "sigungu"),
    ]
    with civic.transaction() as tx:
        put_boundaries(tx, authority.code, rows)
    return authority.code


def test_a_point_lies_in_the_smallest_district_that_covers_it(city: str) -> None:
    found = district_of(city, Point(128.82, 35.25))
    assert found is not None
    assert (found.name_ko, found.name_en, found.code) == ("서동", "West", "1")
    assert contains(city, Point(128.82, 35.25)) is True


def test_a_point_on_a_border_lies_in_the_city(city: str) -> None:
    assert contains(city, Point(128.85, 35.25)) is True
    assert contains(city, Point(128.8, 35.2)) is True


def test_outside_is_outside_and_unknown_is_unknown(city: str, other_authority: Authority) -> None:
    assert contains(city, Point(127.0, 37.5)) is False
    assert district_of(city, Point(127.0, 37.5)) is None
    assert contains(other_authority.code, Point(128.82, 35.25)) is None
    assert district_of(other_authority.code, Point(128.82, 35.25)) is None


def test_the_distance_to_the_city_is_in_metres(city: str) -> None:
    edge = Point(128.9, 35.25)
    for metres in (10.0, 500.0, 5_000.0):
        assert index_of(city).outside_m(destination(edge, 90, metres)) == pytest.approx(metres, rel=0.01)
    assert index_of(city).outside_m(Point(128.82, 35.25)) == 0.0


def test_changed_boundaries_are_seen_at_once(city: str) -> None:
    assert contains(city, Point(128.95, 35.25)) is False
    with civic.transaction() as tx:
        box = (128.9, 35.2, 129.0, 35.3)
        put_boundaries(tx, city, [BoundaryRow("3", "새동", "New", square(*box), box)])
    assert contains(city, Point(128.95, 35.25)) is True


def test_a_district_that_was_given_a_new_code_is_not_doubled(city: str) -> None:
    with civic.transaction() as tx:
        box = (128.8, 35.2, 128.85, 35.3)
        written = put_boundaries(tx, city, [BoundaryRow("4825099", "서동", "West", square(*box), box)])
    assert (written.created, written.updated) == (0, 1)
    assert len(index_of(city)) == 3
    found = district_of(city, Point(128.82, 35.25))
    assert found is not None
    assert found.code == "4825099"
