"""Checklists being worded: a table of steps to fill in, a preview, versions, and putting a draft in force."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from typing import Any

from django import forms
from django.contrib import messages
from django.forms import BaseFormSet, formset_factory
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from madang.console.office.frame import back_to, cities, city_of, do, may, show
from madang.console.projection import person_names
from madang.identity.office import Page, actor_of, cities_with, said, site
from madang.identity.rights import Right
from madang.journal import civic
from madang.kernel.clock import system_clock
from madang.kernel.errors import MadangError
from madang.response.classes import CLASSES, STORM, UNKNOWN
from madang.response.sop import drafting, seed
from madang.response.sop.domain import Step, faults_of
from madang.response.sop.models import SopTemplate, SopVersion
from madang.response.sop.wording import steps_of, told
from madang.response.tasks import response_config

EDIT = Right.EDIT_SOP
JsonSteps = list[dict[str, Any]]  # Any: JSON members of a step

EVIDENCE = [("none", "없음"), ("note", "메모"), ("still", "사진·정지영상"), ("choice", "답 고르기")]
DONE_BY = [("anybody", "누구나"), ("operator", "관제요원"), ("supervisor", "책임자")]
STATES = {"draft": "◇ 초안", "published": "● 시행 중", "retired": "○ 종료"}
STARTERS = [(code, one.ko) for code, one in CLASSES.items() if code not in (STORM, UNKNOWN)]


class StepForm(forms.Form):
    """One line of a checklist as an officer fills it in."""

    key = forms.CharField(required=False, max_length=40, widget=forms.HiddenInput)
    stage = forms.IntegerField(min_value=1, max_value=99, widget=forms.NumberInput(attrs={"style": "width:4.5rem"}))
    ko = forms.CharField(max_length=300, widget=forms.Textarea(attrs={"rows": 2, "style": "min-height:4rem"}))
    en = forms.CharField(required=False, max_length=300)
    done_by = forms.ChoiceField(choices=DONE_BY)
    due_min = forms.FloatField(
        required=False,
        min_value=0.1,
        max_value=1440,
        widget=forms.NumberInput(attrs={"style": "width:5.5rem", "step": "any"}),
    )
    evidence = forms.ChoiceField(choices=EVIDENCE)
    options = forms.CharField(required=False, max_length=600)
    only_step = forms.ChoiceField(required=False, widget=forms.Select(attrs={"style": "width:13rem"}))
    only_answers = forms.CharField(required=False, max_length=300)

    def __init__(self, *args: Any, choices: list[tuple[str, str]], **kwargs: Any) -> None:  # Any: as the base class
        super().__init__(*args, **kwargs)
        answered = self.fields["only_step"]
        assert isinstance(answered, forms.ChoiceField)
        answered.choices = [("", "늘"), *choices]
        for name, label in _LABELS.items():
            self.fields[name].widget.attrs["aria-label"] = label


_LABELS = {
    "stage": "순서",
    "ko": "할 일",
    "en": "할 일 (영문)",
    "done_by": "누가",
    "due_min": "기한(분)",
    "evidence": "증빙",
    "options": "고를 답 (쉼표로 나눔)",
    "only_step": "조건 단계",
    "only_answers": "조건 답",
}


class WordsForm(forms.Form):
    """What stands above the steps."""

    title_ko = forms.CharField(label="제목", max_length=100)
    title_en = forms.CharField(label="제목 (영문)", max_length=100, required=False)
    note = forms.CharField(label="무엇을 왜 바꾸는지", max_length=300, required=False)
    classes = forms.MultipleChoiceField(
        label="자동으로 시작할 사건 종류", choices=STARTERS, required=False, widget=forms.CheckboxSelectMultiple
    )


StepRows = formset_factory(StepForm, extra=0, can_delete=True, max_num=200)


def _minutes(seconds: int | None) -> str:
    """Minutes as people write them: `1`, `1.5`; empty without a due time."""
    return "" if seconds is None else f"{round(seconds / 60, 2):g}"


def _split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _row_of(step: Mapping[str, Any]) -> dict[str, Any]:  # Any: JSON members
    branch = step.get("only_if") or {}
    return {
        "key": step["key"],
        "stage": step["stage"],
        "ko": step["ko"],
        "en": step["en"],
        "done_by": step["done_by"],
        "due_min": _minutes(step["due_s"]),
        "evidence": step["evidence"],
        "options": ", ".join(step["options"]),
        "only_step": branch.get("step", ""),
        "only_answers": ", ".join(branch.get("answers", [])),
    }


def _step_of(data: Mapping[str, Any], key: str) -> dict[str, Any]:  # Any: cleaned form values, JSON members
    answers = _split(data["only_answers"])
    return {
        "key": key,
        "stage": data["stage"],
        "ko": data["ko"],
        "en": data["en"],
        "done_by": data["done_by"],
        "due_s": round(data["due_min"] * 60) if data["due_min"] else None,
        "evidence": data["evidence"],
        "options": _split(data["options"]) if data["evidence"] == "choice" else [],
        "only_if": {"step": data["only_step"], "answers": answers} if data["only_step"] else None,
    }


def _steps_in(rows: BaseFormSet[StepForm]) -> JsonSteps:
    """The filled-in lines; new ones get the next free number."""
    kept = [form.cleaned_data for form in rows.forms if form.cleaned_data and not form.cleaned_data.get("DELETE")]
    used = {data["key"] for data in kept}
    free = (f"s{n}" for n in range(1, 1_000) if f"s{n}" not in used)
    return [_step_of(data, data["key"] or next(free)) for data in kept]


def _choices(steps: JsonSteps) -> list[tuple[str, str]]:
    asked = [step for step in steps if step["evidence"] == "choice"]
    return [(step["key"], f"{step['stage']}. {step['ko'][:24]} ({', '.join(step['options'])})") for step in asked]


# --------------------------------------------------------------------------------------------------- pages


@require_http_methods(["GET", "POST"])
def sops(request: HttpRequest) -> HttpResponse:
    """Every checklist of a city, and the way to a new one."""
    city = city_of(request, EDIT)
    if request.method == "POST":
        return _begin(request, city.code)
    templates = SopTemplate.objects.filter(authority=city).prefetch_related("versions").order_by("code")
    rows = [(template, _in_force(template), _draft(template)) for template in templates]
    return show(
        request,
        "sops",
        "업무 절차",
        city=city,
        cities=cities(request, EDIT),
        rows=rows,
        names=dict(STARTERS),
        may_edit=may(request, EDIT, city.code),
    )


def _begin(request: HttpRequest, city: str) -> HttpResponse:
    actor, now = actor_of(request), system_clock()
    if request.POST.get("deed") == "examples":
        do(
            request,
            lambda tx: seed.plant(tx, actor, city, now),
            "예시 절차를 넣었습니다. 시의 매뉴얼에 맞게 고쳐 쓰십시오.",
        )
        return back_to("sops", city)
    words = drafting.Words(title_ko=request.POST.get("title", ""), steps=[])
    code = request.POST.get("code", "")
    draft = do(
        request,
        lambda tx: drafting.save_draft(tx, actor, city, code, words, now),
        "초안을 만들었습니다. 단계를 적으십시오.",
    )
    return back_to("sops", city) if draft is None else redirect(reverse("admin:sop", args=[draft.template_id]))


def _in_force(template: SopTemplate) -> SopVersion | None:
    return next((version for version in template.versions.all() if version.state == "published"), None)


def _draft(template: SopTemplate) -> SopVersion | None:
    return next((version for version in template.versions.all() if version.state == "draft"), None)


@require_http_methods(["GET", "POST"])
def sop(request: HttpRequest, template_id: str) -> HttpResponse:
    """The editor: the draft there is, else what a new draft would begin with."""
    template = _mine(request, template_id)
    draft, newest = _draft(template), template.versions.order_by("-version").first()
    assert newest is not None, "a template is made with its first draft"
    base = draft or _in_force(template) or newest
    words, rows = _forms(request, base)
    deed = request.POST.get("deed", "")
    if request.method == "POST" and words.is_valid() and rows.is_valid():
        answer = _save(request, template, words, rows, deed)
        if answer is not None:
            return answer
    elif request.method == "POST" and deed != "add":
        messages.error(request, "빨간 글씨로 적힌 칸을 고치십시오. 아직 저장되지 않았습니다.")
    people = person_names(by for one in template.versions.all() for by in (one.drafted_by, one.published_by))
    versions = [
        (one, STATES[one.state], people.get(one.drafted_by), people.get(one.published_by))
        for one in template.versions.order_by("-version")
    ]
    faults = _faults(base) if draft is not None else []
    context = {
        "sop": template,
        "draft": draft,
        "words": words,
        "rows": rows,
        "versions": versions,
        "faults": faults,
    }
    return show(request, "sop", f"절차 · {base.title_ko}", **context)


def _mine(request: HttpRequest, template_id: str) -> SopTemplate:
    mine = cities_with(actor_of(request), EDIT)
    found = SopTemplate.objects.filter(pk=template_id, authority__in=mine).prefetch_related("versions").first()
    if found is None:
        raise Http404
    return found


def _forms(request: HttpRequest, base: SopVersion) -> tuple[WordsForm, BaseFormSet[StepForm]]:
    more = {"choices": _choices(base.steps)}
    if request.POST.get("deed") == "add":
        filled = {name: request.POST.get(name, "") for name in WordsForm.base_fields}
        words = WordsForm(initial={**filled, "classes": request.POST.getlist("classes")})
        return words, StepRows(_with_one_more(request.POST), form_kwargs=more)
    if request.method == "POST":
        return WordsForm(request.POST), StepRows(request.POST, form_kwargs=more)
    words = WordsForm(
        initial={"title_ko": base.title_ko, "title_en": base.title_en, "note": base.note, "classes": base.classes}
    )
    initial = [_row_of(step) for step in base.steps]
    last = max((row["stage"] for row in initial), default=0)
    return words, StepRows(initial=initial or [{"stage": last + 1}], form_kwargs=more)


def _with_one_more(posted: QueryDict) -> QueryDict:
    data = posted.copy()
    total = data.get("form-TOTAL_FORMS") or ""
    data["form-TOTAL_FORMS"] = str(int(total) + 1 if total.isascii() and total.isdigit() else 1)
    return data


def _save(
    request: HttpRequest, template: SopTemplate, words: WordsForm, rows: BaseFormSet[StepForm], deed: str
) -> HttpResponse | None:
    """Keeps the draft, and puts it in force where that was asked; None stays on the page with what was typed."""
    data, actor, now = words.cleaned_data, actor_of(request), system_clock()
    wanted = drafting.Words(
        title_ko=data["title_ko"],
        title_en=data["title_en"],
        note=data["note"],
        classes=data["classes"],
        steps=_steps_in(rows),
    )
    try:
        with civic.transaction() as tx:
            draft = drafting.save_draft(tx, actor, template.authority_id, template.code, wanted, now)
    except MadangError as error:
        messages.error(request, said(error))
        return None
    if deed == "publish":
        do(
            request,
            lambda tx: drafting.publish(tx, actor, draft.pk, now),
            "시행했습니다. 새로 시작하는 절차부터 이 판을 씁니다.",
        )
    else:
        messages.success(request, "초안을 저장했습니다. 시행하기 전에는 쓰이지 않습니다.")
    if deed == "preview":
        return redirect(reverse("admin:sop_version", args=[draft.pk]))
    return redirect(reverse("admin:sop", args=[template.pk]))


def _faults(version: SopVersion) -> list[dict[str, str]]:
    steps = steps_of(version.steps)
    words = {step.key: step.ko for step in steps}
    found = faults_of(steps, response_config().sop.max_steps)
    return [{**told(fault), "step": words.get(fault.key, "")} for fault in found]


def version(request: HttpRequest, version_id: str) -> HttpResponse:
    """One version as the desk will show it, stage by stage."""
    mine = cities_with(actor_of(request), EDIT)
    found = SopVersion.objects.select_related("template__authority").filter(pk=version_id).first()
    if found is None or found.template.authority_id not in mine:
        raise Http404
    steps = steps_of(found.steps)
    words = {step.key: step.ko for step in steps}
    stages = [
        (stage, [_shown(step, words) for step in together]) for stage, together in groupby(steps, lambda one: one.stage)
    ]
    context = {
        "version": found,
        "state": STATES[found.state],
        "stages": stages,
        "classes": [CLASSES[code].ko for code in found.classes if code in CLASSES],
        "faults": _faults(found) if found.state == "draft" else [],
        "runs": found.runs.count(),
    }
    return show(request, "sop_version", f"{found.title_ko} {found.version}판", **context)


def _shown(step: Step, words: Mapping[str, str]) -> dict[str, Any]:  # Any: template values
    branch = step.only_if
    return {
        "step": step,
        "evidence": dict(EVIDENCE)[step.evidence.value],
        "done_by": dict(DONE_BY)[step.done_by.value],
        "minutes": _minutes(step.due_s),
        "branch": (words.get(branch.step, branch.step), ", ".join(sorted(branch.answers))) if branch else None,
    }


@require_POST
def publish(request: HttpRequest, version_id: str) -> HttpResponse:
    """Puts a draft in force as it was last saved."""
    actor, now = actor_of(request), system_clock()
    do(
        request,
        lambda tx: drafting.publish(tx, actor, version_id, now),
        "시행했습니다. 새로 시작하는 절차부터 이 판을 씁니다.",
    )
    return redirect(reverse("admin:sop_version", args=[version_id]))


@require_POST
def retire(request: HttpRequest, version_id: str) -> HttpResponse:
    """Takes a checklist out of use."""
    actor, now = actor_of(request), system_clock()
    do(
        request,
        lambda tx: drafting.retire(tx, actor, version_id, now),
        "종료했습니다. 진행 중인 절차는 그대로 이어집니다.",
    )
    return redirect(reverse("admin:sop_version", args=[version_id]))


def _drafts_in(codes: frozenset[str]) -> int:
    return SopVersion.objects.filter(template__authority__in=codes, state="draft").count()


def register() -> None:
    """Puts the pages into the office."""
    site.add(Page("sops", "sops/", sops, (EDIT,), "업무 절차", "work", "checklist", 60, _drafts_in))
    site.add(Page("sop", "sops/<str:template_id>/", sop, (EDIT,)))
    site.add(Page("sop_version", "sops/version/<str:version_id>/", version, (EDIT,)))
    site.add(Page("sop_publish", "sops/version/<str:version_id>/publish/", publish, (EDIT,)))
    site.add(Page("sop_retire", "sops/version/<str:version_id>/retire/", retire, (EDIT,)))
