"""A load generator on raw sockets, as a process of its own: `python -m benchmarks.hub_load PORT KIND COUNT FIRST`.

48 connections (two for batches), one request under way on each. Prints requests, seconds and answers that were not 2xx
as JSON. KIND is `create`, `create-location`, `retrieve`, `query` (never the same one twice), `query-again`,
`query-rare`, `upsert` (batches of 1,000), `upsert-location` or `upsert-again` (with other readings, without location);
FIRST numbers the first entity written, and for `retrieve` says how many there are.
"""

from __future__ import annotations

import asyncio
import os
import random
import sys
import time
from collections.abc import Callable, Iterator
from itertools import count
from typing import cast

import httptools
import orjson

from benchmarks.hub_rows import entity

CONNECTIONS = 48
BATCH = 1_000
HEAD = "Host: 127.0.0.1\r\nAuthorization: Bearer benchmark\r\n"


def creations(first: int, *, location: bool) -> Iterator[bytes]:
    """Requests that each create one entity."""
    for number in count(first):
        body = orjson.dumps(entity(number, location=location))
        head = f"POST /ngsi-ld/v1/entities HTTP/1.1\r\n{HEAD}Content-Type: application/json\r\n"
        yield f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def upserts(first: int, total: int, shift: int, *, location: bool = False) -> Iterator[bytes]:
    """Requests that each upsert `BATCH` entities, made beforehand: the generator shares the machine."""
    ready = []
    for start in range(first, first + total * BATCH, BATCH):
        numbers = range(start, start + BATCH)
        body = orjson.dumps([entity(number, location=location, shift=shift) for number in numbers])
        head = f"POST /ngsi-ld/v1/entityOperations/upsert HTTP/1.1\r\n{HEAD}Content-Type: application/json\r\n"
        ready.append(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    yield from ready


def retrievals(known: int) -> Iterator[bytes]:
    """Requests for entities already created, in random order."""
    chance = random.Random(7)
    ready = [
        f"GET /ngsi-ld/v1/entities/urn:ngsi-ld:AirQualityObserved:{n} HTTP/1.1\r\n{HEAD}\r\n".encode()
        for n in range(known)
    ]
    while True:
        yield chance.choice(ready)


def queries(*, again: bool) -> Iterator[bytes]:
    """Queries of 20 entities by type and attribute: each another, or of a hundred that come again and again."""
    chance = random.Random(7)
    while True:
        low = chance.randrange(100) if again else round(chance.uniform(0, 100), 9)
        path = f"/ngsi-ld/v1/entities?type=AirQualityObserved&q=pm25>{low}&limit=20"
        yield f"GET {path} HTTP/1.1\r\n{HEAD}\r\n".encode()


def rare_queries() -> Iterator[bytes]:
    """Queries that select one entity in 200 or so, by two attributes, each another."""
    chance = random.Random(7)
    while True:
        low = round(chance.uniform(0, 194), 9)
        path = f"/ngsi-ld/v1/entities?type=AirQualityObserved&q=pm10>{low};pm10<{low + 1};no2>50&limit=20"
        yield f"GET {path} HTTP/1.1\r\n{HEAD}\r\n".encode()


class Client(asyncio.Protocol):
    """One connection: sends, waits for the whole answer, sends the next."""

    def __init__(self, requests: Iterator[bytes], finished: Callable[[int], bool]) -> None:
        self._requests = requests
        self._finished = finished
        self._parser = httptools.HttpResponseParser(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is one in all but name
        self._transport.write(next(self._requests))

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def connection_lost(self, error: Exception | None) -> None:
        if not self._transport.is_closing() or error is not None:
            raise SystemExit("the server closed a connection")

    def on_message_complete(self) -> None:
        """Called by the parser."""
        if self._finished(self._parser.get_status_code()):
            self._transport.close()
        else:
            self._parser = httptools.HttpResponseParser(self)
            self._transport.write(next(self._requests))


async def load(port: int, requests: Iterator[bytes], total: int, connections: int) -> dict[str, float]:
    """Keeps all connections busy until so many requests are answered."""
    done = bad = 0
    sent = left = connections
    over = asyncio.Event()
    began = time.perf_counter()

    def finished(status: int) -> bool:
        nonlocal done, bad, left, sent
        done += 1
        bad += not 200 <= status < 300
        if sent < total:
            sent += 1
            return False
        left -= 1
        if not left:
            over.set()
        return True

    loop = asyncio.get_running_loop()
    await asyncio.gather(
        *(loop.create_connection(lambda: Client(requests, finished), "127.0.0.1", port) for _ in range(connections))
    )
    await over.wait()
    return {"requests": done, "seconds": time.perf_counter() - began, "bad": bad}


def main(port: int, kind: str, total: int, first: int) -> None:
    """Runs one load and prints what happened."""
    import uvloop

    kinds: dict[str, Callable[[], Iterator[bytes]]] = {
        "create": lambda: creations(first, location=False),
        "create-location": lambda: creations(first, location=True),
        "retrieve": lambda: retrievals(first),
        "query": lambda: queries(again=False),
        "query-again": lambda: queries(again=True),
        "query-rare": rare_queries,
        "upsert": lambda: upserts(first, total, 0),
        "upsert-location": lambda: upserts(first, total, 0, location=True),
        "upsert-again": lambda: upserts(first, total, os.getpid() % 399 + 1),
    }
    requests = kinds[kind]()
    connections = 2 if kind.startswith("upsert") else CONNECTIONS
    print(orjson.dumps(uvloop.run(load(port, requests, total, connections))).decode())


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
