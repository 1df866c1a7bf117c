"""What people do with tasks: write one for a colleague, take it, hand it on, put it off, finish it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from madang.identity.access import require
from madang.identity.actors import actor_of_person
from madang.identity.models import Person
from madang.identity.rights import Actor, Right, Thing, may
from madang.journal import changes, civic
from madang.journal.session import Session
from madang.kernel.decisions import Rejected
from madang.kernel.errors import BadRequestError, ConflictError, NotFoundError
from madang.kernel.ids import new_id
from madang.kernel.mode import Mode
from madang.response import task_life, tasks, timeline
from madang.response.domain import OPEN_STATES, URGENT_PRIORITY
from madang.response.models import Incident, Task
from madang.response.task_life import TODO, Assign, Assigned, Command, Complete, Completed, Event, Snooze, Todo
from madang.response.timeline import Line

_OPEN_INCIDENT = frozenset(state.value for state in OPEN_STATES)


def add(tx: Session, actor: Actor, incident_id: str, text: str, due_s: float, now: datetime, *, to: str = "") -> Task:
    """Writes a task about an open incident, for `to` (an actor id) or for whoever takes it; due in `due_s` seconds."""
    incident = workable(actor, incident_id)
    if incident.state not in _OPEN_INCIDENT:
        raise ConflictError("the incident is over", ko="이미 종료된 사건입니다.", reason="not_open")
    text = text.strip()[:300]
    if not text or not 0 < due_s <= 86_400:
        raise BadRequestError(
            "a task needs words and a due time within a day", where="text", ko="할 일과 기한을 적으십시오."
        )
    task = Task(
        id=new_id(),
        authority_id=incident.authority_id,
        incident=incident,
        kind=TODO,
        due_at=now + timedelta(seconds=due_s),
        text_ko=text,
        text_en=text,
        created_at=now,
        made_by=actor.id,
        mode=incident.mode,
    )
    task.ref = task.id
    if to:
        task.assignee, task.assignee_name = to, _colleague(to, incident).name
    tasks.start(tx, task, now)
    who = f" → {task.assignee_name}" if to else ""
    _tell(tx, actor, task, "task_added", f"할 일{who}: {text}", f"Task{who}: {text}", now)
    return task


def assign(tx: Session, actor: Actor, task_id: str, to: str, now: datetime, *, before: str = "") -> Task:
    """Gives a task to somebody. `before` is whose the giver believed it to be; changed meanwhile, it is refused."""
    task = _task(actor, task_id)
    name = _colleague(to, task.incident).name
    return _do(tx, actor, task, Assign(to, before), now, name)


def take(tx: Session, actor: Actor, task_id: str, now: datetime, *, before: str = "") -> Task:
    """Takes a task oneself."""
    return _do(tx, actor, _task(actor, task_id), Assign(actor.id, before), now, actor.name)


def complete(tx: Session, actor: Actor, task_id: str, note: str, now: datetime) -> Task:
    """The task is done; the note says what came of it."""
    return _do(tx, actor, _task(actor, task_id), Complete(note[:2_000]), now)


def snooze(tx: Session, actor: Actor, task_id: str, minutes: float, reason: str, now: datetime) -> Task:
    """The task can wait some minutes, for a reason; it then falls due as any other."""
    return _do(tx, actor, _task(actor, task_id), Snooze(now + timedelta(minutes=minutes), reason[:300]), now)


def pass_on(tx: Session, actor: Actor, incident: Incident, held_by: str, now: datetime) -> None:
    """Every open task of `held_by` about an incident goes to `actor`, who has taken the incident over."""
    for task in incident.tasks.filter(state__in=tasks.OPEN, assignee=held_by).exclude(assignee=""):
        task.assignee, task.assignee_name = actor.id, actor.name
        task.save(update_fields=["assignee", "assignee_name"])
        changes.touch(tx, kind="task", ref=task.id, authority=task.authority_id, now=now)


def free(tx: Session, held_by: str, now: datetime) -> None:
    """Takes every open task off somebody who no longer answers."""
    for task in Task.objects.filter(assignee=held_by, state__in=tasks.OPEN):
        task.assignee = task.assignee_name = ""
        task.save(update_fields=["assignee", "assignee_name"])
        changes.touch(tx, kind="task", ref=task.id, authority=task.authority_id, now=now)


def workable(actor: Actor, incident_id: str) -> Incident:
    """The incident, locked, if the actor may work on it; else `NotFoundError` or `ForbiddenError`."""
    incident = Incident.objects.select_for_update().filter(pk=incident_id).first()
    if incident is None:
        raise NotFoundError(ko="사건을 찾을 수 없습니다.")
    require(actor, Right.WORK_INCIDENT, Thing(incident.authority_id, agency=incident.agency))
    return incident


# ------------------------------------------------------------------------------------------------ inside


def _task(actor: Actor, task_id: str) -> Task:
    task = Task.objects.select_for_update().filter(pk=task_id).first()
    if task is None:
        raise NotFoundError(ko="할 일을 찾을 수 없습니다.")
    task.incident = workable(actor, task.incident_id)
    return task


def _colleague(actor_id: str, incident: Incident) -> Actor:
    """Somebody who may work on the incident; refused otherwise."""
    kind, _, key = actor_id.partition(":")
    person = Person.objects.filter(pk=key, is_active=True).first() if kind == "person" else None
    actor = actor_of_person(person) if person is not None else None
    if actor is None or not may(actor, Right.WORK_INCIDENT, Thing(incident.authority_id, agency=incident.agency)):
        raise BadRequestError("that person cannot work on this", where="to", ko="이 사건을 맡을 수 없는 사람입니다.")
    return actor


def _do(tx: Session, actor: Actor, task: Task, command: Command, now: datetime, name: str = "") -> Task:
    incident = task.incident
    urgent = incident.priority <= URGENT_PRIORITY
    todo = Todo(task.kind, task.state in tasks.OPEN, task.assignee, task.snoozed_until, urgent)
    longest = tasks.response_config().snooze_max_s
    decision = task_life.decide(todo, command, now, longest_s=longest)
    if isinstance(decision, Rejected):
        raise _refusal(decision, task)
    for event in decision.events:
        _apply(tx, actor, task, event, now, name)
    return task


def _apply(tx: Session, actor: Actor, task: Task, event: Event, now: datetime, name: str) -> None:
    if isinstance(event, Completed):
        task.note = event.note
        tasks.end(tx, task, actor.id, now)
        text = f"{task.text_ko} · {event.note}"
        _tell(tx, actor, task, "task_done", f"할 일 완료: {text}", f"Task done: {text}", now)
        return
    if isinstance(event, Assigned):
        before, task.assignee, task.assignee_name = task.assignee_name or "-", event.to, name
        text = f"{task.text_ko} · {before} → {name}"
        _tell(tx, actor, task, "task_assigned", f"할 일 담당: {text}", f"Task assigned: {text}", now)
    else:
        task.snoozed_until, task.due_at, task.snooze_reason = event.until, event.until, event.reason
        tasks.set_due(tx, task)
        text = f"{task.text_ko} · {event.reason}"
        _tell(tx, actor, task, "task_snoozed", f"할 일 미룸: {text}", f"Task put off: {text}", now)
    task.save()
    changes.touch(tx, kind="task", ref=task.id, authority=task.authority_id, now=now)


def _tell(tx: Session, actor: Actor, task: Task, kind: str, ko: str, en: str, now: datetime) -> None:
    line = Line(kind, ko, en, {"task": task.id, "kind": task.kind, "assignee": task.assignee})
    timeline.append(task.incident, line, actor=actor.id, actor_name=actor.name, now=now)
    changes.touch(tx, kind="incident", ref=task.incident_id, authority=task.authority_id, now=now)
    body: dict[str, Any] = {"task": task.id, "kind": task.kind}  # Any: JSON values
    civic.audit(
        tx,
        authority=task.authority_id,
        actor=actor.id,
        action=f"incident.{kind}",
        thing=f"incident:{task.incident_id}",
        mode=Mode(task.mode),
        now=now,
        body=body,
        retention="incident",
    )


_WHY = {
    "task_done": ("the task is done already", "이미 끝난 할 일입니다."),
    "task_taken": ("the task changed hands meanwhile", "그 사이 다른 사람이 맡은 할 일입니다."),
    "task_bound": ("this ends by doing the thing itself", "이 할 일은 해당 조치를 하면 저절로 끝납니다."),
    "task_urgent": ("an urgent incident without an owner cannot wait", "담당자 없는 긴급 사건은 미룰 수 없습니다."),
    "snooze_length": ("it cannot be put off that long", "그만큼 미룰 수 없습니다."),
}


def _refusal(rejected: Rejected, task: Task) -> BadRequestError | ConflictError:
    if rejected.code == "note_missing":
        return BadRequestError("say what came of it", where="note", ko="결과를 적으십시오.", reason="note_missing")
    if rejected.code == "reason_missing":
        return BadRequestError("a reason is needed", where="reason", ko="사유를 입력하십시오.", reason="reason_missing")
    english, korean = _WHY[rejected.code]
    who = f" ({task.assignee_name})" if rejected.code == "task_taken" and task.assignee_name else ""
    return ConflictError(english, ko=korean + who, reason=rejected.code, **rejected.data)
