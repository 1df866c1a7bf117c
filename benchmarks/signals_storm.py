"""A storm of 20,000 signals in ten minutes with four operators on duty: what they are given, and what is lost to them.

Eighty flapping sensors, rain on two thousand cameras, and sixty true incidents among them, a third of them urgent. The
signals are taken in and settled in this order at the times they tell of, as fast as the machine can.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks.result import Result
from benchmarks.signals_city import CITY, SOUTH, STEP, WEST, settle_in

OPERATORS = 4
MINUTES = 10
TRUE_ONES = 60
URGENT = ("fire", "emergency_bell", "gas")
PRESSING = ("fight", "fall", "traffic_accident", "intrusion", "smoke")
NEED = 10
_PER_S = 500.0


@dataclass(frozen=True, slots=True)
class Told:
    """One signal of the storm, so many seconds after its beginning."""

    at_s: float
    device: str
    class_code: str
    lon: float
    lat: float
    text: str = ""
    ending: bool = False


def storm(total: int, dice: random.Random) -> tuple[list[Told], dict[str, str]]:
    """The signals in the order of their times, and the class of each true incident by its name."""

    def spot() -> tuple[float, float]:
        return WEST + dice.random() * 4 * STEP, SOUTH + dice.random() * 3 * STEP

    true_ones, told = _true_ones(dice, spot), []
    for name, (class_code, (lon, lat), at_s) in true_ones.items():
        for witness in range(dice.randrange(2, 6)):
            where = lon + dice.uniform(-1, 1) * 1e-4, lat + dice.uniform(-1, 1) * 1e-4
            told.append(Told(at_s + witness * dice.uniform(1, 15), f"{name}-{witness}", class_code, *where, text=name))
    flapping = [(f"FLAP-{n}", *spot()) for n in range(total // 250)]
    for device, lon, lat in flapping:
        at_s, ending = dice.uniform(0, 4), False
        while at_s < MINUTES * 60:
            told.append(Told(at_s, device, "device_tampered", lon, lat, ending=ending))
            at_s, ending = at_s + dice.uniform(3, 9), not ending
    rain = [(f"CAM-{n}", *spot()) for n in range(2_000)]
    while len(told) < total:
        device, lon, lat = dice.choice(rain)
        class_code = dice.choice(("intrusion", "loitering", "abandoned_object"))
        told.append(Told(dice.uniform(0, MINUTES * 60), device, class_code, lon, lat))
    told.sort(key=lambda one: one.at_s)
    return told, {name: one[0] for name, one in true_ones.items()}


def _true_ones(dice: random.Random, spot: Any) -> dict[str, Any]:  # Any: class, place and time by name
    return {
        f"참{n:02d}": (
            dice.choice(URGENT) if n % 3 == 0 else dice.choice(PRESSING),
            spot(),
            dice.uniform(10, MINUTES * 60 - 120),
        )
        for n in range(TRUE_ONES)
    }


# ------------------------------------------------------------------------------- inside the city's own process


def play(total: int) -> dict[str, Any]:  # Any: figures
    """Runs the storm in this process, whose store is the city's; returns what came of it."""
    from madang.cli.house import open_house

    open_house()
    from madang.identity.rights import system_actor
    from madang.journal import civic
    from madang.kernel.mode import Mode
    from madang.response.signals.intake import Draft, accept
    from madang.response.signals.settlement import Settlement

    told, true_ones = storm(total, random.Random(11))
    begin = datetime.now(UTC)
    now = [begin]
    settlement = Settlement(civic.store, lambda: now[0])
    actor = system_actor(CITY)
    began = time.monotonic()
    for second in range(MINUTES * 60 + 1):
        now[0] = begin + timedelta(seconds=second + 1)
        some = [one for one in told if second <= one.at_s < second + 1]
        drafts = [
            Draft(
                authority=CITY,
                mode=Mode.LIVE,
                source="sensor",
                source_id=f"{one.device}@{one.at_s:.4f}",
                device=one.device,
                class_code=one.class_code,
                observed_at=begin + timedelta(seconds=one.at_s),
                lon=one.lon,
                lat=one.lat,
                accuracy_m=None,
                text=one.text,
                ending=one.ending,
            )
            for one in some
        ]
        with civic.transaction() as tx:
            accept(tx, actor, drafts, now[0])
        while settlement.run_once():
            pass
    return look(true_ones) | {"seconds": time.monotonic() - began}


def look(true_ones: dict[str, str]) -> dict[str, Any]:  # Any: figures
    """What operators were given, and whether each true incident is where they find it."""
    from madang.identity.rights import system_actor
    from madang.response.models import Incident
    from madang.response.signals import queries
    from madang.response.signals.models import Event, Shelf, Signal, Storm

    actor = system_actor(CITY)
    shown = list(Incident.objects.filter(priority__gt=1).values_list("opened_at", flat=True))
    ten = timedelta(minutes=10)
    most = max(sum(at - ten < other <= at for other in shown) for at in shown)
    found = urgent_shown = 0
    for name, class_code in true_ones.items():
        page = queries.find_events(actor, CITY, "live", queries.Filter(text=name))
        found += any(row["class_code"] == class_code for row in page.rows)
        if class_code in URGENT:
            incidents = Incident.objects.filter(pk__in=[row["incident_id"] for row in page.rows])
            urgent_shown += incidents.filter(class_code=class_code, priority__lte=1).exists()
    return {
        "most": most,
        "found": found,
        "urgent": sum(class_code in URGENT for class_code in true_ones.values()),
        "urgent_shown": urgent_shown,
        "signals": Signal.objects.count(),
        "settled": Signal.objects.exclude(outcome="").count(),
        "events": Event.objects.count(),
        "storms": Storm.objects.count(),
        "shelves": Shelf.objects.count(),
        "incidents": Incident.objects.count(),
    }


# ----------------------------------------------------------------------------------------------------- results


def run(quick: bool) -> list[Result]:
    """New items per operator, true incidents found, urgent ones shown by themselves, signals settled a second."""
    total = 5_000 if quick else 20_000
    with tempfile.TemporaryDirectory() as folder:
        home = settle_in(Path(folder) / "city")
        command = [sys.executable, "-m", "benchmarks.signals_storm", "--play", str(total)]
        done = subprocess.run(command, env=home.environment, check=True, capture_output=True, text=True)
    figures = json.loads(done.stdout.splitlines()[-1])
    each = figures["most"] / OPERATORS
    of = f"of a storm of {figures['signals']:,} signals ({figures['events']} events, {figures['storms']} storms,"
    of += f" {figures['shelves']} shelves)"
    rate = figures["settled"] / figures["seconds"]
    shares = [
        (f"new items per operator in ten minutes {of}, {OPERATORS} on duty", each, NEED, "items", False),
        ("true incidents of the storm found by search", figures["found"], TRUE_ONES, "found", True),
        ("urgent ones of the storm shown by themselves", figures["urgent_shown"], figures["urgent"], "shown", True),
        ("signals taken in and settled, one process", rate, _PER_S, "1/s", True),
    ]
    return [
        Result(name, ours, limit, ours / limit, 1.0, unit, at_least) for name, ours, limit, unit, at_least in shares
    ]


if __name__ == "__main__":
    if "--play" in sys.argv:
        print(json.dumps(play(int(sys.argv[-1]))))
    else:
        for result in run(quick="--quick" in sys.argv):
            print(result.line())
