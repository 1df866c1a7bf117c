"""Reads: the checklists of a city, the runs of an incident."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from madang.identity.rights import Actor
from madang.kernel.clock import instant_text
from madang.kernel.errors import NotFoundError
from madang.response.queries import visible_incident
from madang.response.sop import domain
from madang.response.sop.commands import may_do
from madang.response.sop.domain import Phase, Standing, Step
from madang.response.sop.models import SopRun, SopStep, SopVersion
from madang.response.sop.record import run_of
from madang.response.sop.wording import steps_of

JsonRow = dict[str, Any]  # Any: JSON values


def of_incident(actor: Actor, incident_id: str) -> list[JsonRow]:
    """The runs of an incident with every step as it stands, the running ones first."""
    incident = visible_incident(actor, incident_id)
    runs = SopRun.objects.filter(incident=incident).select_related("version").prefetch_related("steps")
    rows = [run_row(run, actor) for run in runs.order_by("started_at")]
    return sorted(rows, key=lambda row: row["phase"] != "running")


def one(actor: Actor, run_id: str) -> JsonRow:
    """One run; `NotFoundError` when it is not there or not to be seen."""
    run = SopRun.objects.select_related("version").prefetch_related("steps").filter(pk=run_id).first()
    if run is None:
        raise NotFoundError(ko="진행 중인 절차를 찾을 수 없습니다.")
    visible_incident(actor, run.incident_id)
    return run_row(run, actor)


def published(authority: str) -> list[JsonRow]:
    """The checklists in force in a city, to start one by hand."""
    versions = SopVersion.objects.filter(template__authority=authority, state="published").select_related("template")
    return [
        {
            "code": version.template.code,
            "version": version.version,
            "title_ko": version.title_ko,
            "title_en": version.title_en,
            "classes": version.classes,
            "steps": len(version.steps),
            "example": version.example,
        }
        for version in versions.order_by("title_ko")
    ]


def running(incident_ids: Iterable[str]) -> list[JsonRow]:
    """What runs on these incidents, in short: for a hand-over's brief."""
    runs = SopRun.objects.filter(incident_id__in=list(incident_ids), phase=Phase.RUNNING)
    return [_short(run) for run in runs.select_related("version", "incident").prefetch_related("steps")]


def _short(run: SopRun) -> JsonRow:
    steps = steps_of(run.version.steps)
    known = run_of(run, steps, run.steps.all())
    doing = [step.ko for step in steps if step.key in domain.open_steps(known)]
    return {
        "run_id": run.id,
        "incident_id": run.incident_id,
        "incident_number": run.incident.number,
        "title_ko": run.version.title_ko,
        "title_en": run.version.title_en,
        "left": len(domain.left_to_do(known)),
        "next": doing,
    }


def run_row(run: SopRun, actor: Actor) -> JsonRow:
    """A run as screens show it."""
    steps = steps_of(run.version.steps)
    rows = {row.key: row for row in run.steps.all()}
    known = run_of(run, steps, rows.values())
    standing = domain.standings(known)
    mine = may_do(actor, run.authority_id)
    return {
        "id": run.id,
        "incident_id": run.incident_id,
        "code": run.code,
        "version": run.version.version,
        "title_ko": run.version.title_ko,
        "title_en": run.version.title_en,
        "example": run.version.example,
        "phase": run.phase,
        "started_at": instant_text(run.started_at),
        "started_by": run.started_name or ("" if run.rule else run.started_by),
        "rule": run.rule,
        "ended_at": instant_text(run.ended_at) if run.ended_at else None,
        "end_reason": run.end_reason,
        "left": len(domain.left_to_do(known)),
        "steps": [_step_row(step, rows[step.key], standing[step.key], step.done_by in mine) for step in steps],
    }


def _step_row(step: Step, row: SopStep, standing: Standing, mine: bool) -> JsonRow:
    return {
        "key": step.key,
        "stage": step.stage,
        "ko": step.ko,
        "en": step.en,
        "standing": standing.value,
        "done_by_role": step.done_by.value,
        "mine": mine,
        "evidence": step.evidence.value,
        "options": list(step.options),
        "due_at": instant_text(row.due_at) if row.due_at and standing is Standing.OPEN else None,
        "overdue": row.overdue_at is not None,
        "done_at": instant_text(row.done_at) if row.done_at else None,
        "done_by": row.done_name or row.done_by,
        "value": row.value,
        "note": row.note,
        "still": row.still,
    }


def unmet(incident_id: str) -> list[JsonRow]:
    """Steps nobody did and steps done late, of every run of an incident: for its review."""
    found: list[JsonRow] = []
    for run in SopRun.objects.filter(incident_id=incident_id).select_related("version").prefetch_related("steps"):
        steps = steps_of(run.version.steps)
        rows = {row.key: row for row in run.steps.all()}
        left = set(domain.left_to_do(run_of(run, steps, rows.values())))
        for step in steps:
            row = rows[step.key]
            if step.key in left or row.skipped or row.overdue_at is not None:
                why = "left" if step.key in left else "skipped" if row.skipped else "late"
                found.append({"run_id": run.id, "title_ko": run.version.title_ko, "step": step.ko, "why": why})
    return found
