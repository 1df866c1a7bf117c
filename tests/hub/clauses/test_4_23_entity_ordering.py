"""Clause 4.23: the order in which entities are listed."""

from __future__ import annotations

import pytest

from tests.hub.clauses.reading import ask, entity, fill, found, point, refused, with_client
from tests.hub.client import Client
from tests.hub.conftest import OpenClient

CITY = (
    entity(
        "Tree:1", name="나무", height=9, location=point(128.90, 35.20), address={"type": "Property", "value": {"n": 2}}
    ),
    entity("Tree:2", name="éclair", height=12.5, location=point(128.91, 35.20)),
    entity("Tree:3", name="Apple", height="tall", location=point(128.95, 35.20)),
    entity("Tree:4", name="apple", height=9, address={"type": "Property", "value": {"n": 1}}),
    entity("Tree:5", name="Zelkova", height={"type": "Property", "value": True}, seen="yes"),
    entity("Tree:6", name="eve", height={"type": "Property", "value": [1]}),
    entity("Tree:7", name="item 10"),
    entity("Tree:8", name="item 9", height={"type": "Property", "value": {"m": 1}}),
)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({"orderBy": "name"}, "43267851"),
        ({"orderBy": "height"}, "14238657"),
        ({"orderBy": "height;asc"}, "14238657"),
        ({"orderBy": "height;desc"}, "21438657"),
        ({"orderBy": "height,name"}, "41238657"),
        ({"orderBy": "height,name;desc"}, "14238657"),
        ({"orderBy": "id;desc"}, "87654321"),
        ({"orderBy": "address[n]"}, "41235678"),
        ({"orderBy": "createdAt;desc"}, None),
        ({"orderBy": "nothing"}, "12345678"),
        ({"orderBy": "location;dist-asc", "orderFrom": "[128.92,35.2]"}, "21345678"),
        ({"orderBy": "location;dist-desc", "orderFrom": "[128.92,35.2]"}, "31245678"),
        (
            {
                "orderBy": "location;dist-asc",
                "orderFrom": "[[128.949,35.2],[128.96,35.2]]",
                "orderGeometry": "LineString",
            },
            "32145678",
        ),
    ],
)
def test_entities_are_ordered_by_what_they_hold(
    open_client: OpenClient, asked: dict[str, str], expected: str | None
) -> None:
    async def body(client: Client) -> None:
        await fill(client, *CITY)
        listed = await found(client, type="Tree", **asked)
        if expected is None:
            assert sorted(listed) == [f"Tree:{n}" for n in range(1, 9)]
        else:
            assert "".join(one[-1] for one in listed) == expected

    with_client(open_client, body)


def test_texts_are_ordered_as_people_read_them(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        await fill(client, *CITY)
        plain = await found(client, type="Tree", orderBy="name")
        assert plain == [f"Tree:{n}" for n in (4, 3, 2, 6, 7, 8, 5, 1)]
        numeric = await found(client, type="Tree", orderBy="name", collation="und-u-kn-true")
        assert numeric.index("Tree:8") < numeric.index("Tree:7")
        capitals = await found(client, type="Tree", orderBy="name", collation="und-u-kf-upper")
        assert capitals.index("Tree:3") < capitals.index("Tree:4")

    with_client(open_client, body)


def test_german_umlauts_stand_where_a_telephone_book_has_them(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        await fill(client, entity("Man:1", name="Göz"), entity("Man:2", name="Gof"), entity("Man:3", name="Goethe"))
        assert await found(client, type="Man", orderBy="name") == ["Man:3", "Man:2", "Man:1"]
        listed = await found(client, type="Man", orderBy="name", collation="de-u-co-phonebk")
        assert listed == ["Man:3", "Man:1", "Man:2"]

    with_client(open_client, body)


def test_pages_go_on_in_the_same_order(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        await fill(client, *CITY)
        asked = {"type": "Tree", "orderBy": "name", "limit": "3"}
        first = await ask(client, "/entities", **asked)
        assert "orderBy=name" in first.header("link")
        pages = [await found(client, offset=str(n), **asked) for n in (0, 3, 6)]
        assert [one for page in pages for one in page] == await found(client, type="Tree", orderBy="name")

    with_client(open_client, body)


def test_time_and_sub_attributes_order_too(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        for number, day in ((1, "03"), (2, "01"), (3, "02")):
            seen = {"type": "Property", "value": 1, "observedAt": f"2026-11-{day}T00:00:00Z"}
            await fill(client, entity(f"Tree:{number}", seen=seen))
        assert await found(client, type="Tree", orderBy="seen.observedAt") == ["Tree:2", "Tree:3", "Tree:1"]
        assert await found(client, type="Tree", orderBy="seen.observedAt;desc") == ["Tree:1", "Tree:3", "Tree:2"]

    with_client(open_client, body)


@pytest.mark.parametrize(
    "wrong",
    [
        {"orderBy": "name;sideways"},
        {"orderBy": "name,,height"},
        {"orderBy": "location;dist-asc"},
        {"orderBy": "location;dist-asc", "orderFrom": "here"},
        {"orderBy": "location;dist-asc", "orderFrom": "[1]"},
        {"orderBy": "location;dist-asc", "orderFrom": "[1,2]", "orderGeometry": "Circle"},
        {"orderBy": "name", "collation": "!!"},
        {"orderBy": "address[n"},
    ],
)
def test_what_is_no_order_is_refused(open_client: OpenClient, wrong: dict[str, str]) -> None:
    async def body(client: Client) -> None:
        refused(await ask(client, "/entities", type="Tree", **wrong), 400, "BadRequestData")

    with_client(open_client, body)
