"""The life of a version, walked at random by many people: what must hold on every path."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from madang.kernel.decisions import Rejected
from madang.response.rules.domain import FORCING, RUNNING, TRANSITIONS, Do, Moved, Stage, Step, Version, decide, evolve

PEOPLE = st.sampled_from(["person:1", "person:2", "person:3"])


class Life(RuleBasedStateMachine):
    """One version in the hands of three people; `trail` is what was really done."""

    @initialize(author=PEOPLE, outside=st.booleans())
    def draft(self, author: str, outside: bool) -> None:
        self.version = Version(author=author, acts_outside=outside)
        self.trail: list[Moved] = []

    @rule(
        step=st.sampled_from(Step),
        by=PEOPLE,
        reason=st.sampled_from(["", "a reason"]),
        faults=st.integers(0, 1),
        auto=st.booleans(),
        revision=st.none() | st.integers(1, 5),
    )
    def act(self, step: Step, by: str, reason: str, faults: int, auto: bool, revision: int | None) -> None:
        before = self.version
        decision = decide(before, Do(step, by, reason, faults, auto, revision))
        if isinstance(decision, Rejected):
            assert decision.code
            return
        moved = decision.events[0]
        self.version = evolve(before, moved)
        self.trail.append(moved)
        assert moved.after is TRANSITIONS[before.stage][step]
        assert revision in (None, before.revision)
        assert self.version.revision == before.revision + 1

    @invariant()
    def nobody_puts_in_force_what_they_wrote_or_changed(self) -> None:
        if not hasattr(self, "version"):
            return
        writers = {self.version.author, *(one.by for one in self.trail if one.step is Step.EDIT)}
        assert writers == {self.version.author, *self.version.editors}
        for place, one in enumerate(self.trail):
            if one.step in FORCING:
                earlier = {each.by for each in self.trail[:place] if each.step is Step.EDIT}
                assert one.by not in {self.version.author, *earlier}

    @invariant()
    def nothing_is_in_force_that_was_not_checked_replayed_and_shadowed_since_it_was_changed(self) -> None:
        if not hasattr(self, "version") or self.version.stage is not Stage.PUBLISHED:
            return
        since = max((place for place, one in enumerate(self.trail) if one.step is Step.EDIT), default=-1)
        steps = [one.step for one in self.trail[since + 1 :]]
        for earlier, later in ((Step.CHECK, Step.REPLAY), (Step.REPLAY, Step.SHADOW), (Step.SHADOW, Step.PUBLISH)):
            assert steps.index(earlier) < steps.index(later)

    @invariant()
    def what_acts_outside_by_itself_was_let_to_by_whoever_published_it(self) -> None:
        for one in getattr(self, "trail", []):
            assert not one.auto or self.version.acts_outside

    @invariant()
    def what_was_dropped_stays_dropped(self) -> None:
        trail = getattr(self, "trail", [])
        assert all(one.before is not Stage.DROPPED for one in trail)


TestLife = Life.TestCase


def test_only_what_runs_hears_the_feeds() -> None:
    assert {Stage.SHADOW, Stage.PUBLISHED} == RUNNING
