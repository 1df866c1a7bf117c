"""The desk: what could not be delivered or handled, where a person retries it or gives it up with a reason."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from madang.journal import audit, inbox, outbox
from madang.journal.changes import touch
from madang.journal.lanes import GIVEN_UP
from madang.journal.session import Row, Session
from madang.kernel.clock import instant_text, parse_instant
from madang.kernel.errors import BadRequestError, NotFoundError
from madang.kernel.keyring import Keyring
from madang.kernel.mode import Mode

Origin = Literal["inbox", "delivery", "timer"]
_COLUMNS: dict[Origin, str] = {
    "inbox": "SELECT t.seq, t.authority, t.mode, t.source, t.kind, t.key, t.message_id, t.attempts, t.last_error,"
    " t.received_at, t.finished_at, (SELECT COUNT(*) FROM journal_inbox p WHERE p.source = t.source AND p.key = t.key"
    " AND p.state = 'parked') FROM journal_inbox t WHERE t.authority = ?",
    "delivery": "SELECT t.seq, o.authority, o.mode, t.subscriber, o.topic, t.key, o.message_id, t.attempts,"
    " t.last_error, o.announced_at, t.finished_at, (SELECT COUNT(*) FROM journal_delivery p WHERE"
    " p.subscriber = t.subscriber AND p.key = t.key AND p.state = 'parked') FROM journal_delivery t"
    " JOIN journal_outbox o ON o.seq = t.outbox_seq WHERE o.authority = ?",
    "timer": "SELECT t.seq, t.authority, t.mode, '', t.kind, t.key, '', t.attempts, t.last_error, t.due_at,"
    " t.finished_at, 0 FROM journal_timer t WHERE t.authority = ?",
}
_COUNT = (
    "SELECT (SELECT COUNT(*) FROM journal_inbox WHERE state = 'dead' AND authority = ?)"
    " + (SELECT COUNT(*) FROM journal_delivery d JOIN journal_outbox o ON o.seq = d.outbox_seq"
    " WHERE d.state = 'dead' AND o.authority = ?)"
    " + (SELECT COUNT(*) FROM journal_timer WHERE state = 'dead' AND authority = ?)"
)
_DEAD = " AND t.state = 'dead'"
_FAILING = " AND t.state = 'waiting' AND t.attempts > 0"


@dataclass(frozen=True, slots=True)
class Letter:
    """A message or timer in trouble: `dead` waits for a person, otherwise it is still being tried.

    `lane` is the sender or the subscriber, `what` the kind or topic, `parked` how many wait behind it.
    """

    id: str
    origin: Origin
    dead: bool
    authority: str
    mode: Mode
    lane: str
    what: str
    key: str
    message_id: str
    attempts: int
    error: str
    since: datetime
    dead_at: datetime | None
    parked: int


def dead_letters(tx: Session, authority: str, limit: int = 500) -> list[Letter]:
    """What waits for a person in a city, oldest first."""
    return _letters(tx, authority, _DEAD, limit)


def failing(tx: Session, authority: str, limit: int = 500) -> list[Letter]:
    """What has failed at least once and is still being tried, with how many are parked behind it."""
    return _letters(tx, authority, _FAILING, limit)


def count(tx: Session, authority: str) -> int:
    """How many dead letters a city has."""
    return int(tx.execute(_COUNT, (authority,) * 3)[0][0])


def retry(tx: Session, keys: Keyring, *, letter_id: str, authority: str, actor: str, now: datetime) -> None:
    """Lets a dead letter be tried again; raises `NotFoundError` when that city has no such dead letter."""
    letter = _find(tx, letter_id, authority)
    table = f"journal_{letter.origin}"
    tx.execute(
        f"UPDATE {table} SET state = 'waiting', attempts = 0, next_at = ?, finished_at = NULL WHERE seq = ?",  # noqa: S608 -- constants
        (instant_text(now), _seq(letter_id)),
    )
    _tell(tx, keys, letter, "journal.retried", actor, "", now)


def give_up(
    tx: Session, keys: Keyring, *, letter_id: str, authority: str, actor: str, reason: str, now: datetime
) -> None:
    """Closes a dead letter for good and lets the next of its key go; the reason is kept in the audit chain."""
    if not reason.strip():
        raise BadRequestError("A reason is needed to give up a message", where="reason", ko="사유를 적어 주세요")
    letter = _find(tx, letter_id, authority)
    if letter.origin == "timer":
        tx.execute("UPDATE journal_timer SET state = 'given_up' WHERE seq = ?", (_seq(letter_id),))
    else:
        lanes = inbox.LANES if letter.origin == "inbox" else outbox.LANES
        lanes.finish(tx, _seq(letter_id), GIVEN_UP, "", now)
    _tell(tx, keys, letter, "journal.given_up", actor, reason.strip(), now)


def _tell(tx: Session, keys: Keyring, letter: Letter, action: str, actor: str, reason: str, now: datetime) -> None:
    audit.record(
        tx,
        keys,
        authority=letter.authority,
        actor=actor,
        action=action,
        thing=letter.id,
        mode=letter.mode,
        now=now,
        body={"message_id": letter.message_id, "what": letter.what, "error": letter.error, "reason": reason},
        retention="administration",
    )
    touch(tx, kind="counters", ref="dead_letters", authority=letter.authority, now=now)
    tx.wake({"inbox": "inbox", "delivery": "outbox", "timer": "timers"}[letter.origin])


def _find(tx: Session, letter_id: str, authority: str) -> Letter:
    origin, seq = letter_id.partition(":")[0], _seq(letter_id)
    tx.serialise()
    for name, sql in _COLUMNS.items():
        if name == origin:
            for row in tx.execute(f"{sql}{_DEAD} AND t.seq = ?", (authority, seq)):
                return _letter(name, True, row)
    raise NotFoundError(f"There is no dead letter {letter_id!r} here", where="letter_id")


def _seq(letter_id: str) -> int:
    number = letter_id.partition(":")[2]
    return int(number) if number.isascii() and number.isdigit() and len(number) < 18 else -1


def _letters(tx: Session, authority: str, condition: str, limit: int) -> list[Letter]:
    found = [
        _letter(origin, condition == _DEAD, row)
        for origin, sql in _COLUMNS.items()
        for row in tx.execute(f"{sql}{condition} ORDER BY t.seq LIMIT ?", (authority, limit))
    ]
    return sorted(found, key=lambda letter: letter.since)[:limit]


def _letter(origin: Origin, dead: bool, row: Row) -> Letter:
    return Letter(
        id=f"{origin}:{row[0]}",
        origin=origin,
        dead=dead,
        authority=row[1],
        mode=Mode(row[2]),
        lane=row[3],
        what=row[4],
        key=row[5],
        message_id=row[6],
        attempts=int(row[7]),
        error=row[8],
        since=parse_instant(row[9]),
        dead_at=parse_instant(row[10]) if row[10] else None,
        parked=int(row[11]),
    )
