"""Readings that are taken in the short way leave behind exactly what the long way leaves."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from madang.hub import changes as change
from madang.hub.changes import Mutation
from madang.hub.config import HubConfig
from madang.hub.contexts.context import CORE_CONTEXT
from madang.hub.entity import Json, read_entity
from madang.hub.plain import PlainReader
from madang.hub.sqlite.store import SqliteStore
from madang.hub.store import WriteTx
from tests.hub.client import run, sensor, spot
from tests.hub.store_contract import Ticking, append

OBSERVED = st.sampled_from([{}, *({"observedAt": f"2026-11-22T00:00:0{second}Z"} for second in range(4))])
VALUES = st.one_of(
    st.builds(lambda value, at: {"type": "Property", "value": value, **at}, st.integers(0, 9), OBSERVED),
    st.just({"type": "Property", "value": "text", "unitCode": "GQ"}),
    st.just({"type": "Property", "value": [1, 2]}),
    st.just({"type": "Property", "value": 1, "accuracy": {"type": "Property", "value": 2}}),
    st.just({"type": "Property", "value": 1, "datasetId": "urn:x:second"}),
    st.just({"type": "Relationship", "object": "urn:x:other"}),
    st.just(spot(1, 2)),
)
READINGS = st.tuples(st.integers(1, 2), st.dictionaries(st.sampled_from(["a", "b", "c"]), VALUES, max_size=3))


def reading(number: int, attributes: dict[str, Json], kind: str = "Sensor") -> Mutation:
    """A reading as the hub takes it."""
    return change.ingest(read_entity(sensor(number, **attributes) | {"type": kind}, CORE_CONTEXT))


ROUTES: dict[tuple[str, ...], dict[str, int]] = {
    names: dict.fromkeys(names, 1) for names in (("a",), ("b",), ("a", "b"))
}
"""Shapes as a connector has them: one object for all readings of a rule."""


def routed(number: int, names: tuple[str, ...], value: int, second: int) -> Mutation:
    """A reading as a connector makes it."""
    at = f"2026-11-22T00:00:0{second}Z" if second else f"2026-11-22T00:00:00.{value}Z"
    attributes = {name: {"type": "Property", "value": value, "observedAt": at} for name in names}
    return change.reading(f"urn:ngsi-ld:Sensor:{number}", ("Sensor",), attributes, ROUTES[names])


def put(number: int, attributes: dict[str, Json], kind: str = "Sensor") -> Mutation:
    """A whole entity as batches put it in place."""
    entity = sensor(number, **attributes) | {"type": kind}
    plain = PlainReader(lambda _types, _current: None).mutation(orjson.dumps(entity))
    return plain or change.replace(read_entity(entity, CORE_CONTEXT), if_missing_create=True)


STEPS = st.one_of(
    st.builds(lambda said: put(*said), READINGS),
    st.builds(lambda said: put(said[0], {"a": {"type": "Property", "value": said[0]}}), READINGS),
    st.builds(lambda said: put(said[0], {"a": {"type": "Property", "value": said[0]}}, "Other"), READINGS),
    st.builds(lambda said: reading(*said), READINGS),
    st.builds(lambda said: reading(*said), READINGS),
    st.builds(lambda said: reading(*said), READINGS),
    st.builds(lambda said: reading(said[0], said[1], "Other"), READINGS),
    *[st.builds(routed, st.integers(1, 2), st.sampled_from([*ROUTES]), st.integers(0, 9), st.integers(0, 3))] * 3,
    st.builds(lambda said: append(said[0], **said[1]), READINGS),
    st.just(change.delete("urn:ngsi-ld:Sensor:1")),
)


async def left(path: Path, groups: list[list[Mutation]], *, observed: bool) -> Any:  # Any: rows of tables
    """What is in the tables after groups of mutations; observed, every one goes the long way."""
    store = await SqliteStore.open(path, HubConfig(), Ticking())
    try:
        if observed:
            store.observe(lambda *_: None)
        for group in groups:

            def work(tx: WriteTx, group: list[Mutation] = group) -> None:
                for mutation in group:
                    if mutation.reading is not None:
                        tx.take("one", [mutation], "s")
                    else:
                        tx.apply("one", mutation, "s")

            await store.write(work)
        held = dict(store._cache)
        entities = (
            "SELECT key, id, types, created_ms, modified_ms, version, spots, stamps, body, expires_ms FROM entity"
        )
        sqls = (entities, "SELECT json(doc) FROM entity", "SELECT * FROM change", "SELECT * FROM attribute")
        return await store.read(lambda session: [session.execute(sql) for sql in sqls]), held
    finally:
        await store.close()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(STEPS, min_size=1, max_size=8), min_size=1, max_size=4))
def test_the_short_way_and_the_long_way_of_a_reading_agree(groups: list[list[Mutation]]) -> None:
    async def body() -> None:
        with tempfile.TemporaryDirectory() as folder:
            short = await left(Path(folder) / "short.sqlite3", groups, observed=False)
            long = await left(Path(folder) / "long.sqlite3", groups, observed=True)
            assert short == long

    run(body)
