"""The HTTP face of the contract: reads no more than it must, hands the rest to a thread, tells problems."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, Protocol, TypeVar
from urllib.parse import parse_qsl

import orjson

from madang.kernel.clock import Clock
from madang.kernel.errors import MadangError, problem
from madang.kernel.keyring import Keyring
from madang.linkages.police112 import receiving, wire
from madang.linkages.police112.config import Police112Config, police112_config
from madang.linkages.police112.receiving import Answer, Desk, Request
from madang.linkages.police112.refusals import LinkRefusalError, status_of
from madang.linkages.police112.signing import HeaderLines, SignedRequest

T = TypeVar("T")
Scope = MutableMapping[str, Any]  # Any: ASGI is untyped
Message = MutableMapping[str, Any]  # Any: the same
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
log = logging.getLogger("madang.linkages.police112")

BODY_TIMEOUT_S = 15.0
PROBLEM = "application/problem+json"


class Services(Protocol):
    """What the site lends to the linkage."""

    @property
    def clock(self) -> Clock:
        """The platform's time."""
        ...

    @property
    def keyring(self) -> Keyring:
        """The platform's own keys."""
        ...

    async def run_civic(self, work: Callable[[], T]) -> T:
        """Runs database work off the event loop."""
        ...


def asgi_app(services: Services) -> Callable[[Scope, Receive, Send], Awaitable[None]]:
    """The ASGI app of everything below `/linkages/police112/`."""
    config = police112_config()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1000})
        if scope["type"] != "http":
            return
        answer = await _answer(services, config, scope, receive)
        await _reply(send, answer)

    return app


async def _answer(services: Services, config: Police112Config, scope: Scope, receive: Receive) -> Answer:
    try:
        request = await _read(config, scope, receive)
        desk = Desk(config, services.keyring, services.clock())
        return await services.run_civic(lambda: receiving.answer(request, desk))
    except MadangError as error:
        return _refusal(error)
    except Exception:
        log.exception("a request of the police linkage failed")
        body = problem("internal", 500, "Something went wrong inside the platform", "Please send it again later")
        return Answer(500, body)


def _refusal(error: MadangError) -> Answer:
    status = status_of(error)
    return Answer(status, error.problem(), {"retry-after": "1"} if status == 503 else {})


async def _read(config: Police112Config, scope: Scope, receive: Receive) -> Request:
    headers = HeaderLines(scope["headers"])
    path, query = _target(scope)
    if not path.startswith(wire.PATH + "/"):
        raise LinkRefusalError("not-found", "the contract lives under " + wire.PATH)
    body = b""
    if scope["method"] == "POST":
        _check_media_type(headers)
        body = await _body(config.max_body_bytes, headers, receive)
    url = config.origin + path + (f"?{query}" if query else "")
    signed = SignedRequest(scope["method"], url, headers, body)
    return Request(signed, path.removeprefix(wire.PATH), dict(parse_qsl(query)))


def _target(scope: Scope) -> tuple[str, str]:
    """Path and query exactly as they were sent: what the signature covers."""
    raw = scope.get("raw_path") or scope["path"].encode()
    return bytes(raw).partition(b"?")[0].decode("latin-1"), scope.get("query_string", b"").decode("latin-1")


def _check_media_type(headers: HeaderLines) -> None:
    media_type = headers.first("content-type").partition(";")[0].strip().lower()
    coded = headers.first("content-encoding").strip().lower() not in ("", "identity")
    if media_type != "application/json" or coded:
        raise LinkRefusalError(
            "unsupported-media-type",
            "only uncompressed application/json is taken",
            where="Content-Type",
            hint="Send Content-Type: application/json and no Content-Encoding",
        )


async def _body(limit: int, headers: HeaderLines, receive: Receive) -> bytes:
    """The body, never more than `limit` bytes of it."""
    length = headers.first("content-length")
    if length.isascii() and length.isdigit() and int(length[:20]) > limit:
        raise _too_large(limit)
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            return await _collect(limit, receive)
    except TimeoutError:
        raise LinkRefusalError("request-timeout", f"the body took more than {BODY_TIMEOUT_S:.0f} s") from None


async def _collect(limit: int, receive: Receive) -> bytes:
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise LinkRefusalError("request-timeout", "the connection was closed before the body was complete")
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > limit:
            raise _too_large(limit)
        chunks.append(chunk)
        if not message.get("more_body", False):
            return b"".join(chunks)


def _too_large(limit: int) -> LinkRefusalError:
    return LinkRefusalError("too-large", f"at most {limit} bytes are taken", where="body")


async def _reply(send: Send, answer: Answer) -> None:
    kind = PROBLEM if answer.status >= 400 else "application/json"
    body = orjson.dumps(answer.body)
    headers: Mapping[str, str] = {
        "content-type": kind,
        "content-length": str(len(body)),
        "cache-control": "no-store",
        **({"connection": "close"} if answer.status in (408, 413) else {}),
        **answer.headers,
    }
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": raw})
    await send({"type": "http.response.body", "body": body})
