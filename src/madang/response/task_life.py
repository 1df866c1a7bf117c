"""What may be done with a task: taken, handed on, put off, finished. Pure decisions."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from madang.kernel.decisions import Accepted, Rejected
from madang.response.domain import APPROVE_GRANT, ATTEND, LOCATE

TODO = "todo"
"""A task one person wrote for another."""
SOP_STEP = "sop"
"""A step of a checklist that is overdue; `ref` names run and step."""
PHONE = "phone"
"""Somebody must be telephoned; `ref` names the delivery of a situation message."""
RULE_ASK = "rule_ask"
"""A rule asks a person; `ref` names its deed."""
BOUND = frozenset({ATTEND, LOCATE, APPROVE_GRANT, SOP_STEP, PHONE, RULE_ASK})
"""Kinds that end when the thing itself is done: claimed, located, decided, ticked, telephoned, answered."""


@dataclass(frozen=True, slots=True)
class Todo:
    """What the rules need to know of a task. `urgent` is whether its incident is."""

    kind: str = TODO
    open: bool = True
    assignee: str = ""
    snoozed_until: datetime | None = None
    urgent: bool = False


@dataclass(frozen=True, slots=True)
class Assign:
    """Somebody is to do it. Taking it oneself is assigning it to oneself.

    `before` is whose it was when the decision was made: what changed hands meanwhile is refused.
    """

    to: str
    before: str = ""


@dataclass(frozen=True, slots=True)
class Complete:
    """It is done, and what came of it."""

    note: str


@dataclass(frozen=True, slots=True)
class Snooze:
    """It can wait until then, for a reason."""

    until: datetime
    reason: str


Command = Assign | Complete | Snooze


@dataclass(frozen=True, slots=True)
class Assigned:
    to: str
    before: str


@dataclass(frozen=True, slots=True)
class Completed:
    note: str


@dataclass(frozen=True, slots=True)
class Snoozed:
    until: datetime
    reason: str


Event = Assigned | Completed | Snoozed


def decide(todo: Todo, command: Command, now: datetime, *, longest_s: float) -> Accepted[Event] | Rejected:
    """What `command` means for a task.

    Refusals: `task_done`, `task_taken`, `note_missing`, `task_bound`, `reason_missing`, `snooze_length`, `task_urgent`.
    """
    if not todo.open:
        return Rejected("task_done")
    if isinstance(command, Assign):
        return _assign(todo, command)
    if isinstance(command, Complete):
        return _complete(todo, command)
    return _snooze(todo, command, now, longest_s)


def _assign(todo: Todo, command: Assign) -> Accepted[Event] | Rejected:
    if todo.assignee == command.to:
        return Accepted(())
    if todo.assignee != command.before:
        return Rejected("task_taken", {"assignee": todo.assignee})
    return Accepted((Assigned(command.to, todo.assignee),))


def _complete(todo: Todo, command: Complete) -> Accepted[Event] | Rejected:
    if todo.kind in BOUND:
        return Rejected("task_bound", {"kind": todo.kind})
    if not command.note.strip():
        return Rejected("note_missing")
    return Accepted((Completed(command.note.strip()),))


def _snooze(todo: Todo, command: Snooze, now: datetime, longest_s: float) -> Accepted[Event] | Rejected:
    if todo.kind == ATTEND and todo.urgent:
        return Rejected("task_urgent")
    if not command.reason.strip():
        return Rejected("reason_missing")
    if not now < command.until <= now + timedelta(seconds=longest_s):
        return Rejected("snooze_length", {"longest_s": longest_s})
    return Accepted((Snoozed(command.until, command.reason.strip()),))


def evolve(todo: Todo, event: Event) -> Todo:
    """The task after `event`."""
    if isinstance(event, Assigned):
        return replace(todo, assignee=event.to)
    if isinstance(event, Completed):
        return replace(todo, open=False)
    return replace(todo, snoozed_until=event.until)
