"""Speaks to the hub's ASGI application as a client would, without a socket between."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote

import orjson

from madang.hub.http.app import HubApp
from madang.identity.rights import Actor, ActorKind, Role, TypeRight
from madang.identity.scopes import read_scopes

T = TypeVar("T")
Json = Any  # Any: JSON as it came


@dataclass(frozen=True)
class Answer:
    """What the application answered."""

    status: int
    headers: dict[str, list[str]]
    body: bytes

    @property
    def json(self) -> Json:
        return orjson.loads(self.body)

    def header(self, name: str) -> str:
        return ", ".join(self.headers.get(name, []))

    @property
    def problem(self) -> str:
        """The last part of the problem's type."""
        return str(self.json["type"]).rpartition("/")[2]


class Client:
    """One client of one application. `token` becomes a bearer credential."""

    def __init__(self, app: HubApp, *, token: str = "", address: str = "127.0.0.1") -> None:
        self._app = app
        self._token = token
        self._address = address
        self.body_reads = 0

    async def send(
        self,
        method: str,
        path: str,
        body: Json = None,
        *,
        query: str = "",
        headers: Iterable[tuple[str, str]] = (),
        chunks: list[bytes] | None = None,
        prefix: str = "/ngsi-ld/v1",
    ) -> Answer:
        """One request; a body that is not bytes goes as JSON."""
        raw = body if isinstance(body, bytes) else b"" if body is None else orjson.dumps(body)
        parts = chunks if chunks is not None else [raw]
        sent = [(name.lower().encode(), value.encode()) for name, value in headers]
        if self._token:
            sent.append((b"authorization", f"Bearer {self._token}".encode()))
        if (body is not None or chunks is not None) and not any(name == b"content-type" for name, _ in sent):
            sent.append((b"content-type", b"application/json"))
        if body is not None and not any(name == b"content-length" for name, _ in sent):
            sent.append((b"content-length", str(len(raw)).encode()))
        scope: MutableMapping[str, Any] = {
            "type": "http",
            "method": method,
            "path": prefix + path,
            "raw_path": quote(prefix + path, safe="/:%").encode(),
            "query_string": query.encode(),
            "headers": sent,
            "client": (self._address, 1),
        }
        return await self._run(scope, parts)

    async def _run(self, scope: MutableMapping[str, Any], parts: list[bytes]) -> Answer:
        waiting = list(parts)
        messages: list[MutableMapping[str, Any]] = []

        async def receive() -> MutableMapping[str, Any]:
            self.body_reads += 1
            part = waiting.pop(0)
            return {"type": "http.request", "body": part, "more_body": bool(waiting)}

        async def send(message: MutableMapping[str, Any]) -> None:
            messages.append(message)

        await self._app(scope, receive, send)
        start, *rest = messages
        headers: dict[str, list[str]] = {}
        for name, value in start["headers"]:
            headers.setdefault(name.decode(), []).append(value.decode())
        return Answer(start["status"], headers, b"".join(one.get("body", b"") for one in rest))

    async def get(self, path: str, query: str = "", **more: Any) -> Answer:  # Any: passed on
        return await self.send("GET", path, query=query, **more)

    async def post(self, path: str, body: Json, query: str = "", **more: Any) -> Answer:  # Any: passed on
        return await self.send("POST", path, body, query=query, **more)


def run(test: Callable[[], Awaitable[T]]) -> T:
    """Runs one asynchronous test body to its end."""
    return asyncio.run(asyncio.wait_for(test(), 60))


def token_actor(name: str, authority: str, *types: TypeRight, role: Role = Role.API_CLIENT) -> Actor:
    """A token with rights in one city."""
    return Actor(f"token:{name}", ActorKind.TOKEN, name, {authority: frozenset({role})}, types=types)


def type_right(entity_type: str, *deeds: str) -> TypeRight:
    """What a token may do with a type: `read`, `history`, `create`, `subscribe` …; `write` stands for three."""
    return read_scopes(f"{deed}:{entity_type}" for deed in deeds)[0]


def sensor(number: int, **attributes: Json) -> dict[str, Json]:
    """A normalized entity; plain values become Properties."""
    members = {
        name: value if isinstance(value, dict) else {"type": "Property", "value": value}
        for name, value in attributes.items()
    }
    return {"id": f"urn:ngsi-ld:Sensor:{number}", "type": "Sensor", **members}


def spot(lon: float, lat: float) -> dict[str, Json]:
    """A GeoProperty at a point."""
    return {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [lon, lat]}}
