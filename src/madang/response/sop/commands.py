"""What is done with runs of checklists at the desk: started, ticked, taken back, given up."""

from __future__ import annotations

from datetime import datetime

from madang.identity.rights import Actor, ActorKind, Role, system_actor
from madang.journal.handlers import Timer
from madang.journal.session import Session
from madang.kernel.decisions import Rejected
from madang.kernel.errors import BadRequestError, ConflictError, NotFoundError
from madang.response.domain import OPEN_STATES
from madang.response.models import Incident
from madang.response.sop import domain
from madang.response.sop.domain import Command, DoneBy, Phase
from madang.response.sop.models import SopRun, SopStep, SopVersion
from madang.response.sop.record import STEP_DUE, Scribe, run_of, title_en
from madang.response.sop.wording import steps_of
from madang.response.todo import workable

__all__ = [
    "STEP_DUE",
    "fall_due",
    "follow_incident",
    "lags_behind",
    "may_do",
    "skip",
    "start",
    "start_for_class",
    "stop",
    "tick",
    "undo",
]

CLASS = "class:"
"""How the `rule` of a run begins that was started because of the incident's class."""
_OPEN_INCIDENT = frozenset(state.value for state in OPEN_STATES)


def start(tx: Session, actor: Actor, incident_id: str, code: str, now: datetime, *, rule: str = "") -> SopRun:
    """Starts the published version of a checklist on an open incident.

    A rule (`name@version`) that starts what already runs, or ran, gets that run: its effect happens once.
    """
    incident = workable(actor, incident_id)
    if incident.state not in _OPEN_INCIDENT:
        raise ConflictError("the incident is over", ko="이미 종료된 사건입니다.", reason="not_open")
    earlier = SopRun.objects.filter(incident=incident, code=code)
    held = earlier.first() if rule else earlier.filter(phase=Phase.RUNNING).first()
    if held is not None:
        if rule:
            return held
        raise ConflictError(
            "this checklist already runs here", ko="이미 진행 중인 절차입니다.", reason="already_running"
        )
    version = (
        SopVersion.objects.select_related("template")
        .filter(template__authority=incident.authority_id, template__code=code, state="published")
        .first()
    )
    if version is None:
        raise NotFoundError(f"no checklist {code} is in force", where="code", ko="시행 중인 절차가 아닙니다.")
    return _begin(tx, actor, incident, version, now, rule)


def start_for_class(tx: Session, incident: Incident, actor: Actor, now: datetime) -> SopRun | None:
    """Starts the checklist that belongs to the incident's class, once; None when there is none or it had its run."""
    version = _due_for_class(incident)
    return None if version is None else _begin(tx, actor, incident, version, now, f"{CLASS}{incident.class_code}")


def _due_for_class(incident: Incident) -> SopVersion | None:
    published = SopVersion.objects.filter(template__authority=incident.authority_id, state="published")
    for version in published.select_related("template"):
        if incident.class_code in version.classes:
            had = SopRun.objects.filter(incident=incident, code=version.template.code).exists()
            return None if had else version
    return None


def lags_behind(incident: Incident) -> bool:
    """Whether the incident's runs are not what its state asks for. Read without a lock, before anything is written."""
    phases = set(SopRun.objects.filter(incident=incident).values_list("phase", flat=True))
    if incident.state not in _OPEN_INCIDENT:
        return Phase.RUNNING.value in phases
    return Phase.ENDED.value in phases or _due_for_class(incident) is not None


def _begin(tx: Session, actor: Actor, incident: Incident, version: SopVersion, now: datetime, rule: str) -> SopRun:
    run = SopRun.objects.create(
        authority_id=incident.authority_id,
        mode=incident.mode,
        incident=incident,
        version=version,
        code=version.template.code,
        started_by=actor.id,
        started_name=actor.name if actor.kind is ActorKind.PERSON else "",
        rule=rule[:120],
        started_at=now,
    )
    steps = steps_of(version.steps)
    SopStep.objects.bulk_create(SopStep(run=run, key=step.key, place=n) for n, step in enumerate(steps))
    by = f" ({rule})" if rule and not rule.startswith(CLASS) else ""
    scribe = Scribe(tx, actor, run, now)
    ko = f"절차 시작: {version.title_ko} {version.version}판{by}"
    en = f"Checklist started: {title_en(version)}@{version.version}{by}"
    scribe.write("sop_started", ko, en, {"version": version.version, "rule": rule})
    scribe.apply(domain.begun(steps))
    scribe.announce("started", rule=rule)
    scribe.audit("started", {"version": version.version, "rule": rule})
    return run


def tick(
    tx: Session,
    actor: Actor,
    run_id: str,
    step_key: str,
    value: str,
    now: datetime,
    *,
    note: str = "",
    still: str = "",
) -> SopRun:
    """Somebody did a step: `value` is the chosen answer, `still` the picture shown for it.

    Of two who tick the same step the first wins; the second gets a `ConflictError` that says who it was.
    """
    run = _run(actor, run_id)
    command = domain.Do(
        key=step_key,
        by=actor.id,
        may_do=may_do(actor, run.authority_id),
        value=value.strip()[:100],
        note=note.strip()[:2_000],
        still=still.strip()[:200],
    )
    return _do(tx, actor, run, command, now)


