"""Clause 5.6.19, Attribute replace; 6.7.3.3, PUT /entities/{id}/attrs/{name}."""

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
    with_client,
)
from tests.hub.client import Answer, Client, Json
from tests.hub.conftest import OpenClient


async def put(client: Client, sent: Json, query: str = "") -> Answer:
    return await client.send("PUT", f"{ATTRS}/speed", sent, query=query)


def test_the_attribute_is_exchanged_whole_and_its_kind_may_change(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        await created(client, speed=prop(1, unitCode="KMH", accuracy=prop(3)), other=prop(0))
        answer = await put(client, {"value": 2})
        assert (answer.status, answer.body) == (204, b"")
        assert await shown(client) == entity(speed=prop(2), other=prop(0))
        assert (await put(client, link("urn:x:1"))).status == 204
        assert await shown(client) == entity(speed=link("urn:x:1"), other=prop(0))

    with_client(open_client, body)


def test_only_the_instance_of_the_dataset_is_exchanged(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        left = dataset("left")
        await created(client, speed=[prop(1), prop(2, datasetId=left, unitCode="KMH")])
        assert (await put(client, prop(9, datasetId=left))).status == 204
        assert (await shown(client))["speed"] == [prop(1), prop(9, datasetId=left)]
        refused(await put(client, prop(9, datasetId=dataset("right"))), 404, "ResourceNotFound")

    with_client(open_client, body)


def test_missing_things_nulls_fragments_and_patches_are_refused(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        refused(await put(client, prop(1)), 404, "ResourceNotFound")
        await created(client, other=prop(0))
        refused(await put(client, prop(1)), 404, "ResourceNotFound")
        await client.post(ATTRS, {"speed": prop(1)})
        refused(await put(client, prop(NULL)), 400, "BadRequestData")
        refused(await put(client, {"unitCode": "KMH"}), 400, "BadRequestData")
        refused(await put(client, prop(2), "type=Camera"), 404, "ResourceNotFound")
        answer = await client.send("PUT", f"{ATTRS}/speed", prop(2), headers=MERGE_PATCH)
        assert answer.status == 415
        assert await shown(client) == entity(other=prop(0), speed=prop(1))

    with_client(open_client, body)
