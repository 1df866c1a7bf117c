"""Which entities and instances a temporal query selects, as SQL for DuckDB; what SQL cannot judge is judged here.

Runs in a thread on a connection that has the recent instances in the table `hot` and what is hidden in `hidden`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

from madang.hub.changes import Stored
from madang.hub.errors import BadRequestDataError
from madang.hub.geo import matcher
from madang.hub.history.engine import parquet
from madang.hub.history.instances import COLUMNS, ENTITY, SCOPE, Instance, body_of
from madang.hub.history.query import HistoryQuery, Window
from madang.hub.history.rows import ALL, Hidden, HistoryFile
from madang.hub.query import All, Compare, Condition, Exists, Kind, Linked, Literal, Operator, Range
from madang.hub.scope import in_scope
from madang.hub.subscriptions.conditions import Subject, satisfied

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_NAMES = ", ".join(COLUMNS)
_BATCH = 10_000


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What stood in the store at one moment: the files that count and what is hidden of them."""

    directory: str
    files: Sequence[HistoryFile]
    hidden: Sequence[Hidden]


@dataclass(slots=True)
class Sql:
    """A piece of SQL and what its question marks stand for, in order."""

    text: str
    values: list[Any] = field(default_factory=list)  # Any: column values

    def __and__(self, other: Sql) -> Sql:
        return Sql(f"{self.text} AND {other.text}", [*self.values, *other.values])


