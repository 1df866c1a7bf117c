"""The journal and the rooms over a psycopg connection."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, cast

from madang.hub.postgres.address import Connection
from madang.journal.session import Row

JOURNAL_WRITERS = 7_233_204_118
"""The advisory lock that orders those who write to the journal of a hub store."""


@lru_cache(maxsize=1024)
def translated(sql: str) -> str:
    """A statement with `?` placeholders in psycopg's spelling."""
    return sql.replace("%", "%%").replace("?", "%s")


class PostgresSession:
    """One open transaction. Whoever commits wakes those named in `woken` afterwards."""

    dialect = "postgresql"

    def __init__(self, connection: Connection) -> None:
        self.woken: set[str] = set()
        self.serialised = False
        self._connection = connection

    def execute(self, sql: str, params: Sequence[object] = ()) -> list[Row]:
        """Runs one statement; the rows it returns, or an empty list."""
        cursor = self._connection.execute(translated(sql), cast(Any, tuple(params)))  # Any: the driver checks values
        return cursor.fetchall() if cursor.description else []

    def executemany(self, sql: str, rows: Iterable[Sequence[object]]) -> None:
        """Runs one statement for each row of parameters."""
        with self._connection.cursor() as cursor:
            cursor.executemany(translated(sql), cast(Any, [tuple(row) for row in rows]))  # Any: the same

    def wake(self, name: str) -> None:
        """After the commit, wakes whoever waits for `name`, in every process."""
        self.woken.add(name)

    def serialise(self) -> None:
        """From here to the commit nobody else writes to the journal, in no process."""
        if not self.serialised:
            self.execute("SELECT pg_advisory_xact_lock(?)", (JOURNAL_WRITERS,))
            self.serialised = True
