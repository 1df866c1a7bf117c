"""`python -m madang_demo.police112 --config FILE`: a police room at work until interrupted or out of calls."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import logging
import signal
import sys
from collections.abc import AsyncIterator, Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from madang_demo.police112.desk import Desk
from madang_demo.police112.ledger import Ledger
from madang_demo.police112.platform import Door, Platform, RefusedError, listen
from madang_demo.police112.reconcile import everything, reconcile
from madang_demo.police112.settings import Settings, load
from madang_demo.police112.signing import Signer, Verifier, make_keys
from madang_demo.police112.stories import Day, read_spots

log = logging.getLogger("police112")
T = TypeVar("T")
Report = dict[str, object]

_CLOSING_S = 2.0
_RECONCILING_S = 1.8
"""Interrupted, the room closes and compares within four seconds."""
_PATIENCE_S = 15.0
_LOOK_S = 0.2


@dataclass(frozen=True, slots=True)
class Room:
    """What the room works with."""

    ledger: Ledger
    platform: Platform
    desk: Desk
    door: Door


async def heartbeats(platform: Platform, every_s: float) -> None:
    """Says that we are here, for ever."""
    while True:
        await platform.heartbeat()
        await asyncio.sleep(every_s)


async def finish_yesterday(platform: Platform, ledger: Ledger) -> None:
    """Sends what an earlier run left unanswered, and closes its calls: nothing booked is forgotten."""
    for msg_id, wire in ledger.unsent():
        if json.loads(wire)["kind"] != "Heartbeat":
            try:
                await platform.resend(msg_id, wire)
            except RefusedError as error:
                log.warning("%s stays refused: %s", msg_id, error)
    for number, seq in ledger.unfinished():
        with contextlib.suppress(RefusedError):
            await platform.send("CallClosed", number, seq, {"text": "[모의] 다시 시작하며 종결"})
        ledger.call_ended(number, "closed after a restart")


async def take_calls(settings: Settings, desk: Desk, stop: asyncio.Event) -> None:
    """Starts calls as they come; returns when `stop` is set, or the last of `total` has ended."""
    day = Day(read_spots(settings.places), settings.seed, f"{datetime.now():%Y%m%d-%H%M%S}")  # noqa: DTZ005 -- a name
    running: set[asyncio.Task[None]] = set()
    for count, call in enumerate(day.calls(), 1):
        task = desk.begin(call)
        running.add(task)
        task.add_done_callback(running.discard)
        if count == settings.total or await _within(stop, day.pause_s(settings.per_minute)):
            break
    while running and not await _within(stop, _LOOK_S):
        pass


async def _within(stop: asyncio.Event, seconds: float) -> bool:
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return False
    return True


@contextlib.asynccontextmanager
async def at_work(settings: Settings) -> AsyncIterator[Room]:
    """The room with its line, its book and its door; all closed at the end."""
    ledger = Ledger(settings.ledger)
    platform = Platform(settings, ledger, Signer.read(settings.private_key, settings.key_id))
    desk = Desk(settings, platform, ledger)
    door = Door(settings, ledger, desk.heard)
    server = await listen(settings, door)
    try:
        yield Room(ledger, platform, desk, door)
    finally:
        server.should_exit = True
        await platform.close()
        ledger.close()


async def run(settings: Settings) -> Report:
    """The room's day; returns its figures and how it compares with the platform's book."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with at_work(settings) as room:
        since = _began(room.ledger)
        keys = await _unless(stop, room.platform.keys())
        if keys is None:
            return {**room.ledger.figures(), **_verdict(["ended before the platform answered"])}
        room.door.verifier = Verifier(keys)
        beating = asyncio.create_task(heartbeats(room.platform, settings.heartbeat_s))
        try:
            await _unless(stop, finish_yesterday(room.platform, room.ledger))
            await take_calls(settings, room.desk, stop)
            await room.desk.close_all(_CLOSING_S)
            differences = await reconcile(
                room.platform, room.ledger, since, _RECONCILING_S if stop.is_set() else _PATIENCE_S
            )
        finally:
            beating.cancel()
        return {**room.ledger.figures(), "refused_at_our_door": room.door.refused, **_verdict(differences)}


async def _unless(stop: asyncio.Event, work: Coroutine[None, None, T]) -> T | None:
    """The work's result, or None where the room is to end first."""
    working, stopping = asyncio.create_task(work), asyncio.create_task(stop.wait())
    await asyncio.wait((working, stopping), return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if working.done():
        return working.result()
    working.cancel()
    return None


def _began(ledger: Ledger) -> datetime:
    """Since when this run's messages were made, those it sends again included."""
    now, oldest = datetime.now(UTC), ledger.unsent_since()
    return min(now, datetime.fromisoformat(oldest)) if oldest else now


def _verdict(differences: list[str]) -> Report:
    return {"reconciled": not differences, "differences": differences}


async def only_reconcile(settings: Settings) -> Report:
    """Compares the whole book with the platform's, and does nothing else."""
    ledger = Ledger(settings.ledger)
    platform = Platform(settings, ledger, Signer.read(settings.private_key, settings.key_id))
    try:
        return {**ledger.figures(), **_verdict(await reconcile(platform, ledger, everything(), _PATIENCE_S))}
    finally:
        await platform.close()
        ledger.close()


def main() -> int:
    parser = argparse.ArgumentParser(prog="madang_demo.police112", description=__doc__)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument(
        "--make-keys", action="store_true", help="write a key pair where the configuration wants it, and end"
    )
    parser.add_argument("--reconcile", action="store_true", help="only compare the book with the platform's, and end")
    options = parser.parse_args()
    settings = load(options.config)
    if options.make_keys:
        sys.stdout.write(f"{make_keys(settings.private_key)}\n")
        return 0
    logging.basicConfig(level=logging.INFO, format="%(asctime)s 모의112 %(message)s", stream=sys.stderr)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    report = asyncio.run((only_reconcile if options.reconcile else run)(settings))
    sys.stdout.write(json.dumps(report, ensure_ascii=False) + "\n")
    return 0 if report["reconciled"] else 1


if __name__ == "__main__":
    sys.exit(main())
