"""Takes uploaded files from the queue, one after the other."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from madang.identity.rights import system_actor
from madang.journal import civic
from madang.kernel.errors import ConflictError
from madang.kernel.workers import ThreadWorker
from madang.places.domain import State
from madang.places.imports import silent
from madang.places.models import ImportRun

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Mapping

    from madang.identity.rights import Actor

log = logging.getLogger(__name__)
WAIT_S = 2.0


class Importer(Protocol):
    """What a connector's `command.run` looks like from here."""

    def __call__(
        self, path: Path, authority: str, actor: Actor, progress: Callable[[int, int], None], *, run_id: str = ""
    ) -> ImportRun: ...


def import_worker(importers: Mapping[str, Importer]) -> ThreadWorker:
    """The worker that runs queued imports; `importers` are the connectors by kind (`site` knows them)."""

    def run(stop: threading.Event) -> None:
        queued = civic.wakeups.signal("imports")
        while not stop.is_set():
            seen = queued.count
            if not run_next(importers):
                queued.wait(WAIT_S, seen)
        civic.store.close_thread()

    return ThreadWorker("imports", run)


def run_next(importers: Mapping[str, Importer]) -> bool:
    """Runs the oldest queued import, if any; whatever it does, the worker lives on. False when nothing could be run."""
    for run in ImportRun.objects.filter(state=State.QUEUED.value, kind__in=list(importers)).order_by("queued_at"):
        try:
            actor = system_actor(run.authority_id)
            importers[run.kind](Path(run.stored_path), run.authority_id, actor, silent, run_id=run.pk)
        except ConflictError:
            continue
        except Exception:
            log.exception("import %s failed", run.pk)
            _give_up(run)
        Path(run.stored_path).unlink(missing_ok=True)
        return True
    return False


def _give_up(run: ImportRun) -> None:
    """A run that failed before it began (its file gone, say) must not be tried for ever."""
    ImportRun.objects.filter(pk=run.pk, state=State.QUEUED.value).update(
        state=State.FAILED.value,
        reason_ko="파일을 열 수 없었습니다. 다시 올리십시오.",
        reason_en="the file could not be opened; upload it again",
    )
