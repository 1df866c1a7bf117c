"""Tables that are the same on every store: written once, with the few words that differ left open."""

from __future__ import annotations

_WORDS = {
    "sqlite": {"integer": "INTEGER", "real": "REAL", "blob": "BLOB", "strict": " STRICT"},
    "postgresql": {"integer": "BIGINT", "real": "DOUBLE PRECISION", "blob": "BYTEA", "strict": ""},
}


def script(template: str, dialect: str) -> str:
    """DDL for a dialect: fills `{integer}`, `{real}`, `{blob}` and `{strict}` (after a table's closing bracket)."""
    return template.format(**_WORDS[dialect])
