"""What the tests of writing share: one entity, its path, and the ways it is written and read."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from tests.hub.client import Answer, Client, Json, run
from tests.hub.conftest import OpenClient

NULL = "urn:ngsi-ld:null"
ID = "urn:ngsi-ld:Sensor:1"
PATH = f"/entities/{ID}"
ATTRS = f"{PATH}/attrs"
MERGE_PATCH = (("Content-Type", "application/merge-patch+json"),)
JSON_LD = (("Content-Type", "application/ld+json"),)


def prop(value: Json, **more: Json) -> dict[str, Json]:
    """A Property."""
    return {"type": "Property", "value": value, **more}


def link(target: Json, **more: Json) -> dict[str, Json]:
    """A Relationship."""
    return {"type": "Relationship", "object": target, **more}


def texts(**languages: Json) -> dict[str, Json]:
    """A LanguageProperty."""
    return {"type": "LanguageProperty", "languageMap": languages}


def dataset(name: str) -> str:
    """A datasetId."""
    return f"urn:ngsi-ld:dataset:{name}"


def entity(**attributes: Json) -> dict[str, Json]:
    """The entity the tests write."""
    return {"id": ID, "type": "Sensor", **attributes}


async def shown(client: Client, query: str = "") -> dict[str, Json]:
    """The entity as it is read."""
    answer = await client.get(PATH, query)
    assert answer.status == 200, answer.body
    read: dict[str, Json] = answer.json
    return read


async def created(client: Client, **attributes: Json) -> None:
    """Creates the entity."""
    answer = await client.post("/entities", entity(**attributes))
    assert answer.status == 201, answer.body


def refused(answer: Answer, status: int, problem: str) -> None:
    """The answer is this refusal, in the shape of a ProblemDetails (clause 5.5.3)."""
    assert (answer.status, answer.problem) == (status, problem), answer.body
    assert answer.header("content-type") == "application/json"
    assert answer.json["title"]
    assert answer.json["status"] == status


def with_client(open_client: OpenClient, test: Callable[[Client], Awaitable[None]], **settings: object) -> None:
    """Runs a test with a client of a fresh hub."""

    async def body() -> None:
        async with open_client(**settings) as client:
            await test(client)

    run(body)
