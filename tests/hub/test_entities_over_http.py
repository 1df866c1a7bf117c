"""One entity over HTTP: clauses 5.6.1–5.6.6, 5.6.17–5.6.19 and 5.7.1, with their status codes."""

from __future__ import annotations

from tests.hub.client import Client, run, sensor, spot
from tests.hub.conftest import OpenClient

PATH = "/entities/urn:ngsi-ld:Sensor:1"
SMART = {"@context": {"temp": "https://example.org/vocab#temperature", "Sensor": "https://example.org/vocab#Sensor"}}


async def retrieved(client: Client, query: str = "") -> dict[str, object]:
    answer = await client.get(PATH, query)
    assert answer.status == 200, answer.body
    shown: dict[str, object] = answer.json
    return shown


def test_created_entity_is_located_and_comes_back_as_it_was_sent(open_client: OpenClient) -> None:
    async def body() -> None:
        async with open_client() as client:
            sent = sensor(1, speed={"type": "Property", "value": 55, "unitCode": "KMH"}, location=spot(128.9, 35.2))
            answer = await client.post("/entities", sent)
            assert (answer.status, answer.header("location")) == (201, "/ngsi-ld/v1" + PATH)
            shown = await client.get(PATH)
            assert shown.json == sent
            assert shown.header("content-type") == "application/json"
            assert "ngsi-ld-core-context" in shown.header("link")

    run(body)


def test_creating_what_exists_is_refused_and_changes_nothing(open_client: OpenClient) -> None:
    async def body() -> None:
        async with open_client() as client:
            await client.post("/entities", sensor(1, speed=1))
            answer = await client.post("/entities", sensor(1, speed=2))
            assert (answer.status, answer.problem) == (409, "AlreadyExists")
            assert await retrieved(client) == sensor(1, speed=1)

    run(body)


def test_missing_entity_is_not_found_for_every_method(open_client: OpenClient) -> None:
    async def body() -> None:
        async with open_client() as client:
            for method, path, sent in (
                ("GET", PATH, None),
                ("DELETE", PATH, None),
                ("PATCH", PATH, {"a": 1}),
                ("PUT", PATH, sensor(1)),
                ("POST", PATH + "/attrs", {"a": 1}),
                ("PATCH", PATH + "/attrs", {"a": 1}),
                ("PATCH", PATH + "/attrs/a", {"value": 1}),
                ("PUT", PATH + "/attrs/a", {"type": "Property", "value": 1}),
                ("DELETE", PATH + "/attrs/a", None),
            ):
                answer = await client.send(method, path, sent)
                assert (answer.status, answer.problem) == (404, "ResourceNotFound"), (method, path, answer.body)

    run(body)


def test_deleted_entity_is_gone_and_may_be_created_again(open_client: OpenClient) -> None:
    async def body() -> None:
        async with open_client() as client:
            await client.post("/entities", sensor(1, speed=1, location=spot(1, 1)))
            assert (await client.send("DELETE", PATH)).status == 204
            assert (await client.get(PATH)).status == 404
            assert (await client.get("/entities", "type=Sensor")).json == []
            assert (await client.post("/entities", sensor(1, speed=2))).status == 201
            assert await retrieved(client) == sensor(1, speed=2)

    run(body)


def test_merge_patches_members_and_deletes_with_the_null_urn(open_client: OpenClient) -> None:
    async def body() -> None:
        async with open_client() as client:
            address = {"type": "Property", "value": {"city": "Gimhae", "street": "Gaya-ro"}}
            await client.post("/entities", sensor(1, speed=1, gone=1, address=address))
            patch = {
                "speed": {"type": "Property", "value": 2, "unitCode": "KMH"},
                "address": {"value": {"street": "urn:ngsi-ld:null", "zip": "50924"}},
                "gone": "urn:ngsi-ld:null",
                "fresh": {"type": "Property", "value": True},
            }
            kind = [("Content-Type", "application/merge-patch+json")]
            assert (await client.send("PATCH", PATH, patch, headers=kind)).status == 204
            assert await retrieved(client) == sensor(
                1,
                speed={"type": "Property", "value": 2, "unitCode": "KMH"},
                address={"type": "Property", "value": {"city": "Gimhae", "zip": "50924"}},
                fresh=True,
            )

    run(body)


def test_merge_with_an_object_null_deletes_a_relationship(open_client: OpenClient) -> None:
    async def body() -> None:
        async with open_client() as client:
            await client.post("/entities", sensor(1, at={"type": "Relationship", "object": "urn:x:1"}, speed=1))
            patch = {"at": {"type": "Relationship", "object": "urn:ngsi-ld:null"}}
            assert (await client.send("PATCH", PATH, patch)).status == 204
            assert await retrieved(client) == sensor(1, speed=1)

    run(body)


def test_replace_exchanges_all_attributes_and_keeps_creation_time(open_client: OpenClient) -> None:
    async def body() -> None:
        async with open_client() as client:
            await client.post("/entities", sensor(1, speed=1, old=1))
            before = await retrieved(client, "options=sysAttrs")
            assert (await client.send("PUT", PATH, sensor(1, speed=2))).status == 204
            after = await retrieved(client, "options=sysAttrs")
            assert after["createdAt"] == before["createdAt"]
            assert "old" not in after
            assert await retrieved(client) == sensor(1, speed=2)

    run(body)


