"""The contract over real HTTP, spoken by a program that knows only the contract page."""

from __future__ import annotations

import itertools
import json
import socket
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from django.utils import timezone

from madang.identity.models import Agency, AgencyKey
from madang.journal import civic
from madang.linkages.police112 import links
from madang.linkages.police112.models import LinkState
from madang.response.models import Incident
from madang.video.models import VideoGrant
from tests.linkages.police112.agency import ROOT, Mailbox, PoliceSystem, Signing, public_pem, verified
from tests.linkages.police112.conftest import HALL, HARBOUR, Platform, register_key, request_body
from tests.linkages.police112.test_contract_page import validator

SAID = {"kind": "VideoRequest"}


def refused(answer: Any, status: int, code: str) -> dict[str, Any]:  # Any: a response; JSON values
    """The problem an answer carries, which must be of that status and code."""
    problem: dict[str, Any] = answer.json()  # Any: JSON values
    assert (answer.status_code, problem["code"]) == (status, code), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    validator("Problem").validate(problem)
    return problem


def arrivals() -> int:
    with civic.reading() as session:
        return int(session.execute("SELECT COUNT(*) FROM journal_inbox")[0][0])


# ------------------------------------------------------------------------------------------ the main way


def test_a_call_is_accepted_offered_viewed_closed_and_ended(
    platform: Platform, police: PoliceSystem, mailbox: Mailbox
) -> None:
    answer = police.send("VideoRequest", request_body())
    assert answer.status_code == 202
    validator("Receipt").validate(answer.json())
    platform.settle()
    incident = Incident.objects.get()
    assert (incident.source_key, incident.class_code, incident.officer["id"]) == (
        "20261122-000417",
        "robbery",
        "P-1042",
    )
    offer = mailbox.messages("GrantOffer")[0]
    assert len(offer["body"]["cameras"]) == 2
    assert offer["in_reply_to"] is not None
    camera = offer["body"]["cameras"][0]["camera_id"]
    parties = {"from": police.code, "to": police.authority, "mode": "simulated"}
    asked = parties | {"grant_id": offer["body"]["grant_id"], "camera_id": camera, "officer": {"id": "P-1042"}}
    opened = police.post("/leases", asked)
    assert opened.status_code == 201, opened.text
    ticket = opened.json()
    validator("LeaseTicket").validate(ticket)
    assert ticket["token"] not in ticket["url"]
    renewed = police.post(f"/leases/{ticket['lease_id']}/renew", parties)
    assert renewed.status_code == 200
    assert renewed.json()["lease_id"] == ticket["lease_id"]
    assert police.post(f"/leases/{ticket['lease_id']}/close", parties).json()["state"] == "closed"
    assert police.post(f"/leases/{ticket['lease_id']}/close", parties).status_code == 200
    police.send("CallClosed", {}, seq=2)
    platform.settle()
    assert [end["body"]["reason"] for end in mailbox.messages("GrantEnd")] == ["incident_closed"]
    refused(police.post("/leases", asked), 403, "forbidden")


def test_everything_the_platform_sends_follows_the_schemas_and_its_signature_holds(
    platform: Platform, police: PoliceSystem, mailbox: Mailbox
) -> None:
    pem = police.http.get(f"{platform.origin}{ROOT}/keys").json()["keys"][0]["public_pem"]
    said: list[tuple[str, dict[str, Any], int, str]] = [  # Any: JSON values
        ("VideoRequest", request_body(), 1, "A"),
        ("VideoUpdate", {"place": {"lon": HARBOUR.lon, "lat": HARBOUR.lat}}, 2, "A"),
        ("VideoRequest", request_body(place={}, code=9), 1, "B"),
        ("VideoRequest", request_body(crime_class="theft", code=3), 1, "C"),
        ("VideoCancel", {"reason": "mistake"}, 3, "A"),
    ]
    for kind, body, seq, call in said:
        police.send(kind, body, seq=seq, call=call)
        platform.settle()
    assert [offer["body"]["version"] for offer in mailbox.messages("GrantOffer")] == [1, 2]
    kinds = {message["kind"] for message in mailbox.messages()}
    assert kinds == {"Notice", "GrantOffer", "GrantDecision", "GrantEnd"}
    for headers, posted in mailbox.got:
        message = json.loads(posted)
        validator(message["kind"]).validate(message)
        assert (message["from"], message["to"], message["mode"]) == (police.authority, police.code, "simulated")
        assert verified("POST", mailbox.url, headers, posted, pem)
        assert not verified("POST", mailbox.url, headers, posted + b" ", pem)
    assert mailbox.messages("GrantEnd")[-1]["body"]["reason"] == "cancelled"


