"""Decisions about runs written down: rows, timers, tasks, timeline, announcements and audit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from madang.identity.rights import Actor
from madang.journal import changes, civic, outbox, timers
from madang.journal.session import Session
from madang.kernel.mode import Mode
from madang.response import tasks, timeline
from madang.response.sop.domain import Event, Opened, Overdue, Phase, Run, Shut, Step, Tick, Ticked, Turned, Undone
from madang.response.sop.models import SopRun, SopStep, SopVersion
from madang.response.sop.wording import steps_of
from madang.response.task_life import SOP_STEP
from madang.response.tasks import response_config
from madang.response.timeline import Line

STEP_DUE = "sop.step_due"
TOPIC = "response.sop."
_TURNED = {
    Phase.DONE: ("finished", "절차 완료", "Checklist done"),
    Phase.STOPPED: ("stopped", "절차 중단", "Checklist stopped"),
    Phase.ENDED: ("ended", "사건 종료로 절차 끝남", "Checklist ended with its incident"),
    Phase.RUNNING: ("resumed", "절차 다시 진행", "Checklist goes on"),
}


def run_of(run: SopRun, steps: Iterable[Step], rows: Iterable[SopStep]) -> Run:
    """A run as the rules know it."""
    kept = list(rows)
    ticks = {
        row.key: Tick(row.done_by, row.value, row.note, row.still, row.skipped)
        for row in kept
        if row.done_at is not None
    }
    overdue = frozenset(row.key for row in kept if row.overdue_at is not None and row.done_at is None)
    return Run(tuple(steps), Phase(run.phase), ticks, overdue)


@dataclass(frozen=True, slots=True)
class Scribe:
    """Writes down, in one transaction, what somebody's deed means for a run."""

    tx: Session
    actor: Actor
    run: SopRun
    now: datetime

    @property
    def steps(self) -> tuple[Step, ...]:
        """The steps of the version the run began with."""
        return steps_of(self.run.version.steps)

    def apply(self, events: Sequence[Event]) -> None:
        """Carries out what was decided, and tells the screens."""
        rows = {row.key: row for row in self.run.steps.all()}
        steps = {step.key: step for step in self.steps}
        for event in events:
            if isinstance(event, Turned):
                self._turned(event)
            else:
                self._step(event, steps[event.key], rows[event.key])
        changes.touch(self.tx, kind="sop", ref=self.run.incident_id, authority=self.run.authority_id, now=self.now)

    def _step(self, event: Ticked | Undone | Opened | Shut | Overdue, step: Step, row: SopStep) -> None:
        if isinstance(event, Ticked):
            self._ticked(event.tick, step, row)
        elif isinstance(event, Undone):
            self._undone(event.reason, step, row)
        elif isinstance(event, Opened):
            self._opened(step, row)
        elif isinstance(event, Shut):
            self._shut(step)
        else:
            self._overdue(step, row)
        row.save()

    def _ticked(self, tick: Tick, step: Step, row: SopStep) -> None:
        row.done_at, row.done_by, row.done_name, row.skipped = self.now, tick.by, self.actor.name, tick.skipped
        row.value, row.note, row.still = tick.value, tick.note, tick.still
        said = " · ".join(part for part in (tick.value, tick.note, tick.still) if part)
        tail = f" · {said}" if said else ""
        ko, en = ("건너뜀", "skipped") if tick.skipped else ("완료", "done")
        payload = {"step": step.key, "value": tick.value, "still": tick.still, "skipped": tick.skipped}
        self.write("sop_step", f"절차 {ko}: {step.ko}{tail}", f"Step {en}: {step.en or step.ko}{tail}", payload)

    def _undone(self, reason: str, step: Step, row: SopStep) -> None:
        row.done_at, row.done_by, row.done_name, row.skipped = None, "", "", False
        row.value = row.note = row.still = ""
        ko, en = f"절차 되돌림: {step.ko} · {reason}", f"Step taken back: {step.en or step.ko} · {reason}"
        self.write("sop_undone", ko, en, {"step": step.key, "reason": reason})

    def _opened(self, step: Step, row: SopStep) -> None:
        row.opened_at, row.overdue_at, row.due_at = self.now, None, None
        if step.due_s is None:
            return
        row.due_at = self.now + timedelta(seconds=step.due_s)
        timers.set_timer(
            self.tx,
            kind=STEP_DUE,
            key=self._ref(step),
            due_at=row.due_at,
            authority=self.run.authority_id,
            mode=Mode(self.run.mode),
        )

    def _shut(self, step: Step) -> None:
        timers.cancel_timer(self.tx, kind=STEP_DUE, key=self._ref(step))
        tasks.finish(self.tx, self.run.incident, {SOP_STEP}, self.actor.id, self.now, ref=self._ref(step))

    def _overdue(self, step: Step, row: SopStep) -> None:
        row.overdue_at = self.now
        wording = tasks.wording_of(f"절차 기한 지남: {step.ko}", f"Checklist step overdue: {step.en or step.ko}")
        tasks.need(
            self.tx,
            self.run.incident,
            SOP_STEP,
            self.now,
            ref=self._ref(step),
            wording=wording,
            due_s=response_config().escalate_again_s,
            escalated=True,
        )
        self.write("sop_overdue", wording.ko, wording.en, {"step": step.key})
        self.announce("overdue", step=step.key)

    def _turned(self, event: Turned) -> None:
        run = self.run
        run.phase, run.end_reason = event.phase.value, event.reason
        run.ended_at = None if event.phase is Phase.RUNNING else self.now
        run.save()
        name, ko, en = _TURNED[event.phase]
        why = f" · {event.reason}" if event.reason else ""
        left = f" (남은 단계 {len(event.left)})" if event.left else ""
        payload = {"phase": event.phase.value, "left": list(event.left), "reason": event.reason}
        self.write(
            "sop_turned", f"{ko}: {run.version.title_ko}{left}{why}", f"{en}: {title_en(run.version)}{why}", payload
        )
        self.announce(name, left=list(event.left))

    def _ref(self, step: Step) -> str:
        return f"{self.run.id}:{step.key}"

    def write(self, kind: str, ko: str, en: str, payload: Mapping[str, Any]) -> None:  # Any: JSON values
        """A line on the incident's timeline."""
        line = Line(kind, ko, en, {"run": self.run.id, "code": self.run.code, **payload})
        timeline.append(self.run.incident, line, actor=self.actor.id, actor_name=self.actor.name, now=self.now)

    def announce(self, name: str, **more: Any) -> None:  # Any: JSON values
        """Announces `response.sop.<name>`."""
        run = self.run
        outbox.announce(
            self.tx,
            topic=TOPIC + name,
            key=run.incident_id,
            body={
                "run_id": run.id,
                "incident_id": run.incident_id,
                "code": run.code,
                "version": run.version.version,
                **more,
            },
            authority=run.authority_id,
            mode=Mode(run.mode),
            now=self.now,
        )

    def audit(self, deed: str, body: Mapping[str, Any]) -> None:  # Any: JSON values
        """An audit row about the incident."""
        civic.audit(
            self.tx,
            authority=self.run.authority_id,
            actor=self.actor.id,
            action=f"sop.{deed}",
            thing=f"incident:{self.run.incident_id}",
            mode=Mode(self.run.mode),
            now=self.now,
            body={"run": self.run.id, "code": self.run.code, **body},
            retention="incident",
        )


def title_en(version: SopVersion) -> str:
    """The English title, or the Korean where there is none."""
    return version.title_en or version.title_ko
