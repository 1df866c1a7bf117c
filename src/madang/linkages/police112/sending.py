"""What the platform tells the agencies: translated once when announced, signed anew for every attempt."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from ipaddress import ip_address
from typing import Any
from urllib.parse import SplitResult, urlsplit

import httpx
import orjson
from django.conf import settings

from madang.identity.models import Agency
from madang.journal import civic
from madang.journal.handlers import Delivery, OutboxMessage, Subscriber
from madang.kernel.clock import instant_text, system_clock
from madang.kernel.errors import PermanentError, TemporaryError
from madang.kernel.keyring import Keyring
from madang.linkages.police112 import links, signing, translate, wire
from madang.linkages.police112.config import Police112Config, police112_config
from madang.linkages.police112.endpoints import ENDPOINTS, LANES, HangingError
from madang.linkages.police112.models import WaitingMessage
from madang.response import record
from madang.response.models import Incident, SourceCall
from madang.video import queries as video_queries
from madang.video.models import VideoGrant
from madang.video.ranking import RankedCamera

Json = dict[str, Any]  # Any: JSON values

TRY_AGAIN = frozenset({408, 409, 425, 429})
"""Client errors that may pass."""
MAX_DELAY_S = 3_600.0
_GRANTS = "video.grant."
GRANT_TOPICS = frozenset(_GRANTS + name for name in ("approved", "pending", "denied", "extended", "ended"))
_ENDED = {"EXPIRED": "expired", "REVOKED": "revoked", "INCIDENT_CLOSED": "incident_closed"}
_END_KO = {
    "expired": "제공 기간이 끝났습니다",
    "revoked": "관제센터에서 제공을 거두었습니다",
    "incident_closed": "사건 종결로 열람이 끝났습니다",
    "cancelled": "신고 취소로 열람이 끝났습니다",
}


def subscriber() -> Subscriber:
    """What the linkage wants to hear of."""
    return Subscriber(links.SUBSCRIBER, GRANT_TOPICS | record.TOPICS, prepare, deliver, lanes=LANES)


# --------------------------------------------------------------------------------------------- translating


def prepare(message: OutboxMessage) -> bytes | None:
    """The message for the agency that called, or None where there is nothing to tell it."""
    about = message.body.get("incident_id") or message.body.get("id")
    incident = Incident.objects.filter(pk=about, source=wire.SOURCE).first()
    if incident is None:
        return None
    translated = _grant_message if message.topic in GRANT_TOPICS else _incident_message
    said = translated(message, incident)
    if said is None:
        return None
    kind, body = said
    call = SourceCall.objects.filter(incident=incident).first()
    return translate.envelope(
        kind,
        body,
        msg_id=message.message_id,
        dialogue_id=incident.source_key,
        sender=incident.authority_id,
        recipient=incident.agency,
        mode=incident.mode,
        sent_at=message.announced_at,
        in_reply_to=call.request_message_id or None if call else None,
    )


def _grant_message(message: OutboxMessage, incident: Incident) -> tuple[str, Json] | None:
    if (message.body.get("recipient_kind"), message.body.get("recipient_code")) != ("agency", incident.agency):
        return None
    grant = VideoGrant.objects.filter(pk=message.body.get("grant_id")).first()
    if grant is None:
        return None
    name = message.topic.removeprefix(_GRANTS)
    if name == "ended":
        return "GrantEnd", _end_body(grant, incident, message)
    if name == "denied" or (name == "pending" and grant.state == "PENDING_HUMAN"):
        return "GrantDecision", _decision_body(grant, name)
    live = grant.state in ("APPROVED", "ACTIVE")
    return ("GrantOffer", _offer_body(grant, incident)) if live and name in ("approved", "extended") else None


def _decision_body(grant: VideoGrant, decision: str) -> Json:
    ko, en = {
        "pending": ("관제요원이 판단하고 있습니다", "A person is deciding"),
        "denied": ("영상 제공이 거부되었습니다", "Video was refused"),
    }[decision]
    return {
        "grant_id": grant.pk,
        "decision": decision,
        "reason": grant.reason or grant.rule or decision,
        "text_ko": ko,
        "text_en": en,
    }


def _end_body(grant: VideoGrant, incident: Incident, message: OutboxMessage) -> Json:
    reason = _ENDED.get(grant.state, "revoked")
    if reason == "incident_closed" and incident.state == "CANCELLED":
        reason = "cancelled"
    return {
        "grant_id": grant.pk,
        "reason": reason,
        "ended_at": instant_text(grant.ended_at or message.announced_at),
        "text_ko": _END_KO[reason],
        "views": message.body.get("views", 0),
        "view_seconds": message.body.get("seconds", 0.0),
    }


def _offer_body(grant: VideoGrant, incident: Incident) -> Json:
    origin = police112_config().origin
    return {
        "grant_id": grant.pk,
        "version": grant.version,
        "incident_number": incident.number,
        "basis": grant.basis,
        "rights": grant.rights,
        "conditions": grant.conditions,
        "cameras": _cameras(grant),
        "not_before": instant_text(grant.not_before or grant.requested_at),
        "expires_at": instant_text(grant.expires_at or grant.requested_at),
        "radius_m": incident.radius_m,
        "place": _place(incident),
        "leases_url": f"{origin}{wire.PATH}/leases",
    }


def _cameras(grant: VideoGrant) -> list[Json]:
    """The grant's cameras as they stand to the place now, in the order they were granted."""
    order = list(grant.grant_cameras.filter(until_version=None).order_by("rank").values_list("camera_id", flat=True))
    return [_camera(one) for one in video_queries.standing_of(grant.case_id or "", order)]


