"""What can be done to accounts, agencies and tokens; each leaves an audit row in the same transaction."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError

from madang.identity.access import require
from madang.identity.actors import digest_of, new_secret
from madang.identity.keys import algorithm_of
from madang.identity.models import (
    HUMAN_ROLES,
    Agency,
    AgencyKey,
    AgencyKind,
    Authority,
    Client,
    ClientGrant,
    Person,
    RoleAssignment,
    Token,
    TokenKind,
)
from madang.identity.rights import Actor, Right, Role, Thing, TypeRight
from madang.identity.scopes import MAX_CHARS, scope_words
from madang.journal import civic
from madang.journal.session import Session
from madang.kernel.errors import BadRequestError, ConflictError, NotFoundError
from madang.kernel.mode import Mode


def add_city(
    tx: Session, actor: Actor, *, code: str, name_ko: str, name_en: str, lon: float, lat: float, now: datetime
) -> Authority:
    """Adds a city, or changes its names and where its map opens."""
    require(actor, Right.MANAGE_ACCOUNTS, Thing(code))
    values = {"name_ko": name_ko, "name_en": name_en, "lon": lon, "lat": lat}
    city, _ = Authority.objects.update_or_create(code=code, defaults=values)
    _audit(tx, actor, code, "authority.set", f"authority:{code}", now, values)
    return city


def create_account(
    tx: Session,
    actor: Actor,
    *,
    authority: str,
    username: str,
    password: str,
    name: str,
    roles: Sequence[Role],
    agency: str = "",
    now: datetime,
) -> Person:
    """Makes an account with its roles in one city. Raises `BadRequestError` for a weak password or an unfit role."""
    require(actor, Right.MANAGE_ACCOUNTS, Thing(authority))
    city = city_named(authority)
    seconded_by = agency_named(agency, authority) if agency else None
    _check_roles(roles, agency)
    if Person.objects.filter(username=username).exists():
        raise ConflictError(f"there is an account {username!r} already", ko="이미 있는 계정 이름입니다.")
    person = Person(username=username, name_ko=name, authority=city, agency=seconded_by)
    set_password(person, password)
    person.save()
    RoleAssignment.objects.bulk_create(
        RoleAssignment(person=person, role=role.value, authority=city) for role in dict.fromkeys(roles)
    )
    body = {"username": username, "roles": [role.value for role in roles], "agency": agency}
    _audit(tx, actor, authority, "person.added", f"person:{person.pk}", now, body)
    return person


def set_password(person: Person, password: str) -> None:
    """Sets a password that the rules allow; raises `BadRequestError` with each rule it breaks. Does not save."""
    try:
        validate_password(password, person)
    except ValidationError as error:
        raise BadRequestError("the password is too weak: " + " ".join(error.messages), where="password") from None
    person.set_password(password)


def _check_roles(roles: Sequence[Role], agency: str) -> None:
    unfit = [role.value for role in roles if role not in HUMAN_ROLES]
    if unfit:
        raise BadRequestError(f"{', '.join(unfit)}: not a role for a person", where="roles")
    if Role.POLICE_LIAISON in roles and not agency:
        raise BadRequestError("a police liaison belongs to an agency; name it", where="agency")


def add_agency(
    tx: Session,
    actor: Actor,
    *,
    authority: str,
    code: str,
    kind: AgencyKind,
    name_ko: str,
    name_en: str = "",
    endpoint_url: str = "",
    mode: Mode,
    now: datetime,
) -> Agency:
    """Links an outside agency to a city; raises `ConflictError` for a code already taken."""
    require(actor, Right.MANAGE_AGENCIES, Thing(authority))
    if Agency.objects.filter(code=code).exists():
        raise ConflictError(f"there is an agency {code!r} already", ko="이미 있는 기관 코드입니다.")
    values = {"kind": kind.value, "name_ko": name_ko, "name_en": name_en, "endpoint_url": endpoint_url}
    agency = Agency.objects.create(code=code, authority=city_named(authority), mode=mode.value, **values)
    _audit(tx, actor, authority, "agency.added", f"agency:{code}", now, {**values, "mode": mode.value})
    return agency


def add_key(
    tx: Session,
    actor: Actor,
    *,
    agency: Agency,
    key_id: str,
    public_pem: str,
    not_before_at: datetime,
    not_after_at: datetime | None = None,
    now: datetime,
) -> AgencyKey:
    """Adds a public key beside those an agency has; the algorithm is read from the key itself."""
    require(actor, Right.MANAGE_AGENCIES, Thing(agency.authority_id))
    if not_after_at is not None and not_after_at <= not_before_at:
        raise BadRequestError("a key must end after it begins", where="not_after_at")
    if AgencyKey.objects.filter(key_id=key_id).exists():
        raise ConflictError(f"there is a key {key_id!r} already; keys are never replaced, add one by another id")
    key = AgencyKey.objects.create(
        agency=agency,
        key_id=key_id,
        algorithm=algorithm_of(public_pem),
        public_pem=public_pem.strip() + "\n",
        not_before_at=not_before_at,
        not_after_at=not_after_at,
    )
    _audit(tx, actor, agency.authority_id, "agency_key.added", f"agency_key:{key_id}", now, {"agency": agency.code})
    return key


def revoke_key(tx: Session, actor: Actor, *, key: AgencyKey, now: datetime) -> None:
    """Ends a key at once and for good."""
    require(actor, Right.MANAGE_AGENCIES, Thing(key.agency.authority_id))
    if key.revoked_at is None:
        key.revoked_at = now
        key.save(update_fields=["revoked_at"])
        _audit(tx, actor, key.agency.authority_id, "agency_key.revoked", f"agency_key:{key.key_id}", now)


def issue_token(
    tx: Session,
    actor: Actor,
    *,
    authority: str,
    kind: TokenKind,
    name: str,
    types: Iterable[TypeRight],
    lives: timedelta,
    longest: timedelta,
    now: datetime,
) -> tuple[str, Token]:
    """Makes a device or API token; returns the text, which is shown once and kept nowhere, and its row."""
    require(actor, Right.MANAGE_TOKENS, Thing(authority))
    if not timedelta(0) < lives <= longest:
        raise BadRequestError(f"a token lives at most {longest.days} days", where="days")
    words = scope_words(types)
    raw, lookup, hashed = new_secret()
    token = Token.objects.create(
        authority=city_named(authority),
        kind=kind.value,
        name=name,
        scopes=words,
        lookup=lookup,
        hashed=hashed,
        expires_at=now + lives,
    )
    _audit(tx, actor, authority, "token.issued", f"token:{token.pk}", now, {"name": name, "scopes": words})
    return raw, token


def revoke_token(tx: Session, actor: Actor, *, token: Token, now: datetime) -> None:
    """Ends a token; whoever still shows it is nobody, within `TOKEN_MEMORY_S` of the server."""
    require(actor, Right.MANAGE_TOKENS, Thing(token.authority_id))
    if token.revoked_at is None:
        token.revoked_at = now
        token.save(update_fields=["revoked_at"])
        _audit(tx, actor, token.authority_id, "token.revoked", f"token:{token.pk}", now)


def add_client(
    tx: Session,
    actor: Actor,
    *,
    authority: str,
    name: str,
    rights: Iterable[TypeRight],
    lives: timedelta,
    longest: timedelta,
    now: datetime,
) -> tuple[str, Client]:
    """Makes a client with rights in its own city; returns its secret, which is shown once, and its row."""
    require(actor, Right.MANAGE_TOKENS, Thing(authority))
    if not timedelta(0) < lives <= longest:
        raise BadRequestError(f"a client lives at most {longest.days} days", where="days")
    secret = secrets.token_urlsafe(32)
    client = Client.objects.create(
        authority=city_named(authority), name=name, hashed=digest_of(secret), expires_at=now + lives
    )
    _audit(tx, actor, authority, "client.added", f"client:{client.pk}", now, {"name": name})
    allow_client(tx, actor, client=client, authority=authority, rights=rights, now=now)
    return secret, client


def allow_client(
    tx: Session, actor: Actor, *, client: Client, authority: str, rights: Iterable[TypeRight], now: datetime
) -> None:
    """Sets what a client may do in a city one administers; none at all takes the city from it."""
    require(actor, Right.MANAGE_TOKENS, Thing(authority))
    words = scope_words(rights)
    if len(" ".join(words)) > MAX_CHARS:
        raise BadRequestError(f"a client's scopes have at most {MAX_CHARS} characters together", where="scopes")
    if words:
        ClientGrant.objects.update_or_create(client=client, authority=city_named(authority), defaults={"scopes": words})
    else:
        ClientGrant.objects.filter(client=client, authority_id=authority).delete()
    _audit(tx, actor, authority, "client.allowed", f"client:{client.pk}", now, {"scopes": words})


def renew_secret(tx: Session, actor: Actor, *, client: Client, now: datetime) -> str:
    """Gives a client a new secret, shown once; the old one ends, access tokens already issued run out."""
    require(actor, Right.MANAGE_TOKENS, Thing(client.authority_id))
    secret = secrets.token_urlsafe(32)
    client.hashed = digest_of(secret)
    client.save(update_fields=["hashed"])
    _audit(tx, actor, client.authority_id, "client.secret_renewed", f"client:{client.pk}", now)
    return secret


def revoke_client(tx: Session, actor: Actor, *, client: Client, now: datetime) -> None:
    """Ends a client and every access token it holds, within `TOKEN_MEMORY_S` of the server."""
    require(actor, Right.MANAGE_TOKENS, Thing(client.authority_id))
    if client.revoked_at is None:
        client.revoked_at = now
        client.save(update_fields=["revoked_at"])
        _audit(tx, actor, client.authority_id, "client.revoked", f"client:{client.pk}", now)


def client_named(client_id: str) -> Client:
    """The client of that id; raises `NotFoundError`."""
    client = Client.objects.filter(pk=client_id).first()
    if client is None:
        raise NotFoundError(f"there is no client with the id {client_id!r}")
    return client


def city_named(code: str) -> Authority:
    """The city of that code; raises `NotFoundError` naming those there are."""
    city = Authority.objects.filter(code=code).first()
    if city is None:
        known = ", ".join(Authority.objects.values_list("code", flat=True)[:20])
        raise NotFoundError(f"there is no city {code!r}; known: {known or 'none yet (madang city add)'}")
    return city


def agency_named(code: str, authority: str) -> Agency:
    """The agency of that code in that city; raises `NotFoundError`."""
    agency = Agency.objects.filter(code=code, authority_id=authority).first()
    if agency is None:
        raise NotFoundError(f"there is no agency {code!r} in {authority}")
    return agency


def _audit(
    tx: Session,
    actor: Actor,
    authority: str,
    action: str,
    thing: str,
    now: datetime,
    body: dict[str, Any] | None = None,  # Any: JSON values
) -> None:
    civic.audit(
        tx, authority=authority, actor=actor.id, action=action, thing=thing, mode=Mode.LIVE, now=now, body=body or {}
    )
