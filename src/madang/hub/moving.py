"""Moves a hub store whole from one storage to another: every table, row by row, and proves that nothing was lost.

A copy runs in one transaction on either side: it is all there at the end, or nothing is. Feed positions and the
store's own name (`epoch`) move too, so that cursors handed out before go on working. Not copied but made again: the
query document, the spatial index, and what PostgreSQL keeps beside a tenant.
"""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, Protocol

import apsw
import orjson

from madang.hub.errors import StoreRefusedError
from madang.hub.geo import box_of
from madang.hub.sqlite.schema import CHANGE_BITS, MIGRATIONS, migrate, own
from madang.hub.tables import OWN_NAMES

Row = tuple[Any, ...]  # Any: column values
Progress = Callable[[str, int, int], None]
"""Told of a table, the rows done and the rows there are."""

BATCH = 1_000
_MADE_AGAIN = frozenset({("entity", "doc"), ("tenant", "position"), ("tenant", "last_ms"), ("tenant", "revision")})
_PLACE = ("id", "key", "attribute", "lon", "lat", "geometry")
_HEAD = struct.Struct("<cI")
_MODULUS = 1 << 128


@dataclass(frozen=True, slots=True)
class Moved:
    """One table on both sides: rows, and a digest that does not depend on their order."""

    table: str
    rows_from: int
    rows_to: int
    digest_from: str
    digest_to: str

    @property
    def same(self) -> bool:
        """Whether the two sides agree."""
        return (self.rows_from, self.digest_from) == (self.rows_to, self.digest_to)


class Side(Protocol):
    """A store as rows."""

    def tables(self) -> dict[str, tuple[str, ...]]:
        """Every table and the columns to copy."""
        ...

    def count(self, table: str) -> int:
        """How many rows it has."""
        ...

    def rows(self, table: str, columns: Sequence[str]) -> Iterator[Row]:
        """Its rows."""
        ...

    def fill(self, table: str, columns: Sequence[str], rows: Iterable[Row]) -> None:
        """Adds rows."""
        ...

    def finish(self) -> None:
        """Makes again what is not copied."""
        ...


def copy(source: Side, target: Side, progress: Progress = lambda _table, _done, _all: None) -> list[Moved]:
    """Copies every table and compares; raises `StoreRefusedError` where the target holds something or lacks a table."""
    tables = source.tables()
    there = target.tables()
    for name, columns in tables.items():
        if not set(columns) <= set(there.get(name, ())):
            raise StoreRefusedError(f"The target knows nothing of {name} as the source has it", where=name)
        if name not in OWN_NAMES and target.count(name):
            raise StoreRefusedError(
                "The target holds data already; nothing was moved", where=name, hint="Move into an empty store"
            )
    found = [_copied(source, target, name, columns, progress) for name, columns in tables.items()]
    target.finish()
    return [_compared(target, one, tables[one.table]) for one in found]


def _copied(source: Side, target: Side, table: str, columns: Sequence[str], progress: Progress) -> Moved:
    total, tally = source.count(table), _Tally()
    progress(table, 0, total)

    def counted() -> Iterator[Row]:
        for row in source.rows(table, columns):
            said = tuple(_plain(one) for one in row)
            tally.add(said)
            if tally.rows % BATCH == 0:
                progress(table, tally.rows, total)
            yield said

    target.fill(table, columns, counted())
    progress(table, tally.rows, tally.rows)
    return Moved(table, tally.rows, 0, tally.digest, "")


def _compared(target: Side, moved: Moved, columns: Sequence[str]) -> Moved:
    tally = _Tally()
    for row in target.rows(moved.table, columns):
        tally.add(tuple(_plain(one) for one in row))
    return Moved(moved.table, moved.rows_from, tally.rows, moved.digest_from, tally.digest)


def _plain(value: Any) -> Any:  # Any: a column value
    """A value as every store can hold and tell it: NUL in a text is shown as U+FFFD, which PostgreSQL asks for."""
    if isinstance(value, str):
        return value.replace("\0", "\ufffd") if "\0" in value else value
    if isinstance(value, bool):
        return int(value)
    return bytes(value) if isinstance(value, (bytearray, memoryview)) else value


