"""The clustered store keeps the contract, and what only it must: several processes, lost servers, waking each other."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager, contextmanager
from pathlib import Path

import pytest

from madang.hub import changes as change
from madang.hub.config import HubConfig
from madang.hub.contexts.context import CORE_CONTEXT
from madang.hub.entity import Json, read_entity
from madang.hub.errors import StoreUnavailableError, TooComplexQueryError
from madang.hub.feed import FeedChange
from madang.hub.query import parse_query
from madang.hub.sqlite.store import SqliteStore
from madang.hub.store import Observed, Store, WriteTx
from madang.kernel.clock import Clock, system_clock
from tests.hub import postgres_server
from tests.hub.client import run
from tests.hub.postgres_server import Server
from tests.hub.store_contract import OpenStore, StoreContract, apply, create

ROOT = Path(__file__).parents[2]
SHARED = "urn:ngsi-ld:Sensor:shared"

pytestmark = pytest.mark.integration


@asynccontextmanager
async def opened(address: str, config: HubConfig, clock: Clock = system_clock) -> AsyncIterator[Store]:
    from madang.hub.postgres.store import PostgresStore

    store = await PostgresStore.open(address, config, clock)
    try:
        yield store
    finally:
        await store.close()


@pytest.fixture(scope="module")
def own_server() -> Iterator[Server]:
    """A server of this module's own, to be stopped and started."""
    if reason := postgres_server.missing():
        pytest.skip(reason)
    with postgres_server.server(fsync="on") as server:
        yield server


class TestPostgresStore(StoreContract):
    @pytest.fixture
    def open_store(self, postgres_database: str) -> OpenStore:
        return lambda config, clock: opened(postgres_database, config, clock)

    def open_copy(self, path: Path) -> AbstractAsyncContextManager[Store]:
        @asynccontextmanager
        async def copy() -> AsyncIterator[Store]:
            store = await SqliteStore.open(path, HubConfig())
            try:
                yield store
            finally:
                await store.close()

        return copy()


