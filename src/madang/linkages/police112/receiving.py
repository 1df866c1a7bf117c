"""What an agency's request means: believed, stored, answered; later, what a stored message does. Runs on a thread."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeVar

import msgspec
from cryptography.hazmat.primitives import serialization
from django.conf import settings
from django.db.models import Q

from madang.identity.actors import actor_of_agency
from madang.identity.agencies import key_for
from madang.identity.models import Agency, AgencyKey
from madang.journal import civic, inbox
from madang.journal.handlers import InboxMessage
from madang.journal.inbox import Arrival, Receipt
from madang.journal.session import Session
from madang.kernel.canonical import parse_json
from madang.kernel.clock import instant_text, parse_instant
from madang.kernel.errors import BadRequestError, ForbiddenError, NotFoundError, PermanentError
from madang.kernel.keyring import Keyring
from madang.kernel.mode import Mode
from madang.linkages.police112 import booked, links, sealed, signing, translate, wire
from madang.linkages.police112.config import Police112Config, police112_config
from madang.linkages.police112.models import WaitingMessage
from madang.linkages.police112.refusals import LinkRefusalError
from madang.linkages.police112.signing import Claim, SignedRequest
from madang.response import commands
from madang.video import commands as video

Json = Mapping[str, Any]  # Any: JSON values
T = TypeVar("T")

_MODES: Mapping[str, frozenset[Mode]] = {
    Mode.LIVE: frozenset({Mode.LIVE, Mode.EXERCISE}),
    Mode.EXERCISE: frozenset({Mode.EXERCISE}),
    Mode.SIMULATED: frozenset({Mode.SIMULATED}),
}
"""What an agency registered in a mode may send: exercises run on live links, simulations never do."""
_LEASE = re.compile(r"/leases/([A-Za-z0-9-]{1,64})/(renew|close)")


@dataclass(frozen=True, slots=True)
class Answer:
    """Status and JSON body of a response."""

    status: int
    body: Json
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it came in: `path` below the contract's root, `query` decoded."""

    signed: SignedRequest
    path: str
    query: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Desk:
    """Everything that answering needs."""

    config: Police112Config
    keyring: Keyring
    now: datetime


def answer(request: Request, desk: Desk) -> Answer:
    """Answers one request; raises `MadangError` for every refusal."""
    if request.path == "/keys":
        return _allowed(request, "GET", lambda: _keys(desk))
    agency, claim = _believed(request.signed, desk)
    if request.path == "/messages":
        return _allowed(request, "POST", lambda: _take_message(request, agency, claim, desk))
    if request.path == "/leases":
        return _allowed(request, "POST", lambda: _open_lease(request, agency, claim, desk))
    if request.path == "/outbox":
        return _allowed(request, "GET", lambda: _fetch(request, agency, claim, desk))
    if request.path == "/ledger":
        return _allowed(request, "GET", lambda: _ledger(request, agency, claim, desk))
    on_lease = _LEASE.fullmatch(request.path)
    if on_lease:
        lease_id, verb = on_lease[1], on_lease[2]
        return _allowed(request, "POST", lambda: _on_lease(request, agency, claim, desk, lease_id, verb))
    raise LinkRefusalError("not-found", f"there is no {request.path}", hint="See the contract's table of endpoints")


def _allowed(request: Request, method: str, do: Callable[[], Answer]) -> Answer:
    if request.signed.method != method:
        raise LinkRefusalError("method-not-allowed", f"{request.path} takes {method}")
    return do()


# --------------------------------------------------------------------------------------------- who is it


def _believed(request: SignedRequest, desk: Desk) -> tuple[Agency, Claim]:
    """The agency whose key made the signature. Its nonce is not spent yet."""
    claim = signing.read_claim(request)
    key = _police_key(claim.key_id, desk.now)
    if key is None:
        raise LinkRefusalError(
            "key-unknown",
            f"key {claim.key_id[:100]!r} is not known, not valid now, or revoked",
            where="Signature-Input",
            hint="Have the key registered at the city's back office",
        )
    signing.verify(request, claim, key, now=desk.now, window_s=desk.config.window_s)
    return key.agency, claim


