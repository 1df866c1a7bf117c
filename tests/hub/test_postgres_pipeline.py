"""Statements sent together are answered like those sent alone; and what a group writes of plain entities with them is
what it writes of the same entities the general way."""

from __future__ import annotations

from typing import Any

import orjson
import psycopg
import pytest
from psycopg import errors

from madang.hub import changes as change
from madang.hub.changes import Effect, Mutation, Op
from madang.hub.config import HubConfig
from madang.hub.contexts.context import CORE_CONTEXT
from madang.hub.entity import read_entity
from madang.hub.plain import PlainReader
from madang.hub.postgres.address import connect
from madang.hub.postgres.arrays import texts
from madang.hub.postgres.pipeline import Pipeline
from madang.hub.store import Observed, WriteTx
from tests.hub import postgres_server
from tests.hub.client import run
from tests.hub.test_postgres_store import opened

pytestmark = pytest.mark.integration

_PLACE = {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [128.5, 35.25]}}
_ENTITIES: list[dict[str, Any]] = [  # Any: JSON
    {"id": "urn:x:1", "type": "Sensor", "pm10": {"type": "Property", "value": 3, "unitCode": "GQ"}},
    {"id": "urn:x:2", "type": "Sensor", "name": {"type": "Property", "value": "a \\u0000 b \x00 김해"}},
    {"id": "urn:x:3", "type": "Camera", "location": _PLACE, "owner": {"type": "Relationship", "object": "urn:y:1"}},
    {"id": "urn:x:4", "type": "Camera", "location": _PLACE, "observationSpace": _PLACE},
    {"id": "urn:x:5", "type": "Camera", "owner": {"type": "Relationship", "object": "urn:y:2"}},
]
_TABLES = {
    "entity": "SELECT e.id, types, created_ms = modified_ms, version, source_version, spots, stamps, body, doc::text,"
    " expires_ms FROM entity e ORDER BY 1",
    "kinds": "SELECT e.id, k.name FROM entity_kind x JOIN entity e ON e.key = x.key JOIN kind k ON k.id = x.kind"
    " ORDER BY 1, 2",
    "attributes": "SELECT name, shape FROM attribute ORDER BY 1",
    "changes": "SELECT seq, e.id, op, source, c.body FROM change c JOIN entity e ON e.key = c.key ORDER BY 1",
    "places": "SELECT e.id, p.id - p.key * 16, attribute, lon, lat, geometry, ST_AsEWKT(spot) FROM place p"
    " JOIN entity e ON e.key = p.key ORDER BY 1, 2",
}


def _plain(raw: dict[str, Any]) -> Mutation:  # Any: JSON
    mutation = PlainReader(lambda _types, _current: None).mutation(orjson.dumps(raw))
    assert mutation is not None
    assert mutation.plain is not None
    return mutation


def _general(raw: dict[str, Any]) -> Mutation:  # Any: JSON
    return change.replace(read_entity(raw, CORE_CONTEXT), if_missing_create=True)


async def _written(address: str, mutations: list[Mutation]) -> tuple[dict[str, list[Any]], list[Any]]:
    """What stands in the tables after a group, and what an observer was told of it."""
    told: list[Any] = []
    postgres_server.empty(address)

    def observer(_tx: WriteTx, tenant: str, seen: Any) -> None:
        told.append([(tenant, one.seq, one.entity_id, one.before, _shown(one), one.effect.op, one.effect.body,
                      one.effect.updated, one.effect.geometries) for one in seen])  # fmt: skip

    async with opened(address, HubConfig()) as store:
        store.observe(observer)
        ids = [one.entity_id for one in mutations]
        outcomes = await store.write(lambda tx: [tx.apply("city", one, "test") for one in mutations], ("city", ids))
        assert [one.op for one in outcomes if isinstance(one, Effect)] == [Op.CREATED] * len(mutations)
    with connect(address) as connection:
        return {name: connection.execute(sql).fetchall() for name, sql in _TABLES.items()}, told


