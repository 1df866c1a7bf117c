"""Clause 5.6.15, Delete Attribute Instance; 6.22.3.2, DELETE /temporal/entities/{id}/attrs/{name}/{instanceId}."""

from __future__ import annotations

import pytest

from madang.hub.hub import Hub
from tests.hub.clauses.past import AT, ID, SPEEDS, added, instance_ids, refused, told, twice, vehicle, with_past
from tests.hub.client import Client
from tests.hub.conftest import OpenHub


@pytest.mark.parametrize("rolled", [False, True])
@pytest.mark.parametrize("written", ["as history", "as changes"])
def test_one_instance_goes_and_the_others_stay(open_hub: OpenHub, rolled: bool, written: str) -> None:
    async def body(client: Client, hub: Hub) -> None:
        if written == "as history":
            await added(client, vehicle(speed=list(SPEEDS)))
        else:
            await client.post("/entities", vehicle(speed=SPEEDS[0]))
            for one in SPEEDS[1:]:
                await client.send("PATCH", f"/entities/{ID}/attrs", {"speed": one})
        if rolled:
            await hub.past.roller.roll_all()
        known = await instance_ids(client)
        assert (await client.send("DELETE", f"{AT}/{ID}/attrs/speed/{known[0]}")).status == 204
        refused(await client.send("DELETE", f"{AT}/{ID}/attrs/speed/{known[0]}"), 404, "ResourceNotFound")

        async def check() -> None:
            assert (await told(client))["speed"] == list(SPEEDS[1:])

        await twice(hub, check)
        await hub.roll()
        await check()

    with_past(open_hub, body)


def test_what_is_not_there_is_refused(open_hub: OpenHub) -> None:
    async def body(client: Client, _hub: Hub) -> None:
        await added(client, vehicle(speed=[SPEEDS[0]]))
        (known,) = await instance_ids(client)
        refused(await client.send("DELETE", f"{AT}/{ID}/attrs/fuel/{known}"), 404, "ResourceNotFound")
        refused(await client.send("DELETE", f"{AT}/urn:x:2/attrs/speed/{known}"), 404, "ResourceNotFound")
        refused(await client.send("DELETE", f"{AT}/{ID}/attrs/speed/x"), 400, "BadRequestData")

    with_past(open_hub, body)
