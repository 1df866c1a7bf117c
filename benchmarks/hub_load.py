"""A load generator on raw sockets, as a process of its own: `python -m benchmarks.hub_load PORT KIND COUNT FIRST`.

48 connections, one request under way on each. Prints requests, seconds and answers that were not 2xx as JSON. KIND is
`create`, `create-location`, `retrieve`, `query` (never the same one twice) or `query-again`; FIRST numbers the first
entity created, and for `retrieve` says how many there are.
"""

from __future__ import annotations

import asyncio
import random
import sys
import time
from collections.abc import Callable, Iterator
from itertools import count
from typing import cast

import httptools
import orjson

CONNECTIONS = 48
HEAD = "Host: 127.0.0.1\r\nAuthorization: Bearer benchmark\r\n"


def entity(number: int, *, location: bool) -> bytes:
    """An entity of about 700 bytes: readings of an air-quality station."""
    pollutants = ("pm10", "pm25", "o3", "no2", "co")
    members: dict[str, object] = {"id": f"urn:ngsi-ld:AirQualityObserved:{number}", "type": "AirQualityObserved"}
    if location:
        spot = {"type": "Point", "coordinates": [128.8 + number % 997 / 5000, 35.1 + number % 991 / 5000]}
        members["location"] = {"type": "GeoProperty", "value": spot}
    for place, name in enumerate(pollutants):
        members[name] = {
            "type": "Property",
            "value": (number * 7 + place * 13) % 400 / 2,
            "unitCode": "GQ",
            "observedAt": "2026-11-22T00:00:00Z",
        }
    members["refDevice"] = {"type": "Relationship", "object": f"urn:ngsi-ld:Device:{number % 1000}"}
    members["name"] = {"type": "Property", "value": f"김해 측정소 {number}"}
    return orjson.dumps(members)


def creations(first: int, *, location: bool) -> Iterator[bytes]:
    """Requests that each create one entity."""
    for number in count(first):
        body = entity(number, location=location)
        head = f"POST /ngsi-ld/v1/entities HTTP/1.1\r\n{HEAD}Content-Type: application/json\r\n"
        yield f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


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


async def load(port: int, requests: Iterator[bytes], total: int) -> dict[str, float]:
    """Keeps all connections busy until so many requests are answered."""
    done = bad = 0
    sent = left = CONNECTIONS
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
        *(loop.create_connection(lambda: Client(requests, finished), "127.0.0.1", port) for _ in range(CONNECTIONS))
    )
    await over.wait()
    return {"requests": done, "seconds": time.perf_counter() - began, "bad": bad}


def main(port: int, kind: str, total: int, first: int) -> None:
    """Runs one load and prints what happened."""
    import uvloop

    requests = {
        "create": lambda: creations(first, location=False),
        "create-location": lambda: creations(first, location=True),
        "retrieve": lambda: retrievals(first),
        "query": lambda: queries(again=False),
        "query-again": lambda: queries(again=True),
    }[kind]()
    print(orjson.dumps(uvloop.run(load(port, requests, total))).decode())


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
