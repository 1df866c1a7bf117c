"""Messages sent to a core that is killed again and again: none lost, none doubled, timers in time.

Thirty per cent are sent twice and all are shuffled; what is not answered is sent again. Afterwards the store is
compared, row by row, with the sender's own ledger of what was accepted. Shelves that expire meanwhile show how late
timers fire.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from benchmarks.result import Result
from benchmarks.signals_city import CITY, SOUTH, STEP, WEST, Home, Line, core, report, settle_in

LINES = 6
DEVICES = 20_000
PLACES = 400
AGAIN = 0.3
LATE_S = 2.0
TIMERS = 40
_SETTLE_S = 900.0
_CLASSES = ("loitering", "intrusion", "abandoned_object", "motion")

_SHELVE = """
import sys
from datetime import timedelta
from madang.cli.house import open_house
open_house()
from madang.identity.rights import system_actor
from madang.journal import civic
from madang.kernel.clock import system_clock
from madang.kernel.mode import Mode
from madang.response.signals.shelves import shelve
city, count, spread_s = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
now = system_clock() + timedelta(seconds=15)
for n in range(count):
    at = now + timedelta(seconds=spread_s * n / count) - timedelta(minutes=1)
    with civic.transaction() as tx:
        shelve(tx, system_actor(city), authority=city, mode=Mode.LIVE, source="bell", device=f"T-{n}", minutes=1,
               reason="timer", now=at)
"""


@dataclass
class Ledger:
    """What the sender knows: which messages were answered as accepted, and when the core was away."""

    accepted: set[str] = field(default_factory=set)
    sent: int = 0
    conflicts: int = 0
    away: list[tuple[float, float]] = field(default_factory=list)
    """From each kill to the first answer after it, Unix seconds."""
    done: asyncio.Event = field(default_factory=asyncio.Event)


def messages(total: int, dice: random.Random) -> list[list[dict[str, Any]]]:  # Any: JSON
    """Batches of reports, shuffled, thirty per cent of them twice."""
    places = [(WEST + dice.random() * 4 * STEP, SOUTH + dice.random() * 3 * STEP) for _ in range(PLACES)]
    every = []
    for number in range(total):
        device = dice.randrange(DEVICES)
        every.append(report(number, device, dice.choice(_CLASSES), *places[device % PLACES]))
    every += dice.sample(every, int(total * AGAIN))
    dice.shuffle(every)
    size = min(500, max(50, total // 200))
    return [every[at : at + size] for at in range(0, len(every), size)]


async def feed(home: Home, batches: list[list[dict[str, Any]]], ledger: Ledger) -> None:  # Any: JSON
    """Sends every batch until it is answered, over a few connections at once."""
    waiting = list(reversed(batches))

    async def carry() -> None:
        line = Line(home)
        while waiting:
            batch = waiting.pop()
            body = orjson.dumps({"signals": batch})
            while not await _sent(line, body, batch, ledger):
                await asyncio.sleep(0.05)
        line.close()

    async with asyncio.TaskGroup() as tasks:
        for _ in range(LINES):
            tasks.create_task(carry())


async def _sent(line: Line, body: bytes, batch: list[dict[str, Any]], ledger: Ledger) -> bool:  # Any: JSON
    try:
        async with asyncio.timeout(20):
            status, answer = await line.post(body)
    except (OSError, EOFError, TimeoutError):
        line.close()
        return False
    ledger.sent += len(batch)
    if status != 202:
        return False
    for told, given in zip(batch, orjson.loads(answer)["answers"], strict=True):
        if given["receipt"] in ("new", "repeated"):
            ledger.accepted.add(f"{told['device']}/{told['source_id']}")
        ledger.conflicts += given["receipt"] == "conflicting"
    return True


async def kill_again_and_again(home: Home, every_s: float, most: int, ledger: Ledger) -> None:
    """Runs the core, kills it with SIGKILL after so many seconds, and runs it again, until everything was fed."""
    killed_at = 0.0
    while not ledger.done.is_set():
        with contextlib.ExitStack() as stack:
            process = await asyncio.to_thread(stack.enter_context, core(home))
            if killed_at:
                ledger.away.append((killed_at, time.time()))
            until = time.monotonic() + every_s
            while not ledger.done.is_set() and (time.monotonic() < until or len(ledger.away) >= most):
                await asyncio.sleep(0.05)
            killed_at = time.time()
            process.send_signal(signal.SIGKILL)
            await asyncio.to_thread(process.wait)


async def campaign(home: Home, total: int, every_s: float, most: int) -> Ledger:
    """Feeds everything while the core is killed; returns the sender's ledger."""
    ledger = Ledger()
    batches = messages(total, random.Random(23))
    killing = asyncio.create_task(kill_again_and_again(home, every_s, most, ledger))
    await feed(home, batches, ledger)
    ledger.done.set()
    await killing
    return ledger