def test_ed25519_keys_are_taken_too(platform: Platform, agency: Agency, police: PoliceSystem) -> None:
    key = ed25519.Ed25519PrivateKey.generate()
    register_key(agency, "gimhae-ed", public_pem(key), "ed25519")
    police.signing = Signing(key, "gimhae-ed")
    assert police.send("VideoRequest", request_body()).status_code == 202


# ----------------------------------------------------------------------------------------- who is believed


ELSEWHERE = f"http://evil.example{ROOT}/messages"


def ec_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def ed_key() -> ed25519.Ed25519PrivateKey:
    return ed25519.Ed25519PrivateKey.generate()


BENT: list[tuple[str, Callable[[], dict[str, Any]], str]] = [  # Any: members of `Signing`
    ("another key", lambda: {"key": ec_key()}, "signature-invalid"),
    ("ed25519 under an ecdsa key id", lambda: {"key": ed_key()}, "signature-invalid"),
    ("an unknown key id", lambda: {"key_id": "nobody"}, "key-unknown"),
    ("made ten minutes ago", lambda: {"created": int(time.time()) - 600}, "outside-window"),
    ("made in ten minutes", lambda: {"created": int(time.time()) + 600}, "outside-window"),
    ("expired", lambda: {"expires": int(time.time()) - 1}, "outside-window"),
    ("without the digest", lambda: {"leave_out": "content-digest"}, "signature-malformed"),
    ("without the address", lambda: {"leave_out": "@target-uri"}, "signature-malformed"),
    ("another tag", lambda: {"tag": "something-else"}, "signature-malformed"),
    ("a short nonce", lambda: {"nonce": "abc"}, "signature-malformed"),
    ("another body's digest", lambda: {"digest_body": b"{}"}, "digest-mismatch"),
    ("for another address", lambda: {"url": ELSEWHERE}, "signature-invalid"),
]


def test_a_signature_that_does_not_hold_is_refused_and_nothing_is_kept(police: PoliceSystem) -> None:
    good = police.signing
    for name, bend, code in BENT:
        police.signing = replace(good, **bend())
        answer = police.send("VideoRequest", request_body())
        assert (answer.status_code, answer.json()["code"]) == (401, code), name
    assert arrivals() == 0
    police.signing = good
    assert police.send("VideoRequest", request_body()).status_code == 202


def test_an_unsigned_request_is_told_how_to_sign(police: PoliceSystem) -> None:
    problem = refused(
        police.post_raw("/messages", b"{}", {"Content-Type": "application/json"}), 401, "signature-missing"
    )
    assert "sign" in problem["hint"].lower()


def test_a_body_changed_after_signing_is_refused(police: PoliceSystem) -> None:
    body = json.dumps(police.message("VideoRequest", request_body())).encode()
    headers = police.signing.headers("POST", f"{police.origin}{ROOT}/messages", body)
    changed = body.replace(b'"code": 1', b'"code": 0')
    assert changed != body
    refused(police.post_raw("/messages", changed, headers), 401, "digest-mismatch")


def test_a_captured_request_cannot_be_sent_again(platform: Platform, police: PoliceSystem) -> None:
    body = json.dumps(police.message("VideoRequest", request_body())).encode()
    headers = police.signing.headers("POST", f"{police.origin}{ROOT}/messages", body)
    assert police.post_raw("/messages", body, headers).status_code == 202
    refused(police.post_raw("/messages", body, headers), 401, "nonce-replayed")
    platform.services.offset = timedelta(seconds=290)
    refused(police.post_raw("/messages", body, headers), 401, "nonce-replayed")
    assert arrivals() == 1


def test_the_host_header_decides_nothing(police: PoliceSystem) -> None:
    body = json.dumps(police.message("VideoRequest", request_body())).encode()
    police.signing.url = f"http://evil.example{ROOT}/messages"
    headers = police.signing.headers("POST", "", body) | {"Host": "evil.example"}
    refused(police.post_raw("/messages", body, headers), 401, "signature-invalid")


