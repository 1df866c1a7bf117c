"""Clause 4.10 (and 4.7): every relation between geometries, with points, lines and areas."""

from __future__ import annotations

import pytest

from tests.hub.clauses.reading import ask, entity, fill, found, point, refused, with_client
from tests.hub.client import Client, Json
from tests.hub.conftest import OpenClient


def shape(kind: str, coordinates: Json) -> dict[str, Json]:
    return {"type": "GeoProperty", "value": {"type": kind, "coordinates": coordinates}}


def square(west: float, south: float, east: float, north: float) -> Json:
    return [[[west, south], [east, south], [east, north], [west, north], [west, south]]]


CITY = (
    entity("Place:1", location=point(128.90, 35.20)),
    entity("Place:2", location=point(128.95, 35.20)),
    entity("Place:3", location=shape("LineString", [[128.90, 35.20], [128.99, 35.20]])),
    entity("Place:4", location=shape("Polygon", square(128.88, 35.18, 128.92, 35.22))),
    entity("Place:5", location=shape("MultiPoint", [[129.5, 35.2], [129.6, 35.3]]), gate=point(128.90, 35.20)),
    entity("Place:6", location=[point(130.0, 35.0), point(128.9, 35.2, datasetId="urn:ngsi-ld:dataset:1")]),
    entity("Place:7", title="nowhere"),
)
POINT = ("Point", "[128.9,35.2]")
AREA = ("Polygon", str(square(128.89, 35.19, 128.91, 35.21)))
WIDE = ("Polygon", str(square(128.85, 35.15, 129.0, 35.25)))


@pytest.mark.parametrize(
    ("georel", "geometry", "expected"),
    [
        ("near;maxDistance==10", POINT, "1346"),
        ("near;maxDistance==5000", POINT, "12346"),
        ("near;minDistance==5000", POINT, "56"),
        ("near;minDistance==1000;maxDistance==5000", POINT, "2"),
        ("near;maxDistance==10", ("LineString", "[[128.94,35.2],[128.96,35.2]]"), "23"),
        ("within", AREA, "16"),
        ("within", WIDE, "12346"),
        ("within", ("MultiPolygon", f"[{AREA[1]}]"), "16"),
        ("contains", POINT, "146"),
        ("intersects", AREA, "1346"),
        ("intersects", ("LineString", "[[128.95,35.1],[128.95,35.3]]"), "23"),
        ("disjoint", AREA, "256"),
        ("equals", POINT, "16"),
        ("equals", ("LineString", "[[128.90,35.20],[128.99,35.20]]"), "3"),
        ("overlaps", ("Polygon", str(square(128.90, 35.20, 128.94, 35.24))), "4"),
        ("overlaps", ("Polygon", str(square(128.0, 35.0, 129.0, 36.0))), ""),
    ],
)
def test_entities_are_found_by_where_they_are(
    open_client: OpenClient, georel: str, geometry: tuple[str, str], expected: str
) -> None:
    async def body(client: Client) -> None:
        await fill(client, *CITY)
        kind, coordinates = geometry
        listed = await found(client, type="Place", georel=georel, geometry=kind, coordinates=coordinates)
        assert "".join(one[-1] for one in listed) == expected

    with_client(open_client, body)


def test_another_geoproperty_may_be_asked_about(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        await fill(client, *CITY)
        asked = {"georel": "equals", "geometry": "Point", "coordinates": "[128.9,35.2]"}
        assert await found(client, geoproperty="gate", **asked) == ["Place:5"]
        assert await found(client, geoproperty="title", **asked) == []

    with_client(open_client, body)


@pytest.mark.parametrize(
    "wrong",
    [
        {"georel": "equals"},
        {"geometry": "Point"},
        {"coordinates": "[1,2]"},
        {"georel": "beside", "geometry": "Point", "coordinates": "[1,2]"},
        {"georel": "near", "geometry": "Point", "coordinates": "[1,2]"},
        {"georel": "near;maxDistance=10", "geometry": "Point", "coordinates": "[1,2]"},
        {"georel": "near;maxDistance==-1", "geometry": "Point", "coordinates": "[1,2]"},
        {"georel": "near;maxDistance==1;maxDistance==2", "geometry": "Point", "coordinates": "[1,2]"},
        {"georel": "equals;maxDistance==1", "geometry": "Point", "coordinates": "[1,2]"},
        {"georel": "equals", "geometry": "Circle", "coordinates": "[1,2]"},
        {"georel": "equals", "geometry": "GeometryCollection", "coordinates": "[1,2]"},
        {"georel": "equals", "geometry": "Point", "coordinates": "1,2"},
        {"georel": "equals", "geometry": "Point", "coordinates": "[1]"},
        {"georel": "equals", "geometry": "Point", "coordinates": "[200,2]"},
        {"georel": "within", "geometry": "Polygon", "coordinates": "[[[0,0],[1,0],[1,1]]]"},
        {"georel": "within", "geometry": "Polygon", "coordinates": '"here"'},
    ],
)
def test_what_is_no_geoquery_is_refused(open_client: OpenClient, wrong: dict[str, str]) -> None:
    async def body(client: Client) -> None:
        refused(await ask(client, "/entities", type="Place", **wrong), 400, "BadRequestData")

    with_client(open_client, body)
