"""Clause 6.3.16: how long a fetched @context is kept, its server says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from madang.hub.outward import keep_s
from tests.hub.clauses.hosting import LOCAL, PATH, Elsewhere, elsewhere, link_to
from tests.hub.clauses.reading import ask, got, with_client
from tests.hub.client import Client
from tests.hub.conftest import OpenClient


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"cache-control": "public"}, None),
        ({"cache-control": "max-age=60"}, 60.0),
        ({"cache-control": "public, max-age=60", "age": "20"}, 40.0),
        ({"cache-control": "max-age=60, s-maxage=90"}, 90.0),
        ({"cache-control": "no-store"}, 0.0),
        ({"cache-control": "max-age=60, no-cache"}, 0.0),
        ({"expires": "Sun, 22 Nov 2026 10:00:00 GMT", "date": "Sun, 22 Nov 2026 09:00:00 GMT"}, 3600.0),
        ({"expires": "Sun, 22 Nov 2026 08:00:00 GMT", "date": "Sun, 22 Nov 2026 09:00:00 GMT"}, 0.0),
        ({"expires": "0"}, 0.0),
        ({"expires": "0", "cache-control": "max-age=5"}, 5.0),
    ],
)
def test_what_servers_say_of_freshness_is_understood(headers: dict[str, str], seconds: float | None) -> None:
    assert keep_s(headers) == seconds


@pytest.mark.parametrize(("said", "seconds"), [({}, 86_400), ({"Cache-Control": "max-age=120"}, 120)])
def test_a_cached_context_expires_when_its_server_says(
    open_client: OpenClient, said: dict[str, str], seconds: int
) -> None:
    async def body(client: Client) -> None:
        with elsewhere() as address:
            Elsewhere.keep = said
            before = datetime.now(UTC)
            assert (await ask(client, "/entities", link_to(address), type="Bus")).status == 200
            [told] = await got(client, PATH, details="true")
            expires_at = datetime.fromisoformat(told["expiresAt"])
            assert abs(expires_at - before - timedelta(seconds=seconds)) < timedelta(seconds=20)

    with_client(open_client, body, **LOCAL)
