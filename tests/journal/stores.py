"""The stores every promise of the journal is tried on: real files, and a real PostgreSQL where there is one."""

from __future__ import annotations

import copy
import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.db import connections
from django.db.migrations.executor import MigrationExecutor

from madang.journal import retention
from madang.journal.apsw_session import ApswStore
from madang.journal.django_session import DjangoStore
from madang.journal.schema import TABLES

_SQLITE_OPTIONS = {
    "transaction_mode": "IMMEDIATE",
    "timeout": 10,
    "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;",
}


def add_alias(**settings: Any) -> str:  # Any: Django's database settings
    """Registers one more database with Django and returns its alias."""
    alias = f"journal-{uuid.uuid4().hex[:8]}"
    connections.databases[alias] = copy.deepcopy(connections.databases["default"]) | settings
    return alias


def drop_alias(alias: str) -> None:
    """Closes this thread's connection and forgets the database."""
    connections[alias].close()
    del connections[alias]
    del connections.databases[alias]


def migrate(alias: str) -> None:
    """Makes the journal's tables as the platform itself does."""
    executor = MigrationExecutor(connections[alias])
    executor.migrate([node for node in executor.loader.graph.leaf_nodes() if node[0] == "journal"])


@contextmanager
def django_sqlite(path: Path) -> Iterator[DjangoStore]:
    """The Django store on a SQLite file."""
    alias = add_alias(ENGINE="django.db.backends.sqlite3", NAME=str(path), OPTIONS=_SQLITE_OPTIONS)
    try:
        yield DjangoStore(alias)
    finally:
        drop_alias(alias)


@contextmanager
def apsw_file(path: Path) -> Iterator[ApswStore]:
    """The apsw store on a SQLite file."""
    store = ApswStore(path)
    try:
        yield store
    finally:
        store.close()


def missing_postgresql() -> str:
    """Why PostgreSQL cannot be tried here; empty when it can."""
    if shutil.which("initdb") is None and _initdb() is None:
        return "PostgreSQL is not installed (apt install postgresql)"
    try:
        import psycopg  # noqa: F401 -- only whether it is there
    except ImportError:
        return "psycopg is not installed (pip install 'psycopg[binary]')"
    return ""


def _initdb() -> Path | None:
    return max(Path("/usr/lib/postgresql").glob("*/bin/initdb"), default=None)


def _as_user(folder: Path) -> list[str]:
    if os.geteuid() != 0:
        return []
    shutil.chown(folder, "nobody")
    return ["runuser", "-u", "nobody", "--"]


@contextmanager
def postgresql_server() -> Iterator[Path]:
    """A PostgreSQL of our own on a socket in a new folder, which is what is given."""
    found = shutil.which("initdb")
    binaries = Path(found).parent if found else _initdb()
    assert binaries is not None
    binaries = binaries if binaries.is_dir() else binaries.parent
    folder = Path(tempfile.mkdtemp(prefix="madang-pg-"))
    run = _as_user(folder)
    data = folder / "data"

    def call(*command: str) -> None:
        subprocess.run([*run, *command], check=True, capture_output=True, cwd=folder, timeout=60)

    try:
        call(str(binaries / "initdb"), "-D", str(data), "-A", "trust", "-U", "madang", "--no-sync", "-E", "UTF8")
        options = f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off"
        call(str(binaries / "pg_ctl"), "-D", str(data), "-w", "-l", str(folder / "log"), "-o", options, "start")
        try:
            yield folder
        finally:
            call(str(binaries / "pg_ctl"), "-D", str(data), "-w", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def empty(store: DjangoStore) -> None:
    """Empties the journal's tables of a PostgreSQL store and writes the retention kinds again."""
    with store.transaction() as tx:
        tx.execute(f"TRUNCATE {', '.join(table.name for table in TABLES)} RESTART IDENTITY")
        retention.seed(tx)
