"""From a police call to the cameras offered, and from there to the first picture, as the police see it.

The whole platform as processes with simulated cameras all over the city; a police room that calls at a steady rate,
looks at the first camera of about one offer a second, and closes each call again.
"""

from __future__ import annotations

import asyncio
import json
import math
import random
import statistics
import sys
import tempfile
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path

import websockets

from benchmarks import demo_city
from benchmarks.result import Result
from madang_demo.police112.ledger import Ledger
from madang_demo.police112.platform import Door, Message, Platform, RefusedError, listen
from madang_demo.police112.settings import Settings, load
from madang_demo.police112.signing import Signer, Verifier
from madang_demo.police112.stories import Spot

GOAL_MS, GOAL_FRAME_S = 500.0, 3.0
PER_S = 5
HELD_S = 4.0
PATIENCE_S = 20.0
OFFICER = {"id": "P-1001", "name": "김순경", "unit": "김해중부서 112상황실"}


@dataclass
class Call:
    """What happened to one call. Times are monotonic seconds."""

    spot: Spot
    number: str = field(default_factory=lambda: f"bench-{uuid.uuid4()}")
    began_s: float = 0.0
    accepted: bool = False
    offered_s: list[float] = field(default_factory=list)
    offer: Message = field(default_factory=dict)
    heard: asyncio.Event = field(default_factory=asyncio.Event)
    frame_s: float | None = None
    """Seconds from asking for the lease to the first fragment; infinite when there was none."""


class Room:
    """A police room that measures."""

    def __init__(self, settings: Settings, ledger: Ledger) -> None:
        self._settings = settings
        self._platform = Platform(settings, ledger, Signer.read(settings.private_key, settings.key_id))
        self._door = Door(settings, ledger, self._hear)
        self.calls: dict[str, Call] = {}

    async def work(self, spots: list[Spot], seconds: float) -> list[Call]:
        """Calls at a steady rate for so long; returns them once each has been offered cameras and closed."""
        server = await listen(self._settings, self._door)
        self._door.verifier = Verifier(await self._platform.keys())
        try:
            await asyncio.gather(*(self._call(Call(spot), look=False) for spot in spots[:3]))  # nobody measures these
            self.calls.clear()
            await self._steadily(spots[3:], seconds)
        finally:
            server.should_exit = True
            await self._platform.close()
        return list(self.calls.values())

    async def _steadily(self, spots: list[Spot], seconds: float) -> None:
        began = time.monotonic()
        async with asyncio.TaskGroup() as tasks:
            for count in range(int(seconds * PER_S)):
                await asyncio.sleep(max(0.0, began + count / PER_S - time.monotonic()))
                tasks.create_task(self._call(Call(spots[count % len(spots)]), look=count % PER_S == 0))

    async def _call(self, call: Call, *, look: bool) -> None:
        self.calls[call.number] = call
        call.began_s = time.monotonic()
        await self._platform.send("VideoRequest", call.number, 1, _facts(call.spot))
        call.accepted = True
        try:
            await asyncio.wait_for(call.heard.wait(), PATIENCE_S)
        except TimeoutError:
            return
        closing = asyncio.create_task(asyncio.sleep(HELD_S))
        if look and call.offer["cameras"]:
            call.frame_s = await self._first_frame(call)
        await closing
        await self._platform.send("CallClosed", call.number, 2, {})

    def _hear(self, message: Message) -> None:
        call = self.calls.get(message["dialogue_id"])
        if call is not None and message["kind"] == "GrantOffer":
            call.offered_s.append(time.monotonic())
            call.offer = message["body"]
            call.heard.set()

    async def _first_frame(self, call: Call) -> float:
        own = self._settings
        who = {"from": own.agency, "to": own.authority, "mode": own.mode}
        wanted = {**who, "grant_id": call.offer["grant_id"], "camera_id": call.offer["cameras"][0]["camera_id"]}
        began = time.monotonic()
        try:
            ticket = await self._platform.post("/leases", {**wanted, "officer": OFFICER})
            async with asyncio.timeout(PATIENCE_S):
                await _see(ticket["url"], ticket["token"])
        except (RefusedError, KeyError, OSError, TimeoutError, websockets.WebSocketException) as error:
            print(f"no picture: {type(error).__name__}: {error}", file=sys.stderr)
            return math.inf
        return time.monotonic() - began


async def _see(url: str, token: str) -> None:
    """Returns with the first media fragment: the second binary message, after the initialisation segment."""
    async with websockets.connect(url, max_size=16_000_000) as socket:
        await socket.send(json.dumps({"lease": token}))
        binary = 0
        while binary < 2:
            binary += isinstance(await socket.recv(), bytes)


def _facts(spot: Spot) -> Message:
    place = {"lon": spot.lon, "lat": spot.lat, "accuracy_m": 20, "address": spot.address}
    return {
        "code": 1,
        "crime_class": "robbery",
        "place": place,
        "radius_m": 500,
        "basis": "pipa_18_2_3",
        "officer": OFFICER,
        "caller": {"phone": "010-0000-0112"},
        "text": "[모의] 편의점 강도 신고",
    }


def run(quick: bool) -> list[Result]:
    """p99 from call to offer, p95 from lease to picture, and whether every accepted call got exactly one offer."""
    cameras, seconds = (2_000, 5.0) if quick else (20_000, 60.0)
    with tempfile.TemporaryDirectory() as folder:
        spots = demo_city.make_files(Path(folder) / "city", cameras)
        state = Path(folder) / "demo"
        files = ("--data", str(Path(folder) / "city"), "--city", demo_city.CITY)
        with demo_city.demo(state, *files):
            calls = measure(state, spots, seconds)
    return results(calls, cameras)


def measure(state: Path, spots: list[Spot], seconds: float) -> list[Call]:
    """Runs the police room of a demo that is up."""
    random.Random(11).shuffle(spots)
    settings = load(state / "police112" / "police112.toml")
    ledger = Ledger(settings.ledger)
    try:
        return asyncio.run(Room(settings, ledger).work(spots, seconds))
    finally:
        ledger.close()


def results(calls: list[Call], cameras: int) -> list[Result]:
    """The figures of a run."""
    offer_ms = [(call.offered_s[0] - call.began_s) * 1000 if call.offered_s else math.inf for call in calls]
    frames = [call.frame_s for call in calls if call.frame_s is not None]
    accepted = [call for call in calls if call.accepted]
    once = sum(len(call.offered_s) == 1 for call in accepted)
    p99, p95 = percentile(offer_ms, 99), percentile(frames, 95)
    looked = f"{sum(map(math.isfinite, frames))} of {len(frames)} seen, p50 {percentile(frames, 50):.2f} s"
    return [
        Result(
            f"112 call → offer, p99 of {len(calls)} at {PER_S}/s, {cameras:,} cameras"
            f" (p50 {statistics.median(offer_ms):.0f} ms)",
            p99,
            GOAL_MS,
            p99 / GOAL_MS,
            1.0,
            "ms",
            at_least=False,
        ),
        Result(
            f"112 lease → first frame, p95 ({looked})", p95, GOAL_FRAME_S, p95 / GOAL_FRAME_S, 1.0, "s", at_least=False
        ),
        Result("accepted calls with exactly one offer", once, len(accepted), once / len(accepted), 1.0, "calls"),
    ]


def percentile(values: list[float], share: int) -> float:
    """The smallest value that so many per cent do not exceed."""
    return sorted(values)[max(0, math.ceil(share * len(values) / 100) - 1)] if values else math.nan


if __name__ == "__main__":
    for result in run(quick="--quick" in sys.argv):
        print(result.line())
