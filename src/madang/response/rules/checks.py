"""What can be wrong with a rule beyond its form: loops, settings that can never hold, names nobody knows. Pure.

A rule may not feed itself, directly or through others. What feeds what: a rule makes signals of a class; a rule that
listens for that class and names `rule` among its sources hears them. And every rule that makes signals may open an
incident, which the hub shows as an entity of type `Incident`: listening to those would close the circle too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from madang.response.classes import CLASSES
from madang.response.rules.vocabulary import (
    Absence,
    AtTime,
    Count,
    Flap,
    Heard,
    InArea,
    OfClass,
    Polygon,
    Quorum,
    Reading,
    Rule,
    Sequence,
    Threshold,
    Whereabouts,
    acts_externally,
    all_conditions,
    sources_of,
)

MIRRORED = "Incident"
"""The entity type that opened incidents become on the hub."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong (`fault`) or odd (`warning`), at which member."""

    code: str
    where: str
    ko: str
    en: str
    level: str = "fault"


@dataclass(frozen=True, slots=True)
class Known:
    """What the city has: the attributes of each entity type ever seen, districts, SOP codes; None is not known."""

    attributes: Mapping[str, frozenset[str]] | None = None
    districts: frozenset[str] | None = None
    sops: frozenset[str] | None = None
    tables: frozenset[str] = frozenset()


def check(name: str, rule: Rule, others: Mapping[str, Rule], known: Known) -> list[Finding]:
    """Everything found, faults first. `others` are the rules that run or are about to, by name."""
    found = [*_settings(rule), *_names(rule, known), *_effects(rule, known)]
    found += _loops(name, rule, {other: one for other, one in others.items() if other != name})
    return sorted(found, key=lambda finding: finding.level != "fault")


# ---------------------------------------------------------------------------------------------------- settings


def _settings(rule: Rule) -> Iterable[Finding]:
    found = _JUDGES.get(type(rule.when), _nothing)(rule)
    yield from found
    for one in all_conditions(rule):
        if isinstance(one, InArea) and isinstance(one.area, Polygon):
            yield from _ring("conditions", one.area)
        if isinstance(one, AtTime) and one.negate and one.start == one.end and not one.weekdays:
            yield Finding("never", "conditions", "시간 조건이 결코 맞지 않습니다.", "The time condition never holds")
        if isinstance(one, OfClass) and all(isinstance(source, Reading) for source in sources_of(rule.when)):
            yield Finding("never", "conditions", "측정값에는 신호 종류가 없습니다.", "A reading has no signal class")


def _nothing(_rule: Rule) -> Iterable[Finding]:
    return ()


def _of_threshold(rule: Rule) -> Iterable[Finding]:
    when = rule.when
    assert isinstance(when, Threshold)
    if when.reset is not None and (when.reset > when.limit if when.side == "above" else when.reset < when.limit):
        yield Finding(
            "reset_beyond_limit", "when.reset", "해제값이 기준값을 넘습니다.", "The reset value lies beyond the limit"
        )


def _of_quorum(rule: Rule) -> Iterable[Finding]:
    when = rule.when
    assert isinstance(when, Quorum)
    if when.devices and len(set(when.devices)) < when.k:
        yield Finding("quorum_too_large", "when.k", "지정한 장치 수보다 큽니다.", "More than there are devices named")
    if rule.per == "device":
        yield Finding(
            "quorum_per_device",
            "per",
            "한 장치씩 묶으면 여러 장치가 함께 세어지지 않습니다. 읍면동 또는 전체로 묶으십시오.",
            "Grouped by device several devices are never counted together; group by district or all",
        )


def _of_whereabouts(rule: Rule) -> Iterable[Finding]:
    when = rule.when
    assert isinstance(when, Whereabouts)
    if isinstance(when.area, Polygon):
        yield from _ring("when.area", when.area)
    if rule.per != "device":
        yield Finding("area_per_group", "per", "위치는 장치마다 판단합니다.", "Whereabouts are judged device by device")


def _of_sequence(rule: Rule) -> Iterable[Finding]:
    when = rule.when
    assert isinstance(when, Sequence)
    if when.first == when.then:
        yield Finding(
            "same_twice",
            "when.then",
            "앞뒤가 같습니다. 횟수 조건을 쓰십시오.",
            "Both are the same; use a count instead",
            "warning",
        )


def _of_absence(rule: Rule) -> Iterable[Finding]:
    when = rule.when
    assert isinstance(when, Absence)
    if when.since is not None and when.since == when.source:
        yield Finding("same_twice", "when.since", "시작과 대상이 같습니다.", "It waits for what starts it")
    if when.for_s <= rule.late_s:
        yield Finding(
            "shorter_than_lateness",
            "when.for_s",
            f"늦게 오는 사실을 기다리는 시간({rule.late_s}초)보다 길어야 합니다.",
            f"It must be longer than the {rule.late_s} s that late facts are waited for",
        )


def _of_counting(rule: Rule) -> Iterable[Finding]:
    when = rule.when
    assert isinstance(when, Count | Flap)
    most = when.n if isinstance(when, Count) else when.changes
    if when.window_s < 1 or most / when.window_s > 50:
        yield Finding(
            "window_too_short",
            "when.window_s",
            "이 시간 안에 셀 수 없는 횟수입니다.",
            "So many cannot come in that time",
        )


