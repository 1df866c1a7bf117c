"""However a checklist is worked through, nothing is skipped silently, done twice or left hanging."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from madang.kernel.decisions import Accepted, Rejected
from madang.response.sop.domain import (
    LEFT,
    Branch,
    Do,
    DoneBy,
    End,
    Evidence,
    FallDue,
    Opened,
    Phase,
    Resume,
    Run,
    Shut,
    Skip,
    Standing,
    Step,
    Stop,
    Turned,
    Undo,
    begun,
    decide,
    evolve_all,
    faults_of,
    open_steps,
    standings,
)
from madang.response.sop.wording import FAULTS_EN, FAULTS_KO, step_json, step_of

ANSWERS = ("예", "아니오")
KEYS = [f"s{n}" for n in range(6)]


@st.composite
def checklists(draw: st.DrawFn) -> tuple[Step, ...]:
    """Checklists that may be published: stages, choices and branches on earlier choices."""
    steps: list[Step] = []
    for key in KEYS[: draw(st.integers(1, len(KEYS)))]:
        stage = draw(st.integers(1, 4))
        evidence = draw(st.sampled_from(list(Evidence)))
        choices = [step for step in steps if step.evidence is Evidence.CHOICE and step.stage < stage]
        on = draw(st.sampled_from([None, *choices]))
        answers = frozenset({draw(st.sampled_from(ANSWERS))})
        steps.append(
            Step(
                key=key,
                stage=stage,
                ko=f"할 일 {key}",
                done_by=draw(st.sampled_from([DoneBy.ANYBODY, DoneBy.OPERATOR, DoneBy.SUPERVISOR])),
                due_s=draw(st.sampled_from([None, 60])),
                evidence=evidence,
                options=ANSWERS if evidence is Evidence.CHOICE else (),
                only_if=Branch(on.key, answers) if on else None,
            )
        )
    return tuple(steps)


class RunLife(RuleBasedStateMachine):
    """Any sequence of ticks, mistakes and endings."""

    @initialize(steps=checklists())
    def begin(self, steps: tuple[Step, ...]) -> None:
        assert faults_of(steps, 60) == ()
        self.run = Run(steps)
        self.open = {event.key for event in begun(steps) if isinstance(event, Opened)}
        self.stopped = False

    def give(self, command: Do | Skip | Undo | FallDue | Stop | End | Resume) -> Accepted[object] | Rejected:
        before, answer = self.run, decide(self.run, command)
        if isinstance(answer, Rejected):
            assert self.run == before
            return answer
        self.run = evolve_all(self.run, answer.events)
        for event in answer.events:
            if isinstance(event, Opened):
                assert event.key not in self.open
                self.open.add(event.key)
            elif isinstance(event, Shut):
                self.open.remove(event.key)
        return answer

    @rule(key=st.sampled_from(KEYS), value=st.sampled_from([*ANSWERS, "?"]), words=st.sampled_from(["", "확인함"]))
    def do(self, key: str, value: str, words: str) -> None:
        was, first = standings(self.run).get(key), self.run.ticks.get(key)
        answer = self.give(Do(key=key, by="person:1", value=value, note=words, still=words))
        if isinstance(answer, Accepted):
            assert was is Standing.OPEN
        if first is not None:
            assert self.run.ticks[key] == first

    @rule(key=st.sampled_from(KEYS), reason=st.sampled_from(["", "해당 없음"]))
    def skip(self, key: str, reason: str) -> None:
        answer = self.give(Skip(key, "person:2", reason))
        assert isinstance(answer, Rejected) or reason

    @rule(key=st.sampled_from(KEYS), reason=st.sampled_from(["", "잘못 눌렀음"]))
    def undo(self, key: str, reason: str) -> None:
        answer = self.give(Undo(key, "person:1", reason))
        if isinstance(answer, Accepted):
            assert reason
            assert key not in self.run.ticks

    @rule(key=st.sampled_from(KEYS))
    def fall_due(self, key: str) -> None:
        was_open = key in open_steps(self.run)
        self.give(FallDue(key))
        assert (key in self.run.overdue) <= (was_open or key in self.run.overdue)

    @precondition(lambda self: not self.stopped)
    @rule(reason=st.sampled_from(["", "오인 신고"]))
    def stop(self, reason: str) -> None:
        if isinstance(self.give(Stop("person:1", reason)), Accepted):
            self.stopped = True

    @rule()
    def incident_ends(self) -> None:
        self.give(End())

    @rule()
    def incident_is_reopened(self) -> None:
        self.give(Resume())

    @invariant()
    def told_openings_are_the_open_steps(self) -> None:
        assert self.open == set(open_steps(self.run))

    @invariant()
    def overdue_steps_are_open(self) -> None:
        assert self.run.overdue <= set(open_steps(self.run))

    @invariant()
    def a_running_checklist_always_has_something_to_do(self) -> None:
        if self.run.phase is Phase.RUNNING:
            assert open_steps(self.run)
        if self.run.phase is Phase.DONE:
            assert not LEFT & set(standings(self.run).values())

    @invariant()
    def no_stage_is_begun_before_the_earlier_ones_are_through(self) -> None:
        now = standings(self.run)
        opened = [step.stage for step in self.run.steps if now[step.key] is Standing.OPEN]
        assert len(set(opened)) <= 1

    @invariant()
    def what_was_stopped_stays_stopped(self) -> None:
        assert not self.stopped or self.run.phase is Phase.STOPPED


TestRunLife = RunLife.TestCase
TestRunLife.settings = settings(max_examples=120, stateful_step_count=20, deadline=None)


def step(key: str, stage: int, **more: object) -> Step:
    return Step(key=key, stage=stage, ko="할 일", **more)  # type: ignore[arg-type]  # a test's shorthand


ASK = step("a", 1, evidence=Evidence.CHOICE, options=ANSWERS)


def test_of_two_who_tick_the_same_step_the_first_wins_and_the_second_is_told_who() -> None:
    run = Run((step("a", 1), step("b", 1)))
    first = decide(run, Do(key="a", by="person:1"))
    assert isinstance(first, Accepted)
    after = evolve_all(run, first.events)
    assert decide(after, Do(key="a", by="person:2")) == Rejected("already_done", {"by": "person:1"})
    assert isinstance(decide(after, Do(key="b", by="person:2")), Accepted)


def test_an_answer_decides_which_steps_fall_away() -> None:
    run = Run((ASK, step("yes", 2, only_if=Branch("a", frozenset({"예"}))), step("end", 3)))
    answer = decide(run, Do(key="a", by="p", value="아니오"))
    assert isinstance(answer, Accepted)
    after = evolve_all(run, answer.events)
    assert standings(after) == {"a": Standing.DONE, "yes": Standing.OFF, "end": Standing.OPEN}
    assert Opened("end") in answer.events
    assert decide(after, Do(key="yes", by="p")) == Rejected("branch_off", {"step": "yes"})


def test_what_a_step_asks_for_must_be_given_by_the_role_it_names() -> None:
    run = Run((step("n", 1, evidence=Evidence.NOTE, done_by=DoneBy.SUPERVISOR), ASK))
    operator = frozenset({DoneBy.ANYBODY, DoneBy.OPERATOR})
    assert decide(run, Do(key="n", by="p", may_do=operator, note="확인")) == Rejected(
        "role_missing", {"role": "supervisor"}
    )
    assert decide(run, Do(key="n", by="p", note=" ")) == Rejected("note_missing")
    assert decide(run, Do(key="a", by="p", value="글쎄")) == Rejected("choice_missing", {"options": list(ANSWERS)})


def test_a_mistake_can_be_taken_back_until_somebody_built_on_it() -> None:
    run = Run((ASK, step("b", 2)))
    for command in (Do(key="a", by="p", value="예"), Do(key="b", by="p")):
        answer = decide(run, command)
        assert isinstance(answer, Accepted)
        run = evolve_all(run, answer.events)
    assert run.phase is Phase.DONE
    assert decide(run, Undo("a", "p", "착오")) == Rejected("later_done")
    answer = decide(run, Undo("b", "p", "착오"))
    assert isinstance(answer, Accepted)
    assert Turned(Phase.RUNNING) in answer.events
    assert open_steps(evolve_all(run, answer.events)) == ("b",)


@pytest.mark.parametrize(
    ("steps", "code"),
    [
        ((), "no_steps"),
        ((step("a", 1), step("a", 2)), "key_twice"),
        ((Step(key="a", stage=1, ko=" "),), "no_words"),
        ((step("a", 0),), "stage_range"),
        ((step("a", 1, due_s=0),), "due_range"),
        ((step("a", 1, evidence=Evidence.CHOICE, options=("예",)),), "few_options"),
        ((step("a", 1, options=("예", "아니오")),), "needless_options"),
        ((step("b", 2, only_if=Branch("x", frozenset({"예"}))),), "branch_unknown"),
        ((ASK, step("b", 1, only_if=Branch("a", frozenset({"예"})))), "branch_not_earlier"),
        ((ASK, step("b", 2, only_if=Branch("a", frozenset({"글쎄"})))), "branch_answer"),
    ],
)
def test_a_checklist_that_could_hang_or_mislead_is_not_published(steps: tuple[Step, ...], code: str) -> None:
    found = {fault.code for fault in faults_of(steps, 60)}
    assert code in found
    assert found <= set(FAULTS_KO)
    assert set(FAULTS_KO) == set(FAULTS_EN)


@given(checklists())
@settings(max_examples=60, deadline=None)
def test_a_checklist_is_kept_and_read_back_unchanged(steps: tuple[Step, ...]) -> None:
    assert tuple(step_of(step_json(one)) for one in steps) == steps
