"""Queues in order per key, shared by arrivals and deliveries.

A row waits in the lane (who it is for or from) of its key. Only the first open row of a key is tried; what comes
later is *parked* until that one is finished, also behind a dead letter, until a person decides. An *ending* row
overtakes: it waits for nothing but earlier endings of its key that are still being tried.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from madang.journal.session import Row, Session
from madang.kernel.clock import instant_text

WAITING, PARKED, DEAD = "waiting", "parked", "dead"
DONE, GIVEN_UP, SUPERSEDED, CANCELLED = "done", "given_up", "superseded", "cancelled"
_OPEN = "state IN ('waiting', 'parked', 'dead')"


@dataclass(frozen=True, slots=True)
class Retry:
    """How often and how far apart a failing message is tried. `jitter()` gives a number in [0, 1)."""

    attempts: int
    base_s: float
    cap_s: float
    jitter: Callable[[], float]

    def delay_s(self, attempt: int) -> float:
        """Seconds to wait after failed attempt number `attempt` (from 1): doubling, capped, between half and all."""
        full = min(self.cap_s, self.base_s * 2.0 ** min(attempt - 1, 30))
        return full * (0.5 + 0.5 * self.jitter())


@dataclass(frozen=True, slots=True)
class Failure:
    """One failed attempt: why, whether it can ever succeed, and when the other side asked to be tried again."""

    error: str
    permanent: bool = False
    delay_s: float | None = None


@dataclass(frozen=True, slots=True)
class Lanes:
    """The queue kept in one table, whose lane is one column of it."""

    table: str
    lane: str

    def entry_state(self, tx: Session, lane: str, key: str, ending: bool) -> str:
        """The state a new row of this key starts in. The caller has serialised the transaction."""
        ahead = "ending AND state IN ('waiting', 'parked')" if ending else _OPEN
        found = tx.execute(
            f"SELECT 1 FROM {self.table} WHERE {self.lane} = ? AND key = ? AND {_OPEN} AND {ahead} LIMIT 1",  # noqa: S608 -- our own table names
            (lane, key),
        )
        return PARKED if found else WAITING

    def claim(self, tx: Session, seq: int, now: datetime) -> bool:
        """Marks a waiting row done; False when somebody else was faster. Undone when the transaction rolls back."""
        return bool(self._finish(tx, seq, DONE, "", now, only=(WAITING,)))

    def finish(self, tx: Session, seq: int, state: str, why: str, now: datetime) -> bool:
        """Closes an open row for good and lets the next of its key go; False when it was not open."""
        rows = self._finish(tx, seq, state, why, now, only=(WAITING, PARKED, DEAD))
        for lane, key in rows:
            self.promote(tx, lane, key)
        return bool(rows)

    def _finish(self, tx: Session, seq: int, state: str, why: str, now: datetime, only: tuple[str, ...]) -> list[Row]:
        places = ", ".join("?" * len(only))
        return tx.execute(
            f"UPDATE {self.table} SET state = ?, last_error = CASE WHEN ? = '' THEN last_error ELSE ? END,"  # noqa: S608 -- our own table names
            f" attempts = attempts + ?, finished_at = ? WHERE seq = ? AND state IN ({places})"
            f" RETURNING {self.lane}, key",
            (state, why, why, int(state == DONE), instant_text(now), seq, *only),
        )

    def promote(self, tx: Session, lane: str, key: str) -> None:
        """Lets the next parked rows of a key go: the first open one, and the first open ending."""
        first = f"(SELECT MIN(seq) FROM {self.table} WHERE {self.lane} = ? AND key = ? AND {_OPEN}"  # noqa: S608 -- our own table names
        tx.execute(
            f"UPDATE {self.table} SET state = 'waiting' WHERE state = 'parked' AND seq IN"  # noqa: S608 -- our own table names
            f" ({first}), {first} AND ending AND state IN ('waiting', 'parked')))",
            (lane, key, lane, key),
        )

    def fail(self, tx: Session, seq: int, failure: Failure, retry: Retry, now: datetime) -> bool:
        """Notes a failed attempt; True when the row became a dead letter."""
        found = tx.execute(
            f"SELECT attempts, {self.lane}, key, ending FROM {self.table} WHERE seq = ? AND state = 'waiting'",  # noqa: S608 -- our own table names
            (seq,),
        )
        if not found:
            return False
        attempts, lane, key, ending = found[0]
        attempts += 1
        dead = failure.permanent or attempts >= retry.attempts
        delay_s = retry.delay_s(attempts) if failure.delay_s is None else failure.delay_s
        tx.execute(
            f"UPDATE {self.table} SET state = ?, attempts = ?, next_at = ?, last_error = ?, finished_at = ?"  # noqa: S608 -- our own table names
            " WHERE seq = ?",
            (
                DEAD if dead else WAITING,
                attempts,
                instant_text(now + timedelta(seconds=delay_s)),
                failure.error[:2000],
                instant_text(now) if dead else None,
                seq,
            ),
        )
        if dead and ending:
            self.promote(tx, lane, key)
        return dead

    def revive(self, tx: Session, seq: int, now: datetime) -> bool:
        """Lets a dead letter be tried again from the first attempt; False when it was none."""
        return bool(
            tx.execute(
                f"UPDATE {self.table} SET state = 'waiting', attempts = 0, next_at = ?, finished_at = NULL"  # noqa: S608 -- our own table names
                " WHERE seq = ? AND state = 'dead' RETURNING seq",
                (instant_text(now), seq),
            )
        )
