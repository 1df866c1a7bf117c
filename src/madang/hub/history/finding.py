"""Pages of history: the instances of the entities a query selects, or their aggregates. Runs in a thread."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
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
    starts_us: tuple[int, ...]
    ends_us: tuple[int, ...]
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
    """A row for each attribute, in order of entity, attribute and dataset; its periods and their values are arrays of
    numpy. 240,000 periods took DuckDB 120 ms to sort and to give as rows, so 15 (measured)."""

    columns: dict[str, Any]  # Any: arrays of numpy
    fixed: Mapping[str, Any]  # Any: column values
    """Columns that are the same everywhere."""

    @property
    def size(self) -> int:
        """How many periods it holds altogether."""
        return int(self.columns["periods"].sum())

    def __len__(self) -> int:
        return len(self.columns["periods"])

    def of(self, name: str, row: int) -> Any:  # Any: a column value
        """What is told once of an attribute."""
        return self.fixed[name] if name in self.fixed else self.columns[name][row]


_PARTS = ("entity", "attribute", "dataset")
_LONG = 1_000_000
"""From so many rows on it is looked first what is the same in all of them."""
_FORM_BITS = "bit_or(1 << (ascii(form) - 97))"


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
        self._origin, self._step = 0, 1
        """What a bucket's number stands for."""
        self._known: dict[bytes, tuple[tuple[int, ...], tuple[int, ...]]] = {}
        """Bounds of periods by the numbers of their buckets: entities share them."""

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
        if not ids:
            return page
        table = self._table(_among_ids(self._source, ids))
        if table.size > self._most:
            raise TooComplexQueryError(
                f"The answer holds more than {self._most} periods", hint="Ask about fewer entities or longer periods"
            )
        found = {one.id: one for one in self._entities(table)}
        page.entities = [found.get(one, EntityHistory(one)) for one in ids]
        return page

    def _table(self, source: Sql) -> _Table:
        live = Sql(f"(SELECT * FROM {source.text}) w", source.values)  # noqa: S608 -- bound
        fixed = self._fixed(live)
        bucket, joined = self._bucket(live)
        parts = ", ".join(name for name in _PARTS if name not in fixed)
        columns, lists = self._wanted()
        of_part = []
        if "kind" not in fixed:
            columns.append("any_value(kind) AS kind")
            of_part.append("any_value(kind) AS kind")
        if "forms" not in fixed:
            columns.append(f"{_FORM_BITS} AS forms")
            of_part.append("bit_or(forms) AS forms")
        of_part += [f"list({name}) AS {name}" for name in ("bucket", *lists)]
        living = "" if "forms" in fixed else " WHERE form <> 'x'"
        sql = (
            f"SELECT {parts}, count(*) AS periods, {', '.join(of_part)} FROM (SELECT {parts}, {bucket.text} AS bucket,"  # noqa: S608 -- bound
            f" {', '.join(columns)} FROM {joined.text}{living} GROUP BY {parts}, bucket LIMIT {self._most + 1})"
            f" GROUP BY {parts} ORDER BY {parts}"
        )
        return _Table(self._cursor.execute(sql, [*bucket.values, *joined.values]).fetchnumpy(), fixed)

    def _wanted(self) -> tuple[list[str], list[str]]:
        """The aggregates of each period as SQL, and their names."""
        said = {f"{method}_": _EXPRESSIONS[method] for method in self._methods}
        said |= {f"{method}_text": _OF_TEXTS[method] for method in self._methods if method in _OF_TEXTS}
        if self._period.whole:
            said |= {"first": "min(t)", "last": "max(t)"}
        return [f"{expression} AS {name}" for name, expression in said.items()], [*said]

    def _fixed(self, live: Sql) -> dict[str, Any]:  # Any: column values
        """Columns that are the same in all rows. Files say it of their parts, so that it takes 20 ms to learn of ten
        million rows; what need not be grouped or looked at row by row saves half of their aggregation (measured)."""
        if self._selection.size < _LONG or self._query.what.ids:
            return {}
        names = ("attribute", "dataset", "kind", "form")
        first = self._cursor.execute(f"SELECT {', '.join(names)} FROM {live.text} LIMIT 1", live.values).fetchone()  # noqa: S608
        if first is None:
            return {}
        other = [f"(SELECT '{name}' FROM {live.text} WHERE {name} <> ? LIMIT 1)" for name in names]  # noqa: S608 -- bound
        values = [value for one in first for value in (*live.values, one)]
        varied = {row[0] for row in self._cursor.execute(" UNION ALL ".join(other), values).fetchall()}
        fixed = {name: value for name, value in zip(names, first, strict=True) if name not in varied}
        if fixed.get("form") == "x":
            del fixed["form"]
        if "form" in fixed:
            fixed["forms"] = 1 << ord(fixed.pop("form")) - 97
        return fixed

    def _bucket(self, live: Sql) -> tuple[Sql, Sql]:
        """The number of the period an instance lies in. They begin with the query's time, else on full UTC time."""
        period, start = self._period, self._query.window.from_us
        if period.whole:
            return Sql("0"), live
        if not period.months:
            self._origin, self._step = start if start is not None else period.floor(0), period.us
            if start is not None:
                return Sql(f"(t - {start}) // {period.us}"), live
            since, us = f"(t - {self._origin})", period.us
            return Sql(f"({since} - ({since} % {us} + {us}) % {us}) // {us}"), live
        first, last = self._cursor.execute(f"SELECT min(t), max(t) FROM {live.text}", live.values).fetchall()[0]  # noqa: S608
        if first is None:
            return Sql("0"), live
        self._starts = period.bounds(start if start is not None else period.floor(first), last)
        self._cursor.execute("CREATE OR REPLACE TEMP TABLE bounds (bound BIGINT)")
        self._cursor.execute("INSERT INTO bounds SELECT unnest(?::BIGINT[])", [self._starts])
        return Sql("bound"), Sql(f"{live.text} ASOF JOIN bounds ON t >= bound", live.values)

    def _entities(self, table: _Table) -> list[EntityHistory]:
        found: dict[str, EntityHistory] = {}
        for row in range(len(table)):
            entity = str(table.of("entity", row))
            found.setdefault(entity, EntityHistory(entity)).aggregates.extend(self._series(table, row))
        return [*found.values()]

    def _series(self, table: _Table, row: int) -> Iterator[Aggregated]:
        attribute, bits = str(table.of("attribute", row)), int(table.of("forms", row))
        forms = {form for form in _FORMS if bits >> ord(form) - 97 & 1}
        mixed = len(forms) > 1 and not forms <= {"n", "b"}
        form = "" if mixed else next(iter(forms))
        possible = _APPLICABLE.get(form, _COUNTS)
        self._refuse(attribute, possible)
        methods = [one for one in self._methods if one in possible]
        if not methods:
            return
        buckets = table.columns["bucket"][row]
        order = buckets.argsort()
        starts, ends = self._bounds(table, row, buckets[order])
        values = {method: self._values(table, method, form, row, order) for method in methods}
        dataset, kind = str(table.of("dataset", row)), str(table.of("kind", row))
        yield Aggregated(attribute, dataset, kind, starts, ends, values)

    def _refuse(self, attribute: str, possible: frozenset[str]) -> None:
        """Clause 5.7.4.4: an attribute that was asked for must be eligible."""
        wrong = [one for one in self._methods if one not in possible]
        if wrong and attribute in self._query.attrs:
            raise InvalidRequestError(
                f"{wrong[0]} cannot be made of the values of {attribute}", where="aggrMethods", attribute=attribute
            )

    @staticmethod
    def _values(table: _Table, method: str, form: str, row: int, order: Any) -> list[Value]:  # Any: an array of numpy
        of_texts = form in _TEXTS and method in _OF_TEXTS
        column = table.columns[f"{method}_text" if of_texts else f"{method}_"]
        values: list[Value] = column[row][order].tolist()  # what is null is None
        return [_time_of_day(one) for one in values] if form == "h" and method == "avg" else values

    def _bounds(
        self, table: _Table, row: int, buckets: Any
    ) -> tuple[tuple[int, ...], tuple[int, ...]]:  # Any: the same
        window = self._query.window
        if self._period.whole:
            first = window.from_us if window.from_us is not None else int(table.columns["first"][row][0])
            return (first,), (window.to_us if window.to_us is not None else int(table.columns["last"][row][0]),)
        said = buckets.tobytes()
        known = self._known.get(said)
        if known is None:
            known = self._known[said] = self._periods(buckets.tolist())
        return known

    def _periods(self, buckets: list[int]) -> tuple[tuple[int, ...], tuple[int, ...]]:
        if self._period.months:
            return tuple(buckets), tuple(self._starts[bisect_right(self._starts, one)] for one in buckets)
        starts = [self._origin + one * self._step for one in buckets]
        return tuple(starts), tuple(one + self._step for one in starts)


def _time_of_day(value: Value) -> Value:
    return text_of(round(value * 1_000_000))[11:] if isinstance(value, float) else value
