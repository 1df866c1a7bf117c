"""Clause 4.9: the query language on every kind of attribute, inside values and in linked entities."""

from __future__ import annotations

import pytest

from tests.hub.clauses.reading import ask, entity, fill, found, link, links, point, refused, urn, with_client, words
from tests.hub.client import Client
from tests.hub.conftest import OpenClient

CITY = (
    entity(
        "Car:1",
        speed={"type": "Property", "value": 50, "observedAt": "2026-11-22T00:00:00Z", "unitCode": "KMH"},
        brand="Kia",
        quoted='a "b" \\ c',
        parked=link("Lot:1"),
        color=words(ko="빨강", en="red", **{"fr-CH": ["rouge", "vermeil"]}),
        gender={"type": "VocabProperty", "vocab": "Male"},
        tickets={"type": "JsonProperty", "json": {"id": "85a6", "value": "Overstay", "title": 3}},
        wheels={"type": "ListProperty", "valueList": [300, 290]},
        route=links("Stop:1", "Stop:2"),
        address={"type": "Property", "value": {"city": "Gimhae", "zone": {"n": 3}}},
        made={"type": "Property", "value": {"@type": "Date", "@value": "2026-01-05"}},
        sensor={"type": "Property", "value": 40, "raw": {"type": "Property", "value": {"air": {"pm": 7}}}},
        isOpen=True,
        location=point(128.9, 35.2),
    ),
    entity(
        "Car:2",
        speed={"type": "Property", "value": 80.5, "observedAt": "2026-11-23T00:00:00Z"},
        brand="Hyundai",
        parked=link(["Lot:2", "Lot:3"]),
        color=words(ko="검정", en="black"),
        gender={"type": "VocabProperty", "vocab": ["Female", "Other"]},
        wheels={"type": "ListProperty", "valueList": [310]},
        isOpen=False,
        tags={"type": "Property", "value": ["a", "b", 7]},
    ),
    entity("Car:3", speed={"type": "Property", "value": "fast"}, brand=["Kia", "Ssangyong"]),
)


@pytest.mark.parametrize(
    ("q", "expected"),
    [
        ("speed", "123"),
        ("gender", "12"),
        ("nothing", ""),
        ("speed==50", "1"),
        ("speed!=50", "23"),
        ("speed>50", "2"),
        ("speed>=50", "12"),
        ("speed<80.5", "1"),
        ("speed==40..60", "1"),
        ("speed!=40..60", "23"),
        ("speed==1,50,80.5", "12"),
        ("speed!=50,80.5", "3"),
        ('brand=="Kia"', "13"),
        ('brand!="Kia"', "2"),
        ('brand=="Kia","Hyundai"', "123"),
        ('brand~="^K"', "13"),
        ("brand~=^Hyu", "2"),
        ('brand!~="^K"', "2"),
        ('speed!~="^f"', ""),
        (r'quoted=="a \"b\" \\ c"', "1"),
        (r'brand=="Ki\u0061"', "13"),
        ("isOpen==true", "1"),
        ("isOpen!=true", "2"),
        ('tags=="a"', "2"),
        ("tags==7", "2"),
        ('tags!="a"', ""),
        ('speed>40;brand=="Kia"', "1"),
        ('speed>90|brand=="Kia"', "13"),
        ('(speed>90|brand=="Kia");isOpen==true', "1"),
        ('speed>90|brand=="Kia";isOpen==false', ""),
        ("speed.observedAt>=2026-11-23T00:00:00Z", "2"),
        ("speed.observedAt==2026-11-22T09:00:00+09:00", "1"),
        ('speed.unitCode=="KMH"', "1"),
        ("speed.unitCode", "1"),
        ('address[city]=="Gimhae"', "1"),
        ("address[zone.n]==3", "1"),
        ("address[zone.n]>3", ""),
        ("address[nothing]", ""),
        ("sensor.raw[air.pm]==7", "1"),
        ("made==2026-01-05", "1"),
        ("made>2025-12-31", "1"),
        ("made<2026-01-01", ""),
        ("wheels==290", "1"),
        ("wheels>305", "2"),
        ("wheels!=290", "2"),
    ],
)
def test_values_are_compared(open_client: OpenClient, q: str, expected: str) -> None:
    async def body(client: Client) -> None:
        await fill(client, *CITY)
        assert await found(client, type="Car", q=q) == [f"Car:{one}" for one in expected]

    with_client(open_client, body)


@pytest.mark.parametrize(
    ("q", "expected"),
    [
        (f'parked=="{urn("Lot:1")}"', "1"),
        (f"parked=={urn('Lot:1')}", "1"),
        (f"parked=={urn('Lot:3')}", "2"),
        (f"parked!={urn('Lot:1')}", "2"),
        (f'parked=="{urn("Lot:1")}","{urn("Lot:2")}"', "12"),
        ('parked~="Lot"', ""),
        (f'parked>"{urn("A")}"', ""),
        (f"route=={urn('Stop:2')}", "1"),
        (f"route!={urn('Stop:2')}", ""),
        ("route~=Stop", ""),
        ('gender=="Male"', "1"),
        ("gender==https://uri.etsi.org/ngsi-ld/default-context/Male", "1"),
        ('gender=="Other"', "2"),
        ('gender!="Male"', "2"),
    ],
)
def test_references_and_names_are_equal_or_not_and_nothing_else(open_client: OpenClient, q: str, expected: str) -> None:
    async def body(client: Client) -> None:
        await fill(client, *CITY)
        assert await found(client, type="Car", q=q) == [f"Car:{one}" for one in expected]

    with_client(open_client, body)


