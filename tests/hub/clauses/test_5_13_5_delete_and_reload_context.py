"""Clause 5.13.5, Delete and Reload @context; 6.30.3.2, DELETE /jsonldContexts/{contextId}."""

from __future__ import annotations

from urllib.parse import quote

import orjson

from tests.hub.clauses.hosting import LOCAL, PATH, TERMS, Elsewhere, added, elsewhere, link_to
from tests.hub.clauses.reading import LD_BODY, ask, entity, got, refused, urn, with_client
from tests.hub.client import Client, Json
from tests.hub.conftest import OpenClient


def test_a_deleted_context_is_gone(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        context_id = await added(client)
        address = f"http://hub.invalid/ngsi-ld/v1{PATH}/{context_id}"
        assert (await client.get("/entities", "type=Bus", headers=[link_to(address)])).status == 200
        refused(await client.send("DELETE", f"{PATH}/{context_id}", query="reload=true"), 400, "BadRequestData")
        answer = await client.send("DELETE", f"{PATH}/{context_id}")
        assert (answer.status, answer.body) == (204, b"")
        refused(await ask(client, f"{PATH}/{context_id}"), 404, "ResourceNotFound")
        refused(await client.send("DELETE", f"{PATH}/{context_id}"), 404, "ResourceNotFound")
        refused(await client.get("/entities", "type=Bus", headers=[link_to(address)]), 503, "LdContextNotAvailable")

    with_client(open_client, body)


def test_a_cached_context_is_fetched_anew_on_request(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        with elsewhere() as address:
            await client.post("/entities", {"@context": address, **entity("Bus:1", speed=1)}, headers=[LD_BODY])
            name = f"{PATH}/{quote(address, safe='')}"
            Elsewhere.body = orjson.dumps({"@context": TERMS | {"velocity": "https://a.example/speed", "speed": None}})
            assert "speed" in await _named(client, address)
            assert (await client.send("DELETE", name, query="reload=true")).status == 204
            assert "velocity" in await _named(client, address)
            for broken in (b"", b"hello", b"{}", b'{"@context":{"a":"b","b":"a"}}'):
                Elsewhere.body = broken
                answer = await client.send("DELETE", name, query="reload=true")
                refused(answer, 503, "LdContextNotAvailable")
                assert "velocity" in await _named(client, address)
            Elsewhere.body = orjson.dumps({"@context": TERMS})
            assert (await client.send("DELETE", name)).status == 204
            assert await got(client, PATH) == []
            assert "speed" in await _named(client, address)

    with_client(open_client, body, **LOCAL)


async def _named(client: Client, address: str) -> Json:
    return await got(client, "/entities/" + urn("Bus:1"), link_to(address))
