"""Duty at the screen: signs of life, the shift, hand-overs, the radio and telephone log, tasks between people."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from ninja import Router, Schema
from pydantic import Field

from madang.console.incident_api import incident_for
from madang.console.seat import SeatedRequest, demand
from madang.console.session_api import Me, me_of
from madang.identity.office import mode_banner
from madang.identity.rights import Right
from madang.journal import civic
from madang.kernel.clock import system_clock
from madang.kernel.errors import BadRequestError
from madang.kernel.mode import Mode
from madang.response import queries as response_queries
from madang.response import todo
from madang.response.duty import commands, presence, queries, roster
from madang.response.queries import JsonRow
from madang.response.signals import queries as signal_queries
from madang.response.sop import queries as sop_queries

router = Router(tags=["duty"])


class Offer(Schema):
    to: str = Field(min_length=1, max_length=80)
    brief: str = Field(default="", max_length=8000)
    incident_ids: list[str] | None = Field(default=None, max_length=500)


class Answer(Schema):
    reason: str = Field(default="", max_length=300)
    incident_ids: list[str] | None = Field(default=None, max_length=500)


class Said(Schema):
    channel: str = Field(max_length=10)
    direction: str = Field(max_length=4)
    who: str = Field(max_length=100)
    whom: str = Field(max_length=100)
    text: str = Field(max_length=4000)
    said_at: datetime | None = None
    incident_id: str = Field(default="", max_length=36)


class Correction(Schema):
    text: str = Field(max_length=4000)


class NewTask(Schema):
    incident_id: str = Field(min_length=1, max_length=36)
    text: str = Field(max_length=300)
    due_min: float = Field(default=10, gt=0, le=1440)
    to: str = Field(default="", max_length=80)


class TaskDeed(Schema):
    to: str = Field(default="", max_length=80)
    before: str = Field(default="", max_length=80)
    note: str = Field(default="", max_length=2000)
    minutes: float = Field(default=10, gt=0, le=1440)
    reason: str = Field(default="", max_length=300)


def _mode() -> Mode:
    return Mode(mode_banner() or Mode.LIVE)


# ------------------------------------------------------------------------------------------------- presence


@router.post("/presence")
def still_here(request: SeatedRequest) -> JsonRow:
    """A sign of life: the screen answers what it hears on the live stream."""
    viewer = request.auth
    heard = presence.seen(viewer.actor, viewer.authority, system_clock())
    return {"written": heard.written, "lost": heard.lost}


@router.get("/duty")
def board(request: SeatedRequest) -> JsonRow:
    """The shift, who is on duty and at a screen, and the hand-overs that concern one."""
    viewer, now = request.auth, system_clock()
    return {
        **queries.board(viewer.actor, viewer.authority, now),
        "handovers": queries.handovers(viewer.actor, viewer.authority, now),
    }


@router.post("/shift/begin")
def begin_shift(request: SeatedRequest) -> Me:
    """Takes up the shift that is planned for one now."""
    viewer = request.auth
    with civic.transaction() as tx:
        roster.begin(tx, viewer.actor, viewer.authority, system_clock())
    return me_of(viewer)


# ------------------------------------------------------------------------------------------------ hand-over


@router.get("/handovers/draft")
def draft(request: SeatedRequest) -> JsonRow:
    """What the brief begins with: incidents held, open tasks, running checklists, and the words drawn from them."""
    facts = _facts(request)
    return {**facts, "brief": _words(facts)}


def _facts(request: SeatedRequest) -> JsonRow:
    viewer = request.auth
    facts = queries.brief_facts(viewer.actor, viewer.authority, system_clock())
    facts["shelves"] = signal_queries.shelves(viewer.actor, viewer.authority, limit=20)
    facts["sops"] = sop_queries.running(row["id"] for row in facts["incidents"])
    return facts


def _words(facts: JsonRow) -> str:
    """The brief in words, to be read over and put right by the one who gives it."""
    parts = [
        ("맡은 사건", [f"{row['number']} {row['class_ko']} {row['address']}".strip() for row in facts["incidents"]]),
        (
            "진행 중 절차",
            [f"{row['incident_number']} {row['title_ko']}: 남은 단계 {row['left']}" for row in facts["sops"]],
        ),
        ("보류 중 장치", [f"{row['device']} {row['reason']}" for row in facts["shelves"]]),
        ("할 일", [f"{row['incident_number']} {row['text_ko']}" for row in facts["tasks"]]),
    ]
    told = [f"{title}\n" + "\n".join(f"- {line}" for line in lines) for title, lines in parts if lines]
    return "\n\n".join(told) or "특이사항 없음"


@router.post("/handovers")
def offer(request: SeatedRequest, body: Offer) -> JsonRow:
    """Offers one's work to a colleague; until it is accepted one goes on answering for it."""
    viewer, now = request.auth, system_clock()
    facts = _facts(request)
    with civic.transaction() as tx:
        row = commands.hand_over(
            tx,
            viewer.actor,
            viewer.authority,
            body.to,
            body.brief,
            now,
            incident_ids=body.incident_ids,
            facts=facts,
            mode=_mode(),
        )
    return queries.handover(row.id)


