"""Reads of rules for the screens: lists, one version with its sentence, what it remembers, said and did."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import orjson
from django.db.models import Count, Max

from madang.identity.rights import Actor, Right, Thing, may
from madang.kernel.clock import instant_text
from madang.response.models import Incident
from madang.response.rules import effects
from madang.response.rules.domain import FORCING, TRANSITIONS, Stage, Step
from madang.response.rules.memories import instant
from madang.response.rules.models import STAGE_KO, Deed, Firing, ReplayRun, RuleMemory, RuleTable, RuleVersion
from madang.response.rules.sentences import Sentence, sentence_en, sentence_ko
from madang.response.rules.tables import FIELDS, NUMBER_FIELDS, Kind
from madang.response.rules.vocabulary import Rule, acts_externally, read_rule

JsonRow = dict[str, Any]  # Any: JSON values
_WORK = ("draft", "checked", "replayed", "shadow")
_RIGHT = {
    Step.PUBLISH: Right.PUBLISH_RULES,
    Step.SEND_BACK: Right.PUBLISH_RULES,
    Step.ROLL_BACK: Right.PUBLISH_RULES,
    Step.RETIRE: Right.PUBLISH_RULES,
}


def rule_rows(authority: str, now: datetime) -> list[JsonRow]:
    """Every rule of a city by name: the version in force, the one in work, and how much it says."""
    by_name: dict[str, list[RuleVersion]] = {}
    for row in RuleVersion.objects.filter(authority_id=authority).exclude(stage="dropped").order_by("name", "-number"):
        by_name.setdefault(row.name, []).append(row)
    said = _said(authority, now)
    return [_rule_row(name, rows, said.get(name, {})) for name, rows in by_name.items()]


def _said(authority: str, now: datetime) -> dict[str, JsonRow]:
    found = Firing.objects.filter(authority_id=authority, kind="fired", noted_at__gte=now - timedelta(days=1))
    rows = found.values("version__name", "shadow").annotate(count=Count("id"), last=Max("noted_at"))
    said: dict[str, JsonRow] = {}
    for row in rows:
        one = said.setdefault(row["version__name"], {"fired_24h": 0, "shadow_24h": 0, "last_fired_at": None})
        one["shadow_24h" if row["shadow"] else "fired_24h"] = row["count"]
        if not row["shadow"]:
            one["last_fired_at"] = instant_text(row["last"])
    return said


def _rule_row(name: str, rows: list[RuleVersion], said: JsonRow) -> JsonRow:
    published = next((row for row in rows if row.stage == "published"), None)
    work = next((row for row in rows if row.stage in _WORK), None)
    shown = published or work or rows[0]
    return {
        "name": name,
        "title_ko": shown.definition.get("title_ko", ""),
        "title_en": shown.definition.get("title_en", ""),
        "published": version_row(published) if published else None,
        "work": version_row(work) if work else None,
        "versions": len(rows),
        "fired_24h": 0,
        "shadow_24h": 0,
        "last_fired_at": None,
        **said,
    }


def version_row(row: RuleVersion) -> JsonRow:
    """One version in a list."""
    return {
        "id": row.id,
        "name": row.name,
        "number": row.number,
        "cited": str(row),
        "stage": row.stage,
        "stage_ko": STAGE_KO[Stage(row.stage)],
        "title_ko": row.definition.get("title_ko", ""),
        "title_en": row.definition.get("title_en", ""),
        "note": row.note,
        "author": {"id": row.author, "name": row.author_name},
        "editors": row.editors,
        "auto": row.auto,
        "shadow_at": _text(row.shadow_at),
        "published_by": {"id": row.published_by, "name": row.published_name} if row.published_by else None,
        "published_at": _text(row.published_at),
        "retired_at": _text(row.retired_at),
        "created_at": _text(row.created_at),
        "updated_at": _text(row.updated_at),
        "revision": row.revision,
        "faults": sum(one.get("level") == "fault" for one in row.findings),
        "warnings": sum(one.get("level") == "warning" for one in row.findings),
    }


def _text(value: datetime | None) -> str | None:
    return instant_text(value) if value is not None else None


def versions_of(authority: str, name: str) -> list[JsonRow]:
    """Every version of one rule, newest first."""
    found = RuleVersion.objects.filter(authority_id=authority, name=name).order_by("-number")
    return [version_row(row) for row in found]


def version_detail(actor: Actor, row: RuleVersion) -> JsonRow:
    """One version whole: definition, sentence, findings, replay, shadow, what this person may do with it."""
    rule = read_rule(row.definition)
    replay = row.replays.order_by("-asked_at").first()
    return {
        **version_row(row),
        "definition": row.definition,
        "sentence": sentence_row(rule),
        "findings": row.findings,
        "acts_externally": acts_externally(rule),
        "replay": replay_row(replay, row) if replay else None,
        "shadow": _shadow(row),
        "waiting": RuleMemory.objects.filter(version=row).count(),
        "may": may_do(actor, row),
    }


def sentence_row(rule: Rule) -> JsonRow:
    """The rule in both languages, whole and in parts."""
    return {"ko": _sentence(sentence_ko(rule)), "en": _sentence(sentence_en(rule))}


def _sentence(sentence: Sentence) -> JsonRow:
    return {"text": sentence.text, "parts": [{"text": part.text, "path": part.path} for part in sentence.parts]}


def may_do(actor: Actor, row: RuleVersion) -> JsonRow:
    """For each step that the stage allows: true, or the code of why not (`own_request`, `role_lacks_right`, …)."""
    told: JsonRow = {}
    for step in TRANSITIONS[Stage(row.stage)]:
        forcing = step in FORCING
        thing = Thing(row.authority_id, requested_by=row.author if forcing else "")
        verdict = may(actor, _RIGHT.get(step, Right.EDIT_RULES), thing)
        own = forcing and actor.id in {row.author, *row.editors}
        told[step.value] = "own_rule" if own else (True if verdict else verdict.reason)
    return told


def _shadow(row: RuleVersion) -> JsonRow | None:
    if row.shadow_at is None:
        return None
    said = Firing.objects.filter(version=row, shadow=True, kind="fired")
    return {"since": instant_text(row.shadow_at), "would_have_fired": said.count()}


def replay_row(run: ReplayRun, row: RuleVersion) -> JsonRow:
    """A replay with its report. `current` is whether it ran what the version says now."""
    return {
        "id": run.id,
        "state": run.state,
        "progress": run.done / run.total if run.total else 0.0,
        "from_at": instant_text(run.from_at),
        "to_at": instant_text(run.to_at),
        "asked_at": instant_text(run.asked_at),
        "finished_at": _text(run.finished_at),
        "by": run.by,
        "error": run.error,
        "current": row.stage not in ("draft",) and run.state in ("queued", "running", "done"),
        "report": run.report or None,
    }


def firing_rows(row: RuleVersion, limit: int, before: datetime | None = None) -> list[JsonRow]:
    """What a version said (in shadow: would have said), newest first."""
    found = Firing.objects.filter(version=row)
    if before is not None:
        found = found.filter(noted_at__lt=before)
    rows = list(found.order_by("-noted_at")[:limit])
    numbers = dict(Incident.objects.filter(pk__in={one.incident_id for one in rows}).values_list("pk", "number"))
    return [
        {
            "id": one.id,
            "kind": one.kind,
            "at": instant_text(one.at),
            "noted_at": instant_text(one.noted_at),
            "mode": one.mode,
            "shadow": one.shadow,
            "group": one.key.partition("|")[2],
            "device": one.device,
            "class_code": one.class_code or None,
            "priority": one.priority,
            "lon": one.lon,
            "lat": one.lat,
            "value": one.value,
            "signal_id": one.signal_id or None,
            "refused": one.refused,
            "incident": {"id": one.incident_id, "number": numbers.get(one.incident_id)} if one.incident_id else None,
            "late": one.late,
        }
        for one in rows
    ]


def waiting_rows(row: RuleVersion, limit: int = 200) -> list[JsonRow]:
    """The groups a version remembers: what stands, what waits and until when."""
    found: list[JsonRow] = []
    for key, body in RuleMemory.objects.filter(version=row).order_by("key").values_list("key", "body")[:limit]:
        memory = orjson.loads(body)
        found.append(
            {
                "group": key.partition("|")[2],
                "mode": key.partition("|")[0],
                "standing": bool(memory.get("on")),
                "due_at": _seconds(memory.get("due")),
                "seen_at": _seconds(memory.get("seen")),
                "spoke_at": _seconds(memory.get("spoke")),
                "late": memory.get("late", 0),
                "bad": memory.get("bad", 0),
            }
        )
    return found


def _seconds(value: float | None) -> str | None:
    return instant_text(instant(value)) if value is not None else None


def deed_rows(incident_id: str) -> list[JsonRow]:
    """What rules did to an incident, asked, or could not do."""
    return [_deed_row(deed) for deed in Deed.objects.filter(incident_id=incident_id).order_by("at", "rule", "place")]


def _deed_row(deed: Deed) -> JsonRow:
    ko, en = effects.told_of(deed)
    return {
        "id": deed.id,
        "incident_id": deed.incident_id,
        "rule": deed.rule,
        "kind": deed.kind,
        "state": deed.state,
        "effect": deed.effect,
        "text_ko": ko,
        "text_en": en,
        "reason": deed.reason,
        "at": instant_text(deed.at),
        "decided_by": deed.decided_by or None,
        "decided_at": _text(deed.decided_at),
        "needs": "send_messages" if deed.kind == "message" else "work_incident",
    }


def deed_row(deed: Deed) -> JsonRow:
    """One of them."""
    return _deed_row(deed)


def table_rows(authority: str) -> list[JsonRow]:
    """The tables rules ask: of each kind the one in force, the draft, and which fields there are."""
    found = RuleTable.objects.filter(authority_id=authority).exclude(state="retired")
    by_kind = {(row.kind, row.state): row for row in found}
    numbers = {name: {"min": low, "max": high} for name, (low, high) in NUMBER_FIELDS.items()}
    return [
        {
            "kind": kind.value,
            "fields": [{"name": name, **numbers.get(name, {})} for name in FIELDS],
            "published": table_row(by_kind.get((kind.value, "published"))),
            "draft": table_row(by_kind.get((kind.value, "draft"))),
        }
        for kind in Kind
    ]


def table_row(row: RuleTable | None) -> JsonRow | None:
    """One version of a table."""
    if row is None:
        return None
    return {
        "id": row.id,
        "kind": row.kind,
        "number": row.number,
        "state": row.state,
        "policy": row.policy,
        "rows": row.rows,
        "note": row.note,
        "author": row.author,
        "created_at": instant_text(row.created_at),
        "published_by": row.published_by or None,
        "published_at": _text(row.published_at),
    }
