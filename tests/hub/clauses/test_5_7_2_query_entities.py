"""Clause 5.7.2, Query Entities; 6.4.3.2, GET /entities; paging and counting (5.5.9, 6.3.10, 6.3.13)."""

from __future__ import annotations

import pytest

from tests.hub.clauses.reading import JSON_LD, ask, entity, fill, found, got, point, refused, urn, with_client
from tests.hub.client import Client
from tests.hub.conftest import OpenClient

CITY = (
    entity("Bus:1", speed=40, scope=["/Gimhae/Road", "/Busan"], location=point(128.90, 35.20)),
    entity("Bus:2", speed=60, scope="/Gimhae/Rail", location=point(128.95, 35.20)),
    entity("Tram:3", speed=50, home=point(128.90, 35.20)),
    entity("Tram:4") | {"type": ["Tram", "Museum"]},
)
HERE = {"geometry": "Point", "coordinates": "[128.9,35.2]"}


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"type": "Bus"}, "12"),
        ({"type": "Bus,Tram"}, "1234"),
        ({"type": "Bus|Museum"}, "124"),
        ({"type": "Tram;Museum"}, "4"),
        ({"type": "(Tram;Museum),Bus"}, "124"),
        ({"type": "*"}, "1234"),
        ({"type": "*", "local": "true"}, "1234"),
        ({"local": "true"}, "1234"),
        ({"type": "Ship"}, ""),
        ({"type": "https://uri.etsi.org/ngsi-ld/default-context/Bus"}, "12"),
        ({"local": "true", "id": urn("Bus:1") + "," + urn("Tram:3")}, "13"),
        ({"type": "Bus", "id": urn("Tram:3")}, ""),
        ({"type": "Bus", "idPattern": ".*:2$"}, "2"),
        ({"attrs": "home"}, "3"),
        ({"attrs": "home,scope2,location"}, "123"),
        ({"q": "speed>45"}, "23"),
        ({"type": "Bus", "scopeQ": "/Gimhae/Road"}, "1"),
        ({"type": "Bus", "scopeQ": "/Gimhae/+"}, "12"),
        ({"type": "Bus", "scopeQ": "/Gimhae/#"}, "12"),
        ({"type": "Bus", "scopeQ": "/Busan,/Gimhae/Rail"}, "12"),
        ({"type": "Bus", "scopeQ": "/Busan;/Gimhae/#"}, "1"),
        ({"georel": "near;maxDistance==100", **HERE}, "1"),
        ({"georel": "near;minDistance==100", **HERE}, "2"),
        ({"georel": "near;maxDistance==100", "geoproperty": "home", **HERE}, "3"),
        ({"georel": "equals", **HERE}, "1"),
        ({"georel": "disjoint", **HERE}, "2"),
        ({"type": "Bus", "csf": 'name=="x"', "splitEntities": "true"}, "12"),
    ],
)
def test_entities_are_selected(open_client: OpenClient, asked: dict[str, str], expected: str) -> None:
    async def body(client: Client) -> None:
        await fill(client, *CITY)
        assert "".join(one[-1] for one in await found(client, **asked)) == expected

    with_client(open_client, body)


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"limit": "5"},
        {"count": "true"},
        {"options": "keyValues"},
        {"pick": "speed"},
        {"orderBy": "speed"},
        {"local": "false"},
        {"id": urn("Bus:1")},
        {"idPattern": ".*"},
        {"scopeQ": "/Gimhae/#"},
        {"attrs": "createdAt"},
        {"q": "createdAt>2020-01-01T00:00:00Z;modifiedAt"},
        {"type": "Bus", "collation": "!"},
        {"type": "Bus", "id": "no-uri"},
        {"type": "Bus", "idPattern": "("},
        {"type": "(Bus"},
        {"type": "Bus,,Tram"},
        {"type": "*", "local": "false"},
        {"type": "Bus", "q": "=="},
        {"type": "Bus", "csf": "=="},
        {"type": "Bus", "scopeQ": "//"},
        {"type": "Bus", "limit": "-1"},
        {"type": "Bus", "limit": "many"},
        {"type": "Bus", "offset": "-1"},
        {"type": "Bus", "limit": "0"},
        {"type": "Bus", "count": "perhaps"},
        {"type": "Bus", "splitEntities": "perhaps"},
        {"type": "Bus", "georel": "near;maxDistance==100"},
        {"type": "Bus", "georel": "near", **HERE},
        {"type": "Bus", "georel": "beside", **HERE},
        {"type": "Bus", "georel": "equals", "geometry": "Point", "coordinates": "[128.9"},
        {"type": "Bus", "georel": "equals", "geometry": "Circle", "coordinates": "[128.9,35.2]"},
        {"type": "Bus", "attrs": "a,,b"},
    ],
)
def test_what_is_too_wide_or_makes_no_sense_is_refused(open_client: OpenClient, asked: dict[str, str]) -> None:
    async def body(client: Client) -> None:
        refused(await ask(client, "/entities", **asked), 400, "BadRequestData")

    with_client(open_client, body)


def test_unknown_and_repeated_parameters_are_invalid_requests(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        refused(await ask(client, "/entities", type="Bus", sideways="1"), 400, "InvalidRequest")
        refused(await client.get("/entities", "type=Bus&type=Tram"), 400, "InvalidRequest")
        refused(await client.get("/entities", "type=%FF"), 400, "InvalidRequest")
        refused(await ask(client, "/entities", type="Bus", entityMap="true"), 422, "OperationNotSupported")
        refused(await ask(client, "/entities", type="Bus", limit="5000"), 403, "TooManyResults")

    with_client(open_client, body)


def test_each_entity_of_a_json_ld_page_carries_its_context(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        await fill(client, *CITY)
        answer = await ask(client, "/entities", JSON_LD, type="Bus")
        assert answer.header("content-type") == "application/ld+json"
        assert all("@context" in one for one in answer.json)
        assert (await ask(client, "/entities", JSON_LD, type="Ship")).json == []

    with_client(open_client, body)


def test_an_answer_is_never_older_than_the_last_write(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        assert await got(client, "/entities", type="Bus") == []
        await fill(client, CITY[0])
        assert await found(client, type="Bus") == ["Bus:1"]
        await client.send("PATCH", "/entities/" + urn("Bus:1") + "/attrs", {"speed": {"type": "Property", "value": 1}})
        assert (await got(client, "/entities", type="Bus"))[0]["speed"]["value"] == 1
        await client.send("DELETE", "/entities/" + urn("Bus:1"))
        assert await found(client, type="Bus") == []

    with_client(open_client, body)
