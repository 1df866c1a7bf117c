"""Clauses 5.7.5 and 5.7.6 (6.25.3.1), GET /types: the types there are; 5.7.7 (6.26.3.1), GET /types/{type}."""

from __future__ import annotations

from madang.hub.http.app import HubApp
from madang.identity.rights import Deed, TypeRight
from tests.hub.clauses.reading import (
    CONTEXT_REL,
    CORE,
    JSON_LD,
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
from tests.hub.client import Client, run, token_actor
from tests.hub.conftest import OpenClient, OpenHub

NGSI = "https://uri.etsi.org/ngsi-ld/"
HOME = NGSI + "default-context/"
CITY = (
    entity("Bus:1", speed=1, on=link("Line:1"), location=point(128.9, 35.2)),
    entity("Bus:2", speed=[{"type": "Property", "value": 1}, {"type": "Property", "value": 2, "datasetId": urn("d")}]),
    entity("Bus:3", speed=words(ko="빠름")) | {"type": ["Bus", "Museum"]},
    entity("Tram:1", speed=3),
)


def test_types_are_listed_by_name(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        answer = await ask(client, "/types")
        assert answer.status == 200
        assert answer.json["typeList"] == []
        await fill(client, *CITY)
        listed = await got(client, "/types")
        assert listed.pop("id").startswith("urn:ngsi-ld:EntityTypeList:")
        assert listed == {"type": "EntityTypeList", "typeList": ["Bus", "Museum", "Tram"]}
        assert (await got(client, "/types", JSON_LD))["@context"] == CORE
        assert CONTEXT_REL in (await ask(client, "/types")).header("link")

    with_client(open_client, body)


def test_details_name_the_attributes_of_each_type(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        assert await got(client, "/types", details="true") == []
        await fill(client, *CITY)
        bus, museum, tram = await got(client, "/types", details="true")
        assert bus == {
            "id": HOME + "Bus",
            "type": "EntityType",
            "typeName": "Bus",
            "attributeNames": ["location", "on", "speed"],
        }
        assert museum["attributeNames"] == ["speed"]
        assert tram == {"id": HOME + "Tram", "type": "EntityType", "typeName": "Tram", "attributeNames": ["speed"]}
        assert all("@context" in one for one in await got(client, "/types", JSON_LD, details="true"))

    with_client(open_client, body)


def test_what_is_gone_is_no_longer_listed(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        await fill(client, *CITY)
        assert (await got(client, "/types"))["typeList"] == ["Bus", "Museum", "Tram"]
        await client.send("DELETE", "/entities/" + urn("Tram:1"))
        await client.send("DELETE", "/entities/" + urn("Bus:1") + "/attrs/on")
        assert (await got(client, "/types"))["typeList"] == ["Bus", "Museum"]
        assert (await got(client, "/types", details="true"))[0]["attributeNames"] == ["location", "speed"]
        refused(await ask(client, "/types/Tram"), 404, "ResourceNotFound")

    with_client(open_client, body)


def test_parameters_that_mean_nothing_are_refused(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        refused(await ask(client, "/types", details="perhaps"), 400, "BadRequestData")
        refused(await ask(client, "/types", sideways="1"), 400, "InvalidRequest")
        assert (await ask(client, "/types", local="true")).status == 200

    with_client(open_client, body)


def test_only_types_the_asker_may_read_are_told(open_hub: OpenHub) -> None:
    actor = token_actor("viewer", "gimhae", TypeRight("Tram", frozenset({Deed.READ})))

    async def authenticate(_headers: object) -> object:
        return actor

    async def body() -> None:
        async with open_hub() as hub:
            await hub.upsert("gimhae", CITY, source="test")
            client = Client(HubApp(hub, authenticate), token="viewer")  # type: ignore[arg-type] # always this actor
            assert (await got(client, "/types"))["typeList"] == ["Tram"]
            refused(await ask(client, "/types/Bus"), 404, "ResourceNotFound")
            assert (await got(client, "/attributes"))["attributeList"] == ["speed"]
            assert (await got(client, "/attributes/speed"))["typeNames"] == ["Tram"]
            refused(await ask(client, "/attributes/on"), 404, "ResourceNotFound")

    run(body)
