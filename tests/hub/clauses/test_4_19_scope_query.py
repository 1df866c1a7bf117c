"""Clauses 4.18 and 4.19: scopes, and the language that asks about them."""

from __future__ import annotations

import pytest

from tests.hub.clauses.reading import ask, entity, fill, found, got, refused, urn, with_client
from tests.hub.client import Client
from tests.hub.conftest import OpenClient

CITY = (
    entity("S:1", scope="/Gimhae"),
    entity("S:2", scope="/Gimhae/Road"),
    entity("S:3", scope="/Gimhae/Road/3"),
    entity("S:4", scope=["/Busan/Road", "/Company/Bus"]),
    entity("S:5"),
)


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("/Gimhae", "1"),
        ("/Gimhae/Road", "2"),
        ("/Gimhae/#", "123"),
        ("/Gimhae/+", "2"),
        ("/+/Road", "24"),
        ("/Gimhae/+/3", "3"),
        ("/+/Road/#", "234"),
        ("/#", "1234"),
        ("/Gimhae,/Busan/Road", "14"),
        ("/Gimhae|/Busan/Road", "14"),
        ("/Busan/#;/Company/#", "4"),
        ("/Busan/#;/Gimhae/#", ""),
        ("(/Busan/Road;/Company/Bus)", "4"),
        ("(/Busan/Road;/Gimhae)|/Gimhae/Road", "2"),
        ("/Gimhae,(/Busan/#;/Company/+)", "14"),
        ("/Nowhere", ""),
        ("/gimhae", ""),
    ],
)
def test_entities_are_found_by_scope(open_client: OpenClient, asked: str, expected: str) -> None:
    async def body(client: Client) -> None:
        await fill(client, *CITY)
        assert "".join(one[-1] for one in await found(client, type="S", scopeQ=asked)) == expected
        assert (await got(client, "/entities/" + urn("S:4")))["scope"] == ["/Busan/Road", "/Company/Bus"]

    with_client(open_client, body)


@pytest.mark.parametrize("wrong", ["//", "/a//b", "/a;", ",/a", "(/a", "/a)", "()", "(/a,/b)", "((/a;/b))"])
def test_what_is_no_scope_query_is_refused(open_client: OpenClient, wrong: str) -> None:
    async def body(client: Client) -> None:
        refused(await ask(client, "/entities", type="S", scopeQ=wrong), 400, "BadRequestData")

    with_client(open_client, body)
