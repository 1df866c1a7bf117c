"""The connection to the broker: takes messages, waits for the hub, never takes more than it can keep.

A message of QoS 1 or 2 is acknowledged to the broker once its reading is committed. When the hub is slower than the
broker, reading from the socket pauses, so the broker queues (QoS 1, 2) or drops (QoS 0) by its own rules, and memory
stays bounded.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence, Sized
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, Protocol  # Any: JSON members
from urllib.parse import urlsplit

import gmqtt
from gmqtt.mqtt.constants import MQTTCommands, MQTTv50, MQTTv311

from madang.connectors.mqtt.config import MqttConfig, TopicRule
from madang.connectors.mqtt.mapping import Json, Unreadable, compile_routes, read
from madang.hub.changes import Mutation
from madang.kernel.clock import Clock

log = logging.getLogger(__name__)

_RETRY_FIRST_S, _RETRY_MOST_S = 0.5, 30.0
_KEPT_BYTES = 2_000
_SLICE = 250
_OF_A_TOPIC = 5
"""So many readings of each topic, on average, share one write at most."""
_QOS = 0x06
"""The bits of a PUBLISH packet's first byte that say its quality of service."""


class Taken(Protocol):
    """What became of a batch."""

    @property
    def errors(self) -> Sized: ...


class Hub(Protocol):
    """The part of the hub that readings need."""

    async def ingest(self, tenant: str, fragments: Iterable[Mapping[str, Any]], *, source: str) -> Taken: ...
    async def take(self, tenant: str, readings: Sequence[Mutation], *, source: str) -> Taken: ...
    async def reject(self, tenant: str, source: str, reason: str, raw: bytes) -> None: ...


_Waiting = tuple[str, bytes, asyncio.Future[None] | None]
"""Topic, payload, and who waits until it is stored."""


@dataclass(slots=True)
class _Readings:
    """What came under one rule: ready for the writer, or still to be read by the hub."""

    rule: TopicRule
    ready: list[Mutation] = field(default_factory=list)
    fragments: list[Json] = field(default_factory=list)


