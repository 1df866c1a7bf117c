"""A hub on a fresh file, and ways to open it."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from madang.hub.config import HubConfig
from madang.hub.http.app import HubApp
from madang.hub.hub import Hub
from tests.hub import postgres_server
from tests.hub.client import Client, run
from tests.hub.postgres_server import Server

OpenHub = Callable[..., AbstractAsyncContextManager[Hub]]
OpenClient = Callable[..., AbstractAsyncContextManager[Client]]


@pytest.fixture(scope="session")
def fresh_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with all its tables and nothing in them: copying it is quicker than making it."""
    path = tmp_path_factory.mktemp("hub") / "fresh.sqlite3"

    async def make() -> None:
        await (await Hub.open(HubConfig(store=str(path)))).close()

    run(make)
    return path


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """A running PostgreSQL with PostGIS in its template, and a template of a hub with all its tables."""
    reason = postgres_server.missing()
    if reason:
        pytest.skip(reason)
    with postgres_server.server() as server:
        with psycopg.connect(server.address("template1"), autocommit=True) as connection:
            connection.execute("CREATE EXTENSION postgis")
            connection.execute("CREATE DATABASE fresh_hub")

        async def make() -> None:
            await (await Hub.open(HubConfig(store=server.address("fresh_hub")))).close()

        run(make)
        yield server


@pytest.fixture
def postgres_database(postgres: Server) -> str:
    """The address of a hub store with all its tables and nothing in them."""
    address = postgres.address("fresh_hub")
    postgres_server.empty(address)
    return address


BOTH_STORES = {
    "test_4_5_5_multi_attributes",
    "test_4_8_system_times",
    "test_4_22_expiry",
    "test_5_6_1_create_entity",
    "test_5_6_8_batch_upsert",
    "test_5_6_17_merge_entity",
    "test_5_6_21_purge_entities",
    "test_5_8_6_notification",
    "test_query_over_http",
}
"""Modules whose tests run on PostgreSQL too: those that ask most of a store. MADANG_TEST_STORE=postgresql runs all."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Chooses the stores of tests that open a hub."""
    if "store_kind" not in metafunc.fixturenames:
        return
    both = metafunc.module.__name__.rpartition(".")[2] in BOTH_STORES
    clustered = pytest.param("postgresql", marks=pytest.mark.integration)
    if os.environ.get("MADANG_TEST_STORE") == "postgresql":
        metafunc.parametrize("store_kind", [clustered])
    else:
        metafunc.parametrize("store_kind", ["sqlite", clustered] if both else ["sqlite"])


@pytest.fixture
def store_address(request: pytest.FixtureRequest, store_kind: str, tmp_path: Path) -> str:
    """What `HubConfig.store` says in this test: a fresh file, or an empty PostgreSQL."""
    if store_kind == "postgresql":
        address: str = request.getfixturevalue("postgres_database")
        return address
    shutil.copyfile(request.getfixturevalue("fresh_store"), tmp_path / "hub.sqlite3")
    return str(tmp_path / "hub.sqlite3")


@pytest.fixture
def open_hub(store_address: str, tmp_path: Path) -> OpenHub:
    """Opens the hub of this test; opened again, it is the same store."""

    @asynccontextmanager
    async def opened(**settings: Any) -> AsyncIterator[Hub]:  # Any: configuration values
        clock = settings.pop("clock", None)
        settings.setdefault("history", str(tmp_path / "history"))
        config = HubConfig(store=store_address, **settings)
        hub = await (Hub.open(config) if clock is None else Hub.open(config, clock))
        try:
            yield hub
        finally:
            await hub.close()

    return opened


@pytest.fixture
def open_client(open_hub: OpenHub) -> OpenClient:
    """A client of an open-mode hub."""

    @asynccontextmanager
    async def opened(**settings: Any) -> AsyncIterator[Client]:  # Any: configuration values
        owned = settings.pop("owned_types", ())
        async with open_hub(**settings) as hub:
            yield Client(HubApp(hub, None, owned, open_mode=True, bound_host="127.0.0.1"))

    return opened
