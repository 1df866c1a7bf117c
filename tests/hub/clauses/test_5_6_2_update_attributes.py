"""Clause 5.6.2, Update Attributes; 6.6.3.2, PATCH /entities/{id}/attrs."""

from __future__ import annotations

from tests.hub.clauses.writing import (
    ATTRS,
    MERGE_PATCH,
    NULL,
    created,
    dataset,
    entity,
    link,
    prop,
    refused,
    shown,
    texts,
    with_client,
)
from tests.hub.client import Answer, Client, Json
from tests.hub.conftest import OpenClient


async def update(client: Client, sent: Json, query: str = "") -> Answer:
    return await client.send("PATCH", ATTRS, sent, query=query, headers=MERGE_PATCH)


def test_attributes_that_are_there_are_replaced_whole(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        await created(client, speed=prop(1, unitCode="KMH", accuracy=prop(3)), other=prop(0))
        answer = await update(client, {"speed": prop(2)})
        assert (answer.status, answer.body) == (204, b"")
        assert await shown(client) == entity(speed=prop(2), other=prop(0))

    with_client(open_client, body)


def test_attributes_that_are_not_there_are_appended(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        await created(client, speed=prop(1))
        assert (await update(client, {"speed": prop(2), "fresh": prop(1)})).status == 204
        assert await shown(client) == entity(speed=prop(2), fresh=prop(1))

    with_client(open_client, body)


def test_only_the_instance_of_a_dataset_is_replaced(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        left = prop(1, datasetId=dataset("left"))
        await created(client, speed=[left, prop(0)])
        assert (await update(client, {"speed": prop(9, datasetId=dataset("left"))})).status == 204
        assert (await shown(client))["speed"] == [prop(9, datasetId=dataset("left")), prop(0)]
        assert (await update(client, {"speed": prop(8, datasetId=dataset("right"))})).status == 204
        assert len((await shown(client))["speed"]) == 3
        assert (await update(client, {"speed": prop(NULL)})).status == 204
        assert (await update(client, {"speed": prop(NULL, datasetId=dataset("right"))})).status == 204
        assert (await shown(client))["speed"] == prop(9, datasetId=dataset("left"))

    with_client(open_client, body)


def test_a_null_deletes_and_a_kind_may_change(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        await created(client, speed=prop(1), other=prop(0), third=prop(3))
        sent = {"speed": NULL, "other": link("urn:ngsi-ld:Road:1"), "third": prop(NULL)}
        assert (await update(client, sent)).status == 204
        assert await shown(client) == entity(other=link("urn:ngsi-ld:Road:1"))

    with_client(open_client, body)


def test_types_are_added_and_a_scope_that_is_there_is_replaced(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        await created(client, speed=prop(1), scope="/a")
        assert (await update(client, {"type": "Camera", "scope": "/b"})).status == 204
        assert await shown(client) == entity(speed=prop(1), scope="/b") | {"type": ["Sensor", "Camera"]}

    with_client(open_client, body)


def test_a_scope_that_is_not_there_is_left_out(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        await created(client, speed=prop(1))
        assert (await update(client, {"speed": prop(2), "scope": "/b"})).status == 204
        assert await shown(client) == entity(speed=prop(2))

    with_client(open_client, body)


def test_a_null_inside_a_value_is_refused(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        await created(client, place=prop({"a": 1, "b": 2}), name=texts(ko="김해", en="Gimhae"))
        refused(await update(client, {"place": prop({"a": NULL})}), 400, "BadRequestData")
        refused(await update(client, {"name": texts(ko=NULL)}), 400, "BadRequestData")

    with_client(open_client, body)


def test_missing_entities_other_types_and_bad_data_are_refused(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        refused(await update(client, {"speed": prop(1)}), 404, "ResourceNotFound")
        await created(client, speed=prop(1))
        refused(await update(client, {"speed": prop(1)}, "type=Camera"), 404, "ResourceNotFound")
        assert (await update(client, {"speed": prop(1)}, "type=Camera,Sensor")).status == 204
        refused(await update(client, {"speed": {"type": "Property"}}), 400, "BadRequestData")
        refused(await update(client, {"id": "urn:ngsi-ld:Other:1", "speed": prop(1)}), 400, "BadRequestData")

    with_client(open_client, body)
