"""Who handles what: rooms register here when they start; the relay looks here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from madang.journal.session import Session
from madang.kernel.mode import Mode


@dataclass(frozen=True, slots=True)
class InboxMessage:
    """An arrival as its handler gets it; `attempt` counts from 1."""

    seq: int
    source: str
    message_id: str
    kind: str
    key: str
    body: bytes
    authority: str
    mode: Mode
    received_at: datetime
    ending: bool
    attempt: int


@dataclass(frozen=True, slots=True)
class OutboxMessage:
    """An announcement as `prepare` gets it."""

    seq: int
    message_id: str
    topic: str
    key: str
    body: Mapping[str, Any]  # Any: JSON values
    authority: str
    mode: Mode
    announced_at: datetime
    ending: bool


@dataclass(frozen=True, slots=True)
class Delivery:
    """One attempt to hand a prepared message to a subscriber.

    `message_id` and `wire` are the same on every attempt. `overtaken` says an ending message of the same key has
    gone ahead of this one.
    """

    message_id: str
    topic: str
    key: str
    wire: bytes
    authority: str
    mode: Mode
    attempt: int
    ending: bool = False
    overtaken: bool = False


@dataclass(frozen=True, slots=True)
class Timer:
    """A timer that is due; `attempt` counts from 1."""

    kind: str
    key: str
    due_at: datetime
    authority: str
    mode: Mode
    body: Mapping[str, Any]  # Any: JSON values
    attempt: int


@dataclass(frozen=True, slots=True)
class Subscriber:
    """Somebody who wants announcements of some topics.

    `prepare` translates and signs once, quickly and without network; its bytes are kept and sent on every attempt;
    None means there is nothing to send. `deliver` does the network outside any transaction, on one of `lanes`
    threads, with a time limit of its own (10 s at most: endings of the same key wait for an attempt under way).
    Both raise `TemporaryError` to be tried again and `PermanentError` for the desk; anything else is tried again.
    """

    name: str
    topics: frozenset[str]
    prepare: Callable[[OutboxMessage], bytes | None]
    deliver: Callable[[Delivery], None]
    lanes: int = 4


ArrivalHandler = Callable[[Session, InboxMessage, datetime], None]
TimerHandler = Callable[[Session, Timer, datetime], None]


@dataclass(slots=True)
class Handlers:
    """What one store's relay knows. Registering a name again replaces what was there."""

    arrivals: dict[str, ArrivalHandler] = field(default_factory=dict)
    timers: dict[str, TimerHandler] = field(default_factory=dict)
    subscribers: dict[str, Subscriber] = field(default_factory=dict)

    def on_arrival(self, kind: str, handler: ArrivalHandler) -> None:
        """Handles inbox messages of `kind`, each in one transaction with marking it done."""
        self.arrivals[kind] = handler

    def on_timer(self, kind: str, handler: TimerHandler) -> None:
        """Handles due timers of `kind`, each in the transaction that marks it done."""
        self.timers[kind] = handler

    def subscribe(self, subscriber: Subscriber) -> None:
        """Delivers announcements of its topics to `subscriber` from now on."""
        self.subscribers[subscriber.name] = subscriber

    def wanting(self, topic: str) -> list[Subscriber]:
        """The subscribers of a topic."""
        return [subscriber for subscriber in self.subscribers.values() if topic in subscriber.topics]


CIVIC = Handlers()
"""The handlers of the civic store; `on_arrival`, `on_timer` and `subscribe` below register here."""

on_arrival = CIVIC.on_arrival
on_timer = CIVIC.on_timer
subscribe = CIVIC.subscribe
