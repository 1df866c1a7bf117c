"""The store's side of history: recent changes, instances written by clients, the list of files, what is hidden.

Portable SQL on an open session; which transaction it belongs to is the caller's business.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import takewhile
from typing import Any

import orjson

from madang.hub.changes import LATE_PART
from madang.hub.history.instances import Instance, flatten, read
from madang.journal.session import Session

CHANGE_BITS = 40
PAGE = 5_000
ERASED = b'{"@erased":1}'
ALL = "*"
_RANGE = -1


@dataclass(frozen=True, slots=True)
class HistoryFile:
    """One Parquet file: which entities' types and which day of modification (UTC) it holds, and its bounds in µs."""

    id: int
    tenant: int
    types: str
    day: str
    path: str
    rows: int
    bytes: int
    digest: str
    min_observed_us: int | None
    max_observed_us: int | None
    min_modified_us: int
    max_modified_us: int
    min_created_us: int
    max_created_us: int
    deletions: int
    gone_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Hidden:
    """What no reader sees although it may still lie in rows or files.

    An instance (`place` ≥ 0) as it was before `past` (µs); or all of an entity, or of an attribute (`dataset` "*": of
    all datasets), up to change `seq` and to the clients' instance `past`.
    """

    id: int
    entity: str
    attribute: str
    dataset: str
    seq: int
    place: int
    past: int

    def hides(self, one: Instance) -> bool:
        """Whether an instance is meant."""
        if self.place != _RANGE:
            return (one.seq, one.place) == (self.seq, self.place) and one.modified_us < self.past
        if self.entity not in ("", one.entity) or (self.attribute and self.attribute != one.attribute):
            return False
        return self.dataset in (ALL, one.dataset) and -self.past <= one.seq <= self.seq


_FILE_COLUMNS = (
    "tenant, types, day, path, rows, bytes, digest, min_observed_us, max_observed_us, min_modified_us,"
    " max_modified_us, min_created_us, max_created_us, deletions"
)


def base(tenant: int) -> int:
    """The number below a tenant's first change."""
    return tenant << CHANGE_BITS


def mark(session: Session, tenant: int) -> int:
    """The last change that lies in files."""
    rows = session.execute("SELECT value FROM history_mark WHERE name = ?", (f"rolled.{tenant}",))
    return int(rows[0][0]) if rows else base(tenant)


def set_mark(session: Session, tenant: int, seq: int) -> None:
    """Moves it."""
    session.execute(
        "INSERT INTO history_mark VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        (f"rolled.{tenant}", seq),
    )


def next_past(session: Session) -> int:
    """A number for what a client writes into history; counted downwards, so that no change has it."""
    sql = (
        "INSERT INTO history_mark VALUES ('past', 1) ON CONFLICT (name) DO UPDATE SET value = history_mark.value + 1"
        " RETURNING value"
    )
    return -int(session.execute(sql)[0][0])


def last_past(session: Session) -> int:
    """How many such numbers were given."""
    rows = session.execute("SELECT value FROM history_mark WHERE name = 'past'")
    return int(rows[0][0]) if rows else 0


def epoch(session: Session) -> str:
    """What names the store: files of another are not its own."""
    return str(session.execute("SELECT value FROM meta WHERE name = 'epoch'")[0][0])


def tenants(session: Session) -> list[int]:
    """The numbers of all tenants."""
    return [int(row[0]) for row in session.execute("SELECT id FROM tenant ORDER BY id")]


# Recent rows.


def recent(session: Session, tenant: int, after: int, ids: Collection[str] = ()) -> Iterator[list[Instance]]:
    """Instances of changes after a number, page by page in their order; of some entities only where `ids` are given."""
    keys = _keys(session, tenant, ids) if ids else None
    if keys == []:
        return
    while True:
        rows = _changes(session, tenant, after, keys)
        yield [one for row in rows for one in flatten(row[1], row[2], row[3], row[4], row[0], bytes(row[5]))]
        if len(rows) < PAGE:
            return
        after = rows[-1][0]


def _keys(session: Session, tenant: int, ids: Collection[str]) -> list[int]:
    marks = ", ".join("?" * len(ids))
    sql = f"SELECT key FROM entity WHERE tenant = ? AND id IN ({marks})"  # noqa: S608 -- question marks
    return [int(row[0]) for row in session.execute(sql, (tenant, *ids))]


