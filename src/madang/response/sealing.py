"""Personal data at rest: sealed with the platform's blob key, bound to the row it belongs to."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from typing import Any

import orjson
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from madang.kernel.canonical import canonical_json
from madang.kernel.keyring import Keyring

NONCE_BYTES = 12


def seal(keys: Keyring, owner: str, data: Mapping[str, Any]) -> bytes:  # Any: JSON values
    """Nonce and AES-256-GCM of `data`; it opens only for the same `owner`."""
    nonce = secrets.token_bytes(NONCE_BYTES)
    return nonce + AESGCM(keys.blob_key).encrypt(nonce, canonical_json(dict(data)), owner.encode())


def unseal(keys: Keyring, owner: str, sealed: bytes) -> dict[str, Any]:  # Any: JSON values
    """What was sealed for `owner`; empty when there is nothing. Raises `InvalidTag` when it was changed or moved."""
    if not sealed:
        return {}
    opened: dict[str, Any] = orjson.loads(_open(keys, owner, sealed))  # Any: JSON values
    return opened


def seal_alike(keys: Keyring, owner: str, body: bytes) -> bytes:
    """Seals so that the same body gives the same bytes, for rows that are compared: the nonce is a keyed digest of it."""
    nonce = hmac.new(keys.audit_key, b"seal_alike\x00" + owner.encode() + b"\x00" + body, hashlib.sha256).digest()
    nonce = nonce[:NONCE_BYTES]
    return nonce + AESGCM(keys.blob_key).encrypt(nonce, body, owner.encode())


def unseal_alike(keys: Keyring, owner: str, sealed: bytes) -> bytes:
    """The body `seal_alike` was given."""
    return _open(keys, owner, sealed)


def _open(keys: Keyring, owner: str, sealed: bytes) -> bytes:
    return AESGCM(keys.blob_key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], owner.encode())
