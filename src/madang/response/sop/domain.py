"""What a checklist is and how a run of it goes. Pure decisions.

Steps lie in stages: steps of one stage may be done side by side, a stage opens when nothing of the stages before it is
left to do. A step may hang on the answer to an earlier choice; where the answer was another, it falls away.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import groupby

from madang.kernel.decisions import Accepted, Rejected

LONGEST_DUE_S = 86_400


class Evidence(StrEnum):
    """What must be shown for a step to count as done."""

    NONE = "none"
    NOTE = "note"
    STILL = "still"
    CHOICE = "choice"


class DoneBy(StrEnum):
    """Who does a step."""

    ANYBODY = "anybody"
    OPERATOR = "operator"
    SUPERVISOR = "supervisor"


class Standing(StrEnum):
    """Where one step of a run stands."""

    WAITING = "waiting"
    OPEN = "open"
    DONE = "done"
    SKIPPED = "skipped"
    OFF = "off"
    """The branch it hangs on was not taken."""


LEFT = frozenset({Standing.WAITING, Standing.OPEN})


class Phase(StrEnum):
    """Where a run as a whole stands."""

    RUNNING = "running"
    DONE = "done"
    STOPPED = "stopped"
    """Somebody stopped it, for a reason."""
    ENDED = "ended"
    """The incident ended before it was through."""


@dataclass(frozen=True, slots=True)
class Branch:
    """Only when that earlier choice was answered with one of these."""

    step: str
    answers: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One line of a checklist. `due_s` counts from when the step opens; None never falls due."""

    key: str
    stage: int
    ko: str
    en: str = ""
    done_by: DoneBy = DoneBy.ANYBODY
    due_s: int | None = None
    evidence: Evidence = Evidence.NONE
    options: tuple[str, ...] = ()
    only_if: Branch | None = None


