"""What somebody may have meant by a line of text: road, lot or name, before anything is looked up. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

from madang.places.hangul import composed, from_english_keys, has_syllables, spoken_number, undo_wrong_decoding

MAX_CHARS = 300
_WIDE = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)} | {0x3000: 0x20}
_DASHES = dict.fromkeys(map(ord, "‐‑‒–—―−─ー~∼～"), "-")
_NOISE = re.compile(r"""[\s,;:!?_'"‘’“”\[\]{}<>/\\|*%#@^`]+""")
_LETTERS_APART = re.compile(r"(?:[ㄱ-ㅎ][ㅏ-ㅣ]+[ㄱ-ㅎ]*)+")
_POSTCODE = re.compile(r"^\s*[(\[]?\s*\d{5}\s*[)\]]?(?=\s)")
_SPOKEN_DASH = re.compile(r"(?<=\d)\s*(?:다시|대시|에|의)\s*(?=\d)")
_SPOKEN = "일이삼사오육륙칠팔구십백천"
_SPOKEN_BEFORE = re.compile(rf"(?<![가-힣])([{_SPOKEN}]+)(?=번길|번지|다시)|(?<=로)([{_SPOKEN}]+)(?=번길)")
_SPOKEN_BLOCK = re.compile(rf"(?<=[가-힣])([{_SPOKEN}])(?=단지|차(?:\s|$))")
_SPOKEN_ALONE = re.compile(rf"(?<=[로길동리]\s)([{_SPOKEN}]{{1,6}})(?=\s|$|번지)")
_SPOKEN_IN_ROAD = re.compile(rf"([가-힣])([{_SPOKEN[:9]}])(?=로|길)")
_BRANCH_APART = re.compile(r"(\d+)\s*(?:번\s*|ㅂ)?([가-하안]?)\s*(?:길|ㄱ)(?![가-힣])")
_KIND_APART = re.compile(r"(?<=[가-힣])\s+(?=(?:대로|로|길)(?:\d|\s|$))")
_TO_BRANCH = re.compile(r"\s+(?=\d+번?[가-하안]?길)")
_PROVINCES = (
    "서울특별시|서울시?|부산광역시|부산시?|대구광역시|대구시?|인천광역시|인천시?|광주광역시|대전광역시|대전시?|울산광역시|울산시?"
    "|세종특별자치시|세종시|경기도|경기|강원특별자치도|강원도|강원|충청북도|충북|충청남도|충남|전북특별자치도|전라북도|전북|전라남도|전남"
    "|경상북도|경북|경상남도|경남|제주특별자치도|제주도"
)
_PROVINCE = re.compile(rf"^\s*(?:대한민국\s*)?(?:{_PROVINCES})(?=\s|[가-힣])\s*")
_NUMBER = re.compile(
    r"(?P<basement>지하)?\s*(?P<hill>산)?\s*(?P<main>\d{1,5})(?:\s*-\s*(?P<sub>\d{1,4}))?\s*(?:번지|번)?"
    r"(?!\d|\s*-|\s*번?[가-하안]?길|길|(?:대로|로|동|층|단지|차|가|호|관|학년|명|m)|\s*(?:호|층|동)(?:\s|$))"
)
_UNITS = re.compile(r"(?<![가-힣])(?:지하\s*)?\d+\s*(?:동|호|층|단지\s*동)(?=\s|$|[가-힣])(?!단지)")
_BRACKETS = re.compile(r"\(([^()]*)\)?")
_BRANCH = re.compile(r"^(.+?)(\d+)(번?)([가-하안]?)길$")


@dataclass(frozen=True, slots=True)
class Numbered:
    """Words, and a number that stands after them."""

    words: tuple[str, ...]
    main: int
    sub: int
    hill: bool
    basement: bool
    after: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Road:
    """A road as somebody wrote it: its own name, and the numbers that lead to one of its branches (or "")."""

    base: str
    branches: tuple[str, ...]


@lru_cache(maxsize=1024)
def plain(text: str) -> str:
    """One spelling: composed Hangul, half-width digits, one kind of dash, repaired keyboard and decoding."""
    text = unicodedata.normalize("NFC", text[:MAX_CHARS]).translate(_WIDE).translate(_DASHES)
    text = undo_wrong_decoding("".join(one for one in text if one.isprintable() or one.isspace()))
    text = _LETTERS_APART.sub(lambda match: composed(match[0]), text)
    if not has_syllables(text):
        text = from_english_keys(text)
    text = _POSTCODE.sub(" ", text)
    if "(" in text:
        text = f"{_BRACKETS.sub(' ', text)} {' '.join(_BRACKETS.findall(text))}"
    return _NOISE.sub(" ", text).strip()


def readings(text: str) -> list[str]:
    """`text` (of `plain`) as numbers said in words may be meant: the likeliest first."""
    text = _SPOKEN_DASH.sub("-", text)
    spelled = _SPOKEN_BEFORE.sub(_digits, text)
    spelled = _SPOKEN_BLOCK.sub(_digits, spelled)
    spelled = _SPOKEN_ALONE.sub(_digits, _SPOKEN_DASH.sub("-", spelled))
    found = [_joined(spelled)]
    in_road = _SPOKEN_IN_ROAD.sub(lambda match: f"{match[1]}{spoken_number(match[2])}", spelled)
    if in_road != spelled:
        found.append(_joined(in_road))
    return found


def _digits(match: re.Match[str]) -> str:
    return str(spoken_number(next(part for part in match.groups() if part)))


def _joined(text: str) -> str:
    """Roads as one word each, however they were spaced."""
    text = _BRANCH_APART.sub(lambda match: f"{match[1]}번{match[2]}길" if _had_beon(match) else match[0], text)
    text = _KIND_APART.sub("", text)
    return _TO_BRANCH.sub("", text)


def _had_beon(match: re.Match[str]) -> bool:
    return "번" in match[0] or "ㅂ" in match[0] or " " in match[0]


def without_province(text: str) -> str:
    """The text without 시·도 before it."""
    return _PROVINCE.sub("", text)


def numbered(text: str) -> Iterator[Numbered]:
    """Every number that may be a house's or a lot's, the first first."""
    for match in _NUMBER.finditer(text):
        before, after = text[: match.start()], tuple(text[match.end() :].split())
        if not before.strip():
            continue
        hill = bool(match["hill"])
        here = Numbered(
            tuple(before.split()), int(match["main"]), int(match["sub"] or 0), hill, bool(match["basement"]), after
        )
        yield here
        glued = hill and not before[-1:].isspace()
        if glued and not match["basement"]:
            yield replace(here, words=(*here.words[:-1], here.words[-1] + "산"), hill=False)


def endings(words: tuple[str, ...], most: int = 3) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The last word, the last two as one, and so on, each with the words before it."""
    for count in range(1, min(most, len(words)) + 1):
        yield "".join(words[-count:]), words[:-count]


def roads(text: str) -> list[Road]:
    """How a word may be a road: whole, or a branch (번길) of another."""
    match = _BRANCH.match(text)
    if match is None:
        return [Road(text, ("",))]
    base, number, beon, letter = match.groups()
    both = (f"{number}번{letter}길", f"{number}{letter}길")
    branch = Road(base, both if beon else both[::-1])
    return [branch] if beon else [Road(text, ("",)), branch]


def names(text: str) -> list[str]:
    """What in a text may be a place's name: all of it, then less of what stands after, then its words."""
    words = _UNITS.sub(" ", text).split()
    found = ["".join(words[:count]) for count in range(len(words), 0, -1)]
    found += ["".join(words[start : start + 2]) for start in range(1, len(words))]
    found += words[1:]
    return [name for name in dict.fromkeys(found) if len(name) >= 2][:10]
