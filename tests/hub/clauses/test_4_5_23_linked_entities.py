"""Clause 4.5.23: linked entities, inline and flattened, some levels deep, never in circles."""

from __future__ import annotations

import pytest

from madang.hub.http.app import HubApp
from madang.hub.http.linked import MAX_LINKED
from madang.identity.rights import Deed, TypeRight
from tests.hub.clauses.reading import (
    GEO_JSON,
    JSON_LD,
    ask,
    entity,
    fill,
    found,
    got,
    link,
    links,
    names,
    point,
    refused,
    urn,
    with_client,
)
from tests.hub.client import Client, Json, run, token_actor
from tests.hub.conftest import OpenClient, OpenHub

BUS = entity("Bus:1", on=link("Line:1"), stops=links("Stop:1", "Stop:2"), seats=link(["Seat:1", "Seat:9"]))
LINE = entity("Line:1", number=12, ofFirm=link("Firm:1"))
FIRM = entity("Firm:1", title="가야버스", runs=link("Bus:1"))
STOPS = [entity("Stop:1", title="시청"), entity("Stop:2", title="역", location=point(128.9, 35.2))]
SEAT = entity("Seat:1", free=True)
CITY = (BUS, LINE, FIRM, *STOPS, SEAT)
ID = "/entities/" + urn("Bus:1")


