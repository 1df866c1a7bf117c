"""SOAP as ONVIF cameras speak it: requests written, answers read without entities, DTDs or surprises. Pure."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any  # Any: lxml's elements are untyped
from xml.sax.saxutils import escape

from lxml import etree  # type: ignore[import-untyped]  # it has none

from madang.kernel.clock import parse_instant
from madang.kernel.errors import BadRequestError, TooLargeError

ACTIONS = {
    "CreatePullPointSubscription": "http://www.onvif.org/ver10/events/wsdl/EventPortType/CreatePullPointSubscriptionRequest",
    "PullMessages": "http://www.onvif.org/ver10/events/wsdl/PullPointSubscription/PullMessagesRequest",
    "Renew": "http://docs.oasis-open.org/wsn/bw-2/SubscriptionManager/RenewRequest",
    "Unsubscribe": "http://docs.oasis-open.org/wsn/bw-2/SubscriptionManager/UnsubscribeRequest",
}
_BODIES = {
    "CreatePullPointSubscription": "<tev:CreatePullPointSubscription><tev:InitialTerminationTime>PT{lease}S"
    "</tev:InitialTerminationTime></tev:CreatePullPointSubscription>",
    "PullMessages": "<tev:PullMessages><tev:Timeout>PT{pull}S</tev:Timeout><tev:MessageLimit>100</tev:MessageLimit>"
    "</tev:PullMessages>",
    "Renew": "<wsnt:Renew><wsnt:TerminationTime>PT{lease}S</wsnt:TerminationTime></wsnt:Renew>",
    "Unsubscribe": "<wsnt:Unsubscribe/>",
}
_SPACES = (
    'xmlns:s="http://www.w3.org/2003/05/soap-envelope" xmlns:a="http://www.w3.org/2005/08/addressing"'
    ' xmlns:tev="http://www.onvif.org/ver10/events/wsdl" xmlns:wsnt="http://docs.oasis-open.org/wsn/b-2"'
)
_WSSE = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-"
_PASSWORD = f"{_WSSE}username-token-profile-1.0#PasswordDigest"
_BASE64 = f"{_WSSE}soap-message-security-1.0#Base64Binary"
MOST_NOTICES, _MOST_ITEMS, _MOST_TEXT = 500, 40, 200


@dataclass(frozen=True, slots=True)
class Login:
    """Who asks. `nonce` is new for each request, `created` the camera's own time as far as it is known."""

    username: str
    password: str = field(repr=False)
    nonce: bytes
    created: datetime


@dataclass(frozen=True, slots=True)
class Notice:
    """One notification. `topic` is without prefixes; `operation` is Initialized, Changed, Deleted or empty."""

    topic: str
    at: str
    operation: str
    source: Mapping[str, str]
    data: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Subscribed:
    """Where a subscription is spoken to, what has to be shown there, and the camera's clock."""

    address: str
    parameters: tuple[str, ...]
    camera_time: datetime | None


def request(
    action: str, to: str, login: Login | None, *, lease_s: int, pull_s: int, parameters: Sequence[str] = ()
) -> bytes:
    """An envelope with its WS-Addressing and WS-UsernameToken headers (digest, ONVIF Core 5.9.4)."""
    body = _BODIES[action].format(lease=lease_s, pull=pull_s)
    header = f"<a:Action>{ACTIONS[action]}</a:Action><a:To>{escape(to)}</a:To>{''.join(parameters)}{_security(login)}"
    text = f"<s:Envelope {_SPACES}><s:Header>{header}</s:Header><s:Body>{body}</s:Body></s:Envelope>"
    return b'<?xml version="1.0" encoding="UTF-8"?>' + text.encode()


def _security(login: Login | None) -> str:
    if login is None:
        return ""
    created = login.created.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    nonce = base64.b64encode(login.nonce).decode()
    return (
        f'<wsse:Security xmlns:wsse="{_WSSE}wssecurity-secext-1.0.xsd" s:mustUnderstand="1"><wsse:UsernameToken>'
        f"<wsse:Username>{escape(login.username)}</wsse:Username>"
        f'<wsse:Password Type="{_PASSWORD}">{password_digest(login, created)}</wsse:Password>'
        f'<wsse:Nonce EncodingType="{_BASE64}">{nonce}</wsse:Nonce>'
        f'<wsu:Created xmlns:wsu="{_WSSE}wssecurity-utility-1.0.xsd">{created}</wsu:Created>'
        "</wsse:UsernameToken></wsse:Security>"
    )


