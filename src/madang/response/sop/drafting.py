"""Checklists being worded and put in force, by people who may edit them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from django.db.models import Max

from madang.identity.access import require
from madang.identity.rights import Actor, Right, Thing
from madang.journal import civic
from madang.journal.session import Session
from madang.kernel.errors import BadRequestError, ConflictError, NotFoundError
from madang.kernel.mode import Mode
from madang.response.classes import CLASSES
from madang.response.sop import domain
from madang.response.sop.models import SopTemplate, SopVersion
from madang.response.sop.wording import JsonStep, step_json, steps_of, told
from madang.response.tasks import response_config


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """What a checklist says. `classes` are the incident classes that start it by themselves."""

    title_ko: str
    title_en: str = ""
    classes: Sequence[str] = ()
    steps: Sequence[JsonStep] = field(default_factory=list)
    note: str = ""
    example: bool = False


def save_draft(tx: Session, actor: Actor, authority: str, code: str, words: Words, now: datetime) -> SopVersion:
    """Keeps the wording as the template's draft: the one there is, else a new version. Drafts may be unfinished."""
    require(actor, Right.EDIT_SOP, Thing(authority))
    code, title = code.strip().lower(), words.title_ko.strip()
    if not code.replace("-", "").isalnum() or len(code) > 40:
        raise BadRequestError(
            "a code is letters, digits and hyphens", where="code", ko="이름은 글자, 숫자, 붙임표로 적으십시오."
        )
    if not title:
        raise BadRequestError("a checklist needs a title", where="title_ko", ko="제목을 적으십시오.")
    unknown = [name for name in words.classes if name not in CLASSES]
    if unknown:
        raise BadRequestError(f"no such incident class: {unknown[0]}", where="classes", ko="없는 사건 종류입니다.")
    template, _ = SopTemplate.objects.get_or_create(authority_id=authority, code=code)
    draft = template.versions.filter(state="draft").first() or _next_version(template)
    draft.title_ko, draft.title_en = title[:100], words.title_en.strip()[:100]
    draft.classes, draft.note, draft.example = sorted(set(words.classes)), words.note.strip()[:300], words.example
    draft.steps = [step_json(step) for step in steps_of(words.steps)]
    draft.drafted_by, draft.drafted_at = actor.id, now
    draft.save()
    _audit_wording(tx, actor, draft, "sop.drafted", now)
    return draft


def _next_version(template: SopTemplate) -> SopVersion:
    last = template.versions.aggregate(last=Max("version"))["last"] or 0
    return SopVersion(template=template, version=last + 1)


def publish(tx: Session, actor: Actor, version_id: str, now: datetime) -> SopVersion:
    """Puts a draft in force; the version before it is retired. Runs under way keep the version they began with."""
    draft = _version(actor, version_id)
    if draft.state != "draft":
        raise ConflictError("only a draft is published", ko="초안만 시행할 수 있습니다.")
    faults = domain.faults_of(steps_of(draft.steps), response_config().sop.max_steps)
    if faults:
        seen = told(faults[0])
        where = f"steps[{seen['key']}]" if seen["key"] else "steps"
        raise BadRequestError(seen["en"], where=where, ko=seen["ko"], faults=[told(fault) for fault in faults])
    _refuse_second_default(draft)
    draft.template.versions.filter(state="published").update(state="retired")
    draft.state, draft.published_by, draft.published_at = "published", actor.id, now
    draft.save()
    _audit_wording(tx, actor, draft, "sop.published", now)
    return draft


def _refuse_second_default(draft: SopVersion) -> None:
    others = SopVersion.objects.filter(template__authority=draft.template.authority_id, state="published")
    for other in others.exclude(template=draft.template).select_related("template"):
        both = sorted(set(other.classes) & set(draft.classes))
        if both:
            raise ConflictError(
                f"{other.template.code} already starts for {both[0]}",
                where="classes",
                ko=f"‘{CLASSES[both[0]].ko}’에는 이미 ‘{other.title_ko}’ 절차가 자동으로 시작됩니다.",
            )


def retire(tx: Session, actor: Actor, version_id: str, now: datetime) -> SopVersion:
    """Takes a published checklist out of use; runs under way go on."""
    version = _version(actor, version_id)
    if version.state != "published":
        raise ConflictError("only what is in force can be retired", ko="시행 중인 절차만 종료할 수 있습니다.")
    version.state = "retired"
    version.save(update_fields=["state"])
    _audit_wording(tx, actor, version, "sop.retired", now)
    return version


def _version(actor: Actor, version_id: str) -> SopVersion:
    version = (
        SopVersion.objects.select_for_update(of=("self",)).select_related("template").filter(pk=version_id).first()
    )
    if version is None:
        raise NotFoundError(ko="절차를 찾을 수 없습니다.")
    require(actor, Right.EDIT_SOP, Thing(version.template.authority_id))
    return version


def _audit_wording(tx: Session, actor: Actor, version: SopVersion, action: str, now: datetime) -> None:
    civic.audit(
        tx,
        authority=version.template.authority_id,
        actor=actor.id,
        action=action,
        thing=f"sop:{version.template.code}@{version.version}",
        mode=Mode.LIVE,
        now=now,
        body={"title": version.title_ko, "steps": len(version.steps)},
    )
