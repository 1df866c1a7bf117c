"""Which text of a LanguageProperty a client prefers (clause 4.15, RFC 4647). Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from madang.hub.errors import BadRequestDataError

Json = Any  # Any: JSON as it came
_RANGE = re.compile(r"\s*(\*|[A-Za-z]{1,8}(?:-[A-Za-z0-9*]{1,8})*)\s*(?:;\s*q\s*=\s*([01](?:\.\d{0,3})?)\s*)?\Z")


@lru_cache(maxsize=256)
def wishes(lang: str) -> tuple[str, ...]:
    """Language ranges, the dearest first; raises `BadRequestDataError` for what is no language filter."""
    found: list[tuple[float, str]] = []
    for part in lang.split(","):
        match = _RANGE.match(part)
        if match is None:
            raise BadRequestDataError(f"lang has the part {part[:40]!r}", where="lang", hint="e.g. ko,en;q=0.8,*;q=0.1")
        weight = float(match[2]) if match[2] else 1.0
        if weight > 0:
            found.append((weight, match[1].lower()))
    return tuple(tag for _, tag in sorted(found, key=lambda one: -one[0]))


def chosen(texts: Mapping[str, Json], lang: str) -> tuple[str, Json]:
    """The language and its text (or texts) that fit best; any, when none fits."""
    for wish in wishes(lang):
        if wish == "*":
            break
        for tag in _shorter(wish):
            for known in texts:
                said = known.lower()
                if said == tag or said.startswith(tag + "-"):
                    return known, texts[known]
    any_of = "@none" if "@none" in texts else next(iter(texts))
    return any_of, texts[any_of]


def _shorter(tag: str) -> list[str]:
    """`zh-hant-tw` → itself, `zh-hant`, `zh`."""
    parts = tag.split("-")
    return ["-".join(parts[:end]) for end in range(len(parts), 0, -1)]
