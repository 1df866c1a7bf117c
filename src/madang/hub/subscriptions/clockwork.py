"""Subscriptions that notify by the clock (`timeInterval`, clause 5.8.6): when each is due next is a row.

Waiting is done on the monotonic clock, so a wall clock that steps does not disturb it; after a restart what became due
meanwhile comes once, and a time further away than one interval (the clock was set back) is brought near again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from msgspec.structs import replace

from madang.hub.changes import Stored
from madang.hub.query import Query
from madang.hub.query import Selector as Asked
from madang.hub.sqlite.group import ms_of
from madang.hub.store import Store, WriteTx
from madang.hub.subscriptions.observer import WAKE, Registries
from madang.hub.subscriptions.occurrence import periodic
from madang.hub.subscriptions.subscription import Subscription
from madang.hub.subscriptions.waiting import set_within
from madang.identity.rights import Right
from madang.kernel.clock import Clock
from madang.kernel.ids import new_id

_PAGE = 500
_SHORTEST_S = 0.5
_LONGEST_WAIT_S = 30.0
_ADVANCE = "UPDATE subscription_state SET due_ms = ? WHERE number = ? AND due_ms IS NOT NULL RETURNING number"
_TELL = (
    "INSERT INTO notification SELECT CAST(? AS {integer}), coalesce(max(seq), 0) + 1, CAST(? AS TEXT),"
    " CAST(? AS {integer}), 0, NULL, NULL, CAST(? AS {blob}) FROM notification WHERE subscription = ?"
)
_WORDS = {"sqlite": {"integer": "INTEGER", "blob": "BLOB"}, "postgresql": {"integer": "BIGINT", "blob": "BYTEA"}}

log = logging.getLogger("madang.hub.subscriptions")


class Clockwork:
    """Makes the periodic notifications of one process that holds the lease."""

    def __init__(self, store: Store, registries: Registries, clock: Clock) -> None:
        self._store, self._registries, self._clock = store, registries, clock
        self._due: dict[tuple[int, int], float] = {}
        """When each is due on the loop's clock, by number and revision: a subscription that is changed begins anew."""
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def close(self) -> None:
        """Ends."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def look(self) -> None:
        """Subscriptions were changed."""
        self._changed.set()

    async def _run(self) -> None:
        async with self._store.lease("subscription-clock") as lease:
            while True:
                try:
                    await lease.acquired()
                    await self._set()
                    while lease.held:
                        await self._tick()
                except Exception:  # a guard: this task must never end
                    log.exception("periodic notifications wait: the clock stopped and begins again")
                    await asyncio.sleep(1.0)

    async def _set(self) -> None:
        """Reads when each subscription is due."""
        sql = "SELECT number, due_ms FROM subscription_state WHERE due_ms IS NOT NULL"
        kept: dict[int, int] = dict(await self._store.read(lambda session: session.execute(sql)))
        now_s, now_ms = asyncio.get_running_loop().time(), ms_of(self._clock())
        due = {}
        for one in self._periodic():
            left_s = (kept.get(one.number, now_ms) - now_ms) / 1000
            key = one.number, one.revision
            due[key] = self._due.get(key, now_s + min(max(left_s, 0.0), _interval(one)))
        self._due = due

    def _periodic(self) -> list[Subscription]:
        now_ms = ms_of(self._clock())
        return [
            one for one in self._registries.every() if one.interval_s is not None and one.status(now_ms) == "active"
        ]

    async def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        wait_s = min([_LONGEST_WAIT_S, *(at - loop.time() for at in self._due.values())])
        if wait_s > 0:
            await set_within(self._changed, wait_s)
        if self._changed.is_set() or not self._due:
            self._changed.clear()
            await self._set()
        for key in [key for key, at in self._due.items() if at <= loop.time()]:
            await self._fire(*key)

    async def _fire(self, number: int, revision: int) -> None:
        one = self._registries.number(number)
        due_s = self._due.pop((number, revision))
        if one is None or one.revision != revision or one.status(ms_of(self._clock())) != "active":
            self._changed.set()
            return
        now_s = asyncio.get_running_loop().time()
        # where more than one was missed, the present state is told once
        self._due[number, revision] = max(due_s, now_s - _interval(one)) + _interval(one)
        pages = await self._matching(one)

        def work(tx: WriteTx) -> None:
            due_ms = tx.at_ms + round(_interval(one) * 1000)
            if not tx.session.execute(_ADVANCE, (due_ms, number)):
                return
            sql = _TELL.format(**_WORDS[tx.session.dialect])
            for page in pages:
                notification_id = f"urn:ngsi-ld:Notification:{new_id()}"
                tx.session.execute(sql, (number, notification_id, tx.at_ms, periodic(page), number))
            tx.session.wake(WAKE)

        await self._store.write(work)
        self._registries.hints.append(number)

    async def _matching(self, one: Subscription) -> list[Sequence[Stored]]:
        """The entities of the moment, a notification's worth at a time; none where nothing matches."""
        types = None
        if one.access is not None:
            types = one.access.readable(self._store.types(one.tenant), Right.HUB_READ)
        pages: list[Sequence[Stored]] = []
        for offset in range(0, 100 * _PAGE, _PAGE):
            page = await self._store.query(one.tenant, _page_query(one, offset), types=types)
            if page.entities:
                pages.append(page.entities)
            if not page.more:
                break
        return pages


def _interval(one: Subscription) -> float:
    return max(one.interval_s or 0.0, _SHORTEST_S)


def _page_query(one: Subscription, offset: int) -> Query:
    selectors = tuple(
        Asked(types=each.types, ids=tuple(sorted(each.ids)), id_pattern=each.pattern_text) for each in one.selectors
    )
    query = Query(q=one.q, geo=one.geo, scope=one.scope, limit=_PAGE, offset=offset)
    if len(selectors) != 1:
        return replace(query, selectors=selectors)
    only = selectors[0]
    return replace(query, types=only.types, ids=only.ids, id_pattern=only.id_pattern)
