"""The civic store: how every room above opens a transaction, leaves an audit row and hears of commits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any

from django.conf import settings

from madang.journal import audit as chain
from madang.journal.django_session import DjangoStore
from madang.journal.session import Session
from madang.kernel.mode import Mode

store = DjangoStore()
wakeups = store.wakeups
changed = wakeups.signal("changes")
"""Set after each commit that touched something a screen shows."""


def transaction() -> AbstractContextManager[Session]:
    """Opens a transaction on the civic store; its commit wakes relay, inbox, timers and live screens."""
    return store.transaction()


def reading() -> AbstractContextManager[Session]:
    """A session for reading the civic store without its write lock."""
    return store.reading()


def audit(
    tx: Session,
    *,
    authority: str,
    actor: str,
    action: str,
    thing: str,
    mode: Mode,
    now: datetime,
    body: Mapping[str, Any] | None = None,  # Any: JSON values
    basis: str = "",
    retention: str = "access_log",
) -> None:
    """Appends to the authority's audit chain. Personal data goes into `body` only: it is sealed and can be erased."""
    chain.record(
        tx,
        settings.MADANG_KEYS,
        authority=authority,
        actor=actor,
        action=action,
        thing=thing,
        mode=mode,
        now=now,
        body=body,
        basis=basis,
        retention=retention,
    )


def on_commit_wake(tx: Session, name: str) -> None:
    """After the commit of `tx`, wakes whoever waits for the named signal."""
    tx.wake(name)


def wait_for(name: str, timeout_s: float, since: int | None = None) -> bool:
    """Waits on this thread until a commit wakes `name`; False when the time passed first."""
    return wakeups.signal(name).wait(timeout_s, since)


def add_listener(name: str, callback: Callable[[], None]) -> Callable[[], None]:
    """Calls `callback` on the committing thread whenever `name` is woken; returns what ends it."""
    return wakeups.signal(name).add_listener(callback)
