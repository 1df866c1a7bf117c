"""Clause 4.5.9, the simplified temporal representation: values with their times."""

from __future__ import annotations

import pytest

from madang.hub.hub import Hub
from tests.hub.clauses.past import ID, SPEEDS, added, reading, told, twice, vehicle, when, with_past
from tests.hub.client import Client
from tests.hub.conftest import OpenHub

AT = when("12:03")
PEOPLE = ["urn:ngsi-ld:Person:1", "urn:ngsi-ld:Person:2"]
POINT = {"type": "Point", "coordinates": [128.88, 35.23]}
KINDS = [
    ({"type": "Property", "value": {"a": [1]}}, "Property", "values", {"a": [1]}),
    ({"type": "Property", "value": "Joe"}, "Property", "values", "Joe"),
    ({"type": "Property", "value": False}, "Property", "values", False),
    ({"type": "GeoProperty", "value": POINT}, "GeoProperty", "values", POINT),
    (
        {"type": "LanguageProperty", "languageMap": {"en": "yes"}},
        "LanguageProperty",
        "languageMaps",
        {"languageMap": {"en": "yes"}},
    ),
    ({"type": "ListProperty", "valueList": ["a", 2]}, "ListProperty", "valueLists", ["a", 2]),
    ({"type": "JsonProperty", "json": {"id": 1}}, "JsonProperty", "jsons", {"json": {"id": 1}}),
    ({"type": "VocabProperty", "vocab": "Male"}, "VocabProperty", "vocabs", {"vocab": "Male"}),
    ({"type": "Relationship", "object": PEOPLE[0]}, "Relationship", "objects", PEOPLE[0]),
    ({"type": "Relationship", "object": PEOPLE}, "Relationship", "objects", PEOPLE),
    (
        {"type": "ListRelationship", "objectList": [{"object": one} for one in PEOPLE]},
        "ListRelationship",
        "objectLists",
        PEOPLE,
    ),
]


@pytest.mark.parametrize(("instance", "kind", "member", "value"), KINDS, ids=[one[2] for one in KINDS])
def test_each_kind_has_its_member(
    open_hub: OpenHub, instance: dict[str, object], kind: str, member: str, value: object
) -> None:
    async def body(client: Client, hub: Hub) -> None:
        await added(client, vehicle(a=instance | {"observedAt": AT}))

        async def check() -> None:
            for query in ("options=temporalValues", "format=temporalValues", "format=simplified"):
                assert await told(client, query) == vehicle(a={"type": kind, member: [[value, AT]]})

        await twice(hub, check)

    with_past(open_hub, body)


def test_values_stand_in_order_of_time_by_dataset(open_hub: OpenHub) -> None:
    async def body(client: Client, hub: Hub) -> None:
        left = reading(1, "12:04", datasetId="urn:ngsi-ld:Dataset:left")
        await added(client, vehicle(speed=[left, *reversed(SPEEDS)]))

        async def check() -> None:
            shown = await told(client, "options=temporalValues")
            assert shown["speed"] == [
                {"type": "Property", "values": [[one["value"], one["observedAt"]] for one in SPEEDS]},
                {"type": "Property", "values": [[1, when("12:04")]], "datasetId": left["datasetId"]},
            ]

        await twice(hub, check)

    with_past(open_hub, body)


def test_the_time_is_the_one_asked_about(open_hub: OpenHub) -> None:
    async def body(client: Client, hub: Hub) -> None:
        await client.post("/entities", vehicle(speed=SPEEDS[0]))
        await client.send("DELETE", f"/entities/{ID}/attrs/speed")

        async def check() -> None:
            query = "options=temporalValues&timerel=after&timeAt=2020-01-01T00:00:00Z&timeproperty="
            values = (await told(client, query + "modifiedAt"))["speed"]["values"]
            assert [value for value, _ in values] == [120, "urn:ngsi-ld:null"]
            assert values[0][1] < values[1][1]
            assert (await told(client, query + "deletedAt"))["speed"]["values"] == values[1:]

        await twice(hub, check)

    with_past(open_hub, body)


def test_a_language_makes_texts_of_language_maps(open_hub: OpenHub) -> None:
    async def body(client: Client, _hub: Hub) -> None:
        says = {"type": "LanguageProperty", "languageMap": {"en": "yes", "ko": "네"}, "observedAt": AT}
        await added(client, vehicle(says=says))
        shown = await told(client, "options=temporalValues&lang=ko")
        assert shown["says"] == {"type": "Property", "values": [["네", AT]]}

    with_past(open_hub, body)
