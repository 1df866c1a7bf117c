"""Clause 5.6.3, Append Attributes; 6.6.3.1, POST /entities/{id}/attrs."""

from __future__ import annotations

from madang.hub.names import DEFAULT
from tests.hub.clauses.writing import (
    ATTRS,
    JSON_LD,
    MERGE_PATCH,
    NULL,
    created,
    dataset,
    entity,
    prop,
    refused,
    shown,
    with_client,
)
from tests.hub.client import Client
from tests.hub.conftest import OpenClient


def test_attributes_are_added_and_those_there_are_overwritten(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        await created(client, speed=prop(1, unitCode="KMH"))
        answer = await client.post(ATTRS, {"speed": prop(2), "fresh": prop(3)})
        assert (answer.status, answer.body) == (204, b"")
        assert await shown(client) == entity(speed=prop(2), fresh=prop(3))

    with_client(open_client, body)


def test_without_overwriting_what_is_there_stays_and_is_told(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        await created(client, speed=prop(1), scope="/a")
        sent = {"speed": prop(2), "fresh": prop(3), "scope": "/b"}
        answer = await client.post(ATTRS, sent, "options=noOverwrite")
        assert answer.status == 207
        assert answer.json["updated"] == [DEFAULT + "fresh"]
        assert [one["attributeName"] for one in answer.json["notUpdated"]] == [DEFAULT + "speed"]
        assert answer.header("content-type") == "application/json"
        assert answer.json["notUpdated"][0]["reason"]
        assert await shown(client) == entity(speed=prop(1), fresh=prop(3), scope=["/a", "/b"])
        answer = await client.post(ATTRS, {"other": prop(1)}, "options=noOverwrite")
        assert answer.status == 204

    with_client(open_client, body)


def test_instances_of_other_datasets_stay_beside_the_new_one(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        await created(client, speed=prop(1))
        left = prop(2, datasetId=dataset("left"))
        assert (await client.post(ATTRS, {"speed": left}, "options=noOverwrite")).status == 204
        assert (await shown(client))["speed"] == [prop(1), left]
        answer = await client.post(ATTRS, {"speed": prop(3, datasetId=dataset("left"))}, "options=noOverwrite")
        assert (answer.status, answer.json["updated"]) == (207, [])

    with_client(open_client, body)


def test_a_scope_is_exchanged_or_without_overwriting_extended(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        await created(client, scope=["/a", "/b"])
        assert (await client.post(ATTRS, {"scope": ["/b", "/c"]}, "options=noOverwrite")).status == 204
        assert (await shown(client))["scope"] == ["/a", "/b", "/c"]
        assert (await client.post(ATTRS, {"scope": "/d"})).status == 204
        assert (await shown(client))["scope"] == "/d"

    with_client(open_client, body)


def test_the_update_result_speaks_fully_qualified_names(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        await created(client, **{"https://vocab.example/speed": prop(1)})
        sent = {"@context": {"tempo": "https://vocab.example/speed"}, "tempo": prop(2), "fresh": prop(1)}
        answer = await client.post(ATTRS, sent, "options=noOverwrite", headers=JSON_LD)
        assert answer.status == 207
        assert answer.json["updated"] == [DEFAULT + "fresh"]
        assert [one["attributeName"] for one in answer.json["notUpdated"]] == ["https://vocab.example/speed"]

    with_client(open_client, body)


def test_types_are_added(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        await created(client, speed=prop(1))
        assert (await client.post(ATTRS, {"type": ["Camera", "Sensor"]})).status == 204
        assert (await shown(client))["type"] == ["Sensor", "Camera"]
        assert len((await client.get("/entities", "type=Camera")).json) == 1

    with_client(open_client, body)


def test_concise_and_simplified_attributes_are_taken(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        await created(client)
        assert (await client.post(ATTRS, {"speed": {"value": 1, "unitCode": "KMH"}})).status == 204
        assert (await client.post(ATTRS, {"place": {"street": "Gaya-ro"}}, "options=keyValues")).status == 204
        assert await shown(client) == entity(speed=prop(1, unitCode="KMH"), place=prop({"street": "Gaya-ro"}))

    with_client(open_client, body)


def test_nulls_patches_missing_entities_and_other_types_are_refused(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        refused(await client.post(ATTRS, {"speed": prop(1)}), 404, "ResourceNotFound")
        await created(client, speed=prop(1))
        refused(await client.post(ATTRS, {"speed": NULL}), 400, "BadRequestData")
        refused(await client.post(ATTRS, {"speed": prop(2)}, "type=Camera"), 404, "ResourceNotFound")
        assert (await client.post(ATTRS, {"speed": prop(1)}, headers=MERGE_PATCH)).status == 415
        assert await shown(client) == entity(speed=prop(1))

    with_client(open_client, body)
