"""Simulated air stations, traffic detectors and safety bells that publish over MQTT 3.1.1.

Run as `python -m madang_demo.sensors --mqtt mqtt://127.0.0.1:18830 --city DIR`. Topics are `gimhae/air/<station>` and
`gimhae/traffic/<sensor>`, and heartbeats of bells on
`gimhae/bell/<number>`. As in a real city, one sensor falls silent and now and then a payload is broken.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import random
import signal
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

KST = timezone(timedelta(hours=9))
BAD_SHARE = 0.005
SILENT_AFTER = 3
"""The silent sensor sends this many readings and then no more."""
RETRY_S = 2.0
TOPIC_ROOT = "gimhae"


@dataclass(frozen=True, slots=True)
class Sensor:
    """One station, detector or bell: `kind` is `air`, `traffic` or `bell`."""

    kind: str
    id: str
    lon: float
    lat: float
    limit_kmh: float = 60.0
    lanes: int = 2

    @property
    def topic(self) -> str:
        """Where it publishes."""
        return f"{TOPIC_ROOT}/{self.kind}/{self.id}"


def load(folder: Path) -> list[Sensor]:
    """The sensors of a city made by `madang_demo.city`."""
    document = json.loads((folder / "sensors.json").read_bytes())
    air = [Sensor("air", each["id"], each["lon"], each["lat"]) for each in document["air"]]
    traffic = [
        Sensor("traffic", each["id"], each["lon"], each["lat"], each["limit_kmh"], each["lanes"])
        for each in document["traffic"]
    ]
    bells = [Sensor("bell", each["id"], each["lon"], each["lat"]) for each in document.get("bells", [])]
    return bells + air + traffic


def rush(hour: float) -> float:
    """How busy the roads are, 0 to 1: peaks at 8 and 18:30, quiet at night."""
    peaks = math.exp(-((hour - 8) ** 2) / 3) + math.exp(-((hour - 18.5) ** 2) / 4)
    day = 0.45 / (1 + math.exp(-(hour - 6.5) * 2)) / (1 + math.exp((hour - 22) * 1.5))
    return min(1.0, 0.05 + day + 0.55 * peaks)


def air_reading(sensor: Sensor, now: datetime, rng: random.Random) -> dict[str, Any]:  # Any: JSON
    """Fine dust with the traffic, ozone with the sun; µg/m³, ppm, °C, %."""
    hour = _hour(now)
    sun = max(0.0, math.sin((hour - 6) / 12 * math.pi)) if 6 < hour < 18 else 0.0
    pm10 = max(3.0, rng.gauss(34 + 26 * rush(hour), 4))
    return _stamped(sensor, now) | {
        "pm10": round(pm10, 1),
        "pm25": round(pm10 * rng.uniform(0.45, 0.6), 1),
        "o3": round(max(0.002, rng.gauss(0.018 + 0.04 * sun, 0.003)), 4),
        "no2": round(max(0.002, rng.gauss(0.012 + 0.02 * rush(hour), 0.002)), 4),
        "temperature": round(rng.gauss(12 + 7 * sun, 0.4), 1),
        "humidity": round(min(100.0, max(15.0, rng.gauss(64 - 20 * sun, 2))), 1),
    }


def traffic_reading(sensor: Sensor, now: datetime, rng: random.Random) -> dict[str, Any]:  # Any: JSON
    """Flow with the hour, speed falling as the road fills; vehicles/h, km/h, share of time occupied."""
    busy = rush(_hour(now))
    flow = max(0.0, rng.gauss(sensor.lanes * 620 * busy, 40))
    speed = max(4.0, rng.gauss(sensor.limit_kmh * (1.02 - 0.62 * busy**2), 3))
    return _stamped(sensor, now) | {
        "flow_vph": round(flow),
        "speed_kmh": round(speed, 1),
        "occupancy": round(min(1.0, flow / sensor.lanes / max(speed, 5) / 150), 3),
    }


def bell_heartbeat(sensor: Sensor, now: datetime, rng: random.Random) -> dict[str, Any]:  # Any: JSON
    """A bell that nobody presses says that it is alive, and how full its battery is (%)."""
    return _stamped(sensor, now) | {"battery": round(min(100.0, rng.gauss(92, 3)), 1), "pressed": False}


READINGS = {"air": air_reading, "traffic": traffic_reading, "bell": bell_heartbeat}


def _hour(now: datetime) -> float:
    local = now.astimezone(KST)
    return local.hour + local.minute / 60


def _stamped(sensor: Sensor, now: datetime) -> dict[str, Any]:  # Any: JSON
    return {
        "id": sensor.id,
        "lon": sensor.lon,
        "lat": sensor.lat,
        "observed_at": now.astimezone(UTC).isoformat(timespec="seconds"),
        "simulated": True,
    }


def broken(payload: bytes, rng: random.Random) -> bytes:
    """A payload as faulty devices send it."""
    return rng.choice(
        (
            payload[: len(payload) // 2],
            b"",
            b"\xff\xfe not text",
            payload.replace(b'"observed_at": "2', b'"observed_at": "19'),
            b'{"pm10": "error", "speed_kmh": -9999, "observed_at": "now"}',
            b"[" * 200,
        )
    )


def messages(sensors: list[Sensor], rng: random.Random, clock: Callable[[], datetime]) -> Iterator[tuple[str, bytes]]:
    """Topics and payloads without end, each sensor in its turn; the last one falls silent."""
    silent, sent = sensors[-1], 0
    while True:
        for sensor in sensors:
            if sensor is silent:
                sent += 1
                if sent > SILENT_AFTER:
                    continue
            payload = json.dumps(READINGS[sensor.kind](sensor, clock(), rng), ensure_ascii=False).encode()
            yield sensor.topic, broken(payload, rng) if rng.random() < BAD_SHARE else payload


async def publish(url: str, sensors: list[Sensor], rate: float, stop: asyncio.Event, seed: int = 7) -> int:
    """Publishes `rate` messages a second (QoS 0) until `stop`; waits for a broker that is not up. Returns the count."""
    from gmqtt import Client
    from gmqtt.mqtt.constants import MQTTv311

    parts = urlsplit(url)
    client = Client("madang-demo-sensors")
    if parts.username:
        client.set_auth_credentials(parts.username, parts.password)
    if not await _connect(client, parts.hostname or "127.0.0.1", parts.port or 1883, MQTTv311, stop):
        return 0
    sent = 0
    for topic, payload in messages(sensors, random.Random(seed), lambda: datetime.now(UTC)):
        if await _stopped(stop, 1 / rate):
            break
        if client.is_connected:
            client.publish(topic, payload, qos=0)
            sent += 1
    await client.disconnect()
    return sent


async def _connect(
    client: Any, host: str, port: int, version: int, stop: asyncio.Event
) -> bool:  # Any: gmqtt is untyped
    while not stop.is_set():
        try:
            await client.connect(host, port, version=version)
        except OSError:
            await _stopped(stop, RETRY_S)
        else:
            return True
    return False


async def _stopped(stop: asyncio.Event, seconds: float) -> bool:
    """Waits; True as soon as `stop` is set."""
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return False
    return True


async def _run(options: argparse.Namespace) -> int:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    sensors = load(options.city)
    sys.stdout.write(f"{len(sensors)} simulated sensors → {options.mqtt}, {options.rate:g} messages a second\n")
    sys.stdout.flush()
    await publish(options.mqtt, sensors, options.rate, stop, options.seed)
    return 0


def main(arguments: list[str] | None = None) -> int:
    """Publishes until interrupted."""
    parser = argparse.ArgumentParser(prog="python -m madang_demo.sensors", description="Simulated sensors over MQTT.")
    parser.add_argument("--mqtt", default="mqtt://127.0.0.1:18830", help="the broker")
    parser.add_argument("--city", type=Path, required=True, help="a folder made by madang_demo.city")
    parser.add_argument("--rate", type=float, default=5.0, help="messages a second, all sensors together")
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args(arguments)
    if options.rate <= 0:
        parser.error("--rate must be greater than 0")
    return asyncio.run(_run(options))


if __name__ == "__main__":
    raise SystemExit(main())
