"""Clause 5.7.3, Retrieve Temporal Evolution of an Entity; 6.19.3.1, GET /temporal/entities/{id}."""

from __future__ import annotations

import pytest

from madang.hub.hub import Hub
from tests.hub.clauses.past import (
    AT,
    ID,
    SPEEDS,
    added,
    between,
    reading,
    refused,
    told,
    twice,
    vehicle,
    when,
    with_past,
)
from tests.hub.client import Client
from tests.hub.conftest import OpenHub

LEFT = reading(1, "12:04", datasetId="urn:ngsi-ld:Dataset:left")
NAME = {"type": "Property", "value": "Bus"}


def test_the_window_takes_its_beginning_and_leaves_its_end(open_hub: OpenHub) -> None:
    async def body(client: Client, hub: Hub) -> None:
        await added(client, vehicle(speed=list(SPEEDS)))

        async def check() -> None:
            for query, places in (
                (f"timerel=before&timeAt={when('12:05')}", (0,)),
                (f"timerel=after&timeAt={when('12:05')}", (1, 2)),
                (between("12:03", "12:07"), (0, 1)),
                (between("12:04", "12:05"), ()),
                ("lastN=2", (1, 2)),
                (f"timerel=before&timeAt={when('12:07')}&lastN=1", (1,)),
                ("timerel=after&timeAt=2018-08-01T21:05:00%2B09:00", (1, 2)),
            ):
                assert (await told(client, query)).get("speed", []) == [SPEEDS[one] for one in places], query

        await twice(hub, check)

    with_past(open_hub, body)


def test_everything_is_told_where_no_time_is_asked_about(open_hub: OpenHub) -> None:
    async def body(client: Client, hub: Hub) -> None:
        await client.post("/entities", vehicle(name=NAME, speed=[SPEEDS[0], LEFT], scope="/Gimhae"))
        await client.send("PATCH", f"/entities/{ID}/attrs", {"speed": SPEEDS[1]})

        async def check() -> None:
            shown = await told(client)
            (scope,) = shown.pop("scope")
            assert (scope["type"], scope["value"]) == ("Property", "/Gimhae")
            assert scope["observedAt"].startswith("20")
            assert shown == vehicle(name=[NAME], speed=[*SPEEDS[:2], LEFT])
            assert await told(client, between("12:00", "13:00")) == vehicle(speed=[*SPEEDS[:2], LEFT])

        await twice(hub, check)

    with_past(open_hub, body)


def test_attributes_members_and_datasets_are_chosen(open_hub: OpenHub) -> None:
    async def body(client: Client, hub: Hub) -> None:
        fuel = reading(7, "12:01")
        await added(client, vehicle(speed=[*SPEEDS, LEFT], fuel=fuel))

        async def check() -> None:
            assert await told(client, "attrs=fuel") == vehicle(fuel=[fuel])
            assert await told(client, "pick=id,fuel") == {"id": ID, "fuel": [fuel]}
            assert await told(client, "omit=speed,type") == {"id": ID, "fuel": [fuel]}
            assert await told(client, f"datasetId={LEFT['datasetId']}") == vehicle(speed=[LEFT])
            assert (await told(client, f"datasetId=@none,{LEFT['datasetId']}"))["speed"] == [*SPEEDS, LEFT]
            assert await told(client, "datasetId=@none&attrs=speed") == vehicle(speed=list(SPEEDS))
            assert await told(client, "attrs=colour") == vehicle()

        await twice(hub, check)

    with_past(open_hub, body)


def test_other_times_than_observation_can_be_asked_about(open_hub: OpenHub) -> None:
    async def body(client: Client, hub: Hub) -> None:
        await client.post("/entities", vehicle(name=NAME, speed=SPEEDS[0]))
        await client.send("DELETE", f"/entities/{ID}/attrs/name")

        async def check() -> None:
            for name in ("createdAt", "modifiedAt"):
                since = f"timerel=after&timeAt=2020-01-01T00:00:00Z&timeproperty={name}"
                shown = await told(client, since)
                assert [one["value"] for one in shown["name"]] == ["Bus", "urn:ngsi-ld:null"]
                assert shown["speed"][0][name].startswith("20")
                assert (await told(client, since.replace("after", "before"))).keys() == {"id", "type"}
            gone = await told(client, "timerel=after&timeAt=2020-01-01T00:00:00Z&timeproperty=deletedAt")
            assert gone.keys() == {"id", "type", "name"}
            assert (gone["name"][0]["value"], len(gone["name"])) == ("urn:ngsi-ld:null", 1)
            assert gone["name"][0]["deletedAt"].startswith("20")

        await twice(hub, check)

    with_past(open_hub, body)


