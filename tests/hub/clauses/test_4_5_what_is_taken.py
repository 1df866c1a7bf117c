"""Clauses 4.5.1 to 4.5.25: attributes of every kind, written in every representation, are kept as one."""

from __future__ import annotations

import pytest

from tests.hub.clauses.writing import (
    ID,
    JSON_LD,
    PATH,
    created,
    dataset,
    entity,
    link,
    prop,
    refused,
    shown,
    texts,
    with_client,
)
from tests.hub.client import Client, Json
from tests.hub.conftest import OpenClient

POINT = {"type": "Point", "coordinates": [128.9, 35.2]}
POLYGON = {"type": "Polygon", "coordinates": [[[0, 0], [0, 1], [1, 1], [0, 0]]]}
GEO = {"type": "GeoProperty", "value": POINT}
VOCAB = {"type": "VocabProperty", "vocab": "Radar"}
LIST = {"type": "ListProperty", "valueList": [1, "two", [3]]}
LINKS = {"type": "ListRelationship", "objectList": [{"object": "urn:x:1"}, {"object": "urn:x:2"}]}
RAW = {"type": "JsonProperty", "json": {"a": None, "type": "any", "urn:ngsi-ld:null": [1]}}

NORMALIZED_CONCISE = [
    (prop(5), 5),
    (prop("text"), "text"),
    (prop(True), True),
    (prop([1, 2]), [1, 2]),
    (prop(5, unitCode="KMH"), {"value": 5, "unitCode": "KMH"}),
    (prop({"a": 1}), {"value": {"a": 1}}),
    (prop({"a": {"b": [1]}}), {"a": {"b": [1]}}),
    (
        prop({"@type": "DateTime", "@value": "2026-11-22T09:00:00Z"}),
        {"@type": "DateTime", "@value": "2026-11-22T09:00:00Z"},
    ),
    (prop(5, observedAt="2026-11-22T09:00:00Z"), {"value": 5, "observedAt": "2026-11-22T09:00:00Z"}),
    (prop("2026-11-22", valueType="Date"), {"value": "2026-11-22", "valueType": "Date"}),
    (link("urn:x:1"), {"object": "urn:x:1"}),
    (link(["urn:x:1", "urn:x:2"], objectType="Road"), {"object": ["urn:x:1", "urn:x:2"], "objectType": "Road"}),
    (link("urn:x:1", objectType=["Road", "Way"]), {"object": "urn:x:1", "objectType": ["Road", "Way"]}),
    (GEO, POINT),
    (GEO, {"value": POINT}),
    ({"type": "GeoProperty", "value": POLYGON, "source": prop("map")}, {"value": POLYGON, "source": "map"}),
    (texts(ko="김해", en=["Gimhae", "Kimhae"]), {"languageMap": {"ko": "김해", "en": ["Gimhae", "Kimhae"]}}),
    (VOCAB, {"vocab": "Radar"}),
    ({"type": "VocabProperty", "vocab": ["Radar", "Loop"]}, {"vocab": ["Radar", "Loop"]}),
    (LIST, {"valueList": [1, "two", [3]]}),
    ({"type": "ListProperty", "valueList": []}, {"valueList": []}),
    (LINKS, {"objectList": ["urn:x:1", "urn:x:2"]}),
    (LINKS, {"objectList": [{"object": "urn:x:1"}, {"object": "urn:x:2"}]}),
    (RAW, {"json": RAW["json"]}),
    (
        prop(5, a=prop(1, b=link("urn:x:1", c=texts(ko="하")))),
        {
            "value": 5,
            "a": {"value": 1, "b": {"object": "urn:x:1", "c": {"languageMap": {"ko": "하"}}}},
        },
    ),
    (prop(5, accuracy=prop(1), location=GEO), {"value": 5, "accuracy": 1, "location": POINT}),
    (
        prop(5, a=[prop(1), prop(2, datasetId="urn:x:d")]),
        {"value": 5, "a": [{"value": 1}, {"value": 2, "datasetId": "urn:x:d"}]},
    ),
]


@pytest.mark.parametrize(("normalized", "concise"), NORMALIZED_CONCISE)
def test_concise_and_normalized_attributes_are_one(open_client: OpenClient, normalized: Json, concise: Json) -> None:
    async def body(client: Client) -> None:
        for sent in (normalized, concise):
            await client.post("/entityOperations/upsert", [entity(attribute=sent)])
            assert await shown(client) == entity(attribute=normalized)

    with_client(open_client, body)


