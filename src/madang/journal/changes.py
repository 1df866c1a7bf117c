"""The change feed that live screens tail.

Numbers only grow, and a number is never shown while a slower transaction may still commit a smaller one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from madang.journal.schema import fit
from madang.journal.session import Session
from madang.kernel.clock import instant_text, parse_instant


@dataclass(frozen=True, slots=True)
class Change:
    """Something of `kind` with id `ref` looks different now."""

    seq: int
    kind: str
    ref: str
    authority: str
    at: datetime


def touch(tx: Session, *, kind: str, ref: str, authority: str, now: datetime) -> None:
    """Tells the screens, after the commit, that the row behind `ref` is new, different or gone."""
    fit("journal_change", kind=kind, ref=ref, authority=authority)
    tx.serialise()
    tx.execute(
        "INSERT INTO journal_change (kind, ref, authority, at) VALUES (?, ?, ?, ?)",
        (kind, ref, authority, instant_text(now)),
    )
    tx.wake("changes")


def changes_after(tx: Session, seq: int, limit: int = 500) -> list[Change]:
    """At most `limit` changes with greater numbers, in order."""
    rows = tx.execute(
        "SELECT seq, kind, ref, authority, at FROM journal_change WHERE seq > ? ORDER BY seq LIMIT ?", (seq, limit)
    )
    return [Change(int(row[0]), row[1], row[2], row[3], parse_instant(row[4])) for row in rows]


def latest(tx: Session) -> int:
    """The greatest number so far; 0 when nothing ever changed."""
    return int(tx.execute("SELECT COALESCE(MAX(seq), 0) FROM journal_change")[0][0])


def oldest(tx: Session) -> int:
    """The smallest number still kept; 0 when there is none. A cursor below it minus one has missed something."""
    return int(tx.execute("SELECT COALESCE(MIN(seq), 0) FROM journal_change")[0][0])


def purge_changes(tx: Session, before: datetime) -> None:
    """Drops changes older than `before`, but never the last one, so that `latest` never falls back."""
    tx.execute(
        "DELETE FROM journal_change WHERE at < ? AND seq < (SELECT MAX(seq) FROM journal_change)",
        (instant_text(before),),
    )
