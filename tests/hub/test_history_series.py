"""An attribute's history as points for a plot: the same from rows and files, never more points than asked for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from madang.hub.history.series import Series, SeriesPoint
from madang.hub.hub import Hub
from tests.hub.client import run
from tests.hub.conftest import OpenHub

BEGIN = datetime(2026, 4, 1, tzinfo=UTC)
END = BEGIN + timedelta(hours=1)


def reading(minute: int, value: Any, **more: Any) -> dict[str, Any]:  # Any: JSON
    at = (BEGIN + timedelta(minutes=minute)).isoformat().replace("+00:00", "Z")
    return {"id": "urn:x:1", "type": "A", "a": {"type": "Property", "value": value, "observedAt": at, **more}}


async def series(hub: Hub, most: int = 500, **more: Any) -> Series:
    return await hub.series("One", "urn:x:1", "a", BEGIN, END, most, **more)


def test_few_readings_are_points_and_many_are_stretches(open_hub: OpenHub) -> None:
    async def body() -> None:
        async with open_hub() as hub:
            for minute in (0, 1, 30, 31, 59):
                await hub.ingest("one", [reading(minute, minute, unitCode="CEL")], source="s")
            await hub.ingest("one", [reading(60, 1_000)], source="s")
            for rolled in (False, True):
                if rolled:
                    await hub.past.roller.roll_all()
                found = await series(hub)
                assert (found.kind, found.unit, found.readings, found.bucket_s) == ("numeric", "CEL", 5, 0.0)
                assert [one.mean for one in found.points] == [0, 1, 30, 31, 59]
                found = await series(hub, 2)
                assert found.bucket_s == 1_800
                assert found.points == (
                    SeriesPoint(BEGIN, 0, 0.5, 1, 2),
                    SeriesPoint(BEGIN + timedelta(minutes=30), 30, 40, 59, 3),
                )

    run(body)


def test_what_is_no_number_is_told_as_changes(open_hub: OpenHub) -> None:
    async def body() -> None:
        async with open_hub() as hub:
            for minute, value in enumerate(["open", "closed", 3]):
                await hub.ingest("one", [reading(minute, value)], source="s")
            found = await series(hub, 2)
            assert (found.kind, found.readings, found.truncated) == ("changes", 3, True)
            assert [one.value for one in found.changes] == [3, "closed"]
            assert found.changes[0].at == BEGIN + timedelta(minutes=2)
            assert await series(hub, dataset="urn:x:left") == Series()
            assert await hub.series("two", "urn:x:1", "a", BEGIN, END) == Series()

    run(body)
