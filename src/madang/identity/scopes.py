"""Scopes: what a token may do, in words of the form `read:AirQualityObserved` (RFC 6749 §3.3). Pure.

The deeds are `rights.Deed`; `write:T` stands for creating, updating and deleting; `*` for every type no room owns.
A type that is not plain ASCII is percent-encoded: a scope is visible ASCII without quotation mark and backslash.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from urllib.parse import quote, unquote

from madang.identity.rights import WRITING, Deed, TypeRight

EVERYTHING = "*"
MAX_CHARS = 2_000
"""The longest list of scopes a client or token is given; longer ones would not fit into a header."""
_WORD = re.compile(r"([a-z]+):([\x21\x23-\x5b\x5d-\x7e]+)\Z")
_TYPELESS = frozenset({Deed.CONTEXTS, Deed.PARKED})
_SAFE = "!#$&'()*+,-./:;=?@[]^_`{|}~"


class BadScopeError(ValueError):
    """A word that is not a scope; the text says what it should be."""


def read_scopes(words: Iterable[str]) -> tuple[TypeRight, ...]:
    """The rights that scopes name, by type in alphabetical order; raises `BadScopeError`."""
    found: defaultdict[str, set[Deed]] = defaultdict(set)
    for word in words:
        deeds, entity_type = _read(word)
        found[entity_type] |= deeds
    return tuple(TypeRight(name, frozenset(deeds)) for name, deeds in sorted(found.items()))


def _read(word: str) -> tuple[frozenset[Deed], str]:
    match = _WORD.match(quote(word, safe=_SAFE + "%"))
    if match is None:
        raise BadScopeError(f"{word[:80]!r} is not a scope such as read:AirQualityObserved or write:*")
    name, entity_type = match[1], unquote(match[2])
    if name == "write":
        return WRITING, entity_type
    if name not in set(Deed):
        raise BadScopeError(f"{name[:40]!r} is not one of {', '.join(Deed)}, write")
    if name in _TYPELESS and entity_type != EVERYTHING:
        raise BadScopeError(f"{name} is of no type: write {name}:*")
    return frozenset({Deed(name)}), entity_type


def scope_words(rights: Iterable[TypeRight]) -> list[str]:
    """The scopes that say these rights, in a fixed order."""
    return [f"{deed}:{quote(rule.entity_type, safe=_SAFE)}" for rule in rights for deed in Deed if deed in rule.deeds]


def narrowed(allowed: Iterable[TypeRight], asked: Iterable[TypeRight]) -> tuple[TypeRight, ...]:
    """What of the rights asked for is allowed. A type that only a `*` allows is marked as not named."""
    given = {rule.entity_type: rule for rule in allowed}
    star = given.get(EVERYTHING, TypeRight(EVERYTHING))
    kept: list[TypeRight] = []
    for rule in asked:
        own = given.get(rule.entity_type, TypeRight(rule.entity_type))
        by_name = rule.deeds & own.deeds
        by_star = (rule.deeds & star.deeds) - by_name
        kept += [TypeRight(rule.entity_type, by_name, own.named)] if by_name else []
        kept += [TypeRight(rule.entity_type, by_star, named=False)] if by_star else []
    return tuple(kept)


def covers(rights: Iterable[TypeRight], asked: Iterable[TypeRight]) -> bool:
    """Whether `narrowed` kept everything that was asked for."""
    held: defaultdict[str, set[Deed]] = defaultdict(set)
    for rule in rights:
        held[rule.entity_type] |= rule.deeds
    return all(rule.deeds <= held[rule.entity_type] for rule in asked)
