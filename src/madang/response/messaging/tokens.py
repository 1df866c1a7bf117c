"""The link with which a recipient acknowledges: unguessable, remade from the keys, never stored."""

from __future__ import annotations

import base64
import hashlib
import hmac

from django.conf import settings

PATH = "/portal/ack/"
_BYTES = 18


def token_of(delivery_id: str) -> str:
    """The delivery's token, 24 characters that are safe in an address."""
    key: bytes = settings.MADANG_KEYS.blob_key
    code = hmac.digest(key, f"acknowledge:{delivery_id}".encode(), "sha256")[:_BYTES]
    return base64.urlsafe_b64encode(code).decode()


def hash_of(token: str) -> str:
    """What of a token lies in the store."""
    return hashlib.sha256(token.encode()).hexdigest()


def link_of(delivery_id: str) -> str:
    """The address a recipient opens to acknowledge; empty where the platform has no public address."""
    base: str = settings.MADANG.server.public_url
    return f"{base.rstrip('/')}{PATH}{token_of(delivery_id)}" if base else ""
