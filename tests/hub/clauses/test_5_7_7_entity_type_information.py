"""Clause 5.7.7, Retrieve Entity Type Information; 6.26.3.1, GET /types/{type}."""

from __future__ import annotations

from tests.hub.clauses.reading import (
    ask,
    entity,
    fill,
    got,
    link,
    point,
    refused,
    urn,
    with_client,
    words,
)
from tests.hub.client import Client
from tests.hub.conftest import OpenClient

NGSI = "https://uri.etsi.org/ngsi-ld/"
HOME = NGSI + "default-context/"
CITY = (
    entity("Bus:1", speed=1, on=link("Line:1"), location=point(128.9, 35.2)),
    entity("Bus:2", speed=[{"type": "Property", "value": 1}, {"type": "Property", "value": 2, "datasetId": urn("d")}]),
    entity("Bus:3", speed=words(ko="빠름")) | {"type": ["Bus", "Museum"]},
    entity("Tram:1", speed=3),
)


def test_one_type_is_told_with_kinds_and_counts(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        await fill(client, *CITY)
        told = await got(client, "/types/Bus")
        details = told.pop("attributeDetails")
        assert told == {"id": HOME + "Bus", "type": "EntityTypeInfo", "typeName": "Bus", "entityCount": 3}
        assert details == [
            {
                "id": NGSI + "location",
                "type": "Attribute",
                "attributeName": "location",
                "attributeTypes": ["GeoProperty"],
            },
            {"id": HOME + "on", "type": "Attribute", "attributeName": "on", "attributeTypes": ["Relationship"]},
            {
                "id": HOME + "speed",
                "type": "Attribute",
                "attributeName": "speed",
                "attributeTypes": ["LanguageProperty", "Property"],
            },
        ]
        assert await got(client, "/types/https%3A%2F%2Furi.etsi.org%2Fngsi-ld%2Fdefault-context%2FTram")
        refused(await ask(client, "/types/Ship"), 404, "ResourceNotFound")

    with_client(open_client, body)
