"""The follower and the replay over a real hub: readings in, signals out, nothing twice after it was cut off."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from madang.hub.config import HubConfig
from madang.hub.hub import Hub
from madang.kernel.clock import Clock, instant_text, system_clock
from madang.response.rules import running
from madang.response.rules.domain import Step
from madang.response.rules.follower import Follower
from madang.response.rules.models import Firing, ReplayRun, RuleCursor, RuleVersion
from madang.response.rules.replaying import Replayer
from madang.response.signals.models import Signal
from tests.response.rules.conftest import HALL, Room
from tests.response.rules.playing import LEVEL, rule_json

pytestmark = pytest.mark.django_db(transaction=True)
NOW = {"op": "threshold", "source": LEVEL, "limit": 2.5, "reset": 2.0}
CITY = "48250"
Json = dict[str, Any]  # Any: JSON values


@dataclass
class Lent:
    """What the site lends."""

    hub: Hub | None
    clock: Clock = system_clock


@asynccontextmanager
async def _opened(path: Path) -> AsyncIterator[Hub]:
    hub = await Hub.open(HubConfig(store=str(path / "hub.sqlite3")))
    try:
        yield hub
    finally:
        await hub.close()


def _run(path: Path, work: Callable[[Hub], Awaitable[None]]) -> None:
    async def main() -> None:
        async with _opened(path) as hub:
            await work(hub)

    asyncio.run(main())


def _reading(value: object, number: int = 1, **more: Any) -> Json:  # Any: attributes
    return {
        "id": f"urn:ngsi-ld:WaterLevel:{number}",
        "type": "WaterLevel",
        "level": {"type": "Property", "value": value, "observedAt": instant_text(system_clock())},
        "location": {"type": "GeoProperty", "value": {"type": "Point", "coordinates": list(HALL)}},
        **more,
    }


async def _follow(follower: Follower) -> None:
    while await follower.step():
        pass


def _close(follower: Follower | Replayer) -> None:
    from madang.journal import civic

    follower._thread.submit(civic.store.close_thread).result()
    follower._thread.shutdown()


@pytest.fixture(autouse=True)
def _today(room: Room) -> None:
    room.now = system_clock()


def test_a_reading_of_the_hub_becomes_a_signal_where_the_sensor_stands(room: Room, tmp_path: Path) -> None:
    room.publish(rule_json(NOW))

    async def work(hub: Hub) -> None:
        await hub.ingest(CITY, [_reading(9.0, 7)], source="mqtt")
        follower = Follower(Lent(hub))
        await _follow(follower)
        assert not await follower._civic(Firing.objects.exists), "what was there before concerns nobody"
        await hub.ingest(CITY, [_reading(3.0)], source="mqtt")
        only_level = {name: one for name, one in _reading(3.5, 7).items() if name != "location"}
        await hub.ingest(CITY, [only_level], source="mqtt")
        await _follow(follower)
        _close(follower)

    _run(tmp_path, work)
    made = list(Signal.objects.filter(source="rule").order_by("device"))
    assert [(one.device, one.lon, one.lat) for one in made] == [
        ("urn:ngsi-ld:WaterLevel:1", *HALL),
        ("urn:ngsi-ld:WaterLevel:7", *HALL),
    ]


def test_a_follower_that_comes_back_goes_on_where_the_store_says(room: Room, tmp_path: Path) -> None:
    room.publish(rule_json(NOW))

    async def first(hub: Hub) -> None:
        follower = Follower(Lent(hub))
        await _follow(follower)
        await hub.ingest(CITY, [_reading(3.0, 1)], source="mqtt")
        await _follow(follower)
        _close(follower)
        await hub.ingest(CITY, [_reading(3.0, 2)], source="mqtt")  # nobody follows now

    async def again(hub: Hub) -> None:
        follower = Follower(Lent(hub))
        await _follow(follower)
        _close(follower)

    _run(tmp_path, first)
    assert Signal.objects.count() == 1
    running._books.clear()
    _run(tmp_path, again)
    assert sorted(Signal.objects.values_list("device", flat=True)) == [
        "urn:ngsi-ld:WaterLevel:1",
        "urn:ngsi-ld:WaterLevel:2",
    ]


def test_two_followers_at_once_count_each_reading_once(room: Room, tmp_path: Path) -> None:
    room.publish(rule_json({"op": "happens", "source": LEVEL}))

    async def work(hub: Hub) -> None:
        both = [Follower(Lent(hub)), Follower(Lent(hub))]
        await asyncio.gather(*(follower.step() for follower in both))
        for number in range(20):
            await hub.ingest(CITY, [_reading(1.0, number)], source="mqtt")
            await asyncio.gather(*(follower.step() for follower in both))
        await asyncio.gather(*(_follow(follower) for follower in both))
        for follower in both:
            _close(follower)

    _run(tmp_path, work)
    assert Firing.objects.count() == 20


def test_a_feed_that_cannot_be_resumed_is_begun_anew_and_counted(room: Room, tmp_path: Path) -> None:
    room.publish(rule_json(NOW))
    RuleCursor.objects.create(authority_id=CITY, feed="hub", cursor="bm9uc2Vuc2U", followed_at=system_clock())

    async def work(hub: Hub) -> None:
        await hub.ingest(CITY, [_reading(1.0)], source="mqtt")
        follower = Follower(Lent(hub))
        await _follow(follower)
        await hub.ingest(CITY, [_reading(3.0)], source="mqtt")
        await _follow(follower)
        _close(follower)

    _run(tmp_path, work)
    assert RuleCursor.objects.get(feed="hub").lost == 1
    assert Signal.objects.count() == 1


def test_hostile_readings_stop_nobody(room: Room, tmp_path: Path) -> None:
    room.publish(rule_json(NOW))

    async def work(hub: Hub) -> None:
        follower = Follower(Lent(hub))
        await _follow(follower)
        odd: list[Json] = [
            _reading("high"),
            _reading({"a": 1}),
            _reading([3.0]),
            _reading(True),
            _reading(3.0, 2, location={"type": "GeoProperty", "value": {"type": "Point", "coordinates": [0.1, 0.1]}}),
            _reading(3.0, 3, accuracy={"type": "Property", "value": "far"}),
            _reading(3.0, 4, mode={"type": "Property", "value": "wild"}),
        ]
        for one in odd:
            await hub.ingest(CITY, [one], source="mqtt")
        await hub.ingest(CITY, [_reading(3.0, 5)], source="mqtt")
        await _follow(follower)
        _close(follower)

    _run(tmp_path, work)
    assert sorted(Signal.objects.values_list("device", "lon")) == [
        ("urn:ngsi-ld:WaterLevel:2", None),
        ("urn:ngsi-ld:WaterLevel:3", HALL[0]),
        ("urn:ngsi-ld:WaterLevel:4", HALL[0]),
        ("urn:ngsi-ld:WaterLevel:5", HALL[0]),
    ]


def test_a_replay_shows_what_would_appear_and_vanish_against_the_version_in_force(room: Room, tmp_path: Path) -> None:
    room.publish(rule_json({**NOW, "limit": 3.0, "reset": 2.9}))
    row = room.draft(rule_json({**NOW, "limit": 2.0, "reset": 1.9}, per="device"))
    room.check(row)

    async def work(hub: Hub) -> None:
        for value in (1.0, 2.5, 1.0, 3.5, 1.0):
            await hub.ingest(CITY, [_reading(value)], source="mqtt")
            await asyncio.sleep(0.002)
        room.now = system_clock()
        replayer = Replayer(Lent(hub))
        await replayer._civic(lambda: _ask(room, row))
        assert await replayer.step()
        assert not await replayer.step()
        _close(replayer)

    _run(tmp_path, work)
    run = ReplayRun.objects.get(state="done", version=row)
    report = run.report
    assert (report["readings"], report["fired_new"], report["fired_published"]) == (5, 2, 1)
    assert (report["same"], report["appear_total"], report["vanish_total"]) == (1, 1, 0)
    assert report["appear"][0]["device"] == "urn:ngsi-ld:WaterLevel:1"
    assert RuleVersion.objects.get(pk=row.pk).stage == "replayed"
    room.step(row, Step.SHADOW, room.writer)


def _ask(room: Room, row: RuleVersion) -> None:
    from madang.journal import civic
    from madang.response.rules import commands

    with civic.transaction() as tx:
        commands.ask_replay(tx, room.writer, row.id, room.now)


def test_a_replay_that_was_taken_back_leaves_the_version_as_it_was(room: Room, tmp_path: Path) -> None:
    from madang.response.rules import commands

    row = room.draft(rule_json(NOW))
    room.check(row)
    _ask(room, row)
    commands.stop_replays(row, room.now)

    async def work(hub: Hub) -> None:
        replayer = Replayer(Lent(hub))
        assert not await replayer.step()
        _close(replayer)

    _run(tmp_path, work)
    assert RuleVersion.objects.get(pk=row.pk).stage == "checked"
