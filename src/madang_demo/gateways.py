"""A simulated SMS gateway and public address system, as their contracts say; keeps what it was given.

Run as `python -m madang_demo.gateways --port 8110 --token-file FILE`. `GET /sent` lists what was taken. Numbers that
end in `0000` are refused (422), `5030` are busy once (503), `5000` take the text and cut the line before answering.
"""

from __future__ import annotations

import argparse
import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

_MOST = 10_000


@dataclass
class Taken:
    """What the gateway took, once for each key."""

    rows: list[dict[str, Any]] = field(default_factory=list)  # Any: JSON values
    keys: dict[str, str] = field(default_factory=dict)
    busy: set[str] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, key: str, row: dict[str, Any]) -> str:  # Any: the same
        """Its number; the same key again is the same message."""
        with self.lock:
            known = self.keys.get(key)
            if known is not None:
                return known
            self.keys[key] = number = f"m-{len(self.keys) + 1}"
            self.rows = [*self.rows[-_MOST:], {"id": number, "key": key, **row}]
            return number

    def busy_now(self, key: str, address: str) -> bool:
        """Whether this number is busy, which it is the first time."""
        with self.lock:
            first = address.endswith("5030") and key not in self.busy
            self.busy.add(key)
            return first


class Gateway(ThreadingHTTPServer):
    """The server with what it took."""

    daemon_threads = True

    def __init__(self, host: str, port: int, token: str) -> None:
        super().__init__((host, port), Door)
        self.token = token
        self.taken = Taken()


class Door(BaseHTTPRequestHandler):
    """One request."""

    server: Gateway
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """What was taken so far."""
        if self.path == "/sent":
            self._answer(200, self.server.taken.rows)
        else:
            self._answer(404, {})

    def do_POST(self) -> None:
        """A text, or an announcement."""
        size = int(self.headers.get("Content-Length", "0"))
        raw = self.rfile.read(min(size, 65_536))
        if self.headers.get("Authorization") != f"Bearer {self.server.token}":
            self._answer(401, {"error": "token"})
            return
        key = self.headers.get("Idempotency-Key", "")
        asked = json.loads(raw) if raw else {}
        address = str(asked.get("to") or asked.get("group") or "")
        if self.path not in ("/messages", "/announcements") or not key or not address or address.endswith("0000"):
            self._answer(422, {"error": "address"})
        elif self.server.taken.busy_now(key, address):
            self._answer(503, {"error": "busy"})
        else:
            number = self.server.taken.take(key, {"path": self.path, **asked})
            if address.endswith("5000"):
                self.close_connection = True
                self.connection.close()
                return
            self._answer(202, {"id": number}, f"{self.path}/{number}")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- the base class names it so
        """Says nothing: texts and numbers do not belong in logs."""

    def _answer(self, status: int, body: object, location: str = "") -> None:
        data = json.dumps(body, ensure_ascii=False).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(data)))
        if location:
            self.send_header("Location", location)
        self.end_headers()
        self.wfile.write(data)


def main() -> None:
    """Serves until it is ended."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8110)
    parser.add_argument("--token-file", type=Path, required=True, help="A file with the word callers must show.")
    args = parser.parse_args()
    token = args.token_file.read_text(encoding="utf-8").strip()
    with Gateway(args.host, args.port, token) as gateway:
        gateway.serve_forever()


if __name__ == "__main__":
    main()
