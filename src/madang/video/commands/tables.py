"""Decision tables: drafted by one person, checked, published by another, cited by version ever after."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from madang.identity.access import require
from madang.identity.rights import Actor, Right, Thing
from madang.journal import civic
from madang.journal.session import Session
from madang.kernel.canonical import canonical_json
from madang.kernel.errors import BadRequestError, NotFoundError
from madang.kernel.mode import Mode
from madang.video.commands.refusals import refuse
from madang.video.decision_table import Finding, Policy, Table, TableError, check, rows_from
from madang.video.decision_table import Row as TableRow
from madang.video.models import DecisionTable
from madang.video.seed import SEED_NOTE, SEED_ROWS

Json = list[dict[str, Any]]  # Any: JSON members of a row


def current(tx: Session, authority: str, now: datetime) -> Table:
    """The published table of a city; a city without one is given the seed first."""
    row = DecisionTable.objects.filter(authority_id=authority, state="published").first()
    return table_of(row or _seed(tx, authority, now))


def table_of(row: DecisionTable) -> Table:
    """The rules in a row, ready to be asked."""
    return Table(str(row), _parsed(canonical_json(row.rows)), Policy(row.policy))


@lru_cache(maxsize=64)
def _parsed(rows: bytes) -> tuple[TableRow, ...]:
    import orjson

    return rows_from(orjson.loads(rows))


def _seed(tx: Session, authority: str, now: datetime) -> DecisionTable:
    row = DecisionTable.objects.create(
        authority_id=authority,
        version=1,
        state="published",
        policy=Policy.FIRST,
        rows=SEED_ROWS,
        note=SEED_NOTE,
        drafted_by="system:seed",
        drafted_at=now,
        published_by="system:install",
        published_at=now,
    )
    _audit(tx, row, "system:install", "video.table.seeded", now)
    return row


def draft_table(
    tx: Session, actor: Actor, authority: str, rows: Json, note: str, now: datetime, policy: str = "first"
) -> DecisionTable:
    """Keeps a draft as the next version; raises `BadRequestError` naming row and field when it cannot be read."""
    require(actor, Right.EDIT_DECISION_TABLE, Thing(authority))
    _readable(rows, policy)
    last = DecisionTable.objects.filter(authority_id=authority).order_by("-version").first()
    row = DecisionTable.objects.create(
        authority_id=authority,
        version=(last.version if last else 0) + 1,
        policy=policy,
        rows=rows,
        note=note[:300],
        drafted_by=actor.id,
        drafted_at=now,
    )
    _audit(tx, row, actor.id, "video.table.drafted", now)
    return row


def _readable(rows: Json, policy: str) -> Table:
    try:
        return Table("draft", rows_from(rows), Policy(policy))
    except (TableError, ValueError) as error:
        raise BadRequestError(str(error), where="decision table", ko=f"결정표를 읽을 수 없습니다: {error}") from None


def faults_of(rows: Json, policy: str = "first") -> list[Finding]:
    """Gaps, overlaps and rows that can never answer, for the editor."""
    return check(_readable(rows, policy))


def publish_table(tx: Session, actor: Actor, table_id: str, now: datetime) -> DecisionTable:
    """Puts a draft in force: by a second person, and only without gaps or overlaps."""
    row = DecisionTable.objects.filter(pk=table_id).first()
    if row is None:
        raise NotFoundError("there is no such decision table", ko="결정표를 찾을 수 없습니다.")
    require(actor, Right.PUBLISH_DECISION_TABLE, Thing(row.authority_id, requested_by=row.drafted_by))
    if row.state != "draft":
        _refuse("wrong_state", state=row.state)
    findings = faults_of(row.rows, row.policy)
    if findings:
        _refuse("table_faulty", faults=[_told(finding) for finding in findings])
    DecisionTable.objects.filter(authority_id=row.authority_id, state="published").update(state="retired")
    row.state, row.published_by, row.published_at = "published", actor.id, now
    row.save()
    _audit(tx, row, actor.id, "video.table.published", now)
    return row


def _refuse(code: str, **data: object) -> None:
    from madang.kernel.decisions import Rejected

    refuse(Rejected(code, data))


def _told(finding: Finding) -> dict[str, object]:
    return {
        "kind": finding.kind,
        "rows": list(finding.rows),
        "example": {
            name: str(value).replace("\x00other", "(other)") for name, value in (finding.example or {}).items()
        },
    }


def _audit(tx: Session, row: DecisionTable, by: str, action: str, now: datetime) -> None:
    rules: Sequence[object] = row.rows
    civic.audit(
        tx,
        authority=row.authority_id,
        actor=by,
        action=action,
        thing=f"decision_table:{row.pk}",
        mode=Mode.LIVE,
        now=now,
        body={"version": row.version, "policy": row.policy, "rows": rules, "note": row.note},
        retention="administration",
    )
