"""Clause 5.6.21, Purge Entities (1.9.1); 6.4.3.3, DELETE /entities."""

from __future__ import annotations

import pytest

from madang.hub.http.app import HubApp
from tests.hub.clauses.writing import refused, with_client
from tests.hub.client import Answer, Client, run, sensor, spot
from tests.hub.conftest import OpenClient, OpenHub


async def purge(client: Client, query: str) -> Answer:
    return await client.send("DELETE", "/entities", query=query)


async def left(client: Client) -> list[str]:
    found = (await client.get("/entities", "type=Sensor,Camera&limit=1000")).json
    return [one["id"].rpartition(":")[2] for one in found]


async def fill(client: Client, count: int = 4) -> None:
    batch = [sensor(number, a=number, b=1, location=spot(number % 180, 0)) for number in range(count)]
    assert (await client.post("/entityOperations/create", batch)).status == 201


@pytest.mark.parametrize(
    ("query", "stay"),
    [
        ("type=Sensor", []),
        ("type=Camera", ["0", "1", "2", "3"]),
        ("type=Sensor&id=urn:ngsi-ld:Sensor:1,urn:ngsi-ld:Sensor:2", ["0", "3"]),
        ("local=true&id=urn:ngsi-ld:Sensor:1", ["0", "2", "3"]),
        ("type=*&q=a==1", ["0", "2", "3"]),
        ("type=Sensor&q=a>1", ["0", "1"]),
        ("type=Sensor&idPattern=.*:[12]$", ["0", "3"]),
        ("type=Sensor&georel=near;maxDistance==1000&geometry=Point&coordinates=[2,0]", ["0", "1", "3"]),
        ("attrs=nothing", ["0", "1", "2", "3"]),
    ],
)
def test_what_the_query_finds_is_deleted_and_the_rest_stays(
    open_client: OpenClient, query: str, stay: list[str]
) -> None:
    async def body(client: Client) -> None:
        await fill(client)
        answer = await purge(client, query)
        assert (answer.status, answer.body) == (204, b"")
        assert await left(client) == stay

    with_client(open_client, body)


@pytest.mark.parametrize("query", ["", "drop=a", "type=", "id=urn:ngsi-ld:Sensor:1", "idPattern=.*", "scopeQ=/a"])
def test_a_purge_that_is_too_wide_is_refused(open_client: OpenClient, query: str) -> None:
    async def body(client: Client) -> None:
        await fill(client)
        refused(await purge(client, query), 400, "BadRequestData")
        assert await left(client) == ["0", "1", "2", "3"]

    with_client(open_client, body)


def test_attributes_are_dropped_or_kept_and_the_entities_stay(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        await fill(client, 3)
        assert (await purge(client, "type=Sensor&id=urn:ngsi-ld:Sensor:0&drop=a,location")).status == 204
        assert (await purge(client, "type=Sensor&id=urn:ngsi-ld:Sensor:1&keep=b")).status == 204
        for number in (0, 1):
            assert (await client.get(f"/entities/urn:ngsi-ld:Sensor:{number}")).json == sensor(number, b=1)
        near = "type=Sensor&georel=near;maxDistance==1000&geometry=Point&coordinates=[0,0]"
        assert (await client.get("/entities", near)).json == []
        assert (await purge(client, "type=Sensor&q=a==2&drop=a")).status == 204
        assert (await client.get("/entities", "type=Sensor&attrs=a")).json == []
        refused(await purge(client, "type=Sensor&drop=a&keep=b"), 400, "BadRequestData")
        refused(await purge(client, "type=Sensor&drop=id"), 400, "BadRequestData")
        refused(await purge(client, "type=Sensor&q=at{a}==1"), 400, "BadRequestData")

    with_client(open_client, body)


def test_more_than_a_slice_goes_in_one_purge(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        await fill(client, 1100)
        assert (await purge(client, "type=Sensor&drop=b")).status == 204
        assert (await client.get("/entities", "type=Sensor&attrs=b")).json == []
        assert (await purge(client, "type=Sensor&q=a>=50")).status == 204
        assert len(await left(client)) == 50

    with_client(open_client, body)


def test_what_may_not_be_deleted_is_told_in_a_207(open_hub: OpenHub) -> None:
    async def body() -> None:
        async with open_hub() as hub:
            client = Client(HubApp(hub, None, ("Camera",), open_mode=True, bound_host="127.0.0.1"))
            await fill(client, 2)
            await hub.upsert("open", [sensor(9, a=1) | {"type": ["Sensor", "Camera"]}], source="room")
            answer = await purge(client, "type=Sensor")
            assert answer.status == 207
            assert answer.json["success"] == ["urn:ngsi-ld:Sensor:0", "urn:ngsi-ld:Sensor:1"]
            assert [one["entityId"] for one in answer.json["errors"]] == ["urn:ngsi-ld:Sensor:9"]
            assert await left(client) == ["9"]

    run(body)
