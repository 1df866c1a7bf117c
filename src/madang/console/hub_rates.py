"""How fast readings come in, from counts that only grow. Pure; the caller looks from time to time and says when."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

MINUTES = 60
_WINDOW_S = 60.0
_LEAST_S = 25.0


@dataclass(slots=True)
class _Pace:
    recent: deque[tuple[float, int]] = field(default_factory=deque)
    by_minute: dict[int, int] = field(default_factory=dict)


class Rates:
    """Readings a minute for each source of each city, over the last hour. What was not watched is unknown."""

    def __init__(self) -> None:
        self._paces: dict[tuple[str, str], _Pace] = {}

    def note(self, city: str, source: str, at_s: float, readings: int) -> None:
        """The count of a source as it stood at `at_s` (seconds of any one clock)."""
        pace = self._paces.setdefault((city, source), _Pace())
        minute = int(at_s // 60)
        known = pace.recent[-1][1] if pace.recent else readings
        came = readings - known if readings >= known else readings
        pace.by_minute[minute] = pace.by_minute.get(minute, 0) + came
        for old in [one for one in pace.by_minute if one <= minute - MINUTES]:
            del pace.by_minute[old]
        if readings < known:
            pace.recent.clear()
        pace.recent.append((at_s, readings))
        while len(pace.recent) > 2 and pace.recent[1][0] <= at_s - _WINDOW_S:
            pace.recent.popleft()

    def last_minute(self, city: str, source: str) -> int | None:
        """Readings in the last minute of watching, or None when it was watched too briefly to tell."""
        pace = self._paces.get((city, source))
        if pace is None:
            return None
        (first_s, first), (last_s, last) = pace.recent[0], pace.recent[-1]
        span_s = last_s - first_s
        return round((last - first) * 60 / span_s) if span_s >= _LEAST_S else None

    def last_hour(self, city: str, source: str, at_s: float) -> list[int | None]:
        """Readings of each of the last 60 whole minutes, oldest first; None where nobody watched."""
        pace = self._paces.get((city, source))
        now = int(at_s // 60)
        return [pace.by_minute.get(minute) if pace else None for minute in range(now - MINUTES, now)]