@pytest.mark.parametrize(
    ("q", "expected"),
    [
        ('color=="red"', "1"),
        ('color[en]=="red"', "1"),
        ('color[ko]=="red"', ""),
        ('color[*]=="red"', "1"),
        ('color[*]=="vermeil"', "1"),
        ('color[fr-CH]=="rouge"', "1"),
        ('color[en]!="red"', "2"),
        ('color[*]!="red"', "2"),
        ("color[fr-CH]", "1"),
        ('color[en]~="^bl"', "2"),
    ],
)
def test_texts_are_compared_in_one_language_or_in_any(open_client: OpenClient, q: str, expected: str) -> None:
    async def body(client: Client) -> None:
        await fill(client, *CITY)
        assert await found(client, type="Car", q=q) == [f"Car:{one}" for one in expected]

    with_client(open_client, body)


def test_members_of_plain_json_are_no_names(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        await fill(client, *CITY)
        assert await found(client, type="Car", q='tickets[value]=="Overstay"') == ["Car:1"]
        assert await found(client, type="Car", q='tickets[value]=="Overstay"', jsonKeys="tickets") == ["Car:1"]
        assert await found(client, type="Car", q='tickets[id]=="85a6"', jsonKeys="tickets") == ["Car:1"]
        assert await found(client, type="Car", q="tickets[title]>3") == []

    with_client(open_client, body)


@pytest.mark.parametrize(
    ("q", "expected"),
    [
        ("made[days]==2", "1"),
        ("made[days]!=2", "2"),
        ("made[days]==3..9", "2"),
        ('made[of.who]=="b"', "1"),
        ('made[of.who]=="x","c"', "2"),
        ("raw[days]==2", "1"),
        ("made[days]~=2", ""),
        ('made[of.who]~="^[ab]$"', "1"),
    ],
)
def test_an_array_inside_a_value_is_looked_into(open_client: OpenClient, q: str, expected: str) -> None:
    async def body(client: Client) -> None:
        for number, days, who in ((1, [1, 2], ["a", "b"]), (2, [5], ["c"])):
            value = {"days": days, "of": {"who": who}}
            await fill(client, entity(f"Car:{number}", made=value, raw={"type": "JsonProperty", "json": value}))
        assert "".join(one[-1] for one in await found(client, type="Car", q=q)) == expected

    with_client(open_client, body)


def test_values_may_be_names_of_the_context(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        await fill(client, *CITY)
        assert await found(client, type="Car", q="gender==Male", expandValues="gender") == ["Car:1"]
        assert await found(client, type="Car", q="gender!=Male", expandValues="gender") == ["Car:2"]
        refused(await ask(client, "/entities", type="Car", q="gender==Male"), 400, "BadRequestData")

    with_client(open_client, body)


def test_conditions_reach_into_linked_entities(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        await fill(
            client,
            *CITY,
            entity("Lot:1", free=3, ofFirm=link("Firm:1")),
            entity("Lot:3", free=9, ofFirm=link("Firm:2")),
            entity("Stop:2", title="역"),
            entity("Firm:1", title="가야"),
        )
        near = {"type": "Car", "join": "inline"}
        assert await found(client, q="parked{free}==3", **near) == ["Car:1"]
        assert await found(client, q="parked{free}>3", **near) == ["Car:2"]
        assert await found(client, q="parked{free}", **near) == ["Car:1", "Car:2"]
        assert await found(client, q="parked{Lot:free}==3", **near) == ["Car:1"]
        assert await found(client, q="parked{Lot,Garage:free}==3", **near) == ["Car:1"]
        assert await found(client, q="parked{Garage:free}==3", **near) == []
        assert await found(client, q='route{title}=="역"', **near) == ["Car:1"]
        assert await found(client, q='parked{free}==3;brand=="Kia"', **near) == ["Car:1"]
        deep = 'parked{Lot:ofFirm{Firm:title}}=="가야"'
        assert await found(client, q=deep, type="Car", join="flat", joinLevel="2", pick="id") == ["Car:1"]
        refused(await ask(client, "/entities", q=deep, **near), 400, "BadRequestData")
        refused(await ask(client, "/entities", type="Car", q="parked{free}==3"), 400, "BadRequestData")

    with_client(open_client, body)


@pytest.mark.parametrize(
    "q",
    [
        "speed==",
        "==5",
        "speed==5;",
        "speed==5|",
        "(speed==5",
        "speed==5)",
        'brand=="Kia',
        "brand==Kia",
        "speed==1..",
        'speed==1.."a"',
        "speed>1..2",
        "speed=5",
        "a..b",
        "address[",
        "address[]",
        "address[city",
        "parked{free",
        "parked{}",
        "{free}==1",
        'brand~="("',
        "speed!",
        "sp eed==1",
    ],
)
def test_what_is_no_query_is_refused(open_client: OpenClient, q: str) -> None:
    async def body(client: Client) -> None:
        refused(await ask(client, "/entities", type="Car", join="inline", q=q), 400, "BadRequestData")

    with_client(open_client, body)


def test_endless_queries_are_too_complex(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        many = ";".join(["a==1"] * 100)
        refused(await ask(client, "/entities", type="Car", q=many), 403, "TooComplexQuery")
        refused(await ask(client, "/entities", type="Car", q="(" * 60 + "a" + ")" * 60), 403, "TooComplexQuery")
        refused(await ask(client, "/entities", type="Car", q='a=="' + "x" * 9000 + '"'), 403, "TooComplexQuery")

    with_client(open_client, body)
