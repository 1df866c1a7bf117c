"""The built screens and the office's styles, answered from memory on the event loop."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import mimetypes
from dataclasses import dataclass
from pathlib import Path

from madang.kernel.errors import NotFoundError, problem
from madang.site.asgi_types import Receive, Scope, Send, header
from madang.site.guards import send_problem

PREFIX = "/static/"
_KEPT_BYTES = 64_000_000
_HASHED_NAMES = "app/assets/"
_COMPRESSED = ("text/", "application/javascript", "application/json", "image/svg+xml", "application/manifest+json")


@dataclass(frozen=True, slots=True)
class Asset:
    """One file as it is sent: plain and, where that is smaller, compressed."""

    body: bytes
    packed: bytes
    kind: str
    etag: str
    changed_ns: int


class Statics:
    """Files of every app's `static` folder, found once and kept while unchanged."""

    def __init__(self) -> None:
        self._assets: dict[Path, Asset] = {}
        self._kept = 0

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """Answers GET and HEAD of one file."""
        if scope["method"] not in ("GET", "HEAD"):
            return await send_problem(send, problem("bad-request", 405, "Files are read with GET", scope["method"]))
        name = scope["path"].removeprefix(PREFIX)
        return await self._send(scope, send, name, await asyncio.to_thread(self._asset, name))

    def _asset(self, name: str) -> Asset:
        path = _find(name)
        if path is None:
            raise NotFoundError(f"there is no file {name[:200]!r}")
        changed = path.stat().st_mtime_ns
        asset = self._assets.get(path)
        if asset is None or asset.changed_ns != changed:
            asset = _read(path, changed)
            if self._kept + len(asset.body) > _KEPT_BYTES:
                self._assets.clear()
                self._kept = 0
            self._assets[path] = asset
            self._kept += len(asset.body)
        return asset

    async def _send(self, scope: Scope, send: Send, name: str, asset: Asset) -> None:
        headers = [
            (b"etag", asset.etag.encode()),
            (b"cache-control", _caching(name)),
            (b"vary", b"Accept-Encoding"),
        ]
        if asset.etag in header(scope, b"if-none-match"):
            await send({"type": "http.response.start", "status": 304, "headers": headers})
            await send({"type": "http.response.body", "body": b""})
            return
        body = asset.body
        if asset.packed and "gzip" in header(scope, b"accept-encoding"):
            body = asset.packed
            headers.append((b"content-encoding", b"gzip"))
        headers += [(b"content-type", asset.kind.encode()), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})


def _find(name: str) -> Path | None:
    from django.contrib.staticfiles import finders
    from django.core.exceptions import SuspiciousFileOperation

    if "\x00" in name or name.endswith("/"):
        return None
    try:
        found = finders.find(name)
    except (SuspiciousFileOperation, ValueError):
        return None
    path = Path(str(found)) if found else None
    return path if path is not None and path.is_file() else None


def _read(path: Path, changed_ns: int) -> Asset:
    body = path.read_bytes()
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    if kind == "text/javascript" or kind.startswith("text/"):
        kind += "; charset=utf-8"
    packed = gzip.compress(body, 6, mtime=0) if kind.startswith(_COMPRESSED) and len(body) > 1_000 else b""
    etag = f'"{hashlib.sha256(body).hexdigest()[:24]}"'
    return Asset(body, packed if len(packed) < len(body) else b"", kind, etag, changed_ns)


def _caching(name: str) -> bytes:
    """The build puts a hash of the content in these names, so they never change; any other is asked for again."""
    return b"public, max-age=31536000, immutable" if name.startswith(_HASHED_NAMES) else b"no-cache"
