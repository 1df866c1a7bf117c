"""Clauses 5.8.1 and 5.2.12 to 5.2.15: creating a subscription, and what one may say."""

from __future__ import annotations

from typing import Any

import pytest

from tests.hub.clauses.subscribing import QUICK, desk, good, subscription
from tests.hub.client import Json, run
from tests.hub.conftest import OpenClient, OpenHub

URI = "http://127.0.0.1:9/told"
ID = "urn:ngsi-ld:Subscription:1"


def test_it_is_created_with_its_own_id_or_a_new_one(open_client: OpenClient) -> None:
    async def test() -> None:
        async with open_client(**QUICK) as client:
            answer = await client.post("/subscriptions", subscription(URI, id=ID))
            assert (answer.status, answer.header("location")) == (201, f"/ngsi-ld/v1/subscriptions/{ID}")
            answer = await client.post("/subscriptions", subscription(URI))
            assert answer.header("location").startswith("/ngsi-ld/v1/subscriptions/urn:")

    run(test)


def test_one_that_exists_is_not_created_again(open_client: OpenClient) -> None:
    async def test() -> None:
        async with open_client(**QUICK) as client:
            await good(client.post("/subscriptions", subscription(URI, id=ID)))
            answer = await client.post("/subscriptions", subscription(URI, id=ID))
            assert (answer.status, answer.problem) == (409, "AlreadyExists")
            await good(client.send("DELETE", f"/subscriptions/{ID}"))
            await good(client.post("/subscriptions", subscription(URI, id=ID)))

    run(test)


WHOLE: dict[str, Json] = {
    "subscriptionName": "warm",
    "description": "warm sensors in town",
    "entities": [
        {"type": "Sensor", "id": "urn:x:1"},
        {"type": "(A;B),C", "idPattern": "^urn:x"},
        {"type": "A", "id": ["urn:x:1", "urn:x:2"]},
    ],
    "watchedAttributes": ["temperature"],
    "notificationTrigger": ["entityCreated", "attributeUpdated", "entityDeleted"],
    "q": 'temperature>20;name~="^a"',
    "geoQ": {
        "georel": "near;maxDistance==2000",
        "geometry": "Point",
        "coordinates": [128.9, 35.2],
        "geoproperty": "at",
    },
    "scopeQ": "/Gimhae/#",
    "csf": "x==1",
    "isActive": True,
    "expiresAt": "2999-01-01T00:00:00Z",
    "throttling": 5,
    "lang": "ko",
    "datasetId": ["urn:x:d", "@none"],
    "jsonldContext": "https://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context-v1.8.jsonld",
    "splitEntities": False,
    "ngsildConformance": "1.8",
}
NOTIFICATION: dict[str, Json] = {
    "attributes": ["temperature"],
    "format": "concise",
    "showChanges": True,
    "sysAttrs": True,
    "join": "inline",
    "joinLevel": 2,
    "endpoint": {
        "uri": URI,
        "accept": "application/ld+json",
        "timeout": 1000,
        "cooldown": 500,
        "receiverInfo": [{"key": "Authorization", "value": "Bearer x"}],
        "notifierInfo": [{"key": "MQTT-QoS", "value": "1"}],
    },
}


def test_everything_a_subscription_can_say_is_kept(open_client: OpenClient) -> None:
    async def test() -> None:
        async with open_client(**QUICK) as client:
            body = {"id": ID, "type": "Subscription", "notification": NOTIFICATION, **WHOLE}
            await good(client.post("/subscriptions", body))
            assert (await client.get(f"/subscriptions/{ID}")).json == body | {"status": "active"}

    run(test)


