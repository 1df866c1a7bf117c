"""Clause 5.6.13, Delete Attribute from Temporal Evolution; 6.21.3.1, DELETE /temporal/entities/{id}/attrs/{name}."""

from __future__ import annotations

import pytest

from madang.hub.hub import Hub
from tests.hub.clauses.past import AT, ID, SPEEDS, added, reading, refused, told, vehicle, with_past
from tests.hub.client import Client
from tests.hub.conftest import OpenHub

SPEED = f"{AT}/{ID}/attrs/speed"
LEFT = reading(1, "12:04", datasetId="urn:ngsi-ld:Dataset:left")


@pytest.mark.parametrize("rolled", [False, True])
def test_the_default_instances_a_dataset_or_all_go(open_hub: OpenHub, rolled: bool) -> None:
    async def body(client: Client, hub: Hub) -> None:
        async def fresh() -> None:
            await added(client, vehicle(speed=[*SPEEDS, LEFT], fuel=reading(7, "12:01")))
            if rolled:
                await hub.past.roller.roll_all()

        await fresh()
        assert (await client.send("DELETE", SPEED)).status == 204
        assert (await told(client))["speed"] == [LEFT]
        assert (await client.send("DELETE", SPEED, query=f"datasetId={LEFT['datasetId']}")).status == 204
        assert "speed" not in await told(client)
        refused(await client.send("DELETE", SPEED, query="deleteAll=true"), 404, "ResourceNotFound")
        await fresh()
        assert (await client.send("DELETE", SPEED, query="deleteAll=true")).status == 204
        await hub.roll()
        assert await told(client) == vehicle(fuel=[reading(7, "12:01")] * 2)

    with_past(open_hub, body)


def test_what_comes_afterwards_is_kept(open_hub: OpenHub) -> None:
    async def body(client: Client, hub: Hub) -> None:
        await client.post("/entities", vehicle(speed=SPEEDS[0]))
        assert (await client.send("DELETE", SPEED)).status == 204
        await client.send("PATCH", f"/entities/{ID}/attrs", {"speed": SPEEDS[1]})
        assert (await told(client))["speed"] == [SPEEDS[1]]
        await hub.roll()
        await hub.past.roller.roll_all()
        assert (await told(client))["speed"] == [SPEEDS[1]]

    with_past(open_hub, body)


def test_what_is_not_there_is_refused(open_hub: OpenHub) -> None:
    async def body(client: Client, _hub: Hub) -> None:
        refused(await client.send("DELETE", SPEED), 404, "ResourceNotFound")
        await added(client, vehicle(speed=[SPEEDS[0]]))
        refused(await client.send("DELETE", f"{AT}/{ID}/attrs/fuel"), 404, "ResourceNotFound")
        refused(await client.send("DELETE", SPEED, query="datasetId=urn:x:1"), 404, "ResourceNotFound")
        refused(await client.send("DELETE", SPEED, query="datasetId=left"), 400, "BadRequestData")
        refused(await client.send("DELETE", f"{AT}/none/attrs/speed"), 400, "BadRequestData")

    with_past(open_hub, body)
