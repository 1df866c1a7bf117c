"""Clauses 5.7.8 and 5.7.9 (6.27.3.1), GET /attributes; 5.7.10 (6.28.3.1), GET /attributes/{attrId}."""

from __future__ import annotations

from tests.hub.clauses.reading import CORE, JSON_LD, entity, fill, got, link, urn, with_client, words
from tests.hub.client import Client
from tests.hub.conftest import OpenClient

HOME = "https://uri.etsi.org/ngsi-ld/default-context/"
CITY = (
    entity("Bus:1", speed=1, on=link("Line:1")),
    entity("Bus:2", speed=[{"type": "Property", "value": 1}, {"type": "Property", "value": 2, "datasetId": urn("d")}]),
    entity("Tram:1", speed=words(ko="빠름")),
    entity("Tram:2") | {"https://a.example/track": {"type": "Property", "value": 1}},
)


def test_attributes_are_listed_by_name(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        assert (await got(client, "/attributes"))["attributeList"] == []
        await fill(client, *CITY)
        listed = await got(client, "/attributes")
        assert listed.pop("id").startswith("urn:ngsi-ld:AttributeList:")
        assert listed == {"type": "AttributeList", "attributeList": ["https://a.example/track", "on", "speed"]}
        assert (await got(client, "/attributes", JSON_LD))["@context"] == CORE

    with_client(open_client, body)


def test_details_name_the_types_that_have_each(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        assert await got(client, "/attributes", details="true") == []
        await fill(client, *CITY)
        track, on, speed = await got(client, "/attributes", details="true")
        assert track["id"] == track["attributeName"] == "https://a.example/track"
        assert on == {"id": HOME + "on", "type": "Attribute", "attributeName": "on", "typeNames": ["Bus"]}
        assert speed == {
            "id": HOME + "speed",
            "type": "Attribute",
            "attributeName": "speed",
            "typeNames": ["Bus", "Tram"],
        }

    with_client(open_client, body)
