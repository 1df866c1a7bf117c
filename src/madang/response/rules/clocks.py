"""When a scheduled rule speaks next. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta

from madang.kernel.clock import SEOUL
from madang.response.rules.conditions import WEEKDAYS, minutes_of
from madang.response.rules.vocabulary import Rule, Schedule


def next_time(rule: Rule, now: datetime) -> datetime:
    """The first of its times after `now`, aware UTC."""
    when = rule.when
    assert isinstance(when, Schedule)
    minutes = minutes_of(when.at)
    today = now.astimezone(SEOUL).date()
    for ahead in range(9):
        day = today + timedelta(days=ahead)
        at = datetime.combine(day, time(minutes // 60, minutes % 60), SEOUL)
        if at > now and (not when.weekdays or WEEKDAYS[day.weekday()] in when.weekdays):
            return at.astimezone(UTC)
    raise AssertionError("a week has every weekday")
