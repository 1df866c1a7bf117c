"""Clauses 4.5.1 to 4.5.5: an entity written in any representation and read back normalized is the same entity."""

from __future__ import annotations

import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from madang.hub.config import HubConfig
from madang.hub.http.app import HubApp
from madang.hub.hub import Hub
from tests.hub.clauses.payloads import PAYLOADS
from tests.hub.clauses.writing import JSON_LD, NULL, with_client
from tests.hub.client import Client, Json, run
from tests.hub.conftest import OpenClient

DATA = Path(os.environ.get("MADANG_SHARED_DATA", str(Path(__file__).resolve().parents[4] / "shared" / "data")))
FACTS = DATA.parent / "facts"
ABSENT = "the real data is absent (set MADANG_SHARED_DATA)"

TEXT = st.text(max_size=6).filter(lambda text: text != NULL)
NUMBERS = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
SCALARS = TEXT | NUMBERS | st.booleans()
MEMBERS = st.text(max_size=4).filter(lambda name: not name.startswith("@"))
COMPOUND = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(MEMBERS, inner, max_size=3), max_leaves=6
)
URIS = st.sampled_from(["urn:ngsi-ld:Road:1", "urn:ngsi-ld:Road:2", "https://example.org/길#1"])
LON, LAT = st.floats(-180, 180), st.floats(-90, 90)
POINTS = st.tuples(LON, LAT).map(lambda at: {"type": "Point", "coordinates": [*at]})
LINES = st.lists(st.tuples(LON, LAT).map(list), min_size=2, max_size=4).map(
    lambda line: {"type": "LineString", "coordinates": line}
)
TAGS = st.sampled_from(["ko", "en", "fr-CA", "@none"])
NAMES = st.sampled_from(["a", "b", "speed", "location", "name", "https://vocab.example/c"])
INSTANTS = st.datetimes().map(lambda moment: moment.isoformat(timespec="milliseconds") + "Z")


def kept(kind: str, member: str, values: st.SearchStrategy[Json]) -> st.SearchStrategy[dict[str, Json]]:
    return values.map(lambda value: {"type": kind, member: value})


INSTANCES = st.one_of(
    kept("Property", "value", COMPOUND.filter(lambda value: not looks_like_instances(value))),
    kept("Relationship", "object", URIS | st.lists(URIS, min_size=1, max_size=2)),
    kept("GeoProperty", "value", POINTS | LINES),
    kept("LanguageProperty", "languageMap", st.dictionaries(TAGS, TEXT | st.lists(TEXT), min_size=1)),
    kept("VocabProperty", "vocab", NAMES | st.lists(NAMES, min_size=1, max_size=2)),
    kept("ListProperty", "valueList", st.lists(COMPOUND, max_size=3)),
    kept("ListRelationship", "objectList", st.lists(URIS.map(lambda uri: {"object": uri}), max_size=2)),
    kept("JsonProperty", "json", COMPOUND | st.dictionaries(MEMBERS, st.none())),
)


def looks_like_instances(value: Json) -> bool:
    return isinstance(value, list) and any(isinstance(one, dict) for one in value)


def fits(member: str, instance: dict[str, Json]) -> bool:
    return member != "unitCode" or instance["type"] == "Property"


def with_members(instances: st.SearchStrategy[dict[str, Json]]) -> st.SearchStrategy[dict[str, Json]]:
    more = st.fixed_dictionaries(
        {}, optional={"observedAt": INSTANTS, "unitCode": st.sampled_from(["KMH", "C62"]), "source": INSTANCES}
    )
    return st.tuples(instances, more).map(lambda pair: pair[0] | {k: v for k, v in pair[1].items() if fits(k, pair[0])})


ATTRIBUTES = st.one_of(
    with_members(INSTANCES),
    st.lists(with_members(INSTANCES), min_size=2, max_size=3).map(
        lambda listed: [listed[0], *(one | {"datasetId": f"urn:x:{place}"} for place, one in enumerate(listed[1:]))]
    ),
)
ENTITIES = st.dictionaries(NAMES, ATTRIBUTES, max_size=4).map(
    lambda attributes: {"id": "urn:ngsi-ld:T:1", "type": "T"} | attributes
)
VALUES = {
    "Relationship": "object",
    "LanguageProperty": "languageMap",
    "VocabProperty": "vocab",
    "ListProperty": "valueList",
    "ListRelationship": "objectList",
    "JsonProperty": "json",
}


def concise(value: Json) -> Json:
    """The concise representation, from the text of clause 4.5.5."""
    if isinstance(value, list):
        return [concise(one) for one in value]
    rest = {name: concise(one) if name == "source" else one for name, one in value.items() if name != "type"}
    bare = value["type"] == "GeoProperty" or not isinstance(value.get("value"), dict | list)
    return rest["value"] if set(rest) == {"value"} and bare else rest


def simplified(value: Json) -> Json:
    """The simplified representation, from the text of clause 4.5.4."""
    if isinstance(value, list):
        return {"dataset": {one.get("datasetId", "@none"): simplified(one) for one in value}}
    member = VALUES.get(value["type"], "value")
    return {member: value[member]} if value["type"] in VALUES else value["value"]


def written(entity: dict[str, Json], how: str) -> dict[str, Json]:
    change = {"normalized": lambda value: value, "concise": concise, "simplified": simplified}[how]
    return {name: value if name in ("id", "type") else change(value) for name, value in entity.items()}


