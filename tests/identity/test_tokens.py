"""Tokens of devices and programs."""

from datetime import UTC, datetime, timedelta
from importlib import import_module

import pytest
from django.apps import apps

from madang.identity.actors import actor_of_token, actor_today, new_secret
from madang.identity.models import Authority, Token
from madang.identity.rights import Right, Thing, may

NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)


def keep(authority: Authority, **fields: object) -> tuple[str, Token]:
    raw, lookup, hashed = new_secret()
    values: dict[str, object] = {"kind": "device", "name": "매연 측정기", "scopes": []} | fields
    return raw, Token.objects.create(authority=authority, lookup=lookup, hashed=hashed, **values)


def test_a_token_opens_only_the_types_it_was_given(authority: Authority) -> None:
    raw, _ = keep(authority, scopes=["create:AirQualityObserved", "update:AirQualityObserved"])
    actor = actor_of_token(raw, NOW)
    assert actor is not None
    assert may(actor, Right.INGEST, Thing(authority.code, entity_type="AirQualityObserved"))
    assert (
        may(actor, Right.INGEST, Thing(authority.code, entity_type="TrafficFlowObserved")).reason == "type_not_granted"
    )


def test_the_secret_itself_is_nowhere_in_the_row(authority: Authority) -> None:
    raw, token = keep(authority)
    secret = raw.split("_", 2)[2]
    assert all(secret not in str(value) for value in Token.objects.filter(pk=token.pk).values_list()[0])


@pytest.mark.parametrize("change", [{"expires_at": NOW}, {"revoked_at": NOW - timedelta(days=1)}])
def test_an_ended_token_is_nobody(authority: Authority, change: dict[str, datetime]) -> None:
    raw, token = keep(authority)
    assert actor_of_token(raw, NOW - timedelta(days=2)) is not None
    Token.objects.filter(pk=token.pk).update(**change)
    assert actor_of_token(raw, NOW) is None


@pytest.mark.parametrize("raw", ["", "mdg", "mdg_a_b", "mdg__", "mdg_é_é", "_" * 5, "mdg_" + "x" * 100_000])
def test_what_is_not_a_token_is_nobody(db: None, raw: str) -> None:
    assert actor_of_token(raw, NOW) is None


def test_the_right_name_with_a_wrong_secret_is_nobody(authority: Authority) -> None:
    raw, _ = keep(authority)
    assert actor_of_token(raw[:-1] + ("a" if raw[-1] != "a" else "b"), NOW) is None


def test_tokens_made_before_there_were_scopes_open_exactly_what_they_did(authority: Authority) -> None:
    rules = [
        {"entity_type": "AirQualityObserved", "read": False, "write": True},
        {"entity_type": "*", "read": True, "write": False},
        {"entity_type": "Nothing", "read": False, "write": False},
    ]
    raw, _ = keep(authority, kind="api", scopes=rules)
    import_module("madang.identity.migrations.0002_scopes_and_clients").rules_to_scopes(apps, None)
    actor = actor_of_token(raw, NOW)
    assert actor is not None

    def opens(right: Right, entity_type: str) -> bool:
        return bool(may(actor, right, Thing(authority.code, entity_type=entity_type)))

    for right in (Right.HUB_CREATE, Right.HUB_UPDATE, Right.HUB_DELETE):
        assert opens(right, "AirQualityObserved")
        assert not opens(right, "Weather")
    assert opens(Right.HUB_READ, "Weather")
    assert not opens(Right.HUB_HISTORY, "Weather")


def test_an_actor_is_found_by_its_recorded_id_as_it_stands_today(authority: Authority) -> None:
    raw, token = keep(authority, kind="api", scopes=["read:Sensor"])
    actor = actor_of_token(raw, NOW)
    assert actor is not None
    assert actor_today(actor.id, authority.code, NOW) == actor
    Token.objects.filter(pk=token.pk).update(revoked_at=NOW)
    assert actor_today(actor.id, authority.code, NOW) is None


@pytest.mark.parametrize("actor_id", ["", "open", "token:none", "client:none", "agency:none", "person:0", "system:x"])
def test_who_is_not_known_stands_for_nobody_today(authority: Authority, actor_id: str) -> None:
    assert actor_today(actor_id, authority.code, NOW) is None
