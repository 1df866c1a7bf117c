"""Clause 5.6.4, Partial Attribute Update; 5.5.8, its algorithm; 6.7.3.1, PATCH /entities/{id}/attrs/{name}."""

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


async def patch(client: Client, name: str, sent: Json, query: str = "") -> Answer:
    return await client.send("PATCH", f"{ATTRS}/{name}", sent, query=query, headers=MERGE_PATCH)


def test_members_given_are_exchanged_and_the_others_stay(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        await created(client, speed=prop(1, unitCode="KMH", accuracy=prop(3)))
        answer = await patch(client, "speed", {"value": 2})
        assert (answer.status, answer.body) == (204, b"")
        assert (await patch(client, "speed", {"unitCode": "MTS"})).status == 204
        assert (await patch(client, "speed", {"source": prop("radar"), "accuracy": {"value": 4}})).status == 204
        said = prop(2, unitCode="MTS", accuracy=prop(4), source=prop("radar"))
        assert await shown(client) == entity(speed=said)

    with_client(open_client, body)


def test_a_compound_value_is_exchanged_whole(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        await created(client, place=prop({"city": "Gimhae", "street": "Gaya-ro"}), name=texts(ko="김해", en="Gimhae"))
        assert (await patch(client, "place", {"type": "Property", "value": {"city": "Busan"}})).status == 204
        assert (await patch(client, "name", {"languageMap": {"ko": "부산"}})).status == 204
        assert await shown(client) == entity(place=prop({"city": "Busan"}), name=texts(ko="부산"))

    with_client(open_client, body)


def test_nulls_delete_members_but_not_the_attribute_itself(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        await created(client, speed=prop(1, unitCode="KMH", accuracy=prop(3)), at=link("urn:ngsi-ld:Road:1"))
        assert (await patch(client, "speed", {"unitCode": NULL, "accuracy": NULL})).status == 204
        refused(await patch(client, "at", {"type": "Relationship", "object": NULL}), 400, "BadRequestData")
        refused(await patch(client, "speed", {"value": NULL}), 400, "BadRequestData")
        refused(await patch(client, "speed", {"value": {"a": NULL}}), 400, "BadRequestData")
        refused(await patch(client, "speed", {"value": 1, "datasetId": NULL}), 400, "BadRequestData")
        assert await shown(client) == entity(speed=prop(1), at=link("urn:ngsi-ld:Road:1"))

    with_client(open_client, body)


def test_the_instance_of_the_dataset_in_the_body_is_meant(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        await created(client, speed=[prop(1), prop(2, datasetId=dataset("left"))])
        assert (await patch(client, "speed", {"value": 9, "datasetId": dataset("left")})).status == 204
        assert (await shown(client))["speed"] == [prop(1), prop(9, datasetId=dataset("left"))]
        answer = await patch(client, "speed", {"value": 9, "datasetId": dataset("right")})
        refused(answer, 404, "ResourceNotFound")

    with_client(open_client, body)


def test_missing_things_other_kinds_and_other_types_are_refused(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        refused(await patch(client, "speed", {"value": 1}), 404, "ResourceNotFound")
        await created(client, speed=prop(1))
        refused(await patch(client, "other", {"value": 1}), 404, "ResourceNotFound")
        refused(await patch(client, "speed", link("urn:ngsi-ld:Road:1")), 400, "BadRequestData")
        refused(await patch(client, "speed", {"type": "Attribute", "value": 1}), 400, "BadRequestData")
        refused(await patch(client, "speed", {"value": 2}, "type=Camera"), 404, "ResourceNotFound")
        refused(await patch(client, "speed", {"value": None}), 400, "BadRequestData")
        for name in ("type", "scope"):
            refused(await patch(client, name, {"value": 1}), 400, "BadRequestData")
        assert await shown(client) == entity(speed=prop(1))

    with_client(open_client, body)
