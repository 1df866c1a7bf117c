"""`POST /oauth2/token`: access tokens for clients (RFC 6749 §4.4), a plain ASGI application."""

from __future__ import annotations

import base64
import binascii
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from functools import partial
from typing import Any, Protocol, TypeVar
from urllib.parse import parse_qsl, unquote_plus

import orjson

from madang.identity.access_tokens import signing_key
from madang.identity.config import IdentityConfig
from madang.identity.throttle import Throttle
from madang.kernel.clock import Clock
from madang.kernel.decisions import Rejected
from madang.kernel.errors import MadangError

T = TypeVar("T")
Scope = MutableMapping[str, Any]  # Any: as ASGI has it
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]  # Any: as ASGI has it
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]  # Any: as ASGI has it

PATH = "/oauth2/token"
MAX_BODY = 16_384
_ID_CHARS = 40
_FORM = "application/x-www-form-urlencoded"
_STATUS = {"invalid_client": 401, "temporarily_unavailable": 429, "not_found": 404, "method_not_allowed": 405}


class RunCivic(Protocol):
    """Runs work on the civic store off the event loop."""

    async def __call__(self, work: Callable[[], T]) -> T: ...


class TokenRefusal(Exception):  # noqa: N818 -- it is an answer of the protocol, not a fault
    """An error answer of RFC 6749 §5.2. `wait_s` says when trying again may help, seconds."""

    def __init__(self, code: str, why: str, *, basic: bool = False, wait_s: float = 0.0) -> None:
        super().__init__(why)
        self.code = code
        self.why = why
        self.basic = basic
        self.wait_s = wait_s


class TokenEndpoint:
    """The token endpoint of one process. `secret` is what the signing key is derived from."""

    def __init__(self, run_civic: RunCivic, clock: Clock, secret: bytes, config: IdentityConfig) -> None:
        self._run_civic = run_civic
        self._clock = clock
        self._key = signing_key(secret)
        self._failures = Throttle(config.lockout_failures, config.lockout_s)
        self._requests = Throttle(config.token_requests_per_minute, 60.0)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """The ASGI entry point."""
        try:
            status, answer, headers = 200, await self._answer(scope, receive), []
        except TokenRefusal as refusal:
            status = _STATUS.get(refusal.code, 400)
            answer, headers = {"error": refusal.code, "error_description": refusal.why}, _extra(refusal)
        except MadangError as error:
            status, headers = error.status, []
            answer = {
                "error": "server_error" if status >= 500 else "invalid_request",
                "error_description": error.detail,
            }
        await _send(send, status, answer, headers)

    async def _answer(self, scope: Scope, receive: Receive) -> dict[str, object]:
        from madang.identity.clients import Asked, issue_access

        address, now_s = str((scope.get("client") or ("",))[0]), time.monotonic()
        self._hold_back(self._requests, address, now_s)
        self._requests.count(address, now_s)
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        form = await _form(scope, headers, receive)
        client_id, secret, basic = _credentials(headers, form)
        guessed = (address, client_id[:_ID_CHARS])
        self._hold_back(self._failures, guessed, now_s)
        if form.get("grant_type") != "client_credentials":
            code = "unsupported_grant_type" if form.get("grant_type") else "invalid_request"
            raise TokenRefusal(code, "grant_type is client_credentials here")
        tenant = form.get("tenant", "") or headers.get("ngsild-tenant", "")
        asked = Asked(client_id, secret, form.get("scope", ""), tenant)
        issued = await self._run_civic(partial(issue_access, self._key, asked, self._clock()))
        if isinstance(issued, Rejected):
            if issued.code == "invalid_client":
                self._failures.count(guessed, now_s)
            raise TokenRefusal(issued.code, str(issued.data["why"]), basic=basic)
        self._failures.forget(guessed)
        return {
            "access_token": issued.token,
            "token_type": "Bearer",
            "expires_in": issued.lives_s,
            "scope": issued.scope,
        }

    @staticmethod
    def _hold_back(throttle: Throttle, key: object, now_s: float) -> None:
        wait_s = throttle.wait_s(key, now_s)
        if wait_s > 0:
            raise TokenRefusal("temporarily_unavailable", "too many requests; wait", wait_s=wait_s)


async def _form(scope: Scope, headers: Mapping[str, str], receive: Receive) -> dict[str, str]:
    """The form of the body; raises `TokenRefusal` for another path, method, media type or an unreadable body."""
    if scope["path"] != PATH:
        raise TokenRefusal("not_found", f"the token endpoint is {PATH}")
    if scope["method"] != "POST":
        raise TokenRefusal("method_not_allowed", "tokens are asked for with POST")
    if headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM:
        raise TokenRefusal("invalid_request", f"the body is {_FORM}")
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > MAX_BODY or message["type"] == "http.disconnect":
            raise TokenRefusal("invalid_request", f"the body has at most {MAX_BODY} bytes")
    return _pairs(body)


def _pairs(body: bytes) -> dict[str, str]:
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=32)
    except (UnicodeDecodeError, ValueError):
        raise TokenRefusal("invalid_request", "the form cannot be read") from None
    form = dict(pairs)
    if len(form) != len(pairs):
        raise TokenRefusal("invalid_request", "a parameter is given twice")
    return form


def _credentials(headers: Mapping[str, str], form: Mapping[str, str]) -> tuple[str, str, bool]:
    """Id, secret and whether they came by HTTP Basic (RFC 6749 §2.3.1): one way, not both."""
    raw = headers.get("authorization", "")
    if not raw:
        if not form.get("client_id") or not form.get("client_secret"):
            raise TokenRefusal("invalid_client", "send client_id and client_secret, or HTTP Basic", basic=True)
        return form["client_id"], form["client_secret"], False
    scheme, _, encoded = raw.partition(" ")
    if scheme.lower() != "basic":
        raise TokenRefusal("invalid_client", "clients authenticate with HTTP Basic or in the body", basic=True)
    if "client_secret" in form:
        raise TokenRefusal("invalid_request", "credentials are sent in the header or in the body, not in both")
    try:
        client_id, separator, secret = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        client_id = separator = secret = ""
    if not separator:
        raise TokenRefusal("invalid_client", "the Basic credentials cannot be read", basic=True)
    return unquote_plus(client_id), unquote_plus(secret), True


def _extra(refusal: TokenRefusal) -> list[tuple[bytes, bytes]]:
    headers = []
    if refusal.code == "invalid_client" and refusal.basic:
        headers.append((b"www-authenticate", b'Basic realm="madang"'))
    if refusal.code == "method_not_allowed":
        headers.append((b"allow", b"POST"))
    if refusal.wait_s:
        headers.append((b"retry-after", str(int(refusal.wait_s) + 1).encode()))
    return headers


async def _send(send: Send, status: int, answer: dict[str, object], more: list[tuple[bytes, bytes]]) -> None:
    body = orjson.dumps(answer)
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
        (b"pragma", b"no-cache"),
    ]
    await send({"type": "http.response.start", "status": status, "headers": [*headers, *more]})
    await send({"type": "http.response.body", "body": body})
