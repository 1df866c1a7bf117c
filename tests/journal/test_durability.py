"""Killed at each commit point, on a disk that forgets: nothing acknowledged is lost, nothing outside happens twice."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import apsw
import pytest

from tests.journal import stores

ROOT = Path(__file__).parents[2]
POINTS = [
    f"{doing}.{side}"
    for doing in ("accept", "handle", "fire", "fan_out", "settle", "deliver")
    for side in ("before", "after")
]
LIVES = [*POINTS, *["handle.after", "fire.after", "settle.before"] * 2]
"""Where the platform dies, in random order: everywhere, and more often where a half-done thing would hurt most."""
WITHIN = {"accept": 3, "handle": 60, "fire": 6, "fan_out": 3, "settle": 3, "deliver": 60}
"""How late in a life the process is killed at most, counted in passes of the point."""
KEYS = 400


@dataclass
class Ledger:
    """Sender and receiver outside the platform: what was acknowledged, and what happened, once for each message id."""

    total: int
    chance: random.Random
    acknowledged: set[int] = field(default_factory=set)
    effects: dict[str, str] = field(default_factory=dict)
    by_key: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    repeats: int = 0

    def answer(self, message: dict[str, Any]) -> object:  # Any: JSON values
        if "ask" in message:
            return self._next(message["ask"])
        if "ack" in message:
            self.acknowledged.update(int(message_id[1:]) for message_id in message["ack"])
            return "ok"
        if self.chance.random() < 0.02:
            return "busy"
        return self._effect(message["deliver"], message["key"], message["name"])

    def _next(self, count: int) -> list[tuple[str, str, str]]:
        found = []
        start = self._first_open()
        for number in range(start, self.total):
            if number not in self.acknowledged:
                found.append((f"m{number}", f"call-{number % KEYS}", str(number)))
            if len(found) == count:
                break
        return found

    def _first_open(self) -> int:
        self._start = getattr(self, "_start", 0)
        while self._start in self.acknowledged:
            self._start += 1
        return self._start

    def _effect(self, message_id: str, key: str, name: str) -> str:
        if message_id in self.effects:
            self.repeats += 1
        else:
            self.effects[message_id] = name
            self.by_key[key].append(name)
        return "ok"


def live(ledger: Ledger, kind: str, path: Path, synchronous: str, point: str = "", times: int = 0) -> int:
    """One life of the platform; returns how it ended (negative: killed by that signal)."""
    ours, theirs = socket.socketpair()
    arguments = [str(theirs.fileno()), kind, str(path), synchronous, point, str(times)]
    child = subprocess.Popen(
        [sys.executable, "-m", "tests.journal.durable_child", *arguments],
        pass_fds=[theirs.fileno()],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"},
    )
    theirs.close()
    try:
        with ours, ours.makefile("rw", encoding="utf-8", newline="\n") as line:
            for text in line:
                line.write(json.dumps(ledger.answer(json.loads(text))) + "\n")
                line.flush()
    except (BrokenPipeError, ConnectionResetError):
        pass
    finally:
        ended = child.wait(timeout=60)
    return ended


def campaign(kind: str, path: Path, total: int, synchronous: str, seed: int) -> Ledger:
    """Kills the platform at every point, then lets it finish."""
    chance = random.Random(seed)
    ledger = Ledger(total, random.Random(seed + 1))
    for point in chance.sample(LIVES, len(LIVES)):
        times = chance.randint(1, WITHIN[point.partition(".")[0]])
        assert live(ledger, kind, path, synchronous, point, times) == -signal.SIGKILL, f"never came to {point}"
    assert live(ledger, kind, path, synchronous) == 0
    return ledger


def holds(ledger: Ledger, path: Path) -> None:
    """What must be so in the end, whatever happened on the way."""
    calls = [str(number) for number in range(ledger.total)]
    timed = [name for name in calls if name.endswith("0")]
    assert len(ledger.acknowledged) == ledger.total
    expected = Counter([f"offer {name}" for name in calls] + [f"expired {name}" for name in timed])
    assert Counter(ledger.effects.values()) == expected
    for key, names in ledger.by_key.items():
        if key.startswith("call-"):
            assert names == sorted(names, key=lambda name: int(name.split()[1]))
    with stores.apsw_file(path) as store, store.reading() as tx:
        assert Counter(row[0] for row in tx.execute("SELECT ref FROM journal_change WHERE kind = 'call'")) == Counter(
            calls
        )
        assert Counter(row[0] for row in tx.execute("SELECT ref FROM journal_change WHERE kind = 'timer'")) == Counter(
            timed
        )
        for table in ("journal_inbox", "journal_delivery", "journal_timer"):
            assert tx.execute(f"SELECT DISTINCT state FROM {table}") == [("done",)]
        assert tx.execute("PRAGMA integrity_check") == [("ok",)]


@pytest.mark.parametrize(("kind", "total"), [("django", 10_000), ("apsw", 3_000)])
def test_killed_at_each_commit_point_nothing_is_lost_and_nothing_doubled(
    kind: str, total: int, migrated_file: Path, tmp_path: Path
) -> None:
    path = tmp_path / "journal.sqlite3"
    if kind == "django":
        shutil.copy(migrated_file, path)
    ledger = campaign(kind, path, total, "OFF", seed=20_261_122)
    assert ledger.repeats > 0
    holds(ledger, path)


def test_on_a_disk_that_drops_unsynced_writes_nothing_is_lost_and_nothing_doubled(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite3"
    ledger = campaign("dropping", path, 3_000, "FULL", seed=1)
    holds(ledger, path)


def test_that_disk_does_lose_what_is_acknowledged_without_a_sync(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite3"
    ledger = Ledger(300, random.Random(1))
    assert live(ledger, "dropping", path, "FULL", "accept.before", 1) == -signal.SIGKILL
    assert live(ledger, "dropping", path, "OFF", "accept.before", 2) == -signal.SIGKILL
    assert len(ledger.acknowledged) == 100
    assert _readable(path) < 100


def _readable(path: Path) -> int:
    """How many arrivals can still be read; a store that does not even open has lost them all."""
    try:
        with stores.apsw_file(path) as store, store.reading() as tx:
            return int(tx.execute("SELECT COUNT(*) FROM journal_inbox")[0][0])
    except (apsw.CorruptError, apsw.NotADBError):
        return 0
