"""A backup holds both stores as they were at one moment, and is put back whole or not at all."""

from __future__ import annotations

import asyncio
import json
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import apsw
import pytest

from madang.hub.config import HubConfig
from madang.hub.history.instances import body_of
from madang.hub.history.query import HistoryQuery
from madang.hub.hub import Hub
from madang.hub.query import Query
from madang.kernel.errors import BadRequestError, ConflictError, NotFoundError
from madang.site.backup import MANIFEST, back_up, restore
from madang.site.config import Config, load
from madang.site.setup import initialise
from madang.site.stores import NewerStoreError, newest_hub_version, only_one

NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
Rows = list[tuple[Any, ...]]  # Any: SQL values


def civic_rows(config: Config) -> Rows:
    with closing(sqlite3.connect(config.civic_path)) as store:
        return store.execute("SELECT id, number FROM incident ORDER BY id").fetchall()


def hub_rows(config: Config) -> Rows:
    store = apsw.Connection(str(config.hub_path))
    try:
        return list(store.execute("SELECT id, doc FROM entity ORDER BY id"))
    finally:
        store.close()


@pytest.fixture
def config(tmp_path: Path) -> Iterator[Config]:
    """A city whose two stores hold something, each written by its own library, with its log not yet folded in."""
    made = load(initialise(tmp_path / "city"))
    civic = sqlite3.connect(made.civic_path)
    civic.executescript(
        "PRAGMA journal_mode=WAL; CREATE TABLE incident (id TEXT, number TEXT);"
        "CREATE TABLE django_migrations (app TEXT, name TEXT);"
        "INSERT INTO django_migrations VALUES ('identity', '0001_initial');"
        "INSERT INTO incident VALUES ('a', '2026-000001'), ('b', '2026-000002');"
    )
    hub = apsw.Connection(str(made.hub_path))
    hub.pragma("journal_mode", "wal")
    hub.execute(
        f"CREATE TABLE entity (id TEXT, doc BLOB); INSERT INTO entity VALUES ('urn:x', x'0102');"
        f"CREATE VIRTUAL TABLE place USING rtree(id, x0, x1); INSERT INTO place VALUES (1, 2, 3);"
        f"PRAGMA user_version = {newest_hub_version()}"
    )
    (made.state_dir / "audit-checkpoints.jsonl").write_text('{"seq":1}\n')
    yield made
    civic.close()
    hub.close()


@pytest.fixture(params=["copy", "copy.tar", "copy.tar.gz"])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return tmp_path / "elsewhere" / str(request.param)


async def _readings(config: Config, *add: int, roll: bool = False) -> list[int]:
    """The values the hub knows of one sensor, after more have come."""
    hub_config = config.rooms["hub"]
    assert isinstance(hub_config, HubConfig)
    hub = await Hub.open(hub_config)
    for value in add:
        await hub.upsert("one", [{"id": "urn:x:1", "type": "A", "a": {"type": "Property", "value": value}}], source="s")
    if roll:
        await hub.past.roller.roll_all()
    page = await hub.history("one", HistoryQuery(Query(ids=("urn:x:1",))))
    await hub.close()
    return sorted(body_of(one)["value"] for entity in page.entities for one in entity.instances)


def test_older_history_comes_back_with_the_store_it_belongs_to(tmp_path: Path, target: Path) -> None:
    config = load(initialise(tmp_path / "city"))
    with closing(sqlite3.connect(config.civic_path)) as civic:
        civic.execute("CREATE TABLE incident (id TEXT, number TEXT)")
    assert asyncio.run(_readings(config, 1, 2, roll=True)) == [1, 2]
    files = {path.name for path in config.history_path.rglob("*.parquet")}
    assert files
    back_up(config, target, now=NOW)
    assert asyncio.run(_readings(config, 3, roll=True)) == [1, 2, 3]
    shutil.rmtree(config.history_path)

    aside = restore(config, target, now=NOW)

    assert aside is not None
    assert {path.name for path in config.history_path.rglob("*.parquet")} == files
    assert asyncio.run(_readings(config, 4, roll=True)) == [1, 2, 4]


