"""The addresses Django answers for the screens."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, URLResolver, path, re_path
from django.views.decorators.csrf import csrf_exempt

from madang.console.api import api
from madang.console.problems import answer
from madang.console.screen import facilities_screen, hub_screen, review_screen, rules_screen, screen, wall_screen
from madang.kernel.errors import NotFoundError


@csrf_exempt
def nothing_here(request: HttpRequest) -> HttpResponse:
    """An address of the API that does not exist, in the API's own words."""
    return answer(NotFoundError(f"there is no {request.path[:200]}", where="path").problem())


urlpatterns: list[URLPattern | URLResolver] = [
    path("api/console/", api.urls),
    re_path(r"^api/console/", nothing_here),
    path("hub", hub_screen, name="hub"),
    path("facilities", facilities_screen, name="facilities"),
    path("review", review_screen, name="review"),
    path("rules", rules_screen, name="rules"),
    path("wall", wall_screen, name="wall"),
    path("", screen, name="screen"),
]
