"""Clauses 4.13 and 6.3.13: how many there are, in a header."""

from __future__ import annotations

from tests.hub.clauses.reading import GEO_JSON, ask, entity, fill, refused, with_client
from tests.hub.client import Client
from tests.hub.conftest import OpenClient


def test_what_a_query_finds_is_counted_whatever_the_page_holds(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        await fill(client, *(entity(f"Bus:{n}", speed=n) for n in range(5)))
        for asked in ({}, {"limit": "2"}, {"limit": "2", "offset": "4"}, {"offset": "9"}, {"limit": "0"}):
            answer = await ask(client, "/entities", type="Bus", count="true", **asked)
            assert (answer.status, answer.header("ngsild-results-count")) == (200, "5")
        some = await ask(client, "/entities", GEO_JSON, type="Bus", count="true", q="speed>2", limit="1")
        assert some.header("ngsild-results-count") == "2"
        none = await ask(client, "/entities", type="Ship", count="true")
        assert none.header("ngsild-results-count") == "0"

    with_client(open_client, body)


def test_it_is_told_only_on_request(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        await fill(client, entity("Bus:1"))
        for asked in ({}, {"count": "false"}):
            assert "ngsild-results-count" not in (await ask(client, "/entities", type="Bus", **asked)).headers
        refused(await ask(client, "/entities", type="Bus", count="yes"), 400, "BadRequestData")
        refused(await ask(client, "/entities", type="Bus", limit="0"), 400, "BadRequestData")

    with_client(open_client, body)