def test_mangled_signature_headers_are_a_refusal_not_a_fault(police: PoliceSystem) -> None:
    body = json.dumps(police.message("VideoRequest", request_body())).encode()
    good = police.signing.headers("POST", f"{police.origin}{ROOT}/messages", body)
    fields = ("Signature-Input", "Signature", "Content-Digest")
    values = (
        "",
        "x",
        "sig1=",
        "sig1=()",
        'sig1=("@method" "@method");tag="madang-police112"',
        "sig1=:!:",
        "\xff" * 9,
    )
    for field, value in itertools.product(fields, values):
        mangled = {name.encode(): text.encode("latin-1") for name, text in (good | {field: value}).items()}
        answer = police.http.post(f"{police.origin}{ROOT}/messages", content=body, headers=list(mangled.items()))
        assert answer.status_code == 401, (value, answer.text)
    assert arrivals() == 0


def test_keys_rotate_without_a_gap_and_a_revoked_one_stops_at_once(agency: Agency, police: PoliceSystem) -> None:
    assert police.send("VideoRequest", request_body()).status_code == 202
    new = ec.generate_private_key(ec.SECP256R1())
    register_key(agency, "gimhae-2", public_pem(new))
    assert police.send("VideoUpdate", {"text": "old key"}, seq=2).status_code == 202
    old, police.signing = police.signing, Signing(new, "gimhae-2")
    assert police.send("VideoUpdate", {"text": "new key"}, seq=3).status_code == 202
    AgencyKey.objects.filter(key_id="gimhae-1").update(revoked_at=timezone.now())
    police.signing = old
    refused(police.send("VideoUpdate", {"text": "revoked"}, seq=4), 401, "key-unknown")


def test_a_switched_off_agency_is_not_believed(agency: Agency, police: PoliceSystem) -> None:
    Agency.objects.filter(code=agency.code).update(active=False)
    refused(police.send("VideoRequest", request_body()), 401, "key-unknown")


# ------------------------------------------------------------------------------------------ what is taken


WRONG_ENVELOPES: list[tuple[dict[str, Any], int, str, str]] = [  # Any: JSON values
    ({"from": "seoul-police"}, 403, "wrong-sender", "/from"),
    ({"to": "26440"}, 403, "wrong-recipient", "/to"),
    ({"mode": "live"}, 403, "wrong-mode", "/mode"),
    ({"mode": "pretend"}, 422, "unusable-message", "/mode"),
    ({"kind": "LaunchMissiles"}, 422, "unusable-message", "/kind"),
    ({"schema_ver": "2.0"}, 422, "unusable-message", "/schema_ver"),
    ({"seq": 0}, 422, "unusable-message", "/seq"),
    ({"seq": None}, 422, "unusable-message", "/seq"),
    ({"msg_id": "spaces are not allowed"}, 422, "unusable-message", "/msg_id"),
    ({"sent_at": "2026-11-22T09:00:00"}, 422, "unusable-message", "/sent_at"),
    ({"sent_at": "2026-13-99T09:00:00Z"}, 422, "unusable-message", "/sent_at"),
    ({"body": []}, 422, "unusable-message", "/body"),
    ({"dialogue_id": ""}, 422, "unusable-message", "/dialogue_id"),
    ({"dialogue_id": "a\x00b"}, 422, "unusable-message", "/dialogue_id"),
]


def test_a_wrong_envelope_is_refused_where_it_is_wrong(police: PoliceSystem) -> None:
    for change, status, code, where in WRONG_ENVELOPES:
        message = police.message("VideoRequest", request_body()) | change
        assert refused(police.post("/messages", message), status, code)["where"] == where, change
    assert arrivals() == 0


def test_a_missing_member_is_named(police: PoliceSystem) -> None:
    for member in ("kind", "msg_id", "from", "mode", "body"):
        message = police.message("VideoRequest", request_body())
        del message[member]
        assert refused(police.post("/messages", message), 422, "unusable-message")["where"] == f"/{member}"


NO_OBJECTS = {
    "empty": b"",
    "cut": b"{",
    "null": b"null",
    "list": b"[1]",
    "text": b'"text"',
    "broken UTF-8": b'{"a": "\xff\xfe"}',
    "deep": b'{"a":' + b"[" * 5000 + b"]" * 5000 + b"}",
}


def test_what_is_no_json_object_is_refused(police: PoliceSystem) -> None:
    for name, body in NO_OBJECTS.items():
        answer = police.post("/messages", body)
        assert (answer.status_code, answer.json()["code"]) == (400, "bad-request"), name


