"""Batches (clauses 5.6.7–5.6.10, 5.6.20): item by item, in order, whatever is wrong with the others."""

from __future__ import annotations

import orjson

from tests.hub.client import Json, run, sensor
from tests.hub.conftest import OpenClient


def test_upsert_creates_and_then_replaces(open_client: OpenClient) -> None:
    async def body() -> None:
        async with open_client() as client:
            path = "/entityOperations/upsert"
            answer = await client.post(path, [sensor(1, a=1, b=1), sensor(2, a=2)])
            assert (answer.status, answer.json) == (201, ["urn:ngsi-ld:Sensor:1", "urn:ngsi-ld:Sensor:2"])
            answer = await client.post(path, [sensor(1, a=3), sensor(3, a=3)])
            assert (answer.status, answer.json) == (201, ["urn:ngsi-ld:Sensor:3"])
            assert (await client.post(path, [sensor(2, b=5)], "options=update")).status == 204
            found = (await client.get("/entities", "type=Sensor")).json
            assert found == [sensor(1, a=3), sensor(2, a=2, b=5), sensor(3, a=3)]

    run(body)


def test_repeated_ids_in_one_batch_are_taken_in_order(open_client: OpenClient) -> None:
    async def body() -> None:
        async with open_client() as client:
            batch = [sensor(1, a=1), sensor(1, b=2), sensor(1, a=3)]
            answer = await client.post("/entityOperations/upsert", batch, "options=update")
            assert (answer.status, answer.json) == (201, ["urn:ngsi-ld:Sensor:1"])
            assert (await client.get("/entities", "type=Sensor")).json == [sensor(1, a=3, b=2)]
            answer = await client.post("/entityOperations/create", [sensor(2, a=1), sensor(2, a=2)])
            assert answer.status == 207
            assert answer.json["success"] == ["urn:ngsi-ld:Sensor:2"]
            assert answer.json["errors"][0]["error"]["type"].endswith("AlreadyExists")

    run(body)


def test_one_bad_item_never_stops_the_others(open_client: OpenClient) -> None:
    async def body() -> None:
        async with open_client() as client:
            batch = [sensor(1, a=1), {"id": "nouri", "type": "T"}, 7, {"id": "urn:x:1"}, sensor(2, a=None), sensor(3)]
            answer = await client.post("/entityOperations/upsert", batch)
            assert answer.status == 207
            assert answer.json["success"] == ["urn:ngsi-ld:Sensor:1", "urn:ngsi-ld:Sensor:3"]
            assert [one["entityId"] for one in answer.json["errors"]] == [
                "nouri",
                "",
                "urn:x:1",
                "urn:ngsi-ld:Sensor:2",
            ]
            assert all(one["error"]["type"].endswith("BadRequestData") for one in answer.json["errors"])

    run(body)


def test_update_merge_and_delete_tell_which_ids_are_missing(open_client: OpenClient) -> None:
    async def body() -> None:
        async with open_client() as client:
            await client.post("/entities", sensor(1, a=1))
            answer = await client.post("/entityOperations/update", [sensor(1, b=2), sensor(9, a=1)])
            assert (answer.status, answer.json["success"]) == (207, ["urn:ngsi-ld:Sensor:1"])
            assert answer.json["errors"][0]["error"]["type"].endswith("ResourceNotFound")
            merged = {"id": "urn:ngsi-ld:Sensor:1", "a": "urn:ngsi-ld:null", "c": 3}
            assert (await client.post("/entityOperations/merge", [merged])).status == 204
            assert (await client.get("/entities/urn:ngsi-ld:Sensor:1")).json == sensor(1, b=2, c=3)
            answer = await client.post("/entityOperations/delete", ["urn:ngsi-ld:Sensor:1", "urn:x:9", 5])
            assert (answer.status, answer.json["success"]) == (207, ["urn:ngsi-ld:Sensor:1"])
            assert (await client.get("/entities", "type=Sensor")).json == []

    run(body)


def test_no_overwrite_leaves_what_is_there(open_client: OpenClient) -> None:
    async def body() -> None:
        async with open_client() as client:
            await client.post("/entities", sensor(1, a=1))
            await client.post("/entityOperations/update", [sensor(1, a=2, b=2)], "options=noOverwrite")
            assert (await client.get("/entities/urn:ngsi-ld:Sensor:1")).json == sensor(1, a=1, b=2)

    run(body)


def test_items_of_a_json_ld_batch_bring_their_own_context(open_client: OpenClient) -> None:
    async def body() -> None:
        async with open_client() as client:
            kind = [("Content-Type", "application/ld+json")]
            one = sensor(1, t=1) | {"@context": {"t": "https://example.org/t"}}
            two = sensor(2, t=2) | {"@context": {"t": "https://example.org/other"}}
            answer = await client.post("/entityOperations/create", [one, two, sensor(3)], headers=kind)
            assert answer.status == 207
            assert len(answer.json["success"]) == 2
            shown = (await client.get("/entities", "type=Sensor")).json
            assert [sorted(entity)[0] for entity in shown] == ["https://example.org/t", "https://example.org/other"]

    run(body)


def test_a_batch_must_be_an_array_of_bounded_length(open_client: OpenClient) -> None:
    async def body() -> None:
        async with open_client(max_batch=3) as client:
            wrongs: tuple[Json, ...] = ({}, [], "text")
            for wrong in wrongs:
                assert (await client.post("/entityOperations/upsert", wrong)).status == 400
            answer = await client.post("/entityOperations/upsert", [sensor(n) for n in range(4)])
            assert (answer.status, answer.problem) == (403, "TooComplexQuery")

    run(body)


