"""What evidence runs behind the scenes: its timers, its side of the media line, and the making of packages."""

from __future__ import annotations

import threading
from typing import Protocol

from madang.kernel.clock import Clock
from madang.kernel.workers import LoopWorker, ThreadWorker


class Lends(Protocol):
    """What the site lends."""

    @property
    def clock(self) -> Clock: ...


def register() -> None:
    """Tells the journal and the media line what this room handles."""
    from madang.video.evidence import retention
    from madang.video.evidence.line import EvidenceLine
    from madang.video.medialink import join_line

    retention.register()
    join_line(EvidenceLine)


def workers(services: Lends) -> list[ThreadWorker | LoopWorker]:
    """The thread that makes packages and sweeps the vault."""

    def pack(stop: threading.Event) -> None:
        from madang.video.evidence.packing import keep_packing

        keep_packing(stop, services.clock)

    return [ThreadWorker("evidence-packing", pack)]
