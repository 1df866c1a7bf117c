"""The closed vocabulary of rules: typed structs, their JSON and its published JSON Schema. Pure.

A rule says WHEN (one operator over sources), under which conditions, which signal it makes and what should be done
with the incident that signal ends in. There is no expression language and no regular expression: what is not in here
cannot be said, so every rule can be drawn as a form, bounded before it runs and replayed.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from madang.kernel.canonical import parse_json
from madang.kernel.errors import BadRequestError

MAX_BYTES = 32_000
MAX_DEPTH = 33
SCHEMA_ID = "https://madang.example/schemas/rule-1.json"
WEEK_S = 604_800

Name = Annotated[str, Meta(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f<>\"'`{}\\]*$")]
Code = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_\-]{0,63}$")]
Words = Annotated[str, Meta(max_length=300)]
Wait = Annotated[int, Meta(ge=0, le=86_400, description="seconds, at most a day")]
Window = Annotated[int, Meta(ge=1, le=WEEK_S, description="seconds, at most a week")]
Metres = Annotated[float, Meta(ge=1, le=50_000)]
Number = Annotated[float, Meta(ge=-1e12, le=1e12)]
Longitude = Annotated[float, Meta(ge=124, le=132)]
Latitude = Annotated[float, Meta(ge=33, le=39)]
Clock = Annotated[str, Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$", description="Asia/Seoul, HH:MM")]
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Priority = Annotated[int, Meta(ge=0, le=4)]
SourceKind = Literal["sensor", "bell", "frigate", "onvif", "agency", "citizen", "operator", "rule", "facility"]
Level = Literal["notice", "attention", "caution", "alert", "serious"]
Tier = Literal["department", "city", "province", "national", "agency", "field"]
Names = Annotated[tuple[Name, ...], Meta(min_length=1, max_length=64)]
Codes = Annotated[tuple[Code, ...], Meta(min_length=1, max_length=64)]
Scalar = bool | Number | Annotated[str, Meta(max_length=200)]


class _Part(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What every part of a rule is: immutable, and closed to unknown members."""


# ------------------------------------------------------------------------------------------------------- places


class Circle(_Part, tag_field="shape", tag="circle", frozen=True, kw_only=True):
    """Around a point, metres."""

    lon: Longitude
    lat: Latitude
    radius_m: Metres


class Polygon(_Part, tag_field="shape", tag="polygon", frozen=True, kw_only=True):
    """A simple ring of corners, longitude first; it need not be closed."""

    ring: Annotated[tuple[tuple[Longitude, Latitude], ...], Meta(min_length=3, max_length=200)]


Area = Circle | Polygon

# --------------------------------------------------------------------------------------------------- conditions


class OfClass(_Part, tag_field="on", tag="class", frozen=True, kw_only=True):
    """The signal is of one of these classes."""

    classes: Codes
    negate: bool = False


class FromSource(_Part, tag_field="on", tag="source", frozen=True, kw_only=True):
    """It came by one of these ways."""

    sources: Annotated[tuple[SourceKind, ...], Meta(min_length=1, max_length=9)]
    negate: bool = False


class OfDevice(_Part, tag_field="on", tag="device", frozen=True, kw_only=True):
    """One of these saw it: bell numbers, camera ids, entity ids."""

    devices: Names
    negate: bool = False


class InDistrict(_Part, tag_field="on", tag="district", frozen=True, kw_only=True):
    """It lies in one of these districts, by code or Korean name. What has no known place lies in none."""

    districts: Names
    negate: bool = False


class InArea(_Part, tag_field="on", tag="area", frozen=True, kw_only=True):
    """It lies in an area. What has no known place lies in none."""

    area: Area
    negate: bool = False


class AtTime(_Part, tag_field="on", tag="time", frozen=True, kw_only=True):
    """It happened between two times of the day in Seoul (over midnight where `end` is the smaller), on these days.

    After midnight of a night that began the day before, it is the day the night began on that counts.
    """

    start: Clock = "00:00"
    end: Clock = "00:00"
    weekdays: Annotated[tuple[Weekday, ...], Meta(max_length=7)] = ()
    negate: bool = False


class OfAttribute(_Part, tag_field="on", tag="attribute", frozen=True, kw_only=True):
    """An attribute of the entity or signal compares like this; one that is not known compares with nothing."""

    name: Name
    is_: Literal["==", "!=", "<", "<=", ">", ">=", "known"] = msgspec.field(name="is")
    value: Scalar | None = None


class OneOf(_Part, tag_field="on", tag="one_of", frozen=True, kw_only=True):
    """An attribute is one of these values."""

    name: Name
    values: Annotated[tuple[Scalar, ...], Meta(min_length=1, max_length=64)]
    negate: bool = False


class NearOpen(_Part, tag_field="on", tag="near", frozen=True, kw_only=True):
    """An incident of these classes (any, where none is named) stands open within so many metres."""

    radius_m: Metres
    classes: Annotated[tuple[Code, ...], Meta(max_length=64)] = ()
    negate: bool = False


