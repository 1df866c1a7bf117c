"""Clause 6.3.14: the tenant is named in a header, and echoed."""

from __future__ import annotations

from tests.hub.clauses.reading import ask, entity, refused, urn, with_client
from tests.hub.client import Client
from tests.hub.conftest import OpenClient

ID = "/entities/" + urn("Bus:1")
BUS = entity("Bus:1", speed=1)
JSON, LD, GEO = "application/json", "application/ld+json", "application/geo+json"


def test_the_tenant_is_echoed(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        tenant = ("NGSILD-Tenant", "Gimhae")
        assert (await client.post("/entities", BUS, headers=[tenant])).header("ngsild-tenant") == "Gimhae"
        assert (await ask(client, ID, tenant)).header("ngsild-tenant") == "Gimhae"
        assert "ngsild-tenant" not in (await ask(client, "/entities", type="Bus")).headers
        refused(await ask(client, ID, ("NGSILD-Tenant", "nobody")), 404, "NonexistentTenant")

    with_client(open_client, body)
