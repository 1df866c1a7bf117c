"""Subscriptions as the hub's doors and screens use them: made, changed, listed; their health; what is parked."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from madang.hub.access import Access
from madang.hub.config import HubConfig
from madang.hub.contexts.context import CORE_CONTEXT, Context
from madang.hub.contexts.source import ContextSource
from madang.hub.errors import (
    AlreadyExistsError,
    BadRequestDataError,
    ChangedMeanwhileError,
    NgsiLdError,
    ResourceNotFoundError,
    TooManyResultsError,
)
from madang.hub.outward import Outward
from madang.hub.query import type_names
from madang.hub.sqlite.group import moment_of, ms_of
from madang.hub.store import Store, WriteTx
from madang.hub.subscriptions.clockwork import Clockwork
from madang.hub.subscriptions.delivery import Deliverer
from madang.hub.subscriptions.observer import Kept, Registries, decode_kept, encode_kept, every_row
from madang.hub.subscriptions.occurrence import entity_ids
from madang.hub.subscriptions.subscription import Replayed, Subscription, masked_uri, patched, read_subscription
from madang.identity.rights import Actor, ActorKind, Right
from madang.journal.session import Row, Session
from madang.kernel.clock import Clock
from madang.kernel.errors import ForbiddenError, MadangError, NotFoundError
from madang.kernel.ids import new_id

Json = Any  # Any: JSON as it came
log = logging.getLogger("madang.hub.subscriptions")

CHANGED = "subscriptions"
RIGHTS_S = 30.0
"""How long a subscription may go on with rights that were taken away, seconds."""
_REMEMBERED_MS = 86_400_000
ActorToday = Callable[[str, str], Awaitable[Actor | None]]
_REVISE = (
    "INSERT INTO subscription_revision VALUES (?, 1) ON CONFLICT (tenant) DO UPDATE"
    " SET revision = subscription_revision.revision + 1 RETURNING revision"
)
_FIND = "SELECT number, body, created_ms FROM subscription WHERE tenant = ? AND id = ?"
_STATE = (
    "SELECT s.sent, s.failed, s.dropped, s.notified_ms, s.success_ms, s.failure_ms, s.reason,"
    " (SELECT count(*) FROM notification n WHERE n.subscription = s.number AND n.parked_ms IS NULL),"
    " (SELECT count(*) FROM notification n WHERE n.subscription = s.number AND n.parked_ms IS NOT NULL),"
    " (SELECT min(n.at_ms) FROM notification n WHERE n.subscription = s.number AND n.parked_ms IS NULL), s.number"
    " FROM subscription_state s"
)
_PARKED = (
    "SELECT n.subscription, n.seq, n.id, n.at_ms, n.parked_ms, n.attempts, n.reason, n.material FROM notification n"
    " JOIN subscription s ON s.number = n.subscription WHERE s.tenant = ? AND n.parked_ms IS NOT NULL"
    " ORDER BY n.parked_ms DESC, n.seq LIMIT ?"
)


@dataclass(frozen=True, slots=True)
class State:
    """How deliveries of one subscription went; counts since it was made."""

    sent: int = 0
    failed: int = 0
    dropped: int = 0
    notified_ms: int | None = None
    success_ms: int | None = None
    failure_ms: int | None = None
    reason: str | None = None
    pending: int = 0
    parked: int = 0
    oldest_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Health:
    """One subscription as a person looks after it. `endpoint` holds no password; `state` is `ok`, `failing`, `parked`,
    `paused` or `expired`; `parked` says that some notification waits for a person."""

    id: str
    name: str
    description: str
    endpoint: str
    owner: str
    status: str
    state: str
    pending: int
    parked: int
    dropped: int
    times_sent: int
    times_failed: int
    last_notification_at: datetime | None
    last_success_at: datetime | None
    last_failure_at: datetime | None
    oldest_pending_at: datetime | None
    retry_at: datetime | None
    reason: str
    types: tuple[str, ...]
    interval_s: float | None


@dataclass(frozen=True, slots=True)
class Parked:
    """A notification that waits for a person. `key` names it to `retry` and `give_up`."""

    key: str
    subscription_id: str
    notification_id: str
    endpoint: str
    at: datetime
    parked_at: datetime
    attempts: int
    reason: str
    entity_ids: tuple[str, ...]


class Subscriptions:
    """The room. Tenants are given casefolded."""

    def __init__(self, store: Store, contexts: ContextSource, config: HubConfig, clock: Clock) -> None:
        self._store, self._config, self._clock = store, config, clock
        self._contexts = contexts
        self._outward = Outward(config.outward_allow)
        self._registries = Registries()
        self._deliverer = Deliverer(store, self._registries, contexts, config, clock)
        self._clockwork = Clockwork(store, self._registries, clock)
        self._observing = False
        self._filing = asyncio.Lock()
        self._stop_listening: Callable[[], None] | None = None
        self._following: set[asyncio.Task[None]] = set()
        self._watching: asyncio.Task[None] | None = None
        self.actor_today: ActorToday | None = None
        """Who a subscriber is today (actor id, authority → actor or None); set by whoever knows the accounts. Where it
        is not set, subscriptions keep the rights they were made with."""

    async def open(self) -> None:
        """Reads what is kept and begins to match and to deliver."""
        rows = await self._store.read(every_row)
        dialect = await self._store.read(lambda session: session.dialect)
        self._registries.take(rows)
        if rows or dialect != "sqlite":
            self._observe()
        proven = await self._store.read(
            lambda session: session.execute("SELECT number FROM subscription_state WHERE success_ms IS NOT NULL")
        )
        self._stop_listening = self._store.listen(CHANGED, self._follow_soon)
        await self._forget_deleted()
        self._deliverer.start((number for (number,) in proven), alone=dialect == "sqlite")
        self._clockwork.start()
        self._watching = asyncio.get_running_loop().create_task(self._watch_rights())

    async def _forget_deleted(self) -> None:
        """Drops the rows of subscriptions deleted long ago: every process has heard of it."""
        gone = "DELETE FROM subscription WHERE body IS NULL AND modified_ms < ?"
        there = "SELECT 1 FROM subscription WHERE body IS NULL AND modified_ms < ? LIMIT 1"
        before_ms = self._now_ms() - _REMEMBERED_MS
        if await self._store.read(lambda session: session.execute(there, (before_ms,))):
            await self._store.write(lambda tx: tx.session.execute(gone, (before_ms,)))

    async def _watch_rights(self) -> None:
        while True:
            try:
                await self.review_rights()
            except Exception:  # a guard: without it revoked subscribers would be told for ever
                log.exception("the rights of subscribers could not be looked up; trying again")
            await asyncio.sleep(RIGHTS_S)

    async def review_rights(self) -> None:
        """Looks up what every subscriber may read today; one who is revoked is told nothing more."""
        if self.actor_today is None:
            return
        found: dict[tuple[str, str], Access] = {}
        for one in self._registries.every():
            if one.access is None:
                continue
            _, authority, owned = one.access.bearer()
            key = one.owner, authority
            if key not in found:
                actor = await self.actor_today(*key) or Actor(one.owner, ActorKind.TOKEN, "")
                found[key] = Access(actor, authority, owned)
            one.access_today = found[key]

    async def close(self) -> None:
        """Ends matching and delivering; what waits is delivered after the next start."""
        if self._stop_listening is not None:
            self._stop_listening()
        tasks = [*self._following, *([self._watching] if self._watching is not None else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._clockwork.close()
        await self._deliverer.close()

    def _observe(self) -> None:
        if not self._observing:
            self._observing = True
            self._store.observe(self._registries.observe)

    def knows(self, tenant: str) -> bool:
        """Whether a tenant ever had a subscription."""
        return self._registries.of(tenant) is not None

    # Keeping in step with what is committed.

    def _follow_soon(self) -> None:
        task = asyncio.get_running_loop().create_task(self._follow_all())
        self._following.add(task)
        task.add_done_callback(self._following.discard)

    async def _follow_all(self) -> None:
        tenants = await self._store.read(lambda session: session.execute("SELECT tenant FROM subscription_revision"))
        for (tenant,) in tenants:
            await self._follow(tenant)

    async def _follow(self, tenant: str) -> None:
        async with self._filing:
            rows = await self._store.read(lambda session: self._registries.newer(session, tenant))
            self._registries.take(rows)
        for row in rows:
            if row[6] is None:
                self._deliverer.forget(row[0])
            else:
                self._deliverer.stir(row[0])
        if rows:
            self._clockwork.look()

    # The operations of clause 5.8.

    async def create(
        self, tenant: str, raw: Json, names: Context, access: Access, *, address: str = "", tenant_said: bool = False
    ) -> str:
        """Clause 5.8.1; the id. Raises `AlreadyExistsError`, `BadRequestDataError` and refusals of rights.

        `address` is where the @context can be had; `tenant_said` that notifications are to name the tenant, too.
        """
        one = read_subscription(raw, names, now_ms=self._now_ms())
        self._require(one, access)
        await self._check_addresses(one)
        one.id = one.id or f"urn:ngsi-ld:Subscription:{new_id()}"
        one.document["id"] = one.id
        registry = self._registries.of(tenant)
        if registry is not None and len(registry.by_number) >= self._config.max_subscriptions:
            raise TooManyResultsError(f"A tenant has at most {self._config.max_subscriptions} subscriptions")
        kept = encode_kept(_kept(one, names.source, access, address, tenant_said=tenant_said))
        self._observe()
        _raise(await self._store.write(lambda tx: _create(tx, tenant, one, kept)))
        await self._follow(tenant)
        return one.id

    async def update(
        self, tenant: str, subscription_id: str, patch: Json, names: Context, access: Access, *, address: str = ""
    ) -> None:
        """Clause 5.8.2. The subscription then reads in the name of whoever changed it."""
        await self._follow(tenant)
        old = self.find(tenant, subscription_id, access)
        document = patched(old.document, patch)
        one = read_subscription(
            document, _Both(names, old.names), now_ms=self._now_ms() if "expiresAt" in patch else None
        )
        if one.active and not old.active and one.expires_ms is not None and one.expires_ms <= self._now_ms():
            raise BadRequestDataError("The subscription has expired", where="expiresAt", hint="Give a later expiresAt")
        self._require(one, access)
        await self._check_addresses(one)
        source, address = (old.context, old.context_address) if names is CORE_CONTEXT else (names.source, address)
        kept = encode_kept(_kept(one, source, access, address, tenant_said=old.tenant_said))
        _raise(await self._store.write(lambda tx: _update(tx, tenant, old, one, kept)))
        await self._follow(tenant)

    async def set_active(self, tenant: str, subscription_id: str, active: bool) -> None:
        """Pauses it or lets it go on; unlike after `update` it reads in the same name as before, so that looking after
        it widens nothing. Raises `ResourceNotFoundError`."""
        tenant = tenant.lower()
        await self._follow(tenant)
        old = self.find(tenant, subscription_id)
        rows = await self._store.read(lambda session: session.execute(_FIND, (tenant, subscription_id)))
        if not rows or rows[0][1] is None:
            raise _missing(subscription_id)
        kept = decode_kept(rows[0][1])
        kept.document = kept.document | {"isActive": active}
        one = read_subscription(kept.document, Replayed(kept.names))
        _raise(await self._store.write(lambda tx: _update(tx, tenant, old, one, encode_kept(kept))))
        await self._follow(tenant)

    async def delete(self, tenant: str, subscription_id: str, access: Access) -> None:
        """Clause 5.8.5: what waits for it goes with it."""
        self.find(tenant, subscription_id, access)
        _raise(await self._store.write(lambda tx: _delete(tx, tenant, subscription_id)))
        await self._follow(tenant)

    def find(self, tenant: str, subscription_id: str, access: Access | None = None) -> Subscription:
        """A subscription; raises `ResourceNotFoundError`, also for one that is not for the asker to know."""
        registry = self._registries.of(tenant)
        one = registry.get(subscription_id) if registry is not None else None
        if one is None or (access is not None and not self._may(one, access)):
            raise _missing(subscription_id)
        return one

    def every(self, tenant: str, access: Access | None = None) -> list[Subscription]:
        """A tenant's subscriptions in the order they were made; of those, the ones the asker may know."""
        registry = self._registries.of(tenant)
        made = [registry.by_number[number] for number in sorted(registry.by_number)] if registry is not None else []
        return made if access is None else [one for one in made if self._may(one, access)]

    def _may(self, one: Subscription, access: Access) -> bool:
        """Whether it is the asker's own, or one they might have made themselves."""
        if access.source == one.owner:
            return True
        try:
            self._require(one, access)
        except NgsiLdError:
            return False
        return True

    async def states(self, subscriptions: Collection[Subscription]) -> Mapping[int, State]:
        """How deliveries went, by the subscription's number."""
        await self._deliverer.settle()
        numbers = [one.number for one in subscriptions]

        def read(session: Session) -> dict[int, State]:
            found: dict[int, State] = {}
            for start in range(0, len(numbers), 500):
                part = numbers[start : start + 500]
                marks = ", ".join("?" * len(part))
                for row in session.execute(f"{_STATE} WHERE s.number IN ({marks})", part):
                    found[row[10]] = State(*row[:10])
            return found

        return await self._store.read(read)

    def _require(self, one: Subscription, access: Access) -> None:
        """Raises unless the asker may subscribe to, and read, every type the subscription names."""
        for selector in one.selectors:
            types = type_names(selector.types) or {"*"}
            access.require(Right.HUB_SUBSCRIBE, types)
            access.require(Right.HUB_READ, types)
        if not one.selectors:
            access.require(Right.HUB_SUBSCRIBE)
            access.require(Right.HUB_READ)

    async def _check_addresses(self, one: Subscription) -> None:
        """Raises where the @context to write in cannot be had, or the endpoint lies at an address that may not be
        called; an endpoint that is not found may come yet."""
        if "jsonldContext" in one.document:
            await self._contexts.get(one.document["jsonldContext"])
        host = urlsplit(one.endpoint.uri).hostname
        assert host is not None
        try:
            await self._outward.locate(host)
        except ForbiddenError as error:
            raise BadRequestDataError(error.detail, where="notification.endpoint.uri", hint=error.hint) from None
        except MadangError:
            return

    # What people look after.

    async def health(self, tenant: str) -> list[Health]:
        """Every subscription of a tenant with what it did; no secrets."""
        subscriptions = self.every(tenant.lower())
        states = await self.states(subscriptions)
        return [self._health(one, states.get(one.number, State())) for one in subscriptions]

    def _health(self, one: Subscription, state: State) -> Health:
        queue = self._deliverer.queue(one.number)
        status = one.status(self._now_ms())
        types = {name for selector in one.selectors for name in type_names(selector.types)}
        return Health(
            id=one.id,
            name=str(one.document.get("subscriptionName", "")),
            description=str(one.document.get("description", "")),
            endpoint=masked_uri(one.endpoint.uri),
            owner=one.owner,
            status=status,
            state=_condition(status, state, queue.failures),
            pending=state.pending,
            parked=state.parked,
            dropped=state.dropped,
            times_sent=state.sent,
            times_failed=state.failed,
            last_notification_at=_moment(state.notified_ms),
            last_success_at=_moment(state.success_ms),
            last_failure_at=_moment(state.failure_ms),
            oldest_pending_at=_moment(state.oldest_ms),
            retry_at=_moment(queue.retry_at_ms),
            reason=state.reason or "",
            types=tuple(sorted(types)),
            interval_s=one.interval_s,
        )

    async def parked(self, tenant: str, limit: int = 200) -> list[Parked]:
        """Notifications that wait for a person, the latest first."""
        await self._deliverer.settle()
        rows = await self._store.read(lambda session: session.execute(_PARKED, (tenant.lower(), limit)))
        return [self._parked(row) for row in rows]

    def _parked(self, row: Row) -> Parked:
        number, seq, notification_id, at_ms, parked_ms, attempts, reason, kept = row
        one = self._registries.number(number)
        return Parked(
            key=f"{number}.{seq}",
            subscription_id=one.id if one is not None else "",
            notification_id=notification_id,
            endpoint=masked_uri(one.endpoint.uri) if one is not None else "",
            at=moment_of(at_ms),
            parked_at=moment_of(parked_ms),
            attempts=attempts,
            reason=reason or "",
            entity_ids=tuple(entity_ids(kept)),
        )

    async def retry(self, tenant: str, key: str) -> None:
        """Puts a parked notification back at its place in the queue; raises `NotFoundError`."""
        number, seq = self._of_tenant(tenant, key)
        sql = (
            "UPDATE notification SET parked_ms = NULL, attempts = 0, reason = NULL"
            " WHERE subscription = ? AND seq = ? AND parked_ms IS NOT NULL RETURNING seq"
        )
        await self._deliverer.settle()
        if not await self._store.write(lambda tx: tx.session.execute(sql, (number, seq))):
            raise NotFoundError(f"No parked notification {key}", where="key")
        self._deliverer.stir(number)

    async def give_up(self, tenant: str, key: str, reason: str) -> None:
        """Drops a parked notification for a reason a person gives; it is counted. Raises `NotFoundError`."""
        number, seq = self._of_tenant(tenant, key)
        drop = "DELETE FROM notification WHERE subscription = ? AND seq = ? AND parked_ms IS NOT NULL RETURNING seq"
        count = "UPDATE subscription_state SET dropped = dropped + 1, reason = ? WHERE number = ?"

        def work(tx: WriteTx) -> bool:
            gone = bool(tx.session.execute(drop, (number, seq)))
            if gone:
                tx.session.execute(count, (f"given up: {reason[:500]}", number))
            return gone

        await self._deliverer.settle()
        if not await self._store.write(work):
            raise NotFoundError(f"No parked notification {key}", where="key")

    def _of_tenant(self, tenant: str, key: str) -> tuple[int, int]:
        number, _, seq = key.partition(".")
        if number.isdigit() and seq.isdigit() and len(key) < 40:
            one = self._registries.number(int(number))
            if one is not None and one.tenant == tenant.lower():
                return one.number, int(seq)
        raise NotFoundError(f"No parked notification {key[:60]}", where="key")

    def _now_ms(self) -> int:
        return ms_of(self._clock())