def _police_key(key_id: str, now: datetime) -> AgencyKey | None:
    if len(key_id) > 100 or "\x00" in key_id:
        return None
    key = key_for(key_id, now)
    return key if key is not None and key.agency.kind == "police" else None


def _spend(tx: Session, agency: Agency, claim: Claim, desk: Desk) -> None:
    """Spends the nonce for as long as the signature could be believed."""
    until = claim.created + timedelta(seconds=2 * desk.config.window_s + 60)
    if not inbox.spend_nonce(tx, source=source_of(agency.code), nonce=claim.nonce, expires_at=until, now=desk.now):
        raise LinkRefusalError(
            "nonce-replayed",
            "this signature was used before",
            where="Signature-Input",
            hint="Sign every attempt anew, with a fresh nonce; keep msg_id and body",
        )


def source_of(agency: str) -> str:
    """The name under which the journal keeps an agency's messages and nonces."""
    return f"{wire.SOURCE}:{agency}"


def _check_parties(sender: str, recipient: str, mode: Mode, agency: Agency) -> None:
    if sender != agency.code:
        raise LinkRefusalError(
            "wrong-sender",
            f"`from` is {sender!r}, but the key belongs to another agency",
            where="/from",
            hint="Send your own agency code in `from`",
        )
    if recipient != agency.authority_id:
        raise LinkRefusalError(
            "wrong-recipient", f"`to` is {recipient!r}, which this agency is not linked with", where="/to"
        )
    if mode not in _MODES[agency.mode]:
        allowed = ", ".join(sorted(_MODES[agency.mode]))
        raise LinkRefusalError(
            "wrong-mode", f"`mode` is {mode.value!r}; agreed for this agency: {allowed}", where="/mode"
        )


# ---------------------------------------------------------------------------------------------- messages


def _take_message(request: Request, agency: Agency, claim: Claim, desk: Desk) -> Answer:
    message = read(request.signed.body, desk.config)
    _check_parties(message.sender, message.recipient, message.mode, agency)
    if message.kind == wire.HEARTBEAT:
        with civic.transaction() as tx:
            _spend(tx, agency, claim, desk)
            links.heard(tx, agency, desk.now)
        return _receipt(202, Receipt.NEW, message, desk)
    arrival = _arrival(message, request.signed.body, desk)
    with civic.transaction() as tx:
        _spend(tx, agency, claim, desk)
        receipt = inbox.accept(tx, arrival, desk.now)
        links.heard(tx, agency, desk.now)
    if receipt is Receipt.CONFLICTING:
        raise LinkRefusalError(
            "message-id-reused",
            f"msg_id {message.msg_id!r} was used before for another message; the first one stands",
            where="/msg_id",
            hint="Give every message an id of its own; repeat a message with the same bytes",
        )
    return _receipt(202 if receipt is Receipt.NEW else 200, receipt, message, desk)


def _receipt(status: int, receipt: Receipt, message: wire.Envelope, desk: Desk) -> Answer:
    body = {"receipt": receipt.value, "msg_id": message.msg_id, "received_at": instant_text(desk.now)}
    return Answer(status, body)


def _arrival(message: wire.Envelope, body: bytes, desk: Desk) -> Arrival:
    source = source_of(message.sender)
    return Arrival(
        source=source,
        message_id=message.msg_id,
        kind=f"{wire.SOURCE}.{message.kind}",
        key=f"{message.mode.value}:{message.dialogue_id}",
        body=sealed.seal(desk.keyring, source, body),
        authority=message.recipient,
        mode=message.mode,
        ending=message.kind in wire.ENDINGS,
    )


def read(body: bytes, config: Police112Config) -> wire.Envelope:
    """The envelope of a message; raises `BadRequestError` for no JSON, `LinkRefusalError` for a wrong envelope."""
    message = _convert(_object(body, config), wire.Envelope)
    if message.schema_ver.partition(".")[0] != "1":
        raise _unusable(f"schema_ver {message.schema_ver!r} is not 1.x", "/schema_ver")
    if message.kind not in wire.INBOUND:
        known = ", ".join(sorted(wire.INBOUND))
        raise _unusable(f"kind {message.kind!r} is not known; known are {known}", "/kind")
    if message.kind in wire.CALL_KINDS and message.seq is None:
        raise _unusable("`seq` is missing", "/seq")
    _check_instant(message.sent_at)
    if message.kind == "GrantExtendRequest":
        _convert(message.body, wire.ExtendBody, "/body")
    return message