@pytest.mark.parametrize(
    ("simplified", "normalized"),
    [
        (5, prop(5)),
        ("text", prop("text")),
        ([1, {"a": 2}], prop([1, {"a": 2}])),
        ({"a": 1}, prop({"a": 1})),
        ({"value": 1}, prop({"value": 1})),
        ({"type": "PostalAddress", "street": "Gaya-ro"}, prop({"type": "PostalAddress", "street": "Gaya-ro"})),
        (POINT, GEO),
        ({"languageMap": {"ko": "김해"}}, texts(ko="김해")),
        ({"vocab": "Radar"}, VOCAB),
        ({"json": RAW["json"]}, RAW),
        ({"valueList": [1]}, {"type": "ListProperty", "valueList": [1]}),
        ({"objectList": ["urn:x:1", "urn:x:2"]}, LINKS),
        ({"dataset": {"@none": 1, "urn:x:d": 2}}, [prop(1), prop(2, datasetId="urn:x:d")]),
        ({"dataset": {"urn:x:d": {"languageMap": {"ko": "a"}}}}, texts(ko="a") | {"datasetId": "urn:x:d"}),
    ],
)
@pytest.mark.parametrize("query", ["options=keyValues", "format=simplified", "options=simplified", "format=keyValues"])
def test_simplified_attributes_become_the_kind_they_tell(
    open_client: OpenClient, simplified: Json, normalized: Json, query: str
) -> None:
    async def body(client: Client) -> None:
        assert (await client.post("/entities", entity(attribute=simplified), query)).status == 201
        assert await shown(client) == entity(attribute=normalized)

    with_client(open_client, body)