def test_sealed_evidence_is_copied_with_the_rows_that_hold_its_keys(tmp_path: Path, target: Path) -> None:
    config = load(initialise(tmp_path / "city"))
    with closing(sqlite3.connect(config.civic_path)) as civic:
        civic.execute("CREATE TABLE incident (id TEXT, number TEXT)")
    sealed = config.evidence_path / "ab" / "01a2-ab.sealed"
    sealed.parent.mkdir(parents=True)
    sealed.write_bytes(b"sealed pieces")
    back_up(config, target, now=NOW)
    sealed.write_bytes(b"something else")

    aside = restore(config, target, now=NOW)

    assert aside is not None
    assert sealed.read_bytes() == b"sealed pieces"
    assert (aside / "evidence" / "ab" / "01a2-ab.sealed").read_bytes() == b"something else"


def test_a_backup_without_files_that_history_needs_is_none(tmp_path: Path, target: Path) -> None:
    config = load(initialise(tmp_path / "city"))
    with closing(sqlite3.connect(config.civic_path)) as civic:
        civic.execute("CREATE TABLE incident (id TEXT, number TEXT)")
    asyncio.run(_readings(config, 1, roll=True))
    shutil.rmtree(config.history_path)
    with pytest.raises(NotFoundError, match="history lacks"):
        back_up(config, target, now=NOW)
    assert not target.exists()


def test_what_was_backed_up_comes_back(config: Config, target: Path) -> None:
    before = civic_rows(config), hub_rows(config)
    back_up(config, target, now=NOW)
    with closing(sqlite3.connect(config.civic_path)) as store, store:
        store.execute("DELETE FROM incident")
    config.hub_path.unlink()
    aside = restore(config, target, now=NOW)
    assert (civic_rows(config), hub_rows(config)) == before
    assert (config.state_dir / "audit-checkpoints.jsonl").read_text() == '{"seq":1}\n'
    assert aside is not None
    with closing(sqlite3.connect(aside / "civic.sqlite3")) as replaced:
        assert replaced.execute("SELECT count(*) FROM incident").fetchone() == (0,), "what was there is kept aside"


def test_a_backup_comes_back_on_another_machine(config: Config, target: Path, tmp_path: Path) -> None:
    back_up(config, target, now=NOW)
    other = load(initialise(tmp_path / "other"))
    assert restore(other, target, now=NOW) is None
    assert civic_rows(other) == civic_rows(config)


def test_the_manifest_says_what_is_in_it(config: Config, tmp_path: Path) -> None:
    back_up(config, tmp_path / "copy", now=NOW)
    manifest = json.loads((tmp_path / "copy" / MANIFEST).read_text())
    assert manifest["files"]["civic.sqlite3"]["rows"]["incident"] == 2
    assert manifest["files"]["hub.sqlite3"]["rows"] == {"entity": 1, "place": 1}
    assert manifest["migrations"] == ["identity.0001_initial"]
    assert manifest["made_at"] == "2026-11-22T03:00:00.000Z"


def test_a_backup_of_a_store_being_written_is_of_one_moment(config: Config, tmp_path: Path) -> None:
    stop = threading.Event()

    def write() -> None:
        with closing(sqlite3.connect(config.civic_path, timeout=30)) as store:
            count = 0
            while not stop.is_set():
                count += 1
                with store:
                    store.execute("INSERT INTO incident VALUES (?, 'first')", [f"pair-{count}"])
                    store.execute("INSERT INTO incident VALUES (?, 'second')", [f"pair-{count}"])

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for number in range(5):
            back_up(config, tmp_path / f"copy{number}", now=NOW)
    finally:
        stop.set()
        writer.join()
    for number in range(5):
        with closing(sqlite3.connect(tmp_path / f"copy{number}" / "civic.sqlite3")) as copy:
            query = "SELECT count(*) FROM incident GROUP BY id HAVING id LIKE 'pair-%'"
            assert {count for (count,) in copy.execute(query)} <= {2}
            assert copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_an_existing_target_is_never_overwritten(config: Config, target: Path) -> None:
    target.parent.mkdir(parents=True)
    target.write_text("precious")
    with pytest.raises(ConflictError, match="exists already"):
        back_up(config, target, now=NOW)
    assert target.read_text() == "precious"


