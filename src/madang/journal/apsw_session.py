"""The journal over an apsw connection, as the hub's store uses it."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import apsw

from madang.journal.retention import seed
from madang.journal.schema import sqlite_script
from madang.journal.session import Row
from madang.journal.wakeups import Wakeups


class ApswSession:
    """One open transaction on an apsw connection. Whoever commits wakes those named in `woken` afterwards."""

    dialect = "sqlite"

    def __init__(self, connection: apsw.Connection) -> None:
        self.woken: set[str] = set()
        self._connection = connection

    def execute(self, sql: str, params: Sequence[object] = ()) -> list[Row]:
        """Runs one statement; the rows it returns, or an empty list."""
        return list(self._connection.execute(sql, tuple(params)))

    def executemany(self, sql: str, rows: Iterable[Sequence[object]]) -> None:
        """Runs one statement for each row of parameters."""
        self._connection.executemany(sql, (tuple(row) for row in rows))

    def wake(self, name: str) -> None:
        """After the commit, wakes whoever waits for `name`."""
        self.woken.add(name)

    def serialise(self) -> None:
        """Nothing to do: an IMMEDIATE transaction is SQLite's only writer."""


def create_tables(connection: apsw.Connection) -> None:
    """Makes the journal's tables and the retention kinds where they are missing."""
    connection.execute(sqlite_script())
    seed(ApswSession(connection))


class ApswStore:
    """One SQLite file on one connection, used by one thread at a time."""

    def __init__(self, path: Path, *, vfs: str | None = None) -> None:
        self.wakeups = Wakeups()
        self._lock = threading.RLock()
        self._outer: ApswSession | None = None
        self._connection = apsw.Connection(str(path), vfs=vfs)
        self._connection.set_busy_timeout(10_000)
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "secure_delete=ON"):
            self._connection.execute(f"PRAGMA {pragma}")
        create_tables(self._connection)

    @contextmanager
    def transaction(self) -> Iterator[ApswSession]:
        """An IMMEDIATE transaction; an inner one joins the outer."""
        with self._lock:
            if self._outer is not None:
                with self._connection:
                    yield self._outer
                return
            self._outer = session = ApswSession(self._connection)
            try:
                yield from self._committed(session)
            finally:
                self._outer = None
        self.wakeups.wake(session.woken)

    def _committed(self, session: ApswSession) -> Iterator[ApswSession]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield session
            self._connection.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise

    @contextmanager
    def reading(self) -> Iterator[ApswSession]:
        """Reads outside any transaction."""
        with self._lock:
            yield ApswSession(self._connection)

    def is_outage(self, error: BaseException) -> bool:
        """Whether the file was locked, full or could not be read or written."""
        return isinstance(error, apsw.BusyError | apsw.IOError | apsw.FullError | apsw.CantOpenError)

    def recover(self) -> None:
        """Nothing to do: there is one connection for all threads."""

    def close_thread(self) -> None:
        """Nothing to do: there is one connection for all threads."""

    def close(self) -> None:
        """Closes the file."""
        with self._lock:
            self._connection.close()
