"""Pages of history: the instances of the entities a query selects, or their aggregates. Runs in a thread."""

from __future__ import annotations

import itertools
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, Any

from madang.hub.errors import InvalidRequestError, TooComplexQueryError
from madang.hub.history.instances import COLUMNS, ENTITY, Instance, text_of
from madang.hub.history.query import Aggregation, HistoryQuery
from madang.hub.history.selection import Selection, Snapshot, Sql

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_NAMES = ", ".join(COLUMNS)
Value = float | int | str | None


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one answer holds: instances of one attribute, instances or periods altogether."""

    of_attribute: int = 1_000
    altogether: int = 100_000


@dataclass(frozen=True, slots=True)
class Aggregated:
    """Aggregates of one attribute's instances: by method a value for each period, whose bounds stand in µs."""

    attribute: str
    dataset: str
    kind: str
    starts_us: list[int]
    ends_us: list[int]
    values: dict[str, list[Value]]


@dataclass(slots=True)
class EntityHistory:
    """One entity's instances by attribute and time, or its aggregates; in `ENTITY`, when it was deleted (µs)."""

    id: str
    types: tuple[str, ...] = ()
    instances: list[Instance] = field(default_factory=list)
    aggregates: list[Aggregated] = field(default_factory=list)
    created_us: int | None = None
    modified_us: int | None = None
    deleted_us: int | None = None


@dataclass(slots=True)
class HistoryPage:
    """`served_us` where not everything fitted: from where to where (in the direction of the query) is told."""

    entities: list[EntityHistory]
    more: bool = False
    total: int | None = None
    served_us: tuple[int, int] | None = None


def find(cursor: DuckDBPyConnection, snapshot: Snapshot, query: HistoryQuery, limits: Limits) -> HistoryPage:
    """The page a query asks for."""
    selection = Selection(cursor, snapshot, query)
    if query.aggregation is not None:
        return _Aggregates(cursor, selection, query, query.aggregation, limits).page()
    ids, page = _page(cursor, selection, query)
    if ids:
        _fill(cursor, selection, query, limits, page)
    return page


def _page(cursor: DuckDBPyConnection, selection: Selection, query: HistoryQuery) -> tuple[list[str], HistoryPage]:
    what, entities = query.what, selection.entities()
    total = None
    if what.count:
        counted = f"SELECT count(*) FROM ({entities.text})"  # noqa: S608 -- bound
        total = int(cursor.execute(counted, entities.values).fetchall()[0][0])
    down = " DESC" if what.order is not None and any(term.descending for term in what.order.terms) else ""
    paged = f"{entities.text} ORDER BY entity{down} LIMIT ? OFFSET ?"
    rows = cursor.execute(paged, [*entities.values, what.limit + 1, what.offset]).fetchall()
    ids = [row[0] for row in rows[: what.limit]]
    return ids, HistoryPage([EntityHistory(one) for one in ids], len(rows) > what.limit, total)


def _among_ids(source: Sql, ids: Sequence[str]) -> Sql:
    marks = ", ".join("?" * len(ids))
    return Sql(f"{source.text} WHERE entity IN ({marks})", [*source.values, *ids])


