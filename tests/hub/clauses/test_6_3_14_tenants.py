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


def test_only_what_creates_lets_a_tenant_come_to_be(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        nobody = [("NGSILD-Tenant", "nobody")]
        value = {"speed": {"type": "Property", "value": 2}}
        for method, path, said in (
            ("PATCH", ID, value),
            ("PUT", ID, BUS),
            ("DELETE", ID, None),
            ("POST", ID + "/attrs", value),
            ("POST", "/entityOperations/update", [BUS]),
            ("POST", "/entityOperations/delete", [BUS["id"]]),
            ("POST", "/entityOperations/query", {"type": "Query", "entities": [{"type": "Bus"}]}),
            ("DELETE", "/subscriptions/urn:ngsi-ld:Subscription:1", None),
        ):
            refused(await client.send(method, path, said, headers=nobody), 404, "NonexistentTenant")
        assert (await client.post("/entityOperations/create", [BUS], headers=nobody)).status == 201
        assert (await client.send("PATCH", ID, value, headers=nobody)).status == 204

    with_client(open_client, body)
