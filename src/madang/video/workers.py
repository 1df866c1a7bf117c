"""What video runs in the background of core."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence

from madang.journal import civic
from madang.kernel.clock import system_clock
from madang.kernel.workers import LoopWorker, ThreadWorker
from madang.video.coverage import COVERAGE
from madang.video.occlusion import renew

_REFRESH_S = 2.0
_HORIZONS_S = 20.0
log = logging.getLogger(__name__)


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


def heavy_workers() -> Sequence[ThreadWorker]:
    """What of video works long and in bulk, away from core: the horizons of cameras."""
    return [ThreadWorker("video-horizons", keep_horizons)]


def keep_horizons(stop: threading.Event) -> None:
    """Works out anew what buildings hide, whenever cameras or the ground changed."""
    from madang.identity.models import Authority

    try:
        while not stop.is_set():
            for code in Authority.objects.values_list("code", flat=True):
                _renew(code, stop)
            stop.wait(_HORIZONS_S)
    finally:
        civic.store.close_thread()


def _renew(authority: str, stop: threading.Event) -> None:
    try:
        done = renew(authority, system_clock(), stop.is_set)
    except Exception:
        log.exception("the horizons of %s could not be worked out; tried again later", authority)
        return
    if done is not None:
        log.info("horizons of %d cameras of %s are known", done, authority)
