"""Clause 5.6.6, Delete Entity; 6.5.3.2, DELETE /entities/{id}."""

from __future__ import annotations

from tests.hub.clauses.writing import PATH, created, entity, prop, refused, shown, with_client
from tests.hub.client import Client
from tests.hub.conftest import OpenClient


def test_a_deleted_entity_is_gone_and_may_come_again_as_another(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        await created(client, speed=prop(1))
        answer = await client.send("DELETE", PATH)
        assert (answer.status, answer.body) == (204, b"")
        refused(await client.get(PATH), 404, "ResourceNotFound")
        assert (await client.get("/entities", "type=Sensor")).json == []
        refused(await client.send("DELETE", PATH), 404, "ResourceNotFound")
        await created(client, other=prop(2))
        assert await shown(client) == entity(other=prop(2))

    with_client(open_client, body)


def test_bad_ids_and_other_types_are_refused(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        refused(await client.send("DELETE", "/entities/no-uri"), 400, "BadRequestData")
        await created(client)
        refused(await client.send("DELETE", PATH, query="type=Camera"), 404, "ResourceNotFound")
        assert (await client.send("DELETE", PATH, query="type=Sensor")).status == 204

    with_client(open_client, body)
