"""Who may ask the hub what: credentials, tenants, types, owned types, and the open mode that stays on this machine."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import pytest

from madang.hub.http.app import HubApp
from madang.identity.rights import Actor, ActorKind, Role
from madang.kernel.errors import ConfigError
from tests.hub.client import Client, run, sensor, token_actor, type_right
from tests.hub.conftest import OpenHub

EVERYTHING = type_right("*", "read", "write")
ACTORS = {
    "gimhae": token_actor("gimhae", "Gimhae", EVERYTHING),
    "busan": token_actor("busan", "busan", EVERYTHING),
    "reader": token_actor("reader", "Gimhae", type_right("Sensor", "read")),
    "cameras": token_actor("cameras", "Gimhae", type_right("Camera", "read"), type_right("Sensor", "read")),
    "historian": token_actor("historian", "Gimhae", type_right("*", "history")),
    "curator": token_actor("curator", "Gimhae", type_right("*", "history"), type_right("Camera", "history")),
    "device": token_actor("device", "Gimhae", type_right("Sensor", "write"), role=Role.DEVICE),
    "nobody": token_actor("nobody", "Gimhae"),
    "operator": Actor("person:1", ActorKind.PERSON, "o", {"Gimhae": frozenset({Role.OPERATOR})}),
    "auditor": Actor("person:2", ActorKind.PERSON, "a", {"Gimhae": frozenset({Role.AUDITOR})}),
    "both": Actor("token:both", ActorKind.TOKEN, "b", {c: frozenset({Role.API_CLIENT}) for c in ("Gimhae", "busan")},
                  types=(EVERYTHING,)),
}  # fmt: skip


async def authenticate(headers: Iterable[tuple[bytes, bytes]]) -> Actor | None:
    token = dict(headers).get(b"authorization", b"").removeprefix(b"Bearer ").decode()
    return ACTORS.get(token)


@asynccontextmanager
async def guarded(open_hub: OpenHub) -> AsyncIterator[dict[str, Client]]:
    async with open_hub() as hub:
        app = HubApp(hub, authenticate, owned_types={"Camera"})
        await hub.upsert("gimhae", [sensor(1, a=1)], source="test")
        await hub.upsert("gimhae", [{"id": "urn:ngsi-ld:Camera:1", "type": "Camera", "label": "x"}], source="video")
        yield {name: Client(app, token=name) for name in (*ACTORS, "", "forged")}


SENSOR = "/entities/urn:ngsi-ld:Sensor:1"
CAMERA = "/entities/urn:ngsi-ld:Camera:1"


@pytest.mark.parametrize(
    ("who", "status"),
    [("gimhae", 200), ("reader", 200), ("operator", 200), ("busan", 404), ("nobody", 404), ("device", 404),
     ("auditor", 404), ("", 401), ("forged", 401)],
)  # fmt: skip
def test_retrieve_asks_for_the_right_to_the_type(open_hub: OpenHub, who: str, status: int) -> None:
    async def body() -> None:
        async with guarded(open_hub) as clients:
            assert (await clients[who].get(SENSOR)).status == status

    run(body)


@pytest.mark.parametrize(
    ("who", "status"),
    [("gimhae", 204), ("busan", 404), ("reader", 403), ("operator", 403), ("nobody", 403), ("device", 403), ("", 401)],
)
def test_every_write_asks_for_the_right_to_the_stored_type(open_hub: OpenHub, who: str, status: int) -> None:
    async def body() -> None:
        async with guarded(open_hub) as clients:
            for method, path, sent in (
                ("PATCH", SENSOR, {"a": 2}),
                ("POST", SENSOR + "/attrs", {"b": 2}),
                ("PATCH", SENSOR + "/attrs", {"a": 3}),
                ("PATCH", SENSOR + "/attrs/a", {"value": 3}),
                ("PUT", SENSOR + "/attrs/a", {"type": "Property", "value": 4}),
                ("DELETE", SENSOR + "/attrs/a", None),
                ("PUT", SENSOR, {"a": 1}),
                ("DELETE", SENSOR, None),
            ):
                assert (await clients[who].send(method, path, sent)).status == status, (method, path)

    run(body)


def test_types_owned_by_a_room_are_closed_to_outside_writes(open_hub: OpenHub) -> None:
    async def body() -> None:
        async with guarded(open_hub) as clients:
            client = clients["gimhae"]
            camera = {"id": "urn:ngsi-ld:Camera:2", "type": "Camera"}
            assert (await client.post("/entities", camera)).status == 403
            assert (await client.post("/entities", camera | {"type": ["Sensor", "Camera"]})).status == 403
            assert (await client.send("PATCH", CAMERA, {"label": "y"})).status == 403
            assert (await client.send("DELETE", CAMERA)).status == 403
            assert (await client.post(SENSOR + "/attrs", {"type": "Camera"})).status == 403
            answer = await client.post("/entityOperations/upsert", [camera, sensor(2)])
            assert (answer.status, answer.json["success"]) == (207, ["urn:ngsi-ld:Sensor:2"])
            answer = await client.post("/entityOperations/delete", ["urn:ngsi-ld:Camera:1"])
            assert answer.json["success"] == []

    run(body)


def test_a_star_does_not_open_owned_types_to_a_token(open_hub: OpenHub) -> None:
    async def body() -> None:
        async with guarded(open_hub) as clients:
            assert (await clients["gimhae"].get(CAMERA)).status == 404
            assert (await clients["cameras"].get(CAMERA)).status == 200
            assert (await clients["operator"].get(CAMERA)).status == 200

    run(body)


def test_a_star_does_not_open_the_history_of_owned_types(open_hub: OpenHub) -> None:
    async def body() -> None:
        async with guarded(open_hub) as clients:
            period = "timerel=after&timeAt=2000-01-01T00:00:00Z&timeproperty=modifiedAt&count=true"
            for who, seen in (("historian", "0"), ("curator", "1"), ("operator", "1")):
                for what in ("attrs=label", "q=label==%22x%22", "id=urn:ngsi-ld:Camera:1&type=*&local=true"):
                    answer = await clients[who].get("/temporal/entities", f"{what}&{period}")
                    assert answer.status == 200, answer.body
                    assert (answer.header("ngsild-results-count"), len(answer.json)) == (seen, int(seen)), (who, what)

    run(body)


def test_a_refused_write_does_not_tell_the_type_of_what_may_not_be_seen(open_hub: OpenHub) -> None:
    async def body() -> None:
        async with guarded(open_hub) as clients:
            for who, told in (("nobody", False), ("reader", True)):
                for method, path, sent in (
                    ("PATCH", SENSOR, {"a": 2}),
                    ("DELETE", SENSOR, None),
                    ("POST", "/entityOperations/delete", ["urn:ngsi-ld:Sensor:1"]),
                ):
                    answer = await clients[who].send(method, path, sent)
                    assert answer.status in (403, 207), answer.body
                    shown = answer.body.replace(b"urn:ngsi-ld:Sensor:1", b"")
                    assert (b"Sensor" in shown) == told, (who, path)
                    if answer.status == 403:
                        assert ("Sensor" in answer.header("www-authenticate")) == told

    run(body)


def test_queries_show_only_types_the_asker_may_read(open_hub: OpenHub) -> None:
    async def body() -> None:
        async with guarded(open_hub) as clients:
            everything = "local=true&idPattern=.*&count=true"
            for who, expected in (("gimhae", "1"), ("reader", "1"), ("cameras", "2"), ("nobody", "0"), ("busan", "0")):
                answer = await clients[who].get("/entities", everything)
                assert answer.header("ngsild-results-count") == expected, who
            assert (await clients["reader"].get("/entities", "type=Camera")).status == 403
            found = await clients["reader"].get("/entities", "type=Camera,Sensor&count=true")
            assert (found.status, found.header("ngsild-results-count")) == (200, "1")

    run(body)


def test_the_tenant_header_must_be_the_credentials_own_in_any_letter_case(open_hub: OpenHub) -> None:
    async def body() -> None:
        async with guarded(open_hub) as clients:
            for name, status in (("GIMHAE", 200), ("gimhae", 200), ("busan", 404), ("nowhere", 404)):
                answer = await clients["gimhae"].get(SENSOR, headers=[("NGSILD-Tenant", name)])
                assert answer.status == status, name
                if status == 404:
                    assert answer.problem == "NonexistentTenant"
            answer = await clients["both"].get(SENSOR)
            assert (answer.status, answer.json["where"]) == (400, "NGSILD-Tenant")
            answer = await clients["both"].get(SENSOR, headers=[("NGSILD-Tenant", "Gimhae")])
            assert (answer.status, answer.header("ngsild-tenant")) == (200, "Gimhae")

    run(body)


def test_tenants_never_see_each_other(open_hub: OpenHub) -> None:
    async def body() -> None:
        async with guarded(open_hub) as clients:
            assert (await clients["busan"].post("/entities", sensor(1, a=99))).status == 201
            assert (await clients["gimhae"].get(SENSOR)).json == sensor(1, a=1)
            assert (await clients["busan"].send("DELETE", SENSOR)).status == 204
            assert (await clients["gimhae"].get(SENSOR)).status == 200

    run(body)


def test_open_mode_is_refused_off_loopback(open_hub: OpenHub) -> None:
    async def body() -> None:
        async with open_hub() as hub:
            for host in ("0.0.0.0", "", "192.168.0.5", "example.org", "::"):  # noqa: S104 -- refused here
                with pytest.raises(ConfigError, match="loopback"):
                    HubApp(hub, None, open_mode=True, bound_host=host)
            app = HubApp(hub, None, open_mode=True, bound_host="::1")
            assert (await Client(app).post("/entities", sensor(1))).status == 201
            assert (await Client(app, address="10.0.0.9").get(SENSOR)).status == 401

    run(body)


def test_a_hub_without_credentials_or_open_mode_is_refused(open_hub: OpenHub) -> None:
    async def body() -> None:
        async with open_hub() as hub:
            with pytest.raises(ConfigError):
                HubApp(hub)

    run(body)


def test_reading_a_tenant_that_is_not_there_is_refused_in_open_mode(open_hub: OpenHub) -> None:
    async def body() -> None:
        async with open_hub() as hub:
            client = Client(HubApp(hub, None, open_mode=True, bound_host="localhost"))
            tenant = [("NGSILD-Tenant", "city_one")]
            answer = await client.get("/entities", "type=A", headers=tenant)
            assert (answer.status, answer.problem) == (404, "NonexistentTenant")
            assert (await client.post("/entities", sensor(1), headers=tenant)).status == 201
            assert len((await client.get("/entities", "type=Sensor", headers=tenant)).json) == 1
            assert (await client.get("/entities", "type=Sensor")).json == []

    run(body)


def test_a_failure_to_authenticate_is_never_taken_for_success(open_hub: OpenHub) -> None:
    async def broken(_headers: Iterable[tuple[bytes, bytes]]) -> Actor | None:
        raise RuntimeError("the store of tokens is down")

    async def body() -> None:
        async with open_hub() as hub:
            answer = await Client(HubApp(hub, broken)).get(SENSOR)
            assert (answer.status, answer.problem) == (500, "InternalError")
            assert "tokens" not in answer.body.decode()

    run(body)
