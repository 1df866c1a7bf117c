"""Clause 5.13.2, Add @context; 6.29.3.1, POST /jsonldContexts; hosted @contexts are used without a round trip."""

from __future__ import annotations

import pytest

from tests.hub.clauses.hosting import PATH, TERMS, added, link_to
from tests.hub.clauses.reading import CORE, LD_BODY, ask, entity, got, refused, urn, with_client
from tests.hub.client import Client
from tests.hub.conftest import OpenClient


def test_an_added_context_is_served(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        context_id = await added(client)
        answer = await ask(client, f"{PATH}/{context_id}")
        assert (answer.status, answer.json) == (200, {"@context": TERMS})
        assert answer.header("content-type") == "application/json"
        assert await got(client, f"{PATH}/{context_id}", details="false") == {"@context": TERMS}
        kept = await client.post(PATH, {"@context": [CORE, TERMS], "more": 1}, headers=[LD_BODY])
        served = await got(client, kept.header("location").removeprefix("/ngsi-ld/v1"))
        assert served == {"@context": [CORE, TERMS]}

    with_client(open_client, body)


def test_an_added_context_is_used_by_its_address_without_asking_anybody(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        address = f"http://hub.example:8080/ngsi-ld/v1{PATH}/{await added(client)}"
        raw = {"@context": address, **entity("Bus:1", speed=1)}
        assert (await client.post("/entities", raw, headers=[LD_BODY])).status == 201
        plain = await got(client, "/entities/" + urn("Bus:1"))
        assert plain.keys() == {"id", "type", "https://a.example/speed"}
        answer = await ask(client, "/entities/" + urn("Bus:1"), link_to(address))
        assert answer.json == entity("Bus:1", speed=1)
        assert address in answer.header("link")
        inside = await ask(client, "/entities", link_to(address), ("Accept", "application/ld+json"), q="speed==1")
        assert inside.json[0]["@context"] == [address, CORE]

    with_client(open_client, body)


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (b"", "InvalidRequest"),
        (b"{", "InvalidRequest"),
        (b"[]", "InvalidRequest"),
        (b"{}", "BadRequestData"),
        (b'{"@context":null}', "BadRequestData"),
        (b'{"@context":5}', "BadRequestData"),
        (b'{"@context":{"a":{"@id":5}}}', "BadRequestData"),
        (b'{"@context":{"a":"b","b":"a"}}', "BadRequestData"),
        (b'{"@context":{"a":{"@id":"https://a.example/a","@context":{"b":"https://a.example/b"}}}}', "BadRequestData"),
    ],
)
def test_what_is_no_context_is_refused(open_client: OpenClient, raw: bytes, problem: str) -> None:
    async def body(client: Client) -> None:
        refused(await client.post(PATH, raw), 400, problem)
        assert await got(client, PATH) == []

    with_client(open_client, body)
