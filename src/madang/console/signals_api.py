"""Storms, shelves, the signals behind incidents, the operators' load, and reports taken by hand."""

from __future__ import annotations

from typing import Literal

from ninja import Query, Router, Schema
from pydantic import Field

from madang.console.incident_api import incident_for
from madang.console.projection import incident_rows
from madang.console.seat import SeatedRequest
from madang.console.sight import Viewer
from madang.identity.office import mode_banner
from madang.journal import civic
from madang.kernel.clock import system_clock
from madang.kernel.errors import BadRequestError, NotFoundError
from madang.kernel.geometry import Point
from madang.kernel.mode import Mode
from madang.response.queries import JsonRow
from madang.response.signals import commands, queries
from madang.response.signals.models import Event, Shelf
from madang.response.signals.policies import Policies
from madang.response.signals.settlement import SETTLED

router = Router(tags=["signals"])
_PATIENCE_S = 1.5
"""How long a report taken by hand may wait to hear in which incident it ended, seconds."""


class Wanted(Schema):
    """Which events, and which page of them."""

    q: str = Field(default="", max_length=200)
    class_code: str = Field(default="", max_length=64)
    priority: int | None = Field(default=None, ge=0, le=4)
    source: str = Field(default="", max_length=12)
    district: str = Field(default="", max_length=60)
    since: str = Field(default="", max_length=24)
    until: str = Field(default="", max_length=24)
    mode: str = Field(default="", max_length=12)
    offset: int = Field(default=0, ge=0, le=1_000_000)
    limit: int = Field(default=50, ge=1, le=queries.MOST_ROWS)

    def filter(self) -> queries.Filter:
        return queries.Filter(
            self.q, self.class_code, self.priority, self.source, self.district, self.since, self.until
        )


class Reason(Schema):
    reason: str = Field(min_length=1, max_length=500)


class NewShelf(Schema):
    source: str = Field(max_length=12)
    device: str = Field(min_length=1, max_length=100)
    minutes: float = Field(allow_inf_nan=False)
    reason: str = Field(min_length=1, max_length=500)
    mode: str = Field(default="", max_length=12)


class Merge(Schema):
    incident_id: str = Field(max_length=36)
    into_id: str = Field(max_length=36)


class NewReport(Schema):
    """What was told or seen. `report_id` is made by the screen, so that sending it twice is harmless."""

    class_code: str = Field(min_length=1, max_length=64)
    informant: Literal["citizen", "operator"] = "operator"
    priority: int | None = Field(default=None, ge=0, le=4)
    lon: float | None = Field(default=None, allow_inf_nan=False)
    lat: float | None = Field(default=None, allow_inf_nan=False)
    address: str = Field(default="", max_length=500)
    text: str = Field(default="", max_length=4_000)
    report_id: str = Field(default="", max_length=200)


def _page(page: queries.Page) -> JsonRow:
    return {"rows": page.rows, "total": page.total, "next_offset": page.next_offset}


def _own_mode() -> Mode:
    return Mode(mode_banner() or Mode.LIVE)


# -------------------------------------------------------------------------------------------- storms and events


@router.get("/signals/storms")
def storms(request: SeatedRequest) -> JsonRow:
    """The open storms, each with what it holds by priority and class."""
    return {"storms": queries.storms(request.auth.actor, request.auth.authority)}


@router.get("/signals/storms/{incident_id}/events")
def storm_events(request: SeatedRequest, incident_id: str, wanted: Query[Wanted]) -> JsonRow:
    """The events of a storm or of any other incident, filtered and searched, the most pressing first."""
    incident_for(request.auth, incident_id)
    found = queries.events_of(
        request.auth.actor, incident_id, wanted.filter(), offset=wanted.offset, limit=wanted.limit
    )
    return _page(found)


@router.get("/signals/events")
def events(request: SeatedRequest, wanted: Query[Wanted]) -> JsonRow:
    """Events of the whole city, wherever they ended, the newest first."""
    viewer = request.auth
    found = queries.find_events(
        viewer.actor, viewer.authority, wanted.mode, wanted.filter(), offset=wanted.offset, limit=wanted.limit
    )
    return _page(found)


@router.get("/signals/events/{event_id}")
def event(request: SeatedRequest, event_id: str) -> JsonRow:
    """One event."""
    _of_city(request.auth, event_id)
    return queries.event(request.auth.actor, event_id)


@router.post("/signals/events/{event_id}/split")
def split(request: SeatedRequest, event_id: str, body: Reason) -> JsonRow:
    """Gives the event an incident of its own."""
    _of_city(request.auth, event_id)
    with civic.transaction() as tx:
        incident = commands.split(tx, request.auth.actor, event_id, body.reason, system_clock())
    return incident_rows([incident])[0]


def _of_city(viewer: Viewer, event_id: str) -> None:
    if not Event.objects.filter(pk=event_id, authority_id=viewer.authority).exists():
        raise NotFoundError("There is no such event here", where="id", ko="사안을 찾을 수 없습니다.")


@router.post("/signals/merge")
def merge(request: SeatedRequest, body: Merge) -> JsonRow:
    """Makes one incident of two; answers with the one that goes on."""
    viewer = request.auth
    incident_for(viewer, body.incident_id)
    incident_for(viewer, body.into_id)
    with civic.transaction() as tx:
        commands.merge(tx, viewer.actor, body.incident_id, body.into_id, system_clock())
    return incident_rows([incident_for(viewer, body.into_id)])[0]


