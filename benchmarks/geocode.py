"""How fast and how rightly misspelt and shortened addresses are found among a million in the real layout.

The forms are those of `tests/places/address_forms.py`, written before the search. Beside them the same forms with the
town left out, where road and number are unique in the province: harder, reported, not in the goal.
"""

from __future__ import annotations

import os
import random
import resource
import sqlite3
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.result import Result

if TYPE_CHECKING:
    from tests.places.address_forms import Asked, Entry

    from madang.places.candidate import Candidate
    from madang.places.gazetteer import Gazetteer
    from madang.places.staging import Staging

LIMIT_MS = 20.0
RIGHT = 0.95
BARE_LOOKUPS = 2_000


def run(quick: bool) -> list[Result]:
    """Latency of a search, share of right first candidates, and the time an import takes."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "madang.site.settings")
    import django

    django.setup()
    from tests.places.address_forms import BY_HAND, HAND_MADE, asked, made

    count, per_form = (30_000, 8) if quick else (1_000_000, 60)
    entries = [*made(count), *HAND_MADE.values()]
    with tempfile.TemporaryDirectory() as folder:
        gazetteer, took_s, size = _built(Path(folder), entries)
        questions = asked(entries, per_form)
        right, times, cpu = _judged(gazetteer, [(one.text, one.entry) for one in questions])
        hard, *_ = _judged(gazetteer, _without_town(entries, questions))
        by_hand, *_ = _judged(gazetteer, [(text, HAND_MADE[key]) for text, key in BY_HAND])
        bare_ms = _bare_lookup_ms(Path(folder) / "index.sqlite3")
    p95, p95_cpu = _p95(times), _p95(cpu)
    shown = f"{len(entries):,} addresses"
    print(
        f"p50 {sorted(times)[len(times) // 2]:.2f} ms, max {max(times):.1f} ms; one row by its key {bare_ms:.3f} ms;",
        end=" ",
    )
    print(f"index {size / 1e6:.0f} MB, memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MB")
    return [
        Result(f"search among {shown}, p95", p95, LIMIT_MS, p95 / LIMIT_MS, 1.0, "ms", at_least=False),
        Result("the same in CPU time, p95", p95_cpu, LIMIT_MS, p95_cpu / LIMIT_MS, 1.0, "ms", at_least=False),
        Result(f"right first candidate of {len(questions)} forms", right, 1.0, right, RIGHT, "share"),
        Result(f"right first candidate of {len(BY_HAND)} forms by hand", by_hand, 1.0, by_hand, RIGHT, "share"),
        Result("the same forms without their town", hard, 1.0, hard, 0.8, "share"),
        Result(f"importing {shown}", took_s, 180.0, took_s / 180.0, 1.0, "s", at_least=False),
    ]


def _built(folder: Path, entries: Sequence[Entry]) -> tuple[Gazetteer, float, int]:
    """Both national files written, read back and indexed as the importer does, without the civic store."""
    from tests.places.address_forms import entrc_line, rnaddrkor_line

    from madang.places import staging
    from madang.places.gazetteer import Gazetteer, Writer

    files = (folder / "rnaddrkor_gyeongnam.txt", folder / "entrc_gyeongnam.txt")
    for path, line in zip(files, (rnaddrkor_line, entrc_line), strict=True):
        with path.open("w", encoding="cp949", newline="") as file:
            file.writelines(f"{line(entry)}\r\n" for entry in entries)
    began = time.perf_counter()
    target = folder / "index.sqlite3"
    with staging.at(folder / "staging.sqlite3") as gathered:
        for path in files:
            _gather(gathered, path)
        writer = Writer(target)
        writer.put(gathered.records())
        writer.finish()
    return Gazetteer(target), time.perf_counter() - began, target.stat().st_size


def _gather(gathered: Staging, path: Path) -> None:
    from madang.connectors.road_address.layouts import recognise
    from madang.connectors.road_address.parse import Spot, parse, placed
    from madang.connectors.road_address.source import Source
    from madang.places.staging import Named

    for _, lines in Source(path, 10**10).members():
        rows = ((line.number, (line.text or "").split("|")) for line in lines)
        first = next(rows)
        known = recognise(first[1])
        assert known is not None
        rest = chain((first,), rows)
        while part := [parse(number, values, known[0], known[1], []) for number, values in islice(rest, 20_000)]:
            gathered.put_named([one for one in part if isinstance(one, Named)])
            gathered.put_entrances(placed([one for one in part if isinstance(one, Spot)], []))
            gathered.commit()


def _judged(gazetteer: Gazetteer, questions: Sequence[tuple[str, Entry]]) -> tuple[float, list[float], list[float]]:
    """The share of questions whose first candidate is the address meant, and what each took by clock and CPU, ms."""
    import pyproj

    from madang.kernel.geometry import Point, distance_m
    from madang.places.candidate import best
    from madang.places.search import search

    to_degrees = pyproj.Transformer.from_crs(5179, 4326, always_xy=True)
    search(gazetteer, "가온로 1")
    times, cpu, right = [], [], 0
    for text, entry in questions:
        began, worked = time.perf_counter(), time.thread_time()
        found: list[Candidate] = best(search(gazetteer, text), 5)
        times.append((time.perf_counter() - began) * 1e3)
        cpu.append((time.thread_time() - worked) * 1e3)
        lon, lat = to_degrees.transform(entry.x, entry.y)
        right += bool(found) and distance_m(found[0].point, Point(lon, lat)) < 1
    return right / max(1, len(questions)), times, cpu


def _p95(values: Sequence[float]) -> float:
    return sorted(values)[int(0.95 * len(values))]


def _without_town(entries: Sequence[Entry], questions: Sequence[Asked]) -> list[tuple[str, Entry]]:
    """Questions that name a road and number which only one town of the province has, without the town."""
    roads = Counter((one.road, one.basement, one.main, one.sub) for one in entries)
    found = []
    for one in questions:
        entry = one.entry
        unique = roads[entry.road, entry.basement, entry.main, entry.sub] == 1
        if unique and one.text.startswith(f"{entry.town} ") and not one.form.startswith(("lot", "building")):
            found.append((one.text.removeprefix(f"{entry.town} "), entry))
    return found


def _bare_lookup_ms(path: Path) -> float:
    """What one row by its key costs in the same file: the floor under any search."""
    dice = random.Random(3)
    db = sqlite3.connect(path)
    streets = db.execute("SELECT max(id) FROM street").fetchone()[0]
    began = time.perf_counter()
    for _ in range(BARE_LOOKUPS):
        street, main = dice.randrange(1, streets), dice.randrange(1, 60)
        db.execute("SELECT lon, lat FROM address WHERE street = ? AND main = ?", (street, main)).fetchone()
    took = time.perf_counter() - began
    db.close()
    return took / BARE_LOOKUPS * 1e3


if __name__ == "__main__":
    import sys

    for result in run("--quick" in sys.argv):
        print(result.line())