class _Tally:
    """Rows counted, and the sum of their hashes: the same in whatever order they come."""

    def __init__(self) -> None:
        self.rows = 0
        self._sum = 0

    def add(self, row: Row) -> None:
        self.rows += 1
        hashed = blake2b(digest_size=16)
        for value in row:
            kind, data = _bytes(value)
            hashed.update(_HEAD.pack(kind, len(data)) + data)
        self._sum = (self._sum + int.from_bytes(hashed.digest(), "little")) % _MODULUS

    @property
    def digest(self) -> str:
        return f"{self._sum:032x}"


def _bytes(value: Any) -> tuple[bytes, bytes]:  # Any: a plain value
    if value is None:
        return b"n", b""
    if isinstance(value, int):
        return b"i", str(value).encode()
    if isinstance(value, float):
        return b"f", struct.pack("<d", value)
    return (b"t", value.encode()) if isinstance(value, str) else (b"b", value)


class SqliteSide:
    """A SQLite store nobody else has open."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection

    def tables(self) -> dict[str, tuple[str, ...]]:
        sql = (
            "SELECT name FROM sqlite_schema WHERE type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL%'"
            " AND name NOT LIKE 'sqlite_%' AND name NOT LIKE 'place_%' ORDER BY name"
        )
        found = {str(name): self._columns(str(name)) for (name,) in self._connection.execute(sql)}
        return found | {"place": _PLACE}

    def _columns(self, table: str) -> tuple[str, ...]:
        names = [str(row[1]) for row in self._connection.execute(f'PRAGMA table_info("{table}")')]
        return tuple(name for name in names if (table, name) not in _MADE_AGAIN)

    def count(self, table: str) -> int:
        return int(str(self._connection.execute(f'SELECT count(*) FROM "{table}"').fetchall()[0][0]))  # noqa: S608 -- our tables

    def rows(self, table: str, columns: Sequence[str]) -> Iterator[Row]:
        names = _names(columns)
        if table == "place":  # an R*Tree keeps a whole number there as one
            names = names.replace('"lon"', "CAST(lon AS REAL)").replace('"lat"', "CAST(lat AS REAL)")
        where = " WHERE name <> 'version'" if table == "meta" else ""
        return iter(self._connection.execute(f'SELECT {names} FROM "{table}"{where}'))  # noqa: S608 -- the same

    def fill(self, table: str, columns: Sequence[str], rows: Iterable[Row]) -> None:
        self._connection.execute(f'DELETE FROM "{table}"')  # noqa: S608 -- the same
        if table == "place":
            columns, rows = (*columns, "min_lon", "min_lat", "max_lon", "max_lat"), (_boxed(row) for row in rows)
        marks = ", ".join("?" * len(columns))
        said = f'INSERT INTO "{table}" ({_names(columns)}) VALUES ({marks})'  # noqa: S608 -- the same
        if table == "entity":
            body = columns.index("body")
            rows = ((*row, None if row[body] is None else row[body].decode()) for row in rows)
            said = f"INSERT INTO entity ({_names(columns)}, doc) VALUES ({marks}, jsonb(?))"  # noqa: S608 -- the same
        self._connection.executemany(said, rows)

    def finish(self) -> None:
        """Nothing: keys and positions are found in the tables."""


def _names(columns: Sequence[str]) -> str:
    return ", ".join(f'"{name}"' for name in columns)


def _boxed(row: Row) -> Row:
    _, _, _, lon, lat, said = row
    box = (lon, lat, lon, lat) if said is None else box_of(orjson.loads(said))
    return (*row, *box)


class PostgresSide:
    """A PostgreSQL store, inside one transaction of a connection."""

    def __init__(self, connection: Any) -> None:  # Any: psycopg is imported only where it is used
        self._connection = connection

    def tables(self) -> dict[str, tuple[str, ...]]:
        rows = self._connection.execute(
            "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'hub'"
            " ORDER BY table_name, ordinal_position"
        ).fetchall()
        found: dict[str, tuple[str, ...]] = {}
        for table, column in rows:
            if (table, column) not in _MADE_AGAIN:
                found[table] = (*found.get(table, ()), column)
        return found | {"place": _PLACE}

    def count(self, table: str) -> int:
        return int(self._connection.execute(f'SELECT count(*) FROM "{table}"').fetchone()[0])  # noqa: S608 -- our tables

    def rows(self, table: str, columns: Sequence[str]) -> Iterator[Row]:
        where = " WHERE name <> 'version'" if table == "meta" else ""
        with self._connection.cursor(f"rows of {table}") as cursor:
            cursor.itersize = BATCH
            cursor.execute(f'SELECT {_names(columns)} FROM "{table}"{where}')  # noqa: S608 -- the same
            yield from cursor

    def fill(self, table: str, columns: Sequence[str], rows: Iterable[Row]) -> None:
        if table == "place":
            self._fill_places(rows)
            return
        kept = " WHERE name <> 'version'" if table == "meta" else ""
        self._connection.execute(f'DELETE FROM "{table}"{kept}')  # noqa: S608 -- the same
        names = _names(columns)
        if table == "entity":
            from madang.hub.postgres.group import queryable  # lazily: with psycopg

            body = columns.index("body")
            rows = ((*row, None if row[body] is None else queryable(row[body]).decode()) for row in rows)
            names += ', "doc"'
        truths = self._truths(table, columns)
        with self._connection.cursor() as cursor, cursor.copy(f'COPY "{table}" ({names}) FROM STDIN') as out:
            for row in rows:
                out.write_row([bool(one) if at in truths else one for at, one in enumerate(row)] if truths else row)

    def _truths(self, table: str, columns: Sequence[str]) -> set[int]:
        """Where SQLite has 0 and 1 for what PostgreSQL calls boolean."""
        sql = (
            "SELECT column_name FROM information_schema.columns"
            " WHERE table_schema = 'hub' AND table_name = %s AND data_type = 'boolean'"
        )
        names = {name for (name,) in self._connection.execute(sql, (table,)).fetchall()}
        return {at for at, name in enumerate(columns) if name in names}

    def _fill_places(self, rows: Iterable[Row]) -> None:
        from madang.hub.postgres.group import place_columns, send_places  # lazily: with psycopg

        batch: list[Row] = []
        for id_, key, attribute, lon, lat, said in rows:
            geometry = {"type": "Point", "coordinates": [lon, lat]} if said is None else orjson.loads(said)
            batch.append(place_columns(id_, key, attribute, geometry, said))
            if len(batch) == BATCH:
                send_places(self._connection, batch)
                batch.clear()
        if batch:
            send_places(self._connection, batch)

    def finish(self) -> None:
        run = self._connection.execute
        run(
            "UPDATE tenant t SET position = greatest("  # noqa: S608 -- numbers and our own tables
            f" coalesce((SELECT max(seq) - (t.id << {CHANGE_BITS}) FROM change"
            f" WHERE seq > (t.id << {CHANGE_BITS}) AND seq < ((t.id + 1) << {CHANGE_BITS})), 0),"
            " coalesce((SELECT value::bigint FROM meta WHERE name = 'floor.' || t.id), 0)),"
            " last_ms = coalesce((SELECT at_ms FROM change WHERE seq = (SELECT max(seq) FROM change"
            f" WHERE seq > (t.id << {CHANGE_BITS}) AND seq < ((t.id + 1) << {CHANGE_BITS}))), 0)"
        )
        run("SELECT setval('entity_key', greatest((SELECT coalesce(max(key), 0) + 1 FROM entity), 1), false)")
        identities = run(
            "SELECT table_name, column_name FROM information_schema.columns"
            " WHERE table_schema = 'hub' AND is_identity = 'YES'"
        ).fetchall()
        for table, column in identities:
            run(
                f"SELECT setval(pg_get_serial_sequence('hub.{table}', '{column}'),"  # noqa: S608 -- our tables
                f' (SELECT coalesce(max("{column}"), 0) + 1 FROM "{table}"), false)'
            )
        run("ANALYZE")


# What is done with it.


def move(source: str, target: str, progress: Progress) -> list[Moved]:
    """Copies a store into an empty one, files and PostgreSQL addresses alike; the source stays as it is.

    Raises `StoreRefusedError` where one cannot be used, or where the copy would not be the same: then it is no copy.
    """
    if _is_address(target) == _is_address(source):
        raise StoreRefusedError(
            "Stores are moved from a file to PostgreSQL or back",
            where=target,
            hint="Name one file and one postgresql://USER@HOST/DATABASE",
        )
    if _is_address(target):
        return to_postgres(Path(source), target, progress)
    from madang.hub.postgres.address import check_address, connect  # lazily: psycopg is an extra

    check_address(source)
    path = Path(target)
    if path.exists():
        raise StoreRefusedError(f"{path} exists already; nothing was moved", where=target, hint="Name a new file")
    part = path.with_name(path.name + ".part")
    part.unlink(missing_ok=True)
    with connect(source) as connection:
        found = to_sqlite(connection, part, progress)
    part.replace(path)
    return found


def _is_address(store: str) -> bool:
    return store.startswith(("postgresql://", "postgres://"))


def to_postgres(path: Path, address: str, progress: Progress) -> list[Moved]:
    """Moves the file's store into an empty PostgreSQL; nothing is changed there unless every table agrees."""
    from madang.hub.postgres.address import check_address, connect  # lazily: psycopg is an extra
    from madang.hub.postgres.schema import migrate as make_tables

    check_address(address)
    with contextlib.closing(_opened(path)) as source, connect(address) as connection:
        make_tables(connection, address)
        with connection.transaction():
            connection.execute("LOCK TABLE tenant IN ACCESS EXCLUSIVE MODE")
            found = copy(SqliteSide(source.connection), PostgresSide(connection), progress)
            if not all(one.same for one in found):
                raise MovedDifferentlyError(found)
    return found


