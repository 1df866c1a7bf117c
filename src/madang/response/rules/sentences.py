"""Rules as sentences, Korean and English. Each part tells which member of the rule's JSON it stands for. Pure.

There is nothing to parse back: a person changes the member behind a part, and the sentence follows.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from madang.response.classes import CLASSES
from madang.response.rules import vocabulary as v

WEEKDAYS_KO = dict(zip(("mon", "tue", "wed", "thu", "fri", "sat", "sun"), "월화수목금토일", strict=True))
SOURCES_KO: Mapping[str, str] = {
    "sensor": "센서",
    "bell": "비상벨",
    "frigate": "영상 분석(Frigate)",
    "onvif": "카메라(ONVIF)",
    "agency": "기관",
    "citizen": "시민",
    "operator": "관제원",
    "rule": "규칙",
    "facility": "시설물",
}
TIERS_KO: Mapping[str, str] = {
    "department": "부서",
    "city": "시·군·구",
    "province": "시·도",
    "national": "중앙",
    "agency": "유관기관",
    "field": "현장",
}
COMPARE_EN = {"==": "is", "!=": "is not", "<": "is below", "<=": "is at most", ">": "is above", ">=": "is at least"}


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a sentence; `path` is the JSON pointer of the member it shows, empty for the words between."""

    text: str
    path: str = ""


Parts = Iterator[Part]


@dataclass(frozen=True, slots=True)
class Sentence:
    """One rule in one language."""

    parts: tuple[Part, ...]

    @property
    def text(self) -> str:
        """All of it."""
        return "".join(part.text for part in self.parts)


def sentence_ko(rule: v.Rule) -> Sentence:
    """e.g. `WaterLevel의 level이(가) 2.5 이상으로 1분 동안 계속되면, 침수(P1) 신호를 내고, 카메라 4대를 보입니다.`"""
    return Sentence(tuple(_with_particles(_korean(rule))))


def sentence_en(rule: v.Rule) -> Sentence:
    """e.g. `When level of WaterLevel stands at 2.5 or above for 1 min, make a signal Flooding (P1), show 4 cameras.`"""
    return Sentence(tuple(_english(rule)))


def effect_ko(effect: v.Effect) -> str:
    """One effect by itself."""
    return "".join(part.text for part in _with_particles(iter([words(_effect_ko(effect, True))])))


def effect_en(effect: v.Effect) -> str:
    """One effect by itself."""
    return _EFFECT_EN[type(effect)](effect)


def words(text: str, path: str = "") -> Part:
    """A part."""
    return Part(text, path)


_PARTICLE = re.compile(r"이\(가\)|을\(를\)|와\(과\)|\(으\)로")
_CHOICES = {"이(가)": ("이", "가"), "을(를)": ("을", "를"), "와(과)": ("과", "와"), "(으)로": ("으로", "로")}
_CLOSED_DIGITS = "013678"
"""Digits whose Korean names end in a consonant."""


def _with_particles(parts: Parts) -> Parts:
    """Each `이(가)` as the word before it wants it; behind other letters than Hangul and digits it stays open."""
    told = ""
    for part in parts:
        text = ""
        rest = part.text
        while match := _PARTICLE.search(rest):
            text += rest[: match.start()]
            text += _particle(match.group(), told + text)
            rest = rest[match.end() :]
        text += rest
        told = (told + text)[-20:]
        yield Part(text, part.path)


def _particle(both: str, before: str) -> str:
    last = before.rstrip(" ”’).?!")[-1:]
    closed, opened = _CHOICES[both]
    if "가" <= last <= "힣":
        final = (ord(last) - 0xAC00) % 28
        return opened if final == 0 or (final == 8 and both == "(으)로") else closed
    if last.isdigit():
        flat = last in "178" and both == "(으)로"
        return closed if last in _CLOSED_DIGITS and not flat else opened
    return both


# ------------------------------------------------------------------------------------------------------- values


def span_ko(seconds: int) -> str:
    """90 → `1분 30초`."""
    return _span(seconds, (("일", 86_400), ("시간", 3_600), ("분", 60), ("초", 1))) or "0초"


