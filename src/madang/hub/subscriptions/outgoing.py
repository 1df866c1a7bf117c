"""Sending one notification to its endpoint, over HTTP (clause 6.3) or MQTT (clause 7.2).

Where a host's name points to is judged at each delivery, and the connection goes to the very address that was judged.
Redirects are not followed. Reasons never hold an address with its password, a header or a body.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections import OrderedDict
from functools import lru_cache
from typing import Any
from urllib.parse import unquote, urlsplit

import orjson

from madang.hub.subscriptions.notification import Message
from madang.hub.subscriptions.resolving import Resolver
from madang.hub.subscriptions.subscription import Endpoint
from madang.kernel.errors import MadangError
from madang.kernel.ids import new_id

_POOLS = 256
_PER_HOST = 352
_IDLE_S = 15.0
_ANSWER_BYTES = 65_536
_MQTT_PORTS = {"mqtt": 1883, "mqtts": 8883}


class DeliveryError(Exception):
    """Why a notification was not taken, fit for people to read. `final`: the endpoint refused this very message."""

    def __init__(self, reason: str, *, final: bool = False) -> None:
        super().__init__(reason)
        self.final = final


_REFUSED = frozenset({400, 413, 415, 422})
"""Answers that speak of the message, not of the endpoint's state: sending the same again will hardly help."""


class HttpSender:
    """POSTs notifications over connections kept open per endpoint host."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver
        self._pools: OrderedDict[tuple[str, str, int, str], Any] = OrderedDict()  # Any: httpcore pools, loaded lazily

    async def send(self, endpoint: Endpoint, message: Message) -> None:
        """Sends; raises `DeliveryError` unless the answer is 2xx."""
        import httpcore  # lazily: only hubs that notify need it

        parts = urlsplit(endpoint.uri)
        assert parts.hostname is not None
        address = await _located(self._resolver, parts.hostname)
        secure = parts.scheme == "https"
        port = parts.port or (443 if secure else 80)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        url = httpcore.URL(scheme=parts.scheme, host=address, port=port, target=target.encode("ascii", "replace"))
        pool = self._pool(parts.scheme, parts.hostname, port, address)
        try:
            async with pool.stream(
                "POST",
                url,
                headers=_headers(parts.netloc, message),
                content=message.body,
                extensions={"sni_hostname": parts.hostname},
            ) as answer:
                status = int(answer.status)
                await _drained(answer)
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.TimeoutException, OSError) as error:
            raise DeliveryError(f"no answer: {type(error).__name__}") from None
        if not 200 <= status < 300:
            raise DeliveryError(f"the endpoint answered {status}", final=status in _REFUSED)

    def _pool(self, scheme: str, host: str, port: int, address: str) -> Any:  # Any: an httpcore pool, loaded lazily
        import httpcore

        key = (scheme, host, port, address)
        if key in self._pools:
            self._pools.move_to_end(key)
            return self._pools[key]
        pool = httpcore.AsyncConnectionPool(
            ssl_context=trust() if scheme == "https" else None,
            max_connections=_PER_HOST,
            max_keepalive_connections=8,
            keepalive_expiry=_IDLE_S,
        )
        self._pools[key] = pool
        self._forget_idle()
        return pool

    def _forget_idle(self) -> None:
        for key in [*self._pools][: max(0, len(self._pools) - _POOLS)]:
            if not self._pools[key].connections:
                del self._pools[key]

    async def close(self) -> None:
        """Closes every connection."""
        for pool in self._pools.values():
            await pool.aclose()
        self._pools.clear()


@lru_cache(maxsize=1)
def trust() -> ssl.SSLContext:
    """Whom HTTPS endpoints must be certified by: the system's authorities."""
    return ssl.create_default_context()


async def _located(resolver: Resolver, host: str) -> str:
    try:
        return await resolver.address(host)
    except MadangError as error:
        raise DeliveryError(error.detail) from None


def _headers(netloc: str, message: Message) -> list[tuple[bytes, bytes]]:
    fixed = [(b"Host", netloc.encode("idna" if not netloc.isascii() else "ascii"))]
    fixed.append((b"Content-Length", str(len(message.body)).encode()))
    return fixed + [(name.encode("ascii"), value.encode("latin-1", "replace")) for name, value in message.headers]


async def _drained(answer: Any) -> None:  # Any: httpcore's response, loaded lazily
    """Reads a short answer, so that the connection can be used again; a long one is cut off."""
    read = 0
    async for chunk in answer.aiter_stream():
        read += len(chunk)
        if read > _ANSWER_BYTES:
            break


