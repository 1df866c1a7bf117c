"""One measured figure beside its limit."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Result:
    """`ours` against `limit`, both in `unit`; `ratio` is ours/limit and `goal` what it must reach.

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