# ---------------------------------------------------------------------------------------- judging a checklist


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a checklist, and at which step (empty: as a whole)."""

    code: str
    key: str = ""


def faults_of(steps: Sequence[Step], max_steps: int) -> tuple[Fault, ...]:
    """Everything that keeps a checklist from being published."""
    if not steps:
        return (Fault("no_steps"),)
    if len(steps) > max_steps:
        return (Fault("too_many_steps"),)
    by_key = {step.key: step for step in steps}
    doubled = () if len(by_key) == len(steps) else (Fault("key_twice"),)
    return (*doubled, *(fault for step in steps for fault in _faults_of(step, by_key)))


def _faults_of(step: Step, by_key: Mapping[str, Step]) -> list[Fault]:
    wrong = {
        "no_key": not step.key,
        "no_words": not step.ko.strip(),
        "stage_range": not 1 <= step.stage <= 99,
        "due_range": step.due_s is not None and not 1 <= step.due_s <= LONGEST_DUE_S,
        "few_options": step.evidence is Evidence.CHOICE and len(set(step.options)) < 2,
        "needless_options": step.evidence is not Evidence.CHOICE and bool(step.options),
        **_branch_faults(step, by_key),
    }
    return [Fault(code, step.key) for code, holds in wrong.items() if holds]


def _branch_faults(step: Step, by_key: Mapping[str, Step]) -> dict[str, bool]:
    if step.only_if is None:
        return {}
    on = by_key.get(step.only_if.step)
    if on is None or on.evidence is not Evidence.CHOICE:
        return {"branch_unknown": True}
    return {
        "branch_not_earlier": on.stage >= step.stage,
        "branch_answer": not step.only_if.answers or not step.only_if.answers <= set(on.options),
    }


# ------------------------------------------------------------------------------------------------ a run of it


@dataclass(frozen=True, slots=True)
class Tick:
    """What was entered for a step: `value` is the chosen option, `still` names the picture."""

    by: str
    value: str = ""
    note: str = ""
    still: str = ""
    skipped: bool = False


@dataclass(frozen=True, slots=True)
class Run:
    """A checklist being worked through."""

    steps: tuple[Step, ...]
    phase: Phase = Phase.RUNNING
    ticks: Mapping[str, Tick] = field(default_factory=dict)
    overdue: frozenset[str] = frozenset()

    def step(self, key: str) -> Step | None:
        """The step of that key."""
        return next((step for step in self.steps if step.key == key), None)


def standings(run: Run) -> dict[str, Standing]:
    """Where every step stands, in order of stages."""
    known: dict[str, Standing] = {}
    blocked = False
    for _, stage in groupby(sorted(run.steps, key=lambda step: step.stage), key=lambda step: step.stage):
        fresh = {step.key: _standing(run, step, known, blocked) for step in stage}
        known |= fresh
        blocked = blocked or not LEFT.isdisjoint(fresh.values())
    return known


def _standing(run: Run, step: Step, earlier: Mapping[str, Standing], blocked: bool) -> Standing:
    tick = run.ticks.get(step.key)
    if tick is not None:
        return Standing.SKIPPED if tick.skipped else Standing.DONE
    if step.only_if is not None and not _taken(run, step.only_if, earlier):
        return Standing.OFF
    return Standing.WAITING if blocked else Standing.OPEN


def _taken(run: Run, branch: Branch, earlier: Mapping[str, Standing]) -> bool:
    """Whether the branch is taken, or still may be."""
    standing = earlier[branch.step]
    if standing in LEFT:
        return True
    return standing is Standing.DONE and run.ticks[branch.step].value in branch.answers


def left_to_do(run: Run) -> tuple[str, ...]:
    """The keys of the steps that are neither done nor fallen away."""
    return tuple(key for key, standing in standings(run).items() if standing in LEFT)


# ------------------------------------------------------------------------------------------------- commands


@dataclass(frozen=True, slots=True, kw_only=True)
class Do:
    """Somebody did a step. `may_do` are the roles that person holds here."""

    key: str
    by: str
    may_do: frozenset[DoneBy] = frozenset(DoneBy)
    value: str = ""
    note: str = ""
    still: str = ""


@dataclass(frozen=True, slots=True)
class Skip:
    """A step is left out, for a reason."""

    key: str
    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class Undo:
    """A step was ticked by mistake; possible until a later stage was begun."""

    key: str
    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class FallDue:
    """The time of a step has passed."""

    key: str


@dataclass(frozen=True, slots=True)
class Stop:
    """The checklist is given up, for a reason."""

    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class End:
    """Its incident ended."""


@dataclass(frozen=True, slots=True)
class Resume:
    """Its incident was opened again."""


Command = Do | Skip | Undo | FallDue | Stop | End | Resume


@dataclass(frozen=True, slots=True)
class Ticked:
    key: str
    tick: Tick


@dataclass(frozen=True, slots=True)
class Undone:
    key: str
    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class Opened:
    """A step can be done from now on; its time runs."""

    key: str


@dataclass(frozen=True, slots=True)
class Shut:
    """A step that was open no longer waits for anybody."""

    key: str


@dataclass(frozen=True, slots=True)
class Overdue:
    key: str


@dataclass(frozen=True, slots=True)
class Turned:
    """The run as a whole entered another phase. `left` are the steps nobody did."""

    phase: Phase
    reason: str = ""
    left: tuple[str, ...] = ()


Event = Ticked | Undone | Opened | Shut | Overdue | Turned


def begun(steps: tuple[Step, ...]) -> tuple[Event, ...]:
    """The events of a run's beginning."""
    first = standings(Run(steps))
    return tuple(Opened(key) for key, standing in first.items() if standing is Standing.OPEN)


def decide(run: Run, command: Command) -> Accepted[Event] | Rejected:
    """What `command` means for a run.

    Refusals: `not_running`, `unknown_step`, `already_done`, `not_yet`, `branch_off`, `role_missing`, `choice_missing`,
    `note_missing`, `still_missing`, `reason_missing`, `not_done`, `later_done`.
    """
    if isinstance(command, End):
        return _turn(run, Phase.RUNNING, Turned(Phase.ENDED, left=left_to_do(run)))
    if isinstance(command, Resume):
        return _turn(run, Phase.ENDED, Turned(Phase.RUNNING))
    if isinstance(command, Undo):
        return _undo(run, command)
    if run.phase is not Phase.RUNNING:
        return Rejected("not_running", {"phase": run.phase.value})
    if isinstance(command, Stop):
        turned = Turned(Phase.STOPPED, command.reason, left_to_do(run))
        return Rejected("reason_missing") if not command.reason.strip() else _turn(run, Phase.RUNNING, turned)
    return _on_step(run, command)


