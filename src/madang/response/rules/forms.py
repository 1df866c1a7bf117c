"""The vocabulary as forms: for each operator, condition and effect its fields, in both languages. Pure.

Names, bounds and choices of fields are read off the structs, so that form, schema and engine cannot disagree; only the
words are written here.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from types import NoneType
from typing import Any, get_args

import msgspec

from madang.response.classes import CLASSES
from madang.response.rules import vocabulary as v
from madang.response.rules.sentences import SOURCES_KO, TIERS_KO, WEEKDAYS_KO

JsonRow = dict[str, Any]  # Any: JSON values
OPERATORS: Mapping[type, tuple[str, str]] = {
    v.Happens: ("들어오면", "Each time"),
    v.Threshold: ("값이 기준을 넘으면", "Threshold"),
    v.Count: ("횟수가 차면", "Count in a window"),
    v.Sequence: ("차례로 들어오면", "One after another"),
    v.Absence: ("들어오지 않으면", "Absence"),
    v.Rate: ("빠르게 변하면", "Rate of change"),
    v.Flap: ("자주 바뀌면", "Flapping"),
    v.Whereabouts: ("구역 안·밖에 있으면", "Inside or outside an area"),
    v.Near: ("진행 중인 사건 가까이에서", "Near an open incident"),
    v.Quorum: ("여러 장치가 알리면", "Quorum of devices"),
    v.Schedule: ("정해진 시각에", "At a time"),
}
CONDITIONS: Mapping[type, tuple[str, str]] = {
    v.OfClass: ("신호 종류", "Signal class"),
    v.FromSource: ("출처", "Source"),
    v.OfDevice: ("장치", "Device"),
    v.InDistrict: ("읍면동", "District"),
    v.InArea: ("구역", "Area"),
    v.AtTime: ("시간대·요일", "Time of day"),
    v.OfAttribute: ("속성 비교", "Attribute"),
    v.OneOf: ("속성 값 목록", "Attribute is one of"),
    v.NearOpen: ("가까운 진행 중 사건", "Near an open incident"),
    v.AtLeastSure: ("확신도", "Confidence"),
    v.AsUrgent: ("우선순위", "Priority"),
}
EFFECTS: Mapping[type, tuple[str, str]] = {
    v.Record: ("경과 기록", "Record"),
    v.Show: ("카메라 보이기", "Show cameras"),
    v.SetPriority: ("우선순위 정하기", "Set priority"),
    v.StartSop: ("SOP 시작", "Start a checklist"),
    v.Ask: ("관제원에게 묻기", "Ask the operator"),
    v.Message: ("상황 전파", "Send a situation message"),
}
SOURCES: Mapping[type, tuple[str, str]] = {
    v.Reading: ("측정값", "Reading of the hub"),
    v.Heard: ("신호", "Signal"),
}
_FIELDS: Mapping[str, tuple[str, str]] = {
    "source": ("대상", "What"),
    "limit": ("기준값", "Limit"),
    "side": ("방향", "Side"),
    "reset": ("해제값", "Back to"),
    "dwell_s": ("지속 시간", "Stands for"),
    "n": ("횟수", "Times"),
    "window_s": ("시간 범위", "Window"),
    "first": ("먼저", "First"),
    "then": ("다음", "Then"),
    "within_s": ("시간 범위", "Within"),
    "for_s": ("시간", "For"),
    "since": ("시작 조건", "Since"),
    "by": ("변화량", "By"),
    "direction": ("방향", "Direction"),
    "changes": ("바뀐 횟수", "Changes"),
    "area": ("구역", "Area"),
    "radius_m": ("반경", "Radius"),
    "classes": ("종류", "Classes"),
    "k": ("장치 수", "Devices at least"),
    "devices": ("장치 목록", "Devices"),
    "at": ("시각", "At"),
    "weekdays": ("요일", "Weekdays"),
    "sources": ("출처", "Sources"),
    "districts": ("읍면동", "Districts"),
    "start": ("부터", "From"),
    "end": ("까지", "To"),
    "negate": ("아님", "Not"),
    "name": ("속성", "Attribute"),
    "is": ("비교", "Compares"),
    "value": ("값", "Value"),
    "values": ("값 목록", "Values"),
    "at_least": ("최소", "At least"),
    "at_most": ("최대", "At most"),
    "text_ko": ("문구", "Text (Korean)"),
    "text_en": ("영문 문구", "Text (English)"),
    "cameras": ("대수", "Cameras"),
    "camera_ids": ("카메라 지정", "These cameras"),
    "priority": ("우선순위", "Priority"),
    "code": ("SOP 코드", "Checklist"),
    "propose": ("제안", "Proposes"),
    "agency": ("기관", "Agency"),
    "level": ("위기 단계", "Level"),
    "tiers": ("전파 대상", "Tiers"),
    "quiet_s": ("말한 뒤 조용한 시간", "Quiet after it spoke"),
    "late_s": ("늦은 사실을 기다리는 시간", "Waits for late facts"),
    "type": ("개체 유형", "Entity type"),
    "attribute": ("속성", "Attribute"),
    "where": ("조건", "Where"),
}
_KINDS: Mapping[str, str] = {
    "source": "source",
    "first": "source",
    "then": "source",
    "since": "source",
    "area": "area",
    "where": "conditions",
    "classes": "classes",
    "weekdays": "weekdays",
    "sources": "sources",
    "districts": "districts",
    "devices": "texts",
    "camera_ids": "cameras",
    "tiers": "tiers",
    "values": "scalars",
    "value": "scalar",
    "code": "sop",
    "agency": "agency",
    "start": "clock",
    "end": "clock",
    "at": "clock",
    "type": "entity_type",
    "attribute": "attribute",
    "name": "attribute",
}


@lru_cache(maxsize=1)
def vocabulary() -> JsonRow:
    """Everything a form needs that is the same in every city."""
    return {
        "operators": [_form(kind, "op", named) for kind, named in OPERATORS.items()],
        "conditions": [_form(kind, "on", named) for kind, named in CONDITIONS.items()],
        "effects": [{**_form(kind, "do", named), "class": v.EFFECT_CLASS[kind]} for kind, named in EFFECTS.items()],
        "sources": [_form(kind, "from", named) for kind, named in SOURCES.items()],
        "classes": [{"code": one.code, "ko": one.ko, "en": one.en} for one in CLASSES.values()],
        "source_kinds": [{"code": code, "ko": ko, "en": code} for code, ko in SOURCES_KO.items()],
        "weekdays": [{"code": code, "ko": ko, "en": code.capitalize()} for code, ko in WEEKDAYS_KO.items()],
        "tiers": [{"code": code, "ko": ko, "en": code.capitalize()} for code, ko in TIERS_KO.items()],
        "per": [
            {"code": "device", "ko": "장치마다", "en": "Each device"},
            {"code": "district", "ko": "읍면동마다", "en": "Each district"},
            {"code": "all", "ko": "전체를 함께", "en": "All together"},
        ],
        "rule": [_field(info) for info in msgspec.structs.fields(v.Rule) if info.encode_name in ("quiet_s", "late_s")],
    }


def _form(kind: type, tag_field: str, named: tuple[str, str]) -> JsonRow:
    tag = kind.__struct_config__.tag  # type: ignore[attr-defined]  # every part is a msgspec struct
    fields = [_field(info) for info in msgspec.structs.fields(kind)]
    return {tag_field: tag, "ko": named[0], "en": named[1], "fields": fields}


def _field(info: msgspec.structs.FieldInfo) -> JsonRow:
    name = info.encode_name
    ko, en = _FIELDS.get(name, (name, name))
    schema = msgspec.json.schema(info.type)
    required = info.default is msgspec.NODEFAULT and info.default_factory is msgspec.NODEFAULT
    default = None if required or info.default is msgspec.NODEFAULT else msgspec.to_builtins(info.default)
    found: JsonRow = {"name": name, "ko": ko, "en": en, "kind": _kind(name, schema), "required": required}
    found |= {"default": default} if not required else {}
    plain = _plain(schema)
    bounds = {"minimum": "min", "maximum": "max", "minItems": "min_items", "maxItems": "max_items", "enum": "options"}
    found |= {ours: plain[theirs] for theirs, ours in bounds.items() if theirs in plain}
    if name.endswith("_s"):
        found["unit"] = "s"
    elif name.endswith("_m"):
        found["unit"] = "m"
    if found["kind"] == "source":
        found["options"] = _tags(info.type)
    return found


def _tags(kind: Any) -> list[str]:  # Any: a type, or a union of them
    """Which of the source forms a field takes."""
    kinds = get_args(kind) or (kind,)
    return [str(one.__struct_config__.tag) for one in kinds if one is not NoneType]


def _kind(name: str, schema: Mapping[str, Any]) -> str:  # Any: JSON Schema
    if name in _KINDS:
        return _KINDS[name]
    plain = _plain(schema)
    if "enum" in plain:
        return "choice"
    return {"integer": "integer", "number": "number", "boolean": "boolean"}.get(str(plain.get("type")), "text")


def _plain(schema: Mapping[str, Any]) -> JsonRow:  # Any: JSON Schema
    """What a member is where it is not null."""
    choices: list[JsonRow] = schema.get("anyOf", [dict(schema)])
    return next((one for one in choices if one.get("type") != "null"), {})
