"""What the journal asks of a store: one open transaction, and a way to open the next. No Django, no apsw here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from madang.journal.wakeups import Wakeups

Row = tuple[Any, ...]  # Any: column values as the driver gives them


class Session(Protocol):
    """One open transaction on one store. Placeholders are always `?`, on PostgreSQL too."""

    dialect: str
    """`sqlite` or `postgresql`."""

    def execute(self, sql: str, params: Sequence[object] = ()) -> list[Row]:
        """Runs one statement; the rows it returns (also of RETURNING), or an empty list."""
        ...

    def executemany(self, sql: str, rows: Iterable[Sequence[object]]) -> None:
        """Runs one statement for each row of parameters."""
        ...

    def wake(self, name: str) -> None:
        """After the commit, wakes whoever waits for `name`."""
        ...

    def serialise(self) -> None:
        """From here to the commit no other transaction writes to the journal.

        So numbers are committed in the order they were given. SQLite's IMMEDIATE transaction already holds this.
        """
        ...


class Store(Protocol):
    """One database with the journal's tables."""

    wakeups: Wakeups

    def transaction(self) -> AbstractContextManager[Session]:
        """Opens a writing transaction: commits and wakes at the end, rolls back on any exception."""
        ...

    def reading(self) -> AbstractContextManager[Session]:
        """Opens a session for reading that takes no write lock."""
        ...

    def is_outage(self, error: BaseException) -> bool:
        """Whether the store itself failed (locked, full, unreachable), rather than what was asked of it."""
        ...

    def recover(self) -> None:
        """Drops this thread's connection when it no longer works, so that the next use opens a new one."""
        ...

    def close_thread(self) -> None:
        """Gives back what this thread holds; called when a worker's thread ends."""
        ...
