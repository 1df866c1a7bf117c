"""The citizens' pages. They work without script, on paper, and for whoever cannot see them."""

from __future__ import annotations

import csv
import io
from typing import Any

from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_http_methods, require_safe

from madang.identity.models import Authority
from madang.identity.office import mode_banner
from madang.journal import civic
from madang.kernel.clock import SEOUL, system_clock
from madang.kernel.errors import BadRequestError
from madang.kernel.mode import Mode
from madang.portal import disclosed
from madang.portal.doors import TooOftenError, knock, lookup_door, portal_config, request_door
from madang.portal.forms import RequestForm, StatusForm
from madang.portal.receipts import found_by, secret_of
from madang.video import commands as video
from madang.video.models import DisclosureRequest

PRIVATE = "no-store"


def _page(request: HttpRequest, template: str, context: dict[str, Any], status: int = 200) -> HttpResponse:
    # Any: template values
    return render(request, f"portal/{template}.html", {"mode_banner": mode_banner(), **context}, status=status)


def _mode() -> Mode:
    return Mode(mode_banner() or Mode.LIVE)


def _city(request: HttpRequest) -> Authority | None:
    asked = request.GET.get("city", "")
    return Authority.objects.filter(code=asked).first() or Authority.objects.order_by("code").first()


@require_safe
def index(request: HttpRequest) -> HttpResponse:
    """What there is to see and to ask."""
    return _page(request, "index", {})


@require_safe
def register(request: HttpRequest) -> HttpResponse:
    """The public aggregate of what was provided."""
    city, year = _city(request), _year(request)
    lines = disclosed.published(city.code, year, _mode()) if city else []
    context = {
        "here": "register",
        "city": city,
        "cities": list(Authority.objects.order_by("code")),
        "year": year,
        "years": disclosed.years(city.code, _mode(), _this_year()) if city else [year],
        "lines": lines,
        "total": sum(figures.provisions for _, figures in lines),
        "minutes": round(sum(figures.seconds for _, figures in lines) / 60, 1),
        "now": system_clock(),
        "contact": portal_config(),
    }
    return _page(request, "register", context)


def _this_year() -> int:
    return system_clock().astimezone(SEOUL).year


def _year(request: HttpRequest) -> int:
    asked = request.GET.get("year", "")
    plausible = asked.isascii() and asked.isdigit() and 2000 <= int(asked[:6]) <= _this_year()
    return int(asked) if plausible else _this_year()


@require_safe
def register_csv(request: HttpRequest) -> HttpResponse:
    """The same lines for programs and spreadsheets."""
    city, year = _city(request), _year(request)
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(("달", "법적 근거", "목적", "제공받는 기관", "제공 건수", "카메라 수", "열람 분"))
    for line, figures in disclosed.published(city.code, year, _mode()) if city else []:
        writer.writerow(
            (line.month, line.basis, line.purpose, line.recipient, figures.provisions, figures.cameras, figures.minutes)
        )
    response = HttpResponse(text.getvalue().encode("utf-8-sig"), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="video-register-{year}.csv"'
    return response


@require_http_methods(["GET", "HEAD", "POST"])
def ask(request: HttpRequest) -> HttpResponse:
    """The request form; the answer to a good one is the receipt, shown once."""
    form = RequestForm(request.POST or None)
    status = 200
    if request.method == "POST":
        status = 422
        if form.is_valid():
            try:
                return _receipt(request, form)
            except TooOftenError as error:
                status = error.status
                form.add_error(None, ValidationError(error.ko))
            except BadRequestError as error:
                form.add_error(None, ValidationError(error.ko or error.detail))
    context = {
        "here": "request",
        "form": form,
        "cities": list(Authority.objects.order_by("code")),
        "contact": portal_config(),
        "today": system_clock(),
    }
    response = _page(request, "request", context, status)
    response["Cache-Control"] = PRIVATE
    return response


def _receipt(request: HttpRequest, form: RequestForm) -> HttpResponse:
    now = system_clock()
    knock(request_door(), str(request.META.get("REMOTE_ADDR", "")), now)
    if form.is_trap_sprung:
        raise BadRequestError("the hidden field was filled in", ko="보이지 않는 칸은 비워 두십시오.")
    data = form.cleaned_data
    begins, ends = form.period()
    with civic.transaction() as tx:
        row = video.ask_disclosure(
            tx,
            authority=data["city"].code,
            place=data["place"],
            from_at=begins,
            to_at=ends,
            contact=f"{data['name']} {data['phone']}",
            note=data["looks"],
            now=now,
        )
    context = {"here": "request", "row": row, "secret": secret_of(row), "city": data["city"]}
    response = _page(request, "receipt", context)
    response["Cache-Control"] = PRIVATE
    return response


@require_http_methods(["GET", "HEAD", "POST"])
def status(request: HttpRequest) -> HttpResponse:
    """How a request stands, for whoever has both its number and its word. Neither travels in an address."""
    form, row, code = StatusForm(request.POST or None), None, 200
    if request.method == "POST":
        code = 422
        if form.is_valid():
            row, code = _looked_up(request, form)
    response = _page(request, "status", {"here": "status", "form": form, "row": row, "now": system_clock()}, code)
    response["Cache-Control"] = PRIVATE
    return response


def _looked_up(request: HttpRequest, form: StatusForm) -> tuple[DisclosureRequest | None, int]:
    try:
        knock(lookup_door(), str(request.META.get("REMOTE_ADDR", "")), system_clock())
    except TooOftenError as error:
        form.add_error(None, ValidationError(error.ko))
        return None, error.status
    row = found_by(form.cleaned_data["receipt"], form.cleaned_data["secret"])
    if row is None:
        form.add_error(
            None, ValidationError("접수번호와 비밀번호가 맞는 청구가 없습니다. 접수증을 보고 다시 적어 주십시오.")
        )
        return None, 404
    return row, 200