class Selection:
    """One query over one snapshot. `windowed` are the instances asked about, `entities` says which entities hold."""

    def __init__(self, cursor: DuckDBPyConnection, snapshot: Snapshot, query: HistoryQuery) -> None:
        self._cursor = cursor
        self._snapshot = snapshot
        self._query = query
        self._tables = 0
        loose = query.window.open or query.or_modified
        self.time = f"coalesce({query.window.column}, modified_us)" if loose else query.window.column
        hot_types = [row[0] for row in cursor.execute("SELECT DISTINCT types FROM hot").fetchall()]
        taken = [file for file in snapshot.files if query.takes(file.types.split("\n"))]
        note_hidden(cursor, snapshot.hidden)
        near = [file for file in taken if query.or_modified or overlaps(file, query.window)]
        self.size = sum(file.rows for file in near)
        """So many instances lie in the files that are looked into."""
        self._near, self._wide = self._relation(near), self._relation(taken)
        self._base = self._based(hot_types, {file.types for file in taken})
        self.windowed = self._windowed()

    def _relation(self, files: Sequence[HistoryFile]) -> str:
        hot = f"SELECT {_NAMES} FROM hot"  # noqa: S608 -- constants
        if not files:
            return f"({hot})"
        source = stored(self._snapshot.directory, files)
        seen = f" WHERE NOT {is_hidden('f')}" if self._snapshot.hidden else ""
        rolled = f"SELECT {_NAMES} FROM {source} f{seen}"  # noqa: S608 -- constants
        empty = not self._cursor.execute("SELECT 1 FROM hot LIMIT 1").fetchall()
        return f"({rolled})" if empty else f"({hot} UNION ALL {rolled})"

    def _based(self, hot_types: Sequence[str], file_types: Iterable[str]) -> Sql:
        what = self._query.what
        parts = Sql("true")
        known = {*hot_types, *file_types}
        taken = [types for types in known if self._query.takes(types.split("\n"))]
        if len(taken) < len(known):
            parts &= _among("types", taken)
        if what.ids:
            parts &= _among("entity", what.ids)
        if what.id_pattern:
            parts &= Sql("regexp_matches(entity, ?)", [what.id_pattern])
        return parts

    def _windowed(self) -> Sql:
        parts = self._base & _within(self._query.window, self.time)
        if self._query.attrs:
            parts &= _among("attribute", [*self._query.attrs])
        if self._query.datasets is not None:
            parts &= _among("dataset", [*self._query.datasets])
        if self._query.instance is not None:
            parts &= Sql("seq = ? AND place = ?", [*self._query.instance])
        if self._query.what.scope:
            table = self._scoped()
            valid = f"EXISTS (SELECT 1 FROM {table} s WHERE s.entity = i.entity"  # noqa: S608 -- a name of our own
            parts &= Sql(f"{valid} AND {self.time} >= s.from_us AND {self.time} < s.to_us)")
        columns = f"SELECT {_NAMES}, {self.time} AS t"
        return Sql(f"({columns} FROM {self._near} i WHERE {parts.text})", parts.values)

    def entities(self) -> Sql:
        """The entities that hold, in order, each once."""
        what = self._query.what
        parts = Sql(f"attribute <> '{ENTITY}'") if self._query.window.timeproperty != "deletedAt" else Sql("true")
        if what.q is not None:
            parts &= self._member(self._condition(what.q))
        if what.geo is not None:
            parts &= self._member(Sql(f"SELECT entity FROM {self._near_by()}"))  # noqa: S608 -- a name of our own
        values = [*self.windowed.values, *parts.values]
        return Sql(f"SELECT DISTINCT entity FROM {self.windowed.text} WHERE {parts.text}", values)  # noqa: S608

    @staticmethod
    def _member(inner: Sql) -> Sql:
        return Sql(f"entity IN ({inner.text})", inner.values)

    # q: a condition → the entities some instance of which meets it.

    def _condition(self, condition: Condition) -> Sql:
        if isinstance(condition, Linked):
            raise BadRequestDataError("A temporal query does not look into linked entities", where="q")
        if isinstance(condition, Exists | Compare):
            return self._leaf(condition)
        word = " INTERSECT " if isinstance(condition, All) else " UNION "
        parts = [self._condition(part) for part in condition.parts]
        return Sql(word.join(f"({one.text})" for one in parts), [value for one in parts for value in one.values])

    def _leaf(self, condition: Exists | Compare) -> Sql:
        """Instances in the window count, and those without the query's time: what never changes holds all the time."""
        window = _within(self._query.window, self.time)
        of = self._base & Sql("attribute = ? AND form <> 'x'", [condition.path.attribute])
        if not self._query.window.open:
            of &= Sql(f"(({window.text}) OR {self._query.window.column} IS NULL)", window.values)
        found = _plainly(condition)
        source = f"SELECT entity FROM {self._wide} WHERE "  # noqa: S608 -- constants
        if found is None:
            return Sql(f"SELECT entity FROM {self._judged(condition, of)}")  # noqa: S608 -- a name of our own
        test, judged = found
        plain = of & test
        if judged is None:
            return Sql(source + plain.text, plain.values)
        table = self._judged(condition, of & judged)
        rest = f" UNION SELECT entity FROM {table}"  # noqa: S608 -- a name of our own
        return Sql(source + plain.text + rest, plain.values)

    def _judged(self, condition: Exists | Compare, of: Sql) -> str:
        def holds(one: Instance) -> bool:
            body = orjson.dumps({one.attribute: body_of(one)})
            times = one.created_us // 1_000, one.modified_us // 1_000
            return satisfied(condition, Subject(Stored(0, one.entity, (), body, {}, *times, 0)))

        return self._table(_distinct(one.entity for one in self._read(self._wide, of) if holds(one)))

    def _near_by(self) -> str:
        geo = self._query.what.geo
        assert geo is not None
        related: Callable[[Any], bool] = matcher(geo)
        window = _within(self._query.window, self.time)
        of = self._base & Sql("attribute = ? AND kind = 'GeoProperty' AND form <> 'x'", [geo.attribute])
        if not self._query.window.open:
            of &= Sql(f"(({window.text}) OR {self._query.window.column} IS NULL)", window.values)
        found = (one.entity for one in self._read(self._wide, of) if related(body_of(one)["value"]))
        return self._table(_distinct(found))

    # scopeQ: when an entity was in the scope; a first one without a time was there for all that was before.

    def _scoped(self) -> str:
        of = self._base & Sql("attribute = ?", [SCOPE])
        order = " ORDER BY entity, coalesce(observed_us, created_us), seq, place"
        spans: list[tuple[str, int, int]] = []
        last: tuple[str, int] | None = None
        seen = ""
        for one in self._read(self._wide, of, order):
            at = one.observed_us if one.observed_us is not None else one.created_us
            if one.entity != seen and one.observed_us is None:
                at = -_FOREVER
            seen = one.entity
            if last is not None:
                spans.append((*last, at if last[0] == one.entity else _FOREVER))
            value = body_of(one)["value"]
            text = orjson.dumps(value).decode() if isinstance(value, list) else value
            last = (one.entity, at) if in_scope(self._query.what.scope, text) else None
        if last is not None:
            spans.append((*last, _FOREVER))
        name = self._name()
        self._cursor.execute(f"CREATE TEMP TABLE {name} (entity VARCHAR, from_us BIGINT, to_us BIGINT)")
        if spans:
            columns = [list(column) for column in zip(*spans, strict=True)]
            self._cursor.execute(
                f"INSERT INTO {name} SELECT unnest(?::VARCHAR[]), unnest(?::BIGINT[]), unnest(?::BIGINT[])", columns
            )
        return name

    def _read(self, relation: str, where: Sql, order: str = "") -> Iterable[Instance]:
        rows = self._cursor.execute(f"SELECT {_NAMES} FROM {relation} i WHERE {where.text}{order}", where.values)  # noqa: S608
        while batch := rows.fetchmany(_BATCH):
            yield from (Instance(*row) for row in batch)

    def _table(self, entities: list[str]) -> str:
        name = self._name()
        self._cursor.execute(f"CREATE TEMP TABLE {name} (entity VARCHAR)")
        self._cursor.execute(f"INSERT INTO {name} SELECT unnest(?::VARCHAR[])", [entities])
        return name

    def _name(self) -> str:
        self._tables += 1
        return f"found_{self._tables}"


