"""Clause 5.6.17, Merge Entity; 5.5.12, its algorithm; 6.5.3.4, PATCH /entities/{id}."""

from __future__ import annotations

import pytest

from tests.hub.clauses.writing import (
    MERGE_PATCH,
    NULL,
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
from tests.hub.client import Answer, Client, Json
from tests.hub.conftest import OpenClient

EARLIER, LATER = "2026-11-22T09:00:00Z", "2026-11-22T10:00:00Z"


async def merge(client: Client, sent: Json, query: str = "") -> Answer:
    return await client.send("PATCH", PATH, sent, query=query, headers=MERGE_PATCH)


def test_members_are_merged_at_every_level(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        accuracy = prop(3, unitCode="P1", method=prop("radar"))
        await created(client, speed=prop(1, unitCode="KMH", accuracy=accuracy), other=prop(0))
        sent = {"speed": {"value": 2, "accuracy": {"method": {"value": "loop"}}}, "fresh": prop(True)}
        answer = await merge(client, sent)
        assert (answer.status, answer.body) == (204, b"")
        said = prop(2, unitCode="KMH", accuracy=prop(3, unitCode="P1", method=prop("loop")))
        assert await shown(client) == entity(speed=said, other=prop(0), fresh=prop(True))

    with_client(open_client, body)


def test_members_of_compound_values_are_merged_and_lists_replaced(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        await created(
            client,
            place=prop({"city": "Gimhae", "at": {"floor": 1, "room": "a"}}),
            tags=prop([1, 2]),
            raw={"type": "JsonProperty", "json": {"a": 1, "b": {"c": 2}}},
        )
        sent = {
            "place": {"value": {"at": {"room": NULL, "door": 2}}},
            "tags": prop([3]),
            "raw": {"json": {"b": {"d": 3}}},
        }
        assert (await merge(client, sent)).status == 204
        assert await shown(client) == entity(
            place=prop({"city": "Gimhae", "at": {"floor": 1, "door": 2}}),
            tags=prop([3]),
            raw={"type": "JsonProperty", "json": {"a": 1, "b": {"c": 2, "d": 3}}},
        )

    with_client(open_client, body)


def test_a_value_may_become_empty_but_a_language_map_may_not(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        await created(client, place=prop({"city": "Gimhae"}), name=texts(ko="김해"), speed=prop(1))
        sent = {"place": {"value": {"city": NULL}}, "name": {"languageMap": {"ko": NULL}}, "speed": prop({"a": NULL})}
        assert (await merge(client, sent)).status == 204
        assert await shown(client) == entity(place=prop({}), speed=prop({}))

    with_client(open_client, body)


def test_a_geometry_is_replaced_not_mixed(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        line = {"type": "LineString", "coordinates": [[1, 1], [2, 2]]}
        point = {"type": "Point", "coordinates": [128.9, 35.2]}
        await created(client, location={"type": "GeoProperty", "value": line})
        assert (await merge(client, {"location": {"type": "GeoProperty", "value": point}})).status == 204
        assert await shown(client) == entity(location={"type": "GeoProperty", "value": point})
        near = "type=Sensor&georel=near;maxDistance==10&geometry=Point&coordinates=[128.9,35.2]"
        assert len((await client.get("/entities", near)).json) == 1

    with_client(open_client, body)


@pytest.mark.parametrize(
    "null",
    [
        NULL,
        {"type": "Property", "value": NULL},
        {"value": NULL},
    ],
)
def test_a_null_deletes_a_property(open_client: OpenClient, null: Json) -> None:
    async def body(client: Client) -> None:
        await created(client, speed=prop(1), other=prop(0))
        assert (await merge(client, {"speed": null})).status == 204
        assert await shown(client) == entity(other=prop(0))

    with_client(open_client, body)


@pytest.mark.parametrize(
    ("there", "null"),
    [
        (link("urn:x:1"), {"type": "Relationship", "object": NULL}),
        (texts(ko="김해"), {"type": "LanguageProperty", "languageMap": {"@none": NULL}}),
        (texts(ko="김해"), {"type": "LanguageProperty", "languageMap": {"ko": NULL}}),
        (texts(ko="김해"), {"type": "LanguageProperty", "languageMap": NULL}),
        ({"type": "VocabProperty", "vocab": "Road"}, {"type": "VocabProperty", "vocab": NULL}),
        ({"type": "ListProperty", "valueList": [1]}, {"type": "ListProperty", "valueList": NULL}),
        ({"type": "JsonProperty", "json": {"a": 1}}, {"type": "JsonProperty", "json": NULL}),
        (
            {"type": "ListRelationship", "objectList": [{"object": "urn:x:1"}]},
            {"type": "ListRelationship", "objectList": NULL},
        ),
        (
            {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [1, 1]}},
            {"type": "GeoProperty", "value": NULL},
        ),
    ],
)
def test_a_null_deletes_any_kind_of_attribute(open_client: OpenClient, there: Json, null: Json) -> None:
    async def body(client: Client) -> None:
        await created(client, gone=there)
        assert (await merge(client, {"gone": null})).status == 204
        assert await shown(client) == entity()

    with_client(open_client, body)


def test_nulls_delete_members_sub_attributes_languages_and_the_scope(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        speed = prop(1, unitCode="KMH", observedAt=EARLIER, accuracy=prop(3, source=prop("x")), source=prop("radar"))
        await created(client, speed=speed, name=texts(ko="김해", en="Gimhae"), scope="/a")
        sent = {
            "speed": {"unitCode": NULL, "observedAt": NULL, "source": NULL, "accuracy": {"source": prop(NULL)}},
            "name": {"languageMap": {"en": NULL}},
            "scope": NULL,
        }
        assert (await merge(client, sent)).status == 204
        assert await shown(client) == entity(speed=prop(1, accuracy=prop(3)), name=texts(ko="김해"))

    with_client(open_client, body)


def test_a_null_for_what_is_not_there_changes_nothing(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        await created(client, speed=prop(1))
        before = await shown(client, "options=sysAttrs")
        assert (await merge(client, {"gone": NULL, "other": prop(NULL), "scope": NULL})).status == 204
        assert await shown(client, "options=sysAttrs") == before

    with_client(open_client, body)


def test_languages_are_merged_and_a_bare_text_goes_to_the_language_named(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        await created(client, name=texts(ko="김해", en="Gimhae"))
        assert (await merge(client, {"name": texts(fr="Gimhae-ville")})).status == 204
        assert (await merge(client, {"name": "김해시"}, "lang=ko")).status == 204
        assert (await merge(client, {"name": ["Kimhae", "Gimhae"]}, "lang=de&format=simplified")).status == 204
        said = texts(ko="김해시", en="Gimhae", fr="Gimhae-ville", de=["Kimhae", "Gimhae"])
        assert await shown(client) == entity(name=said)

    with_client(open_client, body)


def test_the_common_time_of_observation_is_for_attributes_that_had_one(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        await created(client, speed=prop(1, observedAt=EARLIER), other=prop(1), third=prop(1, observedAt=EARLIER))
        sent = {"speed": {"value": 2}, "other": {"value": 2}, "third": prop(2, observedAt=EARLIER), "fresh": prop(1)}
        assert (await merge(client, sent, f"observedAt={LATER}")).status == 204
        assert await shown(client) == entity(
            speed=prop(2, observedAt=LATER), other=prop(2), third=prop(2, observedAt=EARLIER), fresh=prop(1)
        )
        refused(await merge(client, sent, "observedAt=yesterday"), 400, "BadRequestData")

    with_client(open_client, body)


def test_simplified_values_keep_the_kind_that_is_there(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        await created(
            client,
            speed=prop(1, unitCode="KMH"),
            at=link("urn:ngsi-ld:Road:1", since=prop(2020)),
            kind={"type": "VocabProperty", "vocab": "Radar"},
            days={"type": "ListProperty", "valueList": [1]},
            links={"type": "ListRelationship", "objectList": [{"object": "urn:x:1"}]},
            raw={"type": "JsonProperty", "json": {"a": 1}},
        )
        sent = {
            "speed": 2,
            "at": "urn:ngsi-ld:Road:2",
            "kind": "Loop",
            "days": [2, 3],
            "links": ["urn:x:2"],
            "raw": {"json": {"b": 2}},
            "fresh": "text",
        }
        assert (await merge(client, sent, "format=simplified")).status == 204
        assert await shown(client) == entity(
            speed=prop(2, unitCode="KMH"),
            at=link("urn:ngsi-ld:Road:2", since=prop(2020)),
            kind={"type": "VocabProperty", "vocab": "Loop"},
            days={"type": "ListProperty", "valueList": [2, 3]},
            links={"type": "ListRelationship", "objectList": [{"object": "urn:x:2"}]},
            raw={"type": "JsonProperty", "json": {"a": 1, "b": 2}},
            fresh=prop("text"),
        )

    with_client(open_client, body)


def test_simplified_values_that_would_change_the_kind_are_refused(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        there = {"at": link("urn:x:1"), "days": {"type": "ListProperty", "valueList": [1]}, "speed": prop(1)}
        await created(client, **there)
        point = {"type": "Point", "coordinates": [1, 1]}
        for sent in (
            {"at": 5},
            {"at": {"languageMap": {"ko": "a"}}},
            {"days": 5},
            {"speed": {"vocab": "a"}},
            {"at": point},
        ):
            refused(await merge(client, sent, "options=keyValues"), 400, "BadRequestData")
        assert (await merge(client, {"speed": point}, "format=simplified&options=normalized")).status == 204
        assert await shown(client) == entity(**there | {"speed": prop(point)})

    with_client(open_client, body)


def test_another_kind_replaces_the_attribute(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        await created(client, speed=prop(1, unitCode="KMH"))
        assert (await merge(client, {"speed": link("urn:x:1")})).status == 204
        assert await shown(client) == entity(speed=link("urn:x:1"))

    with_client(open_client, body)


def test_instances_are_merged_by_dataset(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        left, right = dataset("left"), dataset("right")
        await created(client, speed=[prop(1, unitCode="KMH"), prop(2, datasetId=left, unitCode="KMH")])
        sent = {"speed": [prop(9, datasetId=left), prop(3, datasetId=right), {"type": "Property", "value": NULL}]}
        assert (await merge(client, sent)).status == 204
        said = [prop(9, datasetId=left, unitCode="KMH"), prop(3, datasetId=right)]
        assert await shown(client) == entity(speed=said)

    with_client(open_client, body)


def test_types_are_added_and_scopes_replaced(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        await created(client, scope=["/a", "/b"])
        assert (await merge(client, {"type": "Camera", "scope": "/c"})).status == 204
        assert await shown(client) == entity(scope="/c") | {"type": ["Sensor", "Camera"]}

    with_client(open_client, body)


def test_a_merge_patch_is_read_as_plain_json(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        await created(client, **{"https://vocab.example/speed": prop(1)})
        sent = {"@context": {"tempo": "https://vocab.example/speed"}, "tempo": {"value": 2}}
        refused(await merge(client, sent), 400, "BadRequestData")
        answer = await client.send("PATCH", PATH, sent, headers=[("Content-Type", "application/ld+json")])
        assert answer.status == 204
        assert (await shown(client))["https://vocab.example/speed"] == prop(2)

    with_client(open_client, body)


def test_missing_entities_other_types_and_fragments_of_nothing_are_refused(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        refused(await merge(client, {"speed": prop(1)}), 404, "ResourceNotFound")
        await created(client, speed=prop(1))
        refused(await merge(client, {"speed": prop(2)}, "type=Camera"), 404, "ResourceNotFound")
        refused(await merge(client, {"fresh": {"unitCode": "KMH"}}), 400, "BadRequestData")
        refused(await merge(client, {"fresh": {"type": "Property", "unitCode": "KMH"}}), 400, "BadRequestData")
        for fragment in (
            {"unitCode": "P1"},
            {"type": "Property"},
            {"b": {"observedAt": EARLIER}},
            {"value": 1, "b": {}},
        ):
            refused(await merge(client, {"speed": {"a": fragment}}), 400, "BadRequestData")
            refused(await merge(client, {"fresh": prop(1, a=fragment)}), 400, "BadRequestData")
        refused(await merge(client, {"id": "urn:ngsi-ld:Other:1"}), 400, "BadRequestData")
        refused(await merge(client, {"speed": None}), 400, "BadRequestData")
        refused(await merge(client, {"speed": prop(1)}, "lang=not a tag"), 400, "BadRequestData")
        assert await shown(client) == entity(speed=prop(1))

    with_client(open_client, body)
