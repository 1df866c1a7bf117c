"""Columns of a batch as PostgreSQL arrays in the binary format, packed at once.

psycopg packs a list element by element in Python; a group of 500 entities has some 6,000 elements.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

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

    def __init__(self, element: int, count: int, items: bytes) -> None:
        self.oid = _ARRAY[element]
        self.data = _HEADER.pack(1, 1, element, count, 1) + items if count else _HEADER.pack(0, 0, element, 0, 0)[:12]


def integers(values: Sequence[int | None]) -> Array:
    """bigint[]."""
    pack = struct.Struct("!iq").pack
    return Array(_INT8, len(values), b"".join([_NULL if one is None else pack(8, one) for one in values]))


def floats(values: Sequence[float | None]) -> Array:
    """double precision[]."""
    pack = struct.Struct("!id").pack
    return Array(_FLOAT8, len(values), b"".join([_NULL if one is None else pack(8, one) for one in values]))


def texts(values: Sequence[str | None]) -> Array:
    """text[]."""
    return _bytes(_TEXT, [None if one is None else one.encode() for one in values])


def blobs(values: Sequence[bytes | None]) -> Array:
    """bytea[]."""
    return _bytes(_BYTEA, values)


def documents(values: Sequence[bytes | None]) -> Array:
    """jsonb[], of JSON text; the format begins with its version, 1."""
    return _bytes(_JSONB, [None if one is None else b"\x01" + one for one in values])


def _bytes(element: int, values: Sequence[bytes | None]) -> Array:
    pack = struct.Struct("!i").pack
    parts: list[bytes] = []
    for one in values:
        if one is None:
            parts.append(_NULL)
        else:
            parts += (pack(len(one)), one)
    return Array(element, len(values), b"".join(parts))


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
