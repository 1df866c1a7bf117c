"""What the console runs in the background: it keeps the hub's figures at hand for the screens."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Protocol, TypeVar

from madang.console import feeds
from madang.console.feeds import Feed, Reject
from madang.console.hub_line import LINE
from madang.console.hub_rates import Rates
from madang.hub.hub import Hub
from madang.hub.store import RejectSummary
from madang.identity.models import Authority
from madang.kernel.workers import LoopWorker, ThreadWorker

T = TypeVar("T")
EVERY_S = 5.0
EXAMPLE_CHARACTERS = 300

log = logging.getLogger(__name__)


class Services(Protocol):
    """What the site lends."""

    hub: Hub | None
    owned_types: frozenset[str]

    async def run_civic(self, work: Callable[[], T]) -> T: ...


class HubFigures:
    """The hub's sources and rejects by city, as they were seconds ago. Read from any thread."""

    def __init__(self) -> None:
        self.feeds: dict[str, list[Feed]] = {}
        self.rejects: dict[str, list[Reject]] = {}
        self.rates = Rates()

    async def look(self, hub: Hub, city: str) -> None:
        """Asks the hub about one city."""
        sources, summary = await hub.feeds(city), await hub.reject_summary(city)
        self.feeds[city] = [
            Feed(
                name=feed.source,
                kind=feed.source.partition(":")[0],
                last_at=feed.last_at,
                stale_after_s=round(feed.stale_after_s),
                count=feed.readings,
                rejects=feed.rejects,
            )
            for feed in sources
        ]
        self.rejects[city] = _rejects(summary)
        for source in sources:
            self.rates.note(city, source.source, time.monotonic(), source.readings)


def _rejects(summary: RejectSummary) -> list[Reject]:
    newest = {reject.source: reject for reject in sorted(summary.latest, key=lambda reject: reject.at)}
    return [
        Reject(
            source=source,
            reason=newest[source].reason if source in newest else "",
            count=count,
            last_at=newest[source].at if source in newest else None,
            example=newest[source].raw[:EXAMPLE_CHARACTERS].decode("utf-8", "replace") if source in newest else "",
        )
        for source, count in summary.by_source.items()
    ]


def workers(services: Services) -> list[ThreadWorker | LoopWorker]:
    """One small loop beside the server."""
    figures = HubFigures()

    async def run() -> None:
        end = feeds.provide(lambda city: figures.feeds.get(city, []), lambda city: figures.rejects.get(city, []))
        if services.hub is not None:
            LINE.connect(services.hub, asyncio.get_running_loop(), services.owned_types, figures.rates)
        try:
            while True:
                await _look_at_all(services, figures)
                await asyncio.sleep(EVERY_S)
        finally:
            LINE.disconnect()
            end()

    return [LoopWorker("console.figures", run)]


async def _look_at_all(services: Services, figures: HubFigures) -> None:
    if services.hub is None:
        return
    for city in await services.run_civic(lambda: list(Authority.objects.values_list("code", flat=True))):
        await figures.look(services.hub, city)
