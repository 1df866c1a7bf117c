"""A process that feeds a hub and has rules follow it, and is killed in the middle.

One argument: `prepare` puts two rules in force and follows once; `work` feeds, follows and fires timers until killed,
saying each reading that was acknowledged; `finish` follows and fires until nothing is left. The installation is the one
`MADANG_CONFIG` names.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import sys
import threading
import time
from dataclasses import dataclass
from typing import Any

import django

CITY = "48250"
RUN_ID = random.SystemRandom().randrange(1 << 40)


@dataclass
class Lent:
    """What the site lends."""

    hub: Any  # Any: the hub, imported after Django is set up
    clock: Any  # Any: a clock


def put_rules() -> None:
    """Each reading is told at once by one rule, and a second later by the other's timer."""
    from madang.kernel.clock import system_clock
    from madang.response.rules.models import RuleVersion

    source = {"from": "reading", "type": "Ping", "attribute": "level"}
    whens = {
        "at-once": {"op": "happens", "source": source},
        "by-timer": {"op": "threshold", "source": source, "limit": 1.0, "dwell_s": 1},
    }
    for name, when in whens.items():
        RuleVersion.objects.create(
            authority_id=CITY,
            name=name,
            number=1,
            stage="published",
            definition={"title_ko": name, "when": when, "signal": {"class_code": "flood"}, "quiet_s": 0},
            author="person:1",
            created_at=system_clock(),
            updated_at=system_clock(),
        )


async def feed(hub: Any) -> None:  # Any: the hub
    """New entities until the end; an id is said once it is durable."""
    for step in itertools.count():
        ident = f"urn:ngsi-ld:Ping:{RUN_ID}-{step}"
        reading = {"id": ident, "type": "Ping", "level": {"type": "Property", "value": 2.0}}
        await hub.ingest(CITY, [reading], source="child")
        os.write(1, f"{ident}\n".encode())


def fire(stop: threading.Event) -> None:
    """The journal's timers, as fast as they fall due."""
    from madang.journal import civic
    from madang.journal.firing import Firing
    from madang.journal.handlers import CIVIC
    from madang.journal.lanes import Retry
    from madang.kernel.clock import system_clock

    timers = Firing(civic.store, CIVIC, Retry(5, 0.1, 1, lambda: 0.0), system_clock)
    while not stop.is_set():
        if not timers.run_once():
            stop.wait(0.02)
    civic.store.close_thread()


def waiting() -> bool:
    """Whether timers have not fired."""
    from madang.journal import civic

    with civic.reading() as tx:
        return bool(tx.execute("SELECT 1 FROM journal_timer WHERE state = 'waiting' LIMIT 1"))


async def main(what: str) -> None:
    from madang.hub.config import HubConfig
    from madang.hub.hub import Hub
    from madang.kernel.clock import system_clock
    from madang.response.rules.follower import Follower

    hub = await Hub.open(HubConfig(store=os.environ["CHILD_HUB"]))
    follower = Follower(Lent(hub, system_clock))
    if what == "prepare":
        await hub.ingest(CITY, [{"id": "urn:ngsi-ld:Old:1", "type": "Old", "level": 1}], source="child")
        await asyncio.to_thread(put_rules)
        await follower.step()
    else:
        stop = threading.Event()
        threading.Thread(target=fire, args=(stop,), daemon=True).start()
        if what == "work":
            await asyncio.gather(follower.run(), feed(hub), feed(hub))
        deadline = time.monotonic() + 60
        while (await follower.step() or await asyncio.to_thread(waiting)) and time.monotonic() < deadline:
            await asyncio.sleep(0.05)
        stop.set()
    await hub.close()


if __name__ == "__main__":
    django.setup()
    asyncio.run(main(sys.argv[1]))
    sys.stdout.flush()
    os._exit(0)