def _turn(run: Run, wanted: Phase, turned: Turned) -> Accepted[Event] | Rejected:
    if run.phase is not wanted:
        return Rejected("not_running", {"phase": run.phase.value})
    return _with_consequences(run, (turned,))


def _on_step(run: Run, command: Do | Skip | FallDue) -> Accepted[Event] | Rejected:
    step = run.step(command.key)
    if step is None:
        return Rejected("unknown_step", {"step": command.key})
    standing = standings(run)[step.key]
    if isinstance(command, FallDue):
        late = standing is Standing.OPEN and step.key not in run.overdue
        return Accepted((Overdue(step.key),) if late else ())
    refused = _not_open(run, step, standing)
    if refused is not None:
        return refused
    if isinstance(command, Skip):
        if not command.reason.strip():
            return Rejected("reason_missing")
        return _with_consequences(run, (Ticked(step.key, Tick(command.by, note=command.reason, skipped=True)),))
    wrong = _lacking(step, command)
    if wrong is not None:
        return wrong
    tick = Tick(command.by, command.value, command.note, command.still)
    return _with_consequences(run, (Ticked(step.key, tick),))


def _not_open(run: Run, step: Step, standing: Standing) -> Rejected | None:
    if standing in (Standing.DONE, Standing.SKIPPED):
        return Rejected("already_done", {"by": run.ticks[step.key].by})
    if standing is Standing.OFF:
        return Rejected("branch_off", {"step": step.key})
    return Rejected("not_yet", {"step": step.key}) if standing is Standing.WAITING else None


def _lacking(step: Step, command: Do) -> Rejected | None:
    if step.done_by not in command.may_do:
        return Rejected("role_missing", {"role": step.done_by.value})
    if step.evidence is Evidence.CHOICE and command.value not in step.options:
        return Rejected("choice_missing", {"options": list(step.options)})
    if step.evidence is Evidence.NOTE and not command.note.strip():
        return Rejected("note_missing")
    return Rejected("still_missing") if step.evidence is Evidence.STILL and not command.still.strip() else None


def _undo(run: Run, command: Undo) -> Accepted[Event] | Rejected:
    if run.phase not in (Phase.RUNNING, Phase.DONE):
        return Rejected("not_running", {"phase": run.phase.value})
    step = run.step(command.key)
    if step is None:
        return Rejected("unknown_step", {"step": command.key})
    if step.key not in run.ticks:
        return Rejected("not_done")
    if not command.reason.strip():
        return Rejected("reason_missing")
    if any(other.stage > step.stage and other.key in run.ticks for other in run.steps):
        return Rejected("later_done")
    undone = Undone(step.key, command.by, command.reason)
    return _with_consequences(run, (undone,) if run.phase is Phase.RUNNING else (Turned(Phase.RUNNING), undone))


def _with_consequences(run: Run, events: tuple[Event, ...]) -> Accepted[Event]:
    """The events with what they open, shut and finish."""
    after = evolve_all(run, events)
    if after.phase is Phase.RUNNING and not left_to_do(after):
        events = (*events, Turned(Phase.DONE))
        after = evolve(after, events[-1])
    before_open, after_open = open_steps(run), open_steps(after)
    shut = tuple(Shut(key) for key in before_open if key not in after_open)
    opened = tuple(Opened(key) for key in after_open if key not in before_open)
    return Accepted((*events, *shut, *opened))


def open_steps(run: Run) -> tuple[str, ...]:
    """The steps somebody should be doing now."""
    if run.phase is not Phase.RUNNING:
        return ()
    return tuple(key for key, standing in standings(run).items() if standing is Standing.OPEN)


def evolve(run: Run, event: Event) -> Run:
    """The run after `event`."""
    if isinstance(event, Ticked):
        return replace(run, ticks={**run.ticks, event.key: event.tick})
    if isinstance(event, Undone):
        return replace(run, ticks={key: tick for key, tick in run.ticks.items() if key != event.key})
    if isinstance(event, Overdue):
        return replace(run, overdue=run.overdue | {event.key})
    if isinstance(event, Turned):
        return replace(run, phase=event.phase)
    return replace(run, overdue=run.overdue - {event.key})


def evolve_all(run: Run, events: Sequence[Event]) -> Run:
    """The run after all of `events`, in order."""
    for event in events:
        run = evolve(run, event)
    return run
