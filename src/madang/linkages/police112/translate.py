"""Between the contract's messages and the platform's own words. Pure; reading a call never fails."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from madang.kernel.canonical import canonical_json
from madang.kernel.clock import instant_text, parse_instant
from madang.linkages.police112.wire import SCHEMA_VER, SOURCE, Envelope
from madang.response.commands import CallKey, Word
from madang.response.domain import SaidPlace, Step
from madang.response.hearing import place_fact

Json = Mapping[str, Any]  # Any: JSON values

_TEXT_LIMIT = 4000
_ENDING = {"VideoCancel": Step.CANCEL, "CallClosed": Step.CLOSE}


def word_of(message: Envelope) -> Word:
    """What a message says about its call. Whatever cannot be used becomes a doubt, never an error."""
    key = CallKey(message.recipient, message.mode, SOURCE, message.sender, message.dialogue_id)
    seq = message.seq or 1
    ending = _ENDING.get(message.kind)
    if ending is not None:
        return Word(key, seq, {}, ending=ending, reason=_reason(message.body), message_id=message.msg_id)
    if message.kind == "ResultReport":
        told = _clean_text(message.body.get("text"))
        return Word(key, seq, _result(message.body), reason=told, message_id=message.msg_id)
    reader = _Reader(message.body)
    return Word(
        key,
        seq,
        reader.facts(),
        caller=reader.caller(),
        request=message.kind == "VideoRequest",
        message_id=message.msg_id,
    )


def _reason(body: Json) -> str:
    words = [body.get("reason"), body.get("text")]
    return _clean(" · ".join(word for word in words if isinstance(word, str) and word.strip()), 500)


def _clean_text(said: object) -> str:
    """What somebody wrote; "" where it is no text."""
    return _clean(said, _TEXT_LIMIT) if isinstance(said, str) else ""


def _result(body: Json) -> dict[str, Any]:  # Any: JSON values
    outcome = body.get("outcome")
    return {"outcome": _clean(outcome, 64) if isinstance(outcome, str) and outcome.strip() else "other"}


class _Reader:
    """Reads the facts of one body, noting each doubt by the name of its field."""

    def __init__(self, body: Json) -> None:
        self._body = body
        self._doubts: dict[str, str] = {}

    def facts(self) -> dict[str, Any]:  # Any: JSON values
        """The usable facts, and `doubt:<field>` for every field that was said (empty where nothing is wrong)."""
        said = {
            "class": self._text("crime_class", 64),
            "code": self._code(),
            "place": self._place(),
            "radius_m": self._radius(),
            "basis": self._text("basis", 64),
            "officer": self._officer(),
            "text": self._text("text", _TEXT_LIMIT),
            "received_at": self._instant("received_at"),
        }
        doubts = {f"doubt:{name}": why for name, why in self._doubts.items()}
        return {name: value for name, value in said.items() if value is not None} | doubts

    def caller(self) -> dict[str, str]:
        """Who called, as far as readable."""
        said = self._body.get("caller")
        if not isinstance(said, Mapping):
            return {}
        limits = {"phone": 32, "name": 100}
        return {name: _clean(said[name], limit) for name, limit in limits.items() if isinstance(said.get(name), str)}

    def _note(self, field: str, why: str) -> None:
        self._doubts[field] = why

    def _text(self, name: str, limit: int) -> str | None:
        value = self._body.get(name)
        if value is None:
            return None
        if not isinstance(value, str):
            self._note(name, "not_text")
            return None
        self._note(name, "cut" if len(value) > limit else "")
        return _clean(value, limit)

    def _code(self) -> int | None:
        value = self._body.get("code")
        if value is None:
            return None
        number = _number(value)
        if number is None or number not in range(5):
            self._note("code", "not_a_code")
            return None
        self._note("code", "")
        return int(number)

    def _radius(self) -> float | None:
        value = self._body.get("radius_m")
        if value is None:
            return None
        number = _number(value)
        if number is None or not 10 <= number <= 5000:
            self._note("radius_m", "out_of_range")
            return None
        self._note("radius_m", "")
        return number

    def _place(self) -> dict[str, Any] | None:  # Any: JSON values
        value = self._body.get("place")
        if value is None:
            return None
        if not isinstance(value, Mapping):
            self._note("place", "not_an_object")
            return None
        self._note("place", "")
        return place_fact(
            SaidPlace(
                lon=self._coordinate(value, "lon"),
                lat=self._coordinate(value, "lat"),
                accuracy_m=self._accuracy(value),
                address=self._address(value),
            )
        )

    def _coordinate(self, place: Json, name: str) -> float | None:
        value = place.get(name)
        number = None if value is None else _number(value)
        self._note(f"place.{name}", "not_a_number" if value is not None and number is None else "")
        return number

    def _accuracy(self, place: Json) -> float | None:
        value = place.get("accuracy_m")
        number = None if value is None else _number(value)
        good = number is not None and 0 <= number <= 1_000_000
        self._note("place.accuracy_m", "not_a_length" if value is not None and not good else "")
        return number if good else None

    def _address(self, place: Json) -> str:
        value = place.get("address")
        self._note("place.address", "not_text" if value is not None and not isinstance(value, str) else "")
        return _clean(value, 500) if isinstance(value, str) else ""

    def _officer(self) -> dict[str, str] | None:
        value = self._body.get("officer")
        if value is None:
            return None
        if not isinstance(value, Mapping) or not isinstance(value.get("id"), str) or not value["id"].strip():
            self._note("officer", "no_id")
            return None
        self._note("officer", "")
        limits = {"id": 64, "name": 100, "unit": 100}
        return {name: _clean(value[name], limit) for name, limit in limits.items() if isinstance(value.get(name), str)}

    def _instant(self, name: str) -> str | None:
        value = self._body.get(name)
        if value is None:
            return None
        try:
            instant = instant_text(parse_instant(value))
        except (ValueError, TypeError, OverflowError):
            self._note(name, "not_an_instant")
            return None
        self._note(name, "")
        return instant


def _clean(text: str, limit: int) -> str:
    """At most `limit` characters, without NUL, which PostgreSQL cannot keep."""
    return text.replace("\x00", "")[:limit]


def _number(value: object) -> float | None:
    """A finite number, also one sent as text; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