_FOREVER = 1 << 62


def stored(directory: str, files: Sequence[HistoryFile]) -> str:
    """The table function over files."""
    return parquet([f"{directory}/{file.path}" for file in files])


def note_hidden(cursor: DuckDBPyConnection, hidden: Sequence[Hidden]) -> None:
    """Makes the table that `is_hidden` asks."""
    cursor.execute(
        "CREATE OR REPLACE TEMP TABLE hidden (entity VARCHAR, attribute VARCHAR, dataset VARCHAR, seq BIGINT,"
        " place INTEGER, past BIGINT)"
    )
    if hidden:
        values = [(h.entity, h.attribute, h.dataset, h.seq, h.place, h.past) for h in hidden]
        cursor.executemany("INSERT INTO hidden VALUES (?, ?, ?, ?, ?, ?)", values)


def is_hidden(alias: str) -> str:
    """Whether an instance of a relation is hidden by a row of the table `hidden`."""
    return (
        f"EXISTS (SELECT 1 FROM hidden h WHERE (h.entity = {alias}.entity OR h.entity = '') AND"  # noqa: S608 -- constants
        f" CASE WHEN h.place >= 0 THEN h.seq = {alias}.seq AND h.place = {alias}.place AND {alias}.modified_us < h.past"
        f" ELSE (h.attribute = '' OR h.attribute = {alias}.attribute)"
        f" AND (h.dataset = '{ALL}' OR h.dataset = {alias}.dataset)"
        f" AND {alias}.seq <= h.seq AND {alias}.seq >= -h.past END)"
    )


def overlaps(file: HistoryFile, window: Window) -> bool:
    """Whether a file can hold instances of the window."""
    if window.open:
        return True
    if window.timeproperty == "observedAt":
        low, high = file.min_observed_us, file.max_observed_us
    elif window.timeproperty == "createdAt":
        low, high = file.min_created_us, file.max_created_us
    else:
        low, high = file.min_modified_us, file.max_modified_us
    if low is None or high is None or (window.timeproperty == "deletedAt" and not file.deletions):
        return False
    return (window.to_us is None or low < window.to_us) and (window.from_us is None or high >= window.from_us)


def _within(window: Window, time: str) -> Sql:
    parts = Sql("true")
    if window.from_us is not None:
        parts &= Sql(f"{time} >= ?", [window.from_us])
    if window.to_us is not None:
        parts &= Sql(f"{time} < ?", [window.to_us])
    return parts


def _among(column: str, values: Sequence[str]) -> Sql:
    if not values:
        return Sql("false")
    return Sql(f"{column} IN ({', '.join('?' * len(values))})", [*values])


def _distinct(entities: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(entities))


_SIMPLE = {Operator.EQUAL: "=", Operator.LESS: "<", Operator.LESS_EQUAL: "<=", Operator.GREATER: ">",
           Operator.GREATER_EQUAL: ">="}  # fmt: skip
_SCALAR = "kind = 'Property' AND form IN ('n', 'b', 't', 'd', 'h', 'i', 'u')"


def _plainly(condition: Exists | Compare) -> tuple[Sql, Sql | None] | None:
    """A test on the columns alone, and which instances it does not cover; None where columns do not tell."""
    path = condition.path
    if path.subs or path.members or path.expanded:
        return None
    if isinstance(condition, Exists):
        return Sql("true"), None
    tests = [_column_test(condition.operator, value) for value in condition.values]
    known = [test for test in tests if test is not None]
    if len(known) < len(tests):
        return None
    either = Sql("(" + " OR ".join(one.text for one in known) + ")", [value for one in known for value in one.values])
    return Sql(_SCALAR) & either, Sql(f"NOT ({_SCALAR})")


def _column_test(operator: Operator, value: Literal | Range) -> Sql | None:
    low, high = (value.low, value.high) if isinstance(value, Range) else (value, value)
    if operator not in _SIMPLE or low.kind not in (Kind.NUMBER, Kind.TEXT):
        return None
    column, forms = ("number", "form = 'n'") if low.kind is Kind.NUMBER else ("text", "text IS NOT NULL")
    if isinstance(value, Range):
        return Sql(f"({forms} AND {column} BETWEEN ? AND ?)", [low.value, high.value])
    return Sql(f"({forms} AND {column} {_SIMPLE[operator]} ?)", [low.value])
