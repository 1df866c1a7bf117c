"""Clause 5.6.9, Batch Entity Update; 6.16.3.1, POST /entityOperations/update."""

from __future__ import annotations

from tests.hub.clauses.writing import with_client
from tests.hub.client import Client, sensor
from tests.hub.conftest import OpenClient

UPDATE = "/entityOperations/update"
ONE, TWO = "urn:ngsi-ld:Sensor:1", "urn:ngsi-ld:Sensor:2"


def test_attributes_are_appended_and_overwritten(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        await client.post("/entities", sensor(1, a=1, b=1))
        answer = await client.post(UPDATE, [sensor(1, a=2, c=1), {"id": ONE, "d": {"type": "Property", "value": 1}}])
        assert (answer.status, answer.body) == (204, b"")
        assert (await client.get(f"/entities/{ONE}")).json == sensor(1, a=2, b=1, c=1, d=1)

    with_client(open_client, body)


def test_without_overwriting_what_is_there_stays(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        await client.post("/entities", sensor(1, a=1))
        assert (await client.post(UPDATE, [sensor(1, a=2, b=2)], "options=noOverwrite")).status == 204
        assert (await client.get(f"/entities/{ONE}")).json == sensor(1, a=1, b=2)

    with_client(open_client, body)


def test_entities_that_are_not_there_are_told_in_a_207(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        await client.post("/entities", sensor(1, a=1))
        answer = await client.post(UPDATE, [sensor(1, a=2), sensor(2, a=2), {"a": 1}])
        assert (answer.status, answer.json["success"]) == (207, [ONE])
        assert [(one["entityId"], one["error"]["type"].rpartition("/")[2]) for one in answer.json["errors"]] == [
            ("", "BadRequestData"),
            (TWO, "ResourceNotFound"),
        ]

    with_client(open_client, body)
