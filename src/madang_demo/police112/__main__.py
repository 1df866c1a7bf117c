"""`python -m madang_demo.police112 --config FILE`: a police room at work until interrupted or out of calls."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import logging
import signal
import sys
from datetime import datetime
from pathlib import Path

from madang_demo.police112.desk import Desk
from madang_demo.police112.ledger import Ledger
from madang_demo.police112.platform import Door, Platform, RefusedError, listen
from madang_demo.police112.settings import Settings, load
from madang_demo.police112.signing import Signer, Verifier, make_keys
from madang_demo.police112.stories import Day, read_spots

log = logging.getLogger("police112")


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
    """Starts calls as they come; returns when `stop` is set or the last of `total` has ended."""
    day = Day(read_spots(settings.places), settings.seed, f"{datetime.now():%Y%m%d-%H%M%S}")  # noqa: DTZ005 -- a name
    running: set[asyncio.Task[None]] = set()
    for count, call in enumerate(day.calls(), 1):
        task = asyncio.create_task(desk.work(call))
        running.add(task)
        task.add_done_callback(running.discard)
        if count == settings.total:
            break
        try:
            await asyncio.wait_for(stop.wait(), day.pause_s(settings.per_minute))
            break
        except TimeoutError:
            continue
    if running and not stop.is_set():
        await asyncio.wait(running)
    for task in list(running):
        task.cancel()


async def run(settings: Settings) -> dict[str, object]:
    """The room's day; returns its figures."""
    ledger = Ledger(settings.ledger)
    platform = Platform(settings, ledger, Signer.read(settings.private_key, settings.key_id))
    desk = Desk(settings, platform, ledger)
    door = Door(settings, ledger, desk.heard)
    server = await listen(settings, door)
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    door.verifier = Verifier(await platform.keys())
    beating = asyncio.create_task(heartbeats(platform, settings.heartbeat_s))
    try:
        await finish_yesterday(platform, ledger)
        await take_calls(settings, desk, stop)
        return {**ledger.figures(), "refused_at_our_door": door.refused}
    finally:
        beating.cancel()
        server.should_exit = True
        await platform.close()
        ledger.close()


def main() -> None:
    parser = argparse.ArgumentParser(prog="madang_demo.police112", description=__doc__)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument(
        "--make-keys", action="store_true", help="write a key pair where the configuration wants it, and end"
    )
    options = parser.parse_args()
    settings = load(options.config)
    if options.make_keys:
        sys.stdout.write(f"{make_keys(settings.private_key)}\n")
        return
    logging.basicConfig(level=logging.INFO, format="%(asctime)s 모의112 %(message)s", stream=sys.stderr)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    sys.stdout.write(json.dumps(asyncio.run(run(settings)), ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
