"""HTTP/1.1 with bounds before a request is one: uvicorn's fast parser has none for heads and trailers."""

from __future__ import annotations

from asyncio import BaseTransport, TimerHandle, Transport
from typing import TYPE_CHECKING, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

if TYPE_CHECKING:
    from uvicorn._types import ASGI3Application

HEAD_BYTES = 65_536
"""The largest request line and headers, and the largest trailers after a body, bytes."""
HEAD_S = 20.0
"""A request line with its headers that has not arrived by then is dropped, seconds."""


class BoundedProtocol(HttpToolsProtocol):
    """Ends a connection that sends headers without end, or never finishes them."""

    _unframed = 0  # bytes since the last piece of a body or the begin of a message
    _overdue: TimerHandle | None = None
    _answering: RequestResponseCycle | None = None

    def connection_made(self, transport: BaseTransport) -> None:
        """Starts to wait for the first head."""
        super().connection_made(cast("Transport", transport))
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing more is waited for, and nothing more is sent: uvicorn tells the request read last, which is not the
        one being answered where a client sends several at once."""
        self._head_is_here()
        if self._answering is not None:
            self._answering.disconnected = True
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Counts what comes before it is parsed and kept."""
        self._unframed += len(data)
        super().data_received(data)
        if self._unframed > HEAD_BYTES and not self.transport.is_closing():
            self.send_400_response("The headers are larger than allowed")

    def on_message_begin(self) -> None:
        """A head begins."""
        self._unframed = 0
        self._await_head()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """The head is whole."""
        self._unframed = 0
        self._head_is_here()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A piece of the body: the guards of the front count these."""
        self._unframed = 0
        super().on_body(body)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._answering = cycle
        super()._start_asgi_task(cycle, app)

    def _await_head(self) -> None:
        self._head_is_here()
        self._overdue = self.loop.call_later(HEAD_S, self.transport.close)

    def _head_is_here(self) -> None:
        if self._overdue is not None:
            self._overdue.cancel()
            self._overdue = None
