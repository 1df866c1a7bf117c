"""Clause 6.23.3.1, POST /entityOperations/query: a Query (5.2.23) says all that query parameters say."""

from __future__ import annotations

from typing import Any

import pytest

from tests.hub.clauses.reading import (
    CORE,
    GEO_JSON,
    LD_BODY,
    entity,
    fill,
    got,
    link,
    names,
    point,
    refused,
    urn,
    with_client,
    words,
)
from tests.hub.client import Answer, Client, Json
from tests.hub.conftest import OpenClient

PATH = "/entityOperations/query"
CITY = (
    entity("Bus:1", speed=40, scope="/Gimhae", location=point(128.90, 35.20), on=link("Line:1"), name=words(ko="가")),
    entity("Bus:2", speed=60, location=point(128.95, 35.20)),
    entity("Tram:3", speed=50),
    entity("Line:1", number=7),
)


async def post(client: Client, query: str = "", **members: Any) -> Answer:  # Any: JSON
    return await client.post(PATH, {"type": "Query", **members}, query)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"entities": [{"type": "Bus"}]}, "12"),
        ({"entities": [{"type": "Bus"}, {"type": "Tram"}]}, "123"),
        ({"entities": [{"type": "Bus,Line"}]}, "121"),
        ({"entities": [{"type": "Bus", "id": urn("Bus:2")}]}, "2"),
        ({"entities": [{"type": "Bus", "id": [urn("Bus:2"), urn("Bus:1")]}]}, "12"),
        ({"entities": [{"type": "Bus", "idPattern": ".*2$"}, {"type": "Tram"}]}, "23"),
        ({"entities": [{"type": "Bus", "idPattern": ".*1$"}, {"type": "Line", "idPattern": ".*1$"}]}, "11"),
        ({"entities": [{"type": "*", "id": urn("Tram:3")}, {"type": "Bus", "id": urn("Bus:1")}]}, "13"),
        ({"entities": [{"type": "Bus", "id": urn("Tram:3")}, {"type": "Tram", "id": urn("Bus:1")}]}, ""),
        ({"entities": [{"type": "Bus"}], "q": "speed>50"}, "2"),
        ({"q": "speed>45"}, "23"),
        ({"attrs": ["number"]}, "1"),
        ({"entities": [{"type": "Bus"}], "scopeQ": "/Gimhae"}, "1"),
        (
            {"geoQ": {"georel": "near;maxDistance==100", "geometry": "Point", "coordinates": [128.9, 35.2]}},
            "1",
        ),
        (
            {
                "geoQ": {
                    "georel": "equals",
                    "geometry": "Point",
                    "coordinates": "[128.95,35.2]",
                    "geoproperty": "location",
                }
            },
            "2",
        ),
        ({"entities": [{"type": "Bus"}], "ordering": {"orderBy": ["speed;desc"]}}, "21"),
        (
            {
                "entities": [{"type": "Bus"}],
                "ordering": {"orderBy": ["location;dist-asc"], "coordinates": [128.96, 35.2], "geometry": "Point"},
            },
            "21",
        ),
        ({"entities": [{"type": "Bus"}], "q": "on{number}==7", "join": "inline", "joinLevel": 1}, "1"),
        ({"entities": [{"type": "Bus"}], "csf": "a==1", "splitEntities": False, "entityMap": False}, "12"),
    ],
)
def test_a_query_says_what_parameters_say(open_client: OpenClient, asked: Json, expected: str) -> None:
    async def body(client: Client) -> None:
        await fill(client, *CITY)
        answer = await post(client, **asked)
        assert answer.status == 200, answer.body
        assert "".join(one[-1] for one in names(answer.json)) == expected

    with_client(open_client, body)


