"""How addresses are read: as people, files and callers write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from madang.places.address import Kind, areas_conflict, read


@pytest.mark.parametrize(
    ("text", "kind", "normalised"),
    [
        ("경상남도 김해시 가온로 12", Kind.ROAD, "김해시 가온로 12"),
        ("경남 김해시 가온로12", Kind.ROAD, "김해시 가온로 12"),
        ("가온로 24번길 5-1", Kind.ROAD, "가온로24번길 5-1"),
        ("가온로24번길 5 - 1 앞", Kind.ROAD, "가온로24번길 5-1"),
        ("바람길16번길8", Kind.ROAD, "바람길16번길 8"),
        ("사상구 덕상로72번길_22", Kind.ROAD, "사상구 덕상로72번길 22"),
        ("사상구 '사상로453", Kind.ROAD, "사상구 사상로 453"),
        ("새솔1로 31", Kind.ROAD, "새솔1로 31"),
        ("3.15대로 9", Kind.ROAD, "3.15대로 9"),
        ("중앙대로 지하 3", Kind.ROAD, "중앙대로 3"),
        ("김해시 가온로 12 (삼안동, 마당아파트 101동)", Kind.ROAD, "김해시 삼안동 가온로 12"),
        ("김해시 진영읍 여래리 123번지", Kind.LOT, "김해시 진영읍 여래리 123"),
        ("해운대구 좌4동1416", Kind.LOT, "해운대구 좌4동 1416"),
        ("용호동 산 130-1", Kind.LOT, "용호동 산130-1"),
        ("팔달구 매산로 2가 26-13", Kind.LOT, "팔달구 매산로2가 26-13"),
        ("보수동1가 50-1", Kind.LOT, "보수동1가 50-1"),
        ("구로동 12-3 103동 502호", Kind.LOT, "구로동 12-3"),
        ("해운대로", Kind.ROAD, "해운대로"),
    ],
)
def test_addresses_are_read_however_they_are_spaced(text: str, kind: Kind, normalised: str) -> None:
    address = read(text)
    assert address is not None
    assert (address.kind, address.normalised) == (kind, normalised)


@pytest.mark.parametrize(
    "text", ["", "동산그린빌 옆", "부산광역시 금정구 도로명주소 부재", "부산광역시 해운대구", "123", "🚓"]
)
def test_texts_without_an_address_are_none(text: str) -> None:
    assert read(text) is None


@pytest.mark.parametrize(
    ("asked", "known", "conflict"),
    [
        (("김해시", "삼안동"), ("김해시",), False),
        (("김해시",), ("창원시",), True),
        (("삼안동",), ("김해시", "내외동"), True),
        (("진영읍", "여래리"), ("진영읍",), False),
        ((), ("김해시",), False),
    ],
)
def test_areas_conflict_only_when_both_name_one_of_the_same_rank(
    asked: tuple[str, ...], known: tuple[str, ...], conflict: bool
) -> None:
    assert areas_conflict(asked, known) is conflict


@given(st.text(max_size=400))
def test_any_text_is_read_or_is_none_and_its_number_is_bounded(text: str) -> None:
    address = read(text)
    assert address is None or (0 <= address.main < 100_000 and 0 <= address.sub < 10_000 and address.street)


@given(
    st.sampled_from(["가온로", "새솔1로", "바람대로", "들길", "가온로24번길"]),
    st.integers(1, 9_999),
    st.integers(0, 99),
)
def test_reading_what_was_normalised_changes_nothing(street: str, main: int, sub: int) -> None:
    first = read(f"김해시 {street}{main}{f'-{sub}' if sub else ''}")
    assert first is not None
    assert read(first.normalised) == first
