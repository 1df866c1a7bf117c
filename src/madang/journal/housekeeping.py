"""What is over is forgotten: nonces, finished messages, old changes, bodies whose retention has passed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from madang.journal import changes, inbox, outbox, retention, timers
from madang.journal.config import JournalConfig
from madang.journal.session import Store
from madang.kernel.clock import Clock
from madang.kernel.keyring import Keyring


@dataclass(frozen=True)
class Housekeeping:
    """Tidies one store; each kind in its own short transaction, so that writers wait little."""

    store: Store
    keys: Keyring
    config: JournalConfig
    clock: Clock

    def run_once(self) -> None:
        """Forgets everything that is due now."""
        now = self.clock()
        bodies_before = now - timedelta(days=self.config.body_days)
        rows_before = now - timedelta(days=self.config.done_days)
        with self.store.transaction() as tx:
            inbox.purge_nonces(tx, now)
        with self.store.transaction() as tx:
            inbox.purge_arrivals(tx, bodies_before=bodies_before, rows_before=rows_before)
        with self.store.transaction() as tx:
            outbox.purge_announcements(tx, before=bodies_before)
        with self.store.transaction() as tx:
            timers.purge_timers(tx, rows_before)
        with self.store.transaction() as tx:
            changes.purge_changes(tx, now - timedelta(days=self.config.change_days))
        with self.store.transaction() as tx:
            retention.erase_due(tx, self.keys, now)
