"""Looking at cameras for their health: a few at a time, each in a process that may break without harm."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress

import msgspec
import structlog

from madang.video.health import Outcome
from madang.video.media.config import MediaConfig
from madang.video.media.looker import Task
from madang.video.media.protocol import Looked
from madang.video.sources import SourceRefusedError, resolve_source

log = structlog.get_logger(__name__)
_GRACE_S = 4.0
"""What a look may take beyond its time before its process is ended."""
_MOST_WAITING = 2_000
Report = Callable[[str, Looked], None]


class Looking:
    """The queue of cameras to look at, and the workers that do. All methods run on the event loop."""

    def __init__(self, config: MediaConfig, report: Report) -> None:
        self._config = config
        self._report = report
        self._waiting: dict[str, str] = {}
        self._workers: set[asyncio.Task[None]] = set()

    @property
    def waiting(self) -> int:
        """Cameras not yet looked at."""
        return len(self._waiting)

    def ask(self, cameras: Mapping[str, str]) -> None:
        """Queues cameras (id → source); one that waits already is not looked at twice."""
        for camera, source in cameras.items():
            if len(self._waiting) < _MOST_WAITING:
                self._waiting[camera] = source
        while self._waiting and len(self._workers) < min(self._config.looks_at_once, len(self._waiting)):
            worker = asyncio.create_task(self._work())
            self._workers.add(worker)
            worker.add_done_callback(self._workers.discard)

    def drop(self) -> None:
        """Core is gone: nobody asks any more."""
        self._waiting.clear()

    async def close(self) -> None:
        """Ends what looks."""
        self._waiting.clear()
        workers = list(self._workers)
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)

    async def _work(self) -> None:
        eye = _Eye(self._config.look_s)
        try:
            while self._waiting:
                camera = next(iter(self._waiting))
                self._report(camera, await self._look(eye, self._waiting.pop(camera)))
        finally:
            await eye.close()

    async def _look(self, eye: _Eye, source: str) -> Looked:
        try:
            resolved = await asyncio.to_thread(resolve_source, source, self._config)
        except SourceRefusedError as refused:
            return Looked(0, "", Outcome.SILENT, [], refused.detail[:160])
        return await eye.look(Task(resolved.url, resolved.scheme, resolved.host, self._config.look_s))


class _Eye:
    """One looking process, started when first needed and again after it broke."""

    def __init__(self, within_s: float) -> None:
        self._within_s = within_s
        self._process: asyncio.subprocess.Process | None = None

    async def look(self, task: Task) -> Looked:
        """What a look found. A process that hangs or dies of a stream tells nothing of the camera's picture."""
        try:
            async with asyncio.timeout(self._within_s + _GRACE_S):
                return await self._ask(task)
        except (TimeoutError, OSError, ValueError) as error:
            log.warning("media.look.broke", error=type(error).__name__)
            await self.close()
            return Looked(0, "", Outcome.UNREADABLE, [], "the stream cannot be looked at")

    async def _ask(self, task: Task) -> Looked:
        process = self._process or await self._start()
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(msgspec.json.encode(task) + b"\n")
        await process.stdin.drain()
        return msgspec.json.decode(await process.stdout.readline(), type=Looked)

    async def _start(self) -> asyncio.subprocess.Process:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "madang.video.media.looker",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        return self._process

    async def close(self) -> None:
        """Ends the process; harmless when there is none."""
        process, self._process = self._process, None
        if process is not None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()
