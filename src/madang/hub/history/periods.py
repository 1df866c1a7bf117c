"""ISO 8601 durations as aggregation periods (clause 4.5.19.1). Pure; times in µs since 1970."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from madang.hub.errors import BadRequestDataError, TooComplexQueryError

_DURATION = re.compile(
    r"P(?:(?P<w>\d{1,6})W|(?:(?P<y>\d{1,4})Y)?(?:(?P<mo>\d{1,5})M)?(?:(?P<d>\d{1,7})D)?"
    r"(?:T(?:(?P<h>\d{1,8})H)?(?:(?P<mi>\d{1,9})M)?(?:(?P<s>\d{1,10}(?:\.\d{1,6})?)S)?)?)\Z"
)
_SECOND = 1_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MAX_PERIODS = 100_000


@dataclass(frozen=True, slots=True)
class Period:
    """Calendar months and µs; both zero: the whole time range."""

    months: int = 0
    us: int = 0

    @property
    def whole(self) -> bool:
        """Whether it spans everything."""
        return not self.months and not self.us

    def floor(self, us: int) -> int:
        """The start of the period an instant lies in when periods are aligned to UTC: to midnight and Mondays, or for
        months to the year 0001."""
        if not self.months:
            return us - (us - _MONDAY) % self.us if self.us % _WEEK == 0 else us - us % self.us
        moment = _EPOCH + timedelta(microseconds=us)
        month = (moment.year * 12 + moment.month - 1) // self.months * self.months
        return _us(_of_month(max(month, 12)))

    def after(self, start: int, count: int) -> int:
        """The start of the `count`-th period after one that starts at `start`; months keep day and time where they
        can, and end with the month where they cannot."""
        if not self.months:
            return start + self.us * count
        moment = _EPOCH + timedelta(microseconds=start)
        month = moment.year * 12 + moment.month - 1 + self.months * count
        first = _of_month(month)
        day = min(moment.day, (_of_month(month + 1) - first).days or 1)
        return _us(first.replace(day=day, hour=moment.hour, minute=moment.minute, second=moment.second)) + (
            moment.microsecond + self.us * count
        )

    def bounds(self, start: int, last: int) -> list[int]:
        """Starts of the periods from `start` on until `last` is covered, and the end of the last one."""
        return [*self._bounds(start, last)]

    def _bounds(self, start: int, last: int) -> Iterator[int]:
        for count in range(MAX_PERIODS + 1):
            bound = self.after(start, count)
            yield bound
            if bound > last:
                return
        raise TooComplexQueryError(f"The time range holds more than {MAX_PERIODS} periods", where="aggrPeriodDuration")


_WEEK = 7 * 86_400 * _SECOND
_MONDAY = 4 * 86_400 * _SECOND


def _of_month(month: int) -> datetime:
    if month >= 9999 * 12 + 11:
        return datetime(9999, 12, 1, tzinfo=UTC)
    return datetime(month // 12, month % 12 + 1, 1, tzinfo=UTC)


def _us(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)


def parse_period(text: str) -> Period:
    """A `Period`; raises `BadRequestDataError` for what is no duration. Empty text is the whole range."""
    if not text:
        return Period()
    match = _DURATION.match(text)
    if match is None or text[-1] in "PT":
        raise BadRequestDataError(
            f"{text[:40]!r} is not an ISO 8601 duration", where="aggrPeriodDuration", hint="e.g. PT1H, P1D, P1M"
        )
    part = {name: int(value) for name, value in match.groupdict(default="0").items() if name != "s"}
    seconds = float(match["s"] or 0)
    days = part["w"] * 7 + part["d"]
    us = (days * 86_400 + part["h"] * 3_600 + part["mi"] * 60) * _SECOND + round(seconds * _SECOND)
    return Period(part["y"] * 12 + part["mo"], us)
