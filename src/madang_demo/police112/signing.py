"""RFC 9421 signatures as the contract prescribes them: made for what we send, checked on what we get."""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

TAG = "madang-police112"
WINDOW_S = 300
_COMPONENTS = ("@method", "@target-uri", "content-digest", "content-type")
_BODYLESS = ("@method", "@target-uri")
_INPUT = re.compile(r"^([a-z*][a-z0-9_.*-]*)=(\(([^)]*)\)(.*))$")
_PARAMETER = re.compile(r';([a-z*][a-z0-9_.*-]*)=("(?:[^"\\]|\\.)*"|-?\d+)')

PrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey


class SignatureError(Exception):
    """The signature of something received does not hold."""


def make_keys(private: Path) -> Path:
    """Writes a new P-256 key pair beside each other (`x.pem`, `x.pub.pem`); returns the public one's path."""
    key = ec.generate_private_key(ec.SECP256R1())
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    private.parent.mkdir(parents=True, exist_ok=True)
    private.touch(mode=0o600)
    private.write_bytes(pem)
    public = private.with_suffix(".pub.pem")
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    public.write_bytes(key.public_key().public_bytes(serialization.Encoding.PEM, form))
    return public


def content_digest(body: bytes) -> str:
    """The `Content-Digest` field of a body (RFC 9530)."""
    return f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"


def signature_base(values: Mapping[str, str], components: tuple[str, ...], parameters: str) -> bytes:
    """What is signed (RFC 9421 §2.5)."""
    lines = [f'"{name}": {values[name]}' for name in components]
    return "\n".join([*lines, f'"@signature-params": {parameters}']).encode()


@dataclass(frozen=True, slots=True)
class Signer:
    """Signs requests with one key."""

    key: PrivateKey
    key_id: str

    @classmethod
    def read(cls, path: Path, key_id: str) -> Signer:
        key = serialization.load_pem_private_key(path.read_bytes(), None)
        if not isinstance(key, ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey):
            raise TypeError(f"{path} holds neither a P-256 nor an Ed25519 key")
        return cls(key, key_id)

    @property
    def algorithm(self) -> str:
        return "ed25519" if isinstance(self.key, ed25519.Ed25519PrivateKey) else "ecdsa-p256-sha256"

    def headers(self, method: str, url: str, body: bytes | None) -> dict[str, str]:
        """The header fields that make this request ours; a new nonce each time."""
        fields = {} if body is None else {"content-type": "application/json", "content-digest": content_digest(body)}
        components = _BODYLESS if body is None else _COMPONENTS
        listed = " ".join(f'"{name}"' for name in components)
        parameters = (
            f'({listed});created={int(time.time())};keyid="{self.key_id}";alg="{self.algorithm}"'
            f';nonce="{secrets.token_urlsafe(18)}";tag="{TAG}"'
        )
        base = signature_base({"@method": method, "@target-uri": url, **fields}, components, parameters)
        signature = base64.b64encode(self._sign(base)).decode()
        return {**fields, "signature-input": f"sig1={parameters}", "signature": f"sig1=:{signature}:"}

    def _sign(self, base: bytes) -> bytes:
        if isinstance(self.key, ed25519.Ed25519PrivateKey):
            return self.key.sign(base)
        r, s = decode_dss_signature(self.key.sign(base, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")


class Verifier:
    """Checks what the platform sends: its keys, our URL, the window, and that no nonce comes twice."""

    def __init__(self, keys: Mapping[str, str]) -> None:
        """`keys` maps key ids to PEM public keys, as `GET /keys` gives them."""
        self._keys = {key_id: serialization.load_pem_public_key(pem.encode()) for key_id, pem in keys.items()}
        self._nonces: dict[str, float] = {}

    def check(self, url: str, headers: Mapping[str, str], body: bytes) -> None:
        """Raises `SignatureError` unless the POST to `url` is the platform's, fresh and whole."""
        match = _INPUT.match(headers.get("signature-input", ""))
        if match is None:
            raise SignatureError("no usable Signature-Input")
        label, parameters, listed, rest = match.groups()
        components = tuple(re.findall(r'"([^"]+)"', listed))
        found = {name: value.strip('"') for name, value in _PARAMETER.findall(rest)}
        if components != _COMPONENTS or found.get("tag") != TAG:
            raise SignatureError("covers other components than agreed")
        if headers.get("content-digest") != content_digest(body):
            raise SignatureError("the body is not the one that was signed")
        self._fresh(found)
        values = {"@method": "POST", "@target-uri": url, **{name: headers.get(name, "") for name in components[2:]}}
        signature = re.match(rf"^{re.escape(label)}=:([A-Za-z0-9+/=]+):$", headers.get("signature", ""))
        if signature is None:
            raise SignatureError("no usable Signature")
        self._verify(
            found.get("keyid", ""), base64.b64decode(signature[1]), signature_base(values, components, parameters)
        )

    def _fresh(self, found: Mapping[str, str]) -> None:
        now, created, nonce = time.time(), int(found.get("created", "0")), found.get("nonce", "")
        if abs(now - created) > WINDOW_S:
            raise SignatureError("signed outside the window")
        self._nonces = {known: until for known, until in self._nonces.items() if until > now}
        if not nonce or nonce in self._nonces:
            raise SignatureError("nonce missing or seen before")
        self._nonces[nonce] = now + 2 * WINDOW_S

    def _verify(self, key_id: str, signature: bytes, base: bytes) -> None:
        key = self._keys.get(key_id)
        try:
            if isinstance(key, ed25519.Ed25519PublicKey):
                key.verify(signature, base)
            elif isinstance(key, ec.EllipticCurvePublicKey) and len(signature) == 64:
                r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
                key.verify(encode_dss_signature(r, s), base, ec.ECDSA(hashes.SHA256()))
            else:
                raise SignatureError(f"unknown key {key_id!r} or odd signature")
        except InvalidSignature:
            raise SignatureError("the signature does not hold") from None