class MqttDoor:
    """One broker connection; `run` lives as long as the server."""

    def __init__(self, config: MqttConfig, hub: Hub, clock: Clock) -> None:
        self._config = config
        self._hub = hub
        self._clock = clock
        self._routes = compile_routes(config.topics)
        self._queue: deque[_Waiting] = deque()
        self._arrived = asyncio.Event()
        self._client: gmqtt.Client | None = None
        self._paused = False
        self.counts: Counter[str] = Counter()
        self.connected = False

    @property
    def waiting(self) -> int:
        """Messages taken and not yet stored."""
        return len(self._queue)

    async def run(self) -> None:
        """Connects, reconnects and feeds the hub until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._stay_connected())
            tasks.create_task(self._feed())

    async def _stay_connected(self) -> None:
        wait_s, told = _RETRY_FIRST_S, False
        url = urlsplit(self._config.url)
        secure = ssl.create_default_context() if url.scheme == "mqtts" else False
        version = MQTTv50 if self._config.version == "5" else MQTTv311
        while True:
            client = self._new_client()
            lost = asyncio.Event()
            client.on_disconnect = lambda *_, lost=lost: lost.set()
            try:
                async with asyncio.timeout(10):
                    port = url.port or (8883 if secure else 1883)
                    await client.connect(
                        url.hostname, port, ssl=secure, version=version, keepalive=self._config.keepalive_s
                    )
                log.info("connected to the broker at %s:%s", url.hostname, port)
                wait_s, told, self._paused = _RETRY_FIRST_S, False, False
                await lost.wait()
                log.warning("the broker at %s is gone; reconnecting", url.hostname)
            except (OSError, TimeoutError, gmqtt.MQTTConnectError) as error:
                if not told:
                    log.warning("no connection to the broker at %s: %s", url.hostname, error)
                    told = True
            finally:
                self.connected = False
                client.stop_reconnect()
                if client.is_connected:
                    await client.disconnect()
            await asyncio.sleep(wait_s)
            wait_s = min(wait_s * 2, _RETRY_MOST_S)

    def _new_client(self) -> gmqtt.Client:
        client = gmqtt.Client(self._config.client_id, clean_session=False, optimistic_acknowledgement=False)
        if self._config.username:
            client.set_auth_credentials(self._config.username, self._config.password.reveal())
        client.set_config({"reconnect_retries": 0})
        # A plain function costs 3 µs a message less than a coroutine (measured); only QoS 1 and 2 have to wait for one.
        client.on_message = self._on_message if any(route.rule.qos for route in self._routes) else self._on_reading
        client.on_connect = self._on_connect
        if self._config.version == "3.1.1":
            self._take_readings_from(client)
        self._client = client
        return client

    def _take_readings_from(self, client: gmqtt.Client) -> None:
        """Takes what comes at QoS 0 from its packet: topic length, topic, payload (MQTT 3.1.1 §3.3).

        gmqtt unpacks a packet in four steps, looks for properties, and asks `inspect` about the receiver each time:
        half of the 6 µs that a message costs (measured). It has no public way around; where a later version keeps its
        handlers otherwise, messages come as they come to everybody.
        """
        handler = getattr(client, "_package_handler", None)
        handlers, general = getattr(handler, "_handler_cache", None), getattr(handler, "_handle_publish_packet", None)
        if not isinstance(handlers, dict) or general is None:
            return
        append = self._append

        def published(command: int, packet: bytes) -> None:
            end = 2 + int.from_bytes(packet[:2])
            if command & _QOS or not 2 < end <= len(packet):
                general(command, packet)
                return
            try:
                topic = packet[2:end].decode()
            except UnicodeDecodeError:
                general(command, packet)
            else:
                append((topic, packet[end:], None))

        handlers[MQTTCommands.PUBLISH] = published

    def _on_connect(self, client: gmqtt.Client, *_: object) -> None:
        self.connected = True
        client.subscribe([gmqtt.Subscription(route.filter, qos=route.rule.qos) for route in self._routes])

    async def _on_message(
        self, _client: gmqtt.Client, topic: str, payload: bytes, qos: int, _properties: object
    ) -> int:
        done = asyncio.get_running_loop().create_future() if qos else None
        self._append((topic, payload, done))
        if done is not None:
            await done
        return 0

    def _on_reading(self, _client: gmqtt.Client, topic: str, payload: bytes, _qos: int, _properties: object) -> None:
        self._append((topic, payload, None))

    def _append(self, waiting: _Waiting) -> None:
        queue = self._queue
        queue.append(waiting)
        if len(queue) == 1:
            self._arrived.set()
        if len(queue) >= self._config.queue:
            self._pause(True)

    def _pause(self, pause: bool) -> None:
        # gmqtt has no public way to stop reading; its transport is the socket's own.
        connection = getattr(self._client, "_connection", None)
        transport = getattr(connection, "_transport", None)
        if pause == self._paused or transport is None or transport.is_closing():
            return
        self._paused = pause
        self.counts["paused"] += pause
        if pause:
            transport.pause_reading()
        else:
            transport.resume_reading()

    async def _feed(self) -> None:
        while True:
            await self._arrived.wait()
            batch = self._next_batch()
            if not self._queue:
                self._arrived.clear()
            if self._paused and len(self._queue) <= self._config.queue // 2:
                self._pause(False)
            await self._keep_trying(partial(self._store, batch))
            for _, _, done in batch:
                if done is not None and not done.done():
                    done.set_result(None)

    def _next_batch(self) -> list[_Waiting]:
        """What shares the next write. Topics are counted, for a write costs more by entities than by readings: when
        the hub is behind, a third less for each reading (measured)."""
        queue, most = self._queue, self._config.batch
        batch: list[_Waiting] = []
        topics: set[str] = set()
        left = max(0, len(queue) - _OF_A_TOPIC * most)
        while len(queue) > left and len(topics) < most:
            waiting = queue.popleft()
            topics.add(waiting[0])
            batch.append(waiting)
        return batch

    async def _keep_trying(self, store: Callable[[], Awaitable[None]]) -> None:
        wait_s = _RETRY_FIRST_S
        while True:
            try:
                await store()
                return
            except Exception:  # whatever the store's trouble is, the readings wait for it to pass
                log.exception("the hub did not take a batch; trying again in %.1f s", wait_s)
                await asyncio.sleep(wait_s)
                wait_s = min(wait_s * 2, _RETRY_MOST_S)

    async def _store(self, batch: list[_Waiting]) -> None:
        now = self._clock()
        readings: dict[str, _Readings] = {}
        aside: list[Awaitable[None]] = []
        for start in range(0, len(batch), _SLICE):
            self._read(batch[start : start + _SLICE], now, readings, aside)
            await asyncio.sleep(0)  # others get their turn
        for known in readings.values():
            await self._take(known)
        await asyncio.gather(*aside)

    def _read(
        self, batch: list[_Waiting], now: datetime, readings: dict[str, _Readings], aside: list[Awaitable[None]]
    ) -> None:
        routes, max_payload = self._routes, self._config.max_payload
        for topic, payload, _ in batch:
            found = read(routes, topic, payload, now, max_payload)
            if isinstance(found, Unreadable):
                aside += self._set_aside(topic, payload, found.reason)
                continue
            route, said = found
            known = readings.get(route.rule.topic)
            if known is None:
                known = readings[route.rule.topic] = _Readings(route.rule)
            if isinstance(said, Mutation):
                known.ready.append(said)
            else:
                known.fragments.append(said)

    async def _take(self, readings: _Readings) -> None:
        rule, source = readings.rule, source_of(readings.rule)
        refused = 0
        if readings.ready:
            refused += len((await self._hub.take(rule.authority, readings.ready, source=source)).errors)
        if readings.fragments:
            refused += len((await self._hub.ingest(rule.authority, readings.fragments, source=source)).errors)
        self.counts["stored"] += len(readings.ready) + len(readings.fragments) - refused
        self.counts["rejected"] += refused

    def _set_aside(self, topic: str, payload: bytes, reason: str) -> list[Awaitable[None]]:
        self.counts["rejected"] += 1
        raw = f"{topic} ".encode()[:400] + payload[:_KEPT_BYTES]
        rules = [route.rule for route in self._routes if route.pattern.fullmatch(topic)][:1]
        return [self._hub.reject(rule.authority, source_of(rule), reason, raw) for rule in rules]


def source_of(rule: TopicRule) -> str:
    """The name of the feed on screens."""
    return f"mqtt:{rule.name or rule.topic}"
