"""Hostile and broken input gets a clear refusal, never a 5xx, and harms nobody else."""

from __future__ import annotations

import asyncio
import time
from urllib.parse import quote

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from madang.hub.contexts.context import CORE_CONTEXT
from madang.hub.entity import read_entity, read_fragment
from madang.hub.errors import NgsiLdError
from madang.hub.query import parse_query
from madang.hub.sqlite.group import TenantCatalog
from madang.hub.sqlite.sql import build
from tests.hub.client import Json, run, sensor, spot
from tests.hub.conftest import OpenClient

PATH = "/entities/urn:ngsi-ld:Sensor:1"
LD = [("Content-Type", "application/ld+json")]


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b'{"id": "urn:x:1"',
        b"\xff\xfe\x00",
        b'{"id": "\xed\xa0\x80"}',
        b"nul",
        b'{"a": 1e999}',
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b'{"id": "urn:x:1", "type": "T", "a": NaN}',
        b'[{"id": "urn:x:1", "type": "T"}]',
        b'"text"',
        b"\x00",
    ],
    ids=range(13),
)
def test_bodies_that_are_not_json_objects_are_refused(open_client: OpenClient, raw: bytes) -> None:
    async def body() -> None:
        async with open_client() as client:
            answer = await client.post("/entities", raw)
            assert (answer.status, answer.problem) == (400, "InvalidRequest"), answer.body

    run(body)


DEEP: Json = 1
for _ in range(200):
    DEEP = {"a": DEEP}


