"""The decision table for video: drafted by one person, checked for gaps and overlaps, published by another."""

from __future__ import annotations

from typing import Any

import orjson
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from madang.console.office.frame import back_to, cities, city_of, do, may, show
from madang.console.projection import person_names
from madang.identity.office import Page, actor_of, cities_with, said, site
from madang.identity.rights import Right
from madang.kernel.canonical import parse_json
from madang.kernel.clock import system_clock
from madang.kernel.errors import MadangError
from madang.video import commands as video
from madang.video.decision_table import FIELDS, NUMBER_FIELDS, Finding
from madang.video.legal import BASIS_KO
from madang.video.models import DecisionTable

EDIT, PUBLISH = Right.EDIT_DECISION_TABLE, Right.PUBLISH_DECISION_TABLE
Rows = list[dict[str, Any]]  # Any: JSON members of a row

OUTCOMES = {"approve": "✓ 자동 승인", "ask": "? 사람이 결정", "deny": "✕ 거절"}
FIELD_NAMES = {
    "agency_kind": "받는 기관",
    "basis": "법적 근거",
    "crime_class": "사건 종류",
    "mode": "모드",
    "place_state": "위치",
    "code": "긴급도(코드)",
    "hour": "시각(시)",
    "cameras": "카메라 수",
}
FAULTS = {
    "gap": "어느 규칙도 답하지 않는 경우",
    "overlap": "두 규칙이 함께 답하는 경우",
    "unreachable": "결코 쓰이지 않는 규칙",
    "too_large": "표가 너무 커서 검사할 수 없음",
}


@require_http_methods(["GET", "POST"])
def tables(request: HttpRequest) -> HttpResponse:
    """Every version of a city's table, and the editor for the next."""
    city = city_of(request, EDIT, PUBLISH)
    drafted = DecisionTable.objects.filter(authority=city).order_by("-version")
    newest = drafted.first()
    text, policy, note = _text(newest.rows if newest else []), newest.policy if newest else "first", ""
    findings: list[dict[str, object]] | None = None
    if request.method == "POST":
        text, policy = request.POST.get("rows", ""), request.POST.get("policy", "first")
        note = request.POST.get("note", "")
        answer = _edit(request, city.code, text, policy, note)
        if isinstance(answer, HttpResponse):
            return answer
        findings = answer
    people = person_names(by for table in drafted for by in (table.drafted_by, table.published_by))
    context = {
        "city": city,
        "cities": cities(request, EDIT, PUBLISH),
        "versions": [(table, people.get(table.drafted_by), people.get(table.published_by)) for table in drafted],
        "may_edit": may(request, EDIT, city.code),
        "text": text,
        "policy": policy,
        "note": note,
        "findings": findings,
        "fields": [(name, FIELD_NAMES.get(name, name), NUMBER_FIELDS.get(name)) for name in FIELDS],
        "bases": [(basis.value, name) for basis, name in BASIS_KO.items()],
    }
    return show(request, "decisions", "영상 제공 결정표", **context)


def _text(rows: object) -> str:
    return orjson.dumps(rows, option=orjson.OPT_INDENT_2).decode()


def _edit(
    request: HttpRequest, city: str, text: str, policy: str, note: str
) -> HttpResponse | list[dict[str, object]] | None:
    """A check's findings, or None when it could not be read; a redirect once the draft is kept."""
    try:
        rows: Rows = parse_json(text.encode(), max_bytes=200_000, where="rows")
        if request.POST.get("deed") == "check":
            return [_told(finding) for finding in video.faults_of(rows, policy)]
    except MadangError as error:
        messages.error(request, said(error))
        return None
    actor, now = actor_of(request), system_clock()
    draft = do(
        request,
        lambda tx: video.draft_table(tx, actor, city, rows, note, now, policy),
        "초안을 저장했습니다. 다른 사람이 검토해 시행해야 효력이 생깁니다.",
    )
    return None if draft is None else redirect(reverse("admin:decision", args=[draft.pk]))


def _told(finding: Finding) -> dict[str, object]:
    example = {
        FIELD_NAMES.get(name, name): "(그 밖)" if "\x00" in str(value) else value
        for name, value in (finding.example or {}).items()
    }
    return {"kind": FAULTS.get(finding.kind, finding.kind), "rows": finding.rows, "example": example.items()}


def table(request: HttpRequest, table_id: str) -> HttpResponse:
    """One version as people read it, with what is wrong with it."""
    mine = cities_with(actor_of(request), EDIT, PUBLISH)
    found = DecisionTable.objects.filter(pk=table_id, authority__in=mine).select_related("authority").first()
    if found is None:
        raise Http404
    people = person_names([found.drafted_by, found.published_by])
    own = found.drafted_by == actor_of(request).id
    context = {
        "table": found,
        "rows": [_shown(row) for row in found.rows],
        "drafted_by": people.get(found.drafted_by, found.drafted_by),
        "published_by": people.get(found.published_by, found.published_by),
        "findings": [_told(finding) for finding in video.faults_of(found.rows, found.policy)],
        "may_publish": found.state == "draft" and may(request, PUBLISH, found.authority_id) and not own,
        "own": own,
    }
    return show(request, "decision", f"결정표 {found.version}판", **context)


def _shown(row: dict[str, Any]) -> dict[str, Any]:  # Any: JSON members
    return {
        **row,
        "outcome_ko": OUTCOMES.get(row["outcome"], row["outcome"]),
        "conditions": [(FIELD_NAMES.get(name, name), _condition(test)) for name, test in row.get("when", {}).items()],
        "minutes": row.get("duration_s", 1_800) // 60,
    }


def _condition(test: Any) -> str:  # Any: a JSON condition
    if isinstance(test, list):
        return ", ".join(map(str, test))
    if "not" in test:
        return "다음이 아님: " + ", ".join(map(str, test["not"]))
    low, high = test.get("min"), test.get("max")
    if low is None:
        return f"{high} 이하"
    return f"{low} 이상" if high is None else f"{low}~{high}"


@require_POST
def publish(request: HttpRequest, table_id: str) -> HttpResponse:
    """Puts a draft in force."""
    actor, now = actor_of(request), system_clock()
    do(
        request,
        lambda tx: video.publish_table(tx, actor, table_id, now),
        "시행했습니다. 지금부터 새 요청에 적용됩니다.",
    )
    found = DecisionTable.objects.filter(pk=table_id, authority__in=actor.authorities).first()
    return redirect(reverse("admin:decision", args=[table_id])) if found else back_to("decisions")


def _drafts_in(codes: frozenset[str]) -> int:
    return DecisionTable.objects.filter(authority__in=codes, state="draft").count()


def register() -> None:
    """Puts the pages into the office."""
    site.add(
        Page("decisions", "decisions/", tables, (EDIT, PUBLISH), "영상 제공 결정표", "video", "rule", 20, _drafts_in)
    )
    site.add(Page("decision", "decisions/<str:table_id>/", table, (EDIT, PUBLISH)))
    site.add(Page("decision_publish", "decisions/<str:table_id>/publish/", publish, (PUBLISH,)))
