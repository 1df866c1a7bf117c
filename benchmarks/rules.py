"""What a rule costs: one with six terms, and the follower on the store it really uses.

The follower takes readings of 2,000 sensors with ten rules in force, two of which listen to every reading, and writes
memories, waits and cursor in one durable transaction per batch; the load to be borne is 500 changes a second.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.result import Result

GOAL_US = 5.0
LOAD_PER_S = 500
SENSORS = 2_000
BATCH = 500
T = 1_795_305_600.0
SIX_TERMS = [
    {"on": "class", "classes": ["emergency_bell", "intrusion"]},
    {"on": "time", "start": "22:00", "end": "06:00", "negate": True},
    {"on": "attribute", "name": "floor", "is": ">=", "value": 1},
    {"on": "area", "area": {"shape": "polygon", "ring": [[128.8, 35.1], [129.0, 35.1], [129.0, 35.3], [128.8, 35.3]]}},
    {"on": "one_of", "name": "zone", "values": ["school", "park"]},
    {"on": "priority", "at_most": 3},
]
"""All of them hold, so that every one is asked."""


def run(quick: bool) -> list[Result]:
    """Six terms alone, a whole rule of six terms, and the follower."""
    return [*_terms(50_000 if quick else 500_000), *_follower(4 if quick else 40)]


def _terms(times: int) -> list[Result]:
    from madang.response.rules.engine import book_of, compile_rule, listeners_of, take
    from madang.response.rules.facts import SIGNAL, Fact, World
    from madang.response.rules.vocabulary import read_rule

    source = {"from": "signal", "classes": ["emergency_bell"]}
    definition: dict[str, Any] = {  # Any: JSON values
        "title_ko": "여섯 조건",
        "when": {"op": "happens", "source": source},
        "conditions": SIX_TERMS,
        "signal": {"class_code": "assault", "priority": 1},
    }
    rule = compile_rule("v", "six", 1, read_rule(definition), live=True)
    book, world = book_of([rule]), World()
    place = {"lon": 128.8894, "lat": 35.2285}
    said = {"floor": 2, "zone": "park"}
    fact = Fact(SIGNAL, "emergency_bell", "bell-1", T, T, "live", "bell", True, **place, attributes=said, priority=1)  # type: ignore[arg-type]  # a literal's values
    assert rule.gate(fact, world)

    def terms() -> None:
        gate = rule.gate
        for _ in range(times):
            gate(fact, world)

    def whole() -> None:
        memory: dict[str, Any] = {"spoke": T}
        for _ in range(times):
            for listener, key in listeners_of(book, fact, world):
                take(listener, key, memory, fact, world)

    return [
        _cost("rules: the six terms of a rule", _median_us(terms, times)),
        _cost("rules: one rule of six terms, fact to decision", _median_us(whole, times)),
    ]


def _median_us(work: Any, times: int) -> float:  # Any: a function without arguments
    spent = []
    for _ in range(5):
        began_s = time.process_time()
        work()
        spent.append((time.process_time() - began_s) / times * 1e6)
    return statistics.median(spent)


def _cost(name: str, ours_us: float) -> Result:
    return Result(name, ours_us, GOAL_US, ours_us / GOAL_US, 1.0, "µs", at_least=False)


def _follower(batches: int) -> list[Result]:
    with tempfile.TemporaryDirectory() as directory:
        _prepare(Path(directory))
        per_s = asyncio.run(_followed(Path(directory) / "hub.sqlite3", batches))
    name = f"rules: changes/s followed, {SENSORS:,} sensors, 10 rules, durable"
    return [Result(name, per_s, LOAD_PER_S, per_s / LOAD_PER_S, 4.0, "1/s")]


def _prepare(directory: Path) -> None:
    """A new installation's civic store in this process."""
    from madang.site.setup import initialise

    initialise(directory / "city")
    os.environ["MADANG_CONFIG"] = str(directory / "city" / "madang.toml")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "madang.site.settings")
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)


@dataclass
class _Lent:
    """What the site lends."""

    hub: Any  # Any: the hub, imported when Django is set up
    clock: Any  # Any: a clock


async def _followed(store: Path, batches: int) -> float:
    """Readings lie in the hub's feed; the follower reads, decides and writes until it has caught up."""
    from madang.hub.config import HubConfig
    from madang.hub.hub import Hub
    from madang.kernel.clock import system_clock
    from madang.response.rules.follower import Follower

    hub = await Hub.open(HubConfig(store=str(store)))
    follower = Follower(_Lent(hub, system_clock))
    await hub.ingest(CITY, _batch(0), source="bench")
    await asyncio.to_thread(_put_rules)
    while await follower.step():
        pass
    for number in range(1, batches + 1):
        await hub.ingest(CITY, _batch(number), source="bench")
    began_s = time.perf_counter()
    while await follower.step():
        pass
    per_s = batches * BATCH / (time.perf_counter() - began_s)
    assert await asyncio.to_thread(_remembered) == min(SENSORS, batches * BATCH) * 2
    await hub.close()
    return per_s


def _remembered() -> int:
    from madang.response.rules.models import RuleMemory

    return RuleMemory.objects.count()


CITY = "48250"


def _put_rules() -> None:
    """Ten in force: a threshold that waits, a rate, and eight that listen to something else."""
    from madang.identity.models import Authority
    from madang.kernel.clock import system_clock
    from madang.response.rules.models import RuleVersion

    now = system_clock()
    place = {"lon": 128.889, "lat": 35.228}
    Authority.objects.get_or_create(code=CITY, defaults={"name_ko": "김해시", "name_en": "Gimhae", **place})
    level = {"from": "reading", "type": "WaterLevel", "attribute": "level"}
    whens: list[dict[str, Any]] = [  # Any: JSON values
        {"op": "threshold", "source": level, "limit": 2.5, "reset": 2.2, "dwell_s": 60},
        {"op": "rate", "source": level, "by": 5.0, "window_s": 600},
        *({"op": "count", "source": {**level, "type": f"Other{n}"}, "n": 3, "window_s": 60} for n in range(8)),
    ]
    for number, when in enumerate(whens):
        definition = {"title_ko": "시험", "when": when, "signal": {"class_code": "flood"}, "conditions": SIX_TERMS[1:2]}
        RuleVersion.objects.create(
            authority_id=CITY,
            name=f"bench-{number}",
            number=1,
            stage="published",
            definition=definition,
            author="person:1",
            created_at=now,
            updated_at=now,
        )


def _batch(number: int) -> list[dict[str, Any]]:  # Any: JSON values
    """Every sensor in turn; one reading in 51 begins a wait, which the sensor's next one ends."""
    first = number * BATCH
    return [
        {
            "id": f"urn:ngsi-ld:WaterLevel:{count % SENSORS}",
            "type": "WaterLevel",
            "level": {"type": "Property", "value": 3.0 if count % 51 == 0 else 1.0},
            "location": {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [128.88, 35.22]}},
        }
        for count in range(first, first + BATCH)
    ]


if __name__ == "__main__":
    for result in run(quick=False):
        print(result.line())
