"""Clause 5.6.8, Batch Entity Creation or Update (Upsert); 6.15.3.1, POST /entityOperations/upsert."""

from __future__ import annotations

from tests.hub.clauses.writing import dataset, prop, with_client
from tests.hub.client import Client, sensor
from tests.hub.conftest import OpenClient

UPSERT = "/entityOperations/upsert"
ONE, TWO = "urn:ngsi-ld:Sensor:1", "urn:ngsi-ld:Sensor:2"


def test_new_entities_are_answered_201_with_only_their_ids(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        await client.post("/entities", sensor(1, a=1))
        answer = await client.post(UPSERT, [sensor(1, a=2), sensor(2, a=2)])
        assert (answer.status, answer.json) == (201, [TWO])
        answer = await client.post(UPSERT, [sensor(1, a=3), sensor(2, a=3)])
        assert (answer.status, answer.body) == (204, b"")

    with_client(open_client, body)


def test_replacing_is_the_default_and_updating_keeps_the_rest(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        for options, left in (("", sensor(1, a=2)), ("options=replace", sensor(1, a=2))):
            await client.post(UPSERT, [sensor(1, a=1, b=1)])
            assert (await client.post(UPSERT, [sensor(1, a=2)], options)).status == 204
            assert (await client.get(f"/entities/{ONE}")).json == left, options
        await client.post(UPSERT, [sensor(1, a=1, b=1)])
        assert (await client.post(UPSERT, [sensor(1, a=2)], "options=update")).status == 204
        assert (await client.get(f"/entities/{ONE}")).json == sensor(1, a=2, b=1)
        assert (await client.post(UPSERT, [sensor(1, a=2)], "options=update,replace")).status == 400

    with_client(open_client, body)


def test_an_update_leaves_other_datasets_and_adds_types(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        left = prop(1, datasetId=dataset("left"))
        await client.post(UPSERT, [sensor(1, a=left)])
        sent = sensor(1, a=prop(2)) | {"type": "Camera"}
        assert (await client.post(UPSERT, [sent], "options=update")).status == 204
        shown = (await client.get(f"/entities/{ONE}")).json
        assert (shown["a"], shown["type"]) == ([left, prop(2)], ["Sensor", "Camera"])

    with_client(open_client, body)


def test_a_repeated_id_is_taken_in_the_order_of_the_batch(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        batch = [sensor(1, a=1, b=1), sensor(2, a=1), sensor(1, a=2)]
        answer = await client.post(UPSERT, batch, "options=update")
        assert (answer.status, answer.json) == (201, [ONE, TWO])
        assert (await client.get(f"/entities/{ONE}")).json == sensor(1, a=2, b=1)
        assert (await client.post(UPSERT, [sensor(1, a=n) for n in range(500)])).status == 204
        assert (await client.get(f"/entities/{ONE}")).json == sensor(1, a=499)

    with_client(open_client, body)


def test_what_cannot_be_read_fails_alone(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        answer = await client.post(UPSERT, [sensor(1, a=1), {"id": TWO}, sensor(2, a=1)])
        assert (answer.status, answer.json["success"]) == (207, [ONE, TWO])
        assert [one["entityId"] for one in answer.json["errors"]] == [TWO]

    with_client(open_client, body)