def test_representations_are_chosen_in_body_and_address(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        await fill(client, *CITY)
        one = [{"type": "Bus", "id": urn("Bus:1")}]
        simple = await post(client, "options=keyValues", entities=one, pick=["id", "name"], lang="ko")
        assert simple.json == [{"id": urn("Bus:1"), "name": "가"}]
        omitted = await post(client, "format=simplified", entities=one, omit=["location", "name", "scope", "on"])
        assert omitted.json == [{"id": urn("Bus:1"), "type": "Bus", "speed": 40}]
        flat = await post(client, entities=one, join="flat", containedBy=[urn("Line:9")])
        assert names(flat.json) == ["Bus:1", "Line:1"]
        held = await post(client, entities=one, join="flat", containedBy=[urn("Line:1")])
        assert names(held.json) == ["Bus:1"]
        none = await post(client, entities=one, datasetId=[urn("dataset:1")])
        assert none.json == [{"id": urn("Bus:1"), "type": "Bus", "scope": "/Gimhae"}]
        raw = {"type": "Query", "entities": [{"type": "Bus"}]}
        geo = await client.post(PATH, raw, "geometryProperty=location", headers=[GEO_JSON])
        assert (geo.json["type"], len(geo.json["features"])) == ("FeatureCollection", 2)

    with_client(open_client, body)


def test_pages_are_in_the_address(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        await fill(client, *CITY)
        answer = await post(client, "limit=1&count=true", entities=[{"type": "Bus"}])
        assert (names(answer.json), answer.header("ngsild-results-count")) == (["Bus:1"], "2")
        assert '</ngsi-ld/v1/entityOperations/query?count=true&limit=1&offset=1>; rel="next"; type=' in answer.header(
            "link"
        )
        assert names((await post(client, "limit=1&offset=1", entities=[{"type": "Bus"}])).json) == ["Bus:2"]

    with_client(open_client, body)


def test_names_are_those_of_the_bodys_context(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        context = {"velocity": "https://uri.etsi.org/ngsi-ld/default-context/speed"}
        await fill(client, *CITY)
        raw = {"@context": [context, CORE], "type": "Query", "entities": [{"type": "Bus"}], "q": "velocity==40"}
        inside = await client.post(PATH, raw, headers=[LD_BODY, ("Accept", "application/ld+json")])
        assert inside.json[0]["velocity"]["value"] == 40
        assert inside.json[0]["@context"] == [context, CORE]
        outside = await client.post(PATH, raw, headers=[LD_BODY, ("Host", "hub.example")])
        address = outside.header("link").partition(">")[0].lstrip("<")
        assert address.startswith("http://hub.example/ngsi-ld/v1/jsonldContexts/")
        served = await got(client, address.partition("/v1")[2])
        assert served == {"@context": [context, CORE]}
        again = await client.get("/entities", "type=Bus&q=velocity==40", headers=[("Link", _linked(address))])
        assert again.json[0]["velocity"]["value"] == 40
        wrong = {"type": "Query", "@context": context, "entities": [{"type": "Bus"}]}
        refused(await client.post(PATH, wrong), 400, "BadRequestData")

    with_client(open_client, body)


def _linked(address: str) -> str:
    return f'<{address}>; rel="http://www.w3.org/ns/json-ld#context"; type="application/ld+json"'


@pytest.mark.parametrize(
    "members",
    [
        {"type": "Question", "entities": [{"type": "Bus"}]},
        {"entities": [{"type": "Bus"}]},
        {"type": "Query"},
        {"type": "Query", "entities": []},
        {"type": "Query", "entities": {"type": "Bus"}},
        {"type": "Query", "entities": [{}]},
        {"type": "Query", "entities": [{"type": "Bus", "id": "no-uri"}]},
        {"type": "Query", "entities": [{"type": "Bus", "idPattern": "("}]},
        {"type": "Query", "entities": [{"type": "Bus", "color": "red"}]},
        {"type": "Query", "entities": [{"type": 5}]},
        {"type": "Query", "entities": [{"type": "Bus"}], "q": 5},
        {"type": "Query", "entities": [{"type": "Bus"}], "q": "=="},
        {"type": "Query", "entities": [{"type": "Bus"}], "attrs": []},
        {"type": "Query", "entities": [{"type": "Bus"}], "attrs": "speed"},
        {"type": "Query", "entities": [{"type": "Bus"}], "pick": [5]},
        {"type": "Query", "entities": [{"type": "Bus"}], "geoQ": {"georel": "equals"}},
        {"type": "Query", "entities": [{"type": "Bus"}], "geoQ": "here"},
        {"type": "Query", "entities": [{"type": "Bus"}], "temporalQ": {"timerel": "before"}},
        {"type": "Query", "entities": [{"type": "Bus"}], "ordering": {"collation": "und"}},
        {"type": "Query", "entities": [{"type": "Bus"}], "ordering": "speed"},
        {"type": "Query", "entities": [{"type": "Bus"}], "join": "sideways"},
        {"type": "Query", "entities": [{"type": "Bus"}], "join": "inline", "joinLevel": "deep"},
        {"type": "Query", "entities": [{"type": "Bus"}], "splitEntities": "yes"},
        {"type": "Query", "entities": [{"type": "Bus"}], "color": "red"},
    ],
)
def test_what_is_no_query_is_refused(open_client: OpenClient, members: Json) -> None:
    async def body(client: Client) -> None:
        refused(await client.post(PATH, members), 400, "BadRequestData")

    with_client(open_client, body)


def test_entity_maps_are_not_kept(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        refused(await post(client, entities=[{"type": "Bus"}], entityMap=True), 422, "OperationNotSupported")
        refused(await client.post(PATH, b"[1"), 400, "InvalidRequest")
        refused(await client.post(PATH, []), 400, "InvalidRequest")

    with_client(open_client, body)
