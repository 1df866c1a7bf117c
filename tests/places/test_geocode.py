"""What a search promises: the exact place first, near ones after; misspelled streets, wrong districts still found."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from madang.journal import civic
from madang.places.commands import AddressRow, BoundaryRow, FeatureRow, put_addresses, put_boundaries, put_features
from madang.places.geocode import candidates

if TYPE_CHECKING:
    from madang.identity.models import Authority

BOX = (128.8, 35.2, 128.9, 35.3)


def square(west: float, south: float, east: float, north: float) -> dict[str, object]:
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return {"type": "Polygon", "coordinates": [ring]}


@pytest.fixture
def city(authority: Authority) -> str:
    code = authority.code
    with civic.transaction() as tx:
        put_addresses(
            tx,
            code,
            [
                *(AddressRow(f"김해시 가온로 {n}", round(128.80 + n / 5_000, 4), 35.2) for n in range(2, 60, 2)),
                AddressRow("김해시 가온로 12-3", 128.8026, 35.2005),
                AddressRow("김해시 새솔동 산12-3", 128.87, 35.25),
                AddressRow("김해시 새솔동 12-3", 128.88, 35.26),
                AddressRow("김해시 누리길 7", 128.86, 35.21),
            ],
        )
        put_boundaries(
            tx,
            code,
            [
                BoundaryRow("1", "가람동", "Garam", square(128.8, 35.19, 128.85, 35.3), (128.8, 35.19, 128.85, 35.3)),
                BoundaryRow("2", "새솔동", "Saesol", square(128.85, 35.19, 128.9, 35.3), (128.85, 35.19, 128.9, 35.3)),
            ],
        )
        point = {"type": "Point", "coordinates": [128.83, 35.22]}
        put_features(tx, code, [FeatureRow("label", "1", "김해시청", point, (128.83, 35.22, 128.83, 35.22))])
    return code


@pytest.mark.parametrize(
    "text",
    [
        "경상남도 김해시 가온로 12",
        "가온로12",
        "가온로 12 앞 골목",
        "경남 김해시  가온로  12번지",
        "김해시 가람동 가온로 12",
    ],
)
def test_the_exact_address_comes_first_and_is_certain(city: str, text: str) -> None:
    best = candidates(city, text)[0]
    assert (best.lon, best.lat, best.score, best.kind) == (128.8024, 35.2, 1.0, "address")


def test_an_unknown_number_finds_its_neighbours_nearest_first_and_less_sure(city: str) -> None:
    found = candidates(city, "가온로 33")
    assert [each.label for each in found[:2]] == ["김해시 가온로 32 부근", "김해시 가온로 34 부근"]
    assert all(each.score < 0.9 for each in found)


def test_a_hill_lot_is_not_the_lot_of_the_same_number(city: str) -> None:
    with civic.reading() as tx:
        rows = tx.execute("SELECT hill, lon FROM places_addresspoint WHERE street = '새솔동' ORDER BY hill")
    assert [(bool(hill), lon) for hill, lon in rows] == [(False, 128.88), (True, 128.87)]
    assert (candidates(city, "새솔동 산12-3")[0].lon, candidates(city, "새솔동 12-3")[0].lon) == (128.87, 128.88)


def test_a_misspelled_street_is_found_with_a_lower_score(city: str) -> None:
    best = candidates(city, "가은로 12")[0]
    assert best.lon == 128.8024
    assert 0.5 < best.score < 1


def test_a_wrong_district_lowers_the_score_and_hides_nothing(city: str) -> None:
    right, wrong = candidates(city, "김해시 가람동 가온로 12")[0], candidates(city, "김해시 새솔동 가온로 12")[0]
    assert (right.lon, wrong.lon) == (128.8024, 128.8024)
    assert wrong.score < right.score == 1.0


def test_another_citys_name_lowers_the_score(city: str) -> None:
    assert candidates(city, "창원시 가온로 12")[0].score < 1.0


def test_a_street_without_a_number_is_its_middle(city: str) -> None:
    best = candidates(city, "가온로")[0]
    assert best.kind == "street"
    assert 128.802 < best.lon < 128.81


def test_a_number_far_from_every_known_one_still_gives_the_street(city: str) -> None:
    best = candidates(city, "누리길 900")[0]
    assert (best.label, best.kind, best.lon) == ("누리길", "street", 128.86)
    assert best.score < 0.6


def test_what_people_call_a_place_is_found(city: str) -> None:
    best = candidates(city, "시청 말고 김해시청 앞")[0]
    assert (best.label, best.kind) == ("김해시청", "name")


def test_a_districts_name_alone_gives_its_middle(city: str) -> None:
    best = candidates(city, "새솔동")[0]
    assert (best.label, best.kind) == ("새솔동", "district")
    assert best.lon == pytest.approx(128.875, abs=0.01)


@pytest.mark.parametrize("text", ["", "   ", "없는곳어딘가의이상한말", "12345", "%_'\"--", "\x00", "가" * 5_000])
def test_what_fits_nothing_gives_nothing_and_breaks_nothing(city: str, text: str) -> None:
    assert candidates(city, text) == []


def test_another_citys_addresses_are_never_found(city: str, other_authority: Authority) -> None:
    assert candidates(other_authority.code, "가온로 12") == []


def test_new_addresses_are_found_at_once(city: str) -> None:
    assert candidates(city, "처음길 1") == []
    with civic.transaction() as tx:
        put_addresses(tx, city, [AddressRow("김해시 처음길 1", 128.81, 35.21)])
    assert candidates(city, "처음길 1")[0].score == 1.0


def test_no_more_are_given_than_asked_for_and_none_twice(city: str) -> None:
    found = candidates(city, "가온로 30", limit=3)
    assert len(found) == 3
    assert len({(each.lon, each.lat) for each in found}) == 3
    assert [each.score for each in found] == sorted((each.score for each in found), reverse=True)
