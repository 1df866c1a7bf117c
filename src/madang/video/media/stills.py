"""Asking the process that decodes for a picture: it may break of a hostile stream without harm."""

from __future__ import annotations

import asyncio
import struct
import sys
from contextlib import suppress
from dataclasses import dataclass

from madang.video.media.protocol import REASON_MAX_BYTES

WITHIN_S = 10.0
MAX_STILL_BYTES = 20_000_000
HEAD = struct.Struct(">BIII")
"""Of an answer: 1 for a picture and 0 for a reason, width, height, length of what follows."""
LENGTH = struct.Struct(">I")


class StillRefusedError(Exception):
    """There is no still, for the reason given."""


@dataclass(frozen=True, slots=True)
class Still:
    """A picture as JPEG, and its size in pixels."""

    jpeg: bytes
    width: int
    height: int


class StillMaker:
    """One decoding process, started when first needed and again after it broke; one still at a time."""

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()

    async def make(self, film: bytes) -> Still:
        """The last picture of `film` (initialisation segment and fragments); raises `StillRefusedError`."""
        async with self._turn:
            try:
                async with asyncio.timeout(WITHIN_S):
                    return await self._ask(film)
            except (TimeoutError, OSError, asyncio.IncompleteReadError):
                await self.close()
                raise StillRefusedError("cannot_decode") from None

    async def _ask(self, film: bytes) -> Still:
        process = self._process or await self._start()
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(LENGTH.pack(len(film)) + film)
        await process.stdin.drain()
        good, width, height, length = HEAD.unpack(await process.stdout.readexactly(HEAD.size))
        if length > MAX_STILL_BYTES:
            raise OSError("a still of that size is none")
        answer = await process.stdout.readexactly(length)
        if not good:
            raise StillRefusedError(answer[:REASON_MAX_BYTES].decode(errors="replace"))
        return Still(answer, width, height)

    async def _start(self) -> asyncio.subprocess.Process:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "madang.video.media.stiller",
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