def skip(tx: Session, actor: Actor, run_id: str, step_key: str, reason: str, now: datetime) -> SopRun:
    """A step is left out, for a reason."""
    return _do(tx, actor, _run(actor, run_id), domain.Skip(step_key, actor.id, reason.strip()[:500]), now)


def undo(tx: Session, actor: Actor, run_id: str, step_key: str, reason: str, now: datetime) -> SopRun:
    """A step was ticked by mistake: it is open again. The timeline keeps both."""
    return _do(tx, actor, _run(actor, run_id), domain.Undo(step_key, actor.id, reason.strip()[:500]), now)


def stop(tx: Session, actor: Actor, run_id: str, reason: str, now: datetime) -> SopRun:
    """The checklist is given up, for a reason; what was not done stays on record as not done."""
    return _do(tx, actor, _run(actor, run_id), domain.Stop(actor.id, reason.strip()[:300]), now)


def follow_incident(tx: Session, actor: Actor, incident: Incident, now: datetime) -> None:
    """Ends the runs of an incident that is over, takes them up again when it was reopened."""
    is_open = incident.state in _OPEN_INCIDENT
    command: Command = domain.Resume() if is_open else domain.End()
    wanted = Phase.ENDED if is_open else Phase.RUNNING
    for run in SopRun.objects.select_for_update().filter(incident=incident, phase=wanted):
        run.incident = incident
        _do(tx, actor, run, command, now)


def fall_due(tx: Session, timer: Timer, now: datetime) -> None:
    """The time of a step has passed: said so, and the supervisor gets a task."""
    run_id, _, key = timer.key.partition(":")
    run = SopRun.objects.select_for_update().select_related("incident").filter(pk=run_id).first()
    if run is None or run.phase != Phase.RUNNING or run.incident.state not in _OPEN_INCIDENT:
        return
    _do(tx, system_actor(run.authority_id), run, domain.FallDue(key), now)


# --------------------------------------------------------------------------------------------------- inside


def may_do(actor: Actor, authority: str) -> frozenset[DoneBy]:
    """Whose steps the actor may tick; a supervisor may tick an operator's too."""
    roles = actor.roles.get(authority, frozenset())
    if Role.SUPERVISOR in roles:
        return frozenset(DoneBy)
    return frozenset({DoneBy.ANYBODY, DoneBy.OPERATOR} if Role.OPERATOR in roles else {DoneBy.ANYBODY})


def _run(actor: Actor, run_id: str) -> SopRun:
    run = SopRun.objects.select_for_update().filter(pk=run_id).first()
    if run is None:
        raise NotFoundError(ko="진행 중인 절차를 찾을 수 없습니다.")
    run.incident = workable(actor, run.incident_id)
    if run.incident.state not in _OPEN_INCIDENT:
        raise ConflictError("the incident is over", ko="이미 종료된 사건입니다.", reason="not_open")
    return run


def _do(tx: Session, actor: Actor, run: SopRun, command: Command, now: datetime) -> SopRun:
    decision = domain.decide(run_of(run, steps_of(run.version.steps), run.steps.all()), command)
    if isinstance(decision, Rejected):
        raise _refusal(decision, run)
    scribe = Scribe(tx, actor, run, now)
    scribe.apply(decision.events)
    if decision.events and not isinstance(command, domain.FallDue):
        key = getattr(command, "key", "")
        scribe.audit(type(command).__name__.lower(), {"step": key} if key else {})
    return run


_WHY = {
    "not_running": ("this checklist is no longer running", "진행 중인 절차가 아닙니다."),
    "unknown_step": ("there is no such step", "그런 단계가 없습니다."),
    "already_done": ("somebody was quicker", "이미 처리된 단계입니다."),
    "not_yet": ("an earlier step comes first", "앞 단계를 먼저 하십시오."),
    "branch_off": ("the answer given leads past this step", "앞의 답에 따라 하지 않는 단계입니다."),
    "role_missing": ("another role does this step", "다른 역할이 하는 단계입니다."),
    "not_done": ("it is not ticked", "처리되지 않은 단계입니다."),
    "later_done": ("later steps build on it", "뒤 단계가 이미 처리되어 되돌릴 수 없습니다."),
}
_MISSING = {
    "choice_missing": ("choose one of the answers", "value", "답을 고르십시오."),
    "note_missing": ("this step needs a note", "note", "확인한 내용을 적으십시오."),
    "still_missing": ("this step needs a picture", "still", "사진·정지영상을 붙이십시오."),
    "reason_missing": ("a reason is needed", "reason", "사유를 입력하십시오."),
}


def _refusal(rejected: Rejected, run: SopRun) -> BadRequestError | ConflictError:
    missing = _MISSING.get(rejected.code)
    if missing is not None:
        english, where, korean = missing
        return BadRequestError(english, where=where, ko=korean, reason=rejected.code, **rejected.data)
    english, korean = _WHY[rejected.code]
    if rejected.code == "already_done":
        row = next((row for row in run.steps.all() if row.done_by == rejected.data["by"]), None)
        korean = f"{korean} ({row.done_name})" if row is not None and row.done_name else korean
    return ConflictError(english, ko=korean, reason=rejected.code, **rejected.data)
