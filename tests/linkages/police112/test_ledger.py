"""What the platform has booked for an agency can be fetched whole, and is nobody else's."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest

from madang.identity.models import Agency
from madang.journal import civic, inbox
from madang.kernel.clock import instant_text
from madang.video.commands import start_view, stop_view
from tests.linkages.police112.agency import ROOT, Mailbox, PoliceSystem
from tests.linkages.police112.conftest import Platform, request_body
from tests.linkages.police112.test_contract_page import validator
from tests.linkages.police112.test_link import refused

Json = dict[str, Any]  # Any: JSON values


def ledger(police: PoliceSystem, now: datetime, **query: Any) -> Json:  # Any: query values
    asked = {"since": instant_text(now - timedelta(hours=1))} | query
    answer = police.get(f"/ledger?{urlencode(asked)}")
    assert answer.status_code == 200, answer.text
    page: Json = answer.json()
    validator("LedgerPage").validate(page)
    return page


def pages(police: PoliceSystem, now: datetime, limit: int) -> Iterator[Json]:
    page = ledger(police, now, limit=limit)
    yield page
    while page["next"] is not None:
        page = ledger(police, now, limit=limit, after=page["next"])
        yield page


def books(page: Json, direction: str) -> dict[str, str]:
    return {row["msg_id"]: row["digest"] for row in page["messages"] if row["direction"] == direction}


def sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def test_every_message_both_ways_is_booked_under_the_digest_of_its_bytes(
    platform: Platform, police: PoliceSystem, mailbox: Mailbox
) -> None:
    call, close = police.message("VideoRequest", request_body()), police.message("CallClosed", {}, seq=2)
    bodies = [json.dumps(said, ensure_ascii=False).encode() for said in (call, close)]
    for body in bodies:
        assert police.post("/messages", body).status_code == 202
        platform.settle()
    page = ledger(police, platform.services.clock())
    assert (page["agency"], page["authority"], page["mode"]) == (police.code, police.authority, "simulated")
    assert books(page, "in") == {call["msg_id"]: sha256(bodies[0]), close["msg_id"]: sha256(bodies[1])}
    assert books(page, "out") == {json.loads(body)["msg_id"]: sha256(body) for _, body in mailbox.got}
    assert {row["state"] for row in page["messages"]} == {"accepted", "delivered"}
    assert {row["dialogue_id"] for row in page["messages"]} == {call["dialogue_id"]}
    assert {row["kind"] for row in page["messages"]} >= {"VideoRequest", "CallClosed", "GrantOffer", "GrantEnd"}


def test_what_is_not_delivered_yet_and_what_was_refused_say_so(
    platform: Platform, police: PoliceSystem, mailbox: Mailbox
) -> None:
    mailbox.answer = lambda: (503, {"Retry-After": "60"})
    police.send("VideoRequest", request_body())
    platform.settle()
    waiting = ledger(police, platform.services.clock())["messages"]
    assert {row["state"] for row in waiting if row["direction"] == "out"} == {"waiting"}
    mailbox.answer = lambda: (400, {})
    platform.services.offset = timedelta(seconds=61)
    platform.settle()
    states = {row["state"] for row in ledger(police, platform.services.clock())["messages"]}
    assert "dead" in states


def test_what_an_agency_has_not_fetched_yet_waits(platform: Platform, agency: Agency, police: PoliceSystem) -> None:
    Agency.objects.filter(code=agency.code).update(endpoint_url="")
    police.send("VideoRequest", request_body())
    platform.settle()

    def states() -> set[str]:
        rows = ledger(police, platform.services.clock())["messages"]
        return {row["state"] for row in rows if row["direction"] == "out"}

    assert states() == {"waiting"}
    police.get(f"/outbox?after={police.get('/outbox').json()['next']}")
    assert states() == {"delivered"}


def test_a_view_is_booked_when_it_begins_and_ended_with_its_seconds(
    platform: Platform, police: PoliceSystem, mailbox: Mailbox
) -> None:
    police.send("VideoRequest", request_body())
    platform.settle()
    offer = mailbox.messages("GrantOffer")[0]["body"]
    mine = {"from": police.code, "to": police.authority, "mode": "simulated", "officer": {"id": "P-1"}}
    asked = mine | {"grant_id": offer["grant_id"], "camera_id": offer["cameras"][0]["camera_id"]}
    lease = police.post("/leases", asked).json()["lease_id"]
    now = platform.services.clock()
    with civic.transaction() as tx:
        start_view(tx, lease_id=lease, view_id="0199a0b1-0001-7000-8000-000000000001", now=now)
    (begun,) = ledger(police, now)["views"]
    assert (begun["lease_id"], begun["dialogue_id"], begun["ended_at"]) == (lease, "20261122-000417", None)
    with civic.transaction() as tx:
        stop_view(
            tx, view_id="0199a0b1-0001-7000-8000-000000000001", now=now, seconds=2.5, bytes_sent=1, code=1000, reason=""
        )
    (over,) = ledger(police, now)["views"]
    assert (over["seconds"], over["ended_at"]) == (2.5, instant_text(now))


def test_other_agencies_other_cities_and_other_modes_never_show(
    platform: Platform, agency: Agency, police: PoliceSystem, neighbour: PoliceSystem, stranger: PoliceSystem
) -> None:
    for system in (police, neighbour, stranger):
        assert system.send("VideoRequest", request_body()).status_code == 202
    platform.settle()
    now = platform.services.clock()
    ids: list[set[str]] = []
    for system in (police, neighbour, stranger):
        page = ledger(system, now)
        assert list(books(page, "in")) == [found for found in books(page, "in") if found.startswith(system.code)]
        ids.append({row["msg_id"] for row in page["messages"]})
        assert len(books(page, "in")) == 1
    assert not ids[0] & ids[1] and not ids[0] & ids[2] and not ids[1] & ids[2]
    refused(police.get("/ledger?since=2026-11-22T00:00:00Z&mode=live"), 403, "wrong-mode")
    Agency.objects.filter(code=agency.code).update(mode="live")
    assert ledger(police, now)["messages"] == []


def test_pages_leave_out_and_repeat_nothing_while_calls_go_on(
    platform: Platform, police: PoliceSystem, neighbour: PoliceSystem
) -> None:
    sent = []

    def call(number: int) -> None:
        message = police.message("VideoRequest", request_body(), call=f"call-{number}")
        assert police.post("/messages", message).status_code == 202
        assert neighbour.send("VideoRequest", request_body(), call=f"other-{number}").status_code == 202
        sent.append(message["msg_id"])
        platform.settle()

    for number in range(4):
        call(number)
    found = []
    for number, page in enumerate(pages(police, platform.services.clock() - timedelta(minutes=30), limit=3)):
        found += page["messages"]
        if number < 2:
            call(10 + number)
    assert [row["msg_id"] for row in found if row["direction"] == "in"] == sent
    out = [row["msg_id"] for row in found if row["direction"] == "out"]
    assert len(out) == len(set(out)) == 2 * len(sent)


def test_the_span_asked_for_is_kept_to(platform: Platform, police: PoliceSystem) -> None:
    police.send("VideoRequest", request_body())
    platform.settle()
    now = platform.services.clock()
    before = ledger(police, now, until=instant_text(now - timedelta(minutes=1)))
    after = ledger(police, now, since=instant_text(now + timedelta(minutes=1)), until=instant_text(now + timedelta(1)))
    assert before["messages"] == after["messages"] == []


def test_the_ledger_says_how_far_back_it_is_whole(platform: Platform, police: PoliceSystem) -> None:
    police.send("VideoRequest", request_body())
    platform.settle()
    platform.services.offset = timedelta(days=8)
    now = platform.services.clock()
    with civic.transaction() as tx:
        inbox.purge_arrivals(tx, bodies_before=now - timedelta(days=7), rows_before=now - timedelta(days=400))
    platform.services.offset = timedelta()
    page = ledger(police, now, since="2026-01-01T00:00:00Z", until=instant_text(now))
    assert page["complete_from"] > "2026-01-01T00:00:00Z"
    assert set(books(page, "in").values()) == {None}


@pytest.mark.parametrize(
    ("query", "where"),
    [
        ("limit=5", "since"),
        ("since=yesterday", "since"),
        ("since=2026-11-22T00:00:00", "since"),
        ("since=2026-11-22T00:00:00Z&until=2026-11-21T00:00:00Z", "since"),
        ("since=2026-11-22T00:00:00Z&until=x", "until"),
        ("since=0001-01-01T00:00:00%2B23:00", "since"),
        ("since=2026-11-22T00:00:00Z&limit=0", "limit"),
        ("since=2026-11-22T00:00:00Z&limit=501", "limit"),
        ("since=2026-11-22T00:00:00Z&after=1.2.3", "after"),
        ("since=2026-11-22T00:00:00Z&after=1.2.3.%27or%271", "after"),
    ],
)
def test_a_query_that_cannot_be_used_is_refused_where_it_is_wrong(police: PoliceSystem, query: str, where: str) -> None:
    assert refused(police.get(f"/ledger?{query}"), 400, "bad-request")["where"] == where


def test_only_a_signed_request_for_exactly_these_rows_is_answered(police: PoliceSystem) -> None:
    path = "/ledger?since=2026-11-22T00:00:00Z"
    url = police.origin + ROOT + path
    refused(police.http.get(url), 401, "signature-missing")
    headers = police.signing.headers("GET", url, None)
    refused(police.http.get(f"{url}&limit=500", headers=headers), 401, "signature-invalid")
    assert police.http.get(url, headers=headers).status_code == 200
    refused(police.http.get(url, headers=headers), 401, "nonce-replayed")
    refused(police.post("/ledger", {}), 405, "method-not-allowed")
