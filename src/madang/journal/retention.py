"""How long the body of each kind of audit row is kept, as data, and erasing what is due.

The figures and their bases are for counsel to confirm; the back office may change them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from madang.journal import audit
from madang.journal.session import Session
from madang.kernel.clock import instant_text
from madang.kernel.errors import BadRequestError, NotFoundError
from madang.kernel.keyring import Keyring
from madang.kernel.mode import Mode


@dataclass(frozen=True, slots=True)
class Kind:
    """A retention kind: bodies are erased `days` after they were written."""

    kind: str
    days: int
    label_ko: str
    label_en: str
    basis_ko: str
    basis_en: str


SEED: tuple[Kind, ...] = (
    Kind(
        "access_log",
        730,
        "접속기록",
        "Access log",
        "개인정보의 안전성 확보조치 기준 제8조: 1년 이상, 5만 명 이상 또는 고유식별·민감정보는 2년 이상",
        "Standards for securing personal information, art. 8: at least 1 year; 2 years from 50,000 people",
    ),
    Kind(
        "video_provision",
        1095,
        "영상 제공 기록",
        "Video provision",
        "개인정보 보호법 제18조 제5항에 따른 목적 외 이용·제공 기록 (기간은 기관 지침)",
        "Personal Information Protection Act, art. 18: record of provision (period set by the institution)",
    ),
    Kind(
        "incident",
        1095,
        "사건 기록",
        "Incident record",
        "기관의 기록물 관리 기준 (기간은 기관 지침)",
        "The institution's records schedule (period set by the institution)",
    ),
    Kind(
        "caller",
        30,
        "신고자 정보",
        "Caller's data",
        "개인정보 보호법 제21조: 목적 달성 후 지체 없이 파기",
        "Personal Information Protection Act, art. 21: destroyed without delay once the purpose is met",
    ),
    Kind(
        "administration",
        1825,
        "관리 기록",
        "Administration",
        "개인정보의 안전성 확보조치 기준 제5조: 권한 부여·변경·말소 내역 3년 이상 보관",
        "Standards for securing personal information, art. 5: granting and removal of rights kept at least 3 years",
    ),
)


def seed(tx: Session, wanted: Iterable[Kind] = SEED) -> None:
    """Writes the kinds that are missing; what an officer changed stays."""
    tx.executemany(
        "INSERT INTO journal_retention (kind, days, label_ko, label_en, basis_ko, basis_en)"
        " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (kind) DO NOTHING",
        [(k.kind, k.days, k.label_ko, k.label_en, k.basis_ko, k.basis_en) for k in wanted],
    )


def kinds(tx: Session) -> list[Kind]:
    """Every retention kind, as it stands."""
    rows = tx.execute("SELECT kind, days, label_ko, label_en, basis_ko, basis_en FROM journal_retention ORDER BY kind")
    return [Kind(*row) for row in rows]


def days_of(tx: Session, kind: Kind) -> int:
    """How long that kind is kept as the table stands, else as proposed; days."""
    rows = tx.execute("SELECT days FROM journal_retention WHERE kind = ?", (kind.kind,))
    return int(rows[0][0]) if rows else kind.days


def erase_due(tx: Session, keys: Keyring, now: datetime) -> int:
    """Erases every body whose time is over and records that in its chain; returns how many. Unknown kinds are kept."""
    tx.serialise()
    erased = 0
    for kind in kinds(tx):
        cutoff = instant_text(now - timedelta(days=kind.days))
        for (stream,) in tx.execute(
            "SELECT DISTINCT stream FROM journal_audit_blob WHERE retention = ? AND at < ? AND sealed IS NOT NULL",
            (kind.kind, cutoff),
        ):
            erased += _erase_kind(tx, keys, stream, kind.kind, cutoff, now)
    return erased


def _erase_kind(tx: Session, keys: Keyring, stream: str, kind: str, cutoff: str, now: datetime) -> int:
    erasure_seq = audit.record(
        tx,
        keys,
        authority=stream,
        actor="system:retention",
        action="journal.erased",
        thing=f"{kind}<{cutoff}",
        mode=Mode.LIVE,
        now=now,
        retention="administration",
    )
    rows = tx.execute(
        "UPDATE journal_audit_blob SET sealed = NULL, erased_at = ?, erased_by = 'system:retention',"
        " erased_reason = 'retention period over', erasure_seq = ? WHERE stream = ? AND sealed IS NOT NULL"
        " AND retention = ? AND at < ? RETURNING seq",
        (instant_text(now), erasure_seq, stream, kind, cutoff),
    )
    return len(rows)


def erase_one(tx: Session, keys: Keyring, *, stream: str, seq: int, actor: str, reason: str, now: datetime) -> None:
    """Erases one body before its time, on somebody's word; raises `NotFoundError` when there is none."""
    if not reason.strip():
        raise BadRequestError("A reason is needed to erase a body", where="reason", ko="사유를 적어 주세요")
    tx.serialise()
    if not tx.execute(
        "SELECT 1 FROM journal_audit_blob WHERE stream = ? AND seq = ? AND sealed IS NOT NULL", (stream, seq)
    ):
        raise NotFoundError(f"Row {seq} of {stream} has no body to erase", where="seq")
    erasure_seq = audit.record(
        tx,
        keys,
        authority=stream,
        actor=actor,
        action="journal.erased",
        thing=f"row:{seq}",
        mode=Mode.LIVE,
        now=now,
        body={"reason": reason.strip()},
        retention="administration",
    )
    tx.execute(
        "UPDATE journal_audit_blob SET sealed = NULL, erased_at = ?, erased_by = ?, erased_reason = ?,"
        " erasure_seq = ? WHERE stream = ? AND seq = ?",
        (instant_text(now), actor, reason.strip(), erasure_seq, stream, seq),
    )
