"""Clauses 4.3.6.8 and 6.3.6: `Prefer: ngsi-ld=<version>` answers as an older version knew entities."""

from __future__ import annotations

import pytest

from tests.hub.clauses.reading import ask, entity, fill, link, links, urn, with_client, words
from tests.hub.client import Client, Json
from tests.hub.conftest import OpenClient

ID = "/entities/" + urn("Bus:1")
DATASET = urn("dataset:1")
BUS = entity(
    "Bus:1",
    scope="/Gimhae",
    name=words(ko="가야"),
    kind={"type": "VocabProperty", "vocab": "City"},
    treads={"type": "ListProperty", "valueList": [3, 2]},
    ticket={"type": "JsonProperty", "json": {"a": None}},
    route=links("Stop:1", "Stop:2"),
    owner=link("Firm:1", objectType="Firm", observedAt="2026-11-22T00:00:00Z"),
    speed=[
        {"type": "Property", "value": 2, "datasetId": DATASET, "unitCode": "KMH"},
        {"type": "Property", "value": 1, "note": {"type": "JsonProperty", "json": 3}},
    ],
)


def prop(value: Json, **more: Json) -> dict[str, Json]:
    return {"type": "Property", "value": value, **more}


OLDEST: Json = {
    "id": urn("Bus:1"),
    "type": "Bus",
    "name": prop({"ko": "가야"}),
    "kind": prop("City"),
    "treads": prop([3, 2]),
    "ticket": prop({"a": None}),
    "route": {"type": "Relationship", "object": [urn("Stop:1"), urn("Stop:2")]},
    "owner": {"type": "Relationship", "object": urn("Firm:1")},
    "speed": prop(1, note=prop(3)),
}
SEVEN: Json = BUS | {
    "kind": prop("City"),
    "treads": prop([3, 2]),
    "ticket": prop({"a": None}),
    "route": OLDEST["route"],
    "owner": {"type": "Relationship", "object": urn("Firm:1"), "observedAt": "2026-11-22T00:00:00Z"},
    "speed": [BUS["speed"][0], prop(1, note=prop(3))],
}


@pytest.mark.parametrize(
    ("version", "status", "shown"),
    [("1.0", 203, OLDEST), ("1.7", 203, SEVEN), ("1.8", 200, BUS), ("1.9", 200, BUS), ("1.6.1", 203, SEVEN)],
)
def test_what_a_version_did_not_know_is_told_in_its_words(
    open_client: OpenClient, version: str, status: int, shown: Json
) -> None:
    async def body(client: Client) -> None:
        await fill(client, BUS)
        wish = ("Prefer", f"ngsi-ld={version}")
        answer = await ask(client, ID, wish)
        assert (answer.status, answer.json) == (status, shown)
        assert answer.header("preference-applied") == "ngsi-ld=" + ".".join(version.split(".")[:2])
        listed = await ask(client, "/entities", wish, type="Bus")
        assert (listed.status, listed.json) == (status, [shown])

    with_client(open_client, body)


def test_what_every_version_knows_is_not_altered(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        await fill(client, entity("Bus:2", speed=1))
        answer = await ask(client, "/entities/" + urn("Bus:2"), ("Prefer", "ngsi-ld=1.3"))
        assert (answer.status, answer.json) == (200, entity("Bus:2", speed=1))
        assert answer.header("preference-applied") == "ngsi-ld=1.3"

    with_client(open_client, body)


def test_later_versions_get_the_present_one_and_nonsense_is_ignored(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        await fill(client, BUS)
        later = await ask(client, ID, ("Prefer", "ngsi-ld=2.3"))
        assert (later.status, later.header("preference-applied")) == (200, "ngsi-ld=1.9")
        odd = await ask(client, ID, ("Prefer", "ngsi-ld=new, respond-async"))
        assert (odd.status, odd.header("preference-applied"), odd.json) == (200, "", BUS)
        simple = await ask(client, ID, ("Prefer", "ngsi-ld=1.3"), format="simplified")
        assert simple.json["name"] == {"ko": "가야"}
        assert simple.json["kind"] == "City"

    with_client(open_client, body)
