"""Reads: what waits to be reviewed, one review with its report, lessons, and the documents that were signed."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime
from typing import Any

from django.db.models import Case, Q, QuerySet, When

from madang.identity.access import require
from madang.identity.models import Person
from madang.identity.rights import Actor, Right, Thing, may
from madang.kernel.clock import instant_text
from madang.kernel.errors import NotFoundError
from madang.response.classes import class_named
from madang.response.domain import State
from madang.response.models import Incident
from madang.response.review.commands import names_of
from madang.response.review.documents import document_of, file_of
from madang.response.review.domain import LESSON_MOVES, LessonState
from madang.response.review.gather import holders_of, report_of
from madang.response.review.loads import may_name
from madang.response.review.models import Document, Finding, Lesson, Review
from madang.response.review.pages import Paper
from madang.response.review.people import People, with_names
from madang.response.rules.examples import example_rows
from madang.response.sop.models import SopVersion

JsonRow = dict[str, Any]  # Any: JSON values
REVIEWABLE = (State.CLOSED.value, State.REVIEWED.value)
MOST_ROWS = 100


def listing(
    actor: Actor, authority: str, *, phase: str = "", text: str = "", offset: int = 0, limit: int = 50
) -> JsonRow:
    """Closed incidents, those without a review first, then those under review, the newest first within each."""
    require(actor, Right.READ_REVIEWS, Thing(authority))
    rows = Incident.objects.filter(authority_id=authority, state__in=REVIEWABLE).select_related("review")
    counts = {
        "none": rows.filter(review=None).count(),
        "open": rows.filter(review__phase="open").count(),
        "signed": rows.filter(review__phase="signed").count(),
    }
    rows = _of_phase(rows, phase)
    for word in text.split()[:6]:
        known = class_named(word).code
        rows = rows.filter(Q(number__icontains=word) | Q(address__icontains=word) | Q(class_code=known))
    total = rows.count()
    order = Case(When(review=None, then=0), When(review__phase="open", then=1), default=2)
    offset, limit = max(0, offset), max(1, min(limit, MOST_ROWS))
    found = list(rows.order_by(order, "-closed_at")[offset : offset + limit])
    shown = may_name(actor, authority)
    return {
        "rows": [_list_row(row, shown) for row in found],
        "total": total,
        "counts": counts,
        "next_offset": offset + len(found) if offset + len(found) < total and found else None,
    }


def _of_phase(rows: QuerySet[Incident], phase: str) -> QuerySet[Incident]:
    if phase == "none":
        return rows.filter(review=None)
    return rows.filter(review__phase=phase) if phase in ("open", "signed") else rows


def _list_row(incident: Incident, shown: bool) -> JsonRow:
    review: Review | None = getattr(incident, "review", None)
    named = class_named(incident.class_text if incident.class_code == "unknown" else incident.class_code)
    return {
        "incident_id": incident.id,
        "number": incident.number,
        "mode": incident.mode,
        "class_ko": named.ko,
        "class_en": named.en,
        "priority": incident.priority,
        "state": incident.state,
        "address": incident.address or incident.district,
        "opened_at": instant_text(incident.opened_at),
        "closed_at": instant_text(incident.closed_at) if incident.closed_at else None,
        "signals": incident.signal_count,
        "phase": review.phase if review else "none",
        "signed_at": instant_text(review.signed_at) if review and review.signed_at else None,
        "signed_by": review.signed_name if review and shown else "",
    }


def one(actor: Actor, incident_id: str, now: datetime) -> JsonRow:
    """An incident's review: the report (as signed, else as it would be), findings, lessons, documents, what one may."""
    incident = visible(actor, incident_id)
    review = Review.objects.filter(incident=incident).first()
    signed = list(Document.objects.filter(review=review).order_by("number")) if review else []
    shown = may_name(actor, incident.authority_id)
    report, names = _report(incident, review, signed, now, shown)
    veil = _veil(incident.authority_id, shown)
    lessons = Lesson.objects.filter(review=review) if review else Lesson.objects.none()
    findings = Finding.objects.filter(review=review, dropped_by="") if review else Finding.objects.none()
    return {
        **_list_row(incident, shown),
        "version": review.version if review else 0,
        "report": report,
        "names": names,
        "findings": [
            {"id": row.id, "kind": row.kind, "text": veil(row.text), "by": row.made_name if shown else ""}
            for row in findings
        ],
        "lessons": [lesson_row(row, actor, veil) for row in lessons.select_related("review__incident")],
        "documents": [_document_row(row, shown) for row in signed],
        "may": _may(actor, incident, review),
    }


