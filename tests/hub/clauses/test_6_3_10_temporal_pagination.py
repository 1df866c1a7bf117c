"""Clause 6.3.10, pagination in time: 206 and Content-Range where an answer cannot hold all instances."""

from __future__ import annotations

from madang.hub.hub import Hub
from tests.hub.clauses.past import AT, ID, added, between, reading, twice, vehicle, when, with_past
from tests.hub.client import Client
from tests.hub.conftest import OpenHub

MINUTES = [f"12:{minute:02}" for minute in range(10)]


async def crowded(client: Client) -> None:
    speeds = [reading(number, minute) for number, minute in enumerate(MINUTES)]
    await added(client, vehicle(speed=speeds, fuel=[reading(1, "12:02"), reading(2, "12:08")]))


def test_the_beginning_is_told_and_where_to_go_on(open_hub: OpenHub) -> None:
    async def body(client: Client, hub: Hub) -> None:
        await crowded(client)

        async def check() -> None:
            for path, more in ((f"{AT}/{ID}", ""), (AT, "type=Vehicle")):
                answer = await client.get(path, between("12:00", "13:00", more))
                assert answer.status == 206
                assert answer.header("content-range") == f"date-time {when('12:00')}-{when('12:03')}/*"
                shown = answer.json if path != AT else answer.json[0]
                assert [one["value"] for one in shown["speed"]] == [0, 1, 2, 3]
                assert [one["value"] for one in shown["fuel"]] == [1]

        await twice(hub, check)

    with_past(open_hub, body, history_instances=4)


def test_a_client_that_goes_on_misses_nothing(open_hub: OpenHub) -> None:
    async def body(client: Client, hub: Hub) -> None:
        await crowded(client)

        async def check() -> None:
            seen: dict[str, set[int]] = {"speed": set(), "fuel": set()}
            query, status = f"timerel=after&timeAt={when('12:00')}", 206
            while status == 206:
                answer = await client.get(f"{AT}/{ID}", query)
                status = answer.status
                for name, values in seen.items():
                    values |= {one["value"] for one in answer.json.get(name, [])}
                if status == 206:
                    end = answer.header("content-range").rpartition("/")[0][-20:]
                    query = f"timerel=after&timeAt={end}"
            assert seen == {"speed": set(range(10)), "fuel": {1, 2}}

        await twice(hub, check)

    with_past(open_hub, body, history_instances=4)


def test_the_latest_are_told_backwards(open_hub: OpenHub) -> None:
    async def body(client: Client, hub: Hub) -> None:
        await crowded(client)

        async def check() -> None:
            answer = await client.get(f"{AT}/{ID}", between("12:00", "12:10", "lastN=9"))
            assert answer.status == 206
            assert answer.header("content-range") == f"date-time {when('12:10')}-{when('12:06')}/9"
            assert [one["value"] for one in answer.json["speed"]] == [6, 7, 8, 9]
            assert [one["value"] for one in answer.json["fuel"]] == [2]
            answer = await client.get(f"{AT}/{ID}", "lastN=9")
            assert answer.header("content-range") == f"date-time {when('12:09')}-{when('12:06')}/9"

        await twice(hub, check)

    with_past(open_hub, body, history_instances=4)


def test_as_many_as_asked_for_are_everything(open_hub: OpenHub) -> None:
    async def body(client: Client, _hub: Hub) -> None:
        await crowded(client)
        answer = await client.get(f"{AT}/{ID}", "lastN=4")
        assert (answer.status, answer.header("content-range")) == (200, "")
        assert [one["value"] for one in answer.json["speed"]] == [6, 7, 8, 9]
        answer = await client.get(f"{AT}/{ID}", between("12:00", "12:04"))
        assert answer.status == 200

    with_past(open_hub, body, history_instances=4)


def test_many_entities_share_what_an_answer_holds(open_hub: OpenHub) -> None:
    async def body(client: Client, hub: Hub) -> None:
        for number in range(5):
            speeds = [reading(one, minute) for one, minute in enumerate(MINUTES)]
            await added(client, vehicle(f"urn:ngsi-ld:Vehicle:{number}", speed=speeds))
        await hub.past.roller.roll_all()
        answer = await client.get(AT, between("12:00", "13:00", "type=Vehicle&options=temporalValues"))
        assert answer.status == 206
        assert [len(one["speed"]["values"]) for one in answer.json] == [4] * 5
        assert answer.header("content-range") == f"date-time {when('12:00')}-{when('12:03')}/*"

    with_past(open_hub, body, history_answer=20)
