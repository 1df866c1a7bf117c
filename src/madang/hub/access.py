"""Who may do what at the hub's doors: tenants bound to the credential, rights by type, owned types closed to others."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Collection, Iterable

from madang.hub.changes import Mutation, Outcome, Stored
from madang.hub.errors import (
    AccessRefusedError,
    BadRequestDataError,
    NgsiLdError,
    NonexistentTenantError,
    NotAuthenticatedError,
)
from madang.identity.rights import Actor, ActorKind, Right, Thing, TypeRight, deeds_needed, may, names_type
from madang.identity.scopes import scope_words

_REMEMBERED = 1_000
_VERBS = {
    Right.HUB_READ: "read",
    Right.HUB_HISTORY: "read the history of",
    Right.HUB_CREATE: "create",
    Right.HUB_UPDATE: "update",
    Right.HUB_DELETE: "delete",
    Right.HUB_SUBSCRIBE: "subscribe to",
    Right.INGEST: "send readings for",
}
_TYPELESS = {Right.HUB_CONTEXTS: "host or remove an @context", Right.HUB_PARKED: "handle parked notifications"}
_SEEING = frozenset({Right.HUB_READ, Right.HUB_HISTORY, Right.HUB_SUBSCRIBE})
"""Rights that change no entity: they hold for types owned by a room too, where the type was given by name."""


class Access:
    """What one asker may do in one tenant. `actor` None stands for the open mode."""

    __slots__ = ("_actor", "_authority", "_owned", "_reads", "_verdicts", "source", "tenant")

    def __init__(self, actor: Actor | None, authority: str, owned: Collection[str]) -> None:
        self._actor = actor
        self._authority = authority
        self._owned = owned
        self._verdicts: dict[tuple[Right, str], bool] = {}
        self._reads: dict[str, bool] = {}
        self.tenant = authority.lower()
        self.source = actor.id if actor is not None else "open"

    def bearer(self) -> tuple[Actor | None, str, Collection[str]]:
        """Who asks, in which city, and the types owned by rooms: what an `Access` is made of again."""
        return self._actor, self._authority, self._owned

    def may(self, right: Right, entity_type: str) -> bool:
        """Whether the asker may exercise a right on entities of a (canonical) type."""
        verdict = self._verdicts.get((right, entity_type))
        if verdict is None:
            verdict = self._judge(right, entity_type)
            if len(self._verdicts) < _REMEMBERED:
                self._verdicts[right, entity_type] = verdict
        return verdict

    def reads(self, entity_type: str) -> bool:
        """`may` read: asked by every request, so without making and hashing a pair (0.4 µs, measured)."""
        verdict = self._reads.get(entity_type)
        if verdict is None:
            verdict = self._judge(Right.HUB_READ, entity_type)
            if len(self._reads) < _REMEMBERED:
                self._reads[entity_type] = verdict
        return verdict

    def _judge(self, right: Right, entity_type: str) -> bool:
        if entity_type in self._owned and right not in _SEEING:
            return False
        if self._actor is None:
            return True
        if entity_type in self._owned and self._actor.kind is ActorKind.TOKEN:
            named = names_type(self._actor, right, entity_type)
            return named and bool(may(self._actor, right, Thing(self._authority, entity_type=entity_type)))
        return bool(may(self._actor, right, Thing(self._authority, entity_type=entity_type)))

    def refusal(self, right: Right, types: Iterable[str]) -> NgsiLdError | None:
        """Why a right does not hold for all of these types, or None."""
        for one in types:
            if not self.may(right, one):
                return self._refused(right, one)
        return None

    def require(self, right: Right, types: Iterable[str] = ("*",)) -> None:
        """Raises unless a right holds for all of these types; without any, for everything that no room owns."""
        if (refusal := self.refusal(right, types)) is not None:
            raise refusal

    def refusal_of_stored(self, right: Right, types: Iterable[str]) -> NgsiLdError | None:
        """Why a right does not hold for an entity that is there; what it is, is told only to who may know."""
        types = tuple(types)
        refusal = self.refusal(right, types)
        if refusal is None or any(self.sees(types, one) for one in (Right.HUB_READ, Right.HUB_HISTORY, right)):
            return refusal
        error = AccessRefusedError(
            f"This credential may not {_VERBS[right]} entities of this entity's type",
            where="type",
            hint="Ask the administrator to grant it to the token or client",
        )
        error.challenge = 'Bearer realm="madang", error="insufficient_scope"'
        return error

    def _refused(self, right: Right, entity_type: str) -> NgsiLdError:
        if right not in _SEEING and entity_type in self._owned:
            return AccessRefusedError(
                f"{entity_type} belongs to a room of the platform and is written only by it", where="type"
            )
        what = _TYPELESS.get(right) or f"{_VERBS[right]} entities of {'any' if entity_type == '*' else 'this'} type"
        shown = "" if entity_type == "*" else f": {entity_type[:200]}"
        error = AccessRefusedError(
            f"This credential may not {what}{shown}",
            where="type",
            hint="Ask the administrator to grant it to the token or client",
        )
        scope = " ".join(scope_words([TypeRight(entity_type[:200], deeds_needed(right))]))
        error.challenge = f'Bearer realm="madang", error="insufficient_scope", scope="{scope}"'
        return error

    def sees(self, types: Iterable[str], right: Right = Right.HUB_READ) -> bool:
        """Whether an entity of these types may be read: one readable type is enough."""
        if right is Right.HUB_READ:
            return any(map(self.reads, types))
        return any(self.may(right, one) for one in types)

    def readable(self, known: Iterable[str], right: Right = Right.HUB_READ) -> list[str] | None:
        """The types that may be read among those known, or None when nothing is held back."""
        known = list(known)
        seen = [one for one in known if self.may(right, one)]
        return None if len(seen) == len(known) and seen else seen

    def sees_all(self, right: Right = Right.HUB_READ) -> bool:
        """Whether entities of every type may be read, those that rooms own among them."""
        return self.sees(("*",), right) and all(self.may(right, one) for one in self._owned)

    def guarded(
        self, mutation: Mutation, right: Right = Right.HUB_UPDATE, *, creates: Collection[str] | None = None
    ) -> Mutation:
        """The same mutation, refused inside the writer when what is stored is of a type closed to the asker.

        `creates` are the types that come to be where nothing is stored: that asks for the right to create them.
        """
        inner = mutation.change

        def change(current: Stored | None, at_ms: int) -> Outcome:
            if current is not None:
                refusal = self.refusal_of_stored(right, current.types)
            else:
                refusal = self.refusal(Right.HUB_CREATE, creates) if creates is not None else None
            return inner(current, at_ms) if refusal is None else refusal

        return Mutation(mutation.entity_id, change, mutation.shapes)


class Gate:
    """Turns credentials and the tenant header into an `Access`."""

    def __init__(self, owned: Collection[str], open_tenant: str | None) -> None:
        self._owned = frozenset(owned)
        self._open_tenant = open_tenant
        self._open: dict[str, Access] = {}
        self._known: dict[tuple[int, bytes], tuple[Actor, Access]] = {}

    @property
    def is_open(self) -> bool:
        """Whether anybody on this machine may ask."""
        return self._open_tenant is not None

    def open_access(self, header: bytes, exists: Callable[[str], bool], writing: bool) -> Access:
        """Open mode: the header selects; reading a tenant that is not there is refused (clause 6.3.14)."""
        tenant = header.decode("ascii", "replace").lower() if header else str(self._open_tenant)
        if not tenant.isidentifier() and not tenant.replace("-", "").replace("_", "").isalnum():
            raise BadRequestDataError("NGSILD-Tenant is not a tenant's name", where="NGSILD-Tenant")
        if header and not writing and not exists(tenant):
            raise NonexistentTenantError(f"There is no tenant {tenant}", where="NGSILD-Tenant")
        return self._open.setdefault(tenant, Access(None, tenant, self._owned))

    def access(self, actor: Actor | None, header: bytes, *, shown: bool = False) -> Access:
        """The asker's tenant: the one named, which must be theirs, or their only one.

        `shown` says that a credential came, which then does not hold.
        """
        if actor is None:
            raise _unknown(shown)
        known = self._known.get((id(actor), header))
        if known is not None and known[0] is actor:
            return known[1]
        access = Access(actor, self._authority(actor, header), self._owned)
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        self._known[id(actor), header] = (actor, access)
        return access

    @staticmethod
    def _authority(actor: Actor, header: bytes) -> str:
        theirs = {code.lower(): code for code in actor.authorities}
        if header:
            asked = header.decode("utf-8", "replace").lower()
            if asked not in theirs:
                raise NonexistentTenantError(f"There is no tenant {asked[:80]} for you", where="NGSILD-Tenant")
            return theirs[asked]
        if len(theirs) != 1:
            raise BadRequestDataError(
                "This credential belongs to several tenants" if theirs else "This credential belongs to no tenant",
                where="NGSILD-Tenant",
                hint="Name one in the NGSILD-Tenant header",
            )
        return next(iter(theirs.values()))


def _unknown(shown: bool) -> NotAuthenticatedError:
    """Nobody: without a credential, or with one that is unknown, expired or revoked (RFC 6750 §3)."""
    if not shown:
        return NotAuthenticatedError("The hub needs a credential", hint="Authorization: Bearer <token>")
    error = NotAuthenticatedError("The credential is unknown, has expired or was revoked", hint="Get a new one")
    error.challenge += ', error="invalid_token"'
    return error


def is_loopback(host: str) -> bool:
    """Whether a host text is this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
