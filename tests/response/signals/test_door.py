"""The HTTP door: what a device may send, what it is told, and that an answer is true."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, TypeVar

import pytest

from madang.identity.rights import Actor, ActorKind, Deed, Role, TypeRight
from madang.kernel.clock import system_clock
from madang.response.signals.api import BATCH, SCHEMA, asgi_app
from madang.response.signals.models import Signal
from tests.response.signals.conftest import Desk

pytestmark = pytest.mark.django_db(transaction=True)
T = TypeVar("T")


class Site:
    """What the site lends, on one thread."""

    def __init__(self, actor: Actor | None) -> None:
        self.actor = actor
        self.commits = 0

    def clock(self) -> datetime:
        return system_clock()

    async def run_civic(self, work: Callable[[], T]) -> T:
        self.commits += 1
        await asyncio.sleep(0)
        return work()

    async def authenticate(self, headers: Iterable[tuple[bytes, bytes]]) -> Actor | None:
        return self.actor


def device(city: str) -> Actor:
    return Actor("token:7", ActorKind.TOKEN, "bells", {city: frozenset({Role.DEVICE})})


def one(number: int = 1, **more: object) -> dict[str, object]:
    values: dict[str, object] = {
        "source": "bell",
        "source_id": f"r-{number}",
        "device": "B-1",
        "class": "emergency_bell",
        "observed_at": "2026-11-22T12:00:00+09:00",
        "lon": 128.889,
        "lat": 35.228,
    }
    return values | more


def call(site: Site, *bodies: object, path: str = BATCH, method: str = "POST") -> list[tuple[int, Any]]:  # Any: JSON
    """Sends the bodies at the same time; statuses and answers in their order."""
    app = asgi_app(site)

    async def send_one(body: object) -> tuple[int, Any]:  # Any: JSON
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        sent: list[Any] = []  # Any: ASGI messages

        async def receive() -> dict[str, object]:
            return {"type": "http.request", "body": raw, "more_body": False}

        async def send(message: Any) -> None:  # Any: ASGI message
            sent.append(message)

        await app({"type": "http", "path": path, "method": method, "headers": []}, receive, send)
        return sent[0]["status"], json.loads(sent[1]["body"])

    async def all_of_them() -> list[tuple[int, Any]]:  # Any: JSON
        return await asyncio.gather(*(send_one(body) for body in bodies))

    import os

    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    try:
        return asyncio.run(all_of_them())
    finally:
        del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


def test_an_accepted_batch_is_in_the_table_before_it_is_answered(desk: Desk) -> None:
    status, answer = call(Site(device(desk.city)), {"signals": [one(1), one(2)]})[0]
    assert status == 202
    assert [row["receipt"] for row in answer["answers"]] == ["new", "new"]
    ids = set(Signal.objects.values_list("id", flat=True))
    assert ids == {row["signal_id"] for row in answer["answers"]}


def test_a_bad_signal_is_refused_by_its_place_and_the_good_ones_are_kept(desk: Desk) -> None:
    bad = [one(2, observed_at="yesterday"), one(3, source="rule"), one(4, device="person:9"), one(5, foo=1)]
    status, answer = call(Site(device(desk.city)), {"signals": [one(1), *bad]})[0]
    assert status == 202
    assert [row["receipt"] for row in answer["answers"]] == ["new", *["refused"] * 4]
    assert "observed_at" in answer["answers"][1]["reason"]


def test_when_nothing_can_be_taken_the_status_says_so(desk: Desk) -> None:
    status, answer = call(Site(device(desk.city)), {"signals": [one(1, observed_at="yesterday")]})[0]
    assert status == 400
    assert answer["answers"][0]["receipt"] == "refused"


@pytest.mark.parametrize(
    "body", [b"{", b"[]", b'{"signals":[]}', b'{"signals":[{}],"x":1}', b'{"signals":[{}],"mode":"real"}', b"\xff"]
)
def test_what_is_no_batch_is_a_problem(desk: Desk, body: bytes) -> None:
    status, answer = call(Site(device(desk.city)), body)[0]
    assert status == 400
    assert answer["code"] == "bad-request"


def test_without_a_token_or_for_another_city_nothing_is_taken(desk: Desk) -> None:
    assert call(Site(None), {"signals": [one()]})[0][0] == 401
    assert call(Site(device(desk.city)), {"signals": [one()], "authority": "26440"})[0][0] == 404
    assert not Signal.objects.exists()


def test_requests_that_come_together_share_their_commits(desk: Desk) -> None:
    site = Site(device(desk.city))
    answers = call(site, *({"signals": [one(number)]} for number in range(100)))
    assert {status for status, _ in answers} == {202}
    assert Signal.objects.count() == 100
    assert site.commits < 20


def test_the_schema_accepts_what_the_door_accepts(desk: Desk) -> None:
    status, schema = call(Site(device(desk.city)), b"", path=SCHEMA, method="GET")[0]
    assert status == 200
    fields = schema["$defs"]["SignalIn"]["properties"]
    assert set(one()) <= set(fields)
    assert schema["$defs"]["SignalIn"]["required"] == ["source", "source_id", "class", "observed_at"]


def program(city: str, *types: TypeRight) -> Actor:
    return Actor("client:1", ActorKind.TOKEN, "statistics", {city: frozenset({Role.API_CLIENT})}, types=types)


def test_a_device_does_not_speak_as_an_agency_whose_priority_is_believed(desk: Desk) -> None:
    urgent = one(1, source="agency", priority=0, **{"class": "loitering"})
    status, answer = call(Site(device(desk.city)), {"signals": [urgent]})[0]
    assert status == 400
    assert "source is one of" in answer["answers"][0]["reason"]
    told = call(Site(program(desk.city, TypeRight("Signal", frozenset({Deed.CREATE})))), {"signals": [urgent]})
    assert told[0][0] == 202


def test_a_program_that_may_only_read_sends_no_signals(desk: Desk) -> None:
    reads = program(desk.city, TypeRight("*", frozenset({Deed.READ, Deed.HISTORY})))
    writes_air = program(desk.city, TypeRight("AirQualityObserved", frozenset({Deed.CREATE, Deed.UPDATE})))
    for asking in (reads, writes_air, program(desk.city)):
        status, answer = call(Site(asking), {"signals": [one(1)]})[0]
        assert (status, answer["reason"]) == (403, "type_not_granted")
    assert not Signal.objects.exists()
    assert call(Site(program(desk.city, TypeRight("*", frozenset(Deed)))), {"signals": [one(1)]})[0][0] == 202
