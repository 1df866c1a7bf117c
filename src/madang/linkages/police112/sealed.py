"""Message bodies at rest. Calls hold personal data, so the inbox keeps them sealed; equal bodies seal alike, so that a
repeated message is recognised and a changed one raises the alarm."""

from __future__ import annotations

import hashlib
import hmac

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from madang.kernel.keyring import Keyring

_NONCE_BYTES = 12


def seal(keys: Keyring, source: str, body: bytes) -> bytes:
    """AES-256-GCM whose nonce is a keyed digest of what is sealed (as in SIV): no nonce meets two bodies."""
    nonce = hmac.new(keys.audit_key, b"police112\x00" + source.encode() + b"\x00" + body, hashlib.sha256).digest()
    nonce = nonce[:_NONCE_BYTES]
    return nonce + AESGCM(keys.blob_key).encrypt(nonce, body, source.encode())


def unseal(keys: Keyring, source: str, sealed: bytes) -> bytes:
    """The body that came from `source`; raises `cryptography.exceptions.InvalidTag` when it was changed."""
    return AESGCM(keys.blob_key).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], source.encode())
