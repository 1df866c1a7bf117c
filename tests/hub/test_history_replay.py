"""History is the state at every time: replayed it gives what was; where it lies makes no difference to any answer."""

from __future__ import annotations

import asyncio
import copy
import math
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from madang.hub import changes as change
from madang.hub.config import HubConfig
from madang.hub.contexts.context import CORE_CONTEXT
from madang.hub.entity import read_entity, read_fragment
from madang.hub.history.instances import ENTITY, WHOLE, Instance, body_of, flatten, instance_id, read, read_instance_id
from madang.hub.history.query import HistoryQuery
from madang.hub.http.app import HubApp
from madang.hub.hub import Hub
from madang.hub.query import Query
from tests.hub.client import Client

Json = Any  # Any: JSON documents
BEGIN = datetime(2026, 5, 1, 22, tzinfo=UTC)
DATASETS = (None, "urn:x:left")
NAMES = ("speed", "owner")
EVERYTHING = HistoryQuery(Query(limit=1_000))


def _instance(value: Json, minute: int | None, dataset: str | None) -> dict[str, Json]:
    one: dict[str, Json] = {"type": "Property", "value": value}
    if minute is not None:
        one["observedAt"] = f"2026-04-01T10:{minute:02}:00Z"
    return one if dataset is None else one | {"datasetId": dataset}


VALUES = st.one_of(st.integers(-5, 5), st.floats(-9, 9).map(lambda f: round(f, 3)), st.sampled_from(["a", "b"]),
                   st.booleans(), st.just([1, 2]), st.just({"deep": 1}))  # fmt: skip
INSTANCES = st.builds(_instance, VALUES, st.one_of(st.none(), st.integers(0, 59)), st.sampled_from(DATASETS))
ATTRIBUTES = st.dictionaries(
    st.sampled_from(NAMES), st.lists(INSTANCES, min_size=1, max_size=2, unique_by=lambda one: one.get("datasetId"))
)
IDS = st.sampled_from(["urn:x:1", "urn:x:2"])
WRITES = st.one_of(
    st.tuples(st.sampled_from(["upsert", "replace", "merge", "update"]), IDS, ATTRIBUTES),
    st.tuples(st.just("scope"), IDS, st.sampled_from(["/a", "/b"])),
    st.tuples(st.just("delete"), IDS, st.none()),
    st.tuples(st.just("delete attribute"), IDS, st.tuples(st.sampled_from(NAMES), st.sampled_from(DATASETS))),
    st.tuples(st.just("roll"), IDS, st.none()),
)


def _mutation(deed: str, entity_id: str, said: Json) -> change.Mutation:
    if deed == "delete":
        return change.delete(entity_id)
    if deed == "delete attribute":
        return change.delete_attribute(entity_id, said[0], dataset=said[1] or "")
    head = {"id": entity_id, "type": "T"}
    raw = head | {"scope": said} if deed == "scope" else head | copy.deepcopy(said)
    if deed == "replace":
        return change.replace(read_entity(raw, CORE_CONTEXT), if_missing_create=True)
    if deed == "merge":
        return change.merge(entity_id, read_fragment(raw, CORE_CONTEXT))
    if deed == "update":
        return change.update(entity_id, read_fragment(raw, CORE_CONTEXT))
    return change.upsert(read_entity(raw, CORE_CONTEXT))


def _replayed(instances: list[Instance]) -> dict[str, dict[tuple[str, str], Json]]:
    """The state that follows from instances in the order they were written."""
    state: dict[str, dict[tuple[str, str], Json]] = {}
    for one in sorted(instances, key=lambda one: (one.seq, one.place)):
        held = state.setdefault(one.entity, {})
        if one.attribute == ENTITY:
            held.clear()
        elif one.form == "x" and one.text == WHOLE:
            for key in [key for key in held if key[0] == one.attribute]:
                del held[key]
        elif one.form == "x":
            held.pop((one.attribute, one.dataset), None)
        else:
            body = body_of(one)
            held[one.attribute, one.dataset] = body["value"] if one.attribute == "scope" else body
    return state