class _Both(Context):
    """The @context of an update, with the names of the subscription it changes for what the update leaves as it was."""

    __slots__ = ("_inner", "_old")

    def __init__(self, inner: Context, old: Mapping[str, str]) -> None:
        super().__init__(inner.source, {}, {})
        self._inner, self._old = inner, old

    def canonical(self, term: str) -> str:
        """What the update's @context says; where that knows nothing of the term, what it meant before."""
        said = self._inner.canonical(term)
        return self._old.get(term, said) if said == CORE_CONTEXT.canonical(term) else said

    def is_prefix(self, term: str) -> bool:
        """In either."""
        return f"{term}:" in self._old or self._inner.is_prefix(term)


def _kept(one: Subscription, source: Json, access: Access, address: str, *, tenant_said: bool) -> Kept:
    actor, authority, owned = access.bearer()
    return Kept(
        document=one.document,
        context=source,
        names=one.names,
        owner=access.source,
        authority=authority,
        actor=actor,
        owned=tuple(sorted(owned)),
        tenant_said=tenant_said,
        address=address,
    )


def _revised(tx: WriteTx, tenant: str) -> int:
    tx.session.serialise()
    tx.session.wake(CHANGED)
    return int(tx.session.execute(_REVISE, (tenant,))[0][0])