def bare(value: Json) -> Json:
    """An attribute with what the simplified representation leaves of it."""
    if isinstance(value, list):
        return [bare(one) for one in value]
    return {name: one for name, one in value.items() if name in ("type", "datasetId", *VALUES.values(), "value")}


@asynccontextmanager
async def fresh_client() -> AsyncIterator[Client]:
    with tempfile.TemporaryDirectory() as folder:
        hub = await Hub.open(HubConfig(store=str(Path(folder) / "hub.sqlite3")))
        try:
            yield Client(HubApp(hub, None, (), open_mode=True, bound_host="127.0.0.1"))
        finally:
            await hub.close()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.lists(ENTITIES, min_size=1, max_size=6))
def test_every_representation_of_an_entity_is_kept_as_the_same(entities: list[dict[str, Json]]) -> None:
    async def body() -> None:
        async with fresh_client() as client:
            for number, one in enumerate(entities):
                for how in ("normalized", "concise"):
                    await check(client, one | {"id": f"urn:ngsi-ld:T:{number}{how}"}, how)
                plain = {name: v if name in ("id", "type") else bare(v) for name, v in one.items()}
                if not ambiguous(plain):
                    await check(client, plain | {"id": f"urn:ngsi-ld:T:{number}simplified"}, "simplified")

    run(body)


def ambiguous(entity: dict[str, Json]) -> bool:
    """Whether the simplified representation does not tell a kind: a relationship, or an object."""
    values = (
        one for name, v in entity.items() if name not in ("id", "type") for one in (v if isinstance(v, list) else [v])
    )
    return any(
        one["type"] == "Relationship" or (one["type"] == "Property" and isinstance(one["value"], dict))
        for one in values
    )


async def check(client: Client, entity: dict[str, Json], how: str) -> None:
    """Created, read, replaced by what was read in every representation, read again: always the same."""
    query = "" if how == "normalized" else f"format={how}"
    sent = written(entity, how)
    answer = await client.post("/entities", sent, query)
    assert answer.status == 201, (sent, answer.body)
    path = f"/entities/{entity['id']}"
    assert (await client.get(path)).json == entity
    for form in ("", "format=concise"):
        again = (await client.get(path, form)).json
        answer = await client.send("PUT", path, again)
        assert answer.status == 204, (again, answer.body)
        assert (await client.get(path)).json == entity, form
    assert (await client.post("/entityOperations/upsert", [sent], query)).status == 204
    assert (await client.get(path)).json == entity


@pytest.mark.parametrize("payload", PAYLOADS, ids=lambda payload: str(payload["type"]))
def test_payloads_like_those_of_cities_come_back_as_they_went(
    open_client: OpenClient, payload: dict[str, Json]
) -> None:
    async def body(client: Client) -> None:
        answer = await client.post("/entities", payload, headers=JSON_LD)
        assert answer.status == 201, answer.body
        path = f"/entities/{payload['id']}"
        first = (await client.get(path, headers=[("Accept", "application/ld+json")])).json
        again = {"@context": first["@context"]} | first
        assert (await client.send("PUT", path, again, headers=JSON_LD)).status == 204
        assert (await client.get(path, headers=[("Accept", "application/ld+json")])).json == first
        batch = [payload, payload | {"id": payload["id"] + ":2"}]
        answer = await client.post("/entityOperations/upsert", batch, headers=JSON_LD)
        assert (answer.status, answer.json) == (201, [payload["id"] + ":2"])
        second = (await client.get(f"{path}:2", headers=[("Accept", "application/ld+json")])).json
        assert second | {"id": payload["id"]} == first

    with_client(open_client, body)


def real_entities() -> Iterator[dict[str, Json]]:
    """What the shared files hold as entities: NGSI-LD where there is any, else features and records made into such."""
    for path in sorted(
        [*DATA.rglob("*.json"), *DATA.rglob("*.geojson"), *DATA.rglob("*.jsonld"), *FACTS.glob("*.json*")]
    ):
        if path.stat().st_size > 500_000:
            continue
        for place, found in enumerate(_objects(orjson.loads(path.read_bytes()))):
            if place == 40:
                break
            yield _entity(found, f"urn:ngsi-ld:Real:{len(path.name)}{path.stem}:{place}".replace(" ", "_"))


def _objects(value: Json) -> Iterator[dict[str, Json]]:
    if isinstance(value, dict) and not any(
        isinstance(one, list) and one and isinstance(one[0], dict) for one in value.values()
    ):
        yield value
    elif isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _objects(one)


def _entity(found: dict[str, Json], entity_id: str) -> dict[str, Json]:
    if isinstance(found.get("id"), str) and found["id"].startswith("urn:ngsi-ld:") and "type" in found:
        return found
    entity: dict[str, Json] = {"id": entity_id, "type": "Record", "raw": {"type": "JsonProperty", "json": found}}
    for name, value in found.get("properties", found).items():
        if value is not None and name.isidentifier():
            entity[f"real_{name}"] = {"type": "Property", "value": value}
    if found.get("type") == "Feature":
        entity["location"] = {"type": "GeoProperty", "value": found["geometry"]}
    return entity


def test_every_real_payload_comes_back_as_it_went(open_client: OpenClient) -> None:
    if not DATA.is_dir():
        pytest.skip(ABSENT)

    async def body(client: Client) -> None:
        count = 0
        for entity in real_entities():
            answer = await client.post("/entities", entity)
            assert answer.status == 201, (entity["id"], answer.body[:500])
            shown = (await client.get(f"/entities/{entity['id']}")).json
            assert shown == entity
            count += 1
        assert count > 100

    with_client(open_client, body)
