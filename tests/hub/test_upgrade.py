"""A store made by an older release opens in this one, with everything that was in it."""

from __future__ import annotations

from pathlib import Path

import apsw
import orjson
import pytest

from madang.hub.config import HubConfig
from madang.hub.hub import Hub
from madang.hub.query import parse_query
from madang.hub.sqlite import schema
from tests.hub.client import run, sensor

AT = 1_763_769_600_000  # 2025-11-22T00:00:00Z
CHANGE = (1 << schema.CHANGE_BITS) + 1


def release_0_1(path: Path) -> None:
    """A store as release 0.1 left it: one tenant, one entity with a place, its change, and a source."""
    body = orjson.dumps(sensor(1, pm25={"type": "Property", "value": 21}))
    connection = apsw.Connection(str(path))
    with connection:
        schema.MIGRATIONS[0](connection)
        connection.execute("PRAGMA user_version = 1")
        connection.execute("INSERT INTO tenant VALUES (1, 'gimhae')")
        connection.execute("INSERT INTO kind VALUES (1, 1, 'Sensor')")
        connection.execute("INSERT INTO attribute VALUES (1, 'pm25', 1)")
        row = (1, 1, "urn:ngsi-ld:Sensor:1", "Sensor", AT, AT, 1, None, 0, None, body, body.decode())
        connection.execute("INSERT INTO entity VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, jsonb(?))", row)
        connection.execute("INSERT INTO entity_kind VALUES (1, 1)")
        connection.execute("INSERT INTO change VALUES (?, 1, 1, ?, 'test', ?)", (CHANGE, AT, body))
        connection.execute("INSERT INTO source VALUES (1, 'test', ?, ?, 1, 0)", (AT, AT))
    connection.close()


def test_a_store_of_release_0_1_keeps_its_entities_and_its_feed(tmp_path: Path) -> None:
    path = tmp_path / "hub.sqlite3"
    release_0_1(path)

    async def body() -> None:
        hub = await Hub.open(HubConfig(store=str(path), feed_keep_days=36_500))
        try:
            stored = await hub.retrieve("gimhae", "urn:ngsi-ld:Sensor:1")
            assert stored is not None
            assert stored.document()["pm25"]["value"] == 21
            page = await hub.query("gimhae", parse_query({"type": "Sensor", "q": "pm25==21"}))
            assert [one.id for one in page.entities] == ["urn:ngsi-ld:Sensor:1"]
            changes, cursor = await hub.changes("gimhae", None)
            assert [one.entity_id for one in changes] == ["urn:ngsi-ld:Sensor:1"]
            await hub.upsert("gimhae", [sensor(1, pm25={"type": "Property", "value": 22})], source="test")
            later, _ = await hub.changes("gimhae", cursor)
            assert [one.attributes()["pm25"]["value"] for one in later] == [22]
        finally:
            await hub.close()

    run(body)


@pytest.mark.parametrize("version", range(len(schema.MIGRATIONS)))
def test_every_version_reaches_the_tables_of_a_fresh_store(tmp_path: Path, version: int) -> None:
    old, fresh = (apsw.Connection(str(tmp_path / name)) for name in ("old.sqlite3", "fresh.sqlite3"))
    with old:
        for step in schema.MIGRATIONS[:version]:
            step(old)
        old.execute(f"PRAGMA user_version = {version}")
    for connection in (old, fresh):
        schema.migrate(connection, "a store")
    sql = "SELECT type, name, sql FROM sqlite_schema ORDER BY type, name"
    assert old.execute(sql).fetchall() == fresh.execute(sql).fetchall()
    old.close()
    fresh.close()
