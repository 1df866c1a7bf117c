"""Columns answer what PostgreSQL would, also when other processes write."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from unittest import mock

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from madang.hub import changes as change
from madang.hub.config import HubConfig
from madang.hub.contexts.context import CORE_CONTEXT
from madang.hub.entity import Json, read_entity
from madang.hub.postgres.store import PostgresStore
from madang.hub.query import Query, parse_query
from madang.hub.store import Page
from tests.hub import postgres_server
from tests.hub.client import run
from tests.hub.postgres_server import Server
from tests.hub.store_contract import append, apply, create
from tests.hub.test_columns import QUERIES, WRITES, mutation

pytestmark = pytest.mark.integration

Writes = Sequence[tuple[str, int, str, Json]]
Story = list[tuple[Writes, Writes, list[dict[str, str]]]]


@asynccontextmanager
async def opened(address: str, config: HubConfig | None = None) -> AsyncIterator[PostgresStore]:
    store = await PostgresStore.open(address, config or HubConfig())
    try:
        yield store
    finally:
        await store.close()


async def by_sql(store: PostgresStore, query: Query) -> Page:
    """What PostgreSQL says. The columns stay in place."""
    with (
        mock.patch.object(store._followed.columns, "covers", return_value=False),
        mock.patch.object(store._followed.columns, "find", return_value=None),
        mock.patch.object(store._followed.columns, "wish", return_value=None),
    ):
        return await store.query("one", query, bodies_only=True)


async def learn(store: PostgresStore, *texts: str) -> None:
    """Asks until columns are there."""
    for text in (*texts, *texts):
        await store.query("one", parse_query({"type": "Sensor", "q": text}))
        await asyncio.gather(*store._followed._tasks)
    assert store._followed.columns._rows


async def heard(speaker: PostgresStore, listener: PostgresStore) -> None:
    """Waits until one process has heard all that another has committed."""
    bell = asyncio.Event()
    stop = listener.listen("bell", bell.set)
    await speaker.write(lambda tx: tx.session.wake("bell"))
    await asyncio.wait_for(bell.wait(), 10)
    stop()


async def tell(one: PostgresStore, other: PostgresStore, story: Story) -> None:
    """Writes with two processes at once and compares what each remembers with what PostgreSQL says."""
    for number in (2, 3, 5, 6):
        await apply(one, create(number, a=number / 2, b="a"))
    await apply(one, change.create(read_entity({"id": "urn:ngsi-ld:Sensor:4", "type": "Other"}, CORE_CONTEXT)))
    await heard(one, other)
    for store in (one, other):
        await learn(store, "a==1;b==1", "a==1", "b==1")
    for mine, theirs, queries in story:
        jobs = [apply(one, mutation(*write)) for write in mine] + [apply(other, mutation(*write)) for write in theirs]
        await asyncio.gather(*jobs)
        await heard(one, other)
        await heard(other, one)
        for store in (one, other):
            for said in queries:
                query = parse_query(said)
                said_ours, said_theirs = await store.query("one", query, bodies_only=True), await by_sql(store, query)
                assert (said_ours.bodies, said_ours.more, said_ours.total) == (
                    said_theirs.bodies,
                    said_theirs.more,
                    said_theirs.total,
                ), said


@settings(max_examples=25, deadline=None)
@given(
    story=st.lists(st.tuples(WRITES, WRITES, st.lists(QUERIES, min_size=1, max_size=4)), min_size=1, max_size=4),
)
def test_columns_and_sql_agree_after_any_writes_of_two_processes(postgres: Server, story: Story) -> None:
    async def body() -> None:
        address = postgres.address("fresh_hub")
        postgres_server.empty(address)
        async with opened(address) as one, opened(address) as other:
            await tell(one, other, story)

    run(body)


def test_own_writes_are_in_the_next_answer_and_those_of_others_when_heard(postgres_database: str) -> None:
    async def body() -> None:
        async with opened(postgres_database) as one, opened(postgres_database) as other:
            for number in range(10):
                await apply(one, create(number, a=number))
            await heard(one, other)
            await learn(one, "a==1")
            rows = one._followed.columns._rows["one", "Sensor"]
            asked = parse_query({"type": "Sensor", "q": "a>=100", "limit": "1000"})
            for step in range(30):
                writer = other if step % 3 == 0 else one
                await apply(writer, append(step % 10, a=100 + step) if step < 20 else create(step, a=100 + step))
                if writer is other:
                    await heard(other, one)
                page = await one.query("one", asked, bodies_only=True)
                assert page.bodies == (await by_sql(other, asked)).bodies
                assert 100 + step in {orjson.loads(said)["a"]["value"] for said in page.bodies}
            assert one._followed.columns._rows["one", "Sensor"] is rows

    run(body)


def test_no_answer_holds_what_does_not_match_while_two_processes_write(postgres_database: str) -> None:
    async def body() -> None:
        async with opened(postgres_database, HubConfig(cache_bytes=5_000)) as one, opened(postgres_database) as other:
            for number in range(20):
                await apply(one, create(number, a=number))
            await heard(one, other)
            for store in (one, other):
                await learn(store, "a==1")
            writing = True

            async def write(store: PostgresStore, shift: int) -> None:
                for step in range(100):
                    await apply(store, append((step * 7 + shift) % 20, a=step % 10))

            async def ask(store: PostgresStore) -> int:
                asked = 0
                while writing:
                    low = asked % 10
                    page = await store.query("one", parse_query({"type": "Sensor", "q": f"a=={low}"}), bodies_only=True)
                    assert {orjson.loads(said)["a"]["value"] for said in page.bodies} <= {low}
                    asked += 1
                    await asyncio.sleep(0)
                return asked

            asking = [asyncio.create_task(ask(store)) for store in (one, other)]
            try:
                await asyncio.gather(write(one, 0), write(other, 3))
            finally:
                writing = False
            assert min(await asyncio.gather(*asking)) > 0
            await heard(one, other)
            await heard(other, one)
            for low in range(10):
                query = parse_query({"type": "Sensor", "q": f"a=={low}"})
                for store in (one, other):
                    page = await store.query("one", query, bodies_only=True)
                    assert page.bodies == (await by_sql(store, query)).bodies

    run(body)


def test_columns_are_not_used_where_a_process_no_longer_hears(postgres_database: str) -> None:
    async def body() -> None:
        async with opened(postgres_database) as one, opened(postgres_database) as other:
            await apply(one, create(1, a=1))
            await learn(one, "a==1", "a==2")
            asked = parse_query({"type": "Sensor", "q": "a==2"})
            assert one._listening is not None
            one._listening.stop()
            await asyncio.to_thread(one._listening.close)
            one._listening._heard_s = 0.0
            await heard(one, other)
            await apply(other, append(1, a=2))
            assert len((await one.query("one", asked)).entities) == 1
            one._on_lost()
            assert not one._followed.columns._rows

    run(body)


def test_columns_far_behind_are_read_anew(postgres_database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("madang.hub.postgres.following._BEHIND", 10)

    async def body() -> None:
        async with opened(postgres_database) as one, opened(postgres_database) as other:
            for number in range(20):
                await apply(one, create(number, a=number))
            await learn(one, "a==1")
            await heard(one, other)
            await asyncio.gather(*(apply(other, append(number, a=50)) for number in range(20)))
            await heard(other, one)
            asked = parse_query({"type": "Sensor", "q": "a==50", "count": "true"})
            for _ in range(3):
                assert (await one.query("one", asked)).total == 20
                await asyncio.gather(*one._followed._tasks)
            assert one._followed.columns._rows

    run(body)
