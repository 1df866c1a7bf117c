"""An attribute's history as the data hub's screen draws it: numbers in buckets, anything else as a list of changes."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal, TypedDict

from madang.hub.history.series import Series, SeriesPoint
from madang.hub.hub import Hub
from madang.kernel.clock import instant_text


class SeriesJson(TypedDict):
    """`numeric`: parallel lists, one entry a bucket that holds readings (`at` ms since 1970, the bucket's start; the
    value itself where `bucket_s` is 0). `changes`: newest first, `truncated` when there were more."""

    attribute: str
    kind: Literal["numeric", "changes", "empty"]
    unit: str | None
    from_at: str
    to_at: str
    bucket_s: float
    readings: int
    at: list[int]
    avg: list[float]
    min: list[float]
    max: list[float]
    count: list[int]
    changes: list[dict[str, Any]]  # Any: JSON values
    truncated: bool


async def series(
    hub: Hub, tenant: str, entity_id: str, attribute: str, begins: datetime, ends: datetime, points: int
) -> SeriesJson:
    """What the hub remembers of one attribute from `begins` to before `ends`, as at most so many points."""
    found = await hub.series(tenant, entity_id, attribute, begins, ends, points)
    return {
        "attribute": attribute,
        "kind": found.kind,
        "unit": found.unit,
        "from_at": instant_text(begins),
        "to_at": instant_text(ends),
        "bucket_s": found.bucket_s,
        "readings": found.readings,
        "at": [_ms(point) for point in found.points],
        "avg": [point.mean for point in found.points],
        "min": [point.low for point in found.points],
        "max": [point.high for point in found.points],
        "count": [point.count for point in found.points],
        "changes": _changes(found),
        "truncated": found.truncated,
    }


def _ms(point: SeriesPoint) -> int:
    return round(point.at.timestamp() * 1000)


def _changes(found: Series) -> list[dict[str, Any]]:  # Any: JSON values
    return [{"at": instant_text(one.at), "kind": one.kind, "value": one.value} for one in found.changes]
