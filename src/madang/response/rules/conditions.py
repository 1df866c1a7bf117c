"""Conditions, compiled once into one closure each: a condition costs well under a microsecond to ask. Pure."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from madang.kernel.clock import SEOUL
from madang.kernel.geometry import Point, distance_m, metres_per_degree
from madang.response.rules.facts import Fact, World
from madang.response.rules.vocabulary import (
    Area,
    AsUrgent,
    AtLeastSure,
    AtTime,
    Circle,
    Condition,
    FromSource,
    InArea,
    InDistrict,
    NearOpen,
    OfAttribute,
    OfClass,
    OfDevice,
    OneOf,
    Polygon,
)

Test = Callable[[Fact, World], bool]
T = TypeVar("T")
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_SEOUL_S = int(SEOUL.utcoffset(datetime(2026, 1, 1, tzinfo=UTC)).total_seconds())  # type: ignore[union-attr]  # aware
"""Korea has kept +09:00 without summer time since 1988, so that arithmetic is enough."""
_DAY_S = 86_400
_EPOCH_WEEKDAY = 3
_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {  # Any: whatever JSON values compare
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def compile_conditions(conditions: Sequence[Condition]) -> Test:
    """All of them, asked in the order that is cheapest first; the first that does not hold ends it."""
    tests = tuple(test_of(one) for one in sorted(conditions, key=_cost))
    if not tests:
        return _always
    if len(tests) == 1:
        return tests[0]

    def every(fact: Fact, world: World) -> bool:
        for test in tests:  # noqa: SIM110 -- `all` with a generator takes twice as long (measured)
            if not test(fact, world):
                return False
        return True

    return every


def _always(_fact: Fact, _world: World) -> bool:
    return True


def _cost(condition: Condition) -> int:
    return {InArea: 1, InDistrict: 2, NearOpen: 3}.get(type(condition), 0)


def test_of(condition: Condition) -> Test:
    """One condition as a closure."""
    return _BUILDERS[type(condition)](condition)


def _not(test: Test) -> Test:
    return lambda fact, world: not test(fact, world)


def _negatable(test: Test, negate: bool) -> Test:
    return _not(test) if negate else test


def _of_class(condition: OfClass) -> Test:
    wanted, kept = frozenset(condition.classes), not condition.negate
    return lambda fact, _world: (fact.name in wanted) is kept


def _from_source(condition: FromSource) -> Test:
    wanted, kept = frozenset(condition.sources), not condition.negate
    return lambda fact, _world: (fact.source in wanted) is kept


def _of_device(condition: OfDevice) -> Test:
    wanted, kept = frozenset(condition.devices), not condition.negate
    return lambda fact, _world: (fact.device in wanted) is kept


def _in_district(condition: InDistrict) -> Test:
    wanted, kept = frozenset(condition.districts), not condition.negate

    def test(fact: Fact, world: World) -> bool:
        if fact.lon is None or fact.lat is None:
            return not kept
        return (not wanted.isdisjoint(world.district_of(fact.lon, fact.lat))) is kept

    return test


def _in_area(condition: InArea) -> Test:
    inside, kept = inside_of(condition.area), not condition.negate

    def test(fact: Fact, _world: World) -> bool:
        if fact.lon is None or fact.lat is None:
            return not kept
        return inside(fact.lon, fact.lat) is kept

    return test


def minutes_of(clock: str) -> int:
    """Minutes since midnight of `HH:MM`."""
    return int(clock[:2]) * 60 + int(clock[3:])


def _at_time(condition: AtTime) -> Test:
    start, end, kept = minutes_of(condition.start), minutes_of(condition.end), not condition.negate
    days = frozenset(WEEKDAYS.index(day) for day in condition.weekdays) or frozenset(range(7))
    over_night, whole_day = end < start, end == start

    def test(fact: Fact, _world: World) -> bool:
        seconds = int(fact.at) + _SEOUL_S
        minute, day = seconds % _DAY_S // 60, seconds // _DAY_S + _EPOCH_WEEKDAY
        if whole_day:
            holds = True
        elif over_night:
            holds = minute >= start or minute < end
            day -= minute < end
        else:
            holds = start <= minute < end
        return (holds and day % 7 in days) is kept

    return test


def _of_attribute(condition: OfAttribute) -> Test:
    name, wanted = condition.name, condition.value
    if condition.is_ == "known":
        return lambda fact, _world: fact.attributes.get(name) is not None
    compare = _COMPARE[condition.is_]
    ordered = condition.is_ not in ("==", "!=")
    like = _kind(wanted)

    def test(fact: Fact, _world: World) -> bool:
        value = fact.attributes.get(name)
        if value is None or (ordered and _kind(value) is not like):
            return False
        return compare(value, wanted)

    return test


def _kind(value: Any) -> type:  # Any: a JSON value
    if isinstance(value, bool):
        return bool
    return float if isinstance(value, int | float) else type(value)


def _one_of(condition: OneOf) -> Test:
    name, wanted, kept = condition.name, frozenset(condition.values), not condition.negate

    def test(fact: Fact, _world: World) -> bool:
        value = fact.attributes.get(name)
        if value is None or isinstance(value, dict | list):
            return False
        return (value in wanted) is kept

    return test


def _near_open(condition: NearOpen) -> Test:
    radius_m, classes, kept = condition.radius_m, frozenset(condition.classes), not condition.negate
    return lambda fact, world: world.is_near(fact, radius_m, classes) is kept


def _at_least_sure(condition: AtLeastSure) -> Test:
    least = condition.at_least
    return lambda fact, _world: fact.confidence is not None and fact.confidence >= least


def _as_urgent(condition: AsUrgent) -> Test:
    most = condition.at_most
    return lambda fact, _world: fact.priority is not None and fact.priority <= most


_BUILDERS: Mapping[type, Callable[[Any], Test]] = {  # Any: each takes its own condition
    OfClass: _of_class,
    FromSource: _from_source,
    OfDevice: _of_device,
    InDistrict: _in_district,
    InArea: _in_area,
    AtTime: _at_time,
    OfAttribute: _of_attribute,
    OneOf: _one_of,
    NearOpen: _near_open,
    AtLeastSure: _at_least_sure,
    AsUrgent: _as_urgent,
}


def inside_of(area: Area) -> Callable[[float, float], bool]:
    """Whether a point lies in an area, as a closure over what can be worked out before."""
    return _inside_circle(area) if isinstance(area, Circle) else _inside_polygon(area)


def _inside_circle(circle: Circle) -> Callable[[float, float], bool]:
    east, north = metres_per_degree(circle.lat)
    lon, lat, limit = circle.lon, circle.lat, circle.radius_m**2

    def inside(x: float, y: float) -> bool:
        return bool(((x - lon) * east) ** 2 + ((y - lat) * north) ** 2 <= limit)

    return inside


def _inside_polygon(polygon: Polygon) -> Callable[[float, float], bool]:
    """Even–odd rule over the edges; points on an edge may fall either way."""
    ring = polygon.ring
    edges = tuple((*a, *b) for a, b in zip(ring, (*ring[1:], ring[0]), strict=True) if a[1] != b[1])
    west, east = min(x for x, _ in ring), max(x for x, _ in ring)
    south, north = min(y for _, y in ring), max(y for _, y in ring)

    def inside(x: float, y: float) -> bool:
        if not (west <= x <= east and south <= y <= north):
            return False
        odd = False
        for ax, ay, bx, by in edges:
            if (ay > y) != (by > y) and x < (bx - ax) * (y - ay) / (by - ay) + ax:
                odd = not odd
        return odd

    return inside


def margin_m(area: Area, lon: float, lat: float) -> float:
    """Metres from a point to the border of an area, negative inside (flat to 0.5 % over a city)."""
    if isinstance(area, Circle):
        return distance_m(Point(area.lon, area.lat), Point(lon, lat)) - area.radius_m
    east, north = metres_per_degree(lat)
    ring = [((x - lon) * east, (y - lat) * north) for x, y in area.ring]
    nearest = min(_to_edge_m(a, b) for a, b in zip(ring, (*ring[1:], ring[0]), strict=True))
    return -nearest if inside_of(area)(lon, lat) else nearest


def _to_edge_m(a: tuple[float, float], b: tuple[float, float]) -> float:
    """Metres from the origin to the edge between two points."""
    dx, dy = b[0] - a[0], b[1] - a[1]
    length = dx * dx + dy * dy
    along = 0.0 if length == 0 else max(0.0, min(1.0, -(a[0] * dx + a[1] * dy) / length))
    x, y = a[0] + along * dx, a[1] + along * dy
    return float((x * x + y * y) ** 0.5)