def test_inline_entities_stand_inside_their_relationships(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        await fill(client, *CITY)
        shown = await got(client, ID, join="inline")
        assert shown["on"] == {**BUS["on"], "entity": LINE}
        assert shown["stops"] == {**BUS["stops"], "entityList": STOPS}
        assert shown["seats"] == {**BUS["seats"], "entity": [SEAT]}
        assert await got(client, "/entities", type="Bus", join="inline") == [shown]
        assert await got(client, ID, join="@none") == BUS

    with_client(open_client, body)


def test_inline_simplified_entities_take_the_place_of_their_ids(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        await fill(client, *CITY)
        shown = await got(client, ID, join="inline", format="simplified")
        assert shown["on"] == {"id": urn("Line:1"), "type": "Line", "number": 12, "ofFirm": urn("Firm:1")}
        assert [one["title"] for one in shown["stops"]] == ["시청", "역"]
        assert shown["seats"] == [{"id": urn("Seat:1"), "type": "Seat", "free": True}, urn("Seat:9")]
        concise = await got(client, ID, join="inline", format="concise")
        assert concise["on"] == {
            "object": urn("Line:1"),
            "entity": {"id": urn("Line:1"), "type": "Line", "number": 12, "ofFirm": {"object": urn("Firm:1")}},
        }

    with_client(open_client, body)


def test_deeper_levels_are_followed_and_circles_are_not(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        await fill(client, *CITY)
        two = await got(client, ID, join="inline", joinLevel="2")
        assert two["on"]["entity"]["ofFirm"]["entity"] == FIRM
        five = await got(client, ID, join="inline", joinLevel="5")
        assert five == two
        flat = await got(client, ID, join="flat", joinLevel="5")
        assert names(flat) == ["Bus:1", "Line:1", "Stop:1", "Stop:2", "Seat:1", "Firm:1"]

    with_client(open_client, body)


def test_flattened_entities_follow_each_once(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        await fill(client, *CITY, entity("Bus:2", on=link("Line:1"), follows=link("Bus:1")))
        flat = await got(client, ID, join="flat")
        assert flat == [BUS, LINE, *STOPS, SEAT]
        answer = await ask(client, "/entities", type="Bus", join="flat", count="true")
        assert names(answer.json) == ["Bus:1", "Bus:2", "Line:1", "Stop:1", "Stop:2", "Seat:1"]
        assert answer.header("ngsild-results-count") == "2"
        assert (await got(client, ID, join="flat", format="simplified"))[1]["number"] == 12
        alone = await got(client, "/entities/" + urn("Stop:1"), join="flat")
        assert alone == [STOPS[0]]
        ld = await got(client, ID, JSON_LD, join="flat")
        assert all("@context" in one for one in ld)

    with_client(open_client, body)


def test_entities_of_the_page_are_inlined_in_each_other(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        await fill(client, entity("Bus:1", follows=link("Bus:2")), entity("Bus:2", follows=link("Bus:1")))
        first, second = await got(client, "/entities", type="Bus", join="inline", joinLevel="3")
        assert first["follows"]["entity"]["id"] == second["id"]
        assert second["follows"]["entity"]["id"] == first["id"]
        assert "entity" not in first["follows"]["entity"]["follows"]

    with_client(open_client, body)


def test_what_the_client_has_already_is_left_out(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        await fill(client, *CITY)
        held = f"{urn('Line:1')},{urn('Stop:1')}"
        shown = await got(client, ID, join="inline", joinLevel="2", containedBy=held)
        assert shown["on"] == BUS["on"]
        assert shown["stops"]["entityList"] == [STOPS[1]]
        flat = await got(client, ID, join="flat", joinLevel="2", containedBy=held)
        assert names(flat) == ["Bus:1", "Stop:2", "Seat:1"]

    with_client(open_client, body)


def test_linked_entities_are_projected(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        await fill(client, *CITY)
        picked = await got(client, ID, join="inline", pick="id,on{number},stops{id,title}", format="simplified")
        assert picked == {
            "id": urn("Bus:1"),
            "on": {"number": 12},
            "stops": [{"id": urn("Stop:1"), "title": "시청"}, {"id": urn("Stop:2"), "title": "역"}],
        }
        deep = await got(client, ID, join="inline", joinLevel="2", pick="on{ofFirm{title}}", format="simplified")
        assert deep == {"on": {"ofFirm": {"title": "가야버스"}}}
        omitted = await got(client, ID, join="inline", omit="stops,seats,on{ofFirm,id}", format="simplified")
        assert omitted == {"id": urn("Bus:1"), "type": "Bus", "on": {"type": "Line", "number": 12}}
        flat = await got(client, ID, join="flat", pick="id,on{id,number}", format="simplified")
        assert flat == [{"id": urn("Bus:1"), "on": urn("Line:1")}, {"id": urn("Line:1"), "number": 12}]
        shared = await got(client, ID, join="inline", pick="id,on", format="simplified")
        assert shared == {"id": urn("Bus:1"), "on": {"id": urn("Line:1")}}

    with_client(open_client, body)


def test_linked_entities_in_geojson(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        await fill(client, *CITY)
        flat = await got(client, ID, GEO_JSON, join="flat")
        assert flat["type"] == "FeatureCollection"
        assert names(flat["features"]) == ["Bus:1", "Line:1", "Stop:1", "Stop:2", "Seat:1"]
        assert flat["features"][3]["geometry"] == STOPS[1]["location"]["value"]
        inline = await got(client, ID, GEO_JSON, join="inline")
        assert inline["type"] == "Feature"
        assert inline["properties"]["on"]["entity"] == LINE

    with_client(open_client, body)


@pytest.mark.parametrize(
    "asked",
    [
        {"join": "sideways"},
        {"join": "inline", "joinLevel": "0"},
        {"join": "inline", "joinLevel": "-1"},
        {"join": "inline", "joinLevel": "deep"},
        {"join": "inline", "containedBy": "no-uri"},
        {"pick": "on{number}"},
        {"omit": "on{number}"},
        {"join": "@none", "pick": "on{number}"},
        {"join": "inline", "pick": "on{ofFirm{title}}"},
        {"join": "flat", "joinLevel": "1", "omit": "on{ofFirm{title}}"},
    ],
)
def test_what_cannot_be_joined_is_refused(open_client: OpenClient, asked: dict[str, str]) -> None:
    async def body(client: Client) -> None:
        await fill(client, BUS)
        refused(await ask(client, ID, **asked), 400, "BadRequestData")
        refused(await ask(client, "/entities", type="Bus", **asked), 400, "BadRequestData")

    with_client(open_client, body)


def test_more_levels_than_anybody_needs_are_too_complex(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        await fill(client, BUS)
        refused(await ask(client, ID, join="inline", joinLevel="11"), 403, "TooComplexQuery")

    with_client(open_client, body)


def test_an_answer_holds_only_so_many_linked_entities_and_says_so(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        near = [f"Stop:{n}" for n in range(60)]
        stops: list[Json] = [entity(one, near=link(near)) for one in near]
        await client.post("/entityOperations/create", stops)
        answer = await ask(client, "/entities/" + urn("Stop:1"), join="inline", joinLevel="3")
        assert answer.status == 200
        assert answer.body.count(b'"entity"') <= MAX_LINKED + 60
        assert "199" in answer.header("ngsild-warning")
        short = await ask(client, "/entities/" + urn("Stop:1"), join="inline", joinLevel="1")
        assert short.header("ngsild-warning") == ""

    with_client(open_client, body)


def test_entities_the_asker_may_not_read_are_left_out(open_hub: OpenHub) -> None:
    actor = token_actor("viewer", "gimhae", *(TypeRight(one, frozenset({Deed.READ})) for one in ("Bus", "Line")))

    async def authenticate(_headers: object) -> object:
        return actor

    async def body() -> None:
        async with open_hub() as hub:
            await hub.upsert("gimhae", CITY, source="test")
            client = Client(HubApp(hub, authenticate), token="viewer")  # type: ignore[arg-type] # always this actor
            shown = await got(client, ID, join="inline", joinLevel="3")
            assert shown["on"]["entity"]["id"] == urn("Line:1")
            assert "entity" not in shown["on"]["entity"]["ofFirm"]
            assert "entityList" not in shown["stops"]
            assert names(await got(client, ID, join="flat")) == ["Bus:1", "Line:1"]
            asked = {"type": "Bus", "join": "inline"}
            assert await found(client, q="on{number}==12", **asked) == ["Bus:1"]
            assert await found(client, q='stops{title}=="시청"', **asked) == []

    run(body)
