"""When time passes: takes that never came fail, evidence is erased, packages lapse. What is erased leaves a tombstone.

Erasing forgets the item's key in the transaction that records it; the file goes after the commit, and what a crash left
of it goes with the next sweep. The row stays: what it was, of which camera, taken and erased by whom, its digest.
"""

from __future__ import annotations

from datetime import datetime

import structlog
from django.db import transaction

from madang.journal import handlers
from madang.journal.handlers import Timer
from madang.journal.session import Session
from madang.kernel.decisions import Rejected
from madang.video.evidence import domain, exports, line, record, vault
from madang.video.evidence.models import Export, Item

log = structlog.get_logger(__name__)
BY = "system:retention"


def register() -> None:
    """Tells the journal what this room's timers do."""
    handlers.on_timer(record.ERASE_TIMER, _erase)
    handlers.on_timer(record.TAKE_TIMER, _give_up)
    handlers.on_timer(record.EXPORT_TIMER, _lapse)


def _give_up(tx: Session, timer: Timer, now: datetime) -> None:
    line.break_item(tx, timer.key, "not_answered", now)


def _lapse(tx: Session, timer: Timer, now: datetime) -> None:
    exports.lapse(tx, timer.key, now)


def _erase(tx: Session, timer: Timer, now: datetime) -> None:
    row = Item.objects.select_for_update(of=("self",)).select_related("case", "grant").filter(pk=timer.key).first()
    if row is None:
        return
    decision = domain.erase(record.as_domain(row), now, case_open=row.case.state == "open")
    if not isinstance(decision, Rejected):
        erase(tx, row, BY, f"{row.kind}: {record.retention_days(row.kind)} days", now)
    elif decision.code == "held":
        record.set_timer(tx, record.ERASE_TIMER, row, decision.data["again_at"])


def erase(tx: Session, row: Item, by: str, rule: str, now: datetime) -> None:
    """Forgets the key, leaves the tombstone, and removes the file once that is committed."""
    row.state, row.key_sealed, row.erased_at, row.erased_by = domain.ItemState.ERASED.value, None, now, by
    row.reason = row.reason[:300]
    row.save()
    row.looks.all().delete()
    tombstone = {"kind": row.kind, "camera": row.camera_id, "digest": row.digest, "bytes": row.bytes, "rule": rule}
    record.note(tx, row, by, "erased", now, tombstone, retention="administration")
    ident = row.pk
    transaction.on_commit(lambda: remove_file(ident))


def remove_file(ident: str) -> None:
    """Frees the room; what cannot be removed now goes with the next sweep."""
    try:
        vault.destroy(ident)
    except OSError as error:
        log.warning("evidence.file_not_removed", item=ident, error=type(error).__name__)


def sweep() -> int:
    """Removes files whose key is forgotten or whose row never came to be; how many."""
    removed = 0
    for ident in list(vault.files()):
        held = (
            Item.objects.filter(pk=ident, key_sealed__isnull=False).exists()
            or Export.objects.filter(pk=ident, key_sealed__isnull=False).exists()
        )
        if not held:
            remove_file(ident)
            removed += 1
    return removed