def test_fifty_megabytes_are_refused_without_reading_them(police: PoliceSystem) -> None:
    host, port = police.origin.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as line:
        head = [
            f"POST {ROOT}/messages HTTP/1.1",
            "Host: x",
            "Content-Type: application/json",
            "Content-Length: 50000000",
        ]
        line.sendall("\r\n".join([*head, "", ""]).encode() + b"x" * 1000)
        answer = line.recv(65536)
    assert answer.startswith(b"HTTP/1.1 413 ")


def test_a_body_that_hides_its_length_is_cut_off_at_the_limit(police: PoliceSystem) -> None:
    sent = 0

    def endless() -> Any:  # Any: a generator of bytes
        nonlocal sent
        for _ in range(50):
            sent += 1
            yield b"x" * 100_000

    try:
        answer = police.http.post(
            f"{police.origin}{ROOT}/messages", content=endless(), headers={"Content-Type": "application/json"}
        )
        refused(answer, 413, "too-large")
    except OSError:
        assert sent < 50
    except Exception as error:  # noqa: BLE001 -- the client may see the connection close before the answer
        assert "Write" in type(error).__name__ or "Read" in type(error).__name__ or "Remote" in type(error).__name__
    assert arrivals() == 0


def test_only_plain_json_is_taken(police: PoliceSystem) -> None:
    body = json.dumps(police.message("VideoRequest", request_body())).encode()
    signed = police.signing.headers("POST", f"{police.origin}{ROOT}/messages", body)
    for headers in ({"Content-Type": "text/plain"}, {"Content-Encoding": "gzip"}):
        refused(police.post_raw("/messages", body, signed | headers), 415, "unsupported-media-type")


def test_an_unknown_address_and_a_wrong_method_say_so(police: PoliceSystem) -> None:
    refused(police.post("/nothing", police.message("VideoRequest", {})), 404, "not-found")
    refused(police.get("/messages"), 405, "method-not-allowed")


# -------------------------------------------------------------------------------- repeats, order, tampering


def test_a_repeated_message_is_recognised_and_a_changed_one_raises_the_alarm(
    platform: Platform, police: PoliceSystem
) -> None:
    message = police.message("VideoRequest", request_body())
    assert police.post("/messages", message).status_code == 202
    again = police.post("/messages", message)
    assert (again.status_code, again.json()["receipt"]) == (200, "repeated")
    refused(police.post("/messages", message | {"body": request_body(code=0)}), 409, "message-id-reused")
    platform.settle()
    assert Incident.objects.get().priority == 1
    with civic.reading() as session:
        assert session.execute("SELECT kind, source, message_id FROM journal_alarm WHERE seen_at IS NULL")[0][1:] == (
            f"police112:{police.code}",
            message["msg_id"],
        )


def test_personal_data_of_a_call_lies_sealed_in_the_inbox(police: PoliceSystem) -> None:
    police.send("VideoRequest", request_body())
    with civic.reading() as session:
        bodies = [bytes(row[0]) for row in session.execute("SELECT body FROM journal_inbox")]
    assert len(bodies) == 1
    assert b"010-1234-5678" not in bodies[0]


def test_a_cancel_before_its_call_and_an_update_after_the_close_are_not_lost(
    platform: Platform, police: PoliceSystem, mailbox: Mailbox
) -> None:
    police.send("VideoCancel", {"reason": "mistake"}, call="A", seq=2)
    platform.settle()
    police.send("VideoRequest", request_body(), call="A")
    police.send("VideoRequest", request_body(), call="B")
    platform.settle()
    police.send("CallClosed", {}, call="B", seq=2)
    platform.settle()
    police.send("VideoUpdate", {"text": "뒤늦은 사실"}, call="B", seq=3)
    police.send("ResultReport", {"outcome": "arrest", "text": "현행범 체포"}, call="B", seq=4)
    platform.settle()
    first, second = (Incident.objects.get(source_key=call) for call in "AB")
    assert first.state == "CANCELLED"
    assert (second.state, second.note, second.outcome) == ("CLOSED", "뒤늦은 사실", "arrest")
    assert second.timeline.filter(kind="late").count() == 1
    assert "현행범 체포" in second.timeline.get(kind="updated").text_ko
    topics = {
        call: [n["body"]["topic"] for n in mailbox.messages("Notice") if n["dialogue_id"] == call] for call in "AB"
    }
    assert topics == {"A": ["late"], "B": ["received", "late"]}, "a call that opens ended is not said to be open"