@pytest.mark.parametrize(
    "change",
    [
        {"id": "nouri"},
        {"id": 5},
        {"id": None},
        {"id": "urn:x:" + "y" * 5000},
        {"id": "urn:x:a b"},
        {"type": None},
        {"type": []},
        {"type": ["A", 5]},
        {"type": "A<B"},
        {"scope": 5},
        {"a": None},
        {"a": {"type": "Property"}},
        {"a": {"type": "Property", "value": None}},
        {"a": {"type": "Nothing", "value": 1}},
        {"a": {"type": "Relationship", "object": "no uri"}},
        {"a": {"type": "Relationship", "value": "urn:x:1"}},
        {"a": {"type": "Relationship", "object": "urn:x:1", "value": 1}},
        {"a": {"type": "Property", "value": 1, "observedAt": "yesterday"}},
        {"a": {"type": "Property", "value": 1, "observedAt": "2026-11-22T00:00:00"}},
        {"a": {"type": "Property", "value": 1, "observedAt": "0001-01-01T00:00:00+23:59"}},
        {"a": {"type": "Property", "value": 1, "unitCode": 5}},
        {"a": {"type": "Property", "value": 1, "datasetId": "no uri"}},
        {"a": [{"type": "Property", "value": 1}, {"type": "Property", "value": 2}]},
        {"a": {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [128.9]}}},
        {"a": {"type": "GeoProperty", "value": {"type": "Point", "coordinates": ["1", "2"]}}},
        {"a": {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [True, False]}}},
        {"a": {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [35.2, 128.9]}}},
        {"a": {"type": "GeoProperty", "value": {"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 1]]]}}},
        {"a": {"type": "GeoProperty", "value": {"type": "Circle", "coordinates": [0, 0]}}},
        {"a": {"type": "GeoProperty", "value": 5}},
        {"a": {"type": "LanguageProperty", "languageMap": {"ko": 5}}},
        {"a": {"type": "VocabProperty", "vocab": 5}},
        {"a": {"type": "ListProperty", "valueList": 5}},
        {"a": {"type": "ListRelationship", "objectList": 5}},
        {"a": {"type": "ListRelationship", "objectList": ["no uri"]}},
        {"a": {"type": "JsonProperty", "json": None}},
        {"a": {"value": DEEP}},
        {"a": {"type": "JsonProperty", "json": DEEP}},
        {"a b": 1},
        {"": 1},
        {'a"b': 1},
        {"a": {"type": "Property", "value": 1, "b": {"unitCode": "KMH"}}},
        {"@graph": [1]},
        {"@id": 7},
    ],
)
def test_entities_that_make_no_sense_are_refused_naming_the_place(open_client: OpenClient, change: Json) -> None:
    async def body() -> None:
        async with open_client() as client:
            answer = await client.post("/entities", sensor(1) | change)
            assert (answer.status, answer.problem) == (400, "BadRequestData"), answer.body
            assert answer.json["detail"]
            assert (await client.get("/entities", "type=*")).json == []

    run(body)


def test_numbers_no_store_can_keep_are_refused_wherever_they_come(open_client: OpenClient) -> None:
    async def body() -> None:
        async with open_client() as client:
            await client.post("/entities", sensor(1, a=1))
            huge = b'{"a": {"type": "Property", "value": 123456789012345678901234567890}}'
            for method, path in (("PATCH", PATH), ("POST", PATH + "/attrs"), ("PATCH", PATH + "/attrs"), ("PUT", PATH)):
                answer = await client.send(method, path, huge)
                assert (answer.status, answer.problem) == (400, "BadRequestData"), (method, path)
            batch = b'[{"id": "urn:x:1", "type": "T", "a": 123456789012345678901234567890}]'
            assert (await client.post("/entityOperations/upsert", batch)).status == 207
            assert (await client.get(PATH)).json == sensor(1, a=1)

    run(body)


def test_a_body_that_says_it_is_too_large_is_refused_unread(open_client: OpenClient) -> None:
    async def body() -> None:
        async with open_client() as client:
            length = [("Content-Length", "50000000"), ("Content-Type", "application/json")]
            answer = await client.send("POST", "/entities", b"{}", headers=length)
            assert (answer.status, answer.header("connection")) == (413, "close")
            assert client.body_reads == 0

    run(body)


def test_a_body_that_grows_too_large_is_left_in_the_middle(open_client: OpenClient) -> None:
    async def body() -> None:
        async with open_client() as client:
            chunks = [b"x" * 1_000_000] * 50
            said = [("Content-Length", "2"), ("Content-Type", "application/json")]
            answer = await client.send("POST", "/entities", chunks=chunks, headers=said)
            assert answer.status == 413
            assert client.body_reads == 11

    run(body)


def test_an_entity_too_large_for_one_is_refused(open_client: OpenClient) -> None:
    async def body() -> None:
        async with open_client(max_entity=1000) as client:
            raw = orjson.dumps(sensor(1, a="x" * 2000))
            headers = [("Content-Length", str(len(raw))), ("Content-Type", "application/json")]
            answer = await client.send("POST", "/entities", raw, headers=headers)
            assert answer.status == 400

    run(body)


@pytest.mark.parametrize(
    "context",
    [
        "http://127.0.0.1:1/context.jsonld",
        "http://169.254.169.254/latest/meta-data",
        "file:///etc/passwd",
        {"a": "b", "b": "a"},
        ["http://10.0.0.1/x", {"a": "https://a.example/"}],
        5,
        {"@import": "http://192.168.0.1/x"},
    ],
)
def test_hostile_contexts_are_refused_and_nothing_is_called(open_client: OpenClient, context: Json) -> None:
    async def body() -> None:
        async with open_client() as client:
            answer = await client.send("POST", "/entities", sensor(1) | {"@context": context}, headers=LD)
            assert answer.status in (400, 503), answer.body
            assert answer.problem in ("BadRequestData", "LdContextNotAvailable")
            if answer.problem == "LdContextNotAvailable":
                link = '<http://10.0.0.1/x>; rel="http://www.w3.org/ns/json-ld#context"; type="application/ld+json"'
                assert (await client.get(PATH, headers=[("Link", link)])).status == 503

    run(body)


INJECTIONS = [
    "a' OR '1'='1",
    'a" OR 1=1 --',
    "'); DROP TABLE entity; --",
    "$.a",
    "a%00",
    "\\",
    "?1",
    "a\x00b",
    "'+1+'",
]


@pytest.mark.parametrize("text", INJECTIONS)
def test_injection_finds_and_breaks_nothing(open_client: OpenClient, text: str) -> None:
    async def body() -> None:
        async with open_client(indexed_attributes=("speed",)) as client:
            await client.post("/entities", sensor(1, speed=1, name="x"))
            escaped = text.replace("\\", "\\\\").replace('"', '\\"')
            for query in (
                "type=" + quote(text),
                "type=Sensor&q=" + quote(f'name=="{escaped}"'),
                "type=Sensor&q=" + quote(f"name[{text}]==1"),
                "type=Sensor&q=" + quote(f"{text}==1"),
                "type=Sensor&attrs=" + quote(text),
                "type=Sensor&idPattern=" + quote(text),
                "type=Sensor&id=" + quote("urn:x:" + text),
                "type=Sensor&georel=near;maxDistance==1&geometry=Point&coordinates=[1,1]&geoproperty=" + quote(text),
                "scopeQ=" + quote(text),
            ):
                answer = await client.get("/entities", query)
                assert answer.status in (200, 400), (query, answer.body)
                assert answer.status == 400 or answer.json == []
            assert (await client.get(PATH)).json == sensor(1, speed=1, name="x")

    run(body)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=60))
def test_whatever_q_is_the_sql_holds_none_of_it(text: str) -> None:
    catalog = TenantCatalog(1, "t", ("speed",), {"T": 1}, {"speed": 1, "a": 1023})
    for q in (text, f'a=="{text}"', f"a~={text}", f"a=={text}", f"{text}==1"):
        try:
            query = parse_query({"type": "T", "q": q})
        except NgsiLdError:
            continue
        select = build(query, catalog)
        assert select is not None
        said = select.source + select.where.text
        assert said.isascii()
        assert "'%s'" not in said
        assert said.count("?") == len(select.where.values)


