"""Clause 5.5.4, general validation: whatever is written is taken or refused with a 4xx, and what was taken is read."""

from __future__ import annotations

import asyncio
import json
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from madang.hub.config import HubConfig
from madang.hub.http.app import HubApp
from madang.hub.hub import Hub
from tests.hub.clauses.writing import ATTRS, ID, NULL, PATH, created, prop, shown, with_client
from tests.hub.client import Client, Json, run
from tests.hub.conftest import OpenClient

_KEYS = """
type value object languageMap vocab json valueList objectList unitCode observedAt datasetId expiresAt scope id
@context @id @type @value @none a b lang entity previousValue ngsildproof instanceId createdAt dataset coordinates
geometries urn:ngsi-ld:null http://x.example/y ngsi-ld:z objectType valueType
"""
_WORDS = """
Property Relationship GeoProperty LanguageProperty VocabProperty ListProperty ListRelationship JsonProperty Point
Polygon GeometryCollection urn:ngsi-ld:null urn:x:1 2026-11-22T09:00:00Z 9999-12-31T23:59:59Z /a/b @none ko Sensor
@json 2026-11-22
"""
KEYS = st.sampled_from(_KEYS.split())
WORDS = st.sampled_from([*_WORDS.split(), "\ud800", "\x00", ""])
LEAVES = st.one_of(
    WORDS,
    WORDS,
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(min_value=-(2**70), max_value=2**70),
    st.floats(),
    st.text(max_size=5),
)
TREES: st.SearchStrategy[Json] = st.recursive(
    LEAVES,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.one_of(KEYS, st.text(max_size=3)), inner)),
    max_leaves=12,
)
ATTRIBUTES = st.one_of(
    TREES, st.dictionaries(KEYS, TREES, max_size=4).map(lambda more: {"type": "Property", "value": 1} | more)
)
ENTITIES = st.dictionaries(KEYS, ATTRIBUTES, max_size=4).map(lambda more: {"id": ID, "type": "Sensor"} | more)
BODIES = st.one_of(TREES, ENTITIES, ENTITIES, st.lists(ENTITIES, max_size=3), ATTRIBUTES)
PLACES = st.sampled_from(
    [
        ("POST", "/entities"),
        ("PATCH", PATH),
        ("PATCH", PATH),
        ("PUT", PATH),
        ("POST", ATTRS),
        ("PATCH", ATTRS),
        ("PATCH", f"{ATTRS}/a"),
        ("PUT", f"{ATTRS}/a"),
        ("DELETE", f"{ATTRS}/a"),
        ("POST", "/entityOperations/create"),
        ("POST", "/entityOperations/upsert"),
        ("POST", "/entityOperations/update"),
        ("POST", "/entityOperations/merge"),
        ("POST", "/entityOperations/delete"),
    ]
)
QUERIES = st.sampled_from(
    [
        "",
        "",
        "format=simplified",
        "options=concise",
        "lang=ko",
        "observedAt=2026-11-22T09:00:00Z",
        "type=Sensor",
        "deleteAll=true",
    ]
)
MEDIA = st.sampled_from(["application/json", "application/json", "application/ld+json", "application/merge-patch+json"])
READS = ("", "options=sysAttrs", "options=concise", "options=keyValues", "lang=ko", "options=sysAttrs,concise")


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.lists(st.tuples(PLACES, BODIES, QUERIES, MEDIA), min_size=1, max_size=8))
def test_no_body_brings_the_hub_to_an_error_of_its_own(
    requests: list[tuple[tuple[str, str], Json, str, str]],
) -> None:
    async def body() -> None:
        with tempfile.TemporaryDirectory() as folder:
            hub = await Hub.open(HubConfig(store=str(Path(folder) / "hub.sqlite3")))
            client = Client(HubApp(hub, None, (), open_mode=True, bound_host="127.0.0.1"))
            try:
                await created(client, a=prop(1), b={"type": "LanguageProperty", "languageMap": {"ko": "a"}})
                for (method, path), sent, query, media in requests:
                    raw = json.dumps(sent).encode()
                    answer = await client.send(method, path, raw, query=query, headers=[("Content-Type", media)])
                    assert answer.status < 500, (method, path, raw, query, answer.body)
                    for shape in READS:
                        answer = await client.get(PATH, shape)
                        assert answer.status < 500, (method, path, raw, query, shape, answer.body)
                assert (await client.get("/entities", "type=Sensor&options=keyValues")).status == 200
            finally:
                await hub.close()

    run(body)