def span_en(seconds: int) -> str:
    """90 → `1 min 30 s`."""
    return _span(seconds, ((" d", 86_400), (" h", 3_600), (" min", 60), (" s", 1))) or "0 s"


def _span(seconds: int, units: Sequence[tuple[str, int]]) -> str:
    told = []
    for name, size in units:
        count, seconds = divmod(seconds, size)
        if count:
            told.append(f"{count}{name}")
    return " ".join(told)


def _classes(codes: Sequence[str], korean: bool) -> str:
    named = [(CLASSES[c].ko if korean else CLASSES[c].en) if c in CLASSES else c for c in codes]
    return ("·" if korean else " or ").join(named)


def _days(days: Sequence[str], korean: bool) -> str:
    return "·".join(WEEKDAYS_KO[day] for day in days) if korean else ", ".join(day.capitalize() for day in days)


def number(value: Any) -> str:  # Any: a JSON scalar
    """A number without a needless fraction; texts as they are."""
    return f"{value:g}" if isinstance(value, float) else str(value)


def _area_ko(area: v.Area) -> str:
    if isinstance(area, v.Circle):
        return f"({area.lon:.5f}, {area.lat:.5f}) 반경 {area.radius_m:g}m"
    return f"지정 구역({len(area.ring)}각형)"


def _area_en(area: v.Area) -> str:
    if isinstance(area, v.Circle):
        return f"{area.radius_m:g} m around ({area.lon:.5f}, {area.lat:.5f})"
    return f"the area drawn ({len(area.ring)} corners)"


# ------------------------------------------------------------------------------------------------------- Korean


def _korean(rule: v.Rule) -> Parts:
    for place, condition in enumerate(rule.conditions):
        yield from _condition_ko(condition, f"/conditions/{place}")
        yield words(", ")
    yield from _when_ko(rule.when)
    if rule.per != "device" and not isinstance(rule.when, v.Schedule):
        yield words({"district": " (읍면동별로 묶어)", "all": " (전체를 묶어)"}[rule.per], "/per")
    yield words(", ")
    yield from _join(_outcome_ko(rule), ", ")
    yield words(".")


def _join(groups: Iterator[list[Part]], between: str) -> Parts:
    first = True
    for group in groups:
        if not first:
            yield words(between)
        first = False
        yield from group


def _source_ko(source: v.Source, path: str) -> Parts:
    for place, condition in enumerate(source.where):
        yield from _condition_ko(condition, f"{path}/where/{place}", of_source=True)
        yield words(" ")
    if isinstance(source, v.Reading):
        yield words(source.type, f"{path}/type")
        yield words("의 ")
        yield words(source.attribute, f"{path}/attribute")
        return
    if source.sources:
        yield words("·".join(SOURCES_KO[one] for one in source.sources), f"{path}/sources")
        yield words("의 ")
    yield words(_classes(source.classes, True), f"{path}/classes")
    yield words(" 신호")


def _when_ko(when: v.When) -> Parts:
    yield from _WHEN_KO[type(when)](when)


def _happens_ko(when: v.Happens) -> Parts:
    yield from _source_ko(when.source, "/when/source")
    yield words("이(가) 들어오면")


def _threshold_ko(when: v.Threshold) -> Parts:
    yield from _source_ko(when.source, "/when/source")
    yield words("이(가) ")
    yield words(number(when.limit), "/when/limit")
    yield words({"above": " 이상", "below": " 이하"}[when.side], "/when/side")
    if when.dwell_s:
        yield words("인 상태가 ")
        yield words(span_ko(when.dwell_s), "/when/dwell_s")
        yield words(" 동안 계속되면")
    else:
        yield words("이(가) 되면")
    if when.reset is not None:
        yield words(" (해제 ")
        yield words(number(when.reset), "/when/reset")
        yield words(")")


def _count_ko(when: v.Count) -> Parts:
    yield from _source_ko(when.source, "/when/source")
    yield words("이(가) ")
    yield words(span_ko(when.window_s), "/when/window_s")
    yield words(" 안에 ")
    yield words(f"{when.n}번", "/when/n")
    yield words(" 이상 들어오면")