def _check_instant(text: str) -> None:
    try:
        parse_instant(text.upper())
    except ValueError:
        raise _unusable(f"{text!r} is no instant", "/sent_at") from None


def _object(body: bytes, config: Police112Config) -> Json:
    value = parse_json(body, max_bytes=config.max_body_bytes, max_depth=config.max_depth)
    if not isinstance(value, dict):
        raise BadRequestError("the body is not a JSON object", where="body")
    return value


def _convert(value: object, kind: type[T], root: str = "") -> T:
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        text = str(error)
        found = re.search(r"`\$\.?(.*?)`", text)
        missing = re.search(r"required field `(\w+)`", text)
        path = "/".join(part for part in (found[1] if found else "", missing[1] if missing else "") if part)
        raise _unusable(text, f"{root}/{path.replace('.', '/')}") from None


def _unusable(detail: str, where: str) -> LinkRefusalError:
    return LinkRefusalError("unusable-message", detail, where=where, hint="See the JSON Schema of this message")


# ------------------------------------------------------------------------------------------------- leases


def _open_lease(request: Request, agency: Agency, claim: Claim, desk: Desk) -> Answer:
    asked = _convert(_object(request.signed.body, desk.config), wire.LeaseOpen)
    _check_parties(asked.sender, asked.recipient, asked.mode, agency)
    _enter(agency, claim, desk)
    actor = actor_of_agency(agency)
    with civic.transaction() as tx:
        ticket = video.open_lease(
            tx,
            actor,
            camera_id=asked.camera_id,
            grant_id=asked.grant_id,
            viewer_name=_viewer(asked.officer),
            now=desk.now,
        )
        _same_mode(ticket, asked.mode)
    return Answer(201, _ticket(ticket))


def _on_lease(request: Request, agency: Agency, claim: Claim, desk: Desk, lease_id: str, verb: str) -> Answer:
    asked = _convert(_object(request.signed.body, desk.config), wire.LeaseAct)
    _check_parties(asked.sender, asked.recipient, asked.mode, agency)
    _enter(agency, claim, desk)
    actor = actor_of_agency(agency)
    with civic.transaction() as tx:
        if verb == "close":
            video.close_lease(tx, actor, lease_id, desk.now)
            return Answer(200, {"lease_id": lease_id, "state": "closed"})
        ticket = video.renew_lease(tx, actor, lease_id, desk.now)
        _same_mode(ticket, asked.mode)
    return Answer(200, _ticket(ticket))


def _enter(agency: Agency, claim: Claim, desk: Desk) -> None:
    """Spends the nonce by itself, so that also a refused request cannot be replayed."""
    with civic.transaction() as tx:
        _spend(tx, agency, claim, desk)
        links.heard(tx, agency, desk.now)


def _same_mode(ticket: video.LeaseTicket, mode: Mode) -> None:
    if ticket.mode != mode.value:
        raise LinkRefusalError("wrong-mode", f"the grant is {ticket.mode}, the request {mode.value}", where="/mode")


def _viewer(officer: wire.Officer) -> str:
    words = [officer.unit, officer.name, f"({officer.id})"]
    return " ".join(word for word in words if word)[:100]


def _ticket(ticket: video.LeaseTicket) -> Json:
    return {
        "lease_id": ticket.lease_id,
        "token": ticket.token,
        "url": ticket.url,
        "expires_at": instant_text(ticket.expires_at),
        "renew_after_s": ticket.renew_after_s,
        "mode": ticket.mode,
    }


# ------------------------------------------------------------------------------------- keys and the outbox