class AtLeastSure(_Part, tag_field="on", tag="confidence", frozen=True, kw_only=True):
    """The source is at least so sure, 0 to 1; one that does not say is not."""

    at_least: Annotated[float, Meta(ge=0, le=1)]


class AsUrgent(_Part, tag_field="on", tag="priority", frozen=True, kw_only=True):
    """The signal proposes this priority or a more urgent one (0 is the most urgent)."""

    at_most: Priority


Condition = (
    OfClass
    | FromSource
    | OfDevice
    | InDistrict
    | InArea
    | AtTime
    | OfAttribute
    | OneOf
    | NearOpen
    | AtLeastSure
    | AsUrgent
)
Conditions = Annotated[tuple[Condition, ...], Meta(max_length=12)]

# ------------------------------------------------------------------------------------------------------ sources


class Reading(_Part, tag_field="from", tag="reading", frozen=True, kw_only=True):
    """An attribute of the hub's entities of one type was written."""

    type: Name
    attribute: Name
    where: Conditions = ()


class Heard(_Part, tag_field="from", tag="signal", frozen=True, kw_only=True):
    """Signals of these classes came in. What rules made is heard only where `rule` is named in `sources`."""

    classes: Codes
    sources: Annotated[tuple[SourceKind, ...], Meta(max_length=9)] = ()
    where: Conditions = ()


Source = Reading | Heard

# ---------------------------------------------------------------------------------------------------- operators


class Happens(_Part, tag_field="op", tag="happens", frozen=True, kw_only=True):
    """Each time."""

    source: Source


class Threshold(_Part, tag_field="op", tag="threshold", frozen=True, kw_only=True):
    """A value stands at or beyond `limit` for `dwell_s`; it counts as over when it falls back to `reset`."""

    source: Reading
    limit: Number
    side: Literal["above", "below"] = "above"
    reset: Number | None = None
    dwell_s: Wait = 0


class Count(_Part, tag_field="op", tag="count", frozen=True, kw_only=True):
    """At least `n` in any `window_s`."""

    source: Source
    n: Annotated[int, Meta(ge=2, le=500)]
    window_s: Window


class Sequence(_Part, tag_field="op", tag="sequence", frozen=True, kw_only=True):
    """First the one, then the other, within `within_s`."""

    first: Source
    then: Source
    within_s: Window


class Absence(_Part, tag_field="op", tag="absence", frozen=True, kw_only=True):
    """`source` does not come for `for_s` since `since` came; without `since`: since it came itself the last time."""

    source: Source
    for_s: Window
    since: Source | None = None


class Rate(_Part, tag_field="op", tag="rate", frozen=True, kw_only=True):
    """A value rises (falls, moves either way) by at least `by` within `window_s`."""

    source: Reading
    by: Annotated[float, Meta(gt=0, le=1e12)]
    window_s: Window
    direction: Literal["rise", "fall", "either"] = "rise"


class Flap(_Part, tag_field="op", tag="flap", frozen=True, kw_only=True):
    """A value changes at least `changes` times within `window_s`."""

    source: Reading
    changes: Annotated[int, Meta(ge=2, le=200)]
    window_s: Window


class Whereabouts(_Part, tag_field="op", tag="area", frozen=True, kw_only=True):
    """Something that moves is inside (outside) an area for `for_s`, its stated accuracy allowed for."""

    source: Reading
    area: Area
    side: Literal["inside", "outside"] = "outside"
    for_s: Wait = 0


class Near(_Part, tag_field="op", tag="near", frozen=True, kw_only=True):
    """It happens within `radius_m` of an open incident."""

    source: Source
    radius_m: Metres
    classes: Annotated[tuple[Code, ...], Meta(max_length=64)] = ()


class Quorum(_Part, tag_field="op", tag="quorum", frozen=True, kw_only=True):
    """At least `k` different devices (of these, where they are named) say so within `window_s`."""

    source: Source
    k: Annotated[int, Meta(ge=2, le=100)]
    window_s: Window
    devices: Annotated[tuple[Name, ...], Meta(max_length=200)] = ()


class Schedule(_Part, tag_field="op", tag="schedule", frozen=True, kw_only=True):
    """At a time of the day in Seoul, on these weekdays (every day, where none is named)."""

    at: Clock
    weekdays: Annotated[tuple[Weekday, ...], Meta(max_length=7)] = ()


When = Happens | Threshold | Count | Sequence | Absence | Rate | Flap | Whereabouts | Near | Quorum | Schedule

# ------------------------------------------------------------------------------------------------------ effects


class Record(_Part, tag_field="do", tag="record", frozen=True, kw_only=True):
    """Writes a line on the timeline."""

    text_ko: Words = ""
    text_en: Words = ""


