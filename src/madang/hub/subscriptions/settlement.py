"""What became of deliveries, gathered and written together: one commit for many, not one for each."""

from __future__ import annotations

from dataclasses import dataclass, field

from madang.hub.store import WriteTx

_COUNT = (
    "UPDATE subscription_state SET sent = sent + ?, failed = failed + ?, dropped = dropped + ?,"
    " notified_ms = coalesce(CAST(? AS {integer}), notified_ms), success_ms = coalesce(CAST(? AS {integer}),"
    " success_ms), failure_ms = coalesce(CAST(? AS {integer}), failure_ms),"
    " reason = CASE WHEN CAST(? AS INTEGER) = 1 THEN CAST(? AS TEXT) ELSE reason END WHERE number = ?"
)
_DONE = "DELETE FROM notification WHERE subscription = ? AND seq = ? AND parked_ms IS NULL"
_FAILED = "UPDATE notification SET attempts = ?, reason = ?, parked_ms = ? WHERE subscription = ? AND seq = ?"


@dataclass(slots=True)
class Tally:
    """Deliveries of one subscription since the last settlement; instants in ms since 1970."""

    sent: int = 0
    failed: int = 0
    dropped: int = 0
    notified_ms: int | None = None
    success_ms: int | None = None
    failure_ms: int | None = None
    reason: str | None = None
    said: bool = False


@dataclass(slots=True)
class Settlement:
    """What is still to be written."""

    done: list[tuple[int, int]] = field(default_factory=list)
    failed: dict[tuple[int, int], tuple[int, str, int | None]] = field(default_factory=dict)
    tallies: dict[int, Tally] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.done or self.failed or self.tallies)

    def tally(self, number: int) -> Tally:
        """A subscription's tally."""
        return self.tallies.setdefault(number, Tally())

    def succeeded(self, number: int, seq: int, at_ms: int) -> None:
        """A notification was taken."""
        self.done.append((number, seq))
        self.failed.pop((number, seq), None)
        one = self.tally(number)
        one.sent += 1
        one.notified_ms = one.success_ms = at_ms
        one.reason, one.said = None, True

    def withheld(self, number: int, seq: int) -> None:
        """A notification may no longer be told."""
        self.done.append((number, seq))
        self.tally(number).dropped += 1

    def missed(self, number: int, seq: int, at_ms: int, attempts: int, reason: str, *, parked: bool) -> None:
        """A notification was not taken; it is to be tried again, or parked."""
        self.failed[number, seq] = attempts, reason, at_ms if parked else None
        one = self.tally(number)
        one.sent += 1
        one.failed += 1
        one.notified_ms = one.failure_ms = at_ms
        one.reason, one.said = reason, True

    def write(self, tx: WriteTx) -> None:
        """Writes everything."""
        integer = "BIGINT" if tx.session.dialect == "postgresql" else "INTEGER"
        if self.done:
            tx.session.executemany(_DONE, self.done)
        if self.failed:
            rows = [(*said, *key) for key, said in self.failed.items()]
            tx.session.executemany(_FAILED, rows)
        if self.tallies:
            tx.session.executemany(
                _COUNT.format(integer=integer),
                [
                    (
                        one.sent,
                        one.failed,
                        one.dropped,
                        one.notified_ms,
                        one.success_ms,
                        one.failure_ms,
                        int(one.said),
                        one.reason,
                        number,
                    )
                    for number, one in self.tallies.items()
                ],
            )

    def absorb(self, other: Settlement) -> None:
        """Takes back what could not be written."""
        self.done = other.done + self.done
        self.failed = other.failed | self.failed
        for number, one in other.tallies.items():
            mine = self.tally(number)
            mine.sent += one.sent
            mine.failed += one.failed
            mine.dropped += one.dropped
            if not mine.said:
                mine.reason, mine.said = one.reason, one.said
            mine.notified_ms = mine.notified_ms or one.notified_ms
            mine.success_ms = mine.success_ms or one.success_ms
            mine.failure_ms = mine.failure_ms or one.failure_ms
