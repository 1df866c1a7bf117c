"""Each operation asks for its own deed: a credential that holds one of them can do that and nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from madang.hub.http.app import OPERATIONS, HubApp
from madang.identity.rights import Actor, Deed
from tests.hub.client import Client, run, sensor, token_actor, type_right
from tests.hub.conftest import OpenHub

SENSOR = "/entities/urn:ngsi-ld:Sensor:1"
PAST = "/temporal/entities/urn:ngsi-ld:Sensor:1"
SUBSCRIPTION = {
    "id": "urn:ngsi-ld:Subscription:1",
    "type": "Subscription",
    "entities": [{"type": "Sensor"}],
    "notification": {"endpoint": {"uri": "https://example.org/notify"}},
}
TYPELESS = (Deed.CONTEXTS, Deed.PARKED)
ACTORS = {
    deed.value: token_actor(deed.value, "gimhae", type_right("*" if deed in TYPELESS else "Sensor", deed.value))
    for deed in Deed
}
ACTORS["watcher"] = token_actor("watcher", "gimhae", type_right("Sensor", "read", "subscribe"))
ACTORS["keeper"] = token_actor("keeper", "gimhae", type_right("Sensor", "history", "delete"))
ACTORS["all"] = token_actor("all", "gimhae", type_right("*", *(deed.value for deed in Deed)))
READING = {"type": "Property", "value": 2, "observedAt": "2026-01-02T00:00:00Z"}

# What is asked for, and who of the above (beside `all`) is let in. Others get 403, or 404 where they may not even know.
ASKED: list[tuple[str, str, Any, set[str]]] = [
    ("GET", SENSOR, None, {"read", "watcher"}),
    ("GET", PAST, None, {"history", "keeper"}),
    ("POST", "/entities", sensor(2, a=1), {"create"}),
    ("POST", "/temporal/entities", {**sensor(3), "a": [READING]}, {"create"}),
    ("PATCH", SENSOR, {"a": READING}, {"update"}),
    ("PUT", SENSOR, sensor(1, a=3), {"update"}),
    ("POST", SENSOR + "/attrs", {"b": READING}, {"update"}),
    ("PATCH", SENSOR + "/attrs", {"a": READING}, {"update"}),
    ("PATCH", SENSOR + "/attrs/a", {"value": 4}, {"update"}),
    ("PUT", SENSOR + "/attrs/a", READING, {"update"}),
    ("DELETE", SENSOR + "/attrs/a", None, {"update"}),
    ("DELETE", SENSOR, None, {"delete", "keeper"}),
    ("DELETE", PAST, None, {"keeper"}),
    ("POST", "/subscriptions", SUBSCRIPTION, {"watcher"}),
    ("POST", "/jsonldContexts", {"@context": {"a": "https://example.org/a"}}, {"contexts"}),
]


async def authenticate(headers: Iterable[tuple[bytes, bytes]]) -> Actor | None:
    return ACTORS.get(dict(headers).get(b"authorization", b"").removeprefix(b"Bearer ").decode())


@asynccontextmanager
async def hub_with_a_sensor(open_hub: OpenHub) -> AsyncIterator[HubApp]:
    async with open_hub() as hub:
        await hub.upsert("gimhae", [sensor(1, a=1)], source="test")
        yield HubApp(hub, authenticate, owned_types={"Camera"})


@pytest.mark.parametrize(
    ("method", "path", "body", "allowed"), ASKED, ids=lambda one: one if isinstance(one, str) else ""
)
def test_an_operation_lets_in_who_holds_its_deed_and_nobody_else(
    open_hub: OpenHub, method: str, path: str, body: Any, allowed: set[str]
) -> None:
    async def ask() -> None:
        async with hub_with_a_sensor(open_hub) as app:
            for who in sorted(ACTORS.keys() - allowed - {"all"}):
                answer = await Client(app, token=who).send(method, path, body)
                assert answer.status in (403, 404), (who, answer.status, answer.body)
                assert answer.json["status"] == answer.status
                if answer.status == 403:
                    assert 'error="insufficient_scope"' in answer.header("www-authenticate")
            for who in sorted(allowed)[:1] if method == "DELETE" else sorted(allowed):
                answer = await Client(app, token=who).send(method, path, body)
                assert answer.status < 300, (who, answer.status, answer.body)

    run(ask)


@pytest.mark.parametrize(
    ("method", "path", "body", "allowed"), ASKED, ids=lambda one: one if isinstance(one, str) else ""
)
def test_who_holds_every_deed_may_do_everything(
    open_hub: OpenHub, method: str, path: str, body: Any, allowed: set[str]
) -> None:
    async def ask() -> None:
        async with hub_with_a_sensor(open_hub) as app:
            assert (await Client(app, token="all").send(method, path, body)).status < 300

    run(ask)


def test_a_refusal_names_the_scope_that_was_missing(open_hub: OpenHub) -> None:
    async def body() -> None:
        async with hub_with_a_sensor(open_hub) as app:
            reader = Client(app, token="read")
            for path, sent, scope in (
                (SENSOR + "/attrs", {"b": 1}, "update:Sensor"),
                (
                    "/entities",
                    {"id": "urn:x:1", "type": "https://example.org/대기"},
                    "create:https://example.org/%EB%8C%80%EA%B8%B0",
                ),
                ("/jsonldContexts", {"@context": {}}, "contexts:*"),
            ):
                answer = await reader.post(path, sent)
                assert answer.status == 403, answer.body
                assert answer.header("www-authenticate").endswith(f'scope="{scope}"')

    run(body)


def test_an_upsert_creates_with_one_right_and_changes_with_another(open_hub: OpenHub) -> None:
    async def body() -> None:
        async with hub_with_a_sensor(open_hub) as app:
            for mode in ("", "options=update"):
                for who, done in (("create", "urn:ngsi-ld:Sensor:2"), ("update", "urn:ngsi-ld:Sensor:1")):
                    sent = [sensor(1, a=5), sensor(2, a=5)]
                    answer = await Client(app, token=who).post("/entityOperations/upsert", sent, mode)
                    assert (answer.status, answer.json["success"]) == (207, [done])
                    assert (
                        await Client(app, token="all").send("DELETE", "/entities/urn:ngsi-ld:Sensor:2")
                    ).status < 500

    run(body)


def test_batches_refuse_item_by_item(open_hub: OpenHub) -> None:
    async def body() -> None:
        async with hub_with_a_sensor(open_hub) as app:
            other = {"id": "urn:ngsi-ld:Other:1", "type": "Other"}
            for operation, who in (("create", "create"), ("upsert", "create")):
                answer = await Client(app, token=who).post(f"/entityOperations/{operation}", [other, sensor(7)])
                assert answer.json["success"] == ["urn:ngsi-ld:Sensor:7"]
                assert answer.json["errors"][0]["error"]["status"] == 403
                await Client(app, token="all").send("DELETE", "/entities/urn:ngsi-ld:Sensor:7")
            for operation, who in (("delete", "update"), ("update", "delete"), ("merge", "create")):
                sent = ["urn:ngsi-ld:Sensor:1"] if operation == "delete" else [sensor(1, a=9)]
                answer = await Client(app, token=who).post(f"/entityOperations/{operation}", sent)
                assert (answer.status, answer.json["success"]) == (207, []), operation

    run(body)


def test_a_purge_needs_the_right_to_delete_or_to_change_what_it_touches(open_hub: OpenHub) -> None:
    async def body() -> None:
        async with hub_with_a_sensor(open_hub) as app:
            for who in ("read", "create", "update"):
                await Client(app, token=who).send("DELETE", "/entities", query="type=Sensor")
                assert (await Client(app, token="all").get(SENSOR)).status == 200, who

    run(body)


def test_queries_show_only_what_may_be_read_and_histories_only_what_was(open_hub: OpenHub) -> None:
    async def body() -> None:
        async with hub_with_a_sensor(open_hub) as app:
            for who, now, past in (("read", 200, 403), ("history", 403, 200), ("create", 403, 403)):
                client = Client(app, token=who)
                assert (await client.get("/entities", "type=Sensor")).status == now, who
                period = "type=Sensor&timerel=after&timeAt=2000-01-01T00:00:00Z"
                assert (await client.get("/temporal/entities", period)).status == past, who
            assert (await Client(app, token="read").get("/types")).json["typeList"] == ["Sensor"]
            assert (await Client(app, token="create").get("/types")).json["typeList"] == []

    run(body)


def test_subscriptions_are_known_to_their_owner_and_to_who_might_have_made_them(open_hub: OpenHub) -> None:
    async def body() -> None:
        async with hub_with_a_sensor(open_hub) as app:
            assert (await Client(app, token="watcher").post("/subscriptions", SUBSCRIPTION)).status == 201
            path = "/subscriptions/urn:ngsi-ld:Subscription:1"
            for who, status, count in (("watcher", 200, 1), ("all", 200, 1), ("read", 404, 0), ("subscribe", 404, 0)):
                client = Client(app, token=who)
                assert (await client.get(path)).status == status, who
                assert len((await client.get("/subscriptions")).json) == count, who
                if status == 404:
                    assert (await client.send("PATCH", path, {"isActive": False})).status == 404
                    assert (await client.send("DELETE", path)).status == 404
            assert (await Client(app, token="watcher").send("DELETE", path)).status == 204

    run(body)


def test_no_operation_is_open_to_nobody_and_none_tells_a_stranger_of_another_tenant(open_hub: OpenHub) -> None:
    async def body() -> None:
        async with hub_with_a_sensor(open_hub) as app:
            stranger = token_actor("busan", "busan", type_right("*", *(deed.value for deed in Deed)))
            ACTORS["busan"] = stranger
            try:
                for operation in OPERATIONS:
                    path = operation.path.format(
                        entityId="urn:ngsi-ld:Sensor:1",
                        attrId="a",
                        instanceId="urn:i:1",
                        subscriptionId="urn:s:1",
                        type="Sensor",
                        contextId="x",
                    )
                    nobody = await Client(app).send(operation.method, path)
                    assert (nobody.status, nobody.json["status"]) == (401, 401), path
                    assert nobody.header("www-authenticate") == 'Bearer realm="madang"'
                    named = await Client(app, token="busan").send(
                        operation.method, path, headers=[("NGSILD-Tenant", "gimhae")]
                    )
                    assert (named.status, named.problem) == (404, "NonexistentTenant"), path
                    own = await Client(app, token="busan").send(operation.method, path)
                    assert b"urn:ngsi-ld:Sensor:1" not in own.body or own.status >= 400, path
            finally:
                del ACTORS["busan"]

    run(body)
