"""Servers for `hub_http`: the hub, and the plain ASGI handlers it is held against. Run as a subprocess.

`python -m benchmarks.hub_server hub|bare STORE [indexed attribute]` prints its port and serves until killed; STORE is a
file or a PostgreSQL address.

The bare handlers do what must be done and nothing else: create decodes, checks the fields that NGSI-LD requires and
writes the same rows to the same tables with the same durability in the same kind of groups; retrieve and query return
bytes that lie ready. No routing, rights, tenants, parameters, contexts, media types, history of updates or errors.
Neither server moves changes into files of history meanwhile.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import socket
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import orjson
import uvicorn

from benchmarks.hub_rows import TENANT, BareWriter
from madang.hub.config import HubConfig
from madang.hub.http.app import HubApp
from madang.hub.hub import Hub
from madang.identity.rights import Actor, ActorKind, Deed, Role, TypeRight

App = Callable[[Any, Any, Any], Awaitable[None]]  # Any: ASGI
TOKEN = b"Bearer benchmark"
RETRIEVED = 10_000
"""Entities that are retrieved, of however many there are: they fit into the hub's memory of entities."""
ACTOR = Actor(
    "token:benchmark",
    ActorKind.TOKEN,
    "benchmark",
    {TENANT: frozenset({Role.API_CLIENT})},
    types=(TypeRight("*", frozenset(Deed)),),
)


async def authenticate(headers: Iterable[tuple[bytes, bytes]]) -> Actor | None:
    """A token looked up in memory."""
    return ACTOR if dict(headers).get(b"authorization") == TOKEN else None


class Bare:
    """The limit: see the module's docstring."""

    def __init__(self, store: str, indexed: tuple[str, ...]) -> None:
        self._in_thread = store.startswith("postgresql://")
        self._rows = _writer(store, indexed)
        self._commit = ThreadPoolExecutor(1)
        self._waiting: list[tuple[dict[str, Any], bytes, asyncio.Future[None]]] = []
        self._writing: asyncio.Task[None] | None = None
        self._bodies = {entity_id.encode(): body for entity_id, body in self._rows.first(RETRIEVED)}
        self._page = b"[" + b",".join([*self._bodies.values()][:20]) + b"]"

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        path: bytes = scope["raw_path"]
        if scope["method"] == "POST":
            message = await receive()
            body = message["body"]
            while message.get("more_body"):
                message = await receive()
                body += message["body"]
            await self._create(body, send)
        elif path == b"/ngsi-ld/v1/entities":
            await _answer(send, 200, self._page)
        else:
            await _answer(send, 200, self._bodies[path[21:]])

    async def _create(self, body: bytes, send: Any) -> None:
        entity = msgspec.json.decode(body)
        if not _valid(entity):
            await _answer(send, 400, b"")
            return
        done = asyncio.get_running_loop().create_future()
        self._waiting.append((entity, orjson.dumps(entity), done))
        if self._writing is None:
            self._writing = asyncio.get_running_loop().create_task(self._write())
        await done
        await _answer(send, 201, b"")

    async def _write(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            group, self._waiting = self._waiting, []
            rows = [(entity, kept) for entity, kept, _ in group]
            if self._in_thread:  # a client of a server: all of it waits
                await loop.run_in_executor(self._commit, self._rows.insert, rows)
            else:
                self._rows.insert(rows)
            await loop.run_in_executor(self._commit, self._rows.commit)
            for _, _, done in group:
                done.set_result(None)
        self._writing = None


def _writer(store: str, indexed: tuple[str, ...]) -> Any:  # Any: one of two writers
    if store.startswith("postgresql://"):
        from benchmarks import hub_postgres  # lazily: it needs psycopg

        return hub_postgres.BareWriter(store, indexed)
    return BareWriter(Path(store), indexed)


_VALUES = {"Property": "value", "Relationship": "object", "GeoProperty": "value"}


def _valid(entity: Any) -> bool:
    if not isinstance(entity, dict) or ":" not in entity.get("id", "") or not entity.get("type"):
        return False
    return all(
        name in ("id", "type")
        or (isinstance(value, dict) and value.get(_VALUES.get(value.get("type", ""), "")) is not None)
        for name, value in entity.items()
    )


async def _answer(send: Any, status: int, body: bytes) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def serve(app: App) -> None:
    """Serves on a free port of this machine and prints it."""
    listening = socket.socket()
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    listening.bind(("127.0.0.1", 0))
    config = uvicorn.Config(
        app, loop="uvloop", http="httptools", ws="none", lifespan="off", access_log=False, log_level="warning"
    )
    print(listening.getsockname()[1], flush=True)
    await uvicorn.Server(config).serve(sockets=[listening])


async def main(which: str, store: str, indexed: tuple[str, ...]) -> None:
    """Opens the store and serves."""
    if which == "bare":
        gc.set_threshold(50_000, 20, 10)  # as the hub has it
        await serve(Bare(store, indexed))
        return
    with tempfile.TemporaryDirectory() as past:
        # The first minute's round would move what was seeded into history: seconds of CPU of whatever is run just then.
        config = HubConfig(store=store, indexed_attributes=indexed, history=past, history_hot_rows=sys.maxsize)
        hub = await Hub.open(config)
        try:
            await serve(HubApp(hub, authenticate))
        finally:
            await hub.close()


if __name__ == "__main__":
    import uvloop

    with contextlib.suppress(KeyboardInterrupt):
        uvloop.run(main(sys.argv[1], sys.argv[2], tuple(sys.argv[3:])))
