"""What people should do about incidents, by when, and who is told when nobody does."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings

from madang.journal import changes, timers
from madang.journal.handlers import Timer
from madang.journal.session import Session
from madang.kernel.mode import Mode
from madang.response.config import ResponseConfig
from madang.response.domain import APPROVE_GRANT, ATTEND, LOCATE
from madang.response.models import Incident, Task
from madang.response.timeline import Line, append

TIMER = "response.task_due"
OPEN = ("open", "escalated")


@dataclass(frozen=True, slots=True)
class Wording:
    """How a task is put to people, and what is written when it falls due undone."""

    ko: str
    en: str
    overdue_ko: str
    overdue_en: str


WORDINGS: dict[str, Wording] = {
    ATTEND: Wording(
        "긴급 사건입니다. 담당자를 정하십시오.",
        "Urgent: somebody must take this on.",
        "긴급 사건에 아직 담당자가 없어 책임자에게 알립니다.",
        "Nobody has taken the urgent incident; the supervisor is called.",
    ),
    LOCATE: Wording(
        "위치를 확인하십시오.",
        "Find out where this is.",
        "위치가 아직 확인되지 않아 책임자에게 알립니다.",
        "The place is still not known; the supervisor is called.",
    ),
    APPROVE_GRANT: Wording(
        "영상 제공 요청을 판단하십시오.",
        "Decide on the request for video.",
        "영상 제공 요청이 판단되지 않아 책임자에게 알립니다.",
        "The request for video is undecided; the supervisor is called.",
    ),
}


def response_config() -> ResponseConfig:
    """The `[response]` section the platform was started with."""
    config = getattr(settings, "MADANG_RESPONSE", None)
    return config if isinstance(config, ResponseConfig) else ResponseConfig()


def _due_s(kind: str) -> int:
    config = response_config()
    return {ATTEND: config.attend_due_s, LOCATE: config.locate_due_s, APPROVE_GRANT: config.approve_due_s}[kind]


def wording_of(ko: str, en: str = "") -> Wording:
    """A task in somebody's own words, with what is written when nobody does it in time."""
    return Wording(ko, en or ko, f"기한 지남, 책임자에게 알림: {ko}", f"Overdue, the supervisor is called: {en or ko}")


def need(
    tx: Session,
    incident: Incident,
    kind: str,
    now: datetime,
    *,
    ref: str = "",
    wording: Wording | None = None,
    due_s: float | None = None,
    escalated: bool = False,
) -> Task:
    """The open task of that kind, made with its due timer if there is none.

    Kinds without a wording of their own bring `wording` and `due_s`; `escalated` begins it as overdue already.
    """
    existing = Task.objects.filter(incident=incident, kind=kind, ref=ref, state__in=OPEN).first()
    if existing is not None:
        return existing
    wording = wording or WORDINGS[kind]
    task = Task(
        authority_id=incident.authority_id,
        incident=incident,
        kind=kind,
        ref=ref,
        state="escalated" if escalated else "open",
        due_at=now + timedelta(seconds=_due_s(kind) if due_s is None else due_s),
        text_ko=wording.ko[:300],
        text_en=wording.en[:300],
        created_at=now,
        mode=incident.mode,
    )
    start(tx, task, now)
    return task


def start(tx: Session, task: Task, now: datetime) -> None:
    """Writes a new task with its due timer and tells the screens."""
    task.save(force_insert=True)
    set_due(tx, task)
    changes.touch(tx, kind="task", ref=task.id, authority=task.authority_id, now=now)


def finish(
    tx: Session, incident: Incident, kinds: Iterable[str] | None, by: str, now: datetime, *, ref: str | None = None
) -> None:
    """Ends the open tasks of these kinds (None: all of them), and their timers."""
    open_tasks = Task.objects.filter(incident=incident, state__in=OPEN)
    if kinds is not None:
        open_tasks = open_tasks.filter(kind__in=list(kinds))
    if ref is not None:
        open_tasks = open_tasks.filter(ref=ref)
    for task in open_tasks:
        end(tx, task, by, now)


def end(tx: Session, task: Task, by: str, now: datetime) -> None:
    """Ends one task and its timer, and tells the screens."""
    task.state, task.done_at, task.done_by = "done", now, by
    task.save()
    timers.cancel_timer(tx, kind=TIMER, key=task.id)
    changes.touch(tx, kind="task", ref=task.id, authority=task.authority_id, now=now)


def fall_due(tx: Session, timer: Timer, now: datetime) -> None:
    """A task is due and not done: it is escalated, said so on the timeline, and falls due again."""
    task = Task.objects.select_related("incident").filter(pk=timer.key, state__in=OPEN).first()
    if task is None:
        return
    again = timedelta(seconds=response_config().escalate_again_s)
    first_time = task.state == "open"
    task.state, task.due_at, task.snoozed_until = "escalated", now + again, None
    task.save(update_fields=["state", "due_at", "snoozed_until"])
    if first_time:
        wording = WORDINGS.get(task.kind) or wording_of(task.text_ko, task.text_en)
        line = Line("task_overdue", wording.overdue_ko, wording.overdue_en, {"task": task.id, "kind": task.kind})
        append(task.incident, line, actor="system:madang", now=now)
        changes.touch(tx, kind="incident", ref=task.incident_id, authority=task.authority_id, now=now)
    set_due(tx, task)
    changes.touch(tx, kind="task", ref=task.id, authority=task.authority_id, now=now)


def set_due(tx: Session, task: Task) -> None:
    """Sets the task's timer to its due time."""
    timers.set_timer(
        tx, kind=TIMER, key=task.id, due_at=task.due_at, authority=task.authority_id, mode=Mode(task.mode), body={}
    )