def _state(stored: change.Stored | None) -> dict[tuple[str, str], Json]:
    if stored is None:
        return {}
    found: dict[tuple[str, str], Json] = {}
    for name, value in stored.document().items():
        if name == "scope":
            found[name, ""] = value
        elif name not in ("id", "type"):
            for one in value if isinstance(value, list) else [value]:
                found[name, one.get("datasetId", "")] = one
    return found


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(WRITES, min_size=1, max_size=14))
def test_history_replayed_is_the_state_at_every_time(
    tmp_path_factory: Any,
    fresh_store: Path,
    deeds: list[Json],  # Any: pytest's factory
) -> None:
    folder = tmp_path_factory.mktemp("replay")
    shutil.copyfile(fresh_store, folder / "hub.sqlite3")
    now = [BEGIN]

    async def body() -> None:
        hub = await Hub.open(HubConfig(store=str(folder / "hub.sqlite3"), history_grace_s=0), lambda: now[0])
        states: list[dict[str, dict[tuple[str, str], Json]]] = []
        try:
            for deed, entity_id, said in deeds:
                now[0] += timedelta(hours=1)
                if deed == "roll":
                    await hub.past.roller.roll_all()
                    await hub.roll()
                    continue
                await _write(hub, _mutation(deed, entity_id, said))
                stored = {one: await hub.retrieve("one", one) for one in ("urn:x:1", "urn:x:2")}
                states.append({one: _state(found) for one, found in stored.items()})
                page = await hub.history("one", EVERYTHING)
                found = [one for entity in page.entities for one in entity.instances]
                found += await _deletions(hub)
                assert {key: value for key, value in states[-1].items() if value} == {
                    key: value for key, value in _replayed(found).items() if value
                }
        finally:
            await hub.close()

    asyncio.run(body())


async def _write(hub: Hub, mutation: change.Mutation) -> None:
    await hub.store.write(lambda tx: tx.apply("one", mutation))


async def _deletions(hub: Hub) -> list[Instance]:
    """When entities were deleted, told by the feed."""
    feed, _ = await hub.changes("one", None)
    number = hub.store.number("one")
    assert number is not None
    found = []
    for place, one in enumerate(feed, (number << 40) + 1):
        found += [it for it in flatten(one.entity_id, "T", one.op, 0, place, one.raw) if it.attribute == ENTITY]
    return found


QUESTIONS = [
    "type=T&options=sysAttrs&timerel=after&timeAt=2020-01-01T00:00:00Z&timeproperty=modifiedAt",
    "type=T&options=temporalValues&timerel=after&timeAt=2020-01-01T00:00:00Z",
    "type=T&timerel=between&timeAt=2026-04-01T10:10:00Z&endTimeAt=2026-04-01T10:40:00Z&lastN=2",
    "type=T&timerel=before&timeAt=2026-04-01T10:30:00Z&q=speed>0|owner==true",
    "type=T&timerel=before&timeAt=2026-04-01T10:30:00Z&q=speed.observedAt>2026-04-01T10:05:00Z",
    "type=T&timerel=before&timeAt=2030-04-01T10:30:00Z&timeproperty=modifiedAt&scopeQ=/a",
    "type=T&timerel=after&timeAt=2020-01-01T00:00:00Z&timeproperty=deletedAt",
    "type=T&timerel=after&timeAt=2026-04-01T10:00:00Z&options=aggregatedValues&aggrPeriodDuration=PT10M"
    "&aggrMethods=totalCount,distinctCount,sum,avg,min,max,sumsq",
]


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(WRITES, min_size=1, max_size=14))
def test_answers_are_the_same_from_rows_and_from_files(
    tmp_path_factory: Any,
    fresh_store: Path,
    deeds: list[Json],  # Any: pytest's factory
) -> None:
    folder = tmp_path_factory.mktemp("equal")
    shutil.copyfile(fresh_store, folder / "hub.sqlite3")
    now = [BEGIN]

    async def body() -> None:
        hub = await Hub.open(HubConfig(store=str(folder / "hub.sqlite3"), history_grace_s=0), lambda: now[0])
        client = Client(HubApp(hub, None, (), open_mode=True, bound_host="127.0.0.1", open_tenant="one"))
        try:
            for deed, entity_id, said in deeds:
                now[0] += timedelta(hours=1)
                if deed != "roll":
                    await _write(hub, _mutation(deed, entity_id, said))
                if deed == "scope":
                    await hub.past.add("one", entity_id, ("T",), [("speed", _instance(7, 20, None))], create=True)
            before = [await _answer(client, question) for question in QUESTIONS]
            await hub.past.roller.roll_all()
            assert [await _answer(client, question) for question in QUESTIONS] == before
            now[0] += timedelta(days=3)
            await hub.roll()
            assert [await _answer(client, question) for question in QUESTIONS] == before
        finally:
            await hub.close()

    asyncio.run(body())


async def _answer(client: Client, question: str) -> Json:
    answer = await client.get("/temporal/entities", question)
    return answer.status, _rounded(answer.json)


def _rounded(value: Json) -> Json:
    """Sums of floats depend on their order."""
    if isinstance(value, float) and math.isfinite(value):
        return round(value, 6)
    if isinstance(value, list):
        return [_rounded(one) for one in value]
    return {key: _rounded(one) for key, one in value.items()} if isinstance(value, dict) else value


@given(INSTANCES, st.integers(-(2**40), 2**50), st.integers(0, 500))
def test_an_instance_and_its_id_survive_the_columns(one: dict[str, Json], seq: int, place: int) -> None:
    assert body_of(read(one, "urn:x:1", "T", "speed", seq, place, 1, 2)) == one
    assert read_instance_id(instance_id(seq, place)) == (seq, place)