def _sequence_ko(when: v.Sequence) -> Parts:
    yield from _source_ko(when.first, "/when/first")
    yield words(" 다음에 ")
    yield from _source_ko(when.then, "/when/then")
    yield words("이(가) ")
    yield words(span_ko(when.within_s), "/when/within_s")
    yield words(" 안에 들어오면")


def _absence_ko(when: v.Absence) -> Parts:
    if when.since is not None:
        yield from _source_ko(when.since, "/when/since")
        yield words(" 뒤 ")
    yield words(span_ko(when.for_s), "/when/for_s")
    yield words(" 동안 ")
    yield from _source_ko(when.source, "/when/source")
    yield words("이(가) 들어오지 않으면")


def _rate_ko(when: v.Rate) -> Parts:
    yield from _source_ko(when.source, "/when/source")
    yield words("이(가) ")
    yield words(span_ko(when.window_s), "/when/window_s")
    yield words(" 안에 ")
    yield words(number(when.by), "/when/by")
    yield words(
        {"rise": " 이상 오르면", "fall": " 이상 내리면", "either": " 이상 변하면"}[when.direction], "/when/direction"
    )


def _flap_ko(when: v.Flap) -> Parts:
    yield from _source_ko(when.source, "/when/source")
    yield words("이(가) ")
    yield words(span_ko(when.window_s), "/when/window_s")
    yield words(" 안에 ")
    yield words(f"{when.changes}번", "/when/changes")
    yield words(" 이상 바뀌면")


def _whereabouts_ko(when: v.Whereabouts) -> Parts:
    yield words(when.source.type, "/when/source/type")
    yield words("이(가) ")
    yield words(_area_ko(when.area), "/when/area")
    yield words({"inside": " 안에", "outside": " 밖에"}[when.side], "/when/side")
    yield words(" ")
    yield words(span_ko(when.for_s), "/when/for_s")
    yield words(" 동안 있으면")


def _near_ko(when: v.Near) -> Parts:
    yield words("진행 중인 ")
    yield words(_classes(when.classes, True) or "모든", "/when/classes")
    yield words(" 사건 ")
    yield words(f"{when.radius_m:g}m", "/when/radius_m")
    yield words(" 안에서 ")
    yield from _source_ko(when.source, "/when/source")
    yield words("이(가) 들어오면")


def _quorum_ko(when: v.Quorum) -> Parts:
    yield from _source_ko(when.source, "/when/source")
    yield words("을(를) ")
    yield words(span_ko(when.window_s), "/when/window_s")
    yield words(" 안에 ")
    if when.devices:
        yield words(f"지정한 장치 {len(when.devices)}대 가운데 ", "/when/devices")
    yield words(f"{when.k}대", "/when/k")
    yield words(" 이상이 알리면")


def _schedule_ko(when: v.Schedule) -> Parts:
    yield words(f"매주 {_days(when.weekdays, True)}" if when.weekdays else "매일", "/when/weekdays")
    yield words(" ")
    yield words(when.at, "/when/at")
    yield words("이(가) 되면")


_WHEN_KO: Mapping[type, Callable[[Any], Parts]] = {  # Any: each takes its own operator
    v.Happens: _happens_ko,
    v.Threshold: _threshold_ko,
    v.Count: _count_ko,
    v.Sequence: _sequence_ko,
    v.Absence: _absence_ko,
    v.Rate: _rate_ko,
    v.Flap: _flap_ko,
    v.Whereabouts: _whereabouts_ko,
    v.Near: _near_ko,
    v.Quorum: _quorum_ko,
    v.Schedule: _schedule_ko,
}


_ENDINGS_KO: Mapping[str, tuple[str, str, str, str]] = {
    "is": ("일 때", "인", "이(가) 아닐 때", "이(가) 아닌"),
    "are": ("있을 때", "있는", "없을 때", "없는"),
    "in": ("안에서", "안에 있는", "밖에서", "밖에 있는"),
    "at": ("에", "의", "이(가) 아닐 때", "이(가) 아닌 때의"),
}
"""How a condition ends: when it holds, as what holds it; and where it is turned round, both again."""


