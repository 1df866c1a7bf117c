"""@context compiled once: agrees with a JSON-LD processor, always lets the core win, refuses nonsense and strangers."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from typing import Any, ClassVar

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyld import jsonld

from madang.hub.changes import Stored
from madang.hub.config import HubConfig
from madang.hub.contexts.context import CORE_CONTEXT, Context, Json, compile_context
from madang.hub.contexts.source import ContextSource
from madang.hub.entity import read_entity
from madang.hub.errors import BadRequestDataError, LdContextNotAvailableError
from madang.hub.names import CORE, CORE_URL, canonical_iri, core_document, expand_canonical
from madang.hub.outward import Outward
from madang.hub.render import View, render
from tests.hub.client import run

SMART = {
    "@version": 1.1,
    "ex": "https://example.org/vocab#",
    "schema": "https://schema.org/",
    "dash": "https://example.org/dash-",
    "temperature": "ex:temperature",
    "temp": "ex:temperature",
    "streetAddress": "schema:streetAddress",
    "Sensor": "ex:Sensor",
    "PostalAddress": {"@id": "schema:PostalAddress"},
    "location": "ex:location",
    "value": "ex:value",
    "kind": "@type",
    "gone": None,
}


def oracle(entity: Json, context: Json) -> Json:
    """What a JSON-LD processor makes of an entity: expanded under its context, compacted under the core's."""
    documents = {"document": core_document(), "documentUrl": CORE_URL, "contextUrl": None, "contentType": None}
    options = {"documentLoader": lambda _url, _options: documents, "processingMode": "json-ld-1.1"}
    expanded = jsonld.expand(entity | {"@context": [context, CORE_URL]}, options)
    return expanded[0] if expanded else {}


def names_in(expanded: Json) -> set[str]:
    """Every property IRI of an expanded entity's own level and those of its attributes."""
    return {name for name in expanded if not name.startswith("@")} | {
        name
        for values in expanded.values()
        if isinstance(values, list)
        for value in values
        if isinstance(value, dict)
        for name in value
        if not name.startswith("@")
    }


def ours(entity: Json, context: Context) -> set[str]:
    read = read_entity(entity, context)
    inner = {expand_canonical(m) for value in read.attributes.values() for m in value if m != "type"}
    return {expand_canonical(name) for name in read.attributes} | inner


NAMES = st.sampled_from(
    ["temperature", "temp", "streetAddress", "speed", "location", "ex:other", "schema:name", "https://a.example/b",
     "status", "gone", "dash:x", "한글", "title", "ngsi-ld:odd", "urn:x:y"]
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.sets(NAMES, min_size=1, max_size=6), st.sets(NAMES, max_size=2))
def test_expansion_agrees_with_a_json_ld_processor(attributes: set[str], inner: set[str]) -> None:
    subs = {name: {"type": "Property", "value": 1} for name in inner}
    entity: dict[str, Any] = {"id": "urn:x:1", "type": ["Sensor", "PostalAddress", "Other"]}  # Any: JSON
    context = compile_context(SMART, {})
    entity |= {name: {"type": "Property", "value": 1, **subs} for name in attributes - {"temp"}}
    entity.pop("gone", None)
    for value in entity.values():
        if isinstance(value, dict):
            value.pop("gone", None)
    expanded = oracle(entity, SMART)
    assert ours(entity, context) == names_in(expanded)
    assert {expand_canonical(one) for one in read_entity(entity, context).types} == set(expanded["@type"])


@settings(max_examples=150, deadline=None)
@given(st.lists(NAMES, min_size=1, max_size=6, unique=True))
def test_names_come_back_through_the_context_they_came_with(attributes: list[str]) -> None:
    context = compile_context(SMART, {})
    for name in attributes:
        canonical = context.canonical(name)
        assert context.canonical(context.term(canonical)) == canonical
        assert CORE_CONTEXT.canonical(canonical) == canonical
        assert canonical_iri(expand_canonical(canonical)) == canonical


