"""Hands out a city's map tiles: one file, read by the browser in ranges (RFC 9110 §14), under login."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from django.http import FileResponse, HttpRequest, HttpResponse, HttpResponseBase, HttpResponseNotModified

from madang.kernel.errors import BadRequestError, NotFoundError
from madang.places import files
from madang.places.files import Part

TYPE = "application/vnd.pmtiles"
LARGEST_RANGE = 8_000_000
"""A longer range is cut: the reader asks again for the rest, bytes."""
_RANGE = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")
_TOKEN = re.compile(r"[0-9a-f]{8,40}")


@dataclass(frozen=True, slots=True)
class Span:
    """Part of a file: its first byte and how many."""

    first: int
    length: int


def path_of(authority: str, token: str) -> Path:
    """The tiles of that token: those that hold now, or those just before, which an open screen still reads."""
    path = files.folder(authority) / f"{Part.TILES.value}-{token}.pmtiles"
    if not _TOKEN.fullmatch(token) or not path.is_file():
        raise NotFoundError("These tiles are no more", where="token", ko="지도가 새로 만들어졌습니다. 새로 고치십시오.")
    return path


def span_of(header: str | None, size: int) -> Span | None:
    """The range asked for; None for the whole file (also for several). Raises `BadRequestError` for one beyond it."""
    match = _RANGE.fullmatch(header.strip()) if header else None
    if match is None or not any(match.groups()):
        return None
    first, last = match.groups()
    if not first:
        start = max(0, size - int(last))
        end = size - 1
    else:
        start, end = int(first), min(int(last) if last else size - 1, size - 1)
    if start > end:
        raise BadRequestError(f"the file has {size} bytes", where="Range", ko="범위가 파일을 벗어났습니다.")
    return Span(start, min(end - start + 1, LARGEST_RANGE))


def answer(request: HttpRequest, authority: str, token: str) -> HttpResponseBase:
    """200, 206, 304 or 416. The token is the content's: what it names never changes."""
    path = path_of(authority, token)
    etag, size = f'"{token}"', path.stat().st_size
    if request.headers.get("If-None-Match") == etag and "Range" not in request.headers:
        return _headed(HttpResponseNotModified(), etag)
    whole = request.headers.get("If-Range") not in (None, etag)
    try:
        span = None if whole else span_of(request.headers.get("Range"), size)
    except BadRequestError:
        response = HttpResponse(status=416)
        response["Content-Range"] = f"bytes */{size}"
        return _headed(response, etag)
    if span is None:
        return _headed(FileResponse(path.open("rb"), content_type=TYPE), etag)
    with path.open("rb") as file:
        file.seek(span.first)
        response = HttpResponse(file.read(span.length), status=206, content_type=TYPE)
    response["Content-Range"] = f"bytes {span.first}-{span.first + span.length - 1}/{size}"
    return _headed(response, etag)


def _headed(response: HttpResponseBase, etag: str) -> HttpResponseBase:
    response["ETag"] = etag
    response["Accept-Ranges"] = "bytes"
    response["Cache-Control"] = "private, max-age=86400, immutable"
    response["Vary"] = "Cookie"
    return response
