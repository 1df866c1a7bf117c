"""Clauses 4.4 and 5.5.7: names are expanded and compacted as a JSON-LD processor does it, the core context first."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyld import jsonld

from madang.hub.contexts.context import Context, compile_context
from madang.hub.entity import read_entity
from madang.hub.errors import BadRequestDataError
from madang.hub.names import CORE_URL, NGSI, canonical_iri, core_document, expand_canonical
from tests.hub.clauses.reading import LD_BODY, entity, got, refused, urn, with_client
from tests.hub.client import Client, Json
from tests.hub.conftest import OpenClient

_REMOTE = {
    "https://models.example/transport.jsonld": {
        "@context": {
            "sdm": "https://smartdatamodels.org/",
            "transport": "https://smartdatamodels.org/dataModel.Transportation/",
            "Vehicle": "transport:Vehicle",
            "fleetVehicleId": "transport:fleetVehicleId",
            "address": "sdm:address",
        }
    },
    "https://models.example/all.jsonld": {
        "@context": ["https://models.example/transport.jsonld", {"heading": "https://schema.org/heading"}, CORE_URL]
    },
}


def loader(url: str, _options: Json) -> Json:
    document = _REMOTE.get(url, core_document())
    return {"document": document, "documentUrl": url, "contextUrl": None, "contentType": "application/ld+json"}


OPTIONS = {"documentLoader": loader, "processingMode": "json-ld-1.1"}
WORDS = ["a", "bb", "speed", "Vehicle", "location", "vérité", "한글", "dash-ed", "title", "heading"]
NAME = st.sampled_from(WORDS)
SUFFIX = st.sampled_from(["x", "y1", "Vehicle", "deep/er", "한"])
PREFIXES = {
    "ex": "https://example.org/vocab#",
    "sdm": "https://smartdatamodels.org/",
    "d": "https://smartdatamodels.org/d/",
}
IRI = st.one_of(
    SUFFIX.map(lambda one: "https://iri.example/" + one),
    st.tuples(st.sampled_from([*PREFIXES]), SUFFIX).map(":".join),
)
DEFINITION: st.SearchStrategy[Json] = st.one_of(
    IRI,
    IRI.map(lambda iri: {"@id": iri}),
    st.tuples(IRI, st.sampled_from(["@id", "@vocab", "https://www.w3.org/2001/XMLSchema#dateTime"])).map(
        lambda both: {"@id": both[0], "@type": both[1]}
    ),
)


def sources(definition: st.SearchStrategy[Json]) -> st.SearchStrategy[Json]:
    """Contexts of terms so defined: one, several, after a remote one, after a fresh start."""
    local = st.dictionaries(NAME, definition, max_size=6).map(lambda terms: {**PREFIXES, **terms})
    return st.one_of(
        local,
        st.lists(local, min_size=1, max_size=3),
        st.tuples(st.sampled_from([*_REMOTE]), local).map(list),
        st.tuples(local, st.just(None), local).map(list),
    )


SOURCE = sources(st.one_of(DEFINITION, st.none()))
ASKED = st.one_of(
    NAME,
    st.tuples(st.sampled_from([*PREFIXES, "unknown"]), SUFFIX).map(":".join),
    st.just("https://elsewhere.example/z"),
)


def with_core(source: Json) -> Json:
    """The context and then the core's, in one list: JSON-LD knows no lists inside lists."""
    return [*(source if isinstance(source, list) else [source]), CORE_URL]


def expanded(source: Json, name: str) -> str | None:
    """What a JSON-LD processor makes of an attribute's name."""
    raw = {"@context": with_core(source), "@id": "urn:x:1", name: {"type": "Property", "value": 1}}
    nodes = jsonld.expand(raw, OPTIONS)
    return next((key for node in nodes for key in node if not key.startswith("@")), None)


def named(source: Json) -> Context:
    return compile_context(source, _REMOTE)


@settings(max_examples=60, deadline=None)
@given(SOURCE, ASKED)
def test_names_are_expanded_as_a_processor_does_it(source: Json, name: str) -> None:
    theirs = expanded(source, name)
    if theirs is not None:  # a term defined as null names nothing there; here it names what it would undefined
        assert expand_canonical(named(source).canonical(name)) == theirs


@settings(max_examples=60, deadline=None)
@given(sources(DEFINITION), st.lists(ASKED, min_size=1, max_size=3))
def test_types_are_expanded_as_a_processor_does_it(source: Json, names: list[str]) -> None:
    raw = {"@context": with_core(source), "id": "urn:x:1", "type": names}
    [node] = jsonld.expand(raw, OPTIONS)
    types = read_entity({"id": "urn:x:1", "type": names}, named(source)).types
    assert {expand_canonical(one) for one in types} == set(node["@type"])


