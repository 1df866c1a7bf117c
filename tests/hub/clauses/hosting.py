"""What the tests of @contexts share: adding one, and a server elsewhere that has one."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import orjson

from tests.hub.client import Client, Json

PATH = "/jsonldContexts"
TERMS = {"speed": "https://a.example/speed", "Bus": "https://a.example/Bus"}
LOCAL = {"outward_allow": ("127.0.0.0/8",), "context_timeout_s": 1.0}


def link_to(address: str) -> tuple[str, str]:
    return "Link", f'<{address}>; rel="http://www.w3.org/ns/json-ld#context"; type="application/ld+json"'


async def added(client: Client, context: Json = TERMS) -> str:
    """Adds an @context; its local id."""
    answer = await client.post(PATH, {"@context": context})
    assert (answer.status, answer.body) == (201, b"")
    head, _, context_id = answer.header("location").rpartition("/")
    assert head == "/ngsi-ld/v1" + PATH
    return context_id


class Elsewhere(BaseHTTPRequestHandler):
    """A server of @contexts that counts what it is asked, and can be told to fail or to change."""

    asked: ClassVar[list[str]] = []
    body: ClassVar[bytes] = b""
    keep: ClassVar[dict[str, str]] = {}

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.send_response(200 if self.body else 500)
        for name, value in self.keep.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *_args: object) -> None:
        """Says nothing."""


@contextmanager
def elsewhere(context: Json = TERMS) -> Iterator[str]:
    """The address of an @context on another server."""
    Elsewhere.asked.clear()
    Elsewhere.keep = {}
    Elsewhere.body = orjson.dumps({"@context": context})
    server = ThreadingHTTPServer(("127.0.0.1", 0), Elsewhere)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/bus.jsonld"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
