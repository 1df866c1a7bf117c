"""History beside bare DuckDB over the same Parquet files in the same run: `python -m benchmarks.hub_history [quick]`.

Ten days of readings of 1,000 sensors are written by DuckDB itself in the roller's format, a file a day, and listed in
the hub's store. Hourly averages of all of them are asked of the hub as a client asks, from request to the last byte of
the answer (JSON made in Python), and of DuckDB as bare rows; the two take turns, figures are medians. Beside them, for
orientation: one sensor's day, the latest reading of every sensor, a year of one attribute at 148,000 entities.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import httpx
import orjson

from benchmarks.result import Result
from madang.hub.config import HubConfig
from madang.hub.history import files, rows
from madang.hub.history.history import folder_of
from madang.hub.history.instances import COLUMNS, us_of
from madang.hub.http.app import HubApp
from madang.hub.hub import Hub
from madang.hub.store import WriteTx

DAYS = 10
SENSORS = 1_000
BEGIN = datetime(2026, 1, 5, tzinfo=UTC)
_DAY_US = 86_400_000_000
_NAMES = ", ".join(COLUMNS)


def readings(day: int, a_day: int, sensors: int) -> str:
    """A relation of one day's readings in the columns of history: evenly spaced, slightly different numbers."""
    begin, step, first = us_of(BEGIN + timedelta(days=day)), _DAY_US // a_day, (1 << 40) + day * a_day * sensors
    time_us = f"{begin} + i // {sensors} * {step}"
    return (
        f"(SELECT 'urn:ngsi-ld:Sensor:' || (i % {sensors}) AS entity, 'Sensor' AS types, 'temperature' AS attribute,"
        " '' AS dataset, 'Property' AS kind, 'n' AS form, 15 + (i * 7919 % 1000) / 100.0 AS number,"
        f" NULL::VARCHAR AS text, 'CEL' AS unit, NULL::VARCHAR AS body, {time_us} AS observed_us,"
        f" {time_us} AS created_us, {time_us} AS modified_us, NULL::BIGINT AS deleted_us,"
        f" {first} + i AS seq, 0 AS place FROM range({a_day * sensors}) numbers(i))"
    )


async def fill(hub: Hub, days: int, a_day: int, sensors: int) -> list[rows.HistoryFile]:
    """Writes the files and lists them."""
    tenant = await hub.store.write(lambda tx: tx.tenant("open"))
    cursor = duckdb.connect(config={"threads": 2})
    made = []
    for day in range(days):
        text = (BEGIN + timedelta(days=day)).date().isoformat()
        folder = folder_of(hub.config).absolute()
        file = files.write(cursor, readings(day, a_day, sensors), folder, tenant, "Sensor", text, lambda _: None)
        assert file is not None
        made.append(file)
    cursor.close()

    def note(tx: WriteTx) -> None:
        for file in made:
            rows.add_file(tx.session, file)
        for number in range(sensors):
            rows.note_entity(tx.session, tenant, f"urn:ngsi-ld:Sensor:{number}", ("Sensor",))

    await hub.store.write(note)
    return made


async def timed(ask: Callable[[], Awaitable[object]]) -> float:
    """Seconds an answer takes."""
    begun = time.perf_counter()
    await ask()
    return time.perf_counter() - begun


class Bench:
    """A hub with a past, and DuckDB beside it."""

    def __init__(self, hub: Hub, made: Sequence[rows.HistoryFile]) -> None:
        app = HubApp(hub, None, (), open_mode=True, bound_host="127.0.0.1")
        transport = httpx.ASGITransport(app, client=("127.0.0.1", 1))
        self.client = httpx.AsyncClient(transport=transport, base_url="http://hub/ngsi-ld/v1", timeout=120)
        folder = folder_of(hub.config).absolute()
        self.paths = ", ".join(f"'{folder / file.path}'" for file in made)
        self.bare = duckdb.connect(config={"threads": 2})

    async def get(self, path: str, **parameters: str | int) -> httpx.Response:
        """An answer of the hub; it must be a whole one."""
        answer = await self.client.get(path, params=parameters)
        if answer.status_code != 200:
            raise RuntimeError(f"{answer.status_code}: {answer.text[:300]}")
        return answer

    async def averages(self, days: int) -> httpx.Response:
        """Hourly averages of every sensor by the hub."""
        return await self.get(
            "/temporal/entities",
            type="Sensor",
            attrs="temperature",
            timerel="between",
            timeAt=BEGIN.isoformat().replace("+00:00", "Z"),
            endTimeAt=(BEGIN + timedelta(days=days)).isoformat().replace("+00:00", "Z"),
            options="aggregatedValues",
            aggrMethods="avg",
            aggrPeriodDuration="PT1H",
            limit=1000,
        )

    async def bare_averages(self) -> list[tuple[str, int, float]]:
        """The same by DuckDB, as rows."""
        sql = (
            "SELECT entity, observed_us // 3600000000 AS hour, avg(number)"
            f" FROM read_parquet([{self.paths}]) WHERE attribute = 'temperature' GROUP BY ALL ORDER BY ALL"
        )
        return await asyncio.to_thread(lambda: self.bare.execute(sql).fetchall())

    async def close(self) -> None:
        """Closes both clients."""
        await self.client.aclose()
        self.bare.close()


