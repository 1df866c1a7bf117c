"""Clause 5.6.5, Delete Attribute; 6.7.3.2, DELETE /entities/{id}/attrs/{name}."""

from __future__ import annotations

from tests.hub.clauses.writing import ATTRS, created, dataset, entity, prop, refused, shown, with_client
from tests.hub.client import Answer, Client
from tests.hub.conftest import OpenClient

LEFT = prop(2, datasetId=dataset("left"))


async def delete(client: Client, name: str, query: str = "") -> Answer:
    return await client.send("DELETE", f"{ATTRS}/{name}", query=query)


def test_the_default_instance_goes_and_the_others_stay(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        await created(client, speed=[prop(1), LEFT], other=prop(0))
        answer = await delete(client, "speed")
        assert (answer.status, answer.body) == (204, b"")
        assert await shown(client) == entity(speed=LEFT, other=prop(0))
        refused(await delete(client, "speed"), 404, "ResourceNotFound")

    with_client(open_client, body)


def test_the_instance_of_a_dataset_goes_alone(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        await created(client, speed=[prop(1), LEFT])
        assert (await delete(client, "speed", f"datasetId={dataset('left')}")).status == 204
        assert await shown(client) == entity(speed=prop(1))
        refused(await delete(client, "speed", f"datasetId={dataset('left')}"), 404, "ResourceNotFound")
        assert (await delete(client, "speed", "datasetId=@none")).status == 204
        assert await shown(client) == entity()

    with_client(open_client, body)


def test_delete_all_takes_every_instance(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        await created(client, speed=[prop(1), LEFT])
        assert (await delete(client, "speed", "deleteAll=true")).status == 204
        assert await shown(client) == entity()

    with_client(open_client, body)


def test_the_scope_is_deleted_like_an_attribute(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        await created(client, speed=prop(1), scope="/a")
        assert (await delete(client, "scope")).status == 204
        assert await shown(client) == entity(speed=prop(1))
        refused(await delete(client, "scope"), 404, "ResourceNotFound")

    with_client(open_client, body)


def test_missing_things_bad_names_and_other_types_are_refused(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        refused(await delete(client, "speed"), 404, "ResourceNotFound")
        await created(client, speed=prop(1))
        refused(await delete(client, "other"), 404, "ResourceNotFound")
        refused(await delete(client, "sp(eed"), 400, "BadRequestData")
        refused(await delete(client, "type"), 400, "BadRequestData")
        refused(await delete(client, "speed", "datasetId=left"), 400, "BadRequestData")
        refused(await delete(client, "speed", "deleteAll=perhaps"), 400, "BadRequestData")
        refused(await delete(client, "speed", "type=Camera"), 404, "ResourceNotFound")
        answer = await client.send("DELETE", "/entities/no-uri/attrs/speed")
        refused(answer, 400, "BadRequestData")
        assert await shown(client) == entity(speed=prop(1))

    with_client(open_client, body)
