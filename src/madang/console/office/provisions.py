"""The register of use and provision beyond purpose, and its export."""

from __future__ import annotations

import csv
import io
from datetime import timedelta

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_POST, require_safe

from madang.console.office.frame import cities, city_of, show
from madang.identity.office import Page, audit, site
from madang.identity.rights import Right
from madang.journal import civic
from madang.kernel.clock import SEOUL, seoul_text, system_clock
from madang.video import queries
from madang.video.legal import BASIS_KO, basis_of
from madang.video.models import ProvisionRecord
from madang.video.register import month_bounds

READ = Right.READ_REGISTER
MONTHS_OFFERED = 36
_RISKY = ("=", "+", "-", "@", "\t", "\r")


def months() -> list[str]:
    """The last months, newest first, as `YYYY-MM` in Korean time."""
    first = system_clock().astimezone(SEOUL).replace(day=1)
    found = []
    for _ in range(MONTHS_OFFERED):
        found.append(f"{first:%Y-%m}")
        first = (first - timedelta(days=1)).replace(day=1)
    return found


def month_of(request: HttpRequest) -> str:
    """The month asked for, if it is one; else this month."""
    asked = request.POST.get("month") or request.GET.get("month") or ""
    try:
        month_bounds(asked)
    except ValueError:
        return months()[0]
    return asked


def basis_name(code: str) -> str:
    """The ground in Korean."""
    basis = basis_of(code)
    return BASIS_KO[basis] if basis is not None else {"break_glass": "긴급 열람 (사후 검토)"}.get(code, code)


def _filtered(request: HttpRequest, city: str, month: str) -> list[ProvisionRecord]:
    rows = queries.register(city, month)
    wanted = {name: request.GET.get(name) or request.POST.get(name) or "" for name in ("basis", "recipient", "act")}
    return [
        row
        for row in rows
        if wanted["basis"] in ("", row.basis)
        and wanted["recipient"] in ("", row.recipient_code)
        and wanted["act"] in ("", row.act)
    ]


@require_safe
def register_page(request: HttpRequest) -> HttpResponse:
    """The register of one month, filtered."""
    city, month = city_of(request, READ), month_of(request)
    rows = _filtered(request, city.code, month)
    everything = queries.register(city.code, month)
    context = {
        "city": city,
        "cities": cities(request, READ),
        "month": month,
        "months": months(),
        "rows": [(row, basis_name(row.basis)) for row in rows],
        "bases": sorted({(row.basis, basis_name(row.basis)) for row in everything}),
        "recipients": sorted({(row.recipient_code, row.recipient_name or row.recipient_code) for row in everything}),
        "chosen": {name: request.GET.get(name, "") for name in ("basis", "recipient", "act")},
        "views": sum(row.views for row in rows),
        "minutes": round(sum(row.seconds for row in rows) / 60, 1),
    }
    return show(request, "register", "목적 외 이용·제공 대장", **context)


HEADER = (
    "구분",
    "사건번호",
    "법적 근거",
    "목적",
    "범위",
    "제공받는 자",
    "조건",
    "시작",
    "끝",
    "종료",
    "카메라 수",
    "열람 수",
    "열람 초",
    "결정",
    "모드",
)


@require_POST
def export(request: HttpRequest) -> HttpResponse:
    """The same rows as a file; who took it out, and which, is audited."""
    city, month = city_of(request, READ), month_of(request)
    rows = _filtered(request, city.code, month)
    with civic.transaction() as tx:
        body = {"month": month, "rows": len(rows)}
        thing = f"register:{month}"
        audit(tx, request, authority=city.code, action="register.exported", thing=thing, body=body)
    response = HttpResponse(_csv(rows), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="register-{city.code}-{month}.csv"'
    response["Cache-Control"] = "no-store"
    return response


def _csv(rows: list[ProvisionRecord]) -> bytes:
    """UTF-8 with BOM, which Korean spreadsheets open rightly."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(HEADER)
    for row in rows:
        writer.writerow(_harmless(str(value)) for value in _values(row))
    return text.getvalue().encode("utf-8-sig")


def _harmless(value: str) -> str:
    """A cell no spreadsheet takes for a formula."""
    return f"'{value}" if value.startswith(_RISKY) else value


def _values(row: ProvisionRecord) -> tuple[object, ...]:
    return (
        row.get_act_display(),
        row.incident_number,
        basis_name(row.basis),
        row.purpose,
        row.scope,
        row.recipient_name or row.recipient_code,
        "; ".join(map(str, row.conditions)),
        seoul_text(row.from_at),
        seoul_text(row.to_at),
        seoul_text(row.ended_at) if row.ended_at else "",
        row.cameras,
        row.views,
        round(row.seconds, 1),
        row.decided_by,
        row.mode,
    )


def register() -> None:
    """Puts the pages into the office."""
    site.add(Page("register", "register/", register_page, (READ,), "이용·제공 대장", "video", "menu_book", 10))
    site.add(Page("register_export", "register/export/", export, (READ,)))