def test_a_deleted_entity_keeps_its_past(open_hub: OpenHub) -> None:
    async def body(client: Client, hub: Hub) -> None:
        await client.post("/entities", vehicle(speed=SPEEDS[0]))
        await client.send("DELETE", f"/entities/{ID}")

        async def check() -> None:
            shown = await told(client, "options=sysAttrs")
            assert shown["speed"][0]["value"] == 120
            assert shown["createdAt"] <= shown["deletedAt"]

        await twice(hub, check)

    with_past(open_hub, body)


def test_late_readings_stand_in_their_place(open_hub: OpenHub) -> None:
    async def body(client: Client, hub: Hub) -> None:
        other = reading(9, "12:10")
        await hub.ingest("open", [vehicle(speed=SPEEDS[2])], source="s")
        await hub.ingest("open", [vehicle(speed=SPEEDS[0]), vehicle(speed=SPEEDS[1], fuel=other)], source="s")

        async def check() -> None:
            assert await told(client) == vehicle(speed=list(SPEEDS), fuel=[other])

        await twice(hub, check)
        assert (await client.get(f"/entities/{ID}")).json["speed"] == SPEEDS[2]

    with_past(open_hub, body)


def test_names_and_languages_are_the_clients(open_hub: OpenHub) -> None:
    async def body(client: Client, hub: Hub) -> None:
        context = {"pace": "https://example.org/pace", "Car": "https://example.org/Car"}
        says = {"type": "LanguageProperty", "languageMap": {"en": "yes", "ko": "네"}, "observedAt": when("12:03")}
        document = {"id": ID, "type": "Car", "pace": list(SPEEDS), "says": says, "@context": [context]}
        answer = await client.post(AT, document, headers=[("Content-Type", "application/ld+json")])
        assert answer.status == 201

        async def check() -> None:
            shown = await told(client)
            assert shown["type"] == "https://example.org/Car"
            assert shown["https://example.org/pace"] == list(SPEEDS)
            assert (await told(client, "lang=ko"))["says"][0] == {
                "type": "Property",
                "value": "네",
                "lang": "ko",
                "observedAt": when("12:03"),
            }
            answer = await client.get(f"{AT}/{ID}", headers=[("Accept", "application/ld+json")])
            assert "@context" in answer.json

        await twice(hub, check)

    with_past(open_hub, body)


def test_concise_instances_leave_out_what_goes_without_saying(open_hub: OpenHub) -> None:
    async def body(client: Client, _hub: Hub) -> None:
        await added(client, vehicle(speed=SPEEDS[0], name=NAME))
        shown = await told(client, "options=concise")
        assert shown["speed"] == [{"value": 120, "observedAt": when("12:03")}]
        assert shown["name"] == [{"value": "Bus"}]

    with_past(open_hub, body)


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("timerel=before", "BadRequestData"),
        ("timerel=during&timeAt=2018-08-01T12:00:00Z", "BadRequestData"),
        ("timeAt=2018-08-01T12:00:00Z", "BadRequestData"),
        ("timerel=between&timeAt=2018-08-01T12:00:00Z", "BadRequestData"),
        ("timerel=before&timeAt=2018-08-01", "BadRequestData"),
        ("timerel=before&timeAt=2018-08-01T12:00:00Z&timeproperty=seenAt", "BadRequestData"),
        ("lastN=0", "BadRequestData"),
        ("lastN=-1", "BadRequestData"),
        ("datasetId=left", "BadRequestData"),
        ("options=temporalValues,aggregatedValues&aggrMethods=avg", "BadRequestData"),
        ("format=pictures", "BadRequestData"),
        ("pick=owner{name}", "BadRequestData"),
        ("colour=red", "InvalidRequest"),
    ],
)
def test_a_query_that_makes_no_sense_is_refused(open_hub: OpenHub, query: str, problem: str) -> None:
    async def body(client: Client, _hub: Hub) -> None:
        await added(client, vehicle(speed=SPEEDS[0]))
        refused(await client.get(f"{AT}/{ID}", query), 400, problem)

    with_past(open_hub, body)


def test_what_is_not_known_is_not_found(open_hub: OpenHub) -> None:
    async def body(client: Client, _hub: Hub) -> None:
        refused(await client.get(f"{AT}/{ID}"), 404, "ResourceNotFound")
        refused(await client.get(f"{AT}/nothing"), 400, "BadRequestData")
        await added(client, vehicle(speed=SPEEDS[0]))
        refused(await client.get(f"{AT}/urn:x:2"), 404, "ResourceNotFound")
        answer = await client.get(f"{AT}/{ID}", headers=[("Accept", "text/html")])
        assert answer.status == 406

    with_past(open_hub, body)
