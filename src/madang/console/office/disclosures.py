"""Citizens' requests to know whether video of them was provided: the work list and the answer."""

from __future__ import annotations

from collections.abc import Callable

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from madang.console.office.frame import cities, do, show
from madang.console.office.provisions import basis_name
from madang.console.projection import person_names
from madang.identity.office import Page, actor_of, cities_with, site
from madang.identity.rights import Right
from madang.journal import civic
from madang.journal.session import Session
from madang.kernel.clock import parse_instant, system_clock
from madang.kernel.errors import MadangError
from madang.video import commands as video
from madang.video.models import DisclosureRequest, ProvisionRecord

ANSWER = Right.ANSWER_DISCLOSURE
OPEN = ("received", "checking")


@require_safe
def requests(request: HttpRequest) -> HttpResponse:
    """What waits, the most due first, then what was answered lately."""
    mine = [city.code for city in cities(request, ANSWER)]
    found = DisclosureRequest.objects.filter(authority__in=mine)
    waiting = list(found.filter(state__in=OPEN).order_by("due_at"))
    answered = list(found.exclude(state__in=OPEN).order_by("-answered_at")[:50])
    people = person_names(row.handled_by for row in (*waiting, *answered))
    named = [[(row, people.get(row.handled_by, "")) for row in rows] for rows in (waiting, answered)]
    return show(request, "disclosures", "영상 제공 확인 청구", waiting=named[0], answered=named[1], now=system_clock())


@require_http_methods(["GET", "POST"])
def one(request: HttpRequest, request_id: str) -> HttpResponse:
    """What the citizen wrote (opening it is audited), what the register has for that time, and the answer."""
    actor = actor_of(request)
    row = DisclosureRequest.objects.filter(pk=request_id, authority__in=cities_with(actor, ANSWER)).first()
    if row is None:
        raise Http404
    if request.method == "POST":
        _answer(request, row.pk)
        return redirect(reverse("admin:disclosure", args=[row.pk]))
    try:
        with civic.transaction() as tx:
            told = video.read_disclosure(tx, actor, row.pk, system_clock())
    except MadangError:
        messages.error(
            request,
            "봉인을 열지 못했습니다. 시스템 관리자에게 알리십시오. (the seal does not open with the present key)",
        )
        told = {}
    begins, ends = (parse_instant(told[name]) if name in told else None for name in ("from_at", "to_at"))
    context = {
        "row": row,
        "told": told,
        "from_at": begins,
        "to_at": ends,
        "found": _provisions(row, told),
        "open": row.state in OPEN,
    }
    return show(request, "disclosure", f"청구 {row.receipt}", **context)


def _provisions(row: DisclosureRequest, told: dict[str, str]) -> list[tuple[ProvisionRecord, str]]:
    """Provisions whose time touches the citizen's; whether they are in the picture a person must look up."""
    if "from_at" not in told:
        return []
    begins, ends = parse_instant(told["from_at"]), parse_instant(told["to_at"])
    rows = ProvisionRecord.objects.filter(
        authority=row.authority_id, act="provision", from_at__lt=ends, to_at__gt=begins
    ).select_related("grant__case")
    return [(found, basis_name(found.basis)) for found in rows.order_by("from_at")[:200]]


def _answer(request: HttpRequest, request_id: str) -> None:
    actor, now, text = actor_of(request), system_clock(), request.POST.get("answer", "")
    deeds: dict[str, Callable[[Session], DisclosureRequest]] = {
        "check": lambda tx: video.check_disclosure(tx, actor, request_id, now),
        "answer": lambda tx: video.answer_disclosure(tx, actor, request_id, text, now),
        "refuse": lambda tx: video.refuse_disclosure(tx, actor, request_id, text, now),
    }
    deed = deeds.get(request.POST.get("deed", ""))
    if deed is None:
        messages.error(request, "무엇을 할지 고르십시오.")
    else:
        do(request, deed, "기록했습니다.")


def _waiting_in(codes: frozenset[str]) -> int:
    return DisclosureRequest.objects.filter(authority__in=codes, state__in=OPEN).count()


def register() -> None:
    """Puts the pages into the office."""
    site.add(
        Page(
            "disclosures",
            "disclosures/",
            requests,
            (ANSWER,),
            "제공 확인 청구",
            "work",
            "contact_support",
            30,
            _waiting_in,
        )
    )
    site.add(Page("disclosure", "disclosures/<str:request_id>/", one, (ANSWER,)))
