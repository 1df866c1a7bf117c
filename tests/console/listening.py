"""A real server with the live stream in it, and a reader that understands server-sent events."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx
import uvicorn
from django.db import connections

from madang.console.live import LiveApp, LiveFeed, Pace
from madang.console.snapshot import CivicSource
from madang.journal import civic

T = TypeVar("T")
WAIT_S = 10.0


class Threads:
    """The site's civic threads, small."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(2)

    async def run_civic(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)

    def close(self) -> None:
        for _ in range(2):
            self._pool.submit(connections.close_all).result(WAIT_S)
        self._pool.shutdown()


@dataclass
class Running:
    """A server on a free port of loopback."""

    url: str
    app: LiveApp
    loop: asyncio.AbstractEventLoop

    def stop_streams(self) -> None:
        asyncio.run_coroutine_threadsafe(self.app.stop(), self.loop).result(WAIT_S)


@contextmanager
def running(pace: Pace) -> Iterator[Running]:
    """Serves the live stream until the block ends."""
    threads = Threads()
    app = LiveApp(LiveFeed(threads, CivicSource(), pace, lambda wake: civic.add_listener("changes", wake)), "sessionid")
    server = uvicorn.Server(
        uvicorn.Config(app, host="127.0.0.1", port=0, lifespan="off", log_level="warning", timeout_graceful_shutdown=2)
    )
    loops: list[asyncio.AbstractEventLoop] = []

    async def serve() -> None:
        loops.append(asyncio.get_running_loop())
        await server.serve()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        until(lambda: server.started)
        port = server.servers[0].sockets[0].getsockname()[1]
        here = Running(f"http://127.0.0.1:{port}/api/console/live", app, loops[0])
        yield here
        here.stop_streams()
    finally:
        server.should_exit = True
        thread.join(WAIT_S)
        threads.close()
        assert not thread.is_alive(), "the server ends although streams were open"


def until(true: Callable[[], bool], wait_s: float = WAIT_S) -> None:
    """Waits for something to become true."""
    deadline = time.monotonic() + wait_s
    while not true():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.01)


@dataclass(frozen=True)
class Heard:
    """One event as a browser would give it to the page."""

    name: str
    id: str
    data: Any  # Any: JSON


class Ear:
    """Reads one stream."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self._lines = response.iter_lines()

    def next(self) -> Heard:
        """The next event; `StopIteration` when the stream has ended."""
        fields: dict[str, str] = {}
        for line in self._lines:
            if line and not line.startswith(":"):
                name, _, value = line.partition(":")
                fields[name] = value.removeprefix(" ")
            elif not line and "data" in fields:
                return Heard(fields.get("event", "message"), fields.get("id", ""), json.loads(fields["data"]))
        raise StopIteration

    def heard_comment(self) -> bool:
        """Whether the next line is a comment."""
        return next(self._lines).startswith(":")

    def until(self, wanted: Callable[[Heard], bool]) -> list[Heard]:
        """Everything heard up to and with the first wanted event."""
        heard: list[Heard] = []
        while not heard or not wanted(heard[-1]):
            heard.append(self.next())
        return heard


@contextmanager
def listening(url: str, session: str, *, cursor: str = "", last_event_id: str = "") -> Iterator[Ear]:
    """Opens the stream as the page of that session does."""
    headers = {"Last-Event-ID": last_event_id} if last_event_id else {}
    params = {"cursor": cursor} if cursor else {}
    with (
        httpx.Client(cookies={"sessionid": session}, timeout=WAIT_S, trust_env=False) as client,
        client.stream("GET", url, headers=headers, params=params) as response,
    ):
        yield Ear(response)