def _condition_ko(condition: v.Condition, path: str, *, of_source: bool = False) -> Parts:
    stem, kind = _CONDITION_KO[type(condition)](condition)
    negate = getattr(condition, "negate", False) or getattr(condition, "is_", "") == "!="
    yield words(stem + _ENDINGS_KO[kind][2 * negate + of_source], path)


def _time_ko(one: v.AtTime) -> tuple[str, str]:
    hours = "하루 종일" if one.start == one.end else f"{one.start}–{one.end}"
    if one.weekdays and one.start == one.end:
        return f"{_days(one.weekdays, True)}요일", "at"
    return (f"{_days(one.weekdays, True)} {hours}" if one.weekdays else hours), "at"


def _attribute_ko(one: v.OfAttribute) -> tuple[str, str]:
    if one.is_ == "known":
        return f"{one.name} 값이 ", "are"
    compared = {"<": " 미만", "<=": " 이하", ">": " 초과", ">=": " 이상"}.get(one.is_, "")
    return f"{one.name}이(가) {number(one.value)}{compared}", "is"


def _near_open_ko(one: v.NearOpen) -> tuple[str, str]:
    named = f"{_classes(one.classes, True)} " if one.classes else ""
    return f"{one.radius_m:g}m 안에 진행 중인 {named}사건이 ", "are"


_CONDITION_KO: Mapping[type, Callable[[Any], tuple[str, str]]] = {  # Any: each takes its own condition
    v.OfClass: lambda one: (f"종류가 {_classes(one.classes, True)}", "is"),
    v.FromSource: lambda one: (f"출처가 {'·'.join(SOURCES_KO[each] for each in one.sources)}", "is"),
    v.OfDevice: lambda one: (f"장치가 {'·'.join(one.devices)}", "is"),
    v.InDistrict: lambda one: (f"{'·'.join(one.districts)} ", "in"),
    v.InArea: lambda one: (f"{_area_ko(one.area)} ", "in"),
    v.AtTime: _time_ko,
    v.OfAttribute: _attribute_ko,
    v.OneOf: lambda one: (f"{one.name}이(가) {'·'.join(number(each) for each in one.values)} 가운데 하나", "is"),
    v.NearOpen: _near_open_ko,
    v.AtLeastSure: lambda one: (f"확신도가 {one.at_least:.0%} 이상", "is"),
    v.AsUrgent: lambda one: (f"우선순위가 P{one.at_most} 이상", "is"),
}


def _outcome_ko(rule: v.Rule) -> Iterator[list[Part]]:
    if rule.signal is None:
        yield [words("기록만 합니다", "/signal")]
        return
    level = "" if rule.signal.priority is None else f"(P{rule.signal.priority})"
    last = "냅니다" if not rule.effects else "내고"
    yield [words(_classes((rule.signal.class_code,), True) + level, "/signal"), words(f" 신호를 {last}")]
    for place, effect in enumerate(rule.effects):
        ending = place == len(rule.effects) - 1
        yield [words(_effect_ko(effect, ending), f"/effects/{place}")]


def _effect_ko(effect: v.Effect, last: bool) -> str:
    plain, done, goes_on = _EFFECT_KO[type(effect)](effect)
    return f"{plain} {done if last else goes_on}"


_EFFECT_KO: Mapping[type, Callable[[Any], tuple[str, str, str]]] = {  # Any: each takes its own effect
    v.Record: lambda one: (f"경과에 “{one.text_ko or '규칙 발동'}”을(를)", "남깁니다", "남기고"),
    v.Show: lambda one: (f"카메라 {len(one.camera_ids) or one.cameras}대를", "보입니다", "보이고"),
    v.SetPriority: lambda one: (
        "우선순위를 " + ("결정표대로" if one.priority is None else f"P{one.priority}(으)로"),
        "정합니다",
        "정하고",
    ),
    v.StartSop: lambda one: (f"SOP {one.code}을(를)", "시작합니다", "시작하고"),
    v.Ask: lambda one: (
        f"“{one.text_ko}”" + ("라고 묻고 영상 제공을" if one.propose else "라고"),
        "제안합니다" if one.propose else "묻습니다",
        "제안하고" if one.propose else "묻고",
    ),
    v.Message: lambda one: (
        f"{', '.join(TIERS_KO[tier] for tier in one.tiers) or '전파 명단'}에 “{one.text_ko}”을(를) 확인 뒤",
        "전파합니다",
        "전파하고",
    ),
}


