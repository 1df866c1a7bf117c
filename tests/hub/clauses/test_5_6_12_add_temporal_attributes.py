"""Clause 5.6.12, Add Attributes to Temporal Evolution of an Entity; 6.20.3.1, POST /temporal/entities/{id}/attrs."""

from __future__ import annotations

from madang.hub.hub import Hub
from tests.hub.clauses.past import AT, ID, SPEEDS, added, reading, refused, told, twice, vehicle, with_past
from tests.hub.client import Client
from tests.hub.conftest import OpenHub

ATTRS = f"{AT}/{ID}/attrs"


def test_instances_and_types_are_added(open_hub: OpenHub) -> None:
    async def body(client: Client, hub: Hub) -> None:
        await added(client, vehicle(speed=[SPEEDS[0]]))
        given = {"type": ["Vehicle", "Car"], "speed": [SPEEDS[1]], "fuel": reading(7, "12:01")}
        assert (await client.post(ATTRS, given)).status == 204

        async def check() -> None:
            shown = await told(client)
            assert shown == {
                "id": ID,
                "type": ["Vehicle", "Car"],
                "speed": list(SPEEDS[:2]),
                "fuel": [reading(7, "12:01")],
            }

        await twice(hub, check)

    with_past(open_hub, body)


def test_unknown_entities_and_other_ids_are_refused(open_hub: OpenHub) -> None:
    async def body(client: Client, _hub: Hub) -> None:
        refused(await client.post(ATTRS, {"speed": [SPEEDS[0]]}), 404, "ResourceNotFound")
        await added(client, vehicle(speed=[SPEEDS[0]]))
        refused(await client.post(ATTRS, {"id": "urn:x:2", "speed": [SPEEDS[0]]}), 400, "BadRequestData")
        refused(await client.post(f"{AT}/none/attrs", {"speed": [SPEEDS[0]]}), 400, "BadRequestData")
        refused(await client.post(ATTRS, {"speed": {"type": "Nothing"}}), 400, "BadRequestData")

    with_past(open_hub, body)
