"""The rooms' background workers: started together, kept running, ended together."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Iterable

from madang.kernel.workers import LoopWorker, ThreadWorker

log = logging.getLogger(__name__)

RETRY_BASE_S = 0.5
RETRY_CAP_S = 30.0
WELL_AFTER_S = 20.0
"""A worker that has run this long since its last failure is well again, seconds."""


class Guard:
    """Tells a worker's failure once and its recovery once, and how long to wait before the next try."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._failures = 0
        self._tried_s = 0.0

    def trying(self, now_s: float) -> None:
        """The worker starts, again."""
        self._tried_s = now_s

    def failed(self, error: BaseException, now_s: float) -> float:
        """The worker failed; returns the seconds to wait. The first failure is logged with its trace."""
        if now_s - self._tried_s > WELL_AFTER_S:
            self.recovered()
        self._failures += 1
        if self._failures == 1:
            log.error("worker %s failed, trying again", self._name, exc_info=error)
        return min(RETRY_CAP_S, RETRY_BASE_S * 2.0 ** (self._failures - 1))

    def recovered(self) -> None:
        """The worker is well; says so if it was not."""
        if self._failures:
            log.warning("worker %s recovered after %d failures", self._name, self._failures)
        self._failures = 0

    @property
    def ill(self) -> bool:
        """Whether the last thing that was heard of the worker is a failure."""
        return self._failures > 0


class Crew:
    """Every worker of one process."""

    def __init__(self, workers: Iterable[ThreadWorker | LoopWorker]) -> None:
        self._workers = list(workers)
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Starts every worker; call it on the event loop."""
        for worker in self._workers:
            if isinstance(worker, ThreadWorker):
                thread = threading.Thread(target=self._on_thread, args=(worker,), name=worker.name, daemon=True)
                self._threads.append(thread)
                thread.start()
            else:
                self._tasks.append(asyncio.create_task(self._on_loop(worker), name=worker.name))

    async def stop(self, timeout_s: float = 3.0) -> list[str]:
        """Ends every worker; returns the names of those that did not end in time."""
        self._stop.set()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=timeout_s)
        late = await asyncio.to_thread(self._join, timeout_s)
        if late:
            log.warning("workers still busy at the end: %s", ", ".join(late))
        return late

    def _join(self, timeout_s: float) -> list[str]:
        deadline_s = time.monotonic() + timeout_s
        for thread in self._threads:
            thread.join(max(0.0, deadline_s - time.monotonic()))
        return [thread.name for thread in self._threads if thread.is_alive()]

    def _on_thread(self, worker: ThreadWorker) -> None:
        guard = Guard(worker.name)
        while not self._stop.is_set():
            guard.trying(time.monotonic())
            well = threading.Timer(WELL_AFTER_S, guard.recovered)
            well.daemon = True
            if guard.ill:
                well.start()
            try:
                worker.run(self._stop)
                guard.recovered()
            except Exception as error:  # noqa: BLE001 -- a worker must outlive any fault; it is logged
                self._stop.wait(guard.failed(error, time.monotonic()))
            finally:
                well.cancel()
                _let_go_of_connections()

    async def _on_loop(self, worker: LoopWorker) -> None:
        guard = Guard(worker.name)
        while not self._stop.is_set():
            guard.trying(time.monotonic())
            well = asyncio.get_running_loop().call_later(WELL_AFTER_S, guard.recovered)
            try:
                await worker.run()
                guard.recovered()
                return
            except Exception as error:  # noqa: BLE001 -- a worker must outlive any fault; it is logged
                await asyncio.sleep(guard.failed(error, time.monotonic()))
            finally:
                well.cancel()


def _let_go_of_connections() -> None:
    from django.db import connections

    connections.close_all()
