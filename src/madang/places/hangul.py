"""Korean letters: taking syllables apart, telling what sounds alike, reading what was mistyped or misdecoded. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

FIRST = "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎ"
MIDDLE = "ㅏㅐㅑㅒㅓㅔㅕㅖㅗㅘㅙㅚㅛㅜㅝㅞㅟㅠㅡㅢㅣ"
LAST = ("", *"ㄱㄲㄳㄴㄵㄶㄷㄹㄺㄻㄼㄽㄾㄿㅀㅁㅂㅄㅅㅆㅇㅈㅊㅋㅌㅍㅎ")
BASE, END = 0xAC00, 0xD7A3
_FIRST_JAMO, _MIDDLE_JAMO, _LAST_JAMO = 0x1100, 0x1161, 0x11A7


def letters(text: str) -> str:
    """The letters of a text, one character each: one wrong vowel is one wrong letter, not a wrong syllable."""
    return unicodedata.normalize("NFD", text).casefold()


def initials(text: str) -> str:
    """초성: the first letter of each syllable; what is no syllable stays."""
    return "".join(FIRST[(ord(one) - BASE) // 588] if BASE <= ord(one) <= END else one for one in text)


def has_syllables(text: str) -> bool:
    """Whether any whole Korean syllable is in the text."""
    return any(BASE <= ord(one) <= END for one in text)


def _classes(firsts: str, middles: str, lasts: str) -> Mapping[int, int]:
    table: dict[int, int] = {}
    for alphabet, start, groups in (
        (FIRST, _FIRST_JAMO, firsts),
        (MIDDLE, _MIDDLE_JAMO, middles),
        (LAST, _LAST_JAMO, lasts),
    ):
        for group in groups.split():
            codes = [start + alphabet.index(letter) for letter in group]
            table.update(dict.fromkeys(codes[1:], codes[0]))
    return table


_ALIKE = _classes(
    "ㄱㄲㅋ ㄷㄸㅌ ㅂㅃㅍ ㅈㅉㅊ ㅅㅆ ㄴㄹ ㅇㅎ",
    "ㅏㅑ ㅐㅔㅒㅖ ㅓㅕ ㅗㅛ ㅜㅠ ㅙㅚㅞ ㅢㅣ",
    "ㄱㄲㅋㅂㅍㅄ ㄴㄵㄶㅇㅁㄹ ㄷㅅㅆㅈㅊㅌㅎ",
)
"""Letters that are heard or typed for each other."""
_COARSE = _classes(
    "ㄱㄲㅋ ㄷㄸㅌ ㅂㅃㅍ ㅈㅉㅊㅅㅆ ㄴㄹ ㅇㅎ",
    "ㅏㅑ ㅐㅔㅒㅖㅙㅚㅞ ㅓㅕㅗㅛㅜㅠㅡ ㅢㅣㅟ",
    "ㄱㄲㅋㅂㅍㅄ ㄴㄵㄶㅇㅁㄹ ㄷㅅㅆㅈㅊㅌㅎ",
)
"""The same, with the rounded vowels together, which dialects exchange."""


def alike(jamo: str) -> tuple[str, str]:
    """Letters (as of `letters`) as they sound, finely and coarsely."""
    return jamo.translate(_ALIKE), jamo.translate(_COARSE)


_KEYS = dict(
    zip(
        "qwertyuiopasdfghjklzxcvbnmQWERTOP",
        "ㅂㅈㄷㄱㅅㅛㅕㅑㅐㅔㅁㄴㅇㄹㅎㅗㅓㅏㅣㅋㅌㅊㅍㅠㅜㅡㅃㅉㄸㄲㅆㅒㅖ",
        strict=True,
    )
)
_VOWEL_PAIRS = {"ㅗㅏ": "ㅘ", "ㅗㅐ": "ㅙ", "ㅗㅣ": "ㅚ", "ㅜㅓ": "ㅝ", "ㅜㅔ": "ㅞ", "ㅜㅣ": "ㅟ", "ㅡㅣ": "ㅢ"}
_ENDING_PAIRS = {
    "ㄱㅅ": "ㄳ",
    "ㄴㅈ": "ㄵ",
    "ㄴㅎ": "ㄶ",
    "ㄹㄱ": "ㄺ",
    "ㄹㅁ": "ㄻ",
    "ㄹㅂ": "ㄼ",
    "ㄹㅅ": "ㄽ",
    "ㄹㅌ": "ㄾ",
    "ㄹㅍ": "ㄿ",
    "ㄹㅎ": "ㅀ",
    "ㅂㅅ": "ㅄ",
}
_C, _V = "[ㄱ-ㅎ]", "[ㅏ-ㅣ]"
_VOWEL = f"(?:{'|'.join(_VOWEL_PAIRS)}|{_V})"
_ENDING = f"(?:{'|'.join(_ENDING_PAIRS)}|{_C})"
_SYLLABLE = re.compile(rf"({_C})({_VOWEL})(?:({_ENDING})(?!{_V})|({_C})(?={_C}{_V})|({_C})(?!{_V}))?")


def composed(jamo: str) -> str:
    """Single letters (ㄱㅏㄴ) put together into syllables, as a Korean keyboard does."""

    def together(match: re.Match[str]) -> str:
        first, vowel = match[1], _VOWEL_PAIRS.get(match[2], match[2])
        last = match[3] or match[4] or match[5] or ""
        last = _ENDING_PAIRS.get(last, last)
        if first not in FIRST or last not in LAST:
            return match[0]
        return chr(BASE + FIRST.index(first) * 588 + MIDDLE.index(vowel) * 28 + LAST.index(last))

    return _SYLLABLE.sub(together, jamo)


_LATIN_WORD = re.compile(r"[A-Za-z]{3,}")


def from_english_keys(text: str) -> str:
    """Korean that was typed with the keyboard left in English; the text itself where that gives no Korean words."""

    def turned(match: re.Match[str]) -> str:
        korean = composed("".join(_KEYS.get(key, _KEYS.get(key.lower(), key)) for key in match[0]))
        return korean if all(BASE <= ord(one) <= END for one in korean) else match[0]

    return _LATIN_WORD.sub(turned, text)


def undo_wrong_decoding(text: str) -> str:
    """Korean whose bytes were read as a Western encoding (`ê¹í´ì`); the text itself where it was not."""
    if has_syllables(text) or not any("\x80" <= one <= "\xff" for one in text):
        return text
    for wrong in ("latin-1", "cp1252"):
        for right in ("utf-8", "cp949"):
            try:
                found = text.encode(wrong).decode(right)
            except UnicodeError:
                continue
            if has_syllables(found):
                return found
    return text


_DIGITS = {"영": 0, "공": 0, "일": 1, "이": 2, "삼": 3, "사": 4, "오": 5, "육": 6, "륙": 6, "칠": 7, "팔": 8, "구": 9}
_UNITS = {"십": 10, "백": 100, "천": 1000}


def spoken_number(word: str) -> int | None:
    """`이십사` as 24; None for what is no number."""
    total, digit = 0, 0
    for one in word:
        if one in _DIGITS:
            digit = digit * 10 + _DIGITS[one]
        elif one in _UNITS:
            total, digit = total + (digit or 1) * _UNITS[one], 0
        else:
            return None
    return total + digit if word else None