# ------------------------------------------------------------------------------------------------------ English


def _english(rule: v.Rule) -> Parts:
    yield words("When ")
    yield from _WHEN_EN[type(rule.when)](rule.when)
    if rule.per != "device" and not isinstance(rule.when, v.Schedule):
        yield words({"district": " (within one district)", "all": " (all together)"}[rule.per], "/per")
    for place, condition in enumerate(rule.conditions):
        yield words(" and ")
        yield from _condition_en(condition, f"/conditions/{place}")
    yield words(", ")
    yield from _join(_outcome_en(rule), ", ")
    yield words(".")


def _source_en(source: v.Source, path: str) -> Parts:
    if isinstance(source, v.Reading):
        yield words(source.attribute, f"{path}/attribute")
        yield words(" of ")
        yield words(source.type, f"{path}/type")
    else:
        yield words("a signal ")
        yield words(_classes(source.classes, False), f"{path}/classes")
        if source.sources:
            yield words(" from ")
            yield words(" or ".join(source.sources), f"{path}/sources")
    for place, condition in enumerate(source.where):
        yield words(" where ")
        yield from _condition_en(condition, f"{path}/where/{place}")


def _happens_en(when: v.Happens) -> Parts:
    yield from _source_en(when.source, "/when/source")
    yield words(" comes in")


def _threshold_en(when: v.Threshold) -> Parts:
    yield from _source_en(when.source, "/when/source")
    yield words(" stands at ")
    yield words(number(when.limit), "/when/limit")
    yield words({"above": " or above", "below": " or below"}[when.side], "/when/side")
    if when.dwell_s:
        yield words(" for ")
        yield words(span_en(when.dwell_s), "/when/dwell_s")
    if when.reset is not None:
        yield words(" (until back at ")
        yield words(number(when.reset), "/when/reset")
        yield words(")")


def _count_en(when: v.Count) -> Parts:
    yield from _source_en(when.source, "/when/source")
    yield words(" comes in ")
    yield words(f"{when.n} times", "/when/n")
    yield words(" within ")
    yield words(span_en(when.window_s), "/when/window_s")


def _sequence_en(when: v.Sequence) -> Parts:
    yield from _source_en(when.first, "/when/first")
    yield words(" is followed by ")
    yield from _source_en(when.then, "/when/then")
    yield words(" within ")
    yield words(span_en(when.within_s), "/when/within_s")


def _absence_en(when: v.Absence) -> Parts:
    yield from _source_en(when.source, "/when/source")
    yield words(" does not come for ")
    yield words(span_en(when.for_s), "/when/for_s")
    if when.since is not None:
        yield words(" after ")
        yield from _source_en(when.since, "/when/since")


def _rate_en(when: v.Rate) -> Parts:
    yield from _source_en(when.source, "/when/source")
    yield words({"rise": " rises", "fall": " falls", "either": " moves"}[when.direction], "/when/direction")
    yield words(" by ")
    yield words(number(when.by), "/when/by")
    yield words(" or more within ")
    yield words(span_en(when.window_s), "/when/window_s")


def _flap_en(when: v.Flap) -> Parts:
    yield from _source_en(when.source, "/when/source")
    yield words(" changes ")
    yield words(f"{when.changes} times", "/when/changes")
    yield words(" within ")
    yield words(span_en(when.window_s), "/when/window_s")


def _whereabouts_en(when: v.Whereabouts) -> Parts:
    yield words(when.source.type, "/when/source/type")
    yield words(f" is {when.side} ", "/when/side")
    yield words(_area_en(when.area), "/when/area")
    yield words(" for ")
    yield words(span_en(when.for_s), "/when/for_s")


def _near_en(when: v.Near) -> Parts:
    yield from _source_en(when.source, "/when/source")
    yield words(" comes in within ")
    yield words(f"{when.radius_m:g} m", "/when/radius_m")
    yield words(" of an open incident ")
    yield words(_classes(when.classes, False) or "of any class", "/when/classes")