def test_a_refused_message_to_the_agency_is_not_sent_again_and_a_person_is_told(
    platform: Platform, police: PoliceSystem, mailbox: Mailbox
) -> None:
    mailbox.answer = lambda: (400, {})
    police.send("VideoRequest", request_body())
    platform.settle()
    with civic.reading() as session:
        dead = session.execute(
            "SELECT last_error FROM journal_delivery WHERE subscriber = 'police112' AND state = 'dead'"
        )
    assert len(dead) == 1
    assert "400" in dead[0][0]
    assert len(mailbox.got) == 1


def test_a_busy_agency_is_tried_again_when_it_asked_with_the_same_bytes_under_a_new_nonce(
    platform: Platform, police: PoliceSystem, mailbox: Mailbox
) -> None:
    mailbox.answer = lambda: (503, {"Retry-After": "7"})
    police.send("VideoRequest", request_body())
    platform.settle()
    tried = len(mailbox.got)
    mailbox.answer = lambda: (202, {})
    platform.services.offset = timedelta(seconds=5)
    platform.settle()
    assert len(mailbox.got) == tried
    platform.services.offset = timedelta(seconds=8)
    platform.settle()
    assert len(mailbox.got) > tried
    (first_headers, first_body), (again_headers, again_body) = mailbox.got[0], mailbox.got[tried]
    assert first_body == again_body
    assert first_headers["signature-input"] != again_headers["signature-input"]


# ------------------------------------------------------------------------------------- other agencies' things


def test_another_agencys_grant_and_lease_do_not_exist(
    platform: Platform, police: PoliceSystem, mailbox: Mailbox, neighbour: PoliceSystem, stranger: PoliceSystem
) -> None:
    police.send("VideoRequest", request_body())
    platform.settle()
    offer = mailbox.messages("GrantOffer")[0]["body"]
    mine = {"from": police.code, "to": police.authority, "mode": "simulated"}
    asked = {"grant_id": offer["grant_id"], "camera_id": offer["cameras"][0]["camera_id"], "officer": {"id": "X"}}
    lease = police.post("/leases", mine | asked).json()["lease_id"]
    for other in (neighbour, stranger):
        theirs = {"from": other.code, "to": other.authority, "mode": "simulated"}
        refused(other.post("/leases", theirs | asked), 404, "not-found")
        refused(other.post(f"/leases/{lease}/renew", theirs), 404, "not-found")
        refused(other.post(f"/leases/{lease}/close", theirs), 404, "not-found")
    assert police.post(f"/leases/{lease}/renew", mine).status_code == 200


def test_the_same_call_number_of_another_agency_is_another_call(
    platform: Platform, police: PoliceSystem, neighbour: PoliceSystem
) -> None:
    police.send("VideoRequest", request_body())
    neighbour.send("VideoRequest", request_body(crime_class="theft"))
    neighbour.send("VideoCancel", {"reason": "mistake"}, seq=2)
    platform.settle()
    states = set(Incident.objects.values_list("agency", "class_code", "state"))
    assert states == {("gimhae-police", "robbery", "NEW"), ("jinyeong-police", "theft", "CANCELLED")}


def test_an_agency_cannot_speak_to_another_city(stranger: PoliceSystem, police: PoliceSystem) -> None:
    stranger.authority = police.authority
    refused(stranger.send("VideoRequest", request_body()), 403, "wrong-recipient")


def test_a_lease_replayed_is_refused(platform: Platform, police: PoliceSystem, mailbox: Mailbox) -> None:
    police.send("VideoRequest", request_body())
    platform.settle()
    offer = mailbox.messages("GrantOffer")[0]["body"]
    body = json.dumps(
        {
            "from": police.code,
            "to": police.authority,
            "mode": "simulated",
            "grant_id": offer["grant_id"],
            "camera_id": offer["cameras"][0]["camera_id"],
            "officer": {"id": "P-1"},
        }
    ).encode()
    headers = police.signing.headers("POST", f"{police.origin}{ROOT}/leases", body)
    assert police.post_raw("/leases", body, headers).status_code == 201
    refused(police.post_raw("/leases", body, headers), 401, "nonce-replayed")


# -------------------------------------------------------------------------------------- links and polling