def _changes(session: Session, tenant: int, after: int, keys: list[int] | None) -> list[tuple[Any, ...]]:
    of = "" if keys is None else f" AND c.key IN ({', '.join('?' * len(keys))})"
    sql = (
        "SELECT c.seq, e.id, e.types, c.op, c.at_ms, c.body FROM change c JOIN entity e ON e.key = c.key"  # noqa: S608
        f" WHERE c.seq > ? AND c.seq < ?{of} ORDER BY c.seq LIMIT ?"
    )
    return session.execute(sql, (after, base(tenant + 1), *(keys or ()), PAGE))


def due(session: Session, tenant: int, after: int, until_ms: int, limit: int) -> list[tuple[Any, ...]]:
    """The next changes to go to files: (seq, entity, types, op, at_ms, body). Ends before the first younger one, so
    that none is passed over where clocks of several processes differ."""
    sql = (
        "SELECT c.seq, e.id, e.types, c.op, c.at_ms, c.body FROM change c JOIN entity e ON e.key = c.key"
        " WHERE c.seq > ? AND c.seq < ? ORDER BY c.seq LIMIT ?"
    )
    rows = session.execute(sql, (after, base(tenant + 1), limit))
    return [*takewhile(lambda row: row[4] < until_ms, rows)]


def waiting(session: Session, tenant: int, after: int, enough: int) -> int:
    """How many changes are not in files yet, counted up to `enough`."""
    sql = "SELECT count(*) FROM (SELECT 1 AS one FROM change WHERE seq > ? AND seq < ? LIMIT ?) counted"
    return int(session.execute(sql, (after, base(tenant + 1), enough))[0][0])


def oldest_waiting_ms(session: Session, tenant: int, after: int) -> int | None:
    """When the oldest change was made that is in no file yet."""
    sql = "SELECT at_ms FROM change WHERE seq > ? AND seq < ? ORDER BY seq LIMIT 1"
    rows = session.execute(sql, (after, base(tenant + 1)))
    return int(rows[0][0]) if rows else None


_PAST = "SELECT seq, place, entity, types, attribute, body, created_us, modified_us FROM history_past WHERE tenant = ?"


def past(session: Session, tenant: int, ids: Collection[str] = (), until_us: int | None = None) -> list[Instance]:
    """What clients wrote into history and is in no file yet."""
    sql, values = _PAST, [tenant, *ids]
    if ids:
        sql += f" AND entity IN ({', '.join('?' * len(ids))})"
    if until_us is not None:
        sql += " AND modified_us < ?"
        values.append(until_us)
    return [
        read(orjson.loads(row[5]), row[2], row[3], row[4], row[0], row[1], row[6], row[7])
        for row in session.execute(sql, values)
    ]


def add_past(session: Session, tenant: int, rows: Iterable[Sequence[object]]) -> None:
    """Keeps instances: (seq, place, entity, types, attribute, body, created_us, modified_us)."""
    sql = (
        "INSERT INTO history_past (seq, place, tenant, entity, types, attribute, body, created_us, modified_us)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
    )
    session.executemany(sql, ((row[0], row[1], tenant, *row[2:]) for row in rows))


def drop_past(session: Session, seq: int, place: int, modified_us: int) -> bool:
    """Removes one as it was read; whether it still was so."""
    sql = "DELETE FROM history_past WHERE seq = ? AND place = ? AND modified_us = ? RETURNING seq"
    return bool(session.execute(sql, (seq, place, modified_us)))


def entity_types(session: Session, tenant: int, ids: Collection[str]) -> dict[str, tuple[str, ...]]:
    """The types of entities known to state or history."""
    marks = ", ".join("?" * len(ids))
    sql = (
        f"SELECT id, types FROM entity WHERE tenant = ? AND id IN ({marks})"  # noqa: S608 -- question marks
        f" UNION ALL SELECT id, types FROM history_entity WHERE tenant = ? AND id IN ({marks})"
    )
    found: dict[str, tuple[str, ...]] = {}
    for name, types in session.execute(sql, (tenant, *ids, tenant, *ids)) if ids else ():
        found[name] = tuple(dict.fromkeys((*found.get(name, ()), *types.split("\n"))))
    return found


def entity_times(session: Session, tenant: int, ids: Collection[str]) -> dict[str, tuple[int, int, bool]]:
    """Creation and modification (ms) of entities in the state, and whether they are still there."""
    marks = ", ".join("?" * len(ids))
    sql = (
        "SELECT id, created_ms, modified_ms, body IS NOT NULL FROM entity"  # noqa: S608 -- question marks
        f" WHERE tenant = ? AND id IN ({marks})"
    )
    rows = session.execute(sql, (tenant, *ids)) if ids else []
    return {row[0]: (row[1], row[2], bool(row[3])) for row in rows}