def test_compaction_agrees_with_a_json_ld_processor() -> None:
    context = compile_context(SMART, {})
    documents = {"document": core_document(), "documentUrl": CORE_URL, "contextUrl": None, "contentType": None}
    options = {"documentLoader": lambda _url, _options: documents}
    for iri in (
        "https://example.org/vocab#temperature",
        "https://example.org/vocab#other",
        "https://schema.org/streetAddress",
        "https://schema.org/name",
        "https://uri.etsi.org/ngsi-ld/default-context/speed",
        "https://uri.etsi.org/ngsi-ld/default-context/temperature",
        "https://uri.etsi.org/ngsi-ld/status",
        "https://nobody.example/x",
    ):
        compacted = jsonld.compact({iri: 1}, {"@context": [SMART, CORE_URL]}, options)
        [theirs] = [name for name in compacted if name != "@context"]
        assert context.term(canonical_iri(iri)) == theirs


def test_core_terms_cannot_be_taken_over() -> None:
    context = compile_context(SMART, {})
    for term in CORE:
        assert context.canonical(term) == term
    assert context.canonical("location") == "location"


def test_an_entity_reads_the_same_under_the_context_it_was_written_with() -> None:
    context = compile_context(SMART, {})
    sent = {
        "id": "urn:x:1",
        "type": "Sensor",
        "temp": {"type": "Property", "value": 21, "ex:quality": {"type": "Property", "value": 1}},
        "address": {
            "type": "Property",
            "value": {"type": "PostalAddress", "streetAddress": "가야로 1", "floors": [{"temp": 1}]},
        },
        "kindOf": {"type": "VocabProperty", "vocab": "Sensor"},
        "owner": {"type": "Relationship", "object": "urn:x:2", "objectType": "Sensor"},
    }
    read = read_entity(sent, context)
    assert "https://example.org/vocab#temperature" in read.attributes
    stored = Stored(1, "urn:x:1", read.types, orjson.dumps(read.document()), {}, 0, 0, 1)
    assert render(stored, View(), context) == sent


@pytest.mark.parametrize(
    "context",
    [
        {"a": "b", "b": "a"},
        {"a": "b:c", "b": "a:d"},
        {"a": 5},
        {"a": {"@id": ["x"]}},
        7,
        ["https://unknown.example/context.jsonld"],
        [[["deep"]]],
    ],
)
def test_contexts_that_make_no_sense_are_refused(context: Json) -> None:
    with pytest.raises((BadRequestDataError, LdContextNotAvailableError)):
        compile_context(context, {})


def test_contexts_that_refer_to_each_other_in_a_circle_are_refused() -> None:
    documents = {
        "https://a.example/": {"@context": "https://b.example/"},
        "https://b.example/": {"@context": ["https://a.example/"]},
    }
    with pytest.raises(BadRequestDataError, match="itself"):
        compile_context("https://a.example/", documents)


def test_any_core_address_is_answered_from_memory() -> None:
    async def body() -> None:
        source = ContextSource(HubConfig())
        for name in (
            "ngsi-ld-core-context.jsonld",
            "ngsi-ld-core-context-v1.3.jsonld",
            "ngsi-ld-core-context-v1.9.jsonld",
        ):
            assert await source.get("https://uri.etsi.org/ngsi-ld/v1/" + name) is CORE_CONTEXT
        both = await source.get(["https://uri.etsi.org/ngsi-ld/v1/ngsi-ld-core-context-v1.6.jsonld"])
        assert both.is_core

    run(body)


def test_an_address_may_be_answered_by_a_configured_file(tmp_path: Path) -> None:
    async def body() -> None:
        file = tmp_path / "context.jsonld"
        file.write_bytes(orjson.dumps({"@context": {"t": "https://example.org/t"}}))
        address = "https://closed.example/context.jsonld"
        source = ContextSource(
            HubConfig(context_files={address: str(file), "https://b.example/": str(tmp_path / "none")})
        )
        compiled = await source.get(address)
        assert compiled.canonical("t") == "https://example.org/t"
        assert await source.get(address) is compiled
        with pytest.raises(LdContextNotAvailableError, match="cannot be read"):
            await source.get("https://b.example/")

    run(body)


