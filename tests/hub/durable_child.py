"""A process that writes through a hub, says each acknowledged id on standard output, and is killed in the middle.

Arguments: the store's path, and `disk` or `dropping`: on a disk that forgets what was not synced, it crashes itself.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from madang.hub.config import HubConfig
from madang.hub.hub import Hub
from madang.hub.sqlite.store import SqliteStore
from madang.kernel.clock import system_clock
from tests.journal.dropping_vfs import DroppingVFS

RUN_ID = random.SystemRandom().randrange(1 << 32)


async def write(hub: Hub, worker: int, acknowledged: Callable[[], None]) -> None:
    """Writes until the end."""
    for step in range(1_000_000):
        entity_id = f"urn:x:{RUN_ID}-{worker}-{step}"
        await hub.upsert("one", [{"id": entity_id, "type": "T", "a": step}], source="child")
        os.write(1, f"{entity_id}\n".encode())
        acknowledged()


async def main(path: Path, disk: str) -> None:
    """Eight writers, and on the forgetful disk a crash at an unforeseeable moment."""
    config = HubConfig(store=str(path))
    vfs = DroppingVFS() if disk == "dropping" else None
    store = await SqliteStore.open(path, config, vfs="dropping" if vfs is not None else None)
    hub = Hub(config, system_clock, store)

    def crash() -> None:
        assert vfs is not None
        vfs.crash(random.Random())
        os.kill(os.getpid(), signal.SIGKILL)

    remaining = itertools.count(random.randint(100, 400), -1)

    def acknowledged() -> None:
        if next(remaining) == 0 and vfs is not None:
            asyncio.get_running_loop().call_later(random.uniform(0, 0.02), crash)

    await asyncio.gather(*(write(hub, worker, acknowledged) for worker in range(8)))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
