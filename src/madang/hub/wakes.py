"""Callbacks by name, and a lease that is always held: what both stores need to wake their listeners."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable

log = logging.getLogger("madang.hub.wakes")


class Wakes:
    """Who listens for what. Used on the event loop only."""

    def __init__(self) -> None:
        self._callbacks: dict[str, list[Callable[[], None]]] = {}

    def listen(self, name: str, callback: Callable[[], None]) -> Callable[[], None]:
        """Calls `callback` from now on; what is returned ends that."""
        self._callbacks.setdefault(name, []).append(callback)
        return lambda: self._forget(name, callback)

    def _forget(self, name: str, callback: Callable[[], None]) -> None:
        callbacks = self._callbacks.get(name, [])
        if callback in callbacks:
            callbacks.remove(callback)

    def call(self, names: Iterable[str]) -> None:
        """Calls everybody who listens for one of the names; one's fault does not keep the next from hearing."""
        for name in names:
            for callback in tuple(self._callbacks.get(name, ())):
                try:
                    callback()
                except Exception:
                    log.exception("a listener for %s failed", name)

    def call_all(self) -> None:
        """Calls everybody: wakes may have been missed."""
        self.call(tuple(self._callbacks))


class OwnLease:
    """The lease of a store that only one process can open: always held."""

    held = True

    async def acquired(self) -> None:
        """Returns at once."""
