"""Clause 5.13.4, Serve @context; 6.30.3.1, GET /jsonldContexts/{contextId}; what is kept outlives restarts."""

from __future__ import annotations

from madang.hub.http.app import HubApp
from tests.hub.clauses.hosting import LOCAL, PATH, TERMS, added, elsewhere, link_to
from tests.hub.clauses.reading import ask, entity, got, refused, with_client
from tests.hub.client import Answer, Client, run
from tests.hub.conftest import OpenClient, OpenHub


def test_contexts_outlive_a_restart_and_a_dead_address(open_hub: OpenHub) -> None:
    async def asked(client: Client, address: str) -> Answer:
        return await ask(client, "/entities", link_to(address), type="Bus")

    async def body() -> None:
        with elsewhere() as address:
            async with open_hub(**LOCAL) as hub:
                client = Client(HubApp(hub, None, (), open_mode=True, bound_host="127.0.0.1"))
                hosted = await added(client)
                assert (await asked(client, address)).status == 200
        async with open_hub(**LOCAL) as hub:
            client = Client(HubApp(hub, None, (), open_mode=True, bound_host="127.0.0.1"))
            assert await got(client, f"{PATH}/{hosted}") == {"@context": TERMS}
            assert (await asked(client, address)).status == 200
        async with open_hub(**LOCAL, context_keep_s=0.0) as hub:
            client = Client(HubApp(hub, None, (), open_mode=True, bound_host="127.0.0.1"))
            assert (await asked(client, address)).status == 200
            refused(await asked(client, address + "x"), 503, "LdContextNotAvailable")

    run(body)


def test_contexts_of_other_tenants_are_used_but_neither_listed_nor_deleted(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        for tenant in ("here", "there"):
            made = await client.post("/entities", entity("Bus:1"), headers=[("NGSILD-Tenant", tenant)])
            assert made.status == 201
        answer = await client.post(PATH, {"@context": TERMS}, headers=[("NGSILD-Tenant", "here")])
        path = answer.header("location").removeprefix("/ngsi-ld/v1")
        there = ("NGSILD-Tenant", "there")
        assert await got(client, PATH, there) == []
        assert await got(client, path, there) == {"@context": TERMS}
        refused(await client.send("DELETE", path, headers=[there]), 404, "ResourceNotFound")
        assert (await client.send("DELETE", path, headers=[("NGSILD-Tenant", "here")])).status == 204

    with_client(open_client, body)
