"""Clause 5.6.20, Batch Entity Merge; 6.31.3.1, POST /entityOperations/merge."""

from __future__ import annotations

from tests.hub.clauses.writing import NULL, prop, texts, with_client
from tests.hub.client import Client, sensor
from tests.hub.conftest import OpenClient

MERGE = "/entityOperations/merge"
ONE, TWO = "urn:ngsi-ld:Sensor:1", "urn:ngsi-ld:Sensor:2"
EARLIER, LATER = "2026-11-22T09:00:00Z", "2026-11-22T10:00:00Z"


def test_each_item_is_merged_in_order(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        await client.post("/entityOperations/create", [sensor(1, a=prop(1, unitCode="KMH"), b=1), sensor(2, a=1)])
        batch = [{"id": ONE, "a": {"value": 2}, "b": NULL}, {"id": TWO, "a": {"value": 5}}, {"id": ONE, "c": 3}]
        answer = await client.post(MERGE, batch)
        assert (answer.status, answer.body) == (204, b"")
        assert (await client.get(f"/entities/{ONE}")).json == sensor(1, a=prop(2, unitCode="KMH"), c=3)

    with_client(open_client, body)


def test_time_and_language_are_for_every_item(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        await client.post("/entities", sensor(1, a=prop(1, observedAt=EARLIER), name=texts(ko="김해")))
        batch = [{"id": ONE, "a": {"value": 2}, "name": "Gimhae"}]
        assert (await client.post(MERGE, batch, f"observedAt={LATER}&lang=en")).status == 204
        said = sensor(1, a=prop(2, observedAt=LATER), name=texts(ko="김해", en="Gimhae"))
        assert (await client.get(f"/entities/{ONE}")).json == said

    with_client(open_client, body)


def test_what_is_not_there_is_told_in_a_207(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        await client.post("/entities", sensor(1, a=1))
        answer = await client.post(MERGE, [{"id": ONE, "a": 2}, {"id": TWO, "a": 2}])
        assert (answer.status, answer.json["success"]) == (207, [ONE])
        assert answer.json["errors"][0]["entityId"] == TWO
        assert answer.json["errors"][0]["error"]["type"].endswith("/ResourceNotFound")

    with_client(open_client, body)
