"""Tasks between people: whatever is done to one, in any order, it is somebody's or nobody's, open or done."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from madang.identity.actors import actor_of_person
from madang.identity.models import Authority
from madang.identity.rights import Actor, Role
from madang.kernel.decisions import Accepted, Rejected
from madang.kernel.errors import BadRequestError, ConflictError
from madang.kernel.mode import Mode
from madang.response import commands, todo
from madang.response.commands import OpenIncident
from madang.response.domain import ATTEND
from madang.response.models import Incident, Task
from madang.response.queries import task_row
from madang.response.task_life import BOUND, TODO, Assign, Command, Complete, Snooze, Todo, decide, evolve
from tests.conftest import MakePerson
from tests.response.conftest import NOW, civic_tx

LONGEST_S = 3_600.0
WHO = ("person:1", "person:2", "")


class TodoLife(RuleBasedStateMachine):
    @initialize(kind=st.sampled_from([TODO, *sorted(BOUND)]), urgent=st.booleans())
    def begin(self, kind: str, urgent: bool) -> None:
        self.todo = Todo(kind, urgent=urgent)
        self.done_with = ""

    def give(self, command: Command) -> Accepted[object] | Rejected:
        before, answer = self.todo, decide(self.todo, command, NOW, longest_s=LONGEST_S)
        if isinstance(answer, Rejected):
            assert self.todo == before
            return answer
        for event in answer.events:
            self.todo = evolve(self.todo, event)
        return answer

    @rule(to=st.sampled_from(WHO[:2]), before=st.sampled_from(WHO))
    def assign(self, to: str, before: str) -> None:
        was = self.todo.assignee
        answer = self.give(Assign(to, before))
        if isinstance(answer, Accepted) and was != to:
            assert was == before

    @rule(note=st.sampled_from(["", " ", "회신 받음"]))
    def complete(self, note: str) -> None:
        answer = self.give(Complete(note))
        if isinstance(answer, Accepted):
            assert note.strip()
            assert self.todo.kind not in BOUND

    @rule(minutes=st.integers(-5, 90), reason=st.sampled_from(["", "현장 복귀 뒤"]))
    def snooze(self, minutes: int, reason: str) -> None:
        answer = self.give(Snooze(NOW + timedelta(minutes=minutes), reason))
        if isinstance(answer, Accepted):
            assert reason
            assert 0 < minutes <= 60
            assert not (self.todo.kind == ATTEND and self.todo.urgent)

    @invariant()
    def what_only_a_deed_ends_stays_open(self) -> None:
        assert self.todo.open or self.todo.kind == TODO


TestTodoLife = TodoLife.TestCase
TestTodoLife.settings = settings(max_examples=60, stateful_step_count=12, deadline=None)


@pytest.fixture
def lee(city: Authority, make_person: MakePerson) -> Actor:
    return actor_of_person(make_person(Role.OPERATOR, username="lee"))


@pytest.fixture
def incident(city: Authority, operator: Actor) -> Incident:
    wanted = OpenIncident(authority=city.code, source="operator", mode=Mode.SIMULATED, class_text="fire", code=1)
    with civic_tx() as tx:
        return commands.open_incident(tx, operator, wanted, NOW)


def added(actor: Actor, incident: Incident, **more: str) -> Task:
    with civic_tx() as tx:
        return todo.add(tx, actor, incident.id, "119 회신 확인", 600, NOW, **more)


def test_a_task_is_written_taken_handed_on_and_finished_with_a_note(
    incident: Incident, operator: Actor, lee: Actor
) -> None:
    task = added(operator, incident)
    with civic_tx() as tx:
        todo.take(tx, lee, task.id, NOW)
        todo.assign(tx, lee, task.id, operator.id, NOW, before=lee.id)
        with pytest.raises(BadRequestError):
            todo.complete(tx, operator, task.id, " ", NOW)
        done = todo.complete(tx, operator, task.id, "출동 확인", NOW)
    assert (done.state, done.note, done.done_by) == ("done", "출동 확인", operator.id)
    kinds = list(incident.timeline.filter(kind__startswith="task_").values_list("kind", flat=True))
    assert kinds == ["task_added", "task_assigned", "task_assigned", "task_done"]


def test_of_two_who_take_it_at_once_the_second_is_told_who_has_it(
    incident: Incident, operator: Actor, lee: Actor
) -> None:
    task = added(operator, incident)
    with civic_tx() as tx:
        todo.take(tx, lee, task.id, NOW)
    with pytest.raises(ConflictError) as refused, civic_tx() as tx:
        todo.take(tx, operator, task.id, NOW)
    assert lee.name in refused.value.ko


def test_put_off_it_falls_due_later_but_an_unattended_emergency_cannot_wait(
    incident: Incident, operator: Actor
) -> None:
    task = added(operator, incident)
    with civic_tx() as tx:
        later = todo.snooze(tx, operator, task.id, 30, "현장 복귀 뒤", NOW)
    assert later.due_at == NOW + timedelta(minutes=30)
    assert task_row(later)["snooze_reason"] == "현장 복귀 뒤"
    attend = incident.tasks.get(kind=ATTEND)
    with pytest.raises(ConflictError), civic_tx() as tx:
        todo.snooze(tx, operator, attend.id, 5, "나중에", NOW)
    with pytest.raises(ConflictError), civic_tx() as tx:
        todo.complete(tx, operator, attend.id, "했음", NOW)


def test_only_who_may_work_on_it_is_given_a_task(incident: Incident, operator: Actor, make_person: MakePerson) -> None:
    auditor = actor_of_person(make_person(Role.AUDITOR))
    with pytest.raises(BadRequestError):
        added(operator, incident, to=auditor.id)
    with civic_tx() as tx:
        commands.close_incident(tx, operator, incident.id, "종결", NOW)
    with pytest.raises(ConflictError):
        added(operator, incident)
