"""The room's line to the platform: signed requests with retries, and the door where its messages arrive."""

from __future__ import annotations

import asyncio
import json
import logging
import uuid
from collections.abc import Awaitable, Callable, MutableMapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import httpx
import uvicorn

from madang_demo.police112.ledger import Ledger
from madang_demo.police112.settings import Settings
from madang_demo.police112.signing import SignatureError, Signer, Verifier

log = logging.getLogger("police112")

Message = dict[str, Any]  # Any: JSON members
_AGAIN = {408, 425, 429}
_LONGEST_WAIT_S = 60.0
_MAX_BODY = 1_000_000


class RefusedError(Exception):
    """The platform said no: its status and problem."""

    def __init__(self, status: int, problem: Message) -> None:
        super().__init__(f"{status} {problem.get('code', '')}: {problem.get('detail', '')}")
        self.status = status
        self.problem = problem


class Platform:
    """Signed requests. Messages are booked first and repeated, byte for byte, until there is a final answer."""

    def __init__(self, settings: Settings, ledger: Ledger, signer: Signer) -> None:
        self._settings = settings
        self._ledger = ledger
        self._signer = signer
        self._http = httpx.AsyncClient(timeout=10, limits=httpx.Limits(max_connections=20))

    async def keys(self) -> dict[str, str]:
        """The platform's public keys by id; waits until it answers."""
        while True:
            try:
                answer = await self._http.get(f"{self._settings.base}/keys")
                answer.raise_for_status()
                return {key["key_id"]: key["public_pem"] for key in answer.json()["keys"]}
            except (httpx.HTTPError, json.JSONDecodeError):
                await asyncio.sleep(1)

    async def post(self, path: str, body: Message) -> Message:
        """One signed POST; raises `RefusedError` for anything but success."""
        status, answer = await self._attempt(path, json.dumps(body, ensure_ascii=False).encode())
        if not 200 <= status < 300:
            raise RefusedError(status, answer)
        return answer

    async def send(self, kind: str, dialogue: str, seq: int, body: Message) -> Message:
        """Books and sends one message; returns the receipt. Raises `RefusedError` for a final refusal."""
        msg_id, wire = self.envelope(kind, dialogue, seq, body)
        self._ledger.sending(msg_id, dialogue, seq, kind, wire)
        return await self._until_final(msg_id, wire)

    async def resend(self, msg_id: str, wire: bytes) -> Message:
        """Sends again what an earlier run of this program booked and never saw answered."""
        return await self._until_final(msg_id, wire)

    async def heartbeat(self) -> None:
        """One heartbeat; a failed one is skipped."""
        _, wire = self.envelope("Heartbeat", "heartbeat", 0, {"interval_s": self._settings.heartbeat_s})
        await self._attempt("/messages", wire)

    def envelope(self, kind: str, dialogue: str, seq: int, body: Message) -> tuple[str, bytes]:
        """A message id and the bytes of a message as the contract frames it."""
        msg_id = str(uuid.uuid4())
        message: Message = {
            "kind": kind,
            "schema_ver": "1.0",
            "msg_id": msg_id,
            "dialogue_id": dialogue,
            "sent_at": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "from": self._settings.agency,
            "to": self._settings.authority,
            "mode": self._settings.mode,
            "in_reply_to": None,
            "body": body,
        }
        if seq:
            message["seq"] = seq
        return msg_id, json.dumps(message, ensure_ascii=False).encode()

    async def ledger_page(self, since: datetime, after: str | None) -> Message:
        """One page of what the platform has booked for us; raises `RefusedError` for anything but success."""
        asked = {"since": since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), "mode": self._settings.mode}
        query = urlencode({**asked, "limit": "500", **({"after": after} if after else {})}, safe=":")
        url = f"{self._settings.base}/ledger?{query}"
        try:
            answer = await self._http.get(url, headers=self._signer.headers("GET", url, None))
            page: Message = answer.json()
        except (httpx.HTTPError, json.JSONDecodeError) as error:
            raise RefusedError(0, {"code": type(error).__name__}) from None
        if answer.status_code != 200:
            raise RefusedError(answer.status_code, page)
        return page

    async def _until_final(self, msg_id: str, wire: bytes) -> Message:
        wait_s = 1.0
        while True:
            status, answer = await self._attempt("/messages", wire)
            self._ledger.attempted(msg_id, status, str(answer.get("receipt") or answer.get("code") or ""))
            if status in (200, 202):
                return answer
            if 400 <= status < 500 and status not in _AGAIN:
                raise RefusedError(status, answer)
            await asyncio.sleep(wait_s)
            wait_s = min(wait_s * 2, _LONGEST_WAIT_S)

    async def _attempt(self, path: str, wire: bytes) -> tuple[int, Message]:
        url = self._settings.base + path
        try:
            answer = await self._http.post(url, content=wire, headers=self._signer.headers("POST", url, wire))
            return answer.status_code, answer.json() if answer.content else {}
        except (httpx.HTTPError, json.JSONDecodeError) as error:
            return 0, {"code": type(error).__name__}

    async def close(self) -> None:
        await self._http.aclose()


class Door:
    """Our endpoint URL: checks the signature, books the message, then answers."""

    def __init__(self, settings: Settings, ledger: Ledger, heard: Callable[[Message], None]) -> None:
        self._settings = settings
        self._ledger = ledger
        self._heard = heard
        self.verifier: Verifier | None = None
        self.refused = 0

    async def __call__(
        self,
        scope: MutableMapping[str, Any],  # Any: ASGI's own types
        receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
        send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
    ) -> None:
        if scope["type"] != "http":
            return
        body = b""
        more = True
        while more and len(body) <= _MAX_BODY:
            event = await receive()
            body += event.get("body", b"")
            more = event.get("more_body", False)
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        status, answer = self._take(scope["path"], headers, body)
        content = json.dumps(answer).encode()
        await send(
            {"type": "http.response.start", "status": status, "headers": [(b"content-type", b"application/json")]}
        )
        await send({"type": "http.response.body", "body": content})

    def _take(self, path: str, headers: dict[str, str], body: bytes) -> tuple[int, Message]:
        if self.verifier is None:
            return 503, {"detail": "not ready yet"}
        url = f"http://{self._settings.listen_host}:{self._settings.listen_port}{path}"
        try:
            self.verifier.check(url, headers, body)
            message: Message = json.loads(body)
            first = self._ledger.got(message["msg_id"], message["dialogue_id"], message["kind"], body)
        except (SignatureError, ValueError, KeyError) as error:
            self.refused += 1
            log.warning("refused a message: %s", error)
            return 401 if isinstance(error, SignatureError) else 400, {"detail": str(error)}
        if first:
            self._heard(message)
        return 200, {"stored": message["msg_id"]}


async def listen(settings: Settings, door: Door) -> uvicorn.Server:
    """Starts the door's server and returns once it takes connections; leaves the signals to us."""
    config = uvicorn.Config(
        door,
        host=settings.listen_host,
        port=settings.listen_port,
        log_level="warning",
        lifespan="off",
        access_log=False,
    )
    server = uvicorn.Server(config)
    task = asyncio.create_task(server._serve())
    while not server.started:
        if task.done():
            task.result()
        await asyncio.sleep(0.02)
    return server
