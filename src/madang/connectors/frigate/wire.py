"""What Frigate publishes, read strictly where it matters: review items, tracked objects, the state of cameras. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import msgspec

from madang.connectors.frigate.config import IGNORE, ClassRule
from madang.kernel.canonical import parse_json

_Id = Annotated[str, msgspec.Meta(min_length=1, max_length=120)]
_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
_Time = Annotated[float, msgspec.Meta(gt=0, lt=4e9)]
Step = Literal["new", "update", "end"]


class _ReviewData(msgspec.Struct, frozen=True):
    detections: list[str] = []
    objects: list[str] = []
    sub_labels: list[Any] = []  # Any: text, or text with a score
    zones: list[str] = []
    audio: list[str] = []


class _Review(msgspec.Struct, frozen=True):
    id: _Id
    camera: _Name
    start_time: _Time
    severity: str = "detection"
    end_time: _Time | None = None
    thumb_path: str | None = None
    data: _ReviewData = _ReviewData()


class _Tracked(msgspec.Struct, frozen=True):
    id: _Id
    camera: _Name
    label: _Name
    start_time: _Time
    end_time: _Time | None = None
    frame_time: _Time | None = None
    false_positive: bool = False
    score: float | None = None
    top_score: float | None = None
    sub_label: Any = None  # Any: text, text with a score, or null
    entered_zones: list[str] = []
    has_snapshot: bool = False


class _ReviewMessage(msgspec.Struct, frozen=True):
    type: Step
    after: _Review


class _EventMessage(msgspec.Struct, frozen=True):
    type: Step
    after: _Tracked


@dataclass(frozen=True, slots=True)
class Seen:
    """A review item or a tracked object, as one message tells it. Times are Unix seconds."""

    id: str
    camera: str
    step: Step
    began_s: float
    ended_s: float | None
    severity: str
    labels: tuple[str, ...]
    zones: tuple[str, ...]
    sub_labels: tuple[str, ...]
    detections: tuple[str, ...]
    score: float | None
    false_positive: bool
    media_ref: str


@dataclass(frozen=True, slots=True)
class CameraState:
    """Whether Frigate gets pictures of a camera."""

    camera: str
    online: bool


Message = Seen | CameraState


def read(topic: str, payload: bytes, prefix: str, most: int) -> Message | None:
    """A message; None for topics that say nothing here. Raises `ValueError` or `MadangError` for what is broken."""
    name = topic.removeprefix(prefix + "/")
    if name == "reviews":
        return _review(msgspec.convert(parse_json(payload, max_bytes=most, where="payload"), _ReviewMessage))
    if name == "events":
        return _event(msgspec.convert(parse_json(payload, max_bytes=most, where="payload"), _EventMessage))
    levels = name.split("/")
    if len(levels) == 3 and levels[1:] == ["status", "detect"]:
        said = payload[:20].decode("utf-8", "replace").strip()
        return CameraState(levels[0], said == "online") if said in ("online", "offline") else None
    return None


def _review(message: _ReviewMessage) -> Seen:
    one = message.after
    return Seen(
        one.id,
        one.camera,
        "end" if one.end_time is not None else message.type,
        one.start_time,
        one.end_time,
        "alert" if one.severity == "alert" else "detection",
        _few((*one.data.objects, *one.data.audio)),
        _few(one.data.zones),
        _few(map(_label, one.data.sub_labels)),
        tuple(one.data.detections[:200]),
        None,
        False,
        (one.thumb_path or "")[:500],
    )


def _event(message: _EventMessage) -> Seen:
    one = message.after
    score = max((value for value in (one.score, one.top_score) if value is not None), default=None)
    return Seen(
        one.id,
        one.camera,
        "end" if one.end_time is not None else message.type,
        one.start_time,
        one.end_time,
        "alert" if one.entered_zones else "detection",
        (_plain(one.label),),
        _few(one.entered_zones),
        _few([_label(one.sub_label)]),
        (),
        score if score is not None and 0 <= score <= 1 else None,
        one.false_positive,
        f"frigate:events/{one.id}/snapshot" if one.has_snapshot else "",
    )


def _label(value: Any) -> str:  # Any: text, text with a score, or null
    if isinstance(value, list) and value:
        value = value[0]
    return value if isinstance(value, str) else ""


def _plain(label: str) -> str:
    return label.removesuffix("-verified")[:60]


def _few(names: Any) -> tuple[str, ...]:  # Any: an iterable of texts
    return tuple(dict.fromkeys(_plain(name) for name in names if name))[:20]


def rule_for(rules: Sequence[ClassRule], seen: Seen, score: float | None) -> ClassRule | None:
    """The first rule that matches; None where none does or it says to ignore it."""
    for rule in rules:
        if (
            (not rule.label or rule.label in seen.labels)
            and (not rule.zone or rule.zone in seen.zones)
            and (not rule.camera or rule.camera == seen.camera)
            and (not rule.severity or rule.severity == seen.severity)
            and (score is None or score >= rule.least_score)
        ):
            return None if rule.class_code == IGNORE else rule
    return None