def _shown(one: Observed) -> tuple[Any, ...] | None:
    return None if one.after is None else (one.after.id, one.after.types, one.after.body, one.after.spots)


def test_plain_entities_are_written_and_told_as_the_general_way_does(postgres_database: str) -> None:
    async def body() -> None:
        plain = await _written(postgres_database, [*map(_plain, _ENTITIES)])
        assert plain == await _written(postgres_database, [*map(_general, _ENTITIES)])
        assert len(plain[0]["places"]) == 3
        assert len(plain[1][0]) == len(_ENTITIES)

    run(body)


def test_a_plain_entity_may_be_changed_again_in_its_group(postgres_database: str) -> None:
    async def body() -> None:
        gone, moved, kept = _ENTITIES[2], _ENTITIES[3], _ENTITIES[4]
        more = read_entity({"speed": 5, "id": moved["id"], "type": "Camera"}, CORE_CONTEXT, simplified=True)

        def work(tx: WriteTx) -> None:
            for one in (gone, moved, kept):
                tx.apply("city", _plain(one))
            tx.apply("city", change.delete(gone["id"]))
            tx.apply("city", change.upsert(more))

        async with opened(postgres_database, HubConfig()) as store:
            await store.write(work)
            assert await store.retrieve("city", gone["id"]) is None
        async with opened(postgres_database, HubConfig()) as store:
            found = await store.retrieve("city", moved["id"])
            assert found is not None
            assert found.document().keys() == {*moved, "speed"}
            assert (found.version, found.spots) == (2, 2)
            changes, _ = await store.changes("city", None, 100)
            assert [(one.entity_id[-1], int(one.op)) for one in changes][:3] == [("3", 1), ("4", 1), ("5", 1)]
            assert len(changes) == 5
        with connect(postgres_database) as connection:
            assert connection.execute("SELECT count(*) FROM place").fetchall() == [(2,)]

    run(body)


def test_answers_come_in_the_order_of_statements(postgres_database: str) -> None:
    with connect(postgres_database) as connection:
        pipeline = Pipeline(connection)
        for _ in range(3):
            first = pipeline.send("SELECT %s, %s || 'é%%', %s", (2**40, "김", b"\x00\xff"))
            second = pipeline.send("SELECT * FROM unnest(%s::text[])", (texts(["a", None, "b" * 100_000]),))
            third = pipeline.send("SELECT %s::bigint", (None,))
            answers = pipeline.run()
            assert pipeline.rows(answers[first]) == [(2**40, "김é%", b"\x00\xff")]
            assert pipeline.rows(answers[second]) == [("a",), (None,), ("b" * 100_000,)]
            assert pipeline.rows(answers[third]) == [(None,)]
        assert connection.execute("SELECT 1").fetchall() == [(1,)]


def test_the_first_failure_is_told_and_the_connection_stays(postgres_database: str) -> None:
    with connect(postgres_database) as connection:
        pipeline = Pipeline(connection)
        pipeline.send("BEGIN")
        pipeline.send("INSERT INTO hub.meta VALUES (%s, %s)", ("epoch", "x"))
        pipeline.send("SELECT 7::bigint")
        pipeline.send("COMMIT")
        with pytest.raises(errors.UniqueViolation) as caught:
            pipeline.run()
        assert caught.value.diag.table_name == "meta"
        connection.execute("ROLLBACK")
        answer = pipeline.send("SELECT 7::bigint")
        assert pipeline.rows(pipeline.run()[answer]) == [(7,)]


def test_a_lost_connection_is_told_and_closed(postgres_database: str) -> None:
    with connect(postgres_database) as connection, connect(postgres_database) as other:
        pipeline = Pipeline(connection)
        other.execute("SELECT pg_terminate_backend(%s)", (connection.info.backend_pid,))
        pipeline.send("SELECT pg_sleep(30)")
        with pytest.raises(psycopg.OperationalError):
            pipeline.run()
        assert connection.closed
