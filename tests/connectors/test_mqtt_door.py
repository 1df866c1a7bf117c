"""Readings arrive through a real broker, survive its restarts, and never fill the memory."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import gmqtt
import orjson
import pytest
from gmqtt.mqtt.constants import MQTTCommands, MQTTv50, MQTTv311
from gmqtt.mqtt.package import Package

from madang.connectors.mqtt.config import AttributeRule, MqttConfig, TopicRule
from madang.connectors.mqtt.door import MqttDoor
from madang.hub.config import HubConfig
from madang.hub.hub import Hub
from madang.kernel.clock import system_clock

pytestmark = pytest.mark.integration
BROKER = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin:/opt/homebrew/sbin")
needs_broker = pytest.mark.skipif(BROKER is None, reason="no mosquitto; install the Debian package mosquitto")
ID = "urn:ngsi-ld:AirQualityObserved:"
ONE_READ_BYTES = 262_144
"""What asyncio takes from the socket at once: that much may still arrive after the pause, 30 bytes a message."""


class Broker:
    """A mosquitto of our own that a test may stop and start."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self._config = folder / "mosquitto.conf"
        self._config.write_text(
            f"listener {self.port} 127.0.0.1\nallow_anonymous true\npersistence false\nmax_queued_messages 100000\n"
        )
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        assert BROKER is not None
        self._process = subprocess.Popen([BROKER, "-c", str(self._config)], stderr=subprocess.DEVNULL)

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._process.wait(10)
            self._process = None


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    made = Broker(tmp_path)
    made.start()
    yield made
    made.stop()


def config(port: int, **more: Any) -> MqttConfig:  # Any: fields of the section
    rule = TopicRule(
        topic="gimhae/air/{station}",
        name="대기 air",
        authority="gimhae",
        qos=more.pop("qos", 1),
        entity_type="AirQualityObserved",
        entity_id=ID + "{station}",
        attributes={"pm10": AttributeRule(path="pm10", minimum=0)},
    )
    return MqttConfig(url=f"mqtt://127.0.0.1:{port}", topics=(rule,), **more)


@contextlib.asynccontextmanager
async def running(settings: MqttConfig, hub: Any) -> AsyncIterator[MqttDoor]:  # Any: the hub, or one that fails at will
    door = MqttDoor(settings, hub, system_clock)
    task = asyncio.create_task(door.run())
    try:
        yield door
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def until(holds: Callable[[], bool | Awaitable[bool]], what: str, seconds: float = 20) -> None:
    """Polls until the condition holds; fails with `what` when it never does."""
    async with asyncio.timeout(seconds):
        while True:
            found = holds()
            if found if isinstance(found, bool) else await found:
                return
            await asyncio.sleep(0.02)
    raise AssertionError(what)


@contextlib.asynccontextmanager
async def publisher(port: int) -> AsyncIterator[gmqtt.Client]:
    client = gmqtt.Client("publisher", clean_session=True)
    await client.connect("127.0.0.1", port, version=MQTTv311)
    try:
        yield client
    finally:
        await client.disconnect()


@contextlib.asynccontextmanager
async def open_hub(folder: Path) -> AsyncIterator[Hub]:
    hub = await Hub.open(HubConfig(store=str(folder / "hub.sqlite3")), system_clock)
    try:
        yield hub
    finally:
        await hub.close()


async def subscribed(door: MqttDoor) -> None:
    await until(lambda: door.connected, "never connected")
    await asyncio.sleep(0.2)  # the broker's SUBACK has no hook in the client


@needs_broker
def test_a_reading_is_stored_and_a_bad_one_is_kept_aside_with_its_reason(broker: Broker, tmp_path: Path) -> None:
    async def story() -> None:
        async with open_hub(tmp_path) as hub, running(config(broker.port), hub) as door:
            await subscribed(door)
            async with publisher(broker.port) as client:
                client.publish("gimhae/air/st-1", orjson.dumps({"pm10": 41}), qos=1)
                client.publish("gimhae/air/st-2", b"not json", qos=1)
                client.publish("gimhae/air/st-3", orjson.dumps({"pm10": -5}), qos=1)
                await until(lambda: door.counts["stored"] + door.counts["rejected"] == 3, "not all arrived")
            stored = await hub.retrieve("gimhae", ID + "st-1")
            assert stored is not None
            summary = await hub.reject_summary("gimhae")
            assert summary.total == 2
            reasons = " ".join(one.reason for one in summary.latest)
            assert "not JSON" in reasons
            assert "outside 0" in reasons
            feeds = {feed.source: feed.readings for feed in await hub.feeds("gimhae")}
            assert feeds == {"mqtt:대기 air": 1}

    asyncio.run(story())


@needs_broker
def test_readings_of_qos_0_are_stored_retained_ones_too(broker: Broker, tmp_path: Path) -> None:
    async def story() -> None:
        async with open_hub(tmp_path) as hub, publisher(broker.port) as client:
            client.publish("gimhae/air/st-0", orjson.dumps({"pm10": 1}), qos=0, retain=True)
            async with running(config(broker.port, qos=0), hub) as door:
                await subscribed(door)
                client.publish("gimhae/air/김해", orjson.dumps({"pm10": 2}), qos=1)
                client.publish("gimhae/air/st-2", b"", qos=0)
                await until(lambda: door.counts["stored"] + door.counts["rejected"] == 3, "not all arrived")
                assert door.counts["stored"] == 2
            assert await hub.retrieve("gimhae", ID + "st-0") is not None
            assert await hub.retrieve("gimhae", ID + "%EA%B9%80%ED%95%B4") is not None

    asyncio.run(story())