def _camera(ranked: RankedCamera) -> Json:
    camera = ranked.camera
    return {
        "camera_id": camera.id,
        "label": camera.label,
        "lon": camera.at.lon,
        "lat": camera.at.lat,
        "distance_m": round(ranked.distance_m, 1),
        "bearing_deg": round(ranked.bearing_deg, 1),
        "sees": ranked.sees.value,
        "dori": ranked.dori.value if ranked.dori else None,
        "health": camera.health,
        "ptz": camera.ptz,
        "purpose": camera.purpose,
    }


def _place(incident: Incident) -> Json:
    return {
        "state": incident.place_state,
        "lon": incident.lon,
        "lat": incident.lat,
        "accuracy_m": incident.accuracy_m,
        "address": incident.address,
        "district": incident.district,
    }


def _incident_message(message: OutboxMessage, incident: Incident) -> tuple[str, Json] | None:
    refused = message.body.get("extend_refused")
    if refused:
        ko, en = "연장할 수 있는 제공이 아닙니다", "There is nothing of that name to extend"
        body = {"grant_id": refused, "decision": "denied", "reason": "not_extendable", "text_ko": ko, "text_en": en}
        return "GrantDecision", body
    topic = _notice_topic(message, incident)
    if not topic:
        return None
    doubts = incident.doubts if topic in ("received", "doubt", "unlocated", "approximate", "outside") else []
    return "Notice", translate.notice_body(topic, number=incident.number, place=_place(incident), doubts=doubts)


def _notice_topic(message: OutboxMessage, incident: Incident) -> str:
    """What the announcement means to the agency; "" for what it knows or need not know."""
    name = message.topic.removeprefix(record.TOPIC)
    if message.body.get("late"):
        return "late"
    if name == "opened":
        return translate.topic_of_place(incident.place_state) or ("doubt" if incident.doubts else "received")
    if name == "located":
        return translate.topic_of_place(incident.place_state) or "located"
    if name in ("closed", "cancelled") and _said_by_agency(incident):
        return ""
    if name in ("closed", "dismissed", "reopened"):
        return name
    return "doubt" if message.body.get("doubtful") else ""


def _said_by_agency(incident: Incident) -> bool:
    call = SourceCall.objects.filter(incident=incident).first()
    return bool(call and call.account.get("ending"))


# ------------------------------------------------------------------------------------------------- sending


def deliver(delivery: Delivery) -> None:
    """Hands the message to the agency: posted to its endpoint, or kept until it fetches."""
    code = orjson.loads(delivery.wire)["to"]
    agency = Agency.objects.filter(code=code).first()
    if agency is None or not agency.active:
        raise PermanentError(f"agency {code} is switched off")
    if not agency.endpoint_url:
        _keep(agency, delivery)
        return
    with ENDPOINTS.visit(agency.code, police112_config().timeout_s):
        post(agency, delivery.wire)


def _keep(agency: Agency, delivery: Delivery) -> None:
    now = system_clock()
    with civic.transaction():
        WaitingMessage.objects.get_or_create(
            message_id=delivery.message_id, defaults={"agency": agency, "wire": delivery.wire, "kept_at": now}
        )


