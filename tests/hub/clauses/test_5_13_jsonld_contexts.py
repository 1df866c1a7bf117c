"""Clause 5.13 with 6.29 and 6.30: @contexts added, listed, served, deleted, fetched anew; used without a round trip."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar
from urllib.parse import quote

import orjson
import pytest

from madang.hub.http.app import HubApp
from tests.hub.clauses.reading import CORE, LD_BODY, ask, entity, fill, got, refused, urn, with_client
from tests.hub.client import Answer, Client, Json, run
from tests.hub.conftest import OpenClient, OpenHub

PATH = "/jsonldContexts"
TERMS = {"speed": "https://a.example/speed", "Bus": "https://a.example/Bus"}
LOCAL = {"outward_allow": ("127.0.0.0/8",), "context_timeout_s": 1.0}


def link_to(address: str) -> tuple[str, str]:
    return "Link", f'<{address}>; rel="http://www.w3.org/ns/json-ld#context"; type="application/ld+json"'


async def added(client: Client, context: Json = TERMS) -> str:
    """Adds an @context; its local id."""
    answer = await client.post(PATH, {"@context": context})
    assert (answer.status, answer.body) == (201, b"")
    head, _, context_id = answer.header("location").rpartition("/")
    assert head == "/ngsi-ld/v1" + PATH
    return context_id


class _Elsewhere(BaseHTTPRequestHandler):
    """A server of @contexts that counts what it is asked, and can be told to fail or to change."""

    asked: ClassVar[list[str]] = []
    body: ClassVar[bytes] = b""

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.send_response(200 if self.body else 500)
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *_args: object) -> None:
        """Says nothing."""


@contextmanager
def elsewhere(context: Json = TERMS) -> Iterator[str]:
    """The address of an @context on another server."""
    _Elsewhere.asked.clear()
    _Elsewhere.body = orjson.dumps({"@context": context})
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Elsewhere)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/bus.jsonld"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_an_added_context_is_served(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        context_id = await added(client)
        answer = await ask(client, f"{PATH}/{context_id}")
        assert (answer.status, answer.json) == (200, {"@context": TERMS})
        assert answer.header("content-type") == "application/json"
        assert await got(client, f"{PATH}/{context_id}", details="false") == {"@context": TERMS}
        kept = await client.post(PATH, {"@context": [CORE, TERMS], "more": 1}, headers=[LD_BODY])
        served = await got(client, kept.header("location").removeprefix("/ngsi-ld/v1"))
        assert served == {"@context": [CORE, TERMS]}

    with_client(open_client, body)


def test_an_added_context_is_used_by_its_address_without_asking_anybody(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        address = f"http://hub.example:8080/ngsi-ld/v1{PATH}/{await added(client)}"
        raw = {"@context": address, **entity("Bus:1", speed=1)}
        assert (await client.post("/entities", raw, headers=[LD_BODY])).status == 201
        plain = await got(client, "/entities/" + urn("Bus:1"))
        assert plain.keys() == {"id", "type", "https://a.example/speed"}
        answer = await ask(client, "/entities/" + urn("Bus:1"), link_to(address))
        assert answer.json == entity("Bus:1", speed=1)
        assert address in answer.header("link")
        inside = await ask(client, "/entities", link_to(address), ("Accept", "application/ld+json"), q="speed==1")
        assert inside.json[0]["@context"] == [address, CORE]

    with_client(open_client, body)


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (b"", "InvalidRequest"),
        (b"{", "InvalidRequest"),
        (b"[]", "InvalidRequest"),
        (b"{}", "BadRequestData"),
        (b'{"@context":null}', "BadRequestData"),
        (b'{"@context":5}', "BadRequestData"),
        (b'{"@context":{"a":{"@id":5}}}', "BadRequestData"),
        (b'{"@context":{"a":"b","b":"a"}}', "BadRequestData"),
        (b'{"@context":{"a":{"@id":"https://a.example/a","@context":{"b":"https://a.example/b"}}}}', "BadRequestData"),
    ],
)
def test_what_is_no_context_is_refused(open_client: OpenClient, raw: bytes, problem: str) -> None:
    async def body(client: Client) -> None:
        refused(await client.post(PATH, raw), 400, problem)
        assert await got(client, PATH) == []

    with_client(open_client, body)


def test_contexts_are_listed_by_address_or_with_details(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        assert await got(client, PATH) == []
        first, second = await added(client), await added(client, {"a": "https://a.example/a"})
        host = ("Host", "hub.example")
        listed = await got(client, PATH, host)
        assert listed == [f"http://hub.example/ngsi-ld/v1{PATH}/{one}" for one in (first, second)]
        detailed = await got(client, PATH, host, details="true")
        assert detailed[0].keys() == {"URL", "localId", "kind", "createdAt"}
        assert (detailed[0]["localId"], detailed[0]["kind"]) == (first, "Hosted")
        assert detailed[0] == await got(client, f"{PATH}/{first}", host, details="true")
        await client.get("/entities", "type=Bus", headers=[link_to(listed[0])])
        used = await got(client, f"{PATH}/{first}", details="true")
        assert used["numberOfHits"] == 1
        assert used["lastUsage"] >= used["createdAt"]
        assert await got(client, PATH, host, kind="Hosted", limit="1") == listed[:1]
        assert await got(client, PATH, kind="Cached") == []
        refused(await ask(client, PATH, kind="hosted"), 400, "BadRequestData")
        refused(await ask(client, PATH, details="perhaps"), 400, "BadRequestData")
        refused(await ask(client, PATH, sideways="1"), 400, "InvalidRequest")

    with_client(open_client, body)


def test_a_deleted_context_is_gone(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        context_id = await added(client)
        address = f"http://hub.invalid/ngsi-ld/v1{PATH}/{context_id}"
        assert (await client.get("/entities", "type=Bus", headers=[link_to(address)])).status == 200
        refused(await client.send("DELETE", f"{PATH}/{context_id}", query="reload=true"), 400, "BadRequestData")
        answer = await client.send("DELETE", f"{PATH}/{context_id}")
        assert (answer.status, answer.body) == (204, b"")
        refused(await ask(client, f"{PATH}/{context_id}"), 404, "ResourceNotFound")
        refused(await client.send("DELETE", f"{PATH}/{context_id}"), 404, "ResourceNotFound")
        refused(await client.get("/entities", "type=Bus", headers=[link_to(address)]), 503, "LdContextNotAvailable")

    with_client(open_client, body)


def test_a_fetched_context_is_cached_listed_and_not_served(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        with elsewhere() as address:
            await fill(client, entity("Bus:1", speed=1))
            for _ in range(3):
                assert (await client.get("/entities", "type=Bus", headers=[link_to(address)])).status == 200
            assert _Elsewhere.asked == ["/bus.jsonld"]
            assert await got(client, PATH) == [address]
            [told] = await got(client, PATH, details="true", kind="Cached")
            assert (told["URL"], told["kind"], told["numberOfHits"]) == (address, "Cached", 3)
            assert told["expiresAt"] > told["createdAt"]
            for name in (told["localId"], quote(address, safe="")):
                refused(await ask(client, f"{PATH}/{name}"), 422, "OperationNotSupported")
                assert (await got(client, f"{PATH}/{name}", details="true"))["localId"] == told["localId"]

    with_client(open_client, body, **LOCAL)


def test_a_cached_context_is_fetched_anew_on_request(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        with elsewhere() as address:
            await client.post("/entities", {"@context": address, **entity("Bus:1", speed=1)}, headers=[LD_BODY])
            name = f"{PATH}/{quote(address, safe='')}"
            _Elsewhere.body = orjson.dumps({"@context": TERMS | {"velocity": "https://a.example/speed", "speed": None}})
            assert "speed" in await _named(client, address)
            assert (await client.send("DELETE", name, query="reload=true")).status == 204
            assert "velocity" in await _named(client, address)
            for broken in (b"", b"hello", b"{}", b'{"@context":{"a":"b","b":"a"}}'):
                _Elsewhere.body = broken
                answer = await client.send("DELETE", name, query="reload=true")
                refused(answer, 503, "LdContextNotAvailable")
                assert "velocity" in await _named(client, address)
            _Elsewhere.body = orjson.dumps({"@context": TERMS})
            assert (await client.send("DELETE", name)).status == 204
            assert await got(client, PATH) == []
            assert "speed" in await _named(client, address)

    with_client(open_client, body, **LOCAL)


async def _named(client: Client, address: str) -> Json:
    return await got(client, "/entities/" + urn("Bus:1"), link_to(address))


def test_contexts_outlive_a_restart_and_a_dead_address(open_hub: OpenHub) -> None:
    async def asked(client: Client, address: str) -> Answer:
        return await ask(client, "/entities", link_to(address), type="Bus")

    async def body() -> None:
        with elsewhere() as address:
            async with open_hub(**LOCAL) as hub:
                client = Client(HubApp(hub, None, (), open_mode=True, bound_host="127.0.0.1"))
                hosted = await added(client)
                assert (await asked(client, address)).status == 200
        async with open_hub(**LOCAL) as hub:
            client = Client(HubApp(hub, None, (), open_mode=True, bound_host="127.0.0.1"))
            assert await got(client, f"{PATH}/{hosted}") == {"@context": TERMS}
            assert (await asked(client, address)).status == 200
        async with open_hub(**LOCAL, context_keep_s=0.0) as hub:
            client = Client(HubApp(hub, None, (), open_mode=True, bound_host="127.0.0.1"))
            assert (await asked(client, address)).status == 200
            refused(await asked(client, address + "x"), 503, "LdContextNotAvailable")

    run(body)


def test_contexts_of_other_tenants_are_used_but_neither_listed_nor_deleted(open_client: OpenClient) -> None:
    async def body(client: Client) -> None:
        for tenant in ("here", "there"):
            made = await client.post("/entities", entity("Bus:1"), headers=[("NGSILD-Tenant", tenant)])
            assert made.status == 201
        answer = await client.post(PATH, {"@context": TERMS}, headers=[("NGSILD-Tenant", "here")])
        path = answer.header("location").removeprefix("/ngsi-ld/v1")
        there = ("NGSILD-Tenant", "there")
        assert await got(client, PATH, there) == []
        assert await got(client, path, there) == {"@context": TERMS}
        refused(await client.send("DELETE", path, headers=[there]), 404, "ResourceNotFound")
        assert (await client.send("DELETE", path, headers=[("NGSILD-Tenant", "here")])).status == 204

    with_client(open_client, body)
