"""What is done to rules: drafted, edited, checked, replayed, shadowed, published, retired, rolled back. All audited.

A rule edited while waits are pending. Waits belong to their version. When another version takes over, what the old one
remembers is carried to it if both wait for the same (same operator, grouping and lateness): then pending waits end when
they would have. Otherwise the old version's waits are cancelled, and the new one goes on from what it gathered in
shadow; what stands at that moment is told at once. How many were carried or cancelled is in the audit.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any, NoReturn

from madang.identity.access import require
from madang.identity.rights import Actor, Right, Thing
from madang.journal import changes, civic, timers
from madang.journal.session import Session
from madang.kernel.decisions import Rejected
from madang.kernel.errors import BadRequestError, ConflictError, ForbiddenError, NotFoundError
from madang.kernel.mode import Mode
from madang.response.rules import memories, running
from madang.response.rules.checks import Finding, Known, check
from madang.response.rules.domain import RUNNING, Do, Moved, Stage, Step, Version, decide
from madang.response.rules.follower import HUB, SIGNALS, mode_here
from madang.response.rules.models import STAGE_KO, ReplayRun, RuleTable, RuleVersion
from madang.response.rules.tables import Kind, Policy, rows_from
from madang.response.rules.tables import check as check_table
from madang.response.rules.vocabulary import Rule, acts_externally, read_rule, write_rule

JsonRow = dict[str, Any]  # Any: JSON values
_NAME = re.compile(r"[a-z][a-z0-9-]{1,39}")
REPLAYED_DAYS = 30
MOST_RULES = 200
"""Rules that run in one city."""
NOBODY = Known()
_RIGHT = {
    Step.PUBLISH: Right.PUBLISH_RULES,
    Step.SEND_BACK: Right.PUBLISH_RULES,
    Step.ROLL_BACK: Right.PUBLISH_RULES,
    Step.RETIRE: Right.PUBLISH_RULES,
}
_IN_WORK = (Stage.DRAFT, Stage.CHECKED, Stage.REPLAYED, Stage.SHADOW)


def draft(
    tx: Session, actor: Actor, authority: str, name: str, definition: JsonRow, note: str, now: datetime
) -> RuleVersion:
    """Keeps a first draft, or the next one of a rule there is. Raises `BadRequestError` for what cannot be read."""
    require(actor, Right.EDIT_RULES, Thing(authority))
    if not _NAME.fullmatch(name):
        raise BadRequestError(
            "a rule's name has 2 to 40 small letters, digits and hyphens, and begins with a letter",
            where="name",
            ko="규칙 이름은 영문 소문자로 시작해 소문자·숫자·붙임표 2~40자로 적으십시오.",
        )
    tx.serialise()
    rule = read_rule(definition)
    mine = RuleVersion.objects.filter(authority_id=authority, name=name)
    if mine.filter(stage__in=[stage.value for stage in _IN_WORK]).exists():
        raise ConflictError(
            f"another version of {name} is being worked on; finish or drop it first",
            ko="같은 규칙의 다른 판이 작성 중입니다. 먼저 마치거나 폐기하십시오.",
            reason="in_work",
        )
    last = mine.order_by("-number").first()
    row = RuleVersion(
        authority_id=authority,
        name=name,
        number=last.number + 1 if last else 1,
        stage=Stage.DRAFT.value,
        definition=write_rule(rule),
        note=note.strip()[:300],
        author=actor.id,
        author_name=actor.name,
        created_at=now,
        updated_at=now,
    )
    row.save(force_insert=True)
    _told(tx, row, actor, "rule.drafted", now, {"definition": row.definition})
    return row


def edit(
    tx: Session, actor: Actor, version_id: str, definition: JsonRow, note: str, now: datetime, *, revision: int
) -> RuleVersion:
    """Changes a version in work, which is a draft again then; of one that has run, a new draft is made."""
    row = _version(actor, version_id, Right.EDIT_RULES)
    if Stage(row.stage) not in _IN_WORK:
        return draft(tx, actor, row.authority_id, row.name, definition, note, now)
    moved = _decide(row, Do(Step.EDIT, actor.id, revision=revision))
    row.definition = write_rule(read_rule(definition))
    row.note, row.findings = note.strip()[:300], []
    row.editors = sorted({*row.editors, actor.id})
    return _move(tx, row, actor, moved, now, {"definition": row.definition})


def check_version(
    tx: Session, actor: Actor, version_id: str, known: Known, now: datetime, *, revision: int | None = None
) -> RuleVersion:
    """Looks for faults; without any it stands as checked. What was found is kept either way."""
    row = _version(actor, version_id, Right.EDIT_RULES)
    found = findings_of(row, known)
    faults = sum(one.level == "fault" for one in found)
    row.findings = [asdict(one) for one in found]
    decision = decide(_as_domain(row), Do(Step.CHECK, actor.id, faults=faults, revision=revision))
    if isinstance(decision, Rejected):
        if decision.code != "faults":
            _refuse(decision)
        row.stage, row.updated_at = Stage.DRAFT.value, now
        row.revision += 1
        row.save()
        _told(tx, row, actor, "rule.faulty", now, {"findings": row.findings})
        return row
    return _move(tx, row, actor, decision.events[0], now, {"findings": row.findings})


def ask_replay(
    tx: Session, actor: Actor, version_id: str, now: datetime, *, days: int = REPLAYED_DAYS, revision: int | None = None
) -> ReplayRun:
    """Has a checked version run over the last days beside the one in force; a job does it."""
    row = _version(actor, version_id, Right.EDIT_RULES)
    _decide(row, Do(Step.REPLAY, actor.id, revision=revision))
    if not 1 <= days <= REPLAYED_DAYS:
        raise BadRequestError(f"days is 1 to {REPLAYED_DAYS}", where="days", ko=f"기간은 1~{REPLAYED_DAYS}일입니다.")
    stop_replays(row, now)
    run = ReplayRun.objects.create(
        authority_id=row.authority_id,
        version=row,
        revision=row.revision,
        from_at=now - timedelta(days=days),
        to_at=now,
        by=actor.id,
        asked_at=now,
    )
    _told(tx, row, actor, "rule.replay_asked", now, {"days": days, "replay": run.id})
    tx.wake("rules.replay")
    return run


def stop_replays(row: RuleVersion, now: datetime) -> None:
    """Ends the replays of a version that wait or run."""
    waiting = ReplayRun.objects.filter(version=row, state__in=["queued", "running"])
    waiting.update(state="stopped", finished_at=now)


def replayed(tx: Session, run: ReplayRun, actor: Actor, now: datetime) -> bool:
    """A replay is done: its version stands as replayed, unless it was changed meanwhile."""
    row = RuleVersion.objects.select_for_update().get(pk=run.version_id)
    decision = decide(_as_domain(row), Do(Step.REPLAY, run.by, revision=run.revision))
    if isinstance(decision, Rejected):
        return False
    _move(tx, row, actor, decision.events[0], now, {"replay": run.id})
    return True


def take_step(
    tx: Session,
    actor: Actor,
    version_id: str,
    step: Step,
    now: datetime,
    *,
    reason: str = "",
    revision: int | None = None,
    accept_auto: bool = False,
) -> RuleVersion:
    """Starts the shadow, publishes, sends back, retires, rolls back to, or drops a version.

    Publishing and rolling back are a second person's: `ForbiddenError` for whoever wrote or changed it.
    """
    tx.serialise()
    row = _version(
        actor, version_id, _RIGHT.get(step, Right.EDIT_RULES), forcing=step in (Step.PUBLISH, Step.ROLL_BACK)
    )
    moved = _decide(row, Do(step, actor.id, reason.strip()[:500], accept_auto=accept_auto, revision=revision))
    if moved.after in RUNNING:
        _still_sound(row)
    return _ACTIONS[step](tx, row, actor, moved, now)


def _still_sound(row: RuleVersion) -> None:
    """Other rules may have changed since it was checked: what would run must not feed itself now."""
    faults = [one for one in findings_of(row, NOBODY) if one.level == "fault"]
    if faults:
        raise ConflictError(
            f"the rule has faults now: {faults[0].en}",
            ko=f"지금은 시행할 수 없습니다: {faults[0].ko}",
            reason="faults",
            findings=[asdict(one) for one in faults],
        )
    if running_rules(row.authority_id).count() >= MOST_RULES:
        raise ConflictError(
            f"{MOST_RULES} rules run already; retire one first", ko="실행 중인 규칙이 너무 많습니다.", reason="too_many"
        )


def findings_of(row: RuleVersion, known: Known) -> list[Finding]:
    """What is wrong with a version beside the rules that run or are about to."""
    return check(row.name, read_rule(row.definition), others(row.authority_id, row.name), known)


def others(authority: str, name: str) -> dict[str, Rule]:
    """The rules of a city by name that run: where a version is in shadow beside one in force, both."""
    found: dict[str, Rule] = {}
    for row in running_rules(authority).exclude(name=name):
        found[str(row) if row.stage == Stage.SHADOW.value else row.name] = read_rule(row.definition)
    return found


def running_rules(authority: str) -> Any:  # Any: a queryset of RuleVersion
    """The versions that hear the feeds."""
    return RuleVersion.objects.filter(authority_id=authority, stage__in=[stage.value for stage in RUNNING])


# -------------------------------------------------------------------------------------------------- what steps do


def _to_shadow(tx: Session, row: RuleVersion, actor: Actor, moved: Moved, now: datetime) -> RuleVersion:
    _begin(tx, row, now)
    row.shadow_at = now
    return _move(tx, row, actor, moved, now, {})


def _begin(tx: Session, row: RuleVersion, now: datetime) -> None:
    """It hears the feeds from here on. Where nothing ran, what came meanwhile concerns nobody."""
    if not running_rules(row.authority_id).exists():
        memories.drop_cursor(tx, row.authority_id, HUB)
        memories.drop_cursor(tx, row.authority_id, SIGNALS)
    memories.forget(tx, row.id)
    running.set_clock(tx, row, Mode(mode_here()), now)


def _publish(tx: Session, row: RuleVersion, actor: Actor, moved: Moved, now: datetime) -> RuleVersion:
    before = RuleVersion.objects.filter(authority_id=row.authority_id, name=row.name, stage="published").first()
    if Stage(row.stage) not in RUNNING:
        _begin(tx, row, now)
    waits = _take_over(tx, row, before, now)
    if before is not None:
        _retired(tx, before, now)
        _told(tx, before, actor, "rule.superseded", now, {"by": str(row), **waits})
    row.auto = moved.auto
    row.published_by, row.published_name, row.published_at, row.retired_at = actor.id, actor.name, now, None
    return _move(tx, row, actor, moved, now, {"auto": moved.auto, **waits})


def _take_over(tx: Session, row: RuleVersion, before: RuleVersion | None, now: datetime) -> dict[str, int]:
    if before is not None and _waits_alike(read_rule(before.definition), read_rule(row.definition)):
        return {"waits_carried": memories.carry(tx, before.id, row.id, row.authority_id)}
    cancelled = memories.forget(tx, before.id) if before is not None else 0
    memories.speak_again(tx, row.id, row.authority_id, now)
    return {"waits_cancelled": cancelled}


def _waits_alike(old: Rule, new: Rule) -> bool:
    return (old.when, old.per, old.late_s) == (new.when, new.per, new.late_s)


def _retired(tx: Session, row: RuleVersion, now: datetime) -> None:
    timers.cancel_timer(tx, kind=memories.CLOCK, key=row.id)
    row.stage, row.retired_at, row.updated_at = Stage.RETIRED.value, now, now
    row.revision += 1
    row.save()


def _retire(tx: Session, row: RuleVersion, actor: Actor, moved: Moved, now: datetime) -> RuleVersion:
    row.retired_at = now
    timers.cancel_timer(tx, kind=memories.CLOCK, key=row.id)
    return _move(tx, row, actor, moved, now, {"waits_cancelled": memories.forget(tx, row.id)})


def _stop(tx: Session, row: RuleVersion, actor: Actor, moved: Moved, now: datetime) -> RuleVersion:
    stop_replays(row, now)
    timers.cancel_timer(tx, kind=memories.CLOCK, key=row.id)
    memories.forget(tx, row.id)
    return _move(tx, row, actor, moved, now, {})


_ACTIONS = {
    Step.SHADOW: _to_shadow,
    Step.PUBLISH: _publish,
    Step.SEND_BACK: _stop,
    Step.ROLL_BACK: _publish,
    Step.RETIRE: _retire,
    Step.DROP: _stop,
}

# --------------------------------------------------------------------------------------------------------- inside


def _version(actor: Actor, version_id: str, right: Right, *, forcing: bool = False) -> RuleVersion:
    row = RuleVersion.objects.select_for_update().filter(pk=version_id).first()
    if row is None:
        raise NotFoundError("there is no such rule", where="id", ko="규칙을 찾을 수 없습니다.")
    require(actor, right, Thing(row.authority_id, requested_by=row.author if forcing else ""))
    return row


def _as_domain(row: RuleVersion) -> Version:
    return Version(
        stage=Stage(row.stage),
        author=row.author,
        editors=frozenset(row.editors),
        acts_outside=acts_externally(read_rule(row.definition)),
        revision=row.revision,
    )


def _decide(row: RuleVersion, do: Do) -> Moved:
    decision = decide(_as_domain(row), do)
    if isinstance(decision, Rejected):
        _refuse(decision)
    return decision.events[0]


_WHY: Mapping[str, tuple[type[ConflictError | ForbiddenError | BadRequestError], str, str]] = {
    "stale_revision": (
        ConflictError,
        "the rule was changed meanwhile; look again",
        "그 사이 규칙이 변경되었습니다. 다시 확인하십시오.",
    ),
    "wrong_stage": (ConflictError, "the rule's stage does not allow this", "현재 단계에서는 할 수 없습니다."),
    "own_rule": (
        ForbiddenError,
        "whoever wrote or changed a rule never puts it in force; ask a second person",
        "작성하거나 수정한 사람은 시행할 수 없습니다. 다른 승인자에게 요청하십시오.",
    ),
    "reason_missing": (BadRequestError, "a reason is needed", "사유를 입력하십시오."),
    "nothing_outside": (
        BadRequestError,
        "nothing of this rule reaches outside, so there is nothing to approve",
        "외부로 나가는 조치가 없어 자동 실행을 승인할 것이 없습니다.",
    ),
}


def _refuse(rejected: Rejected) -> NoReturn:
    kind, english, korean = _WHY[rejected.code]
    if rejected.code == "wrong_stage":
        korean = f"{STAGE_KO[Stage(rejected.data['stage'])]} 단계에서는 할 수 없습니다."
    raise kind(english, ko=korean, reason=rejected.code, **rejected.data)


def _move(tx: Session, row: RuleVersion, actor: Actor, moved: Moved, now: datetime, more: JsonRow) -> RuleVersion:
    if moved.before in RUNNING and moved.after not in RUNNING and moved.step is Step.EDIT:
        memories.forget(tx, row.id)
        timers.cancel_timer(tx, kind=memories.CLOCK, key=row.id)
    if moved.step is Step.EDIT:
        stop_replays(row, now)
    row.stage, row.updated_at = moved.after.value, now
    row.revision += 1
    row.save()
    _told(tx, row, actor, f"rule.{moved.step.value}", now, {"reason": moved.reason, **more})
    return row


def _told(tx: Session, row: RuleVersion, actor: Actor, action: str, now: datetime, body: JsonRow) -> None:
    changes.touch(tx, kind="rule", ref=row.id, authority=row.authority_id, now=now)
    civic.audit(
        tx,
        authority=row.authority_id,
        actor=actor.id,
        action=action,
        thing=f"rule:{row}",
        mode=Mode(mode_here()),
        now=now,
        body={"stage": row.stage, **body},
        retention="administration",
    )


# --------------------------------------------------------------------------------------------------------- tables


def draft_table(
    tx: Session, actor: Actor, authority: str, kind: Kind, policy: Policy, rows: list[JsonRow], note: str, now: datetime
) -> RuleTable:
    """Keeps a draft of a decision table; an earlier draft of the same kind is replaced."""
    require(actor, Right.EDIT_RULES, Thing(authority))
    rows_from(rows)
    tx.serialise()
    mine = RuleTable.objects.filter(authority_id=authority, kind=kind.value)
    mine.filter(state="draft").update(state="retired")
    last = mine.order_by("-number").first()
    row = RuleTable.objects.create(
        authority_id=authority,
        kind=kind.value,
        number=last.number + 1 if last else 1,
        state="draft",
        policy=policy.value,
        rows=rows,
        note=note.strip()[:300],
        author=actor.id,
        created_at=now,
    )
    _told_table(tx, row, actor, "rule_table.drafted", now)
    return row


def publish_table(tx: Session, actor: Actor, table_id: str, now: datetime) -> RuleTable:
    """Puts a draft in force: by a second person, and only without findings."""
    tx.serialise()
    row = RuleTable.objects.select_for_update().filter(pk=table_id).first()
    if row is None:
        raise NotFoundError("there is no such table", where="id", ko="결정표를 찾을 수 없습니다.")
    require(actor, Right.PUBLISH_RULES, Thing(row.authority_id, requested_by=row.author))
    if row.state != "draft":
        raise ConflictError("the table is no draft", ko="초안만 시행할 수 있습니다.", reason="wrong_state")
    found = check_table(rows_from(row.rows), Policy(row.policy), Kind(row.kind))
    if found:
        raise BadRequestError(
            f"the table has {len(found)} faults, first: {found[0].kind} {', '.join(found[0].rows)}".rstrip(),
            where="rows",
            ko=f"결정표에 고칠 것이 {len(found)}개 있습니다.",
            reason="table_faulty",
        )
    RuleTable.objects.filter(authority_id=row.authority_id, kind=row.kind, state="published").update(state="retired")
    row.state, row.published_by, row.published_at = "published", actor.id, now
    row.save()
    _told_table(tx, row, actor, "rule_table.published", now)
    return row


def _told_table(tx: Session, row: RuleTable, actor: Actor, action: str, now: datetime) -> None:
    changes.touch(tx, kind="rule", ref=row.id, authority=row.authority_id, now=now)
    civic.audit(
        tx,
        authority=row.authority_id,
        actor=actor.id,
        action=action,
        thing=f"rule_table:{row}",
        mode=Mode(mode_here()),
        now=now,
        body={"policy": row.policy, "rows": row.rows, "note": row.note},
        retention="administration",
    )
