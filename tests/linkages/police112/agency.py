"""A police system built from the contract page alone: it shares no code with the platform, not even for signing."""

from __future__ import annotations

import base64
import hashlib
import http.server
import itertools
import json
import secrets
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

Json = dict[str, Any]  # Any: JSON values
PrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
ROOT = "/linkages/police112/v1"


def public_pem(key: PrivateKey) -> str:
    """The public half, as one registers it."""
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(serialization.Encoding.PEM, form).decode()


def digest_of(body: bytes) -> str:
    """The Content-Digest of a body."""
    return f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"


@dataclass
class Signing:
    """How a request is signed; tests bend single parts of it."""

    key: PrivateKey
    key_id: str
    created: int | None = None
    nonce: str | None = None
    expires: int | None = None
    tag: str = "madang-police112"
    leave_out: str = ""
    digest_body: bytes | None = None
    url: str = ""

    @property
    def algorithm(self) -> str:
        """Its name in the contract."""
        return "ed25519" if isinstance(self.key, ed25519.Ed25519PrivateKey) else "ecdsa-p256-sha256"

    def headers(self, method: str, url: str, body: bytes | None) -> dict[str, str]:
        """The headers of a signed request."""
        values = {"@method": method, "@target-uri": self.url or url}
        sent: dict[str, str] = {}
        if body is not None:
            sent = {
                "Content-Type": "application/json",
                "Content-Digest": digest_of(body if self.digest_body is None else self.digest_body),
            }
            values |= {"content-digest": sent["Content-Digest"], "content-type": sent["Content-Type"]}
        values.pop(self.leave_out, None)
        params = self._params(list(values))
        base = "\n".join([*(f'"{name}": {value}' for name, value in values.items()), f'"@signature-params": {params}'])
        signature = base64.b64encode(self._sign(base.encode())).decode()
        return sent | {"Signature-Input": f"sig1={params}", "Signature": f"sig1=:{signature}:"}

    def _params(self, names: list[str]) -> str:
        covered = " ".join(f'"{name}"' for name in names)
        created = int(time.time()) if self.created is None else self.created
        nonce = secrets.token_urlsafe(18) if self.nonce is None else self.nonce
        expires = "" if self.expires is None else f";expires={self.expires}"
        return (
            f'({covered});created={created}{expires};keyid="{self.key_id}";alg="{self.algorithm}"'
            f';nonce="{nonce}";tag="{self.tag}"'
        )

    def _sign(self, base: bytes) -> bytes:
        if isinstance(self.key, ed25519.Ed25519PrivateKey):
            return self.key.sign(base)
        r, s = decode_dss_signature(self.key.sign(base, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(32) + s.to_bytes(32)


def verified(method: str, url: str, headers: dict[str, str], body: bytes, platform_pem: str) -> bool:
    """Whether the platform signed exactly this request (ECDSA P-256)."""
    field_value = headers["signature-input"]
    label, _, params = field_value.partition("=")
    wanted = '("@method" "@target-uri" "content-digest" "content-type")'
    if not params.startswith(wanted) or headers["content-digest"] != digest_of(body):
        return False
    lines = [
        f'"@method": {method}',
        f'"@target-uri": {url}',
        f'"content-digest": {headers["content-digest"]}',
        f'"content-type": {headers["content-type"]}',
        f'"@signature-params": {params}',
    ]
    raw = base64.b64decode(headers["signature"].removeprefix(f"{label}=:").removesuffix(":"))
    der = encode_dss_signature(int.from_bytes(raw[:32]), int.from_bytes(raw[32:]))
    key = serialization.load_pem_public_key(platform_pem.encode())
    assert isinstance(key, ec.EllipticCurvePublicKey)
    try:
        key.verify(der, "\n".join(lines).encode(), ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True


@dataclass
class PoliceSystem:
    """One agency's program."""

    origin: str
    code: str
    authority: str
    signing: Signing
    mode: str = "simulated"
    http: httpx.Client = field(default_factory=lambda: httpx.Client(trust_env=False, timeout=20))
    _ids: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    def message(self, kind: str, body: Json, *, call: str = "20261122-000417", seq: int = 1, **more: Any) -> Json:
        """A message with its envelope; `more` replaces members."""
        return {
            "kind": kind,
            "schema_ver": "1.0",
            "msg_id": f"{self.code}-{next(self._ids)}-{secrets.token_hex(4)}",
            "dialogue_id": call,
            "seq": seq,
            "sent_at": "2026-11-22T09:00:00+09:00",
            "from": self.code,
            "to": self.authority,
            "mode": self.mode,
            "in_reply_to": None,
            "body": body,
        } | more

    def post(self, path: str, said: Json | bytes, signing: Signing | None = None) -> httpx.Response:
        """Posts signed JSON (or bytes as they are)."""
        body = said if isinstance(said, bytes) else json.dumps(said, ensure_ascii=False).encode()
        return self.post_raw(path, body, (signing or self.signing).headers("POST", self.origin + ROOT + path, body))

    def post_raw(self, path: str, body: bytes, headers: dict[str, str]) -> httpx.Response:
        """Posts bytes under headers made elsewhere."""
        return self.http.post(self.origin + ROOT + path, content=body, headers=headers)

    def get(self, path: str) -> httpx.Response:
        """A signed GET."""
        url = self.origin + ROOT + path
        return self.http.get(url, headers=self.signing.headers("GET", url, None))

    def send(self, kind: str, body: Json, **more: Any) -> httpx.Response:
        """A message of that kind to `/messages`."""
        return self.post("/messages", self.message(kind, body, **more))


class Mailbox:
    """The agency's endpoint: keeps what it was sent, answers what `answer` says."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.answer: Callable[[], tuple[int, dict[str, str]]] = lambda: (202, {})
        mailbox = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                mailbox.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
                status, headers = mailbox.answer()
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args: object) -> None:
                """Stays silent."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{self._server.server_port}/112/inbox"

    def messages(self, kind: str = "") -> list[Json]:
        """What came, in order, of one kind or of all."""
        everything = [json.loads(body) for _, body in self.got]
        return [message for message in everything if not kind or message["kind"] == kind]

    def close(self) -> None:
        """Closes the endpoint."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)
