"""The facility board: what stands in the street, what is broken, who mends it, what is to be looked at."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from django.http import HttpResponse
from ninja import Query, Router, Schema
from pydantic import Field

from madang.console.seat import SeatedRequest, demand
from madang.facilities import commands, queries
from madang.facilities.domain import Cause, Kind, State, Step
from madang.facilities.models import CAUSE_KO, KIND_KO, ORDER_KO, STATE_KO
from madang.facilities.orders import OrderState, OrderStep
from madang.facilities.queries import Row, Wanted
from madang.identity.rights import Right
from madang.journal import civic
from madang.kernel.clock import system_clock
from madang.kernel.errors import BadRequestError

router = Router(tags=["facilities"])
PAGE = 50
MOST_EXPORTED = 200_000
MOST_OFFSET = 1_000_000


class Asked(Schema):
    """What is looked for in the register."""

    q: str = Field(default="", max_length=200)
    kind: str = Field(default="", max_length=10)
    condition: str = Field(default="", max_length=8)
    vendor: str | None = Field(default=None, max_length=100)
    police_link: str = Field(default="", max_length=8)
    inspection: str = Field(default="", max_length=10)
    service: str = Field(default="", max_length=3)

    def wanted(self) -> Wanted:
        return Wanted(**self.dict())


@router.get("/facilities/board")
def board(request: SeatedRequest) -> Row:
    """One row a kind, and how much waits."""
    viewer = request.auth
    demand(viewer, Right.VIEW_FACILITIES)
    now = system_clock()
    return {
        "kinds": queries.board(viewer.authority, now),
        "outages": queries.outages(viewer.authority).count(),
        "orders": queries.orders(viewer.authority).count(),
        "vendors": queries.vendors(viewer.authority),
        "month": queries.month_text(now),
    }


@router.get("/facilities")
def register(request: SeatedRequest, asked: Query[Asked], offset: int = 0) -> Row:
    """A page of the register, the broken first."""
    viewer = request.auth
    demand(viewer, Right.VIEW_FACILITIES)
    now = system_clock()
    found = queries.register(viewer.authority, asked.wanted(), now)
    first = _first(offset)
    order = ("next_inspection_on", "pk") if asked.inspection == "overdue" else ("kind", "name", "pk")
    rows = found.order_by(*order)[first : first + PAGE]
    today = queries.today_of(now)
    return {
        "rows": [queries.facility_row(row, today) for row in rows],
        "offset": first,
        "total": found.count(),
    }


@router.get("/facilities/map")
def on_the_map(request: SeatedRequest, asked: Query[Asked], bbox: str, limit: int = 800) -> Row:
    """What stands in a rectangle (west,south,east,north)."""
    viewer = request.auth
    demand(viewer, Right.VIEW_FACILITIES)
    return queries.map_rows(viewer.authority, asked.wanted(), _bbox(bbox), min(max(limit, 1), 3_000), system_clock())


def _bbox(text: str) -> tuple[float, float, float, float]:
    try:
        west, south, east, north = (float(part) for part in text.split(","))
    except ValueError:
        west = east = 0.0
        south = north = 0.0
    if not (-180 <= west < east <= 180 and -90 <= south < north <= 90):
        raise BadRequestError(
            "bbox is west,south,east,north in degrees", where="bbox", ko="지도 범위가 잘못되었습니다."
        )
    return west, south, east, north


@router.get("/facilities/outages")
def outages(request: SeatedRequest, ended: bool = False, kind: str = "", offset: int = 0) -> Row:
    """Outages that stand, oldest first; or those that ended, newest first."""
    viewer = request.auth
    demand(viewer, Right.VIEW_FACILITIES)
    rows = queries.outages(viewer.authority, ended=ended, kind=kind)
    return {"rows": queries.outage_rows(_page(rows, offset)), "offset": _first(offset), "total": rows.count()}


def _page(rows: Any, offset: int) -> Any:  # Any: a query set of any model
    first = _first(offset)
    return rows[first : first + PAGE]


def _first(offset: int) -> int:
    return min(max(0, offset), MOST_OFFSET)


class OutageDeed(Schema):
    reason: str = Field(default="", max_length=500)
    version: int | None = None


OutageStep = Literal["acknowledge", "repair", "restore", "close", "dismiss"]


@router.post("/facilities/outages/{outage_id}/{step}")
def move_outage(request: SeatedRequest, outage_id: str, step: OutageStep, body: OutageDeed) -> Row:
    """One step of the work on an outage."""
    viewer = request.auth
    with civic.transaction() as tx:
        row = commands.step_outage(
            tx, viewer.actor, outage_id, Step(step), body.reason, system_clock(), version=body.version
        )
    return queries.outage_rows([row])[0]


class PartUsed(Schema):
    name: str = Field(min_length=1, max_length=100)
    count: int = Field(default=1, ge=1, le=10_000)


class NewOrder(Schema):
    facility_id: str = Field(max_length=36)
    assignee_kind: Literal["vendor", "department", "person"]
    assignee: str = Field(min_length=1, max_length=100)
    what: str = Field(min_length=1, max_length=1000)
    due_on: date | None = None
    outage_id: str = Field(default="", max_length=36)
    parts: list[PartUsed] = Field(default_factory=list, max_length=20)


@router.get("/facilities/orders")
def orders(request: SeatedRequest, ended: bool = False, offset: int = 0) -> Row:
    """Work orders that stand, by when they are due; or those that ended."""
    viewer = request.auth
    demand(viewer, Right.VIEW_FACILITIES)
    rows = queries.orders(viewer.authority, ended=ended)
    today = queries.today_of(system_clock())
    return {"rows": queries.order_rows(_page(rows, offset), today), "offset": _first(offset), "total": rows.count()}


@router.post("/facilities/orders")
def issue(request: SeatedRequest, body: NewOrder) -> Row:
    """Gives out work."""
    viewer = request.auth
    wanted = commands.NewOrder(
        facility_id=body.facility_id,
        assignee_kind=body.assignee_kind,
        assignee=body.assignee,
        what=body.what,
        due_on=body.due_on,
        outage_id=body.outage_id,
        parts=_parts(body.parts),
    )
    now = system_clock()
    with civic.transaction() as tx:
        order = commands.issue_order(tx, viewer.actor, wanted, now)
    return queries.order_rows([order], queries.today_of(now))[0]


def _parts(parts: Iterable[PartUsed]) -> tuple[commands.Part, ...]:
    return tuple(commands.Part(part.name, part.count) for part in parts)


class OrderDeed(Schema):
    reason: str = Field(default="", max_length=1000)
    parts: list[PartUsed] = Field(default_factory=list, max_length=20)
    photos: list[str] = Field(default_factory=list, max_length=20)
    version: int | None = None


OrderMove = Literal["accept", "start", "finish", "verify", "reject", "cancel"]


@router.post("/facilities/orders/{order_id}/{step}")
def move_order(request: SeatedRequest, order_id: str, step: OrderMove, body: OrderDeed) -> Row:
    """One step of a work order."""
    viewer = request.auth
    now = system_clock()
    done = commands.WorkDone(note=body.reason, parts=_parts(body.parts), photos=tuple(body.photos))
    with civic.transaction() as tx:
        order = commands.step_order(
            tx, viewer.actor, order_id, OrderStep(step), now, reason=body.reason, done=done, version=body.version
        )
    return queries.order_rows([order], queries.today_of(now))[0]


@router.get("/facilities/inspections")
def inspections(request: SeatedRequest, offset: int = 0) -> Row:
    """What somebody planned to look at, by day; what is overdue by rule is in the register (`inspection=overdue`)."""
    viewer = request.auth
    demand(viewer, Right.VIEW_FACILITIES)
    rows, today = queries.planned(viewer.authority), queries.today_of(system_clock())
    page = [queries.inspection_row(row, today) for row in _page(rows, offset)]
    return {"rows": page, "offset": _first(offset), "total": rows.count()}


class Cancelled(Schema):
    reason: str = Field(min_length=1, max_length=500)
    version: int | None = None


@router.post("/facilities/inspections/{inspection_id}/cancel")
def cancel_inspection(request: SeatedRequest, inspection_id: str, body: Cancelled) -> Row:
    """Calls off a planned look."""
    now = system_clock()
    with civic.transaction() as tx:
        row = commands.cancel_inspection(tx, request.auth.actor, inspection_id, body.reason, now, version=body.version)
    return queries.inspection_row(row, queries.today_of(now))


@router.get("/facilities/availability")
def availability(request: SeatedRequest, month: str = "") -> Row:
    """Availability and coverage of a month by kind and vendor."""
    viewer = request.auth
    demand(viewer, Right.VIEW_FACILITIES)
    now = system_clock()
    wanted = month or queries.month_text(now)
    return {"month": wanted, "rows": queries.availability(viewer.authority, wanted, now)}


@dataclass(frozen=True, slots=True)
class _Sheet:
    """A table to be saved: its name, its titles, its rows."""

    name: str
    titles: Sequence[str]
    rows: Iterable[Sequence[object]]


@router.get("/facilities/export.csv")
def export(request: SeatedRequest, asked: Query[Asked], what: str = "facilities", month: str = "") -> HttpResponse:
    """The register, outages, orders or a month's availability as CSV (UTF-8 with a mark, for Excel)."""
    viewer = request.auth
    demand(viewer, Right.VIEW_FACILITIES)
    if what not in _SHEETS:
        raise BadRequestError(f"there is no table {what[:40]!r}", where="what", ko="내보낼 표를 알 수 없습니다.")
    sheet = _SHEETS[what](viewer.authority, asked, month)
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(sheet.titles)
    writer.writerows([_cell(value) for value in row] for row in sheet.rows)
    response = HttpResponse(text.getvalue().encode("utf-8-sig"), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{sheet.name}.csv"'
    return response


def _cell(value: object) -> object:
    """A value that a spreadsheet shows and never computes."""
    if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")):
        return f"'{value}"
    return "" if value is None else value


def _facilities(authority: str, asked: Asked, month: str) -> _Sheet:
    del month
    now = system_clock()
    titles = (
        "종류 kind",
        "번호 key",
        "이름 name",
        "주소 address",
        "경도 lon",
        "위도 lat",
        "업체 vendor",
        "상태 condition",
        "경찰연계 police_link",
        "마지막 점검 last_inspected",
        "결과 result",
        "다음 점검 next_inspection",
        "마지막 신호 heard_at",
    )
    found = queries.register(authority, asked.wanted(), now).order_by("kind", "source_key")[:MOST_EXPORTED]
    rows = (
        (
            KIND_KO[Kind(row.kind)],
            row.source_key,
            str(row),
            row.address,
            row.lon,
            row.lat,
            row.vendor,
            row.condition if row.in_service else "off",
            row.police_link,
            row.last_inspected_on,
            row.last_inspection_result,
            row.next_inspection_on,
            queries.instant_or_none(row.heard_at),
        )
        for row in found.iterator(2_000)
    )
    return _Sheet("facilities", titles, rows)


def _outages(authority: str, asked: Asked, month: str) -> _Sheet:
    titles = (
        "종류 kind",
        "이름 name",
        "업체 vendor",
        "상태 state",
        "원인 cause",
        "시작 began",
        "복구 restored",
        "종료 closed",
        "재발 relapses",
        "사유 reason",
    )
    window = queries.month_window(system_clock(), month)
    ended = queries.outages(authority, ended=True, kind=asked.kind)
    rows = [
        *queries.outages(authority, kind=asked.kind),
        *ended.filter(closed_at__gte=window[0], began_at__lt=window[1]),
    ]
    return _Sheet(
        "outages",
        titles,
        (
            (
                KIND_KO[Kind(row.facility.kind)],
                str(row.facility),
                row.facility.vendor,
                STATE_KO[State(row.state)],
                CAUSE_KO[Cause(row.cause)],
                queries.instant_or_none(row.began_at),
                queries.instant_or_none(row.restored_at),
                queries.instant_or_none(row.closed_at),
                row.relapses,
                row.close_reason,
            )
            for row in rows
        ),
    )


def _orders(authority: str, asked: Asked, month: str) -> _Sheet:
    del asked, month
    titles = (
        "번호 number",
        "이름 name",
        "상태 state",
        "맡은 곳 assignee",
        "내용 what",
        "기한 due",
        "완료 done",
        "검증 verified_by",
    )
    rows = [*queries.orders(authority), *queries.orders(authority, ended=True)[:MOST_EXPORTED]]
    return _Sheet(
        "work-orders",
        titles,
        (
            (
                row.number,
                str(row.facility),
                ORDER_KO[OrderState(row.state)],
                row.assignee,
                row.what,
                row.due_on,
                queries.instant_or_none(row.done_at),
                row.verified_by,
            )
            for row in rows
        ),
    )


def _availability(authority: str, asked: Asked, month: str) -> _Sheet:
    del asked
    now = system_clock()
    wanted = month or queries.month_text(now)
    titles = (
        "달 month",
        "종류 kind",
        "업체 vendor",
        "시설 facilities",
        "확인된 시설 known",
        "가용률 availability",
        "확인 범위 coverage",
        "고장 시간 down_hours",
        "확인된 시간 known_hours",
        "전체 시간 total_hours",
    )
    rows = (
        (
            wanted,
            KIND_KO[Kind(row["kind"])],
            row["vendor"],
            row["facilities"],
            row["known_facilities"],
            "알 수 없음 unknown" if row["availability"] is None else row["availability"],
            row["coverage"],
            row["down_hours"],
            row["known_hours"],
            row["total_hours"],
        )
        for row in queries.availability(authority, wanted, now)
    )
    return _Sheet(f"availability-{wanted}", titles, rows)


_SHEETS = {"facilities": _facilities, "outages": _outages, "orders": _orders, "availability": _availability}


@router.get("/facilities/{facility_id}")
def one(request: SeatedRequest, facility_id: str) -> Row:
    """One facility with its story."""
    viewer = request.auth
    demand(viewer, Right.VIEW_FACILITIES)
    return queries.detail(viewer.authority, facility_id, system_clock())


class Report(Schema):
    text: str = Field(default="", max_length=500)


@router.post("/facilities/{facility_id}/report")
def report(request: SeatedRequest, facility_id: str, body: Report) -> Row:
    """A person says that it does not work."""
    with civic.transaction() as tx:
        row = commands.report_fault(tx, request.auth.actor, facility_id, body.text, system_clock())
    return queries.outage_rows([row])[0]


class Planned(Schema):
    due_on: date
    assigned_to: str = Field(default="", max_length=100)


@router.post("/facilities/{facility_id}/plan")
def plan(request: SeatedRequest, facility_id: str, body: Planned) -> Row:
    """Plans an inspection."""
    now = system_clock()
    with civic.transaction() as tx:
        row = commands.plan_inspection(tx, request.auth.actor, facility_id, body.due_on, body.assigned_to, now)
    return queries.inspection_row(row, queries.today_of(now))


class Inspected(Schema):
    done_on: date
    result: Literal["pass", "fail"]
    note: str = Field(default="", max_length=1000)
    photos: list[str] = Field(default_factory=list, max_length=20)


@router.post("/facilities/{facility_id}/inspect")
def inspect(request: SeatedRequest, facility_id: str, body: Inspected) -> Row:
    """Writes down what an inspection found."""
    now = system_clock()
    found = commands.Result(body.done_on, body.result, body.note, tuple(body.photos))
    with civic.transaction() as tx:
        row = commands.record_inspection(tx, request.auth.actor, facility_id, found, now)
    return queries.inspection_row(row, queries.today_of(now))


class Service(Schema):
    in_service: bool
    reason: str = Field(min_length=1, max_length=300)


@router.post("/facilities/{facility_id}/service")
def service(request: SeatedRequest, facility_id: str, body: Service) -> Row:
    """Takes a facility out of service, or back into it."""
    viewer, now = request.auth, system_clock()
    with civic.transaction() as tx:
        commands.set_service(tx, viewer.actor, facility_id, in_service=body.in_service, reason=body.reason, now=now)
    return queries.detail(viewer.authority, facility_id, now)
