"""Clause 5.6.14, Modify Attribute Instance; 6.22.3.1, PATCH /temporal/entities/{id}/attrs/{name}/{instanceId}."""

from __future__ import annotations

import pytest

from madang.hub.hub import Hub
from tests.hub.clauses.past import (
    AT,
    ID,
    SPEEDS,
    added,
    instance_ids,
    reading,
    refused,
    told,
    twice,
    vehicle,
    with_past,
)
from tests.hub.client import Client
from tests.hub.conftest import OpenHub

NEW = reading(81, "12:05")


@pytest.mark.parametrize("rolled", [False, True])
@pytest.mark.parametrize("written", ["as history", "as changes"])
def test_one_instance_is_replaced_and_keeps_its_id_and_creation(open_hub: OpenHub, rolled: bool, written: str) -> None:
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
        before = (await client.get(f"{AT}/{ID}", "options=sysAttrs")).json["speed"][1]
        answer = await client.send("PATCH", f"{AT}/{ID}/attrs/speed/{known[1]}", {"speed": [NEW]})
        assert (answer.status, answer.body) == (204, b"")

        async def check() -> None:
            assert (await told(client))["speed"] == [SPEEDS[0], NEW, SPEEDS[2]]
            assert await instance_ids(client) == known
            after = (await client.get(f"{AT}/{ID}", "options=sysAttrs")).json["speed"][1]
            assert after["createdAt"] == before["createdAt"]
            assert after["modifiedAt"] > before["modifiedAt"]

        await twice(hub, check)
        await hub.roll()
        await check()

    with_past(open_hub, body)


def test_the_instance_alone_is_taken_too_and_may_be_replaced_again(open_hub: OpenHub) -> None:
    async def body(client: Client, hub: Hub) -> None:
        await added(client, vehicle(speed=[SPEEDS[0]]))
        (known,) = await instance_ids(client)
        for value in range(3):
            changed = reading(value, "12:03")
            assert (await client.send("PATCH", f"{AT}/{ID}/attrs/speed/{known}", changed)).status == 204
            assert (await told(client))["speed"] == [changed]
            await hub.past.roller.roll_all()
        assert (await told(client))["speed"] == [changed]

    with_past(open_hub, body)


def test_unknown_instances_and_bad_bodies_are_refused(open_hub: OpenHub) -> None:
    async def body(client: Client, _hub: Hub) -> None:
        nowhere = "urn:ngsi-ld:Instance:7-0"
        refused(
            await client.send("PATCH", f"{AT}/{ID}/attrs/speed/{nowhere}", {"speed": [NEW]}), 404, "ResourceNotFound"
        )
        await added(client, vehicle(speed=list(SPEEDS)))
        (known, *_) = await instance_ids(client)
        for path, given, status in (
            (f"speed/{nowhere}", {"speed": [NEW]}, 404),
            ("speed/urn:x:other", {"speed": [NEW]}, 404),
            (f"fuel/{known}", {"fuel": [NEW]}, 404),
            ("speed/nothing", {"speed": [NEW]}, 400),
            (f"speed/{known}", {"speed": [NEW, NEW]}, 400),
            (f"speed/{known}", {"fuel": [NEW]}, 400),
        ):
            answer = await client.send("PATCH", f"{AT}/{ID}/attrs/{path}", given)
            refused(answer, status, "ResourceNotFound" if status == 404 else "BadRequestData")
        assert (await told(client))["speed"] == list(SPEEDS)

    with_past(open_hub, body)
