"""The door for machines: `POST /signals/v1/batch`, answered 202 only after the commit; `GET /signals/v1/schema`.

Requests that come together are committed together, so that a durable write is paid once for many.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, MutableMapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Protocol, TypeVar

import msgspec
import orjson

from madang.identity.access import require
from madang.identity.rights import Actor, Right, Role, Thing
from madang.journal import civic
from madang.kernel.canonical import parse_json
from madang.kernel.clock import Clock
from madang.kernel.errors import (
    BadRequestError,
    MadangError,
    NotAuthenticatedError,
    NotFoundError,
    TooLargeError,
    UnavailableError,
)
from madang.kernel.mode import Mode
from madang.response.config import SignalsConfig
from madang.response.signals.domain import BY_HAND, FROM_OUTSIDE, Source
from madang.response.signals.intake import JSON, MOST_TEXT, Answer, Draft, Receipt, accept
from madang.response.tasks import response_config

T = TypeVar("T")
Scope = MutableMapping[str, Any]  # Any: ASGI is untyped
Message = MutableMapping[str, Any]  # Any: the same
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
log = logging.getLogger("madang.response.signals")

BATCH, SCHEMA = "/signals/v1/batch", "/signals/v1/schema"
_MOST_BYTES = 4_000_000
_MOST_WAITING = 20_000
_AT_ONCE = 1_000
_GATHER_S = 0.01
"""How long requests are let gather before their commit."""


class Services(Protocol):
    """What the site lends."""

    @property
    def clock(self) -> Clock:
        """The platform's time."""
        ...

    async def run_civic(self, work: Callable[[], T]) -> T:
        """Runs database work off the event loop."""
        ...

    async def authenticate(self, headers: Iterable[tuple[bytes, bytes]]) -> Actor | None:
        """Who a bearer token belongs to."""
        ...


# ------------------------------------------------------------------------------------------------- the contract


class SignalIn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename={"class_code": "class"}):
    """One report. The same `source_id` of a device is taken once; with other content it is refused."""

    source: Annotated[str, msgspec.Meta(description="sensor, bell, frigate, onvif, agency, citizen or facility")]
    source_id: Annotated[
        str, msgspec.Meta(min_length=1, max_length=200, description="the sender's own id of this report")
    ]
    device: Annotated[str, msgspec.Meta(max_length=100, description="who saw it: bell number, camera id, station")] = ""
    class_code: Annotated[
        str, msgspec.Meta(min_length=1, max_length=64, description="e.g. fire, intrusion, emergency_bell")
    ]
    observed_at: Annotated[datetime, msgspec.Meta(tz=True, description="RFC 3339 with its offset")]
    lon: Annotated[float | None, msgspec.Meta(description="WGS84 degrees")] = None
    lat: Annotated[float | None, msgspec.Meta(description="WGS84 degrees")] = None
    accuracy_m: Annotated[float, msgspec.Meta(ge=0)] | None = None
    address: Annotated[str, msgspec.Meta(max_length=500)] = ""
    priority: Annotated[int, msgspec.Meta(ge=0, le=4, description="a proposal, 0 most urgent")] | None = None
    confidence: Annotated[float, msgspec.Meta(ge=0, le=1)] | None = None
    text: Annotated[str, msgspec.Meta(max_length=MOST_TEXT)] = ""
    media_ref: Annotated[str, msgspec.Meta(max_length=500)] = ""
    attributes: dict[str, JSON] = {}
    ending: Annotated[bool, msgspec.Meta(description="what was reported before is over")] = False


class BatchIn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is posted. `authority` is needed only where a token serves several cities."""

    signals: Annotated[list[SignalIn], msgspec.Meta(min_length=1)]
    authority: str = ""
    mode: Mode | None = None


def schema() -> bytes:
    """The JSON Schema of a batch."""
    return msgspec.json.encode(
        {"$schema": "https://json-schema.org/draft/2020-12/schema", **msgspec.json.schema(BatchIn)}
    )


def read_batch(body: bytes, actor: Actor, own_mode: Mode, most: int) -> list[Draft | str]:
    """The drafts of a batch, each by itself: a text says why one cannot be read. Raises for what is no batch at all."""
    raw = parse_json(body, max_bytes=_MOST_BYTES)
    if not isinstance(raw, dict) or not isinstance(raw.get("signals"), list) or not raw["signals"]:
        raise BadRequestError('the body is {"signals": [...]} with at least one', where="signals", hint=SCHEMA)
    if unknown := sorted(set(raw) - {"signals", "authority", "mode"}):
        raise BadRequestError(f"unknown member {unknown[0][:60]!r}", where=unknown[0][:60], hint=SCHEMA)
    if len(raw["signals"]) > most:
        raise TooLargeError(f"a batch has at most {most} signals", where="signals")
    authority, mode = _authority(raw.get("authority"), actor), _mode(raw.get("mode"), own_mode)
    sources = _sources(actor, authority)
    return [_draft(one, authority, mode, sources) for one in raw["signals"]]


def _sources(actor: Actor, authority: str) -> frozenset[Source]:
    """What the sender may call itself. An agency's priority is believed, so that no device speaks as one."""
    only_device = actor.roles.get(authority) == frozenset({Role.DEVICE})
    return FROM_OUTSIDE - {Source.AGENCY} if only_device else FROM_OUTSIDE


def _authority(said: object, actor: Actor) -> str:
    if isinstance(said, str) and said:
        return said
    if len(actor.authorities) != 1:
        raise BadRequestError("name the city the signals are of", where="authority")
    return next(iter(actor.authorities))


