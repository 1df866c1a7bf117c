"""What the hub's feed and the signals say, as facts."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import Any

import orjson

from madang.hub.changes import LATE_PART, Op
from madang.hub.changes import Stored as StoredEntity
from madang.hub.feed import FeedChange
from madang.journal.session import Row, Session
from madang.kernel.clock import parse_instant
from madang.response.rules.facts import READING, SIGNAL, Fact, believable, place_of, plain_value

Json = Any  # Any: JSON values
Retrieve = Callable[[str], Awaitable[StoredEntity | None]]
_REMEMBERED = 50_000
_SIGNAL_COLUMNS = (
    "seq, id, mode, source, device, class_code, observed_at, received_at, lon, lat, accuracy_m, priority, confidence,"
    " attributes, ending"
)


class Readings:
    """Turns changes of the hub into facts; remembers what each entity is besides what a change says of it."""

    def __init__(self, retrieve: Retrieve, mode: str) -> None:
        """`mode` is what entities are of that do not say so themselves."""
        self._retrieve = retrieve
        self._mode = mode
        self._known: dict[str, dict[str, Json]] = {}

    async def facts(self, changes: Sequence[FeedChange], wanted: Collection[str], types: set[str]) -> list[Fact]:
        """The facts among the changes that somebody listens for: `wanted` are `Type/attribute`, `types` their types."""
        found: list[Fact] = []
        for change in changes:
            if not types.isdisjoint(change.types):
                found += await self._of(change, wanted)
        return found

    async def _of(self, change: FeedChange, wanted: Collection[str]) -> list[Fact]:
        if change.op is Op.DELETED:
            self._known.pop(change.entity_id, None)
            return []
        decoded = orjson.loads(change.raw)
        written = change.attributes()
        late = decoded.get(LATE_PART, {})
        entity = await self._entity(change, written)
        timely = {} if change.op is Op.LATE else written
        entity.update({name: plain_value(one) for name, one in timely.items()})
        said = {**late, **written}
        return [
            self._fact(change, type_name, name, said[name], entity)
            for type_name in change.types
            for name in said
            if said[name] is not None and f"{type_name}/{name}" in wanted
        ]

    async def _entity(self, change: FeedChange, written: Mapping[str, Json]) -> dict[str, Json]:
        known = self._known.get(change.entity_id)
        if known is None:
            if len(self._known) >= _REMEMBERED:
                self._known.clear()
            stored = None if change.op is Op.CREATED else await self._retrieve(change.entity_id)
            whole = stored.attributes() if stored is not None else written
            known = self._known[change.entity_id] = {name: plain_value(one) for name, one in whole.items()}
        return known

    def _fact(self, change: FeedChange, type_name: str, name: str, said: Json, entity: Mapping[str, Json]) -> Fact:
        received = change.at.timestamp()
        value = plain_value(said)
        place = place_of({"location": value}) if name == "location" else place_of(entity)
        accuracy = entity.get("accuracy")
        return Fact(
            READING,
            f"{type_name}/{name}",
            change.entity_id,
            observed_s(said, received),
            received,
            mode_of(entity.get("mode"), self._mode),
            "sensor",
            value if isinstance(value, str | int | float | bool) else None,
            place[0] if place else None,
            place[1] if place else None,
            float(accuracy) if isinstance(accuracy, int | float) and math.isfinite(accuracy) else 0.0,
            dict(entity),
            ref=change.entity_id,
        )


def mode_of(said: Json, otherwise: str) -> str:
    """The mode an entity names, if it is one."""
    return said if said in ("live", "exercise", "simulated") else otherwise


def observed_s(attribute: Json, received: float) -> float:
    """When an attribute was seen, seconds since 1970; when it was received, where it does not say or says nonsense."""
    if isinstance(attribute, list):
        attribute = next((one for one in attribute if isinstance(one, dict) and "datasetId" not in one), None)
    text = attribute.get("observedAt") if isinstance(attribute, dict) else None
    if not isinstance(text, str):
        return received
    try:
        return parse_instant(text.replace("Z", "+00:00")).timestamp()
    except (ValueError, OverflowError):
        return received


# ------------------------------------------------------------------------------------------------------- signals


def signals_after(tx: Session, authority: str, seq: int, limit: int) -> list[tuple[int, Fact]]:
    """Signals of a city after a number, each with its number. What only says that something is over is no fact."""
    rows = tx.execute(
        f"SELECT {_SIGNAL_COLUMNS} FROM signals_signal WHERE seq > ? AND authority = ? ORDER BY seq LIMIT ?",  # noqa: S608 -- constants
        (seq, authority, limit),
    )
    return [(int(row[0]), signal_fact(row)) for row in rows]


def signals_between(
    tx: Session, authority: str, from_text: str, to_text: str, seq: int, limit: int
) -> list[tuple[int, Fact]]:
    """Signals received between two instants (RFC 3339 in UTC with milliseconds), after a number."""
    rows = tx.execute(
        f"SELECT {_SIGNAL_COLUMNS} FROM signals_signal WHERE authority = ? AND received_at >= ? AND received_at < ?"  # noqa: S608 -- constants
        " AND seq > ? ORDER BY seq LIMIT ?",
        (authority, from_text, to_text, seq, limit),
    )
    return [(int(row[0]), signal_fact(row)) for row in rows]


def latest_signal(tx: Session) -> int:
    """The number of the last signal."""
    return int(tx.execute("SELECT COALESCE(MAX(seq), 0) FROM signals_signal")[0][0])


def signal_fact(row: Row) -> Fact:
    """The fact in a row of a signal. One that says that something is over bears another name: nobody hears it."""
    (
        _,
        ident,
        mode,
        source,
        device,
        code,
        observed,
        received,
        lon,
        lat,
        accuracy,
        priority,
        confidence,
        said,
        ending,
    ) = row
    placed = believable(lon, lat)
    received_s = parse_instant(received).timestamp()
    return Fact(
        SIGNAL,
        f"{code}/over" if ending else code,
        device or source,
        parse_instant(observed).timestamp() if observed else received_s,
        received_s,
        mode,
        source,
        True,
        lon if placed else None,
        lat if placed else None,
        accuracy or 0.0,
        orjson.loads(said or "{}"),
        priority,
        confidence,
        ident,
    )
