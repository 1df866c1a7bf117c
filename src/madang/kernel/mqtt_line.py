"""A line to an MQTT broker: what comes is handed over in groups and acknowledged to the broker once it was taken.

Messages of QoS 1 and 2 are answered only after `take` returned, so a crash in between brings them again. When they come
faster than they are taken, the socket is not read until half of what waits has gone: memory stays bounded.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any  # Any: gmqtt hands over untyped values
from urllib.parse import urlsplit

import gmqtt
from gmqtt.mqtt.constants import MQTTv50, MQTTv311

from madang.kernel.secret import Secret

log = logging.getLogger(__name__)
_RETRY_FIRST_S, _RETRY_MOST_S = 0.5, 30.0
_CONNECT_S = 10.0


@dataclass(frozen=True, slots=True)
class Heard:
    """One message. `retained`: the broker kept it; it may be old."""

    topic: str
    payload: bytes
    retained: bool


@dataclass(frozen=True, slots=True)
class Broker:
    """Where the broker is (`mqtt://` or `mqtts://`) and who asks."""

    url: str
    client_id: str
    version: str = "3.1.1"
    username: str = ""
    password: Secret = field(default_factory=Secret)
    keepalive_s: int = 30


class MqttLine:
    """One connection; `run` lives as long as the server, and connects again by itself."""

    def __init__(
        self,
        broker: Broker,
        topics: Sequence[str],
        take: Callable[[Sequence[Heard]], Awaitable[None]],
        *,
        most_waiting: int = 5_000,
        group: int = 200,
    ) -> None:
        self._broker = broker
        self._topics = tuple(topics)
        self._take = take
        self._most, self._group = most_waiting, group
        self._waiting: deque[tuple[Heard, asyncio.Future[None]]] = deque()
        self._arrived = asyncio.Event()
        self._client: gmqtt.Client | None = None
        self._paused = False
        self.connected = False

    async def run(self) -> None:
        """Connects, listens and hands over, until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._stay_connected())
            tasks.create_task(self._hand_over())

    async def _stay_connected(self) -> None:
        wait_s, told = _RETRY_FIRST_S, False
        while True:
            lost = asyncio.Event()
            client = self._new_client(lost)
            try:
                await self._connect(client)
                wait_s, told, self._paused = _RETRY_FIRST_S, False, False
                await lost.wait()
                log.warning("the broker of %s is gone; connecting again", self._broker.client_id)
            except (OSError, TimeoutError, gmqtt.MQTTConnectError) as error:
                if not told:
                    log.warning("no connection to the broker of %s: %s", self._broker.client_id, error)
                    told = True
            finally:
                self.connected = False
                client.stop_reconnect()
                if client.is_connected:
                    await client.disconnect()
            await asyncio.sleep(wait_s)
            wait_s = min(wait_s * 2, _RETRY_MOST_S)

    async def _connect(self, client: gmqtt.Client) -> None:
        url = urlsplit(self._broker.url)
        secure = ssl.create_default_context() if url.scheme == "mqtts" else False
        version = MQTTv50 if self._broker.version == "5" else MQTTv311
        port = url.port or (8883 if secure else 1883)
        async with asyncio.timeout(_CONNECT_S):
            await client.connect(url.hostname, port, ssl=secure, version=version, keepalive=self._broker.keepalive_s)

    def _new_client(self, lost: asyncio.Event) -> gmqtt.Client:
        client = gmqtt.Client(self._broker.client_id, clean_session=False, optimistic_acknowledgement=False)
        if self._broker.username:
            client.set_auth_credentials(self._broker.username, self._broker.password.reveal())
        client.set_config({"reconnect_retries": 0})
        client.on_message = self._on_message
        client.on_connect = self._on_connect
        client.on_disconnect = lambda *_: lost.set()
        self._client = client
        return client

    def _on_connect(self, client: gmqtt.Client, *_: object) -> None:
        self.connected = True
        client.subscribe([gmqtt.Subscription(topic, qos=1) for topic in self._topics])

    async def _on_message(
        self,
        _client: gmqtt.Client,
        topic: str,
        payload: bytes,
        _qos: int,
        properties: Mapping[str, Any],  # Any: see above
    ) -> int:
        done = asyncio.get_running_loop().create_future()
        self._waiting.append((Heard(topic, bytes(payload), bool(properties.get("retain"))), done))
        self._arrived.set()
        if len(self._waiting) >= self._most:
            self._pause(True)
        await done
        return 0

    def _pause(self, pause: bool) -> None:
        # gmqtt has no public way to stop reading; its transport is the socket's own.
        transport = getattr(getattr(self._client, "_connection", None), "_transport", None)
        if pause == self._paused or transport is None or transport.is_closing():
            return
        self._paused = pause
        if pause:
            transport.pause_reading()
        else:
            transport.resume_reading()

    async def _hand_over(self) -> None:
        while True:
            await self._arrived.wait()
            some = [self._waiting.popleft() for _ in range(min(self._group, len(self._waiting)))]
            if not self._waiting:
                self._arrived.clear()
            if self._paused and len(self._waiting) <= self._most // 2:
                self._pause(False)
            await self._until_taken([heard for heard, _ in some])
            for _, done in some:
                if not done.done():
                    done.set_result(None)

    async def _until_taken(self, some: Sequence[Heard]) -> None:
        wait_s = _RETRY_FIRST_S
        while some:
            try:
                await self._take(some)
                return
            except Exception:  # whatever the trouble is, messages wait for it to pass
                log.exception("%d messages were not taken; trying again in %.1f s", len(some), wait_s)
                await asyncio.sleep(wait_s)
                wait_s = min(wait_s * 2, _RETRY_MOST_S)
