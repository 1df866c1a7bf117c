"""The tables of this room, on every store."""

from __future__ import annotations

from madang.hub.tables import script

# `tenant` is empty for what was fetched from elsewhere: that is shared.
_TABLES = """
CREATE TABLE context (id TEXT PRIMARY KEY, tenant TEXT NOT NULL, kind TEXT NOT NULL, address TEXT NOT NULL,
    body {blob} NOT NULL, created_ms {integer} NOT NULL, expires_ms {integer}){strict};
CREATE INDEX context_by_address ON context (address);
"""


def tables(dialect: str) -> str:
    """The DDL for `sqlite` or `postgresql`."""
    return script(_TABLES, dialect)
