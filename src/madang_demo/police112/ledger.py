"""The room's own book: what it sent, got, watched. SQLite, synchronous, nobody else's file."""

from __future__ import annotations

import hashlib
import sqlite3
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

_TABLES = """
CREATE TABLE IF NOT EXISTS sent (msg_id TEXT PRIMARY KEY, dialogue TEXT, seq INTEGER, kind TEXT, digest TEXT, body BLOB,
    made_at TEXT, status INTEGER, receipt TEXT, attempts INTEGER DEFAULT 0);
CREATE TABLE IF NOT EXISTS got (msg_id TEXT PRIMARY KEY, dialogue TEXT, kind TEXT, digest TEXT, at TEXT,
    times INTEGER DEFAULT 1);
CREATE TABLE IF NOT EXISTS views (lease_id TEXT PRIMARY KEY, dialogue TEXT, grant_id TEXT, camera_id TEXT,
    began_at TEXT, ended_at TEXT, fragments INTEGER DEFAULT 0, media_s REAL DEFAULT 0, first_s REAL, change REAL,
    close_code INTEGER,
    after_end_s REAL);
CREATE TABLE IF NOT EXISTS calls (number TEXT PRIMARY KEY, story TEXT, opened_at TEXT, offered_s REAL, ended TEXT);
"""


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


class Ledger:
    """One writer, this process."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;" + _TABLES)

    def call(self, number: str, story: str) -> None:
        self._db.execute("INSERT INTO calls (number, story, opened_at) VALUES (?, ?, ?)", (number, story, _now()))

    def call_offered(self, number: str, seconds: float) -> None:
        self._db.execute("UPDATE calls SET offered_s = ? WHERE number = ? AND offered_s IS NULL", (seconds, number))

    def call_ended(self, number: str, how: str) -> None:
        self._db.execute("UPDATE calls SET ended = ? WHERE number = ?", (how, number))

    def sending(self, msg_id: str, dialogue: str, seq: int, kind: str, body: bytes) -> None:
        """Written before the first attempt: what we meant to say."""
        digest = hashlib.sha256(body).hexdigest()
        self._db.execute(
            "INSERT INTO sent (msg_id, dialogue, seq, kind, digest, body, made_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (msg_id, dialogue, seq, kind, digest, body, _now()),
        )

    def attempted(self, msg_id: str, status: int, receipt: str) -> None:
        self._db.execute(
            "UPDATE sent SET status = ?, receipt = ?, attempts = attempts + 1 WHERE msg_id = ?",
            (status, receipt, msg_id),
        )

    def unsent(self) -> list[tuple[str, bytes]]:
        """Messages without a final answer, oldest first: sent again after a restart."""
        query = "SELECT msg_id, body FROM sent WHERE status IS NULL OR status >= 500 OR status = 0 ORDER BY rowid"
        return list(self._db.execute(query))

    def unfinished(self) -> list[tuple[str, int]]:
        """Calls an earlier run began and never ended, each with the number its next message takes."""
        query = (
            "SELECT number, (SELECT max(seq) + 1 FROM sent WHERE dialogue = number) FROM calls"
            " WHERE ended IS NULL AND EXISTS (SELECT 1 FROM sent WHERE dialogue = number)"
        )
        return list(self._db.execute(query))

    def got(self, msg_id: str, dialogue: str, kind: str, body: bytes) -> bool:
        """Books a message from the platform; False when it was booked before."""
        digest = hashlib.sha256(body).hexdigest()
        known = self._db.execute("SELECT digest FROM got WHERE msg_id = ?", (msg_id,)).fetchone()
        if known:
            if known[0] != digest:
                raise ValueError(f"message {msg_id} came again with another body")
            self._db.execute("UPDATE got SET times = times + 1 WHERE msg_id = ?", (msg_id,))
            return False
        self._db.execute(
            "INSERT INTO got (msg_id, dialogue, kind, digest, at) VALUES (?, ?, ?, ?, ?)",
            (msg_id, dialogue, kind, digest, _now()),
        )
        return True

    def view_began(self, lease_id: str, dialogue: str, grant_id: str, camera_id: str) -> None:
        self._db.execute(
            "INSERT INTO views (lease_id, dialogue, grant_id, camera_id, began_at) VALUES (?, ?, ?, ?, ?)",
            (lease_id, dialogue, grant_id, camera_id, _now()),
        )

    def view_ended(
        self,
        lease_id: str,
        *,
        fragments: int,
        media_s: float,
        first_s: float | None,
        close_code: int | None,
        after_end_s: float | None,
    ) -> None:
        self._db.execute(
            "UPDATE views SET ended_at = ?, fragments = ?, media_s = ?, first_s = ?, close_code = ?,"
            " after_end_s = ? WHERE lease_id = ?",
            (_now(), fragments, media_s, first_s, close_code, after_end_s, lease_id),
        )

    def view_moved(self, lease_id: str, change: float | None) -> None:
        """How much the pictures changed, once looked into."""
        self._db.execute("UPDATE views SET change = ? WHERE lease_id = ?", (change, lease_id))

    def unsent_since(self) -> str | None:
        """When the oldest message without a final answer was made."""
        query = "SELECT min(made_at) FROM sent WHERE status IS NULL OR status >= 500 OR status = 0"
        oldest: str | None = self._db.execute(query).fetchone()[0]
        return oldest

    def sent_digests(self, since: str = "") -> dict[str, str]:
        """Message id → body digest of everything made since then that the platform acknowledged."""
        query = "SELECT msg_id, digest FROM sent WHERE status IN (200, 202) AND kind != 'Heartbeat' AND made_at >= ?"
        return dict(self._db.execute(query, (since,)))

    def ever_sent(self) -> set[str]:
        """Ids of all messages, answered or not."""
        return {row[0] for row in self._db.execute("SELECT msg_id FROM sent")}

    def got_digests(self, since: str = "") -> dict[str, str]:
        """Message id → body digest of everything that arrived since then."""
        query = "SELECT msg_id, digest FROM got WHERE kind != 'Heartbeat' AND at >= ?"
        return dict(self._db.execute(query, (since,)))

    def watched_leases(self, since: str = "") -> set[str]:
        """Leases opened since then under which at least one fragment was seen."""
        query = "SELECT lease_id FROM views WHERE fragments > 0 AND began_at >= ?"
        return {row[0] for row in self._db.execute(query, (since,))}

    def figures(self) -> dict[str, object]:
        """The day in numbers."""
        one = self._db.execute
        stories = Counter(dict(one("SELECT story, count(*) FROM calls GROUP BY story").fetchall()))
        views = one("SELECT count(*), sum(fragments > 0), sum(change > 0), max(after_end_s) FROM views").fetchone()
        return {
            "calls": dict(stories),
            "sent": one("SELECT count(*) FROM sent WHERE kind != 'Heartbeat'").fetchone()[0],
            "got": one("SELECT count(*) FROM got WHERE kind != 'Heartbeat'").fetchone()[0],
            "offered": one("SELECT count(*) FROM calls WHERE offered_s IS NOT NULL").fetchone()[0],
            "views": views[0],
            "views_with_pictures": views[1] or 0,
            "views_that_moved": views[2] or 0,
            "longest_after_end_s": views[3],
        }

    def close(self) -> None:
        self._db.close()
