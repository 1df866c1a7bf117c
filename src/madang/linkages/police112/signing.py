"""HTTP message signatures (RFC 9421) as the contract fixes them: one signature, these components, these parameters."""

from __future__ import annotations

import datetime as dt
import re
import secrets
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

import http_sf
from http_message_signatures import (
    ContentDigest,
    HTTPMessageSigner,
    HTTPMessageVerifier,
    HTTPSignatureAlgorithm,
    InvalidSignature,
    MappingKeyResolver,
)
from http_message_signatures.algorithms import ECDSA_P256_SHA256, ED25519
from http_message_signatures.exceptions import HTTPMessageSignaturesException

from madang.linkages.police112.refusals import LinkRefusalError
from madang.linkages.police112.wire import TAG

WITH_BODY = ("@method", "@target-uri", "content-digest", "content-type")
WITHOUT_BODY = ("@method", "@target-uri")
ALGORITHMS: Mapping[str, type[HTTPSignatureAlgorithm]] = {
    "ecdsa-p256-sha256": ECDSA_P256_SHA256,
    "ed25519": ED25519,
}
_NONCE = re.compile(r"[A-Za-z0-9_+/=-]{16,128}")
_NEEDED = ("created", "keyid", "alg", "nonce", "tag")


class Key(Protocol):
    """What verifying needs of an agency's key."""

    key_id: str
    algorithm: str
    public_pem: str


class HeaderLines:
    """Raw header lines in the order they came: repeated fields stay visible to the verifier."""

    def __init__(self, raw: Iterable[tuple[bytes, bytes]]) -> None:
        self._lines = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in raw]

    def items(self) -> Iterator[tuple[str, str]]:
        """Every line."""
        return iter(self._lines)

    def first(self, wanted: str) -> str:
        """All lines of a field as one value; empty when there is none."""
        return ", ".join(value for name, value in self._lines if name.lower() == wanted)


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """A request as the signature covers it. `url` is built from the configured origin, never from `Host`."""

    method: str
    url: str
    headers: HeaderLines
    body: bytes


@dataclass(frozen=True, slots=True)
class Claim:
    """What the signature's parameters say; nothing of it is proved yet."""

    key_id: str
    algorithm: str
    nonce: str
    created: datetime
    label: str


class _Verifier(HTTPMessageVerifier):
    """Verifies against the platform's clock, `created` on both sides of it."""

    def __init__(self, algorithm: type[HTTPSignatureAlgorithm], key: Key, now: datetime, window_s: int) -> None:
        resolver = MappingKeyResolver(public_keys={key.key_id: key.public_pem.encode()}, private_keys={})
        super().__init__(signature_algorithm=algorithm, key_resolver=resolver)
        self._now, self._window = now, timedelta(seconds=window_s)

    def validate_created_and_expires(self, sig_input: Any, max_age: timedelta | None = None) -> None:  # Any: untyped
        """Refuses a signature made or ended outside the window."""
        del max_age
        created = _instant(sig_input.params["created"])
        if abs(created - self._now) > self._window:
            raise LinkRefusalError(
                "outside-window",
                f"`created` is {(created - self._now).total_seconds():+.0f} s from the platform's clock;"
                f" at most {self._window.total_seconds():.0f} s is taken",
                where="Signature-Input",
                hint="Set your clock by NTP and sign just before sending",
            )
        expires = sig_input.params.get("expires")
        if expires is not None and _instant(expires) <= self._now:
            raise LinkRefusalError("outside-window", "`expires` has passed", where="Signature-Input")


def read_claim(request: SignedRequest) -> Claim:
    """Who claims to have signed, and how; raises `LinkRefusalError` where the form is not the agreed one."""
    if not request.headers.first("signature-input") or not request.headers.first("signature"):
        raise LinkRefusalError(
            "signature-missing",
            "Signature-Input and Signature are needed",
            where="Signature-Input",
            hint="Sign as the contract's section on signing shows",
        )
    label, components, params = _only_ours(request.headers.first("signature-input"))
    _check_components(components, with_body=request.method == "POST")
    missing = [name for name in _NEEDED if name not in params]
    if missing:
        raise _malformed(f"parameters {', '.join(missing)} are missing")
    if not isinstance(params["nonce"], str) or not _NONCE.fullmatch(params["nonce"]):
        raise _malformed("`nonce` must be 16 to 128 characters of A–Z a–z 0–9 - _ + / =")
    if params["alg"] not in ALGORITHMS or not isinstance(params["keyid"], str):
        raise _malformed(f"`alg` must be one of {', '.join(ALGORITHMS)} and `keyid` a string")
    return Claim(params["keyid"], params["alg"], params["nonce"], _instant(params["created"]), label)


