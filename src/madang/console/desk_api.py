"""What a person's desk shows, told to walls of the same person on other machines.

Kept in memory: a core that was restarted is told again by the desk. It holds no pictures and gives no right to any;
a wall takes its own leases.
"""

from __future__ import annotations

import threading
from collections import OrderedDict

from ninja import Router, Schema
from pydantic import Field

from madang.console.seat import SeatedRequest, demand
from madang.identity.rights import Right
from madang.response.queries import JsonRow

router = Router(tags=["desk"])
_MOST_DESKS = 1_000


class Tile(Schema):
    """One camera on the desk."""

    camera_id: str = Field(min_length=1, max_length=64)
    label: str = Field(max_length=300)
    grant_id: str | None = Field(default=None, max_length=36)
    incident_id: str | None = Field(default=None, max_length=36)
    incident_number: str | None = Field(default=None, max_length=40)
    distance_m: float | None = Field(default=None, allow_inf_nan=False)


class Desk(Schema):
    incident_id: str = Field(default="", max_length=36)
    tiles: list[Tile] = Field(default_factory=list, max_length=9)
    enlarged: str = Field(default="", max_length=64)


class Desks:
    """The desks told lately, by person and city."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, str], JsonRow] = OrderedDict()
        self._lock = threading.Lock()

    def put(self, person: str, authority: str, desk: JsonRow) -> None:
        with self._lock:
            self._known[person, authority] = desk
            self._known.move_to_end((person, authority))
            while len(self._known) > _MOST_DESKS:
                self._known.popitem(last=False)

    def get(self, person: str, authority: str) -> JsonRow | None:
        with self._lock:
            return self._known.get((person, authority))


desks = Desks()


@router.post("/desk")
def tell(request: SeatedRequest, body: Desk) -> dict[str, bool]:
    """The desk shows this now."""
    viewer = request.auth
    demand(viewer, Right.VIEW_INCIDENT)
    told = body.dict() | {"person": viewer.actor.id, "authority": viewer.authority}
    desks.put(viewer.actor.id, viewer.authority, told)
    return {"ok": True}


@router.get("/desk")
def shown(request: SeatedRequest) -> JsonRow:
    """What the same person's desk shows, or null when it has told nothing since the core started."""
    viewer = request.auth
    demand(viewer, Right.VIEW_INCIDENT)
    return {"authority": viewer.authority, "desk": desks.get(viewer.actor.id, viewer.authority)}