def _raise(refusal: NgsiLdError | None) -> None:
    if refusal is not None:
        raise refusal


def _create(tx: WriteTx, tenant: str, one: Subscription, kept: bytes) -> NgsiLdError | None:
    revision = _revised(tx, tenant)
    found = tx.session.execute(_FIND, (tenant, one.id))
    if found and found[0][1] is not None:
        return AlreadyExistsError(f"{one.id} exists already", where=one.id)
    number = found[0][0] if found else _next_number(tx.session)
    if found:
        sql = "UPDATE subscription SET revision = ?, created_ms = ?, modified_ms = ?, body = ? WHERE number = ?"
        tx.session.execute(sql, (revision, tx.at_ms, tx.at_ms, kept, number))
    else:
        sql = "INSERT INTO subscription VALUES (?, ?, ?, ?, ?, ?, ?)"
        tx.session.execute(sql, (number, tenant, one.id, revision, tx.at_ms, tx.at_ms, kept))
    state = "INSERT INTO subscription_state VALUES (?, ?, 0, 0, 0, 0, NULL, NULL, NULL, NULL)"
    tx.session.execute(state, (number, _first_due(one, tx.at_ms)))
    return None


def _next_number(session: Session) -> int:
    return int(session.execute("SELECT coalesce(max(number), 0) + 1 FROM subscription")[0][0])


