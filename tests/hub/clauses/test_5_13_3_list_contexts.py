"""Clause 5.13.3, List @contexts; 6.29.3.2, GET /jsonldContexts."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from madang.hub.contexts import shelf
from tests.hub.clauses.hosting import LOCAL, PATH, Elsewhere, added, elsewhere, link_to
from tests.hub.clauses.reading import LD_BODY, ask, entity, fill, got, refused, with_client
from tests.hub.client import Client
from tests.hub.conftest import OpenClient


def test_contexts_are_listed_by_address_or_with_details(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        assert await got(client, PATH) == []
        first, second = await added(client), await added(client, {"a": "https://a.example/a"})
        host = ("Host", "hub.example")
        listed = await got(client, PATH, host)
        assert listed == [f"http://hub.example/ngsi-ld/v1{PATH}/{one}" for one in (first, second)]
        detailed = await got(client, PATH, host, details="true")
        assert detailed[0].keys() == {"URL", "localId", "kind", "createdAt"}
        assert (detailed[0]["localId"], detailed[0]["kind"]) == (first, "Hosted")
        assert detailed[0] == await got(client, f"{PATH}/{first}", host, details="true")
        await client.get("/entities", "type=Bus", headers=[link_to(listed[0])])
        used = await got(client, f"{PATH}/{first}", details="true")
        assert used["numberOfHits"] == 1
        assert used["lastUsage"] >= used["createdAt"]
        assert await got(client, PATH, host, kind="Hosted", limit="1") == listed[:1]
        assert await got(client, PATH, kind="Cached") == []
        refused(await ask(client, PATH, kind="hosted"), 400, "BadRequestData")
        refused(await ask(client, PATH, details="perhaps"), 400, "BadRequestData")
        refused(await ask(client, PATH, sideways="1"), 400, "InvalidRequest")

    with_client(open_client, body)


def test_a_fetched_context_is_cached_listed_and_not_served(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        with elsewhere() as address:
            await fill(client, entity("Bus:1", speed=1))
            for _ in range(3):
                assert (await client.get("/entities", "type=Bus", headers=[link_to(address)])).status == 200
            assert Elsewhere.asked == ["/bus.jsonld"]
            assert await got(client, PATH) == [address]
            [told] = await got(client, PATH, details="true", kind="Cached")
            assert (told["URL"], told["kind"], told["numberOfHits"]) == (address, "Cached", 3)
            assert told["expiresAt"] > told["createdAt"]
            for name in (told["localId"], quote(address, safe="")):
                refused(await ask(client, f"{PATH}/{name}"), 422, "OperationNotSupported")
                assert (await got(client, f"{PATH}/{name}", details="true"))["localId"] == told["localId"]

    with_client(open_client, body, **LOCAL)


def test_what_nobody_asked_to_keep_does_not_fill_the_store(
    open_client: OpenClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def body(client: Client) -> None:
        monkeypatch.setattr(shelf, "MOST", 2)
        hosted = [await added(client) for _ in range(3)]
        for number in range(4):
            raw = {"type": "Query", "@context": {"a": f"https://a.example/{number}"}, "entities": [{"type": "Bus"}]}
            assert (await client.post("/entityOperations/query", raw, headers=[LD_BODY])).status == 200
        assert len(await got(client, PATH, kind="ImplicitlyCreated")) == 2
        kept = [one.rpartition("/")[2] for one in await got(client, PATH, kind="Hosted")]
        assert sorted(kept) == sorted(hosted)

    with_client(open_client, body)
