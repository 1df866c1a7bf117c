"""The desks a person must look at: dead letters, alarms, inputs kept aside, locked logins."""

from __future__ import annotations

from datetime import datetime

from axes.models import AccessAttempt
from axes.utils import reset
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_http_methods, require_safe

from madang.console.feeds import feed_rows, rejects_of
from madang.console.links import link_rows
from madang.console.office.frame import back_to, cities, city_of, do, may, show
from madang.identity.models import Person
from madang.identity.office import Page, actor_of, audit, site
from madang.identity.rights import Right
from madang.journal import alarms, civic, desk
from madang.kernel.clock import parse_instant, system_clock

SEE, RETRY = Right.SEE_DEAD_LETTERS, Right.RETRY_DEAD_LETTERS


@require_http_methods(["GET", "POST"])
def dead_letters(request: HttpRequest) -> HttpResponse:
    """What could not be delivered or handled: try again, or give up with a reason."""
    if request.method == "POST":
        return _settle(request)
    city = city_of(request, SEE)
    with civic.reading() as tx:
        dead, failing = desk.dead_letters(tx, city.code), desk.failing(tx, city.code, 100)
    context = {"city": city, "cities": cities(request, SEE), "dead": dead, "failing": failing}
    return show(request, "dead_letters", "배달 실패함", may_retry=may(request, RETRY, city.code), **context)


def _settle(request: HttpRequest) -> HttpResponse:
    city, actor, now = city_of(request, RETRY).code, actor_of(request).id, system_clock()
    letter, keys = request.POST.get("letter", ""), settings.MADANG_KEYS
    if request.POST.get("deed") == "retry":
        do(
            request,
            lambda tx: desk.retry(tx, keys, letter_id=letter, authority=city, actor=actor, now=now),
            "다시 보냅니다. 결과는 잠시 뒤 이 화면에 나타납니다.",
        )
    else:
        reason = request.POST.get("reason", "")
        do(
            request,
            lambda tx: desk.give_up(tx, keys, letter_id=letter, authority=city, actor=actor, reason=reason, now=now),
            "포기하고 사유를 기록했습니다. 뒤에 기다리던 것이 이어서 처리됩니다.",
        )
    return back_to("dead_letters", city)


@require_http_methods(["GET", "POST"])
def inbox_alarms(request: HttpRequest) -> HttpResponse:
    """Messages that came under an id already used, with another body."""
    city = city_of(request, SEE)
    if request.method == "POST":
        number = request.POST.get("alarm", "")
        seq = int(number) if number.isascii() and number.isdigit() and len(number) < 18 else -1
        seen = do(
            request,
            lambda tx: alarms.acknowledge(
                tx, seq=seq, authority=city.code, actor=actor_of(request).id, now=system_clock()
            ),
            "확인으로 기록했습니다.",
        )
        if seen is False:
            messages.warning(request, "이미 확인되었거나 없는 경보입니다.")
        return back_to("inbox_alarms", city.code)
    with civic.reading() as tx:
        found = alarms.open_alarms(tx, city.code)
    return show(request, "alarms", "수신 경보", city=city, cities=cities(request, SEE), alarms=found)


@require_safe
def data_in(request: HttpRequest) -> HttpResponse:
    """Lines to agencies, feeds of data, and inputs kept aside with their reasons."""
    city = city_of(request, SEE)
    context = {
        "feeds": [(row, _instant(row["last_at"])) for row in feed_rows(city.code)],
        "links": [(row, _instant(row["last_heard_at"])) for row in link_rows(city.code)],
        "rejects": rejects_of(city.code),
    }
    return show(request, "data_in", "연계와 수신 자료", city=city, cities=cities(request, SEE), **context)


def _instant(text: str | None) -> datetime | None:
    return parse_instant(text) if text else None


@require_http_methods(["GET", "POST"])
def lockouts(request: HttpRequest) -> HttpResponse:
    """Logins locked after too many failures, for people of the cities one runs."""
    mine = Person.objects.filter(authority__in=cities(request, Right.MANAGE_ACCOUNTS))
    if request.method == "POST":
        person = mine.filter(username=request.POST.get("username", "")).first()
        if person is None:
            messages.warning(request, "그런 계정이 없습니다.")
        else:
            _unlock(request, person)
        return back_to("lockouts")
    names = {person.username: person for person in mine}
    attempts = AccessAttempt.objects.filter(username__in=names).order_by("-attempt_time")[:500]
    rows = [(names[str(attempt.username)], attempt) for attempt in attempts]
    return show(request, "lockouts", "로그인 잠금", rows=rows, limit=settings.AXES_FAILURE_LIMIT)


def _unlock(request: HttpRequest, person: Person) -> None:
    with civic.transaction() as tx:
        reset(username=person.username)
        city = person.authority_id or ""
        audit(tx, request, authority=city, action="person.unlocked", thing=f"person:{person.pk}")
    messages.success(request, f"{person.display_name} 님의 로그인 잠금을 풀었습니다.")


def _dead_in(codes: frozenset[str]) -> int:
    with civic.reading() as tx:
        return sum(desk.count(tx, code) for code in codes)


def _alarms_in(codes: frozenset[str]) -> int:
    with civic.reading() as tx:
        return sum(alarms.count(tx, code) for code in codes)


def register() -> None:
    """Puts the pages into the office."""
    site.add(
        Page(
            "dead_letters",
            "dead-letters/",
            dead_letters,
            (SEE,),
            "배달 실패함",
            "health",
            "mark_email_unread",
            10,
            _dead_in,
        )
    )
    site.add(
        Page(
            "inbox_alarms",
            "alarms/",
            inbox_alarms,
            (SEE,),
            "수신 경보",
            "health",
            "notification_important",
            20,
            _alarms_in,
        )
    )
    site.add(Page("data_in", "data-in/", data_in, (SEE,), "연계와 수신 자료", "health", "sensors", 30))
    site.add(
        Page("lockouts", "lockouts/", lockouts, (Right.MANAGE_ACCOUNTS,), "로그인 잠금", "accounts", "lock_open", 15)
    )