# ------------------------------------------------------------------------------------------------ outward


def envelope(
    kind: str,
    body: Json,
    *,
    msg_id: str,
    dialogue_id: str,
    sender: str,
    recipient: str,
    mode: str,
    sent_at: datetime,
    in_reply_to: str | None = None,
) -> bytes:
    """A message as it goes over the wire: the same bytes on every attempt."""
    return canonical_json(
        {
            "kind": kind,
            "schema_ver": SCHEMA_VER,
            "msg_id": msg_id,
            "dialogue_id": dialogue_id,
            "sent_at": instant_text(sent_at),
            "from": sender,
            "to": recipient,
            "mode": mode,
            "in_reply_to": in_reply_to,
            "body": dict(body),
        }
    )


NOTICE_TEXTS: Mapping[str, tuple[str, str]] = {
    "received": ("사건 {number} 접수", "Incident {number} is open"),
    "unlocated": (
        "위치가 확인되지 않아 관제요원이 찾고 있습니다",
        "The place is not known yet; an operator is looking",
    ),
    "located": ("위치가 확인되었습니다", "The place is known now"),
    "approximate": ("대략적인 위치로 카메라를 골랐습니다", "The place is rough; cameras are chosen around it"),
    "outside": ("위치가 관할 밖입니다. 확인하십시오", "The place lies outside the city; please check"),
    "doubt": ("사용할 수 없는 값이 있어 따로 두었습니다", "Some values could not be used and were set aside"),
    "closed": ("관제센터에서 사건을 종결했습니다", "The control room closed the incident"),
    "dismissed": ("관제센터에서 사건을 기각했습니다", "The control room dismissed the incident"),
    "reopened": ("관제센터에서 사건을 다시 열었습니다", "The control room reopened the incident"),
    "late": ("종료 후의 통보를 기록했습니다", "This came after the end and was recorded"),
}


def notice_body(topic: str, *, number: str, place: Json | None, doubts: list[dict[str, str]]) -> dict[str, Any]:
    """The body of a `Notice`. `doubts` may be empty."""
    ko, en = NOTICE_TEXTS[topic]
    return {
        "topic": topic,
        "text_ko": ko.format(number=number),
        "text_en": en.format(number=number),
        "incident_number": number,
        "place": None if place is None else dict(place),
        "doubts": [{"field": doubt["field"], "why": doubt["why"]} for doubt in doubts],
    }


def topic_of_place(state: str) -> str:
    """Which notice tells the agency how well its place was understood; "" when there is nothing to say."""
    return {"unlocated": "unlocated", "approximate": "approximate", "outside": "outside"}.get(state, "")
