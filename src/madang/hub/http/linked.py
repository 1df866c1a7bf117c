"""Linked entities: what relationships point at, a few levels deep (clause 4.5.23)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from madang.hub.access import Access
from madang.hub.changes import Stored
from madang.hub.http.parameters import Join
from madang.hub.query import Query
from madang.hub.render import Graph, View, targets
from madang.hub.store import Store

MAX_LINKED = 1_000
"""At most so many linked entities are fetched, and drawn, for one answer."""
_ONE_BY_ONE = 8


@dataclass(slots=True)
class Reach:
    """The linked entities of one answer. `flat` are those to append, in the order they were met, each with its view."""

    entities: dict[str, Stored] = field(default_factory=dict)
    flat: list[tuple[Stored, View]] = field(default_factory=list)
    join: Join | None = None
    budget: list[int] = field(default_factory=lambda: [MAX_LINKED])
    missed: bool = False

    def graph_from(self, entity_id: str) -> Graph | None:
        """What an entity of the answer shows inside its relationships."""
        if self.join is None or not self.join.inline:
            return None
        return Graph(self.entities, self.join.levels, self.join.contained | {entity_id}, self.budget)

    @property
    def truncated(self) -> bool:
        """Whether there was more than one answer may hold."""
        return self.missed or self.budget[0] <= 0


async def reach(store: Store, access: Access, roots: Sequence[Stored], view: View, join: Join) -> Reach:
    """Follows relationships level by level: each entity is fetched once, and only if the asker may see it."""
    found = Reach(join=join, entities={one.id: one for one in roots} if join.inline else {})
    asked = join.contained | {one.id for one in roots}
    front = [(one, view) for one in roots]
    for _ in range(join.levels):
        wanted: dict[str, View] = {}
        for stored, shown in front:
            for relationship, ids in targets(stored, shown):
                wanted |= {one: shown.behind(relationship) for one in ids if one not in asked and one not in wanted}
        room = MAX_LINKED - len(asked)
        found.missed |= len(wanted) > room
        loaded = await _load(store, access, [*wanted][: max(0, room)])
        asked |= wanted.keys()
        front = [(loaded[one], shown) for one, shown in wanted.items() if one in loaded]
        found.entities |= loaded
        if not join.inline:
            found.flat += front
        if not front:
            break
    return found


async def _load(store: Store, access: Access, ids: list[str]) -> dict[str, Stored]:
    if len(ids) <= _ONE_BY_ONE:
        loaded = [await store.retrieve(access.tenant, one) for one in ids]
    else:
        loaded = [*(await store.query(access.tenant, Query(ids=tuple(ids), limit=len(ids)))).entities]
    return {one.id: one for one in loaded if one is not None and access.sees(one.types)}
