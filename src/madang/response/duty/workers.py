"""What duty runs behind the scenes: the lookout, and the timers of screens that fell silent."""

from __future__ import annotations

from madang.journal import handlers
from madang.kernel.workers import LoopWorker, ThreadWorker
from madang.response.duty import presence
from madang.response.forgetting import keeper


def register() -> None:
    """Tells the journal what this room handles."""
    handlers.on_timer(presence.UNSEEN, presence.unseen)


def workers(services: object) -> list[ThreadWorker | LoopWorker]:
    """The lookout, which knows when this process itself was not listening, and the keeper of the retention."""
    del services
    from madang.response.duty.retention import FORGETTINGS

    return [LoopWorker("duty.lookout", presence.keep_lookout), keeper("duty", FORGETTINGS)]
