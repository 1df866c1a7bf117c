"""Clauses 6.3.2 and 6.3.3: wrong methods and resources, and how errors look."""

from __future__ import annotations

from tests.hub.clauses.reading import ask, entity, refused, urn, with_client
from tests.hub.client import Client
from tests.hub.conftest import OpenClient

ID = "/entities/" + urn("Bus:1")
BUS = entity("Bus:1", speed=1)
JSON, LD, GEO = "application/json", "application/ld+json", "application/geo+json"


def test_wrong_methods_are_told_the_right_ones(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        answer = await client.send("PATCH", "/entities", {})
        refused(answer, 405, "OperationNotSupported")
        assert "GET" in answer.header("allow")
        refused(await client.send("POST", "/types", {}), 405, "OperationNotSupported")
        refused(await client.get("/nowhere"), 404, "ResourceNotFound")
        refused(await client.get("/entities/x/y/z"), 404, "ResourceNotFound")

    with_client(open_client, body)


def test_errors_are_plain_json_whatever_is_accepted(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        answer = await ask(client, ID, ("Accept", LD))
        refused(answer, 404, "ResourceNotFound")
        assert {"type", "title", "detail", "status"} <= answer.json.keys()
        assert "link" not in answer.headers

    with_client(open_client, body)
