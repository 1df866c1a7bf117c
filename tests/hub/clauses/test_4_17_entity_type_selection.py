"""Clauses 4.16 and 4.17: entities of several types, and the language that selects types."""

from __future__ import annotations

import pytest

from tests.hub.clauses.reading import ask, entity, fill, found, refused, with_client
from tests.hub.client import Client
from tests.hub.conftest import OpenClient

CITY = (
    entity("T:1") | {"type": "Home"},
    entity("T:2") | {"type": ["Home", "Vehicle"]},
    entity("T:3") | {"type": ["Vehicle", "Motorhome", "Museum"]},
    entity("T:4") | {"type": "https://a.example/Home"},
)


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        ("Home", "12"),
        ("Vehicle", "23"),
        ("Home,Museum", "123"),
        ("Home|Museum", "123"),
        ("Home;Vehicle", "2"),
        ("(Home;Vehicle)|Motorhome", "23"),
        ("(Home;Vehicle),(Museum;Motorhome)", "23"),
        ("Vehicle;(Home,Museum)", "23"),
        ("((Home))", "12"),
        ("https://a.example/Home", "4"),
        ("https://a.example/Home,Museum", "34"),
        ("Nothing", ""),
        ("Nothing,Home", "12"),
        ("Nothing;Home", ""),
        ("*", "1234"),
    ],
)
def test_types_are_selected(open_client: OpenClient, selection: str, expected: str) -> None:
    async def body(client: Client) -> None:
        await fill(client, *CITY)
        assert "".join(one[-1] for one in await found(client, type=selection)) == expected

    with_client(open_client, body)


@pytest.mark.parametrize("wrong", ["(Home", "Home)", "Home,", ";Home", "Home;;Vehicle", "()", "Home(Vehicle)", "a b"])
def test_what_selects_no_types_is_refused(open_client: OpenClient, wrong: str) -> None:
    async def body(client: Client) -> None:
        refused(await ask(client, "/entities", type=wrong), 400, "BadRequestData")

    with_client(open_client, body)
