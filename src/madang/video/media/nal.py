"""Looking at H.264 NAL units closely enough to know when a camera lies about its codec. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator

_START = re.compile(rb"\x00\x00\x01")
_KNOWN = frozenset({1, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 19, 20})
"""Types a baseline, main or high stream carries (ITU-T H.264 table 7-1); data partitions 2–4 are not played."""


def annexb_units(data: bytes) -> Iterator[int]:
    """The header byte of each unit of a byte stream."""
    for match in _START.finditer(data):
        if match.end() < len(data):
            yield data[match.end()]


def avcc_units(data: bytes, length_size: int) -> Iterator[int]:
    """The header byte of each length-prefixed unit; stops where a length runs over the end."""
    at = 0
    while at + length_size < len(data):
        size = int.from_bytes(data[at : at + length_size], "big")
        at += length_size
        if size == 0 or at + size > len(data):
            yield 0x80
            return
        yield data[at]
        at += size


def headers(packet: bytes, extradata: bytes) -> list[int]:
    """The unit headers of a packet, in whichever form its stream uses."""
    if extradata[:1] == b"\x01" and len(extradata) > 4:
        return list(avcc_units(packet, (extradata[4] & 3) + 1))
    return list(annexb_units(packet))


def is_h264_key(packet: bytes, extradata: bytes) -> bool:
    """Whether a key packet holds what an H.264 key picture holds.

    H.265 units read this way have types that H.264 does not use (0, 2, 4 …) or the forbidden bit set.
    """
    found = headers(packet, extradata)
    if not found or any(header & 0x80 for header in found):
        return False
    kinds = [header & 0x1F for header in found]
    return all(kind in _KNOWN for kind in kinds) and any(kind in (1, 5) for kind in kinds)


def has_parameter_sets(extradata: bytes) -> bool:
    """Whether the stream's configuration holds a sequence parameter set of H.264."""
    if extradata[:1] == b"\x01":
        return len(extradata) > 8 and (extradata[5] & 0x1F) > 0 and (extradata[8] & 0x9F) == 7
    return any(header & 0x9F == 7 for header in annexb_units(extradata))
