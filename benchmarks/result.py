"""One measured figure beside its limit."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Result:
    """`ours` and `limit` in `unit`, of the same run; `ratio` of the two, to be held against `goal`.

    With `at_least` the ratio must be no smaller than the goal (throughput), else no larger (time, memory).
    """

    name: str
    ours: float
    limit: float
    ratio: float
    goal: float
    unit: str
    at_least: bool = True

    @property
    def reached(self) -> bool:
        """Whether the goal holds."""
        return self.ratio >= self.goal if self.at_least else self.ratio <= self.goal

    def line(self) -> str:
        """One row of a printed table."""
        sign = "≥" if self.at_least else "≤"
        mark = "ok" if self.reached else "MISSED"
        figures = f"{self.ours:>10,.4g} {self.limit:>10,.4g} {self.unit:<7}"
        return f"{self.name:<44} {figures} ratio {self.ratio:5.2f} (goal {sign} {self.goal:g}) {mark}"
