"""Single values of the file as people typed them, read into numbers, dates and purposes. Pure."""

from __future__ import annotations

import re
from datetime import date
from functools import lru_cache

_NUMBER = re.compile(r"[+-]?\d+(?:\.\d*)?|[+-]?\.\d+")
_DATE = re.compile(r"(\d{4})(?:\s*[-./년]\s*(\d{1,2})(?:\s*[-./월]\s*(\d{1,2}))?)?")
_PACKED = re.compile(r"(\d{4})(\d{2})(\d{2})?(?:\d{6})?")
_COORDINATE = re.compile(r"[+-]?\d{1,3}(?:\.\d+)?")

EARLIEST_YEAR = 1970
LATEST_YEAR = 2100


@lru_cache(maxsize=4096)
def number(text: str) -> float | None:
    """A number with thousands commas or a trailing unit ("1,200", "30일", "3대"); None where there is none."""
    match = _NUMBER.match(text.replace(",", "").strip())
    return float(match.group()) if match else None


@lru_cache(maxsize=4096)
def megapixels(text: str) -> float | None:
    """카메라화소수 in megapixels: the standard counts 만 화소 ("200" is 2 MP), some files whole pixels or megapixels.

    0 means nobody filled it in, so None.
    """
    value = number(text)
    if value is None or value <= 0:
        return None
    if value >= 100_000:
        return round(value / 1e6, 2)
    return round(value / 100, 2) if value >= 20 else value


@lru_cache(maxsize=8192)
def day(text: str) -> date | None:
    """YYYY-MM-DD, YYYY-MM, YYYY, with - . / or 년월일, or packed YYYYMM(DD); what is not said is 1."""
    match = _PACKED.match(text) or _DATE.match(text)
    if match is None:
        return None
    year, month, dom = (int(part) if part else 1 for part in match.groups())
    if not EARLIEST_YEAR <= year <= LATEST_YEAR:
        return None
    try:
        return date(year, month, dom)
    except ValueError:
        return None


def coordinate(text: str) -> float | None:
    """A decimal degree; None for anything else (degrees-minutes-seconds included: nothing is guessed)."""
    return float(text) if _COORDINATE.fullmatch(text) else None


PURPOSES: dict[str, str] = {
    "생활방범": "crime_prevention",
    "어린이보호": "child_protection",
    "교통단속": "traffic_enforcement",
    "교통정보수집": "traffic_information",
    "시설물관리": "facility",
    "차량방범": "vehicle",
    "쓰레기단속": "litter",
    "재난재해": "disaster",
    "다목적": "multipurpose",
    "기타": "other",
}
"""The purposes of the standard (설치목적구분) and our codes for them."""
UNKNOWN_PURPOSE = ""

_WORDS: tuple[tuple[str, str], ...] = (
    ("어린이", "child_protection"),
    ("스쿨존", "child_protection"),
    ("차량방범", "vehicle"),
    ("쓰레기", "litter"),
    ("무단투기", "litter"),
    ("재난", "disaster"),
    ("재해", "disaster"),
    ("산불", "disaster"),
    ("하천", "disaster"),
    ("교통정보", "traffic_information"),
    ("주정차", "traffic_enforcement"),
    ("단속", "traffic_enforcement"),
    ("시설", "facility"),
    ("다목적", "multipurpose"),
    ("방범", "crime_prevention"),
)


@lru_cache(maxsize=1024)
def purpose(text: str) -> str | None:
    """Our code of a purpose; free text goes by its words ("방범(어린이보호구역)"); None for what nobody knows."""
    plain = re.sub(r"\s+", "", text)
    if plain in PURPOSES:
        return PURPOSES[plain]
    return next((code for word, code in _WORDS if word in plain), None)


@lru_cache(maxsize=4096)
def agency(text: str) -> str:
    """An agency's name without what spelling adds: bracketed departments, spaces, the final 청 (기장군청 → 기장군)."""
    plain = re.sub(r"\s+", " ", re.sub(r"\([^)]*\)", " ", text)).strip()
    return re.sub(r"(?<=[시군구도])청$", "", plain)
