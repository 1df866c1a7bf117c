"""Clause 4.22, transient storage (1.9.1): entities and attributes with expiresAt go when their time comes."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from madang.hub.changes import Op
from madang.hub.errors import StoreUnavailableError
from madang.hub.http.app import HubApp
from madang.hub.hub import Hub
from tests.hub.clauses.writing import (
    ATTRS,
    ID,
    MERGE_PATCH,
    NULL,
    PATH,
    created,
    dataset,
    entity,
    prop,
    refused,
    shown,
)
from tests.hub.client import Client, run, sensor
from tests.hub.conftest import OpenHub

START = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)


class Hands:
    """A clock set by hand."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now


def at(seconds: float) -> str:
    """An instant so long after the start."""
    return (START + timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")


def client_of(hub: Hub) -> Client:
    return Client(HubApp(hub, None, (), open_mode=True, bound_host="127.0.0.1"))


def test_an_expired_entity_is_seen_by_nobody(open_hub: OpenHub) -> None:
    async def body() -> None:
        clock = Hands()
        async with open_hub(clock=clock) as hub:
            client = client_of(hub)
            await created(client, speed=prop(1), expiresAt=at(60))
            await client.post("/entities", sensor(2, speed=1))
            clock.now += timedelta(seconds=59)
            assert await shown(client) == entity(speed=prop(1), expiresAt=at(60))
            clock.now += timedelta(seconds=1)
            refused(await client.get(PATH), 404, "ResourceNotFound")
            answer = await client.get("/entities", "type=Sensor&count=true")
            assert [one["id"] for one in answer.json] == ["urn:ngsi-ld:Sensor:2"]
            assert answer.header("ngsild-results-count") == "1"
            await created(client, speed=prop(2))

    run(body)


def test_an_expired_attribute_leaves_the_entity_behind(open_hub: OpenHub) -> None:
    async def body() -> None:
        clock = Hands()
        async with open_hub(clock=clock) as hub:
            client = client_of(hub)
            left = prop(2, datasetId=dataset("left"), expiresAt=at(30))
            await created(client, speed=[prop(1), left], other=prop(1, expiresAt=at(60)), third=prop(3))
            clock.now += timedelta(seconds=30)
            assert await shown(client) == entity(speed=prop(1), other=prop(1, expiresAt=at(60)), third=prop(3))
            clock.now += timedelta(seconds=30)
            assert await shown(client) == entity(speed=prop(1), third=prop(3))
            assert (await client.get("/entities", "type=Sensor&attrs=other")).json == []

    run(body)


def test_what_expires_is_deleted_as_a_change_when_nobody_asks(open_hub: OpenHub) -> None:
    async def body() -> None:
        async with open_hub() as hub:
            client = client_of(hub)
            soon = (datetime.now(UTC) + timedelta(seconds=0.3)).isoformat().replace("+00:00", "Z")
            await created(client, speed=prop(1), other=prop(1, expiresAt=soon))
            await client.post("/entities", sensor(2) | {"expiresAt": soon})
            for _ in range(200):
                changes, _ = await hub.changes("open", None)
                if len(changes) == 4:
                    break
                await asyncio.sleep(0.02)
            told = {(one.entity_id, one.op): one for one in changes}
            assert told["urn:ngsi-ld:Sensor:2", Op.DELETED].source == "expiry"
            assert told[ID, Op.UPDATED].attributes() == {"other": None}

    run(body)


def test_what_expired_while_the_hub_was_down_is_gone_when_it_is_back(open_hub: OpenHub) -> None:
    async def body() -> None:
        clock = Hands()
        async with open_hub(clock=clock) as hub:
            await created(client_of(hub), expiresAt=at(60))
            await client_of(hub).post("/entities", sensor(2) | {"expiresAt": at(600)})
        clock.now += timedelta(seconds=120)
        async with open_hub(clock=clock) as hub:
            client = client_of(hub)
            assert (await client.get(PATH)).status == 404
            assert (await client.get("/entities/urn:ngsi-ld:Sensor:2")).status == 200
            clock.now += timedelta(seconds=600)
            assert (await client.get("/entities/urn:ngsi-ld:Sensor:2")).status == 404

    run(body)


def test_the_clock_may_step_back(open_hub: OpenHub) -> None:
    async def body() -> None:
        clock = Hands()
        async with open_hub(clock=clock) as hub:
            client = client_of(hub)
            clock.now += timedelta(hours=1)
            await client.post("/entities", sensor(2))
            clock.now = START
            await created(client, expiresAt=at(60))
            assert (await client.get(PATH)).status == 200
            clock.now += timedelta(seconds=60)
            assert (await client.get(PATH)).status == 404

    run(body)


def test_an_expiry_may_be_moved_taken_back_and_overwritten(open_hub: OpenHub) -> None:
    async def body() -> None:
        clock = Hands()
        async with open_hub(clock=clock) as hub:
            client = client_of(hub)
            await created(client, speed=prop(1, expiresAt=at(60)), other=prop(1, expiresAt=at(60)), expiresAt=at(60))
            patch = {"expiresAt": at(120), "speed": {"expiresAt": NULL}}
            assert (await client.send("PATCH", PATH, patch, headers=MERGE_PATCH)).status == 204
            assert (await client.post(ATTRS, {"other": prop(2)})).status == 204
            clock.now += timedelta(seconds=90)
            assert await shown(client) == entity(speed=prop(1), other=prop(2), expiresAt=at(120))
            assert (await client.send("PATCH", PATH, {"expiresAt": NULL}, headers=MERGE_PATCH)).status == 204
            clock.now += timedelta(seconds=90)
            assert await shown(client) == entity(speed=prop(1), other=prop(2))

    run(body)


def test_an_expiry_in_the_past_is_bad_request_data(open_hub: OpenHub) -> None:
    async def body() -> None:
        clock = Hands()
        async with open_hub(clock=clock) as hub:
            client = client_of(hub)
            refused(await client.post("/entities", entity(expiresAt=at(-1))), 400, "BadRequestData")
            refused(await client.post("/entities", entity(speed=prop(1, expiresAt=at(0)))), 400, "BadRequestData")
            await created(client, speed=prop(1))
            gone = {"speed": prop(1, expiresAt=at(-1))}
            refused(await client.post(ATTRS, gone), 400, "BadRequestData")
            refused(await client.send("PATCH", f"{ATTRS}/speed", gone["speed"]), 400, "BadRequestData")
            answer = await client.post("/entityOperations/upsert", [entity(**gone)])
            assert answer.status == 207
            result = await hub.upsert("open", [entity(**gone)], source="test")
            assert len(result.errors) == 1
            assert await shown(client) == entity(speed=prop(1))

    run(body)


def test_many_things_expire_at_once(open_hub: OpenHub) -> None:
    async def body() -> None:
        clock = Hands()
        async with open_hub(clock=clock) as hub:
            client = client_of(hub)
            batch = [sensor(number, a=1) | {"expiresAt": at(60)} for number in range(700)]
            assert (await client.post("/entityOperations/create", batch)).status == 201
            await client.post("/entities", sensor(1000))
            clock.now += timedelta(seconds=60)
            answers = await asyncio.gather(*(client.get("/entities", "type=Sensor&count=true") for _ in range(20)))
            assert {one.header("ngsild-results-count") for one in answers} == {"1"}

    run(body)


def test_a_store_that_takes_no_writes_is_still_read(open_hub: OpenHub, monkeypatch: pytest.MonkeyPatch) -> None:
    async def body() -> None:
        clock = Hands()
        async with open_hub(clock=clock) as hub:
            client = client_of(hub)
            await created(client, speed=prop(1, expiresAt=at(60)), other=prop(2))

            async def full(*_: object, **__: object) -> None:
                raise StoreUnavailableError("The disk is full")

            monkeypatch.setattr(hub.store, "write", full)
            clock.now += timedelta(seconds=60)
            for _ in range(3):
                assert (await shown(client))["other"] == prop(2)
            monkeypatch.undo()

    run(body)