Components = list[tuple[Any, dict[str, Any]]]  # Any: structured field values
Params = dict[str, Any]  # Any: the same


def _only_ours(field: str) -> tuple[str, Components, Params]:
    """The one signature of this contract: its label, covered components and parameters (RFC 9421 §4.1)."""
    try:
        parsed: Any = http_sf.parse(field.encode("latin-1"), tltype="dictionary")  # Any: structured field values
    except (ValueError, TypeError, IndexError) as error:
        raise _malformed(f"Signature-Input is no structured field: {error}") from None
    members = parsed if isinstance(parsed, dict) else {}
    ours = [
        (label, member[0], member[1])
        for label, member in members.items()
        if isinstance(member, tuple) and isinstance(member[0], list) and member[1].get("tag") == TAG
    ]
    if len(ours) != 1 or len(members) != 1:
        raise _malformed(f'exactly one signature with tag="{TAG}" is taken')
    return ours[0]


def _check_components(components: Components, *, with_body: bool) -> None:
    wanted = WITH_BODY if with_body else WITHOUT_BODY
    if tuple(name for name, _ in components) != wanted or any(params for _, params in components):
        raise _malformed("the covered components must be " + " ".join(f'"{name}"' for name in wanted))


def _malformed(detail: str) -> LinkRefusalError:
    return LinkRefusalError("signature-malformed", detail, where="Signature-Input")


def _instant(value: object) -> datetime:
    if type(value) is not int or not 0 < value < 2**40:
        raise _malformed("`created` and `expires` must be whole Unix seconds")
    return datetime.fromtimestamp(value, dt.UTC)


def check_digest(request: SignedRequest) -> None:
    """Refuses a body that is not the one the digest is of."""
    field = request.headers.first("content-digest")
    if not re.match(r"^\s*sha-256\s*=", field):
        raise LinkRefusalError(
            "digest-mismatch", "Content-Digest with sha-256 is needed", where="Content-Digest", hint="See RFC 9530"
        )
    try:
        ContentDigest.verify(field, request.body)
    except HTTPMessageSignaturesException as error:
        raise LinkRefusalError("digest-mismatch", str(error), where="Content-Digest") from None


def verify(request: SignedRequest, claim: Claim, key: Key, *, now: datetime, window_s: int) -> None:
    """Returns if `key` made the signature, within the window, over exactly this request; raises `LinkRefusalError`."""
    if key.algorithm != claim.algorithm:
        raise LinkRefusalError(
            "signature-invalid", f"key {key.key_id!r} signs with {key.algorithm}", where="Signature-Input"
        )
    with_body = request.method == "POST"
    if with_body:
        check_digest(request)
    verifier = _Verifier(ALGORITHMS[key.algorithm], key, now, window_s)
    try:
        results = verifier.verify(
            request,
            expect_tag=TAG,
            max_age=timedelta(seconds=window_s),
            require_components=WITH_BODY if with_body else WITHOUT_BODY,
            body=request.body if with_body else None,
        )
    except InvalidSignature as error:
        refusal = error.__cause__ if isinstance(error.__cause__, LinkRefusalError) else None
        raise refusal or _invalid(error) from None
    except HTTPMessageSignaturesException as error:
        raise _invalid(error) from None
    proved = results[0].parameters
    if (proved["keyid"], proved["nonce"]) != (claim.key_id, claim.nonce):
        raise _malformed("`keyid` or `nonce` is given twice")


def _invalid(error: Exception) -> LinkRefusalError:
    return LinkRefusalError(
        "signature-invalid",
        f"the signature does not hold: {error}" if str(error) else "the signature does not hold",
        where="Signature",
        hint="Compare your signature base with the worked example of the contract, line by line",
    )


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A request to be signed: the signer writes into `headers`."""

    method: str
    url: str
    headers: dict[str, str]


def sign(
    method: str, url: str, body: bytes | None, *, private_pem: bytes, key_id: str, now: datetime, algorithm: str
) -> dict[str, str]:
    """The headers of a request signed now, with a nonce of its own."""
    headers = {"Content-Type": "application/json"} if body is not None else {}
    message = Outgoing(method, url, headers)
    signer = HTTPMessageSigner(
        signature_algorithm=ALGORITHMS[algorithm],
        key_resolver=MappingKeyResolver(public_keys={}, private_keys={key_id: private_pem}),
    )
    signer.sign(
        message,
        key_id=key_id,
        created=now,
        nonce=secrets.token_urlsafe(18),
        label="sig1",
        tag=TAG,
        covered_component_ids=WITH_BODY if body is not None else WITHOUT_BODY,
        body=body,
    )
    return headers