def test_partial_update_keeps_the_other_members(open_client: OpenClient) -> None:
    async def body() -> None:
        async with open_client() as client:
            speed = {"type": "Property", "value": 1, "unitCode": "KMH", "accuracy": {"type": "Property", "value": 0.5}}
            await client.post("/entities", sensor(1, speed=speed))
            answer = await client.send(
                "PATCH", PATH + "/attrs/speed", {"value": 9, "observedAt": "2026-11-22T00:00:00Z"}
            )
            assert answer.status == 204, answer.body
            expected = speed | {"value": 9, "observedAt": "2026-11-22T00:00:00Z"}
            assert await retrieved(client) == sensor(1, speed=expected)
            wrong = await client.send("PATCH", PATH + "/attrs/speed", {"type": "Relationship", "object": "urn:x:1"})
            assert (wrong.status, wrong.problem) == (400, "BadRequestData")

    run(body)


def test_attribute_is_replaced_and_deleted(open_client: OpenClient) -> None:
    async def body() -> None:
        async with open_client() as client:
            await client.post("/entities", sensor(1, speed={"type": "Property", "value": 1, "unitCode": "KMH"}, b=1))
            assert (await client.send("PUT", PATH + "/attrs/speed", {"type": "Property", "value": 2})).status == 204
            assert await retrieved(client) == sensor(1, speed=2, b=1)
            assert (await client.send("DELETE", PATH + "/attrs/speed")).status == 204
            assert await retrieved(client) == sensor(1, b=1)
            assert (await client.send("DELETE", PATH + "/attrs/speed")).status == 404

    run(body)


def test_instances_with_dataset_ids_live_beside_each_other(open_client: OpenClient) -> None:
    async def body() -> None:
        async with open_client() as client:
            by_hand = {"type": "Property", "value": 2, "datasetId": "urn:set:hand"}
            by_radar = {"type": "Property", "value": 3, "datasetId": "urn:set:radar"}
            await client.post("/entities", sensor(1) | {"speed": [{"type": "Property", "value": 1}, by_hand]})
            assert (await client.post(PATH + "/attrs", {"speed": by_radar})).status == 204
            shown = await retrieved(client)
            assert shown["speed"] == [{"type": "Property", "value": 1}, by_hand, by_radar]
            assert (await client.send("DELETE", PATH + "/attrs/speed", query="datasetId=urn:set:hand")).status == 204
            assert (await client.send("DELETE", PATH + "/attrs/speed")).status == 204
            assert (await retrieved(client))["speed"] == by_radar
            assert (await client.get("/entities", "type=Sensor&q=speed==3")).json != []
            assert (await client.send("DELETE", PATH + "/attrs/speed", query="deleteAll=true")).status == 204
            assert await retrieved(client) == sensor(1)

    run(body)


def test_every_kind_of_attribute_is_kept_and_shown(open_client: OpenClient) -> None:
    async def body() -> None:
        async with open_client() as client:
            sent = sensor(
                1,
                plain=[1, [2, 3], {"a": None}],
                at={"type": "Relationship", "object": "urn:ngsi-ld:Building:1"},
                location=spot(128.9, 35.2),
                name={"type": "LanguageProperty", "languageMap": {"ko": "김해", "en": "Gimhae"}},
                category={"type": "VocabProperty", "vocab": "noise"},
                series={"type": "ListProperty", "valueList": [1, 2]},
                links={"type": "ListRelationship", "objectList": [{"object": "urn:x:1"}, {"object": "urn:x:2"}]},
                raw={"type": "JsonProperty", "json": {"any": ["thing", None]}},
            )
            assert (await client.post("/entities", sent)).status == 201
            assert await retrieved(client) == sent
            simple = await retrieved(client, "options=keyValues")
            assert simple["name"] == {"languageMap": {"ko": "김해", "en": "Gimhae"}}
            assert simple["links"] == ["urn:x:1", "urn:x:2"]
            assert simple["location"] == spot(128.9, 35.2)["value"]
            assert (await retrieved(client, "lang=en"))["name"] == {"type": "Property", "value": "Gimhae", "lang": "en"}

    run(body)


def test_concise_and_simplified_are_taken_and_given(open_client: OpenClient) -> None:
    async def body() -> None:
        async with open_client() as client:
            concise = {
                "id": "urn:ngsi-ld:Sensor:1",
                "type": "Sensor",
                "speed": {"value": 5, "unitCode": "KMH"},
                "count": 3,
                "at": {"object": "urn:x:1"},
                "location": {"type": "Point", "coordinates": [128.9, 35.2]},
            }
            assert (await client.post("/entities", concise)).status == 201
            normal = sensor(
                1,
                speed={"type": "Property", "value": 5, "unitCode": "KMH"},
                count=3,
                at={"type": "Relationship", "object": "urn:x:1"},
                location=spot(128.9, 35.2),
            )
            assert await retrieved(client) == normal
            assert await retrieved(client, "options=concise") == concise
            simple = concise | {"speed": 5, "at": "urn:x:1"}
            assert await retrieved(client, "format=simplified") == simple
            again = simple | {"id": "urn:ngsi-ld:Sensor:2", "place": {"city": "Gimhae"}}
            assert (await client.post("/entities", again, "options=keyValues")).status == 201
            shown = (await client.get("/entities/urn:ngsi-ld:Sensor:2", "options=keyValues")).json
            assert shown == again

    run(body)


