"""An attribute's history as points for a plot, or as a list of changes where it is no number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from madang.hub.entity import VALUE_MEMBER
from madang.hub.history.finding import Limits
from madang.hub.history.instances import COLUMNS, Instance, body_of, moment_of
from madang.hub.history.query import HistoryQuery
from madang.hub.history.selection import Selection, Snapshot

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_NAMES = ", ".join(COLUMNS)


@dataclass(frozen=True, slots=True)
class SeriesPoint:
    """What was read in a stretch of time that begins at `at`; of one reading all three values are the same."""

    at: datetime
    low: float
    mean: float
    high: float
    count: int


@dataclass(frozen=True, slots=True)
class SeriesChange:
    """A value and when it became so; None where the attribute was deleted."""

    at: datetime
    kind: str
    value: Any  # Any: JSON


@dataclass(frozen=True, slots=True)
class Series:
    """`points` oldest first where all values are numbers, else `changes` newest first.

    `readings` counts the instances; `bucket_s` is 0 where each point is one reading.
    """

    kind: Literal["numeric", "changes", "empty"] = "empty"
    unit: str | None = None
    readings: int = 0
    bucket_s: float = 0.0
    points: tuple[SeriesPoint, ...] = ()
    changes: tuple[SeriesChange, ...] = ()
    truncated: bool = False


def read_series(
    cursor: DuckDBPyConnection, snapshot: Snapshot, query: HistoryQuery, limits: Limits, most: int
) -> Series:
    """The series of the one attribute a query selects; its window is closed."""
    del limits
    source = Selection(cursor, snapshot, query).windowed
    counted = f"SELECT count(*), count(*) FILTER (form IN ('n', 'b')), arg_max(unit, t) FROM {source.text}"  # noqa: S608
    readings, numbers, unit = cursor.execute(counted, source.values).fetchall()[0]
    if not readings:
        return Series()
    if numbers < readings:
        latest = f"SELECT {_NAMES}, t FROM {source.text} ORDER BY t DESC, seq DESC, place DESC LIMIT {most + 1}"  # noqa: S608
        rows = cursor.execute(latest, source.values).fetchall()
        changes = tuple(_change(row) for row in rows[:most])
        return Series("changes", unit, readings, changes=changes, truncated=len(rows) > most)
    window = query.window
    assert window.from_us is not None
    assert window.to_us is not None
    width = 0 if readings <= most else -(-(window.to_us - window.from_us) // most)
    place = f"{window.from_us} + (t - {window.from_us}) // {width} * {width}" if width else "t"
    grouped = "GROUP BY ALL" if width else "GROUP BY t, seq, place"
    sql = (
        f"SELECT {place} AS at, min(number), avg(number), max(number), count(*) FROM {source.text}"  # noqa: S608 -- bound
        f" {grouped} ORDER BY 1"
    )
    points = tuple(_point(row) for row in cursor.execute(sql, source.values).fetchall())
    return Series("numeric", unit, readings, width / 1_000_000, points)


def _point(row: Sequence[Any]) -> SeriesPoint:
    return SeriesPoint(moment_of(row[0]), row[1], row[2], row[3], row[4])


def _change(row: Sequence[Any]) -> SeriesChange:
    one = Instance(*row[:-1])
    value = None if one.form == "x" else body_of(one).get(VALUE_MEMBER[one.kind])
    return SeriesChange(moment_of(row[-1]), one.kind, value)
