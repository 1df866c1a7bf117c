"""A checklist as JSON and back: what its table, the office and the seed hold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from madang.kernel.errors import BadRequestError
from madang.response.sop.domain import Branch, DoneBy, Evidence, Fault, Step

JsonStep = Mapping[str, Any]  # Any: JSON members

FAULTS_KO = {
    "no_steps": "단계가 하나도 없습니다.",
    "too_many_steps": "단계가 너무 많습니다.",
    "key_twice": "같은 번호의 단계가 두 번 있습니다.",
    "no_key": "단계 번호가 없습니다.",
    "no_words": "할 일을 적지 않은 단계가 있습니다.",
    "stage_range": "순서는 1에서 99 사이입니다.",
    "due_range": "기한은 24시간 안이어야 합니다.",
    "few_options": "선택 단계에는 답이 둘 이상 있어야 합니다.",
    "needless_options": "선택 단계가 아닌데 답이 적혀 있습니다.",
    "branch_unknown": "조건이 가리키는 선택 단계가 없습니다.",
    "branch_not_earlier": "조건은 앞 순서의 단계만 가리킬 수 있습니다.",
    "branch_answer": "조건의 답이 그 단계의 답 가운데 없습니다.",
}
FAULTS_EN = {
    "no_steps": "there is no step",
    "too_many_steps": "there are too many steps",
    "key_twice": "two steps share a number",
    "no_key": "a step has no number",
    "no_words": "a step says nothing",
    "stage_range": "an order is from 1 to 99",
    "due_range": "a due time is within a day",
    "few_options": "a choice needs two answers or more",
    "needless_options": "answers stand at a step that is no choice",
    "branch_unknown": "the condition names no choice",
    "branch_not_earlier": "a condition names a step of an earlier order",
    "branch_answer": "the condition's answer is none of that choice",
}


def step_of(data: JsonStep) -> Step:
    """A step out of JSON; raises `BadRequestError` where a member is not of its kind."""
    try:
        branch = data.get("only_if")
        due = data.get("due_s")
        return Step(
            key=str(data.get("key", ""))[:40],
            stage=int(data.get("stage", 0)),
            ko=str(data.get("ko", "")).strip()[:300],
            en=str(data.get("en", "")).strip()[:300],
            done_by=DoneBy(data.get("done_by", "anybody")),
            due_s=None if due is None else int(due),
            evidence=Evidence(data.get("evidence", "none")),
            options=tuple(str(option).strip()[:100] for option in data.get("options", ()) if str(option).strip()),
            only_if=Branch(str(branch["step"]), frozenset(map(str, branch["answers"]))) if branch else None,
        )
    except (TypeError, ValueError, KeyError) as error:
        where = f"steps[{data.get('key', '?')}]"
        raise BadRequestError(f"a step cannot be read: {error}", where=where, ko="단계를 읽을 수 없습니다.") from None


def steps_of(data: Iterable[JsonStep]) -> tuple[Step, ...]:
    """A whole checklist out of JSON, in order of stages."""
    return tuple(sorted((step_of(one) for one in data), key=lambda step: step.stage))


def step_json(step: Step) -> dict[str, Any]:  # Any: JSON members
    """A step as its table keeps it."""
    branch = step.only_if
    return {
        "key": step.key,
        "stage": step.stage,
        "ko": step.ko,
        "en": step.en,
        "done_by": step.done_by.value,
        "due_s": step.due_s,
        "evidence": step.evidence.value,
        "options": list(step.options),
        "only_if": {"step": branch.step, "answers": sorted(branch.answers)} if branch else None,
    }


def told(fault: Fault) -> dict[str, str]:
    """A fault for people."""
    return {"code": fault.code, "key": fault.key, "ko": FAULTS_KO[fault.code], "en": FAULTS_EN[fault.code]}
