"""Replays as jobs: what the hub's feed and the signals still hold of the last days is given to a version again."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

from madang.identity.rights import system_actor
from madang.journal import changes, civic
from madang.kernel.clock import instant_text
from madang.kernel.errors import MadangError
from madang.response.models import Incident
from madang.response.rules import commands, feeds, running
from madang.response.rules.comparing import Past, PastIncident, Playing, report_of
from madang.response.rules.engine import Compiled
from madang.response.rules.facts import READING, Fact, World
from madang.response.rules.feeds import Readings
from madang.response.rules.follower import Services, mode_here
from madang.response.rules.models import ReplayRun, RuleVersion
from madang.response.rules.world import world_of

if TYPE_CHECKING:
    from madang.hub.feed import FeedChange
    from madang.hub.hub import Hub

T = TypeVar("T")
BATCH = 1_000
LOOK_S = 1.0
TELL_EVERY = 20
"""Batches between two words about progress."""

log = logging.getLogger(__name__)


class StoppedError(MadangError):
    """The replay was taken back while it ran."""

    code = "stopped"


@dataclass(slots=True)
class _Job:
    run: ReplayRun
    new: Playing
    old: Playing | None
    past: Past
    world: World
    facts: Counter[str]

    @property
    def both(self) -> list[Playing]:
        return [self.new] if self.old is None else [self.new, self.old]

    def give(self, batch: list[Fact]) -> None:
        for fact in batch:
            self.facts[fact.kind] += 1
            for playing in self.both:
                playing.give(fact, self.world)

    def report(self) -> dict[str, object]:
        for playing in self.both:
            playing.pass_time(self.run.to_at.timestamp(), self.world)
        return report_of(self.new, self.old, self.past, self.facts)


class Replayer:
    """One per process that has the hub open: takes the replays that are asked for, one after the other."""

    def __init__(self, services: Services) -> None:
        self._hub, self._clock = services.hub, services.clock
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="rules-replay")

    async def run(self) -> None:
        """Until cancelled. What ran when the process ended is begun anew."""
        try:
            await self._civic(_begin_anew)
            while True:
                if not await self.step():
                    await asyncio.sleep(LOOK_S)
        finally:
            self._thread.submit(civic.store.close_thread)
            self._thread.shutdown(wait=False, cancel_futures=False)

    async def step(self) -> bool:
        """Does one replay, if one waits."""
        run = await self._civic(lambda: _claim(self._clock()))
        if run is None:
            return False
        try:
            job = await self._civic(lambda: _job(run))
            async for batch in self._facts(job):
                await self._civic(lambda facts=batch: job.give(facts))  # type: ignore[misc]  # a default pins the batch
            report = await self._civic(job.report)
            await self._civic(lambda: _finish(run, report, self._clock()))
        except StoppedError:
            log.info("replay %s was stopped", run.id)
        except Exception as error:
            log.exception("replay %s failed", run.id)
            text = f"{type(error).__name__}: {error}"
            await self._civic(lambda: _fail(run, text, self._clock()))
        return True

    async def _civic(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def _facts(self, job: _Job) -> AsyncIterator[list[Fact]]:
        """Readings and signals in the order they were received."""
        readings, signals = self._readings(job), self._signals(job)
        left, right = await _next(readings), await _next(signals)
        done = 0
        while left or right:
            if left and right:
                edge = min(left[-1].received, right[-1].received)
                ready = [f for f in left if f.received <= edge] + [f for f in right if f.received <= edge]
                left, right = [f for f in left if f.received > edge], [f for f in right if f.received > edge]
            else:
                ready, left, right = left + right, [], []
            ready.sort(key=lambda fact: fact.received)
            yield ready
            done += 1
            if done % TELL_EVERY == 0:
                await self._tell(job, ready[-1].received)
            left = left or await _next(readings)
            right = right or await _next(signals)

    async def _tell(self, job: _Job, at: float) -> None:
        run = job.run
        start, end = run.from_at.timestamp(), run.to_at.timestamp()
        share = max(0.0, min(1.0, (at - start) / max(1.0, end - start)))
        if not await self._civic(lambda: _progress(run, round(share * 1_000), self._clock())):
            raise StoppedError("it was taken back")

    async def _readings(self, job: _Job) -> AsyncIterator[list[Fact]]:
        wanted = {name for playing in job.both for kind, name in playing.book.by_name if kind == READING}
        types = set().union(*(playing.book.types for playing in job.both))
        if self._hub is None or not wanted:
            return
        hub, city = self._hub, job.run.authority_id
        reader = Readings(lambda entity: hub.retrieve(city, entity), mode_here())
        cursor: str | None = None
        while True:
            found, cursor = await self._page(hub, city, cursor)
            facts = await reader.facts(found, wanted, types)
            inside = [f for f in facts if job.run.from_at.timestamp() <= f.received < job.run.to_at.timestamp()]
            if inside:
                yield inside
            if len(found) < BATCH or found[-1].at >= job.run.to_at:
                return
            await asyncio.sleep(0)

    @staticmethod
    async def _page(hub: Hub, city: str, cursor: str | None) -> tuple[list[FeedChange], str]:
        return await hub.changes(city, cursor, BATCH)

    async def _signals(self, job: _Job) -> AsyncIterator[list[Fact]]:
        names = {name for playing in job.both for kind, name in playing.book.by_name if kind != READING}
        if not names:
            return
        run, seq = job.run, 0
        while True:
            after = seq
            found = await self._civic(lambda: _signals_after(run, after))  # noqa: B023 -- awaited at once
            if found:
                seq = found[-1][0]
                facts = [fact for _, fact in found if fact.name in names]
                if facts:
                    yield facts
            if len(found) < BATCH:
                return


async def _next(batches: AsyncIterator[list[Fact]]) -> list[Fact]:
    with contextlib.suppress(StopAsyncIteration):
        return await batches.__anext__()
    return []


def _signals_after(run: ReplayRun, seq: int) -> list[tuple[int, Fact]]:
    with civic.reading() as tx:
        bounds = instant_text(run.from_at), instant_text(run.to_at)
        return feeds.signals_between(tx, run.authority_id, *bounds, seq, BATCH)


def _begin_anew() -> None:
    ReplayRun.objects.filter(state="running").update(state="queued", done=0)


def _claim(now: datetime) -> ReplayRun | None:
    with civic.transaction() as tx:
        tx.serialise()
        run = ReplayRun.objects.filter(state="queued").order_by("asked_at").first()
        if run is not None:
            run.state, run.total = "running", 1_000
            run.save(update_fields=["state", "total"])
            changes.touch(tx, kind="rule", ref=run.version_id, authority=run.authority_id, now=now)
        return run


def _job(run: ReplayRun) -> _Job:
    row = RuleVersion.objects.get(pk=run.version_id)
    new = running.compiled_of(row)
    if new is None:
        raise MadangError("the rule cannot be read any more")
    before = RuleVersion.objects.filter(authority_id=row.authority_id, name=row.name, stage="published").first()
    old: Compiled | None = running.compiled_of(before) if before is not None else None
    past = Past(_incidents(run))
    world = replace(world_of(run.authority_id, near=False), is_near=past.is_near)
    return _Job(run, Playing(new), Playing(old) if old is not None else None, past, world, Counter())


def _incidents(run: ReplayRun) -> list[PastIncident]:
    found = Incident.objects.filter(
        authority_id=run.authority_id, opened_at__lt=run.to_at, lon__isnull=False, lat__isnull=False
    ).exclude(closed_at__lt=run.from_at)
    return [
        PastIncident(
            one.id,
            one.number,
            one.mode,
            one.class_code,
            float(one.lon or 0),
            float(one.lat or 0),
            one.opened_at.timestamp(),
            one.closed_at.timestamp() if one.closed_at else float("inf"),
        )
        for one in found
    ]


def _progress(run: ReplayRun, done: int, now: datetime) -> bool:
    with civic.transaction() as tx:
        changes.touch(tx, kind="rule", ref=run.version_id, authority=run.authority_id, now=now)
        return ReplayRun.objects.filter(pk=run.pk, state="running").update(done=done) == 1


def _finish(run: ReplayRun, report: dict[str, object], now: datetime) -> None:
    with civic.transaction() as tx:
        kept = ReplayRun.objects.filter(pk=run.pk, state="running").update(
            state="done", done=1_000, report=report, finished_at=now
        )
        if kept:
            commands.replayed(tx, run, system_actor(run.authority_id, "rules"), now)
        changes.touch(tx, kind="rule", ref=run.version_id, authority=run.authority_id, now=now)


def _fail(run: ReplayRun, error: str, now: datetime) -> None:
    with civic.transaction() as tx:
        ReplayRun.objects.filter(pk=run.pk, state="running").update(state="failed", error=error[:500], finished_at=now)
        changes.touch(tx, kind="rule", ref=run.version_id, authority=run.authority_id, now=now)
