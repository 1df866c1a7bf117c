"""Clause 5.8.6, notification behaviour: what triggers, what is told, in which form, how often."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from tests.hub.clauses.subscribing import Desk, desk, good
from tests.hub.client import Json, run, sensor, spot
from tests.hub.conftest import OpenHub

ID = "urn:ngsi-ld:Sensor:1"
NULL = "urn:ngsi-ld:null"


async def _live(one: Desk) -> None:
    """A life: created with a and b, a updated, c created, b deleted, deleted."""
    client = one.client
    await good(client.post("/entities", sensor(1, a=1, b=1)))
    await good(client.send("PATCH", f"/entities/{ID}/attrs", {"a": {"type": "Property", "value": 2}}))
    await good(client.post(f"/entities/{ID}/attrs", {"c": {"type": "Property", "value": 3}}))
    await good(client.send("DELETE", f"/entities/{ID}/attrs/b"))
    await good(client.send("DELETE", f"/entities/{ID}"))


def _names(entity: dict[str, Json]) -> str:
    return "deleted" if "deletedAt" in entity else "".join(sorted(name for name in "abc" if name in entity))


@pytest.mark.parametrize(
    ("triggers", "told"),
    [
        (None, ["ab", "ab", "abc"]),
        (["entityCreated"], ["ab"]),
        (["attributeCreated"], ["ab", "abc"]),
        (["attributeUpdated"], ["ab"]),
        (["attributeDeleted"], ["abc"]),
        (["entityUpdated"], ["ab", "ab", "abc", "abc"]),
        (["entityDeleted"], ["deleted"]),
        (["entityCreated", "entityDeleted"], ["ab", "deleted"]),
    ],
)
def test_each_trigger_fires_for_its_changes_and_no_others(
    open_hub: OpenHub, triggers: list[str] | None, told: list[str]
) -> None:
    async def test() -> None:
        async with desk(open_hub) as one:
            await one.subscribe(notificationTrigger=triggers)
            await _live(one)
            got = await one.told_nothing_until(sensor(9))
            assert [_names(each.entity) for each in got] == told

    run(test)


def test_what_is_written_again_with_the_same_content_is_no_change(open_hub: OpenHub) -> None:
    async def test() -> None:
        async with desk(open_hub) as one:
            await one.subscribe(notificationTrigger=["entityUpdated"])
            await good(one.client.post("/entities", sensor(1, a=1)))
            for value in (1, True, True, 2):
                await good(
                    one.client.send("PATCH", f"/entities/{ID}/attrs", {"a": {"type": "Property", "value": value}})
                )
            seen = {"type": "Property", "value": 2, "observedAt": "2026-05-01T00:00:00Z"}
            await good(one.client.send("PATCH", f"/entities/{ID}/attrs", {"a": seen}))
            got = await one.told_nothing_until(sensor(9))
            assert [each.entity["a"]["value"] for each in got] == [1, True, 2, 2]

    run(test)


def test_only_watched_attributes_trigger(open_hub: OpenHub) -> None:
    async def test() -> None:
        async with desk(open_hub) as one:
            await one.subscribe(watchedAttributes=["c"], entities=None)
            await _live(one)
            assert [_names(each.entity) for each in await one.told_nothing_until(sensor(9))] == ["abc"]

    run(test)


def test_a_spike_between_two_readings_is_told(open_hub: OpenHub) -> None:
    async def test() -> None:
        async with desk(open_hub) as one:
            await one.subscribe(q="a>50")
            await good(one.client.post("/entities", sensor(1, a=1)))
            spike = [{"id": ID, "type": "Sensor", "a": value} for value in (99, 2)]
            await one.hub.ingest("open", spike, source="meter")
            assert [each.entity["a"]["value"] for each in await one.told_nothing_until(sensor(9))] == [99]

    run(test)


def test_a_late_reading_is_history_and_is_not_told(open_hub: OpenHub) -> None:
    async def test() -> None:
        async with desk(open_hub) as one:
            await one.subscribe()
            for day in (22, 21):
                value = {"type": "Property", "value": day, "observedAt": f"2026-11-{day}T00:00:00Z"}
                await one.hub.ingest("open", [{"id": ID, "type": "Sensor", "a": value}], source="meter")
            assert [each.entity["a"]["value"] for each in await one.told_nothing_until(sensor(9))] == [22]

    run(test)


def test_nothing_is_told_from_outside_the_area(open_hub: OpenHub) -> None:
    square = [[[128.8, 35.1], [129.0, 35.1], [129.0, 35.3], [128.8, 35.3], [128.8, 35.1]]]
    inside, outside = spot(128.9, 35.2), spot(129.5, 35.2)

    async def test() -> None:
        async with desk(open_hub) as one:
            await one.subscribe(geoQ={"georel": "within", "geometry": "Polygon", "coordinates": square})
            await one.subscribe(
                "/near", geoQ={"georel": "near;maxDistance==1000", "geometry": "Point", "coordinates": [128.9, 35.2]}
            )
            for place in (outside, inside, outside):
                await good(one.client.post("/entityOperations/upsert", [sensor(1, location=place)]))
            got = await one.told_nothing_until(sensor(9))
            assert [each.entity["location"]["value"] for each in got] == [inside["value"]]
            assert [each.entity["location"]["value"] for each in one.receiver.at("/near")] == [inside["value"]]

    run(test)


def test_scope_id_pattern_and_type_select(open_hub: OpenHub) -> None:
    async def test() -> None:
        async with desk(open_hub) as one:
            await one.subscribe("/scope", scopeQ="/Gimhae/#")
            await one.subscribe("/id", entities=[{"type": "Sensor", "id": ID}])
            await one.subscribe("/pattern", entities=[{"type": "Sensor", "idPattern": ":2$"}])
            await one.subscribe("/types", entities=[{"type": "(Sensor;Meter),Camera"}])
            await good(one.client.post("/entities", sensor(1, a=1) | {"scope": "/Gimhae/Traffic"}))
            await good(one.client.post("/entities", sensor(2, a=1) | {"type": ["Sensor", "Meter"]}))
            await one.told_nothing_until(sensor(9))
            told = {path: [each.entity["id"][-1] for each in one.receiver.at(path)] for path in ("/scope", "/id")}
            assert told == {"/scope": ["1"], "/id": ["1"]}
            assert [each.entity["id"][-1] for each in one.receiver.at("/pattern")] == ["2"]
            assert [each.entity["id"][-1] for each in one.receiver.at("/types")] == ["2"]

    run(test)


def test_the_notification_is_as_clause_5_3_1_says(open_hub: OpenHub) -> None:
    async def test() -> None:
        async with desk(open_hub) as one:
            made = await one.subscribe(endpoint={"receiverInfo": [{"key": "Authorization", "value": "Bearer x"}]})
            await good(one.client.post("/entities", sensor(1, a=1)))
            (got,) = await one.receiver.wait(1)
            assert got.body["type"] == "Notification"
            assert got.body["subscriptionId"] == made
            assert got.body["id"].startswith("urn:")
            assert got.body["notifiedAt"].endswith("Z")
            assert got.body["data"] == [sensor(1, a=1)]
            assert "@context" not in got.body
            assert got.headers["content-type"] == "application/json"
            assert "ngsi-ld-core-context" in got.headers["link"]
            assert got.headers["authorization"] == "Bearer x"
            assert "ngsild-tenant" not in got.headers

    run(test)


def test_the_tenant_is_named_where_the_subscription_named_it(open_hub: OpenHub) -> None:
    tenant = [("NGSILD-Tenant", "gimhae")]

    async def test() -> None:
        async with desk(open_hub) as one:
            body = {
                "type": "Subscription",
                "entities": [{"type": "Sensor"}],
                "notification": {"endpoint": {"uri": one.receiver.uri()}},
            }
            await good(one.client.post("/subscriptions", body, headers=tenant))
            await good(one.client.post("/entities", sensor(2, a=1)))
            await good(one.client.post("/entities", sensor(1, a=1), headers=tenant))
            (got,) = await one.receiver.wait(1)
            assert got.entity["id"] == ID
            assert got.headers["ngsild-tenant"] == "gimhae"

    run(test)


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ("normalized", {"type": "Property", "value": 1}),
        ("concise", 1),
        ("simplified", 1),
        ("keyValues", 1),
    ],
)
def test_entities_come_in_the_format_asked_for(open_hub: OpenHub, form: str, said: Json) -> None:
    async def test() -> None:
        async with desk(open_hub) as one:
            await one.subscribe(format=form)
            await good(one.client.post("/entities", sensor(1, a=1)))
            (got,) = await one.receiver.wait(1)
            assert got.entity["a"] == said

    run(test)


def test_json_ld_carries_its_context_and_geojson_is_a_collection_of_features(open_hub: OpenHub) -> None:
    async def test() -> None:
        async with desk(open_hub) as one:
            await one.subscribe("/ld", endpoint={"accept": "application/ld+json"})
            await one.subscribe("/geo", endpoint={"accept": "application/geo+json"}, format="simplified")
            await good(one.client.post("/entities", sensor(1, a=1, location=spot(128.9, 35.2))))
            (ld,) = await one.receiver.wait(1, "/ld")
            assert ld.headers["content-type"] == "application/ld+json"
            assert "ngsi-ld-core-context" in str(ld.body["@context"])
            assert "link" not in ld.headers
            (geo,) = await one.receiver.wait(1, "/geo")
            assert geo.headers["content-type"] == "application/geo+json"
            (feature,) = geo.body["data"]["features"]
            assert feature["geometry"] == {"type": "Point", "coordinates": [128.9, 35.2]}
            assert feature["properties"]["a"] == 1

    run(test)


def test_names_are_written_in_the_context_of_the_subscription(open_hub: OpenHub) -> None:
    context = {"Sensor": "https://x.example/Sensor", "speed": "https://x.example/speed"}
    ld = [("Content-Type", "application/ld+json")]

    async def test() -> None:
        async with desk(open_hub) as one:
            for path, accept in (("/ld", "application/ld+json"), ("/json", "application/json")):
                body = {
                    "@context": context,
                    "type": "Subscription",
                    "entities": [{"type": "Sensor"}],
                    "q": "speed>5",
                    "watchedAttributes": ["speed"],
                    "notification": {
                        "attributes": ["speed"],
                        "endpoint": {"uri": one.receiver.uri(path), "accept": accept},
                    },
                }
                await good(one.client.post("/subscriptions", body, headers=ld))
            await good(one.client.post("/entities", sensor(1, speed=9) | {"@context": context}, headers=ld))
            for path in ("/ld", "/json"):
                (got,) = await one.receiver.wait(1, path)
                assert got.entity == sensor(1, speed=9)
            assert "/ngsi-ld/v1/jsonldContexts/" in one.receiver.at("/json")[0].headers["link"]

    run(test)


def test_members_are_picked_omitted_translated_and_stamped(open_hub: OpenHub) -> None:
    async def test() -> None:
        async with desk(open_hub) as one:
            await one.subscribe("/attributes", attributes=["a"])
            await one.subscribe("/pick", pick=["id", "b"])
            await one.subscribe("/omit", omit=["a", "name"])
            await one.subscribe("/lang", pick=["name"], lang="ko", format="simplified")
            await one.subscribe("/stamps", attributes=["a"], sysAttrs=True)
            name = {"type": "LanguageProperty", "languageMap": {"ko": "김해", "en": "Gimhae"}}
            await good(one.client.post("/entities", sensor(1, a=1, b=2, name=name)))
            told = {path: (await one.receiver.wait(1, path))[0].entity for path in ("/attributes", "/pick", "/omit")}
            assert told["/attributes"].keys() == {"id", "type", "a"}
            assert told["/pick"].keys() == {"id", "b"}
            assert told["/omit"].keys() == {"id", "type", "b"}
            assert (await one.receiver.wait(1, "/lang"))[0].entity == {"name": "김해"}
            stamped = (await one.receiver.wait(1, "/stamps"))[0].entity
            assert {"createdAt", "modifiedAt"} <= stamped.keys() & stamped["a"].keys()

    run(test)


def test_only_the_instances_of_the_dataset_asked_for_are_told(open_hub: OpenHub) -> None:
    instances = [
        {"type": "Property", "value": 1},
        {"type": "Property", "value": 2, "datasetId": "urn:x:two"},
    ]

    async def test() -> None:
        async with desk(open_hub) as one:
            await one.subscribe(datasetId=["urn:x:two"], attributes=["a"])
            await good(one.client.post("/entities", {"id": ID, "type": "Sensor", "a": instances}))
            (got,) = await one.receiver.wait(1)
            assert got.entity["a"] == instances[1]

    run(test)


def test_show_changes_tells_what_was_before(open_hub: OpenHub) -> None:
    before = {
        "p": {"type": "Property", "value": 1},
        "r": {"type": "Relationship", "object": "urn:x:1"},
        "l": {"type": "LanguageProperty", "languageMap": {"ko": "하나"}},
        "v": {"type": "VocabProperty", "vocab": "one"},
        "j": {"type": "JsonProperty", "json": {"n": 1}},
        "w": {"type": "ListProperty", "valueList": [1]},
        "g": spot(128.9, 35.2),
        "same": {"type": "Property", "value": 0},
    }
    after = {
        "p": {"type": "Property", "value": 2},
        "r": {"type": "Relationship", "object": "urn:x:2"},
        "l": {"type": "LanguageProperty", "languageMap": {"ko": "둘"}},
        "v": {"type": "VocabProperty", "vocab": "two"},
        "j": {"type": "JsonProperty", "json": {"n": 2}},
        "w": {"type": "ListProperty", "valueList": [2]},
        "g": spot(129.0, 35.2),
        "fresh": {"type": "Property", "value": 5},
    }

    async def test() -> None:
        async with desk(open_hub) as one:
            await one.subscribe(showChanges=True)
            await one.subscribe("/concise", showChanges=True, format="concise")
            await good(one.client.post("/entities", sensor(1, **before)))
            await good(one.client.post(f"/entities/{ID}/attrs", after))
            got = (await one.receiver.wait(2))[1].entity
            assert got["p"] == {"type": "Property", "value": 2, "previousValue": 1}
            assert got["r"]["previousObject"] == "urn:x:1"
            assert got["l"]["previousLanguageMap"] == {"ko": "하나"}
            assert got["v"]["previousVocab"] == "one"
            assert got["j"]["previousJson"] == {"n": 1}
            assert got["w"]["previousValueList"] == [1]
            assert got["g"]["previousValue"] == {"type": "Point", "coordinates": [128.9, 35.2]}
            assert got["fresh"] == {"type": "Property", "value": 5}
            assert got["same"] == {"type": "Property", "value": 0}
            concise = (await one.receiver.wait(2, "/concise"))[1].entity
            assert concise["p"] == {"value": 2, "previousValue": 1}

    run(test)


def test_deleted_attributes_and_entities_say_so(open_hub: OpenHub) -> None:
    async def test() -> None:
        async with desk(open_hub) as one:
            triggers = ["attributeDeleted", "entityDeleted"]
            await one.subscribe(notificationTrigger=triggers, showChanges=True)
            await one.subscribe("/simple", notificationTrigger=triggers, format="simplified")
            await good(one.client.post("/entities", sensor(1, a=1, b=2)))
            await good(one.client.send("DELETE", f"/entities/{ID}/attrs/b"))
            await good(one.client.send("DELETE", f"/entities/{ID}"))
            attribute, entity = (each.entity for each in await one.receiver.wait(2))
            assert attribute["a"] == {"type": "Property", "value": 1}
            assert attribute["b"] == {"type": "Property", "value": NULL, "previousValue": 2}
            assert entity["deletedAt"].endswith("Z")
            assert entity["a"] == {"type": "Property", "value": NULL, "previousValue": 1}
            attribute, entity = (each.entity for each in await one.receiver.wait(2, "/simple"))
            assert attribute == {"id": ID, "type": "Sensor", "a": 1, "b": NULL}
            assert entity.keys() == {"id", "type", "deletedAt"}

    run(test)


def test_a_deleted_attribute_is_told_as_an_instance_whose_value_is_the_null(open_hub: OpenHub) -> None:
    async def test() -> None:
        async with desk(open_hub) as one:
            await one.subscribe(notificationTrigger=["attributeDeleted"])
            names = {"type": "LanguageProperty", "languageMap": {"ko": "가", "en": "a"}}
            left = {"type": "Property", "value": 2, "datasetId": "urn:ngsi-ld:Dataset:left"}
            await good(one.client.post("/entities", sensor(1, a=1)))
            more = {"b": [{"type": "Property", "value": 1}, left], "c": names}
            await good(one.client.post(f"/entities/{ID}/attrs", more))
            await good(one.client.send("DELETE", f"/entities/{ID}/attrs/a"))
            await good(one.client.send("DELETE", f"/entities/{ID}/attrs/b", query="datasetId=urn:ngsi-ld:Dataset:left"))
            await good(one.client.send("DELETE", f"/entities/{ID}/attrs/c"))
            first, second, third = (each.entity for each in await one.told_nothing_until(sensor(9)))
            assert first["a"] == {"type": "Property", "value": NULL}
            assert second["b"] == [{"type": "Property", "value": 1}, left | {"value": NULL}]
            assert third["c"] == {"type": "LanguageProperty", "languageMap": {"@none": NULL}}

    run(test)


def test_system_times_of_a_deleted_entity_are_told_where_asked_for(open_hub: OpenHub) -> None:
    async def test() -> None:
        async with desk(open_hub) as one:
            await one.subscribe(notificationTrigger=["entityDeleted"], sysAttrs=True)
            await good(one.client.post("/entities", sensor(1, a=1)))
            await good(one.client.send("DELETE", f"/entities/{ID}"))
            entity = (await one.receiver.wait(1))[0].entity
            assert entity.keys() == {"id", "type", "createdAt", "modifiedAt", "deletedAt"}
            assert entity["createdAt"] <= entity["deletedAt"]
            await one.subscribe("/all", notificationTrigger=["entityDeleted"], sysAttrs=True, showChanges=True)
            await good(one.client.post("/entities", sensor(1, a=1)))
            await good(one.client.send("DELETE", f"/entities/{ID}"))
            attribute = (await one.receiver.wait(1, "/all"))[0].entity["a"]
            assert attribute.pop("createdAt") == attribute.pop("modifiedAt") <= attribute.pop("deletedAt")
            assert attribute == {"type": "Property", "value": NULL, "previousValue": 1}

    run(test)


def test_throttling_lets_one_through_and_holds_back_what_comes_too_soon(open_hub: OpenHub) -> None:
    async def test() -> None:
        async with desk(open_hub) as one:
            await one.subscribe(throttling=3600)
            await one.subscribe("/soon", throttling=0.001)
            for value in range(3):
                await good(one.client.post("/entityOperations/upsert", [sensor(1, a=value)]))
                await asyncio.sleep(0.01)
            await one.receiver.wait(3, "/soon")
            assert [each.entity["a"]["value"] for each in await one.told_nothing_until(sensor(9))] == [0]

    run(test)


def test_a_time_interval_tells_what_matches_at_the_moment_again_and_again(open_hub: OpenHub) -> None:
    async def test() -> None:
        async with desk(open_hub) as one:
            for number in (1, 2, 3):
                await good(one.client.post("/entities", sensor(number, a=number)))
            await one.subscribe(timeInterval=0.5, q="a>1", format="simplified")
            first, second = (await one.receiver.wait(2))[:2]
            assert [each["a"] for each in first.body["data"]] == [2, 3]
            assert first.body["id"] != second.body["id"]

    run(test)


def test_linked_entities_go_along_where_they_are_joined(open_hub: OpenHub) -> None:
    async def test() -> None:
        async with desk(open_hub) as one:
            await one.subscribe("/inline", join="inline", entities=[{"type": "Sensor", "id": ID}])
            await one.subscribe("/flat", join="flat", entities=[{"type": "Sensor", "id": ID}])
            await good(one.client.post("/entities", sensor(2, a=2)))
            link = {"type": "Relationship", "object": "urn:ngsi-ld:Sensor:2"}
            await good(one.client.post("/entities", sensor(1, beside=link)))
            (inline,) = await one.receiver.wait(1, "/inline")
            assert inline.entity["beside"]["entity"]["a"] == {"type": "Property", "value": 2}
            (flat,) = await one.receiver.wait(1, "/flat")
            assert [each["id"][-1] for each in flat.body["data"]] == ["1", "2"]

    run(test)


def test_an_entity_that_expires_is_told_as_deleted(open_hub: OpenHub) -> None:
    async def test() -> None:
        async with desk(open_hub) as one:
            await one.subscribe(notificationTrigger=["entityDeleted"])
            soon = (datetime.now(UTC) + timedelta(seconds=0.3)).isoformat()
            await good(one.client.post("/entities", sensor(1, a=1) | {"expiresAt": soon}))
            (got,) = await one.receiver.wait(1)
            assert "deletedAt" in got.entity

    run(test)


def test_q_may_speak_of_linked_entities(open_hub: OpenHub) -> None:
    async def test() -> None:
        async with desk(open_hub) as one:
            await one.subscribe(q="beside{a}>5")
            for number, value in ((2, 3), (3, 9)):
                await good(one.client.post("/entities", {**sensor(number, a=value), "type": "Post"}))
            for number in (2, 3):
                link = {"type": "Relationship", "object": f"urn:ngsi-ld:Sensor:{number}"}
                await good(one.client.post("/entityOperations/upsert", [sensor(1, beside=link)]))
            got = await one.told_nothing_until(sensor(9))
            assert [each.entity["beside"]["object"][-1] for each in got] == ["3"]

    run(test)


def test_geojson_carries_its_context_inside_where_the_receiver_prefers_that(open_hub: OpenHub) -> None:
    async def test() -> None:
        async with desk(open_hub) as one:
            prefer = [{"key": "Prefer", "value": "body=ld+json"}]
            await one.subscribe(endpoint={"accept": "application/geo+json", "receiverInfo": prefer})
            await good(one.client.post("/entities", sensor(1, a=1)))
            (got,) = await one.receiver.wait(1)
            assert "ngsi-ld-core-context" in str(got.body["@context"])
            assert "link" not in got.headers

    run(test)
