"""What the tests of the temporal clauses share: a vehicle with a past, and asking before and after it lies in files."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from madang.hub.http.app import HubApp
from madang.hub.hub import Hub
from tests.hub.client import Answer, Client, run
from tests.hub.conftest import OpenHub

Json = Any  # Any: JSON as it came
ID = "urn:ngsi-ld:Vehicle:B9211"
AT = "/temporal/entities"
DAY = "2018-08-01T"


def when(time: str) -> str:
    """An instant of the day the tests speak of, e.g. `12:03`."""
    return f"{DAY}{time}:00Z"


def reading(value: Json, time: str, **more: Json) -> dict[str, Json]:
    """A Property observed at a time of that day."""
    return {"type": "Property", "value": value, "observedAt": when(time), **more}


def vehicle(number: str = ID, **attributes: Json) -> dict[str, Json]:
    """An EntityTemporal."""
    return {"id": number, "type": "Vehicle", **attributes}


SPEEDS = (reading(120, "12:03"), reading(80, "12:05"), reading(100, "12:07"))


def between(begin: str, end: str, more: str = "") -> str:
    """A query string for a stretch of that day."""
    said = f"timerel=between&timeAt={when(begin)}&endTimeAt={when(end)}"
    return f"{said}&{more}" if more else said


Test = Callable[[Client, Hub], Awaitable[None]]


def with_past(open_hub: OpenHub, test: Test, **settings: Json) -> None:
    """Runs a test with a client and the hub behind it."""

    async def body() -> None:
        async with open_hub(**settings) as hub:
            await test(Client(HubApp(hub, None, (), open_mode=True, bound_host="127.0.0.1")), hub)

    run(body)


async def twice(hub: Hub, check: Callable[[], Awaitable[None]]) -> None:
    """Checks, moves everything into files, and checks again."""
    await check()
    await hub.past.roller.roll_all()
    await check()


async def added(client: Client, *entities: Json) -> None:
    """Puts evolutions into history."""
    for one in entities:
        assert (await client.post(AT, one)).status in (201, 204)


async def told(client: Client, query: str = "", number: str = ID) -> Json:
    """One entity's evolution without instanceIds."""
    answer = await client.get(f"{AT}/{number}", query)
    assert answer.status == 200, answer.body
    return plain(answer.json)


async def listed(client: Client, query: str) -> Json:
    """The evolutions a query selects, without instanceIds."""
    answer = await client.get(AT, query)
    assert answer.status == 200, answer.body
    return [plain(one) for one in answer.json]


async def ids(client: Client, query: str) -> list[str]:
    """The ids a query selects."""
    return [one["id"] for one in await listed(client, query)]


def plain(entity: Json) -> Json:
    """Without instanceIds."""
    return {
        name: [without_id(one) for one in value] if isinstance(value, list) else value for name, value in entity.items()
    }


def without_id(one: Json) -> Json:
    """An instance without its instanceId."""
    return {name: value for name, value in one.items() if name != "instanceId"} if isinstance(one, dict) else one


async def instance_ids(client: Client, attribute: str = "speed", number: str = ID) -> list[str]:
    """The instanceIds of an attribute, by time."""
    answer = await client.get(f"{AT}/{number}", f"attrs={attribute}")
    return [one["instanceId"] for one in answer.json[attribute]]


def refused(answer: Answer, status: int, kind: str) -> None:
    """Whether it was refused with a ProblemDetails of this type."""
    assert (answer.status, answer.problem) == (status, kind), answer.body