def finish(home: Home) -> None:
    """Lets a last core settle what still waits and fire what is due."""
    with core(home):
        deadline = time.monotonic() + _SETTLE_S
        while time.monotonic() < deadline and (_count(home, "outcome = ''") or _timers_waiting(home)):
            time.sleep(0.5)


def _read(home: Home, sql: str) -> list[tuple[Any, ...]]:  # Any: column values
    """Reads the store from a process of its own kind: never beside the one that writes it."""
    store = sqlite3.connect(f"file:{home.store}?mode=ro", uri=True)
    try:
        return store.execute(sql).fetchall()
    finally:
        store.close()


def _count(home: Home, where: str) -> int:
    return int(_read(home, f"SELECT COUNT(*) FROM signals_signal WHERE {where}")[0][0])


def _timers_waiting(home: Home) -> int:
    sql = "SELECT COUNT(*) FROM journal_timer WHERE kind = 'signals.unshelve' AND state = 'waiting' AND due_at < '9'"
    return int(_read(home, f"{sql} AND key IN (SELECT id FROM signals_shelf WHERE source = 'bell')")[0][0])


def reconcile(home: Home, ledger: Ledger) -> tuple[int, int]:
    """How many accepted messages are lost, and how many doubled or ended in none or several places."""
    rows = _read(home, "SELECT device || '/' || source_id, outcome, event_id, shelf_id FROM signals_signal")
    kept = {row[0] for row in rows}
    lost = len(ledger.accepted - kept)
    doubled = len(rows) - len(kept)
    events = {row[0] for row in _read(home, "SELECT id FROM signals_event")}
    doubled += sum(not _ended_once(row[1:], events) for row in rows)
    counted = _read(home, "SELECT COALESCE(SUM(signals), 0) FROM signals_event")[0][0]
    doubled += abs(counted - sum(row[1] == "incident" for row in rows))
    grown = _read(home, "SELECT COALESCE(SUM(signal_count), 0) FROM response_incident")[0][0]
    return lost, doubled + abs(grown - counted)


def _ended_once(row: tuple[str, str, str], events: set[str]) -> bool:
    """Whether a signal ended in exactly one incident, shelf or rejection."""
    outcome, event_id, shelf_id = row
    ends = {"incident": event_id in events and not shelf_id, "shelf": bool(shelf_id) and not event_id}
    return ends.get(outcome, outcome == "reject" and not event_id and not shelf_id)


def lateness_s(home: Home, ledger: Ledger) -> tuple[float, int]:
    """How late the latest timer fired, from the recovery where the core was away when it fell due; how many fired."""
    sql = "SELECT t.due_at, t.finished_at, t.attempts FROM journal_timer t JOIN signals_shelf s ON s.id = t.key"
    rows = _read(home, f"{sql} WHERE s.source = 'bell' AND t.state = 'done' AND t.attempts = 1")
    latest = 0.0
    for due_text, fired_text, _ in rows:
        due, fired = (datetime.fromisoformat(text).timestamp() for text in (due_text, fired_text))
        for killed, back in ledger.away:
            if killed <= due < back or due <= killed < fired:
                due = back
        latest = max(latest, fired - due)
    return latest, len(rows)


def run(quick: bool) -> list[Result]:
    """Lost, doubled, and the lateness of timers after recovery."""
    total, every_s, most, spread_s = (20_000, 2.0, 4, 30.0) if quick else (1_000_000, 15.0, 1_000, 240.0)
    with tempfile.TemporaryDirectory() as folder:
        home = settle_in(Path(folder) / "city")
        command = [sys.executable, "-c", _SHELVE, CITY, str(TIMERS), str(spread_s)]
        subprocess.run(command, env=home.environment, check=True, timeout=120)
        ledger = asyncio.run(campaign(home, total, every_s, most))
        finish(home)
        lost, doubled = reconcile(home, ledger)
        late_s, fired = lateness_s(home, ledger)
    kills = len(ledger.away)
    name = f"of {len(ledger.accepted):,} accepted messages, {ledger.sent:,} sent, shuffled, {kills} times kill -9"
    kept = len(ledger.accepted) - lost
    return [
        Result(f"kept {name}", kept, total, kept / total, 1.0, "signals"),
        Result(f"doubled or astray {name}", doubled, 0, float(doubled), 0.0, "signals", at_least=False),
        Result(f"timers fired once of {TIMERS}", fired, TIMERS, fired / TIMERS, 1.0, "timers"),
        Result("latest timer after recovery", late_s, LATE_S, late_s / LATE_S, 1.0, "s", at_least=False),
    ]


if __name__ == "__main__":
    for result in run(quick="--quick" in sys.argv):
        print(result.line())
