"""History moves into files and out of them: nothing is lost or told twice, whatever happens on the way."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from madang.hub.config import HubConfig
from madang.hub.errors import HistoryUnavailableError, StoreRefusedError, TooComplexQueryError
from madang.hub.history import rows
from madang.hub.history.engine import Engine
from madang.hub.history.history import folder_of
from madang.hub.history.instances import body_of
from madang.hub.history.query import HistoryQuery
from madang.hub.hub import Hub
from madang.hub.query import Query
from tests.hub.client import run
from tests.hub.conftest import OpenHub
from tests.hub.history_child import config

ROOT = Path(__file__).parents[2]
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
EVERYTHING = HistoryQuery(Query(limit=1_000))


async def values(hub: Hub, tenant: str = "one") -> Counter[tuple[str, str, str]]:
    """Every instance there is, as (entity, attribute, value)."""
    page = await hub.history(tenant, EVERYTHING)
    found = ((one, instance) for one in page.entities for instance in one.instances)
    return Counter((one.id, instance.attribute, str(body_of(instance).get("value"))) for one, instance in found)


async def listed(hub: Hub, tenant: str = "one") -> list[rows.HistoryFile]:
    number = hub.store.number(tenant)
    assert number is not None
    return await hub.store.read(lambda session: rows.files(session, number))


def on_disk(hub: Hub) -> set[str]:
    folder = folder_of(hub.config)
    return {str(one.relative_to(folder)) for one in folder.glob("*/*/*")}


def reading(number: int, value: Any, kind: str = "A") -> dict[str, Any]:  # Any: JSON
    return {"id": f"urn:x:{number}", "type": kind, "a": {"type": "Property", "value": value}}


def _expected(acknowledged: list[str]) -> Counter[tuple[str, str, str]]:
    found: Counter[tuple[str, str, str]] = Counter()
    for part in ("first", "second"):
        if part in acknowledged:
            found.update((f"urn:x:{number}", "a", f"{part} {number}") for number in range(3) for _ in "AB")
            found["urn:x:past", "b", part] += 1
    if "corrected" in acknowledged:
        found["urn:x:0", "a", "first 0"] -= 1
        found["urn:x:0", "a", "corrected"] += 1
    return +found


@pytest.mark.timeout(180)
def test_a_crash_at_any_step_loses_and_doubles_nothing(tmp_path: Path, fresh_store: Path) -> None:
    async def survived(path: Path, acknowledged: list[str]) -> None:
        hub = await Hub.open(config(path), lambda: NOON)
        try:
            assert await values(hub) == _expected(acknowledged)
            await hub.roll()
            assert await values(hub) == _expected(acknowledged)
            await hub.past.roller.roll_all()
            assert await values(hub) == _expected(acknowledged)
            there = await listed(hub)
            await hub.roll()
            assert on_disk(hub) == {file.path for file in await listed(hub)}
            for file in there:
                known = folder_of(hub.config) / file.path
                assert not known.exists() or hashlib.sha256(known.read_bytes()).hexdigest() == file.digest
        finally:
            await hub.close()

    for fatal in fatal_steps(steps_of(tmp_path / "0", fresh_store, 0)[1]):
        path = tmp_path / f"{fatal}"
        acknowledged, steps = steps_of(path, fresh_store, fatal)
        assert len(steps) == fatal
        run(lambda at=path, said=acknowledged: survived(at / "hub.sqlite3", said))  # type: ignore[misc]


def steps_of(folder: Path, fresh_store: Path, fatal: int) -> tuple[list[str], list[str]]:
    """What a child acknowledged, and the steps it took until it was killed."""
    folder.mkdir()
    shutil.copyfile(fresh_store, folder / "hub.sqlite3")
    command = [sys.executable, "-m", "tests.hub.history_child", str(folder / "hub.sqlite3"), str(fatal)]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == (-9 if fatal else 0), ended.stderr
    steps = [line.removeprefix("step ") for line in ended.stderr.splitlines() if line.startswith("step ")]
    return ended.stdout.split(), steps


def fatal_steps(steps: list[str]) -> list[int]:
    """The first and the last time of each kind of step, counted from 1."""
    firsts = {name: place for place, name in reversed([*enumerate(steps, 1)])}
    lasts = {name: place for place, name in enumerate(steps, 1)}
    assert firsts.keys() == {"written", "synced", "renamed", "committed", "rewritten", "unlinked"}
    return sorted({*firsts.values(), *lasts.values()})


def test_files_are_by_types_and_day_whatever_the_types_are_called(open_hub: OpenHub) -> None:
    async def body() -> None:
        now = [NOON]
        async with open_hub(clock=lambda: now[0]) as hub:
            hostile = "https://example.org/../../etc/passwd'"
            await hub.store.write(lambda tx: tx.tenant("o'ne/.."))
            for _ in range(2):
                await hub.past.add("o'ne/..", "urn:x:1", (hostile, "B"), [("a", _plain(1))], create=True)
                await hub.past.add("o'ne/..", "urn:x:2", ("B",), [("a", _plain(2))], create=True)
                now[0] += timedelta(days=1)
            before = await values(hub, "o'ne/..")
            await hub.past.roller.roll_all()
            assert await values(hub, "o'ne/..") == before
            files = await listed(hub, "o'ne/..")
            assert sorted((file.types, file.day) for file in files) == sorted(
                (types, day) for types in ("B", f"{hostile}\nB") for day in ("2026-03-01", "2026-03-02")
            )
            assert on_disk(hub) == {file.path for file in files}

    run(body)


def _plain(value: object) -> dict[str, object]:
    return {"type": "Property", "value": value}


def test_files_of_a_past_day_become_one(open_hub: OpenHub) -> None:
    async def body() -> None:
        now = [NOON]
        async with open_hub(clock=lambda: now[0], history_grace_s=30) as hub:
            for value in range(3):
                await hub.upsert("one", [reading(1, value)], source="s")
                await hub.past.roller.roll_all()
            before = await values(hub)
            assert len(await listed(hub)) == 3
            now[0] += timedelta(days=1)
            await hub.roll()
            assert (len(await listed(hub)), len(on_disk(hub))) == (1, 4)
            now[0] += timedelta(minutes=1)
            await hub.roll()
            assert len(on_disk(hub)) == 1
            assert await values(hub) == before

    run(body)


def test_rolling_leaves_the_feed_and_trimming_waits_for_it(open_hub: OpenHub) -> None:
    async def body() -> None:
        now = [NOON]
        async with open_hub(clock=lambda: now[0], feed_keep_days=2) as hub:
            for value in range(3):
                await hub.upsert("one", [reading(1, value)], source="s")
            feed, cursor = await hub.changes("one", None)
            await hub.roll()
            assert len(await listed(hub)) == 0
            now[0] += timedelta(hours=2)
            assert await hub.roll() == 3
            assert await hub.changes("one", None) == (feed, cursor)
            await hub.upsert("one", [reading(1, 3)], source="s")
            now[0] += timedelta(days=3)
            assert await hub.trim() == 4
            assert (await hub.changes("one", None))[0] == []
            assert sum((await values(hub)).values()) == 4

    run(body)


def test_many_waiting_changes_are_rolled_before_their_time(open_hub: OpenHub) -> None:
    async def body() -> None:
        now = [NOON]
        async with open_hub(clock=lambda: now[0], history_hot_rows=5) as hub:
            await hub.upsert("one", [reading(number, 0) for number in range(4)], source="s")
            now[0] += timedelta(minutes=1)
            assert await hub.roll() == 0
            await hub.upsert("one", [reading(5, 0)], source="s")
            now[0] += timedelta(minutes=1)
            assert await hub.roll() == 5

    run(body)


def test_retention_reaches_rows_and_files_by_type(open_hub: OpenHub) -> None:
    async def body() -> None:
        now = [NOON]
        keep = {"B": 1.0}
        async with open_hub(clock=lambda: now[0], history_keep_days_of=keep, history_grace_s=0) as hub:
            for number in range(2):
                await hub.upsert(
                    "one", [reading(number, f"kept {number}"), reading(10 + number, "gone", "B")], source="s"
                )
                await hub.past.add("one", f"urn:x:2{number}", ("B",), [("a", _plain("gone"))], create=True)
                if not number:
                    await hub.past.roller.roll_all()
            now[0] += timedelta(hours=23)
            await hub.roll()
            assert len(await values(hub)) == 6
            now[0] += timedelta(hours=2)
            await hub.roll()
            await hub.roll()
            assert {value for _, _, value in await values(hub)} == {"kept 0", "kept 1"}
            feed, _ = await hub.changes("one", None)
            assert [one.attributes() for one in feed if one.types == ("B",)] == [{}, {}]
            assert await hub.retrieve("one", "urn:x:10") is not None

    run(body)


def test_what_is_erased_is_nowhere_in_the_bytes(open_hub: OpenHub, tmp_path: Path, store_kind: str) -> None:
    async def body() -> None:
        now = [NOON]
        async with open_hub(clock=lambda: now[0]) as hub:
            for step in range(3):
                await hub.upsert("one", [reading(1, f"SECRET {step} {'x' * 6000}"), reading(2, "known")], source="s")
                past = [("a", _plain(f"SECRET past {step}"))]
                await hub.past.add("one", "urn:x:1", ("A",), past, create=True)
                if step < 2:
                    await hub.past.roller.roll_all()
            assert sum("SECRET" in value for _, _, value in await values(hub)) == 6
            await hub.erase("one", "urn:x:1")
            assert await values(hub) == Counter({("urn:x:2", "a", "known"): 3})
            assert await hub.retrieve("one", "urn:x:1") is None
            assert _holding(tmp_path, b"SECRET") == []
            await hub.roll()
            assert await values(hub) == Counter({("urn:x:2", "a", "known"): 3})
        assert _holding(tmp_path, b"SECRET") == []
        if store_kind == "sqlite":
            assert _holding(tmp_path, b"known")

    run(body)


def _holding(folder: Path, text: bytes) -> list[str]:
    return [str(one) for one in folder.rglob("*") if one.is_file() and text in one.read_bytes()]


def test_one_attribute_or_a_whole_type_can_be_erased(open_hub: OpenHub, tmp_path: Path) -> None:
    async def body() -> None:
        async with open_hub() as hub:
            for step in range(2):
                both = {"name": {"type": "Property", "value": "SECRET"}}
                await hub.upsert("one", [reading(1, step) | both, reading(2, step) | both], source="s")
                await hub.upsert("one", [reading(3, "HIDDEN", "B")], source="s")
                if not step:
                    await hub.past.roller.roll_all()
            await hub.erase("one", "urn:x:1", "name")
            assert (await values(hub))["urn:x:1", "name", "SECRET"] == 0
            assert (await values(hub))["urn:x:2", "name", "SECRET"] == 2
            await hub.erase("one", "urn:x:2", "name")
            await hub.erase_type("one", "B")
            found = await values(hub)
            assert {attribute for _, attribute, _ in found} == {"a"}
            assert sum(found.values()) == 4
            assert _holding(tmp_path, b"SECRET") == _holding(tmp_path, b"HIDDEN") == []
            assert await hub.retrieve("one", "urn:x:3") is None

    run(body)


def test_a_question_that_takes_too_long_ends_and_the_next_is_answered(tmp_path: Path) -> None:
    async def body() -> None:
        engine = Engine(tmp_path, "256MB")
        cursor = engine.cursor()
        with pytest.raises(TooComplexQueryError, match=r"longer than 0\.2 s"):
            await engine.run(cursor, lambda c: c.execute("SELECT count(*) FROM range(1000000000000)").fetchall(), 0.2)
        assert await engine.run(cursor, lambda c: c.execute("SELECT 1").fetchall(), 5.0) == [(1,)]
        cursor.close()
        engine.close()

    run(body)


def test_questions_are_answered_while_files_are_exchanged(open_hub: OpenHub) -> None:
    async def body() -> None:
        now = [NOON]
        async with open_hub(clock=lambda: now[0], history_grace_s=0) as hub:
            for value in range(3):
                await hub.upsert("one", [reading(1, value)], source="s")
                await hub.past.roller.roll_all()
            before = await values(hub)
            now[0] += timedelta(days=2)
            rolling = asyncio.create_task(hub.roll())
            answers = 0
            while not rolling.done() or answers < 3:
                assert await values(hub) == before
                answers += 1
            await rolling
            assert len(on_disk(hub)) == 1

    run(body)


def test_a_backup_holds_the_past_too(open_hub: OpenHub, tmp_path: Path, store_kind: str) -> None:
    if store_kind != "sqlite":
        pytest.skip("a copy of a PostgreSQL store is made by PostgreSQL's own tools")

    async def body() -> None:
        async with open_hub() as hub:
            await hub.upsert("one", [reading(1, "old")], source="s")
            await hub.past.roller.roll_all()
            await hub.upsert("one", [reading(1, "new")], source="s")
            before = await values(hub)
            await hub.backup(tmp_path / "copy.sqlite3")
        again = await Hub.open(HubConfig(store=str(tmp_path / "copy.sqlite3")))
        assert await values(again) == before
        assert await again.roll() == 0
        await again.close()

    run(body)


def test_where_the_files_are_away_history_says_so_and_the_present_is_answered(
    open_hub: OpenHub, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def body() -> None:
        async with open_hub() as hub:
            await hub.upsert("one", [reading(1, "old")], source="s")
            await hub.past.roller.roll_all()
            folder = folder_of(hub.config)
            folder.rename(tmp_path / "elsewhere")
            with pytest.raises(HistoryUnavailableError, match="cannot be read"):
                await values(hub)
            assert str(folder.absolute()) in caplog.text
            assert await hub.retrieve("one", "urn:x:1") is not None
            (tmp_path / "elsewhere").rename(folder)
            assert sum((await values(hub)).values()) == 1

    run(body)


def test_the_folder_of_another_store_is_left_alone(open_hub: OpenHub, tmp_path: Path) -> None:
    async def body() -> None:
        async with open_hub() as hub:
            await hub.upsert("one", [reading(1, 0)], source="s")
            await hub.past.roller.roll_all()
            before = on_disk(hub)
            other_path = tmp_path / "other.sqlite3"
            other = await Hub.open(HubConfig(store=str(other_path), history=hub.config.history))
            with pytest.raises(StoreRefusedError, match="another store"):
                await other.roll()
            await other.close()
            assert on_disk(hub) == before

    run(body)
