"""Who relays: one row in the store. Another takes over when its holder is silent, at once when its process is gone."""

from __future__ import annotations

import os
import secrets
import socket
import threading
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from madang.journal.session import Session, Store
from madang.kernel.clock import Clock, instant_text, parse_instant


def new_holder() -> str:
    """A name for this process that tells where it runs: `host:pid:random`."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"


def take(tx: Session, *, name: str, holder: str, now: datetime, until: datetime) -> bool:
    """Takes or renews a lease; False while another holds it, unless its process on this host is gone."""
    tx.serialise()
    rows = tx.execute("SELECT holder, until FROM journal_lease WHERE name = ?", (name,))
    if rows and rows[0][0] != holder and parse_instant(rows[0][1]) > now and not _gone(rows[0][0], holder):
        return False
    tx.execute(
        "INSERT INTO journal_lease (name, holder, until) VALUES (?, ?, ?)"
        " ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until",
        (name, holder, instant_text(until)),
    )
    return True


def give_back(tx: Session, *, name: str, holder: str) -> None:
    """Ends a lease so that the next one need not wait."""
    tx.execute("DELETE FROM journal_lease WHERE name = ? AND holder = ?", (name, holder))


def holder_of(tx: Session, name: str, now: datetime) -> str | None:
    """Who holds a lease now."""
    rows = tx.execute("SELECT holder FROM journal_lease WHERE name = ? AND until > ?", (name, instant_text(now)))
    return rows[0][0] if rows else None


def _gone(other: str, mine: str) -> bool:
    other_host, other_pid, _ = other.rsplit(":", 2)
    host, pid, _ = mine.rsplit(":", 2)
    if other_host != host:
        return False
    if other_pid == pid:
        return True
    try:
        os.kill(int(other_pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


@dataclass
class Leadership:
    """This process's share in the election; asked by all its workers, renewed when a third of the time is over."""

    store: Store
    clock: Clock
    lease_s: float
    name: str = "relay"
    holder: str = field(default_factory=new_holder)
    _until: datetime | None = None
    _renew_at: datetime | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def held(self) -> bool:
        """Whether this process relays now."""
        with self._lock:
            now = self.clock()
            if self._renew_at is None or now >= self._renew_at:
                self._renew(now)
            return self._until is not None and now < self._until

    def give_back(self) -> None:
        """Lets another process take over at once."""
        with self._lock, self.store.transaction() as tx:
            give_back(tx, name=self.name, holder=self.holder)
            self._until = self._renew_at = None

    def _renew(self, now: datetime) -> None:
        until = now + timedelta(seconds=self.lease_s)
        if not self._free_for_me(now):
            self._until = None
            return
        with self.store.transaction() as tx:
            taken = take(tx, name=self.name, holder=self.holder, now=now, until=until)
        self._until = until if taken else None
        self._renew_at = now + timedelta(seconds=self.lease_s / 3) if taken else None

    def _free_for_me(self, now: datetime) -> bool:
        with self.store.reading() as tx:
            other = holder_of(tx, self.name, now)
        return other is None or other == self.holder or _gone(other, self.holder)
