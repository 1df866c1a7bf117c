"""Delivering what was matched: one ordered queue per subscription, each endpoint by itself, at least once.

A notification that fails is tried again under the same id after 1, 2, 4 … seconds (with jitter), and after the
configured number of attempts it is parked: the next one gets its turn, while the waiting time stays long until one is
taken. Rows leave the table only after the endpoint took them, so a crash repeats and never loses.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from urllib.parse import urlsplit

from madang.hub.access import Access
from madang.hub.config import HubConfig
from madang.hub.contexts.source import ContextSource
from madang.hub.http.linked import Reach, reach
from madang.hub.http.parameters import MAX_JOIN_LEVEL, Join
from madang.hub.outward import Outward
from madang.hub.sqlite.group import ms_of
from madang.hub.store import Lease, Store, WriteTx
from madang.hub.subscriptions.happening import Phase
from madang.hub.subscriptions.lanes import Lanes, Trust
from madang.hub.subscriptions.notification import Message, compose, view_of
from madang.hub.subscriptions.observer import WAKE, Registries
from madang.hub.subscriptions.occurrence import Occurrence, occurrences
from madang.hub.subscriptions.outgoing import DeliveryError, HttpSender, MqttSender
from madang.hub.subscriptions.resolving import Resolver
from madang.hub.subscriptions.settlement import Settlement
from madang.hub.subscriptions.subscription import Subscription
from madang.hub.subscriptions.waiting import set_within
from madang.journal.session import Row, Session
from madang.kernel.clock import Clock
from madang.kernel.errors import MadangError

_BATCH = 32
_POLL_S = 5.0
_SETTLE_S = 0.2
_SETTLE_MANY = 500
_UNSEEN_WAKES = 2
"""A hint is given before its commit: the wake of an earlier commit may come first, the next one is its own."""
_BREATH_S = 0.02
_RECOVERY_S = 1.0
_REFUSALS = 3
"""A message that the endpoint refuses as such is parked after so many attempts."""
_NEXT = (
    "SELECT seq, id, at_ms, attempts, material FROM notification"
    " WHERE subscription = ? AND parked_ms IS NULL AND seq > ? ORDER BY seq LIMIT ?"
)
_BELOW = "SELECT seq FROM notification WHERE subscription = ? AND parked_ms IS NULL AND seq <= ? ORDER BY seq LIMIT ?"
_WAITING = """
WITH RECURSIVE waiting (number) AS (
    SELECT min(subscription) FROM notification
    UNION ALL SELECT (SELECT min(subscription) FROM notification n WHERE n.subscription > waiting.number)
    FROM waiting WHERE waiting.number IS NOT NULL)
SELECT number FROM waiting WHERE number IS NOT NULL
"""
_OVERFLOW = """
DELETE FROM notification WHERE subscription = ? AND parked_ms IS {parked} AND seq <= (
    SELECT seq FROM notification WHERE subscription = ? AND parked_ms IS {parked} ORDER BY seq DESC LIMIT 1 OFFSET ?)
RETURNING seq
"""

_ORPHANED = (
    "DELETE FROM notification WHERE subscription = ? AND NOT EXISTS"
    " (SELECT 1 FROM subscription s WHERE s.number = ? AND s.body IS NOT NULL)"
)
"""What another process matched while the subscription was being deleted."""

log = logging.getLogger("madang.hub.subscriptions")


@dataclass(slots=True, eq=False)
class Queue:
    """What is known in memory of one subscription's deliveries."""

    number: int
    trust: Trust = Trust.NEW
    failures: int = 0
    """Failures since the last success."""
    floor: int = -1
    """Everything up to this place in the queue was read."""
    unsettled: set[int] = field(default_factory=set)
    tried: tuple[int, int] = (-1, 0)
    """The notification that failed last, and how often it did."""
    task: asyncio.Task[None] | None = None
    again: bool = False
    retry_at_ms: int | None = None
    nudge: asyncio.Event = field(default_factory=asyncio.Event)


class _Withheld(Exception):  # noqa: N818 -- no error: an outcome
    """Nothing in the notification may be told any more: its maker lost the right since it was matched."""