class MqttSender:
    """Publishes notifications; one connection per subscription, kept for as long as it is in use."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver
        self._lines: dict[str, _Line] = {}

    async def send(self, endpoint: Endpoint, message: Message, subscription_id: str) -> None:
        """Publishes; returns when the broker has taken it as the quality of service asks. Raises `DeliveryError`."""
        line = self._lines.get(subscription_id)
        if line is None or line.endpoint != endpoint or line.lost.is_set():
            await self.hang_up(subscription_id)
            line = self._lines[subscription_id] = await self._connected(endpoint)
        body = {"metadata": dict(message.headers), "body": orjson.Fragment(message.body)}
        line.used_at = asyncio.get_running_loop().time()
        try:
            await line.publish(orjson.dumps(body))
        except BaseException:
            await self.hang_up(subscription_id)
            raise

    async def _connected(self, endpoint: Endpoint) -> _Line:
        host = urlsplit(endpoint.uri).hostname
        assert host is not None
        line = _Line(endpoint)
        try:
            await line.connect(await _located(self._resolver, host), host)
        except BaseException:
            await line.close()
            raise
        return line

    async def hang_up(self, subscription_id: str) -> None:
        """Closes the connection of a subscription, if there is one."""
        line = self._lines.pop(subscription_id, None)
        if line is not None:
            await line.close()

    async def hang_up_idle(self) -> None:
        """Closes connections that were not used for a while."""
        long_ago = asyncio.get_running_loop().time() - _IDLE_S
        for subscription_id in [key for key, line in self._lines.items() if line.used_at < long_ago]:
            await self.hang_up(subscription_id)

    async def close(self) -> None:
        """Closes every connection."""
        for subscription_id in [*self._lines]:
            await self.hang_up(subscription_id)


class _Line:
    """One connection to an MQTT broker. gmqtt's own reconnecting stays off: retries are the queue's business."""

    def __init__(self, endpoint: Endpoint) -> None:
        import gmqtt  # lazily: only MQTT endpoints need it
        from gmqtt.storage import PersistentStorage

        self.endpoint = endpoint
        self.lost = asyncio.Event()
        self.used_at = 0.0
        self._refused = 0
        self._unsent = PersistentStorage()
        self._client = gmqtt.Client(f"madang-{new_id()}", clean_session=True, persistent_storage=self._unsent)
        self._client.set_config({"reconnect_retries": 0, "reconnect_delay": 0})
        self._client.on_disconnect = lambda *_: self.lost.set()
        self._watch_refusals()

    def _watch_refusals(self) -> None:
        """gmqtt takes an acknowledgement with an error code (MQTT 5) for success: the code is read beside it."""
        handler = self._client._package_handler  # there is no public way
        inner = handler._handle_packet

        def watched(command: int, packet: bytes) -> None:
            if command & 0xF0 in (0x40, 0x50, 0x70) and len(packet) > 2 and packet[2] >= 0x80:
                self._refused = packet[2]
            inner(command, packet)

        handler._handle_packet = watched

    async def connect(self, address: str, host: str) -> None:
        """Connects to an address that was judged; the certificate must be the host's."""
        import gmqtt
        from gmqtt.mqtt.constants import MQTTv50, MQTTv311

        parts = urlsplit(self.endpoint.uri)
        if parts.username is not None:
            password = unquote(parts.password) if parts.password is not None else None
            self._client.set_auth_credentials(unquote(parts.username), password)
        version = MQTTv311 if self.endpoint.mqtt_version == "mqtt3.1.1" else MQTTv50
        secure = _PinnedTrust.of(host) if parts.scheme == "mqtts" else False
        port = parts.port or _MQTT_PORTS[parts.scheme]
        try:
            await self._client.connect(address, port, ssl=secure, version=version, keepalive=60)
        except gmqtt.MQTTConnectError as error:
            raise DeliveryError(f"the MQTT broker refused the connection ({error})") from None
        except OSError as error:
            raise DeliveryError(f"no connection to the MQTT broker: {type(error).__name__}") from None

    async def publish(self, body: bytes) -> None:
        """Publishes and waits for the acknowledgement, if the quality of service has one."""
        self._refused = 0
        topic = unquote(urlsplit(self.endpoint.uri).path[1:])
        self._client.publish(topic, body, qos=self.endpoint.mqtt_qos, content_type="application/json")
        taken = asyncio.ensure_future(self._unsent.wait_empty())
        lost = asyncio.ensure_future(self.lost.wait())
        try:
            await asyncio.wait({taken, lost}, return_when=asyncio.FIRST_COMPLETED)
            if self._refused or not taken.done():
                raise DeliveryError(
                    f"the MQTT broker refused the message (code {self._refused})"
                    if self._refused
                    else "the MQTT broker closed the connection"
                )
        finally:
            taken.cancel()
            lost.cancel()

    async def close(self) -> None:
        """Leaves the broker."""
        with contextlib.suppress(Exception):
            async with asyncio.timeout(1.0):
                await self._client.disconnect()


class _PinnedTrust(ssl.SSLContext):
    """Checks the certificate for the host's name although the connection goes to the address that was judged."""

    host = ""

    @classmethod
    def of(cls, host: str) -> _PinnedTrust:
        """The usual trust, for one host."""
        context = cls(ssl.PROTOCOL_TLS_CLIENT)
        context.load_default_certs()
        context.host = host
        return context

    def wrap_bio(self, *args: Any, **kwargs: Any) -> ssl.SSLObject:  # Any: as ssl.SSLContext has them
        kwargs["server_hostname"] = self.host
        return super().wrap_bio(*args[:2], **kwargs)