_JUDGES: Mapping[type, Callable[[Rule], Iterable[Finding]]] = {
    Threshold: _of_threshold,
    Quorum: _of_quorum,
    Whereabouts: _of_whereabouts,
    Sequence: _of_sequence,
    Absence: _of_absence,
    Count: _of_counting,
    Flap: _of_counting,
}


def _ring(where: str, polygon: Polygon) -> Iterable[Finding]:
    ring = polygon.ring if polygon.ring[0] != polygon.ring[-1] else polygon.ring[:-1]
    area = sum(a[0] * b[1] - b[0] * a[1] for a, b in zip(ring, (*ring[1:], ring[0]), strict=True))
    if len(set(ring)) < 3 or abs(area) < 1e-12:
        yield Finding("flat_area", where, "넓이가 없는 구역입니다.", "The area has no extent")
    elif any(_cross(ring, i, j) for i in range(len(ring)) for j in range(i + 1, len(ring))):
        yield Finding("crossing_area", where, "구역의 선이 서로 엇갈립니다.", "The area's border crosses itself")


def _cross(ring: tuple[tuple[float, float], ...], i: int, j: int) -> bool:
    n = len(ring)
    if j in ((i + 1) % n, i) or i == (j + 1) % n:
        return False
    a, b, c, d = ring[i], ring[(i + 1) % n], ring[j], ring[(j + 1) % n]
    return _side(a, b, c) * _side(a, b, d) < 0 and _side(c, d, a) * _side(c, d, b) < 0


def _side(a: tuple[float, float], b: tuple[float, float], c: tuple[float, float]) -> float:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


# ------------------------------------------------------------------------------------------------------- names


def _names(rule: Rule, known: Known) -> Iterable[Finding]:
    for source in sources_of(rule.when):
        if isinstance(source, Reading):
            yield from _of_reading(source, known)
            continue
        for code in source.classes:
            if code not in CLASSES:
                yield Finding("unknown_class", "when", f"모르는 종류: {code}", f"No such class: {code}")
    if rule.signal is not None and rule.signal.class_code not in CLASSES:
        code = rule.signal.class_code
        yield Finding("unknown_class", "signal.class_code", f"모르는 종류: {code}", f"No such class: {code}")
    if known.districts is not None:
        named = {name for one in all_conditions(rule) for name in getattr(one, "districts", ())}
        for name in sorted(named - known.districts):
            yield Finding("unknown_district", "conditions", f"모르는 읍면동: {name}", f"No such district: {name}")


def _of_reading(source: Reading, known: Known) -> Iterable[Finding]:
    if known.attributes is None:
        return
    attributes = known.attributes.get(source.type)
    if attributes is None:
        yield Finding(
            "unknown_type", "when", f"허브에 없는 유형: {source.type}", f"The hub has no entities of type {source.type}"
        )
        return
    wanted = {source.attribute} | {getattr(one, "name", source.attribute) for one in source.where}
    for name in sorted(wanted - attributes):
        ko, en = f"{source.type}에 없는 속성: {name}", f"No {source.type} has an attribute {name}"
        yield Finding("unknown_attribute", "when", ko, en)


def _effects(rule: Rule, known: Known) -> Iterable[Finding]:
    if rule.effects and rule.signal is None:
        yield Finding(
            "effects_without_signal",
            "effects",
            "신호를 내지 않는 규칙은 조치를 할 수 없습니다.",
            "Effects belong to the incident a signal ends in; this rule makes none",
        )
    for place, effect in enumerate(rule.effects):
        code = getattr(effect, "code", None)
        if code is not None and known.sops is not None and code not in known.sops:
            ko, en = f"시행 중인 SOP가 아닙니다: {code}", f"No published checklist has the code {code}"
            yield Finding("unknown_sop", f"effects[{place}].code", ko, en, "warning")
    if acts_externally(rule):
        ko = "외부로 나가는 조치는 사람이 확인해야 합니다. 시행하는 사람이 자동 실행을 승인할 수 있습니다."
        en = "What reaches outside is confirmed by a person, unless whoever publishes the rule approves it to act alone"
        yield Finding("acts_externally", "effects", ko, en, "warning")


# ------------------------------------------------------------------------------------------------------- loops


def feeds(maker: Rule, listener: Rule) -> bool:
    """Whether what one rule makes can set off the other."""
    if maker.signal is None:
        return False
    for source in sources_of(listener.when):
        if isinstance(source, Heard):
            if "rule" in source.sources and maker.signal.class_code in source.classes:
                return True
        elif source.type == MIRRORED:
            return True
    return False


def _loops(name: str, rule: Rule, others: Mapping[str, Rule]) -> Iterable[Finding]:
    rules = {**others, name: rule}
    circle = _circle(name, rules)
    if circle:
        way = " → ".join(circle)
        yield Finding("loop", "when", f"규칙이 스스로를 다시 일으킵니다: {way}", f"The rule sets itself off: {way}")


def _circle(name: str, rules: Mapping[str, Rule]) -> list[str]:
    """A way from a rule back to itself, or nothing."""
    before: dict[str, str] = {}
    waiting = [name]
    while waiting:
        current = waiting.pop()
        for other, rule in rules.items():
            if feeds(rules[current], rule):
                if other == name:
                    return [*_way(before, name, current), name]
                if other not in before:
                    before[other] = current
                    waiting.append(other)
    return []


def _way(before: Mapping[str, str], start: str, end: str) -> list[str]:
    way = [end]
    while way[0] != start:
        way.insert(0, before[way[0]])
    return way
