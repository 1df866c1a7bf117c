"""HTTP as the hub speaks it over ASGI: reading a request, negotiating media types, answering. Plain on purpose: every
20 µs spent here on a retrieve halves what one core can answer (measured)."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl, quote, unquote

import msgspec
import orjson

from madang.hub.contexts.context import CORE_CONTEXT, Context, Json
from madang.hub.contexts.source import ContextSource
from madang.hub.errors import (
    BadRequestDataError,
    BodyTooLargeError,
    InvalidRequestError,
    LengthRequiredError,
    MediaTypeRefusedError,
    NgsiLdError,
    NotAcceptableError,
)
from madang.hub.names import CORE_URL
from madang.kernel.errors import MadangError

Scope = MutableMapping[str, Any]  # Any: as ASGI has it
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]  # Any: as ASGI has it
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]  # Any: as ASGI has it
Header = tuple[bytes, bytes]

JSON = b"application/json"
JSON_LD = b"application/ld+json"
GEO_JSON = b"application/geo+json"
MERGE_PATCH = b"application/merge-patch+json"
PROBLEM = b"application/json"
"""The media type of errors: the specification wants plain JSON (clauses 6.3.3, 6.3.6)."""
LINK_REL = "http://www.w3.org/ns/json-ld#context"
_MAX_PARAMETERS = 64


class Response:
    """A whole answer."""

    __slots__ = ("body", "headers", "status")

    def __init__(self, status: int, headers: list[Header], body: bytes = b"") -> None:
        self.status = status
        self.headers = headers
        self.body = body

    def again(self) -> Response:
        """The same answer with headers of its own."""
        return Response(self.status, [*self.headers], self.body)

    async def send(self, send: Send, *, head: bool = False) -> None:
        """Sends it, with its length; to a HEAD request without its body."""
        length = str(len(self.body)).encode()
        headers = self.headers if self.status == 204 else [*self.headers, (b"content-length", length)]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if head else self.body})


def problem(error: MadangError) -> Response:
    """An error as ProblemDetails; an oversized body also ends the connection, so that the rest is not read.

    A missing length and a refused media type are answered by their status alone (clause 6.3.4).
    """
    if error.status in _BARE:
        return Response(error.status, [])
    headers = [(b"content-type", PROBLEM)]
    if error.status == 413:
        headers.append((b"connection", b"close"))
    if isinstance(error, NgsiLdError) and error.challenge:
        headers.append((b"www-authenticate", error.challenge.encode("latin-1")))
    allow = error.data.get("allow")
    if isinstance(allow, str):
        headers.append((b"allow", allow.encode()))
    return Response(error.status, headers, orjson.dumps(error.problem(), default=str))


_BARE = frozenset({411, 415})


class Request:
    """One request: its parts are read when asked for."""

    __slots__ = ("_parameters", "_receive", "headers", "method", "query_string", "scheme", "segments")

    def __init__(self, scope: Scope, receive: Receive, segments: list[str]) -> None:
        self.method: str = scope["method"]
        self.headers: Mapping[bytes, bytes] = dict(scope["headers"])
        self.query_string: bytes = scope["query_string"]
        self.scheme: str = scope.get("scheme", "http")
        self.segments = segments
        self._receive = receive
        self._parameters: dict[str, str] | None = None

    @property
    def parameters(self) -> dict[str, str]:
        """Decoded query parameters; raises `InvalidRequestError` for a repeated or unreadable one."""
        if self._parameters is None:
            self._parameters = read_parameters(self.query_string)
        return self._parameters

    async def body(self, max_bytes: int) -> bytes:
        """The body; raises `BodyTooLargeError` as soon as it is known to be, without reading on."""
        said = self.headers.get(b"content-length", b"")
        if said.isdigit() and int(said) > max_bytes:
            raise BodyTooLargeError(f"The body has {int(said)} bytes; at most {max_bytes} are taken")
        message = await self._receive()
        if not message.get("more_body", False):
            whole: bytes = message.get("body", b"")
            if len(whole) > max_bytes:
                raise BodyTooLargeError(f"The body has more than {max_bytes} bytes")
            return whole
        parts = bytearray(message.get("body", b""))
        while message.get("more_body", False):
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise InvalidRequestError("The body ended before its end")
            parts += message.get("body", b"")
            if len(parts) > max_bytes:
                raise BodyTooLargeError(f"The body has more than {max_bytes} bytes")
        return bytes(parts)


def read_parameters(query_string: bytes) -> dict[str, str]:
    """Query parameters by name; raises `InvalidRequestError` for a repeated or unreadable one."""
    try:
        pairs = parse_qsl(
            query_string.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MAX_PARAMETERS
        )
    except (UnicodeDecodeError, ValueError):
        raise InvalidRequestError("The query string cannot be read", where="query") from None
    found = dict(pairs)
    if len(found) != len(pairs):
        twice = next(name for name, _ in pairs if sum(name == other for other, _ in pairs) > 1)
        raise InvalidRequestError(f"The parameter {twice[:60]!r} is given twice", where=twice[:60])
    return found


_PLAIN_PART = re.compile(r"[A-Za-z0-9:._~-]*\Z")  # quote() itself takes 5 µs


def path_part(text: str) -> bytes:
    """An id as one segment of a path."""
    return text.encode() if _PLAIN_PART.match(text) else quote(text, safe=":").encode()


def split_path(raw_path: bytes, prefix: bytes) -> list[str] | None:
    """The decoded segments after a prefix, or None where the path lies elsewhere; raises `InvalidRequestError`."""
    if not raw_path.startswith(prefix):
        return None
    try:
        segments = raw_path[len(prefix) :].decode().rstrip("/").split("/")
        if b"%" in raw_path:
            segments = [unquote(part, errors="strict") for part in segments]
    except UnicodeDecodeError:
        raise InvalidRequestError("The path is not UTF-8", where="path") from None
    return segments


@lru_cache(maxsize=256)
def accepted(accept: bytes, offered: tuple[bytes, ...] = (JSON, JSON_LD)) -> bytes:
    """The media type to answer in (clause 6.3.4): the dearest, of equals the first; raises `NotAcceptableError`.

    The most specific range that covers a type says how dear it is (RFC 9110 §12.5.1).
    """
    ranges: dict[bytes, float] = {}
    for part in accept.lower().split(b","):
        media, *parameters = (piece.strip() for piece in part.split(b";"))
        ranges.setdefault(media, _quality(parameters))
    best, best_q = b"", 0.0
    for one in offered:
        said = next((ranges[media] for media in (one, b"application/*", b"*/*") if media in ranges), 0.0)
        if said > best_q:
            best, best_q = one, said
    if not best:
        raise NotAcceptableError(
            f"None of {accept[:100].decode('ascii', 'replace')!r} can be given",
            where="Accept",
            hint=", ".join(one.decode() for one in offered),
        )
    return best


ENTITY_MEDIA = (JSON, JSON_LD, GEO_JSON)
"""What entities can be shown in."""


def _quality(parameters: list[bytes]) -> float:
    for one in parameters:
        if one.startswith(b"q="):
            try:
                return float(one[2:])
            except ValueError:
                return 0.0
    return 1.0


def media_type(headers: Mapping[bytes, bytes], *, patch: bool = False, sized: bool = True) -> bytes:
    """The body's media type; raises `MediaTypeRefusedError`, and `LengthRequiredError` unless its length is told or
    it need not be (clause 6.3.4)."""
    if sized and b"content-length" not in headers:
        raise LengthRequiredError("The body's length is needed", where="Content-Length")
    media = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
    if media in (JSON, JSON_LD) or (patch and media == MERGE_PATCH):
        return media
    raise MediaTypeRefusedError(
        f"The body is {media[:80].decode('ascii', 'replace') or 'of no media type'!r}",
        where="Content-Type",
        hint="application/json or application/ld+json" + (" or application/merge-patch+json" if patch else ""),
    )


def decode(body: bytes) -> Json:
    """JSON from outside; raises `InvalidRequestError`."""
    if not body:
        raise InvalidRequestError("The body is empty", where="body", hint="Send JSON")
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidRequestError(f"The body is not JSON: {str(error)[:200]}", where="body") from None


_LINK = re.compile(r'<([^<>]*)>\s*((?:;\s*[\w*]+\s*=\s*(?:"[^"]*"|[^\s";,]+)\s*)*)')


@lru_cache(maxsize=256)
def linked_context(link: bytes) -> str | None:
    """The @context address in a Link header (clause 6.3.5), if there is one."""
    for found in _LINK.finditer(link.decode("latin-1")):
        if re.search(r'rel\s*=\s*"?' + re.escape(LINK_REL) + r'"?(?:\s|;|$)', found[2]):
            return found[1]
    return None


async def request_context(request: Request, contexts: ContextSource) -> Context:
    """The @context of a request without a JSON-LD body."""
    link = request.headers.get(b"link")
    if link is None:
        return CORE_CONTEXT
    address = linked_context(link)
    return CORE_CONTEXT if address is None else await contexts.get(address)


async def body_context(request: Request, media: bytes, body: Json, contexts: ContextSource) -> Context:
    """The @context of a request with a body (clause 6.3.5): in it for JSON-LD, in the Link header otherwise."""
    inside = isinstance(body, dict) and "@context" in body
    if media != JSON_LD:
        if inside:
            raise BadRequestDataError(
                "An @context in the body needs Content-Type: application/ld+json", where="@context"
            )
        return await request_context(request, contexts)
    link = request.headers.get(b"link")
    if link is not None and linked_context(link) is not None:
        raise BadRequestDataError("JSON-LD carries its @context in the body, not in a Link header", where="Link")
    if not inside:
        raise BadRequestDataError("A JSON-LD body needs an @context", where="@context")
    return await contexts.get(body["@context"])


@lru_cache(maxsize=256)
def _link_header(address: str) -> Header:
    return b"link", f'<{address}>; rel="{LINK_REL}"; type="application/ld+json"'.encode()


_CORE_HEADERS: list[Header] = [(b"content-type", JSON), _link_header(CORE_URL)]


def json_headers(media: bytes, names: Context, address: str = "") -> list[Header]:
    """Content type and, for plain JSON, the Link to the @context (clause 6.3.6).

    `address` is where an @context is served that came without one of its own.
    """
    if media != JSON:
        return [(b"content-type", media)]
    if names is CORE_CONTEXT:
        return [*_CORE_HEADERS]
    return [(b"content-type", JSON), context_link(names, address)]


def context_link(names: Context, address: str = "") -> Header:
    """The Link header that names the @context of an answer."""
    return _link_header(names.source if isinstance(names.source, str) else address or CORE_URL)


def context_member(names: Context) -> Json:
    """What stands as @context in a JSON-LD answer: the client's, then the core's."""
    if names is CORE_CONTEXT:
        return CORE_URL
    listed = names.source if isinstance(names.source, list) else [names.source]
    return listed if CORE_URL in listed else [*listed, CORE_URL]
