"""What the hub asks of a store; every storage passes the same contract suite (`tests/hub/store_contract.py`).

A store has one writer. `write(work)` runs `work` inside a transaction shared with other writes that wait at the time,
and returns only when that transaction is durable; read-modify-write therefore never loses an update.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol, TypeVar

from madang.hub.changes import Effect, Mutation, Outcome, Stored
from madang.hub.errors import NgsiLdError
from madang.hub.feed import FeedChange
from madang.hub.query import Query
from madang.journal.session import Session

T = TypeVar("T")
Touches = tuple[str, Sequence[str]]
"""A tenant and ids of its entities."""


@dataclass(slots=True)
class Page:
    """Entities of one page in creation order; `bodies` alone where only they were asked for. `total` where counted."""

    entities: Sequence[Stored]
    bodies: Sequence[bytes]
    more: bool
    total: int | None = None


@dataclass(frozen=True, slots=True)
class Feed:
    """How one source of readings is doing. Counts are since the store was made."""

    source: str
    first_at: datetime
    last_at: datetime
    readings: int
    rejects: int
    age_s: float = 0.0
    stale_after_s: float = 0.0

    @property
    def stale(self) -> bool:
        """Whether it has been silent for too long."""
        return self.age_s > self.stale_after_s


@dataclass(frozen=True, slots=True)
class Reject:
    """An input that was kept aside: why, and the beginning of what came."""

    at: datetime
    source: str
    reason: str
    raw: bytes


@dataclass(frozen=True, slots=True)
class RejectSummary:
    """Rejects of one tenant: how many ever, by source, and the latest with reasons."""

    total: int
    by_source: Mapping[str, int]
    latest: Sequence[Reject]


@dataclass(frozen=True, slots=True)
class Observed:
    """One change as it will stand in the feed: what was, what will be (None: not there), and what the mutation did."""

    seq: int
    entity_id: str
    before: Stored | None
    after: Stored | None
    effect: Effect


Observer = Callable[["WriteTx", str, Sequence[Observed]], None]
"""Told of a tenant's changes (tenant, changes in feed order) inside the transaction that makes them: what it writes
through `tx.session` commits with them or not at all. It must be quick; its exceptions fail the whole group."""


class WriteTx(Protocol):
    """The inside of one write."""

    at: datetime
    at_ms: int

    @property
    def session(self) -> Session:
        """The journal's view of the same transaction: inbox and alarms live in this store too."""
        ...

    def apply(self, tenant: str, mutation: Mutation, source: str = "") -> Outcome:
        """Applies a mutation to what is stored now: state, history and feed together, or nothing and a refusal."""
        ...

    def take(self, tenant: str, readings: Iterable[Mutation], source: str) -> list[tuple[str, NgsiLdError]]:
        """Applies readings (`changes.reading`) in order; the ids of those refused, and why."""
        ...

    def tenant(self, tenant: str) -> int:
        """The tenant's number in the tables; it is made where it is new."""
        ...

    def heard(self, tenant: str, source: str, readings: int) -> None:
        """Notes that a source was heard."""
        ...

    def reject(self, tenant: str, source: str, reason: str, raw: bytes) -> None:
        """Keeps a bad input aside and counts it."""
        ...

    def answered(self, source: str, message_id: str) -> bytes | None:
        """What was answered to a message before."""
        ...

    def answer(self, source: str, message_id: str, body: bytes) -> None:
        """Keeps the answer to a message."""
        ...


class Lease(Protocol):
    """A share in who does what only one process may do."""

    @property
    def held(self) -> bool:
        """Whether this process is the one, now."""
        ...

    async def acquired(self) -> None:
        """Returns when it is."""
        ...


class Store(Protocol):
    """Entities, history, feed, feeds' health and rejects of every tenant. Tenants are given casefolded."""

    async def write(self, work: Callable[[WriteTx], T], touches: Touches | None = None) -> T:
        """Runs `work` in the writer; returns what it returned once it is durable. Raises `StoreUnavailableError`.

        `work` may be run more than once (when a neighbour in the same group failed, or another process was first at an
        entity), in another thread, and must only act through `tx`. `touches` says which entities it will apply
        mutations to, where that is known: they are fetched together.
        """
        ...

    def listen(self, name: str, callback: Callable[[], None]) -> Callable[[], None]:
        """Calls `callback` on the event loop after commits, of any process, whose `tx.session.wake(name)` was called.

        Wakes are told at least once, several perhaps as one. What is returned ends it.
        """
        ...

    def lease(self, name: str) -> AbstractAsyncContextManager[Lease]:
        """Takes part in the election for `name` until left; at most one process holds it at a time."""
        ...

    async def read(self, work: Callable[[Session], T]) -> T:
        """Runs `work` on a consistent, read-only session, off the event loop; raises `TooComplexQueryError`."""
        ...

    def observe(self, observer: Observer) -> None:
        """From now on `observer` is told of every change, inside its transaction."""
        ...

    def number(self, tenant: str) -> int | None:
        """The tenant's number in the tables (`entity.tenant`, upper bits of `change.seq`), once written to."""
        ...

    async def retrieve(self, tenant: str, entity_id: str) -> Stored | None:
        """One entity as last committed."""
        ...

    async def query(
        self, tenant: str, query: Query, *, types: Collection[str] | None = None, bodies_only: bool = False
    ) -> Page:
        """The entities a query selects, of `types` only where given."""
        ...

    def stamp(self, tenant: str) -> int:
        """A number that is another after every commit that changed the tenant."""
        ...

    def types(self, tenant: str) -> Collection[str]:
        """Every type the tenant has ever had."""
        ...

    async def changes(self, tenant: str, cursor: str | None, limit: int) -> tuple[list[FeedChange], str]:
        """Changes after a cursor in commit order, and the cursor to go on from. None starts at the oldest kept.

        Raises `CursorLostError`. Never shows a change that an earlier one may still precede.
        """
        ...

    def latest_cursor(self, tenant: str) -> str:
        """A cursor from which only what is still to come is read."""
        ...

    async def feeds(self, tenant: str) -> list[Feed]:
        """The sources that were ever heard."""
        ...

    async def reject_summary(self, tenant: str, latest: int = 50) -> RejectSummary:
        """What was kept aside."""
        ...

    async def trim(self, before: datetime) -> int:
        """Drops changes and answers older than `before`; how many changes went."""
        ...

    async def scrub(self) -> None:
        """Leaves nothing of what was deleted in the store's own files. Writes wait meanwhile: for erasures only."""
        ...

    async def backup(self, path: Path) -> None:
        """Writes a consistent copy to `path`, which must not exist."""
        ...

    async def close(self) -> None:
        """Finishes waiting writes and closes."""
        ...