def test_what_is_read_in_any_representation_may_be_written_back(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        left = dataset("left")
        attributes = {
            "number": prop(5, unitCode="KMH", accuracy=prop(1)),
            "both": [prop(1), prop(2, datasetId=left)],
            "place": GEO,
            "name": texts(ko="김해"),
            "kind": VOCAB,
            "days": LIST,
            "links": LINKS,
            "raw": RAW,
            "at": link(["urn:x:1"], since=prop(1)),
        }
        await created(client, **attributes, scope=["/a/b", "/c"])
        whole = await shown(client)
        assert whole == entity(**attributes, scope=["/a/b", "/c"])
        for query in ("", "options=concise", "options=sysAttrs", "options=sysAttrs,concise"):
            again = await shown(client, query)
            assert (await client.send("PUT", PATH, again)).status == 204, query
            assert await shown(client) == whole, query

    with_client(open_client, body)


def test_names_are_kept_whatever_context_they_came_in(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        context = {
            "vocab": "https://vocab.example/",
            "speed": "vocab:speed",
            "by": "vocab:by",
            "Sensor": "vocab:Sensor",
        }
        sent = {
            "id": ID,
            "type": "Sensor",
            "speed": prop(1, by=link("urn:x:1", objectType="vocab:Road")),
            "@context": context,
        }
        assert (await client.post("/entities", sent, headers=JSON_LD)).status == 201
        said = await shown(client)
        assert said["type"] == "https://vocab.example/Sensor"
        by = said["https://vocab.example/speed"]["https://vocab.example/by"]
        assert by["objectType"] == "https://vocab.example/Road"
        raw = said | {"https://vocab.example/speed": {"value": 2}}
        assert (await client.send("PUT", PATH, raw)).status == 204
        assert (await shown(client))["https://vocab.example/speed"] == prop(2)

    with_client(open_client, body)


def test_times_are_kept_in_utc(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        await created(client, speed=prop(1, observedAt="2026-11-22T18:00:00.5+09:00"))
        assert (await shown(client))["speed"]["observedAt"] == "2026-11-22T09:00:00.500000Z"

    with_client(open_client, body)


def test_a_decimal_comma_becomes_a_point(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        await created(client, speed=prop(1, observedAt="2026-11-22T09:00:00,25Z"))
        assert (await shown(client))["speed"]["observedAt"] == "2026-11-22T09:00:00.25Z"
        refused(
            await client.post("/entities", entity(speed=prop(1, observedAt="2026-11-22T09:00Z"))), 400, "BadRequestData"
        )

    with_client(open_client, body)


def test_a_proof_is_kept_to_the_letter(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        proof = {
            "type": "Property",
            "entityIdSealed": ID,
            "entityTypeSealed": "Sensor",
            "value": {"type": "DataIntegrityProof", "created": "2026-11-22T09:00:00+09:00", "proofValue": "z58"},
        }
        await created(client, speed=prop(1, ngsildproof=proof))
        assert (await shown(client))["speed"]["ngsildproof"] == proof

    with_client(open_client, body)


def test_linked_entities_shown_by_join_are_not_written_back(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        await created(client, at=link("urn:x:1", entity={"id": "urn:x:1", "type": "Road"}))
        assert await shown(client) == entity(at=link("urn:x:1"))

    with_client(open_client, body)


def test_members_only_for_output_are_ignored(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        for member in ("previousValue", "previousObject", "previousLanguageMap", "previousVocab", "previousJson"):
            sent = prop(1, accuracy=prop(1, **{member: 1}), **{member: 1}) | {"instanceId": "urn:x:1", "deletedAt": 5}
            await client.post("/entityOperations/upsert", [entity(speed=sent)])
            assert await shown(client) == entity(speed=prop(1, accuracy=prop(1)))

    with_client(open_client, body)


def test_the_default_instance_may_be_called_none(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        await created(client, speed=[prop(1, datasetId="@none"), prop(2, datasetId="urn:x:d")])
        assert (await shown(client))["speed"] == [prop(1), prop(2, datasetId="urn:x:d")]
        answer = await client.send("PATCH", f"{PATH}/attrs/speed", {"value": 3, "datasetId": "@none"})
        assert answer.status == 204
        assert (await shown(client))["speed"] == [prop(3), prop(2, datasetId="urn:x:d")]

    with_client(open_client, body)


@pytest.mark.parametrize(
    "geometry",
    [
        {"type": "Point"},
        {"type": "Point", "coordinates": []},
        {"type": "Point", "coordinates": [1]},
        {"type": "Point", "coordinates": ["1", "2"]},
        {"type": "Point", "coordinates": [1, True]},
        {"type": "Point", "coordinates": [1, 91]},
        {"type": "LineString", "coordinates": [[1, 1]]},
        {"type": "Polygon", "coordinates": [[[0, 0], [0, 1], [1, 1], [2, 2]]]},
        {"type": "Polygon", "coordinates": [[[0, 0], [0, 1], [0, 0]]]},
        {"type": "MultiPolygon", "coordinates": [[0, 0]]},
        {"type": "GeometryCollection", "geometries": []},
        {"type": "GeometryCollection", "geometries": [{"type": "GeometryCollection", "geometries": [POINT]}]},
        {"type": "Circle", "coordinates": [1, 1]},
        {"type": "Feature", "geometry": POINT, "properties": {}},
    ],
)
def test_what_is_no_geometry_is_refused(open_client: OpenClient, geometry: Json) -> None:
    async def body(client: Client) -> None:
        sent = entity(location={"type": "GeoProperty", "value": geometry})
        refused(await client.post("/entities", sent), 400, "BadRequestData")

    with_client(open_client, body)


@pytest.mark.parametrize(
    "geometry",
    [
        POINT,
        {"type": "Point", "coordinates": [128.9, 35.2, 12.5]},
        {"type": "MultiPoint", "coordinates": [[1, 1], [2, 2]]},
        {"type": "LineString", "coordinates": [[1, 1], [2, 2]]},
        {"type": "MultiLineString", "coordinates": [[[1, 1], [2, 2]], [[3, 3], [4, 4]]]},
        POLYGON,
        {"type": "Polygon", "coordinates": [[[0, 0], [9, 0], [9, 9], [0, 0]], [[1, 1], [2, 1], [2, 2], [1, 1]]]},
        {"type": "MultiPolygon", "coordinates": [POLYGON["coordinates"]]},
        {"type": "GeometryCollection", "geometries": [POINT, POLYGON]},
        {"type": "Point", "coordinates": [1, 1], "bbox": [1, 1, 1, 1]},
    ],
)
def test_every_geometry_is_kept_as_it_came(open_client: OpenClient, geometry: Json) -> None:
    async def body(client: Client) -> None:
        await created(client, location={"type": "GeoProperty", "value": geometry})
        assert await shown(client) == entity(location={"type": "GeoProperty", "value": geometry})

    with_client(open_client, body)