# ------------------------------------------------------------------------------------------------------ signals


@router.get("/signals/of/{incident_id}")
def signals_of(request: SeatedRequest, incident_id: str, wanted: Query[Wanted], event_id: str = "") -> JsonRow:
    """The signals behind an incident, or behind one of its events, the newest first."""
    incident_for(request.auth, incident_id)
    found = queries.signals_of(
        request.auth.actor, incident_id, event_id=event_id, offset=wanted.offset, limit=wanted.limit
    )
    return _page(found)


@router.get("/signals/rejected")
def rejected(request: SeatedRequest, wanted: Query[Wanted], reason: str = "") -> JsonRow:
    """The signals that were rejected and why, the newest first."""
    viewer = request.auth
    found = queries.rejected(viewer.actor, viewer.authority, reason=reason, offset=wanted.offset, limit=wanted.limit)
    return _page(found)


@router.get("/signals/load")
def load(request: SeatedRequest) -> JsonRow:
    """What the operators were given lately against what they can take (EEMUA-191)."""
    return queries.alarm_load(request.auth.actor, request.auth.authority, system_clock())


@router.post("/signals/reports")
def report(request: SeatedRequest, body: NewReport) -> JsonRow:
    """Takes a citizen's or operator's report by hand; tells in which incident it ended, if that is known in time."""
    viewer = request.auth
    if (body.lon is None) != (body.lat is None):
        raise BadRequestError("lon and lat belong together", where="lon", ko="지도에서 위치를 고르십시오.")
    place = Point(body.lon, body.lat) if body.lon is not None and body.lat is not None else None
    told = commands.Report(
        authority=viewer.authority,
        mode=_own_mode(),
        class_code=body.class_code,
        informant=body.informant,
        priority=body.priority,
        place=place,
        address=body.address,
        text=body.text,
        report_id=body.report_id,
    )
    seen = civic.wakeups.signal(SETTLED).count
    with civic.transaction() as tx:
        answer = commands.report(tx, viewer.actor, told, system_clock())
    return _settled(viewer, answer.signal_id, seen) | {"receipt": answer.receipt.value}


def _settled(viewer: Viewer, signal_id: str, seen: int) -> JsonRow:
    """The signal once it is settled, or as it stands when that takes too long."""
    row = queries.signal(viewer.actor, signal_id)
    for _ in range(3):
        if row["outcome"] or not civic.wait_for(SETTLED, _PATIENCE_S / 3, seen):
            break
        seen = civic.wakeups.signal(SETTLED).count
        row = queries.signal(viewer.actor, signal_id)
    return row


@router.get("/signals/one/{signal_id}")
def one_signal(request: SeatedRequest, signal_id: str) -> JsonRow:
    """One signal and where it ended."""
    return queries.signal(request.auth.actor, signal_id)


# ------------------------------------------------------------------------------------------------------ shelves


@router.get("/signals/talkers")
def talkers(request: SeatedRequest) -> JsonRow:
    """The devices that said most within the last hour."""
    return {"devices": queries.talkers(request.auth.actor, request.auth.authority, system_clock())}


@router.get("/signals/shelves")
def shelves(request: SeatedRequest, ended: bool = False) -> JsonRow:
    """The devices on shelves, or those taken off lately."""
    return {"shelves": queries.shelves(request.auth.actor, request.auth.authority, ended=ended)}


@router.post("/signals/shelves")
def shelve(request: SeatedRequest, body: NewShelf) -> JsonRow:
    """Puts a device's signals aside for a while; what is urgent still passes."""
    mode = next((mode for mode in Mode if mode.value == body.mode), _own_mode())
    with civic.transaction() as tx:
        shelf = commands.shelve(
            tx,
            request.auth.actor,
            authority=request.auth.authority,
            mode=mode,
            source=body.source,
            device=body.device,
            minutes=body.minutes,
            reason=body.reason,
            now=system_clock(),
        )
    return queries.shelf_row(shelf)


@router.post("/signals/shelves/{shelf_id}/unshelve")
def unshelve(request: SeatedRequest, shelf_id: str, body: Reason) -> JsonRow:
    """Takes a device off its shelf before its time."""
    _shelf_of_city(request.auth, shelf_id)
    with civic.transaction() as tx:
        shelf = commands.unshelve(tx, request.auth.actor, shelf_id, body.reason, system_clock())
    return queries.shelf_row(shelf)


@router.get("/signals/shelves/{shelf_id}/signals")
def shelved_signals(request: SeatedRequest, shelf_id: str, wanted: Query[Wanted]) -> JsonRow:
    """What a shelved device reported meanwhile, the newest first."""
    _shelf_of_city(request.auth, shelf_id)
    found = queries.signals_on_shelf(request.auth.actor, shelf_id, offset=wanted.offset, limit=wanted.limit)
    return _page(found)


def _shelf_of_city(viewer: Viewer, shelf_id: str) -> None:
    if not Shelf.objects.filter(pk=shelf_id, authority_id=viewer.authority).exists():
        raise NotFoundError("There is no such shelf here", where="id", ko="보류를 찾을 수 없습니다.")


@router.get("/signals/policies/{class_code}")
def policy(request: SeatedRequest, class_code: str) -> JsonRow:
    """How signals of a class are treated in this city; edited in the back office."""
    found = Policies().of(request.auth.authority, class_code)
    return {name: getattr(found, name) for name in found.__slots__}
