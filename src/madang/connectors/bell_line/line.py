"""The two ways bells speak: at a broker, and at `POST /bells/v1/batch`, answered 202 only after the commit."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, MutableMapping, Sequence
from datetime import datetime
from typing import Any, Protocol, TypeVar

import msgspec
import orjson

from madang.connectors.bell_line.config import BellLineConfig
from madang.connectors.bell_line.taking import Line, take
from madang.connectors.bell_line.wire import Said, read, said
from madang.identity.rights import Actor, system_actor
from madang.journal import civic
from madang.kernel.canonical import parse_json
from madang.kernel.clock import Clock
from madang.kernel.errors import BadRequestError, MadangError, NotAuthenticatedError, NotFoundError, TooLargeError
from madang.kernel.mode import Mode
from madang.kernel.mqtt_line import Heard
from madang.response.signals.intake import Answer, Receipt

T = TypeVar("T")
Scope = MutableMapping[str, Any]  # Any: ASGI is untyped
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]  # Any: the same
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]  # Any: the same
log = logging.getLogger(__name__)

BATCH = "/bells/v1/batch"
_MOST_BYTES = 1_000_000
_MOST = 500


class Services(Protocol):
    """What the site lends."""

    @property
    def clock(self) -> Clock: ...
    async def run_civic(self, work: Callable[[], T]) -> T: ...
    async def authenticate(self, headers: Iterable[tuple[bytes, bytes]]) -> Actor | None: ...


class BrokerLine:
    """Takes what comes from the broker."""

    def __init__(self, config: BellLineConfig, services: Services, mode: Mode) -> None:
        self._services = services
        self._line = Line(config.authority, mode, system_actor(config.authority, "bell_line"), config)
        self.counts: Counter[str] = Counter()

    async def take(self, heard: Sequence[Heard]) -> None:
        """Keeps a group; what cannot be read is counted and told in the log. Raises where the store does."""
        now = self._services.clock()
        known = [one for message in heard if (one := self._read(message)) is not None]
        if known:
            answers = await self._services.run_civic(lambda: _write(self._line, known, now))
            self.counts.update(answer.receipt.value for answer in answers)

    def _read(self, message: Heard) -> Said | None:
        try:
            return read(message.payload, message.topic, self._services.clock(), self._line.config.max_payload)
        except (MadangError, ValueError) as error:
            self.counts["unreadable"] += 1
            log.warning("a bell's message on %s cannot be read: %s", message.topic[:100], str(error)[:200])
            return None


def _write(line: Line, known: Sequence[Said], now: datetime) -> list[Answer]:
    with civic.transaction() as tx:
        return take(tx, line, known, now)


def asgi_app(
    services: Services, config: BellLineConfig, mode: Mode
) -> Callable[[Scope, Receive, Send], Awaitable[None]]:
    """The ASGI app of everything below `/bells/`."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise NotFoundError("bells speak over HTTP here")
        try:
            await _reply(send, 202, await _answer(services, config, mode, scope, receive))
        except MadangError as error:
            await _reply(send, error.status, orjson.dumps(error.problem()))

    return app


async def _answer(services: Services, config: BellLineConfig, mode: Mode, scope: Scope, receive: Receive) -> bytes:
    if scope["path"] != BATCH or scope["method"] != "POST":
        raise NotFoundError(f"bells speak with POST to {BATCH}")
    actor = await services.authenticate(scope["headers"])
    if actor is None:
        raise NotAuthenticatedError("send a token that holds", where="Authorization", hint="Authorization: Bearer ...")
    raw = parse_json(await _body(receive), max_bytes=_MOST_BYTES)
    bells = raw.get("bells") if isinstance(raw, dict) else None
    if not isinstance(bells, list) or not 1 <= len(bells) <= _MOST:
        raise BadRequestError(f'the body is {{"bells": [...]}} with 1 to {_MOST}', where="bells")
    now = services.clock()
    line = Line(_city(raw.get("authority"), actor), mode, actor, config)
    known = [_said(one, now) for one in bells]
    good = [one for one in known if isinstance(one, Said)]
    kept = iter(await services.run_civic(lambda: _write(line, good, now)))
    answers = [Answer(Receipt.REFUSED, "", one) if isinstance(one, str) else next(kept) for one in known]
    return msgspec.json.encode({"answers": answers})


def _city(wanted: object, actor: Actor) -> str:
    if isinstance(wanted, str) and wanted:
        return wanted
    if len(actor.authorities) != 1:
        raise BadRequestError("name the city the bells are of", where="authority")
    return next(iter(actor.authorities))


def _said(raw: Any, now: datetime) -> Said | str:  # Any: JSON from outside
    try:
        return said(raw, now)
    except (MadangError, ValueError) as error:
        return str(error)


async def _body(receive: Receive) -> bytes:
    parts = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise BadRequestError("the connection was closed before the body was complete", where="body")
        parts += message.get("body", b"")
        if len(parts) > _MOST_BYTES:
            raise TooLargeError(f"at most {_MOST_BYTES} bytes are taken", where="body")
        if not message.get("more_body", False):
            return bytes(parts)


async def _reply(send: Send, status: int, body: bytes) -> None:
    kind = b"application/problem+json" if status >= 400 else b"application/json"
    headers = [(b"content-type", kind), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
