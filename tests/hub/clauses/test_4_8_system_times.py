"""Clause 4.8: createdAt and modifiedAt of entities, attributes and sub-attributes, whatever is written."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from madang.hub.changes import Stored, stamp_of, sub_stamp
from madang.hub.http.app import HubApp
from madang.hub.hub import Hub
from tests.hub.clauses.writing import ATTRS, ID, MERGE_PATCH, NULL, PATH, created, dataset, entity, link, prop, shown
from tests.hub.client import Client, Json, run
from tests.hub.conftest import OpenHub

START = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
LEFT = dataset("left")


class Hands:
    """A clock set by hand."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def pass_minutes(self, count: int = 1) -> None:
        """Lets time pass."""
        self.now += timedelta(minutes=count)


def client_of(hub: Hub) -> Client:
    return Client(HubApp(hub, None, (), open_mode=True, bound_host="127.0.0.1"))


def minutes(times: tuple[int, int]) -> tuple[int, int]:
    """Milliseconds since 1970 as minutes since the start."""
    start = int(START.timestamp() * 1000)
    return (times[0] - start) // 60_000, (times[1] - start) // 60_000


async def stored(hub: Hub) -> Stored:
    found = await hub.retrieve("open", ID)
    assert found is not None
    return found


async def times(hub: Hub, name: str, which: str = "", path: tuple[tuple[str, str], ...] = ()) -> tuple[int, int]:
    """When an attribute (or what lies below it) was created and modified, minutes since the start."""
    found = await stored(hub)
    instance = {"datasetId": which} if which else {}
    said = sub_stamp(found, name, instance, path) if path else stamp_of(found, name, instance)
    return minutes(said)


def test_creation_is_the_first_modification(open_hub: OpenHub) -> None:
    async def body() -> None:
        async with open_hub(clock=Hands()) as hub:
            client = client_of(hub)
            await created(client, speed=prop(1, accuracy=prop(2)))
            said = await shown(client, "options=sysAttrs")
            for one in (said, said["speed"]):
                assert one["createdAt"] == one["modifiedAt"] == "2026-11-22T09:00:00.000Z"
            assert await times(hub, "speed", path=(("accuracy", ""),)) == (0, 0)

    run(body)


@pytest.mark.parametrize(
    ("method", "path", "sent", "query"),
    [
        ("PATCH", PATH, {"speed": {"value": 2}}, ""),
        ("PATCH", ATTRS, {"speed": prop(2, accuracy=prop(2))}, ""),
        ("POST", ATTRS, {"speed": prop(2, accuracy=prop(2))}, ""),
        ("PATCH", f"{ATTRS}/speed", {"value": 2}, ""),
        ("PUT", f"{ATTRS}/speed", prop(2, accuracy=prop(2)), ""),
        ("POST", "/entityOperations/update", [entity(speed=prop(2, accuracy=prop(2)))], ""),
        ("POST", "/entityOperations/upsert", [entity(speed=prop(2, accuracy=prop(2)))], "options=update"),
        ("POST", "/entityOperations/merge", [{"id": ID, "speed": {"value": 2}}], ""),
    ],
)
def test_only_what_was_written_is_modified(open_hub: OpenHub, method: str, path: str, sent: Json, query: str) -> None:
    async def body() -> None:
        clock = Hands()
        async with open_hub(clock=clock) as hub:
            client = client_of(hub)
            await created(client, speed=prop(1, accuracy=prop(2)), other=prop(0))
            clock.pass_minutes()
            assert (await client.send(method, path, sent, query=query)).status == 204
            found = await stored(hub)
            assert minutes((found.created_ms, found.modified_ms)) == (0, 1)
            assert await times(hub, "speed") == (0, 1)
            assert await times(hub, "other") == (0, 0)
            assert await times(hub, "speed", path=(("accuracy", ""),)) == (0, 0)

    run(body)


def test_sub_attributes_have_times_of_their_own(open_hub: OpenHub) -> None:
    async def body() -> None:
        clock = Hands()
        async with open_hub(clock=clock) as hub:
            client = client_of(hub)
            await created(client, speed=prop(1, accuracy=prop(2, by=prop("x")), at=link("urn:x:1")))
            clock.pass_minutes()
            await client.send("PATCH", PATH, {"speed": {"accuracy": {"by": prop("y")}, "fresh": prop(1)}})
            assert await times(hub, "speed") == (0, 1)
            assert await times(hub, "speed", path=(("accuracy", ""),)) == (0, 1)
            assert await times(hub, "speed", path=(("accuracy", ""), ("by", ""))) == (0, 1)
            assert await times(hub, "speed", path=(("at", ""),)) == (0, 0)
            assert await times(hub, "speed", path=(("fresh", ""),)) == (1, 1)
            clock.pass_minutes()
            await client.send("PATCH", PATH, {"speed": {"at": link("urn:x:2"), "fresh": NULL}})
            assert await times(hub, "speed", path=(("accuracy", ""),)) == (0, 1)
            assert await times(hub, "speed", path=(("at", ""),)) == (0, 2)
            assert not any("fresh" in label for label in (await stored(hub)).stamps)

    run(body)


