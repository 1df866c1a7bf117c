"""The tables of this room, on every store."""

from __future__ import annotations

from madang.hub.tables import script

_TABLES = ""


def tables(dialect: str) -> str:
    """The DDL for `sqlite` or `postgresql`."""
    return script(_TABLES, dialect)
