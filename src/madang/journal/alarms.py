"""What looks like an attack or a broken counterpart, and must be seen by a person."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from madang.journal.changes import touch
from madang.journal.session import Row, Session
from madang.kernel.clock import instant_text, parse_instant
from madang.kernel.mode import Mode

CONFLICTING_MESSAGE = "conflicting_message"


@dataclass(frozen=True, slots=True)
class Alarm:
    """One alarm: a source sent `times` times, under an id already used, a body with another digest."""

    seq: int
    kind: str
    authority: str
    mode: Mode
    source: str
    message_id: str
    first_digest: str
    second_digest: str
    first_at: datetime
    last_at: datetime
    times: int


def raise_conflict(
    tx: Session,
    *,
    authority: str,
    mode: Mode,
    source: str,
    message_id: str,
    first_digest: str,
    second_digest: str,
    now: datetime,
) -> None:
    """Writes the alarm of a repeated id with another body; the same conflict again only counts up and reopens it."""
    at = instant_text(now)
    tx.execute(
        "INSERT INTO journal_alarm (kind, authority, mode, source, message_id, first_digest, second_digest,"
        " first_at, last_at, times, seen_by, seen_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 1, '', NULL)"
        " ON CONFLICT (kind, source, message_id, second_digest) DO UPDATE SET times = journal_alarm.times + 1,"
        " last_at = excluded.last_at, seen_by = '', seen_at = NULL",
        (CONFLICTING_MESSAGE, authority, mode.value, source, message_id, first_digest, second_digest, at, at),
    )
    touch(tx, kind="counters", ref="alarms", authority=authority, now=now)


def open_alarms(tx: Session, authority: str, limit: int = 200) -> list[Alarm]:
    """The alarms of a city nobody has acknowledged, newest first."""
    rows = tx.execute(
        "SELECT seq, kind, authority, mode, source, message_id, first_digest, second_digest, first_at, last_at, times"
        " FROM journal_alarm WHERE authority = ? AND seen_at IS NULL ORDER BY seq DESC LIMIT ?",
        (authority, limit),
    )
    return [_alarm(row) for row in rows]


def _alarm(row: Row) -> Alarm:
    return Alarm(
        seq=int(row[0]),
        kind=row[1],
        authority=row[2],
        mode=Mode(row[3]),
        source=row[4],
        message_id=row[5],
        first_digest=row[6],
        second_digest=row[7],
        first_at=parse_instant(row[8]),
        last_at=parse_instant(row[9]),
        times=int(row[10]),
    )


def count(tx: Session, authority: str) -> int:
    """How many alarms of a city nobody has acknowledged."""
    return int(
        tx.execute("SELECT COUNT(*) FROM journal_alarm WHERE authority = ? AND seen_at IS NULL", (authority,))[0][0]
    )


def acknowledge(tx: Session, *, seq: int, authority: str, actor: str, now: datetime) -> bool:
    """Notes who has seen an alarm; False when that city has no such open alarm."""
    done = tx.execute(
        "UPDATE journal_alarm SET seen_by = ?, seen_at = ? WHERE seq = ? AND authority = ? AND seen_at IS NULL"
        " RETURNING seq",
        (actor, instant_text(now), seq, authority),
    )
    if done:
        touch(tx, kind="counters", ref="alarms", authority=authority, now=now)
    return bool(done)
