"""What someone hears whose login is locked after too many failures; named in `AXES_LOCKOUT_CALLABLE`."""

from __future__ import annotations

from collections.abc import Mapping

import orjson
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from madang.kernel.errors import problem


def locked_out(
    request: HttpRequest, response: HttpResponse | None, credentials: Mapping[str, str] | None
) -> HttpResponse:
    """429 with how long to wait: problem+json for the console, a page for the back office."""
    del response, credentials
    minutes = max(1, settings.MADANG_IDENTITY.lockout_s // 60)
    if not request.path.startswith("/api/"):
        return render(request, "console/locked_out.html", {"minutes": minutes}, status=429)
    body = problem(
        "locked-out",
        429,
        "This login is locked for a while",
        f"Too many failed logins; the lock ends after {minutes} minutes",
        ko=f"로그인 실패가 많아 잠겼습니다. {minutes}분 뒤 다시 시도하거나 시스템 관리자에게 잠금 해제를 요청하십시오.",
        hint="Wait, or ask an administrator to unlock the account",
    )
    return HttpResponse(orjson.dumps(body), status=429, content_type="application/problem+json")
