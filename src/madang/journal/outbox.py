"""What the platform announces: written with the state it tells of, delivered after the commit by the relay.

Order and endings. Each subscriber gets the announcements of one key in order, one at a time; a key parks behind a
message that fails. An *ending* announcement (a grant ended, an incident closed) overtakes what is parked, so that
nothing stays open at the other side. Once it is delivered, earlier undelivered announcements of the same *subject*
and topic family are superseded: they are never sent, because they would open again what has ended. Everything else
that was overtaken is still delivered, in order, marked `overtaken`. The subject is the key unless `announce` is told a
narrower one: where one key carries several things that end by themselves (grants of one incident), give each its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson

from madang.journal.handlers import OutboxMessage
from madang.journal.lanes import Lanes
from madang.journal.schema import fit
from madang.journal.session import Row, Session
from madang.kernel.canonical import canonical_json
from madang.kernel.clock import instant_text, parse_instant
from madang.kernel.ids import new_id
from madang.kernel.mode import Mode

LANES = Lanes("journal_delivery", "subscriber")


def announce(
    tx: Session,
    *,
    topic: str,
    key: str,
    body: Mapping[str, Any],  # Any: JSON values
    authority: str,
    mode: Mode,
    now: datetime,
    ending: bool = False,
    subject: str = "",
) -> str:
    """Announces something to whoever subscribed to `topic`; returns the message id, the same on every retry."""
    full_subject = f"{topic.rpartition('.')[0]}/{subject or key}"
    fit("journal_outbox", topic=topic, key=key, subject=full_subject, authority=authority)
    tx.serialise()
    message_id = new_id()
    tx.execute(
        "INSERT INTO journal_outbox (message_id, topic, key, subject, body, authority, mode, announced_at, ending,"
        " pending) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            message_id,
            topic,
            key,
            full_subject,
            canonical_json(dict(body)).decode(),
            authority,
            mode.value,
            instant_text(now),
            ending,
            True,
        ),
    )
    tx.wake("outbox")
    return message_id


def supersede(tx: Session, *, seq: int, message_id: str, now: datetime) -> None:
    """After the delivery `seq` of an ending message: closes what it made moot, marks what it overtook."""
    subscriber, key, subject = tx.execute(
        "SELECT subscriber, key, subject FROM journal_delivery WHERE seq = ?", (seq,)
    )[0]
    earlier = "subscriber = ? AND key = ? AND seq < ? AND state IN ('waiting', 'parked', 'dead')"
    tx.execute(
        f"UPDATE journal_delivery SET state = 'superseded', last_error = ?, finished_at = ?"  # noqa: S608 -- constants
        f" WHERE {earlier} AND subject = ?",
        (f"overtaken by the ending message {message_id}", instant_text(now), subscriber, key, seq, subject),
    )
    tx.execute(
        f"UPDATE journal_delivery SET overtaken = ? WHERE {earlier}",  # noqa: S608 -- constants
        (True, subscriber, key, seq),
    )
    LANES.promote(tx, subscriber, key)


def hurry(tx: Session, *, subscriber: str, now: datetime) -> None:
    """Tries everything that waits for a subscriber at once: it has just been heard of again."""
    tx.execute(
        "UPDATE journal_delivery SET next_at = ? WHERE subscriber = ? AND state = 'waiting' AND next_at > ?",
        (instant_text(now), subscriber, instant_text(now)),
    )
    tx.wake("outbox")


def purge_announcements(tx: Session, *, before: datetime) -> None:
    """Drops announcements older than `before` whose deliveries are all finished, with those deliveries."""
    finished = (
        "SELECT o.seq FROM journal_outbox o WHERE o.announced_at < ? AND NOT o.pending AND NOT EXISTS"
        " (SELECT 1 FROM journal_delivery d WHERE d.outbox_seq = o.seq AND d.state IN ('waiting', 'parked', 'dead'))"
    )
    tx.execute(f"DELETE FROM journal_delivery WHERE outbox_seq IN ({finished})", (instant_text(before),))  # noqa: S608 -- constants
    tx.execute(
        "DELETE FROM journal_outbox WHERE announced_at < ? AND NOT pending AND NOT EXISTS"
        " (SELECT 1 FROM journal_delivery d WHERE d.outbox_seq = journal_outbox.seq)",
        (instant_text(before),),
    )


MESSAGE_COLUMNS = "seq, message_id, topic, key, body, authority, mode, announced_at, ending"


def message_of(row: Row) -> OutboxMessage:
    """The announcement in a row of `MESSAGE_COLUMNS`."""
    return OutboxMessage(
        seq=int(row[0]),
        message_id=row[1],
        topic=row[2],
        key=row[3],
        body=orjson.loads(row[4]),
        authority=row[5],
        mode=Mode(row[6]),
        announced_at=parse_instant(row[7]),
        ending=bool(row[8]),
    )
