"""What tests of every room share: two cities, people of any role, the platform's keys, a real SQLite file."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Protocol

import pytest
from django.conf import settings
from django.db import connections
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from madang.identity.models import Agency, Authority, Person, RoleAssignment
from madang.identity.rights import Role
from madang.kernel.keyring import Keyring
from tests.site.serving import Installation, install, seed

PASSWORD = "correct horse battery staple"

hypothesis_settings.register_profile(
    "madang",
    deadline=None,
    max_examples=50 if os.environ.get("CI") else 100,  # every run draws others; two cores have twenty minutes
    suppress_health_check=[HealthCheck.too_slow],
)
hypothesis_settings.load_profile("madang")
"""A busy machine makes no promise untrue."""


@pytest.fixture(scope="session", autouse=True)
def _quick_passwords() -> None:
    """Hashing a password is meant to be slow; a test that logs in need not wait for it."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture(scope="session")
def django_db_modify_db_settings(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The civic test store is a file of its own, as in production: an in-memory one locks differently."""
    connections["default"].settings_dict["TEST"]["NAME"] = str(tmp_path_factory.mktemp("civic") / "civic.sqlite3")


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """A new city with one operator, `kim`, on disk: for tests of real processes to copy, never used itself."""
    home = install(tmp_path_factory.mktemp("template") / "city")
    seed(home)
    return home


@pytest.fixture
def keyring() -> Keyring:
    """The key material the settings were loaded with."""
    keys = settings.MADANG_KEYS
    assert isinstance(keys, Keyring)
    return keys


@pytest.fixture
def authority(db: None) -> Authority:
    """The city under test."""
    return Authority.objects.get_or_create(
        code="48250", defaults={"name_ko": "김해시", "name_en": "Gimhae", "lon": 128.889, "lat": 35.228}
    )[0]


@pytest.fixture
def other_authority(db: None) -> Authority:
    """A neighbour whose rows must never show."""
    return Authority.objects.get_or_create(
        code="26440", defaults={"name_ko": "부산 강서구", "name_en": "Busan Gangseo", "lon": 128.98, "lat": 35.21}
    )[0]


class MakePerson(Protocol):
    """Creates a person with one role in one city (the city under test unless told otherwise)."""

    def __call__(
        self, role: Role | str, *, authority: Authority | None = None, agency: Agency | None = None, username: str = ""
    ) -> Person: ...


@pytest.fixture
def make_person(authority: Authority) -> MakePerson:
    """A maker of people who log in with `PASSWORD`."""
    home = authority

    def make(
        role: Role | str, *, authority: Authority | None = None, agency: Agency | None = None, username: str = ""
    ) -> Person:
        city = authority or home
        name = username or f"{Role(role).value}-{Person.objects.count() + 1}"
        person = Person.objects.create_user(
            username=name, password=PASSWORD, name_ko=name, authority=city, agency=agency
        )
        RoleAssignment.objects.create(person=person, role=Role(role).value, authority=city)
        return person

    return make


@pytest.fixture
def make_agency(authority: Authority) -> Callable[..., Agency]:
    """A maker of agencies of the city under test."""

    def make(code: str = "gimhae-police", *, kind: str = "police", mode: str = "simulated") -> Agency:
        return Agency.objects.get_or_create(
            code=code, defaults={"authority": authority, "kind": kind, "name_ko": "김해 경찰 112", "mode": mode}
        )[0]

    return make
