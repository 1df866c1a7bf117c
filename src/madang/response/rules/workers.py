"""What rules runs behind the scenes: the follower, the replays, waits that fall due, effects that are carried out."""

from __future__ import annotations

import threading

from madang.journal import civic, handlers
from madang.journal.guard import Guard
from madang.journal.handlers import Subscriber
from madang.journal.lease import Leadership
from madang.journal.relay import config as journal_config
from madang.kernel.workers import LoopWorker, ThreadWorker
from madang.response.rules.follower import Services


def register() -> None:
    """Tells the journal what this room handles."""
    from madang.response.rules import effects, memories, running

    handlers.on_timer(memories.TIMER, running.fell_due)
    handlers.on_timer(memories.CLOCK, running.struck)
    handlers.subscribe(Subscriber(effects.NAME, effects.TOPICS, effects.prepare, effects.deliver, lanes=1))


def workers(services: Services) -> list[ThreadWorker | LoopWorker]:
    """Its background workers. They take the hub when they begin: it is opened before."""
    from madang.response.rules import retention
    from madang.response.rules.follower import Follower
    from madang.response.rules.replaying import Replayer

    journal = journal_config()
    guard = Guard(civic.store, Leadership(civic.store, services.clock, journal.lease_s, name="rules"), journal.wait_s)

    async def follow() -> None:
        await Follower(services).run()

    async def replay() -> None:
        await Replayer(services).run()

    def keep(stop: threading.Event) -> None:
        def work() -> None:
            retention.run_once(services.clock())

        guard.every("rules.retention", journal.housekeeping_every_s, work, stop)

    return [
        LoopWorker("rules.follower", follow),
        LoopWorker("rules.replays", replay),
        ThreadWorker("rules.retention", keep),
    ]
