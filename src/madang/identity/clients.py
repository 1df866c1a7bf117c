"""From a client's id and secret to an access token, and from an access token to an `Actor`."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from madang.identity.access_tokens import LIFETIME_S, AccessClaims, sign_access
from madang.identity.actors import digest_of
from madang.identity.models import Client, ClientGrant
from madang.identity.rights import Actor, ActorKind, Role, TypeRight
from madang.identity.scopes import MAX_CHARS, BadScopeError, covers, narrowed, read_scopes, scope_words
from madang.journal import civic
from madang.kernel.decisions import Rejected
from madang.kernel.ids import new_id
from madang.kernel.mode import Mode

if TYPE_CHECKING:
    from joserfc.jwk import ECKey


@dataclass(frozen=True, slots=True)
class Asked:
    """A token request as it came: credentials, scope ("" for all that is granted), tenant ("" for the only one)."""

    client_id: str
    secret: str
    scope: str = ""
    tenant: str = ""


@dataclass(frozen=True, slots=True)
class Issued:
    """An access token, what it opens and how long, seconds."""

    token: str
    scope: str
    lives_s: int


def client_of(client_id: str, secret: str, now: datetime) -> Client | None:
    """The client, or None: unknown, wrong, expired and revoked look the same and take the same time."""
    client = Client.objects.filter(pk=client_id[:36]).first()
    expected = client.hashed if client is not None else digest_of("")
    if not hmac.compare_digest(expected, digest_of(secret)) or client is None:
        return None
    return client if client.holds_at(now) else None


def issue_access(key: ECKey, asked: Asked, now: datetime) -> Issued | Rejected:
    """Checks the client and signs a token for one city (RFC 6749 §4.4); every issue and every refusal is audited.

    Rejected codes are those of RFC 6749 §5.2.
    """
    client = client_of(asked.client_id, asked.secret, now)
    if client is None:
        _audit_refusal(asked, now)
        return Rejected("invalid_client", {"why": "the client is unknown or its secret is wrong"})
    grant = _grant(client, asked.tenant)
    if grant is None:
        return Rejected("invalid_request", {"why": "the client belongs to several tenants: name one of them as tenant"})
    rights = _narrowed(grant, asked.scope)
    if isinstance(rights, Rejected):
        return rights
    scope = " ".join(scope_words(rights))
    ends = int(now.timestamp()) + LIFETIME_S
    if client.expires_at is not None:
        ends = min(ends, int(client.expires_at.timestamp()))
    claims = AccessClaims(new_id(), client.pk, grant.authority_id, scope, int(now.timestamp()), ends)
    _audit(client, "client.token_issued", grant.authority_id, now, {"token": claims.token_id, "scope": scope})
    return Issued(sign_access(key, claims), scope, ends - claims.issued_at)


def _grant(client: Client, tenant: str) -> ClientGrant | None:
    """The grant in the city named in any letter case, or the only one there is."""
    grants = list(client.grants.all())
    if tenant:
        grants = [grant for grant in grants if grant.authority_id.lower() == tenant.lower()]
    return grants[0] if len(grants) == 1 else None


def _narrowed(grant: ClientGrant, scope: str) -> tuple[TypeRight, ...] | Rejected:
    allowed = read_scopes(grant.scopes)
    if not scope.strip():
        return allowed
    if len(scope) > MAX_CHARS:
        return Rejected("invalid_scope", {"why": f"a scope has at most {MAX_CHARS} characters"})
    try:
        asked = read_scopes(scope.split())
    except BadScopeError as error:
        return Rejected("invalid_scope", {"why": str(error)})
    rights = narrowed(allowed, asked)
    if not covers(rights, asked):
        return Rejected("invalid_scope", {"why": "the client was not granted all of that scope"})
    return rights


def _audit_refusal(asked: Asked, now: datetime) -> None:
    """A wrong secret for a client there is; for an unknown one no city's chain is concerned."""
    client = Client.objects.filter(pk=asked.client_id[:36]).first()
    if client is not None:
        _audit(client, "client.refused", client.authority_id, now, {})


def _audit(client: Client, action: str, authority: str, now: datetime, body: dict[str, str]) -> None:
    with civic.transaction() as tx:
        civic.audit(
            tx,
            authority=authority,
            actor=f"client:{client.pk}",
            action=action,
            thing=f"client:{client.pk}",
            mode=Mode.LIVE,
            now=now,
            body=body,
        )


def actor_of_access(claims: AccessClaims, now: datetime) -> Actor | None:
    """The actor behind a verified access token: what it says, within what the client is granted today.

    None once the client is revoked or has lost the city.
    """
    grant = (
        ClientGrant.objects.select_related("client")
        .filter(client_id=claims.client_id, authority_id=claims.tenant)
        .first()
    )
    if grant is None or not grant.client.holds_at(now):
        return None
    return Actor(
        id=f"client:{claims.client_id}",
        kind=ActorKind.TOKEN,
        name=grant.client.name,
        roles={grant.authority_id: frozenset({Role.API_CLIENT})},
        types=narrowed(read_scopes(grant.scopes), read_scopes(claims.scope.split())),
    )
