"""Clause 5.7.1, Retrieve Entity; 6.5.3.1, GET /entities/{entityId}."""

from __future__ import annotations

import pytest

from tests.hub.clauses.reading import CONTEXT_REL, CORE, JSON_LD, ask, entity, fill, got, refused, urn, with_client
from tests.hub.client import Client
from tests.hub.conftest import OpenClient

ID = "/entities/" + urn("Bus:1")
BUS = entity("Bus:1", speed=40)


def test_an_entity_is_retrieved_by_its_id(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        await fill(client, BUS, {"id": "http://a.example/x?y=1", "type": "Bus"})
        answer = await client.get(ID)
        assert (answer.status, answer.json) == (200, BUS)
        assert answer.header("content-type") == "application/json"
        assert answer.header("link") == f'<{CORE}>; rel="{CONTEXT_REL}"; type="application/ld+json"'
        odd = await client.get("/entities/http%3A%2F%2Fa.example%2Fx%3Fy%3D1")
        assert odd.json["id"] == "http://a.example/x?y=1"

    with_client(open_client, body)


def test_json_ld_carries_its_context_inside(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        await fill(client, BUS)
        answer = await ask(client, ID, JSON_LD)
        assert answer.json == {"@context": CORE, **BUS}
        assert answer.header("content-type") == "application/ld+json"
        assert answer.header("link") == ""

    with_client(open_client, body)


def test_what_is_not_there_or_no_id_is_refused(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        await fill(client, BUS)
        refused(await ask(client, "/entities/" + urn("Bus:9")), 404, "ResourceNotFound")
        refused(await ask(client, "/entities/Bus9"), 400, "BadRequestData")
        refused(await ask(client, ID, attrs="nothing"), 404, "ResourceNotFound")
        refused(await ask(client, ID, sideways="1"), 400, "InvalidRequest")
        refused(await client.get(ID, "attrs=speed&attrs=name"), 400, "InvalidRequest")
        refused(await ask(client, ID, local="perhaps"), 400, "BadRequestData")
        refused(await ask(client, ID, entityMap="true"), 422, "OperationNotSupported")
        assert await got(client, ID, local="true", entityMap="false") == BUS

    with_client(open_client, body)


@pytest.mark.parametrize(
    ("selection", "status"),
    [("Bus", 200), ("Car,Bus", 200), ("Car", 404), ("(Bus;Car)", 404), ("*", 200), ("(Bus", 400)],
)
def test_the_type_may_be_asked_for_too(open_client: OpenClient, selection: str, status: int) -> None:
    async def body(client: Client) -> None:
        await fill(client, BUS)
        assert (await ask(client, ID, type=selection)).status == status

    with_client(open_client, body)
