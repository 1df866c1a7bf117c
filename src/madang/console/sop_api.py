"""Checklists at the incident panel: what runs, starting one, ticking its steps."""

from __future__ import annotations

from typing import Literal

from ninja import Router, Schema
from pydantic import Field

from madang.console.incident_api import incident_for
from madang.console.seat import SeatedRequest, demand
from madang.identity.rights import Right
from madang.journal import civic
from madang.kernel.clock import system_clock
from madang.response.queries import JsonRow
from madang.response.sop import commands, queries

router = Router(tags=["sop"])


class Wanted(Schema):
    code: str = Field(min_length=1, max_length=40)


class Entry(Schema):
    """What a person enters for a step: the answer, a note, a picture's reference, or why it is left out."""

    value: str = Field(default="", max_length=100)
    note: str = Field(default="", max_length=2000)
    still: str = Field(default="", max_length=200)
    reason: str = Field(default="", max_length=500)


class Reason(Schema):
    reason: str = Field(default="", max_length=300)


@router.get("/sops")
def in_force(request: SeatedRequest) -> dict[str, list[JsonRow]]:
    """The checklists in force in the city looked at."""
    demand(request.auth, Right.VIEW_INCIDENT)
    return {"sops": queries.published(request.auth.authority)}


@router.get("/sops/incidents/{incident_id}")
def of_incident(request: SeatedRequest, incident_id: str) -> JsonRow:
    """The runs of an incident as they stand, and the checklists that could be started."""
    viewer = request.auth
    incident_for(viewer, incident_id)
    runs = queries.of_incident(viewer.actor, incident_id)
    running = {run["code"] for run in runs if run["phase"] == "running"}
    startable = [sop for sop in queries.published(viewer.authority) if sop["code"] not in running]
    return {"runs": runs, "startable": startable}


@router.post("/sops/incidents/{incident_id}")
def start(request: SeatedRequest, incident_id: str, body: Wanted) -> JsonRow:
    """Starts a checklist on an incident."""
    viewer = request.auth
    incident_for(viewer, incident_id)
    with civic.transaction() as tx:
        run = commands.start(tx, viewer.actor, incident_id, body.code, system_clock())
    return queries.one(viewer.actor, run.id)


@router.post("/sops/runs/{run_id}/stop")
def stop(request: SeatedRequest, run_id: str, body: Reason) -> JsonRow:
    """Gives a checklist up, for a reason."""
    with civic.transaction() as tx:
        commands.stop(tx, request.auth.actor, run_id, body.reason, system_clock())
    return queries.one(request.auth.actor, run_id)


@router.post("/sops/runs/{run_id}/steps/{key}/{deed}")
def on_step(
    request: SeatedRequest, run_id: str, key: str, deed: Literal["tick", "skip", "undo"], body: Entry
) -> JsonRow:
    """Ticks a step, leaves it out, or takes a tick back. Of two at once the second is told who was first."""
    actor, now = request.auth.actor, system_clock()
    with civic.transaction() as tx:
        if deed == "tick":
            commands.tick(tx, actor, run_id, key, body.value, now, note=body.note, still=body.still)
        elif deed == "skip":
            commands.skip(tx, actor, run_id, key, body.reason, now)
        else:
            commands.undo(tx, actor, run_id, key, body.reason, now)
    return queries.one(actor, run_id)
