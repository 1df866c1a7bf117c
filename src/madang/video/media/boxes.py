"""Cutting a muxer's bytes into an initialisation segment and fragments (ISO/IEC 14496-12). Pure."""

from __future__ import annotations

import struct
from collections.abc import Iterator

MAX_BOX_BYTES = 64_000_000


class BoxError(ValueError):
    """The bytes are not boxes, or one is larger than any picture."""


class Splitter:
    """Feed it bytes as they come; it yields whole segments: first `ftyp`+`moov`, then each `moof`+`mdat`."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._segment = bytearray()

    def feed(self, data: bytes) -> Iterator[tuple[str, bytes]]:
        """Yields (`init` or `fragment`, bytes)."""
        self._buffer += data
        while len(self._buffer) >= 8:
            size, kind = struct.unpack_from(">I4s", self._buffer)
            if size < 8 or size > MAX_BOX_BYTES:
                raise BoxError(f"a box of {size} bytes")
            if len(self._buffer) < size:
                return
            self._segment += self._buffer[:size]
            del self._buffer[:size]
            if kind in (b"moov", b"mdat"):
                segment = bytes(self._segment)
                self._segment.clear()
                yield ("init" if kind == b"moov" else "fragment"), segment


def codec_of(init: bytes) -> str:
    """The RFC 6381 codec string of an AVC initialisation segment, e.g. `avc1.42c01f`; raises `BoxError`."""
    at = init.find(b"avcC")
    if at < 0 or len(init) < at + 8:
        raise BoxError("no AVC configuration in the initialisation segment")
    return f"avc1.{init[at + 5 : at + 8].hex()}"
