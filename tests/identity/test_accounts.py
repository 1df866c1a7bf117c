"""Accounts, their roles and their passwords; tokens as they are issued."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth import authenticate
from django.test import RequestFactory

from madang.identity.actors import actor_of_person, actor_of_token
from madang.identity.commands import add_city, create_account, issue_token, revoke_token
from madang.identity.models import Agency, Authority, Person, Token, TokenKind
from madang.identity.rights import Right, Role, Thing, may, system_actor
from madang.identity.scopes import read_scopes
from madang.journal import civic
from madang.kernel.errors import BadRequestError, ConflictError, ForbiddenError, NotFoundError
from tests.conftest import PASSWORD, MakePerson

NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
CLI = system_actor("48250", "cli")


def account(**changes: Any) -> Person:  # Any: whatever the test changes
    values: dict[str, Any] = {
        "authority": "48250",
        "username": "kim",
        "password": PASSWORD,
        "name": "김관제",
        "roles": [Role.OPERATOR],
        "now": NOW,
    }
    with civic.transaction() as tx:
        return create_account(tx, changes.pop("actor", CLI), **(values | changes))


def test_a_new_account_can_log_in_and_do_what_its_roles_say(authority: Authority) -> None:
    person = account(roles=[Role.OPERATOR, Role.CITY_OFFICER])
    assert authenticate(RequestFactory().post("/"), username="kim", password=PASSWORD) == person
    actor = actor_of_person(person)
    assert actor.id == f"person:{person.pk}"
    assert may(actor, Right.WORK_INCIDENT, Thing("48250"))
    assert may(actor, Right.IMPORT_DATA, Thing("48250"))
    assert not may(actor, Right.APPROVE_GRANT, Thing("48250"))


def test_a_deactivated_person_may_do_nothing(authority: Authority) -> None:
    person = account()
    person.is_active = False
    assert actor_of_person(person).authorities == frozenset()


@pytest.mark.parametrize("flag", ["is_superuser", "is_staff"])
def test_djangos_own_flags_open_no_door(authority: Authority, flag: str) -> None:
    person = account(roles=[])
    setattr(person, flag, True)
    assert not any(may(actor_of_person(person), right, Thing("48250")) for right in Right)


@pytest.mark.parametrize("password", ["short", "1234567890123", "password123", "kimkimkimkim"])
def test_a_weak_password_is_refused_with_the_rule_it_breaks(authority: Authority, password: str) -> None:
    with pytest.raises(BadRequestError, match="too weak"):
        account(password=password, username="kimkimkim")
    assert not Person.objects.exists()


@pytest.mark.parametrize("role", [Role.DEVICE, Role.API_CLIENT, Role.AGENCY_SYSTEM])
def test_a_persons_role_is_one_for_people(authority: Authority, role: Role) -> None:
    with pytest.raises(BadRequestError, match="not a role for a person"):
        account(roles=[role])


def test_a_police_liaison_belongs_to_an_agency(authority: Authority) -> None:
    with pytest.raises(BadRequestError, match="belongs to an agency"):
        account(roles=[Role.POLICE_LIAISON])


def test_a_name_is_taken_once(authority: Authority) -> None:
    account()
    with pytest.raises(ConflictError, match="kim"):
        account()


def test_only_who_manages_accounts_makes_them(authority: Authority, make_person: MakePerson) -> None:
    supervisor = actor_of_person(make_person(Role.SUPERVISOR))
    with pytest.raises(ForbiddenError):
        account(actor=supervisor)


def test_nobody_manages_accounts_of_another_city(authority: Authority, other_authority: Authority) -> None:
    with pytest.raises(NotFoundError):
        account(authority=other_authority.code)


def test_an_agency_of_another_city_is_not_found(authority: Authority, other_authority: Authority) -> None:
    Agency.objects.create(code="busan-police", authority=other_authority, kind="police", name_ko="부산")
    with pytest.raises(NotFoundError, match="busan-police"):
        account(roles=[Role.POLICE_LIAISON], agency="busan-police")


def test_every_deed_leaves_an_audit_row_that_names_the_actor(authority: Authority) -> None:
    with civic.transaction() as tx:
        before = tx.execute("SELECT count(*) FROM journal_audit")[0][0]
    account()
    with civic.transaction() as tx:
        rows = tx.execute("SELECT actor, action FROM journal_audit ORDER BY seq DESC LIMIT ?", [1])
        after = tx.execute("SELECT count(*) FROM journal_audit")[0][0]
    assert after == before + 1
    assert rows == [("system:cli", "person.added")]


def test_a_city_is_added_once_and_changed_after(db: None) -> None:
    for name in ("김해", "김해시"):
        with civic.transaction() as tx:
            add_city(tx, CLI, code="48250", name_ko=name, name_en="Gimhae", lon=128.889, lat=35.228, now=NOW)
    assert [city.name_ko for city in Authority.objects.filter(code="48250")] == ["김해시"]


def issue(**changes: Any) -> tuple[str, Token]:  # Any: whatever the test changes
    values: dict[str, Any] = {
        "authority": "48250",
        "kind": TokenKind.DEVICE,
        "name": "대기 측정소",
        "types": read_scopes(["write:AirQualityObserved"]),
        "lives": timedelta(days=30),
        "longest": timedelta(days=365),
        "now": NOW,
    }
    with civic.transaction() as tx:
        return issue_token(tx, CLI, **(values | changes))


def test_an_issued_token_holds_until_it_ends_or_is_revoked(authority: Authority) -> None:
    raw, token = issue()
    assert actor_of_token(raw, NOW + timedelta(days=29)) is not None
    assert actor_of_token(raw, NOW + timedelta(days=30)) is None
    with civic.transaction() as tx:
        revoke_token(tx, CLI, token=token, now=NOW)
    assert actor_of_token(raw, NOW) is None


@pytest.mark.parametrize("days", [0, -1, 366])
def test_a_token_lives_no_longer_than_the_city_allows(authority: Authority, days: int) -> None:
    with pytest.raises(BadRequestError, match="365"):
        issue(lives=timedelta(days=days))
