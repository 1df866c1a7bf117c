"""What the simulated sensors promise: plausible days, one silent, some payloads broken; a real broker hears them."""

from __future__ import annotations

import asyncio
import json
import random
import shutil
import socket
import subprocess
import time
from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any

import pytest

from madang_demo import sensors
from madang_demo.sensors import Sensor

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MORNING = datetime(2026, 11, 22, 8, 0, tzinfo=sensors.KST)
ALL = [Sensor("air", "air01", 128.8, 35.2), Sensor("traffic", "t1", 128.8, 35.2), Sensor("traffic", "t2", 128.9, 35.2)]


def test_roads_are_full_in_the_morning_and_empty_at_night() -> None:
    rng = random.Random(1)
    day = [sensors.traffic_reading(ALL[1], MORNING, rng) for _ in range(30)]
    night = [sensors.traffic_reading(ALL[1], MORNING - timedelta(hours=5), rng) for _ in range(30)]
    assert min(each["flow_vph"] for each in day) > max(each["flow_vph"] for each in night)
    assert max(each["speed_kmh"] for each in day) < min(each["speed_kmh"] for each in night)


def test_every_hour_gives_believable_values() -> None:
    rng = random.Random(2)
    for minutes in range(0, 1440, 10):
        now = MORNING + timedelta(minutes=minutes)
        air = sensors.air_reading(ALL[0], now, rng)
        traffic = sensors.traffic_reading(ALL[1], now, rng)
        assert 3 <= air["pm25"] + air["pm10"] < 250
        assert 0 <= traffic["occupancy"] <= 1
        assert 0 <= sensors.rush(minutes / 60) <= 1
        assert datetime.fromisoformat(air["observed_at"]).utcoffset() == timedelta(0)


def test_one_sensor_falls_silent_and_a_few_payloads_are_broken() -> None:
    clock = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
    sent = list(islice(sensors.messages(ALL, random.Random(3), lambda: clock), 4_000))
    by_topic = Counter(topic for topic, _ in sent)
    assert by_topic["gimhae/traffic/t2"] == sensors.SILENT_AFTER
    assert set(by_topic) == {"gimhae/air/air01", "gimhae/traffic/t1", "gimhae/traffic/t2"}
    assert 4 <= sum(not _is_reading(payload) for _, payload in sent) <= 60


def _is_reading(payload: bytes) -> bool:
    try:
        reading: Any = json.loads(payload)  # Any: JSON
        return isinstance(reading, dict) and "id" in reading
    except ValueError:
        return False


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[int]:
    program = shutil.which("mosquitto", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
    if program is None:
        pytest.skip("needs mosquitto (apt-get install mosquitto)")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    config = tmp_path / "mosquitto.conf"
    config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\n")
    process = subprocess.Popen([program, "-c", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield port
    finally:
        process.terminate()
        process.wait(10)


@pytest.mark.integration
def test_a_real_broker_hears_them(broker: int) -> None:
    heard = asyncio.run(_listen(broker, 12))
    assert {topic.rsplit("/", 1)[0] for topic, _ in heard} == {"gimhae/air", "gimhae/traffic"}
    assert any(_is_reading(payload) for _, payload in heard)


async def _listen(port: int, count: int) -> list[tuple[str, bytes]]:
    from gmqtt import Client
    from gmqtt.mqtt.constants import MQTTv311

    heard: list[tuple[str, bytes]] = []
    enough, stop = asyncio.Event(), asyncio.Event()

    def on_message(_client: Any, topic: str, payload: bytes, _qos: int, _properties: Any) -> int:  # Any: gmqtt
        heard.append((topic, payload))
        if len(heard) >= count:
            enough.set()
        return 0

    client = Client("listener")
    client.on_message = on_message
    client.on_connect = lambda *_: client.subscribe("gimhae/#", qos=0)
    deadline = time.monotonic() + 15
    while True:
        try:
            await client.connect("127.0.0.1", port, version=MQTTv311)
            break
        except OSError:
            assert time.monotonic() < deadline, "the broker never listened"
            await asyncio.sleep(0.05)
    publishing = asyncio.create_task(sensors.publish(f"mqtt://127.0.0.1:{port}", ALL, 200.0, stop))
    await asyncio.wait_for(enough.wait(), 20)
    stop.set()
    assert await publishing >= count
    await client.disconnect()
    return heard
