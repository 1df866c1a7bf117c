"""Clause 5.6.11, Create or Update Temporal Evolution of an Entity; 6.18.3.1, POST /temporal/entities."""

from __future__ import annotations

import json

from madang.hub.hub import Hub
from tests.hub.clauses.past import AT, ID, SPEEDS, added, reading, refused, told, twice, vehicle, with_past
from tests.hub.client import Client
from tests.hub.conftest import OpenHub


def test_an_evolution_comes_to_be_and_grows(open_hub: OpenHub) -> None:
    async def body(client: Client, hub: Hub) -> None:
        answer = await client.post(AT, vehicle(speed=list(SPEEDS[:2])))
        assert (answer.status, answer.header("location")) == (201, f"/ngsi-ld/v1{AT}/{ID}")
        assert (await client.post(AT, vehicle(speed=[SPEEDS[2]]))).status == 204

        async def check() -> None:
            assert await told(client) == vehicle(speed=list(SPEEDS))

        await twice(hub, check)

    with_past(open_hub, body)


def test_the_present_state_and_the_feed_are_left_alone(open_hub: OpenHub) -> None:
    async def body(client: Client, hub: Hub) -> None:
        await client.post("/entities", vehicle(speed=reading(50, "12:30")))
        before = await hub.changes("open", None)
        assert (await client.post(AT, vehicle(speed=list(SPEEDS)))).status == 204
        assert (await client.get(f"/entities/{ID}")).json["speed"] == reading(50, "12:30")
        assert await hub.changes("open", None) == before
        await added(client, vehicle("urn:ngsi-ld:Vehicle:2", speed=SPEEDS[0]))
        assert (await client.get("/entities/urn:ngsi-ld:Vehicle:2")).status == 404
        assert (await told(client))["speed"] == [*SPEEDS, reading(50, "12:30")]

    with_past(open_hub, body)


def test_an_entity_that_has_changed_has_an_evolution_already(open_hub: OpenHub) -> None:
    async def body(client: Client, hub: Hub) -> None:
        await client.post("/entities", vehicle(speed=reading(50, "12:30")))
        await client.send("DELETE", f"/entities/{ID}")
        assert (await client.post(AT, vehicle(speed=[SPEEDS[0]]))).status == 204
        await hub.past.roller.roll_all()
        assert (await client.post(AT, vehicle(speed=[SPEEDS[1]]))).status == 204

    with_past(open_hub, body)


def test_the_simplified_representation_is_taken(open_hub: OpenHub) -> None:
    async def body(client: Client, _hub: Hub) -> None:
        pairs = [[one["value"], one["observedAt"]] for one in SPEEDS]
        owner = {"type": "Relationship", "objects": [["urn:ngsi-ld:Person:1", SPEEDS[0]["observedAt"]]]}
        await added(client, vehicle(speed={"type": "Property", "values": pairs}, owner=owner))
        shown = await told(client)
        assert shown["speed"] == list(SPEEDS)
        assert shown["owner"][0]["object"] == "urn:ngsi-ld:Person:1"

    with_past(open_hub, body)


def test_what_is_no_evolution_is_refused(open_hub: OpenHub) -> None:
    async def body(client: Client, hub: Hub) -> None:
        for wrong in (
            {"type": "Vehicle", "speed": [SPEEDS[0]]},
            {"id": "no uri", "type": "Vehicle"},
            {"id": ID, "speed": [SPEEDS[0]]},
            vehicle(speed=[{"type": "Property"}]),
            vehicle(speed=[{"type": "Property", "value": 1, "observedAt": "yesterday"}]),
            vehicle(speed=[None]),
            vehicle(speed=[{"type": "Property", "value": 2**70}]),
            vehicle(speed=[{"type": "Property", "value": {"deep": 2**80}}]),
            vehicle(speed={"type": "Property", "values": [[1]]}),
        ):
            refused(await client.post(AT, json.dumps(wrong).encode()), 400, "BadRequestData")
        refused(await client.post(AT, b"[]"), 400, "InvalidRequest")
        assert not await hub.past.exists("open", ID)

    with_past(open_hub, body)
