"""Columns answer exactly what SQL answers, whatever is written between two questions."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Sequence
from pathlib import Path
from unittest import mock

from hypothesis import given, settings
from hypothesis import strategies as st

from madang.hub import changes as change
from madang.hub.changes import Mutation
from madang.hub.config import HubConfig
from madang.hub.contexts.context import CORE_CONTEXT
from madang.hub.entity import Json, read_entity, read_fragment
from madang.hub.query import Query, parse_query
from madang.hub.sqlite.store import SqliteStore
from madang.hub.store import Page
from tests.hub.client import run, sensor
from tests.hub.store_contract import append, apply, create


async def by_sql(store: SqliteStore, query: Query) -> Page:
    """What SQLite says. The columns stay in place: what is being built meanwhile comes home to them."""
    columns = store._columns
    with (
        mock.patch.object(columns, "find", return_value=None),
        mock.patch.object(columns, "awaited", return_value=None),
        mock.patch.object(columns, "wish", return_value=None),
    ):
        return await store.query("one", query, bodies_only=True)


async def by_columns(store: SqliteStore, query: Query) -> Page:
    """What columns say; they must have been built."""
    return await store.query("one", query, bodies_only=True)


async def learn(store: SqliteStore, *texts: str) -> None:
    """Asks until columns are there."""
    for text in (*texts, *texts):
        await store.query("one", parse_query({"type": "Sensor", "q": text}))
        await asyncio.gather(*store._tasks)
    assert store._columns._rows


VALUES = st.one_of(
    st.integers(-3, 3),
    st.sampled_from([0.5, -0.5, 1.0, 2.5, 1e300]),
    st.sampled_from(["", "a", "1", "true", "2026-11-22"]),
    st.booleans(),
    st.just({"x": 1}),
    st.just(1 << 60),
)
WRITES = st.lists(
    st.tuples(
        st.sampled_from(["create", "append", "replace", "delete", "drop", "retype", "list"]),
        st.integers(1, 8),
        st.sampled_from(["a", "b"]),
        VALUES,
    ),
    max_size=12,
)
TERMS = st.one_of(
    st.builds(
        "{}{}{}".format,
        st.sampled_from(["a", "b"]),
        st.sampled_from(["==", "!=", "<", "<=", ">", ">="]),
        st.sampled_from(["0", "1", "0.5", "-1", "1152921504606846976"]),
    ),
    st.builds(
        "{}{}{}".format,
        st.sampled_from(["a", "b"]),
        st.sampled_from(["==", "!="]),
        st.sampled_from(['"a"', "true", "false", '"1"', "0..1", "1,2", '"a","1",2.5']),
    ),
    st.sampled_from(["a", "b", 'a<"b"', "(a==1|b==1)"]),
)
QUERIES = st.builds(
    lambda terms, attrs, offset, limit, count: (
        {"type": "Sensor", "offset": str(offset), "limit": str(limit), "count": count}
        | ({"q": ";".join(terms)} if terms else {})
        | ({"attrs": attrs} if attrs else {})
    ),
    st.lists(TERMS, max_size=3),
    st.sampled_from(["", "a", "a,b"]),
    st.integers(0, 4),
    st.integers(1, 6),
    st.sampled_from(["true", "false"]),
)


def mutation(what: str, number: int, name: str, value: Json) -> Mutation:
    """A write of the test."""
    entity_id = f"urn:ngsi-ld:Sensor:{number}"
    said = {name: {"type": "Property", "value": value}}
    if what == "create":
        return create(number, **said)
    if what == "append":
        return append(number, **said)
    if what == "replace":
        return change.replace(read_entity(sensor(number, **said), CORE_CONTEXT), if_missing_create=True)
    if what == "drop":
        return change.delete_attribute(entity_id, name)
    if what == "list":
        return append(number, **{name: {"type": "Property", "value": [value, 1]}})
    if what == "retype":
        kind = "Other" if number % 2 else "Sensor"
        return change.append(entity_id, read_fragment({"type": kind, **said}, CORE_CONTEXT))
    return change.delete(entity_id)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(WRITES, st.lists(QUERIES, min_size=1, max_size=4)), min_size=1, max_size=4))
def test_columns_and_sql_agree_after_any_writes(
    story: list[tuple[Sequence[tuple[str, int, str, Json]], list[dict[str, str]]]],
) -> None:
    async def body() -> None:
        with tempfile.TemporaryDirectory() as folder:
            store = await SqliteStore.open(Path(folder) / "s.sqlite3", HubConfig())
            try:
                for number in (2, 3, 5, 6):
                    await apply(store, create(number, a=number / 2, b="a"))
                await apply(
                    store, change.create(read_entity({"id": "urn:ngsi-ld:Sensor:4", "type": "Other"}, CORE_CONTEXT))
                )
                await learn(store, "a==1;b==1", "a==1", "b==1")
                for writes, queries in story:
                    await asyncio.gather(*(apply(store, mutation(*one)) for one in writes))
                    for said in queries:
                        query = parse_query(said)
                        ours, theirs = await by_columns(store, query), await by_sql(store, query)
                        assert (ours.bodies, ours.more, ours.total) == (theirs.bodies, theirs.more, theirs.total), said
            finally:
                await store.close()

    run(body)


def test_a_slow_first_query_builds_columns_and_those_that_wait_are_answered_from_them(tmp_path: Path) -> None:
    async def body() -> None:
        store = await SqliteStore.open(tmp_path / "s.sqlite3", HubConfig())
        try:
            await asyncio.gather(*(apply(store, create(n, a=n, b=n % 7)) for n in range(5_000)))
            asked = [parse_query({"type": "Sensor", "q": f"a>={n};a<{n + 1};b!=9"}) for n in range(4_000, 4_040)]
            pages = await asyncio.gather(*(store.query("one", query) for query in asked))
            assert [[one.id for one in page.entities] for page in pages] == [
                [f"urn:ngsi-ld:Sensor:{n}"] for n in range(4_000, 4_040)
            ]
            assert store._columns._rows
            await apply(store, append(4_999, a=4_000.5))
            [first, second] = (await store.query("one", asked[0])).entities
            assert (first.id, second.id) == ("urn:ngsi-ld:Sensor:4000", "urn:ngsi-ld:Sensor:4999")
        finally:
            await store.close()

    run(body)


def test_columns_stay_within_their_memory(tmp_path: Path) -> None:
    async def body() -> None:
        store = await SqliteStore.open(tmp_path / "s.sqlite3", HubConfig(column_bytes=1_000))
        try:
            await asyncio.gather(*(apply(store, create(n, a=n)) for n in range(200)))
            for _ in range(4):
                page = await store.query("one", parse_query({"type": "Sensor", "q": "a==150"}))
                await asyncio.gather(*store._tasks)
                assert [one.id for one in page.entities] == ["urn:ngsi-ld:Sensor:150"]
            assert not store._columns._rows
        finally:
            await store.close()

    run(body)
