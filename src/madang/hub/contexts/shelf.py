"""@contexts that are kept in the hub's store: hosted for clients, made for them, or fetched once (clause 5.13)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import orjson

from madang.hub.contexts.context import Json
from madang.hub.store import Store, WriteTx
from madang.journal.session import Session


class Kind(StrEnum):
    """Why an @context is kept (clause 5.13.1)."""

    HOSTED = "Hosted"
    CACHED = "Cached"
    IMPLICIT = "ImplicitlyCreated"


@dataclass(frozen=True, slots=True)
class Kept:
    """One kept @context. `address` is where it came from, "" for those served here; times in ms since 1970."""

    id: str
    tenant: str
    kind: Kind
    address: str
    document: Json
    created_ms: int
    expires_ms: int | None = None


_COLUMNS = "id, tenant, kind, address, body, created_ms, expires_ms"


MOST = 5_000
"""So many @contexts nobody asked to keep are kept of each kind, the latest: readers must not fill the store."""
_FORGET = (
    "DELETE FROM context WHERE kind = ? AND id IN"
    " (SELECT id FROM context WHERE kind = ? ORDER BY created_ms DESC, id LIMIT 100 OFFSET ?)"
)


class Shelf:
    """The table of kept @contexts."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def put(self, kept: Kept) -> None:
        """Keeps one durably, in the place of an earlier one with its id or, where it was fetched, its address."""

        def work(tx: WriteTx) -> None:
            if kept.kind is Kind.CACHED:
                tx.session.execute(
                    "DELETE FROM context WHERE address = ? AND kind = ?", (kept.address, kept.kind.value)
                )
            tx.session.execute("DELETE FROM context WHERE id = ?", (kept.id,))
            sql = f"INSERT INTO context ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 -- constants
            body = orjson.dumps(kept.document)
            row = (kept.id, kept.tenant, kept.kind.value, kept.address, body, kept.created_ms, kept.expires_ms)
            tx.session.execute(sql, row)
            if kept.kind is not Kind.HOSTED:
                tx.session.execute(_FORGET, (kept.kind.value, kept.kind.value, MOST))

        await self._store.write(work)

    async def by_id(self, context_id: str) -> Kept | None:
        """The one of that local id."""
        return await self._one("id = ?", context_id)

    async def by_address(self, address: str) -> Kept | None:
        """The one fetched from that address."""
        return await self._one("address = ?", address)

    async def _one(self, where: str, value: str) -> Kept | None:
        sql = f"SELECT {_COLUMNS} FROM context WHERE {where}"  # noqa: S608 -- constants
        rows = await self._store.read(lambda session: session.execute(sql, (value,)))
        return _kept(rows[0]) if rows else None

    async def listed(self, tenant: str, kind: Kind | None) -> list[Kept]:
        """Those of a tenant and the shared ones, the oldest first."""

        def work(session: Session) -> list[tuple[Any, ...]]:  # Any: column values
            kinds = [one.value for one in (Kind if kind is None else [kind])]
            marks = ", ".join("?" * len(kinds))
            sql = (
                f"SELECT {_COLUMNS} FROM context WHERE tenant IN (?, '') AND kind IN ({marks})"  # noqa: S608 -- bound
                " ORDER BY created_ms, id"
            )
            return session.execute(sql, (tenant, *kinds))

        return [_kept(row) for row in await self._store.read(work)]

    async def drop(self, context_id: str) -> None:
        """Forgets one."""
        await self._store.write(lambda tx: tx.session.execute("DELETE FROM context WHERE id = ?", (context_id,)))


def _kept(row: tuple[Any, ...]) -> Kept:  # Any: column values
    return Kept(row[0], row[1], Kind(row[2]), row[3], orjson.loads(bytes(row[4])), row[5], row[6])
