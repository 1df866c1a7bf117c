"""What the server counts of itself, in Prometheus' form at `/metrics`."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

from madang.kernel.errors import ForbiddenError
from madang.site.asgi_types import Receive, Scope, Send, header

if TYPE_CHECKING:
    from collections.abc import Callable

    from prometheus_client import Counter, Histogram

    from madang.kernel.secret import Secret

_LOOPBACK = ("127.0.0.1", "::1")
_BUCKETS = (0.001, 0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


class Meter:
    """Counts requests by door and status, and how long they took. One per app, with its own registry."""

    def __init__(self, token: Secret) -> None:
        from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
        from prometheus_client.process_collector import ProcessCollector

        self._token = token
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._requests = Counter("madang_requests", "Requests answered", ["door", "status"], registry=self.registry)
        self._seconds = Histogram(
            "madang_request_seconds", "Time to answer", ["door"], buckets=_BUCKETS, registry=self.registry
        )
        self._open = Gauge("madang_streams_open", "Live streams and links open", ["door"], registry=self.registry)
        self._gauge = Gauge
        self._known: dict[tuple[str, int], tuple[Counter, Histogram]] = {}

    def watch(self, name: str, text: str, read: Callable[[], float]) -> None:
        """Shows a number that is read when asked for."""
        self._gauge(name, text, registry=self.registry).set_function(read)

    def answered(self, door: str, status: int, seconds: float) -> None:
        """One request is done."""
        known = self._known.get((door, status))
        if known is None:
            known = self._known[door, status] = self._requests.labels(door, str(status)), self._seconds.labels(door)
        known[0].inc()
        known[1].observe(seconds)

    def stream(self, door: str, change: int) -> None:
        """A stream opened (1) or closed (-1)."""
        self._open.labels(door).inc(change)

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """Answers `/metrics` to whoever has the token, or asks directly from this machine where none is set."""
        from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

        if not self._may_read(scope):
            raise ForbiddenError("metrics are for loopback or for the bearer of [server] metrics_token")
        headers = [(b"content-type", CONTENT_TYPE_LATEST.encode()), (b"cache-control", b"no-store")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": generate_latest(self.registry)})

    def _may_read(self, scope: Scope) -> bool:
        if self._token:
            wanted = f"Bearer {self._token.reveal()}".encode()
            return hmac.compare_digest(wanted, header(scope, b"authorization").encode())
        direct = not header(scope, b"x-forwarded-for") and not header(scope, b"forwarded")
        return direct and (scope.get("client") or ("",))[0] in _LOOPBACK
