"""The JSON Schema of the files that are handed out, published at `/api/console/reviews/schema`."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]  # Any: JSON values

_TEXT: Json = {"type": "string"}
_NUMBER: Json = {"type": "number"}
_COUNT: Json = {"type": "integer", "minimum": 0}
_AT: Json = {"type": "string", "format": "date-time"}


def _or_null(schema: Json) -> Json:
    return {"anyOf": [schema, {"type": "null"}]}


def _object(required: Json, optional: Json | None = None) -> Json:
    return {"type": "object", "required": sorted(required), "properties": required | (optional or {})}


def _list(**members: Json) -> Json:
    return {"type": "array", "items": _object(members)}


_MAYBE = _or_null(_NUMBER)
_MAYBE_AT = _or_null(_AT)
_REPORT = _object(
    {
        "format": {"const": "madang-after-action/1"},
        "id": _TEXT,
        "number": {"const": 1},
        "made_at": _AT,
        "authority": _object({"code": _TEXT, "name_ko": _TEXT, "name_en": _TEXT}),
        "mode": {"enum": ["live", "exercise", "simulated"]},
        "incident": _object(
            {
                "id": _TEXT,
                "number": _TEXT,
                "class_code": _TEXT,
                "class_ko": _TEXT,
                "priority": {"type": "integer", "minimum": 0, "maximum": 4},
                "state": _TEXT,
                "place": _object({"lon": _MAYBE, "lat": _MAYBE, "address": _TEXT, "district": _TEXT}),
                "opened_at": _AT,
                "closed_at": _MAYBE_AT,
                "owner": _TEXT,
            }
        ),
        "timings": _list(key=_TEXT, ko=_TEXT, en=_TEXT, from_at=_MAYBE_AT, to_at=_MAYBE_AT, seconds=_MAYBE),
        "timeline": _list(seq=_COUNT, at=_AT, actor=_TEXT, kind=_TEXT, ko=_TEXT, en=_TEXT, hash=_TEXT),
        "timeline_total": _COUNT,
        "timeline_broken_at": _or_null(_COUNT),
        "signals": _object(
            {
                "total": _COUNT,
                "events_total": _COUNT,
                "by_source": {"type": "object", "additionalProperties": _COUNT},
                "events": _list(class_code=_TEXT, source=_TEXT, device=_TEXT, first_at=_TEXT, signals=_COUNT),
                "merged": _list(number=_TEXT, opened_at=_AT),
                "parent": _or_null(_TEXT),
                "children": _list(number=_TEXT),
            }
        ),
        "grants": _list(kind=_TEXT, state=_TEXT, recipient=_TEXT, basis=_TEXT, requested_at=_AT, requested_by=_TEXT),
        "views": _list(camera_id=_TEXT, camera=_TEXT, viewer=_TEXT, basis=_TEXT, started_at=_AT, seconds=_NUMBER),
        "cameras": _list(id=_TEXT, label=_TEXT, lon=_MAYBE, lat=_MAYBE, views=_COUNT, seconds=_NUMBER),
        "evidence": _list(kind=_TEXT, state=_TEXT, camera=_TEXT, taken_by=_TEXT, wanted_at=_AT, digest=_TEXT),
        "exports": _list(state=_TEXT, office=_TEXT, basis=_TEXT, requested_by=_TEXT, requested_at=_AT),
        "tasks": _list(kind=_TEXT, ko=_TEXT, state=_TEXT, due_at=_AT, done_at=_MAYBE_AT, late={"type": "boolean"}),
        "checklists": _list(code=_TEXT, ko=_TEXT, phase=_TEXT, steps={"type": "array"}),
        "messages": _list(level=_TEXT, ko=_TEXT, sent_at=_AT, sent_by=_TEXT, deliveries={"type": "array"}),
        "handovers": _list(**{"from": _TEXT, "to": _TEXT, "offered_at": _AT, "state": _TEXT}),
        "log": _list(channel=_TEXT, text=_TEXT, said_at=_AT, by=_TEXT),
        "rules": _list(rule=_TEXT, effect=_TEXT, state=_TEXT, at=_AT),
        "alarm_load": _object(
            {"from_at": _AT, "to_at": _AT, "items": _COUNT, "known": _NUMBER, "average": _MAYBE, "peak": _MAYBE}
        ),
        "review": _object(
            {
                "summary": _TEXT,
                "signed_by": _TEXT,
                "signed_at": _AT,
                "checklist": _list(key=_TEXT, ko=_TEXT, answer={"enum": ["yes", "no", "na"]}, note=_TEXT),
                "findings": _list(kind={"enum": ["good", "gap", "cause"]}, text=_TEXT, by=_TEXT),
                "lessons": _list(kind=_TEXT, text=_TEXT, owner=_TEXT, due_on={"type": "string", "format": "date"}),
            }
        ),
        "staff": _list(code={"type": "string", "pattern": "^P[0-9]+$"}, digest={"type": "string"}),
    }
)
_ADDENDUM = _object(
    {
        "format": {"const": "madang-after-action-addendum/1"},
        "id": _TEXT,
        "number": {"type": "integer", "minimum": 2},
        "incident": _object({"id": _TEXT, "number": _TEXT}),
        "mode": {"enum": ["live", "exercise", "simulated"]},
        "made_at": _AT,
        "adds_to": _object({"number": _COUNT, "digest": _TEXT}),
        "text": _TEXT,
        "signed_by": _TEXT,
        "staff": _list(code=_TEXT, digest=_TEXT),
    }
)
SCHEMA: Json = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "$id": "https://madang.example/schemas/after-action-1.json",
    "title": "Madang after-action report",
    "description": "A signed report of an incident, or an addendum to it. `jws` is RFC 7515 compact, ES256; its payload"
    " is the canonical JSON (UTF-8, keys sorted, no spaces) of `document`. People are codes; `names` may be left out.",
    **_object(
        {
            "document": {"oneOf": [_REPORT, _ADDENDUM]},
            "jws": {"type": "string", "pattern": "^[\\w-]+\\.[\\w-]+\\.[\\w-]+$"},
        },
        {"names": _list(code=_TEXT, id=_TEXT, name=_TEXT, salt=_TEXT)},
    ),
}
