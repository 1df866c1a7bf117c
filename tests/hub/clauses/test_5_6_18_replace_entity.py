"""Clause 5.6.18, Replace Entity; 6.5.3.3, PUT /entities/{id}."""

from __future__ import annotations

from tests.hub.clauses.writing import MERGE_PATCH, NULL, PATH, created, entity, prop, refused, shown, with_client
from tests.hub.client import Client
from tests.hub.conftest import OpenClient


def test_all_attributes_scope_and_types_are_exchanged(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        await created(client, speed=prop(1), old=prop(1), scope="/a")
        answer = await client.send("PUT", PATH, entity(speed=prop(2)) | {"type": "Camera"})
        assert (answer.status, answer.body) == (204, b"")
        assert await shown(client) == entity(speed=prop(2)) | {"type": "Camera"}
        assert (await client.get("/entities", "type=Sensor")).json == []
        assert len((await client.get("/entities", "type=Camera")).json) == 1

    with_client(open_client, body)


def test_the_time_of_creation_stays(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        await created(client, speed=prop(1))
        before = await shown(client, "options=sysAttrs")
        assert (await client.send("PUT", PATH, entity(speed=prop(2)))).status == 204
        after = await shown(client, "options=sysAttrs")
        assert after["createdAt"] == before["createdAt"]
        assert after["modifiedAt"] >= before["modifiedAt"]

    with_client(open_client, body)


def test_missing_entities_other_ids_nulls_and_patches_are_refused(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        refused(await client.send("PUT", PATH, entity(speed=prop(1))), 404, "ResourceNotFound")
        await created(client, speed=prop(1))
        other = entity(speed=prop(1)) | {"id": "urn:ngsi-ld:Other:1"}
        refused(await client.send("PUT", PATH, other), 400, "BadRequestData")
        refused(await client.send("PUT", PATH, entity(speed=NULL)), 400, "BadRequestData")
        refused(await client.send("PUT", PATH, entity(), query="type=Camera"), 404, "ResourceNotFound")
        assert (await client.send("PUT", PATH, entity(), headers=MERGE_PATCH)).status == 415
        assert await shown(client) == entity(speed=prop(1))

    with_client(open_client, body)
