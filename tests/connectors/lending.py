"""What the site lends to connectors under test: time, and the civic store on the loop's own thread."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from madang.kernel.clock import system_clock

T = TypeVar("T")


class Site:
    """A site whose clock may be set."""

    def __init__(self, now: datetime | None = None) -> None:
        self.now = now

    def clock(self) -> datetime:
        return self.now or system_clock()

    async def run_civic(self, work: Callable[[], T]) -> T:
        return work()
