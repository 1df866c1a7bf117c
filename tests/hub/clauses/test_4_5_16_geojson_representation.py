"""Clauses 4.5.16, 4.5.17 and 6.3.15: entities as GeoJSON."""

from __future__ import annotations

from tests.hub.clauses.reading import (
    CONTEXT_REL,
    CORE,
    GEO_JSON,
    ask,
    entity,
    fill,
    found,
    got,
    point,
    refused,
    urn,
    with_client,
)
from tests.hub.client import Client
from tests.hub.conftest import OpenClient

ID = "/entities/" + urn("Bus:1")
HERE, THERE = point(128.9, 35.2), point(129.0, 35.1)
BUS = entity("Bus:1", location=HERE, home=THERE, speed=40)
DATASET = urn("dataset:1")


def test_one_entity_is_a_feature_with_its_context(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        await fill(client, BUS)
        answer = await ask(client, ID, GEO_JSON)
        assert answer.status == 200
        assert answer.header("content-type") == "application/geo+json"
        assert answer.header("link") == ""
        assert answer.json == {
            "@context": CORE,
            "id": urn("Bus:1"),
            "type": "Feature",
            "geometry": HERE["value"],
            "properties": {"type": "Bus", "location": HERE, "home": THERE, "speed": {"type": "Property", "value": 40}},
        }

    with_client(open_client, body)


def test_several_entities_are_one_collection_with_one_context(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        await fill(client, BUS, entity("Bus:2", speed=1))
        answer = await ask(client, "/entities", GEO_JSON, type="Bus", count="true")
        assert answer.header("content-type") == "application/geo+json"
        assert answer.header("ngsild-results-count") == "2"
        assert answer.json["type"] == "FeatureCollection"
        assert answer.json["@context"] == CORE
        first, second = answer.json["features"]
        assert first["geometry"] == HERE["value"]
        assert second == {
            "id": urn("Bus:2"),
            "type": "Feature",
            "geometry": None,
            "properties": {"type": "Bus", "speed": {"type": "Property", "value": 1}},
        }
        assert (await got(client, "/entities", GEO_JSON, type="Tram"))["features"] == []

    with_client(open_client, body)


def test_the_context_may_be_wished_into_a_link_header(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        await fill(client, BUS)
        for path, asked in ((ID, {}), ("/entities", {"type": "Bus"})):
            answer = await ask(client, path, GEO_JSON, ("Prefer", "body=json"), **asked)
            assert "@context" not in answer.json
            assert answer.header("link") == f'<{CORE}>; rel="{CONTEXT_REL}"; type="application/ld+json"'
            inside = await ask(client, path, GEO_JSON, ("Prefer", "body=ld+json"), **asked)
            assert inside.json["@context"] == CORE
            assert inside.header("link") == ""

    with_client(open_client, body)


def test_simplified_and_concise_features(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        await fill(client, BUS)
        simple = await got(client, ID, GEO_JSON, options="keyValues")
        assert simple["geometry"] == HERE["value"]
        assert simple["properties"] == {"type": "Bus", "location": HERE["value"], "home": THERE["value"], "speed": 40}
        concise = await got(client, ID, GEO_JSON, options="concise,sysAttrs")
        assert concise["properties"]["speed"].keys() == {"value", "createdAt", "modifiedAt"}
        assert "createdAt" in concise["properties"]

    with_client(open_client, body)


def test_another_geometry_may_be_shown(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        await fill(client, BUS)
        assert (await got(client, ID, GEO_JSON, geometryProperty="home"))["geometry"] == THERE["value"]
        assert (await got(client, ID, GEO_JSON, geometryProperty="speed"))["geometry"] is None
        assert (await got(client, ID, GEO_JSON, geometryProperty="nowhere"))["geometry"] is None
        [shown] = (await got(client, "/entities", GEO_JSON, type="Bus", geometryProperty="home"))["features"]
        assert shown["geometry"] == THERE["value"]

    with_client(open_client, body)


def test_of_several_geometries_the_default_or_the_one_asked_for_is_shown(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        await fill(client, entity("Bus:1", location=[HERE, point(129.0, 35.1, datasetId=DATASET)]))
        assert (await got(client, ID, GEO_JSON))["geometry"] == HERE["value"]
        shown = await got(client, ID, GEO_JSON, datasetId=DATASET)
        assert shown["geometry"] == THERE["value"]
        await fill(client, entity("Bus:2", location=[point(1, 1, datasetId=DATASET), point(2, 2, datasetId=urn("d"))]))
        assert (await got(client, "/entities/" + urn("Bus:2"), GEO_JSON))["geometry"] is None

    with_client(open_client, body)


def test_geojson_is_only_for_entities(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        await fill(client, BUS)
        refused(await ask(client, "/types", GEO_JSON), 406, "InvalidRequest")
        refused(await ask(client, ID, geometryProperty="home"), 400, "BadRequestData")
        refused(await ask(client, "/entities", type="Bus", geometryProperty="home"), 400, "BadRequestData")
        assert await found(client, type="Bus", geoproperty="home") == ["Bus:1"]

    with_client(open_client, body)
