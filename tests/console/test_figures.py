"""What the hub knows of its sources, as the screens and the office are shown it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from madang.console import feeds
from madang.console.workers import HubFigures, workers
from madang.hub.config import HubConfig
from madang.hub.hub import Hub
from madang.identity.models import Authority
from madang.kernel.workers import LoopWorker
from tests.console.listening import Threads

pytestmark = pytest.mark.django_db(transaction=True)


async def _fed(path: Path, city: str) -> Hub:
    hub = await Hub.open(HubConfig(store=str(path)))
    reading = {"id": "urn:ngsi-ld:AirQualityObserved:1", "type": "AirQualityObserved", "pm10": 31}
    await hub.upsert(city, [reading], source="mqtt:air")
    await hub.reject(city, "mqtt:air", "not JSON", b"\xff{")
    await hub.reject(city, "mqtt:air", "no id", b"{}")
    return hub


def test_feeds_and_rejects_are_told_city_by_city(tmp_path: Path) -> None:
    async def look() -> HubFigures:
        hub = await _fed(tmp_path / "hub.sqlite3", "48250")
        figures = HubFigures()
        for city in ("48250", "26440"):
            await figures.look(hub, city)
        await hub.close()
        return figures

    figures = asyncio.run(look())
    (feed,) = figures.feeds["48250"]
    assert (feed.name, feed.kind, feed.rejects) == ("mqtt:air", "mqtt", 2)
    assert feed.last_at is not None
    (reject,) = figures.rejects["48250"]
    assert (reject.source, reject.count) == ("mqtt:air", 2)
    assert figures.feeds["26440"] == [] and figures.rejects["26440"] == []


def test_the_worker_keeps_the_figures_at_hand_while_it_runs(tmp_path: Path, authority: Authority) -> None:
    class Lent(Threads):
        hub: Hub | None = None
        owned_types: frozenset[str] = frozenset()

    async def run(lent: Lent) -> None:
        lent.hub = await _fed(tmp_path / "hub.sqlite3", authority.code)
        (worker,) = workers(lent)
        assert isinstance(worker, LoopWorker)
        task = asyncio.ensure_future(worker.run())
        async with asyncio.timeout(10):
            while not feeds.rejects_of(authority.code):
                await asyncio.sleep(0.01)
        assert feeds.rejects_of(authority.code)[0].count == 2
        assert [row["name"] for row in feeds.feed_rows(authority.code)] == ["mqtt:air"]
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await lent.hub.close()

    lent = Lent()
    asyncio.run(run(lent))
    lent.close()
    assert feeds.feed_rows(authority.code) == []
