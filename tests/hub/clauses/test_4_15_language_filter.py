"""Clause 4.15: a LanguageProperty in the language that is liked best."""

from __future__ import annotations

import pytest

from tests.hub.clauses.reading import ask, entity, fill, found, got, refused, urn, with_client, words
from tests.hub.client import Client
from tests.hub.conftest import OpenClient

ID = "/entities/" + urn("Street:1")
NAME = words(ko="가야로", en="Gaya-ro", **{"fr-CH": ["Rue Gaya", "Gaya"], "zh-Hant": "伽倻路"})
STREET = entity("Street:1", name=NAME, width=8)


@pytest.mark.parametrize(
    ("lang", "tag", "text"),
    [
        ("en", "en", "Gaya-ro"),
        ("EN", "en", "Gaya-ro"),
        ("en-US", "en", "Gaya-ro"),
        ("fr", "fr-CH", ["Rue Gaya", "Gaya"]),
        ("fr-CH,fr;q=0.9,en;q=0.8,*;q=0.5", "fr-CH", ["Rue Gaya", "Gaya"]),
        ("de,en;q=0.3,ko;q=0.9", "ko", "가야로"),
        ("zh-Hant-TW", "zh-Hant", "伽倻路"),
        ("en;q=0,ko;q=0.1", "ko", "가야로"),
    ],
)
def test_the_dearest_language_is_chosen(open_client: OpenClient, lang: str, tag: str, text: object) -> None:
    async def body(client: Client) -> None:
        await fill(client, STREET)
        shown = await got(client, ID, lang=lang)
        assert shown == STREET | {"name": {"type": "Property", "value": text, "lang": tag}}
        assert (await got(client, ID, lang=lang, format="concise"))["name"] == {"value": text, "lang": tag}
        assert (await got(client, ID, lang=lang, format="simplified"))["name"] == text
        assert await got(client, "/entities", type="Street", lang=lang) == [shown]

    with_client(open_client, body)


@pytest.mark.parametrize("lang", ["*", "de", "de;q=0.5,*;q=0.1"])
def test_some_language_is_shown_where_none_is_liked(open_client: OpenClient, lang: str) -> None:
    async def body(client: Client) -> None:
        await fill(client, STREET)
        shown = (await got(client, ID, lang=lang))["name"]
        assert shown["type"] == "Property"
        assert NAME["languageMap"][shown["lang"]] == shown["value"]

    with_client(open_client, body)


def test_sub_attributes_are_told_in_that_language_too(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        width = {"type": "Property", "value": 8, "note": words(ko="좁다", en="narrow")}
        await fill(client, entity("Street:1", width=width))
        note = (await got(client, ID, lang="en"))["width"]["note"]
        assert note == {"type": "Property", "value": "narrow", "lang": "en"}

    with_client(open_client, body)


def test_a_filter_that_is_none_is_refused_and_q_is_not_touched(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        await fill(client, STREET)
        refused(await ask(client, ID, lang="!!"), 400, "BadRequestData")
        refused(await ask(client, "/entities", type="Street", lang="en;q=high"), 400, "BadRequestData")
        assert await found(client, type="Street", lang="en", q='name[ko]=="가야로"') == ["Street:1"]

    with_client(open_client, body)
