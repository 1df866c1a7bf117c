"""From a device's report to the operator's screen at 500 signals a second, through the whole core.

Ten thousand devices report one by one over HTTP; an operator's live stream is read beside. A signal counts as shown
once the incidents on that screen together count as many signals as were sent up to it: its own incident showed it
before.
"""

from __future__ import annotations

import asyncio
import random
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from benchmarks.result import Result
from benchmarks.signals_city import SOUTH, STEP, WEST, Home, Line, core, report, settle_in

PER_S = 500
LINES = 128
DEVICES = 10_000
PLACES = 60
WARM = 3
CLASSES = ("loitering", "intrusion", "fight", "smoke")
P95_S, P99_S = 1.0, 2.0
_DRAIN_S = 15.0


@dataclass
class Screen:
    """What an operator's screen has been told."""

    counts: dict[str, int] = field(default_factory=dict)
    shown: list[tuple[float, int]] = field(default_factory=list)
    """When, and how many signals the incidents then counted together."""

    def hear(self, frame: bytes, at_s: float) -> None:
        """Takes in one server-sent event."""
        for line in frame.split(b"\n"):
            if line.startswith(b"data: ") and b'"kind":"incident"' in line:
                row = orjson.loads(line[6:])["row"]
                if row is not None and row["source"] in ("signal", "system"):
                    self.counts[row["id"]] = row["signal_count"]
        self.shown.append((at_s, sum(self.counts.values())))


async def watch(home: Home, screen: Screen, ready: asyncio.Event) -> None:
    """Reads the live stream until cancelled."""
    reader, writer = await asyncio.open_connection("127.0.0.1", home.port, limit=2**24)
    writer.write(f"GET /api/console/live HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {home.cookie}\r\n\r\n".encode())
    head = await reader.readuntil(b"\r\n\r\n")
    if b" 200 " not in head:
        raise RuntimeError(head.decode("latin-1"))
    try:
        while True:
            frame = await reader.readuntil(b"\n\n")
            screen.hear(frame, time.monotonic())
            ready.set()
    finally:
        writer.close()


async def send(home: Home, seconds: float) -> tuple[list[float], int]:
    """Reports at a steady rate; when each was sent, and how many were not taken."""
    dice = random.Random(3)
    places = [(WEST + dice.random() * 4 * STEP, SOUTH + dice.random() * 3 * STEP) for _ in range(PLACES)]
    sent: list[float] = []
    failed = 0
    lines: asyncio.Queue[Line] = asyncio.Queue()
    for _ in range(LINES):
        lines.put_nowait(Line(home))
    began = time.monotonic()

    async def one(number: int, line: Line) -> None:
        nonlocal failed
        device = number % DEVICES
        lon, lat = places[device % PLACES]
        body = orjson.dumps({"signals": [report(number, device, CLASSES[device % len(CLASSES)], lon, lat)]})
        try:
            status, _ = await line.post(body)
            failed += status != 202
        finally:
            lines.put_nowait(line)

    async with asyncio.TaskGroup() as tasks:
        for number in range(int(seconds * PER_S)):
            await asyncio.sleep(max(0.0, began + number / PER_S - time.monotonic()))
            line = await lines.get()
            sent.append(began + number / PER_S)
            tasks.create_task(one(number, line))
    return sent, failed


async def measure(home: Home, seconds: float) -> tuple[list[float], int]:
    """Seconds from when each signal was due to be sent to when it was shown, and how many were not taken."""
    screen, ready = Screen(), asyncio.Event()
    watching = asyncio.create_task(watch(home, screen, ready))
    await ready.wait()
    await warm(home, screen)
    sent, failed = await send(home, seconds)
    await until_shown(screen, WARM + len(sent))
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    return delays(sent, [(at, count - WARM) for at, count in screen.shown]), failed


async def warm(home: Home, screen: Screen) -> None:
    """The first signals, which nobody measures: what is loaded when first used is loaded then."""
    line = Line(home)
    for number in range(WARM):
        bell = report(number, DEVICES + number, "emergency_bell", WEST + number * STEP / 2, SOUTH)
        await line.post(orjson.dumps({"signals": [bell]}))
    await until_shown(screen, WARM)
    line.close()


async def until_shown(screen: Screen, count: int) -> None:
    """Waits until the screen counts so many signals, or for too long."""
    deadline = time.monotonic() + _DRAIN_S
    while time.monotonic() < deadline and (not screen.shown or screen.shown[-1][1] < count):
        await asyncio.sleep(0.05)


def delays(sent: list[float], shown: list[tuple[float, int]]) -> list[float]:
    """The delay of each signal in order; infinite for what was never shown."""
    found: list[float] = []
    for at, count in shown:
        while len(found) < min(count, len(sent)):
            found.append(at - sent[len(found)])
    return found + [float("inf")] * (len(sent) - len(found))


def run(quick: bool) -> list[Result]:
    """p95 and p99 of what an operator waits at 500 signals a second."""
    seconds = 15.0 if quick else 600.0
    with tempfile.TemporaryDirectory() as folder:
        home = settle_in(Path(folder) / "city")
        with core(home):
            waits, failed = asyncio.run(measure(home, seconds))
    waits.sort()
    p50, p95, p99 = (waits[min(len(waits) - 1, int(len(waits) * share))] for share in (0.50, 0.95, 0.99))
    name = f"{PER_S} signals/s for {seconds:.0f} s → operator's screen"
    taken = len(waits) - failed
    return [
        Result(f"{name}, p95 (p50 {p50:.2f} s)", p95, P95_S, p95 / P95_S, 1.0, "s", at_least=False),
        Result(f"{name}, p99 (longest {waits[-1]:.2f} s)", p99, P99_S, p99 / P99_S, 1.0, "s", at_least=False),
        Result("signals taken of those sent", taken, len(waits), taken / len(waits), 1.0, "signals"),
    ]


if __name__ == "__main__":
    for result in run(quick="--quick" in sys.argv):
        print(result.line())
