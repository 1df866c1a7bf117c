"""A process that writes history, rolls it, and is killed at one of the roller's steps.

Arguments: the store's path, and which step (counted from 1; 0: none) it does not survive. It says on standard output
what was acknowledged, on standard error the steps it reached.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from madang.hub.config import HubConfig
from madang.hub.history.query import HistoryQuery
from madang.hub.hub import Hub
from madang.hub.query import Query

BEGIN = datetime(2026, 1, 10, 9, tzinfo=UTC)


def config(path: Path) -> HubConfig:
    """Everything is due at once, and nothing superseded is kept."""
    return HubConfig(store=str(path), history_hot_s=0.0, history_grace_s=0.0)


async def main(path: Path, fatal: int) -> None:
    """Two rolls of one day, a correction, and the rounds that merge, settle and remove."""
    now = [BEGIN]
    hub = await Hub.open(config(path), lambda: now[0])
    steps = 0

    def step(name: str) -> None:
        nonlocal steps
        os.write(2, f"step {name}\n".encode())
        steps += 1
        if steps == fatal:
            os.kill(os.getpid(), signal.SIGKILL)

    hub.past.roller.step = step
    for part in ("first", "second"):
        readings = [
            {"id": f"urn:x:{number}", "type": kind, "a": {"type": "Property", "value": f"{part} {number}"}}
            for kind in ("A", "B")
            for number in range(3)
        ]
        await hub.upsert("one", readings, source="child")
        past = ("b", {"type": "Property", "value": part, "observedAt": "2020-01-01T00:00:00Z"})
        await hub.past.add("one", "urn:x:past", ("A",), [past], create=True)
        os.write(1, f"{part}\n".encode())
        await hub.past.roller.roll_all()
        now[0] += timedelta(minutes=1)
    page = await hub.past.retrieve("one", "urn:x:0", HistoryQuery(Query()))
    assert page is not None
    await hub.past.change_instance("one", page.entities[0].instances[0], {"type": "Property", "value": "corrected"})
    os.write(1, b"corrected\n")
    now[0] += timedelta(days=2)
    await hub.past.roller.keep()
    now[0] += timedelta(days=2)
    await hub.past.roller.keep()
    os.write(1, b"end\n")
    await hub.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
