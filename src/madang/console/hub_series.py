"""An attribute's history as the data hub's screen draws it: numbers in buckets, anything else as a list of changes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, Literal, TypedDict

import orjson

from madang.console.hub_rows import first_of, instant_of
from madang.hub.changes import Stored
from madang.hub.entity import VALUE_MEMBER
from madang.hub.hub import Hub
from madang.journal.session import Session
from madang.kernel.clock import instant_text, parse_instant

MOST_CHANGES = 500


class SeriesJson(TypedDict):
    """`numeric`: parallel lists, one entry a bucket that holds readings (`at` ms since 1970, the bucket's start; the
    value itself where `bucket_s` is 0). `changes`: newest first, `truncated` when there were more."""

    attribute: str
    kind: Literal["numeric", "changes"]
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
    hub: Hub, tenant: str, stored: Stored, attribute: str, begins: datetime, ends: datetime, points: int
) -> SeriesJson:
    """What the hub remembers of one attribute between two instants."""
    del tenant
    now = first_of(stored.attributes().get(attribute, {}))
    low, high = _ms(begins), _ms(ends)
    found = await hub.store.read(lambda session: list(_instances(session, stored.key, attribute, low, high)))
    answer: SeriesJson = {
        "attribute": attribute,
        "kind": "changes",
        "unit": now.get("unitCode"),
        "from_at": instant_text(begins),
        "to_at": instant_text(ends),
        "bucket_s": 0.0,
        "readings": len(found),
        "at": [],
        "avg": [],
        "min": [],
        "max": [],
        "count": [],
        "changes": [],
        "truncated": False,
    }
    numbers = [(at, one["value"]) for at, one in found if _is_number(one)]
    if numbers and len(numbers) == len(found):
        return answer | _bucketed(sorted(numbers), low, high, points)  # type: ignore[return-value]  # a TypedDict's union
    newest = sorted(found, key=lambda item: item[0], reverse=True)
    answer["changes"] = [
        {"at": instant_of(at), "kind": one.get("type"), "value": one.get(VALUE_MEMBER.get(str(one.get("type")), ""))}
        for at, one in newest[:MOST_CHANGES]
    ]
    answer["truncated"] = len(found) > MOST_CHANGES
    return answer


def _ms(at: datetime) -> int:
    return math.floor(at.timestamp() * 1000)


def _instances(session: Session, key: int, attribute: str, low: int, high: int) -> Iterator[tuple[int, dict[str, Any]]]:
    sql = "SELECT at_ms, body FROM change WHERE key = ? ORDER BY seq"
    for at_ms, body in session.execute(sql, (key,)):
        instance = first_of(orjson.loads(bytes(body)).get(attribute))
        observed = instance.get("observedAt")
        at = _ms(parse_instant(observed)) if isinstance(observed, str) else at_ms
        if instance and low <= at < high:
            yield at, instance


def _is_number(instance: dict[str, Any]) -> bool:  # Any: JSON
    value = instance.get("value")
    return isinstance(value, int | float) and not isinstance(value, bool)


def _bucketed(numbers: list[tuple[int, float]], low: int, high: int, points: int) -> dict[str, Any]:  # Any: JSON
    if len(numbers) <= points:
        values = [value for _, value in numbers]
        return {"kind": "numeric", "at": [at for at, _ in numbers], "avg": values, "min": values, "max": values,
                "count": [1] * len(values)}  # fmt: skip
    width = math.ceil((high - low) / points / 1000) * 1000
    buckets: dict[int, list[float]] = {}
    for at, value in numbers:
        buckets.setdefault((at - low) // width, []).append(value)
    return {
        "kind": "numeric",
        "bucket_s": width / 1000,
        "at": [low + number * width for number in buckets],
        "avg": [_mean(values) for values in buckets.values()],
        "min": [min(values) for values in buckets.values()],
        "max": [max(values) for values in buckets.values()],
        "count": [len(values) for values in buckets.values()],
    }


def _mean(values: Iterable[float]) -> float:
    held = list(values)
    return math.fsum(held) / len(held)
