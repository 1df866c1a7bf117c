"""From a credential to an `Actor`: who is asking, and which roles they hold where."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections import defaultdict
from datetime import datetime
from typing import TYPE_CHECKING

from madang.identity.rights import Actor, ActorKind, Role
from madang.identity.scopes import read_scopes

if TYPE_CHECKING:
    from madang.identity.models import Agency, Person, Token

TOKEN_PREFIX = "mdg"  # noqa: S105 -- marks a token so that leaked ones are found; not a secret
_TOKEN_ROLES = {"device": Role.DEVICE, "api": Role.API_CLIENT}


def person_actor_id(person_id: str) -> str:
    """The id under which a person's deeds are recorded."""
    return f"person:{person_id}"


def actor_of_person(person: Person) -> Actor:
    """The actor a logged-in person is; one who is no longer active holds no role anywhere."""
    roles: defaultdict[str, set[Role]] = defaultdict(set)
    if person.is_active:
        for role, authority in person.role_assignments.values_list("role", "authority_id"):
            roles[authority].add(Role(role))
    return Actor(
        id=person_actor_id(person.pk),
        kind=ActorKind.PERSON,
        name=person.display_name,
        roles={authority: frozenset(held) for authority, held in roles.items()},
        agency=person.agency_id or "",
    )


def actor_of_agency(agency: Agency) -> Actor:
    """The actor an agency's own system is; a switched-off agency holds no role."""
    roles = {agency.authority_id: frozenset({Role.AGENCY_SYSTEM})} if agency.active else {}
    return Actor(
        id=f"agency:{agency.code}", kind=ActorKind.AGENCY, name=agency.name_ko, roles=roles, agency=agency.code
    )


def new_secret() -> tuple[str, str, str]:
    """A fresh token: the text shown once, its public lookup part, and the digest to keep."""
    lookup, secret = secrets.token_hex(8), secrets.token_urlsafe(32)
    return f"{TOKEN_PREFIX}_{lookup}_{secret}", lookup, digest_of(secret)


def actor_of_token(raw: str, now: datetime) -> Actor | None:
    """The actor of a device or API token, or None: unknown, expired and revoked look the same from outside.

    The row is found by the token's public part; the secret part is compared in constant time.
    """
    from madang.identity.models import Token

    parts = raw.split("_", 2)
    if len(parts) != 3 or parts[0] != TOKEN_PREFIX or not raw.isascii():
        return None
    token = Token.objects.filter(lookup=parts[1]).first()
    expected = token.hashed if token is not None else digest_of("")
    if not hmac.compare_digest(expected, digest_of(parts[2])) or token is None:
        return None
    return _actor_of(token) if _holds(token, now) else None


def digest_of(secret: str) -> str:
    """What is kept of a secret: it has 256 random bits, so that a plain digest cannot be turned back."""
    return hashlib.sha256(secret.encode()).hexdigest()


def _holds(token: Token, now: datetime) -> bool:
    return token.revoked_at is None and (token.expires_at is None or now < token.expires_at)


def _actor_of(token: Token) -> Actor:
    role = _TOKEN_ROLES[token.kind]
    return Actor(
        id=f"token:{token.pk}",
        kind=ActorKind.TOKEN,
        name=token.name,
        roles={token.authority_id: frozenset({role})},
        types=read_scopes(token.scopes),
    )


def actor_today(actor_id: str, authority: str, now: datetime) -> Actor | None:
    """An actor as it stands now, by the id it was recorded under: for work that goes on after its request is over.

    None: revoked, expired, deleted, or unknown.
    """
    from madang.identity.models import Agency, Person, Token

    kind, _, key = actor_id.partition(":")
    if kind == "token":
        token = Token.objects.filter(pk=key).first()
        return _actor_of(token) if token is not None and _holds(token, now) else None
    if kind == "client":
        return _client_today(key, authority, now)
    if kind == "person":
        person = Person.objects.filter(pk=key).first()
        return actor_of_person(person) if person is not None else None
    if kind == "agency":
        agency = Agency.objects.filter(code=key).first()
        return actor_of_agency(agency) if agency is not None else None
    return None


def _client_today(client_id: str, authority: str, now: datetime) -> Actor | None:
    from madang.identity.models import ClientGrant

    grants = ClientGrant.objects.select_related("client").filter(client_id=client_id, authority_id=authority)
    grant = grants.first()
    if grant is None or not grant.client.holds_at(now):
        return None
    roles = {grant.authority_id: frozenset({Role.API_CLIENT})}
    return Actor(f"client:{client_id}", ActorKind.TOKEN, grant.client.name, roles, types=read_scopes(grant.scopes))
