"""What video runs in the background of core."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from madang.journal import civic
from madang.kernel.workers import LoopWorker, ThreadWorker
from madang.video.coverage import COVERAGE

_REFRESH_S = 2.0


def workers() -> Sequence[ThreadWorker | LoopWorker]:
    """The coverage index, built when the process starts and kept fresh, so that no call waits for it."""
    return [ThreadWorker("video-coverage", keep_coverage)]


def keep_coverage(stop: threading.Event) -> None:
    """Builds every city's index, then rebuilds the ones whose cameras changed."""
    from madang.identity.models import Authority

    try:
        while not stop.is_set():
            for code in Authority.objects.values_list("code", flat=True):
                COVERAGE.refresh(code)
            stop.wait(_REFRESH_S)
    finally:
        civic.store.close_thread()
