"""The hub store's tables on SQLite, and how an older file becomes a present one."""

from __future__ import annotations

import os
from collections.abc import Callable
from io import FileIO
from pathlib import Path

import apsw

from madang.hub.contexts import schema as hosted
from madang.hub.errors import StoreRefusedError
from madang.hub.history import schema as history
from madang.hub.sqlite.sql import index_expression, index_name
from madang.hub.subscriptions import schema as subscriptions
from madang.journal.apsw_session import create_tables
from madang.kernel.ids import new_id

# `change` is feed and history in one: its rowid is the tenant's number shifted by CHANGE_BITS plus the position, so a
# tenant's changes lie together and in order without a further index. A deleted entity keeps its row without a body:
# its key names it in history for as long as that is kept.
CHANGE_BITS = 40

_TABLES = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE tenant (id INTEGER PRIMARY KEY, code TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE kind (id INTEGER PRIMARY KEY, tenant INTEGER NOT NULL, name TEXT NOT NULL, UNIQUE (tenant, name)) STRICT;
CREATE TABLE attribute (tenant INTEGER NOT NULL, name TEXT NOT NULL, shape INTEGER NOT NULL,
    PRIMARY KEY (tenant, name)) STRICT, WITHOUT ROWID;
CREATE TABLE entity (key INTEGER PRIMARY KEY, tenant INTEGER NOT NULL, id TEXT NOT NULL, types TEXT NOT NULL,
    created_ms INTEGER NOT NULL, modified_ms INTEGER NOT NULL, version INTEGER NOT NULL, source_version INTEGER,
    spots INTEGER NOT NULL, stamps TEXT, body BLOB, doc BLOB) STRICT;
CREATE UNIQUE INDEX entity_by_id ON entity (tenant, id);
CREATE TABLE entity_kind (kind INTEGER NOT NULL, key INTEGER NOT NULL, PRIMARY KEY (kind, key)) STRICT, WITHOUT ROWID;
CREATE VIRTUAL TABLE place USING rtree (id, min_lon, max_lon, min_lat, max_lat,
    +key INTEGER, +attribute TEXT, +lon REAL, +lat REAL, +geometry TEXT);
CREATE TABLE change (seq INTEGER PRIMARY KEY, key INTEGER NOT NULL, op INTEGER NOT NULL, at_ms INTEGER NOT NULL,
    source TEXT NOT NULL, body BLOB NOT NULL) STRICT;
CREATE INDEX change_by_entity ON change (key, seq);
CREATE TABLE source (tenant INTEGER NOT NULL, name TEXT NOT NULL, first_ms INTEGER NOT NULL, last_ms INTEGER NOT NULL,
    readings INTEGER NOT NULL, rejects INTEGER NOT NULL, PRIMARY KEY (tenant, name)) STRICT, WITHOUT ROWID;
CREATE TABLE reject (seq INTEGER PRIMARY KEY, tenant INTEGER NOT NULL, at_ms INTEGER NOT NULL, source TEXT NOT NULL,
    reason TEXT NOT NULL, raw BLOB NOT NULL) STRICT;
CREATE INDEX reject_by_tenant ON reject (tenant, seq);
CREATE TABLE answer (source TEXT NOT NULL, message_id TEXT NOT NULL, at_ms INTEGER NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (source, message_id)) STRICT;
"""


def _first(connection: apsw.Connection) -> None:
    connection.execute(_TABLES)
    connection.execute("INSERT INTO meta VALUES ('epoch', ?)", (new_id(),))


def _second(connection: apsw.Connection) -> None:
    connection.execute("ALTER TABLE entity ADD COLUMN expires_ms INTEGER")
    connection.execute("CREATE INDEX entity_expiring ON entity (expires_ms) WHERE expires_ms IS NOT NULL")
    for room in (history, subscriptions, hosted):
        connection.execute(room.tables("sqlite"))


MIGRATIONS: tuple[Callable[[apsw.Connection], None], ...] = (_first, _second)
"""Step n takes a file from version n to n + 1. Steps that have been released never change."""


def migrate(connection: apsw.Connection, path: str) -> None:
    """Brings a file to the present version in one transaction; raises `StoreRefusedError` for a newer one."""
    found = int(connection.pragma("user_version"))
    if found > len(MIGRATIONS):
        raise StoreRefusedError(
            f"{path} has schema version {found}, this program knows {len(MIGRATIONS)}",
            where=path,
            hint="Use the newer program, or restore a backup made with this one",
        )
    with connection:
        for step in MIGRATIONS[found:]:
            step(connection)
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
        create_tables(connection)


def ensure_indexes(connection: apsw.Connection, attributes: tuple[str, ...]) -> None:
    """Makes the indexes of declared attributes, and drops those no longer declared."""
    wanted = {index_name(name): name for name in attributes}
    sql = "SELECT name FROM sqlite_schema WHERE type = 'index' AND sql LIKE '%doc ->>%'"
    there = {row[0] for row in connection.execute(sql)}
    for name in there - wanted.keys():
        connection.execute(f'DROP INDEX "{name}"')
    for name in wanted.keys() - there:
        expression = index_expression(wanted[name])
        connection.execute(f'CREATE INDEX "{name}" ON entity (tenant, {expression}) WHERE {expression} IS NOT NULL')


def own(path: Path) -> FileIO:
    """Takes the file for this process until what is returned is closed; raises `StoreRefusedError`.

    Readers keep committed entities in memory, so a second writing process would make them stale.
    """
    lock = FileIO(str(path) + ".lock", "w")
    try:
        _lock(lock)
    except OSError:
        lock.close()
        raise StoreRefusedError(
            f"{path} is in use by another process", where=str(path), hint="Stop that one first"
        ) from None
    return lock


def _lock(lock: FileIO) -> None:
    if os.name == "nt":
        import msvcrt

        msvcrt.locking(lock.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore] # Windows only
    else:
        import fcntl

        fcntl.flock(lock.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
