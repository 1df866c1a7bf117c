"""Small scenes the journal's tests share: arrivals, announcements, a counterpart that can fail."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from madang.journal import inbox, outbox
from madang.journal.courier import Courier
from madang.journal.firing import Firing
from madang.journal.handlers import Delivery, Handlers, OutboxMessage, Subscriber
from madang.journal.intake import Intake
from madang.journal.lanes import Retry
from madang.journal.session import Session, Store
from madang.kernel.clock import Clock
from madang.kernel.errors import PermanentError, TemporaryError
from madang.kernel.mode import Mode

CITY = "gimhae"
RETRY = Retry(attempts=3, base_s=1.0, cap_s=8.0, jitter=lambda: 1.0)


def arrival(
    message_id: str,
    *,
    key: str = "call-1",
    body: bytes = b"{}",
    kind: str = "call",
    ending: bool = False,
    source: str = "police",
) -> inbox.Arrival:
    return inbox.Arrival(source, message_id, kind, key, body, CITY, Mode.SIMULATED, ending)


def accept(store: Store, found: inbox.Arrival, now: datetime) -> inbox.Receipt:
    with store.transaction() as tx:
        return inbox.accept(tx, found, now)


def announce(
    tx: Session,
    name: str,
    now: datetime,
    *,
    key: str = "incident-1",
    topic: str = "video.grant.approved",
    ending: bool = False,
    subject: str = "",
) -> str:
    return outbox.announce(
        tx,
        topic=topic,
        key=key,
        body={"name": name},
        authority=CITY,
        mode=Mode.SIMULATED,
        now=now,
        ending=ending,
        subject=subject,
    )


class Counterpart:
    """A subscriber that keeps what it got, and fails for the names told to it."""

    def __init__(self, name: str = "police", topics: frozenset[str] | None = None) -> None:
        self.name = name
        self.got: list[Delivery] = []
        self.attempts: list[Delivery] = []
        self.prepared: list[str] = []
        self.temporary: set[str] = set()
        self.permanent: set[str] = set()
        self.topics = topics or frozenset(
            {"video.grant.approved", "video.grant.ended", "response.incident.opened", "response.incident.closed"}
        )

    @property
    def names(self) -> list[str]:
        return [delivery.wire.decode() for delivery in self.got]

    def subscriber(self) -> Subscriber:
        return Subscriber(self.name, self.topics, self.prepare, self.deliver)

    def prepare(self, message: OutboxMessage) -> bytes | None:
        self.prepared.append(message.body["name"])
        return str(message.body["name"]).encode()

    def deliver(self, delivery: Delivery) -> None:
        self.attempts.append(delivery)
        name = delivery.wire.decode()
        if name in self.temporary:
            raise TemporaryError(f"{name} cannot be taken now")
        if name in self.permanent:
            raise PermanentError(f"{name} will never be taken")
        self.got.append(delivery)


def courier(store: Store, clock: Clock, *counterparts: Counterpart, retry: Retry = RETRY) -> Courier:
    known = Handlers()
    for counterpart in counterparts:
        known.subscribe(counterpart.subscriber())
    return Courier(store, known, retry, clock)


def intake(store: Store, clock: Clock, known: Handlers, retry: Retry = RETRY) -> Intake:
    return Intake(store, known, retry, clock)


def firing(store: Store, clock: Clock, known: Handlers, retry: Retry = RETRY) -> Firing:
    return Firing(store, known, retry, clock)


def value(store: Store, sql: str, *params: object) -> Any:  # Any: one column value
    """The first column of the first row."""
    with store.reading() as tx:
        return tx.execute(sql, params)[0][0]
