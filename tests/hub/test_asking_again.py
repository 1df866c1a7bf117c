"""What the hub keeps of queries, and the short ways it reads them by, change no answer."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from madang.hub.access import Access
from madang.hub.contexts.context import CORE_CONTEXT
from madang.hub.errors import NgsiLdError
from madang.hub.http.pages import KeptPages, listed, page_links
from madang.hub.http.parameters import Join, core_query, read_join, read_query
from madang.hub.http.wire import Response, read_parameters
from madang.hub.query import Query
from madang.hub.render import View
from madang.hub.store import Page
from madang.identity.rights import Actor, ActorKind, Deed, Right, Role, TypeRight

NAMES = st.sampled_from(["pm25", "pm10", "createdAt", "a-b", "_x", "1a", "type", "a.b", "a[b]", "urn:x:y"])
NUMBERS = st.one_of(st.integers(-(10**20), 10**20), st.floats(allow_nan=False, allow_infinity=False)).map(str)
VALUES = st.one_of(NUMBERS, st.sampled_from(['"x"', "1..2", "1,2", "true", "01", "1.", "2026-11-22", "%31", "1+1", ""]))
SIGNS = st.sampled_from(["==", "!=", "<", "<=", ">", ">=", "=", "~="])
TERMS = st.builds(lambda name, sign, value: f"{name}{sign}{value}", NAMES, SIGNS, VALUES)
ASKED = st.lists(TERMS, max_size=3).map(";".join)
PARTS = (
    *("type=A", "type=*", "limit=5", "limit=x", "offset=2", "count=true", "attrs=pm25", "options=keyValues", "q=pm10"),
    *("expandValues=pm25", "local=true", "scopeQ=/a", "seq=1", "", "join=inline"),
)
AROUND = st.lists(st.sampled_from(PARTS), max_size=4)


def slowly(query_string: bytes) -> tuple[Query, View, Join | None]:
    """The way of a query with an @context of its own."""
    parameters = read_parameters(query_string)
    query, view = read_query(parameters, CORE_CONTEXT, 20, 1000)
    return query, view, read_join(parameters, query.q)


def outcome(query_string: bytes, read: object) -> object:
    try:
        return read(query_string)  # type: ignore[operator] # one of two readers
    except NgsiLdError as error:
        return type(error)


@settings(max_examples=500)
@given(ASKED, AROUND, AROUND)
def test_a_query_string_says_the_same_read_in_the_short_way(q: str, before: list[str], after: list[str]) -> None:
    query_string = "&".join([*before, f"q={q}", *after]).encode()
    assert outcome(query_string, lambda said: core_query(said, 20, 1000)) == outcome(query_string, slowly)


@given(st.lists(st.sampled_from(["type=A", "limit=5", "offset=2", "q=a>1", "limit=", "xlimit=1", ""]), max_size=6))
def test_links_to_other_pages_keep_everything_but_limit_and_offset(parts: list[str]) -> None:
    query = Query(limit=5, offset=10)
    [(_, following), (_, before)] = page_links("&".join(parts).encode(), query, Page((), (), more=True))
    kept = [one.replace(">", "%3E") for one in parts if one and not one.startswith(("limit=", "offset="))]
    for said, offset in ((following, 15), (before, 5)):
        target = said.decode().partition(">")[0]
        assert target == "</ngsi-ld/v1/entities?" + "&".join([*kept, "limit=5", f"offset={offset}"])


def test_links_to_other_pages_encode_what_a_link_cannot_hold() -> None:
    [(_, said)] = page_links(b'q=name=="a b"&limit=5', Query(limit=5), Page((), (), more=True))
    assert said.decode().partition(">")[0] == "</ngsi-ld/v1/entities?" + quote(
        'q=name=="a b"&limit=5&offset=5', safe="=&;"
    )


@pytest.mark.parametrize("bodies", [[], [b"{}"], [b'{"a":1}', b"{}", b"[]"]])
def test_bodies_are_listed_as_json_and_stay_as_they_are(bodies: list[bytes]) -> None:
    before = [*bodies]
    assert listed(bodies) == b"[" + b",".join(bodies) + b"]"
    assert bodies == before


def access() -> Access:
    actor = Actor(
        "t", ActorKind.TOKEN, "x", {"x": frozenset({Role.API_CLIENT})}, types=(TypeRight("A", frozenset({Deed.READ})),)
    )
    return Access(actor, "x", {"B"})


def test_an_answer_is_kept_when_it_is_asked_for_again_and_until_the_next_commit() -> None:
    pages, asked = KeptPages(), (access(), b"type=A", b"application/json")
    answer = Response(200, [(b"link", b"x")], b"[]")
    pages.answered(asked, 1, answer)
    assert pages.get(asked, 1) is None
    pages.answered(asked, 1, answer)
    known = pages.get(asked, 1)
    assert known is not None
    known.headers.append((b"ngsild-tenant", b"x"))
    again = pages.get(asked, 1)
    assert again is not None
    assert again.headers == [(b"link", b"x")]
    assert pages.get(asked, 2) is None
    assert pages.get((access(), *asked[1:]), 1) is None


def test_what_is_kept_ready_is_bounded() -> None:
    pages, asker = KeptPages(), access()
    for _ in range(3):
        for number in range(1_000):
            pages.answered((asker, b"%d" % number, b""), 1, Response(200, [], b"[]"))
    assert sum(pages.get((asker, b"%d" % number, b""), 1) is not None for number in range(1_000)) == 256
    large = (asker, b"large", b"")
    for _ in range(3):
        pages.answered(large, 1, Response(200, [], bytes(70_000)))
    assert pages.get(large, 1) is None


@pytest.mark.parametrize("name", ["A", "B", "C"])
def test_reading_is_judged_the_same_by_both_ways_of_asking(name: str) -> None:
    asker = access()
    assert asker.reads(name) == asker.reads(name) == asker.may(Right.HUB_READ, name) == asker.sees((name,))
    assert asker.sees(("B", "C")) is False
    assert asker.sees(("C", "A")) is True
