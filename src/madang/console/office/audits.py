"""The audit chain as an auditor reads it: rows without their sealed bodies, and whether the chain holds."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from madang.console.office.frame import cities, city_of, show
from madang.console.projection import person_names
from madang.identity.office import Page, site
from madang.identity.rights import Right
from madang.journal import civic
from madang.kernel.clock import parse_instant

READ = Right.READ_AUDIT
SHOWN = 200


@require_safe
def rows(request: HttpRequest) -> HttpResponse:
    """The newest rows, filtered; `before` pages backwards."""
    city = city_of(request, READ)
    wanted = {name: request.GET.get(name, "").strip()[:200] for name in ("actor", "action", "thing")}
    before = request.GET.get("before", "")
    params: list[object] = [city.code, int(before) if before.isascii() and before.isdigit() else 1 << 60]
    where = ""
    for name, text in wanted.items():
        if text:
            where += f" AND {name} LIKE ? ESCAPE '\\'"
            params.append(_like(text))
    with civic.reading() as tx:
        found = tx.execute(
            "SELECT seq, at, actor, action, thing, basis, mode, hash FROM journal_audit"  # noqa: S608 -- column names above
            f" WHERE stream = ? AND seq < ?{where} ORDER BY seq DESC LIMIT {SHOWN}",
            params,
        )
    people = person_names(str(row[2]) for row in found)
    shown = [(row[0], parse_instant(str(row[1])), people.get(row[2], row[2]), *row[3:]) for row in found]
    more = shown[-1][0] if len(shown) == SHOWN else None
    context = {"city": city, "cities": cities(request, READ), "rows": shown, "wanted": wanted, "more": more}
    return show(request, "audit", "감사 기록", **context)


def _like(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"


def register() -> None:
    """Puts the page into the office."""
    site.add(Page("audit", "audit/", rows, (READ,), "감사 기록", "health", "verified_user", 5))
