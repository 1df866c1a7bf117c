"""What a temporal query asks (clauses 4.11, 4.5.19, 5.7.3, 5.7.4), from its parameters. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from madang.hub.entity import instant
from madang.hub.errors import BadRequestDataError
from madang.hub.history.instances import us_of
from madang.hub.history.periods import Period, parse_period
from madang.hub.names import is_uri
from madang.hub.query import Query, has_types

METHODS = ("totalCount", "distinctCount", "sum", "avg", "min", "max", "stddev", "sumsq")
TIME_COLUMNS = {
    "observedAt": "observed_us",
    "createdAt": "created_us",
    "modifiedAt": "modified_us",
    "deletedAt": "deleted_us",
}
WINDOW_PARAMETERS = frozenset({"timerel", "timeAt", "endTimeAt", "timeproperty", "lastN"})
AGGREGATION_PARAMETERS = frozenset({"aggrMethods", "aggrPeriodDuration"})


class Timerel(StrEnum):
    """How an instance's time lies to the query's."""

    BEFORE = "before"
    AFTER = "after"
    BETWEEN = "between"


@dataclass(frozen=True, slots=True)
class Window:
    """The time asked about: from the first instant on, up to but without the last; µs since 1970."""

    from_us: int | None = None
    to_us: int | None = None
    timeproperty: str = "observedAt"
    timerel: Timerel | None = None

    @property
    def column(self) -> str:
        """Where the instances have this time."""
        return TIME_COLUMNS[self.timeproperty]

    @property
    def open(self) -> bool:
        """Whether no time is asked about."""
        return self.timerel is None


@dataclass(frozen=True, slots=True)
class Aggregation:
    """Which aggregates, over which periods."""

    methods: tuple[str, ...]
    period: Period


@dataclass(frozen=True, slots=True)
class HistoryQuery:
    """Which entities and instances, and which page of them.

    `attrs` bound the instances as well as the entities; `datasets` None takes all; `may_see` tells of types whether
    the asker may read such an entity.
    """

    what: Query
    window: Window = Window()
    attrs: tuple[str, ...] = ()
    datasets: frozenset[str] | None = None
    last_n: int | None = None
    aggregation: Aggregation | None = None
    may_see: Callable[[Collection[str]], bool] | None = None
    instance: tuple[int, int] | None = None
    """One instance by its sequence and place."""
    or_modified: bool = False
    """Instances without the window's time stand at their time of modification."""

    def takes(self, types: Collection[str]) -> bool:
        """Whether entities of these types are asked for and may be seen."""
        selected = self.what.types is None or has_types(self.what.types, types)
        return selected and (self.may_see is None or self.may_see(types))


def read_window(parameters: Mapping[str, str]) -> Window:
    """The temporal query (clause 4.11); open where there is none. Raises `BadRequestDataError`."""
    timeproperty = parameters.get("timeproperty") or "observedAt"
    if timeproperty not in TIME_COLUMNS:
        raise BadRequestDataError(
            f"timeproperty is {timeproperty[:40]!r}", where="timeproperty", hint=", ".join(TIME_COLUMNS)
        )
    timerel = parameters.get("timerel", "")
    if not timerel:
        for name in ("timeAt", "endTimeAt"):
            if name in parameters:
                raise BadRequestDataError(f"{name} needs timerel", where="timerel", hint="before, after or between")
        return Window(timeproperty=timeproperty)
    if timerel not in list(Timerel):
        raise BadRequestDataError(
            f"timerel is {timerel[:40]!r}", where="timerel", hint="It is before, after or between"
        )
    return _window(Timerel(timerel), parameters, timeproperty)


def _window(timerel: Timerel, parameters: Mapping[str, str], timeproperty: str) -> Window:
    at = _instant(parameters, "timeAt", timerel)
    if timerel is Timerel.BETWEEN:
        return Window(at, _instant(parameters, "endTimeAt", timerel), timeproperty, timerel)
    if "endTimeAt" in parameters:
        raise BadRequestDataError("endTimeAt only goes with timerel=between", where="endTimeAt")
    if timerel is Timerel.BEFORE:
        return Window(None, at, timeproperty, timerel)
    return Window(at, None, timeproperty, timerel)


def _instant(parameters: Mapping[str, str], name: str, timerel: Timerel) -> int:
    if not parameters.get(name):
        raise BadRequestDataError(f"timerel={timerel} needs {name}", where=name, hint="A DateTime")
    return us_of(datetime.fromisoformat(instant(parameters[name].replace(" ", "+"), name)))


def read_last_n(parameters: Mapping[str, str]) -> int | None:
    """How many of the latest instances are asked for."""
    text = parameters.get("lastN")
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and 0 < len(text) < 10 and int(text) > 0):
        raise BadRequestDataError(f"lastN is {text[:40]!r}, not a positive whole number", where="lastN")
    return int(text)


def read_datasets(parameters: Mapping[str, str]) -> frozenset[str] | None:
    """The datasetIds asked for (clause 4.5.5); `@none` stands for the default instances."""
    text = parameters.get("datasetId")
    if text is None:
        return None
    names = text.split(",")
    for one in names:
        if one != "@none" and not is_uri(one):
            raise BadRequestDataError(f"datasetId {one[:80]!r} is not a URI", where="datasetId")
    return frozenset("" if one == "@none" else one for one in names)


def read_aggregation(parameters: Mapping[str, str], wanted: bool) -> Aggregation | None:
    """What to aggregate (clause 4.5.19); raises `BadRequestDataError`."""
    period = parse_period(parameters.get("aggrPeriodDuration", ""))
    methods = tuple(one for one in parameters.get("aggrMethods", "").split(",") if one)
    for one in methods:
        if one not in METHODS:
            raise BadRequestDataError(f"aggrMethods names {one[:40]!r}", where="aggrMethods", hint=", ".join(METHODS))
    if not wanted:
        return None
    if not methods:
        raise BadRequestDataError("aggregatedValues needs aggrMethods", where="aggrMethods", hint=", ".join(METHODS))
    return Aggregation(tuple(dict.fromkeys(methods)), period)
