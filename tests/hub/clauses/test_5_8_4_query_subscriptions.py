"""Clause 5.8.4: listing subscriptions, page by page."""

from __future__ import annotations

from tests.hub.clauses.subscribing import QUICK, good, subscription
from tests.hub.client import run
from tests.hub.conftest import OpenClient

URI = "http://127.0.0.1:9/told"


def test_they_are_listed_in_the_order_they_were_made(open_client: OpenClient) -> None:
    async def test() -> None:
        async with open_client(**QUICK) as client:
            assert (await client.get("/subscriptions")).json == []
            for number in range(5):
                await good(client.post("/subscriptions", subscription(URI, id=f"urn:x:{number}")))
            page = await client.get("/subscriptions", "limit=2&offset=1&count=true")
            assert [one["id"] for one in page.json] == ["urn:x:1", "urn:x:2"]
            assert page.header("ngsild-results-count") == "5"
            assert '/ngsi-ld/v1/subscriptions?count=true&limit=2&offset=3>; rel="next"' in page.header("link")
            assert 'offset=0>; rel="prev"' in page.header("link")
            last = await client.get("/subscriptions", "limit=2&offset=4")
            assert 'rel="next"' not in last.header("link")
            counted = await client.get("/subscriptions", "limit=0&count=true")
            assert (counted.json, counted.header("ngsild-results-count")) == ([], "5")

    run(test)


def test_wrong_pages_are_refused(open_client: OpenClient) -> None:
    async def test() -> None:
        async with open_client(**QUICK) as client:
            for query in ("limit=-1", "limit=0", "offset=x", "count=maybe", "unheard=1"):
                assert (await client.get("/subscriptions", query)).status == 400
            assert (await client.get("/subscriptions", "limit=5000")).status == 403

    run(test)


def test_a_tenant_lists_its_own_alone(open_client: OpenClient) -> None:
    async def test() -> None:
        async with open_client(**QUICK) as client:
            tenant = [("NGSILD-Tenant", "gimhae")]
            await good(client.post("/subscriptions", subscription(URI, id="urn:x:1"), headers=tenant))
            assert (await client.get("/subscriptions")).json == []
            assert len((await client.get("/subscriptions", headers=tenant)).json) == 1
            assert (await client.get("/subscriptions/urn:x:1")).status == 404

    run(test)
