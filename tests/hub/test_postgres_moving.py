"""A city's hub moves to PostgreSQL whole, and back; what would not be the same is not kept."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import sqlite3
from pathlib import Path

import apsw
import psycopg
import pytest

from madang.cli.command import run as command
from madang.hub import changes as change
from madang.hub import moving
from madang.hub.config import HubConfig
from madang.hub.errors import StoreRefusedError
from madang.hub.hub import Hub, open_store
from madang.hub.query import parse_query
from madang.hub.store import Store, WriteTx
from madang.journal.inbox import Arrival, accept
from madang.kernel.clock import system_clock
from madang.kernel.mode import Mode
from madang.site.backup import back_up
from madang.site.config import from_mapping
from tests.hub.client import run, sensor, spot
from tests.hub.store_contract import apply

pytestmark = pytest.mark.integration

LINE = {"type": "GeoProperty", "value": {"type": "LineString", "coordinates": [[1, 1], [2, 2, 9]]}}


async def fill(path: Path) -> str:
    """A small city: 3,000 entities, some deleted, with everything else a store holds. Gives a cursor in its feed."""
    hub = await Hub.open(HubConfig(store=str(path)))
    entities = [sensor(n, a=n, name=f'"가\\{n}\0\n', location=spot(n / 100, 1), floor=LINE) for n in range(3_000)]
    await hub.upsert("gimhae", entities, source="s")
    _, cursor = await hub.changes("gimhae", None, 1_000)
    await hub.upsert("busan", entities[:10], source="s")
    for number in range(5):
        await apply(hub.store, change.delete(f"urn:ngsi-ld:Sensor:{number}"), "gimhae")
    await hub.ingest("gimhae", [sensor(7, b=1), {"id": "bad"}], source="mqtt:air")
    await hub.store.write(note)
    await hub.close()
    return cursor


def note(tx: WriteTx) -> None:
    """An answer, and an arrival in the journal."""
    tx.answer("door", "1", b'{"done": true}')
    accept(tx.session, Arrival("door", "1", "batch", "k", b"\x00\xff", "gimhae", Mode.LIVE), tx.at)


def silent(_table: str, _done: int, _all: int) -> None:
    """No bar."""


async def told(store: Store) -> list[object]:
    """What a reader is told, everything that must be the same on both sides."""
    near = parse_query({"georel": "near;maxDistance==5000", "geometry": "Point", "coordinates": "[5,1]"})
    found = await store.query("gimhae", near)
    everything = parse_query({"type": "Sensor", "limit": "1000", "offset": "1000", "count": "true"})
    page = await store.query("gimhae", everything)
    changes, cursor = await store.changes("gimhae", None, 100_000)
    feeds = [(one.source, one.readings, one.rejects) for one in await store.feeds("gimhae")]
    rejects = (await store.reject_summary("gimhae")).latest
    return [found.entities, page.entities, page.total, changes, cursor, store.latest_cursor("busan"), feeds, rejects]


def test_a_store_moves_to_postgresql_whole_and_back(tmp_path: Path, postgres_database: str) -> None:
    async def body() -> None:
        cursor = await fill(tmp_path / "hub.sqlite3")
        stores = [str(tmp_path / "hub.sqlite3"), postgres_database, str(tmp_path / "back.sqlite3")]
        for source, target in itertools.pairwise(stores):
            moved = await asyncio.to_thread(moving.move, source, target, silent)
            assert all(one.same for one in moved)
            rows = {one.table: one.rows_to for one in moved}
            assert (rows["entity"], rows["entity_kind"], rows["place"]) == (3_010, 3_005, 6_010)
            assert rows["journal_inbox"] == rows["answer"] == rows["reject"] == 1
        answers = []
        for name in stores:
            store = await open_store(HubConfig(store=name), system_clock)
            answers.append(await told(store))
            resumed, _ = await store.changes("gimhae", cursor, 10_000)
            await apply(store, change.delete("urn:ngsi-ld:Sensor:2000"), "gimhae")
            again, last = await store.changes("gimhae", cursor, 10_000)
            assert [one.entity_id for one in again[len(resumed) :]] == ["urn:ngsi-ld:Sensor:2000"]
            assert last == store.latest_cursor("gimhae")
            await store.write(note)
            await store.close()
        assert answers[0] == answers[1] == answers[2]

    run(body)


def test_new_entities_after_a_move_get_keys_and_numbers_of_their_own(tmp_path: Path, postgres_database: str) -> None:
    async def body() -> None:
        await fill(tmp_path / "hub.sqlite3")
        await asyncio.to_thread(moving.move, str(tmp_path / "hub.sqlite3"), postgres_database, silent)
        hub = await Hub.open(HubConfig(store=postgres_database))
        result = await hub.upsert("gimhae", [sensor(n, a=1) for n in range(2_990, 3_200)], source="s")
        assert (len(result.created), len(result.updated)) == (200, 10)
        await hub.upsert("ulleung", [{"id": "urn:x:1", "type": "New", "a": 1}], source="s")
        await hub.reject("gimhae", "s", "bad", b"")
        assert (await hub.retrieve("ulleung", "urn:x:1")) is not None
        await hub.close()

    run(body)


def test_a_target_that_holds_something_is_refused(tmp_path: Path, postgres_database: str) -> None:
    async def body() -> None:
        await fill(tmp_path / "hub.sqlite3")
        hub = await Hub.open(HubConfig(store=postgres_database))
        await hub.upsert("busan", [sensor(1, a=1)], source="s")
        await hub.close()
        with pytest.raises(StoreRefusedError, match="holds data already"):
            await asyncio.to_thread(moving.move, str(tmp_path / "hub.sqlite3"), postgres_database, silent)
        hub = await Hub.open(HubConfig(store=postgres_database))
        assert await hub.retrieve("busan", "urn:ngsi-ld:Sensor:1") is not None
        assert hub.store.number("gimhae") is None
        await hub.close()

    run(body)


def test_an_interrupted_move_leaves_the_target_empty_and_can_be_run_again(
    tmp_path: Path, postgres_database: str
) -> None:
    async def body() -> None:
        await fill(tmp_path / "hub.sqlite3")

        def interrupt(table: str, done: int, _all: int) -> None:
            if table == "entity" and done >= 2_000:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            moving.move(str(tmp_path / "hub.sqlite3"), postgres_database, interrupt)
        moved = moving.move(str(tmp_path / "hub.sqlite3"), postgres_database, silent)
        assert all(one.same for one in moved)

    run(body)


def test_a_copy_that_differs_is_told_and_thrown_away(
    tmp_path: Path, postgres_database: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(lambda: fill(tmp_path / "hub.sqlite3"))
    fill_table = moving.PostgresSide.fill

    def forgetful(side: moving.PostgresSide, table: str, columns: tuple[str, ...], rows: object) -> None:
        fill_table(side, table, columns, rows)  # type: ignore[arg-type] # passed on
        if table == "reject":
            side._connection.execute("UPDATE reject SET reason = 'something else'")

    monkeypatch.setattr(moving.PostgresSide, "fill", forgetful)
    assert command(["migrate-store", str(tmp_path / "hub.sqlite3"), postgres_database], debug=False) != 0
    captured = capsys.readouterr()
    assert "DIFFERENT" in captured.out
    assert "reject" in captured.err
    with psycopg.connect(postgres_database) as connection:
        assert connection.execute("SELECT count(*) FROM hub.entity").fetchone() == (0,)


def test_the_command_tells_each_table(
    tmp_path: Path, postgres_database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run(lambda: fill(tmp_path / "hub.sqlite3"))
    assert command(["migrate-store", str(tmp_path / "hub.sqlite3"), postgres_database], debug=False) == 0
    said = capsys.readouterr().out
    assert "DIFFERENT" not in said
    [entity] = [line for line in said.splitlines() if line.startswith("entity ")]
    assert entity.split()[1] == "3,010"


def test_the_command_names_the_folder_that_older_history_stays_in(
    tmp_path: Path, postgres_database: str, capsys: pytest.CaptureFixture[str]
) -> None:
    async def with_files() -> None:
        hub = await Hub.open(HubConfig(store=str(tmp_path / "hub.sqlite3")))
        await hub.upsert("gimhae", [sensor(1, a=1)], source="s")
        await hub.past.roller.roll_all()
        await hub.close()

    run(with_files)
    assert command(["migrate-store", str(tmp_path / "hub.sqlite3"), postgres_database], debug=False) == 0
    said = capsys.readouterr()
    assert f"set hub.history to {tmp_path / 'hub.history'}" in said.out


def test_two_files_or_two_servers_are_refused_without_a_bar(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(["migrate-store", str(tmp_path / "a"), str(tmp_path / "b")], debug=False) != 0
    said = capsys.readouterr().err
    assert "Name one file and one postgresql://" in said
    assert "0:00" not in said


def test_a_source_in_use_or_of_another_version_is_refused(tmp_path: Path, postgres_database: str) -> None:
    async def body() -> None:
        path = tmp_path / "hub.sqlite3"
        hub = await Hub.open(HubConfig(store=str(path)))
        with pytest.raises(StoreRefusedError, match="in use"):
            moving.move(str(path), postgres_database, silent)
        await hub.close()
        connection = apsw.Connection(str(path))
        connection.execute("PRAGMA user_version = 1")
        connection.close()
        with pytest.raises(StoreRefusedError, match="version 1"):
            moving.move(str(path), postgres_database, silent)
        with pytest.raises(StoreRefusedError, match="no hub store"):
            moving.move(str(tmp_path / "nothing"), postgres_database, silent)
        with pytest.raises(StoreRefusedError, match="password"):
            moving.move(str(path), "postgresql://me:secret@localhost/hub", silent)

    run(body)


def test_a_backup_of_the_platform_holds_the_hub_that_is_in_postgresql(tmp_path: Path, postgres_database: str) -> None:
    run(lambda: fill(tmp_path / "hub.sqlite3"))
    moving.move(str(tmp_path / "hub.sqlite3"), postgres_database, silent)
    raw = {"hub": {"store": postgres_database}, "stores": {"dir": "state"}}
    config = from_mapping(raw, source=None, base=tmp_path)
    config.civic_path.parent.mkdir()
    with contextlib.closing(sqlite3.connect(config.civic_path)) as civic:
        civic.execute("CREATE TABLE django_migrations (app TEXT, name TEXT)")
    kept = back_up(config, tmp_path / "backup", now=system_clock())

    async def body() -> None:
        store = await open_store(HubConfig(store=str(kept / "hub.sqlite3")), system_clock)
        assert await store.retrieve("gimhae", "urn:ngsi-ld:Sensor:2999") is not None
        await store.close()

    run(body)
