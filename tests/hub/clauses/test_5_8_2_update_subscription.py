"""Clause 5.8.2: changing a subscription."""

from __future__ import annotations

import pytest

from tests.hub.clauses.subscribing import QUICK, desk, good, subscription
from tests.hub.client import Json, run, sensor
from tests.hub.conftest import OpenClient, OpenHub

URI = "http://127.0.0.1:9/told"
ID = "urn:ngsi-ld:Subscription:1"
PATH = f"/subscriptions/{ID}"
MERGE = [("Content-Type", "application/merge-patch+json")]


def test_members_given_are_exchanged_and_the_others_stay(open_client: OpenClient) -> None:
    async def test() -> None:
        async with open_client(**QUICK) as client:
            body = subscription(URI, id=ID, q="a>1", throttling=5, format="concise")
            await good(client.post("/subscriptions", body))
            answer = await client.send("PATCH", PATH, {"q": "a>2", "notification": {"format": "simplified"}})
            assert (answer.status, answer.body) == (204, b"")
            after = (await client.get(PATH)).json
            expected = body | {"q": "a>2", "notification": body["notification"] | {"format": "simplified"}}
            assert after == expected | {"status": "active"}

    run(test)


def test_a_null_takes_a_member_away(open_client: OpenClient) -> None:
    async def test() -> None:
        async with open_client(**QUICK) as client:
            await good(client.post("/subscriptions", subscription(URI, id=ID, q="a>1", throttling=5)))
            await good(client.send("PATCH", PATH, {"q": "urn:ngsi-ld:null"}))
            await good(client.send("PATCH", PATH, {"throttling": None}, headers=MERGE))
            after = (await client.get(PATH)).json
            assert "q" not in after
            assert "throttling" not in after

    run(test)


@pytest.mark.parametrize(
    "patch",
    [
        {},
        {"id": "urn:x:other"},
        {"entities": []},
        {"entities": None},
        {"notification": None},
        {"notification": {"endpoint": None}},
        {"notification": {"format": "xml"}},
        {"type": "Entity"},
        {"q": "=="},
        {"expiresAt": "2000-01-01T00:00:00Z"},
        {"throttling": -1},
        {"unheardOf": 1},
    ],
)
def test_what_would_leave_no_subscription_is_refused_and_changes_nothing(
    open_client: OpenClient, patch: dict[str, Json]
) -> None:
    async def test() -> None:
        async with open_client(**QUICK) as client:
            await good(client.post("/subscriptions", subscription(URI, id=ID)))
            before = (await client.get(PATH)).json
            answer = await client.send("PATCH", PATH, patch, headers=MERGE)
            assert (answer.status, answer.problem) == (400, "BadRequestData"), answer.body
            assert (await client.get(PATH)).json == before

    run(test)


def test_one_that_is_not_there_cannot_be_changed(open_client: OpenClient) -> None:
    async def test() -> None:
        async with open_client(**QUICK) as client:
            answer = await client.send("PATCH", PATH, {"q": "a>1"})
            assert (answer.status, answer.problem) == (404, "ResourceNotFound")
            assert (await client.send("PATCH", "/subscriptions/no uri", {"q": "a>1"})).status == 400

    run(test)


def test_a_paused_one_is_told_nothing_and_goes_on_when_active_again(open_hub: OpenHub) -> None:
    async def test() -> None:
        async with desk(open_hub) as one:
            await one.subscribe(id=ID)
            await good(one.client.send("PATCH", PATH, {"isActive": False}))
            assert (await one.client.get(PATH)).json["status"] == "paused"
            await good(one.client.post("/entities", sensor(1, a=1)))
            assert await one.told_nothing_until(sensor(8)) == []
            await good(one.client.send("PATCH", PATH, {"isActive": True}))
            await good(one.client.post("/entities", sensor(2, a=1)))
            (got,) = await one.receiver.wait(1)
            assert got.entity["id"].endswith(":2")

    run(test)


def test_the_change_holds_for_the_next_entity(open_hub: OpenHub) -> None:
    async def test() -> None:
        async with desk(open_hub) as one:
            await one.subscribe(id=ID, q="a>5")
            await good(one.client.post("/entities", sensor(1, a=3)))
            await good(one.client.send("PATCH", PATH, {"q": "a>2"}))
            await good(one.client.post("/entities", sensor(2, a=3)))
            assert [each.entity["id"][-1] for each in await one.told_nothing_until(sensor(9))] == ["2"]

    run(test)


def test_a_new_time_interval_begins_at_once(open_hub: OpenHub) -> None:
    async def test() -> None:
        async with desk(open_hub) as one:
            await good(one.client.post("/entities", sensor(1, a=1)))
            await one.subscribe(id=ID, timeInterval=3600)
            await good(one.client.send("PATCH", PATH, {"timeInterval": 0.5}))
            await one.receiver.wait(2)

    run(test)
