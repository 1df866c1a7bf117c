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
from madang.identity.rights import Actor, ActorKind, Right, Thing, may

_REMEMBERED = 1_000


class Access:
    """What one asker may do in one tenant. `actor` None stands for the open mode."""

    __slots__ = ("_actor", "_authority", "_owned", "_verdicts", "source", "tenant")

    def __init__(self, actor: Actor | None, authority: str, owned: Collection[str]) -> None:
        self._actor = actor
        self._authority = authority
        self._owned = owned
        self._verdicts: dict[tuple[Right, str], bool] = {}
        self.tenant = authority.lower()
        self.source = actor.id if actor is not None else "open"

    def may(self, right: Right, entity_type: str) -> bool:
        """Whether the asker may exercise a right on entities of a (canonical) type."""
        verdict = self._verdicts.get((right, entity_type))
        if verdict is None:
            verdict = self._judge(right, entity_type)
            if len(self._verdicts) < _REMEMBERED:
                self._verdicts[right, entity_type] = verdict
        return verdict

    def _judge(self, right: Right, entity_type: str) -> bool:
        if right is not Right.HUB_READ and entity_type in self._owned:
            return False
        if self._actor is None:
            return True
        if entity_type in self._owned and self._actor.kind is ActorKind.TOKEN:
            named = any(rule.entity_type == entity_type and rule.read for rule in self._actor.types)
            return named and bool(may(self._actor, right, Thing(self._authority, entity_type=entity_type)))
        return bool(may(self._actor, right, Thing(self._authority, entity_type=entity_type)))

    def refusal(self, right: Right, types: Iterable[str]) -> NgsiLdError | None:
        """Why a right does not hold for all of these types, or None."""
        for one in types:
            if not self.may(right, one):
                return self._refused(right, one)
        return None

    def _refused(self, right: Right, entity_type: str) -> NgsiLdError:
        if right is not Right.HUB_READ and entity_type in self._owned:
            return AccessRefusedError(
                f"{entity_type} belongs to a room of the platform and is written only by it", where="type"
            )
        verb = "read" if right is Right.HUB_READ else "write"
        return AccessRefusedError(
            f"This credential may not {verb} entities of type {entity_type}",
            where="type",
            hint="Ask the administrator to grant the type to the token",
        )

    def sees(self, types: Iterable[str]) -> bool:
        """Whether an entity of these types may be read: one readable type is enough."""
        for one in types:  # noqa: SIM110 -- any() costs a generator, and this is on the path of every retrieve
            if self.may(Right.HUB_READ, one):
                return True
        return False

    def readable(self, known: Iterable[str]) -> list[str] | None:
        """The types that may be read among those known, or None when nothing is held back."""
        known = list(known)
        seen = [one for one in known if self.may(Right.HUB_READ, one)]
        return None if len(seen) == len(known) and seen else seen

    def guarded(self, mutation: Mutation, right: Right = Right.HUB_WRITE) -> Mutation:
        """The same mutation, refused inside the writer when what is stored is of a type closed to the asker."""
        inner = mutation.change

        def change(current: Stored | None, at_ms: int) -> Outcome:
            if current is not None and (refusal := self.refusal(right, current.types)) is not None:
                return refusal
            return inner(current, at_ms)

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

    def access(self, actor: Actor | None, header: bytes) -> Access:
        """The asker's tenant: the one named, which must be theirs, or their only one."""
        if actor is None:
            raise NotAuthenticatedError("The hub needs a credential", hint="Authorization: Bearer <token>")
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


def is_loopback(host: str) -> bool:
    """Whether a host text is this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