def _mode(said: object, own_mode: Mode) -> Mode:
    """The mode of a batch: where not everything is real, nothing else is taken."""
    if said is None:
        return own_mode
    mode = next((one for one in Mode if one.value == said), None)
    if mode is None or (own_mode is not Mode.LIVE and mode is not own_mode):
        raise BadRequestError(f"this platform takes {own_mode.value} signals", where="mode")
    return mode


def _draft(raw: object, authority: str, mode: Mode, sources: frozenset[Source]) -> Draft | str:
    try:
        told = msgspec.convert(raw, SignalIn)
    except msgspec.ValidationError as error:
        return str(error)
    if told.source not in sources:
        return f"source is one of {', '.join(sorted(sources))} - at `$.source`"
    if told.device.startswith(BY_HAND):
        return f"a device may not be called {BY_HAND}... - at `$.device`"
    return Draft(authority=authority, mode=mode, **msgspec.structs.asdict(told))


# ------------------------------------------------------------------------------------------------- the door


@dataclass(slots=True)
class _Waiting:
    """A request's drafts, waiting for their commit."""

    actor: Actor
    drafts: Sequence[Draft]
    answer: asyncio.Future[list[Answer]]


class Gathering:
    """Commits together what comes together."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._waiting: list[_Waiting] = []
        self._count = 0
        self._task: asyncio.Task[None] | None = None

    async def take(self, actor: Actor, drafts: Sequence[Draft]) -> list[Answer]:
        """The answers, once they are true. Raises `UnavailableError` at once when too much waits."""
        if self._count + len(drafts) > _MOST_WAITING:
            raise UnavailableError(f"{self._count} signals wait to be written", hint="Send them again in a second")
        waiting = _Waiting(actor, drafts, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        self._count += len(drafts)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._commit_all())
        return await waiting.answer

    async def _commit_all(self) -> None:
        while self._waiting:
            await asyncio.sleep(_GATHER_S)
            some = self._next()
            try:
                await self._commit(some)
            except Exception as error:  # noqa: BLE001 -- told to whoever sent them; one may spoil it for the others
                await self._one_by_one(some, error)
            self._count -= sum(len(one.drafts) for one in some)

    def _next(self) -> list[_Waiting]:
        some: list[_Waiting] = []
        while self._waiting and sum(len(one.drafts) for one in some) < _AT_ONCE:
            some.append(self._waiting.pop(0))
        return some

    async def _commit(self, some: Sequence[_Waiting]) -> None:
        answers = await self._services.run_civic(lambda: self._write(some))
        for one, given in zip(some, answers, strict=True):
            if not one.answer.done():
                one.answer.set_result(given)

    async def _one_by_one(self, some: Sequence[_Waiting], error: Exception) -> None:
        for one in some:
            try:
                if len(some) == 1:
                    raise error
                await self._commit([one])
            except Exception as why:  # noqa: BLE001 -- told to whoever sent it
                if not one.answer.done():
                    one.answer.set_exception(why)

    def _write(self, some: Sequence[_Waiting]) -> list[list[Answer]]:
        now = self._services.clock()
        with civic.transaction() as tx:
            return [accept(tx, one.actor, one.drafts, now) for one in some]


def asgi_app(services: Services) -> Callable[[Scope, Receive, Send], Awaitable[None]]:
    """The ASGI app of everything below `/signals/`."""
    gathering, config = Gathering(services), response_config().signals

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise NotFoundError("signals are sent over HTTP")
        try:
            status, body = await _answer(services, gathering, config, scope, receive)
        except UnavailableError as error:
            return await _reply(send, 503, orjson.dumps(error.problem()), (b"retry-after", b"1"))
        except MadangError as error:
            return await _reply(send, error.status, orjson.dumps(error.problem()))
        return await _reply(send, status, body)

    return app


async def _answer(
    services: Services, gathering: Gathering, config: SignalsConfig, scope: Scope, receive: Receive
) -> tuple[int, bytes]:
    if scope["path"] == SCHEMA and scope["method"] in ("GET", "HEAD"):
        return 200, schema()
    if scope["path"] != BATCH or scope["method"] != "POST":
        raise NotFoundError(f"signals are sent with POST to {BATCH}; the form is at {SCHEMA}")
    actor = await services.authenticate(scope["headers"])
    if actor is None:
        raise NotAuthenticatedError("send a token that holds", where="Authorization", hint="Authorization: Bearer ...")
    read = read_batch(await _body(receive), actor, _own_mode(), config.door_batch)
    for city in {one.authority for one in read if isinstance(one, Draft)}:
        require(actor, Right.SEND_SIGNAL, Thing(city, agency=actor.agency))
    drafts = [one for one in read if isinstance(one, Draft)]
    kept = iter(await gathering.take(actor, drafts) if drafts else ())
    answers = [Answer(Receipt.REFUSED, "", one) if isinstance(one, str) else next(kept) for one in read]
    if all(one.receipt is Receipt.REFUSED for one in answers):
        raise BadRequestError(
            f"none of {len(answers)} signals could be taken: {answers[0].reason}",
            where="signals",
            hint=f"The form is at {SCHEMA}",
            answers=[msgspec.to_builtins(one) for one in answers],
        )
    return 202, msgspec.json.encode({"answers": answers})


def _own_mode() -> Mode:
    from django.conf import settings

    return Mode(str(getattr(getattr(settings, "MADANG_CONSOLE", None), "mode", Mode.LIVE)))


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


async def _reply(send: Send, status: int, body: bytes, *more: tuple[bytes, bytes]) -> None:
    kind = b"application/problem+json" if status >= 400 else b"application/json"
    headers = [(b"content-type", kind), (b"content-length", str(len(body)).encode()), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": status, "headers": [*headers, *more]})
    await send({"type": "http.response.body", "body": body})
