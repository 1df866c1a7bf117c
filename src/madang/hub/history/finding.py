"""Pages of history: the instances of the entities a query selects, or their aggregates. Runs in a thread."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, Any

from madang.hub.errors import InvalidRequestError, TooComplexQueryError
from madang.hub.history.instances import COLUMNS, ENTITY, Instance, text_of
from madang.hub.history.periods import Period
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
    """Aggregates of one attribute's instances over one period; `values` by method."""

    attribute: str
    dataset: str
    kind: str
    start_us: int
    end_us: int
    values: dict[str, Value]


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
    groups = f"SELECT count(*) FROM (SELECT DISTINCT entity, attribute, dataset FROM {source.text})"  # noqa: S608
    many = int(cursor.execute(groups, source.values).fetchall()[0][0])
    most = max(1, min(limits.of_attribute, limits.altogether // max(1, many)))
    latest = query.last_n is not None
    wanted = most + 1 if query.last_n is None else min(query.last_n, most + 1)
    direction = "DESC" if latest else "ASC"
    sql = (
        f"SELECT {_NAMES}, t FROM (SELECT *, row_number() OVER (PARTITION BY entity, attribute, dataset"  # noqa: S608
        f" ORDER BY t {direction}, seq {direction}, place {direction}) AS n FROM {source.text}) WHERE n <= {wanted}"
        " ORDER BY entity, attribute, dataset, t, seq, place"
    )
    rows = cursor.execute(sql, source.values).fetchall()
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

_EXPRESSIONS = {
    "totalCount": "count(*)",
    "distinctCount": "count(DISTINCT CASE WHEN form IN ('n', 'b') THEN number::VARCHAR WHEN text IS NOT NULL THEN text"
    " ELSE coalesce(body ->> '$.value', body ->> '$.object', body ->> '$.languageMap', body ->> '$.vocab',"
    " body ->> '$.json', body ->> '$.valueList', body ->> '$.objectList') END)",
    "sum": "sum(number)",
    "avg": "avg(number)",
    "min": "min(number), min(text)",
    "max": "max(number), max(text)",
    "stddev": "stddev_pop(number)",
    "sumsq": "sum(number * number)",
}
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
_TEXTS = frozenset("tdih")


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

    def page(self) -> HistoryPage:
        """Tries all entities at once, which needs one pass; a page of entities first where there are too many."""
        what = self._query.what
        filtered = what.q is not None or what.geo is not None
        if not filtered and not what.offset and what.order is None:
            rows = self._rows(self._source)
            if len(rows) <= self._most:
                entities = self._entities(rows)
                shown = entities[: what.limit]
                return HistoryPage(shown, len(shown) < len(entities), len(entities) if what.count else None)
        ids, page = _page(self._cursor, self._selection, self._query)
        rows = self._rows(_among_ids(self._source, ids)) if ids else []
        if len(rows) > self._most:
            raise TooComplexQueryError(
                f"The answer holds more than {self._most} periods", hint="Ask about fewer entities or longer periods"
            )
        found = {one.id: one for one in self._entities(rows)}
        page.entities = [found.get(one, EntityHistory(one)) for one in ids]
        return page

    def _rows(self, source: Sql) -> list[tuple[Any, ...]]:  # Any: column values
        live = Sql(f"(SELECT * FROM {source.text}) w", source.values)  # noqa: S608 -- bound
        bucket, joined = self._bucket(live)
        expressions = ", ".join(_EXPRESSIONS[method] for method in self._methods)
        sql = (
            f"SELECT entity, attribute, dataset, {bucket.text} AS bucket, any_value(kind), any_value(form),"  # noqa: S608
            f" min(form) <> max(form), min(t), max(t), {expressions} FROM {joined.text}"
            " WHERE form <> 'x' GROUP BY entity, attribute, dataset, bucket ORDER BY entity, attribute, dataset, bucket"
            f" LIMIT {self._most + 1}"
        )
        return self._cursor.execute(sql, [*bucket.values, *joined.values]).fetchall()

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
        bounds = period.bounds(start if start is not None else period.floor(first), last)
        self._cursor.execute("CREATE OR REPLACE TEMP TABLE bounds (bound BIGINT)")
        self._cursor.execute("INSERT INTO bounds SELECT unnest(?::BIGINT[])", [bounds])
        return Sql("bound"), Sql(f"{live.text} ASOF JOIN bounds ON t >= bound", live.values)

    def _entities(self, rows: Sequence[tuple[Any, ...]]) -> list[EntityHistory]:
        found = []
        for entity, group in groupby(rows, key=lambda row: row[0]):
            found.append(EntityHistory(entity, aggregates=[*self._series([*group])]))
        return found

    def _series(self, rows: Sequence[tuple[Any, ...]]) -> Iterator[Aggregated]:
        for (attribute, dataset), group in groupby(rows, key=lambda row: (row[1], row[2])):
            listed = [*group]
            forms = {row[5] for row in listed}
            mixed = any(row[6] for row in listed) or len(forms) > 1
            form = "" if mixed and not forms <= {"n", "b"} else next(iter(forms))
            possible = _APPLICABLE.get(form, _COUNTS)
            self._refuse(attribute, possible)
            methods = [one for one in self._methods if one in possible]
            for row in listed if methods else ():
                start, end = self._ends(row)
                yield Aggregated(attribute, dataset, row[4], start, end, self._values(form, methods, row[9:]))

    def _refuse(self, attribute: str, possible: frozenset[str]) -> None:
        """Clause 5.7.4.4: an attribute that was asked for must be eligible."""
        wrong = [one for one in self._methods if one not in possible]
        if wrong and attribute in self._query.attrs:
            raise InvalidRequestError(
                f"{wrong[0]} cannot be made of the values of {attribute}", where="aggrMethods", attribute=attribute
            )

    def _values(self, form: str, methods: Sequence[str], columns: Sequence[Any]) -> dict[str, Value]:
        values: dict[str, Value] = {}
        place = 0
        for method in self._methods:
            value = columns[place]
            if method in ("min", "max"):
                value = columns[place + 1] if form in _TEXTS else value
                place += 1
            place += 1
            if method in methods:
                values[method] = _TIDY.get(form, _number)(value)
        return values

    def _ends(self, row: Sequence[Any]) -> tuple[int, int]:
        window, period = self._query.window, self._period
        if period.whole:
            start = window.from_us if window.from_us is not None else row[7]
            return start, window.to_us if window.to_us is not None else row[8]
        if not period.months:
            return row[3], row[3] + period.us
        return row[3], _month_end(period, row[3], window.from_us)


def _month_end(period: Period, start: int, origin: int | None) -> int:
    if origin is None:
        return period.after(start, 1)
    count = 0
    while period.after(origin, count) <= start:
        count += 1
    return period.after(origin, count)


def _number(value: Value) -> Value:
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < 2**53 else value


def _time_of_day(value: Value) -> Value:
    return text_of(round(value * 1_000_000))[11:] if isinstance(value, float) else value


_TIDY: dict[str, Callable[[Value], Value]] = {"h": _time_of_day}