def _report(
    incident: Incident, review: Review | None, signed: list[Document], now: datetime, shown: bool
) -> tuple[JsonRow, dict[str, str]]:
    if signed:
        names = {one.code: one.name for one in names_of(signed[0]) if one.name} if shown else {}
        return document_of(signed[0].jws), names
    report, people = report_of(incident, review, now)
    return report, {one.code: one.name for one in people.disclosures if one.name} if shown else {}


def _may(actor: Actor, incident: Incident, review: Review | None) -> JsonRow:
    """What the reader may do here, and why they may not sign if so."""
    reviews = bool(may(actor, Right.REVIEW_INCIDENT, Thing(incident.authority_id, agency=incident.agency)))
    own = actor.id in holders_of(incident)
    return {
        "review": reviews,
        "open": reviews and review is None and incident.state == State.CLOSED.value,
        "sign": reviews and not own and review is not None and review.phase == "open",
        "own": own,
        "rules": bool(may(actor, Right.EDIT_RULES, Thing(incident.authority_id))),
        "sop": bool(may(actor, Right.EDIT_SOP, Thing(incident.authority_id))),
    }


def _document_row(row: Document, shown: bool) -> JsonRow:
    body = document_of(row.jws)
    names = {one.code: one.name for one in names_of(row)} if shown else {}
    return {
        "number": row.number,
        "digest": row.digest,
        "key_id": row.key_id,
        "signed_at": instant_text(row.signed_at),
        "text": with_names(body.get("text", ""), names),
    }


def visible(actor: Actor, incident_id: str) -> Incident:
    """An incident that may be read about; `NotFoundError` for another city's, or one that is not over."""
    incident = Incident.objects.select_related("review", "parent").filter(pk=incident_id).first()
    if incident is None:
        raise NotFoundError(ko="사건을 찾을 수 없습니다.")
    require(actor, Right.READ_REVIEWS, Thing(incident.authority_id, agency=incident.agency))
    if incident.state not in REVIEWABLE and not hasattr(incident, "review"):
        raise NotFoundError("the incident is not closed", ko="종결된 사건이 아닙니다.")
    return incident


def paper(actor: Actor, incident_id: str, now: datetime) -> tuple[str, Paper]:
    """The report as it is to be printed: as signed with its addenda, else the draft of now."""
    incident = visible(actor, incident_id)
    review = Review.objects.filter(incident=incident).first()
    signed = list(Document.objects.filter(review=review).order_by("number")) if review else []
    shown = may_name(actor, incident.authority_id)
    report, names = _report(incident, review, signed, now, shown)
    if not signed:
        return f"madang-review-{incident.number}-draft.pdf", Paper(report, names)
    first = signed[0]
    addenda = [_addendum(row, shown) for row in signed[1:]]
    attachment = document_file(actor, incident_id, 1)
    name = f"madang-review-{incident.number}.pdf"
    return name, Paper(report, names, addenda, first.digest, first.key_id, attachment)


def _addendum(row: Document, shown: bool) -> JsonRow:
    body = document_of(row.jws)
    names = {one.code: one.name for one in names_of(row)} if shown else {}
    return {"number": row.number, "made_at": body["made_at"], "text": with_names(body["text"], names)}