@contextmanager
def child(address: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Another hub process."""
    command = [sys.executable, "-m", "tests.hub.postgres_child", address, *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def lines(process: subprocess.Popen[str]) -> list[str]:
    """All it said, once it has ended well."""
    assert process.stdout is not None
    said = process.stdout.read().split()
    assert process.wait(60) == 0
    return said


def said_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


async def eventually(holds: Callable[[], Awaitable[bool]], seconds: float = 20) -> None:
    """Waits for something to come true."""
    async with asyncio.timeout(seconds):
        while not await holds():
            await asyncio.sleep(0.01)


def shared_entity(**attributes: int) -> change.Mutation:
    return change.create(read_entity({"id": SHARED, "type": "Sensor", **attributes}, CORE_CONTEXT, simplified=True))


def test_64_writers_in_4_processes_lose_no_update_of_one_entity(postgres_database: str) -> None:
    async def body() -> None:
        async with opened(postgres_database, HubConfig()) as store:
            await apply(store, shared_entity())
            with ExitStack() as stack:
                names = "abcd"
                children = [stack.enter_context(child(postgres_database, "counts", "16", "3", n)) for n in names]
                said = [await asyncio.to_thread(lines, one) for one in children]
            acknowledged = {label for labels in said for label in labels}
            assert len(acknowledged) == 64 * 3
            found, _ = await store.changes("one", None, 10_000)
            assert {name for one in found[1:] for name in one.attributes()} == acknowledged
            assert len(found) == 1 + len(acknowledged)

            async def all_there() -> bool:
                stored = await store.retrieve("one", SHARED)
                assert stored is not None
                return stored.attributes().keys() == acknowledged and stored.version == 1 + len(acknowledged)

            await eventually(all_there)

    run(body)


def test_the_feed_skips_nothing_while_slow_and_quick_processes_write(postgres_database: str) -> None:
    async def body() -> None:
        async with opened(postgres_database, HubConfig()) as store:
            await apply(store, create(1))
            cursor = store.latest_cursor("one")
            seen: list[FeedChange] = []
            with ExitStack() as stack:
                children = [stack.enter_context(child(postgres_database, "feeds", "8", "40", n)) for n in "abc"]
                ended = asyncio.gather(*(asyncio.to_thread(lines, one) for one in children))
                while not ended.done():
                    page, cursor = await store.changes("one", cursor, 100)
                    seen += page
                    await asyncio.sleep(0)
                acknowledged = {entity_id for labels in await ended for entity_id in labels}
            page, cursor = await store.changes("one", cursor, 10_000)
            seen += page
            assert len(seen) == len(acknowledged) == 3 * 8 * 40
            assert {one.entity_id for one in seen} == acknowledged
            assert [one.at for one in seen] == sorted(one.at for one in seen)
            everything, last = await store.changes("one", None, 10_000)
            assert everything[1:] == seen
            assert last == cursor == store.latest_cursor("one")

    run(body)


def test_what_another_process_commits_is_seen_here_and_wakes_whoever_listens(postgres_database: str) -> None:
    async def body() -> None:
        async with opened(postgres_database, HubConfig()) as store:
            await apply(store, shared_entity(n=0))
            heard = asyncio.Event()
            store.listen("bell", heard.set)
            with child(postgres_database, "wake", "bell") as process:
                assert await asyncio.to_thread(said_line, process) == "ready"
                assert process.stdin is not None
                for number in range(1, 4):
                    assert await store.retrieve("one", SHARED) is not None
                    stamp = store.stamp("one")
                    process.stdin.write("\n")
                    process.stdin.flush()
                    await asyncio.wait_for(heard.wait(), 10)
                    heard.clear()
                    stored = await store.retrieve("one", SHARED)
                    assert stored is not None
                    assert stored.attributes()["n"]["value"] == number
                    assert store.stamp("one") != stamp
                    assert await asyncio.to_thread(said_line, process) == str(number)

    run(body)


def test_a_type_another_process_made_known_is_found_at_once(postgres_database: str) -> None:
    async def body() -> None:
        async with opened(postgres_database, HubConfig()) as one, opened(postgres_database, HubConfig()) as other:
            for number in range(20):
                entity = {"id": f"urn:x:{number}", "type": f"Type{number}", f"attribute{number}": number}
                await apply(one, change.create(read_entity(entity, CORE_CONTEXT, simplified=True)))
                assert await other.retrieve("one", f"urn:x:{number}") is not None
                page = await other.query("one", parse_query({"type": f"Type{number}"}))
                assert [found.id for found in page.entities] == [f"urn:x:{number}"]

    run(body)


def test_nothing_is_refused_for_what_was_only_remembered(postgres_database: str) -> None:
    async def body() -> None:
        async with opened(postgres_database, HubConfig()) as one, opened(postgres_database, HubConfig()) as other:
            for _ in range(20):
                assert isinstance(await apply(one, create(1)), change.Effect)
                assert await one.retrieve("one", "urn:ngsi-ld:Sensor:1") is not None
                assert isinstance(await apply(other, change.delete("urn:ngsi-ld:Sensor:1")), change.Effect)

    run(body)


def test_a_lease_goes_to_another_process_when_its_holder_dies(postgres_database: str) -> None:
    async def body() -> None:
        async with opened(postgres_database, HubConfig()) as store:
            with child(postgres_database, "hold", "rolling") as holder:
                assert await asyncio.to_thread(said_line, holder) == "held"
                async with store.lease("rolling") as lease, store.lease("delivery") as other:
                    await asyncio.wait_for(other.acquired(), 10)
                    assert not lease.held
                    holder.kill()
                    await asyncio.wait_for(lease.acquired(), 20)
                    assert lease.held

    run(body)


def test_an_observer_writes_in_the_same_transaction_and_knows_positions(postgres_database: str) -> None:
    async def body() -> None:
        async with opened(postgres_database, HubConfig()) as store:

            def observer(tx: WriteTx, tenant: str, seen: Sequence[Observed]) -> None:
                for one in seen:
                    if one.entity_id == "urn:ngsi-ld:Sensor:13":
                        raise RuntimeError("no")
                    tx.session.execute("INSERT INTO meta VALUES (?, ?)", (f"{tenant}.{one.seq}", one.entity_id))

            store.observe(observer)
            jobs = [apply(store, create(n)) for n in (1, 2, 13, 3)]
            results = await asyncio.gather(*jobs, return_exceptions=True)
            assert [type(one) for one in results].count(RuntimeError) == 1
            noted = await store.read(
                lambda session: session.execute("SELECT name, value FROM meta WHERE name LIKE ?", ("one.%",))
            )
            changes = await store.read(
                lambda session: session.execute(
                    "SELECT 'one.' || c.seq, e.id FROM change c JOIN entity e ON e.key = c.key"
                )
            )
            assert sorted(noted) == sorted(changes)
            assert len(noted) == 3

    run(body)


def test_a_query_that_takes_too_long_is_ended_and_told(postgres_database: str) -> None:
    async def body() -> None:
        async with opened(postgres_database, HubConfig(query_timeout_s=0.2)) as store:
            with pytest.raises(TooComplexQueryError, match=r"0\.2 s"):
                await store.read(lambda session: session.execute("SELECT pg_sleep(5)"))
            await apply(store, create(1))
            assert await store.retrieve("one", "urn:ngsi-ld:Sensor:1") is not None

    run(body)


def test_texts_that_postgresql_cannot_hold_are_kept_and_found(postgres_database: str) -> None:
    async def body() -> None:
        async with opened(postgres_database, HubConfig(indexed_attributes=("name",))) as store:
            odd = {"name": "a\0b\\u0000c\\\\\0", "long": "x" * 20_000, "big": 2**63 - 1}
            entity: dict[str, Json] = {"id": "urn:x:" + "가" * 2_000, "type": "T" * 2_000, **odd}
            await apply(store, change.create(read_entity(entity, CORE_CONTEXT, simplified=True)), source="s\0")
            stored = await store.retrieve("one", entity["id"])
            assert stored is not None
            assert {name: one["value"] for name, one in stored.attributes().items()} == odd
            assert len((await store.query("one", parse_query({"q": "big>1"}))).entities) == 1
            assert (await store.changes("one", None, 1))[0][0].attributes()["name"]["value"] == odd["name"]

    run(body)


def test_a_server_restarted_mid_write_loses_nothing_acknowledged(own_server: Server) -> None:
    address = own_server.database()

    async def body() -> None:
        async with opened(address, HubConfig()) as store:
            await apply(store, create(0))
            acknowledged: list[str] = []
            refused: list[BaseException] = []
            stopping = asyncio.Event()

            async def write(writer: int) -> None:
                step = 0
                while not stopping.is_set():
                    step += 1
                    number = writer * 100_000 + step
                    try:
                        outcome = await apply(store, create(number))
                    except StoreUnavailableError as error:
                        refused.append(error)
                        await asyncio.sleep(0.05)
                    else:
                        assert isinstance(outcome, change.Effect), outcome
                        acknowledged.append(f"urn:ngsi-ld:Sensor:{number}")

            writers = [asyncio.create_task(write(one)) for one in range(1, 9)]

            async def more_than(count: int) -> bool:
                return len(acknowledged) > count

            for _ in range(2):
                before = len(acknowledged)
                await eventually(lambda before=before: more_than(before + 200))  # type: ignore[misc] # a default binds it
                await asyncio.to_thread(own_server.stop)
                await asyncio.to_thread(own_server.start)
            before = len(acknowledged)
            await eventually(lambda: more_than(before + 100))
            stopping.set()
            await asyncio.gather(*writers)
            found, cursor = await store.changes("one", None, 1_000_000)
            in_feed = [one.entity_id for one in found]
            assert len(in_feed) == len(set(in_feed))
            assert set(in_feed) >= set(acknowledged)
            for entity_id in acknowledged[::50]:
                assert await store.retrieve("one", entity_id) is not None
            assert cursor == store.latest_cursor("one")

    run(body)


def test_a_server_that_is_away_is_told_plainly_and_missed_news_are_caught_up(own_server: Server) -> None:
    address = own_server.database()

    async def body() -> None:
        async with opened(address, HubConfig()) as store:
            await apply(store, create(1))
            heard = asyncio.Event()
            store.listen("bell", heard.set)
            await asyncio.to_thread(own_server.stop)
            with pytest.raises(StoreUnavailableError) as told:
                await apply(store, create(2))
            assert told.value.status == 503
            assert "madang@" not in str(told.value)
            await asyncio.to_thread(own_server.start)
            await asyncio.wait_for(heard.wait(), 20)
            assert isinstance(await apply(store, create(2)), change.Effect)
            assert await store.retrieve("one", "urn:ngsi-ld:Sensor:1") is not None

    run(body)
