"""What is done with reviews: opened, answered, signed, added to; lessons carried on into rules and checklists."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, NoReturn

import orjson
from django.conf import settings

from madang.identity.access import require
from madang.identity.actors import actor_of_person
from madang.identity.models import Person
from madang.identity.rights import Actor, Right, Thing, may
from madang.journal import changes, civic, outbox
from madang.journal.session import Session
from madang.kernel.clock import SEOUL, instant_text
from madang.kernel.decisions import Rejected
from madang.kernel.errors import BadRequestError, ConflictError, NotFoundError
from madang.kernel.ids import new_id
from madang.kernel.mode import Mode
from madang.response import commands as response
from madang.response import timeline
from madang.response.domain import State
from madang.response.models import Incident
from madang.response.review import documents, domain
from madang.response.review.domain import Answer, Command, Event, LessonMoved, LessonState, LessonStep, Phase, Signed
from madang.response.review.gather import holders_of, report_of
from madang.response.review.models import FINDING_KINDS, LESSON_KINDS, Document, Finding, Lesson, Review
from madang.response.review.people import Disclosure, People
from madang.response.rules import commands as rules
from madang.response.rules.examples import example_rows
from madang.response.sop import drafting
from madang.response.sop.models import SopVersion
from madang.response.timeline import Line
from madang.video import seal as box

TOPIC = "response.review."
ADDENDUM = "madang-after-action-addendum/1"
_TEXT_CHARACTERS = 2_000


def open_review(tx: Session, actor: Actor, incident_id: str, now: datetime) -> Review:
    """Begins the review of a closed incident, or gives the one there is. Needs `REVIEW_INCIDENT`."""
    incident = _incident(actor, incident_id)
    known = Review.objects.filter(incident=incident).first()
    if known is not None:
        return known
    if incident.state != State.CLOSED.value:
        raise ConflictError(
            "only a closed incident is reviewed", ko="종결된 사건만 검토할 수 있습니다.", reason="incident_open"
        )
    row = Review.objects.create(
        authority_id=incident.authority_id,
        mode=incident.mode,
        incident=incident,
        opened_by=actor.id,
        opened_name=actor.name,
        opened_at=now,
    )
    _told(tx, actor, row, "opened", now)
    return row


def answer(tx: Session, actor: Actor, incident_id: str, key: str, said: str, note: str, now: datetime) -> Review:
    """Answers one question of the checklist: `yes`, `no` (with a note) or `na`."""
    row = _review(actor, incident_id)
    if said not in {one.value for one in Answer}:
        raise BadRequestError("an answer is yes, no or na", where="answer", ko="예·아니요·해당 없음 가운데 고르십시오.")
    _decide(row, domain.Say(key, Answer(said), note))
    row.checklist = {**row.checklist, key: {"answer": said, "note": note.strip()[:_TEXT_CHARACTERS]}}
    return _saved(tx, actor, row, "answered", now, {"point": key, "answer": said})


def find(tx: Session, actor: Actor, incident_id: str, kind: str, text: str, now: datetime) -> Finding:
    """Writes down what went well, fell short, or was the cause."""
    row = _review(actor, incident_id)
    _one_of("kind", kind, FINDING_KINDS)
    _decide(row, domain.Find(text))
    found = Finding.objects.create(
        review=row,
        kind=kind,
        text=text.strip()[:_TEXT_CHARACTERS],
        made_by=actor.id,
        made_name=actor.name,
        made_at=now,
    )
    _saved(tx, actor, row, "found", now, {"finding": found.id})
    return found


def drop_finding(tx: Session, actor: Actor, finding_id: str, now: datetime) -> Review:
    """Takes a finding out of a review that is not signed yet."""
    found = Finding.objects.select_related("review").filter(pk=finding_id, dropped_by="").first()
    if found is None:
        raise NotFoundError(ko="검토 의견을 찾을 수 없습니다.")
    row = _review(actor, found.review.incident_id)
    _decide(row, domain.Find(found.text))
    found.dropped_by = actor.id
    found.save(update_fields=["dropped_by"])
    return _saved(tx, actor, row, "finding_dropped", now, {"finding": found.id})


@dataclass(frozen=True, slots=True, kw_only=True)
class NewLesson:
    """What should be otherwise next time. `owner` is the actor id of who sees to it."""

    kind: str
    text: str
    owner: str
    due_on: date


def learn(tx: Session, actor: Actor, incident_id: str, wanted: NewLesson, now: datetime) -> Lesson:
    """Writes a lesson down with who sees to it by when."""
    row = _review(actor, incident_id)
    _one_of("kind", wanted.kind, LESSON_KINDS)
    owner = _colleague(wanted.owner, row.authority_id)
    lesson_id = new_id()
    today = now.astimezone(SEOUL).date()
    _decide(row, domain.Learn(lesson_id, wanted.text, owner.id, wanted.due_on, today))
    lesson = Lesson.objects.create(
        id=lesson_id,
        authority_id=row.authority_id,
        review=row,
        kind=wanted.kind,
        text=wanted.text.strip()[:_TEXT_CHARACTERS],
        owner=owner.id,
        owner_name=owner.name,
        due_on=wanted.due_on,
        made_by=actor.id,
        made_at=now,
    )
    _saved(tx, actor, row, "learned", now, {"lesson": lesson.id})
    return lesson


def move_lesson(tx: Session, actor: Actor, lesson_id: str, step: str, word: str, now: datetime) -> Lesson:
    """A lesson is done, dropped or taken up again: by its owner or a reviewer."""
    if step not in ("done", "drop", "reopen"):
        raise BadRequestError("a lesson is done, dropped or reopened", where="step", ko="알 수 없는 처리입니다.")
    return _move(tx, actor, _lesson(actor, lesson_id), LessonStep(step), word, now)


def draft_rule(tx: Session, actor: Actor, lesson_id: str, name: str, example: str, now: datetime) -> Lesson:
    """Drafts a rule from a lesson, beginning with one of the examples; it is then edited and published as any rule."""
    lesson = _lesson(actor, lesson_id)
    definition = next((row["definition"] for row in example_rows() if row["name"] == example), None)
    if definition is None:
        raise BadRequestError("there is no such example to begin from", where="example", ko="없는 예시입니다.")
    incident = lesson.review.incident.number
    note = f"교훈({incident}): {lesson.text}"
    version = rules.draft(tx, actor, lesson.authority_id, name, definition, note, now)
    lesson.draft = f"rule:{version.name}@{version.number}"
    return _move(tx, actor, lesson, LessonStep.DRAFT, "", now)


def draft_sop(tx: Session, actor: Actor, lesson_id: str, code: str, now: datetime) -> Lesson:
    """Adds the lesson as a last step to a draft of a checklist: the one in work, else a new one after that in force."""
    lesson = _lesson(actor, lesson_id)
    mine = SopVersion.objects.filter(template__authority_id=lesson.authority_id, template__code=code)
    base = mine.filter(state__in=("draft", "published")).order_by("state", "-version").first()
    if base is None:
        raise BadRequestError("there is no such checklist", where="code", ko="없는 절차입니다.")
    steps = list(base.steps)
    stage = min(max((int(step["stage"]) for step in steps), default=0) + 1, 99)
    steps.append({"key": f"lesson-{lesson.id[-8:]}", "stage": stage, "ko": lesson.text[:300]})
    words = drafting.Words(
        title_ko=base.title_ko,
        title_en=base.title_en,
        classes=base.classes,
        steps=steps,
        note=f"교훈 반영: {lesson.review.incident.number}",
        example=base.example,
    )
    version = drafting.save_draft(tx, actor, lesson.authority_id, code, words, now)
    lesson.draft = f"sop:{code}@{version.version}"
    return _move(tx, actor, lesson, LessonStep.DRAFT, "", now)


# ---------------------------------------------------------------------------------------------------- signing


def sign(tx: Session, actor: Actor, incident_id: str, summary: str, version: int, now: datetime) -> Document:
    """Signs the report; the incident is reviewed from then on. Not by anybody who answered for the incident."""
    row = _review(actor, incident_id)
    _decide(row, domain.Sign(actor.id, summary, version))
    row.phase, row.summary = Phase.SIGNED.value, summary.strip()[:4_000]
    row.signed_by, row.signed_name, row.signed_at = actor.id, actor.name, now
    row.save()
    line = Line("review_signed", "사후 검토 서명", "After-action review signed", {"review": row.id})
    timeline.append(row.incident, line, actor=actor.id, actor_name=actor.name, now=now)
    row.incident = response.review(tx, actor, row.incident_id, now)
    report, people = report_of(row.incident, row, now)
    document = _document(row, 1, {**report, "id": row.id, "number": 1}, people, actor, now)
    _saved(tx, actor, row, "signed", now, {"digest": document.digest, "key": document.key_id})
    return document


def append(tx: Session, actor: Actor, incident_id: str, text: str, now: datetime) -> Document:
    """Signs an addendum; what was signed before stays as it is."""
    row = _review(actor, incident_id)
    _decide(row, domain.Append(text))
    last = Document.objects.filter(review=row).order_by("-number")[0]
    people = People()
    people.code(actor.id, actor.name)
    body = {
        "format": ADDENDUM,
        "id": row.id,
        "number": last.number + 1,
        "incident": {"id": row.incident_id, "number": row.incident.number},
        "mode": row.mode,
        "made_at": instant_text(now),
        "adds_to": {"number": last.number, "digest": last.digest},
        "text": people.text(text.strip()[:_TEXT_CHARACTERS]),
        "signed_by": people.code(actor.id, actor.name),
        "staff": [{"code": one.code, "digest": one.digest} for one in people.disclosures],
    }
    document = _document(row, last.number + 1, body, people, actor, now)
    _saved(tx, actor, row, "appended", now, {"number": document.number, "digest": document.digest})
    return document


def _document(
    row: Review, number: int, body: dict[str, Any], people: People, actor: Actor, now: datetime
) -> Document:  # Any: JSON values
    sealed = documents.sign(body, settings.MADANG_KEYS.checkpoint_private_pem)
    document_id = new_id()
    names = orjson.dumps([[one.code, one.id, one.name, one.salt] for one in people.disclosures]).decode()
    return Document.objects.create(
        id=document_id,
        authority_id=row.authority_id,
        review=row,
        number=number,
        jws=sealed.jws,
        digest=sealed.digest,
        key_id=sealed.key_id,
        names_sealed=box.seal(names, key=settings.MADANG_KEYS.blob_key, about=f"review:{document_id}"),
        signed_by=actor.id,
        signed_at=now,
    )


def names_of(document: Document) -> list[Disclosure]:
    """Who the codes of a document stand for: only for those who may know."""
    text = box.unseal(bytes(document.names_sealed), key=settings.MADANG_KEYS.blob_key, about=f"review:{document.id}")
    return [Disclosure(*row) for row in orjson.loads(text)] if text else []


# ----------------------------------------------------------------------------------------------- shared by all


def _incident(actor: Actor, incident_id: str) -> Incident:
    incident = Incident.objects.select_for_update().filter(pk=incident_id).first()
    if incident is None:
        raise NotFoundError(ko="사건을 찾을 수 없습니다.")
    require(actor, Right.REVIEW_INCIDENT, Thing(incident.authority_id, agency=incident.agency))
    return incident


def _review(actor: Actor, incident_id: str) -> Review:
    incident = _incident(actor, incident_id)
    row = Review.objects.select_for_update().filter(incident=incident).first()
    if row is None:
        raise NotFoundError("the review was not opened yet", ko="아직 검토를 시작하지 않은 사건입니다.")
    row.incident = incident
    return row


def _lesson(actor: Actor, lesson_id: str) -> Lesson:
    lesson = Lesson.objects.select_for_update(of=("self",)).select_related("review__incident").filter(pk=lesson_id)
    found = lesson.first()
    if found is None:
        raise NotFoundError(ko="교훈을 찾을 수 없습니다.")
    thing = Thing(found.authority_id)
    if found.owner != actor.id or not may(actor, Right.READ_REVIEWS, thing):
        require(actor, Right.REVIEW_INCIDENT, thing)
    return found


def _colleague(actor_id: str, authority: str) -> Actor:
    """Somebody who may read reviews here, by actor id."""
    person = Person.objects.filter(pk=actor_id.removeprefix("person:"), is_active=True).first()
    actor = actor_of_person(person) if person is not None else None
    if actor is None or not may(actor, Right.READ_REVIEWS, Thing(authority)):
        raise BadRequestError(
            "a lesson's owner must be somebody who may read reviews", where="owner", ko="담당자를 고르십시오."
        )
    return actor


def _move(tx: Session, actor: Actor, lesson: Lesson, step: LessonStep, word: str, now: datetime) -> Lesson:
    row = lesson.review
    for event in _decide(row, domain.MoveLesson(lesson.id, step, word)):
        assert isinstance(event, LessonMoved)
        lesson.state = event.after.value
    lesson.word, lesson.moved_by, lesson.moved_at = word.strip()[:500], actor.id, now
    lesson.save()
    _saved(tx, actor, row, "lesson_moved", now, {"lesson": lesson.id, "step": step.value, "draft": lesson.draft})
    return lesson


def _decide(row: Review, command: Command) -> Sequence[Event]:
    decision = domain.decide(_known(row), command)
    if isinstance(decision, Rejected):
        _refuse(decision)
    if any(isinstance(event, Signed) for event in decision.events):
        assert row.phase == Phase.OPEN.value
    return decision.events


def _known(row: Review) -> domain.Review:
    return domain.Review(
        phase=Phase(row.phase),
        incident_closed=row.incident.state == State.CLOSED.value,
        holders=holders_of(row.incident),
        answers={key: Answer(said["answer"]) for key, said in row.checklist.items()},
        lessons={one.id: LessonState(one.state) for one in Lesson.objects.filter(review=row)},
        documents=Document.objects.filter(review=row).count(),
        version=row.version,
    )


_WHY: dict[str, tuple[str, str]] = {
    "signed": ("the review is signed; add an addendum instead", "이미 서명한 검토입니다. 추록으로 보태십시오."),
    "not_signed": ("only a signed report is added to", "서명한 보고서에만 추록을 보탤 수 있습니다."),
    "unknown_point": ("there is no such question", "없는 점검 항목입니다."),
    "note_missing": ("say why", "사유를 적으십시오."),
    "text_missing": ("write something", "내용을 적으십시오."),
    "owner_missing": ("a lesson needs an owner", "담당자를 고르십시오."),
    "due_past": ("that day has passed", "기한이 이미 지난 날입니다."),
    "no_such_lesson": ("there is no such lesson", "교훈을 찾을 수 없습니다."),
    "lesson_state": ("the lesson's state does not allow this", "지금 상태에서는 할 수 없습니다."),
    "stale_version": (
        "the review was changed meanwhile; look again",
        "그 사이 검토가 바뀌었습니다. 다시 확인하십시오.",
    ),
    "incident_open": ("the incident is not closed", "사건이 종결되어 있지 않습니다."),
    "own_incident": (
        "whoever answered for the incident cannot sign its review; another reviewer must",
        "이 사건을 맡았던 사람은 검토에 서명할 수 없습니다. 다른 검토자가 서명해야 합니다.",
    ),
    "unanswered": ("questions of the checklist are open", "답하지 않은 점검 항목이 있습니다."),
}
_OF_FORM = frozenset({"unknown_point", "note_missing", "text_missing", "owner_missing", "due_past"})


def _refuse(rejected: Rejected) -> NoReturn:
    english, korean = _WHY[rejected.code]
    if rejected.code in _OF_FORM:
        raise BadRequestError(english, where=rejected.code.partition("_")[0], ko=korean, reason=rejected.code)
    if rejected.code == "no_such_lesson":
        raise NotFoundError(english, ko=korean)
    raise ConflictError(english, ko=korean, reason=rejected.code, **rejected.data)


def _one_of(where: str, value: str, choices: Sequence[tuple[str, str]]) -> None:
    if value not in dict(choices):
        raise BadRequestError(f"{where} is one of {', '.join(dict(choices))}", where=where, ko="없는 종류입니다.")


def _saved(
    tx: Session, actor: Actor, row: Review, action: str, now: datetime, body: dict[str, Any]
) -> Review:  # Any: JSON values
    row.version += 1
    row.save()
    _told(tx, actor, row, action, now, body)
    return row


def _told(
    tx: Session, actor: Actor, row: Review, action: str, now: datetime, body: dict[str, Any] | None = None
) -> None:  # Any: JSON values
    changes.touch(tx, kind="review", ref=row.incident_id, authority=row.authority_id, now=now)
    mode = Mode(row.mode)
    if action in ("opened", "signed", "appended"):
        told = {"review_id": row.id, "incident_id": row.incident_id, **(body or {})}
        outbox.announce(
            tx, topic=TOPIC + action, key=row.incident_id, body=told, authority=row.authority_id, mode=mode, now=now
        )
    civic.audit(
        tx,
        authority=row.authority_id,
        actor=actor.id,
        action=f"review.{action}",
        thing=f"incident:{row.incident_id}",
        mode=mode,
        now=now,
        body=body,
        retention="incident",
    )
