"""Questions to the hub as values; each says its query parameters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

Words = str | Sequence[str]


def words(value: Words) -> str:
    """A list as the hub reads it; a text is taken as it stands."""
    return value if isinstance(value, str) else ",".join(value)


def instant(value: datetime) -> str:
    """An aware time as RFC 3339 in UTC; raises `ValueError` for a naive one."""
    if value.tzinfo is None:
        raise ValueError("a time needs its zone")
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class EntityQuery:
    """Which entities, and how they are shown (clause 5.7.2). Names and texts are those of the specification.

    `near` is a point (lon, lat) and a distance in metres; other relations are given by `georel`, `geometry` and
    `coordinates`.
    """

    type: Words = ""
    id: Words = ""
    id_pattern: str = ""
    q: str = ""
    scope_q: str = ""
    near: tuple[float, float, float] | None = None
    georel: str = ""
    geometry: str = ""
    coordinates: str = ""
    geoproperty: str = ""
    attrs: Words = ""
    pick: Words = ""
    omit: Words = ""
    lang: str = ""
    order_by: Words = ""
    join: str = ""
    join_level: int = 0
    dataset_id: Words = ""
    options: Words = ""
    format: str = ""
    page_size: int = 100

    def parameters(self) -> dict[str, str]:
        """The query parameters, without those of the page."""
        said = {
            "type": words(self.type),
            "id": words(self.id),
            "idPattern": self.id_pattern,
            "q": self.q,
            "scopeQ": self.scope_q,
            "attrs": words(self.attrs),
            "pick": words(self.pick),
            "omit": words(self.omit),
            "lang": self.lang,
            "orderBy": words(self.order_by),
            "join": self.join,
            "joinLevel": str(self.join_level or ""),
            "datasetId": words(self.dataset_id),
            "options": words(self.options),
            "format": self.format,
            **self._place(),
        }
        return {name: value for name, value in said.items() if value}

    def _place(self) -> dict[str, str]:
        if self.near is None:
            return {
                "georel": self.georel,
                "geometry": self.geometry,
                "coordinates": self.coordinates,
                "geoproperty": self.geoproperty,
            }
        lon, lat, distance_m = self.near
        return {
            "georel": f"near;maxDistance=={distance_m:g}",
            "geometry": "Point",
            "coordinates": f"[{lon!r},{lat!r}]",
            "geoproperty": self.geoproperty,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class TemporalQuery:
    """Which time of entities' history, and how it is shown (clauses 4.11, 5.7.3, 5.7.4).

    `after` and `before` together mean between. `aggregate` are methods (`avg`, `max` …) for each `period` (ISO 8601,
    such as `PT1H`).
    """

    after: datetime | None = None
    before: datetime | None = None
    time_property: str = ""
    last_n: int = 0
    attrs: Words = ""
    pick: Words = ""
    omit: Words = ""
    options: Words = ""
    aggregate: Words = ""
    period: str = ""

    def parameters(self) -> dict[str, str]:
        """The query parameters."""
        options = words(self.options)
        if self.aggregate:
            options = ",".join(part for part in (options, "aggregatedValues") if part)
        said = {
            **self._time(),
            "timeproperty": self.time_property,
            "lastN": str(self.last_n or ""),
            "attrs": words(self.attrs),
            "pick": words(self.pick),
            "omit": words(self.omit),
            "options": options,
            "aggrMethods": words(self.aggregate),
            "aggrPeriodDuration": self.period,
        }
        return {name: value for name, value in said.items() if value}

    def _time(self) -> dict[str, str]:
        if self.after is not None and self.before is not None:
            return {"timerel": "between", "timeAt": instant(self.after), "endTimeAt": instant(self.before)}
        if self.after is not None:
            return {"timerel": "after", "timeAt": instant(self.after)}
        return {} if self.before is None else {"timerel": "before", "timeAt": instant(self.before)}
