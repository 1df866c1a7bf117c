"""A client that speaks ASGI directly: what a hostile or slow peer does is easiest said in its own words."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from madang.site.asgi_types import Asgi, Message, Scope

LOCAL = (("127.0.0.1", 50_000), ("127.0.0.1", 8080))


@dataclass
class Answer:
    """What came back."""

    status: int = 0
    headers: dict[bytes, bytes] = field(default_factory=dict)
    body: bytes = b""
    finished: bool = False

    @property
    def json(self) -> Any:  # Any: JSON
        return orjson.loads(self.body)


def scope(
    path: str = "/",
    *,
    method: str = "GET",
    headers: Iterable[tuple[str, str]] = (),
    host: str = "localhost:8080",
    kind: str = "http",
) -> Scope:
    client, server = LOCAL
    raw = [(b"host", host.encode()), *((name.encode(), value.encode()) for name, value in headers)]
    return {
        "type": kind,
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": raw,
        "client": client,
        "server": server,
    }


async def ask(app: Asgi, asked: Scope, chunks: Sequence[bytes] = (b"",), *, leaves: bool = False) -> Answer:
    """Sends the body in these chunks; `leaves` hangs up instead of sending the last one."""
    answer = Answer()
    waiting = list(chunks)

    async def receive() -> Message:
        if waiting:
            chunk = waiting.pop(0)
            if leaves and not waiting:
                return {"type": "http.disconnect"}
            return {"type": "http.request", "body": chunk, "more_body": bool(waiting)}
        await asyncio.Event().wait()
        raise AssertionError("unreachable")

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            answer.status = message["status"]
            answer.headers = dict(message["headers"])
        elif message["type"] == "http.response.body":
            answer.body += message.get("body", b"")
            answer.finished = not message.get("more_body", False)

    await app(asked, receive, send)
    return answer