class Deliverer:
    """Delivers for every tenant of a store, in the one process that holds the lease."""

    def __init__(
        self, store: Store, registries: Registries, contexts: ContextSource, config: HubConfig, clock: Clock
    ) -> None:
        self._store, self._registries, self._contexts = store, registries, contexts
        self._config, self._clock = config, clock
        self._resolver = Resolver(Outward(config.outward_allow))
        self._http, self._mqtt = HttpSender(self._resolver), MqttSender(self._resolver)
        self._lanes = Lanes()
        self._queues: dict[int, Queue] = {}
        self._settlement = Settlement()
        self._woken = asyncio.Event()
        self._settling = asyncio.Event()
        self._many = asyncio.Event()
        self._alone = False
        """Whether no other process can write to the store: then only what was hinted at needs a look."""
        self._unseen: dict[int, int] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._stop_listening: Callable[[], None] | None = None

    def start(self, proven: Iterable[int], *, alone: bool) -> None:
        """Begins; `proven` are subscriptions whose endpoint once took something, `alone` says that no other process
        writes to the store."""
        self._alone = alone
        for number in proven:
            self.queue(number).trust = Trust.PROVEN
        self._stop_listening = self._store.listen(WAKE, self._woken.set)
        loop = asyncio.get_running_loop()
        self._tasks = [loop.create_task(self._run()), loop.create_task(self._settle())]

    async def close(self) -> None:
        """Ends every delivery and writes down what was delivered."""
        if self._stop_listening is not None:
            self._stop_listening()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._end_queues()
        with contextlib.suppress(MadangError):
            await self.settle()
        await self._http.close()
        await self._mqtt.close()
        self._resolver.close()

    def queue(self, number: int) -> Queue:
        """A subscription's queue."""
        return self._queues.setdefault(number, Queue(number))

    def stir(self, number: int) -> None:
        """Looks at a subscription's queue again, from its beginning and at once: something was changed by a person."""
        queue = self.queue(number)
        queue.floor = -1
        queue.failures = 0
        queue.tried = (-1, 0)
        queue.nudge.set()
        self._registries.hints.append(number)
        self._woken.set()

    def forget(self, number: int) -> None:
        """The subscription is no more."""
        queue = self._queues.pop(number, None)
        if queue is not None and queue.task is not None:
            queue.task.cancel()

    # Leading.

    async def _run(self) -> None:
        async with self._store.lease("notifications") as lease:
            while True:
                try:
                    await lease.acquired()
                    await self._lead(lease)
                except Exception:  # a guard: this task must never end
                    log.exception("notifications wait: delivering stopped and begins again")
                    await asyncio.sleep(_RECOVERY_S)
                finally:
                    await self._end_queues()

    async def _lead(self, lease: Lease) -> None:
        await self._look_everywhere()
        loop = asyncio.get_running_loop()
        looked_at = loop.time()
        while lease.held:
            await set_within(self._woken, _POLL_S)
            self._woken.clear()
            self._look_at_hinted()
            if loop.time() - looked_at >= _POLL_S or not self._alone:
                looked_at = loop.time()
                await self._look_everywhere()
                await asyncio.sleep(_BREATH_S)

    def _look_at_hinted(self) -> None:
        hinted = set(self._unseen)
        while self._registries.hints:
            number = self._registries.hints.popleft()
            self._unseen[number] = _UNSEEN_WAKES
            hinted.add(number)
        for number in hinted:
            self._unseen[number] -= 1
            if not self._unseen[number]:
                del self._unseen[number]
            self._begin(number)

    async def _look_everywhere(self) -> None:
        for (number,) in await self._store.read(lambda session: session.execute(_WAITING)):
            if self._registries.number(number) is not None:
                self._begin(number)
            else:
                await self._store.write(partial(_forget_orphans, number))
        for queue in [*self._queues.values()]:
            if queue.failures:
                await self._bound(queue)
        await self._mqtt.hang_up_idle()

    def _begin(self, number: int) -> None:
        queue = self.queue(number)
        queue.again = True
        if queue.task is None:
            queue.task = asyncio.get_running_loop().create_task(self._drain(queue))

    async def _end_queues(self) -> None:
        tasks = [queue.task for queue in self._queues.values() if queue.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # One queue.

    async def _drain(self, queue: Queue) -> None:
        try:
            while await self._drain_once(queue):
                pass
        except asyncio.CancelledError:
            raise
        except Exception:
            log.exception("the queue of subscription %s stopped; it is looked at again soon", queue.number)
        finally:
            queue.task = None
            queue.retry_at_ms = None

    async def _drain_once(self, queue: Queue) -> bool:
        """Delivers what is waiting; whether there may be more."""
        queue.again = False
        one = self._registries.number(queue.number)
        if one is None or not one.active:
            return False
        rows = await self._read(queue)
        if not rows:
            return queue.again
        self._unseen.pop(queue.number, None)
        for row in rows:
            if self._registries.number(queue.number) is not one:
                break
            if not await self._deliver(queue, one, row):
                await self._rest(queue, one)
                break
        return True

    async def _read(self, queue: Queue) -> list[Row]:
        rows = await self._store.read(lambda session: session.execute(_NEXT, (queue.number, queue.floor, _BATCH)))
        if rows:
            return rows
        limit = len(queue.unsettled) + 1
        below = await self._store.read(lambda session: session.execute(_BELOW, (queue.number, queue.floor, limit)))
        left = [seq for (seq,) in below if seq not in queue.unsettled]
        if left:
            queue.floor = left[0] - 1
            queue.again = True
        return []

    async def _deliver(self, queue: Queue, one: Subscription, row: Row) -> bool:
        """One notification; whether the next may follow at once."""
        seq, _, _, attempts, _ = row
        if seq in queue.unsettled:
            queue.floor = max(queue.floor, seq)
            return True
        try:
            await self._send(queue, one, row)
        except DeliveryError as error:
            if queue.tried[0] == seq:
                attempts = max(attempts, queue.tried[1])
            queue.tried = seq, attempts + 1
            self._missed(queue, one, seq, attempts + 1, error)
            return False
        except _Withheld:
            self._note(queue, seq)
            self._settlement.withheld(queue.number, seq)
            self._settle_soon()
            return True
        queue.trust, queue.failures = Trust.PROVEN, 0
        self._note(queue, seq)
        self._settlement.succeeded(queue.number, seq, self._now_ms())
        self._settle_soon()
        return True

    async def _made(self, one: Subscription, row: Row) -> Message:
        """The message of a kept notification."""
        _, notification_id, at_ms, _, kept = row
        try:
            names = await self._contexts.get(one.context)
        except MadangError as error:
            raise DeliveryError(f"the @context of the subscription cannot be had: {error.detail}") from None
        found = [each for each in occurrences(kept) if one.may_tell(each.types)]
        if not found:
            raise _Withheld
        reached = await self._reached(one, found)
        try:
            return compose(one, notification_id, at_ms, found, names, reached)
        except Exception:  # a guard: what cannot be written must not hold up what comes after it
            log.exception("notification %s of %s cannot be written", notification_id, one.id)
            raise DeliveryError("the notification cannot be written; the log says why", final=True) from None

    async def _send(self, queue: Queue, one: Subscription, row: Row) -> None:
        message = await self._made(one, row)
        endpoint = one.endpoint
        limit_s = min(endpoint.timeout_s or self._config.notify_timeout_s, self._config.notify_timeout_max_s)
        async with self._lanes.place(queue.trust, _host(endpoint.uri)):
            try:
                async with asyncio.timeout(limit_s):
                    if endpoint.is_mqtt:
                        await self._mqtt.send(endpoint, message, one.id)
                    else:
                        await self._http.send(endpoint, message)
            except TimeoutError:
                raise DeliveryError(f"the endpoint did not answer within {limit_s:g} s") from None

    async def _reached(self, one: Subscription, found: list[Occurrence]) -> Reach | None:
        """Linked entities to go along (clauses 4.5.23, 5.2.14), as they are now."""
        if not one.shown.join:
            return None
        access = one.access or Access(None, one.tenant, ())
        roots = [each.stored() for each in found if each.phase is not Phase.DELETED]
        join = Join(one.shown.join == "inline", min(one.shown.join_level, MAX_JOIN_LEVEL))
        return await reach(self._store, access, roots, view_of(one), join)

    def _missed(self, queue: Queue, one: Subscription, seq: int, attempts: int, error: DeliveryError) -> None:
        queue.failures += 1
        queue.trust = Trust.SUSPECT
        parked = attempts >= (
            min(_REFUSALS, self._config.notify_attempts) if error.final else self._config.notify_attempts
        )
        if parked:
            self._note(queue, seq)
            log.warning("a notification of %s in %s was parked: %s", one.id, one.tenant, error)
        elif queue.failures == 1:
            log.info("a notification of %s in %s was not taken: %s", one.id, one.tenant, error)
        self._settlement.missed(queue.number, seq, self._now_ms(), attempts, str(error), parked=parked)
        self._settle_soon()

    def _note(self, queue: Queue, seq: int) -> None:
        queue.floor = max(queue.floor, seq)
        queue.unsettled.add(seq)

    async def _rest(self, queue: Queue, one: Subscription) -> None:
        """Waits before the next attempt; a person or a change of the subscription ends the wait."""
        longest = min(
            self._config.notify_backoff_max_s, self._config.notify_backoff_s * 2.0 ** min(queue.failures - 1, 30)
        )
        delay_s = max(longest * random.uniform(0.5, 1.0), one.endpoint.cooldown_s)  # noqa: S311 -- jitter, no secret
        queue.retry_at_ms = self._now_ms() + round(delay_s * 1000)
        queue.nudge.clear()
        if one.endpoint.is_mqtt:
            await self._mqtt.hang_up(one.id)
        await set_within(queue.nudge, delay_s)
        queue.retry_at_ms = None

    async def _bound(self, queue: Queue) -> None:
        """Drops the oldest of what waits, and of what is parked, beyond what may be kept; the number is told."""
        most = self._config.notify_queue_max

        def work(tx: WriteTx) -> int:
            gone = 0
            for parked in ("NULL", "NOT NULL"):
                gone += len(tx.session.execute(_OVERFLOW.format(parked=parked), (queue.number, queue.number, most)))
            return gone

        if not await self._store.read(lambda session: _overflows(session, queue.number, most)):
            return
        dropped = await self._store.write(work)
        if dropped:
            log.warning("subscription %s: %d notifications were dropped, its queue is full", queue.number, dropped)
            self._settlement.tally(queue.number).dropped += dropped
            self._settle_soon()

    # Writing down.

    def _settle_soon(self) -> None:
        self._settling.set()
        if len(self._settlement.done) >= _SETTLE_MANY:
            self._many.set()

    async def _settle(self) -> None:
        while True:
            await self._settling.wait()
            await set_within(self._many, _SETTLE_S)
            self._settling.clear()
            self._many.clear()
            try:
                await self.settle()
            except Exception:  # a guard: this task must never end
                log.exception("deliveries could not be written down; trying again")
                self._settling.set()
                await asyncio.sleep(_RECOVERY_S)

    async def settle(self) -> None:
        """Writes down what became of deliveries."""
        if not self._settlement:
            return
        settled, self._settlement = self._settlement, Settlement()
        try:
            await self._store.write(settled.write)
        except BaseException:
            settled.absorb(self._settlement)
            self._settlement = settled
            raise
        for number, seq in settled.done:
            self.queue(number).unsettled.discard(seq)
        for (number, seq), (_, _, parked_ms) in settled.failed.items():
            if parked_ms is not None:
                self.queue(number).unsettled.discard(seq)

    def _now_ms(self) -> int:
        return ms_of(self._clock())


def _forget_orphans(number: int, tx: WriteTx) -> None:
    tx.session.execute(_ORPHANED, (number, number))


def _overflows(session: Session, number: int, most: int) -> bool:
    sql = "SELECT 1 FROM notification WHERE subscription = ? ORDER BY seq LIMIT 1 OFFSET ?"
    return bool(session.execute(sql, (number, most)))


def _host(uri: str) -> str:
    parts = urlsplit(uri)
    return f"{parts.hostname}:{parts.port}"
