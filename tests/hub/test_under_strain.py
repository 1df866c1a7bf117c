"""The hub under strain: thousands of connections, readers that never read, a full disk, many tenants, odd clocks."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import resource
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest

from madang.hub.config import HubConfig
from madang.hub.http.app import HubApp
from madang.hub.hub import Hub
from madang.hub.sqlite.store import SqliteStore
from tests.hub.client import Client, run, sensor
from tests.hub.conftest import OpenClient, OpenHub
from tests.hub.store_contract import apply, create

ROOT = Path(__file__).parents[2]
CONNECTIONS = 5_000


@contextlib.asynccontextmanager
async def closing(hub: Hub) -> AsyncIterator[None]:
    """Closes a hub in the end."""
    try:
        yield
    finally:
        await hub.close()


class Served:
    """A hub in a process of its own."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self.process = process
        self.port = port

    def ask(self, method: str, path: str, body: object = None) -> tuple[int, bytes]:
        """One request on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        with contextlib.closing(connection):
            sent = None if body is None else orjson.dumps(body)
            connection.request(method, f"/ngsi-ld/v1{path}", sent, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            return answer.status, answer.read()

    def held_mb(self) -> float:
        """Resident memory."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS")) / 1024


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    command = [sys.executable, "-m", "tests.hub.serving_child", str(tmp_path / "hub.sqlite3")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdout is not None
        try:
            port = int(process.stdout.readline())
            yield Served(process, port)
        finally:
            process.terminate()
            process.wait(20)


@pytest.fixture
def many_files() -> Iterator[None]:
    """Room for this process's own ends of all the connections."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < CONNECTIONS + 500:
        pytest.skip(f"at most {hard} files may be open here (raise `ulimit -Hn`)")
    resource.setrlimit(resource.RLIMIT_NOFILE, (CONNECTIONS + 500, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures("many_files")
def test_five_thousand_idle_connections_starve_nobody(served: Served) -> None:
    assert served.ask("POST", "/entities", sensor(1, a=1))[0] == 201
    with contextlib.ExitStack() as idle:
        sockets = [idle.enter_context(socket.create_connection(("127.0.0.1", served.port))) for _ in range(CONNECTIONS)]
        for number in range(2, 22):
            assert served.ask("POST", "/entities", sensor(number, a=number))[0] == 201
            assert served.ask("GET", f"/entities/urn:ngsi-ld:Sensor:{number}")[0] == 200
        for one in sockets[:: CONNECTIONS // 50]:
            one.sendall(b"GET /ngsi-ld/v1/entities/urn:ngsi-ld:Sensor:1 HTTP/1.1\r\nHost: x\r\n\r\n")
            assert one.recv(12) == b"HTTP/1.1 200"
    assert served.held_mb() < 400


def test_readers_that_never_read_hold_no_more_than_their_answer_and_delay_nobody(served: Served) -> None:
    large = [sensor(number, text="x" * 10_000) for number in range(400)]
    assert served.ask("POST", "/entityOperations/create", large)[0] == 201
    status, page = served.ask("GET", "/entities?type=Sensor&limit=400")
    assert status == 200
    before = served.held_mb()
    stalled = 20
    with contextlib.ExitStack() as held:
        for _ in range(stalled):
            one = held.enter_context(socket.socket())
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            one.connect(("127.0.0.1", served.port))
            request = b"GET /ngsi-ld/v1/entities?type=Sensor&limit=400 HTTP/1.1\r\nHost: x\r\n\r\n"
            one.sendall(request * 50)
        for number in range(400, 440):
            assert served.ask("POST", "/entities", sensor(number, a=1))[0] == 201
        grown = served.held_mb() - before
    assert grown < 2 * stalled * len(page) / 1e6 + 50


def test_on_a_full_disk_writes_are_refused_nothing_is_half_kept_and_it_goes_on_once_there_is_room(
    tmp_path: Path,
) -> None:
    async def body() -> None:
        hub = await Hub.open(HubConfig(store=str(tmp_path / "full.sqlite3")))
        client = Client(HubApp(hub, None, (), open_mode=True, bound_host="127.0.0.1"))
        store = hub.store
        assert isinstance(store, SqliteStore)
        async with closing(hub):
            assert (await client.post("/entities", sensor(1, a=1))).status == 201
            store.writer.pragma("max_page_count", int(store.writer.pragma("page_count")))
            large = sensor(2, a="x" * 50_000)
            refused = await client.post("/entities", large)
            assert refused.status == 503
            assert (await client.get("/entities/urn:ngsi-ld:Sensor:1")).status == 200
            assert (await client.get("/entities/urn:ngsi-ld:Sensor:2")).status == 404
            assert (await client.get("/entities", "type=Sensor&q=a~=x")).json == []
            found, _ = await store.changes("open", None, 10)
            assert [one.entity_id for one in found] == ["urn:ngsi-ld:Sensor:1"]
            store.writer.pragma("max_page_count", 1_000_000)
            assert (await client.post("/entities", large)).status == 201
            found, _ = await store.changes("open", None, 10)
            assert [one.entity_id for one in found] == ["urn:ngsi-ld:Sensor:1", "urn:ngsi-ld:Sensor:2"]

    run(body)


def test_a_thousand_tenants_are_there_at_once_after_a_start(tmp_path: Path) -> None:
    async def body() -> None:
        path = tmp_path / "many.sqlite3"
        store = await SqliteStore.open(path, HubConfig())
        await asyncio.gather(*(apply(store, create(1, a=n), tenant=f"city{n}") for n in range(1_000)))
        await store.close()
        began = time.monotonic()
        store = await SqliteStore.open(path, HubConfig())
        try:
            assert time.monotonic() - began < 5  # half a minute is what others take; here it is 0.1 s
            for number in (0, 500, 999):
                stored = await store.retrieve(f"city{number}", "urn:ngsi-ld:Sensor:1")
                assert stored is not None
                assert stored.attributes()["a"]["value"] == number
            assert len({store.number(f"city{n}") for n in range(1_000)}) == 1_000
        finally:
            await store.close()

    run(body)


def test_a_tenant_is_the_same_in_any_letter_case(open_client: OpenClient) -> None:
    async def body() -> None:
        async with open_client() as client:
            upper, lower = [("NGSILD-Tenant", "Gimhae")], [("NGSILD-Tenant", "gimhae")]
            assert (await client.post("/entities", sensor(1, a=1), headers=upper)).status == 201
            assert (await client.get("/entities/urn:ngsi-ld:Sensor:1", headers=lower)).status == 200
            assert (await client.post("/entities", sensor(1, a=1), headers=lower)).status == 409

    run(body)


def test_time_goes_on_where_it_stood_when_the_clock_steps_back_over_a_restart(open_hub: OpenHub) -> None:
    async def body() -> None:
        noon = datetime(2026, 11, 22, 12, tzinfo=UTC)
        async with open_hub(clock=lambda: noon, feed_keep_days=10_000) as hub:
            await hub.upsert("one", [sensor(1, a=1)], source="s")
        async with open_hub(clock=lambda: noon - timedelta(hours=3), feed_keep_days=10_000) as hub:
            await hub.upsert("one", [sensor(1, a=2)], source="s")
            found, _ = await hub.changes("one", None)
            assert [one.at for one in found] == [noon, noon]
            stored = await hub.retrieve("one", "urn:ngsi-ld:Sensor:1")
            assert stored is not None
            assert stored.modified_ms == stored.created_ms

    run(body)