def test_lone_surrogates_are_refused_wherever_they_come(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        await created(client, a=prop(1))
        for sent in (
            b'"\\ud800"',
            b'{"type":"Property","value":"\\ud800"}',
            b'{"type":"Property","value":{"\\ud800":1}}',
        ):
            answer = await client.send("PUT", f"{ATTRS}/a", b'{"type":"Property","value":' + sent + b"}")
            assert 400 <= answer.status < 500
            answer = await client.post(
                "/entityOperations/upsert", b'[{"id":"%s","type":"T","a":%s}]' % (ID.encode(), sent)
            )
            assert 400 <= answer.status < 500 or answer.json["errors"]
        assert (await shown(client))["a"] == prop(1)

    with_client(open_client, body)


def test_the_last_of_a_repeated_key_counts(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        raw = b'{"id": "%s", "type": "Sensor", "a": 1, "a": 2}' % ID.encode()
        assert (await client.post("/entities", raw)).status == 201
        assert (await shown(client))["a"] == prop(2)

    with_client(open_client, body)


def test_64_writers_on_one_entity_lose_no_update(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        await created(client, counted=prop({}))

        async def write(number: int) -> None:
            name = f"w{number}"
            for step in range(4):
                sent = {"counted": {"value": {f"{name}{step}": step}}, name: prop(step)}
                answers = [
                    await client.send("PATCH", PATH, sent),
                    await client.post(ATTRS, {f"{name}x": prop(step)}),
                    await client.send("PATCH", f"{ATTRS}/{name}", {"unitCode": "C62"}),
                    await client.post("/entityOperations/merge", [{"id": ID, name: {"accuracy": prop(step)}}]),
                ]
                assert {one.status for one in answers} == {204}

        await asyncio.gather(*(write(number) for number in range(64)))
        said = await shown(client)
        assert len(said["counted"]["value"]) == 256
        for number in range(64):
            assert said[f"w{number}"] == prop(3, unitCode="C62", accuracy=prop(3))
            assert said[f"w{number}x"] == prop(3)

    with_client(open_client, body)


def test_the_same_entity_created_by_many_at_once_is_created_once(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        sent = [{"id": ID, "type": "Sensor", "a": number} for number in range(64)]
        answers = await asyncio.gather(*(client.post("/entities", one) for one in sent))
        assert sorted(one.status for one in answers) == [201] + [409] * 63
        [winner] = [place for place, one in enumerate(answers) if one.status == 201]
        assert (await shown(client))["a"] == prop(winner)

    with_client(open_client, body)


def test_deeply_nested_attributes_are_kept_or_refused(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        for depth, status in ((20, 201), (70, 400), (400, 400)):
            inner: Json = prop(1)
            for _ in range(depth):
                inner = prop(1, a=inner)
            answer = await client.post(
                "/entities", json.dumps({"id": f"urn:x:{depth}", "type": "T", "a": inner}).encode()
            )
            assert answer.status == status, answer.body
        collections: Json = {"type": "Point", "coordinates": [1, 1]}
        for _ in range(300):
            collections = {"type": "GeometryCollection", "geometries": [collections]}
        geo = {"type": "GeoProperty", "value": collections}
        sent = json.dumps({"id": "urn:x:geo", "type": "T", "a": geo}).encode()
        assert (await client.post("/entities", sent)).status == 400
        nulls: Json = NULL
        for _ in range(30):
            nulls = {"a": nulls}
        await created(client, a=prop({"a": 1}))
        assert (await client.send("PATCH", PATH, {"a": {"value": nulls}})).status == 204
        assert (await client.get(PATH)).status == 200

    with_client(open_client, body)