def noted(session: Session, tenant: int, entity: str) -> tuple[str, ...]:
    """The types of an entity known from what clients wrote."""
    rows = session.execute("SELECT types FROM history_entity WHERE tenant = ? AND id = ?", (tenant, entity))
    return tuple(rows[0][0].split("\n")) if rows else ()


def ids_of_type(session: Session, tenant: int, name: str) -> list[str]:
    """Entities of state and history that have a type."""
    sql = "SELECT id, types FROM entity WHERE tenant = ? UNION SELECT id, types FROM history_entity WHERE tenant = ?"
    return [row[0] for row in session.execute(sql, (tenant, tenant)) if name in row[1].split("\n")]


def note_entity(session: Session, tenant: int, entity: str, types: Sequence[str]) -> None:
    """Keeps the types an entity of history has."""
    sql = "INSERT INTO history_entity VALUES (?, ?, ?) ON CONFLICT (tenant, id) DO UPDATE SET types = excluded.types"
    session.execute(sql, (tenant, entity, "\n".join(types)))


# Files.


def files(session: Session, tenant: int) -> list[HistoryFile]:
    """A tenant's files that count."""
    sql = f"SELECT id, {_FILE_COLUMNS} FROM history_file WHERE tenant = ? AND gone_ms IS NULL ORDER BY day, id"  # noqa: S608
    return [HistoryFile(*row) for row in session.execute(sql, (tenant,))]


def gone_files(session: Session) -> list[HistoryFile]:
    """Files that were superseded and may still be read by those who began before."""
    sql = f"SELECT id, {_FILE_COLUMNS}, gone_ms FROM history_file WHERE gone_ms IS NOT NULL ORDER BY id"  # noqa: S608
    return [HistoryFile(*row) for row in session.execute(sql)]


def paths(session: Session) -> set[str]:
    """Every file that is spoken of."""
    return {row[0] for row in session.execute("SELECT path FROM history_file")}


def add_file(session: Session, file: HistoryFile) -> None:
    """Lets a file count from this transaction on."""
    marks = ", ".join("?" * 14)
    sql = f"INSERT INTO history_file ({_FILE_COLUMNS}) VALUES ({marks})"  # noqa: S608 -- constants
    session.execute(
        sql,
        (
            file.tenant,
            file.types,
            file.day,
            file.path,
            file.rows,
            file.bytes,
            file.digest,
            file.min_observed_us,
            file.max_observed_us,
            file.min_modified_us,
            file.max_modified_us,
            file.min_created_us,
            file.max_created_us,
            file.deletions,
        ),
    )


def supersede(session: Session, file_id: int, at_ms: int) -> bool:
    """From this transaction on a file does not count; whether it still did."""
    sql = "UPDATE history_file SET gone_ms = ? WHERE id = ? AND gone_ms IS NULL RETURNING id"
    return bool(session.execute(sql, (at_ms, file_id)))


def forget_file(session: Session, file_id: int) -> None:
    """A superseded file is no longer there."""
    session.execute("DELETE FROM history_file WHERE id = ?", (file_id,))


# Hiding and erasing.


def hidden(session: Session, tenant: int) -> list[Hidden]:
    """What is to be left out."""
    sql = "SELECT id, entity, attribute, dataset, seq, place, past FROM history_hidden WHERE tenant = ? ORDER BY id"
    return [Hidden(*row) for row in session.execute(sql, (tenant,))]


def hide(session: Session, tenant: int, entity: str, attribute: str = "", dataset: str = ALL) -> None:
    """Hides an entity's history so far ("": all entities'), or an attribute's; what clients wrote goes at once."""
    rows = session.execute("SELECT max(seq) FROM change WHERE seq > ? AND seq < ?", (base(tenant), base(tenant + 1)))
    seq = max(int(rows[0][0] or 0), mark(session, tenant))
    for one in past(session, tenant, (entity,) if entity else ()):
        if (not attribute or one.attribute == attribute) and dataset in (ALL, one.dataset):
            session.execute("DELETE FROM history_past WHERE seq = ? AND place = ?", (one.seq, one.place))
    _add_hidden(session, tenant, entity, attribute, dataset, seq, _RANGE, last_past(session))
    if entity and not attribute:
        session.execute("DELETE FROM history_entity WHERE tenant = ? AND id = ?", (tenant, entity))