def check(answer: httpx.Response, bare: Sequence[tuple[str, int, float]]) -> None:
    """Raises unless both told the same."""
    ours = {one["id"]: one["temperature"]["avg"] for one in orjson.loads(answer.content)}
    if sum(map(len, ours.values())) != len(bare) or abs(ours[bare[0][0]][0][0] - bare[0][2]) > 1e-9:
        raise RuntimeError("the hub and DuckDB do not agree")


async def measure(quick: bool) -> list[Result]:
    """The figures."""
    rounds, a_day = (3, 100) if quick else (7, 1_000)
    millions = DAYS * a_day * SENSORS / 1e6
    with tempfile.TemporaryDirectory() as folder:
        config = HubConfig(store=str(Path(folder) / "hub.sqlite3"), history_answer=1_000_000, query_timeout_s=60)
        hub = await Hub.open(config)
        begun = time.perf_counter()
        made = await fill(hub, DAYS, a_day, SENSORS)
        size = sum(file.bytes for file in made) / 1e6
        print(f"{millions:g} M readings: {size:.1f} MB, written in {time.perf_counter() - begun:.1f} s", flush=True)
        bench = Bench(hub, made)
        check(await bench.averages(DAYS), await bench.bare_averages())
        ours, bare = [], []
        for _ in range(rounds):
            ours.append(await timed(lambda: bench.averages(DAYS)))
            bare.append(await timed(bench.bare_averages))
        await orientation(bench)
        await bench.close()
        await hub.close()
    mine, limit = statistics.median(ours), statistics.median(bare)
    name = f"hourly averages over {millions:g} M readings against bare DuckDB"
    return [Result(name, mine, limit, mine / limit, 2.0, "s", at_least=False)]


async def orientation(bench: Bench) -> None:
    """Prints what else people ask."""
    day = {"timerel": "between", "timeAt": "2026-01-09T00:00:00Z", "endTimeAt": "2026-01-10T00:00:00Z"}
    one = "/temporal/entities/urn:ngsi-ld:Sensor:7"
    minute = {"options": "aggregatedValues", "aggrMethods": "avg,max", "aggrPeriodDuration": "PT1M"}
    latest = {"timerel": "before", "timeAt": "2026-01-14T00:00:00Z", "lastN": 1, "limit": 1000, "type": "Sensor"}
    for name, path, asked in (
        ("one sensor's day", one, {**day, "options": "temporalValues"}),
        ("one sensor by the minute, all days", one, {"timerel": "after", "timeAt": "2026-01-05T00:00:00Z", **minute}),
        ("the latest reading of each sensor", "/temporal/entities", latest),
        ("20 entities of a type above a value", "/temporal/entities", {**day, "type": "Sensor", "q": "temperature>24.9",
                                                                      "lastN": 5}),
    ):  # fmt: skip
        seconds = [await timed(lambda p=path, a=asked: bench.get(p, **a)) for _ in range(3)]  # type: ignore[misc]
        print(f"{name}: {statistics.median(seconds) * 1e3:.0f} ms", flush=True)


def run(quick: bool = False) -> list[Result]:
    """What the page of benchmarks takes."""
    return asyncio.run(measure(quick))


if __name__ == "__main__":
    for result in run("quick" in sys.argv[1:]):
        print(result.line())
