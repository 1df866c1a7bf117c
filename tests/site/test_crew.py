"""Background workers are kept going, and end when told."""

from __future__ import annotations

import asyncio
import logging
import threading

import pytest

from madang.kernel.workers import LoopWorker, ThreadWorker
from madang.site import crew
from madang.site.crew import Crew, Guard


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crew, "RETRY_BASE_S", 0.01)
    monkeypatch.setattr(crew, "RETRY_CAP_S", 0.02)


async def reached(event: threading.Event | asyncio.Event) -> None:
    async with asyncio.timeout(10):
        while not event.is_set():
            await asyncio.sleep(0.005)


def test_a_worker_that_fails_is_tried_again_until_it_works(caplog: pytest.LogCaptureFixture) -> None:
    tries: list[int] = []
    works = threading.Event()

    def run(stop: threading.Event) -> None:
        tries.append(1)
        if len(tries) < 4:
            raise OSError("the disk is tired")
        works.set()
        stop.wait()

    async def main() -> list[str]:
        gang = Crew([ThreadWorker("tired", run)])
        gang.start()
        await reached(works)
        return await gang.stop()

    with caplog.at_level(logging.WARNING):
        assert asyncio.run(main()) == []
    failures = [record for record in caplog.records if "tired failed" in record.getMessage()]
    assert len(failures) == 1, "a failure is told once, not at each try"


def test_a_coroutine_that_fails_is_tried_again_and_cancelled_at_the_end() -> None:
    tries: list[int] = []
    ended: list[str] = []

    async def run() -> None:
        tries.append(1)
        if len(tries) < 3:
            raise ValueError("not yet")
        works.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("cancelled")

    async def main() -> None:
        global works
        works = asyncio.Event()
        gang = Crew([LoopWorker("shy", run)])
        gang.start()
        await reached(works)
        await gang.stop()

    asyncio.run(main())
    assert len(tries) == 3
    assert ended == ["cancelled"]


works: asyncio.Event


def test_one_that_will_not_end_is_named_and_does_not_hold_the_others_up() -> None:
    release = threading.Event()

    async def main() -> list[str]:
        gang = Crew([ThreadWorker("stubborn", deaf), ThreadWorker("good", good)])
        gang.start()
        return await gang.stop(timeout_s=0.2)

    def deaf(_stop: threading.Event) -> None:
        release.wait()

    def good(stop: threading.Event) -> None:
        stop.wait()

    try:
        assert asyncio.run(main()) == ["stubborn"]
    finally:
        release.set()


def test_failure_and_recovery_are_each_told_once(caplog: pytest.LogCaptureFixture) -> None:
    guard = Guard("relay")
    with caplog.at_level(logging.WARNING):
        for at in (1.0, 2.0, 3.0):
            guard.trying(at)
            guard.failed(OSError("no"), at)
        guard.recovered()
        guard.recovered()
    told = [record.getMessage() for record in caplog.records]
    assert told == ["worker relay failed, trying again", "worker relay recovered after 3 failures"]
