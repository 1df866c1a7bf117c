"""Scopes (clause 4.18) and scope queries (clause 4.19). Pure."""

from __future__ import annotations

import re
from functools import lru_cache

import orjson

from madang.hub.errors import BadRequestDataError

_TERM = re.compile(r"/?[^/;,|()]+(?:/[^/;,|()]+)*\Z")


def check_scope_query(text: str) -> str:
    """The text, if it is a scope query: `/a/b`, `/a/+`, `/a/#`; `(/a;/b)` for and, `,` or `|` for or."""
    for either in alternatives(text):
        for part in either:
            if not _TERM.match(part):
                raise BadRequestDataError(
                    f"scopeQ has the part {part[:60]!r}", where="scopeQ", hint="e.g. /Gimhae/#,(/Busan;/Company)"
                )
    return text


@lru_cache(maxsize=256)
def alternatives(query: str) -> tuple[tuple[str, ...], ...]:
    """A scope query as alternatives of scopes that must all be there; the parentheses of a conjunction are taken off.

    The grammar knows no deeper nesting, and a parenthesis left over is no scope.
    """
    parts = (part[1:-1] if part[:1] == "(" and part[-1:] == ")" else part for part in re.split(r"[,|]", query))
    return tuple(tuple(part.split(";")) for part in parts)


def in_scope(query: str, kept: object) -> bool:
    """Whether kept scopes (one, or a JSON list of them) satisfy a scope query."""
    if not isinstance(kept, str):
        return False
    scopes = orjson.loads(kept) if kept.startswith("[") else [kept]
    return any(all(any(_pattern(one).match(s) for s in scopes) for one in either) for either in alternatives(query))


@lru_cache(maxsize=256)
def _pattern(text: str) -> re.Pattern[str]:
    parts = [part for part in text.split("/") if part]
    deep = parts[-1:] == ["#"]
    said = "".join("/" + ("[^/]+" if part == "+" else re.escape(part)) for part in (parts[:-1] if deep else parts))
    return re.compile(said + (r"(?:/.*)?\Z" if deep else r"\Z"))
