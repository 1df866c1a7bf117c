"""Reviews people owe: the monthly check of the access log, and every broken glass."""

from __future__ import annotations

from datetime import datetime

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_http_methods

from madang.console.office.frame import back_to, cities, city_of, do, show
from madang.console.office.provisions import month_of, months
from madang.console.projection import person_names
from madang.identity.models import Authority
from madang.identity.office import Page, actor_of, audit, site
from madang.identity.rights import Right
from madang.journal import civic
from madang.kernel.clock import SEOUL, parse_instant, system_clock
from madang.video import commands as video
from madang.video.models import AccessReview, BreakGlassReview, ViewSession
from madang.video.register import month_bounds

LOG, GLASS = Right.REVIEW_ACCESS_LOG, Right.REVIEW_BREAK_GLASS
SIGNED = "video.access_review.signed"
KINDS = {"case": "사건", "roster": "일상 관제", "break_glass": "긴급 열람"}
LOOKED_BACK = 6
"""Months for which a missing sign-off is still pressed for."""


# --------------------------------------------------------------------------------------- the access log


@require_http_methods(["GET", "POST"])
def access_log(request: HttpRequest) -> HttpResponse:
    """The month's samples, a verdict for each, and the signature under all of them."""
    city, month = city_of(request, LOG), month_of(request)
    if request.method == "POST":
        _judge(request, city.code, month)
        return back_to("access_log", city.code, month=month)
    reviews = list(
        AccessReview.objects.filter(authority=city, month=month)
        .select_related("view__grant__case", "view__camera")
        .order_by("view__started_at")
    )
    start, end = month_bounds(month)
    people = person_names(review.reviewer for review in reviews)
    views = ViewSession.objects.filter(authority=city, started_at__gte=start, started_at__lt=end).count()
    context = {
        "city": city,
        "cities": cities(request, LOG),
        "month": month,
        "months": months(),
        "reviews": [
            (review, people.get(review.reviewer, ""), KINDS.get(review.view.grant.kind, review.view.grant.kind))
            for review in reviews
        ],
        "views": views,
        "sampled": bool(reviews) or not views,
        "open": sum(not review.verdict for review in reviews),
        "signed": signed(city.code, month),
        "overdue": overdue(city.code, system_clock()),
        "over": end <= system_clock(),
    }
    return show(request, "access_log", "접속기록 월간 점검", **context)


def _judge(request: HttpRequest, city: str, month: str) -> None:
    actor, now, deed = actor_of(request), system_clock(), request.POST.get("deed")
    if deed == "draw":
        do(request, lambda tx: video.draw_access_review(tx, actor, city, month, now), "점검할 표본을 뽑았습니다.")
    elif deed == "sign":
        _sign(request, city, month)
    else:
        review, verdict = request.POST.get("review", ""), request.POST.get("verdict", "")
        reason = request.POST.get("reason", "")
        if AccessReview.objects.filter(pk=review, authority=city).exists() and not signed(city, month):
            do(request, lambda tx: video.judge_access(tx, actor, review, verdict, reason, now), "판정을 기록했습니다.")
        else:
            messages.error(request, "이미 서명했거나 없는 항목입니다.")


def _sign(request: HttpRequest, city: str, month: str) -> None:
    """The signature is a row of the audit chain: it can be neither changed nor taken back."""
    reviews = AccessReview.objects.filter(authority=city, month=month)
    if month_bounds(month)[1] > system_clock():
        messages.error(request, "달이 끝난 뒤에 서명할 수 있습니다.")
    elif signed(city, month):
        messages.error(request, "이미 서명한 달입니다.")
    elif reviews.filter(verdict="").exists():
        messages.error(request, "판정하지 않은 항목이 남아 있습니다.")
    elif not reviews.exists() and _viewed(city, month):
        messages.error(request, "먼저 표본을 뽑으십시오.")
    else:
        improper = reviews.exclude(verdict="proper").count()
        body = {"month": month, "reviewed": reviews.count(), "not_proper": improper}
        do(
            request,
            lambda tx: audit(tx, request, authority=city, action=SIGNED, thing=f"month:{month}", body=body),
            "서명했습니다. 점검 결과가 감사 기록에 남았습니다.",
        )


def _viewed(city: str, month: str) -> bool:
    start, end = month_bounds(month)
    return ViewSession.objects.filter(authority=city, started_at__gte=start, started_at__lt=end).exists()


def signed(city: str, month: str) -> tuple[str, datetime] | None:
    """Who signed a month off, and when."""
    with civic.reading() as tx:
        rows = tx.execute(
            "SELECT actor, at FROM journal_audit WHERE stream = ? AND thing = ? AND action = ? ORDER BY seq LIMIT 1",
            (city, f"month:{month}", SIGNED),
        )
    if not rows:
        return None
    actor, at = str(rows[0][0]), parse_instant(str(rows[0][1]))
    return person_names([actor]).get(actor, actor), at


def overdue(city: str, now: datetime) -> list[str]:
    """Past months with views that nobody has signed off a month after they ended (art. 8: check at least monthly)."""
    due = []
    for month in months()[1 : LOOKED_BACK + 1]:
        end = month_bounds(month)[1]
        next_end = month_bounds(f"{end.astimezone(SEOUL):%Y-%m}")[1]
        if next_end <= now and _viewed(city, month) and signed(city, month) is None:
            due.append(month)
    return due


def _unsigned_in(codes: frozenset[str]) -> int:
    now = system_clock()
    return sum(len(overdue(code, now)) for code in codes)


# ------------------------------------------------------------------------------------------ broken glass


@require_http_methods(["GET", "POST"])
def broken_glass(request: HttpRequest) -> HttpResponse:
    """Views opened without a case: somebody else says whether that was justified."""
    mine: list[Authority] = cities(request, GLASS)
    if request.method == "POST":
        actor, now = actor_of(request), system_clock()
        grant, verdict = request.POST.get("grant", ""), request.POST.get("verdict", "")
        note = request.POST.get("note", "")
        do(request, lambda tx: video.review_break_glass(tx, actor, grant, verdict, note, now), "검토를 기록했습니다.")
        return back_to("broken_glass")
    reviews = list(
        BreakGlassReview.objects.filter(authority__in=[city.code for city in mine])
        .select_related("grant")
        .prefetch_related("grant__grant_cameras__camera", "grant__views")
        .order_by("reviewed_at", "due_at")[:200]
    )
    people = person_names(by for review in reviews for by in (review.actor, review.reviewed_by))
    now = system_clock()
    rows = [
        {
            "review": review,
            "who": people.get(review.actor, review.actor),
            "by": people.get(review.reviewed_by, review.reviewed_by),
            "own": review.actor == actor_of(request).id,
            "late": review.reviewed_at is None and review.due_at < now,
            "cameras": [link.camera.label for link in review.grant.grant_cameras.all()],
            "views": len(review.grant.views.all()),
        }
        for review in reviews
    ]
    return show(request, "broken_glass", "긴급 열람 검토", rows=rows)


def _glass_in(codes: frozenset[str]) -> int:
    return BreakGlassReview.objects.filter(authority__in=codes, reviewed_at=None).count()


def register() -> None:
    """Puts the pages into the office."""
    site.add(
        Page(
            "broken_glass",
            "broken-glass/",
            broken_glass,
            (GLASS,),
            "긴급 열람 검토",
            "work",
            "emergency",
            10,
            _glass_in,
        )
    )
    site.add(
        Page(
            "access_log",
            "access-log/",
            access_log,
            (LOG,),
            "접속기록 월간 점검",
            "work",
            "fact_check",
            20,
            _unsigned_in,
        )
    )
