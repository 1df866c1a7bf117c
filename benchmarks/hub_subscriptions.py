"""What subscriptions cost: a change among 100, 1,000 and 10,000 of which ten match, and how fast they fan out.

`python -m benchmarks.hub_subscriptions` prints every figure; `… receive` is the endpoint, a process of its own.
"""

from __future__ import annotations

import asyncio
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpcore

from benchmarks.result import Result
from madang.hub.config import HubConfig
from madang.hub.contexts.context import CORE_CONTEXT
from madang.hub.hub import Hub
from madang.hub.sqlite.store import SqliteStore
from madang.hub.store import WriteTx
from madang.hub.subscriptions.observer import Kept, Registries, encode_kept, every_row
from madang.hub.subscriptions.subscription import read_subscription
from madang.kernel.clock import system_clock

Json = Any  # Any: JSON
MATCHING = 10
GROUPS, GROUP = 20, 20
"""Changes are written in groups, so that the commit, which is the same with and without, weighs little."""
KINDS: Mapping[str, Callable[[int], dict[str, Json]]] = {
    "type": lambda n: {"entities": [{"type": f"Type{n}"}]},
    "id": lambda n: {"entities": [{"type": "Sensor", "id": f"urn:x:{n}"}]},
    "attribute": lambda n: {"entities": [{"type": "Sensor"}], "watchedAttributes": [f"attribute{n}"]},
    "value": lambda n: {"entities": [{"type": "Sensor"}], "q": f"level=={n}"},
    "threshold": lambda n: {"entities": [{"type": "Sensor"}], "q": f"value>{n}"},
    "area": lambda n: {
        "entities": [{"type": "Sensor"}],
        "geoQ": {
            "georel": "near;maxDistance==5",
            "geometry": "Point",
            "coordinates": [128.0 + n % 1_000 / 500, 35.0 + n // 1_000 / 50],
        },
    },
}
"""How subscription number n selects; number 0 stands for those that match."""


def _entity(step: int) -> dict[str, Json]:
    return {
        "id": "urn:x:0",
        "type": ["Sensor", "Type0"],
        "attribute0": {"type": "Property", "value": step},
        "level": {"type": "Property", "value": 0},
        "value": {"type": "Property", "value": 0.5},
        "location": {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [128.0, 35.0]}},
        **{f"more{n}": {"type": "Property", "value": n * step} for n in range(8)},
    }


async def _change_us(kind: str, total: int, folder: Path) -> float:
    """CPU of one change in microseconds, written and matched, among so many subscriptions of a kind."""
    config = HubConfig(store=str(folder / f"{kind}-{total}.sqlite3"))
    store = await SqliteStore.open(Path(config.store), config)
    hub = Hub(config, system_clock, store)  # not opened: nothing is delivered here, only matched and kept
    registries = Registries()
    rows = [_row(kind, number, total) for number in range(total)]
    await store.write(lambda tx: _insert(tx, rows))
    registries.take(await store.read(every_row))
    store.observe(registries.observe)
    spent = []
    for _ in range(GROUPS):
        group = [_entity(step) for step in range(GROUP)]
        begun = time.process_time()
        await hub.upsert("one", group, source="bench")
        spent.append(time.process_time() - begun)
    kept = await store.read(lambda session: session.execute("SELECT count(*) FROM notification"))
    assert kept[0][0] == GROUPS * GROUP * min(MATCHING, total), kept
    await store.close()
    return statistics.median(spent) / GROUP * 1e6


def _row(kind: str, number: int, total: int) -> tuple[object, ...]:
    said = 0 if number >= total - MATCHING else number + 1
    notification = {"endpoint": {"uri": "http://127.0.0.1:9/"}}
    document = {"type": "Subscription", "id": f"urn:s:{number}", "notification": notification} | KINDS[kind](said)
    one = read_subscription(document, CORE_CONTEXT)
    kept = Kept(document=document, context=CORE_CONTEXT.source, names=one.names, owner="open", authority="one")
    return number + 1, "one", one.id, 1, 0, 0, encode_kept(kept)


