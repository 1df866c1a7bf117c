"""Query Entities (clauses 4.7, 4.9, 4.10, 5.7.2): each row of a table of queries, over one small city."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from tests.hub.client import Client, Json, run, sensor, spot
from tests.hub.conftest import OpenClient

ENTITIES = [
    sensor(
        1,
        speed={"type": "Property", "value": 40, "observedAt": "2026-11-22T00:00:00Z", "unitCode": "KMH"},
        name="가야로",
        open=True,
        location=spot(128.900, 35.200),
        address={"type": "Property", "value": {"city": "Gimhae", "zone": {"n": 3}}},
    )
    | {"scope": "/Gimhae/Traffic"},
    sensor(
        2,
        speed={"type": "Property", "value": 60.5, "observedAt": "2026-11-22T00:00:00.500Z"},
        name="Busan-ro",
        open=False,
        location=spot(128.910, 35.200),
        tags=["red", "blue", 7],
        at={"type": "Relationship", "object": "urn:ngsi-ld:Building:1"},
    )
    | {"scope": ["/Gimhae/Parking", "/Busan"]},
    sensor(
        3,
        speed={"type": "Property", "value": "fast"},
        label={"type": "LanguageProperty", "languageMap": {"ko": "도로", "en": "road"}},
        made={"type": "Property", "value": {"@type": "Date", "@value": "2026-01-05"}},
        location={
            "type": "GeoProperty",
            "value": {"type": "LineString", "coordinates": [[128.95, 35.2], [128.99, 35.2]]},
        },
        speedy={"type": "Property", "value": 1, "accuracy": {"type": "Property", "value": 0.9}},
    ),
]
SQUARE = "[[[128.89,35.19],[128.905,35.19],[128.905,35.21],[128.89,35.21],[128.89,35.19]]]"
POINT = "geometry=Point&coordinates=[128.9,35.2]"


async def filled(client: Client) -> None:
    for one in ENTITIES:
        assert (await client.post("/entities", one)).status == 201


def numbers(found: Json) -> list[int]:
    return [int(one["id"].rpartition(":")[2]) for one in found]


@pytest.mark.parametrize(
    ("q", "expected"),
    [
        ("speed", [1, 2, 3]),
        ("open", [1, 2]),
        ("speed>40", [2]),
        ("speed>=40", [1, 2]),
        ("speed<50", [1]),
        ("speed==40", [1]),
        ("speed==40.0", [1]),
        ("speed!=40", [2, 3]),
        ("speed==40..61", [1, 2]),
        ("speed==1,40,2", [1]),
        ('speed=="fast"', [3]),
        ("open==true", [1]),
        ("open!=true", [2]),
        ("open==1", []),
        ('name=="가야로"', [1]),
        ('name~="^Bus.*ro$"', [2]),
        ("name~=^Bus", [2]),
        ('name!~="^Bus"', [1]),
        ('tags=="blue"', [2]),
        ("tags==7", [2]),
        ('tags=="green"', []),
        ("at==urn:ngsi-ld:Building:1", [2]),
        ('at=="urn:ngsi-ld:Building:1"', [2]),
        ('address[city]=="Gimhae"', [1]),
        ("address[zone.n]>2", [1]),
        ('label[ko]=="도로"', [3]),
        ('label[en]=="nothing"', []),
        ("made==2026-01-05", [3]),
        ("made>2026-01-04", [3]),
        ("made!=2026-01-05", []),
        ("made!=2026-01-06", [3]),
        ("speedy.accuracy>0.8", [3]),
        ('speed.unitCode=="KMH"', [1]),
        ("speed.observedAt>2026-11-22T00:00:00Z", [2]),
        ("speed.observedAt>=2026-11-22T09:00:00%2B09:00", [1, 2]),
        ("createdAt>2020-01-01T00:00:00Z", [1, 2, 3]),
        ("speed.modifiedAt<2020-01-01T00:00:00Z", []),
        ("speed>40;open==false", [2]),
        ("speed<50|open==false", [1, 2]),
        ('speed<50;open==true|speed=="fast"', [1, 3]),
        ("open==true;(speed<50|open==false)", [1]),
        ("nothing==1", []),
        ("nothing==1|speed==40", [1]),
    ],
)
def test_q_finds_what_it_says(open_client: OpenClient, q: str, expected: list[int]) -> None:
    async def body() -> None:
        async with open_client(indexed_attributes=("speed",)) as client:
            await filled(client)
            answer = await client.get("/entities", "type=Sensor&q=" + quote(q, safe="%"))
            assert answer.status == 200, answer.body
            assert numbers(answer.json) == expected

    run(body)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("georel=near;maxDistance==1000&" + POINT, [1, 2]),
        ("georel=near;maxDistance==100&" + POINT, [1]),
        ("georel=near;minDistance==100&" + POINT, [2, 3]),
        ("georel=near;minDistance==100;maxDistance==2000&" + POINT, [2]),
        ("georel=near;maxDistance==5000&" + POINT, [1, 2, 3]),
        ("georel=within&geometry=Polygon&coordinates=" + SQUARE, [1]),
        ("georel=intersects&geometry=Polygon&coordinates=" + SQUARE, [1]),
        ("georel=disjoint&geometry=Polygon&coordinates=" + SQUARE, [2, 3]),
        ("georel=equals&" + POINT, [1]),
        ("georel=intersects&geometry=LineString&coordinates=[[128.97,35.1],[128.97,35.3]]", [3]),
        ("georel=contains&geometry=Point&coordinates=[128.97,35.2]", [3]),
        ("georel=near;maxDistance==1000&geoproperty=observationSpace&" + POINT, []),
        ("local=true&id=urn:ngsi-ld:Sensor:3,urn:ngsi-ld:Sensor:1", [1, 3]),
        ("local=true&idPattern=Sensor:[12]$", [1, 2]),
        ("type=Sensor&idPattern=^urn:ngsi-ld:Sensor:2", [2]),
        ("attrs=tags,made", [2, 3]),
        ("local=true&scopeQ=/Gimhae/%23", [1, 2]),
        ("local=true&scopeQ=/Gimhae/%2B;/Busan", [2]),
        ("local=true&scopeQ=/Gimhae/Traffic,/Busan", [1, 2]),
        ("type=Sensor&georel=near;maxDistance==1000&q=open==false&" + POINT, [2]),
        ("type=Unknown", []),
    ],
)
def test_selection_finds_what_it_says(open_client: OpenClient, query: str, expected: list[int]) -> None:
    async def body() -> None:
        async with open_client() as client:
            await filled(client)
            answer = await client.get("/entities", query + "&count=true")
            assert answer.status == 200, answer.body
            assert numbers(answer.json) == expected
            assert answer.header("ngsild-results-count") == str(len(expected))
            assert numbers((await client.get("/entities", query)).json) == expected

    run(body)


@pytest.mark.parametrize(
    ("query", "where"),
    [
        ("", "query"),
        ("type=A,,B", "type"),
        ("type=(A", "type"),
        ("type=A&q=speed>", "q"),
        ("type=A&q=speed==fast", "q"),
        ("type=A&q=(speed==1", "q"),
        ("type=A&q=speed==1)", "q"),
        ("type=A&q=speed=1", "q"),
        ('type=A&q=name=="open', "q"),
        ("type=A&q=a..b", "q"),
        ("type=A&q=speed>1..2", "q"),
        ("type=A&q=speed==1..true", "q"),
        ("type=A&q=name~=(", "q"),
        ("type=A&idPattern=[", "idPattern"),
        (r"type=A&idPattern=(a)\1", "idPattern"),
        ("type=A&id=nouri", "id"),
        ("type=A&limit=-1", "limit"),
        ("type=A&limit=ten", "limit"),
        ("type=A&limit=0", "limit"),
        ("type=A&offset=-1", "offset"),
        ("type=A&count=maybe", "count"),
        ("type=A&georel=near", "geometry"),
        ("type=A&georel=near&" + POINT, "georel"),
        ("type=A&georel=near;maxDistance=5&" + POINT, "georel"),
        ("type=A&georel=beside&" + POINT, "georel"),
        ("type=A&georel=within;maxDistance==1&" + POINT, "georel"),
        ("type=A&georel=within&geometry=Polygon&coordinates=[[[0,0],[1,1]]]", "coordinates"),
        ("type=A&georel=within&geometry=Point&coordinates=[35.2,128.9]", "coordinates"),
        ("type=A&georel=within&geometry=Point&coordinates=oops", "coordinates"),
        ("type=A&georel=within&geometry=Circle&coordinates=[1,1]", "coordinates"),
        ("type=A&attrs=a,,b", "attrs"),
        ("type=A&attrs=a b", "a b"),
        ("scopeQ=a//b", "scopeQ"),
        ("type=A&format=xml", "format"),
    ],
)
def test_a_bad_query_is_refused_naming_its_place(open_client: OpenClient, query: str, where: str) -> None:
    async def body() -> None:
        async with open_client() as client:
            answer = await client.get("/entities", quote(query, safe='=&;,()[]~<>!:/%^$|\\"+.'))
            assert answer.status == 400, answer.body
            assert answer.json["where"] == where
            assert answer.json["detail"]

    run(body)


def test_swapped_query_coordinates_say_so(open_client: OpenClient) -> None:
    async def body() -> None:
        async with open_client() as client:
            query = "type=A&georel=near;maxDistance==1&geometry=Point&coordinates=[35.2,128.9]"
            assert "swapped" in (await client.get("/entities", query)).json["hint"]

    run(body)


def test_pages_link_to_each_other_and_cover_everything_once(open_client: OpenClient) -> None:
    async def body() -> None:
        async with open_client() as client:
            for number in range(7):
                await client.post("/entities", sensor(number, speed=number))
            seen: list[int] = []
            path, query = "/entities", "type=Sensor&q=speed>=0&limit=3"
            while query:
                answer = await client.get(path, query)
                seen += numbers(answer.json)
                following = [one for one in answer.headers["link"] if 'rel="next"' in one]
                query = following[0].partition("?")[2].partition(">")[0] if following else ""
            assert seen == list(range(7))
            assert any('rel="prev"' in one and "offset=3" in one for one in answer.headers["link"])
            counted = await client.get("/entities", "type=Sensor&limit=0&count=true")
            assert (counted.json, counted.header("ngsild-results-count")) == ([], "7")

    run(body)


def test_a_huge_page_is_refused(open_client: OpenClient) -> None:
    async def body() -> None:
        async with open_client() as client:
            for limit in ("1001", "999999999999"):
                answer = await client.get("/entities", f"type=A&limit={limit}")
                assert (answer.status, answer.problem) == (403, "TooManyResults")

    run(body)


def test_query_by_post_says_the_same(open_client: OpenClient) -> None:
    async def body() -> None:
        async with open_client() as client:
            await filled(client)
            sent = {"type": "Query", "entities": [{"type": "Sensor"}], "q": "speed>40", "attrs": ["speed"]}
            answer = await client.post("/entityOperations/query", sent)
            assert numbers(answer.json) == [2]
            assert set(answer.json[0]) == {"id", "type", "scope", "speed"}
            geo = {"georel": "near;maxDistance==1000", "geometry": "Point", "coordinates": [128.9, 35.2]}
            answer = await client.post("/entityOperations/query", {"type": "Query", "geoQ": geo}, "count=true")
            assert (numbers(answer.json), answer.header("ngsild-results-count")) == ([1, 2], "2")
            assert (await client.post("/entityOperations/query", {"type": "Nothing"})).status == 400

    run(body)


def test_an_indexed_attribute_answers_like_one_without_index(open_client: OpenClient) -> None:
    async def body() -> None:
        async with open_client(indexed_attributes=("speed",)) as client:
            batch = [sensor(number, speed=number % 10, other=number % 10) for number in range(50)]
            batch += [sensor(number, speed=1000 + number, other=1000 + number) for number in range(50, 2000)]
            await client.post("/entityOperations/upsert", batch)
            for query in ("{}==3", "{}<8", "{}==2..4", "{}<=0", "{}>3;{}<5", "{}>2900", "{}==2999", "{}==1..9"):
                indexed = await client.get("/entities", "type=Sensor&limit=100&q=" + query.replace("{}", "speed"))
                plain = await client.get("/entities", "type=Sensor&limit=100&q=" + query.replace("{}", "other"))
                assert numbers(indexed.json) == numbers(plain.json) != []

    run(body)
