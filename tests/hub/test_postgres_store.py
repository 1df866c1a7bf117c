"""The clustered store keeps the contract, and what only it must: several processes, lost servers, waking each other."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from madang.hub.config import HubConfig
from madang.hub.sqlite.store import SqliteStore
from madang.hub.store import Store
from madang.kernel.clock import Clock, system_clock
from tests.hub.store_contract import OpenStore, StoreContract

pytestmark = pytest.mark.integration


@asynccontextmanager
async def opened(address: str, config: HubConfig, clock: Clock = system_clock) -> AsyncIterator[Store]:
    from madang.hub.postgres.store import PostgresStore

    store = await PostgresStore.open(address, config, clock)
    try:
        yield store
    finally:
        await store.close()


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