def post(agency: Agency, body: bytes) -> None:
    """One signed attempt. Raises `PermanentError` for a refusal, `TemporaryError` for anything that may pass."""
    error = attempt(agency.endpoint_url, body)
    links.note_sent(agency, str(error or ""), system_clock())
    if error is not None:
        raise error


def attempt(url: str, body: bytes) -> TemporaryError | PermanentError | None:
    """One signed attempt that touches no store: None, or why it failed."""
    try:
        _post(url, body)
    except (TemporaryError, PermanentError) as error:
        return error
    return None


def warm() -> None:
    """Makes ready what the first message would wait for: the client with its certificates, the signer."""
    config, keys = police112_config(), settings.MADANG_KEYS
    _client(config)
    _signed(config.origin, b"", keys)


def _post(url: str, body: bytes) -> None:
    config = police112_config()
    check_endpoint(url, config)
    headers = _signed(url, body, settings.MADANG_KEYS)
    try:
        with _client(config).stream("POST", url, content=body, headers=headers) as response:
            said = _beginning(response)
    except httpx.TimeoutException as error:
        raise HangingError(f"{type(error).__name__}: no answer in {config.timeout_s:g} s") from None
    except httpx.HTTPError as error:
        raise TemporaryError(f"{type(error).__name__}: {error}") from None
    _judge(response.status_code, said, response.headers)


def _signed(url: str, body: bytes, keys: Keyring) -> dict[str, str]:
    return signing.sign(
        "POST",
        url,
        body,
        private_pem=keys.linkage_private_pem,
        key_id=keys.linkage_key_id,
        now=system_clock(),
        algorithm="ecdsa-p256-sha256",
    )


def _beginning(response: httpx.Response) -> str:
    """The first bytes of a refusal, for the error text; the rest is not waited for."""
    if response.is_success:
        return ""
    return next(response.iter_raw(512), b"")[:200].decode("utf-8", "replace")


def _judge(status: int, said: str, headers: Mapping[str, str]) -> None:
    if 200 <= status < 300:
        return
    if 400 <= status < 500 and status not in TRY_AGAIN:
        raise PermanentError(f"the agency refused with {status}: {said}")
    raise TemporaryError(f"the agency answered {status}", delay_s=_retry_after_s(headers.get("retry-after", "")))


def _retry_after_s(text: str) -> float | None:
    """What `Retry-After` asks for, at most an hour; None when it says nothing usable."""
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), MAX_DELAY_S)
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, TypeError):
        return None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return min(max((at - system_clock()).total_seconds(), 0.0), MAX_DELAY_S)


def check_endpoint(url: str, config: Police112Config) -> None:
    """Raises `PermanentError` for an endpoint outside the configured ones (law 7 of the design)."""
    target = urlsplit(url)
    if target.scheme not in ("http", "https") or not target.hostname or target.username or target.fragment:
        raise PermanentError(f"{url!r} is no address that can be called")
    if not config.endpoints and _is_loopback(target.hostname):
        return
    if any(_within(target, urlsplit(allowed)) for allowed in config.endpoints):
        return
    raise PermanentError(f"{url!r} is not among [linkages.police112] endpoints; add it there to allow it")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _within(target: SplitResult, allowed: SplitResult) -> bool:
    same_origin = (target.scheme, target.hostname, target.port) == (allowed.scheme, allowed.hostname, allowed.port)
    root = allowed.path.rstrip("/")
    inside = target.path == root or target.path.startswith(root + "/") or not root
    return same_origin and inside and "/../" not in f"{target.path}/"


@lru_cache(maxsize=2)
def _client(config: Police112Config) -> httpx.Client:
    timeout = httpx.Timeout(config.timeout_s)
    return httpx.Client(verify=_tls(config), timeout=timeout, follow_redirects=False, trust_env=False)


def _tls(config: Police112Config) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(config.ca_file) if config.ca_file else None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if config.client_cert_file is not None:
        key = str(config.client_key_file) if config.client_key_file else None
        context.load_cert_chain(str(config.client_cert_file), key)
    return context


# ---------------------------------------------------------------------------------------------- heartbeats


def heartbeat(agency: Agency, config: Police112Config, msg_id: str, now: datetime) -> bytes:
    """The heartbeat for an agency."""
    return translate.envelope(
        wire.HEARTBEAT,
        {"interval_s": config.heartbeat_s},
        msg_id=msg_id,
        dialogue_id="heartbeat",
        sender=agency.authority_id,
        recipient=agency.code,
        mode=agency.mode,
        sent_at=now,
    )
