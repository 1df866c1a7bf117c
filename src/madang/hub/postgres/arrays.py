"""Columns of a batch as PostgreSQL arrays in the binary format, packed at once.

psycopg packs a list element by element in Python; a group of 1,000 entities has some 18,000 elements. Many columns are
one value over and over; of the others no element is looked at in Python where none is NULL. An array of 1,000 takes
5–60 µs instead of 200 (measured).
"""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Iterable, Sequence
from itertools import chain, repeat
from typing import Any, cast

from psycopg.abc import AdaptContext
from psycopg.adapt import Dumper
from psycopg.pq import Format

_HEADER = struct.Struct("!iiIii")
_NULL = b"\xff\xff\xff\xff"
_INT8, _TEXT, _BYTEA, _JSONB, _FLOAT8 = 20, 25, 17, 3802, 701
_ARRAY = {_INT8: 1016, _TEXT: 1009, _BYTEA: 1001, _JSONB: 3807, _FLOAT8: 1022}


class Array:
    """An array ready to send."""

    __slots__ = ("data", "oid")

    def __init__(self, element: int, count: int, items: Iterable[bytes]) -> None:
        self.oid = _ARRAY[element]
        head = _HEADER.pack(1, 1, element, count, 1) if count else _HEADER.pack(0, 0, element, 0, 0)[:12]
        self.data = b"".join(chain((head,), items))


def integers(values: Sequence[int | None]) -> Array:
    """bigint[]."""
    return _numbers(_INT8, "q", values)


def floats(values: Sequence[float | None]) -> Array:
    """double precision[]."""
    return _numbers(_FLOAT8, "d", values)


def _numbers(element: int, code: str, values: Sequence[float | None]) -> Array:
    count = len(values)
    one = struct.Struct(f"!i{code}").pack
    if count and values.count(values[0]) == count:
        return Array(element, count, repeat(_NULL if values[0] is None else one(8, values[0]), count))
    if None in values:
        return Array(element, count, [_NULL if value is None else one(8, value) for value in values])
    return Array(element, count, (_interleaved(array(code, cast(list[float], values))),))


def _interleaved(numbers: array[Any]) -> bytes:  # Any: int or float
    """Each number behind its length, 8, in network order: copied byte by byte of all at once."""
    if sys.byteorder == "little":
        numbers.byteswap()
    said, count = numbers.tobytes(), len(numbers)
    items = bytearray(12 * count)
    items[3::12] = b"\x08" * count
    for place in range(8):
        items[4 + place :: 12] = said[place::8]
    return bytes(items)


def texts(values: Sequence[str | None]) -> Array:
    """text[]."""
    count = len(values)
    if count > 1 and values.count(values[0]) == count:
        [first] = _parts([None if values[0] is None else values[0].encode()], b"")
        return Array(_TEXT, count, repeat(first, count))
    return _bytes(_TEXT, [None if one is None else one.encode() for one in values])


def blobs(values: Sequence[bytes | None]) -> Array:
    """bytea[]."""
    return _bytes(_BYTEA, values)


def documents(values: Sequence[bytes | None]) -> Array:
    """jsonb[], of JSON text; the format begins with its version, 1."""
    return _bytes(_JSONB, values, b"\x01")


def _bytes(element: int, values: Sequence[bytes | None], version: bytes = b"") -> Array:
    return Array(element, len(values), _parts(values, version))


def _parts(values: Sequence[bytes | None], version: bytes) -> Iterable[bytes]:
    pack, more = struct.Struct("!i").pack, len(version)
    if None in values:
        return [_NULL if one is None else b"".join((pack(len(one) + more), version, one)) for one in values]
    there: Sequence[bytes] = values  # type: ignore[assignment] # none is None
    if more or len(there) == 1:
        return [b"".join((pack(len(one) + more), version, one)) for one in there]
    return chain.from_iterable(zip(map(pack, map(len, there)), there, strict=True))


class _ArrayDumper(Dumper):
    format = Format.BINARY

    def dump(self, obj: Array) -> bytes:
        return obj.data

    def get_key(self, obj: Array, format: object) -> tuple[type, int]:  # type: ignore[override]  # noqa: A002, ARG002
        return self.cls, obj.oid

    def upgrade(self, obj: Array, format: object) -> _ArrayDumper:  # noqa: A002, ARG002 -- the same
        made = _ArrayDumper(self.cls)
        made.oid = obj.oid
        return made


def register(context: AdaptContext) -> None:
    """Teaches a connection to send arrays."""
    adapters = context.adapters
    assert adapters is not None
    adapters.register_dumper(Array, _ArrayDumper)
