"""MQTT readings at QoS 0 into the hub beside the same client only parsing: `python -m benchmarks.hub_mqtt [quick]`.

A mosquitto of our own queues without bound; a publisher sends readings (one value and its instant) of 1,000 stations as
fast as it can. Ours is the connector with a hub of its own: a reading counts when its entity is stored, its attribute
indexed and its change in the feed, durably. The peer is the same client library that decodes each payload and forgets
it, once used as its documentation shows (a coroutine takes each message), once with a plain function. Figures are
readings for each CPU second of the receiving process; runs alternate, medians.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from benchmarks.hub_http import ROOT
from benchmarks.hub_rows import INDEXED, TYPE
from benchmarks.result import Result

GOAL = 0.4
STATIONS = 1_000
_PEERS = {"parse": "the client only parsing", "parse-plain": "the client only parsing in a plain function"}
_BROKER = shutil.which("mosquitto", path=f"/usr/sbin:/usr/local/sbin:{os.environ.get('PATH', '')}")


def run(quick: bool) -> list[Result]:
    """Readings for each CPU second."""
    if _BROKER is None:
        raise RuntimeError("no mosquitto; install the Debian package mosquitto")
    rounds, total = (3, 6_000) if quick else (7, 20_000)
    cpu_us: dict[str, list[float]] = {which: [] for which in ("hub", *_PEERS)}
    rates: dict[str, list[float]] = {which: [] for which in cpu_us}
    with tempfile.TemporaryDirectory() as folder, _broker(Path(folder)) as port:
        for turn in range(rounds + 1):
            for which in cpu_us:
                used_us, rate = _received(which, port, total, turn, Path(folder))
                if turn:  # the first is to get warm: the hub's file, the page cache
                    cpu_us[which].append(used_us)
                    rates[which].append(rate)
    return [_result(peer, cpu_us, rates) for peer in _PEERS]


def _result(peer: str, cpu_us: dict[str, list[float]], rates: dict[str, list[float]]) -> Result:
    ours, limit = (1e6 / statistics.median(cpu_us[which]) for which in ("hub", peer))
    ratio = statistics.median(parse / hub for hub, parse in zip(cpu_us["hub"], cpu_us[peer], strict=True))
    wall = " / ".join(f"{statistics.median(rates[which]):,.0f}" for which in ("hub", peer))
    name = f"MQTT reading, QoS 0 → stored, indexed, in the feed, beside {_PEERS[peer]} (wall {wall} readings/s)"
    return Result(name, ours, limit, ratio, GOAL, "readings/CPU-s")


def _received(which: str, port: int, total: int, turn: int, folder: Path) -> tuple[float, float]:
    """CPU microseconds for each reading, and readings for each second of the clock.

    The readings of a turn are newer than those of the one before: older ones would not be stored as what is.
    """
    command = [sys.executable, "-m", "benchmarks.hub_mqtt"]
    with subprocess.Popen(
        [*command, which, str(port), str(total), str(folder / "hub.sqlite3")], stdout=subprocess.PIPE, cwd=ROOT
    ) as receiver:
        assert receiver.stdout is not None
        receiver.stdout.readline()
        sent = [*command, "publish", str(port), str(total), str(turn)]
        subprocess.run(sent, check=True, cwd=ROOT, timeout=120)
        said = orjson.loads(receiver.stdout.readline())
    return said["cpu_s"] / total * 1e6, total / said["seconds"]


@contextlib.contextmanager
def _broker(folder: Path) -> Iterator[int]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    config = folder / "mosquitto.conf"
    config.write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\nmax_queued_messages 0\nuser root\n"
    )
    assert _BROKER is not None
    with subprocess.Popen([_BROKER, "-c", str(config)], stderr=subprocess.DEVNULL) as process:
        try:
            _wait_for(port)
            yield port
        finally:
            process.terminate()


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + 10
    while True:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        if time.monotonic() > deadline:
            raise RuntimeError("mosquitto did not come up")
        time.sleep(0.02)


# The processes.


async def publish(port: int, total: int, turn: int) -> None:
    """Sends readings; returns when the broker has them."""
    client, first_s = _client("publisher"), 1_760_000_000 + turn * total // STATIONS
    await client.connect("127.0.0.1", port, version=4)
    for number in range(total):
        payload = orjson.dumps({INDEXED: number * 7 % 400 / 2, "at": first_s + number // STATIONS})
        client.publish(f"gimhae/air/{number % STATIONS}", payload, qos=0)
        if number % 200 == 0:
            await asyncio.sleep(0)
    await client.disconnect()


def _client(name: str) -> Any:  # Any: gmqtt ships no types
    import gmqtt

    return gmqtt.Client(f"benchmark-{name}-{os.getpid()}")


async def parse(port: int, total: int, *, plain: bool) -> None:
    """The peer: subscribes and decodes, in a coroutine or in a plain function."""
    client, counted, over = _client("parser"), 0, asyncio.Event()

    def taken(_client: Any, _topic: str, payload: bytes, _qos: int, _more: Any) -> int:  # Any: gmqtt's
        nonlocal counted
        orjson.loads(payload)
        counted += 1
        if counted == total:
            over.set()
        return 0

    async def awaited(_client: Any, _topic: str, payload: bytes, _qos: int, _more: Any) -> int:  # Any: gmqtt's
        return taken(_client, _topic, payload, _qos, _more)

    subscribed = asyncio.Event()
    client.on_message = taken if plain else awaited
    client.on_subscribe = lambda *_: subscribed.set()
    await client.connect("127.0.0.1", port, version=4)
    client.subscribe("gimhae/air/+", qos=0)
    await subscribed.wait()
    await _measured(over)
    await client.disconnect()


async def _measured(over: asyncio.Event) -> None:
    print("ready", flush=True)
    began, used = time.perf_counter(), time.process_time()
    await over.wait()
    said = {"cpu_s": time.process_time() - used, "seconds": time.perf_counter() - began}
    print(orjson.dumps(said).decode(), flush=True)


async def hub(port: int, total: int, path: Path) -> None:
    """Ours: the connector and a hub, as `madang serve` runs them."""
    from madang.connectors.mqtt.config import AttributeRule, MqttConfig, TopicRule
    from madang.connectors.mqtt.door import MqttDoor
    from madang.hub.config import HubConfig
    from madang.hub.hub import Hub
    from madang.kernel.clock import system_clock

    rule = TopicRule(
        topic="gimhae/air/{station}",
        authority="bench",
        entity_type=TYPE,
        entity_id=f"urn:ngsi-ld:{TYPE}:{{station}}",
        observed_at="at",
        attributes={INDEXED: AttributeRule(path=INDEXED, unit="GQ", minimum=0)},
    )
    opened = await Hub.open(HubConfig(store=str(path), indexed_attributes=(INDEXED,)))
    door = MqttDoor(MqttConfig(url=f"mqtt://127.0.0.1:{port}", topics=(rule,)), opened, system_clock)
    running = asyncio.get_running_loop().create_task(door.run())
    over = asyncio.Event()

    async def watch() -> None:
        while door.counts["stored"] + door.counts["rejected"] < total:
            await asyncio.sleep(0.01)
        over.set()

    while not door.connected:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.3)  # the subscription is on its way; nothing tells the connector's user when it stands
    watching = asyncio.get_running_loop().create_task(watch())
    await _measured(over)
    await watching
    if door.counts["rejected"]:
        raise RuntimeError(f"{door.counts['rejected']} readings were rejected")
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running
    await opened.close()


def main() -> None:
    """One of the processes, or the whole."""
    import uvloop

    if sys.argv[1:2] and sys.argv[1] in ("publish", "hub", *_PEERS):
        which, port, total = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
        if which == "hub":
            uvloop.run(hub(port, total, Path(sys.argv[4])))
        elif which == "publish":
            uvloop.run(publish(port, total, int(sys.argv[4])))
        else:
            uvloop.run(parse(port, total, plain=which == "parse-plain"))
        return
    for result in run("quick" in sys.argv):
        print(result.line())


if __name__ == "__main__":
    main()
