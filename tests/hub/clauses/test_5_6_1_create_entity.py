"""Clause 5.6.1, Create Entity; 6.4.3.1, POST /entities."""

from __future__ import annotations

import pytest

from tests.hub.clauses.writing import ID, JSON_LD, NULL, PATH, entity, prop, refused, shown, with_client
from tests.hub.client import Client, Json
from tests.hub.conftest import OpenClient


def test_a_created_entity_is_answered_201_with_its_location_and_no_body(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        answer = await client.post("/entities", entity(speed=prop(55)))
        assert (answer.status, answer.header("location"), answer.body) == (201, "/ngsi-ld/v1" + PATH, b"")
        assert await shown(client) == entity(speed=prop(55))

    with_client(open_client, body)


def test_an_entity_without_attributes_is_one(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        assert (await client.post("/entities", entity())).status == 201
        assert await shown(client) == entity()

    with_client(open_client, body)


def test_what_exists_is_answered_409_and_stays(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        await client.post("/entities", entity(speed=prop(1)))
        refused(await client.post("/entities", entity(speed=prop(2))), 409, "AlreadyExists")
        assert await shown(client) == entity(speed=prop(1))

    with_client(open_client, body)


def test_what_was_deleted_can_be_created_again_and_differently(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        here = {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [128.9, 35.2]}}
        for sent in (entity(a=prop(1)), entity(a=prop(2)), entity(location=here), entity(a=prop(3))):
            assert (await client.post("/entities", sent)).status == 201
            assert await shown(client) == sent
            refused(await client.post("/entities", sent), 409, "AlreadyExists")
            assert (await client.send("DELETE", PATH)).status == 204

    with_client(open_client, body)


def test_json_ld_brings_its_context_in_the_body_and_json_in_a_link(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        context = {"speed": "https://vocab.example/speed"}
        sent = entity(speed=prop(1)) | {"@context": context}
        assert (await client.post("/entities", sent, headers=JSON_LD)).status == 201
        assert await shown(client) == {"id": ID, "type": "Sensor", "https://vocab.example/speed": prop(1)}
        refused(await client.post("/entities", sent), 400, "BadRequestData")
        refused(await client.post("/entities", entity(), headers=JSON_LD), 400, "BadRequestData")

    with_client(open_client, body)


@pytest.mark.parametrize(
    "sent",
    [
        {"type": "Sensor"},
        {"id": ID},
        {"id": "no uri", "type": "Sensor"},
        {"id": 5, "type": "Sensor"},
        {"id": ID, "type": 5},
        {"id": ID, "type": []},
        {"id": ID, "type": NULL},
        {"id": ID, "type": "Sen sor"},
        entity(speed=None),
        entity(speed={}),
        entity(speed={"type": "Property"}),
        entity(speed={"type": "Property", "value": None}),
        entity(speed={"type": "Attribute", "value": 1}),
        entity(speed={"type": "Relationship", "object": "no uri"}),
        entity(speed={"type": "Relationship", "value": 1}),
        entity(speed={"type": "Property", "value": 1, "object": "urn:x:y"}),
        entity(speed={"type": "Property", "value": 1, "observedAt": "yesterday"}),
        entity(speed={"type": "Property", "value": 1, "observedAt": "2026-11-22"}),
        entity(speed={"type": "Property", "value": 1, "unitCode": 5}),
        entity(speed={"type": "Relationship", "object": "urn:x:1", "unitCode": "KMH"}),
        entity(speed={"type": "LanguageProperty", "languageMap": {"ko": "a"}, "unitCode": "KMH"}),
        entity(speed={"type": "Property", "value": 1, "entity": {"id": "urn:x:1"}}),
        entity(speed={"type": "Property", "value": 1, "datasetId": "no uri"}),
        entity(speed={"type": "LanguageProperty", "languageMap": {"not a tag": "x"}}),
        entity(speed={"type": "LanguageProperty", "languageMap": {"en": 5}}),
        entity(speed={"type": "VocabProperty", "vocab": 5}),
        entity(speed={"type": "ListProperty", "valueList": 5}),
        entity(speed={"type": "ListRelationship", "objectList": ["no uri"]}),
        entity(speed={"type": "JsonProperty", "json": None}),
        entity(speed={"type": "GeoProperty", "value": "here"}),
        entity(speed={"type": "GeoProperty", "value": {"type": "Point", "coordinates": [200, 0]}}),
        entity(speed=[prop(1), prop(2)]),
        entity(scope=5),
        entity(scope=[]),
        entity(expiresAt="soon"),
        entity(**{"sp<eed": prop(1)}),
        entity(**{"@speed": prop(1)}),
        entity(**{"@graph": []}),
        entity(speed=prop(1), **{"https://uri.etsi.org/ngsi-ld/default-context/speed": prop(2)}),
    ],
)
def test_what_breaks_the_information_model_is_bad_request_data(open_client: OpenClient, sent: Json) -> None:
    async def body(client: Client) -> None:
        refused(await client.post("/entities", sent), 400, "BadRequestData")
        assert (await client.get(PATH)).status == 404

    with_client(open_client, body)


@pytest.mark.parametrize(
    "sent",
    [
        entity(speed=NULL),
        entity(speed=prop(NULL)),
        entity(speed={"type": "Relationship", "object": NULL}),
        entity(speed={"type": "LanguageProperty", "languageMap": {"@none": NULL}}),
        entity(speed={"type": "VocabProperty", "vocab": NULL}),
        entity(speed=prop({"inner": NULL})),
        entity(speed=prop(1, accuracy=prop(NULL))),
        entity(speed=prop(1, accuracy=NULL)),
        entity(speed=prop(1, unitCode=NULL)),
        entity(speed=prop(1, observedAt=NULL)),
        entity(scope=NULL),
    ],
)
def test_a_null_has_no_place_in_what_is_created(open_client: OpenClient, sent: Json) -> None:
    async def body(client: Client) -> None:
        refused(await client.post("/entities", sent), 400, "BadRequestData")

    with_client(open_client, body)


def test_what_is_not_json_or_not_an_object_is_an_invalid_request(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        for sent in (b"", b"{", b"[]", b'"text"', b'{"id": "urn:x:1", "type": NaN}'):
            refused(await client.post("/entities", sent), 400, "InvalidRequest")

    with_client(open_client, body)


def test_other_media_types_are_answered_415(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        for media in ("text/plain", "application/geo+json", "application/merge-patch+json", ""):
            answer = await client.post("/entities", entity(), headers=[("Content-Type", media)])
            assert answer.status == 415, media

    with_client(open_client, body)


def test_unknown_parameters_and_options_are_refused(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        for query in ("colour=red", "options=colourful", "options=noOverwrite", "format=colourful", "local=perhaps"):
            assert (await client.post("/entities", entity(), query)).status == 400, query
        assert (await client.post("/entities", entity(), "local=true&options=normalized")).status == 201

    with_client(open_client, body)
