"""Guessing passwords locks the guessed name at the guesser's address."""

from __future__ import annotations

import pytest
from django.conf import settings
from django.contrib.auth import authenticate, login
from django.contrib.sessions.backends.db import SessionStore
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.test import RequestFactory

from madang.identity.config import IdentityConfig
from madang.identity.models import Person
from madang.identity.rights import Role
from tests.conftest import PASSWORD, MakePerson


def log_in(name: str, password: str, address: str = "10.0.0.7") -> object:
    request: HttpRequest = RequestFactory().post("/login", REMOTE_ADDR=address)
    request.session = SessionStore()
    try:
        person = authenticate(request, username=name, password=password)
    except PermissionDenied:
        return "locked"
    if person is not None:
        login(request, person)
    return person


@pytest.fixture
def kim(make_person: MakePerson) -> Person:
    return make_person(Role.OPERATOR, username="kim")


def guess_wrong(times: int, address: str = "10.0.0.7") -> None:
    for _ in range(times):
        log_in("kim", "wrong", address)


def test_after_too_many_failures_even_the_right_password_is_refused(kim: Person) -> None:
    guess_wrong(settings.AXES_FAILURE_LIMIT)
    assert log_in("kim", PASSWORD) != kim


def test_one_failure_fewer_locks_nobody(kim: Person) -> None:
    guess_wrong(settings.AXES_FAILURE_LIMIT - 1)
    assert log_in("kim", PASSWORD) == kim


def test_a_guesser_elsewhere_does_not_lock_the_person_out(kim: Person) -> None:
    guess_wrong(settings.AXES_FAILURE_LIMIT + 3, address="203.0.113.9")
    assert log_in("kim", PASSWORD) == kim


def test_another_name_at_the_same_address_is_not_locked(kim: Person, make_person: MakePerson) -> None:
    lee = make_person(Role.OPERATOR, username="lee")
    guess_wrong(settings.AXES_FAILURE_LIMIT)
    assert log_in("lee", PASSWORD) == lee


def test_a_success_forgets_the_failures_before_it(kim: Person) -> None:
    for _ in range(3):
        guess_wrong(settings.AXES_FAILURE_LIMIT - 1)
        assert log_in("kim", PASSWORD) == kim


@pytest.mark.parametrize(
    ("by", "parameters"),
    [("name_and_address", [["username", "ip_address"]]), ("name", ["username"]), ("address", ["ip_address"])],
)
def test_what_is_locked_can_be_chosen(by: str, parameters: list[object]) -> None:
    import msgspec

    config = msgspec.convert({"lockout_by": by}, IdentityConfig)
    assert config.lockout_parameters == parameters
