"""The embedded store keeps the contract, and what only it must: one owner, schema versions, crashes, power cuts."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import apsw
import pytest

from madang.hub import changes as change
from madang.hub.config import HubConfig
from madang.hub.contexts.context import CORE_CONTEXT
from madang.hub.entity import read_fragment
from madang.hub.errors import StoreRefusedError, StoreUnavailableError
from madang.hub.query import parse_query
from madang.hub.sqlite.store import SqliteStore
from madang.hub.store import Store
from madang.kernel.clock import Clock, system_clock
from tests.hub.client import run, sensor, spot
from tests.hub.conftest import OpenHub
from tests.hub.store_contract import OpenStore, StoreContract, apply, create

ROOT = Path(__file__).parents[2]


@asynccontextmanager
async def opened(path: Path, config: HubConfig, clock: Clock = system_clock) -> AsyncIterator[Store]:
    store = await SqliteStore.open(path, config, clock)
    try:
        yield store
    finally:
        await store.close()


class TestSqliteStore(StoreContract):
    @pytest.fixture
    def open_store(self, tmp_path: Path) -> OpenStore:
        return lambda config, clock: opened(tmp_path / "store.sqlite3", config, clock)

    def open_copy(self, path: Path) -> AbstractAsyncContextManager[Store]:
        return opened(path, HubConfig())


def test_a_second_owner_is_refused(tmp_path: Path) -> None:
    async def body() -> None:
        async with opened(tmp_path / "s.sqlite3", HubConfig()):
            with pytest.raises(StoreRefusedError, match="another process"):
                await SqliteStore.open(tmp_path / "s.sqlite3", HubConfig())
        async with opened(tmp_path / "s.sqlite3", HubConfig()) as store:
            assert await store.retrieve("one", "urn:x:1") is None

    run(body)


def test_a_newer_schema_is_refused_and_left_alone(tmp_path: Path) -> None:
    async def body() -> None:
        path = tmp_path / "s.sqlite3"
        async with opened(path, HubConfig()) as store:
            await apply(store, create(1))
        connection = apsw.Connection(str(path))
        connection.execute("PRAGMA user_version = 99")
        connection.close()
        with pytest.raises(StoreRefusedError, match="version 99"):
            await SqliteStore.open(path, HubConfig())
        connection = apsw.Connection(str(path))
        assert connection.pragma("user_version") == 99
        connection.close()

    run(body)


def test_declared_attributes_get_and_lose_their_index(tmp_path: Path) -> None:
    async def body() -> None:
        path = tmp_path / "s.sqlite3"
        for declared in (("speed",), ("speed", "한글"), ()):
            async with opened(path, HubConfig(indexed_attributes=declared)) as store:
                assert isinstance(store, SqliteStore)
                sql = "SELECT name FROM sqlite_schema WHERE name LIKE 'entity_by_%' AND name <> 'entity_by_id'"
                found = {row[0] for row in store.writer.execute(sql)}
                assert found == {f"entity_by_{name}" for name in declared}

    run(body)


def test_the_spatial_index_is_left_alone_unless_geometry_changes(tmp_path: Path) -> None:
    async def body() -> None:
        async with opened(tmp_path / "s.sqlite3", HubConfig()) as store:
            assert isinstance(store, SqliteStore)
            await apply(store, create(1, location=spot(1, 1), a=1))
            touched: set[str | None] = set()

            def note(_operation: int, table: str | None, *_: str | None) -> int:
                touched.add(table)
                return apsw.SQLITE_OK

            store.writer.set_authorizer(note)
            moved = read_fragment({"a": 2, "location": spot(1, 1)}, CORE_CONTEXT)
            await apply(store, change.append("urn:ngsi-ld:Sensor:1", moved))
            assert "entity" in touched
            assert "place" not in touched
            store.writer.set_authorizer(None)

    run(body)


def test_a_store_that_cannot_be_written_says_so_and_goes_on(tmp_path: Path) -> None:
    async def body() -> None:
        async with opened(tmp_path / "s.sqlite3", HubConfig()) as store:
            assert isinstance(store, SqliteStore)
            await apply(store, create(1))
            pages = int(store.writer.pragma("page_count"))
            store.writer.pragma("max_page_count", pages)
            results = await asyncio.gather(
                *(apply(store, create(n, a="x" * 5000)) for n in range(2, 40)), return_exceptions=True
            )
            assert any(isinstance(one, StoreUnavailableError) for one in results)
            assert await store.retrieve("one", "urn:ngsi-ld:Sensor:1") is not None
            store.writer.pragma("max_page_count", 1_000_000)
            await apply(store, create(50))
            found, _ = await store.changes("one", None, 100)
            kept = [n for n, one in enumerate(results, 2) if not isinstance(one, BaseException)]
            assert len(found) == 2 + len(kept)
            assert await store.retrieve("one", "urn:ngsi-ld:Sensor:50") is not None

    run(body)


@pytest.mark.parametrize("disk", ["disk", "dropping"])
def test_what_was_acknowledged_survives_a_crash(open_hub: OpenHub, tmp_path: Path, disk: str) -> None:
    """Killed without warning, and on a machine that also loses what was not yet synced."""
    everything: set[str] = set()
    for _ in range(3):
        command = [sys.executable, "-m", "tests.hub.durable_child", str(tmp_path / "hub.sqlite3"), disk]
        with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as child:
            assert child.stdout is not None
            said = []
            if disk == "disk":
                said = [child.stdout.readline() for _ in range(400)]
                child.kill()
            said += child.stdout.read().splitlines(keepends=True)
        acknowledged = {line.decode().strip() for line in said if line.endswith(b"\n")}
        assert len(acknowledged) >= 100
        everything |= acknowledged

        async def body(everything: frozenset[str] = frozenset(everything)) -> None:
            async with open_hub() as hub:
                for entity_id in everything:
                    assert await hub.retrieve("one", entity_id) is not None, entity_id
                count = parse_query({"type": "T", "count": "true", "limit": "0"})
                found, cursor = await hub.changes("one", None, 1_000_000)
                in_feed = {one.entity_id for one in found}
                assert in_feed >= everything
                assert (await hub.query("one", count)).total == len(in_feed) == len(found)
                assert cursor == hub.latest_cursor("one")

        run(body)


def test_hub_upserts_and_ingests_and_keeps_bad_ones_aside(open_hub: OpenHub) -> None:
    async def body() -> None:
        async with open_hub() as hub:
            result = await hub.upsert("Gimhae", [sensor(1, a=1), {"id": "urn:x:1"}], source="s")
            assert result.created == ("urn:ngsi-ld:Sensor:1",)
            assert [one.entity_id for one in result.errors] == ["urn:x:1"]
            result = await hub.ingest(
                "GIMHAE", [sensor(1, b=2), {"id": "bad"}, {"id": "urn:x:2", "type": "T", "v": 1}], source="s"
            )
            assert result.success == ("urn:x:2", "urn:ngsi-ld:Sensor:1")
            assert [one.entity_id for one in result.errors] == ["bad"]
            assert (await hub.reject_summary("gimhae")).by_source == {"s": 1}
            await hub.reject("gimhae", "t", "not even JSON", b"\xff")
            assert (await hub.reject_summary("gimhae")).latest[0].raw == b"\xff"

    run(body)