PLAIN = st.dictionaries(NAME, IRI, max_size=6).map(lambda terms: {**PREFIXES, **terms})
IRIS = st.one_of(
    SUFFIX.map(lambda one: "https://iri.example/" + one),
    st.tuples(st.sampled_from([*PREFIXES.values()]), SUFFIX).map("".join),
    NAME.map(lambda one: NGSI + "default-context/" + one),
    st.sampled_from([NGSI + "location", NGSI + "odd", "https://elsewhere.example/z"]),
)


@settings(max_examples=60, deadline=None)
@given(st.one_of(PLAIN, st.lists(PLAIN, min_size=1, max_size=2)), IRIS)
def test_names_are_compacted_as_a_processor_does_it(source: Json, iri: str) -> None:
    node = {"@id": "urn:x:1", iri: [{"@type": [NGSI + "Property"], NGSI + "hasValue": [{"@value": 1}]}]}
    compacted = jsonld.compact([node], {"@context": with_core(source)}, OPTIONS)
    [theirs] = [key for key in compacted if key not in ("@context", "id")]
    assert named(source).term(canonical_iri(iri)) == theirs


@settings(max_examples=100, deadline=None)
@given(SOURCE, ASKED)
def test_a_name_comes_back_by_the_context_it_came_by(source: Json, name: str) -> None:
    context = named(source)
    canonical = context.canonical(name)
    assert context.canonical(context.term(canonical)) == canonical


VEHICLE: dict[str, Any] = {  # Any: JSON
    "id": "urn:ngsi-ld:Vehicle:1",
    "type": "Vehicle",
    "fleetVehicleId": {"type": "Property", "value": "12", "sdm:source": {"type": "Property", "value": "x"}},
    "heading": {"type": "Property", "value": 3, "observedAt": "2026-11-22T00:00:00Z"},
    "address": {"type": "Property", "value": {"type": "PostalAddress", "streetAddress": "가야로 1"}},
    "location": {"type": "GeoProperty", "value": {"type": "Point", "coordinates": [128.9, 35.2]}},
    "unheard": {"type": "Relationship", "object": "urn:ngsi-ld:Other:1"},
}


def test_a_whole_payload_is_read_as_a_processor_reads_it() -> None:
    source = "https://models.example/all.jsonld"
    [node] = jsonld.expand({"@context": with_core(source), **VEHICLE}, OPTIONS)
    read = read_entity(VEHICLE, named(source))
    assert {expand_canonical(name) for name in read.attributes} == {name for name in node if name[:1] != "@"}
    assert [expand_canonical(one) for one in read.types] == node["@type"]
    inner = node["https://smartdatamodels.org/dataModel.Transportation/fleetVehicleId"][0]
    kept = read.attributes["https://smartdatamodels.org/dataModel.Transportation/fleetVehicleId"]
    assert {expand_canonical(name) for name in kept if name != "type"} == {name for name in inner if name[:1] != "@"}


def test_a_context_inside_an_array_of_contexts_may_be_an_array_elsewhere(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        made = await client.post("/jsonldContexts", {"@context": [{"a": "https://a.example/a"}, CORE_URL]})
        address = "http://hub.example" + made.header("location")
        wider = await client.post("/jsonldContexts", {"@context": [address, {"b": "https://a.example/b"}]})
        outer = "http://hub.example" + wider.header("location")
        raw = {"@context": [outer, {"c": "https://a.example/c"}], **entity("Bus:1", a=1, b=2, c=3, d=4)}
        assert (await client.post("/entities", raw, headers=[LD_BODY])).status == 201
        shown = await got(client, "/entities/" + urn("Bus:1"))
        assert shown.keys() == {"id", "type", "d", *(f"https://a.example/{one}" for one in "abc")}

    with_client(open_client, body)


def test_contexts_that_refer_to_each_other_in_a_circle_are_refused(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        members: list[Json] = [{"a": "b:x", "b": "a:y"}, {"a": {"@id": "b"}, "b": {"@id": "a"}}, 7, {"a": 7}, [[{}]]]
        for member in members:
            raw = {"@context": member, **entity("Bus:1")}
            refused(await client.post("/entities", raw, headers=[LD_BODY]), 400, "BadRequestData")

    with_client(open_client, body)


@pytest.mark.parametrize("term", ["a", "location"])
def test_a_term_may_not_bring_a_context_of_its_own(term: str) -> None:
    with pytest.raises(BadRequestDataError, match="of its own"):
        compile_context({term: {"@id": "https://a.example/a", "@context": {"b": "https://a.example/b"}}}, {})
