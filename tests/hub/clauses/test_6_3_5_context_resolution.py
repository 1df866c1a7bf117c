"""Clauses 6.3.5 and 6.3.6: which @context a request is read with, and where that of an answer stands."""

from __future__ import annotations

import pytest

from tests.hub.clauses.reading import CONTEXT_REL, CORE, LD_BODY, ask, entity, fill, got, refused, urn, with_client
from tests.hub.client import Client
from tests.hub.conftest import OpenClient

ID = "/entities/" + urn("Bus:1")
QUERY = "/entityOperations/query"


async def hosted(client: Client) -> str:
    answer = await client.post("/jsonldContexts", {"@context": {"speed": "https://a.example/speed"}})
    return "http://hub.example" + answer.header("location")


def link_to(address: str, rel: str = CONTEXT_REL) -> tuple[str, str]:
    return "Link", f'<{address}>; rel="{rel}"; type="application/ld+json"'


def test_without_a_link_names_are_those_of_the_core(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        await fill(client, entity("Bus:1", speed=1))
        for rel in ("next", "http://www.w3.org/ns/other"):
            answer = await ask(client, ID, link_to("https://nobody.example/c", rel))
            assert (answer.status, answer.json) == (200, entity("Bus:1", speed=1))
        for version in ("", "-v1.3", "-v1.8", "-v1.9"):
            address = f"https://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context{version}.jsonld"
            assert (await got(client, ID, link_to(address)))["speed"]["value"] == 1

    with_client(open_client, body)


def test_the_link_says_the_names_of_question_and_answer(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        address = await hosted(client)
        headers = [link_to(address)]
        assert (await client.post("/entities", entity("Bus:1", speed=1), headers=headers)).status == 201
        answer = await ask(client, "/entities", *headers, type="Bus", q="speed==1", attrs="speed", pick="id,speed")
        assert answer.json == [{"id": urn("Bus:1"), "speed": {"type": "Property", "value": 1}}]
        assert answer.header("link") == f'<{address}>; rel="{CONTEXT_REL}"; type="application/ld+json"'
        assert await got(client, "/entities", type="Bus", q="speed==1") == []
        inside = await ask(client, ID, *headers, ("Accept", "application/ld+json"))
        assert inside.json["@context"] == [address, CORE]
        assert "link" not in inside.headers
        unquoted = ("Link", f"<{address}>; rel={CONTEXT_REL}")
        assert "speed" in await got(client, ID, unquoted)

    with_client(open_client, body)


@pytest.mark.parametrize("path", ["/entities", QUERY])
def test_contexts_stand_where_the_media_type_wants_them(open_client: OpenClient, path: str) -> None:
    async def body(client: Client) -> None:
        address = await hosted(client)
        raw = entity("Bus:1", speed=1) if path == "/entities" else {"type": "Query", "entities": [{"type": "Bus"}]}
        refused(await client.post(path, {"@context": address, **raw}), 400, "BadRequestData")
        refused(await client.post(path, raw, headers=[LD_BODY]), 400, "BadRequestData")
        both = [LD_BODY, link_to(address)]
        refused(await client.post(path, {"@context": address, **raw}, headers=both), 400, "BadRequestData")
        answer = await client.post(path, {"@context": address, **raw}, headers=[LD_BODY])
        assert answer.status in (200, 201)

    with_client(open_client, body)


def test_a_context_that_cannot_be_had_is_told_at_once(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        for address in ("http://127.0.0.1:9/context.jsonld", "ftp://a.example/c", "no-address"):
            refused(await ask(client, "/entities", link_to(address), type="Bus"), 503, "LdContextNotAvailable")
            raw = {"@context": address, **entity("Bus:1")}
            refused(await client.post("/entities", raw, headers=[LD_BODY]), 503, "LdContextNotAvailable")

    with_client(open_client, body)


def test_a_context_given_inside_the_body_is_told_back(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        context = {"speed": "https://a.example/speed", "a": "https://a.example/"}
        raw = {"@context": context, **entity("Bus:1", speed=1, **{"a:b": 2})}
        assert (await client.post("/entities", raw, headers=[LD_BODY])).status == 201
        shown = await got(client, ID)
        assert shown.keys() == {"id", "type", "https://a.example/speed", "https://a.example/b"}
        query = {"@context": context, "type": "Query", "entities": [{"type": "Bus"}]}
        for member in (context, [context], [context, CORE]):
            answer = await client.post(QUERY, query | {"@context": member}, headers=[LD_BODY])
            assert answer.json[0].keys() == {"id", "type", "speed", "a:b"}

    with_client(open_client, body)
