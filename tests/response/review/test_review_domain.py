"""The promises of a review, on every path."""

from __future__ import annotations

from datetime import date, timedelta
from types import MappingProxyType

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from madang.kernel.decisions import Accepted, Rejected
from madang.response.review.domain import (
    CHECKLIST,
    KEYS,
    LESSON_MOVES,
    Answer,
    Append,
    Command,
    Find,
    Learn,
    LessonState,
    LessonStep,
    MoveLesson,
    Phase,
    Review,
    Say,
    Sign,
    decide,
    evolve_all,
)

TODAY = date(2026, 11, 22)
HOLDERS = frozenset({"person:kim", "person:lee"})
PEOPLE = st.sampled_from(["person:kim", "person:lee", "person:choi"])
WORDS = st.sampled_from(["", "  ", "말"])


def complete(**more: object) -> Review:
    answers = MappingProxyType({point.key: Answer.YES for point in CHECKLIST})
    return Review(holders=HOLDERS, **({"answers": answers} | more))  # type: ignore[arg-type]  # a test's shorthand


def code_of(review: Review, command: Command) -> str:
    decision = decide(review, command)
    return decision.code if isinstance(decision, Rejected) else "accepted"


def test_only_somebody_who_never_held_the_incident_signs_and_only_when_all_is_answered() -> None:
    ready = complete()
    assert code_of(ready, Sign("person:choi", "총평", 1)) == "accepted"
    assert code_of(ready, Sign("person:kim", "총평", 1)) == "own_incident"
    assert code_of(ready, Sign("person:choi", "총평", 2)) == "stale_version"
    assert code_of(ready, Sign("person:choi", " ", 1)) == "text_missing"
    assert code_of(complete(incident_closed=False), Sign("person:choi", "총평", 1)) == "incident_open"
    assert code_of(complete(answers={}), Sign("person:choi", "총평", 1)) == "unanswered"


def test_a_no_needs_a_note_and_an_unknown_question_is_refused() -> None:
    assert code_of(Review(), Say("video", Answer.NO)) == "note_missing"
    assert code_of(Review(), Say("video", Answer.NO, "근거 없음")) == "accepted"
    assert code_of(Review(), Say("weather", Answer.YES)) == "unknown_point"


def test_a_lesson_needs_an_owner_and_a_day_to_come() -> None:
    day = TODAY - timedelta(days=1)
    assert code_of(Review(), Learn("l", "교육", "", TODAY, TODAY)) == "owner_missing"
    assert code_of(Review(), Learn("l", "교육", "person:choi", day, TODAY)) == "due_past"


class Reviews(RuleBasedStateMachine):
    """Any commands in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.review = Review(holders=HOLDERS)
        self.signed_answers: object = None
        self.signers: list[str] = []

    def tell(self, command: Command) -> None:
        before = self.review
        decision = decide(before, command)
        if isinstance(decision, Accepted):
            self.review = evolve_all(before, decision.events)
            assert self.review.version == before.version + len(decision.events)
            if isinstance(command, Sign):
                assert not before.unanswered and before.incident_closed
                self.signers.append(command.by)
                self.signed_answers = dict(self.review.answers)

    @rule(key=st.sampled_from(sorted(KEYS | {"?"})), said=st.sampled_from(Answer), note=WORDS)
    def answer(self, key: str, said: Answer, note: str) -> None:
        self.tell(Say(key, said, note))

    @rule()
    def answer_all(self) -> None:
        for point in CHECKLIST:
            self.tell(Say(point.key, Answer.YES))

    @rule(text=WORDS)
    def find(self, text: str) -> None:
        self.tell(Find(text))

    @rule(text=WORDS, owner=st.sampled_from(["", "person:choi"]), days=st.integers(-1, 3))
    def learn(self, text: str, owner: str, days: int) -> None:
        self.tell(Learn(f"l{len(self.review.lessons)}", text, owner, TODAY + timedelta(days=days), TODAY))

    @rule(n=st.integers(0, 3), step=st.sampled_from(LessonStep), word=WORDS)
    def move(self, n: int, step: LessonStep, word: str) -> None:
        before = self.review.lessons.get(f"l{n}")
        self.tell(MoveLesson(f"l{n}", step, word))
        after = self.review.lessons.get(f"l{n}")
        assert after is before or after in LESSON_MOVES[before or LessonState.OPEN].values()

    @rule(by=PEOPLE, summary=WORDS, stale=st.booleans())
    def sign(self, by: str, summary: str, stale: bool) -> None:
        self.tell(Sign(by, summary, self.review.version - stale))

    @rule(text=WORDS)
    def append(self, text: str) -> None:
        before = self.review.documents
        self.tell(Append(text))
        assert self.review.documents in (before, before + 1)

    @rule(closed=st.booleans())
    def reopen_or_close(self, closed: bool) -> None:
        if self.review.phase is Phase.OPEN:
            self.review = Review(
                phase=self.review.phase,
                incident_closed=closed,
                holders=HOLDERS,
                answers=self.review.answers,
                lessons=self.review.lessons,
                documents=self.review.documents,
                version=self.review.version,
            )

    @invariant()
    def a_signature_is_once_and_by_nobody_who_held_the_incident(self) -> None:
        assert len(self.signers) <= 1
        assert not HOLDERS & set(self.signers)
        assert (self.review.phase is Phase.SIGNED) == bool(self.signers)

    @invariant()
    def what_was_signed_stays(self) -> None:
        if self.signed_answers is not None:
            assert dict(self.review.answers) == self.signed_answers

    @invariant()
    def there_are_documents_exactly_once_it_is_signed(self) -> None:
        assert (self.review.documents > 0) == (self.review.phase is Phase.SIGNED)


TestReviews = Reviews.TestCase