def _keys(desk: Desk) -> Answer:
    private = serialization.load_pem_private_key(desk.keyring.linkage_private_pem, password=None)
    pem = private.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    row = {"key_id": desk.keyring.linkage_key_id, "algorithm": "ecdsa-p256-sha256", "public_pem": pem.decode()}
    return Answer(200, {"keys": [row]})


def _fetch(request: Request, agency: Agency, claim: Claim, desk: Desk) -> Answer:
    """Drops what the agency has stored (`after`) and hands out what comes next."""
    after = _whole(request.query.get("after", "0"), "after", 0, 2**62)
    limit = _whole(request.query.get("limit", "50"), "limit", 1, 100)
    with civic.transaction() as tx:
        _spend(tx, agency, claim, desk)
        links.heard(tx, agency, desk.now)
        WaitingMessage.objects.filter(Q(agency=agency), Q(pk__lte=after)).delete()
        rows = list(WaitingMessage.objects.filter(agency=agency).order_by("pk")[:limit])
    messages = [{"cursor": str(row.pk), "message": parse_json(bytes(row.wire))} for row in rows]
    return Answer(200, {"messages": messages, "next": str(rows[-1].pk if rows else after)})


def _ledger(request: Request, agency: Agency, claim: Claim, desk: Desk) -> Answer:
    """What the platform has booked for the agency in a span of time."""
    asked = _asked_ledger(request.query, agency, desk)
    _enter(agency, claim, desk)
    head = {"authority": asked.authority, "agency": asked.agency, "complete_from": instant_text(asked.since)}
    return Answer(200, head | booked.page(asked, desk.keyring))


def _asked_ledger(query: Mapping[str, str], agency: Agency, desk: Desk) -> booked.Asked:
    mode = query.get("mode", agency.mode)
    if mode not in _MODES[agency.mode]:
        raise LinkRefusalError("wrong-mode", f"`mode` {mode[:40]!r} is not agreed for this agency", where="mode")
    since, until = _instant(query, "since"), _instant(query, "until", desk.now)
    if since >= until:
        raise BadRequestError("since must be earlier than until", where="since")
    return booked.Asked(
        authority=agency.authority_id,
        agency=agency.code,
        source=source_of(agency.code),
        mode=Mode(mode),
        since=max(since, booked.reaches_back_to(desk.now)),
        until=until,
        after=booked.read_cursor(query["after"]) if query.get("after") else booked.Position(),
        limit=_whole(query.get("limit", "200"), "limit", 1, booked.MOST),
    )


def _instant(query: Mapping[str, str], name: str, otherwise: datetime | None = None) -> datetime:
    text = query.get(name, "")
    if not text and otherwise is not None:
        return otherwise
    try:
        return parse_instant(text.upper())
    except (ValueError, OverflowError):
        raise BadRequestError(
            f"{name} must be an instant such as 2026-11-22T00:00:00Z; in a URL `+` is written %2B", where=name
        ) from None


def _whole(text: str, name: str, least: int, most: int) -> int:
    if not text.isascii() or not text.isdigit() or not least <= int(text[:20]) <= most:
        raise BadRequestError(f"{name} must be a whole number from {least} to {most}", where=name)
    return int(text)


# --------------------------------------------------------------------------------- what a stored message does


def handle(tx: Session, message: InboxMessage, now: datetime) -> None:
    """Does what a message says, in the transaction that marks it done."""
    keys: Keyring = settings.MADANG_KEYS
    envelope = read(sealed.unseal(keys, message.source, message.body), police112_config())
    agency = Agency.objects.filter(code=envelope.sender).first()
    if agency is None or source_of(agency.code) != message.source:
        raise PermanentError(f"agency {envelope.sender} is gone")
    actor = actor_of_agency(agency)
    try:
        if envelope.kind == "GrantExtendRequest":
            asked = msgspec.convert(envelope.body, wire.ExtendBody)
            word = translate.word_of(envelope)
            commands.ask_again(tx, actor, word.key, grant_id=asked.grant_id, reason=asked.reason, now=now)
        else:
            commands.hear(tx, actor, translate.word_of(envelope), now)
    except (ForbiddenError, NotFoundError) as error:
        raise PermanentError(f"{agency.code} may no longer do this: {error}") from error
