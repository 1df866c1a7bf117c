"""The journal's tables, once for both storages: Django's migration and the apsw script are both held equal to this."""

from __future__ import annotations

from dataclasses import dataclass

SERIAL = "integer NOT NULL PRIMARY KEY AUTOINCREMENT"


@dataclass(frozen=True, slots=True)
class Index:
    """An index: unique ones are constraints; `where` makes it partial."""

    name: str
    columns: tuple[str, ...]
    unique: bool = False
    where: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A table: columns as (name, SQLite type with NULL or NOT NULL)."""

    name: str
    columns: tuple[tuple[str, str], ...]
    indexes: tuple[Index, ...] = ()


def _text(length: int) -> str:
    return f"varchar({length}) NOT NULL"


ID = _text(36)
NAME = _text(100)
LONG_NAME = _text(200)
INSTANT = _text(24)
INSTANT_OR_NULL = "varchar(24) NULL"
MODE = _text(10)
TEXT = "text NOT NULL"
NUMBER = "bigint NOT NULL"
BOOL = "bool NOT NULL"
BYTES = "BLOB NOT NULL"
BYTES_OR_NULL = "BLOB NULL"

DEAD_STATE = "state = 'dead'"
OPEN_STATES = "state IN ('waiting', 'parked', 'dead')"

_QUEUE_COLUMNS = (
    ("ending", BOOL),
    ("state", _text(10)),
    ("attempts", NUMBER),
    ("next_at", INSTANT),
    ("last_error", TEXT),
    ("finished_at", INSTANT_OR_NULL),
)

TABLES: tuple[Table, ...] = (
    Table(
        "journal_inbox",
        (
            ("seq", SERIAL),
            ("source", NAME),
            ("message_id", LONG_NAME),
            ("kind", NAME),
            ("key", LONG_NAME),
            ("body", BYTES),
            ("body_digest", _text(64)),
            ("emptied", BOOL),
            ("authority", _text(40)),
            ("mode", MODE),
            ("received_at", INSTANT),
            *_QUEUE_COLUMNS,
        ),
        (
            Index("journal_inbox_message", ("source", "message_id"), unique=True),
            Index("journal_inbox_open", ("source", "key", "seq"), where=OPEN_STATES),
            Index("journal_inbox_due", ("next_at",), where="state = 'waiting'"),
            Index("journal_inbox_dead", ("seq",), where=DEAD_STATE),
            Index("journal_inbox_received", ("received_at",)),
            Index("journal_inbox_body", ("received_at",), where="NOT emptied"),
        ),
    ),
    Table(
        "journal_nonce",
        (("seq", SERIAL), ("source", NAME), ("nonce", LONG_NAME), ("expires_at", INSTANT)),
        (
            Index("journal_nonce_once", ("source", "nonce"), unique=True),
            Index("journal_nonce_expiry", ("expires_at",)),
        ),
    ),
    Table(
        "journal_outbox",
        (
            ("seq", SERIAL),
            ("message_id", ID),
            ("topic", NAME),
            ("key", LONG_NAME),
            ("subject", _text(300)),
            ("body", TEXT),
            ("authority", _text(40)),
            ("mode", MODE),
            ("announced_at", INSTANT),
            ("ending", BOOL),
            ("pending", BOOL),
        ),
        (
            Index("journal_outbox_message", ("message_id",), unique=True),
            Index("journal_outbox_pending", ("seq",), where="pending"),
            Index("journal_outbox_announced", ("announced_at",)),
        ),
    ),
    Table(
        "journal_delivery",
        (
            ("seq", SERIAL),
            ("outbox_seq", NUMBER),
            ("subscriber", NAME),
            ("key", LONG_NAME),
            ("subject", _text(300)),
            ("wire", BYTES_OR_NULL),
            ("overtaken", BOOL),
            *_QUEUE_COLUMNS,
        ),
        (
            Index("journal_delivery_once", ("outbox_seq", "subscriber"), unique=True),
            Index("journal_delivery_open", ("subscriber", "key", "seq"), where=OPEN_STATES),
            Index("journal_delivery_due", ("subscriber", "next_at"), where="state = 'waiting'"),
            Index("journal_delivery_dead", ("seq",), where=DEAD_STATE),
        ),
    ),
    Table(
        "journal_timer",
        (
            ("seq", SERIAL),
            ("kind", NAME),
            ("key", LONG_NAME),
            ("due_at", INSTANT),
            ("authority", _text(40)),
            ("mode", MODE),
            ("body", TEXT),
            ("state", _text(10)),
            ("attempts", NUMBER),
            ("next_at", INSTANT),
            ("last_error", TEXT),
            ("finished_at", INSTANT_OR_NULL),
        ),
        (
            Index("journal_timer_once", ("kind", "key"), unique=True),
            Index("journal_timer_due", ("next_at",), where="state = 'waiting'"),
        ),
    ),
    Table(
        "journal_change",
        (("seq", SERIAL), ("kind", _text(40)), ("ref", LONG_NAME), ("authority", _text(40)), ("at", INSTANT)),
        (Index("journal_change_at", ("at",)),),
    ),
    Table(
        "journal_lease",
        (("name", "varchar(40) NOT NULL PRIMARY KEY"), ("holder", LONG_NAME), ("until", INSTANT)),
    ),
    Table(
        "journal_alarm",
        (
            ("seq", SERIAL),
            ("kind", _text(40)),
            ("authority", _text(40)),
            ("mode", MODE),
            ("source", NAME),
            ("message_id", LONG_NAME),
            ("first_digest", _text(64)),
            ("second_digest", _text(64)),
            ("first_at", INSTANT),
            ("last_at", INSTANT),
            ("times", NUMBER),
            ("seen_by", NAME),
            ("seen_at", INSTANT_OR_NULL),
        ),
        (
            Index("journal_alarm_once", ("kind", "source", "message_id", "second_digest"), unique=True),
            Index("journal_alarm_open", ("authority", "seq"), where="seen_at IS NULL"),
        ),
    ),
    Table(
        "journal_audit",
        (
            ("id", SERIAL),
            ("stream", _text(40)),
            ("seq", NUMBER),
            ("at", INSTANT),
            ("actor", NAME),
            ("action", NAME),
            ("thing", LONG_NAME),
            ("basis", LONG_NAME),
            ("mode", MODE),
            ("retention", _text(40)),
            ("digest", _text(64)),
            ("prev_hash", _text(64)),
            ("hash", _text(64)),
        ),
        (
            Index("journal_audit_once", ("stream", "seq"), unique=True),
            Index("journal_audit_at", ("stream", "at")),
            Index("journal_audit_thing", ("stream", "thing")),
        ),
    ),
    Table(
        "journal_audit_blob",
        (
            ("id", SERIAL),
            ("stream", _text(40)),
            ("seq", NUMBER),
            ("retention", _text(40)),
            ("at", INSTANT),
            ("sealed", BYTES_OR_NULL),
            ("erased_at", INSTANT_OR_NULL),
            ("erased_by", NAME),
            ("erased_reason", TEXT),
            ("erasure_seq", "bigint NULL"),
        ),
        (
            Index("journal_audit_blob_once", ("stream", "seq"), unique=True),
            Index("journal_audit_blob_due", ("retention", "at"), where="sealed IS NOT NULL"),
        ),
    ),
    Table(
        "journal_retention",
        (
            ("kind", "varchar(40) NOT NULL PRIMARY KEY"),
            ("days", NUMBER),
            ("label_ko", NAME),
            ("label_en", NAME),
            ("basis_ko", TEXT),
            ("basis_en", TEXT),
        ),
    ),
)


_LIMITS = {
    table.name: {name: int(kind[8 : kind.index(")")]) for name, kind in table.columns if kind.startswith("varchar(")}
    for table in TABLES
}


def fit(table: str, **values: str) -> None:
    """Raises `ValueError` naming the column when a text is too long for it or holds NUL, on every store alike."""
    limits = _LIMITS[table]
    for name, value in values.items():
        if len(value) > limits[name] or "\x00" in value:
            raise ValueError(f"{name} of {table} takes at most {limits[name]} characters and no NUL: {value[:60]!r}")


def sqlite_script() -> str:
    """The statements that make every table and index on SQLite, harmless when they exist already."""
    return "\n".join(statement for table in TABLES for statement in _statements(table))


def _statements(table: Table) -> list[str]:
    parts = [f'"{name}" {kind}' for name, kind in table.columns]
    parts += [f'CONSTRAINT "{index.name}" UNIQUE ({_columns(index)})' for index in table.indexes if index.unique]
    made = [f'CREATE TABLE IF NOT EXISTS "{table.name}" ({", ".join(parts)});']
    for index in table.indexes:
        if not index.unique:
            where = f" WHERE {index.where}" if index.where else ""
            made.append(f'CREATE INDEX IF NOT EXISTS "{index.name}" ON "{table.name}" ({_columns(index)}){where};')
    return made


def _columns(index: Index) -> str:
    return ", ".join(f'"{column}"' for column in index.columns)