@router.post("/handovers/{handover_id}/{deed}")
def answer(
    request: SeatedRequest, handover_id: str, deed: Literal["accept", "decline", "withdraw"], body: Answer
) -> JsonRow:
    """The receiver takes over or sends back, whole or item by item; the giver takes the offer back."""
    actor, now, chosen = request.auth.actor, system_clock(), body.incident_ids
    with civic.transaction() as tx:
        if deed == "accept":
            commands.accept_handover(tx, actor, handover_id, now, incident_ids=chosen)
        elif deed == "decline":
            commands.decline_handover(tx, actor, handover_id, body.reason, now, incident_ids=chosen)
        else:
            commands.withdraw_handover(tx, actor, handover_id, now)
    return queries.handover(handover_id)


# ------------------------------------------------------------------------------------------------------ log


@router.get("/log")
def log(request: SeatedRequest, incident_id: str = "") -> dict[str, list[JsonRow]]:
    """The radio and telephone log, newest first: of the city, or of one incident."""
    viewer = request.auth
    if incident_id:
        incident_for(viewer, incident_id)
    return {"entries": queries.log(viewer.actor, viewer.authority, incident_id=incident_id)}


@router.post("/log")
def write_log(request: SeatedRequest, body: Said) -> JsonRow:
    """Writes down what was said."""
    viewer, now = request.auth, system_clock()
    if body.said_at is not None and body.said_at.tzinfo is None:
        raise BadRequestError("said_at needs a time zone", where="said_at", ko="통신 시각을 확인하십시오.")
    call = commands.Call(
        channel=body.channel,
        direction=body.direction,
        who=body.who,
        whom=body.whom,
        text=body.text,
        said_at=body.said_at or now,
        incident_id=body.incident_id,
    )
    with civic.transaction() as tx:
        entry = commands.log_call(tx, viewer.actor, viewer.authority, call, now, mode=_mode())
    return queries.log_row(entry)


@router.post("/log/{entry_id}/correct")
def correct_log(request: SeatedRequest, entry_id: str, body: Correction) -> JsonRow:
    """Corrects an entry by a new one; the old one stays."""
    with civic.transaction() as tx:
        entry = commands.correct_call(tx, request.auth.actor, entry_id, body.text, system_clock())
    return queries.log_row(entry)


# ---------------------------------------------------------------------------------------------------- tasks


@router.get("/tasks")
def tasks(request: SeatedRequest) -> dict[str, list[JsonRow]]:
    """The open tasks of the city, the most due first."""
    viewer = request.auth
    demand(viewer, Right.VIEW_INCIDENT)
    return {"tasks": response_queries.open_tasks(viewer.actor, viewer.authority)}


@router.post("/tasks")
def add_task(request: SeatedRequest, body: NewTask) -> JsonRow:
    """Writes a task about an incident, for somebody or for whoever takes it."""
    viewer, now = request.auth, system_clock()
    incident_for(viewer, body.incident_id)
    with civic.transaction() as tx:
        task = todo.add(tx, viewer.actor, body.incident_id, body.text, body.due_min * 60, now, to=body.to)
    return response_queries.task_row(task)


@router.post("/tasks/{task_id}/{deed}")
def on_task(
    request: SeatedRequest, task_id: str, deed: Literal["take", "assign", "complete", "snooze"], body: TaskDeed
) -> JsonRow:
    """Takes a task, hands it on, finishes it with a note, or puts it off for a reason."""
    actor, now = request.auth.actor, system_clock()
    with civic.transaction() as tx:
        if deed == "take":
            task = todo.take(tx, actor, task_id, now, before=body.before)
        elif deed == "assign":
            task = todo.assign(tx, actor, task_id, body.to, now, before=body.before)
        elif deed == "complete":
            task = todo.complete(tx, actor, task_id, body.note, now)
        else:
            task = todo.snooze(tx, actor, task_id, body.minutes, body.reason, now)
    return response_queries.task_row(task)
