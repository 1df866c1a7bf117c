"""Clause 5.7.4, Query Temporal Evolution; 6.18.3.2, GET /temporal/entities; 6.24.3.1, by POST."""

from __future__ import annotations

from typing import Any

import pytest

from madang.hub.hub import Hub
from tests.hub.clauses.past import (
    AT,
    SPEEDS,
    added,
    between,
    ids,
    listed,
    reading,
    refused,
    twice,
    vehicle,
    when,
    with_past,
)
from tests.hub.client import Client, spot
from tests.hub.conftest import OpenHub

ONE, TWO, THREE = (f"urn:ngsi-ld:Vehicle:{number}" for number in "123")
NOON = between("12:00", "13:00")


async def city(client: Client) -> None:
    """Three vehicles: fast and near, slow and far, and one that was out only in the morning."""
    near, far = spot(128.88, 35.23) | {"observedAt": when("12:03")}, spot(129.5, 35.9)
    owner = {"type": "Relationship", "object": "urn:ngsi-ld:Person:1", "observedAt": when("12:06")}
    brand = {"type": "Property", "value": "Mercedes"}
    await added(
        client,
        vehicle(ONE, speed=list(SPEEDS), location=near, brand={"type": "Property", "value": "Kia"}),
        vehicle(TWO, speed=reading(30, "12:04"), location=far, brand=brand, owner=owner, tags=reading([1, 2], "12:04")),
        {"id": THREE, "type": ["Vehicle", "Bus"], "speed": reading(10, "09:00"), "note": reading("late", "12:30")},
    )


CASES: list[tuple[str, list[str]]] = [
    ("type=Vehicle", [ONE, TWO, THREE]),
    ("type=Bus", [THREE]),
    ("type=Vehicle;Bus", [THREE]),
    ("type=Bicycle", []),
    ("type=Vehicle&attrs=speed", [ONE, TWO]),
    ("attrs=note,owner", [TWO, THREE]),
    (f"type=Vehicle&id={TWO},{THREE}", [TWO, THREE]),
    ("type=Vehicle&idPattern=:[12]$", [ONE, TWO]),
    ("q=speed>100", [ONE]),
    ("q=speed==30|note", [TWO, THREE]),
    ("q=speed>20;speed<50", [TWO]),
    ("q=speed>100;speed<100", [ONE]),
    ("q=speed==70..90", [ONE]),
    ("q=speed==10", []),
    ('q=note=="late"', [THREE]),
    ("q=note~=la.*", [THREE]),
    ("q=tags==2", [TWO]),
    ("q=owner==urn:ngsi-ld:Person:1", [TWO]),
    ('q=brand!="Mercedes"', [ONE]),
    ('q=brand=="Mercedes"', [TWO]),
    ("q=speed.observedAt<2018-08-01T12:04:30Z;type", []),
    ("q=speed.observedAt<2018-08-01T12:03:30Z", [ONE]),
    ("georel=near;maxDistance==2000&geometry=Point&coordinates=[128.88,35.23]", [ONE]),
    ("georel=near;minDistance==2000&geometry=Point&coordinates=[128.88,35.23]", [TWO]),
    ("local=true", [ONE, TWO, THREE]),
    ("type=*", [ONE, TWO, THREE]),
    ("type=Vehicle&orderBy=id;desc&local=true", [THREE, TWO, ONE]),
]


def test_entities_are_selected_by_their_instances_in_the_window(open_hub: OpenHub) -> None:
    async def body(client: Client, hub: Hub) -> None:
        await city(client)

        async def check() -> None:
            for query, wanted in CASES:
                assert await ids(client, f"{NOON}&{query}") == wanted, query
            assert await ids(client, between("08:00", "10:00", "type=Vehicle")) == [THREE]
            assert await ids(client, f"timerel=before&timeAt={when('12:00')}&type=Vehicle&q=speed==10") == [THREE]

        await twice(hub, check)

    with_past(open_hub, body)


def test_only_instances_of_the_window_and_of_the_attributes_are_told(open_hub: OpenHub) -> None:
    async def body(client: Client, hub: Hub) -> None:
        await city(client)

        async def check() -> None:
            query = between("12:04", "12:06", "type=Vehicle&attrs=speed")
            assert await listed(client, query) == [
                vehicle(ONE, speed=[SPEEDS[1]]),
                vehicle(TWO, speed=[reading(30, "12:04")]),
            ]
            assert await listed(client, f"{NOON}&type=Vehicle&attrs=speed&lastN=1&id={ONE}") == [
                vehicle(ONE, speed=[SPEEDS[2]])
            ]

        await twice(hub, check)

    with_past(open_hub, body)


def test_the_present_is_part_of_it(open_hub: OpenHub) -> None:
    """Part of the entities lie in files, part are recent; one has instances in both."""

    async def body(client: Client, hub: Hub) -> None:
        await hub.ingest("open", [vehicle(ONE, speed=SPEEDS[0])], source="s")
        await hub.past.roller.roll_all()
        await hub.ingest("open", [vehicle(ONE, speed=SPEEDS[1]), vehicle(TWO, speed=SPEEDS[2])], source="s")
        assert await listed(client, f"{NOON}&type=Vehicle") == [
            vehicle(ONE, speed=list(SPEEDS[:2])),
            vehicle(TWO, speed=[SPEEDS[2]]),
        ]

    with_past(open_hub, body)


