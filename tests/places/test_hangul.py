"""What reading Korean promises: letters apart, keyboards, wrong decodings and spoken numbers give the same words."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from madang.places import asking
from madang.places.hangul import composed, from_english_keys, initials, letters, spoken_number, undo_wrong_decoding
from tests.places.address_forms import on_english_keys

SYLLABLES = st.text(st.characters(min_codepoint=0xAC00, max_codepoint=0xD7A3), min_size=1, max_size=8)


@given(SYLLABLES)
def test_a_keyboard_left_in_english_is_read_back(word: str) -> None:
    typed = on_english_keys(word)
    again = on_english_keys(from_english_keys(typed))
    assert again == typed


@pytest.mark.parametrize(
    "text", ["김해시 누리마루로24번길 5-1", "닭갈비 값어치", "왜관읍 의창구 된장", "쌍용 까치 빼빼"]
)
def test_real_words_come_back_whole(text: str) -> None:
    assert from_english_keys(on_english_keys(text)) == text


@pytest.mark.parametrize("text", ["APT", "CCTV", "KTX station", "hello world", "101-A"])
def test_english_that_is_english_stays(text: str) -> None:
    assert asking.plain(f"가온 {text}").replace("가온 ", "").casefold() == text.casefold()


@given(SYLLABLES)
def test_letters_apart_or_together_are_the_same(word: str) -> None:
    assert letters(word) == letters(unicodedata.normalize("NFD", word))
    assert asking.plain(word) == asking.plain(unicodedata.normalize("NFD", word))


def test_initials_and_single_letters() -> None:
    assert initials("가온로 12") == "ㄱㅇㄹ 12"
    assert composed("ㄱㅏㅇㅗㄴㄹㅗ") == "가온로"


@pytest.mark.parametrize("encoding", ["utf-8", "cp949"])
def test_bytes_read_as_western_letters_are_read_again(encoding: str) -> None:
    assert undo_wrong_decoding("김해시 가온로".encode(encoding).decode("latin-1")) == "김해시 가온로"
    assert undo_wrong_decoding("café") == "café"


@pytest.mark.parametrize(
    ("word", "number"),
    [
        ("이십사", 24),
        ("칠십칠", 77),
        ("백", 100),
        ("삼백오", 305),
        ("천이백", 1200),
        ("일이삼", 123),
        ("길", None),
        ("", None),
    ],
)
def test_spoken_numbers(word: str, number: int | None) -> None:
    assert spoken_number(word) == number


@pytest.mark.parametrize(
    ("text", "main", "sub"),
    [
        ("가온로 12", 12, 0),
        ("가온로12-3", 12, 3),
        ("가온로 12 다시 3", 12, 3),
        ("가온로24번길 5의 1", 5, 1),
        ("가온로 24 번길 5", 5, 0),
        ("가온로 12 101동 502호", 12, 0),
        ("가온로 １２－３", 12, 3),
        ("(50900) 가온로 12", 12, 0),
        ("가온로 십이", 12, 0),
    ],
)
def test_numbers_are_told_from_what_only_looks_like_them(text: str, main: int, sub: int) -> None:
    (reading, *_) = asking.readings(asking.plain(text))
    found = next(asking.numbered(reading))
    assert (found.main, found.sub) == (main, sub)


@given(st.text(max_size=400))
def test_any_text_can_be_read(text: str) -> None:
    for reading in asking.readings(asking.plain(text)):
        for number in asking.numbered(asking.without_province(reading)):
            assert number.main < 100_000
            list(asking.endings(number.words))
        asking.names(reading)
