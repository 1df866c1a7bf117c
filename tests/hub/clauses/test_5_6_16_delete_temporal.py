"""Clause 5.6.16, Delete Temporal Evolution of an Entity; 6.19.3.2, DELETE /temporal/entities/{id}."""

from __future__ import annotations

import pytest

from madang.hub.hub import Hub
from tests.hub.clauses.past import AT, ID, SPEEDS, added, between, ids, refused, told, twice, vehicle, with_past
from tests.hub.client import Client
from tests.hub.conftest import OpenHub

OTHER = "urn:ngsi-ld:Vehicle:2"


@pytest.mark.parametrize("rolled", [False, True])
def test_an_evolution_goes_whole_and_others_stay(open_hub: OpenHub, rolled: bool) -> None:
    async def body(client: Client, hub: Hub) -> None:
        await added(client, vehicle(speed=list(SPEEDS)), vehicle(OTHER, speed=SPEEDS[0]))
        if rolled:
            await hub.past.roller.roll_all()
        assert (await client.send("DELETE", f"{AT}/{ID}")).status == 204

        async def check() -> None:
            refused(await client.get(f"{AT}/{ID}"), 404, "ResourceNotFound")
            refused(await client.send("DELETE", f"{AT}/{ID}"), 404, "ResourceNotFound")
            assert await ids(client, between("12:00", "13:00", "type=Vehicle")) == [OTHER]

        await twice(hub, check)
        await hub.roll()
        await check()
        assert (await client.post(AT, vehicle(speed=[SPEEDS[0]]))).status == 201
        assert await told(client) == vehicle(speed=[SPEEDS[0]])

    with_past(open_hub, body)


def test_the_present_state_stays(open_hub: OpenHub) -> None:
    async def body(client: Client, hub: Hub) -> None:
        await client.post("/entities", vehicle(speed=SPEEDS[0]))
        assert (await client.send("DELETE", f"{AT}/{ID}")).status == 204
        await hub.roll()
        assert (await client.get(f"/entities/{ID}")).json["speed"] == SPEEDS[0]
        refused(await client.get(f"{AT}/{ID}"), 404, "ResourceNotFound")
        await client.send("PATCH", f"/entities/{ID}/attrs", {"speed": SPEEDS[1]})
        assert (await told(client))["speed"] == [SPEEDS[1]]

    with_past(open_hub, body)


def test_a_bad_id_is_refused(open_hub: OpenHub) -> None:
    async def body(client: Client, _hub: Hub) -> None:
        refused(await client.send("DELETE", f"{AT}/nothing"), 400, "BadRequestData")
        refused(await client.send("DELETE", f"{AT}/{ID}"), 404, "ResourceNotFound")

    with_past(open_hub, body)
