"""Clauses 6.3.2–6.3.4: media types asked for and sent, methods, and how errors look."""

from __future__ import annotations

import pytest

from tests.hub.clauses.reading import GEO_JSON, ask, entity, fill, refused, urn, with_client
from tests.hub.client import Client
from tests.hub.conftest import OpenClient

ID = "/entities/" + urn("Bus:1")
BUS = entity("Bus:1", speed=1)
JSON, LD, GEO = "application/json", "application/ld+json", "application/geo+json"


@pytest.mark.parametrize(
    ("accept", "media"),
    [
        ("", JSON),
        ("*/*", JSON),
        ("application/*", JSON),
        (JSON, JSON),
        (LD, LD),
        (GEO, GEO),
        (f"{LD}, {JSON}", JSON),
        (f"{GEO}, {LD}", LD),
        (f"{JSON};q=0.5, {LD}", LD),
        (f"{LD};q=0.2, {GEO};q=0.3", GEO),
        (f"text/html, {LD};q=0.9, */*;q=0.1", LD),
        (f"*/*;q=0.5, {JSON};q=0", LD),
        ("APPLICATION/LD+JSON", LD),
        (f"{LD}; charset=utf-8", LD),
    ],
)
def test_the_dearest_media_type_is_answered_and_of_equals_the_first(
    open_client: OpenClient, accept: str, media: str
) -> None:
    async def body(client: Client) -> None:
        await fill(client, BUS)
        headers = [("Accept", accept)] if accept else []
        for path, asked in ((ID, {}), ("/entities", {"type": "Bus"})):
            answer = await ask(client, path, *headers, **asked)
            assert (answer.status, answer.header("content-type")) == (200, media)

    with_client(open_client, body)


@pytest.mark.parametrize("accept", ["text/html", "image/*", f"{JSON};q=0", "application/xml, text/*"])
def test_nothing_acceptable_is_told_with_what_there_is(open_client: OpenClient, accept: str) -> None:
    async def body(client: Client) -> None:
        await fill(client, BUS)
        for path, asked in ((ID, {}), ("/entities", {"type": "Bus"}), ("/types", {}), ("/jsonldContexts", {})):
            answer = await ask(client, path, ("Accept", accept), **asked)
            refused(answer, 406, "InvalidRequest")
            assert LD in answer.json["hint"]
        posted = await client.post("/entityOperations/query", {"type": "Query"}, headers=[("Accept", accept)])
        refused(posted, 406, "InvalidRequest")

    with_client(open_client, body)


@pytest.mark.parametrize("path", ["/types", "/types/Bus", "/attributes", "/attributes/speed", "/jsonldContexts"])
def test_geojson_is_acceptable_for_entities_only(open_client: OpenClient, path: str) -> None:
    async def body(client: Client) -> None:
        await fill(client, BUS)
        refused(await ask(client, path, GEO_JSON), 406, "InvalidRequest")

    with_client(open_client, body)


@pytest.mark.parametrize("media", ["text/plain", "application/xml", "", "application/merge-patch+json"])
def test_other_bodies_are_refused_by_the_status_alone(open_client: OpenClient, media: str) -> None:
    async def body(client: Client) -> None:
        for path in ("/entities", "/entityOperations/query", "/jsonldContexts"):
            answer = await client.post(path, b"{}", headers=[("Content-Type", media)])
            assert (answer.status, answer.body) == (415, b"")

    with_client(open_client, body)


def test_head_and_options_behave(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        await fill(client, BUS)
        whole, head = await client.get(ID), await client.send("HEAD", ID)
        assert (head.status, head.headers, head.body) == (200, whole.headers, b"")
        assert (await client.send("HEAD", "/entities/" + urn("Bus:9"))).status == 404
        assert (await client.send("HEAD", "/entities", query="type=Bus&count=true")).header(
            "ngsild-results-count"
        ) == "1"
        options = await client.send("OPTIONS", ID)
        assert (options.status, options.body) == (204, b"")
        assert {"GET", "HEAD", "OPTIONS", "PATCH", "PUT", "DELETE"} == set(options.header("allow").split(", "))
        assert "application/merge-patch+json" in options.header("accept-patch")
        assert "accept-patch" not in (await client.send("OPTIONS", "/types")).headers
        refused(await client.send("OPTIONS", "/nowhere"), 404, "ResourceNotFound")

    with_client(open_client, body)


def test_a_body_of_unknown_length_is_refused_by_the_status_alone(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        for method, path in (("POST", "/entities"), ("POST", "/entityOperations/query"), ("PATCH", ID), ("PUT", ID)):
            answer = await client.send(method, path, chunks=[b"{", b"}"])
            assert (answer.status, answer.body) == (411, b"")
        assert client.body_reads == 0

    with_client(open_client, body)