def _quorum_en(when: v.Quorum) -> Parts:
    yield words(f"{when.k} devices", "/when/k")
    if when.devices:
        yield words(f" of the {len(when.devices)} named", "/when/devices")
    yield words(" report ")
    yield from _source_en(when.source, "/when/source")
    yield words(" within ")
    yield words(span_en(when.window_s), "/when/window_s")


def _schedule_en(when: v.Schedule) -> Parts:
    yield words("it is ")
    yield words(when.at, "/when/at")
    yield words(f" on {_days(when.weekdays, False)}" if when.weekdays else " on any day", "/when/weekdays")


_WHEN_EN: Mapping[type, Callable[[Any], Parts]] = {  # Any: each takes its own operator
    v.Happens: _happens_en,
    v.Threshold: _threshold_en,
    v.Count: _count_en,
    v.Sequence: _sequence_en,
    v.Absence: _absence_en,
    v.Rate: _rate_en,
    v.Flap: _flap_en,
    v.Whereabouts: _whereabouts_en,
    v.Near: _near_en,
    v.Quorum: _quorum_en,
    v.Schedule: _schedule_en,
}


def _condition_en(condition: v.Condition, path: str) -> Parts:
    no = "not " if getattr(condition, "negate", False) else ""
    yield words(no + _CONDITION_EN[type(condition)](condition), path)


def _time_en(one: v.AtTime) -> str:
    hours = "all day" if one.start == one.end else f"between {one.start} and {one.end}"
    return f"{hours} on {_days(one.weekdays, False)}" if one.weekdays else hours


def _attribute_en(one: v.OfAttribute) -> str:
    return f"{one.name} is known" if one.is_ == "known" else f"{one.name} {COMPARE_EN[one.is_]} {number(one.value)}"


_CONDITION_EN: Mapping[type, Callable[[Any], str]] = {  # Any: each takes its own condition
    v.OfClass: lambda one: f"of class {_classes(one.classes, False)}",
    v.FromSource: lambda one: f"from {' or '.join(one.sources)}",
    v.OfDevice: lambda one: f"by {' or '.join(one.devices)}",
    v.InDistrict: lambda one: f"in {' or '.join(one.districts)}",
    v.InArea: lambda one: f"inside {_area_en(one.area)}",
    v.AtTime: _time_en,
    v.OfAttribute: _attribute_en,
    v.OneOf: lambda one: f"{one.name} is one of {', '.join(number(each) for each in one.values)}",
    v.NearOpen: lambda one: f"within {one.radius_m:g} m of an open incident {_classes(one.classes, False)}".rstrip(),
    v.AtLeastSure: lambda one: f"at least {one.at_least:.0%} sure",
    v.AsUrgent: lambda one: f"priority P{one.at_most} or more urgent",
}


def _outcome_en(rule: v.Rule) -> Iterator[list[Part]]:
    if rule.signal is None:
        yield [words("only record it", "/signal")]
        return
    level = "" if rule.signal.priority is None else f" (P{rule.signal.priority})"
    yield [words("make a signal "), words(_classes((rule.signal.class_code,), False) + level, "/signal")]
    for place, effect in enumerate(rule.effects):
        yield [words(_EFFECT_EN[type(effect)](effect), f"/effects/{place}")]


_EFFECT_EN: Mapping[type, Callable[[Any], str]] = {  # Any: each takes its own effect
    v.Record: lambda one: f"note “{one.text_en or one.text_ko or 'the rule fired'}”",
    v.Show: lambda one: f"show {len(one.camera_ids) or one.cameras} cameras",
    v.SetPriority: lambda one: f"set the priority {'by the table' if one.priority is None else f'to P{one.priority}'}",
    v.StartSop: lambda one: f"start checklist {one.code}",
    v.Ask: lambda one: f"ask “{one.text_en or one.text_ko}”" + (" and propose the pictures" if one.propose else ""),
    v.Message: lambda one: (
        f"send “{one.text_en or one.text_ko}” to {', '.join(one.tiers) or 'the list'} once confirmed"
    ),
}
