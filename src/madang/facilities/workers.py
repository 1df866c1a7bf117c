"""What facilities runs behind the scenes: ears for the hub's feeds, and ears for what video tells of its cameras."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Protocol, TypeVar

import orjson

from madang.facilities import cameras
from madang.facilities.commands import orders, outages, proof
from madang.facilities.commands.register import config
from madang.facilities.domain import State
from madang.facilities.models import Outage
from madang.facilities.watching import hear, known_feeds, voices
from madang.hub.hub import Hub
from madang.identity.models import Authority
from madang.journal import civic, handlers
from madang.journal.handlers import Delivery, OutboxMessage, Subscriber
from madang.kernel.canonical import canonical_json
from madang.kernel.clock import Clock, system_clock
from madang.kernel.errors import MadangError
from madang.kernel.mode import Mode
from madang.kernel.workers import LoopWorker, ThreadWorker

T = TypeVar("T")
FOLLOWER = "facilities.cameras"
log = logging.getLogger(__name__)
_TIDY_EVERY = 240
"""Rounds of listening between two clearings of what is forgotten."""


def register() -> None:
    """Tells the journal what this room handles."""
    handlers.on_timer(outages.TIMER, outages.tick)
    handlers.on_timer(proof.TIMER, orders.overdue_proof)
    topics = frozenset({cameras.HEALTH, cameras.SEEN})
    handlers.subscribe(Subscriber(FOLLOWER, topics, _prepare, _deliver, lanes=1))


def _prepare(message: OutboxMessage) -> bytes | None:
    return canonical_json(dict(message.body))


def _deliver(delivery: Delivery) -> None:
    body, now = orjson.loads(delivery.wire), system_clock()
    take = cameras.take_health if delivery.topic == cameras.HEALTH else cameras.take_seen
    with civic.transaction() as tx:
        take(tx, delivery.authority, body, now)


class Services(Protocol):
    """What the site lends."""

    @property
    def hub(self) -> Hub | None: ...
    @property
    def clock(self) -> Clock: ...

    def run_civic(self, work: Callable[[], T], /) -> Awaitable[T]: ...


def workers(services: Services) -> list[ThreadWorker | LoopWorker]:
    """One loop beside the server that listens to every city's feeds."""

    async def run() -> None:
        rounds = 0
        while True:
            try:
                await listen_to_all(services)
                if rounds % _TIDY_EVERY == 0:
                    await services.run_civic(lambda: forget_cleared(services.clock))
            except MadangError:
                log.warning("the feeds could not be listened to; trying again", exc_info=True)
            rounds += 1
            await asyncio.sleep(config().listen_every_s)

    return [LoopWorker("facilities.listening", run)]


async def listen_to_all(services: Services) -> None:
    """One round: asks the hub who has spoken, and judges silence, city by city."""
    for city in await services.run_civic(lambda: list(Authority.objects.values_list("code", flat=True))):
        known = await services.run_civic(lambda city=city: known_feeds(city))  # type: ignore[misc]  # mypy cannot infer the type of a lambda with a default
        heard = [] if services.hub is None else await voices(services.hub, city, known)
        await services.run_civic(lambda city=city, heard=heard: hear(city, heard, services.clock(), _mode()))  # type: ignore[misc]  # as above


def _mode() -> Mode:
    """What is adopted from the hub is of the installation's own mode."""
    from madang.identity.office import mode_banner

    return Mode(mode_banner() or Mode.LIVE)


def forget_cleared(clock: Clock) -> int:
    """Drops suspicions that passed long ago: they were no outages."""
    before = clock() - timedelta(days=config().cleared_kept_days)
    with civic.transaction():
        return Outage.objects.filter(state=State.CLEARED.value, closed_at__lt=before).delete()[0]
