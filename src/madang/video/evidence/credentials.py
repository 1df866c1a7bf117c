"""Reading C2PA credentials and the certificates behind them. Needs no store and no network."""

from __future__ import annotations

import io
import json

from cryptography import x509
from cryptography.hazmat.primitives import serialization


def root_of(chain_pem: str) -> str:
    """The root of a chain, PEM."""
    return chain_pem[chain_pem.rindex("-----BEGIN CERTIFICATE") :]


def key_of(chain_pem: str) -> bytes:
    """The public key of a chain's first certificate, PEM; empty when it cannot be read."""
    try:
        key = x509.load_pem_x509_certificate(chain_pem.encode()).public_key()
    except ValueError:
        return b""
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def check_credentials(data: bytes, media_type: str, root_pem: str) -> tuple[str, list[str]]:
    """What C2PA says of a file: `Trusted`, `Valid` (whole, by somebody unknown) or `Invalid`; and its codes."""
    import c2pa  # type: ignore[import-untyped]  # it ships no types

    context = c2pa.Context.from_dict({"trust": {"trust_anchors": root_pem}, "verify": {"verify_trust": True}})
    try:
        with c2pa.Reader(media_type, io.BytesIO(data), None, context) as reader:
            found = json.loads(reader.json())
    except c2pa.C2paError as error:
        return "Invalid", [type(error).__name__.lstrip("_")]
    return str(found.get("validation_state")), [str(one["code"]) for one in found.get("validation_status", [])]
