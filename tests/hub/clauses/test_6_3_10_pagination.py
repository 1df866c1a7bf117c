"""Clauses 5.5.9 and 6.3.10: pages, linked to each other."""

from __future__ import annotations

from tests.hub.clauses.reading import ask, entity, fill, point, urn, with_client
from tests.hub.client import Client
from tests.hub.conftest import OpenClient

CITY = (
    entity("Bus:1", speed=40, scope=["/Gimhae/Road", "/Busan"], location=point(128.90, 35.20)),
    entity("Bus:2", speed=60, scope="/Gimhae/Rail", location=point(128.95, 35.20)),
    entity("Tram:3", speed=50, home=point(128.90, 35.20)),
    entity("Tram:4") | {"type": ["Tram", "Museum"]},
)
HERE = {"geometry": "Point", "coordinates": "[128.9,35.2]"}


def test_pages_are_linked_and_counted(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        await fill(client, *(entity(f"Bus:{n}", speed=n) for n in range(5)))
        first = await ask(client, "/entities", type="Bus", limit="2", count="true", q="speed>=0")
        assert first.header("ngsild-results-count") == "5"
        links = [one for one in first.headers["link"] if "rel=" in one and "json-ld" not in one]
        target = "/ngsi-ld/v1/entities?type=Bus&count=true&q=speed%3E%3D0&limit=2&offset=2"
        assert links == [f'<{target}>; rel="next"; type="application/json"']
        ld = await ask(client, "/entities", ("Accept", "application/ld+json"), type="Bus", limit="2")
        assert ld.header("link").endswith('rel="next"; type="application/ld+json"')
        middle = await ask(client, "/entities", type="Bus", limit="2", offset="2")
        assert [one.partition("rel=")[2].partition(";")[0] for one in middle.headers["link"][1:]] == [
            '"next"',
            '"prev"',
        ]
        assert [one["id"] for one in middle.json] == [urn("Bus:2"), urn("Bus:3")]
        last = await ask(client, "/entities", type="Bus", limit="2", offset="4")
        assert [one.partition("rel=")[2].partition(";")[0] for one in last.headers["link"][1:]] == ['"prev"']
        assert "ngsild-results-count" not in last.headers
        alone = await ask(client, "/entities", type="Bus", limit="0", count="true")
        assert (alone.json, alone.header("ngsild-results-count")) == ([], "5")
        beyond = await ask(client, "/entities", type="Bus", offset="99")
        assert (beyond.status, beyond.json) == (200, [])

    with_client(open_client, body)