class _Contexts(BaseHTTPRequestHandler):
    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        body = {
            "/good": orjson.dumps({"@context": {"t": "https://example.org/t"}}),
            "/text": b"hello",
            "/large": b'{"@context": "' + b"x" * 2_100_000 + b'"}',
            "/loop": orjson.dumps({"@context": f"http://{self.headers['Host']}/loop"}),
        }.get(self.path)
        if self.path in ("/inward", "/odd"):
            self.send_response(302)
            self.send_header("Location", "http://10.255.255.1/context" if self.path == "/inward" else "http://[nowhere")
            self.end_headers()
            return
        self.send_response(200 if body else 404)
        self.end_headers()
        self.wfile.write(body or b"")

    def log_message(self, *_args: object) -> None:
        """Says nothing."""


@contextmanager
def serving() -> Iterator[str]:
    _Contexts.asked.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Contexts)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_context_is_fetched_once_from_where_it_may_be() -> None:
    async def body() -> None:
        with serving() as address:
            source = ContextSource(HubConfig(outward_allow=("127.0.0.0/8",)))
            both = await asyncio.gather(source.get(address + "/good"), source.get([address + "/good"]))
            assert [one.canonical("t") for one in both] == ["https://example.org/t"] * 2
            assert _Contexts.asked == ["/good"]
            for path, why in (("/text", "not JSON"), ("/none", "404"), ("/large", "more than"), ("/inward", "private")):
                with pytest.raises(LdContextNotAvailableError, match=why):
                    await source.get(address + path)
            with pytest.raises(BadRequestDataError, match="itself"):
                await source.get(address + "/loop")
            asked = len(_Contexts.asked)
            with pytest.raises(LdContextNotAvailableError):
                await source.get(address + "/none")
            assert len(_Contexts.asked) == asked

    run(body)


@pytest.mark.parametrize(
    "address",
    ["http://127.0.0.1/c", "http://localhost:8080/c", "http://10.0.0.1/c", "http://169.254.169.254/latest", "http://[::1]/c",
     "http://[::ffff:10.0.0.1]/c", "http://0.0.0.0/c", "file:///etc/passwd", "http://user:pw@example.org/", "gopher://x/"],
)  # fmt: skip
def test_contexts_at_private_addresses_are_refused_without_a_connection(address: str) -> None:
    async def body() -> None:
        with pytest.raises(LdContextNotAvailableError):
            await ContextSource(HubConfig()).get(address)

    run(body)


def test_a_host_that_resolves_inward_is_refused_unless_named() -> None:
    async def body() -> None:
        with pytest.raises(Exception, match="private"):
            await Outward().resolve("http://localhost/")
        host, address = await Outward(["localhost"]).resolve("http://localhost/")
        assert host == "localhost"
        assert address in ("127.0.0.1", "::1")

    run(body)


@pytest.mark.parametrize(
    "address",
    ["::ffff:10.0.0.1", "::10.0.0.1", "::ffff:0:127.0.0.1", "64:ff9b::a00:1", "64:ff9b:1::808:808", "2002:a00:1::1",
     "fec0::1", "fe80::1", "fd00::1", "192.0.0.192", "100.64.0.1"],
)  # fmt: skip
def test_no_way_of_writing_an_address_leads_inward(address: str) -> None:
    assert not Outward().allows("example.org", ip_address(address))


def test_public_addresses_behind_a_gateway_may_be_called() -> None:
    for address in ("64:ff9b::808:808", "2002:808:808::1", "2606:4700::1"):
        assert Outward().allows("example.org", ip_address(address)), address
    assert Outward(["10.0.0.0/8"]).allows("inside", ip_address("::ffff:10.0.0.1"))


def test_addresses_that_cannot_be_read_are_no_fault_of_the_hub() -> None:
    async def body() -> None:
        with serving() as address:
            source = ContextSource(HubConfig(outward_allow=("127.0.0.1/32",)))
            for path in ("/odd", "/\r\nx: y"):
                with pytest.raises((LdContextNotAvailableError, BadRequestDataError)):
                    await source.get(address + path)

    run(body)


def test_a_server_that_never_answers_is_given_up_quickly() -> None:
    async def body() -> None:
        with socket.socket() as silent:
            silent.bind(("127.0.0.1", 0))
            silent.listen()
            source = ContextSource(HubConfig(outward_allow=("127.0.0.1/32",), context_timeout_s=0.2))
            with pytest.raises(LdContextNotAvailableError, match="did not answer"):
                await source.get(f"http://127.0.0.1:{silent.getsockname()[1]}/c")

    run(body)
