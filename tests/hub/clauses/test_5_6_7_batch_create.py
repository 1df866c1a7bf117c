"""Clause 5.6.7, Batch Entity Creation; 6.14.3.1, POST /entityOperations/create."""

from __future__ import annotations

from tests.hub.clauses.writing import JSON_LD, NULL, prop, refused, with_client
from tests.hub.client import Client, sensor
from tests.hub.conftest import OpenClient

CREATE = "/entityOperations/create"
ONE, TWO, THREE = (f"urn:ngsi-ld:Sensor:{number}" for number in (1, 2, 3))


def test_all_created_is_answered_201_with_their_ids(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        answer = await client.post(CREATE, [sensor(1, a=1), sensor(2, a=2)])
        assert (answer.status, answer.header("content-type")) == (201, "application/json")
        assert answer.json == [ONE, TWO]
        assert (await client.get(f"/entities/{TWO}")).json == sensor(2, a=2)

    with_client(open_client, body)


def test_what_fails_stands_beside_what_succeeds_in_a_207(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        await client.post("/entities", sensor(1, a=1))
        answer = await client.post(CREATE, [sensor(1, a=2), sensor(2, a=2), sensor(3, a=NULL)])
        assert (answer.status, answer.header("content-type")) == (207, "application/json")
        assert answer.json["success"] == [TWO]
        by_id = {one["entityId"]: one["error"] for one in answer.json["errors"]}
        assert by_id[ONE]["type"].endswith("/AlreadyExists")
        assert by_id[ONE]["status"] == 409
        assert by_id[THREE]["type"].endswith("/BadRequestData")
        assert (await client.get(f"/entities/{ONE}")).json == sensor(1, a=1)

    with_client(open_client, body)


def test_nothing_created_is_a_207_too(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        await client.post("/entities", sensor(1, a=1))
        answer = await client.post(CREATE, [sensor(1, a=2)])
        assert (answer.status, answer.json["success"]) == (207, [])

    with_client(open_client, body)


def test_an_id_repeated_in_a_batch_is_taken_once(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        answer = await client.post(CREATE, [sensor(1, a=1), sensor(1, a=2), sensor(2, a=1)])
        assert answer.status == 207
        assert answer.json["success"] == [ONE, TWO]
        [error] = answer.json["errors"]
        assert (error["entityId"], error["error"]["type"].rpartition("/")[2]) == (ONE, "AlreadyExists")
        assert (await client.get(f"/entities/{ONE}")).json == sensor(1, a=1)

    with_client(open_client, body)


def test_each_entity_of_a_json_ld_batch_brings_its_context(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        context = {"a": "https://vocab.example/a"}
        batch = [sensor(1, a=1) | {"@context": context}, sensor(2, a=1)]
        answer = await client.post(CREATE, batch, headers=JSON_LD)
        assert (answer.status, answer.json["success"]) == (207, [ONE])
        assert (await client.get(f"/entities/{ONE}")).json["https://vocab.example/a"] == prop(1)

    with_client(open_client, body)


def test_what_is_no_batch_is_refused(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        refused(await client.post(CREATE, []), 400, "BadRequestData")
        refused(await client.post(CREATE, sensor(1)), 400, "BadRequestData")
        refused(await client.post(CREATE, b"[{"), 400, "InvalidRequest")
        assert (await client.post(CREATE, [sensor(1)], "options=update")).status == 400
        refused(await client.post(CREATE, [sensor(1), None]), 400, "BadRequestData")
        answer = await client.post(CREATE, [5, "text", [sensor(1)]])
        assert (answer.status, len(answer.json["errors"])) == (207, 3)

    with_client(open_client, body)


def test_a_batch_has_a_limit(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        answer = await client.post(CREATE, [sensor(number) for number in range(4)])
        assert 400 <= answer.status < 500

    with_client(open_client, body, max_batch=3)
