"""Clause 5.6.10, Batch Entity Delete; 6.17.3.1, POST /entityOperations/delete."""

from __future__ import annotations

from tests.hub.clauses.writing import JSON_LD, refused, with_client
from tests.hub.client import Client, sensor
from tests.hub.conftest import OpenClient

DELETE = "/entityOperations/delete"
ONE, TWO = "urn:ngsi-ld:Sensor:1", "urn:ngsi-ld:Sensor:2"


def test_all_deleted_is_answered_204(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        await client.post("/entityOperations/create", [sensor(1), sensor(2)])
        answer = await client.post(DELETE, [ONE, TWO])
        assert (answer.status, answer.body) == (204, b"")
        assert (await client.get("/entities", "type=Sensor")).json == []

    with_client(open_client, body)


def test_what_is_not_there_or_no_id_is_told_in_a_207(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        await client.post("/entities", sensor(1))
        answer = await client.post(DELETE, [ONE, TWO, "no uri", 5, ONE], headers=JSON_LD)
        assert (answer.status, answer.json["success"]) == (207, [ONE])
        found = [(one["entityId"], one["error"]["type"].rpartition("/")[2]) for one in answer.json["errors"]]
        assert found == [
            ("no uri", "BadRequestData"),
            ("5", "BadRequestData"),
            (TWO, "ResourceNotFound"),
            (ONE, "ResourceNotFound"),
        ]
        refused(await client.post(DELETE, []), 400, "BadRequestData")

    with_client(open_client, body)
