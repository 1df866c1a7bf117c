"""Who sits at the screen: the session behind a console request, with CSRF enforced on everything that writes."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest
from ninja.errors import HttpError
from ninja.security import APIKeyCookie
from ninja.utils import check_csrf

from madang.console.sessions import viewer_of_request
from madang.console.sight import Viewer
from madang.identity.access import require
from madang.identity.rights import Right, Thing


class SeatedRequest(HttpRequest):
    """A request whose session has been checked."""

    auth: Viewer


class Seat(APIKeyCookie):
    """Django's session as ninja's credential; problems leave as exceptions, so that each says what to do."""

    param_name = settings.SESSION_COOKIE_NAME

    def authenticate(self, request: HttpRequest, key: str | None) -> Viewer:
        del key
        return viewer_of_request(request)


def check_form_token(request: HttpRequest) -> None:
    """CSRF for the one door that has no session yet."""
    if check_csrf(request):
        raise HttpError(403, "The csrftoken cookie and the X-CSRFToken header do not match")


def demand(viewer: Viewer, right: Right) -> None:
    """Raises unless the viewer holds a right in the city they look at."""
    require(viewer.actor, right, Thing(viewer.authority, agency=viewer.actor.agency))
