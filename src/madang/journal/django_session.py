"""The journal over a Django connection."""

from __future__ import annotations

import functools
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, cast

from django.db import InterfaceError, OperationalError, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from madang.journal.session import Row
from madang.journal.turns import Turns
from madang.journal.wakeups import Wakeups

_WRITERS_LOCK = 7_233_204_117
"""The advisory lock of PostgreSQL that orders those who write to the journal."""

_SQLITE_OUTAGES = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PROTOCOL,
    }
)
"""What the file is to blame for; sqlite3 raises the same class for a misspelt column."""


@functools.lru_cache(maxsize=512)
def _django_sql(sql: str) -> str:
    return sql.replace("%", "%%").replace("?", "%s")


class DjangoSession:
    """One open transaction on a Django connection."""

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        self.dialect = connection.vendor
        self.woken: set[str] = set()
        self._connection = connection
        self._serialised = False

    def execute(self, sql: str, params: Sequence[object] = ()) -> list[Row]:
        """Runs one statement; the rows it returns, or an empty list."""
        with self._connection.cursor() as cursor:
            cursor.execute(_django_sql(sql), cast(Any, params))  # Any: the driver checks the values itself
            return cursor.fetchall() if cursor.description else []

    def executemany(self, sql: str, rows: Iterable[Sequence[object]]) -> None:
        """Runs one statement for each row of parameters."""
        with self._connection.cursor() as cursor:
            cursor.executemany(_django_sql(sql), cast(Any, list(rows)))  # Any: the same

    def wake(self, name: str) -> None:
        """After the commit, wakes whoever waits for `name`."""
        self.woken.add(name)

    def serialise(self) -> None:
        """Takes the writers' advisory lock on PostgreSQL until the transaction ends; nothing on SQLite (IMMEDIATE)."""
        if self.dialect == "postgresql" and not self._serialised:
            self.execute("SELECT pg_advisory_xact_lock(?)", (_WRITERS_LOCK,))
            self._serialised = True


class DjangoStore:
    """The database behind one Django alias."""

    def __init__(self, alias: str = "default") -> None:
        self.alias = alias
        self.wakeups = Wakeups()
        self._turns = Turns()

    @contextmanager
    def transaction(self) -> Iterator[DjangoSession]:
        """Opens `atomic()`; an inner one is a savepoint, and only the outer commit wakes."""
        with self._turn(), transaction.atomic(using=self.alias):
            session = DjangoSession(connections[self.alias])
            yield session
            if session.woken:
                names = frozenset(session.woken)
                transaction.on_commit(lambda: self.wakeups.wake(names), using=self.alias)

    def _turn(self) -> AbstractContextManager[bool]:
        """This thread's turn to write, where the database takes one writer; an inner transaction has it already."""
        connection = connections[self.alias]
        if connection.vendor != "sqlite" or connection.in_atomic_block:
            return nullcontext(True)
        return self._turns.turn()

    @contextmanager
    def reading(self) -> Iterator[DjangoSession]:
        """Reads outside any transaction, without SQLite's write lock."""
        yield DjangoSession(connections[self.alias])

    def is_outage(self, error: BaseException) -> bool:
        """Whether the database was locked, full, unreachable."""
        if isinstance(error, OperationalError) and isinstance(error.__cause__, sqlite3.OperationalError):
            return error.__cause__.sqlite_errorcode & 0xFF in _SQLITE_OUTAGES
        return isinstance(error, OperationalError | InterfaceError)

    def recover(self) -> None:
        """Closes this thread's connection when it no longer works."""
        connections[self.alias].close_if_unusable_or_obsolete()

    def close_thread(self) -> None:
        """Closes this thread's connections."""
        connections.close_all()
