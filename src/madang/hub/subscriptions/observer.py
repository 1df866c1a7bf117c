"""Matching inside the transaction that changes an entity: what is matched is kept with the change, or neither is."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

import msgspec

from madang.hub.access import Access
from madang.hub.changes import Op, Stored
from madang.hub.store import Observed, WriteTx
from madang.hub.subscriptions.happening import Happening
from madang.hub.subscriptions.occurrence import material
from madang.hub.subscriptions.registry import Registry
from madang.hub.subscriptions.subscription import Replayed, Subscription, read_subscription
from madang.identity.rights import Actor
from madang.journal.session import Row, Session
from madang.kernel.ids import new_id

COLUMNS = "number, tenant, id, revision, created_ms, modified_ms, body"
_NEWER = f"SELECT {COLUMNS} FROM subscription WHERE tenant = ? AND revision > ? ORDER BY revision"  # noqa: S608 -- constants
_EVERY = f"SELECT {COLUMNS} FROM subscription ORDER BY revision"  # noqa: S608 -- constants
_REVISION = "SELECT revision FROM subscription_revision WHERE tenant = ?"
_LINKED = (
    "SELECT e.types, e.body, e.created_ms, e.modified_ms, e.version FROM entity e JOIN tenant t ON t.id = e.tenant"
    " WHERE t.code = ? AND e.id = ? AND e.body IS NOT NULL"
)
_INSERT = "INSERT INTO notification VALUES (?, ?, ?, ?, 0, NULL, NULL, ?)"
_QUIET = (
    "UPDATE subscription_state SET quiet_until_ms = ? WHERE number = ? AND quiet_until_ms <= ? RETURNING quiet_until_ms"
)
WAKE = "notifications"


class Kept(msgspec.Struct, kw_only=True):
    """A subscription's row: what the client wrote, the names in it resolved, and in whose name it reads."""

    document: dict[str, Any]  # Any: JSON as it came
    context: Any  # Any: an @context as it came
    names: dict[str, str]
    owner: str
    authority: str
    actor: Actor | None = None
    owned: tuple[str, ...] = ()
    tenant_said: bool = False
    address: str = ""


_DECODER = msgspec.json.Decoder(Kept)
encode_kept = msgspec.json.Encoder().encode
decode_kept = _DECODER.decode


def compiled(row: Row) -> Subscription:
    """A subscription from a row of `COLUMNS` that has a body."""
    number, tenant, _, revision, created_ms, modified_ms, body = row
    kept = _DECODER.decode(body)
    found = read_subscription(kept.document, Replayed(kept.names))
    found.context = kept.document.get("jsonldContext", kept.context)
    found.context_address = kept.address
    found.number, found.revision, found.tenant = number, revision, tenant
    found.created_ms, found.modified_ms = created_ms, modified_ms
    found.owner, found.names, found.tenant_said = kept.owner, kept.names, kept.tenant_said
    found.access = Access(kept.actor, kept.authority, frozenset(kept.owned)) if kept.actor is not None else None
    return found


class Registries:
    """The subscriptions of every tenant as last committed, and the observer that matches changes against them."""

    def __init__(self) -> None:
        self._by_tenant: dict[str, Registry] = {}
        self._by_number: dict[int, Subscription] = {}
        self.hints: deque[int] = deque()
        """Subscriptions that may have something to deliver once a commit is through; appended from any thread."""

    def of(self, tenant: str) -> Registry | None:
        """A tenant's subscriptions, if it ever had one."""
        return self._by_tenant.get(tenant)

    def number(self, number: int) -> Subscription | None:
        """A subscription by its number."""
        return self._by_number.get(number)

    def every(self) -> list[Subscription]:
        """All of them."""
        return [*self._by_number.values()]

    def take(self, rows: Iterable[Row]) -> None:
        """Files committed rows, in the order of their revisions."""
        for row in rows:
            number, tenant, revision = row[0], row[1], row[3]
            registry = self._by_tenant.setdefault(tenant, Registry())
            if row[6] is None:
                registry.remove(number)
                self._by_number.pop(number, None)
            else:
                self._by_number[number] = one = compiled(row)
                registry.put(one)
            registry.revision = max(registry.revision, revision)

    def newer(self, session: Session, tenant: str) -> list[Row]:
        """Rows of a tenant that are newer than what is filed."""
        registry = self._by_tenant.get(tenant)
        return session.execute(_NEWER, (tenant, registry.revision if registry is not None else 0))

    def observe(self, tx: WriteTx, tenant: str, observed: Sequence[Observed]) -> None:
        """See `store.Observer`."""
        found = tx.session.execute(_REVISION, (tenant,))
        if not found:
            return
        registry = self._by_tenant.get(tenant) or Registry()
        newer = self._newest(tx.session, tenant, registry, found[0][0])
        rows = []
        for one in observed:
            if one.effect.op is not Op.LATE:
                rows += self._told(tx, tenant, one, registry, newer)
        if rows:
            tx.session.executemany(_INSERT, rows)
            tx.session.wake(WAKE)
            self.hints.extend(dict.fromkeys(row[0] for row in rows))

    def _newest(self, session: Session, tenant: str, registry: Registry, revision: int) -> Registry | None:
        """Subscriptions changed in this transaction or by another process: matched, but not filed before the commit."""
        if revision <= registry.revision:
            return None
        newest = Registry()
        for row in session.execute(_NEWER, (tenant, registry.revision)):
            if row[6] is None:
                newest.gone.add(row[0])
            else:
                newest.put(compiled(row))
        return newest

    def _told(
        self, tx: WriteTx, tenant: str, observed: Observed, registry: Registry, newer: Registry | None
    ) -> list[Row]:
        standing = observed.after or observed.before
        assert standing is not None
        if not registry.concerns(standing) and (newer is None or not newer.concerns(standing)):
            return []
        happening = Happening(observed, partial(_look, tx.session, tenant))
        matched = registry.matching(happening, tx.at_ms)
        if newer is not None:
            old = newer.by_number.keys() | newer.gone
            matched = [one for one in matched if one.number not in old] + newer.matching(happening, tx.at_ms)
        made: dict[bool, bytes] = {}
        rows = []
        told = new_id()  # once for a change: a fresh one for each notification cost as much as keeping it
        for one in matched:
            if one.throttling_ms and not _let_through(tx, one):
                continue
            if (kept := made.get(one.shown.changes)) is None:
                kept = made[one.shown.changes] = material(happening, changes=one.shown.changes)
            rows.append((one.number, observed.seq, f"urn:ngsi-ld:Notification:{told}:{one.number}", tx.at_ms, kept))
        return rows


def _look(session: Session, tenant: str, entity_id: str) -> Stored | None:
    """A linked entity as this transaction leaves it."""
    for types, body, created_ms, modified_ms, version in session.execute(_LINKED, (tenant, entity_id)):
        raw = body.encode() if isinstance(body, str) else bytes(body)
        return Stored(0, entity_id, tuple(types.split("\n")), raw, {}, created_ms, modified_ms, version)
    return None


def every_row(session: Session) -> list[Row]:
    """Every subscription of the store."""
    return session.execute(_EVERY)


def _let_through(tx: WriteTx, one: Subscription) -> bool:
    """Whether throttling lets another notification come now (clause 5.8.6); notes that it did."""
    return bool(tx.session.execute(_QUIET, (tx.at_ms + one.throttling_ms, one.number, tx.at_ms)))
