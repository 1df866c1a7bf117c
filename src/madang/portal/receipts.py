"""The word that goes with a receipt number. It is reckoned from the request and kept nowhere."""

from __future__ import annotations

import base64
import hashlib
import hmac

from django.conf import settings

from madang.video.models import DisclosureRequest

SECRET_BYTES = 5


def secret_of(row: DisclosureRequest) -> str:
    """Eight letters and digits, shown once."""
    message = f"portal.disclosure\0{row.pk}".encode()
    digest = hmac.new(settings.MADANG_KEYS.audit_key, message, hashlib.sha256).digest()
    return base64.b32encode(digest[:SECRET_BYTES]).decode()


def found_by(receipt: str, secret: str) -> DisclosureRequest | None:
    """The request, if both fit; a wrong number takes as long as a wrong word."""
    row = DisclosureRequest.objects.filter(receipt=receipt.strip().upper()).first()
    expected = secret_of(row or DisclosureRequest(pk="none"))
    given = secret.strip().upper().replace("-", "").replace(" ", "")
    fits = hmac.compare_digest(expected.encode(), given.encode())
    return row if fits and row is not None else None