def to_sqlite(connection: Any, path: Path, progress: Progress) -> list[Moved]:  # Any: psycopg's connection
    """Writes what a PostgreSQL connection sees, on one snapshot, to a new file."""
    target = apsw.Connection(str(path))
    try:
        migrate(target, str(path))
        connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        with target:
            found = copy(PostgresSide(connection), SqliteSide(target), progress)
            if not all(one.same for one in found):
                raise MovedDifferentlyError(found)
        return found
    finally:
        connection.execute("ROLLBACK")
        target.close()


class MovedDifferentlyError(StoreRefusedError):
    """The copy is not the same as what was copied; it was thrown away."""

    code, title = "moved-differently", "The copy differs from what was copied"

    def __init__(self, tables: list[Moved]) -> None:
        self.tables = tables
        wrong = ", ".join(one.table for one in tables if not one.same)
        super().__init__(
            f"The copy differs in {wrong}; it was thrown away", hint="The source is as it was; report this"
        )


class _Owned:
    """A store's file, taken for this process."""

    def __init__(self, path: Path) -> None:
        with contextlib.ExitStack() as undo:
            self._lock = undo.enter_context(contextlib.closing(own(path)))
            self.connection = undo.enter_context(
                contextlib.closing(apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE))
            )
            self._check(path)
            self.connection.execute("BEGIN")
            undo.pop_all()

    def _check(self, path: Path) -> None:
        found = int(self.connection.pragma("user_version"))
        if found != len(MIGRATIONS):
            raise StoreRefusedError(
                f"{path} has schema version {found}, this program moves {len(MIGRATIONS)}",
                where=str(path),
                hint="Start the hub on it once with this release, then move it",
            )

    def close(self) -> None:
        """Gives it back."""
        self.connection.close()
        self._lock.close()


def _opened(path: Path) -> _Owned:
    if not path.is_file():
        raise StoreRefusedError(f"There is no hub store at {path}", where=str(path))
    return _Owned(path)
