"""The shapes of ASGI, which has no types of its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]  # Any: the ASGI message format is untyped
Message = MutableMapping[str, Any]  # Any: the same
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Asgi = Callable[[Scope, Receive, Send], Awaitable[None]]


def header(scope: Scope, name: bytes) -> str:
    """One request header as text; empty when absent. `name` in lower case."""
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), "")