def test_a_long_batch_is_taken_whole(open_client: OpenClient) -> None:
    async def body() -> None:
        async with open_client() as client:
            answer = await client.post("/entityOperations/upsert", [sensor(n, a=n) for n in range(950)])
            assert (answer.status, len(answer.json)) == (201, 950)
            counted = await client.get("/entities", "type=Sensor&limit=0&count=true")
            assert counted.header("ngsild-results-count") == "950"

    run(body)


def test_entities_that_move_are_found_where_they_are_and_nowhere_else(open_client: OpenClient) -> None:
    def at(number: int, lon: float, reading: int) -> Json:
        spot = {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [lon, 35]}}
        return sensor(number, location=spot, a={"type": "Property", "value": reading})

    def near(lon: float) -> str:
        return f"type=Sensor&georel=near%3BmaxDistance==100&geometry=Point&coordinates=%5B{lon},35%5D"

    async def body() -> None:
        async with open_client() as client:
            path = "/entityOperations/upsert"
            assert (await client.post(path, [at(1, 128, 1), at(2, 128, 1)])).status == 201
            assert (await client.post("/entities", at(3, 128.0, 1))).status == 201
            assert (
                await client.post(path, [at(1, 128, 2), at(2, 129, 2), at(3, 129.5, 2), at(3, 128, 3)])
            ).status == 204
            assert (await client.get("/entities", near(128))).json == [at(1, 128, 2), at(3, 128, 3)]
            assert (await client.get("/entities", near(129))).json == [at(2, 129, 2)]
            assert (await client.get("/entities", near(129.5))).json == []
            assert (await client.post(path, [sensor(1, a=4)])).status == 204
            assert (await client.get("/entities", near(128))).json == [at(3, 128, 3)]

    run(body)


def test_entities_alike_stand_among_others_and_each_is_kept_as_it_came(open_client: OpenClient) -> None:
    async def body() -> None:
        async with open_client() as client:
            alike = [sensor(number, a={"type": "Property", "value": number}) for number in range(150)]
            odd = sensor(150, a={"type": "Property", "value": 1, "b": {"type": "Property", "value": 2}})
            answer = await client.post("/entityOperations/upsert", [*alike, odd, {"id": "urn:x:1"}])
            assert (answer.status, len(answer.json["success"])) == (207, 151)
            found = (await client.get("/entities", "type=Sensor&limit=200")).json
            assert found == [*alike, odd]

    run(body)


def test_batches_of_what_came_often_are_read_at_once_and_come_to_the_same(open_client: OpenClient) -> None:
    def alike(first: int, count: int) -> list[Json]:
        reading = {"unitCode": "GQ", "observedAt": "2026-11-22T00:00:00Z"}
        spot = {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [128.5, 35]}}
        return [
            sensor(number, 이름={"type": "Property", "value": "김해"} | reading, location=spot)
            for number in range(first, first + count)
        ]

    async def body() -> None:
        async with open_client() as client:
            path = "/entityOperations/upsert"
            assert (await client.post(path, alike(0, 100))).status == 201
            answer = await client.post(path, [*alike(100, 300), {"id": "no uri", "type": "T"}, *alike(400, 50)])
            assert (answer.status, len(answer.json["success"]), len(answer.json["errors"])) == (207, 350, 1)
            answer = await client.post(path, alike(449, 300))
            assert (answer.status, answer.json) == (201, [f"urn:ngsi-ld:Sensor:{n}" for n in range(450, 749)])
            assert (await client.get("/entities", "type=Sensor&limit=1000")).json == alike(0, 749)

    run(body)


def test_a_broken_end_of_a_batch_of_entities_alike_is_told_and_nothing_kept(open_client: OpenClient) -> None:
    async def body() -> None:
        async with open_client(max_batch=1000) as client:
            path = "/entityOperations/upsert"
            ready = [sensor(number, a=number) for number in range(1100)]
            assert (await client.post(path, ready[:100])).status == 201
            whole = orjson.dumps(ready[100:200])
            for broken in (whole[:-1], whole[:-1] + b",]", whole + b"]", whole[:-2] + b"]", whole[:-1] + b",null]"):
                assert (await client.post(path, broken)).status == 400
            for broken in (b"", b"[", b"[]"):
                assert (await client.post(path, broken)).status == 400
            assert (await client.post(path, ready)).problem == "TooComplexQuery"
            assert (await client.post(path, [*ready[:999], 7, 8])).problem == "TooComplexQuery"
            assert len((await client.get("/entities", "type=Sensor&limit=1000")).json) == 100

    run(body)


def test_batches_create_what_is_alike_only_where_it_is_not_there(open_client: OpenClient) -> None:
    async def body() -> None:
        async with open_client() as client:
            path = "/entityOperations/create"
            alike = [sensor(number, b=number) for number in range(150)]
            assert (await client.post(path, alike[:100])).status == 201
            answer = await client.post(path, alike[90:])
            assert (answer.status, len(answer.json["success"])) == (207, 50)
            assert {one["error"]["type"].rpartition("/")[2] for one in answer.json["errors"]} == {"AlreadyExists"}
            await client.send("DELETE", "/entities/urn:ngsi-ld:Sensor:7")
            assert (await client.post(path, [alike[7]])).status == 201
            assert (await client.get("/entities", "type=Sensor&limit=200")).json == alike

    run(body)