def _first_due(one: Subscription, at_ms: int) -> int | None:
    return at_ms + round(one.interval_s * 1000) if one.interval_s is not None else None


def _update(tx: WriteTx, tenant: str, old: Subscription, one: Subscription, kept: bytes) -> NgsiLdError | None:
    revision = _revised(tx, tenant)
    sql = (
        "UPDATE subscription SET revision = ?, modified_ms = ?, body = ?"
        " WHERE number = ? AND revision = ? AND body IS NOT NULL RETURNING number"
    )
    if not tx.session.execute(sql, (revision, tx.at_ms, kept, old.number, old.revision)):
        return ChangedMeanwhileError(f"{one.id} was changed by somebody else meanwhile", where=one.id, hint="Try again")
    if one.interval_s != old.interval_s or one.active != old.active:
        due = "UPDATE subscription_state SET due_ms = ? WHERE number = ?"
        tx.session.execute(due, (_first_due(one, tx.at_ms), old.number))
    if one.throttling_ms != old.throttling_ms:
        tx.session.execute("UPDATE subscription_state SET quiet_until_ms = 0 WHERE number = ?", (old.number,))
    return None


def _delete(tx: WriteTx, tenant: str, subscription_id: str) -> NgsiLdError | None:
    revision = _revised(tx, tenant)
    found = tx.session.execute(_FIND, (tenant, subscription_id))
    if not found or found[0][1] is None:
        return _missing(subscription_id)
    number = found[0][0]
    sql = "UPDATE subscription SET revision = ?, modified_ms = ?, body = NULL WHERE number = ?"
    tx.session.execute(sql, (revision, tx.at_ms, number))
    tx.session.execute("DELETE FROM notification WHERE subscription = ?", (number,))
    tx.session.execute("DELETE FROM subscription_state WHERE number = ?", (number,))
    return None


def _missing(subscription_id: str) -> ResourceNotFoundError:
    said = subscription_id[:200]
    return ResourceNotFoundError(f"There is no subscription {said}", where=said)


def _condition(status: str, state: State, failures: int) -> str:
    if status != "active":
        return status
    if failures or (state.reason and state.failure_ms and (state.success_ms or 0) < state.failure_ms):
        return "failing"
    return "parked" if state.parked else "ok"


def _moment(ms: int | None) -> datetime | None:
    return moment_of(ms) if ms is not None else None