def _fill(
    cursor: DuckDBPyConnection, selection: Selection, query: HistoryQuery, limits: Limits, page: HistoryPage
) -> None:
    by_id = {one.id: one for one in page.entities}
    source = _among_ids(selection.windowed, [*by_id])
    counted = f"SELECT count(*) FROM {source.text} GROUP BY entity, attribute, dataset"  # noqa: S608 -- bound
    counts = [row[0] for row in cursor.execute(counted, source.values).fetchall()]
    most = max(1, min(limits.of_attribute, limits.altogether // max(1, len(counts))))
    wanted = most + 1 if query.last_n is None else min(query.last_n, most + 1)
    rows = _first(cursor, source, wanted if max(counts, default=0) > wanted else None, query.last_n is not None)
    served = _served(rows, query, most)
    if served is not None:
        page.served_us = served
        low, high = min(served), max(served)
        rows = [row for row in rows if low <= row[-1] <= high]
    for row in rows:
        one = Instance(*row[:-1])
        if one.attribute == ENTITY:
            by_id[one.entity].deleted_us = one.deleted_us
        else:
            by_id[one.entity].instances.append(one)


def _first(cursor: DuckDBPyConnection, source: Sql, wanted: int | None, latest: bool) -> list[tuple[Any, ...]]:
    """The first (or latest) so many instances of each attribute. Where there are many more, times alone are looked at
    first: sorting ten million instances to take the last of each took 20 times as long (measured)."""
    order = " ORDER BY entity, attribute, dataset, t, seq, place"
    if wanted is None:
        return cursor.execute(f"SELECT {_NAMES}, t FROM {source.text}{order}", source.values).fetchall()  # noqa: S608
    direction, bound = ("DESC", f"max(t, {wanted})") if latest else ("ASC", f"min(t, {wanted})")
    ends = f"SELECT entity, attribute, dataset, {bound}[-1] AS last_t FROM {source.text} GROUP BY ALL"  # noqa: S608
    cursor.execute(f"CREATE OR REPLACE TEMP TABLE ends AS {ends}", source.values)
    near = (
        f"SELECT w.* FROM (SELECT * FROM {source.text}) w JOIN ends e ON e.entity = w.entity"  # noqa: S608 -- bound
        f" AND e.attribute = w.attribute AND e.dataset = w.dataset AND w.t {'>=' if latest else '<='} e.last_t"
    )
    sql = (
        f"SELECT {_NAMES}, t FROM (SELECT *, row_number() OVER (PARTITION BY entity, attribute, dataset"  # noqa: S608
        f" ORDER BY t {direction}, seq {direction}, place {direction}) AS n FROM ({near})) WHERE n <= {wanted}{order}"
    )
    return cursor.execute(sql, source.values).fetchall()


def _served(rows: Sequence[tuple[Any, ...]], query: HistoryQuery, most: int) -> tuple[int, int] | None:
    """Where some attribute has more instances than fit: the time that is told of all of them (clause 6.3.10).

    The time is cut at one instant for all attributes, so that a client that goes on from there misses none.
    """
    ends = []
    for _, group in groupby(rows, key=lambda row: (row[0], row[2], row[3])):
        times = [row[-1] for row in group]
        if len(times) > most:
            ends.append(_cut(times, query.last_n is not None))
    if not ends:
        return None
    window = query.window
    if query.last_n is None:
        start = window.from_us if window.from_us is not None else min(row[-1] for row in rows)
        return start, min(ends)
    start = window.to_us if window.to_us is not None else max(row[-1] for row in rows)
    return start, max(ends)


def _cut(times: Sequence[int], backwards: bool) -> int:
    """The last time told of one attribute; instances of one instant are told together or not at all."""
    first_left_out = times[0] if backwards else times[-1]
    told = [one for one in times if one != first_left_out]
    if not told:
        return first_left_out
    return told[0] if backwards else told[-1]


# Aggregates (clause 4.5.19).

_TEXT_KEY = (
    "CASE WHEN form IN ('n', 'b') THEN number::VARCHAR WHEN text IS NOT NULL THEN text"
    " ELSE coalesce(body ->> '$.value', body ->> '$.object', body ->> '$.languageMap', body ->> '$.vocab',"
    " body ->> '$.json', body ->> '$.valueList', body ->> '$.objectList') END"
)
_EXPRESSIONS = {
    "totalCount": "count(*)",
    "distinctCount": f"count(DISTINCT {_TEXT_KEY})",
    "sum": "sum(number)",
    "avg": "avg(number)",
    "min": "min(number)",
    "max": "max(number)",
    "stddev": "stddev_pop(number)",
    "sumsq": "sum(number * number)",
}
_OF_TEXTS = {"min": "min(text)", "max": "max(text)"}
_COUNTS = frozenset({"totalCount", "distinctCount"})
_APPLICABLE = {
    "n": frozenset(_EXPRESSIONS),
    "b": frozenset(_EXPRESSIONS),
    "l": _COUNTS | {"sum", "avg", "min", "max"},
    "t": _COUNTS | {"min", "max"},
    "d": _COUNTS | {"min", "max"},
    "i": _COUNTS | {"min", "max"},
    "h": _COUNTS | {"min", "max", "avg"},
}
_FORMS = "nbtdihulo"
_TEXTS = frozenset("tdih")


@dataclass(slots=True)
class _Table:
    """Rows of periods as columns, in order of entity, attribute, dataset and time: 240,000 rows as objects would take
    a second, as columns a tenth (measured)."""

    columns: dict[str, Any]  # Any: arrays of numpy
    size: int

    def series(self) -> Iterator[tuple[int, int]]:
        """Where each attribute's rows begin and end."""
        import numpy as np

        if not self.size:
            return
        same = np.ones(self.size - 1, dtype=bool)
        for name in ("entity", "attribute", "dataset"):
            column = self.columns[name]
            same &= column[1:] == column[:-1]
        bounds = [0, *(np.flatnonzero(~same) + 1).tolist(), self.size]
        yield from itertools.pairwise(bounds)

    def values(self, name: str, start: int, end: int) -> list[Any]:  # Any: column values
        """A column's part; what is null is None."""
        part: list[Any] = self.columns[name][start:end].tolist()
        return part


class _Aggregates:
    """Aggregates of the instances a selection holds."""

    def __init__(
        self,
        cursor: DuckDBPyConnection,
        selection: Selection,
        query: HistoryQuery,
        aggregation: Aggregation,
        limits: Limits,
    ) -> None:
        self._cursor = cursor
        self._selection = selection
        self._query = query
        self._methods = aggregation.methods
        self._period = aggregation.period
        self._most = limits.altogether
        self._source = selection.windowed
        self._starts: list[int] = []
        """Where periods of months begin, and the end of the last."""

    def page(self) -> HistoryPage:
        """Tries all entities at once, which needs one pass; a page of entities first where there are too many."""
        what = self._query.what
        filtered = what.q is not None or what.geo is not None
        if not filtered and not what.offset and what.order is None:
            table = self._table(self._source)
            if table.size <= self._most:
                entities = self._entities(table)
                shown = entities[: what.limit]
                return HistoryPage(shown, len(shown) < len(entities), len(entities) if what.count else None)
        ids, page = _page(self._cursor, self._selection, self._query)
        table = self._table(_among_ids(self._source, ids)) if ids else _Table({}, 0)
        if table.size > self._most:
            raise TooComplexQueryError(
                f"The answer holds more than {self._most} periods", hint="Ask about fewer entities or longer periods"
            )
        found = {one.id: one for one in self._entities(table)}
        page.entities = [found.get(one, EntityHistory(one)) for one in ids]
        return page

    def _table(self, source: Sql) -> _Table:
        live = Sql(f"(SELECT * FROM {source.text}) w", source.values)  # noqa: S608 -- bound
        bucket, joined = self._bucket(live)
        wanted = [f"{_EXPRESSIONS[method]} AS {method}_" for method in self._methods]
        wanted += ["min(t) AS first, max(t) AS last"] if self._period.whole else []
        wanted += [f"{_OF_TEXTS[method]} AS {method}_text" for method in self._methods if method in _OF_TEXTS]
        sql = (
            f"SELECT entity, attribute, dataset, {bucket.text} AS bucket, any_value(kind) AS kind,"  # noqa: S608 -- bound
            f" bit_or(1 << (ascii(form) - 97)) AS forms, {', '.join(wanted)}"
            f" FROM {joined.text} WHERE form <> 'x' GROUP BY entity, attribute, dataset, bucket"
            f" ORDER BY entity, attribute, dataset, bucket LIMIT {self._most + 1}"
        )
        columns = self._cursor.execute(sql, [*bucket.values, *joined.values]).fetchnumpy()
        return _Table(columns, len(columns["entity"]))

    def _bucket(self, live: Sql) -> tuple[Sql, Sql]:
        """The start of the period an instance lies in. They begin with the query's time, else on full UTC time."""
        period, start = self._period, self._query.window.from_us
        if period.whole:
            return Sql("0"), live
        if not period.months:
            origin = start if start is not None else period.floor(0)
            if start is not None:
                return Sql(f"{origin} + (t - {origin}) // {period.us} * {period.us}"), live
            return Sql(f"t - ((t - {origin}) % {period.us} + {period.us}) % {period.us}"), live
        first, last = self._cursor.execute(f"SELECT min(t), max(t) FROM {live.text}", live.values).fetchall()[0]  # noqa: S608
        if first is None:
            return Sql("0"), live
        self._starts = period.bounds(start if start is not None else period.floor(first), last)
        self._cursor.execute("CREATE OR REPLACE TEMP TABLE bounds (bound BIGINT)")
        self._cursor.execute("INSERT INTO bounds SELECT unnest(?::BIGINT[])", [self._starts])
        return Sql("bound"), Sql(f"{live.text} ASOF JOIN bounds ON t >= bound", live.values)

    def _entities(self, table: _Table) -> list[EntityHistory]:
        found: dict[str, EntityHistory] = {}
        for start, end in table.series():
            entity = str(table.columns["entity"][start])
            series = self._series(table, start, end)
            found.setdefault(entity, EntityHistory(entity)).aggregates.extend(series)
        return [*found.values()]

    def _series(self, table: _Table, start: int, end: int) -> Iterator[Aggregated]:
        attribute = str(table.columns["attribute"][start])
        forms = {form for bits in {*table.values("forms", start, end)} for form in _FORMS if bits >> ord(form) - 97 & 1}
        mixed = len(forms) > 1 and not forms <= {"n", "b"}
        form = "" if mixed else next(iter(forms))
        possible = _APPLICABLE.get(form, _COUNTS)
        self._refuse(attribute, possible)
        methods = [one for one in self._methods if one in possible]
        if not methods:
            return
        starts, ends = self._bounds(table, start, end)
        values = {method: self._values(table, method, form, start, end) for method in methods}
        columns = table.columns
        yield Aggregated(attribute, str(columns["dataset"][start]), str(columns["kind"][start]), starts, ends, values)

    def _refuse(self, attribute: str, possible: frozenset[str]) -> None:
        """Clause 5.7.4.4: an attribute that was asked for must be eligible."""
        wrong = [one for one in self._methods if one not in possible]
        if wrong and attribute in self._query.attrs:
            raise InvalidRequestError(
                f"{wrong[0]} cannot be made of the values of {attribute}", where="aggrMethods", attribute=attribute
            )

    @staticmethod
    def _values(table: _Table, method: str, form: str, start: int, end: int) -> list[Value]:
        of_texts = form in _TEXTS and method in _OF_TEXTS
        values = table.values(f"{method}_text" if of_texts else f"{method}_", start, end)
        return [_time_of_day(one) for one in values] if form == "h" and method == "avg" else values

    def _bounds(self, table: _Table, start: int, end: int) -> tuple[list[int], list[int]]:
        window, period = self._query.window, self._period
        if period.whole:
            first = window.from_us if window.from_us is not None else int(table.columns["first"][start])
            return [first], [window.to_us if window.to_us is not None else int(table.columns["last"][start])]
        starts: list[int] = table.values("bucket", start, end)
        if not period.months:
            return starts, [one + period.us for one in starts]
        return starts, [self._starts[bisect_right(self._starts, one)] for one in starts]


def _time_of_day(value: Value) -> Value:
    return text_of(round(value * 1_000_000))[11:] if isinstance(value, float) else value
