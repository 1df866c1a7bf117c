"""Clause 5.8.3: retrieving a subscription, with what became of its notifications (5.2.14.2)."""

from __future__ import annotations

import asyncio

from tests.hub.clauses.subscribing import PATIENCE_S, QUICK, Desk, desk, good, subscription
from tests.hub.client import Json, run, sensor
from tests.hub.conftest import OpenClient, OpenHub

URI = "http://127.0.0.1:9/told"
ID = "urn:ngsi-ld:Subscription:1"
PATH = f"/subscriptions/{ID}"


def test_one_that_is_not_there_is_not_found(open_client: OpenClient) -> None:
    async def test() -> None:
        async with open_client(**QUICK) as client:
            answer = await client.get(PATH)
            assert (answer.status, answer.problem) == (404, "ResourceNotFound")
            answer = await client.get("/subscriptions/no uri")
            assert (answer.status, answer.problem) == (400, "BadRequestData")

    run(test)


def test_it_is_told_in_the_names_and_the_media_type_asked_for(open_client: OpenClient) -> None:
    context = {"Sensor": "https://x.example/Sensor", "speed": "https://x.example/speed"}
    ld = [("Content-Type", "application/ld+json")]

    async def test() -> None:
        async with open_client(**QUICK) as client:
            body = subscription(URI, id=ID, q='speed>1;name=="speed"', watchedAttributes=["speed"])
            body["entities"] = [{"type": "Sensor,Meter"}]
            await good(client.post("/subscriptions", body | {"@context": context}, headers=ld))
            shown = (await client.get(PATH, headers=[("Accept", "application/ld+json")])).json
            assert shown["watchedAttributes"] == ["https://x.example/speed"]
            assert shown["entities"] == [{"type": "https://x.example/Sensor,Meter"}]
            assert shown["q"] == 'https://x.example/speed>1;name=="speed"'
            assert "ngsi-ld-core-context" in str(shown["@context"])
            assert "link" in (await client.get(PATH)).headers
            assert (await client.get(PATH, headers=[("Accept", "text/html")])).status == 406

    run(test)


def test_system_times_come_where_they_are_asked_for(open_client: OpenClient) -> None:
    async def test() -> None:
        async with open_client(**QUICK) as client:
            await good(client.post("/subscriptions", subscription(URI, id=ID)))
            assert "createdAt" not in (await client.get(PATH)).json
            shown = (await client.get(PATH, "options=sysAttrs")).json
            assert shown["createdAt"] == shown["modifiedAt"]
            await good(client.send("PATCH", PATH, {"q": "a>1"}))
            shown = (await client.get(PATH, "options=sysAttrs")).json
            assert shown["createdAt"] < shown["modifiedAt"]

    run(test)


async def _told(one: Desk, times: int) -> dict[str, Json]:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            told: dict[str, Json] = (await one.client.get(PATH)).json["notification"]
            if told.get("timesSent") == times:
                return told
            await asyncio.sleep(0.01)


def test_it_counts_what_was_sent_and_what_failed(open_hub: OpenHub) -> None:
    async def test() -> None:
        async with desk(open_hub) as one:
            await one.subscribe(id=ID)
            await good(one.client.post("/entities", sensor(1, a=1)))
            told = await _told(one, 1)
            assert (told["status"], told["timesFailed"]) == ("ok", 0)
            assert told["lastNotification"] == told["lastSuccess"]
            assert "lastFailure" not in told
            one.receiver.answers["/told"] = lambda: 500
            await good(one.client.post("/entities", sensor(2, a=1)))
            told = await _told(one, 4)
            assert (told["status"], told["timesFailed"]) == ("failed", 3)
            assert told["lastFailure"] == told["lastNotification"] > told["lastSuccess"]

    run(test)


def test_an_expired_one_says_so_and_is_told_nothing(open_hub: OpenHub) -> None:
    async def test() -> None:
        async with desk(open_hub) as one:
            from datetime import UTC, datetime, timedelta

            soon = (datetime.now(UTC) + timedelta(seconds=0.3)).isoformat()
            await one.subscribe(id=ID, expiresAt=soon)
            async with asyncio.timeout(PATIENCE_S):
                while (await one.client.get(PATH)).json["status"] != "expired":
                    await asyncio.sleep(0.02)
            await good(one.client.post("/entities", sensor(1, a=1)))
            assert await one.told_nothing_until(sensor(9)) == []

    run(test)