def test_a_scope_counts_for_as_long_as_it_held(open_hub: OpenHub) -> None:
    async def body(client: Client, hub: Hub) -> None:
        await added(
            client,
            vehicle(
                ONE, speed=list(SPEEDS), scope={"type": "Property", "value": "/Gimhae", "observedAt": when("11:00")}
            ),
            vehicle(
                TWO,
                speed=list(SPEEDS),
                scope=[
                    {"type": "Property", "value": ["/Busan"], "observedAt": when("11:00")},
                    {"type": "Property", "value": ["/Gimhae/North"], "observedAt": when("12:04")},
                    {"type": "Property", "value": "/Busan", "observedAt": when("12:06")},
                ],
            ),
            vehicle(THREE, speed=list(SPEEDS)),
        )

        async def check() -> None:
            assert await listed(client, f"{NOON}&type=Vehicle&attrs=speed&scopeQ=/Gimhae/%23") == [
                vehicle(ONE, speed=list(SPEEDS)),
                vehicle(TWO, speed=[SPEEDS[1]]),
            ]

        await twice(hub, check)

    with_past(open_hub, body)


def test_a_scope_without_a_time_counts_from_the_beginning(open_hub: OpenHub) -> None:
    async def body(client: Client, hub: Hub) -> None:
        await added(client, vehicle(ONE, speed=list(SPEEDS), scope="/Gimhae/North"), vehicle(TWO, speed=list(SPEEDS)))

        async def check() -> None:
            assert await listed(client, f"{NOON}&type=Vehicle&attrs=speed&scopeQ=/Gimhae/%23") == [
                vehicle(ONE, speed=list(SPEEDS))
            ]
            assert await listed(client, f"{NOON}&type=Vehicle&attrs=speed&scopeQ=/Busan") == []

        await twice(hub, check)

    with_past(open_hub, body)


def test_entities_are_paged_and_counted(open_hub: OpenHub) -> None:
    async def body(client: Client, hub: Hub) -> None:
        await city(client)

        async def check() -> None:
            answer = await client.get(AT, f"{NOON}&type=Vehicle&limit=1&offset=1&count=true")
            assert [one["id"] for one in answer.json] == [TWO]
            assert answer.header("ngsild-results-count") == "3"
            assert 'rel="next"' in answer.header("link")
            assert 'rel="prev"' in answer.header("link")
            answer = await client.get(AT, f"{NOON}&type=Vehicle&limit=0&count=true")
            assert (answer.json, answer.header("ngsild-results-count")) == ([], "3")

        await twice(hub, check)

    with_past(open_hub, body)


def test_the_same_is_asked_by_post(open_hub: OpenHub) -> None:
    async def body(client: Client, hub: Hub) -> None:
        await city(client)
        asked: dict[str, Any] = {
            "type": "Query",
            "entities": [{"type": "Vehicle"}],
            "attrs": ["speed"],
            "q": "speed>20",
            "temporalQ": {"timerel": "between", "timeAt": when("12:00"), "endTimeAt": when("13:00"), "lastN": 1},
        }

        async def check() -> None:
            answer = await client.post("/temporal/entityOperations/query", asked, "options=temporalValues")
            assert answer.status == 200
            assert [(one["id"], one["speed"]["values"][0][0]) for one in answer.json] == [(ONE, 100), (TWO, 30)]

        await twice(hub, check)
        path = "/temporal/entityOperations/query"
        refused(await client.post(path, asked | {"temporalQ": {}}), 400, "BadRequestData")
        refused(await client.post(path, asked | {"temporalQ": {"colour": "red"}}), 400, "BadRequestData")
        refused(await client.post(path, {"temporalQ": asked["temporalQ"]}), 400, "BadRequestData")

    with_past(open_hub, body)


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("type=Vehicle", "BadRequestData"),
        ("type=Vehicle&lastN=3", "BadRequestData"),
        (NOON, "BadRequestData"),
        (f"{NOON}&id={ONE}", "BadRequestData"),
        (f"{NOON}&attrs=modifiedAt", "BadRequestData"),
        (f"{NOON}&type=Vehicle&q=speed>", "BadRequestData"),
        (f"{NOON}&type=Vehicle&id=one", "BadRequestData"),
        (f"{NOON}&type=Vehicle&georel=near", "BadRequestData"),
        (f"{NOON}&type=Vehicle&scopeQ=;", "BadRequestData"),
        (f"{NOON}&type=Vehicle&orderBy=id", "BadRequestData"),
        (f"{NOON}&type=Vehicle&orderBy=speed&local=true", "BadRequestData"),
        (f"{NOON}&type=*&local=false", "BadRequestData"),
        (f"{NOON}&type=Vehicle&colour=red", "InvalidRequest"),
    ],
)
def test_a_query_that_makes_no_sense_is_refused(open_hub: OpenHub, query: str, problem: str) -> None:
    async def body(client: Client, _hub: Hub) -> None:
        refused(await client.get(AT, query), 400, problem)

    with_past(open_hub, body)