def document_file(actor: Actor, incident_id: str, number: int) -> tuple[str, bytes]:
    """The name and bytes of a signed document, with names for those who may read them."""
    incident = visible(actor, incident_id)
    row = Document.objects.filter(review__incident=incident, number=number).first()
    if row is None:
        raise NotFoundError("nothing was signed yet", ko="아직 서명한 문서가 없습니다.")
    names = names_of(row) if may_name(actor, incident.authority_id) else []
    return f"madang-review-{incident.number}-{number}.json", file_of(row.jws, names)


Veil = Callable[[str], str]


def _veil(authority: str, shown: bool) -> Veil:
    """Takes the names of staff out of free text, for those who may not read them."""
    if shown:
        return str
    staff = Person.objects.filter(role_assignments__authority_id=authority).distinct()
    people = People()
    people.meet((f"person:{one.pk}", one.display_name) for one in staff)
    return lambda text: re.sub(r"\[P\d+\]", "[직원]", people.text(text))


def lesson_shown(row: Lesson, actor: Actor) -> JsonRow:
    """One lesson as the actor may read it."""
    return lesson_row(row, actor, _veil(row.authority_id, may_name(actor, row.authority_id)))


def lesson_row(row: Lesson, actor: Actor, veil: Veil) -> JsonRow:
    """A lesson as screens show it."""
    mine = row.owner == actor.id
    reviews = bool(may(actor, Right.REVIEW_INCIDENT, Thing(row.authority_id)))
    return {
        "id": row.id,
        "incident_id": row.review.incident_id,
        "incident_number": row.review.incident.number,
        "kind": row.kind,
        "text": veil(row.text),
        "owner": row.owner_name if mine else veil(row.owner_name),
        "mine": mine,
        "due_on": row.due_on.isoformat(),
        "state": row.state,
        "draft": row.draft,
        "word": veil(row.word),
        "moves": sorted(step.value for step in LESSON_MOVES[LessonState(row.state)]) if mine or reviews else [],
    }


def lessons(actor: Actor, authority: str, *, ended: bool = False, limit: int = 200) -> list[JsonRow]:
    """The lessons of a city that wait, those due first; or those that are done or dropped."""
    require(actor, Right.READ_REVIEWS, Thing(authority))
    rows = Lesson.objects.filter(authority_id=authority).select_related("review__incident")
    over = ("done", "dropped")
    rows = rows.filter(state__in=over).order_by("-moved_at") if ended else rows.exclude(state__in=over)
    veil = _veil(authority, may_name(actor, authority))
    return [lesson_row(row, actor, veil) for row in rows[:limit]]


def overdue(authority: str, today: date) -> int:
    """How many lessons of a city are past their day."""
    return Lesson.objects.filter(authority_id=authority, state__in=("open", "drafted"), due_on__lt=today).count()


def choices(actor: Actor, authority: str) -> JsonRow:
    """What lessons can be made of: who may own one, the checklists there are, rules to begin from."""
    require(actor, Right.READ_REVIEWS, Thing(authority))
    people = Person.objects.filter(
        role_assignments__authority_id=authority,
        role_assignments__role__in=("supervisor", "city_officer", "auditor"),
        is_active=True,
    ).distinct()
    versions = SopVersion.objects.filter(template__authority_id=authority, state__in=("draft", "published"))
    titles = {row.template.code: row.title_ko for row in versions.select_related("template").order_by("version")}
    reviewer = bool(may(actor, Right.REVIEW_INCIDENT, Thing(authority)))
    return {
        "owners": [{"id": f"person:{one.pk}", "name": one.display_name} for one in people] if reviewer else [],
        "sops": [{"code": code, "title_ko": title} for code, title in sorted(titles.items())],
        "examples": [
            {"name": row["name"], "title_ko": row["definition"]["title_ko"], "title_en": row["definition"]["title_en"]}
            for row in example_rows()
        ],
    }
