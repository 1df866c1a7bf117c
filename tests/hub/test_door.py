"""The device batch door: taken once, answered alike, bad readings kept aside with their reason."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import timedelta

from madang.hub.config import ReadingMap
from madang.hub.http.app import HubApp
from madang.hub.hub import Hub
from madang.identity.rights import Actor, Role
from madang.journal.alarms import open_alarms
from tests.hub.client import Answer, Client, Json, run, sensor, token_actor, type_right
from tests.hub.conftest import OpenHub

DEVICE = token_actor("air-1", "gimhae", type_right("Sensor", "write"), role=Role.DEVICE)
READER = token_actor("reader", "gimhae", type_right("*", "read", "write"))
AIR = ReadingMap(
    type="Sensor",
    id="urn:ngsi-ld:Sensor:{station}",
    attributes={"pm": "pm25", "t": "temperature"},
    observed_at="at",
    unit_codes={"pm": "GQ"},
)


async def authenticate(headers: Iterable[tuple[bytes, bytes]]) -> Actor | None:
    return {b"Bearer device": DEVICE, b"Bearer reader": READER}.get(dict(headers).get(b"authorization", b""))


@asynccontextmanager
async def door(open_hub: OpenHub) -> AsyncIterator[tuple[Hub, Client]]:
    async with open_hub(readings={"air": AIR}) as hub:
        yield hub, Client(HubApp(hub, authenticate, owned_types={"Camera"}), token="device")


async def send(client: Client, body: Json, key: str = "k1", query: str = "") -> Answer:
    headers = [("Idempotency-Key", key)] if key else []
    return await client.send("POST", "/ingest/v1/batch", body, query=query, headers=headers, prefix="")


def test_a_batch_is_stored_and_its_feed_is_heard(open_hub: OpenHub) -> None:
    async def body() -> None:
        async with door(open_hub) as (hub, client):
            answer = await send(
                client, [sensor(1, pm25=12), {"id": "urn:ngsi-ld:Sensor:2", "type": "Sensor", "pm25": 3}]
            )
            assert answer.status == 200, answer.body
            created = ["urn:ngsi-ld:Sensor:1", "urn:ngsi-ld:Sensor:2"]
            assert answer.json == {"accepted": 2, "created": created, "rejected": []}
            stored = await hub.retrieve("gimhae", "urn:ngsi-ld:Sensor:2")
            assert stored is not None
            assert stored.document() == sensor(2, pm25=3)
            [feed] = await hub.feeds("gimhae")
            assert (feed.source, feed.readings, feed.rejects, feed.stale) == ("token:air-1", 2, 0, False)

    run(body)


def test_the_same_key_and_body_get_the_same_answer_and_change_nothing(open_hub: OpenHub) -> None:
    async def body() -> None:
        async with door(open_hub) as (hub, client):
            batch = [sensor(1, pm25=12), {"id": "bad"}]
            first = await send(client, batch)
            await send(client, [sensor(1, pm25=13)], key="k2")
            again = await send(client, batch)
            assert (again.status, again.body) == (first.status, first.body) == (207, first.body)
            stored = await hub.retrieve("gimhae", "urn:ngsi-ld:Sensor:1")
            assert stored is not None
            assert stored.document() == sensor(1, pm25=13)
            changes, _ = await hub.changes("gimhae", None)
            assert len(changes) == 2
            assert (await hub.reject_summary("gimhae")).total == 1

    run(body)


def test_the_same_key_with_another_body_is_refused_and_raises_an_alarm(open_hub: OpenHub) -> None:
    async def body() -> None:
        async with door(open_hub) as (hub, client):
            await send(client, [sensor(1, pm25=12)])
            answer = await send(client, [sensor(1, pm25=99)])
            assert answer.status == 409
            stored = await hub.retrieve("gimhae", "urn:ngsi-ld:Sensor:1")
            assert stored is not None
            assert stored.document() == sensor(1, pm25=12)
            alarms = await hub.store.write(lambda tx: open_alarms(tx.session, "gimhae"))
            assert [(one.source, one.message_id) for one in alarms] == [("door:token:air-1", "k1")]

    run(body)


def test_an_answer_survives_a_restart(open_hub: OpenHub) -> None:
    async def body() -> None:
        async with door(open_hub) as (_, client):
            first = await send(client, [sensor(1, pm25=12)])
        async with door(open_hub) as (hub, client):
            assert (await send(client, [sensor(1, pm25=12)])).body == first.body
            assert len((await hub.changes("gimhae", None))[0]) == 1

    run(body)


def test_arrivals_are_closed_in_the_commit_that_takes_them(open_hub: OpenHub) -> None:
    async def body() -> None:
        async with door(open_hub) as (hub, client):
            await send(client, [sensor(1, pm25=12)])
            states = await hub.store.write(lambda tx: tx.session.execute("SELECT state FROM journal_inbox"))
            assert states == [("done",)]

    run(body)


def test_bad_readings_are_kept_aside_with_their_reason(open_hub: OpenHub) -> None:
    async def body() -> None:
        async with door(open_hub) as (hub, client):
            swapped = {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [35.2, 128.9]}}
            batch = [
                sensor(1, pm25=1),
                sensor(2, location=swapped),
                {"id": "urn:ngsi-ld:Camera:1", "type": "Camera"},
                5,
            ]
            answer = await send(client, batch)
            assert answer.status == 207
            assert [one["index"] for one in answer.json["rejected"]] == [1, 2, 3]
            assert "swapped" in answer.json["rejected"][0]["error"]["hint"]
            summary = await hub.reject_summary("gimhae")
            assert (summary.total, summary.by_source) == (3, {"token:air-1": 3})
            assert summary.latest[0].raw == b"5"
            assert all(one.reason for one in summary.latest)

    run(body)


def test_a_body_that_is_no_batch_is_refused_and_kept_aside(open_hub: OpenHub) -> None:
    async def body() -> None:
        async with door(open_hub) as (hub, client):
            for wrong in (b"{", b"[]", b"\xff\xfe", b"{}"):
                assert (await send(client, wrong)).status == 400
            assert (await hub.reject_summary("gimhae")).total == 4
            assert (await send(client, [sensor(1, pm25=1)])).status == 200

    run(body)


def test_simple_readings_are_mapped_by_configuration(open_hub: OpenHub) -> None:
    async def body() -> None:
        async with door(open_hub) as (hub, client):
            batch = [
                {"station": 7, "pm": 12, "t": None, "at": "2026-11-22T09:00:00+09:00", "other": 1},
                {"pm": 3, "at": "2026-11-22T00:00:00Z"},
                {"station": "8"},
            ]
            answer = await send(client, batch, query="map=air")
            assert (answer.status, answer.json["accepted"]) == (207, 1)
            stored = await hub.retrieve("gimhae", "urn:ngsi-ld:Sensor:7")
            assert stored is not None
            reading = {"type": "Property", "value": 12, "observedAt": "2026-11-22T00:00:00Z", "unitCode": "GQ"}
            assert stored.document() == sensor(7, pm25=reading)
            assert (await send(client, batch, key="k2", query="map=none")).status == 400

    run(body)


def test_the_door_asks_for_a_device_token_a_key_and_post(open_hub: OpenHub) -> None:
    async def body() -> None:
        async with door(open_hub) as (hub, client):
            assert (await send(client, [sensor(1)], key="")).json["where"] == "Idempotency-Key"
            assert (await send(client, [sensor(1)], key="k" * 201)).status == 400
            assert (await client.send("GET", "/ingest/v1/batch", prefix="")).status == 405
            app = HubApp(hub, authenticate)
            assert (await send(Client(app, token="none"), [sensor(1)])).status == 401
            refused = await send(Client(app, token="reader"), [sensor(1)])
            assert (refused.status, refused.json["accepted"]) == (207, 0)

    run(body)


def test_old_arrivals_and_their_answers_are_forgotten_together(open_hub: OpenHub) -> None:
    async def body() -> None:
        async with door(open_hub) as (hub, client):
            await send(client, [sensor(1, pm25=12)])
            await hub.store.trim(hub.now() + timedelta(days=1))
            count = "SELECT (SELECT count(*) FROM answer), (SELECT count(*) FROM journal_inbox)"
            assert await hub.store.write(lambda tx: tx.session.execute(count)) == [(0, 0)]
            assert (await send(client, [sensor(1, pm25=12)])).json["accepted"] == 1

    run(body)
