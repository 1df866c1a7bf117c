"""What the tests of reading share: small cities, and the ways they are asked about."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any
from urllib.parse import quote

from tests.hub.client import Answer, Client, Json, run
from tests.hub.conftest import OpenClient

CORE = "https://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context-v1.8.jsonld"
CONTEXT_REL = "http://www.w3.org/ns/json-ld#context"
JSON_LD = ("Accept", "application/ld+json")
GEO_JSON = ("Accept", "application/geo+json")
LD_BODY = ("Content-Type", "application/ld+json")


def urn(name: str) -> str:
    """The id `name` stands for: `Sensor:1` → urn:ngsi-ld:Sensor:1."""
    return "urn:ngsi-ld:" + name


def entity(name: str, /, **attributes: Json) -> dict[str, Json]:
    """`Sensor:1` with attributes; plain values become Properties."""
    members = {
        key: value if isinstance(value, (dict, list)) or key == "scope" else {"type": "Property", "value": value}
        for key, value in attributes.items()
    }
    return {"id": urn(name), "type": name.partition(":")[0], **members}


def link(name: Json, **more: Json) -> dict[str, Json]:
    """A Relationship to one entity or several."""
    target = [urn(one) for one in name] if isinstance(name, list) else urn(name)
    return {"type": "Relationship", "object": target, **more}


def links(*names: str) -> dict[str, Json]:
    """A ListRelationship."""
    return {"type": "ListRelationship", "objectList": [{"object": urn(one)} for one in names]}


def point(lon: float, lat: float, **more: Json) -> dict[str, Json]:
    """A GeoProperty."""
    return {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [lon, lat]}, **more}


def words(**texts: Json) -> dict[str, Json]:
    """A LanguageProperty."""
    return {"type": "LanguageProperty", "languageMap": texts}


async def fill(client: Client, *entities: dict[str, Json]) -> None:
    """Creates entities."""
    for one in entities:
        answer = await client.post("/entities", one)
        assert answer.status == 201, answer.body


async def ask(client: Client, path: str, *headers: tuple[str, str], **parameters: str) -> Answer:
    """A GET with encoded parameters."""
    query = "&".join(f"{name}={quote(value, safe='')}" for name, value in parameters.items())
    return await client.get(path, query, headers=headers)


async def got(client: Client, path: str, *headers: tuple[str, str], **parameters: str) -> Json:
    """The body of a GET that is answered."""
    answer = await ask(client, path, *headers, **parameters)
    assert answer.status == 200, answer.body
    return answer.json


async def found(client: Client, **parameters: str) -> list[str]:
    """What a query finds: the ids without their beginning."""
    return names(await got(client, "/entities", **parameters))


def names(entities: Iterable[Json]) -> list[str]:
    """The ids without their beginning."""
    return [str(one["id"]).removeprefix("urn:ngsi-ld:") for one in entities]


def refused(answer: Answer, status: int, problem: str) -> None:
    """The answer is this refusal, in the shape of a ProblemDetails (clause 5.5.3)."""
    assert (answer.status, answer.problem) == (status, problem), answer.body
    assert answer.header("content-type") == "application/json"


def with_client(
    open_client: OpenClient, body: Callable[[Client], Awaitable[None]], **settings: Any
) -> None:  # Any: configuration values
    """Runs a test body with a client of a fresh hub."""

    async def opened() -> None:
        async with open_client(**settings) as client:
            await body(client)

    run(opened)
