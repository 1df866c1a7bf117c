"""Decision 0010: the change that each write leaves tells what it wrote, for history and feed in one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import orjson
import pytest

from madang.hub.changes import LATE, Op
from madang.hub.entity import is_tombstone
from madang.hub.feed import FeedChange
from madang.hub.http.app import HubApp
from madang.hub.hub import Hub
from tests.hub.clauses.writing import ATTRS, ID, NULL, PATH, dataset, entity, link, prop, texts
from tests.hub.client import Client, Json, run
from tests.hub.conftest import OpenHub

LEFT, RIGHT = dataset("left"), dataset("right")
THERE = entity(
    speed=[prop(1), prop(2, datasetId=LEFT), prop(3, datasetId=RIGHT)],
    other=prop(0),
    name=[texts(ko="김해"), texts(ko="왼쪽") | {"datasetId": LEFT}],
    scope="/a",
)


async def last_change(hub: Hub) -> FeedChange:
    changes, _ = await hub.changes("open", None)
    assert len(changes) == 2
    return changes[-1]


@pytest.mark.parametrize(
    ("method", "path", "sent", "told"),
    [
        ("POST", ATTRS, {"fresh": prop(1), "other": prop(2)}, {"fresh": prop(1), "other": prop(2)}),
        ("POST", ATTRS, {"speed": prop(9, datasetId=LEFT)}, {"speed": prop(9, datasetId=LEFT)}),
        ("PATCH", ATTRS, {"speed": [prop(8), prop(9, datasetId=LEFT)]}, {"speed": [prop(8), prop(9, datasetId=LEFT)]}),
        ("PATCH", ATTRS, {"speed": NULL}, {"speed": None}),
        ("PATCH", f"{ATTRS}/other", {"unitCode": "KMH"}, {"other": prop(0, unitCode="KMH")}),
        ("PUT", f"{ATTRS}/other", link("urn:x:1"), {"other": link("urn:x:1")}),
        ("DELETE", f"{ATTRS}/other", None, {"other": None}),
        ("DELETE", f"{ATTRS}/speed", None, {"speed": prop(NULL)}),
        ("DELETE", f"{ATTRS}/speed?datasetId={LEFT}", None, {"speed": prop(NULL, datasetId=LEFT)}),
        ("DELETE", f"{ATTRS}/speed?deleteAll=true", None, {"speed": None}),
        (
            "DELETE",
            f"{ATTRS}/name?datasetId={LEFT}",
            None,
            {"name": {"type": "LanguageProperty", "languageMap": NULL, "datasetId": LEFT}},
        ),
        ("PATCH", PATH, {"speed": prop(NULL, datasetId=RIGHT)}, {"speed": prop(NULL, datasetId=RIGHT)}),
        ("PATCH", PATH, {"scope": "/b", "type": "Camera"}, {"type": ["Sensor", "Camera"], "scope": "/b"}),
        ("PATCH", PATH, {"scope": NULL}, {"scope": None}),
        ("PUT", PATH, entity(other=prop(1)), entity(other=prop(1), speed=None, name=None, scope=None)),
        (
            "PUT",
            PATH,
            entity(speed=prop(5), name=THERE["name"], other=prop(0)),
            entity(
                speed=[prop(5), prop(NULL, datasetId=LEFT), prop(NULL, datasetId=RIGHT)],
                name=THERE["name"],
                other=prop(0),
                scope=None,
            ),
        ),
        ("DELETE", PATH, None, {}),
    ],
)
def test_a_change_tells_what_was_written_and_what_went(
    open_hub: OpenHub, method: str, path: str, sent: Json, told: Json
) -> None:
    async def body() -> None:
        async with open_hub() as hub:
            client = Client(HubApp(hub, None, (), open_mode=True, bound_host="127.0.0.1"))
            assert (await client.post("/entities", THERE)).status == 201
            where, _, query = path.partition("?")
            assert (await client.send(method, where, sent, query=query)).status == 204
            change = await last_change(hub)
            assert orjson.loads(change.raw) == told

    run(body)


def test_only_the_deleted_look_like_tombstones() -> None:
    assert is_tombstone(prop(NULL, datasetId=LEFT))
    assert is_tombstone({"type": "LanguageProperty", "languageMap": NULL})
    assert not is_tombstone(prop("x", value2=NULL))
    assert not is_tombstone(None)


def test_a_creation_and_a_replacement_tell_the_whole_entity(open_hub: OpenHub) -> None:
    async def body() -> None:
        async with open_hub() as hub:
            client = Client(HubApp(hub, None, (), open_mode=True, bound_host="127.0.0.1"))
            await client.post("/entities", THERE)
            await client.post("/entityOperations/upsert", [THERE | {"other": prop(1)}])
            changes, _ = await hub.changes("open", None)
            assert [one.op for one in changes] == [Op.CREATED, Op.REPLACED]
            assert orjson.loads(changes[0].raw) == THERE
            assert orjson.loads(changes[1].raw) == THERE | {"other": prop(1)}

    run(body)


def test_late_readings_are_told_beside_timely_ones(open_hub: OpenHub) -> None:
    async def body() -> None:
        async with open_hub() as hub:
            noon = datetime(2026, 11, 22, 12, tzinfo=UTC)

            def at(minutes: int) -> str:
                return (noon + timedelta(minutes=minutes)).isoformat().replace("+00:00", "Z")

            readings = [
                entity(a=prop(1, observedAt=at(5)), b=prop(1, observedAt=at(5))),
                entity(a=prop(0, observedAt=at(1)), b=prop(2, observedAt=at(9))),
                entity(a=prop(0, observedAt=at(2))),
            ]
            for one in readings:
                await hub.ingest("open", [one], source="test")
            changes, _ = await hub.changes("open", None)
            assert [one.op for one in changes] == [Op.CREATED, Op.UPDATED, Op.LATE]
            assert orjson.loads(changes[1].raw) == {"b": readings[1]["b"], LATE: {"a": readings[1]["a"]}}
            assert changes[1].attributes() == {"b": readings[1]["b"]}
            assert changes[2].attributes() == {"a": readings[2]["a"]}
            stored = await hub.retrieve("open", ID)
            assert stored is not None
            assert stored.document()["a"] == readings[0]["a"]

    run(body)