def test_a_backup_that_fails_leaves_nothing_behind(target: Path, tmp_path: Path) -> None:
    spoilt = load(initialise(tmp_path / "spoilt"))
    spoilt.civic_path.write_bytes(b"this is no database at all" * 400)
    with pytest.raises(sqlite3.DatabaseError):
        back_up(spoilt, target, now=NOW)
    assert list(target.parent.iterdir()) == []


def edit_manifest(**members: object) -> Callable[[Path], object]:
    def change(copy: Path) -> object:
        manifest = json.loads((copy / MANIFEST).read_text())
        return (copy / MANIFEST).write_text(json.dumps(manifest | members))

    return change


def flip_a_byte(copy: Path) -> object:
    data = bytearray((copy / "hub.sqlite3").read_bytes())
    data[len(data) // 2] ^= 1
    return (copy / "hub.sqlite3").write_bytes(data)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (flip_a_byte, "hub.sqlite3 in the backup was changed"),
        (lambda copy: (copy / "hub.sqlite3").unlink(), "lacks hub.sqlite3"),
        (lambda copy: (copy / MANIFEST).unlink(), "not a backup"),
        (lambda copy: (copy / MANIFEST).write_text("[]"), "not a backup"),
        (edit_manifest(format=99), "form this release does not know: 99"),
        (edit_manifest(files={"../../etc/passwd": {"sha256": "0"}}), "form this release does not know"),
    ],
)
def test_a_damaged_backup_is_refused_and_nothing_is_touched(
    config: Config, tmp_path: Path, change: Callable[[Path], object], said: str
) -> None:
    copy = back_up(config, tmp_path / "copy", now=NOW)
    before = civic_rows(config)
    change(copy)
    with pytest.raises(BadRequestError, match=said):
        restore(config, copy, now=NOW)
    assert civic_rows(config) == before
    assert not config.backups_dir.exists()


@pytest.mark.parametrize(
    ("members", "named"),
    [({"migrations": ["identity.0999_later"]}, "identity.0999_later"), ({"hub_version": 99}, "hub version 99")],
)
def test_a_backup_of_a_newer_release_is_refused(
    config: Config, tmp_path: Path, members: dict[str, object], named: str
) -> None:
    copy = back_up(config, tmp_path / "copy", now=NOW)
    edit_manifest(**members)(copy)
    with pytest.raises(NewerStoreError, match=named):
        restore(config, copy, now=NOW)


def test_what_is_no_archive_is_refused_by_name(config: Config, tmp_path: Path) -> None:
    (tmp_path / "photo.tar").write_bytes(b"\xff\xd8 not a tar")
    with pytest.raises(BadRequestError, match=r"photo\.tar"):
        restore(config, tmp_path / "photo.tar", now=NOW)
    with pytest.raises(NotFoundError, match=r"nowhere\.tar"):
        restore(config, tmp_path / "nowhere.tar", now=NOW)


def test_a_restore_is_refused_while_something_holds_the_city(config: Config, tmp_path: Path) -> None:
    copy = back_up(config, tmp_path / "copy", now=NOW)
    with only_one(config), pytest.raises(ConflictError, match="stop it first"):
        restore(config, copy, now=NOW)
    restore(config, copy, now=NOW)


def test_the_log_of_a_replaced_store_does_not_leak_into_the_restored_one(config: Config, tmp_path: Path) -> None:
    copy = back_up(config, tmp_path / "copy", now=NOW)
    before = civic_rows(config)
    writer = sqlite3.connect(config.civic_path)
    with writer:
        writer.execute("INSERT INTO incident VALUES ('late', 'only in the log')")
    assert Path(f"{config.civic_path}-wal").stat().st_size > 0
    restore(config, copy, now=NOW)
    assert civic_rows(config) == before
    writer.close()


def test_a_city_without_a_store_has_nothing_to_back_up(tmp_path: Path) -> None:
    made = load(initialise(tmp_path / "city"))
    with pytest.raises(NotFoundError, match="no civic store"):
        back_up(made, tmp_path / "copy", now=NOW)
    shutil.rmtree(tmp_path / "city")
