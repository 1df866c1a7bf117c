"""Reads Korean addresses as people write them: road names (도로명) and lot numbers (지번). Pure."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache


class Kind(StrEnum):
    """How an address is written."""

    ROAD = "road"
    LOT = "lot"


@dataclass(frozen=True, slots=True)
class Address:
    """An address taken apart. `main` 0 means that no number was said; `hill` is 산 before a lot number."""

    kind: Kind
    areas: tuple[str, ...]
    street: str
    main: int = 0
    sub: int = 0
    hill: bool = False

    @property
    def number(self) -> str:
        """`12`, `12-3` or `산12-3`; empty when none was said."""
        if not self.main:
            return ""
        return f"{'산' if self.hill else ''}{self.main}{f'-{self.sub}' if self.sub else ''}"

    @property
    def normalised(self) -> str:
        """One spelling for one address: what two files that mean the same place agree on."""
        return " ".join((*self.areas, self.street, self.number)).strip()


MAX_CHARS = 300
MAX_NUMBER = 100_000

_BRACKETS = re.compile(r"\(([^()]*)\)?")
_SPACES = re.compile(r"""[\s,_'"‘’“”]+""")
_NUMBER = r"(?P<main>\d{1,5})(?:\s?-\s?(?P<sub>\d{1,4}))?(?!\d)"
_WARD = re.compile(rf"(?:^|\s)(?P<street>[가-힣]+\d*(?:동|로)\s?\d{{1,2}}\s?가)\s?(?P<hill>산)?\s?{_NUMBER}")
_ROAD_NAME = (
    r"(?P<street>[가-힣0-9A-Za-z·.]*?[가-힣A-Za-z0-9](?:대로|로|길)"
    r"(?:\s?\d+(?:번)?[가-하]?길)?(?:\s?\d+(?:번)?길)?)"
)
_ROAD = re.compile(rf"(?:^|\s){_ROAD_NAME}(?P<hill>)\s?(?:지하\s?)?{_NUMBER}(?!\s?번?[가-하]?길|\s?가(?:\s|$)|[층호])")
_LOT = re.compile(rf"(?:^|\s)(?P<street>[가-힣][가-힣0-9]*?(?:동|리|읍|면|가))\s?(?P<hill>산)?\s?{_NUMBER}(?![층호])")
_STREET_ONLY = re.compile(rf"(?:^|\s){_ROAD_NAME}(?P<hill>)(?P<main>)(?P<sub>)(?=\s|$)")

_PROVINCE = re.compile(
    "(?:서울|부산|대구|인천|광주|대전|울산|세종)(?:특별자치시|특별시|광역시|시)?"
    "|(?:경기|강원|충북|충남|전북|전남|경북|경남|제주)(?:특별자치도|도)?"
    "|(?:충청|전라|경상)[남북]도"
)
"""How people write the first word of an address; it says nothing inside one city."""

_AREA = re.compile(r"[가-힣0-9·]+")


@lru_cache(maxsize=4096)
def _is_area(word: str) -> bool:
    """Whether a word names a 시·군·구 or 읍·면·동·리."""
    return word[-1] in "시군구읍면동리" and _AREA.fullmatch(word) is not None and _PROVINCE.fullmatch(word) is None


def tidy(text: str) -> str:
    """One spelling of spaces and digits; what stands in brackets comes after, as a hint."""
    plain = unicodedata.normalize("NFKC", text[:MAX_CHARS])
    if "(" in plain:
        plain = f"{_BRACKETS.sub(' ', plain)} {' '.join(_BRACKETS.findall(plain))}"
    return _SPACES.sub(" ", plain).strip()


def read(text: str) -> Address | None:
    """The address in a text, with or without province and city, spaces or 번지; None if there is none.

    Words after the number ("앞", a building's name) are passed over.
    """
    plain = tidy(text)
    roads = "로" in plain or "길" in plain
    for pattern, kind, possible in (
        (_WARD, Kind.LOT, "가" in plain),
        (_ROAD, Kind.ROAD, roads),
        (_LOT, Kind.LOT, True),
    ):
        match = pattern.search(plain) if possible else None
        if match is not None:
            return _address(plain, match, kind)
    match = _STREET_ONLY.search(plain) if roads else None
    return _address(plain, match, Kind.ROAD) if match is not None else None


def _address(plain: str, match: re.Match[str], kind: Kind) -> Address:
    street, hill, main, sub = match.group("street", "hill", "main", "sub")
    if " " in street:
        street = street.replace(" ", "")
    words = plain[: match.start()].split()
    if match.end() < len(plain):
        after = plain[match.end() :].split()
        words += [word for word in after if word[-1] in "동리" and not word[0].isdigit()][:1]
    areas = [word for word in words if word != street and _is_area(word)]
    unique = tuple(areas) if len(areas) < 2 else tuple(dict.fromkeys(areas))
    return Address(kind, unique, street, int(main or 0), int(sub or 0), bool(hill))


def areas_in(text: str) -> tuple[str, ...]:
    """The cities, districts and 읍·면·동 a text names."""
    return tuple(word for word in tidy(text).split() if _is_area(word))


def areas_conflict(asked: tuple[str, ...], known: tuple[str, ...]) -> bool:
    """Whether two addresses name different areas of the same rank (another 구, another 동)."""
    for ranks in ("시", "군구", "읍면동리"):
        wanted = {word for word in asked if word[-1] in ranks}
        found = {word for word in known if word[-1] in ranks}
        if wanted and found and not wanted & found:
            return True
    return False
