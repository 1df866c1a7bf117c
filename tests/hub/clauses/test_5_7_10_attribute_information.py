"""Clause 5.7.10, Retrieve Attribute Information; 6.28.3.1, GET /attributes/{attrId}."""

from __future__ import annotations

from tests.hub.clauses.reading import ask, entity, fill, got, link, refused, urn, with_client, words
from tests.hub.client import Client
from tests.hub.conftest import OpenClient

HOME = "https://uri.etsi.org/ngsi-ld/default-context/"
CITY = (
    entity("Bus:1", speed=1, on=link("Line:1")),
    entity("Bus:2", speed=[{"type": "Property", "value": 1}, {"type": "Property", "value": 2, "datasetId": urn("d")}]),
    entity("Tram:1", speed=words(ko="빠름")),
    entity("Tram:2") | {"https://a.example/track": {"type": "Property", "value": 1}},
)


def test_one_attribute_is_told_with_kinds_and_counts(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        await fill(client, *CITY)
        assert await got(client, "/attributes/speed") == {
            "id": HOME + "speed",
            "type": "Attribute",
            "attributeName": "speed",
            "attributeCount": 4,
            "attributeTypes": ["LanguageProperty", "Property"],
            "typeNames": ["Bus", "Tram"],
        }
        assert (await got(client, "/attributes/https%3A%2F%2Fa.example%2Ftrack"))["attributeCount"] == 1
        refused(await ask(client, "/attributes/nothing"), 404, "ResourceNotFound")
        refused(await ask(client, "/attributes", details="perhaps"), 400, "BadRequestData")

    with_client(open_client, body)


def test_names_are_those_of_the_askers_context(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        context = {"velocity": HOME + "speed", "Coach": HOME + "Bus", "track": "https://a.example/track"}
        made = await client.post("/jsonldContexts", {"@context": context})
        address = "http://hub.example" + made.header("location")
        link_header = ("Link", f'<{address}>; rel="http://www.w3.org/ns/json-ld#context"; type="application/ld+json"')
        await fill(client, *CITY)
        assert (await got(client, "/attributes", link_header))["attributeList"] == ["track", "on", "velocity"]
        assert (await got(client, "/types", link_header))["typeList"] == ["Coach", "Tram"]
        told = await got(client, "/attributes/velocity", link_header)
        assert (told["attributeName"], told["typeNames"]) == ("velocity", ["Coach", "Tram"])
        answer = await ask(client, "/types/Coach", link_header)
        assert answer.json["attributeDetails"][1]["attributeName"] == "velocity"
        assert address in answer.header("link")

    with_client(open_client, body)
