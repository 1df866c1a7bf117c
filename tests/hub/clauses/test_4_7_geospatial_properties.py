"""Geospatial properties and geoqueries (clauses 4.7, 4.10, 5.2.13)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.hub.client import Json, run, sensor, spot
from tests.hub.conftest import OpenClient

HALL = (128.889, 35.228)
SQUARE = [[[128.8, 35.2], [128.9, 35.2], [128.9, 35.3], [128.8, 35.3], [128.8, 35.2]]]


def area(*ring: tuple[float, float]) -> Json:
    return {"type": "GeoProperty", "value": {"type": "Polygon", "coordinates": [[list(one) for one in ring]]}}


PLACES: dict[int, Json] = {
    1: spot(*HALL),
    2: spot(128.8895, 35.2285),  # about 70 m away
    3: spot(129.2, 35.5),
    4: area((128.85, 35.25), (128.86, 35.25), (128.86, 35.26), (128.85, 35.26), (128.85, 35.25)),
    5: area((128.85, 35.25), (129.0, 35.25), (129.0, 35.26), (128.85, 35.26), (128.85, 35.25)),
    6: {"type": "GeoProperty", "value": {"type": "LineString", "coordinates": [[128.7, 35.25], [129.0, 35.25]]}},
}
POINT = f"[{HALL[0]},{HALL[1]}]"


@pytest.mark.parametrize(
    ("georel", "geometry", "coordinates", "found"),
    [
        ("near;maxDistance==10", "Point", POINT, {1}),
        ("near;maxDistance==200", "Point", POINT, {1, 2}),
        ("near;minDistance==10", "Point", POINT, {2, 3, 4, 5, 6}),
        ("near;minDistance==20000", "Point", POINT, {3}),
        ("within", "Polygon", SQUARE, {1, 2, 4}),
        ("intersects", "Polygon", SQUARE, {1, 2, 4, 5, 6}),
        ("overlaps", "Polygon", SQUARE, {5}),
        ("disjoint", "Polygon", SQUARE, {3}),
        ("contains", "Point", "[128.855,35.255]", {4, 5}),
        ("equals", "Point", POINT, {1}),
    ],
)
def test_a_relation_finds_what_stands_in_it(
    open_client: OpenClient, georel: str, geometry: str, coordinates: Any, found: set[int]
) -> None:
    async def body() -> None:
        async with open_client() as client:
            placed = [sensor(number, location=place) for number, place in PLACES.items()]
            assert (await client.post("/entityOperations/create", [*placed, sensor(9, a=1)])).status == 201
            said = str(coordinates).replace(" ", "")
            answer = await client.get(
                "/entities", f"type=Sensor&georel={georel}&geometry={geometry}&coordinates={said}"
            )
            assert answer.status == 200, answer.body
            assert {int(one["id"].rpartition(":")[2]) for one in answer.json} == found
            asked = {
                "type": "Query",
                "entities": [{"type": "Sensor"}],
                "geoQ": {
                    "georel": georel,
                    "geometry": geometry,
                    "coordinates": coordinates if isinstance(coordinates, list) else said,
                },
            }
            again = await client.post("/entityOperations/query", asked)
            assert [one["id"] for one in again.json] == [one["id"] for one in answer.json]

    run(body)


def test_another_geoproperty_is_asked_for_by_name(open_client: OpenClient) -> None:
    async def body() -> None:
        async with open_client() as client:
            entity = sensor(1, location=spot(129.2, 35.5), origin=spot(*HALL))
            assert (await client.post("/entities", entity)).status == 201
            near = f"type=Sensor&georel=near;maxDistance==10&geometry=Point&coordinates={POINT}"
            assert (await client.get("/entities", near)).json == []
            assert len((await client.get("/entities", near + "&geoproperty=origin")).json) == 1

    run(body)


def test_what_moves_is_found_where_it_is_now(open_client: OpenClient) -> None:
    async def body() -> None:
        async with open_client() as client:
            assert (await client.post("/entities", sensor(1, location=spot(129.2, 35.5)))).status == 201
            near = f"type=Sensor&georel=near;maxDistance==10&geometry=Point&coordinates={POINT}"
            assert (await client.get("/entities", near)).json == []
            moved = {"location": spot(*HALL)}
            assert (await client.send("PATCH", "/entities/urn:ngsi-ld:Sensor:1", moved)).status == 204
            assert len((await client.get("/entities", near)).json) == 1
            assert (await client.send("DELETE", "/entities/urn:ngsi-ld:Sensor:1/attrs/location")).status == 204
            assert (await client.get("/entities", near)).json == []

    run(body)


@pytest.mark.parametrize(
    "query",
    [
        "georel=near&geometry=Point&coordinates=[1,2]",
        "georel=near;maxDistance==x&geometry=Point&coordinates=[1,2]",
        "georel=beside&geometry=Point&coordinates=[1,2]",
        "georel=within&geometry=Polygon",
        "georel=within&coordinates=[1,2]",
        "georel=within&geometry=Blob&coordinates=[1,2]",
        "georel=within&geometry=Polygon&coordinates=[1,2]",
        "georel=within&geometry=Polygon&coordinates=[[[1,2],[3,4]]]",
        "georel=near;maxDistance==10&geometry=Point&coordinates=[1,95]",
        "georel=near;maxDistance==10&geometry=Point&coordinates=nonsense",
        "geometry=Point&coordinates=[1,2]",
    ],
)
def test_a_geoquery_that_cannot_be_is_refused(open_client: OpenClient, query: str) -> None:
    async def body() -> None:
        async with open_client() as client:
            answer = await client.get("/entities", "type=Sensor&" + query)
            assert (answer.status, answer.problem) == (400, "BadRequestData"), answer.body

    run(body)
