"""The platform's part of the durability test: a process that is killed at a commit point and started again.

It takes calls from the parent (the sender), handles them, announces offers, sets timers and delivers to the parent (the
receiver). It speaks JSON lines over an inherited socket, and kills itself at the point named in its arguments. The
fault points wrap the store from outside; the product knows nothing of them.
"""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from madang.journal import changes, inbox, outbox, timers
from madang.journal.apsw_session import ApswStore
from madang.journal.courier import Courier
from madang.journal.firing import Firing
from madang.journal.handlers import Delivery, Handlers, InboxMessage, Subscriber, Timer
from madang.journal.intake import Intake
from madang.journal.lanes import Retry
from madang.journal.session import Session, Store
from madang.kernel.clock import system_clock
from madang.kernel.errors import TemporaryError
from madang.kernel.mode import Mode
from tests.journal.dropping_vfs import DroppingVFS

CITY = "gimhae"


class Parent:
    """The line to the parent, which is sender and receiver."""

    def __init__(self, descriptor: int) -> None:
        self._file = socket.socket(fileno=descriptor).makefile("rw", encoding="utf-8", newline="\n")

    def say(self, **message: Any) -> Any:  # Any: JSON values
        self._file.write(json.dumps(message) + "\n")
        self._file.flush()
        return json.loads(self._file.readline())


class Faults:
    """Kills the process when a named point is passed for the n-th time."""

    def __init__(self, point: str, times: int, vfs: DroppingVFS | None) -> None:
        self._point = point
        self._left = times
        self._vfs = vfs

    def passing(self, point: str) -> None:
        if point != self._point:
            return
        self._left -= 1
        if self._left == 0:
            if self._vfs is not None:
                self._vfs.crash(random.Random(os.getpid()))
            os.kill(os.getpid(), signal.SIGKILL)


class FaultyStore:
    """A store with a fault point on either side of each commit."""

    def __init__(self, inner: Store, faults: Faults) -> None:
        self.wakeups = inner.wakeups
        self.doing = ""
        self._inner = inner
        self._faults = faults

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        with self._inner.transaction() as tx:
            yield tx
            self._faults.passing(f"{self.doing}.before")
        self._faults.passing(f"{self.doing}.after")

    def reading(self) -> AbstractContextManager[Session]:
        return self._inner.reading()

    def is_outage(self, error: BaseException) -> bool:
        return self._inner.is_outage(error)

    def recover(self) -> None:
        self._inner.recover()

    def close_thread(self) -> None:
        self._inner.close_thread()


class Platform:
    """Accept → handle → announce → deliver, one step after the other."""

    def __init__(self, store: FaultyStore, faults: Faults, parent: Parent) -> None:
        self.store = store
        self.faults = faults
        self.parent = parent
        known = Handlers()
        known.on_arrival("call", self.open_incident)
        known.on_timer("expiry", self.expire)
        known.subscribe(Subscriber("police", frozenset({"offer", "expired"}), _prepare, self.deliver))
        retry = Retry(100, 0.0, 0.0, lambda: 0.0)
        self.intake = Intake(store, known, retry, system_clock)
        self.firing = Firing(store, known, retry, system_clock)
        self.courier = Courier(store, known, retry, system_clock)

    def run(self) -> None:
        while self.accept() or self.work():
            pass

    def accept(self) -> bool:
        calls = self.parent.say(ask=100)
        if not calls:
            return self.work()
        self.store.doing = "accept"
        with self.store.transaction() as tx:
            for message_id, key, body in calls:
                arrival = inbox.Arrival("police", message_id, "call", key, body.encode(), CITY, Mode.SIMULATED)
                inbox.accept(tx, arrival, system_clock())
        self.parent.say(ack=[call[0] for call in calls])
        self.work()
        return True

    def work(self) -> bool:
        done = 0
        self.store.doing = "handle"
        done += self.intake.run_once()
        self.store.doing = "fire"
        done += self.firing.run_once()
        self.store.doing = "fan_out"
        done += self.courier.fan_out()
        self.store.doing = "settle"
        return done + self.courier.run_once() > 0

    def open_incident(self, tx: Session, message: InboxMessage, now: datetime) -> None:
        name = message.body.decode()
        changes.touch(tx, kind="call", ref=name, authority=CITY, now=now)
        _announce(tx, "offer", message.key, f"offer {name}", now)
        if name.endswith("0"):
            timers.set_timer(tx, kind="expiry", key=name, due_at=now, authority=CITY, mode=message.mode)

    def expire(self, tx: Session, timer: Timer, now: datetime) -> None:
        changes.touch(tx, kind="timer", ref=timer.key, authority=CITY, now=now)
        _announce(tx, "expired", f"timer {timer.key}", f"expired {timer.key}", now)

    def deliver(self, delivery: Delivery) -> None:
        self.faults.passing("deliver.before")
        answer = self.parent.say(deliver=delivery.message_id, key=delivery.key, name=delivery.wire.decode())
        self.faults.passing("deliver.after")
        if answer == "busy":
            raise TemporaryError("busy", delay_s=0)


def _announce(tx: Session, topic: str, key: str, name: str, now: datetime) -> None:
    outbox.announce(tx, topic=topic, key=key, body={"name": name}, authority=CITY, mode=Mode.SIMULATED, now=now)


def _prepare(message: Any) -> bytes:  # Any: an OutboxMessage
    return str(message.body["name"]).encode()


def _open(kind: str, path: Path, synchronous: str) -> tuple[Store, DroppingVFS | None]:
    if kind == "django":
        return _open_django(path, synchronous), None
    vfs = DroppingVFS() if kind == "dropping" else None
    store = ApswStore(path, vfs="dropping" if vfs else None)
    with store.reading() as tx:
        tx.execute(f"PRAGMA synchronous={synchronous}")
    return store, vfs


def _open_django(path: Path, synchronous: str) -> Store:
    import django
    from django.conf import settings

    pragmas = f"PRAGMA journal_mode=WAL; PRAGMA synchronous={synchronous}; PRAGMA foreign_keys=ON;"
    options = {"transaction_mode": "IMMEDIATE", "timeout": 10, "init_command": pragmas}
    database = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(path), "OPTIONS": options}
    settings.configure(INSTALLED_APPS=["madang.journal"], DATABASES={"default": database}, USE_TZ=True)
    django.setup()
    from madang.journal.django_session import DjangoStore

    return DjangoStore()


def main() -> None:
    descriptor, kind, path, synchronous, point, times = sys.argv[1:]
    store, vfs = _open(kind, Path(path), synchronous)
    faults = Faults(point, int(times), vfs)
    Platform(FaultyStore(store, faults), faults, Parent(int(descriptor))).run()


if __name__ == "__main__":
    main()