def password_digest(login: Login, created: str) -> str:
    """Base64(SHA-1(nonce + created + password)), as the profile has it."""
    said = login.nonce + created.encode() + login.password.encode()
    return base64.b64encode(hashlib.sha1(said, usedforsecurity=False).digest()).decode()


# --------------------------------------------------------------------------------------------------- answers


def parse(data: bytes, most: int) -> Any:  # Any: an lxml element
    """The root of an answer. Raises `TooLargeError`, `BadRequestError`: no DTD, no entities, nothing fetched."""
    if len(data) > most:
        raise TooLargeError(f"the answer has more than {most} bytes", where="answer")
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True
    )
    try:
        root = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise BadRequestError(f"the answer is no XML: {str(error)[:120]}", where="answer") from None
    if root.getroottree().docinfo.internalDTD is not None:
        raise BadRequestError("the answer has a document type, which ONVIF does not", where="answer")
    return root


def fault(root: Any) -> str:  # Any: see above
    """What a SOAP fault says; empty where it is none."""
    found = _first(root, "Fault")
    return "" if found is None else (" ".join(" ".join(found.itertext()).split())[:200] or "fault")


def subscribed(root: Any) -> Subscribed:  # Any: see above
    """The answer to CreatePullPointSubscription."""
    reference = _first(root, "SubscriptionReference")
    address = "" if reference is None else _text(_first(reference, "Address"))
    if not address:
        raise BadRequestError("the camera names no subscription", where="SubscriptionReference")
    kept = None if reference is None else _first(reference, "ReferenceParameters")
    parameters = () if kept is None else tuple(etree.tostring(one, encoding="unicode", with_tail=False) for one in kept)
    return Subscribed(address, parameters[:10], camera_time(root))


def camera_time(root: Any) -> datetime | None:  # Any: see above
    """The camera's clock, where the answer says it."""
    return instant(_text(_first(root, "CurrentTime")))


def instant(text: str) -> datetime | None:
    """A camera's time; one without offset is UTC, as the element's name says."""
    for ending in ("", "Z"):
        try:
            return parse_instant(text + ending)
        except ValueError:
            continue
    return None


def notices(root: Any) -> list[Notice]:  # Any: see above
    """Every readable notification of an answer; those without a topic are passed over."""
    found = (one for one in root.iter("{*}NotificationMessage"))
    read = (_notice(one) for _, one in zip(range(MOST_NOTICES), found, strict=False))
    return [one for one in read if one is not None]


def _notice(element: Any) -> Notice | None:  # Any: see above
    topic = plain_topic(_text(_first(element, "Topic")))
    message = next((one for one in element.iter("{http://www.onvif.org/ver10/schema}Message")), None)
    if not topic or message is None:
        return None
    return Notice(
        topic,
        message.get("UtcTime", "")[:40],
        message.get("PropertyOperation", "")[:20],
        _items(message, "Source") | _items(message, "Key"),
        _items(message, "Data"),
    )


def plain_topic(topic: str) -> str:
    """A topic without its name-space prefixes: `tns1:RuleEngine/x:Line/Crossed` is `RuleEngine/Line/Crossed`."""
    return "/".join(level.rpartition(":")[2] for level in topic.strip()[:_MOST_TEXT].split("/"))


def _items(message: Any, part: str) -> dict[str, str]:  # Any: see above
    holder = next((one for one in message if etree.QName(one).localname == part), None)
    if holder is None:
        return {}
    found: dict[str, str] = {}
    for one in holder:
        name = one.get("Name", "")[:_MOST_TEXT]
        if name and len(found) < _MOST_ITEMS:
            found[name] = one.get("Value", "")[:_MOST_TEXT]
    return found


def _first(root: Any, name: str) -> Any:  # Any: see above
    return next(root.iter(f"{{*}}{name}"), None)


def _text(element: Any) -> str:  # Any: see above
    return "" if element is None else (element.text or "").strip()
