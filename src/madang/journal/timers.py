"""Timers as rows: what is due fires once, also after a restart."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson

from madang.journal.handlers import Timer
from madang.journal.schema import fit
from madang.journal.session import Row, Session
from madang.kernel.canonical import canonical_json
from madang.kernel.clock import instant_text, parse_instant
from madang.kernel.mode import Mode


def set_timer(
    tx: Session,
    *,
    kind: str,
    key: str,
    due_at: datetime,
    authority: str,
    mode: Mode,
    body: Mapping[str, Any] | None = None,  # Any: JSON values
) -> None:
    """Sets the timer (kind, key), replacing one that was set before, fired or not."""
    fit("journal_timer", kind=kind, key=key, authority=authority)
    due = instant_text(due_at)
    tx.execute(
        "INSERT INTO journal_timer (kind, key, due_at, authority, mode, body, state, attempts, next_at, last_error,"
        " finished_at) VALUES (?, ?, ?, ?, ?, ?, 'waiting', 0, ?, '', NULL)"
        " ON CONFLICT (kind, key) DO UPDATE SET due_at = excluded.due_at, authority = excluded.authority,"
        " mode = excluded.mode, body = excluded.body, state = 'waiting', attempts = 0, next_at = excluded.next_at,"
        " last_error = '', finished_at = NULL",
        (kind, key, due, authority, mode.value, canonical_json(dict(body or {})).decode(), due),
    )
    tx.wake("timers")


def cancel_timer(tx: Session, *, kind: str, key: str) -> None:
    """Takes back a timer that has not fired; harmless when there is none."""
    tx.execute(
        "UPDATE journal_timer SET state = 'cancelled' WHERE kind = ? AND key = ? AND state IN ('waiting', 'dead')",
        (kind, key),
    )


def purge_timers(tx: Session, before: datetime) -> None:
    """Forgets timers that were due before `before` and are finished."""
    tx.execute(
        "DELETE FROM journal_timer WHERE due_at < ? AND state NOT IN ('waiting', 'dead')", (instant_text(before),)
    )


TIMER_COLUMNS = "kind, key, due_at, authority, mode, body, attempts"


def timer_of(row: Row) -> Timer:
    """The timer in a row of `TIMER_COLUMNS`."""
    return Timer(
        kind=row[0],
        key=row[1],
        due_at=parse_instant(row[2]),
        authority=row[3],
        mode=Mode(row[4]),
        body=orjson.loads(row[5]),
        attempt=int(row[6]) + 1,
    )
