"""One schema, two storages."""

from __future__ import annotations

import re
from pathlib import Path

import apsw
import pytest

from madang.journal import retention
from madang.journal.apsw_session import create_tables
from madang.journal.django_session import DjangoStore
from madang.journal.schema import TABLES
from madang.journal.session import Session
from tests.journal import stores
from tests.journal.conftest import AnyStore


def _columns(tx: Session, table: str) -> list[tuple[object, ...]]:
    return [
        (name, str(kind).lower(), notnull, pk)
        for _, name, kind, notnull, _, pk in tx.execute(f"PRAGMA table_info({table})")
    ]


def _indexes(tx: Session, table: str) -> set[tuple[object, ...]]:
    found: set[tuple[object, ...]] = set()
    for _, name, unique, origin, partial in tx.execute(f"PRAGMA index_list({table})"):
        columns = tuple(row[2] for row in tx.execute(f"PRAGMA index_info({name})"))
        sql = tx.execute("SELECT sql FROM sqlite_master WHERE name = ?", (name,))[0][0] or ""
        where = re.sub(r'["\s]', "", sql.partition(" WHERE ")[2]).strip("()")
        label = name if origin == "c" else ""
        found.add((label, columns, bool(unique), origin, bool(partial), where))
    return found


@pytest.mark.parametrize("table", [table.name for table in TABLES])
def test_the_migration_and_the_script_make_the_same_table(table: str, migrated_file: Path, tmp_path: Path) -> None:
    with (
        stores.apsw_file(tmp_path / "hub.sqlite3") as script,
        stores.django_sqlite(migrated_file) as migration,
        script.reading() as one,
        migration.reading() as other,
    ):
        assert _columns(one, table) == _columns(other, table)
        assert _indexes(one, table) == _indexes(other, table)


def test_no_table_of_the_journal_is_left_out(migrated_file: Path) -> None:
    with stores.django_sqlite(migrated_file) as store, store.reading() as tx:
        made = {
            row[0]
            for row in tx.execute("SELECT name FROM sqlite_master WHERE name LIKE 'journal_%' AND type = 'table'")
        }
    assert made == {table.name for table in TABLES}


def test_making_the_tables_again_changes_nothing(tmp_path: Path) -> None:
    connection = apsw.Connection(str(tmp_path / "twice.sqlite3"))
    create_tables(connection)
    connection.execute("UPDATE journal_retention SET days = 1 WHERE kind = 'caller'")
    create_tables(connection)
    assert list(connection.execute("SELECT days FROM journal_retention WHERE kind = 'caller'")) == [(1,)]
    connection.close()


def test_both_stores_start_with_the_same_retention_kinds(store: AnyStore) -> None:
    with store.reading() as tx:
        assert retention.kinds(tx) == sorted(retention.SEED, key=lambda kind: kind.kind)


@pytest.mark.integration
def test_postgresql_gets_the_same_columns(postgresql: DjangoStore) -> None:
    with postgresql.reading() as tx:
        found = tx.execute(
            "SELECT table_name, column_name, is_nullable FROM information_schema.columns"
            " WHERE table_name LIKE ? ORDER BY table_name, ordinal_position",
            ("journal_%",),
        )
    expected = [
        (table.name, name, "NO" if "NOT NULL" in kind else "YES")
        for table in sorted(TABLES, key=lambda table: table.name)
        for name, kind in table.columns
    ]
    assert found == expected
