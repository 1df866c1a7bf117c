"""How long the body of each kind of record is kept."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_http_methods

from madang.console.office.frame import back_to, cities, city_of, do, show
from madang.identity.office import Page, audit, site
from madang.identity.rights import Right
from madang.journal import civic, retention
from madang.journal.session import Session

EDIT = Right.EDIT_RETENTION
LEAST_DAYS = {"access_log": 365, "administration": 1_095}
"""What the Standards for securing personal information ask for at least (art. 8: one year; art. 5: three years)."""
MOST_DAYS = 36_500


@require_http_methods(["GET", "POST"])
def table(request: HttpRequest) -> HttpResponse:
    """The table; a change applies from the next erasure on and is audited with what it was."""
    city = city_of(request, EDIT)
    if request.method == "POST":
        _set(request, city.code)
        return back_to("retention")
    with civic.reading() as tx:
        kinds = retention.kinds(tx)
    return show(request, "retention", "보유 기간", kinds=kinds, least=LEAST_DAYS, cities=cities(request, EDIT))


def _set(request: HttpRequest, city: str) -> None:
    kind, text = request.POST.get("kind", ""), request.POST.get("days", "")
    days = int(text) if text.isascii() and text.isdigit() and len(text) < 7 else 0
    least = LEAST_DAYS.get(kind, 1)
    if not least <= days <= MOST_DAYS:
        messages.error(request, f"{least}일에서 {MOST_DAYS:,}일 사이의 숫자를 적으십시오.")
        return

    def keep(tx: Session) -> None:
        before = tx.execute("SELECT days FROM journal_retention WHERE kind = ?", (kind,))
        tx.execute("UPDATE journal_retention SET days = ? WHERE kind = ?", (days, kind))
        body = {"kind": kind, "days": days, "before": before[0][0] if before else None}
        audit(tx, request, authority=city, action="retention.set", thing=f"retention:{kind}", body=body)

    do(request, keep, "보유 기간을 바꾸었습니다.")


def register() -> None:
    """Puts the page into the office."""
    site.add(Page("retention", "retention/", table, (EDIT,), "보유 기간", "data", "auto_delete", 60))