def test_system_attributes_tell_when_each_attribute_changed(open_client: OpenClient) -> None:
    async def body() -> None:
        async with open_client() as client:
            await client.post("/entities", sensor(1, still=1, moved=1))
            born = await retrieved(client, "options=sysAttrs")
            await client.send("PATCH", PATH + "/attrs", {"moved": 2})
            shown = await retrieved(client, "options=sysAttrs")
            still, moved = shown["still"], shown["moved"]
            assert isinstance(still, dict)
            assert isinstance(moved, dict)
            assert still["createdAt"] == still["modifiedAt"] == moved["createdAt"] == born["createdAt"]
            assert shown["modifiedAt"] == moved["modifiedAt"] > moved["createdAt"]

    run(body)


def test_projection_shows_what_is_asked_for(open_client: OpenClient) -> None:
    async def body() -> None:
        async with open_client() as client:
            await client.post("/entities", sensor(1, a=1, b=2, c=3))
            assert set(await retrieved(client, "attrs=a,b")) == {"id", "type", "a", "b"}
            assert set(await retrieved(client, "pick=id,c")) == {"id", "c"}
            assert set(await retrieved(client, "omit=a")) == {"id", "type", "b", "c"}
            assert (await client.get(PATH, "attrs=unknown")).status == 404

    run(body)


def test_names_are_the_clients_own_under_its_context(open_client: OpenClient) -> None:
    async def body() -> None:
        async with open_client() as client:
            kind = [("Content-Type", "application/ld+json")]
            sent = sensor(1, temp=21) | SMART
            assert (await client.send("POST", "/entities", sent, headers=kind)).status == 201
            shown = await retrieved(client)
            assert shown["type"] == "https://example.org/vocab#Sensor"
            assert shown["https://example.org/vocab#temperature"] == {"type": "Property", "value": 21}
            wanted = "q=https://example.org/vocab%23temperature==21&attrs=https://example.org/vocab%23temperature"
            assert len((await client.get("/entities", wanted)).json) == 1

    run(body)


def test_ld_json_is_given_with_its_context(open_client: OpenClient) -> None:
    async def body() -> None:
        async with open_client() as client:
            await client.post("/entities", sensor(1, speed=1))
            answer = await client.get(PATH, headers=[("Accept", "application/ld+json")])
            assert answer.header("content-type") == "application/ld+json"
            assert "link" not in answer.headers
            assert answer.json["@context"].startswith("https://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context")
            assert {k: v for k, v in answer.json.items() if k != "@context"} == sensor(1, speed=1)

    run(body)


def test_media_types_that_cannot_be_are_refused(open_client: OpenClient) -> None:
    async def body() -> None:
        async with open_client() as client:
            await client.post("/entities", sensor(1))
            assert (await client.get(PATH, headers=[("Accept", "text/html")])).status == 406
            assert (await client.get(PATH, headers=[("Accept", "text/html, */*;q=0.1")])).status == 200
            xml = await client.send("POST", "/entities", b"<a/>", headers=[("Content-Type", "application/xml")])
            assert xml.status == 415
            plain = await client.post("/entities", sensor(2) | SMART)
            assert (plain.status, plain.problem) == (400, "BadRequestData")
            ld = await client.send("POST", "/entities", sensor(2), headers=[("Content-Type", "application/ld+json")])
            assert (ld.status, ld.problem) == (400, "BadRequestData")

    run(body)


def test_unknown_resources_methods_and_parameters_are_named(open_client: OpenClient) -> None:
    async def body() -> None:
        async with open_client() as client:
            assert (await client.get("/nothing")).status == 404
            answer = await client.send("PUT", "/entities")
            assert (answer.status, answer.header("allow")) == (405, "DELETE, GET, POST")
            answer = await client.get(PATH, "colour=red")
            assert (answer.status, answer.problem) == (400, "InvalidRequest")
            assert "colour" in answer.json["detail"]
            assert (await client.get(PATH, "options=colourful")).status == 400

    run(body)


def test_several_types_are_found_under_each(open_client: OpenClient) -> None:
    async def body() -> None:
        async with open_client() as client:
            await client.post("/entities", sensor(1) | {"type": ["Sensor", "Camera"]})
            for query in ("type=Sensor", "type=Camera", "type=(Sensor;Camera)", "type=Other,Camera"):
                found = (await client.get("/entities", query)).json
                assert [one["type"] for one in found] == [["Sensor", "Camera"]], query
            assert (await client.get("/entities", "type=Sensor;Other")).json == []

    run(body)
