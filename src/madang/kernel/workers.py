"""What a room runs in the background; `site` composes and supervises them."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ThreadWorker:
    """A loop on its own thread: `run(stop)` returns soon after `stop` is set and never for another reason."""

    name: str
    run: Callable[[threading.Event], None]


@dataclass(frozen=True, slots=True)
class LoopWorker:
    """A coroutine on the server's event loop, cancelled at shutdown."""

    name: str
    run: Callable[[], Awaitable[None]]
