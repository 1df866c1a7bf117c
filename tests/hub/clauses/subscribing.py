"""Subscribing and being notified, for tests: an HTTP endpoint that notes what it gets, and a hub that may call it."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson

from madang.hub.http.app import HubApp
from madang.hub.hub import Hub
from tests.hub.client import Answer, Client, Json
from tests.hub.conftest import OpenHub

PATIENCE_S = 10.0
QUICK: dict[str, Any] = {  # Any: configuration values
    "outward_allow": ("127.0.0.0/8", "localhost"),
    "notify_backoff_s": 0.02,
    "notify_backoff_max_s": 0.1,
    "notify_attempts": 3,
    "notify_timeout_s": 1.0,
}


@dataclass(frozen=True)
class Got:
    """One request at the endpoint."""

    path: str
    headers: dict[str, str]
    body: Json

    @property
    def entity(self) -> dict[str, Json]:
        """The only entity of the notification."""
        (only,) = self.body["data"]
        return dict(only)


@dataclass
class Receiver:
    """The endpoint. `answers` says what a path answers (a status, or None: it never does), asked at each request."""

    port: int = 0
    got: list[Got] = field(default_factory=list)
    answers: dict[str, Callable[[], int | None]] = field(default_factory=dict)

    def uri(self, path: str = "/told") -> str:
        """The address of a path."""
        return f"http://127.0.0.1:{self.port}{path}"

    def at(self, path: str = "/told") -> list[Got]:
        """What a path got."""
        return [one for one in self.got if one.path == path]

    async def wait(self, count: int, path: str = "/told") -> list[Got]:
        """What a path got, once it is so many."""
        await until(lambda: len(self.at(path)) >= count)
        return self.at(path)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            while True:
                got = await _request(reader)
                self.got.append(got)
                status = self.answers.get(got.path, lambda: 204)()
                if status is None:
                    await reader.read()
                    break
                writer.write(f"HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n".encode())
                await writer.drain()
        writer.close()


async def _request(reader: asyncio.StreamReader) -> Got:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:]) if name}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Got(head[0].split(" ")[1], headers, orjson.loads(body))


@asynccontextmanager
async def receiving(secure: ssl.SSLContext | None = None) -> AsyncIterator[Receiver]:
    """A running endpoint."""
    receiver = Receiver()
    tasks: set[asyncio.Task[None]] = set()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(receiver.serve(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=secure)
    receiver.port = server.sockets[0].getsockname()[1]
    try:
        yield receiver
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@dataclass(frozen=True)
class Desk:
    """A hub, a client of it, and an endpoint it may call."""

    hub: Hub
    client: Client
    receiver: Receiver

    async def subscribe(self, path: str = "/told", **members: Json) -> str:
        """Subscribes to sensors unless told otherwise; the id. `endpoint` and further notification members go there."""
        answer = await self.client.post("/subscriptions", subscription(self.receiver.uri(path), **members))
        assert answer.status == 201, answer.body
        return answer.header("location").rpartition("/")[2]

    async def told_nothing_until(self, entity: dict[str, Json], path: str = "/told") -> list[Got]:
        """Makes a last change that another subscription hears of; what `path` got once nothing waits any more."""
        await self.subscribe("/last", entities=[{"type": "Last"}])
        before = len(self.receiver.at("/last"))
        await good(self.client.post("/entities", entity | {"type": "Last"}))
        await self.receiver.wait(before + 1, "/last")
        async with asyncio.timeout(PATIENCE_S):
            while any(one.pending for one in await self.hub.subscriptions.health("open")):
                await asyncio.sleep(0.01)
        return self.receiver.at(path)


_NOTIFYING = frozenset(
    {"attributes", "pick", "omit", "format", "showChanges", "sysAttrs", "join", "joinLevel", "endpoint"}
)


def subscription(uri: str, **members: Json) -> dict[str, Json]:
    """A subscription document."""
    notification = {name: members.pop(name) for name in _NOTIFYING & members.keys()}
    endpoint = {"uri": uri} | notification.pop("endpoint", {})
    if "entities" not in members and "watchedAttributes" not in members:
        members["entities"] = [{"type": "Sensor"}]
    kept = {name: value for name, value in members.items() if value is not None}
    return {"type": "Subscription", "notification": {"endpoint": endpoint} | notification, **kept}


async def good(answer: Any) -> Answer:  # Any: an awaitable answer
    """The answer, which must be a success."""
    found: Answer = await answer
    assert found.status < 300, found.body
    return found


@asynccontextmanager
async def desk(open_hub: OpenHub, **settings: Any) -> AsyncIterator[Desk]:  # Any: configuration values
    """A hub with an endpoint."""
    async with receiving() as receiver, open_hub(**(QUICK | settings)) as hub:
        yield Desk(hub, client_of(hub), receiver)


def client_of(hub: Hub) -> Client:
    """A client of an open-mode hub."""
    return Client(HubApp(hub, None, (), open_mode=True, bound_host="127.0.0.1"))


async def until(met: Callable[[], bool]) -> None:
    """Waits for a condition."""
    end = time.monotonic() + PATIENCE_S
    while not met():
        assert time.monotonic() < end, "it did not come about in time"
        await asyncio.sleep(0.005)


def turns(*statuses: int | None) -> Callable[[], int | None]:
    """One status after the other; the last one stays."""
    left: Iterator[int | None] = iter(statuses[:-1])
    return lambda: next(left, statuses[-1])