def hide_instance(session: Session, tenant: int, one: Instance, before_us: int) -> None:
    """Hides one instance as it was before a time."""
    session.execute("DELETE FROM history_past WHERE seq = ? AND place = ?", (one.seq, one.place))
    _add_hidden(session, tenant, one.entity, one.attribute, one.dataset, one.seq, one.place, before_us)


def _add_hidden(session: Session, tenant: int, *values: object) -> None:
    sql = (
        "INSERT INTO history_hidden (tenant, entity, attribute, dataset, seq, place, past) VALUES (?, ?, ?, ?, ?, ?, ?)"
    )
    session.execute(sql, (tenant, *values))


def unhide(session: Session, hidden_id: int) -> None:
    """What it named is in no row and no file any more."""
    session.execute("DELETE FROM history_hidden WHERE id = ?", (hidden_id,))


@dataclass(frozen=True, slots=True)
class Blanking:
    """Changes and what is left of them; `last` where there may be more after it."""

    changed: list[tuple[int, bytes]]
    last: int | None


def to_blank(session: Session, tenant: int, one: Hidden, after: int) -> Blanking:
    """What is to be taken out of the changes themselves, page by page.

    The rows stay: the feed's numbering does not change, and its readers find nothing in them.
    """
    keys = _keys(session, tenant, (one.entity,)) if one.entity else None
    if keys == []:
        return Blanking([], None)
    of = "" if keys is None else " AND key = ?"
    sql = f"SELECT seq, body FROM change WHERE seq > ? AND seq <= ?{of} ORDER BY seq LIMIT ?"  # noqa: S608 -- constants
    found = session.execute(sql, (after, one.seq, *(keys or ()), PAGE))
    changed = []
    for seq, raw in found:
        body = bytes(raw)
        rest = without(body, one.attribute, one.dataset) if one.attribute else ERASED
        if rest != body:
            changed.append((seq, rest))
    return Blanking(changed, found[-1][0] if len(found) == PAGE else None)


def without(body: bytes, attribute: str, dataset: str) -> bytes:
    """A change without an attribute, or without its instances of one dataset."""
    said = orjson.loads(body)
    before = orjson.dumps(said)
    for part in (said, said.get(LATE_PART, {})):
        if attribute in part:
            _take_out(part, attribute, dataset)
    return body if orjson.dumps(said) == before else orjson.dumps(said)


def _take_out(part: dict[str, Any], attribute: str, dataset: str) -> None:  # Any: JSON
    value = part.pop(attribute)
    if dataset == ALL or value is None:
        return
    listed = value if isinstance(value, list) else [value]
    rest = [one for one in listed if one.get("datasetId", "") != dataset]
    if rest:
        part[attribute] = rest if len(rest) > 1 else rest[0]


def expired(session: Session, tenant: int, kinds: Sequence[str], before_ms: int, limit: int) -> list[int]:
    """Changes of entities of these types (each a whole text of types) made before a time and not blank yet."""
    marks = ", ".join("?" * len(kinds))
    sql = (
        "SELECT c.seq FROM change c JOIN entity e ON e.key = c.key WHERE c.seq > ? AND c.seq < ? AND c.at_ms < ?"  # noqa: S608
        f" AND c.body <> ? AND e.types IN ({marks}) ORDER BY c.seq LIMIT ?"
    )
    values = (base(tenant), base(tenant + 1), before_ms, ERASED, *kinds, limit)
    return [int(row[0]) for row in session.execute(sql, values)]


def blank_all(session: Session, seqs: Iterable[int]) -> None:
    """Blanks changes."""
    session.executemany("UPDATE change SET body = ? WHERE seq = ?", ((ERASED, seq) for seq in seqs))


def expire_past(session: Session, tenant: int, kinds: Sequence[str], before_us: int) -> None:
    """Removes what clients wrote for entities of these types before a time."""
    marks = ", ".join("?" * len(kinds))
    sql = f"DELETE FROM history_past WHERE tenant = ? AND modified_us < ? AND types IN ({marks})"  # noqa: S608
    session.execute(sql, (tenant, before_us, *kinds))


def all_types(session: Session, tenant: int) -> list[str]:
    """Every text of types that entities, written history or files have."""
    sql = (
        "SELECT DISTINCT types FROM entity WHERE tenant = ? UNION SELECT DISTINCT types FROM history_past"
        " WHERE tenant = ? UNION SELECT DISTINCT types FROM history_file WHERE tenant = ?"
    )
    return [row[0] for row in session.execute(sql, (tenant, tenant, tenant))]


def day_of(us: int) -> str:
    """The UTC day of an instant."""
    return datetime.fromtimestamp(us / 1_000_000, UTC).date().isoformat()
