"""Scopes: read, written, narrowed; a narrowed right never opens more than what it came from."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from madang.identity.rights import WRITING, Actor, ActorKind, Deed, Right, Role, Thing, TypeRight, may, names_type
from madang.identity.scopes import BadScopeError, covers, narrowed, read_scopes, scope_words

TYPES = st.one_of(st.sampled_from(["*", "Sensor", "Camera"]), st.text(min_size=1, max_size=12))
DEEDS = st.frozensets(st.sampled_from([deed for deed in Deed if deed not in (Deed.CONTEXTS, Deed.PARKED)]), min_size=1)
RIGHTS = st.dictionaries(TYPES, DEEDS, max_size=4).map(
    lambda given: tuple(TypeRight(name, deeds) for name, deeds in sorted(given.items()))
)


@given(RIGHTS)
def test_scopes_say_exactly_the_rights_they_were_made_of(rights: tuple[TypeRight, ...]) -> None:
    words = scope_words(rights)
    assert all(word.isascii() and not set(word) & set(' "\\') for word in words)
    assert read_scopes(words) == rights


def test_write_stands_for_creating_updating_and_deleting() -> None:
    assert read_scopes(["write:Sensor"]) == (TypeRight("Sensor", WRITING),)


def test_a_type_may_be_an_address_or_korean() -> None:
    assert read_scopes(["read:https://example.org/대기질"]) == (
        TypeRight("https://example.org/대기질", frozenset({Deed.READ})),
    )


@pytest.mark.parametrize("word", ["", "read", "read:", ":Sensor", "peek:Sensor", "READ:Sensor", "contexts:Sensor"])
def test_what_is_not_a_scope_is_refused(word: str) -> None:
    with pytest.raises(BadScopeError):
        read_scopes([word])


@given(allowed=RIGHTS, asked=RIGHTS, entity_type=TYPES)
def test_narrowing_never_widens(allowed: tuple[TypeRight, ...], asked: tuple[TypeRight, ...], entity_type: str) -> None:
    whole, part = _token(allowed), _token(narrowed(allowed, asked))
    for right in (Right.HUB_READ, Right.HUB_CREATE, Right.HUB_DELETE, Right.HUB_SUBSCRIBE):
        thing = Thing("1", entity_type=entity_type)
        assert may(whole, right, thing) or not may(part, right, thing)
        assert names_type(whole, right, entity_type) or not names_type(part, right, entity_type)


@given(allowed=RIGHTS, asked=RIGHTS)
def test_what_narrowing_keeps_whole_is_covered(allowed: tuple[TypeRight, ...], asked: tuple[TypeRight, ...]) -> None:
    assert narrowed(allowed, allowed) == allowed
    kept = narrowed(allowed, asked)
    assert covers(asked, kept)
    assert covers(kept, asked) is all(
        may(_token(kept), Right.HUB_READ, Thing("1", entity_type=rule.entity_type))
        for rule in asked
        if rule.deeds == {Deed.READ}
    ) or any(rule.deeds != {Deed.READ} for rule in asked)


def _token(rights: tuple[TypeRight, ...]) -> Actor:
    return Actor("token:1", ActorKind.TOKEN, "t", {"1": frozenset({Role.API_CLIENT})}, types=rights)