def _insert(tx: WriteTx, rows: list[tuple[object, ...]]) -> None:
    tx.session.execute("INSERT INTO subscription_revision VALUES ('one', 1)")
    tx.session.executemany("INSERT INTO subscription VALUES (?, ?, ?, ?, ?, ?, ?)", rows)


async def _answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            at = head.lower().index(b"content-length:") + 15
            await reader.readexactly(int(head[at : head.index(b"\r", at)]))
            writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def _receive() -> None:
    server = await asyncio.start_server(_answer, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


async def _fan_out(folder: Path, port: int, subscribers: int, changes: int) -> float:
    """Notifications a second, from the first change to the last delivery, counters written down."""
    config = HubConfig(store=str(folder / "fan.sqlite3"), outward_allow=("127.0.0.1",))
    hub = await Hub.open(config)
    from madang.hub.access import Access

    for number in range(subscribers):
        document = {
            "type": "Subscription",
            "entities": [{"type": "Sensor"}],
            "notification": {"endpoint": {"uri": f"http://127.0.0.1:{port}/{number}"}},
        }
        await hub.subscriptions.create("one", document, CORE_CONTEXT, Access(None, "one", ()))
    begun = time.perf_counter()
    for step in range(changes):
        await hub.upsert("one", [_entity(step)], source="bench")
    while sum(one.times_sent for one in await hub.subscriptions.health("one")) < subscribers * changes:
        await asyncio.sleep(0.02)
    seconds = time.perf_counter() - begun
    await hub.close()
    return subscribers * changes / seconds


async def _bare(port: int, total: int) -> float:
    """The same messages from the bare HTTP client: ten at a time, nothing kept."""
    import orjson

    body = orjson.dumps({"id": "urn:x", "type": "Notification", "data": [_entity(1)]})

    async def post(pool: httpcore.AsyncConnectionPool, count: int) -> None:
        for _ in range(count):
            await pool.request("POST", f"http://127.0.0.1:{port}/", content=body)

    async with httpcore.AsyncConnectionPool(max_connections=48) as pool:
        begun = time.perf_counter()
        await asyncio.gather(*(post(pool, total // 10) for _ in range(10)))
        return total / (time.perf_counter() - begun)


def run(quick: bool) -> list[Result]:
    """Cost of a change by kind of selection, 10,000 subscriptions against 100; the rate of fanning out."""
    few, many = (20, 100) if quick else (100, 10_000)
    results = []
    with tempfile.TemporaryDirectory() as folder:
        for kind in KINDS:
            base = asyncio.run(_change_us(kind, few, Path(folder)))
            ours = asyncio.run(_change_us(kind, many, Path(folder)))
            name = f"a change, {many:,} subscriptions by {kind} against {few}, {MATCHING} match"
            results.append(Result(name, ours, base, ours / base, 1.5, "µs CPU", at_least=False))
        results.append(_fan(Path(folder), quick))
    return results


def _fan(folder: Path, quick: bool) -> Result:
    receiver = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.hub_subscriptions", "receive"], stdout=subprocess.PIPE, text=True
    )
    try:
        assert receiver.stdout is not None
        port = int(receiver.stdout.readline())
        bare = asyncio.run(_bare(port, 200 if quick else 4_000))
        ours = asyncio.run(_fan_out(folder, port, 10, 20 if quick else 400))
    finally:
        receiver.kill()
        receiver.wait()
    name = "notifications delivered to a loopback endpoint, 10 subscriptions, against the bare HTTP client"
    return Result(name, ours, bare, ours / bare, 0.4, "1/s")


def main() -> None:
    """Every figure, also at 1,000 subscriptions."""
    with tempfile.TemporaryDirectory() as folder:
        for kind in KINDS:
            figures = [asyncio.run(_change_us(kind, total, Path(folder))) for total in (100, 1_000, 10_000)]
            print(f"{kind:<10}", *(f"{figure:8.0f} µs" for figure in figures), f"×{figures[2] / figures[0]:.2f}")
        print(_fan(Path(folder), False).line())


if __name__ == "__main__":
    if sys.argv[1:] == ["receive"]:
        asyncio.run(_receive())
    else:
        main()
