"""The page behind the link in a situation message: one button, no login, no script.

Opening it changes nothing, because machines open links too: only the button, a POST, acknowledges. The token in the
address is the whole credential, so the form carries no cookie and needs none.
"""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from madang.journal import civic
from madang.kernel.clock import system_clock
from madang.kernel.errors import MadangError
from madang.portal.doors import acknowledge_door, knock
from madang.response.messaging import commands
from madang.response.messaging.domain import DeliveryState
from madang.response.messaging.wording import LEVEL_KO


@csrf_exempt
@require_http_methods(["GET", "HEAD", "POST"])
def page(request: HttpRequest, token: str) -> HttpResponse:
    """What the message says, and the button; after pressing it, that it is known."""
    now = system_clock()
    try:
        knock(acknowledge_door(), request.META.get("REMOTE_ADDR", ""), now)
        with civic.transaction() as tx:
            if request.method == "POST":
                delivery = commands.acknowledge_by_token(tx, token, now)
            else:
                delivery = commands.delivery_of_token(token, now)
    except MadangError as error:
        return _answer(request, {"refusal": error.ko or error.detail}, error.status)
    message = delivery.message
    known = delivery.state == DeliveryState.ACKNOWLEDGED.value
    shown = {"message": message, "delivery": delivery, "known": known, "level": LEVEL_KO[message.level]}
    return _answer(request, shown, 200)


def _answer(request: HttpRequest, context: dict[str, object], status: int) -> HttpResponse:
    response = render(request, "portal/acknowledge.html", context, status=status)
    response["Cache-Control"] = "no-store"
    response["Referrer-Policy"] = "no-referrer"
    return response
