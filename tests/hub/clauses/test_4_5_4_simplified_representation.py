"""Clauses 4.5.1–4.5.4, 4.5.18–4.5.24: every kind of attribute, normalized, concise and simplified; 6.3.7 and 6.3.11."""

from __future__ import annotations

import pytest

from tests.hub.clauses.reading import ask, entity, fill, got, link, links, point, refused, urn, with_client, words
from tests.hub.client import Client, Json
from tests.hub.conftest import OpenClient

ID = "/entities/" + urn("Bus:1")
DATASET = urn("dataset:gps")
BUS = entity(
    "Bus:1",
    speed={"type": "Property", "value": 40, "unitCode": "KMH", "accuracy": {"type": "Property", "value": 0.9}},
    plate="12가3456",
    address={"type": "Property", "value": {"city": "Gimhae"}},
    tags={"type": "Property", "value": ["low", "electric"]},
    location=point(128.9, 35.2),
    route=links("Stop:1", "Stop:2"),
    drivenBy=link("Person:1"),
    seats=link(["Seat:1", "Seat:2"]),
    name=words(ko="가야", en="Gaya"),
    category={"type": "VocabProperty", "vocab": ["public", "city"]},
    treads={"type": "ListProperty", "valueList": [3, 3, 2]},
    ticket={"type": "JsonProperty", "json": {"id": "no-uri", "value": None}},
    fuel=[
        {"type": "Property", "value": 1},
        {"type": "Property", "value": 2, "datasetId": DATASET},
    ],
    owner=[link("Firm:1"), link("Firm:2", datasetId=DATASET)],
)
SIMPLE: Json = {
    "id": urn("Bus:1"),
    "type": "Bus",
    "speed": 40,
    "plate": "12가3456",
    "address": {"city": "Gimhae"},
    "tags": ["low", "electric"],
    "location": {"type": "Point", "coordinates": [128.9, 35.2]},
    "route": [urn("Stop:1"), urn("Stop:2")],
    "drivenBy": urn("Person:1"),
    "seats": [urn("Seat:1"), urn("Seat:2")],
    "name": {"languageMap": {"ko": "가야", "en": "Gaya"}},
    "category": {"vocab": ["public", "city"]},
    "treads": [3, 3, 2],
    "ticket": {"json": {"id": "no-uri", "value": None}},
    "fuel": {"dataset": {"@none": 1, DATASET: 2}},
    "owner": {"dataset": {"@none": urn("Firm:1"), DATASET: urn("Firm:2")}},
}
CONCISE: Json = {
    "id": urn("Bus:1"),
    "type": "Bus",
    "speed": {"value": 40, "unitCode": "KMH", "accuracy": 0.9},
    "plate": "12가3456",
    "address": {"value": {"city": "Gimhae"}},
    "tags": ["low", "electric"],
    "location": {"type": "Point", "coordinates": [128.9, 35.2]},
    "route": {"objectList": [{"object": urn("Stop:1")}, {"object": urn("Stop:2")}]},
    "drivenBy": {"object": urn("Person:1")},
    "seats": {"object": [urn("Seat:1"), urn("Seat:2")]},
    "name": {"languageMap": {"ko": "가야", "en": "Gaya"}},
    "category": {"vocab": ["public", "city"]},
    "treads": {"valueList": [3, 3, 2]},
    "ticket": {"json": {"id": "no-uri", "value": None}},
    "fuel": [{"value": 1}, {"value": 2, "datasetId": DATASET}],
    "owner": [{"object": urn("Firm:1")}, {"object": urn("Firm:2"), "datasetId": DATASET}],
}


def test_every_kind_of_attribute_comes_back_normalized(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        await fill(client, BUS)
        assert await got(client, ID) == BUS
        assert await got(client, ID, options="normalized") == BUS
        assert await got(client, "/entities", type="Bus") == [BUS]

    with_client(open_client, body)


def test_every_kind_of_attribute_is_simplified(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        await fill(client, BUS)
        for asked in ({"options": "keyValues"}, {"options": "simplified"}, {"format": "keyValues"}):
            assert await got(client, ID, **asked) == SIMPLE
        assert await got(client, "/entities", type="Bus", format="simplified") == [SIMPLE]

    with_client(open_client, body)


def test_every_kind_of_attribute_is_shown_concisely(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        await fill(client, BUS)
        assert await got(client, ID, options="concise") == CONCISE
        assert await got(client, ID, format="concise") == CONCISE

    with_client(open_client, body)


@pytest.mark.parametrize(("form", "shown"), [("keyValues", SIMPLE), ("concise", CONCISE)])
def test_what_was_shown_can_be_sent_back(open_client: OpenClient, form: str, shown: Json) -> None:
    async def body(client: Client) -> None:
        await fill(client, BUS)
        assert (await client.send("DELETE", ID)).status == 204
        answer = await client.post("/entities", shown, f"format={form}")
        assert answer.status == 201, answer.body
        assert await got(client, ID, format=form) == shown

    with_client(open_client, body)


def test_format_goes_before_options(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        await fill(client, BUS)
        assert await got(client, ID, options="keyValues", format="concise") == CONCISE
        refused(await ask(client, ID, options="keyValues,concise"), 400, "BadRequestData")
        refused(await ask(client, ID, options="sideways"), 400, "BadRequestData")
        refused(await ask(client, ID, format="sideways"), 400, "BadRequestData")

    with_client(open_client, body)


def test_system_attributes_are_shown_where_they_are_asked_for(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        await fill(client, entity("Bus:2", speed=1, fuel=[{"type": "Property", "value": 1}]))
        plain = await got(client, "/entities/" + urn("Bus:2"))
        assert "createdAt" not in plain
        shown = await got(client, "/entities/" + urn("Bus:2"), options="sysAttrs")
        assert {"createdAt", "modifiedAt"} <= shown.keys()
        assert shown["speed"].keys() == {"type", "value", "createdAt", "modifiedAt"}
        simple = await got(client, "/entities/" + urn("Bus:2"), options="keyValues,sysAttrs")
        assert simple["createdAt"] == shown["createdAt"]
        assert simple["speed"] == 1
        concise = await got(client, "/entities/" + urn("Bus:2"), options="concise,sysAttrs")
        assert concise["speed"].keys() == {"value", "createdAt", "modifiedAt"}

    with_client(open_client, body)
