"""What evidence runs behind the scenes."""

from __future__ import annotations

from madang.kernel.workers import LoopWorker, ThreadWorker


def register() -> None:
    """Tells the journal what this room handles."""


def workers(services: object) -> list[ThreadWorker | LoopWorker]:
    """Its background workers."""
    del services
    return []