def test_system_times_are_shown_at_every_level_where_asked_for(open_hub: OpenHub) -> None:
    async def body() -> None:
        clock = Hands()
        async with open_hub(clock=clock) as hub:
            client = client_of(hub)
            await created(client, speed=prop(1, accuracy=prop(2, by=prop("x"))))
            clock.pass_minutes()
            await client.send("PATCH", PATH, {"speed": {"accuracy": {"value": 3}}})
            accuracy = (await shown(client, "options=sysAttrs"))["speed"]["accuracy"]
            assert (accuracy["createdAt"], accuracy["modifiedAt"]) == (
                "2026-11-22T09:00:00.000Z",
                "2026-11-22T09:01:00.000Z",
            )
            assert accuracy["by"]["modifiedAt"] == "2026-11-22T09:00:00.000Z"
            concise = (await shown(client, "options=sysAttrs,concise"))["speed"]["accuracy"]
            assert (concise["value"], concise["by"]["value"]) == (3, "x")
            assert "createdAt" not in (await shown(client))["speed"]["accuracy"]

    run(body)


def test_instances_have_times_of_their_own(open_hub: OpenHub) -> None:
    async def body() -> None:
        clock = Hands()
        async with open_hub(clock=clock) as hub:
            client = client_of(hub)
            await created(client, speed=prop(1))
            clock.pass_minutes()
            await client.post(ATTRS, {"speed": prop(2, datasetId=LEFT)})
            clock.pass_minutes()
            await client.send("PATCH", f"{ATTRS}/speed", {"value": 3, "datasetId": LEFT})
            assert await times(hub, "speed") == (0, 0)
            assert await times(hub, "speed", LEFT) == (1, 2)
            clock.pass_minutes()
            await client.send("DELETE", f"{ATTRS}/speed", query=f"datasetId={LEFT}")
            await client.post(ATTRS, {"speed": prop(2, datasetId=LEFT)})
            assert await times(hub, "speed", LEFT) == (3, 3)
            assert await times(hub, "speed") == (0, 0)

    run(body)


def test_an_attribute_deleted_and_written_again_is_new(open_hub: OpenHub) -> None:
    async def body() -> None:
        clock = Hands()
        async with open_hub(clock=clock) as hub:
            client = client_of(hub)
            await created(client, speed=prop(1, accuracy=prop(1)))
            clock.pass_minutes()
            await client.send("DELETE", f"{ATTRS}/speed")
            clock.pass_minutes()
            await client.post(ATTRS, {"speed": prop(1, accuracy=prop(1))})
            assert await times(hub, "speed") == (2, 2)
            assert await times(hub, "speed", path=(("accuracy", ""),)) == (2, 2)

    run(body)


@pytest.mark.parametrize(
    ("method", "path", "sent", "query"),
    [
        ("PATCH", ATTRS, {"fresh": NULL}, ""),
        ("POST", ATTRS, {"speed": prop(2)}, "options=noOverwrite"),
        ("POST", ATTRS, {"type": "Sensor"}, ""),
        ("PATCH", PATH, {"fresh": NULL}, ""),
        ("PATCH", PATH, {}, ""),
        ("DELETE", f"{ATTRS}/fresh", None, ""),
        ("POST", "/entities", entity(speed=prop(2)), ""),
        ("POST", "/entityOperations/create", [entity(speed=prop(2))], ""),
        ("POST", "/entityOperations/update", [entity(speed=prop(2))], "options=noOverwrite"),
    ],
)
def test_a_request_that_writes_nothing_moves_no_time_and_makes_no_change(
    open_hub: OpenHub, method: str, path: str, sent: Json, query: str
) -> None:
    async def body() -> None:
        clock = Hands()
        async with open_hub(clock=clock) as hub:
            client = client_of(hub)
            await created(client, speed=prop(1))
            before = await shown(client, "options=sysAttrs")
            clock.pass_minutes()
            assert (await client.send(method, path, sent, query=query, headers=_media(path, method))).status < 500
            assert await shown(client, "options=sysAttrs") == before
            changes, _ = await hub.changes("open", None)
            assert len(changes) == 1

    run(body)


def _media(path: str, method: str) -> tuple[tuple[str, str], ...]:
    return MERGE_PATCH if method == "PATCH" and path == PATH else ()


def test_system_times_in_what_is_sent_are_ignored(open_hub: OpenHub) -> None:
    async def body() -> None:
        async with open_hub(clock=Hands()) as hub:
            client = client_of(hub)
            old = {"createdAt": "2000-01-01T00:00:00Z", "modifiedAt": "2000-01-01T00:00:00Z"}
            sent = entity(speed=prop(1, accuracy=prop(1) | old) | old) | old
            assert (await client.post("/entities", sent)).status == 201
            assert await shown(client) == entity(speed=prop(1, accuracy=prop(1)))
            assert await times(hub, "speed") == (0, 0)

    run(body)
