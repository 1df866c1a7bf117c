"""How much of a month things worked: what was seen, what of it was down, and what nobody saw. Pure.

Unknown time is never counted as working. Availability is the share of the *known* time; coverage, which stands beside
it everywhere, is the share of all time that is known.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

Span = tuple[datetime, datetime]
"""From (included) to (not included)."""


@dataclass(frozen=True, slots=True)
class Share:
    """Seconds of facilities' time: all of it, what is known of it, what of that was down.

    `told_down_s` also counts what was down by people's word alone.
    """

    total_s: float = 0.0
    known_s: float = 0.0
    down_s: float = 0.0
    told_down_s: float = 0.0
    facilities: int = 0
    known_facilities: int = 0

    def __add__(self, other: Share) -> Share:
        return Share(
            self.total_s + other.total_s,
            self.known_s + other.known_s,
            self.down_s + other.down_s,
            self.told_down_s + other.told_down_s,
            self.facilities + other.facilities,
            self.known_facilities + other.known_facilities,
        )

    @property
    def availability(self) -> float | None:
        """Share of the known time in which it worked; None where nothing is known."""
        return None if self.known_s <= 0 else max(0.0, 1.0 - self.down_s / self.known_s)

    @property
    def coverage(self) -> float | None:
        """Share of all time that is known; None where there was no time at all."""
        return None if self.total_s <= 0 else min(1.0, self.known_s / self.total_s)


def clipped(spans: Iterable[Span], window: Span) -> list[Span]:
    """The parts of spans inside a window, joined where they touch or overlap, in order."""
    inside = sorted((max(a, window[0]), min(b, window[1])) for a, b in spans)
    joined: list[Span] = []
    for a, b in inside:
        if a >= b:
            continue
        if joined and a <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(b, joined[-1][1]))
        else:
            joined.append((a, b))
    return joined


def seconds(spans: Iterable[Span]) -> float:
    """The length of spans that do not overlap, seconds."""
    return sum((b - a).total_seconds() for a, b in spans)


def common(a: Iterable[Span], b: Iterable[Span]) -> list[Span]:
    """The time that lies in both lists of spans, each of them in order and without overlaps."""
    shared = [(max(x[0], y[0]), min(x[1], y[1])) for x in a for y in b]
    return sorted(span for span in shared if span[0] < span[1])


def share_of(window: Span, seen: Iterable[Span], down: Iterable[Span], reported: Iterable[Span] = ()) -> Share:
    """What one facility's month says. Time seen to be down is known.

    What people `reported` down counts where the thing was watched: of things known only by their faults, no share can
    be told, for nobody reports that a lamp burns.
    """
    if window[0] >= window[1]:
        return Share()
    broken, told = clipped(down, window), clipped(reported, window)
    known = clipped([*seen, *broken], window)
    lost = clipped([*broken, *common(told, known)], window)
    whole = clipped([*broken, *told], window)
    known_s = seconds(known)
    return Share(seconds([window]), known_s, seconds(lost), seconds(whole), 1, 1 if known_s > 0 else 0)