@pytest.mark.parametrize("pattern", [r"(a+)+$", r"(.*a){25}", r"(x+x+)+y", r"([a-z]+)*!"])
def test_patterns_made_to_hang_do_not(open_client: OpenClient, pattern: str) -> None:
    async def body() -> None:
        async with open_client() as client:
            victim = sensor(1, name="a" * 5_000) | {"id": "urn:x:" + "a" * 1_500}
            assert (await client.post("/entities", victim)).status == 201
            began = time.process_time()
            answer = await client.get("/entities", "type=Sensor&idPattern=" + quote(pattern))
            assert answer.status in (200, 400)
            answer = await client.get("/entities", "type=Sensor&q=" + quote(f'name~="{pattern}"'))
            assert answer.status in (200, 400)
            assert time.process_time() - began < 5

    run(body)


def test_overlong_queries_are_too_complex(open_client: OpenClient) -> None:
    async def body() -> None:
        async with open_client() as client:
            for q in ("a==1" + ";a==1" * 100, "(" * 50 + "a" + ")" * 50, "a==" + "1," * 5000 + "1", "a~=" + "x" * 1000):
                answer = await client.get("/entities", "type=T&q=" + q)
                assert (answer.status, answer.problem) == (403, "TooComplexQuery")

    run(body)


def test_a_query_that_runs_too_long_is_ended(open_client: OpenClient) -> None:
    async def body() -> None:
        async with open_client(query_timeout_s=0.0) as client:
            batch = [sensor(n, a=n) for n in range(3000)]
            await client.post("/entityOperations/upsert", batch)
            slow = "type=Sensor&q=" + "|".join(f"a=={n}.5" for n in range(60)) + "&count=true"
            answer = await client.get("/entities", slow)
            assert (answer.status, answer.problem) == (403, "TooComplexQuery")
            assert (await client.get("/entities", "type=Sensor&limit=5")).status == 200

    run(body)


def test_64_writers_on_one_entity_lose_no_update(open_client: OpenClient) -> None:
    async def body() -> None:
        async with open_client() as client:
            await client.post("/entities", sensor(1, base=0))

            async def writer(number: int) -> list[int]:
                statuses = []
                for step in range(8):
                    sent = {f"w{number}_{step}": step}
                    method, path = (("POST", "/attrs"), ("PATCH", ""))[step % 2]
                    statuses.append((await client.send(method, PATH + path, sent)).status)
                return statuses

            every = await asyncio.gather(*(writer(number) for number in range(64)))
            assert {status for statuses in every for status in statuses} == {204}
            shown = (await client.get(PATH)).json
            assert len(shown) == 2 + 1 + 64 * 8
            assert all(shown[f"w{n}_{s}"]["value"] == s for n in range(64) for s in range(8))

    run(body)


def test_readers_are_answered_while_a_large_batch_is_written(open_client: OpenClient) -> None:
    async def body() -> None:
        async with open_client() as client:
            await client.post("/entities", sensor(1, a=1))
            batch = asyncio.create_task(client.post("/entityOperations/upsert", [sensor(n, a=n) for n in range(4000)]))
            answered = 0
            while not batch.done():
                assert (await client.get(PATH)).status == 200
                answered += 1
                await asyncio.sleep(0)
            assert (await batch).status == 201
            assert answered > 10

    run(body)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
MEMBERS = st.sampled_from(
    [
        "type",
        "value",
        "object",
        "languageMap",
        "vocab",
        "json",
        "valueList",
        "objectList",
        "observedAt",
        "datasetId",
        "x",
    ]
)
ATTRIBUTES = st.dictionaries(
    MEMBERS, st.sampled_from(["Property", "Relationship", "GeoProperty"]) | JSON_VALUES, max_size=5
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.dictionaries(
        st.sampled_from(["id", "type", "a", "location", "@context", "scope"]) | st.text(max_size=6),
        ATTRIBUTES | JSON_VALUES,
    )
)
def test_whatever_json_comes_is_read_or_refused(raw: Json) -> None:
    for read in (read_entity, read_fragment):
        for simplified in (False, True):
            try:
                entity = read(raw | {"id": "urn:x:1", "type": "T"}, CORE_CONTEXT, simplified=simplified)
            except NgsiLdError as error:
                assert error.status in (400, 403)
            else:
                assert entity.id == "urn:x:1"


@settings(max_examples=150, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["a", "b", "c"]), st.integers(-5, 5) | st.text(max_size=5) | st.lists(st.booleans(), max_size=3)
    )
)
def test_reading_what_was_kept_changes_nothing(values: dict[str, Json]) -> None:
    once = read_entity(sensor(1, **values, location=spot(1.5, 2.5)), CORE_CONTEXT).document()
    assert read_entity(once, CORE_CONTEXT).document() == once


def test_an_error_inside_is_not_told_outside(open_client: OpenClient, monkeypatch: pytest.MonkeyPatch) -> None:
    async def body() -> None:
        async with open_client() as client:

            def broken(*_args: object, **_more: object) -> None:
                raise RuntimeError("secret path")

            monkeypatch.setattr("madang.hub.http.provision.read_entity", broken)
            answer = await client.post("/entities", sensor(1))
            assert (answer.status, answer.problem) == (500, "InternalError")
            assert b"secret" not in answer.body

    run(body)
