"""Who called: sealed with the platform's blob key, bound to its call, opened only to be read and logged."""

from __future__ import annotations

from collections.abc import Mapping

import orjson
from django.conf import settings

from madang.kernel.canonical import canonical_json
from madang.video import seal as box


def seal(call_id: str, caller: Mapping[str, str]) -> bytes:
    """The caller's data as it lies in the store."""
    return box.seal(canonical_json(dict(caller)).decode(), key=settings.MADANG_KEYS.blob_key, about=_about(call_id))


def unseal(call_id: str, sealed: bytes) -> dict[str, str]:
    """What was sealed; empty when there is nothing."""
    text = box.unseal(sealed, key=settings.MADANG_KEYS.blob_key, about=_about(call_id))
    said: dict[str, object] = orjson.loads(text) if text else {}
    return {name: str(value) for name, value in said.items()}


def _about(call_id: str) -> str:
    return f"caller:{call_id}"
