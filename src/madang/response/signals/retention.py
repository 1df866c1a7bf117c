"""How long signals are kept: what they say for so many days, that they came (for their ids) somewhat longer."""

from __future__ import annotations

from datetime import datetime, timedelta

from madang.journal import civic, retention
from madang.journal.retention import Kind
from madang.journal.session import Session
from madang.kernel.clock import instant_text
from madang.kernel.mode import Mode

KIND = Kind(
    "signal",
    90,
    "신호 내용",
    "Signals",
    "개인정보 보호법 제21조: 보유기간이 지나거나 목적을 달성하면 지체 없이 파기 (기간은 기관 지침)",
    "Personal Information Protection Act, art. 21: destroyed once no longer needed (period set by the institution)",
)
"""The entry in the retention table; the back office may change the days."""
_IDS_KEPT_DAYS = 400
_AT_ONCE = 5_000


def run_once(now: datetime) -> int:
    """Empties and forgets what is due, in short transactions; returns how many signals were emptied."""
    with civic.transaction() as tx:
        retention.seed(tx, [KIND])
    emptied = 0
    while True:
        with civic.transaction() as tx:
            some = _empty(tx, now)
        emptied += some
        if some < _AT_ONCE:
            break
    while True:
        with civic.transaction() as tx:
            if _forget(tx, now) < _AT_ONCE:
                return emptied


def _empty(tx: Session, now: datetime) -> int:
    """Empties what old signals say; their ids, digests, classes and outcomes stay."""
    days = retention.days_of(tx, KIND)
    due = (
        "SELECT seq FROM signals_signal WHERE outcome <> '' AND received_at < ?"
        " AND (text <> '' OR address <> '' OR media_ref <> '' OR attributes <> '{}') LIMIT ?"
    )
    rows = tx.execute(
        "UPDATE signals_signal SET text = '', address = '', media_ref = '', attributes = '{}', lon = NULL, lat = NULL"  # noqa: S608 -- constants
        f" WHERE seq IN ({due}) RETURNING authority, mode",
        (instant_text(now - timedelta(days=days)), _AT_ONCE),
    )
    tx.execute(
        "UPDATE signals_event SET text = '', address = '', lon = NULL, lat = NULL WHERE last_at < ?"
        " AND (text <> '' OR address <> '' OR lon IS NOT NULL)",
        (instant_text(now - timedelta(days=days)),),
    )
    for authority, mode in sorted(set(rows)):
        civic.audit(
            tx,
            authority=authority,
            actor="system:retention",
            action="signals.erased",
            thing=f"signals<{days}d",
            mode=Mode(mode),
            now=now,
            body={"signals": rows.count((authority, mode))},
            retention="administration",
        )
    return len(rows)


def _forget(tx: Session, now: datetime) -> int:
    before = instant_text(now - timedelta(days=_IDS_KEPT_DAYS))
    rows = tx.execute(
        "DELETE FROM signals_signal WHERE seq IN"
        " (SELECT seq FROM signals_signal WHERE outcome <> '' AND received_at < ? LIMIT ?) RETURNING seq",
        (before, _AT_ONCE),
    )
    return len(rows)
