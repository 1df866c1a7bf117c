"""Messages from outside: accepted once, under the sender's own id, before anything is done about them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from madang.journal import alarms
from madang.journal.handlers import InboxMessage
from madang.journal.lanes import Lanes
from madang.journal.session import Row, Session
from madang.kernel.canonical import digest
from madang.kernel.clock import instant_text, parse_instant
from madang.kernel.errors import BadRequestError
from madang.kernel.mode import Mode

LANES = Lanes("journal_inbox", "source")
_LIMITS = {"source": 100, "message_id": 200, "kind": 100, "key": 200, "authority": 40}


@dataclass(frozen=True, slots=True)
class Arrival:
    """A message as it came in, its sender already established.

    `source` names sender and contract (ids are unique in it, keys ordered in it), `key` is what the message is about.
    An `ending` arrival overtakes earlier ones of its key that fail; those are still handled afterwards.
    """

    source: str
    message_id: str
    kind: str
    key: str
    body: bytes
    authority: str
    mode: Mode
    ending: bool = False


class Receipt(StrEnum):
    """What became of an arrival. Only a commit makes it true: answer the sender after that."""

    NEW = "new"
    REPEATED = "repeated"
    CONFLICTING = "conflicting"


def accept(tx: Session, arrival: Arrival, now: datetime) -> Receipt:
    """Keeps an arrival for its handler, exactly once per (source, message id).

    CONFLICTING means the id was used before for another body, kind or mode: the first one stands, an alarm is raised.
    Raises `BadRequestError` for an empty or overlong id, key, source or kind.
    """
    _check(arrival)
    tx.serialise()
    known = tx.execute(
        "SELECT body_digest, kind, mode FROM journal_inbox WHERE source = ? AND message_id = ?",
        (arrival.source, arrival.message_id),
    )
    body_digest = digest(arrival.body)
    if not known:
        _insert(tx, arrival, body_digest, now)
        tx.wake("inbox")
        return Receipt.NEW
    if known[0] == (body_digest, arrival.kind, arrival.mode.value):
        return Receipt.REPEATED
    alarms.raise_conflict(
        tx,
        authority=arrival.authority,
        mode=arrival.mode,
        source=arrival.source,
        message_id=arrival.message_id,
        first_digest=known[0][0],
        second_digest=body_digest,
        now=now,
    )
    return Receipt.CONFLICTING


def _check(arrival: Arrival) -> None:
    for name, limit in _LIMITS.items():
        value = getattr(arrival, name)
        if not value or len(value) > limit or "\x00" in value:
            raise BadRequestError(f"{name} must have 1 to {limit} characters and no NUL", where=name)


def _insert(tx: Session, arrival: Arrival, body_digest: str, now: datetime) -> None:
    state = LANES.entry_state(tx, arrival.source, arrival.key, arrival.ending)
    tx.execute(
        "INSERT INTO journal_inbox (source, message_id, kind, key, body, body_digest, emptied, authority, mode,"
        " received_at, ending, state, attempts, next_at, last_error, finished_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, '', '', NULL)",
        (
            arrival.source,
            arrival.message_id,
            arrival.kind,
            arrival.key,
            arrival.body,
            body_digest,
            False,
            arrival.authority,
            arrival.mode.value,
            instant_text(now),
            arrival.ending,
            state,
        ),
    )


def spend_nonce(tx: Session, *, source: str, nonce: str, expires_at: datetime, now: datetime) -> bool:
    """Notes that a nonce was used; False when it was used before, or has expired already.

    Kept until `expires_at`: let it be later than the last moment the signature's own time window accepts.
    """
    if not nonce or len(nonce) > 200 or expires_at <= now:
        return False
    return bool(
        tx.execute(
            "INSERT INTO journal_nonce (source, nonce, expires_at) VALUES (?, ?, ?)"
            " ON CONFLICT (source, nonce) DO NOTHING RETURNING seq",
            (source, nonce, instant_text(expires_at)),
        )
    )


def purge_nonces(tx: Session, now: datetime) -> None:
    """Forgets nonces whose time is over."""
    tx.execute("DELETE FROM journal_nonce WHERE expires_at < ?", (instant_text(now),))


def purge_arrivals(tx: Session, *, bodies_before: datetime, rows_before: datetime) -> None:
    """Empties the bodies of finished arrivals, and later forgets their ids. Digests stay as long as the row."""
    finished = "state NOT IN ('waiting', 'parked', 'dead')"
    tx.execute(
        f"UPDATE journal_inbox SET body = ?, emptied = ? WHERE {finished} AND received_at < ? AND NOT emptied",  # noqa: S608 -- constants
        (b"", True, instant_text(bodies_before)),
    )
    tx.execute(f"DELETE FROM journal_inbox WHERE {finished} AND received_at < ?", (instant_text(rows_before),))  # noqa: S608 -- constants


MESSAGE_COLUMNS = "seq, source, message_id, kind, key, body, authority, mode, received_at, ending, attempts"


def message_of(row: Row) -> InboxMessage:
    """The message in a row of `MESSAGE_COLUMNS`."""
    return InboxMessage(
        seq=int(row[0]),
        source=row[1],
        message_id=row[2],
        kind=row[3],
        key=row[4],
        body=bytes(row[5]),
        authority=row[6],
        mode=Mode(row[7]),
        received_at=parse_instant(row[8]),
        ending=bool(row[9]),
        attempt=int(row[10]) + 1,
    )
