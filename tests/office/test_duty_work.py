"""Checklists worded and rosters planned at the office."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from madang.identity.models import Authority
from madang.identity.rights import Role
from madang.response.duty.models import Team
from madang.response.sop.models import SopTemplate, SopVersion
from madang.video.models import DutyShift
from tests.conftest import MakePerson
from tests.office.conftest import MakeWorker, Worker

pytestmark = pytest.mark.django_db


def step(n: int, **more: object) -> dict[str, object]:
    row: dict[str, object] = {
        "key": "",
        "stage": n + 1,
        "ko": f"할 일 {n}",
        "en": "",
        "done_by": "anybody",
        "due_min": "",
        "evidence": "none",
        "options": "",
        "only_step": "",
        "only_answers": "",
    }
    return {f"form-{n}-{name}": value for name, value in (row | more).items()}


def form(deed: str, *steps: dict[str, object], initial: int = 0, **more: object) -> dict[str, object]:
    rows: dict[str, object] = {"form-TOTAL_FORMS": len(steps), "form-INITIAL_FORMS": initial}
    for one in steps:
        rows |= one
    return rows | {"deed": deed, "title_ko": "화재 확인", "title_en": "", "note": "처음"} | more


@pytest.fixture
def chief(worker: MakeWorker) -> Worker:
    return worker(Role.SUPERVISOR)


@pytest.fixture
def template(chief: Worker, authority: Authority) -> SopTemplate:
    chief.post("sops/", city=authority.code, title="화재 확인", code="fire")
    return SopTemplate.objects.get(authority=authority, code="fire")


def test_a_checklist_is_worded_previewed_published_and_worded_anew(chief: Worker, template: SopTemplate) -> None:
    asked = step(0, evidence="choice", options="불꽃, 연기", due_min="1.5")
    saved = chief.page_after(f"sops/{template.pk}/", **form("save", asked, step(1), classes=["fire"]))
    assert "초안을 저장했습니다" in saved
    draft = SopVersion.objects.get(template=template)
    assert [(one["key"], one["due_s"], one["options"]) for one in draft.steps] == [
        ("s1", 90, ["불꽃", "연기"]),
        ("s2", None, []),
    ]
    tied = step(1, key="s2", only_step="s1", only_answers="불꽃")
    fresh = asked | {"form-0-key": "s1"}
    page = chief.page_after(f"sops/{template.pk}/", **form("publish", fresh, tied, initial=2, classes=["fire"]))
    assert "시행했습니다" in page
    draft.refresh_from_db()
    assert (draft.state, draft.steps[1]["only_if"]) == ("published", {"step": "s1", "answers": ["불꽃"]})
    preview = chief.get(f"sops/version/{draft.pk}/").content.decode()
    assert "“할 일 0”의 답이 불꽃일 때" in preview
    chief.post(f"sops/{template.pk}/", **form("save", fresh, initial=1))
    assert list(SopVersion.objects.filter(template=template).order_by("version").values_list("version", "state")) == [
        (1, "published"),
        (2, "draft"),
    ]
    assert "종료했습니다" in chief.page_after(f"sops/version/{draft.pk}/retire/")


def test_what_would_mislead_is_named_and_not_put_in_force(chief: Worker, template: SopTemplate) -> None:
    page = chief.page_after(f"sops/{template.pk}/", **form("publish", step(0, evidence="choice", options="하나")))
    assert "답이 둘 이상" in page
    assert SopVersion.objects.get(template=template).state == "draft"
    wrong = chief.post(f"sops/{template.pk}/", **form("save", step(0, stage="0")))
    assert wrong.status_code == 200
    assert "아직 저장되지 않았습니다" in wrong.content.decode()


def test_one_more_line_keeps_what_was_typed(chief: Worker, template: SopTemplate) -> None:
    page = chief.post(f"sops/{template.pk}/", **form("add", step(0, ko="적던 말"))).content.decode()
    assert "적던 말" in page
    assert 'name="form-1-ko"' in page
    assert chief.post(f"sops/{template.pk}/", **{**form("add"), "form-TOTAL_FORMS": "x"}).status_code == 200


def test_examples_are_planted_and_say_so(chief: Worker, authority: Authority) -> None:
    page = chief.page_after("sops/", city=authority.code, deed="examples")
    assert page.count("예시</span>") == 6


def test_another_citys_checklists_are_not_there(
    template: SopTemplate, worker: MakeWorker, other_authority: Authority
) -> None:
    stranger = worker(Role.SUPERVISOR, authority=other_authority)
    assert stranger.get(f"sops/{template.pk}/").status_code == 404
    version = SopVersion.objects.get(template=template)
    assert stranger.get(f"sops/version/{version.pk}/").status_code == 404
    stranger.post(f"sops/version/{version.pk}/publish/")
    version.refresh_from_db()
    assert version.state == "draft"
    assert worker(Role.OPERATOR).get("sops/").status_code in (302, 403)


def test_a_week_is_planned_for_a_team_and_a_shift_taken_off_again(
    chief: Worker, authority: Authority, make_person: MakePerson
) -> None:
    people = [make_person(Role.OPERATOR, username=name) for name in ("kim", "lee")]
    chief.post("rosters/", city=authority.code, deed="team", name="1조", people=[one.pk for one in people])
    team = Team.objects.get()
    monday = date.today() + timedelta(days=7 - date.today().weekday())  # noqa: DTZ011 -- any coming week will do
    plan = {"deed": "plan", "city": authority.code, "team": team.pk, "shift": "22:00-06:00", "week": monday}
    page = chief.page_after("rosters/", **plan, first=monday, last=monday + timedelta(days=6))
    assert "근무를 넣었습니다" in page
    assert page.count("◇ kim") == 7
    again = chief.page_after("rosters/", **plan, first=monday)
    assert "이미 근무가 있습니다" in again
    assert "날짜로 적으십시오" in chief.page_after("rosters/", **plan, first="언젠가")
    shift = DutyShift.objects.order_by("from_at").first()
    assert shift is not None
    assert "근무를 뺐습니다" in chief.page_after(f"rosters/{shift.pk}/unplan/", city=authority.code, week=monday)
    assert DutyShift.objects.filter(ended_at=None).count() == 13