@pytest.mark.parametrize(
    ("members", "where"),
    [
        ({"type": "Entity"}, "type"),
        ({"id": "no uri"}, "id"),
        ({"entities": []}, "entities"),
        ({"entities": [{"id": "urn:x:1"}]}, "entities.type"),
        ({"entities": [{"type": "A", "id": "no uri"}]}, "entities.id"),
        ({"entities": [{"type": "A", "idPattern": "("}]}, "entities.idPattern"),
        ({"entities": None}, "entities"),
        ({"watchedAttributes": []}, "watchedAttributes"),
        ({"watchedAttributes": [1]}, "watchedAttributes"),
        ({"notificationTrigger": ["attributeMoved"]}, "notificationTrigger"),
        ({"timeInterval": 0}, "timeInterval"),
        ({"timeInterval": -1}, "timeInterval"),
        ({"timeInterval": 5, "watchedAttributes": ["a"]}, "timeInterval"),
        ({"timeInterval": 5, "throttling": 5}, "timeInterval"),
        ({"throttling": 0}, "throttling"),
        ({"throttling": "5"}, "throttling"),
        ({"q": "a=="}, "q"),
        ({"q": 5}, "q"),
        ({"geoQ": {"georel": "near", "geometry": "Point", "coordinates": [1, 2]}}, "georel"),
        ({"geoQ": {"georel": "within", "geometry": "Polygon"}}, "coordinates"),
        ({"scopeQ": "//"}, "scopeQ"),
        ({"isActive": "yes"}, "isActive"),
        ({"expiresAt": "tomorrow"}, "expiresAt"),
        ({"expiresAt": "2000-01-01T00:00:00Z"}, "expiresAt"),
        ({"datasetId": ["no uri"]}, "datasetId"),
        ({"jsonldContext": "no uri"}, "jsonldContext"),
        ({"notification": "x"}, "notification"),
        ({"format": "xml"}, "notification.format"),
        ({"showChanges": True, "format": "keyValues"}, "notification.showChanges"),
        ({"attributes": []}, "attributes"),
        ({"attributes": ["a"], "pick": ["a"]}, "notification.attributes"),
        ({"join": "sideways"}, "notification.join"),
        ({"endpoint": {"uri": 5}}, "uri"),
        ({"endpoint": {"uri": "ftp://127.0.0.1/x"}}, "notification.endpoint.uri"),
        ({"endpoint": {"uri": "http://a:b@127.0.0.1/x"}}, "notification.endpoint.uri"),
        ({"endpoint": {"uri": "mqtt://127.0.0.1"}}, "notification.endpoint.uri"),
        ({"endpoint": {"uri": "mqtt://127.0.0.1/a/#"}}, "notification.endpoint.uri"),
        ({"endpoint": {"accept": "text/html"}}, "notification.endpoint.accept"),
        ({"endpoint": {"timeout": -1}}, "timeout"),
        ({"endpoint": {"notifierInfo": [{"key": "MQTT-QoS", "value": "3"}]}}, "notification.endpoint.notifierInfo"),
        ({"endpoint": {"receiverInfo": {"a": "b"}}}, "notification.endpoint.receiverInfo"),
        ({"unheardOf": 1}, "unheardOf"),
    ],
)
def test_what_is_not_a_subscription_is_refused_and_where_it_is_wrong_is_said(
    open_client: OpenClient, members: dict[str, Json], where: str
) -> None:
    async def test() -> None:
        async with open_client(**QUICK) as client:
            answer = await client.post("/subscriptions", subscription(URI, **members) | _raw(members))
            assert (answer.status, answer.problem) == (400, "BadRequestData"), answer.body
            assert answer.json["where"] == where

    run(test)


def _raw(members: dict[str, Json]) -> dict[str, Any]:  # Any: JSON
    return {name: members[name] for name in ("type", "notification") if name in members}


@pytest.mark.parametrize(
    "pair",
    [
        ("Host", "elsewhere"),
        ("Content-Length", "5"),
        ("Transfer-Encoding", "chunked"),
        ("Connection", "close"),
        ("X-Split", "a\r\nHost: b"),
        ("bad name", "x"),
        ("", "x"),
    ],
)
def test_receiver_info_cannot_change_what_shapes_the_message(open_client: OpenClient, pair: tuple[str, str]) -> None:
    async def test() -> None:
        async with open_client(**QUICK) as client:
            info = [{"key": pair[0], "value": pair[1]}]
            answer = await client.post("/subscriptions", subscription(URI, endpoint={"receiverInfo": info}))
            assert answer.status == 400
            assert answer.json["where"] == "notification.endpoint.receiverInfo"

    run(test)


def test_an_endpoint_at_a_private_address_is_refused_unless_it_is_configured(open_client: OpenClient) -> None:
    async def test() -> None:
        async with open_client() as client:
            for uri in ("http://127.0.0.1/x", "http://10.0.0.1/x", "http://[::1]/x", "mqtt://192.168.0.1/topic"):
                answer = await client.post("/subscriptions", subscription(uri))
                assert (answer.status, answer.json["where"]) == (400, "notification.endpoint.uri")
            await good(client.post("/subscriptions", subscription("http://nowhere.invalid/x")))

    run(test)


def test_what_cannot_be_read_as_json_or_is_of_another_media_type_is_refused(open_client: OpenClient) -> None:
    async def test() -> None:
        async with open_client(**QUICK) as client:
            answer = await client.post("/subscriptions", b"{")
            assert (answer.status, answer.problem) == (400, "InvalidRequest")
            answer = await client.post("/subscriptions", b"{}", headers=[("Content-Type", "text/plain")])
            assert answer.status == 415

    run(test)


def test_a_subscription_takes_effect_with_the_very_next_change(open_hub: OpenHub) -> None:
    async def test() -> None:
        async with desk(open_hub) as one:
            for number in range(5):
                await one.subscribe(f"/{number}")
                await good(
                    one.client.post("/entityOperations/upsert", [{"id": "urn:x:1", "type": "Sensor", "a": number}])
                )
                (got,) = await one.receiver.wait(1, f"/{number}")
                assert got.entity["a"]["value"] == number

    run(test)
