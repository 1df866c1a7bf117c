"""Clause 4.21: pick and omit; and `attrs`, which also selects (clauses 5.7.1.4, 6.4.3.2)."""

from __future__ import annotations

import pytest

from tests.hub.clauses.reading import ask, entity, fill, found, got, refused, urn, with_client
from tests.hub.client import Client, Json
from tests.hub.conftest import OpenClient

ID = "/entities/" + urn("Bus:1")
BUS = entity("Bus:1", scope="/Gimhae", speed=1, plate="a")


def only(*members: str) -> dict[str, Json]:
    return {name: value for name, value in BUS.items() if name in members}


@pytest.mark.parametrize(
    ("asked", "members"),
    [
        ({"pick": "speed"}, ("speed",)),
        ({"pick": "id,speed"}, ("id", "speed")),
        ({"pick": "id|type|plate"}, ("id", "type", "plate")),
        ({"pick": "type,scope"}, ("type", "scope")),
        ({"pick": "id,nothing"}, ("id",)),
        ({"omit": "speed"}, ("id", "type", "scope", "plate")),
        ({"omit": "id,type,scope"}, ("speed", "plate")),
        ({"pick": "id,speed,plate", "omit": "plate"}, ("id", "speed")),
        ({"attrs": "speed"}, ("id", "type", "scope", "speed")),
        ({"attrs": "speed,nothing"}, ("id", "type", "scope", "speed")),
    ],
)
def test_members_are_picked_and_omitted(
    open_client: OpenClient, asked: dict[str, str], members: tuple[str, ...]
) -> None:
    async def body(client: Client) -> None:
        await fill(client, BUS)
        assert await got(client, ID, **asked) == only(*members)
        assert await got(client, "/entities", type="Bus", **asked) == [only(*members)]

    with_client(open_client, body)


def test_attrs_selects_and_pick_does_not(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        await fill(client, BUS, entity("Bus:2", plate="b"))
        assert await found(client, attrs="speed") == ["Bus:1"]
        assert await found(client, type="Bus", attrs="speed,plate") == ["Bus:1", "Bus:2"]
        assert await got(client, "/entities", type="Bus", pick="id,speed") == [
            only("id", "speed"),
            {"id": urn("Bus:2")},
        ]
        refused(await ask(client, ID, attrs="nothing"), 404, "ResourceNotFound")
        refused(await ask(client, ID, attrs="id"), 400, "BadRequestData")

    with_client(open_client, body)


def test_system_attributes_are_picked_like_others(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        await fill(client, BUS)
        shown = await got(client, ID, pick="id,createdAt", options="sysAttrs")
        assert shown.keys() == {"id", "createdAt"}
        assert "modifiedAt" not in await got(client, ID, omit="modifiedAt", options="sysAttrs")

    with_client(open_client, body)


@pytest.mark.parametrize("wrong", ["a,,b", ",a", "a{", "a{}", "a}b", "{a}", "a{b", "a{b}c", "a b", "a,"])
def test_what_is_no_projection_is_refused(open_client: OpenClient, wrong: str) -> None:
    async def body(client: Client) -> None:
        await fill(client, BUS)
        for name in ("pick", "omit"):
            refused(await ask(client, ID, join="inline", **{name: wrong}), 400, "BadRequestData")

    with_client(open_client, body)
