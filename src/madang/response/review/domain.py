"""How an incident is looked over once it is closed: checklist, findings, lessons, signature, addenda. Pure decisions.

What was signed never changes: whatever is found later is an addendum. Nobody signs the review of an incident they
answered for. Lessons live on after the signature until they are done or dropped.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum
from types import MappingProxyType

from madang.kernel.decisions import Accepted, Rejected


class Phase(StrEnum):
    """Where a review stands."""

    OPEN = "open"
    SIGNED = "signed"


class Answer(StrEnum):
    """What a point of the checklist was answered with."""

    YES = "yes"
    NO = "no"
    NOT_APPLICABLE = "na"


@dataclass(frozen=True, slots=True)
class Point:
    """One question every review answers."""

    key: str
    ko: str
    en: str


CHECKLIST: tuple[Point, ...] = (
    Point("timeline", "경과가 빠짐없이 기록되었는가", "Is the timeline complete?"),
    Point("response", "인지·확인·대응 시간이 목표 안이었는가", "Were the times to notice, verify and act within goal?"),
    Point("sop", "절차(SOP)를 지켰는가", "Was the checklist followed?"),
    Point("signals", "신호의 병합·보류가 옳았는가", "Were signals merged and shelved rightly?"),
    Point("video", "영상 열람·제공의 근거와 범위가 적정했는가", "Did each view of video have its ground and bounds?"),
    Point("messages", "상황전파와 확인이 제때 이루어졌는가", "Were messages sent and acknowledged in time?"),
    Point("handover", "인수인계에 공백이 없었는가", "Did hand-overs leave nobody without an owner?"),
    Point("evidence", "보존할 증거를 확보하였는가", "Was the evidence that matters kept?"),
    Point("privacy", "개인정보가 목적 밖으로 쓰이지 않았는가", "Was personal data used for nothing else?"),
)
"""The questions of every review, in order."""
KEYS = frozenset(point.key for point in CHECKLIST)


class LessonState(StrEnum):
    """Where a lesson stands. `DRAFTED`: a rule or a checklist was drafted from it."""

    OPEN = "open"
    DRAFTED = "drafted"
    DONE = "done"
    DROPPED = "dropped"


class LessonStep(StrEnum):
    """What moves a lesson."""

    DRAFT = "draft"
    DONE = "done"
    DROP = "drop"
    REOPEN = "reopen"


LESSON_MOVES: Mapping[LessonState, Mapping[LessonStep, LessonState]] = MappingProxyType(
    {
        LessonState.OPEN: {
            LessonStep.DRAFT: LessonState.DRAFTED,
            LessonStep.DONE: LessonState.DONE,
            LessonStep.DROP: LessonState.DROPPED,
        },
        LessonState.DRAFTED: {LessonStep.DONE: LessonState.DONE, LessonStep.DROP: LessonState.DROPPED},
        LessonState.DONE: {LessonStep.REOPEN: LessonState.OPEN},
        LessonState.DROPPED: {LessonStep.REOPEN: LessonState.OPEN},
    }
)
NEEDS_WORD = frozenset({LessonStep.DONE, LessonStep.DROP, LessonStep.REOPEN})


@dataclass(frozen=True, slots=True)
class Review:
    """What the rules need to know of a review. `holders` answered for the incident at any time."""

    phase: Phase = Phase.OPEN
    incident_closed: bool = True
    holders: frozenset[str] = frozenset()
    answers: Mapping[str, Answer] = field(default_factory=dict)
    lessons: Mapping[str, LessonState] = field(default_factory=dict)
    documents: int = 0
    version: int = 1

    @property
    def unanswered(self) -> tuple[str, ...]:
        """The questions still open, in order."""
        return tuple(point.key for point in CHECKLIST if point.key not in self.answers)


# ------------------------------------------------------------------------------------------------- commands


@dataclass(frozen=True, slots=True)
class Say:
    """Answer one question; `no` needs a note."""

    key: str
    answer: Answer
    note: str = ""


@dataclass(frozen=True, slots=True)
class Find:
    """Write down, or take out, something that was found."""

    text: str


@dataclass(frozen=True, slots=True)
class Learn:
    """A lesson somebody is to carry out by a day."""

    lesson: str
    text: str
    owner: str
    due_on: date
    today: date


@dataclass(frozen=True, slots=True)
class MoveLesson:
    """A lesson moves on; most moves need a word."""

    lesson: str
    step: LessonStep
    word: str = ""


@dataclass(frozen=True, slots=True)
class Sign:
    """The review is done. `expected_version` refuses a signature under something else than was read."""

    by: str
    summary: str
    expected_version: int


@dataclass(frozen=True, slots=True)
class Append:
    """Something must be added to what was signed."""

    text: str


Command = Say | Find | Learn | MoveLesson | Sign | Append

# --------------------------------------------------------------------------------------------------- events


@dataclass(frozen=True, slots=True)
class Said:
    """A question was answered."""

    key: str
    answer: Answer
    note: str


@dataclass(frozen=True, slots=True)
class Found:
    """The findings changed."""

    text: str


@dataclass(frozen=True, slots=True)
class Learned:
    """There is a lesson more."""

    lesson: str


@dataclass(frozen=True, slots=True)
class LessonMoved:
    """A lesson stands elsewhere now."""

    lesson: str
    before: LessonState
    after: LessonState


@dataclass(frozen=True, slots=True)
class Signed:
    """The report was signed; it is document 1."""

    by: str


@dataclass(frozen=True, slots=True)
class Appended:
    """An addendum was signed, as that document."""

    number: int


Event = Said | Found | Learned | LessonMoved | Signed | Appended


def decide(now: Review, command: Command) -> Accepted[Event] | Rejected:
    """What `command` means for a review.

    Refusals: `signed`, `not_signed`, `unknown_point`, `note_missing`, `text_missing`, `owner_missing`, `due_past`,
    `no_such_lesson`, `lesson_state`, `stale_version`, `incident_open`, `own_incident`, `unanswered`.
    """
    if isinstance(command, MoveLesson):
        return _move_lesson(now, command)
    if isinstance(command, Append):
        return _append(now, command)
    if now.phase is Phase.SIGNED:
        return Rejected("signed")
    if isinstance(command, Say):
        return _say(command)
    if isinstance(command, Find):
        return Accepted((Found(command.text),)) if command.text.strip() else Rejected("text_missing")
    if isinstance(command, Learn):
        return _learn(now, command)
    return _sign(now, command)


def _say(say: Say) -> Accepted[Event] | Rejected:
    if say.key not in KEYS:
        return Rejected("unknown_point", {"key": say.key})
    if say.answer is Answer.NO and not say.note.strip():
        return Rejected("note_missing", {"key": say.key})
    return Accepted((Said(say.key, say.answer, say.note.strip()),))


def _learn(now: Review, learn: Learn) -> Accepted[Event] | Rejected:
    if not learn.text.strip():
        return Rejected("text_missing")
    if not learn.owner:
        return Rejected("owner_missing")
    if learn.due_on < learn.today:
        return Rejected("due_past", {"due_on": learn.due_on.isoformat()})
    assert learn.lesson not in now.lessons, "a lesson's id is new"
    return Accepted((Learned(learn.lesson),))


def _move_lesson(now: Review, move: MoveLesson) -> Accepted[Event] | Rejected:
    before = now.lessons.get(move.lesson)
    if before is None:
        return Rejected("no_such_lesson")
    after = LESSON_MOVES[before].get(move.step)
    if after is None:
        return Rejected("lesson_state", {"state": before.value, "step": move.step.value})
    if move.step in NEEDS_WORD and not move.word.strip():
        return Rejected("note_missing")
    return Accepted((LessonMoved(move.lesson, before, after),))


def _sign(now: Review, sign: Sign) -> Accepted[Event] | Rejected:
    if sign.expected_version != now.version:
        return Rejected("stale_version", {"expected": sign.expected_version, "version": now.version})
    if not now.incident_closed:
        return Rejected("incident_open")
    if sign.by in now.holders:
        return Rejected("own_incident")
    if now.unanswered:
        return Rejected("unanswered", {"keys": list(now.unanswered)})
    if not sign.summary.strip():
        return Rejected("text_missing")
    return Accepted((Signed(sign.by),))


def _append(now: Review, append: Append) -> Accepted[Event] | Rejected:
    if now.phase is not Phase.SIGNED:
        return Rejected("not_signed")
    if not append.text.strip():
        return Rejected("text_missing")
    return Accepted((Appended(now.documents + 1),))


def evolve(now: Review, event: Event) -> Review:
    """The review after `event`."""
    now = replace(now, version=now.version + 1)
    if isinstance(event, Said):
        return replace(now, answers={**now.answers, event.key: event.answer})
    if isinstance(event, Learned):
        return replace(now, lessons={**now.lessons, event.lesson: LessonState.OPEN})
    if isinstance(event, LessonMoved):
        return replace(now, lessons={**now.lessons, event.lesson: event.after})
    if isinstance(event, Signed):
        return replace(now, phase=Phase.SIGNED, documents=1)
    if isinstance(event, Appended):
        return replace(now, documents=event.number)
    return now


def evolve_all(now: Review, events: Iterable[Event]) -> Review:
    """The review after all of `events`, in order."""
    for event in events:
        now = evolve(now, event)
    return now
