"""Which subscriptions a change concerns, found without asking each: cost grows with matches, not with subscriptions.

A subscription is filed under what must hold for it: phase of the change, entity id or type, watched attribute; inside
such a drawer under one comparison of its `q`, its area, or as plain. What is found there is then judged in full.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import Counter
from collections.abc import Iterable, Iterator
from threading import Lock
from typing import Any

from madang.hub.changes import Stored
from madang.hub.geo import Box, box_of, search_box
from madang.hub.query import (
    All,
    Compare,
    Condition,
    Kind,
    Literal,
    Operator,
    Path,
    Range,
    TypeAll,
    TypeName,
    TypeSelection,
)
from madang.hub.subscriptions.conditions import (
    STAMPS,
    Subject,
    leaves,
    of_types,
    related,
    satisfied,
    within_scope,
)
from madang.hub.subscriptions.happening import Happening, Phase
from madang.hub.subscriptions.subscription import Selector, Subscription

Key = tuple[Phase, str, str]
"""Phase, anchor (`#id`, `=type`, or empty for any) and watched attribute (empty for any)."""

_FIRING = {
    Phase.CREATED: frozenset({"entityCreated", "attributeCreated"}),
    Phase.UPDATED: frozenset({"attributeCreated", "attributeUpdated", "attributeDeleted"}),
    Phase.DELETED: frozenset({"entityDeleted"}),
}
_UPWARD = frozenset({Operator.GREATER, Operator.GREATER_EQUAL})
_DOWNWARD = frozenset({Operator.LESS, Operator.LESS_EQUAL})
_NUMBERED = (int, float)
_FRESH = 128


class Boxes:
    """Boxes that may hold a point or meet a box. New ones wait in a list until a tree is worth building again."""

    def __init__(self) -> None:
        self._fresh: dict[int, Box] = {}
        self._kept: dict[int, Box] = {}
        self._numbers: list[int] = []
        self._tree: Any = None  # Any: a shapely STRtree, made when there are many

    def add(self, number: int, box: Box) -> None:
        """Files a subscription's box."""
        self._fresh[number] = box

    def remove(self, number: int) -> None:
        """Takes it out; the tree may still find its box, which `meeting` then leaves out."""
        self._fresh.pop(number, None)
        self._kept.pop(number, None)

    def __bool__(self) -> bool:
        return bool(self._fresh or self._kept)

    def meeting(self, box: Box) -> Iterator[int]:
        """The subscriptions whose box meets this one."""
        if len(self._fresh) > max(_FRESH, len(self._kept) // 4):
            self._build()
        yield from (number for number, one in self._fresh.items() if _meets(one, box))
        if self._tree is not None:
            from shapely import box as shape  # lazily: only many areas need a tree

            found = (self._numbers[place] for place in self._tree.query(shape(*box)).tolist())
            yield from (number for number in found if number in self._kept and _meets(self._kept[number], box))

    def _build(self) -> None:
        from shapely import STRtree, box  # lazily: 140 ms to import

        self._kept |= self._fresh
        self._fresh = {}
        self._numbers = list(self._kept)
        self._tree = STRtree([box(*_finite(self._kept[number])) for number in self._numbers])


def _finite(box: Box) -> Box:
    west, south, east, north = box
    return max(west, -1e300), max(south, -1e300), min(east, 1e300), min(north, 1e300)


def _meets(a: Box, b: Box) -> bool:
    return a[0] <= b[2] and b[0] <= a[2] and a[1] <= b[3] and b[1] <= a[3]


class Comparisons:
    """Subscriptions that need one comparison on one path to hold."""

    def __init__(self) -> None:
        self._equal: dict[object, dict[int, None]] = {}
        self._above: list[tuple[float, int]] = []
        self._below: list[tuple[float, int]] = []
        self._between = Boxes()
        self.size = 0

    def change(self, part: Compare, number: int, *, add: bool) -> None:
        """Files a subscription, or takes it out."""
        self.size += 1 if add else -1
        if part.operator in _UPWARD or part.operator in _DOWNWARD:
            listed = self._above if part.operator in _UPWARD else self._below
            entry = (float(_number(part)), number)
            if add:
                insort(listed, entry)
            else:
                del listed[bisect_left(listed, entry)]
            return
        for value in part.values:
            if isinstance(value, Range):
                self._change_between(value, number, add)
            else:
                self._change_equal(_exact(value.value), number, add)
                if value.name:
                    self._change_equal(value.name, number, add)

    def _change_between(self, value: Range, number: int, add: bool) -> None:
        if add:
            self._between.add(number, (float(value.low.value), -1.0, float(value.high.value), 1.0))
        else:
            self._between.remove(number)

    def _change_equal(self, value: object, number: int, add: bool) -> None:
        if add:
            self._equal.setdefault(value, {})[number] = None
        elif (filed := self._equal.get(value)) is not None:
            filed.pop(number, None)
            if not filed:
                del self._equal[value]

    def candidates(self, value: object) -> Iterator[int]:
        """Those whose comparison may hold for a value."""
        if type(value) is list:
            for one in value:
                yield from self.candidates(one)
            return
        if type(value) not in (str, bool, *_NUMBERED):
            return
        yield from self._equal.get(_exact(value), ())
        if type(value) in _NUMBERED:
            number = float(value)  # type: ignore[arg-type] # a number, as just tested
            for _, filed in self._above[: bisect_right(self._above, (number, 1 << 62))]:
                yield filed
            for _, filed in self._below[bisect_left(self._below, (number, -1)) :]:
                yield filed
            if self._between:
                yield from self._between.meeting((number, 0.0, number, 0.0))


def _exact(value: object) -> object:
    """A dictionary key: true is not 1, and what a double cannot tell apart is left to the judge."""
    if type(value) in _NUMBERED:
        return float(value)  # type: ignore[arg-type] # a number, as just tested
    return (value,) if type(value) is bool else value


def _number(part: Compare) -> Any:  # Any: the number a comparison names
    value = part.values[0]
    assert isinstance(value, Literal)
    return value.value


class Drawer:
    """Subscriptions with the same phase, anchor and watched attribute."""

    __slots__ = ("areas", "by_attribute", "plain")

    def __init__(self) -> None:
        self.plain: dict[int, None] = {}
        self.by_attribute: dict[str, dict[Path, Comparisons]] = {}
        self.areas: dict[str, Boxes] = {}

    def add(self, subscription: Subscription, place: Compare | Box | None) -> None:
        """Files a subscription at its place."""
        number = subscription.number
        if isinstance(place, Compare):
            paths = self.by_attribute.setdefault(place.path.attribute, {})
            paths.setdefault(place.path, Comparisons()).change(place, number, add=True)
        elif place is not None:
            assert subscription.geo is not None
            self.areas.setdefault(subscription.geo.attribute, Boxes()).add(number, place)
        else:
            self.plain[number] = None

    def remove(self, subscription: Subscription, place: Compare | Box | None) -> None:
        """Takes it out again."""
        number = subscription.number
        if isinstance(place, Compare):
            paths = self.by_attribute[place.path.attribute]
            paths[place.path].change(place, number, add=False)
            if not paths[place.path].size:
                del paths[place.path]
            if not paths:
                del self.by_attribute[place.path.attribute]
        elif place is not None:
            assert subscription.geo is not None
            self.areas[subscription.geo.attribute].remove(number)
        else:
            self.plain.pop(number, None)

    def candidates(self, subject: Subject) -> Iterator[int]:
        """Subscriptions that may match an entity."""
        yield from self.plain
        if self.by_attribute:
            for attribute in self.by_attribute.keys() & subject.document.keys():
                for path, comparisons in self.by_attribute[attribute].items():
                    for instance in subject.instances(attribute):
                        for _, leaf in leaves(path, instance):
                            yield from comparisons.candidates(leaf)
        for attribute, boxes in self.areas.items():
            for instance in subject.instances(attribute):
                if instance["type"] == "GeoProperty":
                    yield from boxes.meeting(box_of(instance["value"]))


class Registry:
    """A tenant's subscriptions. A store may match on a thread of its own while the event loop files: hence the lock."""

    def __init__(self) -> None:
        self.revision = 0
        self.gone: set[int] = set()
        """Numbers of subscriptions known to be deleted."""
        self.by_number: dict[int, Subscription] = {}
        self.numbers: dict[str, int] = {}
        self._drawers: dict[Key, Drawer] = {}
        self._anchors: Counter[str] = Counter()
        self._lock = Lock()
        self._places: dict[int, tuple[list[Key], Compare | Box | None]] = {}

    def put(self, subscription: Subscription) -> None:
        """Files a subscription in place of the one with its number."""
        with self._lock:
            self._remove(subscription.number)
            self.by_number[subscription.number] = subscription
            self.numbers[subscription.id] = subscription.number
            if subscription.interval_s is not None or not subscription.active:
                return
            keys, place = [*_keys(subscription)], _place(subscription)
            self._places[subscription.number] = keys, place
            for key in keys:
                self._drawers.setdefault(key, Drawer()).add(subscription, place)
                self._anchors[key[1]] += 1

    def remove(self, number: int) -> None:
        """Takes a subscription out, if it is there."""
        with self._lock:
            self._remove(number)

    def _remove(self, number: int) -> None:
        old = self.by_number.pop(number, None)
        if old is None:
            return
        if self.numbers.get(old.id) == number:
            del self.numbers[old.id]
        keys, place = self._places.pop(number, ([], None))
        for key in keys:
            self._drawers[key].remove(old, place)
            self._anchors[key[1]] -= 1
            if not self._anchors[key[1]]:
                del self._anchors[key[1]]

    def concerns(self, stored: Stored) -> bool:
        """Whether any subscription could speak of such an entity at all; the quick way out."""
        anchors = self._anchors
        return bool(anchors) and (
            "" in anchors or f"#{stored.id}" in anchors or any(f"={name}" in anchors for name in stored.types)
        )

    def get(self, subscription_id: str) -> Subscription | None:
        """The subscription of that id."""
        number = self.numbers.get(subscription_id)
        return self.by_number[number] if number is not None else None

    def matching(self, happening: Happening, at_ms: int) -> list[Subscription]:
        """The subscriptions a change is to be told to, in the order they were made; throttling is the caller's."""
        found: set[int] = set()
        with self._lock:
            for drawer in self._opened(happening):
                found.update(drawer.candidates(happening.subject))
            every = [self.by_number[number] for number in sorted(found)]
        return [one for one in every if matches(one, happening, at_ms)]

    def _opened(self, happening: Happening) -> Iterator[Drawer]:
        stored = happening.subject.stored
        anchors = ("", f"#{stored.id}", *(f"={name}" for name in stored.types))
        for anchor in anchors:
            for watched in ("", *happening.touched):
                if (drawer := self._drawers.get((happening.phase, anchor, watched))) is not None:
                    yield drawer


def matches(subscription: Subscription, happening: Happening, at_ms: int) -> bool:
    """Whether a change is to be told to a subscription (clause 5.8.6), judged in full."""
    one = subscription
    return (
        one.interval_s is None
        and one.status(at_ms) == "active"
        and happening.triggered(one.triggers, one.watched)
        and selects(one, happening.subject)
    )


def selects(one: Subscription, subject: Subject) -> bool:
    """Whether an entity is one that the subscription speaks of and its owner may read."""
    return (
        (not one.selectors or any(_selected(selector, subject) for selector in one.selectors))
        and (one.q is None or satisfied(one.q, subject, one.may_tell))
        and (one.geo is None or one.related is None or related(one.related, one.geo.attribute, subject))
        and (not one.scope or within_scope(one.scope, subject))
        and one.may_tell(subject.stored.types)
    )


def _selected(selector: Selector, subject: Subject) -> bool:
    return (
        (not selector.ids or subject.stored.id in selector.ids)
        and (selector.types is None or of_types(selector.types, subject.types))
        and (selector.pattern is None or selector.pattern(subject.stored.id) is not None)
    )


def _keys(one: Subscription) -> Iterator[Key]:
    anchors = {anchor for selector in one.selectors for anchor in _anchors(selector)} or {""}
    for phase, firing in _FIRING.items():
        if firing & one.triggers:
            for anchor in sorted(anchors):
                for watched in one.watched if one.watched is not None else ("",):
                    yield phase, anchor, watched


def _anchors(selector: Selector) -> Iterable[str]:
    if selector.ids:
        return [f"#{one}" for one in selector.ids]
    if selector.types is None:
        return [""]
    return [f"={name}" for name in _needed(selector.types)]


def _needed(selection: TypeSelection) -> frozenset[str]:
    """Types of which an entity must have at least one to satisfy the selection."""
    if isinstance(selection, TypeName):
        return frozenset({selection.name})
    parts = [_needed(part) for part in selection.parts]
    return min(parts, key=len) if isinstance(selection, TypeAll) else frozenset().union(*parts)


def _place(one: Subscription) -> Compare | Box | None:
    """What is asked first: an equality, else the area, else a threshold; what finds fewest comes first."""
    comparisons = [*_filed(one.q)]
    for part in comparisons:
        if part.operator is Operator.EQUAL and not any(isinstance(value, Range) for value in part.values):
            return part
    if one.geo is not None and (box := search_box(one.geo)) is not None:
        return box
    return comparisons[0] if comparisons else None


def _filed(condition: Condition | None) -> Iterator[Compare]:
    """The comparisons that must hold and can be filed: on values, by number or by equality."""
    for part in condition.parts if isinstance(condition, All) else (condition,):
        if isinstance(part, Compare) and not STAMPS & {part.path.attribute, *part.path.subs[:1]}:
            numbers = all(_is_number(value) for value in part.values)
            if part.operator in _UPWARD or part.operator in _DOWNWARD:
                if numbers:
                    yield part
            elif part.operator is Operator.EQUAL and all(_is_exact(value) for value in part.values):
                ranges = sum(isinstance(value, Range) for value in part.values)
                if ranges == 0 or (ranges == 1 and len(part.values) == 1 and numbers):
                    yield part


def _is_number(value: Literal | Range) -> bool:
    literal = value.low if isinstance(value, Range) else value
    return literal.kind is Kind.NUMBER


def _is_exact(value: Literal | Range) -> bool:
    literal = value.low if isinstance(value, Range) else value
    return literal.kind in (Kind.NUMBER, Kind.TEXT, Kind.BOOLEAN)
