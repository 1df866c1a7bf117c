"""Single values of the file as people typed them. Pure."""

from __future__ import annotations

import re
from datetime import date

_COORDINATE = re.compile(r"[+-]?\d{1,3}(?:\.\d+)?")
_DATE = re.compile(r"(\d{4})\s*[-./년]\s*(\d{1,2})(?:\s*[-./월]\s*(\d{1,2}))?")
_PACKED = re.compile(r"(\d{4})(\d{2})(\d{2})(?:\d{6})?$")
_YEAR = re.compile(r"(\d{4})(?!\d)")
_VAGUE = frozenset(
    {
        "",
        "-",
        "99",
        "x",
        "X",
        ".",
        "없음",
        "CCTV",
        "cctv",
        "CCTV폴대",
        "CCTV 폴대",
        "폴대",
        "앞",
        "가로변",
        "이면도로",
        "기타",
        "골목 도로 인접",
    }
)
_YES = frozenset({"y", "yes", "유", "연계", "o", "1", "true", "예"})
_NO = frozenset({"n", "no", "무", "미연계", "x", "0", "false", "아니오", "해당없음"})
_GOOD = frozenset({"y", "정상", "양호", "적합", "이상없음", "합격", "pass", "1"})
_BAD = frozenset({"n", "불량", "이상", "부적합", "고장", "점검필요", "fail", "0"})


def day(text: str) -> date | None:
    """YYYY-MM-DD with - . / or 년월일, or packed YYYYMMDD; None for what is none."""
    match = _PACKED.match(text) or _DATE.match(text)
    if match is None:
        return None
    year, month, dom = (int(part) if part else 1 for part in match.groups())
    try:
        return date(year, month, dom) if 1950 <= year <= 2100 else None
    except ValueError:
        return None


def year(text: str) -> date | None:
    """The first of January of a year ("2013", "2013년"), or a whole date."""
    whole = day(text)
    if whole is not None:
        return whole
    match = _YEAR.match(text)
    return date(int(match[1]), 1, 1) if match and 1950 <= int(match[1]) <= 2100 else None


def coordinate(text: str) -> float | None:
    """A decimal degree; None for anything else."""
    return float(text) if _COORDINATE.fullmatch(text) else None


def decimals(text: str) -> int:
    """How many digits stand behind the point."""
    return len(text.partition(".")[2])


def yes_no(text: str) -> str | None:
    """yes, no, unknown (nothing said), or None for what nobody can read."""
    plain = re.sub(r"\s+", "", text).casefold()
    if not plain or plain == "-":
        return "unknown"
    return "yes" if plain in _YES else "no" if plain in _NO else None


def result(text: str) -> str | None:
    """pass, fail, unknown (nothing said), or None for what nobody can read."""
    plain = re.sub(r"\s+", "", text).casefold()
    if not plain or plain == "-":
        return "unknown"
    return "pass" if plain in _GOOD else "fail" if plain in _BAD else None


def is_vague(location: str) -> bool:
    """Whether what stands as 설치위치 names no place."""
    return location.strip() in _VAGUE or len(location.strip()) < 2


def is_coarse(address: str) -> bool:
    """Whether an address names no building or lot: no digit after its street or 동, or 없음 in place of it."""
    return "없음" in address or not re.search(r"\d", address)


def agency(text: str) -> str:
    """An agency's name without what spelling adds: brackets, spaces."""
    return re.sub(r"\s+", "", re.sub(r"\([^)]*\)", "", text))
