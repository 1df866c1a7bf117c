"""Login, logout, who I am, my shift."""

from __future__ import annotations

from datetime import datetime
from typing import Any, TypedDict

from django.contrib.auth import authenticate, login, logout
from django.http import HttpRequest, HttpResponse
from django.middleware.csrf import get_token
from ninja import Router, Schema
from pydantic import Field

import madang
from madang.console.seat import SeatedRequest, check_form_token, demand
from madang.console.sessions import choose, viewer_of_request
from madang.console.sight import Viewer
from madang.identity.models import ROLE_NAMES_KO, Authority, Person
from madang.identity.office import cities_with, mode_banner
from madang.identity.rights import Right
from madang.journal import civic
from madang.kernel.clock import instant_text, system_clock
from madang.kernel.errors import NotAuthenticatedError
from madang.kernel.mode import Mode
from madang.video import commands as video
from madang.video import queries as video_queries
from madang.video.commands.roster import on_duty
from madang.video.models import DutyShift

router = Router(tags=["session"])


class Credentials(Schema):
    username: str = Field(min_length=1, max_length=150)
    password: str = Field(min_length=1, max_length=200)


class Code(Schema):
    code: str = Field(max_length=20)


class Hours(Schema):
    hours: float = Field(default=8.0, gt=0, le=24)


class AuthorityRow(TypedDict):
    code: str
    name_ko: str
    name_en: str
    lon: float
    lat: float
    zoom: float


class ShiftRow(TypedDict):
    from_at: str
    to_at: str


class RosterRow(TypedDict):
    id: str
    person: dict[str, str]
    from_at: str
    to_at: str
    accepted_at: str | None


class Me(TypedDict):
    """Who is at the screen and what they may do in the city they look at."""

    person: dict[str, str]
    authority: AuthorityRow
    authorities: list[AuthorityRow]
    roles: list[str]
    roles_ko: list[str]
    rights: list[str]
    agency: str
    on_duty: ShiftRow | None
    office: bool
    media_url: str
    mode_banner: str | None
    version: str


def me_of(viewer: Viewer) -> Me:
    """The answer of `/me`."""
    cities = {city.code: _city(city) for city in Authority.objects.filter(code__in=viewer.actor.authorities)}
    roles = sorted(viewer.actor.roles.get(viewer.authority, frozenset()))
    return {
        "person": {"id": viewer.actor.id, "name": viewer.actor.name},
        "authority": cities[viewer.authority],
        "authorities": [cities[code] for code in sorted(cities)],
        "roles": [role.value for role in roles],
        "roles_ko": [ROLE_NAMES_KO[role] for role in roles],
        "rights": sorted(right.value for right in viewer.actor.rights_in(viewer.authority)),
        "agency": viewer.actor.agency,
        "on_duty": _shift_of(viewer, system_clock()),
        "office": bool(cities_with(viewer.actor, *_OFFICE)),
        "media_url": video_queries.media_url(),
        "mode_banner": mode_banner(),
        "version": madang.__version__,
    }


_OFFICE = (
    Right.MANAGE_ACCOUNTS,
    Right.IMPORT_DATA,
    Right.READ_REGISTER,
    Right.READ_AUDIT,
    Right.SEE_DEAD_LETTERS,
    Right.REVIEW_BREAK_GLASS,
)


def _city(city: Authority) -> AuthorityRow:
    return {
        "code": city.code,
        "name_ko": city.name_ko,
        "name_en": city.name_en,
        "lon": city.lon,
        "lat": city.lat,
        "zoom": city.zoom,
    }


def _shift_of(viewer: Viewer, now: datetime) -> ShiftRow | None:
    shift = on_duty(viewer.actor.id, viewer.authority, now)
    return None if shift is None else {"from_at": instant_text(shift.from_at), "to_at": instant_text(shift.to_at)}


@router.post("/login", auth=None)
def log_in(request: HttpRequest, credentials: Credentials) -> Me:
    """Opens a session; failures are counted and lock the name for a while."""
    check_form_token(request)
    person = authenticate(request, username=credentials.username, password=credentials.password)
    if not isinstance(person, Person):
        raise NotAuthenticatedError(
            "The name or the password is wrong",
            ko="아이디 또는 비밀번호가 맞지 않습니다.",
            hint="Check both; after several failures the login is locked for a while",
        )
    login(request, person)
    viewer = viewer_of_request(request)
    _note(viewer, "session.opened")
    return me_of(viewer)


@router.post("/logout")
def log_out(request: SeatedRequest) -> dict[str, bool]:
    """Ends the session; its live stream ends with it."""
    _note(request.auth, "session.closed")
    logout(request)
    return {"ok": True}


def _note(viewer: Viewer, action: str) -> None:
    with civic.transaction() as tx:
        civic.audit(
            tx,
            authority=viewer.authority,
            actor=viewer.actor.id,
            action=action,
            thing=viewer.actor.id,
            mode=Mode(mode_banner() or Mode.LIVE),
            now=system_clock(),
        )


@router.get("/token", auth=None)
def form_token(request: HttpRequest, response: HttpResponse) -> dict[str, bool]:
    """Sets the csrftoken cookie for a page that was not served by us."""
    get_token(request)
    response["Cache-Control"] = "no-store"
    return {"ok": True}


@router.get("/me")
def me(request: SeatedRequest) -> Me:
    """Who is logged in, and what they may do."""
    get_token(request)
    return me_of(request.auth)


@router.post("/me/authority")
def switch(request: SeatedRequest, body: Code) -> Me:
    """Looks at another of one's own cities."""
    choose(request, request.auth, body.code)
    return me_of(viewer_of_request(request))


@router.post("/shift/start")
def start_shift(request: SeatedRequest, body: Hours) -> Me:
    """Goes on duty: from now on roster grants cover ordinary viewing."""
    viewer = request.auth
    with civic.transaction() as tx:
        video.start_shift(tx, viewer.actor, viewer.authority, body.hours, system_clock())
    return me_of(request.auth)


@router.post("/shift/end")
def end_shift(request: SeatedRequest) -> Me:
    """Goes off duty: what was watched under the roster ends."""
    with civic.transaction() as tx:
        video.end_shift(tx, request.auth.actor, request.auth.authority, system_clock())
    return me_of(request.auth)


@router.get("/roster")
def roster(request: SeatedRequest) -> dict[str, list[RosterRow]]:
    """Who is on duty now and next, in the city looked at."""
    demand(request.auth, Right.VIEW_INCIDENT)
    now = system_clock()
    shifts = (
        DutyShift.objects.filter(authority=request.auth.authority, ended_at=None, to_at__gt=now)
        .select_related("person")
        .order_by("from_at")[:200]
    )
    return {"shifts": [_roster_row(shift) for shift in shifts]}


def _roster_row(shift: Any) -> RosterRow:  # Any: mypy loses the model behind select_related slices
    return {
        "id": shift.pk,
        "person": {"id": f"person:{shift.person_id}", "name": shift.person.display_name},
        "from_at": instant_text(shift.from_at),
        "to_at": instant_text(shift.to_at),
        "accepted_at": None if shift.accepted_at is None else instant_text(shift.accepted_at),
    }
