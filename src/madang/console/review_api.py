"""After-action reviews: the list, one report with its review, lessons, signed files, and the operators' alarm load."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router, Schema
from pydantic import Field

from madang.console.seat import SeatedRequest
from madang.console.sight import Viewer
from madang.identity.office import mode_banner
from madang.journal import civic
from madang.kernel.clock import parse_instant, system_clock
from madang.kernel.errors import BadRequestError, NotFoundError
from madang.kernel.mode import Mode
from madang.response.models import Incident
from madang.response.queries import JsonRow
from madang.response.review import commands, loads, queries
from madang.response.review.models import Finding, Lesson
from madang.response.review.pages import pdf_of
from madang.response.review.schema import SCHEMA

router = Router(tags=["reviews"])


class Answer(Schema):
    key: str = Field(max_length=20)
    answer: str = Field(max_length=5)
    note: str = Field(default="", max_length=2_000)


class NewFinding(Schema):
    kind: str = Field(max_length=8)
    text: str = Field(min_length=1, max_length=2_000)


class NewLesson(Schema):
    kind: str = Field(max_length=10)
    text: str = Field(min_length=1, max_length=2_000)
    owner: str = Field(min_length=1, max_length=80)
    due_on: date


class Signature(Schema):
    summary: str = Field(min_length=1, max_length=4_000)
    version: int


class Words(Schema):
    text: str = Field(default="", max_length=2_000)


class RuleDraft(Schema):
    name: str = Field(min_length=2, max_length=40)
    example: str = Field(max_length=60)


class SopDraft(Schema):
    code: str = Field(min_length=1, max_length=40)


class Period(Schema):
    """Instants in RFC 3339; the last seven days where nothing is said."""

    since: str = Field(default="", alias="from", max_length=40)
    until: str = Field(default="", alias="to", max_length=40)
    by: str = Field(default="day", max_length=5)


def _of_city(viewer: Viewer, incident_id: str) -> str:
    if not Incident.objects.filter(pk=incident_id, authority_id=viewer.authority).exists():
        raise NotFoundError("There is no such incident here", where="id", ko="사건을 찾을 수 없습니다.")
    return incident_id


def _shown(viewer: Viewer, incident_id: str) -> JsonRow:
    return queries.one(viewer.actor, incident_id, system_clock())


@router.get("/reviews")
def listing(request: SeatedRequest, phase: str = "", q: str = "", offset: int = 0, limit: int = 50) -> JsonRow:
    """Closed incidents, the unreviewed first. `phase`: none, open, signed or empty for all."""
    viewer = request.auth
    return queries.listing(
        viewer.actor, viewer.authority, phase=phase, text=q[:200], offset=min(offset, 1_000_000), limit=limit
    )


@router.get("/reviews/schema", auth=None)
def schema(request: HttpRequest) -> dict[str, Any]:  # Any: JSON Schema
    """The JSON Schema of signed reports."""
    del request
    return SCHEMA


@router.get("/reviews/choices")
def choices(request: SeatedRequest) -> JsonRow:
    """Who may own a lesson, and what one can be drafted into."""
    return queries.choices(request.auth.actor, request.auth.authority)


@router.get("/reviews/lessons")
def lessons(request: SeatedRequest, ended: bool = False) -> JsonRow:
    """Lessons that wait, those due first; or the ended ones."""
    return {"rows": queries.lessons(request.auth.actor, request.auth.authority, ended=ended)}


@router.post("/reviews/lessons/{lesson_id}/rule")
def draft_rule(request: SeatedRequest, lesson_id: str, body: RuleDraft) -> JsonRow:
    """Drafts a rule from a lesson."""
    _lesson_of_city(request.auth, lesson_id)
    with civic.transaction() as tx:
        row = commands.draft_rule(tx, request.auth.actor, lesson_id, body.name, body.example, system_clock())
    return _lesson_shown(request.auth, row)


@router.post("/reviews/lessons/{lesson_id}/sop")
def draft_sop(request: SeatedRequest, lesson_id: str, body: SopDraft) -> JsonRow:
    """Adds a lesson to a draft of a checklist."""
    _lesson_of_city(request.auth, lesson_id)
    with civic.transaction() as tx:
        row = commands.draft_sop(tx, request.auth.actor, lesson_id, body.code, system_clock())
    return _lesson_shown(request.auth, row)


@router.post("/reviews/lessons/{lesson_id}/{step}")
def move_lesson(request: SeatedRequest, lesson_id: str, step: str, body: Words) -> JsonRow:
    """done, drop or reopen, with a word."""
    _lesson_of_city(request.auth, lesson_id)
    with civic.transaction() as tx:
        row = commands.move_lesson(tx, request.auth.actor, lesson_id, step, body.text, system_clock())
    return _lesson_shown(request.auth, row)


def _lesson_of_city(viewer: Viewer, lesson_id: str) -> None:
    if not Lesson.objects.filter(pk=lesson_id, authority_id=viewer.authority).exists():
        raise NotFoundError("There is no such lesson here", where="id", ko="교훈을 찾을 수 없습니다.")


def _lesson_shown(viewer: Viewer, row: Lesson) -> JsonRow:
    return queries.lesson_shown(row, viewer.actor)


@router.get("/reviews/alarm-load")
def alarm_load(request: SeatedRequest, period: Query[Period]) -> JsonRow:
    """What operators were given, by day, week or shift, and by person."""
    return _load(request.auth, period)


@router.get("/reviews/alarm-load.csv")
def alarm_load_csv(request: SeatedRequest, period: Query[Period]) -> HttpResponse:
    """The same for a spreadsheet."""
    text = loads.csv_of(_load(request.auth, period))
    return _file(text.encode(), "text/csv; charset=utf-8", f"alarm-load-{period.by}.csv")


def _load(viewer: Viewer, period: Period) -> JsonRow:
    now = system_clock()
    until = _instant(period.until, "to") or now
    since = _instant(period.since, "from") or until - timedelta(days=7)
    mode = Mode(mode_banner() or Mode.LIVE)
    return loads.alarm_load_of(viewer.actor, viewer.authority, mode, since, until, period.by, now)


def _instant(text: str, where: str) -> datetime | None:
    try:
        return parse_instant(text) if text else None
    except ValueError as error:
        raise BadRequestError(str(error), where=where, ko="시각은 2026-11-22T09:00:00+09:00처럼 적습니다.") from None


def _file(body: bytes, kind: str, name: str) -> HttpResponse:
    response = HttpResponse(body, content_type=kind)
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["Cache-Control"] = "no-store"
    return response


@router.get("/reviews/{incident_id}")
def one(request: SeatedRequest, incident_id: str) -> JsonRow:
    """One report with its review."""
    return _shown(request.auth, _of_city(request.auth, incident_id))


@router.post("/reviews/{incident_id}/open")
def open_review(request: SeatedRequest, incident_id: str) -> JsonRow:
    """Begins the review."""
    _of_city(request.auth, incident_id)
    with civic.transaction() as tx:
        commands.open_review(tx, request.auth.actor, incident_id, system_clock())
    return _shown(request.auth, incident_id)


@router.post("/reviews/{incident_id}/checklist")
def answer(request: SeatedRequest, incident_id: str, body: Answer) -> JsonRow:
    """Answers a question."""
    _of_city(request.auth, incident_id)
    with civic.transaction() as tx:
        commands.answer(tx, request.auth.actor, incident_id, body.key, body.answer, body.note, system_clock())
    return _shown(request.auth, incident_id)


@router.post("/reviews/{incident_id}/findings")
def find(request: SeatedRequest, incident_id: str, body: NewFinding) -> JsonRow:
    """Writes a finding down."""
    _of_city(request.auth, incident_id)
    with civic.transaction() as tx:
        commands.find(tx, request.auth.actor, incident_id, body.kind, body.text, system_clock())
    return _shown(request.auth, incident_id)


@router.post("/reviews/{incident_id}/findings/{finding_id}/drop")
def drop_finding(request: SeatedRequest, incident_id: str, finding_id: str) -> JsonRow:
    """Takes a finding out."""
    _of_city(request.auth, incident_id)
    if not Finding.objects.filter(pk=finding_id, review__incident_id=incident_id).exists():
        raise NotFoundError("There is no such finding here", where="id", ko="검토 의견을 찾을 수 없습니다.")
    with civic.transaction() as tx:
        commands.drop_finding(tx, request.auth.actor, finding_id, system_clock())
    return _shown(request.auth, incident_id)


@router.post("/reviews/{incident_id}/lessons")
def learn(request: SeatedRequest, incident_id: str, body: NewLesson) -> JsonRow:
    """Writes a lesson down."""
    _of_city(request.auth, incident_id)
    wanted = commands.NewLesson(kind=body.kind, text=body.text, owner=body.owner, due_on=body.due_on)
    with civic.transaction() as tx:
        commands.learn(tx, request.auth.actor, incident_id, wanted, system_clock())
    return _shown(request.auth, incident_id)


@router.post("/reviews/{incident_id}/sign")
def sign(request: SeatedRequest, incident_id: str, body: Signature) -> JsonRow:
    """Signs the report."""
    _of_city(request.auth, incident_id)
    with civic.transaction() as tx:
        commands.sign(tx, request.auth.actor, incident_id, body.summary, body.version, system_clock())
    return _shown(request.auth, incident_id)


@router.post("/reviews/{incident_id}/addenda")
def append(request: SeatedRequest, incident_id: str, body: Words) -> JsonRow:
    """Signs an addendum."""
    _of_city(request.auth, incident_id)
    with civic.transaction() as tx:
        commands.append(tx, request.auth.actor, incident_id, body.text, system_clock())
    return _shown(request.auth, incident_id)


@router.get("/reviews/{incident_id}/report.json")
def report_json(request: SeatedRequest, incident_id: str, number: int = 1) -> HttpResponse:
    """A signed document as a file."""
    _of_city(request.auth, incident_id)
    name, body = queries.document_file(request.auth.actor, incident_id, number)
    return _file(body, "application/json", name)


@router.get("/reviews/{incident_id}/report.pdf")
def report_pdf(request: SeatedRequest, incident_id: str) -> HttpResponse:
    """The report to be filed; the signed JSON is inside it."""
    _of_city(request.auth, incident_id)
    name, paper = queries.paper(request.auth.actor, incident_id, system_clock())
    return _file(pdf_of(paper), "application/pdf", name)