class Show(_Part, tag_field="do", tag="show", frozen=True, kw_only=True):
    """Puts cameras before the operator: the best so many for the place, or these."""

    cameras: Annotated[int, Meta(ge=1, le=12)] = 4
    camera_ids: Annotated[tuple[Name, ...], Meta(max_length=12)] = ()


class SetPriority(_Part, tag_field="do", tag="set_priority", frozen=True, kw_only=True):
    """Sets the incident's priority; None asks the table `priority`."""

    priority: Priority | None = None


class StartSop(_Part, tag_field="do", tag="start_sop", frozen=True, kw_only=True):
    """Starts a checklist."""

    code: Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9가-힣_.\-]+$")]


class Ask(_Part, tag_field="do", tag="ask", frozen=True, kw_only=True):
    """Asks the operator something; `propose` grant: whether an agency should be given the pictures."""

    text_ko: Annotated[str, Meta(min_length=1, max_length=300)]
    text_en: Words = ""
    propose: Literal["", "grant"] = ""
    agency: Annotated[str, Meta(max_length=40)] = ""


class Message(_Part, tag_field="do", tag="message", frozen=True, kw_only=True):
    """Sends a situation message outside. Without tiers, the table `notify` says to whom."""

    text_ko: Annotated[str, Meta(min_length=1, max_length=300)]
    text_en: Words = ""
    level: Level = "attention"
    tiers: Annotated[tuple[Tier, ...], Meta(max_length=6)] = ()


Effect = Record | Show | SetPriority | StartSop | Ask | Message

# ----------------------------------------------------------------------------------------------------- the rule


class Making(_Part, frozen=True, kw_only=True):
    """The signal a rule makes. Without a priority the table `priority` is asked, then the class's own policy."""

    class_code: Code
    priority: Priority | None = None
    text_ko: Words = ""
    text_en: Words = ""


class Rule(_Part, frozen=True, kw_only=True):
    """One rule. `per` says what is counted together; `quiet_s` how long it keeps still after it spoke.

    Times are those of the facts; one that comes later than `late_s` behind the newest of its group only annotates.
    Without a `signal` a rule is only recorded.
    """

    title_ko: Annotated[str, Meta(min_length=1, max_length=100)]
    title_en: Annotated[str, Meta(max_length=100)] = ""
    when: When
    per: Literal["device", "district", "all"] = "device"
    conditions: Conditions = ()
    signal: Making | None = None
    effects: Annotated[tuple[Effect, ...], Meta(max_length=8)] = ()
    quiet_s: Wait = 300
    late_s: Annotated[int, Meta(ge=0, le=300)] = 30


_DECODER = msgspec.json.Decoder(Rule)


def read_rule(data: bytes | dict[str, Any]) -> Rule:  # Any: JSON members
    """A rule from its JSON; raises `BadRequestError` naming the member, or `TooLargeError`."""
    raw = data if isinstance(data, bytes) else msgspec.json.encode(data)
    parse_json(raw, max_bytes=MAX_BYTES, max_depth=MAX_DEPTH, where="rule")
    try:
        return _DECODER.decode(raw)
    except msgspec.ValidationError as error:
        said, _, where = str(error).partition(" - at `$")
        raise BadRequestError(
            f"the rule cannot be read: {said}",
            where=f"definition{where.rstrip('`')}",
            hint="Correct this member; /api/console/rules/schema describes every one",
            ko=f"규칙을 읽을 수 없습니다. 표시된 항목을 고치십시오: {where.rstrip('`').lstrip('.') or '전체'}",
        ) from None


def write_rule(rule: Rule) -> dict[str, Any]:  # Any: JSON members
    """The rule's JSON, with every default left out."""
    found: dict[str, Any] = msgspec.to_builtins(rule)
    return found


@lru_cache(maxsize=1)
def rule_schema() -> dict[str, Any]:  # Any: JSON Schema
    """The JSON Schema (2020-12) of a rule."""
    schema = msgspec.json.schema(Rule)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": SCHEMA_ID, **schema}


def sources_of(when: When) -> tuple[Source, ...]:
    """What an operator listens to, each with its role: the first is 0."""
    if isinstance(when, Schedule):
        return ()
    if isinstance(when, Sequence):
        return (when.first, when.then)
    if isinstance(when, Absence) and when.since is not None:
        return (when.source, when.since)
    return (when.source,)


def all_conditions(rule: Rule) -> Iterator[Condition]:
    """Every condition of a rule, those of its sources too."""
    yield from rule.conditions
    for source in sources_of(rule.when):
        yield from source.where


EFFECT_CLASS: dict[type[_Part], str] = {
    Record: "record",
    Show: "show",
    SetPriority: "show",
    StartSop: "show",
    Ask: "ask",
    Message: "act_externally",
}
"""What an effect touches: the record, the operator's screen, the operator's decision, or somebody outside."""


def acts_externally(rule: Rule) -> bool:
    """Whether anything of it reaches beyond the control room."""
    return any(EFFECT_CLASS[type(effect)] == "act_externally" for effect in rule.effects)
