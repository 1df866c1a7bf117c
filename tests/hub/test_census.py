"""What a tenant holds is counted once and then kept up: it always equals a count made afresh."""

from __future__ import annotations

import random
from datetime import UTC, datetime

from madang.hub import changes
from madang.hub.census import Census, Censuses
from madang.hub.hub import Hub
from tests.hub.client import Json, run
from tests.hub.conftest import OpenHub

TENANT = "gimhae"


def told(census: Census) -> tuple[Json, Json]:
    """A census in a form that can be compared."""
    return census.entities, {(one.types, one.name, one.kind): one.instances for one in census.tallies}


def some_entity(dice: random.Random) -> dict[str, Json]:
    kinds: list[Json] = [
        {"type": "Property", "value": 1},
        {"type": "Relationship", "object": "urn:x:1"},
        [{"type": "Property", "value": 1}, {"type": "Property", "value": 2, "datasetId": "urn:x:d"}],
    ]
    names = dice.sample("abcd", dice.randint(0, 3))
    types = dice.choice(["Bus", ["Bus", "Museum"], "Tram"])
    return {"id": f"urn:ngsi-ld:T:{dice.randint(0, 9)}", "type": types} | {name: dice.choice(kinds) for name in names}


async def change(hub: Hub, dice: random.Random) -> None:
    """Some entities are written, one is deleted perhaps."""
    await hub.upsert(TENANT, [some_entity(dice) for _ in range(dice.randint(1, 4))], source="test")
    if dice.random() < 0.5:
        await hub.write(TENANT, [changes.delete(f"urn:ngsi-ld:T:{dice.randint(0, 9)}")], "test")


def test_a_census_kept_up_equals_one_made_afresh(open_hub: OpenHub) -> None:
    async def body() -> None:
        async with open_hub() as hub:
            kept = Censuses(hub.store)
            assert told(await kept.of(TENANT)) == ({}, {})
            dice = random.Random(7)
            for _ in range(60):
                await change(hub, dice)
                assert told(await kept.of(TENANT)) == told(await Censuses(hub.store).of(TENANT))
            assert await kept.of(TENANT) is await kept.of(TENANT)

    run(body)


def test_a_feed_that_forgot_is_no_obstacle(open_hub: OpenHub) -> None:
    async def body() -> None:
        async with open_hub() as hub:
            kept = Censuses(hub.store)
            dice = random.Random(11)
            for _ in range(5):
                await change(hub, dice)
            await kept.of(TENANT)
            for _ in range(3):
                await change(hub, dice)
            await hub.store.trim(datetime.now(UTC).replace(year=2100))
            assert told(await kept.of(TENANT)) == told(await Censuses(hub.store).of(TENANT))
            await change(hub, dice)
            assert told(await kept.of(TENANT)) == told(await Censuses(hub.store).of(TENANT))

    run(body)
