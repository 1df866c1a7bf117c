"""Time: aware UTC inside, Asia/Seoul on screens. Whoever needs the time is handed a `Clock`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

Clock = Callable[[], datetime]

SEOUL = ZoneInfo("Asia/Seoul")


def system_clock() -> datetime:
    """Now, as aware UTC."""
    return datetime.now(UTC)


def parse_instant(text: str) -> datetime:
    """Reads an RFC 3339 instant with its offset; raises `ValueError` for one without, or outside the UTC calendar."""
    try:
        value = datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError(f"{text!r} is no time; write e.g. 2026-11-22T09:00:00+09:00") from error
    if value.tzinfo is None:
        raise ValueError(f"{text!r} has no UTC offset; write e.g. 2026-11-22T09:00:00+09:00")
    try:
        return value.astimezone(UTC)
    except OverflowError as error:
        raise ValueError(f"{text!r} lies outside the years 1 to 9999 in UTC") from error


def instant_text(value: datetime) -> str:
    """RFC 3339 in UTC with millisecond precision: `2026-11-22T00:00:00.000Z`."""
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def seoul_text(value: datetime) -> str:
    """What a screen shows: `2026-11-22 09:00:00` in Korean time."""
    return value.astimezone(SEOUL).strftime("%Y-%m-%d %H:%M:%S")
