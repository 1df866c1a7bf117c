"""What versions remember, and how far feeds were followed: rows, read and written in groups in one transaction."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

import orjson

from madang.journal import timers
from madang.journal.session import Session
from madang.kernel.mode import Mode
from madang.response.rules.machines import Memory

TIMER = "rules.wait"
CLOCK = "rules.clock"
_AT_ONCE = 400
_SLACK_S = 0.05
Group = tuple[str, str]
"""A version's id and the key of one group of its facts."""


def load(tx: Session, groups: Iterable[Group]) -> dict[Group, Memory]:
    """The memories of these groups; an empty one for each that has none."""
    wanted = list(dict.fromkeys(groups))
    found: dict[Group, Memory] = {group: {} for group in wanted}
    for some in (wanted[at : at + _AT_ONCE] for at in range(0, len(wanted), _AT_ONCE)):
        places = ", ".join(["(?, ?)"] * len(some))
        rows = tx.execute(
            "SELECT version_id, key, body FROM rules_rulememory"  # noqa: S608 -- only placeholders
            f" WHERE (version_id, key) IN (VALUES {places})",
            [part for group in some for part in group],
        )
        found.update({(row[0], row[1]): orjson.loads(row[2]) for row in rows})
    return found


def save(tx: Session, memories: Mapping[Group, Memory]) -> None:
    """Writes the memories as they are now."""
    tx.executemany(
        "INSERT INTO rules_rulememory (version_id, key, body) VALUES (?, ?, ?)"
        " ON CONFLICT (version_id, key) DO UPDATE SET body = excluded.body",
        [(version, key, orjson.dumps(memory).decode()) for (version, key), memory in memories.items()],
    )


def forget(tx: Session, version_id: str) -> int:
    """Drops everything a version remembers, with its pending waits; how many waits were pending."""
    rows = tx.execute("SELECT key, body FROM rules_rulememory WHERE version_id = ?", (version_id,))
    pending = [row[0] for row in rows if orjson.loads(row[1]).get("due") is not None]
    for key in pending:
        timers.cancel_timer(tx, kind=TIMER, key=timer_key((version_id, key)))
    tx.execute("DELETE FROM rules_rulememory WHERE version_id = ?", (version_id,))
    return len(pending)


def timer_key(group: Group) -> str:
    """The key of a group's timer; short whatever the group is called."""
    return f"{group[0]}:{hashlib.sha256(group[1].encode()).hexdigest()[:32]}"


def set_wait(tx: Session, group: Group, before: float | None, due: float | None, authority: str) -> None:
    """Holds the group's timer to its memory."""
    if due is None:
        if before is not None:
            timers.cancel_timer(tx, kind=TIMER, key=timer_key(group))
    elif before is None or abs(before - due) > _SLACK_S:
        timers.set_timer(
            tx,
            kind=TIMER,
            key=timer_key(group),
            due_at=instant(due),
            authority=authority,
            mode=Mode(group[1].partition("|")[0]),
            body={"version": group[0], "key": group[1]},
        )


def instant(seconds: float) -> datetime:
    """Seconds since 1970 as an aware instant."""
    return datetime.fromtimestamp(seconds, UTC)


# ------------------------------------------------------------------------------------------------------- cursors


def cursor_of(tx: Session, authority: str, feed: str) -> str | None:
    """How far a feed was followed; None where it never was."""
    rows = tx.execute("SELECT cursor FROM rules_rulecursor WHERE authority = ? AND feed = ?", (authority, feed))
    return rows[0][0] if rows else None


def set_cursor(tx: Session, authority: str, feed: str, cursor: str, now: datetime, *, lost: bool = False) -> None:
    """Writes how far a feed was followed."""
    at = now if tx.dialect == "postgresql" else now.astimezone(UTC).replace(tzinfo=None).isoformat(" ")
    tx.execute(
        "INSERT INTO rules_rulecursor (authority, feed, cursor, followed_at, lost) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (authority, feed) DO UPDATE SET cursor = excluded.cursor, followed_at = excluded.followed_at,"
        " lost = rules_rulecursor.lost + excluded.lost",
        (authority, feed, cursor, at, int(lost)),
    )


def drop_cursor(tx: Session, authority: str, feed: str) -> None:
    """Nothing is followed there any more."""
    tx.execute("DELETE FROM rules_rulecursor WHERE authority = ? AND feed = ?", (authority, feed))


# ------------------------------------------------------------------------------------------- from version to version


def carry(tx: Session, from_version: str, to_version: str, authority: str) -> int:
    """What one version remembers becomes another's, in place of its own; how many pending waits went along."""
    forget(tx, to_version)
    rows = tx.execute("SELECT key, body FROM rules_rulememory WHERE version_id = ?", (from_version,))
    held = {(to_version, row[0]): orjson.loads(row[1]) for row in rows}
    pending = forget(tx, from_version)
    save(tx, held)
    for group, memory in held.items():
        set_wait(tx, group, None, memory.get("due"), authority)
    return pending


def speak_again(tx: Session, version_id: str, authority: str, now: datetime) -> None:
    """What stands at this moment was said in shadow only: it is said now."""
    rows = tx.execute("SELECT key, body FROM rules_rulememory WHERE version_id = ?", (version_id,))
    held: dict[Group, Memory] = {}
    for key, body in rows:
        memory: Memory = orjson.loads(body)
        if memory.get("on"):
            memory["on"], memory["due"] = False, now.timestamp()
        if memory.get("on") is not None or memory.get("spoke") is not None:
            memory["spoke"] = None
            held[version_id, key] = memory
    save(tx, held)
    for group, memory in held.items():
        set_wait(tx, group, None, memory.get("due"), authority)
