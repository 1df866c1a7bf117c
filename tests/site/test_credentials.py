"""How the server remembers who showed which credential: quickly, and never for longer than it should."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, TypeVar

import pytest

from madang.identity import access_tokens
from madang.identity.access_tokens import AccessClaims, sign_access, signing_key
from madang.identity.rights import Actor, ActorKind, Role
from madang.identity.scopes import read_scopes
from madang.kernel.keyring import Keyring
from madang.site.config import Config
from madang.site.services import TOKEN_MEMORY_S, CivicThreads, Services

T = TypeVar("T")
NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)


class Desk:
    """Services whose clocks the test turns, and who counts what was asked of the civic store."""

    def __init__(self, keyring: Keyring, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.asked, self.verified = NOW, 0, 0
        self.actor: Actor | None = actor("read:*")
        self.services = Services(Config(), keyring, CivicThreads(1, 1), clock=lambda: self.now)
        self.key = signing_key(keyring.blob_key)
        verify = access_tokens.read_access

        async def run(_work: Callable[[], T]) -> Actor | None:
            self.asked += 1
            return None if self.actor is None else replace(self.actor)

        def read(*arguments: Any) -> AccessClaims | None:  # Any: as `read_access` takes them
            self.verified += 1
            return verify(*arguments)

        monkeypatch.setattr(self.services, "run_civic", run)
        monkeypatch.setattr(access_tokens, "read_access", read)
        turned = SimpleNamespace(monotonic=lambda: (self.now - NOW).total_seconds())
        monkeypatch.setattr("madang.site.services.time", turned)

    def token(self, lives_s: int = 900) -> str:
        issued = int(NOW.timestamp())
        return sign_access(self.key, AccessClaims("t", "mdc-1", "48250", "read:*", issued, issued + lives_s))

    def ask(self, token: str) -> Actor | None:
        return asyncio.run(self.services.authenticate([(b"authorization", f"Bearer {token}".encode())]))


def actor(scope: str) -> Actor:
    roles = {"48250": frozenset({Role.API_CLIENT})}
    return Actor("client:mdc-1", ActorKind.TOKEN, "c", roles, types=read_scopes([scope]))


@pytest.fixture
def desk(keyring: Keyring, monkeypatch: pytest.MonkeyPatch) -> Desk:
    return Desk(keyring, monkeypatch)


def test_a_token_shown_again_is_neither_verified_nor_looked_up_again(desk: Desk) -> None:
    token = desk.token()
    first = desk.ask(token)
    assert first is not None
    assert all(desk.ask(token) is first for _ in range(100))
    assert (desk.asked, desk.verified) == (1, 1)


def test_whether_the_client_still_holds_is_asked_every_few_seconds_and_the_signature_never_again(desk: Desk) -> None:
    token = desk.token()
    first = desk.ask(token)
    for _ in range(5):
        desk.now += timedelta(seconds=TOKEN_MEMORY_S)
        assert desk.ask(token) is first  # the same object: what the hub knows of the asker stays
    assert (desk.asked, desk.verified) == (6, 1)


def test_a_revoked_client_is_out_within_seconds_and_a_narrowed_one_is_narrower(desk: Desk) -> None:
    token = desk.token()
    assert desk.ask(token) == actor("read:*")
    desk.actor = actor("read:Sensor")
    desk.now += timedelta(seconds=TOKEN_MEMORY_S)
    assert desk.ask(token) == actor("read:Sensor")
    desk.actor = None
    desk.now += timedelta(seconds=TOKEN_MEMORY_S)
    assert desk.ask(token) is None


def test_an_access_token_ends_to_the_second_it_says(desk: Desk) -> None:
    token = desk.token(lives_s=3)
    assert desk.ask(token) is not None
    desk.now += timedelta(seconds=2)
    assert desk.ask(token) is not None
    desk.now += timedelta(seconds=1)
    assert desk.ask(token) is None
    assert desk.ask(desk.token(lives_s=3)) is None


def test_what_is_not_a_bearer_token_reaches_no_store(desk: Desk) -> None:
    for raw in (b"", b"Basic eDp5", b"Bearer", b"Bearer " + b"x" * 20_000, b"bearer a.b.c"):
        assert asyncio.run(desk.services.authenticate([(b"authorization", raw)])) is None or raw == b"Bearer"
    assert asyncio.run(desk.services.authenticate([])) is None
    assert desk.asked <= 1