@pytest.mark.parametrize("version", ["3.1.1", "5"])
def test_packets_that_are_no_messages_are_left_to_the_client_library(version: str) -> None:
    async def story() -> None:
        door = MqttDoor(config(1, qos=0, version=version), None, system_clock)  # type: ignore[arg-type] # never asked
        client = door._new_client()
        client._connection_state.protocol_version = MQTTv50 if version == "5" else MQTTv311
        none = b"\0" if version == "5" else b""
        for packet in (b"", b"\0", b"\xff\xffa", b"\0\0", b"\0\1\xff"):
            client._package_handler(Package(MQTTCommands.PUBLISH, packet))
        taken = door.waiting
        assert taken <= 1  # a topic that is not UTF-8 may come as bytes
        client._package_handler(Package(MQTTCommands.PUBLISH, b"\0\3a/b" + none + b"{}"))
        client._package_handler(Package(MQTTCommands.PUBLISH | 1, b"\0\3a/c" + none))
        assert [*door._queue][taken:] == [("a/b", b"{}", None), ("a/c", b"", None)]

    asyncio.run(story())


def test_a_write_takes_the_readings_of_so_many_topics_and_five_times_as_many_in_all() -> None:
    door = MqttDoor(config(1, qos=0, batch=2), None, system_clock)  # type: ignore[arg-type] # never asked
    for number in range(12):
        door._append(("a", b"%d" % number, None))
    for topic in ("b", "c", "d"):
        door._append((topic, b"0", None))
    batches = [[(topic, int(payload)) for topic, payload, _ in door._next_batch()] for _ in range(3)]
    assert batches == [
        [("a", number) for number in range(10)],
        [("a", 10), ("a", 11), ("b", 0)],
        [("c", 0), ("d", 0)],
    ]


@needs_broker
def test_a_broker_that_restarts_is_found_again(broker: Broker, tmp_path: Path) -> None:
    async def story() -> None:
        async with open_hub(tmp_path) as hub, running(config(broker.port), hub) as door:
            await subscribed(door)
            broker.stop()
            await until(lambda: not door.connected, "did not notice")
            broker.start()
            await subscribed(door)
            async with publisher(broker.port) as client:
                client.publish("gimhae/air/st-9", orjson.dumps({"pm10": 7}), qos=1)
                await until(lambda: door.counts["stored"] == 1, "the reading after the restart never came")

    asyncio.run(story())


class Faltering:
    """The hub, failing its first batches: what a full disk looks like from here."""

    def __init__(self, hub: Hub, failures: int) -> None:
        self._hub = hub
        self.failures = failures

    async def ingest(self, tenant: str, fragments: Any, *, source: str) -> Any:  # Any: passed through
        if self.failures:
            self.failures -= 1
            raise OSError("disk full")
        return await self._hub.ingest(tenant, fragments, source=source)

    async def take(self, tenant: str, readings: Any, *, source: str) -> Any:  # Any: passed through
        if self.failures:
            self.failures -= 1
            raise OSError("disk full")
        return await self._hub.take(tenant, readings, source=source)

    async def reject(self, tenant: str, source: str, reason: str, raw: bytes) -> None:
        await self._hub.reject(tenant, source, reason, raw)


@needs_broker
def test_nothing_acknowledged_to_the_broker_is_lost_while_the_hub_fails(broker: Broker, tmp_path: Path) -> None:
    async def story() -> None:
        async with open_hub(tmp_path) as hub:
            faltering = Faltering(hub, failures=2)
            async with running(config(broker.port), faltering) as door:
                await subscribed(door)
                async with publisher(broker.port) as client:
                    for number in range(200):
                        client.publish(f"gimhae/air/st-{number}", orjson.dumps({"pm10": number}), qos=1)
                    await until(lambda: door.counts["stored"] == 200, "some readings were lost")
            assert faltering.failures == 0
            assert [await hub.retrieve("gimhae", f"{ID}st-{number}") for number in range(200)].count(None) == 0

    asyncio.run(story())


@needs_broker
def test_a_flood_pauses_the_socket_instead_of_filling_the_memory(broker: Broker, tmp_path: Path) -> None:
    async def story() -> None:
        async with (
            open_hub(tmp_path) as hub,
            running(config(broker.port, qos=0, queue=500, batch=50), hub) as door,
        ):
            await subscribed(door)
            async with publisher(broker.port) as client:
                for number in range(20_000):
                    client.publish("gimhae/air/flood", orjson.dumps({"pm10": number}), qos=0)
                    if number % 500 == 0:
                        await asyncio.sleep(0)
                await until(lambda: door.counts["paused"] > 0, "the flood never paused the socket", 30)
                await until(lambda: door.counts["stored"] > 1_000, "nothing got through")
                assert door.waiting < 500 + ONE_READ_BYTES // 30

    asyncio.run(story())
