"""A hub on a fresh file, and ways to open it."""

from __future__ import annotations

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
    return postgres.database("fresh_hub")


@pytest.fixture
def open_hub(tmp_path: Path, fresh_store: Path) -> OpenHub:
    """Opens the hub of this test; opened again, it is the same file."""
    shutil.copyfile(fresh_store, tmp_path / "hub.sqlite3")

    @asynccontextmanager
    async def opened(**settings: Any) -> AsyncIterator[Hub]:  # Any: configuration values
        clock = settings.pop("clock", None)
        config = HubConfig(store=str(tmp_path / "hub.sqlite3"), **settings)
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
