"""What comes before a request is one is bounded: heads, trailers and patience."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator

import pytest
import uvicorn
import uvloop

from madang.site import protocol
from madang.site.asgi_types import Receive, Scope, Send
from madang.site.protocol import BoundedProtocol

HEAD = b"POST / HTTP/1.1\r\nHost: x\r\n"


async def echo_length(_scope: Scope, receive: Receive, send: Send) -> None:
    """Answers how many bytes came."""
    count, more = 0, True
    while more:
        message = await receive()
        count += len(message.get("body", b""))
        more = message.get("more_body", False)
    body = str(count).encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})


@pytest.fixture
def port(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A server with the bounds of the platform, less patient."""
    monkeypatch.setattr(protocol, "HEAD_S", 0.3)
    settings = uvicorn.Config(echo_length, http=BoundedProtocol, lifespan="off", log_config=None)
    server = uvicorn.Server(settings)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listening])))
        thread.start()
        yield listening.getsockname()[1]
        server.should_exit = True
        thread.join(10)


def said(port: int, *pieces: bytes) -> bytes:
    """Everything the server answers until it closes."""
    with socket.create_connection(("127.0.0.1", port), 10) as client:
        answer = b""
        try:
            for piece in pieces:
                client.sendall(piece)
            while piece := client.recv(65_536):
                answer += piece
        except (ConnectionResetError, BrokenPipeError):
            pass
        return answer


def test_headers_without_end_are_cut_off(port: int) -> None:
    endless = (b"X-%d: " % number + b"a" * 50_000 + b"\r\n" for number in range(200))
    with socket.create_connection(("127.0.0.1", port), 10) as client, pytest.raises(ConnectionError):
        client.sendall(HEAD)
        for piece in endless:
            client.sendall(piece)


def test_trailers_without_end_are_cut_off(port: int) -> None:
    begun = HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n"
    with socket.create_connection(("127.0.0.1", port), 10) as client, pytest.raises(ConnectionError):
        client.sendall(begun)
        for number in range(200):
            client.sendall(b"X-%d: " % number + b"a" * 50_000 + b"\r\n")


@pytest.mark.parametrize("begun", [b"", HEAD, HEAD + b"Connection: keep-alive\r\nContent-Length: 0\r\n\r\n" + HEAD])
def test_a_head_that_never_ends_is_not_waited_for(port: int, begun: bytes) -> None:
    deadline_s = time.monotonic() + 8
    answer = said(port, begun)
    assert time.monotonic() < deadline_s
    assert answer.count(b"HTTP/1.1 200") == begun.count(b"\r\n\r\n")


def test_a_large_body_and_an_honest_head_pass(port: int) -> None:
    body = b"x" * 1_000_000
    head = HEAD + b"Connection: close\r\nX-Token: " + b"a" * 8_000 + b"\r\nContent-Length: %d\r\n\r\n" % len(body)
    assert said(port, head, body).endswith(b"1000000")
    chunked = HEAD + b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert said(port, chunked, *[b"10000\r\n" + b"x" * 65_536 + b"\r\n"] * 10, b"0\r\n\r\n").endswith(b"655360")


def test_a_client_that_leaves_amid_several_requests_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    left, done = threading.Event(), threading.Event()

    async def large(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        try:
            while not left.is_set():
                await send({"type": "http.response.body", "body": b"x" * 1_000_000, "more_body": True})
            for _ in range(3):
                await send({"type": "http.response.body", "body": b"x" * 1_000_000, "more_body": True})
        finally:
            done.set()

    server = uvicorn.Server(uvicorn.Config(large, http=BoundedProtocol, lifespan="off", log_config=None))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=lambda: uvloop.run(server.serve(sockets=[listening])))
        thread.start()
        with socket.create_connection(listening.getsockname(), 10) as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 5)
            client.recv(1_000)
            left.set()
        finished = done.wait(10)
        server.should_exit = True
        thread.join(10)
    assert finished
    assert [record.message for record in caplog.records if record.levelname == "ERROR"] == []
