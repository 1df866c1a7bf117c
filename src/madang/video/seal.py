"""Sealing what must not lie open in the store: camera addresses with their passwords, citizens' requests."""

from __future__ import annotations

import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from madang.kernel.errors import ConfigError

_NONCE_BYTES = 12


def seal(text: str, *, key: bytes, about: str) -> bytes:
    """AES-256-GCM; `about` (e.g. `camera:<id>`) binds the box to its row, so that boxes cannot be exchanged."""
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, text.encode(), about.encode())


def unseal(box: bytes | memoryview, *, key: bytes, about: str) -> str:
    """The text, or "" for an empty box; raises `ConfigError` when the key does not fit."""
    if not box:
        return ""
    try:
        return AESGCM(key).decrypt(bytes(box[:_NONCE_BYTES]), bytes(box[_NONCE_BYTES:]), about.encode()).decode()
    except InvalidTag:
        raise ConfigError("a sealed value does not open with the present key", where=about) from None