def test_silence_raises_an_incident_everybody_sees_and_hearing_again_ends_it(
    platform: Platform, police: PoliceSystem
) -> None:
    beat = police.message("Heartbeat", {"interval_s": 10}, call="heartbeat")
    del beat["seq"]
    assert police.post("/messages", beat).status_code == 202
    assert LinkState.objects.get().state == "up"
    platform.services.offset = timedelta(seconds=29)
    platform.settle()
    assert not Incident.objects.exists()
    platform.services.offset = timedelta(seconds=31)
    platform.settle()
    down = Incident.objects.get(class_code="linkage_down")
    assert (down.state, down.priority, down.source) == ("NEW", 1, "system")
    assert LinkState.objects.get().state == "down"
    platform.settle()
    assert Incident.objects.count() == 1
    assert police.post("/messages", beat | {"msg_id": "beat-2"}).status_code == 202
    down.refresh_from_db()
    assert down.state == "CLOSED"
    assert LinkState.objects.get().state == "up"


def test_nobody_counts_as_silent_for_the_time_the_platform_itself_was_away(
    platform: Platform, police: PoliceSystem, monkeypatch: pytest.MonkeyPatch
) -> None:
    beat = police.message("Heartbeat", {}, call="heartbeat")
    del beat["seq"]
    police.post("/messages", beat)
    monkeypatch.setattr(links, "LISTENING_SINCE", platform.services.clock() + timedelta(seconds=20))
    platform.services.offset = timedelta(seconds=40)
    platform.settle()
    assert not Incident.objects.exists()
    platform.services.offset = timedelta(seconds=52)
    platform.settle()
    assert Incident.objects.get().class_code == "linkage_down"


def test_a_longer_view_is_asked_for_and_answered(platform: Platform, police: PoliceSystem, mailbox: Mailbox) -> None:
    police.send("VideoRequest", request_body())
    platform.settle()
    grant = mailbox.messages("GrantOffer")[0]["body"]["grant_id"]
    police.send("GrantExtendRequest", {"grant_id": grant, "reason": "수색 계속"}, seq=2)
    police.send("GrantExtendRequest", {"grant_id": "nobody's", "reason": "수색 계속"}, seq=3)
    platform.settle()
    assert len(mailbox.messages("GrantOffer")) == 2
    decision = mailbox.messages("GrantDecision")[0]["body"]
    assert (decision["grant_id"], decision["decision"], decision["reason"]) == ("nobody's", "denied", "not_extendable")


def test_an_agency_that_cannot_be_called_fetches_and_acknowledges(
    platform: Platform, agency: Agency, police: PoliceSystem
) -> None:
    Agency.objects.filter(code=agency.code).update(endpoint_url="")
    police.send("VideoRequest", request_body())
    platform.settle()
    first = police.get("/outbox?limit=1").json()
    assert len(first["messages"]) == 1
    everything = police.get("/outbox").json()
    assert everything["messages"][0] == first["messages"][0]
    kinds = [row["message"]["kind"] for row in everything["messages"]]
    assert kinds == ["Notice", "GrantOffer"] or kinds == ["GrantOffer", "Notice"]
    for row in everything["messages"]:
        validator(row["message"]["kind"]).validate(row["message"])
    rest = police.get(f"/outbox?after={everything['next']}").json()
    assert rest == {"messages": [], "next": everything["next"]}
    assert police.get("/outbox").json()["messages"] == []
    refused(police.get("/outbox?after=x"), 400, "bad-request")


def test_what_cannot_be_used_is_told_to_the_agency_and_never_bounces(
    platform: Platform, police: PoliceSystem, mailbox: Mailbox
) -> None:
    odd = request_body(code=9, basis="because", crime_class="외계인", place={"lon": HALL.lat, "lat": HALL.lon})
    assert police.send("VideoRequest", odd).status_code == 202
    platform.settle()
    notice = mailbox.messages("Notice")[0]["body"]
    told = {(doubt["field"], doubt["why"]) for doubt in notice["doubts"]}
    assert told == {("code", "not_a_code"), ("basis", "unknown"), ("place", "swapped")}
    assert mailbox.messages("GrantOffer") == []
    incident = Incident.objects.get()
    assert (incident.lon, incident.class_text, incident.case_id) == (HALL.lon, "외계인", "")


def test_grants_of_a_call_rest_on_the_basis_it_named(platform: Platform, police: PoliceSystem) -> None:
    police.send("VideoRequest", request_body(basis="pipa_18_2_7"))
    platform.settle()
    assert set(VideoGrant.objects.values_list("basis", flat=True)) == {"pipa_18_2_7"}
    assert Incident.objects.get().lon == HALL.lon
