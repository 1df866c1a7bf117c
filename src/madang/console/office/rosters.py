"""The roster: teams, a week of shifts, planning more of them, taking one off."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_http_methods, require_POST

from madang.console.office.frame import back_to, cities, city_of, do, show
from madang.identity.models import Authority, Person
from madang.identity.office import Page, actor_of, site
from madang.identity.rights import Right, Role
from madang.kernel.clock import SEOUL, system_clock
from madang.response.duty import roster
from madang.response.duty.domain import span_on
from madang.response.duty.models import Team
from madang.response.duty.presence import duty_config
from madang.video.models import DutyShift

ASSIGN = Right.ASSIGN_ROSTER
WEEKDAYS = "월화수목금토일"


@require_http_methods(["GET", "POST"])
def rosters(request: HttpRequest) -> HttpResponse:
    """A week of a city's shifts, and what plans more of them."""
    city = city_of(request, ASSIGN)
    if request.method == "POST":
        _deed(request, city.code)
        return back_to("rosters", city.code, week=request.POST.get("week", ""))
    first = _monday(request.GET.get("week", ""))
    names = duty_config().shifts
    days = [first + timedelta(days=n) for n in range(7)]
    context = {
        "city": city,
        "cities": cities(request, ASSIGN),
        "days": [(day, WEEKDAYS[day.weekday()], day == _today()) for day in days],
        "rows": [(name, [_on(city, day, name) for day in days]) for name in names],
        "shifts": names,
        "teams": [(team, list(team.members.all())) for team in Team.objects.filter(authority=city)],
        "people": _people(city),
        "first": first,
        "before": first - timedelta(days=7),
        "after": first + timedelta(days=7),
    }
    return show(request, "rosters", "근무표", **context)


def _today() -> date:
    return system_clock().astimezone(SEOUL).date()


def _monday(text: str) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = _today()
    return day - timedelta(days=day.weekday())


def _on(city: Authority, day: date, name: str) -> list[dict[str, Any]]:  # Any: template values
    span = span_on(day, name)
    shifts = DutyShift.objects.filter(authority=city, from_at__lt=span.to_at, to_at__gt=span.from_at)
    kept = shifts.exclude(accepted_at=None, ended_at__isnull=False).select_related("person").order_by("from_at")
    return [
        {
            "id": shift.pk,
            "name": shift.person.display_name,
            "planned": shift.accepted_at is None,
            "partly": shift.from_at > span.from_at or (shift.ended_at or shift.to_at) < span.to_at,
        }
        for shift in kept
        if shift.ended_at is None or shift.ended_at > span.from_at
    ]


def _people(city: Authority) -> list[Person]:
    room = (Role.OPERATOR.value, Role.SUPERVISOR.value)
    rows = Person.objects.filter(role_assignments__authority=city, role_assignments__role__in=room, is_active=True)
    return list(rows.distinct().order_by("name_ko", "username"))


def _deed(request: HttpRequest, city: str) -> None:
    actor, now = actor_of(request), system_clock()
    if request.POST.get("deed") == "team":
        name, people = request.POST.get("name", ""), request.POST.getlist("people")
        do(request, lambda tx: roster.put_team(tx, actor, city, name, people, now), "조를 저장했습니다.")
        return
    days = _days(request)
    if days is not None:
        _plan(request, city, days, now)


def _days(request: HttpRequest) -> tuple[date, date] | None:
    try:
        first = date.fromisoformat(request.POST.get("first", ""))
        return first, date.fromisoformat(request.POST.get("last") or first.isoformat())
    except ValueError:
        messages.error(request, "첫날과 끝날을 날짜로 적으십시오.")
        return None


def _plan(request: HttpRequest, city: str, days: tuple[date, date], now: datetime) -> None:
    actor, shift = actor_of(request), request.POST.get("shift", "")
    people = set(request.POST.getlist("people"))
    team = Team.objects.filter(authority_id=city, pk=request.POST.get("team", "")).first()
    if team is not None:
        people |= {str(pk) for pk in team.members.values_list("pk", flat=True)}
    do(request, lambda tx: roster.plan(tx, actor, city, days, shift, sorted(people), now), "근무를 넣었습니다.")


@require_POST
def unplan(request: HttpRequest, shift_id: str) -> HttpResponse:
    """Takes a planned shift off the roster."""
    actor, now = actor_of(request), system_clock()
    do(request, lambda tx: roster.unplan(tx, actor, shift_id, now), "근무를 뺐습니다.")
    return back_to("rosters", request.POST.get("city", ""), week=request.POST.get("week", ""))


def register() -> None:
    """Puts the pages into the office."""
    site.add(Page("rosters", "rosters/", rosters, (ASSIGN,), "근무표", "work", "calendar_month", 65))
    site.add(Page("roster_unplan", "rosters/<str:shift_id>/unplan/", unplan, (ASSIGN,)))
