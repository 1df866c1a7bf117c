"""The courier: takes announcements to their subscribers, at least once, in order per key.

One thread decides and writes (`step`), a few threads for each subscriber do the network. A delivery that was under
way when the process died is repeated under the same message id with the same bytes.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from queue import SimpleQueue

from madang.journal import outbox
from madang.journal.changes import touch
from madang.journal.handlers import Delivery, Handlers, OutboxMessage, Subscriber
from madang.journal.lanes import DONE, SUPERSEDED, WAITING, Failure, Retry
from madang.journal.session import Row, Session, Store
from madang.kernel.clock import Clock, instant_text, parse_instant
from madang.kernel.errors import PermanentError, TemporaryError
from madang.kernel.mode import Mode

log = logging.getLogger("madang.journal.courier")
_BATCH = 200
_DUE_COLUMNS = (
    "d.seq, d.key, d.wire, d.attempts, d.overtaken, d.ending, o.message_id, o.topic, o.authority, o.mode, d.outbox_seq"
)


@dataclass(frozen=True, slots=True)
class _Due:
    seq: int
    subscriber: Subscriber
    delivery: Delivery


@dataclass(frozen=True, slots=True)
class _Result:
    due: _Due
    failure: Failure | None


def seconds_until(instant: str | None, now: datetime) -> float | None:
    """Seconds from `now` to an instant as the store keeps it ("" is at once), never negative; None for none."""
    if not instant:
        return None if instant is None else 0.0
    return max(0.0, (parse_instant(instant) - now).total_seconds())


def failure_of(error: Exception) -> Failure:
    """What an exception of a handler means: permanent, temporary, or unknown and therefore temporary."""
    text = f"{type(error).__name__}: {error}"
    if isinstance(error, PermanentError):
        return Failure(str(error), permanent=True)
    if isinstance(error, TemporaryError):
        return Failure(str(error), delay_s=error.delay_s)
    return Failure(text)


@dataclass
class Courier:
    """Delivers one store's outbox. `step` and `run_once` are called by one thread at a time."""

    store: Store
    handlers: Handlers
    retry: Retry
    clock: Clock
    on_result: Callable[[], None] = lambda: None
    _results: SimpleQueue[_Result] = field(default_factory=SimpleQueue)
    _under_way: dict[int, tuple[str, str]] = field(default_factory=dict)
    _unsettled: list[_Result] = field(default_factory=list)
    _pools: dict[str, _LaneThreads] = field(default_factory=dict)
    _failing: set[str] = field(default_factory=set)
    _looked_at: datetime | None = None

    def run_once(self) -> int:
        """Delivers what is due now, one after the other on this thread; returns how many attempts were made."""
        self.settle()
        self.fan_out()
        attempts = 0
        for subscriber in tuple(self.handlers.subscribers.values()):
            for due in self._due(subscriber, _BATCH):
                self._attempt(due)
                attempts += 1
        self.settle()
        return attempts

    def step(self) -> bool:
        """Settles what came back, spreads what is new, starts what is due; True when there was anything to do."""
        self._looked_at = self.clock()
        settled = self.settle()
        spread = self.fan_out()
        started = 0
        for subscriber in tuple(self.handlers.subscribers.values()):
            busy = Counter(name for name, _ in self._under_way.values())[subscriber.name]
            if busy < subscriber.lanes:
                for due in self._due(subscriber, subscriber.lanes - busy):
                    self._start(due)
                    started += 1
        return bool(settled or spread or started)

    def next_in_s(self) -> float | None:
        """Seconds until the next delivery that was not due at the last step; None when there is none.

        What was due then and still waits is held up by an attempt under way, whose end wakes the relay.
        """
        with self.store.reading() as tx:
            soonest = [
                rows[0][0]
                for name in self.handlers.subscribers
                if (
                    rows := tx.execute(
                        "SELECT MIN(next_at) FROM journal_delivery WHERE subscriber = ? AND state = 'waiting'"
                        " AND next_at > ?",
                        (name, instant_text(self._looked_at or self.clock())),
                    )
                )
                and rows[0][0]
            ]
        return seconds_until(min(soonest, default=None), self.clock())

    def drain(self, timeout_s: float) -> None:
        """Waits for what is under way and settles it; what takes longer is repeated after the next start."""
        deadline_s = time.monotonic() + timeout_s
        for pool in self._pools.values():
            pool.close(deadline_s)
        self._pools.clear()
        self.settle()

    def fan_out(self) -> int:
        """Makes a delivery of each new announcement for each subscriber, translated; returns how many announcements."""
        with self.store.reading() as tx:
            rows = tx.execute(
                f"SELECT {outbox.MESSAGE_COLUMNS} FROM journal_outbox WHERE pending ORDER BY seq LIMIT ?",  # noqa: S608 -- constants
                (_BATCH,),
            )
        prepared = [
            (message, [(s, *_prepared(s, message)) for s in self.handlers.wanting(message.topic)])
            for message in map(outbox.message_of, rows)
        ]
        if prepared:
            with self.store.transaction() as tx:
                tx.serialise()
                for message, copies in prepared:
                    self._spread(tx, message, copies)
        return len(prepared)

    def _spread(
        self, tx: Session, message: OutboxMessage, copies: list[tuple[Subscriber, bytes | None, Failure | None]]
    ) -> None:
        claimed = tx.execute(
            "UPDATE journal_outbox SET pending = ? WHERE seq = ? AND pending RETURNING subject", (False, message.seq)
        )
        if not claimed:
            return
        now = self.clock()
        for subscriber, wire, failure in copies:
            if wire is None and failure is None:
                continue
            state = outbox.LANES.entry_state(tx, subscriber.name, message.key, message.ending)
            rows = tx.execute(
                "INSERT INTO journal_delivery (outbox_seq, subscriber, key, subject, wire, overtaken, ending, state,"
                " attempts, next_at, last_error, finished_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0, '', '', NULL)"
                " RETURNING seq",
                (
                    message.seq,
                    subscriber.name,
                    message.key,
                    claimed[0][0],
                    wire,
                    False,
                    message.ending,
                    state,
                ),
            )
            if failure is not None and state == WAITING:
                self._fail(tx, int(rows[0][0]), failure, message.authority, now)

    def _due(self, subscriber: Subscriber, room: int) -> list[_Due]:
        busy = set(self._under_way.values())
        with self.store.reading() as tx:
            rows = tx.execute(
                f"SELECT {_DUE_COLUMNS} FROM journal_delivery d JOIN journal_outbox o ON o.seq = d.outbox_seq"  # noqa: S608 -- constants
                " WHERE d.subscriber = ? AND d.state = 'waiting' AND d.next_at <= ?"
                " ORDER BY d.ending DESC, d.next_at, d.seq LIMIT ?",
                (subscriber.name, instant_text(self.clock()), room + len(busy)),
            )
        found: list[_Due] = []
        for row in rows:
            if len(found) < room and (subscriber.name, row[1]) not in busy:
                due = self._ready(subscriber, row)
                if due is not None:
                    busy.add((subscriber.name, row[1]))
                    found.append(due)
        return found

    def _ready(self, subscriber: Subscriber, row: Row) -> _Due | None:
        wire = row[2] if row[2] is not None else self._prepare_late(subscriber, int(row[0]), int(row[10]))
        if wire is None:
            return None
        delivery = Delivery(
            message_id=row[6],
            topic=row[7],
            key=row[1],
            wire=bytes(wire),
            authority=row[8],
            mode=Mode(row[9]),
            attempt=int(row[3]) + 1,
            ending=bool(row[5]),
            overtaken=bool(row[4]),
        )
        return _Due(int(row[0]), subscriber, delivery)

    def _prepare_late(self, subscriber: Subscriber, seq: int, outbox_seq: int) -> bytes | None:
        with self.store.reading() as tx:
            row = tx.execute(
                f"SELECT {outbox.MESSAGE_COLUMNS} FROM journal_outbox WHERE seq = ?",  # noqa: S608 -- constants
                (outbox_seq,),
            )[0]
        message = outbox.message_of(row)
        wire, failure = _prepared(subscriber, message)
        with self.store.transaction() as tx:
            tx.serialise()
            if failure is not None:
                self._fail(tx, seq, failure, message.authority, self.clock())
            elif wire is None:
                outbox.LANES.finish(tx, seq, SUPERSEDED, "nothing to send", self.clock())
            else:
                tx.execute("UPDATE journal_delivery SET wire = ? WHERE seq = ?", (wire, seq))
        return wire

    def _start(self, due: _Due) -> None:
        self._under_way[due.seq] = (due.subscriber.name, due.delivery.key)
        pool = self._pools.get(due.subscriber.name)
        if pool is None:
            pool = self._pools[due.subscriber.name] = _LaneThreads(due.subscriber, self.store.close_thread)
        pool.submit(lambda: self._attempt(due))

    def _attempt(self, due: _Due) -> None:
        failure: Failure | None = None
        try:
            due.subscriber.deliver(due.delivery)
        except Exception as error:  # noqa: BLE001 -- whatever a subscriber raises is a failed attempt
            failure = failure_of(error)
        self._results.put(_Result(due, failure))
        self.on_result()

    def settle(self) -> int:
        """Writes down, in one transaction, what became of the attempts that came back; returns how many."""
        while not self._results.empty():
            self._unsettled.append(self._results.get())
        settled = tuple(self._unsettled)
        if settled:
            with self.store.transaction() as tx:
                tx.serialise()
                for result in settled:
                    self._settle_one(tx, result, self.clock())
            self._unsettled.clear()
        for result in settled:
            self._under_way.pop(result.due.seq, None)
            self._tell(result)
        return len(settled)

    def _settle_one(self, tx: Session, result: _Result, now: datetime) -> None:
        due = result.due
        if result.failure is not None:
            self._fail(tx, due.seq, result.failure, due.delivery.authority, now)
        elif outbox.LANES.finish(tx, due.seq, DONE, "", now) and due.delivery.ending:
            outbox.supersede(tx, seq=due.seq, message_id=due.delivery.message_id, now=now)
            touch(tx, kind="counters", ref="dead_letters", authority=due.delivery.authority, now=now)

    def _fail(self, tx: Session, seq: int, failure: Failure, authority: str, now: datetime) -> None:
        if outbox.LANES.fail(tx, seq, failure, self.retry, now):
            touch(tx, kind="counters", ref="dead_letters", authority=authority, now=now)

    def _tell(self, result: _Result) -> None:
        name = result.due.subscriber.name
        if result.failure is None:
            if name in self._failing:
                self._failing.discard(name)
                log.info("deliveries to %s succeed again", name)
        elif name not in self._failing:
            self._failing.add(name)
            log.warning("delivery to %s failed: %s", name, result.failure.error)


class _LaneThreads:
    """A few daemon threads for one subscriber: they never hold up the process's end, and give back what they hold."""

    def __init__(self, subscriber: Subscriber, close_thread: Callable[[], None]) -> None:
        self._tasks: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._close_thread = close_thread
        self._threads = [
            threading.Thread(target=self._run, name=f"deliver-{subscriber.name}-{number}", daemon=True)
            for number in range(subscriber.lanes)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, task: Callable[[], None]) -> None:
        self._tasks.put(task)

    def close(self, deadline_s: float) -> None:
        for _ in self._threads:
            self._tasks.put(None)
        for thread in self._threads:
            thread.join(max(0.0, deadline_s - time.monotonic()))

    def _run(self) -> None:
        while (task := self._tasks.get()) is not None:
            task()
        self._close_thread()


def _prepared(subscriber: Subscriber, message: OutboxMessage) -> tuple[bytes | None, Failure | None]:
    try:
        return subscriber.prepare(message), None
    except Exception as error:  # noqa: BLE001 -- whatever a subscriber raises is a failed attempt
        return None, failure_of(error)
