"""One byte form for one JSON value, so that digests and signatures agree."""

from __future__ import annotations

import hashlib
from typing import Any

import orjson

from madang.kernel.errors import BadRequestError, TooLargeError

MAX_DEPTH = 64


def canonical_json(value: Any) -> bytes:  # Any: a JSON value
    """UTF-8 JSON with sorted keys and no spaces."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def digest(data: bytes) -> str:
    """SHA-256 as lower-case hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def parse_json(
    data: bytes, *, max_bytes: int = 1_000_000, max_depth: int = MAX_DEPTH, where: str = "body"
) -> Any:  # Any: JSON
    """Decodes JSON from outside; raises `BadRequestError` or `TooLargeError`, naming the place.

    Depth is bounded before decoding, so that hostile nesting never reaches the decoder's recursion.
    """
    if len(data) > max_bytes:
        raise TooLargeError(f"{where} has {len(data)} bytes; at most {max_bytes} are taken", where=where)
    if len(data) > max_depth and _depth(data) > max_depth:
        raise BadRequestError(f"{where} nests deeper than {max_depth} levels", where=where)
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise BadRequestError(f"{where} is not JSON: {error}", where=where, hint="Send UTF-8 encoded JSON") from None


def _depth(data: bytes) -> int:
    opened = data.count(b"{") + data.count(b"[")
    if opened <= MAX_DEPTH // 2:
        return opened
    depth = deepest = 0
    in_string = escaped = False
    for byte in data:
        if in_string:
            if escaped:
                escaped = False
            elif byte == 0x5C:
                escaped = True
            elif byte == 0x22:
                in_string = False
        elif byte == 0x22:
            in_string = True
        elif byte in (0x7B, 0x5B):
            depth += 1
            deepest = max(deepest, depth)
        elif byte in (0x7D, 0x5D):
            depth -= 1
    return deepest
